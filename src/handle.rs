//! [`AlertHandle`]: flush, shut down, count.
//!
//! Invariant: waits with a deadline, outside and inside any runtime; the alert
//! thread that it waits for never waits for the caller.

use std::{
    fmt,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use tracing::{Metadata, dispatcher, level_filters::LevelFilter};

use crate::{
    dispatcher::Silence,
    event::Event,
    fork::{self, Birth},
    gate::Gate,
    layer::Caller,
    matcher::Matcher,
    queue::{Awaited, Callsite, Flush, Goal, Offered, Queue},
    signal::Signal,
    stats::{Counters, DropReason, Stats},
};

/// Flushes, stops and counts an [`AlertLayer`](crate::AlertLayer); cheap to
/// clone.
///
/// From [`AlertLayer::handle`](crate::AlertLayer::handle) before the layer is
/// installed, or from [`AlertHandle::current`] anywhere after that. A program
/// that just ends needs none: see the crate's documentation.
///
/// ```
/// use std::time::Duration;
///
/// use tracing_alert::{AlertLayer, MemorySink};
/// use tracing_subscriber::prelude::*;
///
/// let layer = AlertLayer::builder().in_memory().sink(MemorySink::new(), ["on-call"]).build().unwrap();
/// let handle = layer.handle();
/// let subscriber = tracing_subscriber::registry().with(layer);
/// tracing::subscriber::with_default(subscriber, || tracing::error!("payment failed"));
///
/// let report = handle.flush(Duration::from_secs(10));
/// assert!(report.is_complete());
/// assert_eq!(handle.stats().delivered, 1);
/// ```
#[derive(Clone)]
pub struct AlertHandle {
    shared: Arc<Shared>,
}

/// What the layer, its handles and the panic hook share. The alert thread ends
/// when it is dropped.
pub(crate) struct Shared {
    pub(crate) birth: Birth,
    pub(crate) gate: Gate,
    pub(crate) counters: Arc<Counters>,
    /// None if there is nothing to alert, or no thread to do it.
    pub(crate) queue: Option<Queue>,
    /// Set when the alert thread has ended, or was never started.
    pub(crate) ended: Arc<Signal<()>>,
    /// How long a call that alerts waits for its commit, if it does.
    pub(crate) wait_for_commit: Option<Duration>,
}

impl Drop for Shared {
    fn drop(&mut self) {
        if self.birth.is_elsewhere() {
            // Closing the queue would wake the parent's alert thread, through a
            // descriptor that may be somebody else's in the child.
            std::mem::forget(self.queue.take());
        }
    }
}

/// What a [`flush`](AlertHandle::flush) or a [`shutdown`](AlertHandle::shutdown)
/// left.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct FlushReport {
    /// Events committed to the store since the layer was built.
    pub persisted: u64,
    /// Deliveries that a provider accepted since the layer was built.
    pub delivered: u64,
    /// Deliveries of this layer's alerts that are still to be made. They are in
    /// the store: while the alert thread runs it goes on trying, and after that
    /// the next start does.
    pub pending: u64,
    /// False if the time was up first: then events may still be in the queue.
    /// False, at once, in a forked child of the process that built the layer.
    pub in_time: bool,
}

impl FlushReport {
    /// True if everything was seen through: nothing is queued or pending.
    pub fn is_complete(&self) -> bool {
        self.in_time && self.pending == 0
    }
}

impl AlertHandle {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// The handle of the [`AlertLayer`](crate::AlertLayer) in the current
    /// default subscriber; of the outermost, if there are several. `None` if
    /// there is none, or if it is inside a `reload` layer.
    pub fn current() -> Option<Self> {
        dispatcher::get_default(|dispatch| dispatch.downcast_ref::<Self>().cloned())
    }

    /// Waits until everything captured before the call is delivered, at most
    /// `timeout`. Ends the settle time and the window of what nobody was told of
    /// yet; what a recipient's budget does not allow now stays pending, and an
    /// incident that was told before keeps its time.
    ///
    /// It blocks the calling thread; inside a runtime that is harmless but for
    /// the thread, as the work is done on another one. On that one, which a
    /// [`Sink`](crate::Sink) runs on, it does not wait, and says that the time is up.
    pub fn flush(&self, timeout: Duration) -> FlushReport {
        self.flush_to(Goal::Delivered, timeout)
    }

    /// As [`flush`](Self::flush), and then ends the alert thread. What is still
    /// pending is given back to the store; events that come later are lost and
    /// counted as [`DropReason::QueueClosed`].
    pub fn shutdown(&self, timeout: Duration) -> FlushReport {
        self.flush_to(Goal::Shutdown, timeout)
    }

    /// What happened so far.
    pub fn stats(&self) -> Stats {
        self.shared.counters.snapshot()
    }

    /// The lowest level that alerts.
    pub fn level(&self) -> LevelFilter {
        self.shared.gate.level()
    }

    /// Sets the lowest level that alerts, at once and for all threads. A sink
    /// with a level of its own keeps that, and what no sink would be told of is
    /// not captured. Use this rather than a `reload`
    /// layer, which hides from other layers what this one wants.
    pub fn set_level(&self, level: impl Into<LevelFilter>) {
        self.shared.gate.set_level(level.into());
    }

