//! What became of messages that a provider took.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{super::*, Claimed, Side, Sink, is_event};
use crate::sink::Fate;

/// What a provider says of a message that it took.
#[derive(Clone, Copy, Debug)]
pub(in super::super) enum Becomes {
    Open,
    /// Nobody asks again.
    Unknown,
    Arrived,
    /// Nobody got it.
    Failed,
    /// The same, and it may be sent once more.
    FailedForNow,
}

/// What was claimed of those that were taken, by their keys.
pub(super) type Asked = BTreeMap<Uuid, Claimed>;

pub(super) fn becomes() -> impl Strategy<Value = Becomes> {
    use Becomes::{Arrived, Failed, FailedForNow, Open, Unknown};
    prop::sample::select(&[Open, Unknown, Arrived, Failed, FailedForNow][..])
}

impl Side {
    /// Answers all questions that are due. Returns what came of them.
    pub(super) async fn learn(&mut self, sink: Sink, becomes: Becomes, now: SystemTime) -> Vec<String> {
        let store = &mut self.bench.store;
        let questions = store.inquire(sink, 50, now + 70 * SETTLE, now).await.unwrap();
        let nobody = || Fate::Failed(SendError::not_processed("30003"));
        let (fate, ask_at, again) = match becomes {
            Becomes::Open => (Fate::Open, Some(now + 60 * SETTLE), None),
            Becomes::Unknown => (Fate::Open, None, None),
            Becomes::Arrived => (Fate::Arrived, None, None),
            Becomes::Failed => (nobody(), None, None),
            Becomes::FailedForNow => (nobody(), None, Some((now + SETTLE, now + HOUR))),
        };
        let sequel = Sequel { ask_at, again, others: &[] };
        let mut came = Vec::new();
        for question in questions {
            let learned = self.bench.store.learn(sink, &question, &fate, &sequel, now).await.unwrap();
            self.note_learned(question.key, learned);
            came.push(format!("{} {learned:?}", question.recipient));
        }
        came.sort();
        came
    }

    /// What nobody got is reported no more; what is sent again is pending again.
    fn note_learned(&mut self, key: Uuid, learned: Learned) {
        if matches!(learned, Learned::Late | Learned::Open) {
            return;
        }
        let Some((claim, counts)) = self.asked.remove(&key) else { return };
        for (kind, incident, count) in counts {
            let is_lost = matches!(learned, Learned::SentAgain | Learned::Failed);
            if is_lost && is_event(&kind) {
                *self.delivered.get_mut(&(incident, claim.recipient.clone())).unwrap() -= count;
            }
            if learned == Learned::SentAgain {
                *self.settled.get_mut(&(kind, claim.recipient.clone())).unwrap() -= count;
            }
        }
    }

    /// Hears that whatever was taken arrived. Returns when there is more to ask.
    pub(super) async fn hear_of_all(&mut self, sink: Sink, now: SystemTime) -> Option<SystemTime> {
        self.learn(sink, Becomes::Arrived, now).await;
        self.bench.store.next_inquiry(sink).await.unwrap()
    }
}
