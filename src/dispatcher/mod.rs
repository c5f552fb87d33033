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
    task::{self, JoinError, JoinSet},
    time::{sleep, timeout},
};
use uuid::Uuid;

use crate::{
    config::{Config, Database},
    event::Event,
    fingerprint::fingerprint,
    handle::FlushReport,
    notice::{Losses, Process},
    queue::{Flush, Goal, Item, Receiver},
    render::{Rendered, render},
    retry::{RetryPolicy, Verdict},
    signal::Signal,
    sink::{Message, Receipt, SendError},
    stats::{Counters, DropReason, StoreState},
    store::{Captured, Claim, Draft, Memory, Store, StoreError, Target},
    trouble,
};

mod lane;
use lane::Lane;

mod start;
pub(crate) use start::{THREAD_NAME, is_own_thread, start};

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
                    add(&mut self.waiting, *event);
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

    /// Commits what waits, together with the losses nobody was told of.
    async fn persist(&mut self) {
        let losses = self.untold_losses();
        if self.waiting.is_empty() && losses.is_empty() {
            return;
        }
        let now = SystemTime::now();
        let public_id = public_id();
        let draft = Draft {
            public_id: &public_id,
            run: self.run,
            process: &self.process,
            closes_at: now + self.settle,
        };
        let persisted =
            self.store.persist(&self.waiting, &losses, self.open, &draft, &self.targets, now).await;
        match persisted {
            Ok(notice) => {
                self.open = Some(notice);
                for (reason, count) in losses {
                    *self.told.entry(reason).or_default() += count;
                }
                let events = self.waiting.drain(..).map(|captured| captured.count).sum();
                self.counters.persisted.fetch_add(events, std::sync::atomic::Ordering::Relaxed);
                for committed in self.acknowledge.drain(..) {
                    committed.set(());
                }
                self.wake_lanes();
            }
            // What waits is bounded: a full queue is the next thing to happen.
            Err(StoreError::Busy) => {
                trouble::report("busy", "the database is locked by another process; waiting");
            }
            Err(StoreError::Full) => {
                let lost = self.waiting.drain(..).map(|captured| captured.count).sum();
                self.counters.count_dropped(DropReason::MemoryFull, lost);
                self.acknowledge.clear();
            }
            Err(StoreError::Failed(why)) => self.fall_back(&why),
        }
    }

    fn untold_losses(&self) -> Losses {
        let untold = |(reason, count): (DropReason, u64)| {
            let told = self.told.get(&reason).copied().unwrap_or(0);
            Some((reason, count.saturating_sub(told))).filter(|(_, count)| *count > 0)
        };
        self.counters.losses().into_iter().filter_map(untold).collect()
    }

    /// Goes on in memory. What is in the file stays there for the next start.
    fn fall_back(&mut self, why: &str) {
        if matches!(self.store, Store::Memory(_)) {
            return;
        }
        trouble::report("store", &format!("{why}; alerts are kept in memory and are lost with the process"));
        self.store = Store::Memory(Memory::default());
        self.counters.set_store(StoreState::Memory);
        self.open = None;
    }

    /// Ends the settle time of the open notice.
    async fn close_open_notice(&mut self) {
        if let Some(open) = self.open.take() {
            let closed = self.store.close(open, SystemTime::now()).await;
            self.note(closed);
            self.wake_lanes();
        }
    }

    /// Starts an attempt at every delivery that is due and whose sink has room.
    /// Returns how long nothing else will be due.
    async fn start_due_deliveries(&mut self) -> Duration {
        let mut next = LONGEST_SLEEP;
        for lane in 0..self.lanes.len() {
            let started = self.start_lane(lane).await;
            if started.is_err() {
                self.lanes[lane].look_again_at(SystemTime::now() + STORE_RETRY);
            }
            self.note(started);
            next = next.min(self.lanes[lane].wait(SystemTime::now()));
        }
        if self.waiting.is_empty() && self.unsettled.is_empty() { next } else { next.min(STORE_RETRY) }
    }

    async fn start_lane(&mut self, lane: usize) -> Result<(), StoreError> {
        let name = self.lanes[lane].sink.name();
        if !self.lanes[lane].knows_due() {
            let due = self.store.next_due(name).await?;
            self.lanes[lane].set_due(due);
        }
        let now = SystemTime::now();
        let room = self.lanes[lane].free(now);
        if room == 0 || !self.lanes[lane].is_due(now) {
            return Ok(());
        }
        for claim in self.store.claim(name, room, now + LEASE, now).await? {
            // Its lease ended while we still attempt it: the machine slept.
            let known = self.attempts.values().any(|(_, other)| other.id == claim.id);
            if !known {
                self.attempt(lane, claim, now).await;
            }
        }
        let due = self.store.next_due(name).await?;
        self.lanes[lane].set_due(due);
        Ok(())
    }

    /// Renders and starts one attempt.
    async fn attempt(&mut self, lane: usize, claim: Claim, now: SystemTime) {
        let notice = match self.store.notice(&claim).await {
            Ok(notice) => Arc::new(notice),
            Err(error) => {
                let error = SendError::NotProcessed { reason: error.to_string(), retry_after: None };
                return self.unsettled.push_back((lane, claim, Err(error)));
            }
        };
        let Rendered { short, subject, text, html } = render(&notice);
        let message = Message {
            recipient: claim.recipient.clone(),
            key: claim.key.to_string(),
            attempt: claim.attempt,
            valid_for: claim.expires_at.duration_since(now).unwrap_or_default(),
            short,
            subject,
            text,
            html,
            notice,
        };
        let sink = Arc::clone(&self.lanes[lane].sink);
        let task = self.in_flight.spawn(async move {
            match timeout(SEND_TIMEOUT, sink.send(&message)).await {
                Ok(result) => result,
                Err(_) => Err(SendError::ambiguous(format!("no answer within {SEND_TIMEOUT:?}"))),
            }
        });
        self.attempts.insert(task.id(), (lane, claim));
        self.lanes[lane].in_flight += 1;
    }

    /// Notes the result of an attempt.
    fn finish(&mut self, finished: Result<(task::Id, Result<Receipt, SendError>), JoinError>) {
        let (id, result) = match finished {
            Ok((id, result)) => (id, result),
            Err(error) => (error.id(), Err(SendError::ambiguous("the sink panicked"))),
        };
        if let Some((lane, claim)) = self.attempts.remove(&id) {
            self.lanes[lane].in_flight -= 1;
            self.unsettled.push_back((lane, claim, result));
        }
    }

    /// Writes the results of attempts to the store.
    async fn settle_finished(&mut self) {
        while let Some((lane, claim, result)) = self.unsettled.pop_front() {
            if let Err(error) = self.settle(lane, &claim, &result).await {
                // Until it is written, the lease keeps others away.
                self.unsettled.push_front((lane, claim, result));
                return self.note(Err(error));
            }
        }
    }

    async fn settle(
        &mut self,
        lane: usize,
        claim: &Claim,
        result: &Result<Receipt, SendError>,
    ) -> Result<(), StoreError> {
        let now = SystemTime::now();
        let (counter, valid) = match result {
            Ok(receipt) => {
                let valid = self.store.deliver(claim, receipt.reference.as_deref(), now).await?;
                self.lanes[lane].resume();
                (&self.counters.delivered, valid)
            }
            Err(error) => {
                let reason = error.to_string();
                match self.verdict(claim, error, now) {
                    Verdict::RetryIn(pause) => {
                        (&self.counters.retried, self.store.retry(claim, &reason, now + pause).await?)
                    }
                    Verdict::PauseSink(pause) => {
                        let sink = self.lanes[lane].sink.name();
                        trouble::report(sink, &format!("{sink} is paused for {pause:?}: {reason}"));
                        self.lanes[lane].pause(now + pause);
                        let valid = self.store.release(claim, Some(&reason), now + pause).await?;
                        (&self.counters.retried, valid)
                    }
                    Verdict::Bury => {
                        let sink = self.lanes[lane].sink.name();
                        trouble::report(
                            "dead",
                            &format!("a delivery through {sink} ended undelivered: {reason}"),
                        );
                        (&self.counters.dead, self.store.bury(claim, &reason, now).await?)
                    }
                }
            }
        };
        Counters::count(if valid { counter } else { &self.counters.late });
        self.lanes[lane].wake();
        Ok(())
    }

    /// What the policy says, within the delivery's deadline.
    fn verdict(&self, claim: &Claim, error: &SendError, now: SystemTime) -> Verdict {
        let verdict = self.retry.decide(claim.attempt, error, jitter());
        match verdict {
            Verdict::RetryIn(pause) | Verdict::PauseSink(pause) if now + pause >= claim.expires_at => {
                Verdict::Bury
            }
            Verdict::RetryIn(_) | Verdict::PauseSink(_) | Verdict::Bury => verdict,
        }
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

/// Adds `event` to those that wait; one that is the same as another only counts.
fn add(waiting: &mut Vec<Captured>, event: Event) {
    let fingerprint = fingerprint(&event);
    match waiting.iter_mut().rev().take(LOOK_BACK).find(|captured| captured.fingerprint == fingerprint) {
        Some(captured) => {
            captured.count += 1;
            captured.last_at = captured.last_at.max(event.at);
        }
        None => {
            let last_at = event.at;
            waiting.push(Captured { event, fingerprint, count: 1, last_at });
        }
    }
}

/// Evenly distributed from zero to one.
fn jitter() -> f64 {
    f64::from(random()) / f64::from(u32::MAX)
}

/// Four letters that are easy to read aloud, and spell no word.
fn public_id() -> String {
    const LETTERS: &[u8; 30] = b"0123456789BCDFGHJKMNPQRSTVWXYZ";
    let mut number = random() as usize;
    std::iter::repeat_with(|| {
        let letter = LETTERS[number % LETTERS.len()];
        number /= LETTERS.len();
        char::from(letter)
    })
    .take(4)
    .collect()
}

fn random() -> u32 {
    Uuid::new_v4().as_fields().0
}

/// How many items are taken from the queue at once.
const BATCH: usize = 1024;

/// How many different events may wait for a busy store.
const MOST_WAITING: usize = 4096;

/// How far back an event looks for one that is the same.
const LOOK_BACK: usize = 64;

/// A claim ends by itself after this long: twice an attempt and some.
const LEASE: Duration = Duration::from_secs(70);

/// How soon what the store refused is tried again.
const STORE_RETRY: Duration = Duration::from_millis(200);

/// The loop looks at the clock at least this often: it may have jumped.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);
