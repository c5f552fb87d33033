//! Errors reach a phone and an inbox.
//!
//! [`AlertLayer`] is a layer for [`tracing_subscriber`]. It captures errors and panics with their
//! spans, keeps them in a SQLite file, and sends them as SMS (Twilio) and e-mail (SendGrid), or
//! through a [`Sink`] of your own.
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
//! Nothing has to be called when the program ends. Recipients and credentials come from the
//! environment. For e-mail, set these:
//!
//! ```text
//! ALERT_EMAIL=on-call@example.com
//! SENDGRID_API_KEY=SG.…
//! SENDGRID_SENDER_EMAIL=alerts@example.com
//! ```
//!
//! # Settings
//!
//! [`AlertLayer::from_env`] cannot fail: a setting that is wrong or missing switches off only what
//! needs it, and a line on stderr says how to fix it. [`AlertLayer::builder`] sets the same in code,
//! by the method in the last column. [`docs::settings`] has the details.
//!
#![doc = include_str!("docs/settings.md")]
//!
#![doc = include_str!("docs/settings_code.md")]
//!
//! # How it works
//!
//! ```text
//!  caller's thread               │ alert thread: one loop, its own runtime              │ one task per attempt
//!                                │                                                      │
//!  error!() ─► layer ─► capture ─► queue ─► dispatcher ─► outbox (SQLite)               │
//!                                │  │full?     │   ▲                                    │
//!                                │  counted    claim └──── settle ◄─────────────────────┼── accepted | SendError
//!                                │             │            retry decides, outbox writes│
//!                                │             └──► render ─► sink ─────────────────────┼─► Twilio, SendGrid, yours
//! ```
//!
//! The event is captured with its spans, fields and error chain, and committed to a file. There it
//! joins the *incident* of all events like it. After a second, so that a cascade of errors is one
//! message, each recipient gets a *delivery*. Each delivery is attempted, repeated and settled
//! independently of every other, so a dead phone never delays a mail. What the program leaves unsent
//! when it ends, the next start sends. [`docs::grouping`] says who hears of what, and when.
//!
//! # Guarantees
//!
//! | promise | limit |
//! |---|---|
//! | **It does not hurt the program.** A call that alerts never waits, never panics and takes no lock of others; memory is bounded | a panic waits up to 250 ms until it is committed |
//! | **Nothing is lost silently.** What is committed is sent at least once, or ends as a dead delivery that the other sinks report. Every loss has a [reason](notice::DropReason), a count and a line | `kill -9` takes what was not committed yet, normally the last few milliseconds |
//! | **It does not flood.** A million errors make a handful of messages, with the exact count; SMS have a daily cap | after the cap, messages wait for the next day |
//! | **It does not leak.** Secrets in events are replaced before anything is kept or sent; credentials are shown nowhere | redaction knows names and shapes, not meaning |
//!
//! [`docs::guarantees`] has every limit, and [`docs::performance`] what a call costs.
//!
//! # Features
//!
//! | feature | default | what for |
//! |---|---|---|
//! | `sqlite` | on | keeps alerts in a file; without it they live in memory |
//! | `webhook` | off | [webhooks](docs::webhooks) of chats and pagers, and a heartbeat |
//! | `postgres` | off | many instances [share PostgreSQL](docs::fleet), so that one fault is one message |
//! | `rustls-ring` | on | TLS by rustls with ring |
//! | `bundled-roots` | on | Mozilla's certificates, where the system has none |
//! | `rustls-aws-lc` | off | TLS by rustls with AWS-LC |
//! | `rustls-no-provider` | off | TLS by rustls with the provider that the program installs |
//! | `native-tls` | off | TLS by the system's library |
//! | `cli` | off | the command `tracing-alert`, by `cargo install`, with `webhook`; a program has no use for it |
//!
//! A program with rustls and AWS-LC only, or with a reqwest 0.13 without TLS, would panic beside the
//! default features: [`docs::tls`] has the line that fixes it.
//!
//! # Recipes
//!
//! [axum and tower-http](docs::recipes#axum-and-tower-http) ·
//! [actix](docs::recipes#actix-and-bunyan) ·
//! [`log` only](docs::recipes#a-program-that-uses-log-only) ·
//! [filters](docs::recipes#filters) ·
//! [panic hooks of others](docs::recipes#panic-hooks-of-others) ·
//! [command lines and cron](docs::recipes#command-lines-and-cron) ·
//! [systemd](docs::recipes#systemd) ·
//! [Docker](docs::recipes#docker) ·
//! [Kubernetes](docs::recipes#kubernetes) ·
//! [Lambda](docs::recipes#lambda) ·
//! [tests](docs::recipes#tests) ·
//! [accounts at Twilio and SendGrid](docs::accounts) ·
//! [chats and pagers](docs::webhooks) ·
//! [many instances](docs::fleet)
//!
//! To run it, there is [`docs::operating`]: the file, and the lines on stderr; and a command that
//! tests, lists, retries and silences: [`docs::command`].
//! To read or change it, there are two tours, [`docs::the_idea`] and [`docs::the_rest`].

// Whole numbers have lints of their own: this one keeps times to `time.rs`.
#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

// The rooms, from the ground up: each imports only from those before it, which
// `tests/it/rooms.rs` checks.

// The process and its threads: roles, forks, locks that nobody waits for, clocks, our own lines on stderr.
mod host;
pub use host::thread::NoAlerts;

// What can be wrong with the settings.
mod error;
pub use error::{Error, Problem};

// What is captured, once it travels: plain data.
mod event;

// What is the same, what nobody may see, who hears of what and when: pure functions.
mod policy;
pub use policy::{budget::Budget, matcher::Matcher, retry::RetryPolicy, send_error::SendError};
pub mod notice;

// On the caller's thread: a call becomes an event. Runs other people's `Debug`.
mod capture;

// Where the callers and the alert thread meet: hand-over, counting, flush, exit.
mod queue;
pub use queue::{
    fleet_stats::{FleetState, FleetStats},
    flush::FlushReport,
    stats::{EventCounts, Stats, StoreState},
    trial::{TestMessage, TestReport},
};

// What `tracing` and the panic hook call, and the handle.
mod layer;
pub use layer::{AlertLayer, handle::AlertHandle};

// A notice becomes texts. Knows no storage and no network.
mod render;
pub use render::{Attachment, DefaultRender, Email, Render};

// One attempt to send a message. All HTTP is here.
mod sink;
#[cfg(feature = "webhook")]
pub use sink::WebhookSink;
pub use sink::{Accepted, Fate, MemorySink, Message, Receipt, SEND_TIMEOUT, SendGridSink, Sink, TwilioSink};

// What is kept, and every rule about it (`page`). All SQL is here.
mod outbox;

// The alert thread's loop: the only room with timers and tasks.
mod dispatcher;

// Settings, from code and from the environment, checked.
mod config;
pub use config::{Builder, EMAIL_DEADLINE, Recipients, SMS_DEADLINE, SMS_SEGMENTS_PER_DAY};

// Settings become a running layer.
mod assemble;

// What the command `tracing-alert` does. No promise: it may change with any release.
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod operate;

pub mod docs;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct ReadmeDoctests;
