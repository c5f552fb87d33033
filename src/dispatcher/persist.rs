//! Events join their incidents: what waits is committed in one transaction.

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant, SystemTime},
};

use super::{Dispatcher, Inbox, tell::public_id};
use crate::{
    event::{
        Event,
        loss::{DropReason, Losses},
    },
    host::{permit::Permit, signal::Signal, time::Saturating},
    outbox::{Captured, Maker, Store, StoreError},
    policy::{
        fingerprint::{Fate, Fingerprint, Said},
        redact::{redact_breadcrumbs, redact_text},
    },
    queue::{Awaited, stats::Counters},
};

impl Dispatcher<'_> {
    /// Commits what waits, together with the losses nobody was told of.
    pub(super) async fn persist(&mut self) {
        // Before there is anything that the new time was written to.
        self.follow_the_clock().await;
        loop {
            let tried = self.inbox.tried.take();
            let (length, losses) = tried.unwrap_or_else(|| (self.inbox.waiting.len(), self.untold_losses()));
            if length == 0 && losses.is_empty() {
                // What they wait for is ignored, or committed.
                self.inbox.acknowledge.drain(..).for_each(|waits| waits.set(()));
                return self.keep_silences().await;
            }
            if !self.persist_batch(length, losses).await {
                return;
            }
        }
    }

    /// Commits the first of what waits, so many. False if it is to be tried again.
    async fn persist_batch(&mut self, length: usize, losses: Losses) -> bool {
        let now = SystemTime::now();
        let maker = Maker {
            new_id: &public_id,
            run: self.inbox.run,
            process: &self.process,
            calendar: &self.calendar,
            is_of_fleet: self.is_of_fleet,
        };
        let (number, batch) = (self.inbox.batches + 1, &self.inbox.waiting[..length]);
        let staggered = self.is_alone().then(|| self.staggered_targets());
        let (losses_of, targets) = (&losses, staggered.as_ref().unwrap_or(&self.targets));
        let persist =
            async |store: &mut Store| store.persist(number, batch, losses_of, &maker, targets, now).await;
        match self.outbox.with(persist).await {
            Ok(has_error) => {
                self.inbox.has_erred |= has_error;
                self.tell_at = None;
                let more: u64 = self.inbox.waiting[..length].iter().map(|captured| captured.count).sum();
                if let Some(link) = &mut self.inbox.link {
                    link.note_counted();
                    link.note_committed(more, &self.counters);
                }
                self.inbox.batches = number;
                for (reason, count) in losses {
                    *self.inbox.told.entry(reason).or_default() += count;
                }
                let committed = self.inbox.waiting.drain(..length);
                let events = committed.fold(0, |sum, captured| {
                    self.inbox.has_panicked |= has_error && captured.event.panic;
                    sum + captured.count
                });
                self.counters.persisted.fetch_add(events, Ordering::Relaxed);
                if self.inbox.waiting.is_empty() {
                    self.inbox.late.iter_mut().for_each(|late| late.is_committed = true);
                }
                true
            }
            Err(StoreError::Full) => {
                let lost = self.inbox.waiting.drain(..).map(|captured| captured.count).sum();
                self.counters.count_dropped(DropReason::MemoryFull, lost);
                // Nobody has to wait for what will not come.
                self.inbox.acknowledge.drain(..).for_each(|waits| waits.set(()));
                false
            }
            // Nothing was written: what comes meanwhile may join it.
            Err(StoreError::Busy) => false,
            // What waits is bounded: a full queue is the next thing to happen.
            Err(_) => {
                self.inbox.tried = Some((length, losses));
                false
            }
        }
    }

    fn untold_losses(&self) -> Losses {
        let untold = |(reason, count): (DropReason, u64)| {
            let told = self.inbox.told.get(&reason).copied().unwrap_or(0);
            Some((reason, count.saturating_sub(told))).filter(|(_, count)| *count > 0)
        };
        self.counters.losses().into_iter().filter_map(untold).collect()
    }

    /// Adds the backtraces that have come to their events.
    pub(super) async fn add_late_backtraces(&mut self) {
        for late in std::mem::take(&mut self.inbox.late) {
            let now = Instant::now();
            match late.text.wait_until(now) {
                Some(mut text) if late.is_committed => {
                    redact_text(&mut text, &self.inbox.redaction);
                    let add = async |store: &mut Store| store.add_backtrace(&late.fingerprint, &text).await;
                    drop(self.outbox.with(add).await);
                }
                Some(_) | None if now < late.until => self.inbox.late.push(late),
                Some(_) | None => (),
            }
        }
    }

    /// Whether messages wait for a backtrace: for a while only, or a stream of
    /// panics would hold up everything.
    pub(super) fn holds_deliveries(&mut self) -> bool {
        if self.inbox.late.is_empty() {
            self.inbox.late_since = None;
        }
        self.inbox.late_since.is_some_and(|since| since.elapsed() < BACKTRACE_PATIENCE)
    }
}

