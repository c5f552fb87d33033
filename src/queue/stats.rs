//! What happened so far, in numbers; every loss under a reason.
//!
//! Counted with relaxed atomics: the caller's thread never waits for a count.

use std::{
    ops::Add,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::Instant,
};

use serde::Serialize;

use crate::{
    event::loss::{DropReason, Losses},
    queue::{
        fleet_stats::{FleetCounters, FleetStats},
        storm::Storm,
    },
};

/// Where events are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum StoreState {
    /// Not opened yet: events wait in the queue.
    #[default]
    Opening,
    /// On disk: what is persisted survives the process.
    Durable,
    /// In memory: by choice, or because the database failed.
    Memory,
}

/// Where the events are that the store holds: in a file, those of other processes
/// and of earlier runs, too, until their incident is deleted for its age. What was
/// lost is in none of them.
///
/// Of each incident counts the recipient who was told the most of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct EventCounts {
    /// In messages that a provider accepted.
    pub reported: u64,
    /// Not in such a one yet, but in one that is pending, or somebody is still to be
    /// told.
    pub pending: u64,
    /// All others: their messages ended undelivered, or they concern nobody.
    pub dead: u64,
}

impl EventCounts {
    /// All of them.
    pub fn committed(&self) -> u64 {
        self.reported.saturating_add(self.pending).saturating_add(self.dead)
    }

    /// Splits `committed` into reported, pending and dead.
    pub(crate) fn new(committed: u64, reported: u64, reported_or_pending: u64) -> Self {
        let reported = reported.min(committed);
        let alive = reported_or_pending.clamp(reported, committed);
        Self { reported, pending: alive - reported, dead: committed - alive }
    }
}

impl Add for EventCounts {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            reported: self.reported.saturating_add(other.reported),
            pending: self.pending.saturating_add(other.pending),
            dead: self.dead.saturating_add(other.dead),
        }
    }
}

/// A snapshot of the counters of one [`AlertLayer`](crate::AlertLayer), given by
/// [`AlertHandle::stats`](crate::AlertHandle::stats).
///
/// All counts but [`events`](Self::events) are since the layer was built. Every
/// captured event is persisted, or ignored, or dropped as
/// [`MemoryFull`](DropReason::MemoryFull) or
/// [`NotCommitted`](DropReason::NotCommitted), or still queued.
///
/// As JSON, for a page that tells whether alerts would arrive, it has its fields under
/// their names. Fields may be added to it.
///
/// ```
/// let health = tracing_alert::AlertHandle::current().map(|alerts| alerts.stats());
/// let body = serde_json::to_string(&health).unwrap();
/// # assert_eq!(body, "null");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Stats {
    /// Events that were captured, and queued or only counted.
    pub captured: u64,
    /// Events that were committed to the store.
    pub persisted: u64,
    /// Events that [`Builder::ignore`](crate::Builder::ignore) means, panics of
    /// `println!` as its reader was gone, and what tower-http says of a failed request
    /// after the error that made it fail.
    pub ignored: u64,
    /// Deliveries that a provider accepted. What became of them is asked later:
    /// [`confirmed`](Self::confirmed), [`unconfirmed`](Self::unconfirmed) and
    /// [`failed`](Self::failed) are part of it, and the rest is still asked after.
    pub delivered: u64,
    /// Deliveries that arrived, by the provider's word.
    pub confirmed: u64,
    /// Deliveries of which the provider did not say, until it was not asked any more,
    /// whether they arrived. No sink can say it of e-mail.
    pub unconfirmed: u64,
    /// Deliveries that a provider accepted, and that reached nobody.
    pub failed: u64,
    /// Attempts that failed and will be repeated.
    pub retried: u64,
    /// Deliveries that ended undelivered.
    pub dead: u64,
    /// Answers that came after another process had taken the delivery over.
    pub late: u64,
    /// Events that were lost, by reason; reasons that never happened are absent.
    pub dropped: Losses,
    /// Where the committed events are, as the alert thread counted them last: when a
    /// [`flush`](crate::AlertHandle::flush) was answered, or soon after something
    /// changed; what other processes do is there within half a minute.
    pub events: EventCounts,
    /// Where events are kept now.
    pub store: StoreState,
    /// How this instance stands with its fleet; none if it has none.
    pub fleet: Option<FleetStats>,
}

/// The counters behind [`Stats`].
#[derive(Debug, Default)]
pub(crate) struct Counters {
    /// Events that are only counted.
    pub(crate) storm: Storm,
    /// Events that were queued.
    pub(crate) queued: AtomicU64,
    pub(crate) persisted: AtomicU64,
    pub(crate) ignored: AtomicU64,
    pub(crate) delivered: AtomicU64,
    pub(crate) confirmed: AtomicU64,
    pub(crate) unconfirmed: AtomicU64,
    pub(crate) failed: AtomicU64,
    pub(crate) retried: AtomicU64,
    pub(crate) dead: AtomicU64,
    pub(crate) late: AtomicU64,
    /// As last counted.
    pub(crate) pending: AtomicU64,
    /// As last counted: reported, pending, dead.
    events: [AtomicU64; 3],
    dropped: [AtomicU64; DropReason::ALL.len()],
    pub(crate) fleet: FleetCounters,
    opened: AtomicBool,
    in_memory: AtomicBool,
}

impl Counters {
    /// `storm_rate` is how many events a second of one callsite are built.
    pub(crate) fn new(storm_rate: u32) -> Self {
        let mut counters = Self::default();
        counters.storm.set_rate(storm_rate);
        counters
    }

