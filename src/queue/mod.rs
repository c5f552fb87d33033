//! The bounded hand-over from the caller's thread to the alert thread.
//!
//! Runs on the caller's thread, inside `error!`.
//! Invariant: [`Queue::offer`] never waits, and every loss has a reason and is
//! counted.

pub(crate) mod shared;

pub(crate) mod flush;

pub(crate) mod exit;

pub(crate) mod storm;

pub(crate) mod tally;

pub(crate) mod fleet_stats;

pub(crate) mod stats;

pub(crate) mod trial;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::sync::mpsc::{self, error::TrySendError};
use tracing::Metadata;

use crate::{
    capture::Sealed,
    event::{Event, loss::DropReason},
    host::{permit::Permit, signal::Signal, sync, time::from_now},
    policy::matcher::Matcher,
    queue::{flush::Flush, stats::Counters, storm::Admission, trial::Trial},
};

/// What travels through the queue.
#[derive(Debug)]
pub(crate) enum Item {
    /// An event, and its share of the queue's bytes.
    Event(Box<Sealed>, Permit),
    /// An event whose commit somebody waits for, likewise.
    Awaited(Box<Awaited>, Permit),
    /// Events were only counted, and nobody collects them yet.
    Counted,
    /// A wish to see everything before it through.
    Flush(Flush),
    Silence(Box<Silence>),
    /// A wish to hear again of what this matcher silenced.
    Unsilence(Box<Matcher>),
    /// A wish for test messages.
    Trial(Trial),
}

impl Item {
    /// The event, opened.
    pub(crate) fn event_mut(&mut self) -> Option<&mut Event> {
        match self {
            Self::Event(event, _) => Some(event.open()),
            Self::Awaited(awaited, _) => Some(awaited.event.open()),
            Self::Flush(_) | Self::Silence(_) | Self::Unsilence(_) | Self::Trial(_) | Self::Counted => None,
        }
    }
}

/// An event whose commit somebody waits for.
#[derive(Debug)]
pub(crate) struct Awaited {
    pub(crate) event: Sealed,
    /// Set when the event is committed.
    pub(crate) committed: Arc<Signal<()>>,
    /// A panic's backtrace, if it was not there in time to be part of the event.
    pub(crate) backtrace: Option<Arc<Signal<String>>>,
}

/// A wish not to hear of what comes after it.
#[derive(Debug)]
pub(crate) struct Silence {
    pub(crate) matcher: Matcher,
    /// By a clock that does not jump.
    pub(crate) ends: Instant,
    pub(crate) lasts: Duration,
}

impl Silence {
    /// One that begins now.
    pub(crate) fn new(matcher: Matcher, lasts: Duration) -> Self {
        Self { matcher, ends: from_now(lasts), lasts }
    }
}

/// The callsite under which overflowing events are counted.
pub(crate) type Callsite = Option<&'static Metadata<'static>>;

/// What became of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Offered {
    Queued,
    Counted,
    Lost(DropReason),
}

/// The callers' end: bounded by number and by bytes.
#[derive(Debug)]
pub(crate) struct Queue {
    sender: mpsc::Sender<Item>,
    bytes: Arc<AtomicUsize>,
    counters: Arc<Counters>,
}

/// The alert thread's end.
#[derive(Debug)]
pub(crate) struct Receiver {
    items: mpsc::Receiver<Item>,
}

/// Makes the two ends.
pub(crate) fn queue(counters: Arc<Counters>) -> (Queue, Receiver) {
    let (sender, items) = mpsc::channel(MAX_EVENTS);
    let bytes = Arc::new(AtomicUsize::new(0));
    (Queue { sender, bytes, counters }, Receiver { items })
}

impl Queue {
    /// Whether one more event of a callsite is to be built and
    /// [offered](Self::offer); if not, it is counted.
    pub(crate) fn admits(&self, metadata: &'static Metadata<'static>) -> bool {
        self.is_built(self.counters.storm.admit(metadata, Instant::now))
    }

    fn is_built(&self, admission: Admission) -> bool {
        match admission {
            Admission::Build => return true,
            Admission::Counted => (),
            // If there is no room, the alert thread sees it by itself.
            Admission::First => drop(self.sender.try_send(Item::Counted)),
            Admission::Late => self.counters.give_up_counted(),
        }
        false
    }

