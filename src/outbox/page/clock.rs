//! Times that move along with a clock that jumped, or that it left behind.

use std::{
    collections::BTreeSet,
    time::{Duration, SystemTime},
};

use uuid::Uuid;

use super::{DeliveryRow, IncidentRow, Page, State};
use crate::{event::moved, host::time::Saturating, policy::budget::Account};

impl Page {
    /// Moves what is pending of notices that `run` made, with its deadlines, and what
    /// is silenced of its incidents, by so many milliseconds.
    pub(in crate::outbox) fn shift(&mut self, run: Uuid, millis: i64) {
        let is_ours = |notice: i64| self.notices.get(&notice).is_some_and(|notice| notice.run == run);
        let is_live = |it: &DeliveryRow| it.state == State::Pending || it.ask_at.is_some();
        let ours = self.deliveries.iter().filter(|(_, it)| is_live(it) && is_ours(it.notice_id));
        let ours: Vec<_> = ours.map(|(key, _)| *key).collect();
        for key in ours {
            if let Some(delivery) = self.deliveries.change(&key) {
                delivery.due_at = moved(delivery.due_at, millis);
                delivery.expires_at = moved(delivery.expires_at, millis);
                delivery.ask_at = delivery.ask_at.map(|at| moved(at, millis));
            }
        }
        self.shift_silences(run, millis);
        // What counts for a silence goes with that.
        let is_ours = |incident: i64| {
            let of_silence = |it: &IncidentRow| self.silence_of(&it.fingerprint).map(|silence| silence.run);
            self.incidents.get(&incident).is_some_and(|it| of_silence(it).unwrap_or(it.run) == run)
        };
        let silenced = self.standings.iter().filter(|((incident, _), known)| {
            known.not_before.is_some() && known.due_at.is_some() && is_ours(*incident)
        });
        let silenced: Vec<_> = silenced.map(|(key, _)| key.clone()).collect();
        let mut held = BTreeSet::new();
        for key in silenced {
            if let Some(known) = self.standings.change(&key) {
                known.not_before = known.not_before.map(|at| moved(at, millis));
            }
            if self.incidents.get(&key.0).is_some_and(|it| it.held_until.is_some())
                && held.insert(key.0)
                && let Some(incident) = self.incidents.change(&key.0)
            {
                incident.held_until = incident.held_until.map(|at| moved(at, millis));
            }
        }
    }

    /// Whether anything happened at a time that is still to come: then the clock
    /// jumped back.
    pub(in crate::outbox) fn is_ahead(&self, now: SystemTime) -> bool {
        self.accounts.values().any(|account| account.heard_at > Some(now))
            || self.standings.iter().filter(|(_, known)| known.due_at.is_some()).any(|((id, _), known)| {
                let incident = self.incidents.get(id);
                known.told_at > Some(now) || incident.is_some_and(|it| it.opened_at > now || it.last_at > now)
            })
    }

    /// If anything [`is_ahead`](Self::is_ahead), it happened now, or its end would be
    /// waited for; and of everything it is decided anew what there is to tell and
    /// when.
    pub(in crate::outbox) fn reconsider(&mut self, now: SystemTime) {
        if !self.is_ahead(now) {
            return;
        }
        let live = self.standings.iter().filter(|(_, known)| known.due_at.is_some());
        let live: Vec<_> = live.map(|(key, _)| key.clone()).collect();
        for key in live {
            if self.incidents.get(&key.0).is_some_and(|it| it.opened_at > now || it.last_at > now)
                && let Some(incident) = self.incidents.change(&key.0)
            {
                incident.opened_at = incident.opened_at.min(now);
                incident.last_at = incident.last_at.min(now);
                incident.back_at = incident.back_at.map(|at| at.min(now));
            }
            let is_later = |at: Option<SystemTime>| at > Some(now);
            if self.standings.get(&key).is_some_and(|it| is_later(it.due_at) || is_later(it.told_at))
                && let Some(known) = self.standings.change(&key)
            {
                known.due_at = known.due_at.min(Some(now));
                known.told_at = known.told_at.min(Some(now));
            }
        }
        let ahead = self.accounts.iter().filter(|(_, account)| account.heard_at > Some(now));
        let ahead: Vec<_> = ahead.map(|(recipient, account)| (recipient.clone(), account.clone())).collect();
        for (recipient, account) in ahead {
            self.accounts.insert(recipient, Account::heard_by(&account, now));
        }
    }

    /// Makes due at `now` what is pending and due later than any delay can be: the
    /// clock jumped back. That is `first_by` for what was never claimed, and
    /// `again_by` for the rest. Returns how many deliveries.
    pub(in crate::outbox) fn pull_forward(
        &mut self,
        first_by: SystemTime,
        again_by: SystemTime,
        now: SystemTime,
    ) -> u64 {
        let late = self.deliveries.iter().filter(|(_, delivery)| {
            let due_by = if delivery.claims == 0 { first_by } else { again_by };
            delivery.state == State::Pending && delivery.due_at > due_by
        });
        let late: Vec<_> = late.map(|(key, _)| *key).collect();
        for key in &late {
            if let Some(delivery) = self.deliveries.change(key) {
                delivery.due_at = now;
            }
        }
        late.len() as u64
    }

    /// Gives more time to what was due `before`, and nobody took: nobody was there who could
    /// send it. It has the deadline of its sink from `now` on. Returns how many messages.
    pub(in crate::outbox) fn prolong(
        &mut self,
        deadlines: &[(&str, Duration)],
        before: SystemTime,
        now: SystemTime,
    ) -> u64 {
        let left = self.deliveries.iter().filter_map(|(key, it)| {
            let deadline = deadlines.iter().find(|(sink, _)| **sink == *it.recipient.sink)?.1;
            let is_left = it.state == State::Pending && it.due_at <= before;
            is_left.then(|| (*key, now.later(deadline)))
        });
        let left: Vec<_> = left.collect();
        for (key, expires_at) in &left {
            if let Some(delivery) = self.deliveries.change(key) {
                delivery.expires_at = delivery.expires_at.max(*expires_at);
            }
        }
        left.len() as u64
    }

    /// Leaves what a file holds to those who have its copy, until `later`: another
    /// process may work with the file until it notices that it was moved. What comes
    /// meanwhile is an incident of its own, and adds up.
    #[cfg(feature = "sqlite")]
    pub(in crate::outbox) fn retire(&mut self, later: SystemTime, now: SystemTime) {
        let open = self.incidents.iter().filter(|(_, incident)| incident.closed_at.is_none());
        let open: Vec<_> = open.map(|(id, _)| *id).collect();
        for id in open {
            if let Some(incident) = self.incidents.change(&id) {
                incident.closed_at = Some(now);
                incident.is_left = true;
            }
        }
        let live = self.standings.iter().filter(|(_, known)| known.due_at.is_some_and(|at| at < later));
        let live: Vec<_> = live.map(|(key, _)| key.clone()).collect();
        for key in live {
            if let Some(known) = self.standings.change(&key) {
                known.due_at = Some(later);
            }
        }
        let pending =
            self.deliveries.iter().filter(|(_, it)| it.state == State::Pending && it.due_at < later);
        let pending: Vec<_> = pending.map(|(key, _)| *key).collect();
        for key in pending {
            if let Some(delivery) = self.deliveries.change(&key) {
                delivery.due_at = later;
            }
        }
    }
}