    /// Adds one to `counter`.
    pub(crate) fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts one event that is captured, and not even queued, as nobody is to be told.
    pub(crate) fn count_ignored(&self) {
        Self::count(&self.queued);
        Self::count(&self.ignored);
    }

    /// Counts `events` lost for `reason`.
    pub(crate) fn count_dropped(&self, reason: DropReason, events: u64) {
        if let Some(index) = DropReason::ALL.iter().position(|each| *each == reason) {
            self.dropped[index].fetch_add(events, Ordering::Relaxed);
        }
    }

    /// Events that were captured, and are neither committed, ignored nor lost.
    pub(crate) fn uncommitted(&self) -> u64 {
        self.uncommitted_of(self.captured())
    }

    /// As [`uncommitted`](Self::uncommitted), of the first `captured` events:
    /// they are committed in turn.
    pub(crate) fn uncommitted_of(&self, captured: u64) -> u64 {
        let lost_later = [DropReason::MemoryFull, DropReason::NotCommitted];
        let losses = self.losses();
        let lost: u64 = lost_later.iter().filter_map(|reason| losses.get(reason)).sum();
        let taken = self.persisted.load(Ordering::Relaxed) + self.ignored.load(Ordering::Relaxed);
        captured.saturating_sub(taken).saturating_sub(lost)
    }

    pub(crate) fn captured(&self) -> u64 {
        self.queued.load(Ordering::Relaxed) + self.storm.counted()
    }

    /// Whether there is, or was, anything to do: a file that is still being opened
    /// has nothing of this layer's.
    pub(crate) fn has_begun(&self) -> bool {
        self.opened.load(Ordering::Relaxed) || self.captured() > self.ignored.load(Ordering::Relaxed)
    }

    /// Counts what was only counted and not collected as lost: the alert thread
    /// has ended.
    pub(crate) fn give_up_counted(&self) {
        self.storm.collect(Instant::now(), |_, lost| self.count_dropped(DropReason::NotCommitted, lost));
    }

    /// All losses so far.
    pub(crate) fn losses(&self) -> Losses {
        DropReason::ALL
            .iter()
            .zip(&self.dropped)
            .map(|(reason, count)| (*reason, count.load(Ordering::Relaxed)))
            .filter(|(_, count)| *count > 0)
            .collect()
    }

    /// Notes where the committed events are now.
    pub(crate) fn set_events(&self, events: EventCounts) {
        let counts = [events.reported, events.pending, events.dead];
        self.events.iter().zip(counts).for_each(|(counter, count)| counter.store(count, Ordering::Relaxed));
    }

    /// Notes where events are kept from now on.
    pub(crate) fn set_store(&self, state: StoreState) {
        self.in_memory.store(state == StoreState::Memory, Ordering::Relaxed);
        self.opened.store(state != StoreState::Opening, Ordering::Relaxed);
    }

    pub(crate) fn snapshot(&self) -> Stats {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let store = match (self.opened.load(Ordering::Relaxed), self.in_memory.load(Ordering::Relaxed)) {
            (false, _) => StoreState::Opening,
            (true, false) => StoreState::Durable,
            (true, true) => StoreState::Memory,
        };
        let [reported, pending, dead] = self.events.each_ref().map(load);
        Stats {
            captured: self.captured(),
            persisted: load(&self.persisted),
            ignored: load(&self.ignored),
            delivered: load(&self.delivered),
            confirmed: load(&self.confirmed),
            unconfirmed: load(&self.unconfirmed),
            failed: load(&self.failed),
            retried: load(&self.retried),
            dead: load(&self.dead),
            late: load(&self.late),
            dropped: self.losses(),
            events: EventCounts { reported, pending, dead },
            store,
            fleet: self.fleet.snapshot(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_json_they_have_their_fields_under_their_names() {
        let counters = Counters::default();
        counters.count_dropped(DropReason::QueueFull, 3);
        counters.set_events(EventCounts { reported: 1, pending: 2, dead: 0 });
        counters.set_store(StoreState::Durable);
        let wanted = r#"{"captured":0,"persisted":0,"ignored":0,"delivered":0,"confirmed":0,"unconfirmed":0,"failed":0,"retried":0,"dead":0,"late":0,"dropped":{"queue_full":3},"events":{"reported":1,"pending":2,"dead":0},"store":"durable","fleet":null}"#;
        assert_eq!(serde_json::to_string(&counters.snapshot()).unwrap(), wanted);
    }

    #[test]
    fn there_is_nothing_to_wait_for_before_the_file_is_open_or_an_event_captured() {
        let counters = Counters::default();
        assert!(!counters.has_begun());
        Counters::count(&counters.queued);
        assert!(counters.has_begun());
        let opened = Counters::default();
        opened.set_store(StoreState::Durable);
        assert!(opened.has_begun());
    }

    #[test]
    fn what_is_captured_later_is_not_lost_for_those_who_asked_before() {
        let counters = Counters::default();
        counters.queued.store(7, Ordering::Relaxed);
        counters.persisted.store(3, Ordering::Relaxed);
        counters.count_dropped(DropReason::MemoryFull, 1);
        counters.count_dropped(DropReason::QueueFull, 100);
        assert_eq!([4, 5, 7].map(|captured| counters.uncommitted_of(captured)), [0, 1, 3]);
        assert_eq!(counters.uncommitted(), 3);
    }
}