    /// Whether most of its bytes are free.
    pub(crate) fn is_calm(&self) -> bool {
        self.bytes.load(Ordering::Relaxed) < MAX_BYTES / 4
    }

    /// Queues `event` if there is room now. Otherwise it is counted: for its
    /// `callsite`, as in a storm, or else as lost.
    pub(crate) fn offer(&self, event: Sealed, callsite: Callsite) -> Offered {
        self.offer_item(event.size_bytes(), callsite, |permit| Item::Event(Box::new(event), permit))
    }

    /// As [`offer`](Self::offer).
    pub(crate) fn offer_awaited(&self, awaited: Awaited, callsite: Callsite) -> Offered {
        let size = awaited.event.size_bytes();
        self.offer_item(size, callsite, |permit| Item::Awaited(Box::new(awaited), permit))
    }

    fn offer_item(&self, size: usize, callsite: Callsite, item: impl FnOnce(Permit) -> Item) -> Offered {
        let lost = match Permit::take(&self.bytes, size, MAX_BYTES) {
            None => DropReason::QueueFull,
            Some(permit) => match self.sender.try_send(item(permit)) {
                Ok(()) => {
                    Counters::count(&self.counters.queued);
                    return Offered::Queued;
                }
                Err(TrySendError::Full(_)) => DropReason::QueueFull,
                Err(TrySendError::Closed(_)) => DropReason::QueueClosed,
            },
        };
        let is_counted = |callsite| !self.is_built(self.counters.storm.count(callsite));
        if lost == DropReason::QueueFull && callsite.is_some_and(is_counted) {
            return Offered::Counted;
        }
        self.counters.count_dropped(lost, 1);
        Offered::Lost(lost)
    }

    /// Lets others queue a [`Flush`] without keeping the alert thread alive.
    pub(crate) fn downgrade(&self) -> WeakQueue {
        WeakQueue(self.sender.downgrade())
    }

    /// Queues `flush` behind everything that is queued now, waiting for room.
    /// False if there was none in time, or if there is no alert thread any more.
    pub(crate) fn flush(&self, flush: Flush) -> bool {
        let deadline = flush.deadline;
        send(&self.sender, Item::Flush(flush), deadline)
    }

    /// As [`flush`](Self::flush), for which there has to be room before `deadline`.
    pub(crate) fn silence(&self, silence: Silence, deadline: Instant) -> bool {
        send(&self.sender, Item::Silence(Box::new(silence)), deadline)
    }

    /// As [`silence`](Self::silence).
    pub(crate) fn unsilence(&self, matcher: Matcher, deadline: Instant) -> bool {
        send(&self.sender, Item::Unsilence(Box::new(matcher)), deadline)
    }

    /// As [`flush`](Self::flush).
    pub(crate) fn trial(&self, trial: Trial) -> bool {
        let deadline = trial.deadline;
        send(&self.sender, Item::Trial(trial), deadline)
    }
}

/// A [`Queue`] that does not keep the alert thread alive.
#[derive(Clone, Debug)]
pub(crate) struct WeakQueue(mpsc::WeakSender<Item>);

impl WeakQueue {
    /// As [`Queue::flush`].
    pub(crate) fn flush(&self, flush: Flush) -> bool {
        let deadline = flush.deadline;
        self.0.upgrade().is_some_and(|sender| send(&sender, Item::Flush(flush), deadline))
    }
}

fn send(sender: &mpsc::Sender<Item>, mut item: Item, deadline: Instant) -> bool {
    loop {
        match sender.try_send(item) {
            Ok(()) => return true,
            Err(TrySendError::Closed(_)) => return false,
            Err(TrySendError::Full(back)) if Instant::now() < deadline => item = back,
            Err(TrySendError::Full(_)) => return false,
        }
        std::thread::sleep(ROOM_POLL);
    }
}

impl Receiver {
    /// Waits for items and moves up to `most` of them to `into`. Zero when all
    /// callers are gone and the queue is empty.
    pub(crate) async fn receive(&mut self, into: &mut Vec<Item>, most: usize) -> usize {
        self.items.recv_many(into, most).await
    }

    /// Moves up to `most` items that are queued now to `into`; returns how many.
    pub(crate) fn try_receive(&mut self, into: &mut Vec<Item>, most: usize) -> usize {
        let before = into.len();
        into.extend(std::iter::from_fn(|| self.items.try_recv().ok()).take(most));
        into.len() - before
    }

