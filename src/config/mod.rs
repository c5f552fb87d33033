//! The settings: the builder, the environment, and what they become.

use std::{fmt, path::PathBuf, sync::Arc, time::Duration};

use tracing_subscriber::filter::LevelFilter;

use crate::{
    budget::Budget, fingerprint::Custom, incident::Rhythm, matcher::Matcher, redact::Policy,
    render::Renderer, retry::RetryPolicy, sink::DynSink,
};

mod builder;
pub use builder::Builder;

mod check;

mod entry;

mod env;
pub(crate) use env::read;

#[cfg(test)]
mod tests;

/// All settings, checked; what a layer is started with.
#[derive(Debug)]
pub(crate) struct Config {
    /// The application's name; the executable's if there is none.
    pub(crate) app_name: Option<String>,
    pub(crate) environment: Option<String>,
    pub(crate) version: Option<String>,
    /// The lowest level that alerts.
    pub(crate) level: LevelFilter,
    /// The lowest level of remembered spans.
    pub(crate) span_level: LevelFilter,
    /// The lowest level of breadcrumbs.
    pub(crate) breadcrumbs: LevelFilter,
    /// Who is told, by what.
    pub(crate) routes: Vec<Route>,
    pub(crate) database: Database,
    /// Whether a panic is an event.
    pub(crate) panics: bool,
    /// What nobody is told of.
    pub(crate) ignored: Vec<Matcher>,
    /// The application's own idea of which events are the same.
    pub(crate) fingerprint: Option<Custom>,
    /// How many events a second of one callsite are captured in full.
    pub(crate) storm_rate: u32,
    /// How long a call that alerts waits for its commit, if it does.
    pub(crate) wait_for_commit: Option<Duration>,
    pub(crate) renderer: Renderer,
    pub(crate) retry: RetryPolicy,
    /// What is replaced before it is kept.
    pub(crate) redaction: Policy,
}

/// A sink with its recipients.
#[derive(Clone)]
pub(crate) struct Route {
    pub(crate) sink: Arc<dyn DynSink>,
    pub(crate) recipients: Vec<String>,
    /// The lowest level this sink is told of; of what is below the alert level
    /// nobody is told.
    pub(crate) level: LevelFilter,
    /// How long a delivery is repeated before it is dead.
    pub(crate) deadline: Duration,
    pub(crate) rhythm: Rhythm,
    pub(crate) budget: Option<Budget>,
    pub(crate) segments_per_day: Option<u32>,
}

/// Shows how many recipients there are, not who: some are phone numbers.
impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Route")
            .field("sink", &self.sink)
            .field("recipients", &self.recipients.len())
            .field("level", &self.level)
            .field("deadline", &self.deadline)
            .finish()
    }
}

/// Where events are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Database {
    /// In the application's own directory below the user's state directory.
    Default,
    /// In this file.
    File(PathBuf),
    /// Nowhere but in memory.
    Memory,
}

/// An SMS that could not be sent for this long is not repeated any more.
pub const SMS_DEADLINE: Duration = Duration::from_secs(60 * 60);

/// As [`SMS_DEADLINE`], for a mail, and for the messages of a sink of your own.
pub const EMAIL_DEADLINE: Duration = Duration::from_secs(24 * 60 * 60);

/// All SMS together may cost so many segments a day, by UTC; unless their budget
/// is off.
pub const SMS_SEGMENTS_PER_DAY: u32 = 60;
