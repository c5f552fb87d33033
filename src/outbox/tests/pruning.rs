//! What a file deletes when, how much at once, and what never.

use sqlx::ConnectOptions;

use super::*;
use crate::outbox::upkeep::Pruned;

const DAY: u64 = 24 * 3600;

/// How a delivery of a notice ended, and on which day.
#[derive(Clone, Copy, Debug)]
enum End {
    Pending,
    Delivered(u64),
    Dead(u64),
}
use End::{Dead, Delivered, Pending};

impl Bench {
    /// What a query of one number says, in a connection of its own.
    async fn number(&self, sql: &'static str) -> i64 {
        let path = self.directory.as_ref().unwrap().path().join("alerts.db");
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
        let mut connection = options.connect().await.unwrap();
        sqlx::query_scalar(sql).fetch_optional(&mut connection).await.unwrap().unwrap_or(-1)
    }

    /// An incident of day 0 of which the deliveries to all ended like this;
    /// it is over half an hour after it.
    async fn ended(&mut self, event: Captured, end: End) {
        self.persist(&[Captured { last_at: t(0), ..event }], t(0)).await;
        for sink in ["sms", "mail"] {
            self.tell(sink, t(1)).await;
            for claim in self.store.claim(sink, 1000, t(DAY * 1000), t(1)).await.unwrap() {
                let settled = match end {
                    Pending => self.store.retry(&claim, &SendError::ambiguous("cut"), t(DAY * 1000)).await,
                    Delivered(day) => self.store.deliver(&claim, None, 1, t(day * DAY)).await,
                    Dead(day) => self.store.bury(&claim, "21211", t(day * DAY)).await,
                };
                assert!(settled.unwrap());
            }
            self.tell(sink, t(1) + crate::policy::incident::QUIET_AFTER).await;
        }
    }

    /// The newest notices, which always stay; of an incident that goes on.
    async fn newest(&mut self) {
        self.persist(&[captured_at("newest", t(400 * DAY))], t(0)).await;
        self.tell("sms", t(1)).await;
        self.tell("mail", t(1)).await;
    }

    async fn prune(&mut self, what: Prune) -> Pruned {
        self.store.prune(what).await.unwrap()
    }

    /// Takes steps until nothing is left: what they deleted, notices and
    /// incidents.
    async fn prune_all(&mut self, what: Prune) -> (u64, u64) {
        let mut all = (0, 0);
        loop {
            let pruned = self.prune(what).await;
            all = (all.0 + pruned.notices, all.1 + pruned.incidents);
            if !pruned.more {
                return all;
            }
        }
    }
}

fn sqlite(claim: impl AsyncFnOnce(&mut Bench)) {
    check(sqlite_bench, claim);
}

fn an_error(name: &str) -> Captured {
    captured(name, Level::ERROR)
}

/// An event that fills `kibibytes`, and is no other's twin.
fn large(name: &str, kibibytes: usize) -> Captured {
    captured(&format!("{name} {}", "x".repeat(kibibytes * 1024)), Level::ERROR)
}

#[test]
fn a_notice_goes_when_its_delivery_is_old_enough() {
    sqlite(async |bench| {
        bench.targets.truncate(1);
        for (name, end) in
            [("a", Delivered(0)), ("b", Pending), ("c", Delivered(3)), ("d", Dead(0)), ("e", Dead(4))]
        {
            bench.ended(an_error(name), end).await;
        }
        bench.newest().await;
        let mut gone = Vec::new();
        for day in 0..=40 {
            let (notices, _) = bench.prune_all(expired(t(day * DAY + DAY / 2))).await;
            gone.extend((notices > 0).then_some((day, notices)));
        }
        assert_eq!(gone, [(7, 1), (10, 1), (30, 1), (34, 1)]);
    });
}

#[test]
fn a_limit_is_kept_to_the_millisecond() {
    sqlite(async |bench| {
        bench.ended(an_error("a"), Delivered(1)).await;
        bench.newest().await;
        let last = t(8 * DAY) - Duration::from_millis(1);
        assert_eq!(bench.prune_all(expired(last)).await, (0, 0));
        assert_eq!(bench.prune_all(expired(t(8 * DAY))).await, (2, 1));
    });
}

#[test]
fn with_the_last_notice_that_tells_of_it_an_incident_goes_and_all_that_belongs_to_it() {
    sqlite(async |bench| {
        bench.ended(an_error("a"), Delivered(0)).await;
        bench.persist_with(&[], &Losses::from([(DropReason::QueueFull, 3)]), t(2)).await;
        bench.tell("sms", t(3)).await;
        bench.newest().await;
        assert_eq!(bench.prune_all(expired(t(8 * DAY))).await, (2, 1));
        assert_eq!(bench.number("SELECT count(*) FROM incident").await, 2);
        assert_eq!(bench.number("SELECT count(*) FROM standing").await, 4);
        assert_eq!(bench.number("SELECT count(*) FROM notice").await, 2);
        assert_eq!(bench.number("SELECT count(*) FROM item").await, 4);
        assert_eq!(bench.number("SELECT count(*) FROM delivery WHERE state = 'pending'").await, 2);
        assert_eq!(bench.number("SELECT count(*) FROM delivery").await, 2);
    });
}

