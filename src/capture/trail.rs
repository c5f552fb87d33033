//! [`Trails`]: where breadcrumbs are left, and found by an event that alerts.
//!
//! Runs on the callers' threads. Each root span has a trail of its own, which ends
//! with it; the events outside of spans share one.
//! Invariant: bounded in number and in bytes, whatever the number of root spans:
//! the trail that was used the longest ago gives way. No lock is waited for, and
//! none is held while something is formatted, allocated or freed.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::SystemTime,
};

use tracing::span::Id;
use tracing_subscriber::registry::{LookupSpan, Scope};

use crate::{
    capture::gate::Gate,
    event::breadcrumb::{Breadcrumb, MAX_BREADCRUMB_BYTES},
    host::{bucket::Bucket, hash::position, lock::briefly, permit::Permit},
};

/// All trails of a layer.
pub(crate) struct Trails {
    /// Of all breadcrumbs, those that went with an event included.
    bytes: Arc<AtomicUsize>,
    outside: Mutex<Trail>,
    /// Those of root spans, by their ids.
    buckets: Box<[Bucket<Trail>]>,
    /// Which bucket is the next to make room.
    hand: AtomicUsize,
}

/// The last breadcrumbs of a root span, the oldest first.
type Trail = VecDeque<Arc<Breadcrumb>>;

/// Whose trail it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Root {
    /// Of what happens outside of spans.
    Outside,
    /// Of a span, and what happens in it.
    Span(u64),
}

impl Root {
    /// The outermost wanted span of `scope`. None in spans that are deeper than
    /// [`MAX_DEPTH`].
    pub(crate) fn of<S>(scope: Option<Scope<'_, S>>, gate: &Gate) -> Option<Self>
    where
        S: for<'span> LookupSpan<'span>,
    {
        let mut root = Self::Outside;
        for (depth, span) in scope.into_iter().flatten().enumerate() {
            if depth == MAX_DEPTH {
                return None;
            }
            if gate.wants(span.metadata()) {
                root = Self::Span(span.id().into_u64());
            }
        }
        Some(root)
    }
}

impl Trails {
    pub(crate) fn new() -> Self {
        Self {
            bytes: Arc::default(),
            outside: Mutex::new(Trail::with_capacity(MAX_BREADCRUMBS)),
            buckets: std::iter::repeat_with(Bucket::new).take(BUCKETS).collect(),
            hand: AtomicUsize::new(0),
        }
    }

    /// Leaves `breadcrumb` on the trail of `root`, if there is room for it.
    pub(crate) fn leave(&self, root: Root, mut breadcrumb: Breadcrumb) {
        let size = breadcrumb.size_bytes() + size_of::<Arc<Breadcrumb>>();
        let take = || Permit::take(&self.bytes, size, MAX_BREADCRUMB_BYTES);
        let share = take().or_else(|| {
            self.make_room();
            take()
        });
        let Some(share) = share else { return };
        breadcrumb.share = share;
        let breadcrumb = Arc::new(breadcrumb);
        match root {
            Root::Outside => {
                let oldest = briefly(&self.outside).map(|mut trail| push(&mut trail, breadcrumb));
                drop(oldest);
            }
            Root::Span(id) => self.leave_in(id, breadcrumb),
        }
    }

    fn leave_in(&self, id: u64, breadcrumb: Arc<Breadcrumb>) {
        let bucket = self.bucket(id);
        if let Some(mut trail) = bucket.get(id) {
            let oldest = push(&mut trail, breadcrumb);
            drop(trail);
            return drop(oldest);
        }
        let mut trail = Trail::with_capacity(MAX_BREADCRUMBS);
        trail.push_back(breadcrumb);
        let mut idle = None;
        let place = bucket.claim(id).or_else(|| {
            // Others may be quicker: then this one is not left.
            idle = bucket.first(last_used).and_then(|idle| bucket.remove(idle, std::mem::take));
            bucket.claim(id)
        });
        if let Some(mut place) = place {
            std::mem::swap(&mut *place, &mut trail);
        }
    }

    /// The breadcrumbs of `root` so far.
    pub(crate) fn so_far(&self, root: Root) -> Vec<Arc<Breadcrumb>> {
        let mut breadcrumbs = Vec::with_capacity(MAX_BREADCRUMBS);
        let trail = match root {
            Root::Outside => briefly(&self.outside),
            Root::Span(id) => self.bucket(id).get(id),
        };
        if let Some(trail) = trail {
            breadcrumbs.extend(trail.iter().take(MAX_BREADCRUMBS).map(Arc::clone));
        }
        breadcrumbs
    }

    /// Ends the trail of a span that was closed, if it had one.
    pub(crate) fn end(&self, id: &Id) {
        let id = id.into_u64();
        // Two threads may have begun it at the same time.
        while let Some(trail) = self.bucket(id).remove(id, std::mem::take) {
            drop(trail);
        }
    }

