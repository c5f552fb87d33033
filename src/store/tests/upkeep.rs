//! Of upkeep: what is deleted when, how much at once, and what never is; due
//! times after the clock jumped.

use super::*;

const DAY: u64 = 24 * 3600;

every_store! {
    async fn after_the_clock_jumped_back_hours_nothing_waits_hours(bench: &mut Bench) {
        bench.persist(None, &[captured("a", Level::ERROR)], t(36_000)).await;
        let claim = bench.claim("mail", t(36_001)).await.unwrap();
        bench.store.retry(&claim, &SendError::not_processed("503"), t(36_900)).await.unwrap();
        assert_eq!((bench.claim("sms", t(0)).await, bench.claim("mail", t(0)).await), (None, None));
        assert_eq!(bench.store.hasten(t(60), t(3600), t(0)).await.unwrap(), 2);
        assert_eq!(bench.claim("sms", t(0)).await.unwrap().attempt, 1);
        assert_eq!(bench.claim("mail", t(0)).await.unwrap().attempt, 2);
    }

    async fn a_due_time_that_can_be_right_stays(bench: &mut Bench) {
        bench.persist(None, &[captured("a", Level::ERROR)], t(59)).await;
        let claim = bench.claim("sms", t(60)).await.unwrap();
        bench.store.retry(&claim, &SendError::not_processed("503"), t(3600)).await.unwrap();
        assert_eq!(bench.store.hasten(t(60), t(3600), t(0)).await.unwrap(), 0);
        assert_eq!(bench.store.next_due("sms").await.unwrap(), Some(t(3600)));
        assert_eq!(bench.store.next_due("mail").await.unwrap(), Some(t(60)));
    }

    async fn a_first_attempt_does_not_wait_as_long_as_a_repeated_one(bench: &mut Bench) {
        bench.persist(None, &[captured("a", Level::ERROR)], t(600)).await;
        let claim = bench.claim("sms", t(601)).await.unwrap();
        bench.store.retry(&claim, &SendError::not_processed("503"), t(700)).await.unwrap();
        assert_eq!(bench.store.hasten(t(60), t(3600), t(0)).await.unwrap(), 1);
        assert_eq!(bench.store.next_due("mail").await.unwrap(), Some(t(0)));
        assert_eq!(bench.store.next_due("sms").await.unwrap(), Some(t(700)));
    }

    async fn a_lease_that_the_clock_made_long_ends_and_its_answer_is_late(bench: &mut Bench) {
        bench.persist(None, &[captured("a", Level::ERROR)], t(36_000)).await;
        let first = bench.claim("sms", t(36_001)).await.unwrap();
        bench.store.hasten(t(60), t(3600), t(0)).await.unwrap();
        let second = bench.claim("sms", t(0)).await.unwrap();
        assert!(!bench.store.deliver(&first, None, t(1)).await.unwrap());
        assert!(bench.store.deliver(&second, None, t(1)).await.unwrap());
    }

    async fn a_clock_that_jumps_forward_makes_all_due_and_deletes_nothing(bench: &mut Bench) {
        bench.persist(None, &[captured("a", Level::ERROR)], t(0)).await;
        bench.persist(None, &[captured("b", Level::ERROR)], t(5)).await;
        let now = t(400 * DAY);
        assert_eq!(bench.store.hasten(now + 60 * SETTLE, now + HOUR, now).await.unwrap(), 0);
        assert_eq!(bench.store.prune(expired(now)).await.unwrap().notices, 0);
        assert_eq!(bench.store.claim("sms", 9, now + SETTLE, now).await.unwrap().len(), 2);
        let claim = bench.claim("mail", now).await.unwrap();
        assert_eq!(bench.store.notice(&claim).await.unwrap().event_count(), 1);
    }

    async fn what_a_run_has_pending_moves_with_its_clock_and_nothing_else_does(bench: &mut Bench) {
        bench.persist(None, &[captured("of another run", Level::ERROR)], t(0)).await;
        bench.run = Uuid::from_u128(2);
        bench.persist(None, &[captured("a", Level::ERROR)], t(0)).await;
        bench.store.shift(bench.run, 36_000_000).await.unwrap();
        let claims = bench.store.claim("sms", 9, t(36_002), t(36_001)).await.unwrap();
        let mut deadlines: Vec<_> = claims.iter().map(|claim| claim.expires_at).collect();
        deadlines.sort();
        assert_eq!(deadlines, [t(3_600), t(39_600)]);
        bench.store.shift(bench.run, -36_000_000).await.unwrap();
        let claim = bench.claim("sms", t(2)).await.unwrap();
        assert_eq!((claim.expires_at, bench.claim("sms", t(2)).await), (t(3_600), None));
    }

    async fn a_full_file_keeps_what_is_pending(bench: &mut Bench) {
        for n in 0..20 {
            bench.persist(None, &[captured("a", Level::ERROR)], t(n)).await;
        }
        assert_eq!(bench.store.prune(Prune::Excess { cap_bytes: 0 }).await.unwrap().notices, 0);
        assert_eq!(bench.store.pending(bench.run, i64::MAX).await.unwrap(), 40);
    }
}

