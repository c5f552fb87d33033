//! [`Memory`]: the outbox of a process that has no disk.
//!
//! The same transitions as in SQLite, for one process and its lifetime.
//! Invariant: bounded; a notice is dropped with its delivery, an incident when
//! nobody is to be told of it any more.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::SystemTime,
};

use tracing::Level;
use uuid::Uuid;

use super::{
    Claim, Dead, Maker, Mark, StoreError, Target,
    batch::{About, Captured, tallies},
    pace::Pace,
    upkeep::{Prune, Pruned},
};
use crate::{
    budget::{Account, day_of},
    event::Event,
    incident::{PENDING_PAUSE, Reason},
    notice::{Kind, Losses, Process},
    sink::SendError,
    stats::EventCounts,
};

mod count;
mod dead;
mod upkeep;

#[cfg(feature = "sqlite")]
mod export;

mod incidents;
mod tell;

/// How many bytes of events are kept, but for one batch.
const MOST_BYTES: usize = 32 * 1024 * 1024;

/// Incidents, notices and deliveries in memory.
#[derive(Default)]
pub(crate) struct Memory {
    last_id: i64,
    /// Of all events that are kept.
    bytes: usize,
    incidents: BTreeMap<i64, Incident>,
    /// Those that are open, by fingerprint.
    open: BTreeMap<Vec<u8>, i64>,
    /// The fingerprints there were.
    seen: BTreeSet<Vec<u8>>,
    notices: BTreeMap<i64, Kept>,
    deliveries: BTreeMap<Uuid, Delivery>,
    accounts: BTreeMap<Recipient, Account>,
    /// The part of them that another store has already.
    #[cfg(feature = "sqlite")]
    inherited: BTreeMap<Recipient, Account>,
    /// When a recipient was refused for good.
    refusals: BTreeMap<Recipient, SystemTime>,
    /// What nobody was told of, by sink.
    untold: BTreeMap<&'static str, Dead>,
    /// When somebody was told last, by sink.
    told_at: BTreeMap<&'static str, SystemTime>,
    /// The events of incidents that are not kept any more.
    past: EventCounts,
}