    /// True if all callers are gone, and everything they queued was received.
    pub(crate) fn is_finished(&self) -> bool {
        self.items.is_closed() && self.items.is_empty()
    }

    /// True if all callers are gone.
    pub(crate) fn is_closed(&self) -> bool {
        self.items.is_closed()
    }

    /// Takes no more items; those that are queued can still be received.
    pub(crate) fn close(&mut self) {
        self.items.close();
    }
}

/// The queue holds at most this many events.
pub(crate) const MAX_EVENTS: usize = 8_192;

/// The queue holds events of at most this many bytes.
const MAX_BYTES: usize = 8 * 1024 * 1024;

/// How often a flush looks for room in a full queue.
const ROOM_POLL: Duration = Duration::from_millis(1);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{
        breadcrumb::{Breadcrumb, tests::breadcrumb},
        tests::event,
    };

    #[test]
    fn an_event_too_many_is_counted_and_not_waited_for() {
        let counters = Arc::new(Counters::default());
        let (queue, _receiver) = queue(Arc::clone(&counters));
        for _ in 0..MAX_EVENTS {
            assert_eq!(queue.offer(event("small").into(), None), Offered::Queued);
        }
        assert_eq!(queue.offer(event("one too many").into(), None), Offered::Lost(DropReason::QueueFull));
        let stats = counters.snapshot();
        assert_eq!((stats.captured, stats.dropped[&DropReason::QueueFull]), (MAX_EVENTS as u64, 1));
    }

    #[test]
    fn bytes_are_bounded_until_the_events_are_dropped() {
        let counters = Arc::new(Counters::default());
        let (queue, mut receiver) = queue(counters);
        let big = || event(&"x".repeat(1024 * 1024));
        let is_queued = |offered: &Offered| *offered == Offered::Queued;
        let fitting =
            std::iter::repeat_with(|| queue.offer(big().into(), None)).take_while(is_queued).count();
        assert_eq!(fitting, 7);
        let mut items = Vec::new();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        assert_eq!(runtime.block_on(receiver.receive(&mut items, 100)), fitting);
        assert_eq!(queue.offer(big().into(), None), Offered::Lost(DropReason::QueueFull));
        drop(items);
        assert_eq!(queue.offer(big().into(), None), Offered::Queued);
    }

    #[test]
    fn a_silence_that_finds_no_room_says_so() {
        let (queue, mut receiver) = queue(Arc::new(Counters::default()));
        for _ in 0..MAX_EVENTS {
            queue.offer(event("small").into(), None);
        }
        let silence = || Silence::new(Matcher::new(), Duration::from_secs(60));
        assert!(!queue.silence(silence(), Instant::now()));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(receiver.receive(&mut Vec::new(), 1));
        assert!(queue.silence(silence(), Instant::now()));
    }

    #[test]
    fn breadcrumbs_do_not_fill_it() {
        let fitting = |breadcrumbs: &[Arc<Breadcrumb>]| {
            let (queue, _receiver) = queue(Arc::default());
            let offer = || {
                let mut event = event(&"x".repeat(1024));
                if queue.is_calm() {
                    event.breadcrumbs = breadcrumbs.to_vec();
                }
                queue.offer(event.into(), None)
            };
            std::iter::repeat_with(offer).take_while(|offered| *offered == Offered::Queued).count()
        };
        let shared = Arc::default();
        let share = |_| Permit::take(&shared, 1, 64).unwrap();
        let before = (0..64).map(share).map(|share| Breadcrumb { share, ..breadcrumb("before") });
        let before: Vec<_> = before.map(Arc::new).collect();
        let (with, without) = (fitting(&before), fitting(&[]));
        assert!(10 * with > 9 * without, "{with} with them, and {without} without");
    }

    #[test]
    fn after_the_end_an_event_is_counted() {
        let counters = Arc::new(Counters::default());
        let (queue, receiver) = queue(Arc::clone(&counters));
        drop(receiver);
        assert_eq!(queue.offer(event("late").into(), None), Offered::Lost(DropReason::QueueClosed));
        assert_eq!(counters.snapshot().dropped[&DropReason::QueueClosed], 1);
    }
}
