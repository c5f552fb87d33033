//! [`AlertHandle`]: flush, shut down, count.
//!
//! Invariant: waits with a deadline, outside and inside any runtime; the alert
//! thread that it waits for never waits for the caller.

use std::{
    fmt,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use tokio::sync::oneshot;
use tracing::level_filters::LevelFilter;

use crate::{
    host::{
        signal::Signal,
        thread::{self, Role},
        time::{FOR_EVER, Saturating, from_now},
    },
    layer::hook,
    policy::matcher::Matcher,
    queue::{
        Queue, Silence,
        flush::{Flush, FlushReport, Goal},
        shared::Shared,
        stats::Stats,
        trial::{TestReport, Trial},
    },
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

impl AlertHandle {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// The handle of the [`AlertLayer`](crate::AlertLayer) in the current
    /// default subscriber; of the outermost, if there are several. `None` if
    /// there is none, or if it is inside a `reload` layer.
    pub fn current() -> Option<Self> {
        tracing::dispatcher::get_default(|dispatch| dispatch.downcast_ref::<Self>().cloned())
    }

    /// Waits until everything captured before the call is delivered, at most
    /// `timeout`. Ends the settle time and the window of what nobody was told of
    /// yet; what a recipient's budget does not allow now stays pending, and an
    /// incident that was told before keeps its time.
    ///
    /// It blocks the calling thread; inside a runtime that is harmless but for
    /// the thread, as the work is done on another one. On that one, which a
    /// [`Sink`](crate::Sink) runs on, and under [`NoAlerts`](crate::NoAlerts), it
    /// does not wait, and says that the time is up.
    pub fn flush(&self, timeout: Duration) -> FlushReport {
        self.flush_to(Goal::Delivered, timeout)
    }

    /// As [`flush`](Self::flush), and then ends the alert thread. What is still
    /// pending is given back to the store; events that come later are lost and
    /// counted as [`DropReason::QueueClosed`](crate::notice::DropReason::QueueClosed).
    pub fn shutdown(&self, timeout: Duration) -> FlushReport {
        self.flush_to(Goal::Shutdown, timeout)
    }

    /// As [`flush`](Self::flush), for a task: the thread that polls it goes on with
    /// others meanwhile. In any runtime, as a thread of ours does the waiting; if there
    /// can be none, the time is up at once. It waits also if the future is dropped.
    ///
    /// ```
    /// # use tracing_alert::{AlertLayer, MemorySink};
    /// # let layer: AlertLayer = AlertLayer::builder().in_memory().sink(MemorySink::new(), ["on-call"]).build().unwrap();
    /// # let alerts = layer.handle();
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let report = alerts.flush_async(std::time::Duration::from_secs(5)).await;
    /// assert!(report.is_complete());
    /// # });
    /// ```
    pub fn flush_async(&self, timeout: Duration) -> impl Future<Output = FlushReport> + Send + 'static {
        self.wait_elsewhere(Goal::Delivered, timeout)
    }

    /// As [`shutdown`](Self::shutdown), for a task; see [`flush_async`](Self::flush_async).
    pub fn shutdown_async(&self, timeout: Duration) -> impl Future<Output = FlushReport> + Send + 'static {
        self.wait_elsewhere(Goal::Shutdown, timeout)
    }

    /// What happened so far.
    pub fn stats(&self) -> Stats {
        self.shared.counters.snapshot()
    }

    /// The lowest level that alerts, but for targets that have
    /// [their own](crate::Builder::level_for).
    pub fn level(&self) -> LevelFilter {
        self.shared.gate.level()
    }

    /// Sets the lowest level that alerts, at once and for all threads. A target
    /// with [a level of its own](crate::Builder::level_for) keeps that, at `OFF`
    /// too, and so does a sink; what no sink would be told of is not captured. It may
    /// be called from anywhere: where it cannot be done at once, as in a layer that
    /// `tracing` asks which callsites it wants, it returns after a second at most, and
    /// is done when the caller has gone on. Use this rather than a `reload`
    /// layer, which hides from other layers what this one wants.
    pub fn set_level(&self, level: impl Into<LevelFilter>) {
        self.shared.gate.set_level(level.into());
    }

    /// Puts this crate's panic hook in front of the one that is set now, which it
    /// calls in turn; the layer hears of panics from then on, whatever
    /// [`Builder::panics`](crate::Builder::panics) said. To be called after a hook was
    /// set that does not call the one before it: panics would not alert any more.
    ///
    /// It may be called any number of times, also if the hook in front does call ours:
    /// the chain does not grow, and no panic is told twice. Waits for a hook that runs
    /// on another thread, for a quarter of a second at most. False if ours is not there
    /// yet when it returns, or if this is a forked child, which may not touch the chain.
    /// For an instant the chain is gone, as the standard library has no other way: a
    /// thread that panics in that instant is in no alert.
    ///
    /// ```
    /// # use tracing_alert::{AlertLayer, MemorySink};
    /// # let layer: AlertLayer = AlertLayer::builder().in_memory().sink(MemorySink::new(), ["on-call"]).build().unwrap();
    /// let alerts = layer.handle();
    /// // As some crates do.
    /// std::panic::set_hook(Box::new(|info| eprintln!("our own words: {info}")));
    /// assert!(alerts.chain_panic_hook());
    /// ```
    pub fn chain_panic_hook(&self) -> bool {
        hook::chain_for(&self.shared)
    }

    /// Tells nobody of the events that `matcher` means, for so long from now, and
    /// then how many there were, in one message that shows the first. The silence is kept
    /// with the alerts: all programs that share the file honour it, and so does the next
    /// start. One with a [predicate](Matcher::when) cannot be kept: this process alone
    /// knows it. Waits for room in the queue, if it is full, for a second at most. False
    /// if that came to nothing, or if there is no alert thread.
    ///
    /// The command `tracing-alert silence` does the same from outside.
    ///
    /// ```
    /// # use tracing_alert::{AlertLayer, MemorySink};
    /// # let layer: AlertLayer = AlertLayer::builder().in_memory().sink(MemorySink::new(), ["on-call"]).build().unwrap();
    /// use std::time::Duration;
    ///
    /// use tracing_alert::Matcher;
    ///
    /// // While the database is migrated.
    /// let migration = Matcher::new().target("my_app::db");
    /// let alerts = layer.handle();
    /// assert!(alerts.silence(migration.clone(), Duration::from_secs(600)));
    /// // It took less time.
    /// assert!(alerts.unsilence(migration));
    /// ```
    pub fn silence(&self, matcher: Matcher, duration: Duration) -> bool {
        let silence = Silence::new(matcher, duration.min(FOR_EVER));
        self.queue().is_some_and(|queue| queue.silence(silence, from_now(SILENCE_PATIENCE)))
    }

    /// Ends the silences that were begun with such a matcher, by whatever program of the
    /// file: what they held back is told now. Waits, and fails, as
    /// [`silence`](Self::silence) does.
    pub fn unsilence(&self, matcher: Matcher) -> bool {
        self.queue().is_some_and(|queue| queue.unsilence(matcher, from_now(SILENCE_PATIENCE)))
    }

    /// Sends a real test message to every recipient of every sink, whatever their levels,
    /// budgets and silences, and waits until the providers accepted it or said why not, at
    /// most `timeout`. It is not kept: what is not accepted is not tried again. Where
    /// [`flush`](Self::flush) does not wait, nothing is sent.
    ///
    /// The command `tracing-alert test` does the same from outside, and says of each hop
    /// how it went.
    ///
    /// ```
    /// # use tracing_alert::{AlertLayer, MemorySink};
    /// # let layer: AlertLayer = AlertLayer::builder().in_memory().sink(MemorySink::new(), ["on-call"]).build().unwrap();
    /// let report = layer.handle().send_test(std::time::Duration::from_secs(30));
    /// assert!(report.is_complete(), "{report:?}");
    /// ```
    pub fn send_test(&self, timeout: Duration) -> TestReport {
        let deadline = Instant::now().later(timeout);
        let done = Arc::new(Signal::new());
        let trial = Trial { deadline, done: Arc::clone(&done) };
        let is_queued = self.may_wait() && self.queue().is_some_and(|queue| queue.trial(trial));
        // The report of what there was until the deadline comes right after that.
        let patience = deadline.later(REPORT_PATIENCE);
        is_queued.then(|| done.wait_until(patience)).flatten().unwrap_or_default()
    }

    /// The way to the alert thread, if that is in this process.
    fn queue(&self) -> Option<&Queue> {
        self.shared.queue.as_ref().filter(|_| !self.shared.birth.is_elsewhere())
    }

    /// Has a thread wait. It begins at once, not when the future is polled first.
    fn wait_elsewhere(
        &self,
        goal: Goal,
        timeout: Duration,
    ) -> impl Future<Output = FlushReport> + Send + 'static {
        let (answer, answered) = oneshot::channel();
        let handle = self.clone();
        // Nobody may be left to hear it.
        let wait = move || drop(answer.send(handle.wait_for(goal, timeout)));
        if self.may_wait() {
            // Without a thread the answer is that the time is up.
            drop(thread::start(Role::Own, format!("{}-flush", thread::NAME), wait));
        }
        let handle = self.clone();
        async move { answered.await.unwrap_or_else(|_| handle.report(false)) }
    }

    fn flush_to(&self, goal: Goal, timeout: Duration) -> FlushReport {
        if self.may_wait() { self.wait_for(goal, timeout) } else { self.report(false) }
    }

    /// False where the alert thread would wait for itself, as when a sink panics and the
    /// panic hook flushes; and where there is none.
    fn may_wait(&self) -> bool {
        !self.shared.birth.is_elsewhere() && Role::may_alert_here()
    }

    fn wait_for(&self, goal: Goal, timeout: Duration) -> FlushReport {
        let now = Instant::now();
        let deadline = now.later(timeout);
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

/// How long the report of a test is waited for that is not complete.
const REPORT_PATIENCE: Duration = Duration::from_millis(250);

/// How long a silence waits for room in the queue.
const SILENCE_PATIENCE: Duration = Duration::from_secs(1);
