//! What can happen to a store, a step after the other; and its books: where
//! every event is that it took.

use std::collections::{BTreeMap, VecDeque};

use proptest::prelude::*;

use super::*;
use crate::store::bundle::{Bundle, BundledIncident};

/// One thing that happens, a second after the other or more.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// Events are captured: which, how many, and whether they are silenced.
    Persist(Vec<(u8, u8, bool)>),
    Lose(u8),
    Tell {
        sink: Sink,
        hurried: bool,
    },
    TellOfDead(Sink),
    Claim {
        sink: Sink,
        limit: usize,
    },
    /// The oldest claim gets its answer: one that may come too late.
    Deliver,
    Retry {
        is_ambiguous: bool,
        pause: u64,
    },
    Release(u64),
    Bury,
    /// Its process is killed: no answer ever comes.
    Forget,
    Wait(u64),
    /// The process starts again.
    Reopen,
    /// Memory goes over into a file that is new.
    Handover,
    /// The clock jumps by so many minutes.
    ClockJump(i64),
    /// The file fails, and memory takes over; or the file works again.
    Outage,
}

pub(super) type Sink = &'static str;

pub(super) const SINKS: [Sink; 2] = ["sms", "mail"];

pub(super) fn step() -> impl Strategy<Value = Step> {
    let sink = || prop_oneof![Just("sms"), Just("mail")];
    let silent = || prop_oneof![9 => Just(false), 1 => Just(true)];
    let pause = || prop_oneof![1_u64..200, 1_u64..4000];
    prop_oneof![
        6 => proptest::collection::vec((0_u8..6, 1_u8..40, silent()), 1..4).prop_map(Step::Persist),
        1 => (1_u8..9).prop_map(Step::Lose),
        8 => (sink(), proptest::bool::weighted(0.2)).prop_map(|(sink, hurried)| Step::Tell { sink, hurried }),
        1 => sink().prop_map(Step::TellOfDead),
        6 => (sink(), 1_usize..4).prop_map(|(sink, limit)| Step::Claim { sink, limit }),
        4 => Just(Step::Deliver),
        3 => (any::<bool>(), pause()).prop_map(|(is_ambiguous, pause)| Step::Retry { is_ambiguous, pause }),
        1 => pause().prop_map(Step::Release),
        1 => Just(Step::Bury),
        1 => Just(Step::Forget),
        6 => prop_oneof![1_u64..100, 100_u64..2500, 2500_u64..20_000].prop_map(Step::Wait),
        1 => Just(Step::Reopen),
        1 => Just(Step::Handover),
        1 => (-600_i64..600).prop_map(Step::ClockJump),
        1 => Just(Step::Outage),
    ]
}

/// What one store did at one step, but for the keys, which are random.
#[derive(Debug, PartialEq)]
pub(super) enum Did {
    Told(bool, Option<SystemTime>),
    Dead(Option<u64>),
    Claimed(Vec<String>),
    Settled(bool),
    Hastened(u64),
    Nothing,
}

/// How many events of which kind, for whom.
type Counts = BTreeMap<(String, String), u64>;

/// A store at work, and what it has to answer for.
pub(super) struct Side {
    pub(super) bench: Bench,
    /// With windows and budgets.
    is_limited: bool,
    /// What is claimed, and how many of which events that tells of.
    pub(super) claims: VecDeque<(Claim, Vec<(String, u64)>)>,
    /// Of the file, while memory has taken over.
    pub(super) deferred: VecDeque<(Claim, Vec<(String, u64)>)>,
    captured: Counts,
    settled: Counts,
    /// What nobody is told of any more: somebody else was.
    covered: Counts,
}

impl Side {
    pub(super) fn new(mut bench: Bench, is_limited: bool, has_mail: bool) -> Self {
        if is_limited {
            bench.targets.iter_mut().for_each(|target| target.rhythm = default_channel(target.sink).rhythm);
        }
        let last_id = std::cell::Cell::new(0);
        bench.new_id = Box::new(move || {
            last_id.set(last_id.get() + 1);
            last_id.get().to_string()
        });
        bench.targets.truncate(1 + usize::from(has_mail));
        let (claims, deferred) = (VecDeque::new(), VecDeque::new());
        let (captured, settled, covered) = (Counts::new(), Counts::new(), Counts::new());
        Self { bench, is_limited, claims, deferred, captured, settled, covered }
    }

    fn channel(&self, sink: Sink) -> Channel {
        if self.is_limited { default_channel(sink) } else { channel(sink) }
    }

