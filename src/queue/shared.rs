//! [`Shared`]: where the callers' threads and the alert thread meet.
//!
//! Runs on the caller's thread.
//! Invariant: nothing here waits but for a commit, and only if that was asked for.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tracing::{Metadata, level_filters::LevelFilter};

use super::{Awaited, Callsite, Offered, Queue, exit, stats::Counters};
use crate::{
    capture::{
        Sealed,
        gate::Gate,
        spans::Spans,
        trail::{Root, Trails},
    },
    event::{PANIC_TARGET, breadcrumb::Breadcrumb, loss::DropReason},
    host::{
        fork::{self, Birth},
        signal::Signal,
        time::Saturating,
    },
};

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
    /// The fields of the spans that are open in the layer's registry.
    pub(crate) spans: Spans,
    /// None if no breadcrumbs are wanted.
    pub(crate) trails: Option<Trails>,
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

impl Shared {
    /// Whether one more event of a callsite is to be built and
    /// [offered](Self::offer); if not, it is counted.
    pub(crate) fn admits(&self, metadata: &'static Metadata<'static>) -> bool {
        let is_built = self.queue.as_ref().is_none_or(|queue| queue.admits(metadata));
        if !is_built && exit::is_over() {
            exit::tell_late();
        }
        is_built
    }

    /// Queues `event`, or counts why not, unless it [is lost](Self::loses) anyway.
    /// Waits for its commit if that was asked for.
    pub(crate) fn offer(&self, event: Sealed, callsite: Callsite) {
        let Some(queue) = &self.queue else { return };
        let is_committed = match self.wait_for_commit.or_else(exit::patience) {
            Some(timeout) => self.offer_and_wait(event, callsite, timeout),
            None => {
                let _: Offered = queue.offer(event, callsite);
                false
            }
        };
        if !is_committed && exit::is_over() {
            exit::tell_late();
        }
    }

    /// True if it was committed in time.
    fn offer_and_wait(&self, event: Sealed, callsite: Callsite, timeout: Duration) -> bool {
        let now = Instant::now();
        let committed = Arc::new(Signal::new());
        let awaited = Awaited { event, committed: Arc::clone(&committed), backtrace: None };
        // Late is not lost: the event is queued.
        let deadline = now.later(timeout);
        self.offer_awaited(awaited, callsite) && committed.wait_until(deadline).is_some()
    }

    /// As [`offer`](Self::offer). True if it is queued.
    pub(crate) fn offer_awaited(&self, awaited: Awaited, callsite: Callsite) -> bool {
        let offer = |queue: &Queue| queue.offer_awaited(awaited, callsite) == Offered::Queued;
        self.queue.as_ref().is_some_and(offer)
    }

    pub(crate) fn spans(&self) -> &Spans {
        &self.spans
    }

    /// Where breadcrumbs are left, if any are wanted.
    pub(crate) fn trails(&self) -> Option<&Trails> {
        self.trails.as_ref()
    }

    /// Leaves a breadcrumb, if any are wanted.
    pub(crate) fn leave(&self, root: Option<Root>, breadcrumb: impl FnOnce() -> Breadcrumb) {
        if let (Some(trails), Some(root)) = (self.trails(), root) {
            trails.leave(root, breadcrumb());
        }
    }

    /// What goes with an event of `root`. Nothing does while the queue fills: it
    /// must have room for the event itself.
    pub(crate) fn breadcrumbs_of(&self, root: Option<Root>) -> Vec<Arc<Breadcrumb>> {
        match (self.trails(), root) {
            (Some(trails), Some(root)) if self.queue.as_ref().is_some_and(Queue::is_calm) => {
                trails.so_far(root)
            }
            _ => Vec::new(),
        }
    }

    /// Whether there is an alert thread, here.
    pub(crate) fn is_alive(&self) -> bool {
        self.queue.is_some() && !self.birth.is_elsewhere()
    }

    /// Counts one event lost if there is no alert thread, here or at all.
    pub(crate) fn loses(&self) -> bool {
        if self.birth.is_elsewhere() {
            self.lost(DropReason::Forked);
            fork::complain();
            return true;
        }
        let is_lost = self.queue.is_none();
        if is_lost {
            self.lost(DropReason::QueueClosed);
        }
        is_lost
    }

    /// Counts one event lost.
    pub(crate) fn lost(&self, reason: DropReason) {
        self.counters.count_dropped(reason, 1);
    }

    /// Counts one event captured and ignored.
    pub(crate) fn ignored(&self) {
        self.counters.count_ignored();
    }

    pub(crate) fn gate(&self) -> Gate {
        self.gate.clone()
    }

    /// Panics are ERROR events of a target of their own.
    pub(crate) fn captures_panics(&self) -> bool {
        self.gate.level_of(PANIC_TARGET) >= LevelFilter::ERROR
    }
}
