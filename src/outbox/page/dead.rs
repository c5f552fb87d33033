//! Deliveries that ended undelivered, and what is told of them.

use std::{mem, time::SystemTime};

use super::{DeadRow, Page, Recipient, State};
use crate::{
    host::time::Saturating,
    outbox::{ABANDONED_AFTER, Dead, FAILING_FOR, FAILS_AGAIN_WITHIN, Failing, TOLD_AGAIN},
    policy::notice::Kind,
};

impl Page {
    /// Takes what nobody was told of in `sink`: from now on it is told. None if that
    /// is nothing, or if the last time was after `not_since`.
    pub(in crate::outbox) fn tell_of_dead(
        &mut self,
        sink: &str,
        not_since: SystemTime,
        now: SystemTime,
    ) -> Option<Dead> {
        let known = self.dead.get(&sink.to_owned())?;
        let is_too_soon = known.told_at.is_some_and(|at| at > not_since && at <= now);
        if known.count == 0 || is_too_soon {
            return None;
        }
        let known = self.dead.change(&sink.to_owned())?;
        let dead = Dead {
            count: mem::take(&mut known.count),
            recipient: mem::take(&mut known.recipient),
            public_id: mem::take(&mut known.public_id),
            reason: mem::take(&mut known.reason),
        };
        known.told_at = Some(now);
        Some(dead)
    }

    /// Takes what is to be told of a `sink` that has failed for [`FAILING_FOR`], and still
    /// did lately, whatever becomes of its messages: again after [`TOLD_AGAIN`], as long as
    /// it fails.
    pub(in crate::outbox) fn tell_of_failing(&mut self, sink: &str, now: SystemTime) -> Option<Failing> {
        let known = self.dead.get(&sink.to_owned())?;
        let since = known.failing_since.filter(|since| since.later(FAILING_FOR) <= now)?;
        let told_at = known.failure_told_at.filter(|at| *at <= now);
        if !known.has_failed_lately(now) || told_at.is_some_and(|at| at.later(TOLD_AGAIN) > now) {
            return None;
        }
        let known = self.dead.change(&sink.to_owned())?;
        known.failure_told_at = Some(now);
        Some(Failing { since, reason: known.failure.clone() })
    }

    /// Notes that an attempt through `sink` failed in a way that may pass. A failure of
    /// long ago says nothing: since then the machine slept, or nothing was to be sent.
    pub(super) fn note_failing(&mut self, sink: &str, reason: &str, now: SystemTime) {
        let known = self.dead.change_or_insert(sink.to_owned(), Default::default);
        if !known.has_failed_lately(now) {
            known.failing_since = None;
        }
        known.failing_since.get_or_insert(now);
        known.failed_at = Some(now);
        reason.clone_into(&mut known.failure);
    }

    /// Notes that a provider accepted something.
    pub(super) fn note_working(&mut self, sink: &str) {
        let key = sink.to_owned();
        if self.dead.get(&key).is_some_and(|it| it.failing_since.is_some())
            && let Some(known) = self.dead.change(&key)
        {
            known.failing_since = None;
            known.failed_at = None;
            known.failure_told_at = None;
            known.failure.clear();
        }
    }

    /// pending → dead, for what nobody claimed for [`ABANDONED_AFTER`] its deadline;
    /// and what was to be told that long ago is not any more: no process has its
    /// sink, nor is it of our `own`. Returns how many messages that were.
    pub(in crate::outbox) fn bury_abandoned(&mut self, own: &[&str], now: SystemTime) -> u64 {
        let before = now.earlier(ABANDONED_AFTER);
        let is_foreign = |recipient: &Recipient| !own.contains(&&*recipient.sink);
        let abandoned = self.deliveries.iter().filter(|(_, it)| {
            it.state == State::Pending
                && it.due_at <= before
                && it.expires_at <= before
                && is_foreign(&it.recipient)
        });
        let abandoned: Vec<_> = abandoned.map(|(key, _)| *key).collect();
        let mut buried = 0_u64;
        for key in abandoned {
            let Some(delivery) = self.deliveries.change(&key) else { continue };
            delivery.state = State::Dead;
            delivery.settled_at = Some(now);
            let reason = delivery.last_error.get_or_insert_with(|| "no process had this sink".to_owned());
            let (reason, notice, recipient) =
                (reason.clone(), delivery.notice_id, delivery.recipient.clone());
            self.count_dead(notice, &recipient, &reason);
            buried = buried.saturating_add(1);
        }
        let untold = self.standings.iter().filter(|((_, recipient), known)| {
            known.due_at.is_some_and(|at| at <= before) && is_foreign(recipient)
        });
        let untold: Vec<_> = untold.map(|(key, _)| key.clone()).collect();
        for key in untold {
            let count = self.incidents.get(&key.0).map_or(0, |incident| incident.count);
            let Some(known) = self.standings.change(&key) else { continue };
            known.due_at = None;
            buried = buried.saturating_add(u64::from(known.told < count));
        }
        buried
    }

    /// Counts a delivery that ended undelivered. What told of such things itself is
    /// never told of.
    pub(super) fn count_dead(&mut self, notice: i64, recipient: &Recipient, reason: &str) {
        let notice = self.notices.get(&notice);
        if notice.is_some_and(|notice| notice.kind == Kind::Health) {
            return;
        }
        let public_id = notice.map(|notice| notice.public_id.clone()).unwrap_or_default();
        let dead = self.dead.change_or_insert(recipient.sink.to_string(), Default::default);
        dead.count = dead.count.saturating_add(1);
        dead.recipient = recipient.address.to_string();
        dead.public_id = public_id;
        reason.clone_into(&mut dead.reason);
    }
}

impl DeadRow {
    /// Whether an attempt failed so late that, by `now`, none may have been made since.
    fn has_failed_lately(&self, now: SystemTime) -> bool {
        self.failed_at.is_some_and(|at| now < at.later(FAILS_AGAIN_WITHIN))
    }
}