    /// Tells nobody of the events that `matcher` means, for so long from now, and
    /// then how many there were, in one message that shows the first. Other
    /// processes do not know of it, nor does the next start. Waits for room in the
    /// queue, if it is full, for a second at most. False if that came to nothing,
    /// or if there is no alert thread.
    ///
    /// ```
    /// # use tracing_alert::{AlertLayer, MemorySink};
    /// # let layer: AlertLayer = AlertLayer::builder().in_memory().sink(MemorySink::new(), ["on-call"]).build().unwrap();
    /// use std::time::Duration;
    ///
    /// use tracing_alert::Matcher;
    ///
    /// // While the database is migrated.
    /// let silenced = layer.handle().silence(Matcher::new().target("my_app::db"), Duration::from_secs(600));
    /// assert!(silenced);
    /// ```
    pub fn silence(&self, matcher: Matcher, duration: Duration) -> bool {
        let silence = Silence::new(matcher, duration.min(LONGEST_WAIT));
        let deadline = Instant::now() + SILENCE_PATIENCE;
        let queue = self.shared.queue.as_ref().filter(|_| !self.shared.birth.is_elsewhere());
        queue.is_some_and(|queue| queue.silence(silence, deadline))
    }

    /// Whether one more event of a callsite is to be built and
    /// [offered](Self::offer); if not, it is counted.
    pub(crate) fn admits(&self, metadata: &'static Metadata<'static>) -> bool {
        self.shared.queue.as_ref().is_none_or(|queue| queue.admits(metadata))
    }

    /// Queues `event`, or counts why not, unless it [is lost](Self::loses) anyway.
    /// Waits for its commit if that was asked for.
    pub(crate) fn offer(&self, event: Event, callsite: Callsite) {
        match (self.shared.wait_for_commit, &self.shared.queue) {
            (Some(timeout), _) => self.offer_and_wait(event, callsite, timeout),
            (None, Some(queue)) => _ = queue.offer(event, callsite),
            (None, None) => (),
        }
    }

    fn offer_and_wait(&self, event: Event, callsite: Callsite, timeout: Duration) {
        let now = Instant::now();
        let committed = Arc::new(Signal::new());
        let awaited = Awaited { event, committed: Arc::clone(&committed), backtrace: None };
        if self.offer_awaited(awaited, callsite) {
            // Late is not lost: the event is queued.
            let _ = committed.wait_until(now.checked_add(timeout).unwrap_or(now + LONGEST_WAIT));
        }
    }

    /// As [`offer`](Self::offer). True if it is queued.
    pub(crate) fn offer_awaited(&self, awaited: Awaited, callsite: Callsite) -> bool {
        let offer = |queue: &Queue| queue.offer_awaited(awaited, callsite) == Offered::Queued;
        self.shared.queue.as_ref().is_some_and(offer)
    }

    /// Counts one event lost if there is no alert thread, here or at all.
    pub(crate) fn loses(&self) -> bool {
        if self.shared.birth.is_elsewhere() {
            self.lost(DropReason::Forked);
            fork::complain();
            return true;
        }
        let is_lost = self.shared.queue.is_none();
        if is_lost {
            self.lost(DropReason::QueueClosed);
        }
        is_lost
    }

    /// Counts one event lost.
    pub(crate) fn lost(&self, reason: DropReason) {
        self.shared.counters.count_dropped(reason, 1);
    }

    pub(crate) fn gate(&self) -> Gate {
        self.shared.gate.clone()
    }

    /// Panics are ERROR events.
    pub(crate) fn captures_panics(&self) -> bool {
        self.level() >= LevelFilter::ERROR
    }

    fn flush_to(&self, goal: Goal, timeout: Duration) -> FlushReport {
        // The alert thread would wait for itself: a panic hook flushes, and a sink
        // panicked.
        if self.shared.birth.is_elsewhere() || Caller::here().is_ours {
            return self.report(false);
        }
        let now = Instant::now();
        let deadline = now.checked_add(timeout).unwrap_or(now + LONGEST_WAIT);
        let done = Arc::new(Signal::new());
        let flush = Flush { goal, deadline, done: Arc::clone(&done) };
        let queued = self.shared.queue.as_ref().is_some_and(|queue| queue.flush(flush));
        let report = if queued { done.wait_until(deadline) } else { None };
        let has_ended = || self.shared.ended.wait_until(deadline).is_some();
        if goal == Goal::Shutdown && report.is_some() {
            // The file is closed then: the process may fork, or move it.
            let _: bool = has_ended();
        }
        report.unwrap_or_else(|| {
            // Somebody else had it end: what it left is known when it has.
            let ended = has_ended();
            self.report(ended && self.shared.counters.uncommitted() == 0)
        })
    }

    /// What is known without the alert thread.
    fn report(&self, in_time: bool) -> FlushReport {
        let counters = &self.shared.counters;
        FlushReport {
            persisted: counters.persisted.load(Ordering::Relaxed),
            delivered: counters.delivered.load(Ordering::Relaxed),
            pending: counters.pending.load(Ordering::Relaxed),
            in_time,
        }
    }
}

impl fmt::Debug for AlertHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AlertHandle").field("stats", &self.stats()).finish_non_exhaustive()
    }
}

/// Stands for "for ever" where a clock cannot count that far.
const LONGEST_WAIT: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// How long a silence waits for room in the queue.
const SILENCE_PATIENCE: Duration = Duration::from_secs(1);
