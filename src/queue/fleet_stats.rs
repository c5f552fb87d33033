//! How an instance stands with its fleet, in numbers that its alert thread leaves.
//!
//! Invariant: as with all counters, whoever asks waits for nobody, and no database is asked.

use std::{
    sync::atomic::{AtomicU8, AtomicU64, Ordering},
    time::SystemTime,
};

use serde::Serialize;

use crate::event::{from_millis, millis_or_none};

/// How an instance stands with the store that it shares with the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FleetState {
    /// It was not reached yet.
    #[default]
    Opening,
    /// It takes what this instance counts, and the fleet tells.
    Connected,
    /// It does not answer, or nobody in the fleet tells what is due: this instance tells by
    /// itself, as a line on stderr said, until that is over.
    Unreachable,
    /// Its schema is that of another program, or of a newer version: this instance tells by
    /// itself until somebody mends that.
    Refused,
}

/// How an instance stands with its [fleet](crate::docs::fleet), as its alert thread knew it
/// last. To ask for it asks no database.
///
/// As JSON, it has its fields under their names. Fields may be added to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct FleetStats {
    /// How it is.
    pub state: FleetState,
    /// Since when it is so, by this machine's clock; none while it is
    /// [`Opening`](FleetState::Opening). As JSON in milliseconds since the Unix epoch.
    #[serde(serialize_with = "millis_or_none::serialize")]
    pub since: Option<SystemTime>,
    /// How many instances there were at the last look, this one included; zero if that is not
    /// known.
    pub instances: u32,
    /// How many events this instance has committed, and the fleet did not confirm yet. In an
    /// outage they add up; afterwards all of them are handed over.
    pub behind: u64,
}

/// The counters behind [`FleetStats`].
#[derive(Debug, Default)]
pub(crate) struct FleetCounters {
    /// Zero if there is no fleet.
    state: AtomicU8,
    since: AtomicU64,
    instances: AtomicU64,
    behind: AtomicU64,
}

impl FleetCounters {
    pub(super) fn snapshot(&self) -> Option<FleetStats> {
        let state = match self.state.load(Ordering::Relaxed) {
            NONE => return None,
            CONNECTED => FleetState::Connected,
            UNREACHABLE => FleetState::Unreachable,
            REFUSED => FleetState::Refused,
            _ => FleetState::Opening,
        };
        let since = i64::try_from(self.since.load(Ordering::Relaxed)).ok().filter(|since| *since > 0);
        Some(FleetStats {
            state,
            since: since.map(from_millis),
            instances: u32::try_from(self.instances.load(Ordering::Relaxed)).unwrap_or(u32::MAX),
            behind: self.behind.load(Ordering::Relaxed),
        })
    }
}

/// What only the alert thread of an instance of a fleet does.
#[cfg(feature = "postgres")]
impl FleetCounters {
    /// Notes that it is so at `now`, unless it was so before.
    pub(crate) fn set_state(&self, state: FleetState, now: SystemTime) {
        let number = match state {
            FleetState::Opening => OPENING,
            FleetState::Connected => CONNECTED,
            FleetState::Unreachable => UNREACHABLE,
            FleetState::Refused => REFUSED,
        };
        if self.state.load(Ordering::Relaxed) != number {
            let since = if state == FleetState::Opening { 0 } else { crate::event::to_millis(now) };
            self.since.store(u64::try_from(since).unwrap_or(0), Ordering::Relaxed);
            self.state.store(number, Ordering::Relaxed);
        }
    }

    pub(crate) fn set_instances(&self, instances: u32) {
        self.instances.store(instances.into(), Ordering::Relaxed);
    }

    /// Notes that so many events are committed here that the fleet does not have.
    pub(crate) fn set_behind(&self, events: u64) {
        self.behind.store(events, Ordering::Relaxed);
    }

    pub(crate) fn behind(&self) -> u64 {
        self.behind.load(Ordering::Relaxed)
    }
}

const NONE: u8 = 0;
#[cfg(feature = "postgres")]
const OPENING: u8 = 1;
const CONNECTED: u8 = 2;
const UNREACHABLE: u8 = 3;
const REFUSED: u8 = 4;

#[cfg(feature = "postgres")]
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_so_since_it_began_and_without_a_fleet_there_is_none() {
        let counters = FleetCounters::default();
        assert_eq!(counters.snapshot(), None);
        counters.set_state(FleetState::Opening, from_millis(1));
        counters.set_behind(2);
        let wanted = r#"{"state":"opening","since":null,"instances":0,"behind":2}"#;
        assert_eq!(serde_json::to_string(&counters.snapshot().unwrap()).unwrap(), wanted);
        for now in [5, 6] {
            counters.set_state(FleetState::Unreachable, from_millis(now));
        }
        counters.set_instances(3);
        let wanted = r#"{"state":"unreachable","since":5,"instances":3,"behind":2}"#;
        assert_eq!(serde_json::to_string(&counters.snapshot().unwrap()).unwrap(), wanted);
    }
}