    /// Has a trail that was not used for a while forget the older half of its
    /// breadcrumbs.
    fn make_room(&self) {
        let mut forgotten = Vec::with_capacity(MAX_BREADCRUMBS);
        for _ in 0..MAX_LOOKS {
            let bucket = &self.buckets[self.hand.fetch_add(1, Ordering::Relaxed) % BUCKETS];
            // One of them stays: of that many there is room.
            let idle = bucket.first(|trail| (trail.len() < 2, last_used(trail)));
            let Some(mut trail) = idle.and_then(|idle| bucket.get(idle)) else { continue };
            let half = (trail.len() / 2).min(MAX_BREADCRUMBS);
            forgotten.extend(trail.drain(..half));
            drop(trail);
            if half > 0 {
                return;
            }
        }
    }

    fn bucket(&self, id: u64) -> &Bucket<Trail> {
        &self.buckets[position(id, BUCKETS)]
    }
}

fn last_used(trail: &Trail) -> Option<SystemTime> {
    trail.back().map(|last| last.at)
}

/// Gives the oldest one, if there is no room for both.
fn push(trail: &mut Trail, breadcrumb: Arc<Breadcrumb>) -> Option<Arc<Breadcrumb>> {
    let is_full = trail.len() >= MAX_BREADCRUMBS;
    let oldest = if is_full { trail.pop_front() } else { None };
    trail.push_back(breadcrumb);
    oldest
}

/// How many breadcrumbs a trail has.
const MAX_BREADCRUMBS: usize = 64;

/// How many buckets are asked for room.
const MAX_LOOKS: usize = 16;

/// Of trails.
const BUCKETS: usize = 128;

/// How far out the outermost span may be.
const MAX_DEPTH: usize = 64;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::event::breadcrumb::tests::breadcrumb;

    fn messages(trails: &Trails, root: Root) -> Vec<String> {
        trails.so_far(root).iter().map(|breadcrumb| breadcrumb.message.clone()).collect()
    }

    fn bytes(trails: &Trails) -> usize {
        trails.bytes.load(Ordering::Relaxed)
    }

    fn end(trails: &Trails, root: u64) {
        trails.end(&Id::from_u64(root));
    }

    #[test]
    fn a_trail_has_the_last_ones_in_order() {
        let trails = Trails::new();
        for root in [Root::Outside, Root::Span(7)] {
            for number in 0..3 * MAX_BREADCRUMBS {
                trails.leave(root, breadcrumb(&number.to_string()));
            }
            let last = (2 * MAX_BREADCRUMBS..3 * MAX_BREADCRUMBS).map(|number| number.to_string());
            assert_eq!(messages(&trails, root), last.collect::<Vec<_>>());
        }
        end(&trails, 7);
        assert_eq!(messages(&trails, Root::Span(7)), [""; 0]);
    }

    #[test]
    fn bytes_are_bounded_over_all_trails_and_come_back() {
        let trails = Trails::new();
        let long = "x".repeat(512);
        let mut with_events = Vec::new();
        for root in 1..1_000 {
            for _ in 0..2 * MAX_BREADCRUMBS {
                trails.leave(Root::Span(root), breadcrumb(&long));
                assert!(bytes(&trails) <= MAX_BREADCRUMB_BYTES);
            }
            with_events.push(trails.so_far(Root::Span(root)));
        }
        assert!(bytes(&trails) > MAX_BREADCRUMB_BYTES / 2);
        (1..1_000).for_each(|root| end(&trails, root));
        assert!(bytes(&trails) > 0, "an event's breadcrumbs outlive the span");
        drop(with_events);
        assert_eq!(bytes(&trails), 0);
    }

    /// One that was left so many milliseconds later.
    fn later(millis: u64, message: &str) -> Breadcrumb {
        let left = breadcrumb(message);
        Breadcrumb { at: left.at + Duration::from_millis(millis), ..left }
    }

    #[test]
    fn those_that_are_idle_make_room_for_those_that_begin() {
        let trails = Trails::new();
        let long = "x".repeat(512);
        (0..64_000).for_each(|number| trails.leave(Root::Span(1 + number % 1_000), later(number, &long)));
        for new in 2_000..2_100 {
            (0..5).for_each(|number| trails.leave(Root::Span(new), later(70_000, &number.to_string())));
            assert_eq!(messages(&trails, Root::Span(new)), ["0", "1", "2", "3", "4"]);
        }
    }

    #[test]
    fn of_any_number_of_root_spans_the_latest_have_a_trail() {
        let trails = Trails::new();
        for number in 0..100_000 {
            trails.leave(Root::Span(1 + number), later(number, "x"));
        }
        let known = (0..100_000).filter(|number| !messages(&trails, Root::Span(1 + number)).is_empty());
        let known: Vec<_> = known.collect();
        assert!(known.len() <= 8 * BUCKETS && known.len() > 4 * BUCKETS, "{}", known.len());
        assert!(known.iter().all(|number| *number > 90_000), "not the latest");
    }

    #[test]
    fn a_lock_that_is_held_is_not_waited_for() {
        let trails = Trails::new();
        let held = trails.outside.lock().unwrap();
        trails.leave(Root::Outside, breadcrumb("lost"));
        assert_eq!(messages(&trails, Root::Outside), [""; 0]);
        drop(held);
        trails.leave(Root::Outside, breadcrumb("left"));
        assert_eq!(messages(&trails, Root::Outside), ["left"]);
    }
}
