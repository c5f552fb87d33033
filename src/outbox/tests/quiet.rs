//! Silences of a fleet: each store learns what others began and ended.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::{silences::silence, *};
use crate::{
    outbox::{
        keep::turn,
        scope::Scope,
        store::{decide, keep},
    },
    policy::matcher::Matcher,
};

const KEY: Uuid = Uuid::from_u128(0x5117);

fn of_b() -> SilenceRow {
    silence(&Matcher::new().message("b"), t(0), t(7200))
}

fn ended(at: SystemTime) -> SilenceRow {
    SilenceRow { until: at, undone_at: Some(at), ..of_b() }
}

impl Store {
    /// The silences that it knows.
    async fn known(&mut self) -> Vec<KeyedSilence> {
        let known: Result<_, StoreError> =
            decide!(self, Scope::Silences, |page: &mut Page| page.keyed_silences());
        known.unwrap()
    }
}

impl Bench {
    async fn learn(&mut self, row: SilenceRow, now: SystemTime) {
        self.store.learn_silences(&[(KEY, row)], now).await.unwrap();
    }

    fn maker(&self) -> Maker<'_> {
        Maker {
            new_id: &*self.new_id,
            run: self.run,
            process: &self.process,
            calendar: &self.calendar,
            is_of_fleet: true,
        }
    }

    /// Counts events of an instance, and hands them over to `fleet`.
    async fn share(&mut self, batch: &[Captured], fleet: &mut Page, now: SystemTime) {
        let (number, losses, targets) = (next_batch(), Losses::new(), self.targets.clone());
        let mut store = std::mem::replace(&mut self.store, Store::Memory(Memory::default()));
        let maker = self.maker();
        store.persist(number, batch, &losses, &maker, &targets, now).await.unwrap();
        let (shares, _) = store.shares(100).await.unwrap();
        let places = fleet.take_shares(&shares, &BTreeMap::new(), &maker, &targets, now);
        assert!(places.iter().all(Option::is_some));
        self.store = store;
    }
}

/// When it is decided what each recipient is told of the incidents with this fingerprint.
fn due(page: &Page, fingerprint: &[u8]) -> Vec<Option<SystemTime>> {
    let is_meant = |id: &i64| page.incidents.get(id).is_some_and(|it| it.fingerprint == fingerprint);
    page.standings.iter().filter(|((id, _), _)| is_meant(id)).map(|(_, known)| known.due_at).collect()
}

every_store! {
    async fn one_that_began_elsewhere_holds_back_here_from_then_on(bench: &mut Bench) {
        bench.persist(&[captured_at("b one", t(1))], t(1)).await;
        let elsewhere = SilenceRow { held: 5, kinds: vec!["00".to_owned()], ..of_b() };
        bench.learn(elsewhere.clone(), t(2)).await;
        // What the others held back is theirs, and what is open here only this store knows.
        let row = bench.store.known().await[0].1.clone();
        assert_eq!((row.held, row.kinds.len(), row.open.len()), (0, 0, 1));
        bench.persist(&[captured_at("b two", t(3)), captured_at("a", t(3))], t(3)).await;
        // To learn it again changes nothing.
        bench.learn(elsewhere, t(4)).await;
        assert_eq!(bench.store.known().await[0].1.held, 1);
        assert_eq!(bench.told("sms", t(10)).await, [("a".to_owned(), 1)]);
    }

    async fn one_that_was_ended_elsewhere_ends_here_and_is_told(bench: &mut Bench) {
        bench.learn(of_b(), t(0)).await;
        bench.persist(&[captured_at("b one", t(1))], t(1)).await;
        bench.tell("sms", t(60)).await;
        assert_eq!(bench.store.next_due("sms").await.unwrap(), None);
        bench.learn(ended(t(50)), t(61)).await;
        let told = bench.told("sms", t(62)).await;
        assert!(told.len() == 1 && told[0].0.contains("silenced for 2h"), "{told:?}");
        let row = bench.store.known().await[0].1.clone();
        assert!(row.undone_at.is_some() && row.until <= t(61));
        // A store that still has it in force does not begin it anew.
        bench.learn(of_b(), t(63)).await;
        assert!(bench.store.known().await[0].1.until <= t(61));
    }

    async fn one_that_is_over_never_begins(bench: &mut Bench) {
        bench.learn(of_b(), t(7200)).await;
        bench.learn(ended(t(50)), t(60)).await;
        assert!(bench.store.known().await.is_empty());
    }
}

