//! What can happen to a store, a step after the other.

use std::collections::{BTreeMap, VecDeque};

use proptest::prelude::*;

use super::{silences::silence, *};
use crate::policy::matcher::{Matcher, first_of_silenced};

mod books;
mod receipts;
use receipts::Asked;
pub(super) use receipts::Becomes;

/// One thing that happens, a second after the other or more.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// Events are captured: which, how many, and whether they are silenced.
    Persist(Vec<(u8, u8, bool)>),
    Lose(u8),
    /// A kind is silenced for so many seconds; or it is no more.
    Silence(u8, u64),
    Unsilence(u8),
    Tell {
        sink: Sink,
        hurried: bool,
    },
    TellOfDead(Sink),
    Claim {
        sink: Sink,
        limit: usize,
    },
    /// The oldest claim gets its answer: one that may come too late. If its provider says
    /// more, it is asked later what became of the message.
    Deliver {
        asks: bool,
    },
    /// What is asked of those that a sink's provider took has this answer.
    Learn(Sink, Becomes),
    Retry {
        is_ambiguous: bool,
        pause: u64,
    },
    Release(u64),
    Bury,
    /// The provider refuses the recipient for good.
    Refuse,
    /// The oldest claim is not attempted, if its recipient was refused within the hour.
    SkipRefused,
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
        1 => (0_u8..6, 1_u64..10_000).prop_map(|(kind, seconds)| Step::Silence(kind, seconds)),
        1 => (0_u8..6).prop_map(Step::Unsilence),
        8 => (sink(), proptest::bool::weighted(0.2)).prop_map(|(sink, hurried)| Step::Tell { sink, hurried }),
        1 => sink().prop_map(Step::TellOfDead),
        6 => (sink(), 1_usize..4).prop_map(|(sink, limit)| Step::Claim { sink, limit }),
        4 => any::<bool>().prop_map(|asks| Step::Deliver { asks }),
        2 => (sink(), receipts::becomes()).prop_map(|(sink, becomes)| Step::Learn(sink, becomes)),
        3 => (any::<bool>(), pause()).prop_map(|(is_ambiguous, pause)| Step::Retry { is_ambiguous, pause }),
        1 => pause().prop_map(Step::Release),
        1 => Just(Step::Bury),
        1 => Just(Step::Refuse),
        2 => Just(Step::SkipRefused),
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
    PulledForward(u64),
    Silenced(usize),
    Learned(Vec<String>),
    Nothing,
}

/// How many events of which kind, for whom.
type Counts = BTreeMap<(String, String), u64>;

/// A claim, and how many events of which kind it tells of, by incident.
pub(super) type Claimed = (Claim, Vec<(String, String, u64)>);

