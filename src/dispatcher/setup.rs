//! [`Setup`]: what an alert thread is started with.

use std::{fmt, sync::Arc, time::Duration};

use tracing::level_filters::LevelFilter;

#[cfg(feature = "postgres")]
use crate::outbox::FleetSettings;
#[cfg(feature = "webhook")]
use crate::sink::Heartbeat;
use crate::{
    host::trouble::Voice,
    outbox::{Channel, Database},
    policy::{
        budget::Budget, calendar::Calendar, fingerprint::Custom, incident::Rhythm, matcher::Matcher,
        redact::Policy, retry::RetryPolicy,
    },
    render::Renderer,
    sink::DynSink,
};

/// The settings of the alert thread, checked.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    /// The application's name; the executable's if there is none.
    pub(crate) app_name: Option<String>,
    pub(crate) environment: Option<String>,
    pub(crate) version: Option<String>,
    /// Who is told, by what.
    pub(crate) routes: Vec<Route>,
    pub(crate) database: Database,
    /// What nobody is told of.
    pub(crate) ignored: Vec<Matcher>,
    /// The application's own idea of which events are the same.
    pub(crate) fingerprint: Option<Custom>,
    pub(crate) renderer: Renderer,
    /// Whether a program that fails again and again is told of.
    pub(crate) crash_loops: bool,
    /// When a day begins for the recipients.
    pub(crate) calendar: Calendar,
    pub(crate) retry: RetryPolicy,
    /// What is replaced before it is kept.
    pub(crate) redaction: Policy,
    /// Where what we say goes.
    pub(crate) voice: Voice,
    /// The store that the program's instances share.
    #[cfg(feature = "postgres")]
    pub(crate) fleet: Option<FleetSettings>,
    /// What is called as long as all is well, and how often.
    #[cfg(feature = "webhook")]
    pub(crate) heartbeat: Option<(Arc<Heartbeat>, Duration)>,
}

impl Setup {
    /// Whether other instances may tell what this one captures.
    pub(super) fn is_of_fleet(&self) -> bool {
        #[cfg(feature = "postgres")]
        let is_of_fleet = self.fleet.is_some();
        #[cfg(not(feature = "postgres"))]
        let is_of_fleet = false;
        is_of_fleet
    }
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

impl Route {
    pub(super) fn channel(&self, calendar: &Calendar) -> Channel {
        Channel {
            sink: self.sink.name(),
            rhythm: self.rhythm,
            budget: self.budget,
            calendar: calendar.clone(),
            segments_per_day: self.segments_per_day,
            deadline: self.deadline,
        }
    }
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
