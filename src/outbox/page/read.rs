//! What a page says: a message's content. And for memory what is claimed, due, pending
//! and counted, for which a file has statements of its own (`sqlite/reads.rs`).

use std::{collections::BTreeMap, time::SystemTime};

use uuid::Uuid;

use super::{DeliveryRow, ItemRow, Page, Recipient, State, tell::kind_of};
use crate::{
    event::{Event, loss::Losses},
    outbox::{Claim, Mark, SAMPLES_PER_NOTICE, batch::About},
    policy::{
        incident::Reason,
        notice::{Notice, Sample},
    },
    queue::stats::EventCounts,
};

impl Page {
    /// The incidents that a notice shows, if their events can be read: what is new
    /// first, and no more than [`SAMPLES_PER_NOTICE`].
    pub(in crate::outbox) fn shown(&self, notice: i64) -> Vec<i64> {
        let items = self.items_in_order(notice).into_iter().map(|(id, _)| id);
        let has_event = |id: &i64| {
            let about = self.incidents.get(id).map(|incident| incident.about);
            about.is_some_and(|about| !matches!(about, Some(About::Loss(_) | About::Overflow)))
        };
        items.filter(has_event).take(SAMPLES_PER_NOTICE).collect()
    }

    /// What a notice has to tell. Whatever cannot be shown is counted: one event, if
    /// it is not even known of how many it tells. None if it is not on the page.
    pub(in crate::outbox) fn notice(&self, id: i64) -> Option<Notice> {
        let kept = self.notices.get(&id)?;
        let items = self.items_in_order(id);
        let shown = self.shown(id);
        let mut notice = Notice {
            id: kept.public_id.clone(),
            kind: kept.kind,
            process: kept.process.clone(),
            made_at: kept.made_at,
            samples: Vec::new(),
            unsampled: items.is_empty().into(),
            losses: Losses::new(),
            late_by: None,
            is_last_today: kept.is_last,
        };
        for (id, item) in items {
            let incident = self.incidents.get(&id);
            if let Some(About::Loss(reason)) = incident.and_then(|incident| incident.about) {
                let lost = notice.losses.entry(reason).or_default();
                *lost = lost.saturating_add(item.count);
                continue;
            }
            let event = self.firsts.get(&id).filter(|_| shown.contains(&id));
            match (incident, event) {
                (Some(incident), Some(event)) => notice.samples.push(Sample {
                    kind: kind_of(item.reason),
                    event: event.clone(),
                    // One from before it came back is not.
                    latest: self.latests.get(&id).filter(|latest| latest.at >= event.at).cloned(),
                    in_common: self.in_common(&incident.fingerprint, event, &incident.process.app),
                    incident: incident.public_id.clone(),
                    count: item.count,
                    total: item.total,
                    today: item.today,
                    this_week: item.this_week,
                    held_until: item.held_until,
                    since: incident.opened_at,
                    last_at: item.last_at,
                    last_hour: item.pace.hour(kept.made_at.max(item.last_at)),
                    spread: item.spread.clone(),
                }),
                (Some(_) | None, _) => notice.unsampled = notice.unsampled.saturating_add(item.count),
            }
        }
        Some(notice)
    }

    fn items_in_order(&self, notice: i64) -> Vec<(i64, &ItemRow)> {
        let mut items: Vec<_> = self.items_of(notice).collect();
        let place = |reason| match reason {
            Reason::First => 0,
            Reason::Again => 1,
            Reason::Update | Reason::Reminder | Reason::Quiet => 2,
        };
        items.sort_by_key(|(id, item)| (place(item.reason), *id));
        items
    }

    /// Claims up to `limit` deliveries of `sink` that are due at `now`, the longest due
    /// first: each counts one attempt and is leased until `lease_until`.
    pub(in crate::outbox) fn claim(
        &mut self,
        sink: &str,
        limit: usize,
        lease_until: SystemTime,
        now: SystemTime,
    ) -> Vec<Claim> {
        let mut due: Vec<_> = self
            .pending_in(sink)
            .filter(|(_, it)| it.due_at <= now)
            .map(|(key, it)| (it.due_at, *key))
            .collect();
        due.sort_by_key(|(due_at, _)| *due_at);
        due.truncate(limit);
        let claims = due.into_iter().filter_map(|(_, key)| {
            let delivery = self.deliveries.change(&key)?;
            delivery.due_at = lease_until;
            delivery.attempt = delivery.attempt.saturating_add(1);
            delivery.claims = delivery.claims.saturating_add(1);
            delivery.doubtful = delivery.doubtful.saturating_add(1);
            Some(Claim::of(key, delivery))
        });
        claims.collect()
    }