#[test]
fn what_is_open_or_untold_stays_whatever_it_costs() {
    sqlite(async |bench| {
        let silenced = Captured { not_before: Some(t(500 * DAY)), ..captured_at("silenced", t(0)) };
        bench.persist(&[silenced], t(0)).await;
        bench.ended(an_error("ended"), Delivered(0)).await;
        bench.newest().await;
        // An end that nobody looked at yet.
        bench.persist(&[captured("nobody's", Level::INFO)], t(DAY)).await;
        assert_eq!(bench.prune_all(expired(t(400 * DAY))).await, (2, 1));
        assert_eq!(bench.prune_all(excess(0)).await, (0, 0));
        assert_eq!(bench.number("SELECT count(*) FROM incident").await, 3);
        assert_eq!(bench.told("sms", t(500 * DAY)).await.len(), 2);
    });
}

#[test]
fn incidents_that_nobody_was_to_be_told_of_go_too_a_few_in_a_step() {
    sqlite(async |bench| {
        let batch: Vec<_> = (0..450).map(|n| captured(&format!("{n}"), Level::INFO)).collect();
        bench.persist(&batch, t(0)).await;
        bench.persist(&[captured_at("newest", t(DAY))], t(DAY)).await;
        let mut steps = Vec::new();
        loop {
            let pruned = bench.prune(expired(t(8 * DAY))).await;
            steps.push(pruned.incidents);
            if !pruned.more {
                break;
            }
        }
        assert_eq!(steps, [200, 200, 50, 0]);
    });
}

#[test]
fn ids_never_come_again() {
    sqlite(async |bench| {
        bench.ended(an_error("a"), Delivered(0)).await;
        let notices = bench.number("SELECT max(id) FROM notice").await;
        let deliveries = bench.number("SELECT max(id) FROM delivery").await;
        let incidents = bench.number("SELECT max(id) FROM incident").await;
        assert_eq!(bench.prune_all(expired(t(400 * DAY))).await, (1, 0));
        assert_eq!(bench.prune_all(excess(0)).await, (0, 0));
        bench.newest().await;
        assert_eq!(bench.prune_all(expired(t(400 * DAY))).await, (1, 1));
        assert!(bench.number("SELECT min(id) FROM notice").await > notices);
        assert!(bench.number("SELECT min(id) FROM delivery").await > deliveries);
        assert!(bench.number("SELECT min(id) FROM incident").await > incidents);
    });
}

#[test]
fn a_step_deletes_no_more_than_a_few_notices() {
    sqlite(async |bench| {
        let to = |n| target("sms", &format!("+{n}"), Level::ERROR);
        bench.targets = (0..250).map(to).collect();
        bench.persist(&[captured_at("a", t(0))], t(0)).await;
        bench.tell("sms", t(1)).await;
        bench
            .number(
                "UPDATE delivery SET data = json_set(data, '$.state', 'delivered', '$.settled_at', due_at)",
            )
            .await;
        bench.tell("sms", t(2) + crate::policy::incident::QUIET_AFTER).await;
        bench.targets.truncate(1);
        bench.newest().await;
        let mut steps = Vec::new();
        loop {
            let pruned = bench.prune(expired(t(8 * DAY))).await;
            steps.push((pruned.notices, pruned.incidents));
            if !pruned.more {
                break;
            }
        }
        assert_eq!(steps, [(200, 0), (50, 0), (0, 1), (0, 0)]);
    });
}

#[test]
fn a_step_deletes_no_more_than_a_few_mebibytes() {
    sqlite(async |bench| {
        for n in 0..10 {
            bench.ended(large(&format!("{n}"), 1024), Delivered(0)).await;
        }
        bench.newest().await;
        let mut steps = Vec::new();
        loop {
            let pruned = bench.prune(expired(t(8 * DAY))).await;
            steps.extend((pruned.incidents > 0).then_some(pruned.incidents));
            if !pruned.more {
                break;
            }
        }
        assert_eq!(steps, [4, 4, 2]);
    });
}

