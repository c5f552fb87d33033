//! The alert thread: persist, claim, render, send, settle.
//!
//! One thread with its own current-thread runtime, started by `from_env` and
//! `build`, so that it works in a program with no runtime and outlives one that
//! is dropped. Decisions are made elsewhere, from the time and the random
//! numbers that this module hands over.
//! Invariant: no arm of the loop awaits the network: attempts run as tasks.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::{Duration, SystemTime},
};

use tokio::{
    task::{self, JoinSet},
    time::sleep,
};
use uuid::Uuid;

use crate::{
    outbox::{Channel, Claim, Inquiry, Mark, Outbox, Target},
    policy::{
        calendar::Calendar, notice::Process, redact::redact, retry::RetryPolicy, send_error::SendError,
    },
    queue::{
        Item, Receiver,
        flush::Goal,
        stats::{Counters, StoreState},
    },
    render::Renderer,
    sink::Receipt,
};

mod setup;
pub(crate) use setup::{Route, Setup};

mod inbox;
use inbox::Inbox;

mod start;
pub(crate) use start::start;

mod persist;

mod silence;

mod echo;
use echo::Echoes;

mod tell;
#[cfg(feature = "cli")]
pub(crate) use tell::public_id;

mod dead;
mod deliver;
mod fates;
use fates::Answer;

mod questions;
mod storm;

#[cfg(feature = "postgres")]
mod fleet;
#[cfg(feature = "postgres")]
use fleet::Link;
#[cfg(not(feature = "postgres"))]
mod no_fleet;
#[cfg(not(feature = "postgres"))]
use no_fleet::Link;

mod flush;
use flush::{Ending, Waiter};

#[cfg(feature = "sqlite")]
mod known;

mod lane;
use lane::Lane;

#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod starts;
#[cfg(feature = "cli")]
pub(crate) use starts::is_alive;

#[cfg(not(feature = "sqlite"))]
mod memory_only;

#[cfg(feature = "webhook")]
mod heartbeat;
#[cfg(feature = "webhook")]
use heartbeat::Pulse;

/// Without webhooks there is no heartbeat.
#[cfg(not(feature = "webhook"))]
impl Dispatcher<'_> {
    async fn beat_when_due(&mut self) -> Duration {
        MAX_SLEEP
    }
}

mod trial;
#[cfg(feature = "cli")]
pub(crate) use trial::attempt;

mod upkeep;
use upkeep::Upkeep;

mod clock;
use clock::Clock;

#[cfg(feature = "sqlite")]
#[cfg(test)]
mod tests;

/// An attempt that is over.
#[derive(Clone)]
struct Attempted {
    lane: usize,
    claim: Claim,
    result: Result<Receipt, SendError>,
    /// What its SMS costs, if it was one.
    segments: u32,
    /// Whether the provider has no message of the attempts before.
    is_absent: bool,
    /// It was over while its file failed: what it says of the sink is old.
    is_old: bool,
}

/// What came of one attempt.
struct Sent {
    result: Result<Receipt, SendError>,
    segments: u32,
    is_absent: bool,
}

/// The state of the one loop.
struct Dispatcher<'a> {
    inbox: &'a mut Inbox,
    /// Outlives a defect of the loop, as [`Self::inbox`]: it may be memory.
    outbox: &'a mut Outbox,
    /// Whether this is an instance of a fleet.
    is_of_fleet: bool,
    /// Up to which of its changes this loop has begun anew.
    known_changes: u64,
    counters: Arc<Counters>,
    process: Process,
    retry: RetryPolicy,
    renderer: Renderer,
    /// When a day begins for the recipients.
    calendar: Calendar,
    /// Whether a program that fails again and again is told of.
    #[cfg_attr(
        not(any(feature = "postgres", feature = "sqlite")),
        expect(dead_code, reason = "no store, no starts")
    )]
    tells_crash_loops: bool,
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
    /// Questions what became of messages.
    asking: JoinSet<Answer>,
    /// Of what each task in [`Self::asking`] asks, and of which lane.
    questions: HashMap<task::Id, (usize, Vec<Inquiry>)>,
    /// Results that are not in the store yet.
    unsettled: VecDeque<Attempted>,
    upkeep: Upkeep,
    #[cfg(feature = "webhook")]
    pulse: Option<Pulse>,
    /// The process is over in a moment: what is claimed now would stay claimed.
    has_given_back: bool,
    /// At the last turn.
    clock: Clock,
}

