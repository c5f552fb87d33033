//! [`Link`]: what the alert thread knows of the fleet.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant, SystemTime},
};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use uuid::Uuid;

use super::{
    super::{Dispatcher, MAX_SLEEP, STORE_RETRY, deliver::jitter},
    Answer, HandOver, Request,
    outage::{Outage, Silence},
    silences::Silences,
};
use crate::{
    host::time::{Saturating, from_now},
    outbox::{Share, Store, Taken},
    queue::{fleet_stats::FleetState, stats::Counters},
};

/// What the alert thread has of the fleet's thread.
pub(in crate::dispatcher) struct Link {
    /// None once this instance leaves.
    requests: Option<UnboundedSender<Request>>,
    answers: UnboundedReceiver<Answer>,
    /// Since when a question is under way.
    asked_at: Option<Instant>,
    /// How many events the answer to it confirms.
    asked: u64,
    /// Whether the fleet is still to be told how this process ends.
    is_leaving: bool,
    /// There may be something to hand over, not before then.
    due_at: Option<Instant>,
    /// When something was handed over last, and of which local store.
    handed_at: Option<Instant>,
    store: Option<Uuid>,
    /// Somebody waits for what was captured to be told: the next hand-over says so.
    must_hurry: bool,
    /// Somebody waited for that; and what of it the fleet has, and nobody was told of.
    has_hurried: bool,
    untold: BTreeSet<i64>,
    pub(super) silences: Silences,
    /// Something may have been sent alone that the fleet does not know.
    has_spent: bool,
    /// The question under way says it.
    says_what_was_spent: bool,
    /// How many instances there are, and which of them this is; zero if that is not known.
    pub(super) fleet: u32,
    pub(super) position: u32,
    pub(super) outage: Option<Outage>,
}

impl Link {
    pub(super) fn new(requests: UnboundedSender<Request>, answers: UnboundedReceiver<Answer>) -> Self {
        Self {
            requests: Some(requests),
            answers,
            asked_at: None,
            asked: 0,
            is_leaving: false,
            // What an earlier run did not hand over.
            due_at: Some(Instant::now()),
            handed_at: None,
            store: None,
            must_hurry: false,
            has_hurried: false,
            untold: BTreeSet::new(),
            silences: Silences::default(),
            // By an earlier run.
            has_spent: true,
            says_what_was_spent: false,
            fleet: 0,
            position: 0,
            outage: None,
        }
    }

    /// Something was counted: if nothing was for a while, it is handed over at once, or within
    /// ten seconds by a fleet so large that it may not come all at once.
    pub(in crate::dispatcher) fn note_counted(&mut self) {
        let now = Instant::now();
        if self.due_at.is_some_and(|due| due <= now.later(self.pause())) {
            return;
        }
        let crowd = now.later((TURN * self.fleet).min(MAX_PAUSE).mul_f64(jitter()));
        // Those who began together do not go on together.
        let pause = self.pause().mul_f64(0.75 + 0.5 * jitter());
        let at = self.handed_at.map_or(crowd, |at| at.later(pause).max(crowd));
        self.due_at = Some(self.due_at.map_or(at, |due| due.min(at)));
    }

    /// Notes that so many more events are committed here.
    pub(in crate::dispatcher) fn note_committed(&self, events: u64, counters: &Counters) {
        counters.fleet.set_behind(counters.fleet.behind().saturating_add(events));
    }

    /// Has the fleet told whether this process, which ends, fails.
    pub(super) fn leave(&mut self, fails: bool) {
        self.is_leaving = true;
        self.ask(Request::Leave { fails });
    }

    /// Asks the fleet's thread.
    fn ask(&self, request: Request) {
        if let Some(requests) = &self.requests {
            // If it is gone, what it says next is nothing.
            drop(requests.send(request));
        }
    }

    /// Notes that this instance sends something alone.
    pub(super) fn note_spent(&mut self) {
        self.has_spent = true;
    }

    /// Notes how it stands with the fleet, for whoever asks.
    fn publish(&self, counters: &Counters) {
        let now = SystemTime::now();
        let state = match &self.outage {
            Some(outage) if outage.is_for_good => FleetState::Refused,
            Some(_) => FleetState::Unreachable,
            None if self.handed_at.is_none() || self.fleet == 0 => FleetState::Opening,
            None => FleetState::Connected,
        };
        counters.fleet.set_state(state, now);
        counters.fleet.set_instances(self.fleet);
    }

    /// What was captured is to be told at once.
    pub(in crate::dispatcher) fn hurry(&mut self) {
        (self.must_hurry, self.has_hurried) = (true, true);
        self.due_at = Some(Instant::now());
    }

    /// Between two hand-overs, so that a fleet makes about fifty a second, up to 500 instances.
    fn pause(&self) -> Duration {
        (TURN * self.fleet).clamp(MIN_PAUSE, MAX_PAUSE)
    }

