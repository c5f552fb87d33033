//! x
mod config;
mod error;
pub use error::{Error, Problem};
mod event;
pub use event::{Event, Field, SpanFrame, Value};
mod notice;
pub use notice::{Losses, Notice, Process, Sample};
mod render;
mod retry;
pub use retry::RetryPolicy;
mod secret;
mod sink;
pub use sink::{MemorySink, Message, Receipt, SendError, SendGridSink, Sink, TwilioSink};
mod stats;
pub use stats::{DropReason, Stats, StoreState};
/// A
pub const SMS_DEADLINE: std::time::Duration = std::time::Duration::from_secs(60 * 60);
/// A
pub const EMAIL_DEADLINE: std::time::Duration = std::time::Duration::from_secs(24 * 60 * 60);
/// A
pub const SEND_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(30);
