//! [`Memory`]: the outbox of a process that has no disk.
//!
//! The same transitions as in SQLite, for one process and its lifetime.
//! Invariant: bounded; a notice is dropped with its last delivery.

use std::{collections::BTreeMap, time::SystemTime};

use tracing::Level;
use uuid::Uuid;

use super::{
    Captured, Claim, Dead, Draft, SAMPLES_PER_NOTICE, StoreError, Target, gravest, overflow_fingerprint,
    upkeep::{Prune, Pruned},
};
use crate::{
    event::Event,
    notice::{Losses, Notice, Process, Sample},
    sink::SendError,
};

mod dead;
mod upkeep;

#[cfg(feature = "sqlite")]
mod export;

/// How many different events, and how many deliveries, are kept; when there are
/// more, batches are refused.
pub(crate) const MOST_EVENTS: usize = 10_000;

/// How many bytes of events are kept, but for one batch.
const MOST_BYTES: usize = 32 * 1024 * 1024;

/// Notices and deliveries in memory.
#[derive(Default)]
pub(crate) struct Memory {
    last_id: i64,
    /// Of all events that are kept.
    bytes: usize,
    notices: BTreeMap<i64, Kept>,
    deliveries: BTreeMap<Uuid, Delivery>,
    /// When a recipient was refused for good, by sink.
    refusals: BTreeMap<(&'static str, String), SystemTime>,
    /// What nobody was told of, by sink.
    untold: BTreeMap<&'static str, Dead>,
    /// When somebody was told last, by sink.
    told_at: BTreeMap<&'static str, SystemTime>,
}

struct Kept {
    public_id: String,
    run: Uuid,
    /// Whether it tells of dead deliveries.
    health: bool,
    process: Process,
    opened_at: SystemTime,
    closes_at: SystemTime,
    losses: Losses,
    events: Vec<Row>,
}

struct Row {
    fingerprint: Vec<u8>,
    level: Level,
    count: u64,
    #[cfg_attr(not(feature = "sqlite"), expect(dead_code, reason = "for the file only"))]
    first_at: SystemTime,
    last_at: SystemTime,
    payload: Option<Event>,
}

/// A pending delivery, by its key: a settled one is dropped.
struct Delivery {
    notice_id: i64,
    sink: &'static str,
    recipient: String,
    level: Level,
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
        open: Option<i64>,
        draft: &Draft<'_>,
        targets: &[Target],
        now: SystemTime,
    ) -> Result<i64, StoreError> {
        let kept: usize = self.notices.values().map(|notice| notice.events.len()).sum();
        let is_full = kept > MOST_EVENTS || self.deliveries.len() > MOST_EVENTS || self.bytes > MOST_BYTES;
        if is_full {
            return Err(StoreError::Full);
        }
        let notice_id = match open.filter(|id| self.takes_events(*id, now)) {
            Some(id) => id,
            None => self.insert_notice(draft, false, now),
        };
        let Some(notice) = self.notices.get_mut(&notice_id) else {
            return Err(StoreError::Failed("a notice vanished".to_owned()));
        };
        for captured in batch {
            self.bytes += notice.add(captured);
        }
        for (reason, count) in losses {
            *notice.losses.entry(*reason).or_default() += count;
        }
        let closes_at = notice.closes_at;
        let gravest = gravest(batch, losses);
        for target in targets.iter().filter(|target| gravest <= target.level) {
            self.insert_delivery(notice_id, target, closes_at, now);
        }
        self.drop_untold(notice_id);
        Ok(notice_id)
    }

    pub(super) fn add_backtrace(
        &mut self,
        notice_id: i64,
        fingerprint: &[u8],
        backtrace: &str,
    ) -> Result<(), StoreError> {
        let events = self.notices.get_mut(&notice_id).map(|notice| &mut notice.events);
        let row = events.into_iter().flatten().find(|row| row.fingerprint == fingerprint);
        if let Some(event) = row.and_then(|row| row.payload.as_mut()) {
            let before = event.size_bytes();
            event.backtrace = Some(backtrace.to_owned());
            self.bytes = self.bytes + event.size_bytes() - before;
        }
        Ok(())
    }

