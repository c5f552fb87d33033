//! [`Breadcrumb`]: what happened before an event.
//!
//! Runs on the caller's thread. Each root span has a [`Trail`] of its own, which
//! ends with it; the events outside of spans share one.
//! Invariant: bounded in number and in bytes. A lock is tried, and not waited
//! for; while it is held, nothing is formatted.

use std::{
    collections::VecDeque,
    hint,
    sync::{Arc, Mutex, MutexGuard, Weak, atomic::AtomicUsize},
    time::SystemTime,
};

use serde::{Deserialize, Serialize};
use tracing::Level;
use tracing_subscriber::registry::{LookupSpan, Scope, SpanRef};

use crate::{
    event::{self, Field, Text, owned_bytes},
    gate::Gate,
    permit::Permit,
};

/// What happened before an event that alerts: another event in the same root
/// span, or outside of spans like that one.
///
/// Begun where [`Builder::breadcrumbs`](crate::Builder::breadcrumbs) asks for it;
/// read through [`Event::breadcrumbs`](crate::Event::breadcrumbs).
#[derive(Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Breadcrumb {
    /// Wall-clock time of the call.
    #[serde(with = "event::millis")]
    pub at: SystemTime,
    /// The level it was emitted at.
    #[serde(with = "event::level")]
    pub level: Level,
    /// The target. A `log` record shows its own.
    pub target: Text,
    /// The message.
    pub message: String,
    /// The fields but for the message, in the order they were written.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<Field>,
    /// Its share of the bytes of all breadcrumbs; of what was read from the disk,
    /// none.
    #[serde(skip)]
    pub(crate) share: Permit,
}

impl Breadcrumb {
    /// Bytes of memory it holds, roughly.
    pub(crate) fn size_bytes(&self) -> usize {
        let fields: usize = self.fields.iter().map(Field::size_bytes).sum();
        size_of::<Self>() + owned_bytes(&self.target) + self.message.len() + fields
    }

    /// As [`size_bytes`](Self::size_bytes), of what has no share elsewhere.
    pub(crate) fn unshared_bytes(&self) -> usize {
        if self.share.is_some() { 0 } else { self.size_bytes() }
    }

    pub(crate) fn unshared(&self) -> Self {
        Self {
            at: self.at,
            level: self.level,
            target: self.target.clone(),
            message: self.message.clone(),
            fields: self.fields.clone(),
            share: Permit::default(),
        }
    }
}

/// Equal if they say the same.
impl PartialEq for Breadcrumb {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.level, &self.target, &self.message, &self.fields)
            == (other.at, other.level, &other.target, &other.message, &other.fields)
    }
}

/// All trails of a layer. Clones share them.
#[derive(Clone)]
pub(crate) struct Trails {
    ground: Arc<Ground>,
    outside: Arc<Trail>,
}

/// What the trails of a layer share.
#[derive(Default)]
struct Ground {
    /// Of all breadcrumbs, those that went with an event included.
    bytes: Arc<AtomicUsize>,
    /// Those of root spans; the first is the next to make room for others. Some
    /// have ended.
    trails: Mutex<VecDeque<Weak<Trail>>>,
}

/// The last breadcrumbs of a root span, the oldest first.
pub(crate) struct Trail {
    ground: Arc<Ground>,
    breadcrumbs: Mutex<VecDeque<Arc<Breadcrumb>>>,
}

/// The trails that began at a root span, one for each layer: kept in its
/// extensions.
struct Begun(Vec<Arc<Trail>>);

impl Trails {
    pub(crate) fn new() -> Self {
        let ground = Arc::new(Ground::default());
        let outside = Arc::new(Trail::new(&ground));
        Self { ground, outside }
    }