#[test]
fn the_file_gives_its_room_back() {
    sqlite(async |bench| {
        for n in 0..10 {
            bench.ended(large(&format!("{n}"), 1024), Delivered(0)).await;
        }
        bench.newest().await;
        let before = bench.number("PRAGMA page_count").await;
        let mut steps = 1;
        while bench.prune(expired(t(8 * DAY))).await.more {
            steps += 1;
        }
        let after = bench.number("PRAGMA page_count").await;
        assert!(before > 2_560 && after < 300, "{before} pages, then {after}");
        assert!((10..18).contains(&steps), "{steps} steps");
    });
}

#[test]
fn a_full_file_loses_the_oldest_that_are_settled_and_no_more_than_it_must() {
    sqlite(async |bench| {
        bench.ended(large("waiting", 256), Pending).await;
        for n in 0..8 {
            let end = if n % 2 == 0 { Delivered(0) } else { Dead(0) };
            bench.ended(large(&format!("{n}"), 256), end).await;
        }
        bench.newest().await;
        let cap_bytes = 2_000 * 1024;
        bench.prune_all(excess(cap_bytes)).await;
        let used = bench.prune(excess(cap_bytes)).await.used_bytes;
        assert!((1_200 * 1024..=1_600 * 1024).contains(&used), "{used}");
        let left = bench.number("SELECT min(id) FROM incident WHERE id > 1").await;
        assert!((4..=6).contains(&left), "the oldest that is left is {left}");
        assert_eq!(bench.number("SELECT id FROM incident WHERE id = 1").await, 1, "it was pending");
    });
}

#[test]
fn a_file_below_four_fifths_of_its_cap_loses_nothing_early() {
    sqlite(async |bench| {
        for n in 0..8 {
            bench.ended(large(&format!("{n}"), 256), Delivered(0)).await;
        }
        bench.newest().await;
        let pruned = bench.prune(excess(3 * 1024 * 1024)).await;
        assert_eq!((pruned.notices, pruned.incidents, pruned.more), (0, 0, false));
        assert!(pruned.used_bytes > 2 * 1024 * 1024, "{pruned:?}");
    });
}

#[test]
fn what_no_process_sends_for_a_day_is_abandoned() {
    sqlite(async |bench| {
        bench.persist(&[captured_at("a", t(0))], t(0)).await;
        bench.tell("sms", t(1)).await;
        assert_eq!(bench.store.bury_abandoned(&[], t(DAY)).await.unwrap(), 0);
        // The SMS that nobody sent, and the mail that nobody made.
        assert_eq!(bench.store.bury_abandoned(&[], t(2 * DAY)).await.unwrap(), 2);
        assert_eq!(bench.tell("mail", t(2 * DAY)).await, Told::default());
        assert_eq!(bench.store.next_due("sms").await.unwrap(), None);
        assert_eq!(bench.store.sinks_of_dead().await.unwrap(), ["sms"]);
        assert_eq!(bench.tell_of_dead("sms", t(0), t(2 * DAY)).await, Some(1));
        assert_eq!(bench.store.sinks_of_dead().await.unwrap(), [""; 0]);
    });
}

#[test]
fn what_is_of_a_sink_of_ours_is_told_however_long_nobody_ran() {
    sqlite(async |bench| {
        bench.persist(&[captured_at("a", t(0))], t(0)).await;
        bench.tell("sms", t(1)).await;
        assert_eq!(bench.store.bury_abandoned(&["sms", "mail"], t(2 * DAY)).await.unwrap(), 0);
        assert_eq!(bench.store.bury_abandoned(&["mail"], t(2 * DAY)).await.unwrap(), 1);
        assert_eq!(bench.told("mail", t(2 * DAY)).await, [("a".to_owned(), 1)]);
    });
}

#[test]
fn what_is_dead_and_untold_makes_no_room() {
    sqlite(async |bench| {
        bench.targets.truncate(1);
        bench.ended(an_error("a"), Dead(1)).await;
        bench.newest().await;
        let since = |untold_since| Prune::Excess { cap_bytes: 0, untold_since };
        assert_eq!(bench.prune_all(since(t(DAY) - SETTLE)).await, (0, 0));
        assert_eq!(bench.prune_all(since(t(DAY))).await, (1, 1));
    });
}

#[test]
fn what_was_abandoned_and_goes_on_is_told_in_full() {
    sqlite(async |bench| {
        let pause = crate::policy::incident::QUIET_AFTER.as_secs() - 1;
        for n in 0..=DAY / pause {
            bench.persist(&[captured_at("a", t(n * pause))], t(n * pause)).await;
        }
        let (now, count) = (t(DAY / pause * pause + pause), DAY / pause + 2);
        assert_eq!(bench.store.bury_abandoned(&[], now).await.unwrap(), 2);
        bench.persist(&[captured_at("a", now)], now).await;
        assert_eq!(bench.told("mail", now + SETTLE).await, [("a".to_owned(), count)]);
    });
}
