//! What an instance tells while the fleet's store does not answer: what the fleet has not
//! told, a little later than it would, and each instance at another time.

use std::time::{Duration, Instant, SystemTime};

use uuid::Uuid;

use super::super::{Attempted, Dispatcher, MAX_SLEEP, deliver::jitter};
use super::station::MAX_LOOK;
use crate::{
    host::time::Saturating,
    outbox::{Channel, StoreError, Target},
    policy::budget::Budget,
    policy::outage::{PATIENCE, UNKNOWN_FLEET, mail_delay, stagger},
};

/// What the fleet's store does not do; what comes later counts more.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Silence {
    /// Answer a look.
    Looking,
    /// Take what is handed over, whether or not it can be seen.
    Taking,
    /// Have an instance that tells what was handed over.
    Telling,
}

/// The time in which the fleet's store does not answer.
pub(super) struct Outage {
    since: Instant,
    pub(super) silence: Silence,
    /// How much longer than the others this instance waits with what can be looked up.
    stagger: Duration,
    /// The same with what cannot.
    mail_delay: Duration,
    /// Only somebody who mends it ends it.
    pub(super) is_for_good: bool,
}

impl Outage {
    /// That of an instance at `position` of `fleet`; in one that was never reached, nobody
    /// has a place, and each draws one.
    pub(super) fn new(since: Instant, fleet: u32, position: u32, silence: Silence) -> Self {
        let place = if fleet == 0 { Uuid::new_v4().as_fields().0 % UNKNOWN_FLEET } else { position };
        Self {
            since,
            silence,
            stagger: stagger(fleet, jitter()),
            mail_delay: mail_delay(place),
            is_for_good: false,
        }
    }
}

impl Outage {
    /// Nobody else tells what this instance captures, today or tomorrow.
    pub(super) fn never_ends(&mut self) {
        (self.mail_delay, self.is_for_good) = (Duration::ZERO, true);
    }
}

impl Dispatcher<'_> {
    /// What time it is for what this loop keeps.
    pub(in crate::dispatcher) fn now(&self) -> SystemTime {
        self.outbox.fleet_time().unwrap_or_else(SystemTime::now)
    }

    /// How long it is not asked what there is to tell, if nothing says that there is.
    pub(in crate::dispatcher) fn longest_sleep(&self) -> Duration {
        if self.outbox.is_of_fleet() { MAX_LOOK } else { MAX_SLEEP }
    }

    /// How long this instance tells nothing through a channel: none if it may now, and
    /// [`None`] as long as the fleet tells.
    pub(in crate::dispatcher) fn waits_for_fleet(&self, channel: usize) -> Option<Duration> {
        let Some(link) = &self.inbox.link else { return Some(Duration::ZERO) };
        let outage = link.outage.as_ref()?;
        let can_look_up = self.lanes.get(channel).is_some_and(|lane| lane.sink.looks_up());
        let delay = match can_look_up {
            true => outage.stagger,
            false => outage.mail_delay,
        };
        let mut at = outage.since.later(self.patience()).later(delay);
        if let Some(ending) = self.inbox.ending.as_ref().filter(|_| can_look_up || !self.outbox.is_durable())
        {
            // A crowd of processes that end each before its turn would tell nobody.
            at = at.min(ending.deadline.checked_sub(LAST_SEND).unwrap_or(ending.deadline));
        }
        Some(at.saturating_duration_since(Instant::now()))
    }

    /// How long the fleet's store may not answer before this instance is on its own.
    pub(super) fn patience(&self) -> Duration {
        if self.inbox.ending.is_some() { ENDING_PATIENCE } else { PATIENCE }
    }

    /// Whether this instance tells by itself what others may tell as well.
    pub(in crate::dispatcher) fn is_alone(&self) -> bool {
        self.inbox.link.as_ref().is_some_and(|link| link.outage.is_some())
    }

    /// The rhythm of a channel while the fleet's store does not answer: what begins meanwhile
    /// is told by each instance at another time.
    pub(in crate::dispatcher) fn staggered(&self, channel: &Channel) -> Channel {
        let mut channel = channel.clone();
        channel.rhythm.settle = channel.rhythm.settle.saturating_add(self.stagger_of(channel.sink));
        channel
    }

    /// The same for those who are told.
    pub(in crate::dispatcher) fn staggered_targets(&self) -> Vec<Target> {
        let mut targets = self.targets.clone();
        for target in &mut targets {
            target.rhythm.settle = target.rhythm.settle.saturating_add(self.stagger_of(target.sink));
        }
        targets
    }

    /// Notes that a message was sent, unless the sink found that of another instance.
    pub(in crate::dispatcher) async fn note_sent(
        &mut self,
        attempted: &Attempted,
        now: SystemTime,
    ) -> Result<(), StoreError> {
        let can_look_up = self.lanes.get(attempted.lane).is_some_and(|lane| lane.sink.looks_up());
        let is_ours = attempted.is_absent || !can_look_up;
        let Some(link) = self.inbox.link.as_mut().filter(|_| is_ours) else { return Ok(()) };
        link.note_spent();
        let Attempted { claim, segments, .. } = attempted;
        self.outbox.with(async |store| store.note_sent_alone(claim, *segments, now).await).await
    }

    fn stagger_of(&self, sink: &str) -> Duration {
        let outage = self.inbox.link.as_ref().and_then(|link| link.outage.as_ref());
        let lane = self.lanes.iter().find(|lane| lane.sink.name() == sink);
        match (outage, lane) {
            (Some(outage), Some(lane)) if lane.sink.looks_up() => outage.stagger,
            _ => Duration::ZERO,
        }
    }
}

impl Channel {
    /// How it tells while the other instances tell the same: what costs nothing, hardly, as
    /// nobody looks it up.
    pub(in crate::dispatcher) fn alone(self) -> Self {
        let costs = self.segments_per_day.is_some();
        let budget = self.budget.map(|own| if costs { own } else { own.and(&Budget::ALONE) });
        Self { budget, ..self }
    }
}

/// How long the answer of the fleet's store is waited for while the process ends.
const ENDING_PATIENCE: Duration = Duration::from_millis(500);

/// A message that is sent at the end takes about so long.
const LAST_SEND: Duration = Duration::from_millis(1_200);
