//! The settings: the builder, the environment, and what they become.

use std::{path::PathBuf, sync::Arc, time::Duration};

use tracing_subscriber::filter::LevelFilter;

use crate::{retry::RetryPolicy, sink::DynSink};

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
    /// Who is told, by what.
    pub(crate) routes: Vec<Route>,
    pub(crate) database: Database,
    /// Whether a panic is an event.
    pub(crate) panics: bool,
    /// How long the first event of a notice waits for company.
    pub(crate) settle: Duration,
    pub(crate) retry: RetryPolicy,
}

/// A sink with its recipients.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    pub(crate) sink: Arc<dyn DynSink>,
    pub(crate) recipients: Vec<String>,
    /// The lowest level this sink is told of; never below the alert level.
    pub(crate) level: LevelFilter,
    /// How long a delivery is repeated before it is dead.
    pub(crate) deadline: Duration,
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