/// A sink's name and whom it tells.
type Recipient = (&'static str, String);

struct Incident {
    public_id: String,
    #[cfg_attr(not(feature = "sqlite"), expect(dead_code, reason = "for the file only"))]
    fingerprint: Vec<u8>,
    #[cfg_attr(not(feature = "sqlite"), expect(dead_code, reason = "for the file only"))]
    level: Level,
    about: Option<About>,
    run: Uuid,
    process: Process,
    is_new: bool,
    count: u64,
    opened_at: SystemTime,
    last_at: SystemTime,
    closed_at: Option<SystemTime>,
    payload: Option<Event>,
    latest: Option<Event>,
    pace: Pace,
    standings: BTreeMap<Recipient, Known>,
}

/// What a recipient knows of an incident.
#[derive(Clone, Default)]
struct Known {
    told: u64,
    /// How many of these are in messages that were delivered.
    reported: u64,
    told_at: Option<SystemTime>,
    tellings: u32,
    not_before: Option<SystemTime>,
    /// None once nothing more is to be told.
    due_at: Option<SystemTime>,
}

struct Kept {
    public_id: String,
    run: Uuid,
    kind: Kind,
    process: Process,
    made_at: SystemTime,
    is_last: bool,
    items: BTreeMap<i64, Item>,
}

/// What a notice tells of an incident.
struct Item {
    reason: Reason,
    tellings: u32,
    count: u64,
    total: u64,
    last_at: SystemTime,
    pace: Pace,
}

/// A pending delivery, by its key: a settled one is dropped.
struct Delivery {
    notice_id: i64,
    sink: &'static str,
    recipient: String,
    due_at: SystemTime,
    attempt: u32,
    claims: i64,
    doubtful: u32,
    #[cfg_attr(not(feature = "sqlite"), expect(dead_code, reason = "for the file only"))]
    created_at: SystemTime,
    expires_at: SystemTime,
}

impl Memory {
    pub(super) fn persist(
        &mut self,
        batch: &[Captured],
        losses: &Losses,
        maker: &Maker<'_>,
        targets: &[Target],
        now: SystemTime,
    ) -> Result<(), StoreError> {
        if self.bytes > MOST_BYTES {
            return Err(StoreError::Full);
        }
        self.join(tallies(batch, losses, now), maker, targets, now);
        Ok(())
    }

    pub(super) fn claim(
        &mut self,
        sink: &str,
        limit: usize,
        lease_until: SystemTime,
        now: SystemTime,
    ) -> Result<Vec<Claim>, StoreError> {
        let mut due: Vec<_> = self
            .deliveries
            .iter_mut()
            .filter(|(_, delivery)| delivery.sink == sink && delivery.due_at <= now)
            .collect();
        due.sort_by_key(|(_, delivery)| delivery.due_at);
        due.truncate(limit);
        let claims = due.into_iter().map(|(key, delivery)| {
            delivery.due_at = lease_until;
            delivery.attempt += 1;
            delivery.claims += 1;
            delivery.doubtful += 1;
            Claim {
                key: *key,
                notice_id: delivery.notice_id,
                recipient: delivery.recipient.clone(),
                attempt: delivery.attempt,
                token: delivery.claims,
                is_doubtful: delivery.doubtful > 1,
                expires_at: delivery.expires_at,
            }
        });
        Ok(claims.collect())
    }

    pub(super) fn deliver(
        &mut self,
        claim: &Claim,
        _reference: Option<&str>,
        segments: u32,
        now: SystemTime,
    ) -> Result<bool, StoreError> {
        let Some((sink, notice)) = self.claimed(claim).map(|delivery| (delivery.sink, delivery.notice_id))
        else {
            return Ok(false);
        };
        self.report(notice, &(sink, claim.recipient.clone()));
        self.accounts.entry((sink, claim.recipient.clone())).or_default().heard_at = Some(now);
        self.charge(sink, segments, now);
        Ok(self.settle(claim, now))
    }

    pub(super) fn charge(&mut self, sink: &'static str, segments: u32, now: SystemTime) {
        let cost = self.accounts.entry((sink, String::new())).or_default();
        *cost = cost.spent(segments, day_of(now));
    }

    pub(super) fn retry(
        &mut self,
        claim: &Claim,
        error: &SendError,
        due_at: SystemTime,
    ) -> Result<bool, StoreError> {
        let Some(delivery) = self.claimed(claim) else {
            return Ok(false);
        };
        delivery.due_at = due_at;
        delivery.doubtful -= u32::from(!error.is_ambiguous());
        Ok(true)
    }

    pub(super) fn release(
        &mut self,
        claim: &Claim,
        _error: Option<&str>,
        due_at: SystemTime,
    ) -> Result<bool, StoreError> {
        let Some(delivery) = self.claimed(claim) else {
            return Ok(false);
        };
        delivery.due_at = due_at;
        delivery.attempt = delivery.attempt.saturating_sub(1);
        delivery.doubtful -= 1;
        Ok(true)
    }

    pub(super) fn next_due(&self, sink: &str) -> Option<SystemTime> {
        self.deliveries
            .values()
            .filter(|delivery| delivery.sink == sink)
            .map(|delivery| delivery.due_at)
            .min()
    }

    pub(super) fn mark(&self) -> Mark {
        Mark { notice: self.last_id, incident: self.last_id }
    }

    pub(super) fn pending(&self, run: Uuid, mark: Mark) -> u64 {
        let is_ours = |notice: &Kept| {
            let mut incidents = notice.items.keys().filter_map(|id| self.incidents.get(id));
            notice.run == run || incidents.any(|incident| incident.run == run)
        };
        let ours = |delivery: &&Delivery| {
            delivery.notice_id <= mark.notice && self.notices.get(&delivery.notice_id).is_some_and(is_ours)
        };
        let asked = self.incidents.range(..=mark.incident).map(|(_, incident)| incident);
        let untold = asked.filter(|incident| incident.run == run).flat_map(|incident| {
            incident.standings.values().filter(|known| {
                known.due_at.is_some() && known.told_at.is_none() && known.not_before.is_none()
            })
        });
        (self.deliveries.values().filter(ours).count() + untold.count()) as u64
    }

    /// There is nobody else whose deliveries these could be.
    pub(super) fn bury_abandoned(&mut self, _own: &[&str], _now: SystemTime) -> u64 {
        0
    }

    /// Nothing that is settled is here, and there is a bound already.
    pub(super) fn prune(&self, _what: Prune) -> Pruned {
        Pruned::default()
    }

    pub(super) fn reconsider(&mut self, now: SystemTime) {
        let is_live =
            |incident: &&mut Incident| incident.standings.values().any(|known| known.due_at.is_some());
        let is_ahead = |incident: &Incident| {
            let told_at = incident.standings.values().filter_map(|known| known.due_at.and(known.told_at));
            told_at.chain([incident.opened_at, incident.last_at]).any(|at| at > now)
        };
        let live: Vec<_> = self.incidents.values_mut().filter(is_live).collect();
        let has_heard_ahead = self.accounts.values().any(|account| account.heard_at > Some(now));
        if !has_heard_ahead && !live.iter().any(|incident| is_ahead(incident)) {
            return;
        }
        for incident in live {
            incident.opened_at = incident.opened_at.min(now);
            incident.last_at = incident.last_at.min(now);
            for known in incident.standings.values_mut().filter(|known| known.due_at.is_some()) {
                known.due_at = known.due_at.min(Some(now));
                known.told_at = known.told_at.min(Some(now));
            }
        }
        for account in self.accounts.values_mut() {
            *account = account.heard_by(now);
        }
    }

    pub(super) fn hasten(&mut self, first_by: SystemTime, again_by: SystemTime, now: SystemTime) -> u64 {
        let mut hastened = 0;
        for delivery in self.deliveries.values_mut() {
            let due_by = if delivery.claims == 0 { first_by } else { again_by };
            if delivery.due_at > due_by {
                delivery.due_at = now;
                hastened += 1;
            }
        }
        hastened
    }

    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// What does not go over to a file: it has ended.
    #[cfg(test)]
    pub(super) fn past(&self) -> EventCounts {
        self.past
    }

    fn claimed(&mut self, claim: &Claim) -> Option<&mut Delivery> {
        self.deliveries.get_mut(&claim.key).filter(|delivery| delivery.claims == claim.token)
    }

    fn settle(&mut self, claim: &Claim, now: SystemTime) -> bool {
        let Some(sink) = self.claimed(claim).map(|delivery| delivery.sink) else {
            return false;
        };
        self.admit(&(sink, claim.recipient.clone()), now);
        self.deliveries.remove(&claim.key);
        self.notices.remove(&claim.notice_id);
        self.drop_ended();
        true
    }

    /// Has decided anew what waited for fewer messages to be under way.
    fn admit(&mut self, recipient: &Recipient, now: SystemTime) {
        let standings =
            self.incidents.values_mut().filter_map(|incident| incident.standings.get_mut(recipient));
        for due_at in standings.filter_map(|known| known.due_at.as_mut()) {
            if *due_at <= now + PENDING_PAUSE {
                *due_at = now.min(*due_at);
            }
        }
    }
}
