//! Whatever happens in whatever order, the file does what memory does.

use std::collections::VecDeque;

use proptest::prelude::*;

use super::*;

/// One thing that happens, a second after the other or more.
#[derive(Clone, Debug)]
enum Step {
    /// Events are captured: which messages, at which levels.
    Persist(Vec<(u8, bool)>),
    Close,
    Claim(bool),
    /// The oldest claim gets its answer: one that may come too late.
    Deliver,
    Retry(u64),
    Release(u64),
    Bury,
    /// Its process is killed: no answer ever comes.
    Forget,
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        proptest::collection::vec((0_u8..4, any::<bool>()), 1..6).prop_map(Step::Persist),
        Just(Step::Close),
        any::<bool>().prop_map(Step::Claim),
        any::<bool>().prop_map(Step::Claim),
        Just(Step::Deliver),
        (1_u64..200).prop_map(Step::Retry),
        (1_u64..200).prop_map(Step::Release),
        Just(Step::Bury),
        Just(Step::Forget),
        (1_u64..100).prop_map(Step::Wait),
    ]
}

/// What one store did at one step, but for the keys, which are random.
#[derive(Debug, PartialEq)]
enum Did {
    Notice(i64),
    Claimed(Vec<Told>),
    Settled(bool),
    Nothing,
}

/// A claim, with the events that it is to tell and how often they happened.
#[derive(Debug, PartialEq)]
struct Told {
    notice_id: i64,
    recipient: String,
    attempt: u32,
    token: i64,
    is_doubtful: bool,
    samples: Vec<(String, u64)>,
}

struct Side {
    bench: Bench,
    open: Option<i64>,
    claims: VecDeque<Claim>,
}

impl Side {
    async fn act(&mut self, step: &Step, now: SystemTime) -> Did {
        let store = &mut self.bench.store;
        match step {
            Step::Persist(events) => {
                let level = |is_error| if is_error { Level::ERROR } else { Level::WARN };
                let batch: Vec<_> = events
                    .iter()
                    .map(|(name, is_error)| captured(&format!("{name}"), level(*is_error)))
                    .collect();
                let notice = self.bench.persist(self.open, &batch, now).await;
                self.open = Some(notice);
                Did::Notice(notice)
            }
            Step::Close => {
                if let Some(open) = self.open.take() {
                    store.close(open, now).await.unwrap();
                }
                Did::Nothing
            }
            Step::Claim(is_sms) => {
                let sink = if *is_sms { "sms" } else { "mail" };
                let mut claims = store.claim(sink, 100, now + 70 * SETTLE, now).await.unwrap();
                claims.sort_by_key(|claim| claim.notice_id);
                let mut told = Vec::new();
                for claim in &claims {
                    let notice = store.notice(claim).await.unwrap();
                    let samples =
                        notice.samples.into_iter().map(|sample| (sample.event.message, sample.count));
                    let Claim { notice_id, recipient, attempt, token, is_doubtful, .. } = claim.clone();
                    let samples = samples.collect();
                    told.push(Told { notice_id, recipient, attempt, token, is_doubtful, samples });
                }
                self.claims.extend(claims);
                Did::Claimed(told)
            }
            Step::Wait(_) => Did::Nothing,
            Step::Deliver | Step::Retry(_) | Step::Release(_) | Step::Bury | Step::Forget => {
                let Some(claim) = self.claims.pop_front() else {
                    return Did::Nothing;
                };
                Did::Settled(match step {
                    Step::Deliver => store.deliver(&claim, None, now).await.unwrap(),
                    Step::Retry(pause) => {
                        let error = SendError::ambiguous("500");
                        store.retry(&claim, &error, now + Duration::from_secs(*pause)).await.unwrap()
                    }
                    Step::Release(pause) => {
                        store.release(&claim, None, now + Duration::from_secs(*pause)).await.unwrap()
                    }
                    Step::Bury => store.bury(&claim, "21211", now).await.unwrap(),
                    Step::Persist(_) | Step::Close | Step::Claim(_) | Step::Wait(_) | Step::Forget => false,
                })
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_file_does_what_memory_does(steps in proptest::collection::vec(step(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let memory = Bench::new(Store::Memory(Memory::default()), None);
            let mut sides = [memory, sqlite_bench().await]
                .map(|bench| Side { bench, open: None, claims: VecDeque::new() });
            let mut now = t(0);
            for step in &steps {
                let waited = if let Step::Wait(seconds) = step { *seconds } else { 1 };
                now += Duration::from_secs(waited);
                let [memory, file] = &mut sides;
                prop_assert_eq!(memory.act(step, now).await, file.act(step, now).await, "{:?}", step);
                for sink in ["sms", "mail"] {
                    let due = memory.bench.store.next_due(sink).await.unwrap();
                    prop_assert_eq!(due, file.bench.store.next_due(sink).await.unwrap(), "{:?}", step);
                }
                let run = memory.bench.run;
                let pending = memory.bench.store.pending(run, Mark::ALL).await.unwrap();
                prop_assert_eq!(pending, file.bench.store.pending(run, Mark::ALL).await.unwrap());
            }
            Ok(())
        })?;
    }
}
