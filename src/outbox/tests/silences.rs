//! Silences: honoured by whoever joins or tells, kept, undone, and told once.

use super::*;
use crate::policy::matcher::{Conditions, Matcher};

const KEY: Uuid = Uuid::from_u128(0x5117);

pub(super) fn silence(matcher: &Matcher, from: SystemTime, until: SystemTime) -> SilenceRow {
    SilenceRow {
        public_id: "5117".to_owned(),
        run: Uuid::from_u128(1),
        conditions: matcher.conditions().unwrap().clone(),
        from,
        until,
        undone_at: None,
        why: Some("a migration".to_owned()),
        by: "a test".to_owned(),
        held: 0,
        kinds: Vec::new(),
        open: Vec::new(),
    }
}

fn of_b() -> Matcher {
    Matcher::new().message("b")
}

impl Bench {
    async fn silence(&mut self, seconds: u64, now: SystemTime) {
        let row = silence(&of_b(), now, now + Duration::from_secs(seconds));
        assert!(self.store.silence(KEY, row, now).await.unwrap());
    }

    async fn unsilence(&mut self, now: SystemTime) -> usize {
        self.store.unsilence(|key, _| key == KEY, now).await.unwrap()
    }

    /// What everybody with a phone was told, up to `until`, a minute after the other.
    async fn told_until(&mut self, from: u64, until: u64) -> Vec<(String, u64)> {
        let mut told = Vec::new();
        for second in (from..=until).step_by(30) {
            let now = t(second);
            while let Some(claim) = self.claim("sms", now).await {
                let notice = self.store.notice(&claim).await.unwrap();
                told.extend(notice.samples.into_iter().map(|it| (it.event.message, it.count)));
                self.store.deliver(&claim, None, 1, None, now).await.unwrap();
            }
        }
        told
    }
}

