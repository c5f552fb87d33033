//! Of upkeep: due times after the clock jumped, and what is never deleted.

use super::*;

const MINUTE: Duration = Duration::from_secs(60);
const DAY: u64 = 24 * 3600;

#[test]
fn only_what_is_still_to_come_shows_that_the_clock_jumped() {
    let memory = || async { Bench::new(Store::Memory(Memory::default()), None) };
    check(memory, async |bench| {
        fn are_ahead(bench: &Bench, seconds: [u64; 3]) -> [bool; 3] {
            let Store::Memory(memory) = &bench.store else { panic!("no memory") };
            seconds.map(|second| memory.page.is_ahead(t(second)))
        }
        bench.persist(&[captured_at("a", t(10))], t(10)).await;
        assert_eq!(are_ahead(bench, [9, 10, 11]), [true, false, false], "it happened");
        bench.tell("sms", t(20)).await;
        assert_eq!(are_ahead(bench, [19, 20, 21]), [true, false, false], "it was told");
    });
}

each_own_store! {
    async fn after_the_clock_jumped_back_hours_nothing_waits_hours(bench: &mut Bench) {
        bench.persist(&[captured_at("a", t(36_000))], t(36_000)).await;
        bench.tell("sms", t(36_001)).await;
        let claim = bench.claim("mail", t(36_001)).await.unwrap();
        bench.store.retry(&claim, &SendError::not_processed("503"), t(36_900), None).await.unwrap();
        assert_eq!((bench.claim("sms", t(0)).await, bench.claim("mail", t(0)).await), (None, None));
        assert_eq!(bench.store.pull_forward(t(60), t(3600), t(0)).await.unwrap(), 2);
        assert_eq!(bench.claim("sms", t(0)).await.unwrap().attempt, 1);
        assert_eq!(bench.claim("mail", t(0)).await.unwrap().attempt, 2);
    }

    async fn after_the_clock_jumped_back_hours_what_is_new_is_told_within_its_window(bench: &mut Bench) {
        bench.targets[0].rhythm = default_channel("sms").rhythm;
        bench.persist(&[captured_at("a", t(36_000))], t(36_000)).await;
        for recent in [t(36_001), t(36_500)] {
            bench.tell_with(&default_channel("sms"), false, recent).await;
            let claim = bench.store.claim("sms", 1, t(0), recent).await.unwrap().remove(0);
            bench.store.deliver(&claim, None, 1, None, recent).await.unwrap();
            bench.persist(&[captured_at("b", recent)], recent).await;
        }
        bench.store.reconsider(t(0)).await.unwrap();
        bench.persist(&[captured_at("c", t(0))], t(0)).await;
        assert_eq!(bench.tell_with(&default_channel("sms"), false, t(0)).await.next, Some(t(120)));
        assert!(bench.tell_with(&default_channel("sms"), false, t(120)).await.notice.is_some(), "silence");
    }

    async fn after_the_clock_jumped_back_hours_an_incident_still_ends(bench: &mut Bench) {
        bench.persist(&[captured_at("a", t(36_000))], t(36_000)).await;
        assert_eq!(bench.told("mail", t(36_001)).await.len(), 1);
        bench.store.reconsider(t(0)).await.unwrap();
        let end = t(0) + crate::policy::incident::QUIET_AFTER;
        assert_eq!(bench.tell("mail", t(0)).await.next, Some(end));
        assert_eq!(bench.tell("mail", end).await.next, None);
    }

    async fn a_look_at_everything_changes_nothing_that_is_right(bench: &mut Bench) {
        bench.persist(&[captured_at("a", t(0))], t(0)).await;
        bench.persist(&[Captured { not_before: Some(t(3600)), ..captured_at("b", t(0)) }], t(0)).await;
        let claim = bench.claim("sms", t(1)).await.unwrap();
        bench.store.deliver(&claim, None, 1, None, t(1)).await.unwrap();
        let before = bench.tell("sms", t(2)).await;
        bench.store.reconsider(t(2)).await.unwrap();
        assert_eq!(bench.tell("sms", t(2)).await, before);
    }

    async fn a_due_time_that_can_be_right_stays(bench: &mut Bench) {
        bench.persist(&[captured_at("a", t(59))], t(59)).await;
        bench.tell("mail", t(60)).await;
        let claim = bench.claim("sms", t(60)).await.unwrap();
        bench.store.retry(&claim, &SendError::not_processed("503"), t(3600), None).await.unwrap();
        assert_eq!(bench.store.pull_forward(t(60), t(3600), t(0)).await.unwrap(), 0);
        assert_eq!(bench.store.next_due("sms").await.unwrap(), Some(t(3600)));
        assert_eq!(bench.store.next_due("mail").await.unwrap(), Some(t(60)));
    }

    async fn a_first_attempt_does_not_wait_as_long_as_a_repeated_one(bench: &mut Bench) {
        bench.persist(&[captured_at("a", t(600))], t(600)).await;
        bench.tell("mail", t(601)).await;
        let claim = bench.claim("sms", t(601)).await.unwrap();
        bench.store.retry(&claim, &SendError::not_processed("503"), t(700), None).await.unwrap();
        assert_eq!(bench.store.pull_forward(t(60), t(3600), t(0)).await.unwrap(), 1);
        assert_eq!(bench.store.next_due("mail").await.unwrap(), Some(t(0)));
        assert_eq!(bench.store.next_due("sms").await.unwrap(), Some(t(700)));
    }

    async fn a_lease_that_the_clock_made_long_ends_and_its_answer_is_late(bench: &mut Bench) {
        bench.persist(&[captured_at("a", t(36_000))], t(36_000)).await;
        let first = bench.claim("sms", t(36_001)).await.unwrap();
        bench.store.pull_forward(t(60), t(3600), t(0)).await.unwrap();
        let second = bench.claim("sms", t(0)).await.unwrap();
        assert!(!bench.store.deliver(&first, None, 1, None, t(1)).await.unwrap());
        assert!(bench.store.deliver(&second, None, 1, None, t(1)).await.unwrap());
    }

    async fn a_clock_that_jumps_forward_makes_all_due_and_deletes_nothing(bench: &mut Bench) {
        bench.persist(&[captured_at("a", t(0))], t(0)).await;
        bench.persist(&[captured_at("b", t(5))], t(5)).await;
        let now = t(400 * DAY);
        assert_eq!(bench.store.pull_forward(now + MINUTE, now + HOUR, now).await.unwrap(), 0);
        let pruned = bench.store.prune(expired(now)).await.unwrap();
        assert_eq!((pruned.notices, pruned.incidents), (0, 0));
        for sink in ["sms", "mail"] {
            assert_eq!(bench.told(sink, now).await, [("a".to_owned(), 1), ("b".to_owned(), 1)]);
        }
    }

    async fn what_a_run_has_pending_moves_with_its_clock_and_nothing_else_does(bench: &mut Bench) {
        bench.persist(&[captured("of another run", Level::ERROR)], t(0)).await;
        bench.claim("sms", t(1)).await.unwrap();
        bench.run = Uuid::from_u128(2);
        bench.persist(&[captured("a", Level::ERROR)], t(0)).await;
        bench.tell("sms", t(2)).await;
        bench.store.shift(bench.run, 36_000_000).await.unwrap();
        let claims = bench.store.claim("sms", 9, t(36_003), t(36_002)).await.unwrap();
        let mut deadlines: Vec<_> = claims.iter().map(|claim| claim.expires_at).collect();
        deadlines.sort();
        assert_eq!(deadlines, [t(3_601), t(39_602)]);
        bench.store.shift(bench.run, -36_000_000).await.unwrap();
        let claim = bench.store.claim("sms", 1, t(99), t(3)).await.unwrap().remove(0);
        assert_eq!(claim.expires_at, t(3_602));
    }

    async fn a_full_file_keeps_what_is_pending(bench: &mut Bench) {
        let batch: Vec<_> = (0..20).map(|n| captured_at(&format!("{n}"), t(n))).collect();
        bench.persist(&batch, t(0)).await;
        bench.tell("mail", t(21)).await;
        // Long after it ended.
        bench.tell("mail", t(DAY)).await;
        let pruned = bench.store.prune(excess(0)).await.unwrap();
        assert_eq!((pruned.notices, pruned.incidents), (0, 0));
        assert_eq!(bench.told("sms", t(DAY)).await.len(), 20);
        assert_eq!(bench.told("mail", t(DAY)).await.len(), 20);
    }
}