    pub(super) async fn act(&mut self, step: &Step, now: SystemTime) -> Did {
        match step {
            Step::Persist(events) => {
                let batch = events.iter().map(|(kind, count, is_silenced)| {
                    let level = if kind % 3 == 2 { Level::WARN } else { Level::ERROR };
                    let captured = captured(&kind_name(*kind), level);
                    Captured {
                        event: Event { at: now, ..captured.event },
                        last_at: now,
                        count: (*count).into(),
                        not_before: is_silenced.then(|| now + HOUR / 2),
                        ..captured
                    }
                });
                let batch: Vec<_> = batch.collect();
                for captured in &batch {
                    self.capture(&captured.event.message, captured.event.level, captured.count);
                }
                self.bench.persist(&batch, now).await;
                Did::Nothing
            }
            Step::Lose(count) => {
                let losses = Losses::from([(DropReason::QueueFull, (*count).into())]);
                self.capture("lost", Level::ERROR, (*count).into());
                self.bench.persist_with(&[], &losses, now).await;
                Did::Nothing
            }
            Step::Tell { sink, hurried } => {
                let told = self.bench.tell_with(&self.channel(sink), *hurried, now).await;
                Did::Told(told.notice.is_some(), told.next)
            }
            Step::TellOfDead(sink) => match self.bench.targets.len() {
                1 => Did::Nothing,
                _ => Did::Dead(self.bench.tell_of_dead(sink, now - HOUR, now).await),
            },
            Step::Claim { sink, limit } => Did::Claimed(self.claim(sink, *limit, now).await),
            Step::Deliver => Did::Settled(
                self.answer(now, async |store, claim| store.deliver(claim, None, 2, now).await).await,
            ),
            Step::Bury => Did::Settled(
                self.answer(now, async |store, claim| store.bury(claim, "21211", now).await).await,
            ),
            Step::Retry { is_ambiguous, pause } => {
                let error =
                    if *is_ambiguous { SendError::ambiguous("cut") } else { SendError::not_processed("503") };
                let due_at = now + Duration::from_secs(*pause);
                let Some((claim, _)) = self.claims.pop_front() else { return Did::Nothing };
                Did::Settled(self.bench.store.retry(&claim, &error, due_at).await.unwrap())
            }
            Step::Release(pause) => {
                let due_at = now + Duration::from_secs(*pause);
                let Some((claim, _)) = self.claims.pop_front() else { return Did::Nothing };
                Did::Settled(self.bench.store.release(&claim, None, due_at).await.unwrap())
            }
            Step::Forget => {
                self.claims.pop_front();
                Did::Nothing
            }
            Step::ClockJump(_) => {
                self.bench.store.reconsider(now).await.unwrap();
                Did::Hastened(self.bench.store.hasten(now + 2 * HOUR / 60, now + HOUR, now).await.unwrap())
            }
            Step::Reopen => {
                self.bench.run = Uuid::from_u128(self.bench.run.as_u128() + 1);
                // During an outage the file cannot be opened.
                if matches!(self.bench.store, Store::Sqlite(_)) {
                    self.bench.reopen().await;
                }
                Did::Nothing
            }
            Step::Wait(_) | Step::Handover | Step::Outage => Did::Nothing,
        }
    }

    fn capture(&mut self, kind: &str, level: Level, count: u64) {
        for target in self.bench.targets.iter().filter(|target| level <= target.level) {
            *self.captured.entry((kind.to_owned(), target.recipient.clone())).or_default() += count;
        }
    }

    async fn claim(&mut self, sink: Sink, limit: usize, now: SystemTime) -> Vec<String> {
        let store = &mut self.bench.store;
        let mut claims = store.claim(sink, limit, now + 70 * SETTLE, now).await.unwrap();
        claims.sort_by_key(|claim| claim.key);
        let mut told = Vec::new();
        for claim in claims {
            let notice = store.notice(&claim).await.unwrap();
            let Claim { recipient, attempt, token, is_doubtful, expires_at, .. } = &claim;
            told.push(format!("{recipient} {attempt} {token} {is_doubtful} {expires_at:?} {notice:?}"));
            let samples = notice.samples.iter().map(|sample| (sample.event.message.clone(), sample.count));
            let losses = notice.losses.values().map(|count| ("lost".to_owned(), *count));
            let counts = samples.chain(losses).collect();
            self.claims.push_back((claim, counts));
        }
        told
    }

