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
    store::{Captured, Channel, Claim, Mark, Store, Target},
    trouble,
};

mod start;
pub(crate) use start::{THREAD_NAME, is_own_thread, start};

#[cfg_attr(not(feature = "sqlite"), path = "no_disk.rs")]
mod disk;
use disk::Disk;

mod persist;
use persist::Late;

mod tell;

mod dead;
mod deliver;

mod lane;
use lane::Lane;

mod upkeep;
use upkeep::Upkeep;

mod clock;
use clock::Clock;

pub(crate) mod exit;

/// No attempt takes longer: then it counts as
/// [`SendError::Ambiguous`](crate::SendError::Ambiguous).
pub const SEND_TIMEOUT: Duration = Duration::from_secs(30);

/// What outlives a defect of the loop: it must not be lost with it.
struct Inbox {
    /// This run of the process; notices say which run made them.
    run: Uuid,
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
    /// Up to where it is about: none until everything captured before it is
    /// committed.
    mark: Option<Mark>,
}

/// An attempt that is over.
#[derive(Clone)]
struct Attempted {
    lane: usize,
    claim: Claim,
    result: Result<Receipt, SendError>,
    /// What its SMS costs, if it was one.
    segments: u32,
}

/// What came of one attempt.
struct Sent {
    result: Result<Receipt, SendError>,
    segments: u32,
}

/// The state of the one loop.
struct Dispatcher<'a> {
    inbox: &'a mut Inbox,
    /// Outlives a defect of the loop, as [`Self::inbox`]: it may be memory.
    store: &'a mut Store,
    counters: Arc<Counters>,
    process: Process,
    retry: RetryPolicy,
    /// One per sink.
    lanes: Vec<Lane>,
    /// How each lane's recipients are told.
    channels: Vec<Channel>,
    targets: Vec<Target>,
    /// When there is something to decide; none if the store has to be asked.
    tell_at: Option<SystemTime>,
    /// What is new is to be told at once: somebody waits for it.
    must_hurry: bool,
    in_flight: JoinSet<Sent>,
    /// What each task in [`Self::in_flight`] attempts, and in which lane.
    attempts: HashMap<task::Id, (usize, Claim)>,
    /// Results that are not in the store yet.
    unsettled: VecDeque<Attempted>,
    #[cfg_attr(not(feature = "sqlite"), expect(dead_code, reason = "there is none"))]
    disk: &'a mut Disk,
    upkeep: Upkeep,
    /// The process is over in a moment: what is claimed now would stay claimed.
    has_given_back: bool,
    /// At the last turn.
    clock: Clock,
}

