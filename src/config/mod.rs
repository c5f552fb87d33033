//! The settings: the builder, the environment, and what they become.

use std::time::Duration;

use tracing_subscriber::filter::LevelFilter;

use crate::{capture::directives::Directives, dispatcher::Setup};

mod builder;
pub use builder::Builder;

mod check;

mod fleet;

mod recipients;
pub use recipients::Recipients;

mod env;
#[cfg(feature = "cli")]
pub(crate) use env::read as read_settings;

mod report;

#[cfg(test)]
mod tests;

/// All settings, checked; what a layer is started with.
#[derive(Debug)]
pub(crate) struct Config {
    /// The lowest level that alerts.
    pub(crate) level: LevelFilter,
    /// That of some targets.
    pub(crate) directives: Directives,
    /// The lowest level of remembered spans.
    pub(crate) span_level: LevelFilter,
    /// The lowest level of breadcrumbs.
    pub(crate) breadcrumbs: LevelFilter,
    /// Whether a panic is an event.
    pub(crate) panics: bool,
    /// How many events a second of one callsite are captured in full.
    pub(crate) storm_rate: u32,
    /// How long a call that alerts waits for its commit, if it does.
    pub(crate) wait_for_commit: Option<Duration>,
    /// What the alert thread needs.
    pub(crate) setup: Setup,
}

/// An SMS that could not be sent for this long is given up.
pub const SMS_DEADLINE: Duration = Duration::from_secs(60 * 60);

/// As [`SMS_DEADLINE`], for a mail, and for the messages of a sink of your own.
pub const EMAIL_DEADLINE: Duration = Duration::from_secs(24 * 60 * 60);

/// The SMS to one recipient cost at most so many segments a day, unless
/// [`Builder::sms_segments`] says otherwise or their budget is off.
pub const SMS_SEGMENTS_PER_DAY: u32 = 60;