fn expired(now: SystemTime) -> Prune {
    Prune::Expired { delivered_by: now - KEPT_DELIVERED, dead_by: now - KEPT_DEAD }
}

#[cfg(feature = "sqlite")]
mod file {
    use sqlx::ConnectOptions;

    use super::*;
    use crate::store::upkeep::Pruned;

    /// How a delivery of a notice ended, and on which day.
    #[derive(Clone, Copy, Debug)]
    enum End {
        Pending,
        Delivered(u64),
        Dead(u64),
        Superseded(u64),
    }
    use End::{Dead, Delivered, Pending, Superseded};

    impl Bench {
        /// What a query of one number says, in a connection of its own.
        async fn number(&self, sql: &'static str) -> i64 {
            let path = self._directory.as_ref().unwrap().path().join("alerts.db");
            let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
            let mut connection = options.connect().await.unwrap();
            sqlx::query_scalar(sql).fetch_optional(&mut connection).await.unwrap().unwrap_or(-1)
        }

        /// A notice of day 0 whose deliveries, by SMS and mail, ended like this.
        async fn ended(&mut self, events: &[Captured], sms: End, mail: End) -> i64 {
            let notice = self.persist(None, events, t(0)).await;
            for (sink, end) in [("sms", sms), ("mail", mail)] {
                // Claims leave behind what is pending: of two, the newer is ours.
                let claims = self.store.claim(sink, 1000, t(1), t(1)).await.unwrap();
                let claim = claims.iter().find(|claim| claim.notice_id == notice).unwrap();
                let settled = match end {
                    Pending => self.store.retry(claim, &SendError::not_processed("503"), t(1)).await,
                    Delivered(day) | Superseded(day) => self.store.deliver(claim, None, t(day * DAY)).await,
                    Dead(day) => self.store.bury(claim, "21211", t(day * DAY)).await,
                };
                assert!(settled.unwrap());
                if matches!(end, Superseded(_)) {
                    self.number("UPDATE delivery SET state = 'superseded' WHERE id = (SELECT max(id) FROM delivery WHERE state = 'delivered')").await;
                }
            }
            notice
        }

        /// The newest notice, which always stays.
        async fn newest(&mut self) {
            self.persist(None, &[captured("newest", Level::ERROR)], t(0)).await;
        }

        async fn prune(&mut self, what: Prune) -> Pruned {
            self.store.prune(what).await.unwrap()
        }
    }

    fn sqlite(claim: impl AsyncFnOnce(&mut Bench)) {
        check(sqlite_bench, claim);
    }

    fn an_error() -> [Captured; 1] {
        [captured("a", Level::ERROR)]
    }

    /// An event that fills `kibibytes`, and is no other's twin.
    fn large(name: &str, kibibytes: usize) -> [Captured; 1] {
        [captured(&format!("{name} {}", "x".repeat(kibibytes * 1024)), Level::ERROR)]
    }

    #[test]
    fn a_notice_goes_when_the_last_of_its_deliveries_is_old_enough() {
        for (sms, mail, last_day) in [
            (Delivered(0), Delivered(0), Some(7)),
            (Delivered(3), Delivered(1), Some(10)),
            (Delivered(0), Superseded(2), Some(9)),
            (Dead(0), Delivered(0), Some(30)),
            (Dead(0), Delivered(4), Some(34)),
            (Dead(1), Dead(0), Some(31)),
            (Pending, Delivered(0), None),
            (Pending, Dead(0), None),
            (Pending, Pending, None),
        ] {
            sqlite(async |bench| {
                bench.ended(&an_error(), sms, mail).await;
                bench.newest().await;
                for day in 0..=40 {
                    let now = t(day * DAY + DAY / 2);
                    let gone = bench.prune(expired(now)).await.notices == 1;
                    assert_eq!(gone, last_day == Some(day), "{sms:?}, {mail:?} on day {day}");
                }
            });
        }
    }

    #[test]
    fn a_limit_is_kept_to_the_millisecond() {
        sqlite(async |bench| {
            bench.ended(&an_error(), Delivered(1), Delivered(1)).await;
            bench.newest().await;
            let last = t(8 * DAY) - Duration::from_millis(1);
            assert_eq!(bench.prune(expired(last)).await.notices, 0);
            assert_eq!(bench.prune(expired(t(8 * DAY))).await.notices, 1);
        });
    }

    #[test]
    fn a_notice_that_nobody_was_to_be_told_of_goes_too() {
        sqlite(async |bench| {
            bench.persist(None, &[captured("fine", Level::INFO)], t(0)).await;
            bench.newest().await;
            assert_eq!(bench.number("SELECT count(*) FROM delivery").await, 2);
            assert_eq!(bench.prune(expired(t(7 * DAY))).await.notices, 0);
            assert_eq!(bench.prune(expired(t(7 * DAY + 1))).await.notices, 1);
        });
    }