    /// The trail of the outermost wanted span of `scope`, or else of the events
    /// outside of spans; none if there can be none now.
    pub(crate) fn find<S>(&self, scope: Option<Scope<'_, S>>, gate: &Gate) -> Option<Arc<Trail>>
    where
        S: for<'span> LookupSpan<'span>,
    {
        let wanted = scope.and_then(|scope| scope.filter(|span| gate.wants(span.metadata())).last());
        match wanted {
            Some(root) => self.of(&root),
            None => Some(self.outside()),
        }
    }

    /// That of the events outside of spans.
    pub(crate) fn outside(&self) -> Arc<Trail> {
        Arc::clone(&self.outside)
    }

    fn of<'span, S: LookupSpan<'span>>(&self, root: &SpanRef<'span, S>) -> Option<Arc<Trail>> {
        let ours = |Begun(trails): &Begun| {
            trails.iter().find(|trail| Arc::ptr_eq(&trail.ground, &self.ground)).map(Arc::clone)
        };
        if let Some(known) = root.extensions().get::<Begun>().and_then(ours) {
            return Some(known);
        }
        let new = Ground::begin(&self.ground)?;
        let mut extensions = root.extensions_mut();
        match extensions.get_mut::<Begun>() {
            // Another thread, or another layer, was here meanwhile.
            Some(begun) => match ours(begun) {
                Some(known) => return Some(known),
                None => begun.0.push(Arc::clone(&new)),
            },
            None => drop(extensions.replace(Begun(vec![Arc::clone(&new)]))),
        }
        Some(new)
    }
}

impl Ground {
    /// One more trail.
    fn begin(self: &Arc<Self>) -> Option<Arc<Trail>> {
        let mut trails = locked(&self.trails)?;
        // Of two that are looked at for each one that begins, those that have
        // ended go: so there are never many of them.
        for _ in 0..2 {
            let next = trails.pop_front().filter(|trail| trail.strong_count() > 0);
            trails.extend(next);
        }
        let trail = Arc::new(Trail::new(self));
        trails.push_back(Arc::downgrade(&trail));
        Some(trail)
    }

    /// Has the next trail that has any forget the older half of its breadcrumbs.
    fn make_room(&self) {
        let Some(mut trails) = locked(&self.trails) else { return };
        for _ in 0..trails.len().min(MOST_LOOKS) {
            let Some(trail) = trails.pop_front().and_then(|next| next.upgrade()) else { continue };
            trails.push_back(Arc::downgrade(&trail));
            let forgotten = trail.forget();
            if !forgotten.is_empty() {
                // It takes a while to free them.
                drop(trails);
                return drop(forgotten);
            }
        }
    }
}

impl Trail {
    fn new(ground: &Arc<Ground>) -> Self {
        Self { ground: Arc::clone(ground), breadcrumbs: Mutex::default() }
    }

    /// Leaves `breadcrumb` here, if there is room for it.
    pub(crate) fn leave(&self, mut breadcrumb: Breadcrumb) {
        let size = breadcrumb.size_bytes();
        let take = || Permit::take(&self.ground.bytes, size, MOST_BYTES);
        let share = take().or_else(|| {
            self.ground.make_room();
            take()
        });
        if let Some(share) = share {
            breadcrumb.share = share;
            self.push(Arc::new(breadcrumb));
        }
    }

    /// The breadcrumbs so far.
    pub(crate) fn so_far(&self) -> Vec<Arc<Breadcrumb>> {
        locked(&self.breadcrumbs)
            .map(|breadcrumbs| breadcrumbs.iter().map(Arc::clone).collect())
            .unwrap_or_default()
    }

    fn push(&self, breadcrumb: Arc<Breadcrumb>) {
        let Some(mut breadcrumbs) = locked(&self.breadcrumbs) else { return };
        let is_full = breadcrumbs.len() >= MOST_BREADCRUMBS;
        let oldest = if is_full { breadcrumbs.pop_front() } else { None };
        breadcrumbs.push_back(breadcrumb);
        drop(breadcrumbs);
        drop(oldest);
    }

    fn forget(&self) -> Vec<Arc<Breadcrumb>> {
        let Some(mut breadcrumbs) = locked(&self.breadcrumbs) else { return Vec::new() };
        let half = breadcrumbs.len().div_ceil(2);
        breadcrumbs.drain(..half).collect()
    }
}

/// What `mutex` holds, unless others hold it for longer than they should: whoever
/// has it moves some pointers, and is interrupted at the worst.
fn locked<T>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    (0..MOST_TRIES).find_map(|_| {
        let guard = mutex.try_lock().ok();
        if guard.is_none() {
            hint::spin_loop();
        }
        guard
    })
}

/// How many breadcrumbs a trail has.
const MOST_BREADCRUMBS: usize = 64;

/// How many bytes of breadcrumbs there are, on all trails and with all events
/// that are not committed yet.
pub(crate) const MOST_BYTES: usize = 2 * 1024 * 1024;

/// How many trails are asked for room.
const MOST_LOOKS: usize = 16;