/// A store at work, and what it has to answer for.
pub(super) struct Side {
    pub(super) bench: Bench,
    /// With windows and budgets.
    is_limited: bool,
    pub(super) claims: VecDeque<Claimed>,
    /// Of the file, while memory has taken over.
    pub(super) deferred: VecDeque<Claimed>,
    /// What was taken, and is asked after.
    pub(super) asked: Asked,
    /// Of the file, while memory has taken over.
    pub(super) deferred_asked: Asked,
    /// What was over when the store before this one handed over.
    pub(super) past: EventCounts,
    /// How many events there were.
    events: u64,
    /// How many silences were begun.
    silences: u128,
    /// How many of them were delivered, by incident and recipient.
    delivered: Counts,
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
        Self {
            bench,
            is_limited,
            claims: VecDeque::new(),
            deferred: VecDeque::new(),
            asked: Asked::new(),
            deferred_asked: Asked::new(),
            past: EventCounts::default(),
            events: 0,
            silences: 0,
            delivered: Counts::new(),
            captured: Counts::new(),
            settled: Counts::new(),
            covered: Counts::new(),
        }
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
                    self.events += captured.count;
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
            Step::Silence(kind, seconds) => {
                self.silences += 1;
                let matcher = Matcher::new().message(kind_name(*kind));
                let row = silence(&matcher, now, now + Duration::from_secs(*seconds));
                let key = Uuid::from_u128(self.silences);
                Did::Silenced(usize::from(self.bench.store.silence(key, row, now).await.unwrap()))
            }
            Step::Unsilence(kind) => {
                let name = Some(kind_name(*kind));
                let is_meant = |_, row: &SilenceRow| row.conditions.message == name;
                Did::Silenced(self.bench.store.unsilence(is_meant, now).await.unwrap())
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
            Step::Deliver { asks } => Did::Settled(self.deliver(*asks, now).await),
            Step::Learn(sink, becomes) => Did::Learned(self.learn(sink, *becomes, now).await),
            Step::Bury => Did::Settled(
                self.answer(false, async |store, claim| store.bury(claim, "21211", now).await).await,
            ),
            Step::Refuse => Did::Settled(
                self.answer(false, async |store, claim| {
                    store.refuse(claim, now).await?;
                    store.bury(claim, "21610", now).await
                })
                .await,
            ),
            Step::SkipRefused => Did::Settled(
                self.answer(false, async |store, claim| store.skip_refused(claim, now - HOUR, now).await)
                    .await,
            ),
            Step::Retry { is_ambiguous, pause } => {
                let error =
                    if *is_ambiguous { SendError::ambiguous("cut") } else { SendError::not_processed("503") };
                let due_at = now + Duration::from_secs(*pause);
                let Some((claim, _)) = self.claims.pop_front() else { return Did::Nothing };
                Did::Settled(self.bench.store.retry(&claim, &error, due_at, None).await.unwrap())
            }
            Step::Release(pause) => {
                let due_at = now + Duration::from_secs(*pause);
                let Some((claim, _)) = self.claims.pop_front() else { return Did::Nothing };
                Did::Settled(self.bench.store.release(&claim, None, due_at, None).await.unwrap())
            }
            Step::Forget => {
                self.claims.pop_front();
                Did::Nothing
            }
            Step::ClockJump(_) => {
                self.bench.store.reconsider(now).await.unwrap();
                Did::PulledForward(
                    self.bench.store.pull_forward(now + 2 * HOUR / 60, now + HOUR, now).await.unwrap(),
                )
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
            let samples = notice
                .samples
                .iter()
                .map(|sample| (kind_in(&sample.event.message), sample.incident.clone(), sample.count));
            let losses = notice.losses.values().map(|count| ("lost".to_owned(), String::new(), *count));
            let counts = samples.chain(losses).collect();
            self.claims.push_back((claim, counts));
        }
        told
    }

    async fn deliver(&mut self, asks: bool, now: SystemTime) -> bool {
        let ask_at = asks.then_some(now + 10 * SETTLE);
        let claimed = self.claims.front().cloned().filter(|_| asks);
        let deliver =
            async |store: &mut Store, claim: &Claim| store.deliver(claim, None, 2, ask_at, now).await;
        let is_settled = self.answer(true, deliver).await;
        self.asked.extend(claimed.filter(|_| is_settled).map(|claimed| (claimed.0.key, claimed)));
        is_settled
    }

    /// Settles the oldest claim for good. False if it came too late, or if there
    /// is none.
    async fn answer(
        &mut self,
        is_delivered: bool,
        settle: impl AsyncFnOnce(&mut Store, &Claim) -> Result<bool, StoreError>,
    ) -> bool {
        let Some((claim, counts)) = self.claims.pop_front() else { return false };
        let is_settled = settle(&mut self.bench.store, &claim).await.unwrap();
        for (kind, incident, count) in counts.into_iter().filter(|_| is_settled) {
            if is_delivered && is_event(&kind) {
                *self.delivered.entry((incident, claim.recipient.clone())).or_default() += count;
            }
            *self.settled.entry((kind, claim.recipient.clone())).or_default() += count;
        }
        is_settled
    }
}

/// Whether it is one of those that are captured.
fn is_event(kind: &str) -> bool {
    kind.len() == 1
}

/// The kind of the event that says this, also if it stands for what was silenced.
fn kind_in(message: &str) -> String {
    first_of_silenced(message).unwrap_or(message).to_owned()
}

fn kind_name(kind: u8) -> String {
    char::from(b'a' + kind).to_string()
}
