//! [`Pace`]: how many events an incident had in each five minutes of the last
//! hour.
//!
//! The same as what the file's statements do with JSON.
//! Invariant: pure; never more than [`STEPS`] numbers.

use std::{collections::BTreeMap, time::SystemTime};

use serde::{Deserialize, Serialize};

use crate::{
    event::{from_millis, to_millis},
    policy::notice::LastHour,
};

/// How many numbers make an hour.
pub(super) const STEPS: i64 = 12;

/// Counts, by the number of the five minutes since the epoch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Pace(BTreeMap<i64, u64>);

impl Pace {
    /// That of `count` events that happened at `at`, none after `now`.
    pub(super) fn of(count: u64, at: SystemTime, now: SystemTime) -> Self {
        let mut pace = Self::default();
        pace.add(&Self(BTreeMap::from([(step(at.min(now)), count)])), now);
        pace
    }

    /// Adds `more`, and forgets what is not of the hour that ends at `now`: after
    /// a clock jumped back, what is still to come, too.
    pub(super) fn add(&mut self, more: &Self, now: SystemTime) {
        for (step, count) in &more.0 {
            let sum = self.0.entry(*step).or_default();
            *sum = sum.saturating_add(*count);
        }
        let last = step(now);
        self.0.retain(|step, _| (last - STEPS + 1..=last).contains(step));
    }

    /// How many more events there are than in `before`, by the step.
    #[cfg(feature = "postgres")]
    pub(super) fn since(&self, before: &Self) -> Self {
        let known = |step| before.0.get(step).copied().unwrap_or(0);
        let more = self.0.iter().map(|(step, count)| (*step, count.saturating_sub(known(step))));
        Self(more.filter(|(_, count)| *count > 0).collect())
    }

    /// The hour that ends with the five minutes of `end`.
    pub(super) fn hour(&self, end: SystemTime) -> LastHour {
        let first = step(end) - STEPS + 1;
        let count = |step| self.0.get(&step).copied().unwrap_or_default();
        LastHour {
            since: from_millis(first * STEP_MILLIS),
            counts: (first..first + STEPS).map(count).collect(),
        }
    }
}

/// The number of the five minutes that `at` is in.
pub(super) fn step(at: SystemTime) -> i64 {
    to_millis(at) / STEP_MILLIS
}

const STEP_MILLIS: i64 = LastHour::STEP.as_secs().cast_signed() * 1000;