    /// Whether something is still to be handed over and may be; or told, if somebody waits.
    pub(in crate::dispatcher) fn is_handing_over(&self) -> bool {
        let soon = from_now(MIN_PAUSE);
        let is_asked = self.asked_at.is_some() || self.due_at.is_some_and(|at| at <= soon);
        self.outage.is_none()
            && (is_asked || self.is_leaving || (self.has_hurried && !self.untold.is_empty()))
    }

    /// The next answer; there is none where there is no fleet.
    pub(in crate::dispatcher) async fn wait(link: &mut Option<Self>) -> Heard {
        match link {
            Some(link) => Heard(link.answers.recv().await),
            None => std::future::pending().await,
        }
    }

    /// The question under way had to wait for others, which were answered.
    fn note_begun(&mut self) {
        self.asked_at = self.asked_at.map(|_| Instant::now());
    }

    fn note_silence(&mut self, silence: Silence) {
        match &mut self.outage {
            Some(outage) => outage.silence = outage.silence.max(silence),
            None => {
                let since = self.asked_at.unwrap_or_else(Instant::now);
                self.outage = Some(Outage::new(since, self.fleet, self.position, silence));
            }
        }
    }
}

/// What the fleet's thread said; nothing if it is gone.
pub(in crate::dispatcher) struct Heard(Option<Answer>);