    #[test]
    fn with_a_notice_goes_all_that_belongs_to_it() {
        sqlite(async |bench| {
            let losses = Losses::from([(DropReason::QueueFull, 3)]);
            let notice = bench.persist_with(None, &an_error(), &losses, t(0)).await;
            for sink in ["sms", "mail"] {
                let claim = bench.claim(sink, t(1)).await.unwrap();
                assert_eq!(claim.notice_id, notice);
                bench.store.deliver(&claim, None, t(1)).await.unwrap();
            }
            bench.newest().await;
            bench.prune(expired(t(8 * DAY))).await;
            assert_eq!(bench.number("SELECT count(*) FROM notice").await, 1);
            assert_eq!(bench.number("SELECT count(*) FROM event").await, 1);
            assert_eq!(bench.number("SELECT count(*) FROM loss").await, 0);
            assert_eq!(bench.number("SELECT count(*) FROM delivery WHERE state = 'pending'").await, 2);
            assert_eq!(bench.number("SELECT count(*) FROM delivery").await, 2);
        });
    }

    #[test]
    fn ids_never_come_again() {
        sqlite(async |bench| {
            let last = bench.ended(&an_error(), Delivered(0), Delivered(0)).await;
            let deliveries = bench.number("SELECT max(id) FROM delivery").await;
            assert_eq!(bench.prune(expired(t(400 * DAY))).await.notices, 0);
            assert_eq!(bench.prune(Prune::Excess { cap_bytes: 0 }).await.notices, 0);
            assert!(bench.persist(None, &[captured("fine", Level::INFO)], t(0)).await > last);
            // It is not the newest notice any more, but has the newest delivery.
            assert_eq!(bench.prune(expired(t(400 * DAY))).await.notices, 0);
            bench.newest().await;
            assert_eq!(bench.prune(expired(t(400 * DAY))).await.notices, 2);
            assert!(bench.number("SELECT min(id) FROM delivery").await > deliveries);
        });
    }

    #[test]
    fn a_step_deletes_no_more_than_a_few() {
        sqlite(async |bench| {
            for _ in 0..450 {
                bench.persist(None, &[captured("fine", Level::INFO)], t(0)).await;
            }
            bench.newest().await;
            let now = t(8 * DAY);
            let mut steps = Vec::new();
            loop {
                let pruned = bench.prune(expired(now)).await;
                steps.push(pruned.notices);
                if !pruned.more {
                    break;
                }
            }
            assert_eq!(steps, [200, 200, 50, 0]);
        });
    }

    #[test]
    fn a_step_deletes_no_more_than_a_few_mebibytes() {
        sqlite(async |bench| {
            for n in 0..10 {
                bench.ended(&large(&format!("{n}"), 1024), Delivered(0), Delivered(0)).await;
            }
            bench.newest().await;
            let steps = [(); 3].map(|()| expired(t(8 * DAY)));
            let mut deleted = Vec::new();
            for step in steps {
                deleted.push(bench.prune(step).await.notices);
            }
            assert_eq!(deleted, [4, 4, 2]);
        });
    }

    #[test]
    fn the_file_gives_its_room_back() {
        sqlite(async |bench| {
            for n in 0..10 {
                bench.ended(&large(&format!("{n}"), 1024), Delivered(0), Delivered(0)).await;
            }
            bench.newest().await;
            let before = bench.number("PRAGMA page_count").await;
            let mut steps = 1;
            while bench.prune(expired(t(8 * DAY))).await.more {
                steps += 1;
            }
            let after = bench.number("PRAGMA page_count").await;
            assert!(before > 2_560 && after < 300, "{before} pages, then {after}");
            assert!((10..15).contains(&steps), "{steps} steps");
        });
    }

    #[test]
    fn a_full_file_loses_the_oldest_that_are_settled_and_no_more_than_it_must() {
        sqlite(async |bench| {
            let waiting = bench.ended(&large("waiting", 256), Pending, Delivered(0)).await;
            let mut settled = Vec::new();
            for n in 0..8 {
                settled.push(bench.ended(&large(&format!("{n}"), 256), Delivered(0), Dead(0)).await);
            }
            bench.newest().await;
            let cap_bytes = 2_000 * 1024;
            while bench.prune(Prune::Excess { cap_bytes }).await.more {}
            let used = bench.prune(Prune::Excess { cap_bytes }).await.used_bytes;
            assert!((1_200 * 1024..=1_600 * 1024).contains(&used), "{used}");
            let left = bench.number("SELECT min(id) FROM notice WHERE id > 1").await;
            assert!(left > settled[2] && left <= settled[4], "{left} of {settled:?}");
            let claims = bench.store.claim("sms", 9, t(99), t(98)).await.unwrap();
            assert_eq!(claims.iter().filter(|claim| claim.notice_id == waiting).count(), 1);
        });
    }

    #[test]
    fn a_file_below_four_fifths_of_its_cap_loses_nothing_early() {
        sqlite(async |bench| {
            for n in 0..8 {
                bench.ended(&large(&format!("{n}"), 256), Delivered(0), Delivered(0)).await;
            }
            bench.newest().await;
            let pruned = bench.prune(Prune::Excess { cap_bytes: 3 * 1024 * 1024 }).await;
            assert_eq!((pruned.notices, pruned.more), (0, false));
            assert!(pruned.used_bytes > 2 * 1024 * 1024, "{pruned:?}");
        });
    }
}