    /// Settles the oldest claim for good. False if it came too late, or if there
    /// is none.
    async fn answer(
        &mut self,
        _now: SystemTime,
        settle: impl AsyncFnOnce(&mut Store, &Claim) -> Result<bool, StoreError>,
    ) -> bool {
        let Some((claim, counts)) = self.claims.pop_front() else { return false };
        let is_settled = settle(&mut self.bench.store, &claim).await.unwrap();
        for (kind, count) in counts.into_iter().filter(|_| is_settled) {
            *self.settled.entry((kind, claim.recipient.clone())).or_default() += count;
        }
        is_settled
    }

    /// Everything that is not settled.
    pub(super) async fn bundle(&mut self) -> Bundle {
        match &mut self.bench.store {
            Store::Memory(memory) => memory.export().unwrap(),
            Store::Sqlite(file) => file.export().await,
        }
    }

    /// Fails unless every event that was taken is in a message that was settled,
    /// or is pending, or is still to be told.
    pub(super) fn balance(&mut self, bundle: &Bundle) -> Result<(), TestCaseError> {
        let mut kinds = BTreeMap::new();
        let mut known = self.settled.clone();
        for incident in &bundle.incidents {
            let kind = kind_of(incident);
            for standing in &incident.standings {
                prop_assert!(standing.told <= incident.count, "more is told than happened");
                if standing.due_at.is_some() {
                    let untold = u64::try_from(incident.count - standing.told).unwrap();
                    *known.entry((kind.clone(), standing.recipient.clone())).or_default() += untold;
                }
            }
            kinds.insert(incident.id, kind);
        }
        for notice in &bundle.notices {
            for item in &notice.items {
                let kind = kinds[&item.incident_id].clone();
                let pending = u64::try_from(item.count).unwrap();
                *known.entry((kind, notice.recipient.clone())).or_default() += pending;
            }
        }
        let has_mail = self.bench.targets.len() > 1;
        for (who, captured) in &self.captured {
            let known = known.get(who).copied().unwrap_or(0);
            let covered = self.covered.entry(who.clone()).or_default();
            prop_assert!(known + *covered <= *captured, "{:?}: {} of {} are told", who, known, captured);
            let is_coverable = has_mail && who.1 == "+1";
            prop_assert!(is_coverable || known == *captured, "{:?}: {} of {} are left", who, known, captured);
            *covered = captured - known;
        }
        Ok(())
    }

    /// Goes on with nothing new, and a provider that takes everything, until
    /// nothing is left to do. Everybody then knows of everything.
    pub(super) async fn drain(&mut self, mut now: SystemTime) -> Result<(), TestCaseError> {
        for _ in 0..500 {
            let mut next: Option<SystemTime> = None;
            for sink in SINKS {
                let told = self.bench.tell_with(&self.channel(sink), false, now).await;
                self.claim(sink, 100, now).await;
                while self.answer(now, async |store, claim| store.deliver(claim, None, 2, now).await).await {}
                self.claims.clear();
                let due = self.bench.store.next_due(sink).await.unwrap();
                next = [next, told.next, due].into_iter().flatten().min();
            }
            match next {
                Some(next) => now = now.max(next),
                None => break,
            }
        }
        // What nobody is to be told of ends, too: a day after any jump of the clock.
        self.bench.persist(&[], now + 24 * HOUR).await;
        self.bench.tell("sms", now + 24 * HOUR).await;
        let bundle = self.bundle().await;
        self.balance(&bundle)?;
        let left = |incident: &&BundledIncident| incident.standings.iter().any(|it| it.due_at.is_some());
        prop_assert_eq!(bundle.incidents.iter().filter(left).count(), 0, "something is never told");
        prop_assert_eq!(bundle.notices.len(), 0, "something is never sent");
        for ((kind, recipient), covered) in &self.covered {
            let mail = self.settled.get(&(kind.clone(), "a@b".to_owned()));
            prop_assert!(
                *covered == 0 || mail.is_some(),
                "{}: nobody told {} of {}",
                kind,
                recipient,
                covered
            );
        }
        Ok(())
    }
}

fn kind_name(kind: u8) -> String {
    char::from(b'a' + kind).to_string()
}

fn kind_of(incident: &BundledIncident) -> String {
    match (&incident.about, &incident.payload) {
        (None, Some(payload)) => serde_json::from_str::<Event>(payload).unwrap().message,
        (about, _) if about.as_deref().is_some_and(|about| about.starts_with("loss:")) => "lost".to_owned(),
        (about, _) => about.clone().unwrap_or_default(),
    }
}
