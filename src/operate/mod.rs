//! What the command `tracing-alert` does with the files, fleets and settings of programs: the
//! command itself (`src/bin`) reads arguments, and writes tables or JSON.
//!
//! Invariant: whatever is decided is decided where programs decide it, below.

mod database;
mod find;
#[cfg(feature = "postgres")]
mod fleet;
mod health;
mod ours;
mod probe;
mod processes;

pub use database::{Database, SilenceOf};
pub use find::{Found, find};
#[cfg(feature = "postgres")]
pub use fleet::examine_fleet;
pub use health::examine_file;
pub use probe::{Probe, Way};

pub use crate::outbox::{
    IncidentView, MessageView, Overview, Revived, SilenceView, SinkView, Unusable, WaitingView,
};
pub use crate::sink::{Finding, Verdict};

/// `text` as one line of a terminal, of at most `limit` characters: no control character
/// of an event reaches it.
pub fn one_line(text: &str, limit: usize) -> String {
    crate::render::one_line(text, limit)
}