impl Dispatcher<'_> {
    /// Works until all callers are gone or one of them shuts it down.
    async fn run(&mut self, queue: &mut Receiver) {
        if !self.inbox.items.is_empty() {
            // A defect left them, the last first.
            self.inbox.items.reverse();
            self.take().await;
        }
        loop {
            // A storm that keeps the queue full must not keep attempts waiting.
            task::yield_now().await;
            self.follow_the_clock().await;
            self.collect_finished();
            self.settle_finished().await;
            self.learn_what_came().await;
            self.tell_of_dead().await;
            self.add_late_backtraces().await;
            self.keep_up().await;
            self.collect_when_due(queue).await;
            self.probe(false).await;
            let handed = self.hand_over().await;
            let next = self.tell().await.min(self.beat_when_due().await);
            let next = self.start_due_deliveries().await.min(next).min(self.ask_when_due().await);
            if self.outbox.has_damage() {
                // What is in the file is still to be seen through.
                continue;
            }
            self.count_when_due().await;
            self.answer_flushes().await;
            if self.has_ended().await {
                return;
            }
            let next = next
                .min(handed)
                .min(self.until_next_answer())
                .min(self.until_collection())
                .min(self.upkeep.wait());
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
                Some(answered) = self.asking.join_next_with_id() => self.learn(answered).await,
                heard = Link::wait(&mut self.inbox.link) => self.hear(heard).await,
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
        self.listen_for_echoes();
        // One by one: a defect costs no more than what it is about.
        self.inbox.items.reverse();
        while let Some(mut item) = self.inbox.items.pop() {
            // Before it is grouped, kept or shown.
            if let Some(event) = item.event_mut() {
                redact(event, &self.inbox.redaction);
            }
            match item {
                Item::Event(event, permit) => {
                    let (event, spans) = event.into_parts();
                    self.inbox.add_within(&spans, event, permit, &self.counters);
                }
                Item::Awaited(awaited, permit) => self.inbox.add_awaited(*awaited, permit, &self.counters),
                Item::Silence(silence) => self.take_silence(*silence).await,
                Item::Unsilence(matcher) => self.end_silence(*matcher).await,
                Item::Trial(trial) => self.begin_trial(trial),
                Item::Counted => (),
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
        if flushed {
            self.collect();
        } else {
            self.plan_collection();
        }
        self.persist().await;
        if flushed {
            self.say_if_it_ends();
            self.hurry();
        }
    }

    /// Takes no more events, commits those that are queued and ends their settle
    /// time.
    async fn begin_to_end(&mut self, queue: &mut Receiver) {
        if self.inbox.ending.is_none() {
            self.inbox.ending = Some(Ending::callers_are_gone(self.outbox.is_durable()));
        }
        // From now on, who comes too late is told what is counted.
        let _counted = self.pending(Mark::ALL).await;
        queue.close();
        while queue.receive(&mut self.inbox.items, BATCH).await > 0 {
            self.take().await;
        }
        self.collect();
        self.persist().await;
        self.say_if_it_ends();
        self.hurry();
        self.probe(true).await;
    }

    /// While the store is busy, events wait in the queue, which is bounded.
    fn has_room(&self) -> bool {
        self.inbox.waiting.len() < MAX_WAITING
    }

    /// Looks whether a file works again that failed, or is no longer where it was.
    async fn probe(&mut self, at_once: bool) {
        self.outbox.probe(at_once, &self.targets, SystemTime::now()).await;
        self.follow_the_outbox();
    }

    /// Begins anew if another store is in use: incidents and notices have other numbers
    /// now, and nobody knows how old what is there is.
    fn follow_the_outbox(&mut self) {
        if std::mem::replace(&mut self.known_changes, self.outbox.changes()) == self.outbox.changes() {
            return;
        }
        self.counters.set_store(state_of(self.outbox));
        if let Some(link) = &mut self.inbox.link {
            link.note_counted();
        }
        self.tell_at = None;
        self.upkeep.begin_anew();
        self.inbox.flushes.iter_mut().for_each(|waiter| waiter.mark = None);
        if self.outbox.is_durable() {
            self.unsettled.extend(self.inbox.deferred.drain(..));
            self.lanes.iter_mut().for_each(Lane::look_for_dead);
        }
        self.wake_lanes();
    }

    /// True if the result of an attempt has to wait for the file its delivery is in.
    fn is_deferred(&mut self, attempted: &Attempted) -> bool {
        let is_outage = self.outbox.is_outage();
        if is_outage && self.inbox.deferred.len() < MAX_DEFERRED {
            self.inbox.deferred.push(Attempted { is_old: true, ..attempted.clone() });
        }
        is_outage
    }

    fn wake_lanes(&mut self) {
        self.lanes.iter_mut().for_each(Lane::wake);
        self.lanes.iter_mut().for_each(|lane| lane.questions.wake());
    }
}

/// Where what is committed is kept now.
fn state_of(outbox: &Outbox) -> StoreState {
    if outbox.is_durable() { StoreState::Durable } else { StoreState::Memory }
}

fn random() -> u32 {
    Uuid::new_v4().as_fields().0
}

/// How many items are taken from the queue at once.
const BATCH: usize = 2_048;

/// How many different events may wait for a busy store.
const MAX_WAITING: usize = 4096;

/// Many more than can be under way when a file fails.
const MAX_DEFERRED: usize = 1024;

/// How soon what the store refused is tried again.
const STORE_RETRY: Duration = Duration::from_millis(200);

/// The loop looks at the clock at least this often: it may have jumped.
const MAX_SLEEP: Duration = Duration::from_secs(30);