impl Inbox {
    /// Adds `event` to those that wait.
    pub(super) fn add(&mut self, event: Event, permit: Permit, counters: &Counters) {
        self.add_within(&[], event, permit, counters);
    }

    /// Adds `event`, which happened in `spans`, to those that wait.
    pub(super) fn add_within(&mut self, spans: &[u64], event: Event, permit: Permit, counters: &Counters) {
        let now = Instant::now();
        let place = self.grouping.place(&event, now);
        let place = self.retold.place(&event, spans, place, now);
        let fate = self.fate_unless_echo(&event, place.callsite);
        self.grouping.note(&place, fate, Instant::now());
        let last_at = event.at;
        self.add_alike(
            Alike { event, is_stand_in: false, count: 1, last_at, said: place.said, permit },
            place.fingerprint,
            fate,
            counters,
        );
    }

    /// Adds `alike` to those that wait; what is the same as another only counts.
    pub(super) fn add_alike(&mut self, alike: Alike, own: Fingerprint, fate: Fate, counters: &Counters) {
        let Alike { mut event, is_stand_in, count, last_at, said, permit } = alike;
        let (fingerprint, not_before) = match fate {
            Fate::Ignored => {
                counters.ignored.fetch_add(count, Ordering::Relaxed);
                return;
            }
            Fate::Told => (own, None),
            Fate::Silenced(silenced) => match self.silence(&mut event, silenced) {
                Some(until) => (silenced, Some(until)),
                None => (own, None),
            },
        };
        let tried = self.tried.as_ref().map_or(0, |(length, _)| *length);
        let mut latest = self.waiting[tried..].iter_mut().rev().take(LOOK_BACK);
        match latest.find(|captured| captured.fingerprint == fingerprint) {
            Some(captured) => {
                captured.count += count;
                captured.last_at = captured.last_at.max(last_at);
                if !is_stand_in {
                    captured.latest = Some(event.bare());
                }
            }
            None => {
                redact_breadcrumbs(&mut event.breadcrumbs, &self.redaction);
                self.waiting.push(Captured {
                    event,
                    latest: None,
                    is_stand_in,
                    fingerprint,
                    said: said.filter(|_| fingerprint == own),
                    count,
                    last_at,
                    about: None,
                    not_before,
                    permit,
                });
            }
        }
    }

    /// As [`add`](Self::add); somebody waits for the commit.
    pub(super) fn add_awaited(&mut self, awaited: Awaited, permit: Permit, counters: &Counters) {
        let Awaited { event, committed, backtrace } = awaited;
        let event = event.into_event();
        if let Some(text) = backtrace {
            let now = Instant::now();
            let fingerprint = self.grouping.place(&event, now).fingerprint;
            self.late_since.get_or_insert(now);
            let until = now.later(BACKTRACE_PATIENCE);
            self.late.push(Late { fingerprint, text, is_committed: false, until });
        }
        self.acknowledge.push(committed);
        self.add(event, permit, counters);
    }
}

/// Events that are the same as one.
pub(super) struct Alike {
    pub(super) event: Event,
    /// Only its callsite is known.
    pub(super) is_stand_in: bool,
    pub(super) count: u64,
    pub(super) last_at: SystemTime,
    /// What its callsite is learned from, if anything is.
    pub(super) said: Option<Arc<Said>>,
    /// Its share of the queue's bytes.
    pub(super) permit: Permit,
}

/// A backtrace that is still to come.
pub(super) struct Late {
    fingerprint: Fingerprint,
    text: Arc<Signal<String>>,
    is_committed: bool,
    /// It is not waited for any longer than this.
    until: Instant,
}

/// How long a message waits for a panic's backtrace.
const BACKTRACE_PATIENCE: Duration = Duration::from_secs(1);

/// How far back an event looks for one that is the same.
const LOOK_BACK: usize = 64;
