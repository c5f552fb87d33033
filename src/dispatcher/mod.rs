//! The alert thread: persist, claim, render, send, settle.
//!
//! One thread with its own current-thread runtime, started by `from_env` and
//! `build`, so that it works in a program with no runtime and outlives one that
//! is dropped. It is the only place that spawns, sleeps, reads the clock or
//! draws a random number.
//! Invariant: no arm of the loop awaits the network: attempts run as tasks.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use tokio::{
    task::{self, JoinSet},
    time::sleep,
};
use uuid::Uuid;

use crate::{
    handle::FlushReport,
    notice::{Losses, Process},
    queue::{Flush, Goal, Item, Receiver},
    retry::RetryPolicy,
    signal::Signal,
    sink::{Receipt, SendError},
    stats::{Counters, DropReason},
    store::{Captured, Claim, Store, StoreError, Target},
    trouble,
};

mod start;
pub(crate) use start::{THREAD_NAME, is_own_thread, start};

mod open;

mod persist;

mod deliver;

mod lane;
use lane::Lane;

pub(crate) mod exit;

/// No attempt takes longer: then it counts as
/// [`SendError::Ambiguous`](crate::SendError::Ambiguous).
pub const SEND_TIMEOUT: Duration = Duration::from_secs(30);

/// The state of the one loop.
struct Dispatcher {
    store: Store,
    counters: Arc<Counters>,
    process: Process,
    /// This run of the process; notices say which run made them.
    run: Uuid,
    settle: Duration,
    retry: RetryPolicy,
    /// One per sink.
    lanes: Vec<Lane>,
    targets: Vec<Target>,
    /// The notice that takes events until its settle time ends.
    open: Option<i64>,
    /// Losses that a notice tells of already.
    told: Losses,
    /// Captured, but not persisted yet: the store was busy.
    waiting: Vec<Captured>,
    /// To be set when [`Self::waiting`] is committed.
    acknowledge: Vec<Arc<Signal<()>>>,
    in_flight: JoinSet<Result<Receipt, SendError>>,
    /// What each task in [`Self::in_flight`] attempts, and in which lane.
    attempts: HashMap<task::Id, (usize, Claim)>,
    /// Results that are not in the store yet.
    unsettled: VecDeque<(usize, Claim, Result<Receipt, SendError>)>,
    flushes: Vec<Flush>,
}

impl Dispatcher {
    /// Works until all callers are gone or one of them shuts it down.
    async fn run(&mut self, queue: &mut Receiver) {
        let mut items = Vec::new();
        let mut ending = None;
        loop {
            while let Some(finished) = self.in_flight.try_join_next_with_id() {
                self.finish(finished);
            }
            self.settle_finished().await;
            let next = self.start_due_deliveries().await;
            self.answer_flushes().await;
            if let Some(ending) = &ending
                && self.has_ended(ending).await
            {
                return;
            }
            let next = next.min(self.until_next_deadline(ending.as_ref()));
            tokio::select! {
                biased;
                received = queue.receive(&mut items, BATCH), if ending.is_none() && self.has_room() => {
                    let shutdown = self.take(&mut items).await;
                    if received == 0 || shutdown.is_some() {
                        ending = Some(shutdown.unwrap_or_else(Ending::callers_are_gone));
                        self.take_the_rest(queue, &mut items).await;
                    }
                }
                Some(finished) = self.in_flight.join_next_with_id() => self.finish(finished),
                () = sleep(next) => self.persist().await,
            }
        }
    }

    /// Takes up what was received. Says so if somebody wants the loop to end.
    async fn take(&mut self, items: &mut Vec<Item>) -> Option<Ending> {
        let mut flushes = Vec::new();
        for item in items.drain(..) {
            match item {
                Item::Event(event, committed) => {
                    self.acknowledge.extend(committed);
                    persist::add(&mut self.waiting, *event);
                }
                Item::Flush(flush) => flushes.push(flush),
            }
        }
        self.persist().await;
        if !flushes.is_empty() {
            self.close_open_notice().await;
        }
        let shutdown = flushes.iter().find(|flush| flush.goal == Goal::Shutdown);
        let ending = shutdown.map(|flush| Ending { goal: Goal::Delivered, deadline: flush.answer_by() });
        self.flushes.append(&mut flushes);
        ending
    }