    /// When the next delivery of `sink` is due, leases included.
    pub(in crate::outbox) fn next_due(&self, sink: &str) -> Option<SystemTime> {
        self.pending_in(sink).map(|(_, delivery)| delivery.due_at).min()
    }

    fn pending_in<'a>(&'a self, sink: &'a str) -> impl Iterator<Item = (&'a Uuid, &'a DeliveryRow)> {
        let pending = self.deliveries.iter().filter(|(_, it)| it.state == State::Pending);
        pending.filter(move |(_, it)| *it.recipient.sink == *sink)
    }

    /// The last of what there is now.
    pub(in crate::outbox) fn mark(&self) -> Mark {
        Mark { notice: self.beyond.last_notice, incident: self.beyond.last_incident }
    }

    /// How many messages of `run`, or with one of its incidents, are pending up to
    /// `mark`; and how many recipients were never told of one of those.
    pub(in crate::outbox) fn pending(&self, run: Uuid, mark: Mark) -> u64 {
        let is_of_run = |incident: &i64| self.incidents.get(incident).is_some_and(|it| it.run == run);
        let ours = self.deliveries.values().filter(|it| {
            it.state == State::Pending
                && it.notice_id <= mark.notice
                && (self.notices.get(&it.notice_id).is_some_and(|notice| notice.run == run)
                    || self.items_of(it.notice_id).any(|(incident, _)| is_of_run(&incident)))
        });
        let untold = self.standings.iter().filter(|((incident, _), known)| {
            *incident <= mark.incident
                && known.is_untold()
                && known.not_before.is_none()
                && is_of_run(incident)
        });
        ours.count().saturating_add(untold.count()) as u64
    }

    /// The sinks with deliveries that ended undelivered, and nobody was told.
    pub(in crate::outbox) fn sinks_of_dead(&self) -> Vec<String> {
        self.dead.iter().filter(|(_, dead)| dead.count > 0).map(|(sink, _)| sink.clone()).collect()
    }

    /// Where the events are of the incidents on the page.
    pub(in crate::outbox) fn events(&self) -> EventCounts {
        let mut waiting: BTreeMap<(i64, &Recipient), u64> = BTreeMap::new();
        for delivery in self.deliveries.values().filter(|it| it.state == State::Pending) {
            for (incident, item) in self.items_of(delivery.notice_id) {
                let sum = waiting.entry((incident, &delivery.recipient)).or_default();
                *sum = sum.saturating_add(item.count);
            }
        }
        let all = self
            .incidents
            .keys()
            .map(|id| self.events_of(*id, |recipient| waiting.get(&(*id, recipient)).copied().unwrap_or(0)));
        all.fold(EventCounts::default(), |sum, events| sum + events)
    }

    /// Where the events of an incident are, if so many `wait` in messages to a
    /// recipient.
    pub(in crate::outbox) fn events_of(&self, id: i64, wait: impl Fn(&Recipient) -> u64) -> EventCounts {
        let Some(incident) = self.incidents.get(&id).filter(|it| About::is_of_events(it.about)) else {
            return EventCounts::default();
        };
        let alive = self.standings_of(id).map(|(recipient, known)| {
            let untold = known.due_at.map_or(0, |_| incident.count.saturating_sub(known.told));
            known.reported.saturating_add(wait(recipient)).saturating_add(untold)
        });
        EventCounts::new(incident.count, incident.reported, alive.max().unwrap_or(0))
    }

    /// How many bytes the events on the page take, and what is learned from them.
    pub(in crate::outbox) fn bytes(&self) -> usize {
        let events = self.firsts.values().chain(self.latests.values()).map(Event::size_bytes);
        let learned = self.learned.values().map(|row| row.map.size_bytes());
        events.chain(learned).sum()
    }
}

impl Claim {
    /// The claim of a delivery that was claimed just now.
    pub(in crate::outbox) fn of(key: Uuid, delivery: &DeliveryRow) -> Self {
        Self {
            key,
            notice_id: delivery.notice_id,
            sink: delivery.recipient.sink.to_string(),
            recipient: delivery.recipient.address.to_string(),
            attempt: delivery.attempt,
            token: delivery.claims,
            is_doubtful: delivery.doubtful > 1,
            expires_at: delivery.expires_at,
        }
    }
}