every_store! {
    async fn its_events_are_counted_and_told_once_at_its_end(bench: &mut Bench) {
        bench.silence(7200, t(0)).await;
        for second in 0..90 {
            let second = second * 60;
            bench.persist(&[captured_at("b", t(second)), captured_at("b too", t(second))], t(second)).await;
            bench.persist(&[captured_at("a", t(second))], t(second)).await;
        }
        bench.reopen().await;
        let told = bench.told_until(5400, 7199).await;
        assert!(!told.is_empty() && told.iter().all(|(message, _)| message == "a"), "{told:?}");
        let told = bench.told_until(7200, 12_000).await;
        let headline = "silenced for 2h: \"b\"; the first: b".to_owned();
        assert_eq!(told, [(headline, 180)]);
        bench.persist(&[captured_at("b", t(12_001))], t(12_001)).await;
        assert_eq!(bench.told_until(12_002, 12_002).await, [("b".to_owned(), 1)]);
    }

    async fn one_without_events_ends_without_a_word(bench: &mut Bench) {
        bench.silence(60, t(0)).await;
        assert_eq!(bench.told_until(0, 600).await, []);
    }

    async fn one_that_is_undone_tells_at_once_and_never_again(bench: &mut Bench) {
        bench.silence(7200, t(0)).await;
        bench.persist(&[captured_at("b", t(10))], t(10)).await;
        assert_eq!(bench.told_until(30, 90).await, []);
        assert_eq!(bench.unsilence(t(100)).await, 1);
        assert_eq!(bench.unsilence(t(101)).await, 0);
        bench.persist(&[captured_at("b", t(102))], t(102)).await;
        let told = bench.told_until(104, 8000).await;
        let headline = "silenced for 2h: \"b\"; the first: b".to_owned();
        assert_eq!(told, [(headline, 1), ("b".to_owned(), 1)]);
    }

    async fn what_it_does_not_mean_is_told_although_it_was_open_before(bench: &mut Bench) {
        bench.persist(&[captured_at("a", t(0)), captured_at("b", t(0))], t(0)).await;
        bench.silence(3600, t(0)).await;
        assert_eq!(bench.told_until(1, 3599).await, [("a".to_owned(), 1)]);
    }

    async fn what_tells_of_the_alerting_itself_is_never_silenced(bench: &mut Bench) {
        let row = silence(&Matcher::new(), t(0), t(3600));
        assert!(bench.store.silence(KEY, row, t(0)).await.unwrap());
        let dead = Captured { about: Some(About::Dead), ..captured_at("b", t(1)) };
        bench.persist(&[dead], t(1)).await;
        assert_eq!(bench.told_until(2, 60).await, [("b".to_owned(), 1)]);
    }

    async fn an_event_of_which_only_the_callsite_is_known_is_silenced_with_its_kind(bench: &mut Bench) {
        bench.silence(3600, t(0)).await;
        let known = captured_at("b", t(1));
        let counted = || Captured {
            is_stand_in: true,
            count: 1000,
            fingerprint: known.fingerprint,
            ..captured_at("event src/main.rs:7", t(2))
        };
        bench.persist(std::slice::from_ref(&known), t(1)).await;
        bench.persist(&[counted()], t(2)).await;
        assert_eq!(bench.told_until(3, 3599).await, []);
        assert_eq!(bench.told_until(3600, 3600).await[0].1, 1001);
    }

    async fn of_one_kind_only_what_it_means_is_silenced(bench: &mut Bench) {
        bench.silence(3600, t(0)).await;
        let of_kind = |message: &str, at| Captured { fingerprint: [7; 16], ..captured_at(message, at) };
        bench.persist(&[of_kind("order b failed", t(1))], t(1)).await;
        bench.persist(&[of_kind("order 18 failed", t(2))], t(2)).await;
        // What is told of one of them is not held back.
        bench.persist(&[of_kind("order b failed", t(3)), of_kind("order 18 failed", t(3))], t(3)).await;
        let told = bench.told_until(4, 3599).await;
        assert_eq!(told.first(), Some(&("order 18 failed".to_owned(), 3)), "{told:?}");
        let told = bench.told_until(3600, 3600).await;
        assert_eq!(told[0].1, 1, "{told:?}");
    }

    async fn there_are_not_too_many_and_old_ones_are_forgotten(bench: &mut Bench) {
        for number in 0..100 {
            let row = silence(&of_b(), t(0), t(60));
            assert!(bench.store.silence(Uuid::from_u128(number), row, t(0)).await.unwrap());
        }
        let row = || silence(&of_b(), t(0), t(3600));
        assert!(!bench.store.silence(KEY, row(), t(0)).await.unwrap());
        assert!(bench.store.silence(KEY, row(), t(60)).await.unwrap());
        assert_eq!(bench.silences().await, 101);
        let later = t(60) + KEPT_DEAD;
        assert!(bench.store.silence(Uuid::from_u128(1 << 64), silence(&of_b(), later, later + HOUR), later).await.unwrap());
        assert_eq!(bench.silences().await, 2);
    }
}

/// Memory knows the silences of a file that failed, and each event of theirs is counted
/// once.
#[cfg(feature = "sqlite")]
#[test]
fn it_holds_while_the_file_fails_and_afterwards() {
    check(sqlite_bench, async |bench| {
        bench.silence(3600, t(0)).await;
        bench.persist(&[captured_at("b", t(1))], t(1)).await;
        let ledger = bench.store.ledger().await.unwrap();
        let file = std::mem::replace(&mut bench.store, Store::Memory(Memory::default()));
        let Store::Sqlite(file) = file else { panic!("no file") };
        bench.store.inherit(&ledger);
        bench.persist(&[captured_at("b", t(2)), captured_at("b", t(2))], t(2)).await;
        assert_eq!(bench.told_until(3, 60).await, []);
        bench.store.move_to(file, &[], &bench.targets, t(61)).await.unwrap();
        bench.persist(&[captured_at("b", t(62))], t(62)).await;
        let Store::Sqlite(file) = &mut bench.store else { panic!("no file") };
        let held = file.ledger().await.unwrap().silences.values().map(|it| it.held).collect::<Vec<_>>();
        assert_eq!(held, [4]);
        assert_eq!(bench.told_until(63, 3599).await, []);
        assert_eq!(bench.told_until(3600, 4000).await.iter().map(|(_, count)| count).sum::<u64>(), 4);
    });
}

