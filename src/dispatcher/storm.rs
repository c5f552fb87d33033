//! Events that the callers only counted become part of what is told.

use std::time::{Duration, Instant, SystemTime};

use super::{BATCH, Dispatcher, Inbox, MAX_SLEEP, persist::Alike};
use crate::{
    capture::{self, Call},
    event::Event,
    host::{permit::Permit, time::from_now},
    queue::{MAX_EVENTS, Receiver, stats::Counters},
};

impl Dispatcher<'_> {
    /// Takes up what was only counted so far; the last of it was at about now.
    pub(super) fn collect(&mut self) {
        self.inbox.collect_at = None;
        let at = SystemTime::now();
        let inbox = &mut *self.inbox;
        self.counters.storm.collect(Instant::now(), |metadata, count| {
            let call = Call { at, thread: None, breadcrumbs: Vec::new() };
            let event = capture::from_metadata(metadata, metadata.name().to_owned(), Vec::new(), call);
            inbox.add_counted(event, count, at, &self.counters);
        });
    }

    /// Has what is only counted collected, but not at once: a storm goes on.
    pub(super) fn plan_collection(&mut self) {
        if self.counters.storm.is_told() {
            self.inbox.collect_at.get_or_insert_with(|| from_now(COLLECT_PAUSE));
        }
    }

    pub(super) async fn collect_when_due(&mut self, queue: &mut Receiver) {
        if self.inbox.collect_at.is_some_and(|due| due <= Instant::now()) {
            self.take_queued(queue).await;
            self.collect();
            self.persist().await;
        }
    }

    /// Drains the queue first, so that captured events name the counted ones.
    async fn take_queued(&mut self, queue: &mut Receiver) {
        for _ in 0..=MAX_EVENTS / BATCH {
            let is_open = self.inbox.ending.is_none() && self.has_room();
            if !is_open || queue.try_receive(&mut self.inbox.items, BATCH) == 0 {
                return;
            }
            self.take().await;
            if self.inbox.ending.is_some() {
                self.begin_to_end(queue).await;
            }
        }
    }

    pub(super) fn until_collection(&self) -> Duration {
        let due = self.inbox.collect_at;
        due.map_or(MAX_SLEEP, |due| due.saturating_duration_since(Instant::now()))
    }
}

impl Inbox {
    /// Adds `count` events of which only the callsite is known, as `event` has it:
    /// to what else it said, if that is one thing, and with the fate of that.
    pub(super) fn add_counted(
        &mut self,
        mut event: Event,
        count: u64,
        last_at: SystemTime,
        counters: &Counters,
    ) {
        let known = self.grouping.of_counted(&event, Instant::now());
        let (fingerprint, fate) = (known.fingerprint, known.fate);
        if let Some(message) = known.message {
            event.message = message.to_owned();
        }
        // Of those that were built, more is known: this one has no fields.
        let fate = fate.unwrap_or_else(|| self.fate(&event));
        let alike = Alike { event, is_stand_in: true, count, last_at, said: None, permit: Permit::default() };
        self.add_alike(alike, fingerprint, fate, counters);
    }
}

/// How long after the first event that is only counted all of them are
/// collected.
const COLLECT_PAUSE: Duration = Duration::from_secs(1);
