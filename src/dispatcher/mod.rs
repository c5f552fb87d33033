//! The alert thread: persist, claim, render, send, settle.
//!
//! One thread with its own current-thread runtime, started by `from_env` and
//! `build`, so that it works in a program with no runtime and outlives one that
//! is dropped. Decisions are made elsewhere, from the time and the random
//! numbers that this module hands over.
//! Invariant: no arm of the loop awaits the network: attempts run as tasks.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant, SystemTime},
};

use tokio::{
    task::{self, JoinSet},
    time::sleep,
};
use uuid::Uuid;

use crate::{
    fingerprint::Grouping,
    handle::FlushReport,
    notice::{Losses, Process},
    queue::{Flush, Goal, Item, Receiver},
    retry::RetryPolicy,
    signal::Signal,
    sink::{Receipt, SendError},
    stats::{Counters, DropReason},
    store::{Captured, Claim, Store, Target},
    trouble,
};

mod start;
pub(crate) use start::{THREAD_NAME, is_own_thread, start};

#[cfg_attr(not(feature = "sqlite"), path = "no_disk.rs")]
mod disk;
use disk::Disk;

mod persist;
use persist::Late;

mod dead;
mod deliver;
mod storm;

mod lane;
use lane::Lane;

mod upkeep;
use upkeep::Upkeep;

pub(crate) mod exit;

/// No attempt takes longer: then it counts as
/// [`SendError::Ambiguous`](crate::SendError::Ambiguous).
pub const SEND_TIMEOUT: Duration = Duration::from_secs(30);

/// What outlives a defect of the loop: it must not be lost with it.
struct Inbox {
    /// This run of the process; notices say which run made them.
    run: Uuid,
    /// When what is only counted is to be collected.
    collect_at: Option<Instant>,
    /// Which events are the same.
    grouping: Grouping,
    /// Captured, but not persisted yet.
    waiting: Vec<Captured>,
    /// To be set when [`Self::waiting`] is committed.
    acknowledge: Vec<Arc<Signal<()>>>,
    /// Backtraces that are still to come.
    late: Vec<Late>,
    /// Who waits for how much.
    flushes: Vec<Waiter>,
    /// Since when backtraces are waited for without a break.
    late_since: Option<Instant>,
    /// Losses that a notice tells of already.
    told: Losses,
    /// Received, and not taken up yet.
    items: Vec<Item>,
    /// Set when the loop takes no more events.
    ending: Option<Ending>,
}

/// A flush, and what it is about.
struct Waiter {
    flush: Flush,
    /// The last notice that it is about: none until everything captured before
    /// it is committed.
    last_notice: Option<i64>,
}

/// An attempt that is over.
#[derive(Clone)]
struct Attempted {
    lane: usize,
    claim: Claim,
    result: Result<Receipt, SendError>,
}

/// The state of the one loop.
struct Dispatcher<'a> {
    inbox: &'a mut Inbox,
    store: Store,
    counters: Arc<Counters>,
    process: Process,
    settle: Duration,
    retry: RetryPolicy,
    /// One per sink.
    lanes: Vec<Lane>,
    targets: Vec<Target>,
    /// The notice that takes events until its settle time ends.
    open: Option<i64>,
    /// The last notice that was made.
    last_notice: i64,
    in_flight: JoinSet<Result<Receipt, SendError>>,
    /// What each task in [`Self::in_flight`] attempts, and in which lane.
    attempts: HashMap<task::Id, (usize, Claim)>,
    /// Results that are not in the store yet.
    unsettled: VecDeque<Attempted>,
    #[cfg_attr(not(feature = "sqlite"), expect(dead_code, reason = "there is none"))]
    disk: Disk,
    upkeep: Upkeep,
    /// The settle time of the open notice is to end, and the store refused.
    must_close: bool,
}