/// Of a file that is moved or damaged, the silences go along.
#[cfg(feature = "sqlite")]
#[test]
fn it_goes_along_to_another_file() {
    check(sqlite_bench, async |bench| {
        bench.silence(3600, t(0)).await;
        bench.persist(&[captured_at("b", t(1))], t(1)).await;
        let left = bench.store.leave(t(2)).await;
        let directory = tempfile::tempdir().unwrap();
        let Store::Sqlite(file) = open(&directory).await else { panic!("no file") };
        bench.store.move_to(file, &[left], &bench.targets, t(3)).await.unwrap();
        bench.directory = Some(directory);
        bench.persist(&[captured_at("b", t(4))], t(4)).await;
        assert_eq!(bench.told_until(5, 3599).await, []);
        assert_eq!(bench.told_until(3600, 3600).await.iter().map(|(_, count)| count).sum::<u64>(), 2);
    });
}

#[test]
fn an_error_that_is_silenced_is_none_by_which_a_run_ended_badly() {
    check(
        || async { Bench::new(Store::Memory(Memory::default()), None) },
        async |bench| {
            bench.silence(3600, t(0)).await;
            let maker = Maker {
                new_id: &*bench.new_id,
                run: bench.run,
                process: &bench.process,
                calendar: &bench.calendar,
                is_of_fleet: false,
            };
            for (message, is_error) in [("b", false), ("a", true)] {
                let batch = [captured_at(message, t(1))];
                let persisted = bench
                    .store
                    .persist(next_batch(), &batch, &Losses::new(), &maker, &bench.targets, t(1))
                    .await;
                assert_eq!(persisted.unwrap(), is_error, "{message}");
            }
        },
    );
}

impl Bench {
    /// How many silences are known.
    async fn silences(&mut self) -> usize {
        match &mut self.store {
            Store::Memory(memory) => memory.page.silences.values().count(),
            #[cfg(feature = "sqlite")]
            Store::Sqlite(file) => file.ledger().await.unwrap().silences.values().count(),
            #[cfg(feature = "postgres")]
            Store::Fleet(store) => store.export().await.silences.values().count(),
        }
    }
}

#[test]
fn conditions_are_kept_as_they_are() {
    let matcher = Matcher::new().target("a::b").message("reset").kind("1F");
    let json = serde_json::to_string(matcher.conditions().unwrap()).unwrap();
    assert_eq!(serde_json::from_str::<Conditions>(&json).unwrap(), *matcher.conditions().unwrap());
    assert!(Matcher::new().when(|_| true).conditions().is_none());
    assert_eq!(serde_json::from_str::<Conditions>("{}").unwrap(), Conditions::default());
}

/// What one process alone waits for, and what its clock does.
mod alone {
    use super::*;

    each_own_store! {
        async fn it_moves_with_the_clock_of_the_run_that_began_it(bench: &mut Bench) {
            bench.silence(600, t(36_000)).await;
            bench.persist(&[captured_at("b", t(36_000))], t(36_000)).await;
            bench.run = Uuid::from_u128(2);
            bench.store.shift(bench.run, -36_000_000).await.unwrap();
            bench.store.shift(Uuid::from_u128(1), -36_000_000).await.unwrap();
            bench.store.reconsider(t(0)).await.unwrap();
            bench.persist(&[captured_at("b", t(1))], t(1)).await;
            assert_eq!(bench.told_until(2, 599).await, []);
            assert_eq!(bench.told_until(600, 600).await.first().map(|(_, count)| *count), Some(2));
        }

        async fn what_was_open_before_it_is_put_off_until_its_end(bench: &mut Bench) {
            bench.persist(&[captured_at("b", t(0))], t(0)).await;
            bench.silence(3600, t(0)).await;
            assert!(bench.tell_with(&channel("sms"), true, t(2)).await.notice.is_none());
            assert_eq!(bench.store.pending(bench.run, Mark::ALL).await.unwrap(), 1, "the mail's");
            bench.persist(&[captured_at("b", t(3))], t(3)).await;
            assert_eq!(bench.told_until(4, 3599).await, []);
            let told = bench.told_until(3600, 9000).await;
            assert_eq!(told.iter().map(|(_, count)| count).sum::<u64>(), 2, "{told:?}");
        }
    }
}
