//! Asks the providers what became of the messages that they accepted.

use std::{sync::Arc, time::Duration};

use tokio::{
    task::{self, JoinError},
    time::timeout,
};

use super::{Dispatcher, MAX_SLEEP, STORE_RETRY, deliver::LEASE};
use crate::{
    host::{thread::Role, time::Saturating, trouble, unwind},
    outbox::{Inquiry, Learned, Sequel, Store, StoreError, Target},
    policy::send_error::SendError,
    queue::stats::Counters,
    sink::{Accepted, Fate},
};

/// What a provider said of several messages.
pub(super) type Answer = Result<Vec<Fate>, SendError>;

impl Dispatcher<'_> {
    /// Asks each sink of whose messages a question is due. Returns how long none will be.
    pub(super) async fn ask_when_due(&mut self) -> Duration {
        let mut next = MAX_SLEEP;
        if self.has_given_back || self.holds_deliveries() {
            return next;
        }
        for lane in 0..self.lanes.len() {
            match self.ask(lane).await {
                Ok(wait) => next = next.min(wait),
                Err(_) => next = next.min(STORE_RETRY),
            }
        }
        next
    }

    async fn ask(&mut self, lane: usize) -> Result<Duration, StoreError> {
        let sink = Arc::clone(&self.lanes[lane].sink);
        if sink.asks_after().is_empty() || !self.lanes[lane].questions.may_ask() {
            return Ok(MAX_SLEEP);
        }
        if self.lanes[lane].questions.is_unknown() {
            let at = self.outbox.with(async |store| store.next_inquiry(sink.name()).await).await?;
            self.lanes[lane].questions.set(at);
        }
        let now = self.now();
        if let Some(wait) = self.lanes[lane].questions.wait(now) {
            return Ok(wait.min(MAX_SLEEP));
        }
        let inquire =
            async |store: &mut Store| store.inquire(sink.name(), MAX_QUESTIONS, now.later(LEASE), now).await;
        let questions = self.outbox.with(inquire).await?;
        self.lanes[lane].questions.wake();
        if questions.is_empty() {
            return Ok(STORE_RETRY);
        }
        let accepted: Vec<Accepted> = questions
            .iter()
            .map(|it| Accepted::new(&it.recipient, it.reference.as_deref(), it.accepted_at))
            .collect();
        let ask = async move {
            let answer = timeout(ASK_TIMEOUT, sink.fates(&accepted)).await;
            answer.unwrap_or_else(|_| Err(SendError::ambiguous(format!("no answer within {ASK_TIMEOUT:?}"))))
        };
        let task = self.asking.spawn(Role::Guest.play_all(ask));
        self.questions.insert(task.id(), (lane, questions));
        self.lanes[lane].questions.is_asking = true;
        Ok(MAX_SLEEP)
    }

    /// Takes the answers that have come.
    pub(super) async fn learn_what_came(&mut self) {
        while let Some(answered) = self.asking.try_join_next_with_id() {
            self.learn(answered).await;
        }
    }

    /// Takes an answer.
    pub(super) async fn learn(&mut self, answered: Result<(task::Id, Answer), JoinError>) {
        let (id, answer) = answered.unwrap_or_else(|error| {
            let id = error.id();
            if let Ok(payload) = error.try_into_panic() {
                unwind::discard(payload);
            }
            (id, Err(SendError::ambiguous("the sink panicked")))
        });
        let Some((lane, questions)) = self.questions.remove(&id) else { return };
        self.lanes[lane].questions.is_asking = false;
        self.lanes[lane].questions.wake();
        let sink = self.lanes[lane].sink.name();
        let fates = match answer {
            Ok(fates) => fates,
            Err(SendError::Misconfigured { reason }) => {
                // Whoever starts next may be allowed to ask.
                self.lanes[lane].questions.give_up();
                let what = format!(
                    "{sink} does not say what becomes of messages, so that nobody knows whether they arrive: {reason}"
                );
                return trouble::report("receipts", sink, &what);
            }
            Err(_) => vec![Fate::Open; questions.len()],
        };
        let others: Vec<Target> = self.targets.iter().filter(|target| target.sink != sink).cloned().collect();
        for (question, fate) in questions.iter().zip(&fates) {
            // What is not written is asked again, when the lease ends.
            drop(self.learn_one(lane, question, fate, &others).await);
        }
    }

    async fn learn_one(
        &mut self,
        lane: usize,
        question: &Inquiry,
        fate: &Fate,
        others: &[Target],
    ) -> Result<(), StoreError> {
        let now = self.now();
        let sink = &self.lanes[lane].sink;
        let next = sink.asks_after().get(question.number as usize);
        let ask_at = next.map(|after| question.accepted_at.later(*after).max(now.later(MIN_PAUSE)));
        let again = match fate {
            Fate::Failed(
                SendError::NotProcessed { retry_after, .. } | SendError::Ambiguous { retry_after, .. },
            ) => {
                let due_at = now.later(retry_after.unwrap_or_default().max(AGAIN_AFTER));
                Some((due_at, due_at.later(self.channels[lane].deadline)))
            }
            _ => None,
        };
        let name = sink.name();
        let sequel = Sequel { ask_at, again, others };
        let learn = async |store: &mut Store| store.learn(name, question, fate, &sequel, now).await;
        let learned = self.outbox.with(learn).await?;
        let (counter, is_dead) = match learned {
            Learned::Late | Learned::Open => return Ok(()),
            Learned::Arrived => (&self.counters.confirmed, false),
            Learned::Unconfirmed => (&self.counters.unconfirmed, false),
            Learned::SentAgain => (&self.counters.failed, false),
            Learned::Failed => (&self.counters.failed, true),
        };
        Counters::count(counter);
        if let Fate::Failed(error) = fate {
            if is_dead {
                Counters::count(&self.counters.dead);
            }
            let again = if is_dead { "" } else { ", and is sent once more" };
            let what = format!("a message that {name} accepted reached nobody{again}: {error}");
            trouble::report("failed", name, &what);
            self.lanes[lane].look_for_dead();
            self.lanes[lane].wake();
            self.tell_at = None;
            self.upkeep.count_soon();
        }
        Ok(())
    }
}

/// How many messages one question is about.
const MAX_QUESTIONS: usize = 50;

/// Less than a [`LEASE`].
const ASK_TIMEOUT: Duration = Duration::from_secs(60);

/// Between two questions about one message, also after a pause of the machine.
const MIN_PAUSE: Duration = Duration::from_secs(5);

/// How soon a message that nobody got is sent once more: a phone that is out of reach
/// has some time to come back.
const AGAIN_AFTER: Duration = Duration::from_secs(2 * 60);