impl Dispatcher<'_> {
    /// Works until all callers are gone or one of them shuts it down.
    async fn run(&mut self, queue: &mut Receiver) {
        loop {
            // A storm that keeps the queue full must not keep attempts waiting.
            task::yield_now().await;
            self.collect_finished();
            self.settle_finished().await;
            self.tell_of_dead().await;
            self.add_late_backtraces().await;
            self.keep_up().await;
            self.collect_when_due().await;
            self.probe(false).await;
            if self.must_close {
                self.close_open_notice().await;
            }
            let next = self.start_due_deliveries().await;
            self.answer_flushes().await;
            if self.has_ended().await {
                return;
            }
            let next =
                next.min(self.until_next_deadline()).min(self.until_collection()).min(self.upkeep.wait());
            tokio::select! {
                biased;
                received = queue.receive(&mut self.inbox.items, BATCH),
                    if self.inbox.ending.is_none() && self.has_room() =>
                {
                    self.take().await;
                    if received == 0 || self.inbox.ending.is_some() {
                        self.begin_to_end(queue).await;
                    }
                }
                Some(finished) = self.in_flight.join_next_with_id() => self.finish(finished),
                () = sleep(next) => {
                    // Another process may have left something, or the clock jumped.
                    self.wake_lanes();
                    self.persist().await;
                }
            }
        }
    }

    /// Takes up what was received.
    async fn take(&mut self) {
        let mut flushed = false;
        for item in std::mem::take(&mut self.inbox.items) {
            match item {
                Item::Event(event, permit) => self.inbox.add(*event, permit),
                Item::Awaited(awaited, permit) => self.inbox.add_awaited(*awaited, permit),
                Item::Counted => (),
                Item::Flush(flush) => {
                    flushed = true;
                    if flush.goal == Goal::Shutdown {
                        self.inbox.ending =
                            Some(Ending { goal: Goal::Delivered, deadline: flush.answer_by() });
                    }
                    self.inbox.flushes.push(Waiter { flush, last_notice: None });
                }
            }
        }
        if flushed {
            self.collect();
        } else {
            self.plan_collection();
        }
        self.persist().await;
        if flushed {
            self.close_open_notice().await;
        }
    }

    /// Takes no more events, commits those that are queued and ends their settle
    /// time.
    async fn begin_to_end(&mut self, queue: &mut Receiver) {
        if self.inbox.ending.is_none() {
            self.inbox.ending = Some(Ending::callers_are_gone(&self.store));
        }
        // From now on, who comes too late is told what is counted.
        let _counted = self.pending(i64::MAX).await;
        queue.close();
        while queue.receive(&mut self.inbox.items, BATCH).await > 0 {
            self.take().await;
        }
        self.collect();
        self.persist().await;
        self.close_open_notice().await;
        self.probe(true).await;
    }

    /// While the store is busy, events wait in the queue, which is bounded.
    fn has_room(&self) -> bool {
        self.inbox.waiting.len() < MOST_WAITING
    }

    /// Somebody waits for what is not committed yet: it does not settle.
    fn is_hurried(&self) -> bool {
        self.inbox.ending.is_some() || self.inbox.flushes.iter().any(|waiter| waiter.last_notice.is_none())
    }

    async fn has_ended(&mut self) -> bool {
        let Some(Ending { goal, deadline }) = self.inbox.ending else {
            return false;
        };
        let is_committed = self.inbox.waiting.is_empty();
        deadline <= Instant::now() || (is_committed && self.is_reached(goal, Some(self.last_notice)).await)
    }

    /// Whether what is about notices up to `last_notice` has come to `goal`.
    async fn is_reached(&mut self, goal: Goal, last_notice: Option<i64>) -> bool {
        let Some(last_notice) = last_notice else {
            return false;
        };
        match goal {
            Goal::FirstAttempts => {
                let is_stuck = self.must_close || self.lanes.iter().any(Lane::is_stuck);
                let is_held = !self.inbox.waiting.is_empty() || self.holds_deliveries();
                self.in_flight.is_empty() && self.unsettled.is_empty() && !is_stuck && !is_held
            }
            Goal::Delivered | Goal::Shutdown => self.pending(last_notice).await == Some(0),
        }
    }

    /// How long until somebody who waits has to be told.
    fn until_next_deadline(&self) -> Duration {
        let waiters = self.inbox.flushes.iter().map(|waiter| waiter.flush.answer_by());
        let first = waiters.chain(self.inbox.ending.as_ref().map(|ending| ending.deadline)).min();
        first.map_or(LONGEST_SLEEP, |deadline| deadline.saturating_duration_since(Instant::now()))
    }

    /// Answers the flushes whose goal is reached or whose time is up.
    async fn answer_flushes(&mut self) {
        for mut waiter in std::mem::take(&mut self.inbox.flushes) {
            if waiter.last_notice.is_none() && self.inbox.waiting.is_empty() {
                waiter.last_notice = Some(self.last_notice);
            }
            let Waiter { flush, last_notice } = &waiter;
            // A shutdown is answered at the end, unless it has no more time.
            let reached = flush.goal != Goal::Shutdown && self.is_reached(flush.goal, *last_notice).await;
            if reached || flush.answer_by() <= Instant::now() {
                flush.done.set(self.report(*last_notice, reached).await);
            } else {
                self.inbox.flushes.push(waiter);
            }
        }
    }

    async fn report(&mut self, last_notice: Option<i64>, in_time: bool) -> FlushReport {
        let pending = self.pending(last_notice.unwrap_or(i64::MAX)).await;
        let stats = self.counters.snapshot();
        FlushReport {
            persisted: stats.persisted,
            delivered: stats.delivered,
            pending: pending.unwrap_or_else(|| self.counters.pending.load(Ordering::Relaxed)),
            in_time: in_time && pending.is_some(),
        }
    }

    /// Deliveries of this run, up to a notice, that are not settled; none if the
    /// store does not say.
    async fn pending(&mut self, last_notice: i64) -> Option<u64> {
        match self.store.pending(self.inbox.run, last_notice).await {
            Ok(pending) => {
                self.counters.pending.store(pending, Ordering::Relaxed);
                Some(pending)
            }
            Err(error) => {
                self.note(Err(error));
                None
            }
        }
    }

    fn wake_lanes(&mut self) {
        self.lanes.iter_mut().for_each(Lane::wake);
    }

    /// Writes down what came of the attempts, answers who waits for the end,
    /// gives back what is claimed, and closes the store.
    async fn end(mut self) {
        self.collect_finished();
        self.settle_finished().await;
        self.counters.storm.close();
        self.collect();
        let lost = self.inbox.waiting.drain(..).map(|captured| captured.count).sum();
        self.counters.count_dropped(DropReason::NotCommitted, lost);
        let report = self.report(None, lost == 0 && self.unsettled.is_empty()).await;
        for waiter in self.inbox.flushes.drain(..) {
            waiter.flush.done.set(report.clone());
        }
        if lost > 0 {
            trouble::say(&format!("{lost} events are lost: the database did not take them in time"));
        }
        if report.pending > 0 && matches!(self.store, Store::Memory(_)) {
            trouble::say(&format!("{} deliveries were pending in memory, and are lost", report.pending));
        }
        self.in_flight.abort_all();
        let now = SystemTime::now();
        let ended = SendError::ambiguous("the process ended during the attempt");
        for (_, claim) in std::mem::take(&mut self.attempts).into_values() {
            // Nobody knows how far it came: the next start takes it up soon.
            let released = self.store.retry(&claim, &ended, now).await;
            self.note(released.map(drop));
        }
        self.store.shut().await;
    }
}

/// Until when the loop goes on although it takes no more events.
struct Ending {
    goal: Goal,
    deadline: Instant,
}

impl Ending {
    /// Nobody waits; what was never attempted is attempted, and what no file
    /// keeps is seen through.
    fn callers_are_gone(store: &Store) -> Self {
        match store {
            Store::Memory(_) => Self { goal: Goal::Delivered, deadline: Instant::now() + MEMORY_PATIENCE },
            #[cfg(feature = "sqlite")]
            Store::Sqlite(_) => Self { goal: Goal::FirstAttempts, deadline: Instant::now() + SEND_TIMEOUT },
        }
    }
}

fn random() -> u32 {
    Uuid::new_v4().as_fields().0
}

/// How many items are taken from the queue at once.
const BATCH: usize = 16_384;

/// How many different events may wait for a busy store.
const MOST_WAITING: usize = 4096;

/// How long the alert thread of a layer that is gone sees through what is only
/// in memory.
const MEMORY_PATIENCE: Duration = Duration::from_secs(60 * 60);

/// How soon what the store refused is tried again.
const STORE_RETRY: Duration = Duration::from_millis(200);

/// The loop looks at the clock at least this often: it may have jumped.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);