#[test]
fn what_an_instance_counts_before_it_knows_is_told_at_the_end() {
    let make = || async { Bench::new(Store::Memory(Memory::default()), None) };
    check(make, async |bench| {
        let mut fleet = Page::default();
        assert!(fleet.silence(KEY, of_b(), t(0)));
        let meant = fingerprint("b one", Level::ERROR);
        bench.share(&[captured_at("b one", t(1)), captured_at("a", t(1))], &mut fleet, t(1)).await;
        assert_eq!(due(&fleet, &meant), [Some(t(7200)); 2]);
        let other = fingerprint("a", Level::ERROR);
        assert!(due(&fleet, &other).iter().all(|at| *at < Some(t(60))));
        assert_eq!(fleet.unsilence(|_, _| true, t(30)), 1);
        assert_eq!(due(&fleet, &meant), [Some(t(30)); 2]);
    });
}

#[test]
fn what_an_instance_holds_back_is_told_when_the_fleets_silence_ends() {
    let make = || async { Bench::new(Store::Memory(Memory::default()), None) };
    check(make, async |bench| {
        // Its clock is an hour ahead, or it has not heard that the silence was ended.
        let late = SilenceRow { until: t(10_800), ..of_b() };
        for (row, at) in [(of_b(), t(7200)), (ended(t(0)), t(1) + SETTLE)] {
            let mut fleet = Page::default();
            fleet.silences.insert(KEY, row);
            bench.store = Store::Memory(Memory::default());
            bench.learn(late.clone(), t(0)).await;
            bench.share(&[captured_at("b one", t(1))], &mut fleet, t(1)).await;
            assert_eq!(due(&fleet, KEY.as_bytes())[0], Some(at));
            let message = &fleet.firsts.iter().next().unwrap().1.message;
            assert!(message.contains("silenced for"), "{message}");
        }
    });
}

/// What happens to the silences of two stores.
#[derive(Clone, Debug)]
enum Step {
    Begin { at: usize, key: u128, lasts: u64 },
    End { at: usize, key: u128 },
    Tell { from: usize },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..2_usize, 0..4_u128, 1..40_u64).prop_map(|(at, key, lasts)| Step::Begin { at, key, lasts }),
        (0..2_usize, 0..4_u128).prop_map(|(at, key)| Step::End { at, key }),
        (0..2_usize).prop_map(|from| Step::Tell { from }),
    ]
}

proptest! {
    #[test]
    fn stores_that_told_each_other_agree_which_are_in_force(steps in prop::collection::vec(step(), 1..40)) {
        let mut pages = [Page::default(), Page::default()];
        let mut begun = BTreeSet::new();
        let mut undone = BTreeSet::new();
        let mut now = t(0);
        for step in steps {
            now += Duration::from_secs(1);
            match step {
                // A key is drawn once.
                Step::Begin { at, key, lasts } if begun.insert(key) => {
                    let until = now + Duration::from_secs(lasts);
                    let row = silence(&Matcher::new().message("b"), now, until);
                    prop_assert!(pages[at].silence(Uuid::from_u128(key), row, now));
                }
                Step::Begin { .. } => (),
                Step::End { at, key } => {
                    if pages[at].unsilence(|it, _| it == Uuid::from_u128(key), now) > 0 {
                        undone.insert(Uuid::from_u128(key));
                    }
                }
                Step::Tell { from } => {
                    let known = pages[from].keyed_silences();
                    pages[1 - from].learn_silences(&known, now);
                }
            }
        }
        for from in [0, 1, 0] {
            let known = pages[from].keyed_silences();
            pages[1 - from].learn_silences(&known, now);
        }
        let in_force = |page: &Page| -> BTreeSet<Uuid> {
            page.silences.iter().filter(|(_, it)| it.until > now).map(|(key, _)| *key).collect()
        };
        prop_assert_eq!(in_force(&pages[0]), in_force(&pages[1]));
        prop_assert!(in_force(&pages[0]).is_disjoint(&undone), "who ends one ends it for all");
    }
}