/// About a microsecond.
const MOST_TRIES: usize = 32;

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::atomic::Ordering;

    use super::*;
    use crate::event::{Event, Value, from_millis, tests::event};

    /// A plain INFO with this message that has no share.
    pub(crate) fn breadcrumb(message: &str) -> Breadcrumb {
        Breadcrumb {
            at: from_millis(1_700_000_000_000),
            level: Level::INFO,
            target: "app::orders".into(),
            message: message.to_owned(),
            fields: vec![Field::new("order", Value::U64(17))],
            share: Permit::default(),
        }
    }

    #[test]
    fn what_is_kept_elsewhere_holds_no_share_and_counts_all_it_has() {
        let mut event = event("failed");
        let bare = event.size_bytes();
        let share = Permit::take(&Arc::default(), 1, 1).unwrap();
        event.breadcrumbs = vec![Arc::new(Breadcrumb { share, ..breadcrumb("before") })];
        assert_eq!(event.size_bytes(), bare + size_of::<Arc<Breadcrumb>>());
        let kept = event.unshared();
        assert_eq!(kept, event);
        assert!(!kept.breadcrumbs[0].share.is_some());
        assert_eq!(kept.size_bytes(), event.size_bytes() + event.breadcrumbs[0].size_bytes());
    }

    #[test]
    fn breadcrumbs_survive_the_way_to_disk_and_back() {
        let mut event = event("failed");
        assert!(!serde_json::to_string(&event).unwrap().contains("breadcrumbs"));
        event.breadcrumbs = vec![Arc::new(breadcrumb("one")), Arc::new(breadcrumb("two"))];
        let json = serde_json::to_string(&event).unwrap();
        assert_eq!(serde_json::from_str::<Event>(&json).unwrap(), event, "{json}");
    }

    fn messages(trail: &Trail) -> Vec<String> {
        trail.so_far().iter().map(|breadcrumb| breadcrumb.message.clone()).collect()
    }

    fn bytes(ground: &Ground) -> usize {
        ground.bytes.load(Ordering::Relaxed)
    }

    #[test]
    fn a_trail_has_the_last_ones_in_order() {
        let trail = Trails::new().outside();
        for number in 0..3 * MOST_BREADCRUMBS {
            trail.leave(breadcrumb(&number.to_string()));
        }
        let last: Vec<_> = (2 * MOST_BREADCRUMBS..3 * MOST_BREADCRUMBS).map(|n| n.to_string()).collect();
        assert_eq!(messages(&trail), last);
    }

    #[test]
    fn bytes_are_bounded_over_all_trails_and_come_back() {
        let ground = Arc::new(Ground::default());
        let long = "x".repeat(512);
        let mut with_events = Vec::new();
        let trails: Vec<_> = (0..1000).map(|_| ground.begin().unwrap()).collect();
        for trail in &trails {
            for _ in 0..2 * MOST_BREADCRUMBS {
                trail.leave(breadcrumb(&long));
                assert!(bytes(&ground) <= MOST_BYTES);
            }
            with_events.push(trail.so_far());
        }
        assert!(bytes(&ground) > MOST_BYTES / 2);
        drop(trails);
        assert!(bytes(&ground) > 0, "an event's breadcrumbs outlive the span");
        drop(with_events);
        assert_eq!(bytes(&ground), 0);
    }

    #[test]
    fn those_that_are_idle_make_room_for_those_that_begin() {
        let ground = Arc::new(Ground::default());
        let long = "x".repeat(512);
        let idle: Vec<_> = (0..1000).map(|_| ground.begin().unwrap()).collect();
        idle.iter().cycle().take(64_000).for_each(|trail| trail.leave(breadcrumb(&long)));
        for _ in 0..100 {
            let new = ground.begin().unwrap();
            for number in 0..5 {
                new.leave(breadcrumb(&number.to_string()));
            }
            assert_eq!(messages(&new), ["0", "1", "2", "3", "4"]);
        }
        assert!(bytes(&ground) <= MOST_BYTES);
    }

    #[test]
    fn trails_that_ended_are_forgotten() {
        let ground = Arc::new(Ground::default());
        let live: Vec<_> = (0..100).map(|_| ground.begin().unwrap()).collect();
        for _ in 0..10_000 {
            ground.begin().unwrap().leave(breadcrumb("short"));
        }
        let known = ground.trails.lock().unwrap().len();
        assert!((live.len()..3 * live.len()).contains(&known), "{known}");
        assert_eq!(bytes(&ground), 0);
    }

    #[test]
    fn a_lock_that_is_held_is_not_waited_for() {
        let trails = Trails::new();
        let trail = trails.outside();
        let held = trail.breadcrumbs.lock().unwrap();
        trail.leave(breadcrumb("lost"));
        assert_eq!(messages(&trail), [""; 0]);
        drop(held);
        let held = trails.ground.trails.lock().unwrap();
        assert!(trails.ground.begin().is_none());
        drop(held);
        trail.leave(breadcrumb("left"));
        assert_eq!(messages(&trail), ["left"]);
    }
}