impl Dispatcher<'_> {
    /// Takes what the fleet's thread said.
    pub(in crate::dispatcher) async fn hear(&mut self, heard: Heard) {
        self.take_answer(heard).await;
        if let Some(link) = &self.inbox.link {
            link.publish(&self.counters);
        }
    }

    async fn take_answer(&mut self, Heard(answer): Heard) {
        let asks = matches!(&answer, Some(Answer::Taken(_, taken)) if !taken.is_empty())
            || matches!(&answer, Some(Answer::Looked(_, outlook)) if !outlook.taken.is_empty() || outlook.silences.is_some());
        let store = if asks { self.local_store().await } else { None };
        let Some(link) = &mut self.inbox.link else { return };
        let mut is_stuck = false;
        let (of, taken, is_taken) = match answer {
            Some(Answer::Unreachable { is_answer, is_foreign }) => {
                link.note_silence(if is_answer { Silence::Taking } else { Silence::Looking });
                if let Some(outage) = link.outage.as_mut().filter(|_| is_foreign) {
                    outage.never_ends();
                }
                if is_answer {
                    link.silences.note_answer(false);
                    link.has_spent |= std::mem::take(&mut link.says_what_was_spent);
                    link.asked_at = None;
                    link.due_at = Some(from_now(link.pause().mul_f64(0.5 + 0.5 * jitter())));
                }
                // It is looked when this instance tells by itself.
                self.tell_at = None;
                return;
            }
            Some(Answer::Left) => {
                link.is_leaving = false;
                return;
            }
            // At the end there is no time to wait longer.
            Some(Answer::Begun) => {
                if self.inbox.ending.is_none() {
                    link.note_begun();
                }
                return;
            }
            // The thread could not be started: there is no fleet.
            None => {
                self.counters.fleet.set_state(FleetState::Unreachable, SystemTime::now());
                self.inbox.link = None;
                self.tell_at = None;
                return;
            }
            Some(Answer::Taken(of, taken)) => {
                link.silences.note_answer(true);
                link.asked_at = None;
                let known = std::mem::take(&mut link.asked);
                self.counters.fleet.set_behind(self.counters.fleet.behind().saturating_sub(known));
                let untold = taken.iter().filter(|answer| answer.told_at.is_none() && !answer.needs_event);
                link.untold.extend(untold.map(|answer| answer.local_id));
                if taken.len() >= MAX_SHARES || taken.iter().any(|answer| answer.needs_event) {
                    link.due_at = Some(from_now(STORE_RETRY));
                }
                if !taken.is_empty() && store != Some(of) {
                    link.note_counted();
                }
                (of, taken, true)
            }
            Some(Answer::Looked(of, outlook)) => {
                (link.fleet, link.position) = (outlook.fleet, outlook.position);
                if store == Some(of) {
                    link.silences.hear(outlook.silences);
                }
                if outlook.is_stuck {
                    link.note_silence(Silence::Telling);
                    self.tell_at = None;
                    is_stuck = true;
                }
                (of, outlook.taken, false)
            }
        };
        for answer in taken.iter().filter(|answer| answer.told_at.is_some()) {
            link.untold.remove(&answer.local_id);
        }
        // If it does not take what is handed over, that it can be seen is no help.
        let ends = |outage: &mut Outage| match outage.silence {
            Silence::Looking => !is_stuck,
            Silence::Taking => is_taken,
            Silence::Telling => !is_taken && !is_stuck,
        };
        let has_ended = link.outage.take_if(ends).is_some();
        if has_ended {
            self.tell_at = None;
            self.withdraw().await;
        }
        if !taken.is_empty() && store == Some(of) {
            self.note_taken(&taken).await;
        }
        self.learn_silences().await;
    }

    /// Takes back what this instance decided to tell alone and did not send: the fleet tells it.
    async fn withdraw(&mut self) {
        let now = SystemTime::now();
        // What stays is sent, after a look whether another instance did.
        drop(self.outbox.with(async |store: &mut Store| store.withdraw(now).await).await);
        self.wake_lanes();
    }

    async fn note_taken(&mut self, taken: &[Taken]) {
        let now = SystemTime::now();
        // What is not noted is handed over again, and is there once.
        let noted = self.outbox.with(async |store: &mut Store| store.note_taken(taken, now).await).await;
        if noted.is_err()
            && let Some(link) = &mut self.inbox.link
        {
            link.due_at = Some(from_now(STORE_RETRY));
        }
        self.upkeep.count_soon();
    }

    /// By which name the fleet knows the local store.
    async fn local_store(&mut self) -> Option<Uuid> {
        self.outbox.with(async |store| store.name_in_fleet().await).await.ok()
    }

    /// Hands over what is due. Returns how long nothing will be.
    pub(in crate::dispatcher) async fn hand_over(&mut self) -> Duration {
        let patience = self.patience();
        let Some(link) = &mut self.inbox.link else { return MAX_SLEEP };
        if let Some(asked_at) = link.asked_at {
            // It may hang: then this instance is on its own.
            let silent = asked_at.elapsed();
            if silent < patience {
                return patience.saturating_sub(silent);
            }
            if link.outage.is_none() {
                link.note_silence(Silence::Taking);
                link.publish(&self.counters);
                self.tell_at = None;
            }
            return MAX_SLEEP;
        }
        let wait = link.due_at.map_or(MAX_SLEEP, |at| at.saturating_duration_since(Instant::now()));
        if !wait.is_zero() || !self.inbox.waiting.is_empty() {
            return wait.max(STORE_RETRY / 4);
        }
        let Some(name) = self.local_store().await else { return STORE_RETRY };
        let read = async |store: &mut Store| store.shares(MAX_SHARES).await;
        let Ok((shares, own)) = self.outbox.with(read).await else {
            return STORE_RETRY;
        };
        let is_other = self.inbox.link.as_ref().is_some_and(|link| link.store != Some(name));
        let may_have_spent = self.inbox.link.as_ref().is_some_and(|link| link.has_spent);
        let spending = async |store: &mut Store| store.spending().await;
        let spending = if may_have_spent { self.outbox.with(spending).await } else { Ok(Vec::new()) };
        let untold = async |store: &mut Store| store.untold_in_fleet().await;
        let untold = if is_other { self.outbox.with(untold).await } else { Ok(Vec::new()) };
        let (Some(link), Ok(untold), Ok(spending)) = (&mut self.inbox.link, untold, spending) else {
            return STORE_RETRY;
        };
        (link.has_spent, link.says_what_was_spent) = (false, !spending.is_empty());
        link.due_at = Some(from_now(LOOK_AGAIN));
        link.asked = shares.iter().map(Share::untaken).sum();
        let behind = self.counters.fleet.behind();
        // Of more than that only the first are known.
        let is_part = shares.len() >= MAX_SHARES;
        self.counters.fleet.set_behind(if is_part { behind.max(link.asked) } else { link.asked });
        let hurried = std::mem::take(&mut link.must_hurry);
        let silences = link.silences.news(own, SystemTime::now());
        // The first time it learns which store this is.
        let has_nothing = shares.is_empty() && silences.is_empty() && spending.is_empty();
        if has_nothing && !hurried && !is_other && link.outage.is_none() {
            return MAX_SLEEP;
        }
        if is_other {
            link.untold.clear();
        }
        link.store = Some(name);
        (link.asked_at, link.handed_at) = (Some(Instant::now()), Some(Instant::now()));
        let given = HandOver { store: name, shares, silences, spending, untold, hurried };
        link.ask(Request::HandOver(given));
        patience
    }

    /// Ends the fleet's thread, and waits for what it has under way as long as that may take.
    pub(in crate::dispatcher) async fn leave_fleet(&mut self) {
        let Some(link) = &mut self.inbox.link else { return };
        link.requests = None;
        let deadline = from_now(LAST_WORDS);
        loop {
            let Some(link) = &mut self.inbox.link else { return };
            let left = deadline.saturating_duration_since(Instant::now());
            match tokio::time::timeout(left, link.answers.recv()).await {
                Ok(Some(answer)) => self.hear(Heard(Some(answer))).await,
                // It goes on by itself; the store has all of it.
                Ok(None) | Err(_) => break,
            }
        }
        self.inbox.link = None;
    }
}

/// How soon after a hand-over the next one is: once a second, or less often in a large fleet.
const MIN_PAUSE: Duration = Duration::from_secs(1);
const MAX_PAUSE: Duration = Duration::from_secs(10);

/// How much time there is for each instance, in turn: a hand-over may need a connection of its
/// own, and the store has other work to do.
const TURN: Duration = Duration::from_millis(20);

/// What something that went wrong left is looked for so often.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// How long the end of the fleet's thread is waited for.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// How many incidents are handed over at once.
const MAX_SHARES: usize = 100;

#[cfg(test)]
mod tests;