impl Dispatcher<'_> {
    /// Works until all callers are gone or one of them shuts it down.
    async fn run(&mut self, queue: &mut Receiver) {
        loop {
            // A storm that keeps the queue full must not keep attempts waiting.
            task::yield_now().await;
            self.follow_the_clock().await;
            self.collect_finished();
            self.settle_finished().await;
            self.tell_of_dead().await;
            self.add_late_backtraces().await;
            self.keep_up().await;
            self.probe(false).await;
            let to_tell = self.tell().await;
            let next = self.start_due_deliveries().await.min(to_tell);
            if self.has_damage() {
                // What is in the file is still to be seen through.
                continue;
            }
            self.answer_flushes().await;
            if self.has_ended().await {
                return;
            }
            let next = next.min(self.until_next_answer()).min(self.upkeep.wait());
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
                Item::Flush(flush) => {
                    flushed = true;
                    if flush.goal == Goal::Shutdown {
                        self.inbox.ending =
                            Some(Ending { goal: Goal::Delivered, deadline: flush.answer_by() });
                    }
                    self.inbox.flushes.push(Waiter { flush, mark: None });
                }
            }
        }
        self.persist().await;
        if flushed {
            self.hurry();
        }
    }

    /// Takes no more events, commits those that are queued and ends their settle
    /// time.
    async fn begin_to_end(&mut self, queue: &mut Receiver) {
        if self.inbox.ending.is_none() {
            self.inbox.ending = Some(Ending::callers_are_gone(self.store));
        }
        // From now on, who comes too late is told what is counted.
        let _counted = self.pending(Mark::ALL).await;
        queue.close();
        while queue.receive(&mut self.inbox.items, BATCH).await > 0 {
            self.take().await;
        }
        self.hurry();
        self.probe(true).await;
    }

    /// While the store is busy, events wait in the queue, which is bounded.
    fn has_room(&self) -> bool {
        self.inbox.waiting.len() < MOST_WAITING
    }

    async fn has_ended(&mut self) -> bool {
        let Some(Ending { goal, deadline }) = self.inbox.ending else {
            return false;
        };
        let is_committed = self.inbox.waiting.is_empty();
        deadline <= Instant::now() || (is_committed && self.is_reached(goal, Some(Mark::ALL)).await)
    }

    /// Whether what is up to `mark` has come to `goal`.
    async fn is_reached(&mut self, goal: Goal, mark: Option<Mark>) -> bool {
        let Some(mark) = mark else {
            return false;
        };
        match goal {
            Goal::FirstAttempts => {
                let is_stuck = self.must_hurry || self.lanes.iter().any(Lane::is_stuck);
                let is_held = !self.inbox.waiting.is_empty() || self.holds_deliveries();
                self.in_flight.is_empty() && self.unsettled.is_empty() && !is_stuck && !is_held
            }
            Goal::Delivered | Goal::Shutdown => self.pending(mark).await == Some(0),
        }
    }

    /// How long until somebody who waits has to be told, or may be: what they wait
    /// for, another process may settle.
    fn until_next_answer(&self) -> Duration {
        let waiters = self.inbox.flushes.iter().map(|waiter| waiter.flush.answer_by());
        let first = waiters.chain(self.inbox.ending.as_ref().map(|ending| ending.deadline)).min();
        first.map_or(LONGEST_SLEEP, |deadline| {
            deadline.saturating_duration_since(Instant::now()).min(SETTLED_POLL)
        })
    }

    /// Answers the flushes whose goal is reached or whose time is up.
    async fn answer_flushes(&mut self) {
        for mut waiter in std::mem::take(&mut self.inbox.flushes) {
            if waiter.mark.is_none() && self.inbox.waiting.is_empty() && !self.must_hurry {
                waiter.mark = self.store.mark().await.ok();
            }
            let Waiter { flush, mark } = &waiter;
            // A shutdown is answered at the end, unless it has no more time.
            let reached = flush.goal != Goal::Shutdown && self.is_reached(flush.goal, *mark).await;
            if reached || flush.answer_by() <= Instant::now() {
                if flush.goal == Goal::FirstAttempts {
                    self.give_back().await;
                }
                flush.done.set(self.report(*mark, reached).await);
            } else {
                self.inbox.flushes.push(waiter);
            }
        }
    }

    async fn report(&mut self, mark: Option<Mark>, in_time: bool) -> FlushReport {
        let pending = self.pending(mark.unwrap_or(Mark::ALL)).await;
        let stats = self.counters.snapshot();
        FlushReport {
            persisted: stats.persisted,
            delivered: stats.delivered,
            pending: pending.unwrap_or_else(|| self.counters.pending.load(Ordering::Relaxed)),
            in_time: in_time && pending.is_some(),
        }
    }

    /// Messages of this run, up to `mark`, that are not settled; none if the store
    /// does not say.
    async fn pending(&mut self, mark: Mark) -> Option<u64> {
        match self.store.pending(self.inbox.run, mark).await {
            Ok(pending) => {
                let pending = pending + self.left_behind().await?;
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

    /// Gives back what is claimed, and attempts nothing more. Nobody knows how far
    /// it came; who comes next takes it up at once.
    async fn give_back(&mut self) {
        self.has_given_back = true;
        self.in_flight.abort_all();
        let now = SystemTime::now();
        let ended = SendError::ambiguous("the process ended during the attempt");
        for (_, claim) in std::mem::take(&mut self.attempts).into_values() {
            let released = self.store.retry(&claim, &ended, now).await;
            self.note(released.map(drop));
        }
    }

    /// Writes down what came of the attempts, gives back what is claimed, answers
    /// who waits for the end, and closes the store.
    async fn end(mut self) {
        self.collect_finished();
        self.settle_finished().await;
        let lost = self.inbox.waiting.drain(..).map(|captured| captured.count).sum();
        self.counters.count_dropped(DropReason::NotCommitted, lost);
        let report = self.report(None, lost == 0 && self.unsettled.is_empty()).await;
        if lost > 0 {
            trouble::say(&format!("{lost} events are lost: the database did not take them in time"));
        }
        let here = self.store.pending(self.inbox.run, Mark::ALL).await.unwrap_or(0);
        if here > 0 && matches!(*self.store, Store::Memory(_)) {
            trouble::say(&format!("{here} deliveries were pending in memory, and are lost"));
        }
        self.give_back().await;
        for waiter in self.inbox.flushes.drain(..) {
            waiter.flush.done.set(report.clone());
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

/// How soon what others may have settled is looked at while somebody waits for it.
const SETTLED_POLL: Duration = Duration::from_millis(100);

/// The loop looks at the clock at least this often: it may have jumped.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);