    pub(super) fn close(&mut self, notice_id: i64, now: SystemTime) -> Result<(), StoreError> {
        if let Some(notice) = self.notices.get_mut(&notice_id) {
            notice.closes_at = notice.closes_at.min(now);
        }
        let fresh = |delivery: &&mut Delivery| delivery.notice_id == notice_id && delivery.claims == 0;
        for delivery in self.deliveries.values_mut().filter(fresh) {
            delivery.due_at = delivery.due_at.min(now);
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
                level: delivery.level,
                attempt: delivery.attempt,
                token: delivery.claims,
                is_doubtful: delivery.doubtful > 1,
                expires_at: delivery.expires_at,
            }
        });
        Ok(claims.collect())
    }

    pub(super) fn notice(&self, claim: &Claim) -> Result<Notice, StoreError> {
        let Some(kept) = self.notices.get(&claim.notice_id) else {
            return Err(StoreError::Failed("a notice vanished".to_owned()));
        };
        let told = kept.events.iter().filter(|row| row.level <= claim.level);
        let mut samples = Vec::new();
        let mut unsampled = 0;
        for row in told {
            match &row.payload {
                Some(event) => {
                    samples.push(Sample { event: event.clone(), count: row.count, last_at: row.last_at });
                }
                None => unsampled += row.count,
            }
        }
        Ok(Notice {
            id: kept.public_id.clone(),
            health: kept.health,
            process: kept.process.clone(),
            opened_at: kept.opened_at,
            samples,
            unsampled,
            losses: kept.losses.clone(),
        })
    }

    pub(super) fn deliver(
        &mut self,
        claim: &Claim,
        _reference: Option<&str>,
        _now: SystemTime,
    ) -> Result<bool, StoreError> {
        Ok(self.settle(claim))
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

    pub(super) fn pending(&self, run: Uuid, last_notice: i64) -> u64 {
        let ours = |delivery: &&Delivery| {
            delivery.notice_id <= last_notice
                && self.notices.get(&delivery.notice_id).is_some_and(|notice| notice.run == run)
        };
        self.deliveries.values().filter(ours).count() as u64
    }

    /// There is nobody else whose deliveries these could be.
    pub(super) fn bury_abandoned(&mut self, _now: SystemTime) -> u64 {
        0
    }

    /// Nothing that is settled is here, and there is a bound already.
    pub(super) fn prune(&self, _what: Prune) -> Pruned {
        Pruned::default()
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

    /// A notice takes events until it closes or its first delivery is claimed.
    fn takes_events(&self, id: i64, now: SystemTime) -> bool {
        let claimed =
            self.deliveries.values().any(|delivery| delivery.notice_id == id && delivery.claims > 0);
        !claimed && self.notices.get(&id).is_some_and(|notice| notice.closes_at > now)
    }

    fn insert_notice(&mut self, draft: &Draft<'_>, health: bool, now: SystemTime) -> i64 {
        self.last_id += 1;
        let notice = Kept {
            public_id: draft.public_id.to_owned(),
            run: draft.run,
            health,
            process: draft.process.clone(),
            opened_at: now,
            closes_at: draft.closes_at,
            losses: Losses::new(),
            events: Vec::new(),
        };
        self.notices.insert(self.last_id, notice);
        self.last_id
    }

    fn insert_delivery(&mut self, notice_id: i64, target: &Target, due_at: SystemTime, now: SystemTime) {
        let known = self.deliveries.values().any(|delivery| {
            delivery.notice_id == notice_id
                && delivery.sink == target.sink
                && delivery.recipient == target.recipient
        });
        if known {
            return;
        }
        let delivery = Delivery {
            notice_id,
            sink: target.sink,
            recipient: target.recipient.clone(),
            level: target.level,
            due_at,
            attempt: 0,
            claims: 0,
            created_at: now,
            doubtful: 0,
            expires_at: now + target.deadline,
        };
        self.deliveries.insert(Uuid::now_v7(), delivery);
    }

    fn claimed(&mut self, claim: &Claim) -> Option<&mut Delivery> {
        self.deliveries.get_mut(&claim.key).filter(|delivery| delivery.claims == claim.token)
    }

    fn settle(&mut self, claim: &Claim) -> bool {
        if self.claimed(claim).is_none() {
            return false;
        }
        self.deliveries.remove(&claim.key);
        self.drop_untold(claim.notice_id);
        true
    }

    /// Drops a notice that no delivery will tell of any more.
    fn drop_untold(&mut self, notice_id: i64) {
        if !self.deliveries.values().any(|delivery| delivery.notice_id == notice_id) {
            let dropped = self.notices.remove(&notice_id);
            let events =
                dropped.iter().flat_map(|notice| &notice.events).filter_map(|row| row.payload.as_ref());
            self.bytes -= events.map(Event::size_bytes).sum::<usize>();
        }
    }
}

impl Kept {
    /// Adds an event; returns the bytes that it now keeps.
    fn add(&mut self, captured: &Captured) -> usize {
        let samples = self.events.iter().filter(|row| row.payload.is_some()).count();
        let level = captured.event.level;
        if self.count_known(&captured.fingerprint, captured) {
            return 0;
        }
        let overflow = overflow_fingerprint(level);
        let (fingerprint, payload) = if samples < SAMPLES_PER_NOTICE {
            (captured.fingerprint.as_slice(), Some(captured.event.clone()))
        } else {
            (overflow.as_slice(), None)
        };
        if payload.is_none() && self.count_known(fingerprint, captured) {
            return 0;
        }
        let bytes = payload.as_ref().map_or(0, Event::size_bytes);
        let fingerprint = fingerprint.to_vec();
        let row = Row {
            fingerprint,
            level,
            count: captured.count,
            first_at: captured.event.at,
            last_at: captured.last_at,
            payload,
        };
        self.events.push(row);
        bytes
    }

    fn count_known(&mut self, fingerprint: &[u8], captured: &Captured) -> bool {
        let Some(row) = self.events.iter_mut().find(|row| row.fingerprint == fingerprint) else {
            return false;
        };
        row.count += captured.count;
        row.last_at = row.last_at.max(captured.last_at);
        true
    }
}
