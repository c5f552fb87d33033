//! Errors reach a phone and an inbox.
//!
//! [`AlertLayer`] is a [`tracing_subscriber::Layer`]: it captures events at or
//! above a level with their spans, keeps them in SQLite, and sends them as SMS
//! (Twilio) and e-mail (SendGrid), or through a [`Sink`] of your own.
//!
//! ```no_run
//! use tracing_alert::AlertLayer;
//! use tracing_subscriber::prelude::*;
//!
//! tracing_subscriber::registry()
//!     .with(tracing_subscriber::fmt::layer())
//!     .with(AlertLayer::from_env())
//!     .init();
//!
//! tracing::error!(order = 17, "payment failed");
//! ```
//!
//! It never makes the program wait, loses nothing silently, and needs no call
//! at the program's end. The README has the guarantees with their limits, the
//! settings and how to operate it.
//!
//! The modules are in the order in which an error travels.

// 1. On the caller's thread: what is wanted is captured.
mod gate;

mod layer;
pub use layer::AlertLayer;

mod storm;

mod capture;

mod event;
pub use event::{Event, Field, SpanFrame, Value};

mod breadcrumb;
pub use breadcrumb::Breadcrumb;

mod panic;

// 2. It is handed over without waiting, or counted.
mod queue;

mod permit;

mod stats;
pub use stats::{DropReason, EventCounts, Stats, StoreState};

// 3. The alert thread persists, claims, renders, sends and settles.
mod dispatcher;
pub use dispatcher::SEND_TIMEOUT;

mod redact;

mod matcher;
pub use matcher::Matcher;

mod fingerprint;

mod incident;

mod budget;
pub use budget::Budget;

mod notice;
pub use notice::{Kind, LastHour, Losses, Notice, Process, Sample};

mod store;

mod render;
pub use render::{Attachment, DefaultRender, Email, Render};

mod sink;
pub use sink::{MemorySink, Message, Receipt, SendError, SendGridSink, Sink, TwilioSink};

mod retry;
pub use retry::RetryPolicy;

// 4. Around it: settings, handle, end.
mod assemble;

mod config;
pub use config::{Builder, EMAIL_DEADLINE, SMS_DEADLINE, SMS_SEGMENTS_PER_DAY};

mod error;
pub use error::{Error, Problem};

mod fork;

mod handle;
pub use handle::{AlertHandle, FlushReport};

mod secret;

mod signal;

mod thread;

mod trouble;

/// What `tests/it/models.rs` replaces to try every order of events.
mod sync {
    pub(crate) use std::sync::{Arc, Condvar, Mutex, atomic::AtomicUsize};
}

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct ReadmeDoctests;
