//! Without the feature `postgres`, an instance is the only one that it knows.

use std::{
    future,
    sync::Arc,
    time::{Duration, SystemTime},
};

use uuid::Uuid;

use super::{Attempted, Dispatcher, MAX_SLEEP, setup::Setup};
use crate::{
    outbox::{Channel, StoreError, Target},
    policy::notice::Process,
    queue::stats::Counters,
};

/// There is none.
pub(super) enum Link {}

impl Link {
    pub(super) fn start(_: &Setup, _: &Arc<Counters>, _: &Process, _: Uuid) -> Option<Self> {
        None
    }

    pub(super) fn note_counted(&mut self) {
        match *self {}
    }

    pub(super) fn note_committed(&mut self, _: u64, _: &Counters) {
        match *self {}
    }

    pub(super) fn hurry(&mut self) {
        match *self {}
    }

    pub(super) fn is_handing_over(&self) -> bool {
        match *self {}
    }

    pub(super) async fn wait(_: &mut Option<Self>) -> Self {
        future::pending().await
    }
}

impl Channel {
    pub(super) fn alone(self) -> Self {
        self
    }
}

impl Dispatcher<'_> {
    #[expect(clippy::unused_self, reason = "with a fleet it is the fleet's")]
    pub(super) fn now(&self) -> SystemTime {
        SystemTime::now()
    }

    #[expect(clippy::unused_async, reason = "with a fleet it waits")]
    pub(super) async fn hand_over(&mut self) -> Duration {
        MAX_SLEEP
    }

    #[expect(clippy::unused_async, reason = "with a fleet it waits")]
    pub(super) async fn hear(&mut self, link: Link) {
        match link {}
    }

    #[expect(clippy::unused_async, reason = "with a fleet it waits")]
    pub(super) async fn leave_fleet(&mut self) {}

    #[expect(clippy::unused_self, reason = "with a fleet it depends on whose loop it is")]
    pub(super) fn longest_sleep(&self) -> Duration {
        MAX_SLEEP
    }

    #[expect(clippy::unused_self, reason = "with a fleet it is told")]
    pub(super) fn say_if_it_ends(&mut self) {}

    pub(super) fn waits_for_fleet(&self, _: usize) -> Option<Duration> {
        Some(Duration::ZERO)
    }

    #[expect(clippy::unused_async, reason = "with a fleet it is noted")]
    pub(super) async fn note_sent(&mut self, _: &Attempted, _: SystemTime) -> Result<(), StoreError> {
        Ok(())
    }

    pub(super) fn is_alone(&self) -> bool {
        false
    }

    pub(super) fn staggered(&self, channel: &Channel) -> Channel {
        channel.clone()
    }

    pub(super) fn staggered_targets(&self) -> Vec<Target> {
        self.targets.clone()
    }
}
