//! [`Storm`]: past a rate, the events of a callsite are only counted.
//!
//! Runs on the caller's thread, inside `error!`; the alert thread collects.
//! Invariant: nothing here waits, allocates or takes a lock. An event is built or
//! counted, never both or neither, and what is counted is collected once.

use std::{
    fmt,
    sync::{
        OnceLock,
        atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use tracing::Metadata;

use crate::{
    host::hash,
    queue::tally::{Bell, Ring, Tally},
};

/// Counts the events of each callsite in windows of [`WINDOW`].
pub(crate) struct Storm {
    /// Open addressing, by the address of the callsite's metadata. A callsite
    /// that finds no slot is not counted: its events are built, and the queue
    /// bounds them.
    slots: Box<[Slot]>,
    /// How many events a callsite may have built in a window.
    rate: u32,
    start: Instant,
    bell: Bell,
}

/// Threads that log only read the first cache line; they write the second one.
#[derive(Default)]
#[repr(align(64))]
struct Slot {
    /// Of the callsite's metadata; zero if the slot is free.
    address: AtomicUsize,
    /// Set by who claimed the slot. Until then nobody counts in it.
    metadata: OnceLock<&'static Metadata<'static>>,
    /// When the window began, in milliseconds since [`Storm::start`].
    window: AtomicU64,
    /// How many of the window's events were built. It may be a little off where
    /// windows meet: it decides which events are built, and counts none.
    built: AtomicU32,
    tally: Tally,
}

/// What becomes of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// It is to be built.
    Build,
    /// It is counted.
    Counted,
    /// It is counted, and the alert thread is to be told.
    First,
    /// It is counted, and nobody will collect it any more.
    Late,
}

impl Storm {
    fn new(rate: u32, start: Instant) -> Self {
        let slots = std::iter::repeat_with(Slot::default).take(SLOTS).collect();
        Self { slots, rate, start, bell: Bell::new() }
    }

    /// Has so many events a second of one callsite built, and one in any case.
    pub(crate) fn set_rate(&mut self, rate: u32) {
        self.rate = rate.max(1);
    }

    /// Decides about one more event of a callsite. The clock is only read if the
    /// event may be built.
    pub(crate) fn admit(
        &self,
        metadata: &'static Metadata<'static>,
        now: impl FnOnce() -> Instant,
    ) -> Admission {
        let Some(slot) = self.slot(metadata) else {
            return Admission::Build;
        };
        // While the alert thread is told, it ends the windows that are over.
        let may_be_built = match self.bell.may_have_rung() {
            None => return Admission::Build,
            Some(false) => true,
            Some(true) => slot.built.load(Ordering::Relaxed) < self.rate || slot.tally.is_calm(),
        };
        if may_be_built && slot.builds(self.rate, self.millis(now())) {
            return Admission::Build;
        }
        self.count_in(slot)
    }

    /// Counts one more event of a callsite, which cannot be queued. The caller is
    /// to build it if the callsite has no slot.
    pub(crate) fn count(&self, metadata: &'static Metadata<'static>) -> Admission {
        self.slot(metadata).map_or(Admission::Build, |slot| self.count_in(slot))
    }

    fn count_in(&self, slot: &Slot) -> Admission {
        match slot.tally.count(&self.bell) {
            Ring::First => Admission::First,
            Ring::Again => Admission::Counted,
            Ring::Late => Admission::Late,
        }
    }

    /// Whether there is something to collect.
    pub(crate) fn is_told(&self) -> bool {
        self.bell.has_rung()
    }

    /// Hands over how many events of which callsites were counted and not
    /// collected yet, and ends the windows that are over.
    pub(crate) fn collect(&self, now: Instant, mut take: impl FnMut(&'static Metadata<'static>, u64)) {
        self.bell.answer();
        for slot in &self.slots {
            let counted = slot.tally.collect();
            if let Some(metadata) = slot.metadata.get().filter(|_| counted > 0) {
                take(metadata, counted);
            }
            slot.end_window(self.millis(now));
        }
    }

    /// From now on every event is built, and who counted one meanwhile is
    /// [`Admission::Late`] unless the next [`collect`](Self::collect) has it.
    pub(crate) fn close(&self) {
        self.bell.shut();
    }

    /// All events that were ever only counted.
    pub(crate) fn counted(&self) -> u64 {
        self.slots.iter().map(|slot| slot.tally.counted()).sum()
    }

    /// The callsite's slot; none if there is no room for it.
    fn slot(&self, metadata: &'static Metadata<'static>) -> Option<&Slot> {
        let address = std::ptr::from_ref(metadata).addr();
        let first = hash::position(address as u64 >> 4, SLOTS);
        for step in 0..MAX_STEPS {
            let slot = &self.slots[(first + step) % SLOTS];
            let mut found = slot.address.load(Ordering::Acquire);
            if found == 0 {
                match slot.address.compare_exchange(0, address, Ordering::AcqRel, Ordering::Acquire) {
                    Ok(_) => {
                        slot.metadata.get_or_init(|| metadata);
                        return Some(slot);
                    }
                    Err(other) => found = other,
                }
            }
            if found == address {
                return slot.metadata.get().is_some().then_some(slot);
            }
        }
        None
    }

    fn millis(&self, now: Instant) -> u64 {
        let since = now.saturating_duration_since(self.start);
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }
}

impl Slot {
    /// Whether one more event is built at `now`.
    fn builds(&self, rate: u32, now: u64) -> bool {
        self.end_window(now);
        self.built.load(Ordering::Relaxed) < rate && self.built.fetch_add(1, Ordering::Relaxed) < rate
    }

    /// Begins another window if the present one is over.
    fn end_window(&self, now: u64) {
        let window = self.window.load(Ordering::Relaxed);
        let is_over = u128::from(now.saturating_sub(window)) >= WINDOW.as_millis();
        if is_over && self.window.compare_exchange(window, now, Ordering::Relaxed, Ordering::Relaxed).is_ok()
        {
            self.built.store(0, Ordering::Relaxed);
        }
    }
}

impl Default for Storm {
    fn default() -> Self {
        Self::new(DEFAULT_RATE, Instant::now())
    }
}

impl fmt::Debug for Storm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Storm")
            .field("rate", &self.rate)
            .field("counted", &self.counted())
            .finish_non_exhaustive()
    }
}

