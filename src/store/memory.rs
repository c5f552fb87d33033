//! [`Memory`]: the outbox of a process that has no disk.
//!
//! The same transitions as in SQLite, for one process and its lifetime.
//! Invariant: bounded; a notice is dropped with its delivery, an incident when
//! nobody is to be told of it any more.

use std::{collections::BTreeMap, time::SystemTime};

use tracing::Level;
use uuid::Uuid;

use super::{
    Claim, Dead, Maker, Mark, StoreError, Target,
    batch::{About, Captured, tallies},
    upkeep::{Prune, Pruned},
};
use crate::{
    budget::{Account, day_of},
    event::Event,
    incident::{PENDING_PAUSE, Reason},
    notice::{Kind, Losses, Process},
    sink::SendError,
};

mod dead;
mod upkeep;

#[cfg(feature = "sqlite")]
mod export;

mod incident;
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
    notices: BTreeMap<i64, Kept>,
    deliveries: BTreeMap<Uuid, Delivery>,
    accounts: BTreeMap<Recipient, Account>,
    /// When a recipient was refused for good.
    refusals: BTreeMap<Recipient, SystemTime>,
    /// What nobody was told of, by sink.
    untold: BTreeMap<&'static str, Dead>,
    /// When somebody was told last, by sink.
    told_at: BTreeMap<&'static str, SystemTime>,
}

/// A sink's name and whom it tells.
type Recipient = (&'static str, String);

struct Incident {
    public_id: String,
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
    standings: BTreeMap<Recipient, Known>,
}

/// What a recipient knows of an incident.
#[derive(Clone, Default)]
struct Known {
    told: u64,
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
        for tally in &tallies(batch, losses, now) {
            self.join(tally, maker, targets, now);
        }
        Ok(())
    }

    pub(super) fn add_backtrace(&mut self, fingerprint: &[u8], backtrace: &str) -> Result<(), StoreError> {
        let mut open = self
            .incidents
            .values_mut()
            .filter(|incident| incident.closed_at.is_none() && incident.fingerprint == fingerprint);
        let event = open.next().and_then(|incident| incident.payload.as_mut());
        if let Some(event) = event.filter(|event| event.backtrace.is_none()) {
            event.backtrace = Some(backtrace.to_owned());
            self.bytes += backtrace.len();
        }
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
        segments: u32,
        now: SystemTime,
    ) -> Result<bool, StoreError> {
        let Some(sink) = self.claimed(claim).map(|delivery| delivery.sink) else {
            return Ok(false);
        };
        self.accounts.entry((sink, claim.recipient.clone())).or_default().heard_at = Some(now);
        let cost = self.accounts.entry((sink, String::new())).or_default();
        *cost = cost.spent(segments, day_of(now));
        Ok(self.settle(claim, now))
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
        let ours = |delivery: &&Delivery| {
            delivery.notice_id <= mark.notice
                && self.notices.get(&delivery.notice_id).is_some_and(|notice| notice.run == run)
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
    pub(super) fn bury_abandoned(&mut self, _now: SystemTime) -> u64 {
        0
    }

    /// Nothing that is settled is here, and there is a bound already.
    pub(super) fn prune(&self, _what: Prune) -> Pruned {
        Pruned::default()
    }

    pub(super) fn reconsider(&mut self, now: SystemTime) {
        for incident in self.incidents.values_mut() {
            incident.opened_at = now.min(incident.opened_at);
            incident.last_at = now.min(incident.last_at);
            for known in incident.standings.values_mut() {
                known.due_at = known.due_at.map(|at| at.min(now));
                known.told_at = known.told_at.map(|at| at.min(now));
            }
        }
        for account in self.accounts.values_mut() {
            account.heard_at = account.heard_at.map(|at| at.min(now));
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

    /// Drops the incidents that ended and that nothing tells of any more.
    fn drop_ended(&mut self) {
        let notices = &self.notices;
        let bytes = &mut self.bytes;
        self.incidents.retain(|id, incident| {
            let is_live = incident.closed_at.is_none()
                || incident.standings.values().any(|known| known.due_at.is_some())
                || notices.values().any(|notice| notice.items.contains_key(id));
            if !is_live {
                *bytes -= incident.payload.as_ref().map_or(0, Event::size_bytes);
            }
            is_live
        });
    }
}