    /// Takes no more events, commits those that are queued and ends their settle
    /// time.
    async fn take_the_rest(&mut self, queue: &mut Receiver, items: &mut Vec<Item>) {
        queue.close();
        while queue.receive(items, BATCH).await > 0 {
            // Whoever else wanted it to end, it does.
            let _ending = self.take(items).await;
        }
        self.close_open_notice().await;
    }

    /// While the store is busy, events wait in the queue, which is bounded.
    fn has_room(&self) -> bool {
        self.waiting.len() < MOST_WAITING
    }

    async fn has_ended(&mut self, ending: &Ending) -> bool {
        self.is_reached(ending.goal).await || ending.deadline <= Instant::now()
    }

    async fn is_reached(&mut self, goal: Goal) -> bool {
        let idle = self.waiting.is_empty() && self.in_flight.is_empty() && self.unsettled.is_empty();
        match goal {
            Goal::FirstAttempts => idle,
            Goal::Delivered | Goal::Shutdown => idle && self.pending().await == 0,
        }
    }

    /// How long until somebody who waits has to be told.
    fn until_next_deadline(&self, ending: Option<&Ending>) -> Duration {
        let flushes = self.flushes.iter().map(Flush::answer_by);
        let first = flushes.chain(ending.map(|ending| ending.deadline)).min();
        first.map_or(LONGEST_SLEEP, |deadline| deadline.saturating_duration_since(Instant::now()))
    }

    /// Answers the flushes whose goal is reached or whose time is up.
    async fn answer_flushes(&mut self) {
        for flush in std::mem::take(&mut self.flushes) {
            let reached = flush.goal != Goal::Shutdown && self.is_reached(flush.goal).await;
            let late = flush.goal != Goal::Shutdown && flush.answer_by() <= Instant::now();
            if reached || late {
                flush.done.set(self.report(reached).await);
            } else {
                self.flushes.push(flush);
            }
        }
    }

    async fn report(&mut self, in_time: bool) -> FlushReport {
        let pending = self.pending().await;
        let stats = self.counters.snapshot();
        FlushReport { persisted: stats.persisted, delivered: stats.delivered, pending, in_time }
    }

    /// Deliveries of this run that are not settled.
    async fn pending(&mut self) -> u64 {
        let pending = self.store.pending(self.run).await;
        pending.unwrap_or_else(|error| {
            self.note(Err(error));
            0
        })
    }

    fn wake_lanes(&mut self) {
        self.lanes.iter_mut().for_each(Lane::wake);
    }

    /// Says what the store could not do; it is tried again.
    fn note(&self, done: Result<(), StoreError>) {
        if let Err(error) = done {
            trouble::report("store", &format!("the database failed, trying again: {error}"));
        }
    }

    /// Gives back what is claimed, closes the store and answers who waits for
    /// the end.
    async fn end(mut self) {
        self.in_flight.abort_all();
        let now = SystemTime::now();
        for (_, claim) in std::mem::take(&mut self.attempts).into_values() {
            // Nobody knows how far it came: the next start takes it up soon.
            let released = self.store.retry(&claim, "the process ended during the attempt", now).await;
            self.note(released.map(drop));
        }
        let lost = self.waiting.iter().map(|captured| captured.count).sum();
        self.counters.count_dropped(DropReason::QueueClosed, lost);
        let report = self.report(self.waiting.is_empty() && self.unsettled.is_empty()).await;
        self.store.shut().await;
        for flush in self.flushes {
            flush.done.set(report.clone());
        }
    }
}

/// Until when the loop goes on although it takes no more events.
struct Ending {
    goal: Goal,
    deadline: Instant,
}

impl Ending {
    /// Nobody waits; what was never attempted is attempted.
    fn callers_are_gone() -> Self {
        Self { goal: Goal::FirstAttempts, deadline: Instant::now() + SEND_TIMEOUT }
    }
}

fn random() -> u32 {
    Uuid::new_v4().as_fields().0
}

/// How many items are taken from the queue at once.
const BATCH: usize = 1024;

/// How many different events may wait for a busy store.
const MOST_WAITING: usize = 4096;

/// How soon what the store refused is tried again.
const STORE_RETRY: Duration = Duration::from_millis(200);

/// The loop looks at the clock at least this often: it may have jumped.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);