/// How many events a second of one callsite are built, if nothing else is said.
pub(crate) const DEFAULT_RATE: u32 = 100;

/// In which time a callsite's events are counted.
const WINDOW: Duration = Duration::from_secs(1);

/// How many callsites are counted.
const SLOTS: usize = 2048;

/// How many slots a callsite tries.
const MAX_STEPS: usize = 16;

#[cfg(test)]
mod tests {
    use std::{cell::Cell, collections::HashMap};

    use tracing::{Level, callsite, field::FieldSet, metadata::Kind, subscriber::Interest};

    use super::*;

    struct Callsite;

    impl callsite::Callsite for Callsite {
        fn set_interest(&self, _: Interest) {}

        fn metadata(&self) -> &Metadata<'_> {
            unreachable!("nobody asks")
        }
    }

    /// Another callsite each time.
    fn callsite() -> &'static Metadata<'static> {
        static CALLSITE: Callsite = Callsite;
        let fields = FieldSet::new(&[], callsite::Identifier(&CALLSITE));
        let metadata = Metadata::new("event", "app", Level::ERROR, None, None, None, fields, Kind::EVENT);
        Box::leak(Box::new(metadata))
    }

    fn collected(storm: &Storm, now: Instant) -> u64 {
        let mut all = 0;
        storm.collect(now, |_, count| all += count);
        all
    }

    /// What became of `events` of a callsite, in the order of their first.
    fn admit(
        storm: &Storm,
        callsite: &'static Metadata<'static>,
        events: u32,
        now: Instant,
    ) -> Vec<Admission> {
        let mut outcomes: Vec<_> = (0..events).map(|_| storm.admit(callsite, || now)).collect();
        outcomes.dedup();
        outcomes
    }

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn past_the_rate_events_are_only_counted_until_the_window_ends() {
        let now = Instant::now();
        let (storm, callsite) = (Storm::new(3, now), callsite());
        assert_eq!(admit(&storm, callsite, 3, now), [Admission::Build]);
        let late = now + SECOND - Duration::from_millis(1);
        assert_eq!(admit(&storm, callsite, 5, late), [Admission::First, Admission::Counted]);
        assert_eq!(collected(&storm, late), 5);
        assert_eq!(collected(&storm, late), 0, "nothing is collected twice");
        assert_eq!(admit(&storm, callsite, 1, late), [Admission::First], "told once for each collection");
        assert_eq!(collected(&storm, now + SECOND), 1);
        let all = [Admission::Build, Admission::First, Admission::Counted];
        assert_eq!(admit(&storm, callsite, 9, now + SECOND), all);
        assert_eq!(storm.counted(), 5 + 1 + 6);
    }

    #[test]
    fn an_event_long_after_a_full_window_is_built() {
        let now = Instant::now();
        let (storm, quiet, loud) = (Storm::new(3, now), callsite(), callsite());
        assert_eq!(admit(&storm, quiet, 3, now), [Admission::Build]);
        let later = now + 60 * SECOND;
        assert_eq!(admit(&storm, quiet, 3, later), [Admission::Build]);
        // Also while another callsite storms.
        assert_eq!(admit(&storm, loud, 5, later + SECOND).last(), Some(&Admission::Counted));
        assert_eq!(admit(&storm, quiet, 3, later + SECOND), [Admission::Build]);
    }

    #[test]
    fn the_clock_is_not_read_while_a_storm_is_counted() {
        let now = Instant::now();
        let (storm, callsite) = (Storm::new(1, now), callsite());
        let reads = Cell::new(0);
        let clock = || {
            reads.set(reads.get() + 1);
            now
        };
        for _ in 0..1000 {
            storm.admit(callsite, clock);
        }
        assert_eq!(reads.get(), 2, "for the event that is built, and for the first that is not");
    }

    #[test]
    fn callsites_are_told_apart_and_one_without_a_slot_is_built() {
        let now = Instant::now();
        let storm = Storm::new(1, now);
        let callsites: Vec<_> = (0..2 * SLOTS).map(|_| callsite()).collect();
        let counted: Vec<_> = callsites
            .iter()
            .filter(|callsite| admit(&storm, callsite, 3, now) != [Admission::Build])
            .map(|callsite| std::ptr::from_ref(*callsite))
            .collect();
        assert!(counted.len() > SLOTS / 2 && counted.len() <= SLOTS, "{}", counted.len());
        let mut collected = HashMap::new();
        storm.collect(now, |metadata, count| {
            collected.insert(std::ptr::from_ref(metadata), count);
        });
        assert_eq!(collected, counted.into_iter().map(|callsite| (callsite, 2)).collect());
    }

    #[test]
    fn after_the_end_events_are_built_again() {
        let now = Instant::now();
        let (storm, callsite) = (Storm::new(1, now), callsite());
        admit(&storm, callsite, 4, now);
        storm.close();
        assert_eq!(admit(&storm, callsite, 4, now), [Admission::Build]);
        assert_eq!(collected(&storm, now), 3);
        assert!(!storm.is_told());
        assert_eq!(admit(&storm, callsite, 4, now), [Admission::Build], "it stays closed");
    }

    #[test]
    fn no_event_is_lost_or_counted_twice_between_threads() {
        const EACH: u64 = 100_000;
        let now = Instant::now();
        let (storm, callsites) = (Storm::new(100, now), [callsite(), callsite()]);
        let (built, collected) = (AtomicU64::new(0), AtomicU64::new(0));
        let collect = || {
            storm.collect(now, |_, count| {
                collected.fetch_add(count, Ordering::Relaxed);
            });
        };
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for number in 0..EACH {
                        match storm.admit(callsites[usize::from(number % 3 == 0)], || now) {
                            Admission::Build => {
                                built.fetch_add(1, Ordering::Relaxed);
                            }
                            Admission::Counted | Admission::First => (),
                            Admission::Late => collect(),
                        }
                    }
                });
            }
            // It is collected from all the time, and closed in the midst of it.
            while storm.counted() < EACH {
                collect();
            }
            storm.close();
            collect();
        });
        let [built, collected] = [built, collected].map(AtomicU64::into_inner);
        assert_eq!(collected, storm.counted());
        assert_eq!(built + collected, 4 * EACH);
    }
}
