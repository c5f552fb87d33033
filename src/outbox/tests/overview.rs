//! What people are shown of a file, and change in it.

use std::path::Path;

use super::*;

fn of(bench: &mut Bench) -> Operated<'_> {
    let Store::Sqlite(file) = &mut bench.store else { panic!("no file") };
    Operated::File(Path::new(""), file)
}

#[test]
fn what_is_under_way_or_delivered_is_not_attempted_again() {
    check(sqlite_bench, async |bench| {
        bench.persist(&[captured("a", Level::ERROR)], t(0)).await;
        let claim = bench.claim("sms", t(1)).await.unwrap();
        let revived = of(bench).revive("7K3Q", t(2)).await.unwrap();
        assert_eq!(revived.iter().map(|it| it.is_due).collect::<Vec<_>>(), [false], "it is leased");
        let later = t(600);
        bench.store.retry(&claim, &SendError::not_processed("503"), later, None).await.unwrap();
        assert!(of(bench).revive("7K3Q", t(3)).await.unwrap()[0].is_due);
        assert_eq!(bench.store.next_due("sms").await.unwrap(), Some(t(3)));
        let claim = bench.claim("sms", t(4)).await.unwrap();
        // Nobody answers: the lease ends.
        assert!(of(bench).revive("7K3Q", t(4) + 71 * SETTLE).await.unwrap()[0].is_due);
        drop(claim);
        let claim = bench.claim("sms", t(80)).await.unwrap();
        assert!(bench.store.deliver(&claim, None, 1, None, t(81)).await.unwrap());
        assert!(!of(bench).revive("7K3Q", t(82)).await.unwrap()[0].is_due);
        assert!(of(bench).revive("ZZZZ", t(82)).await.unwrap().is_empty());
    });
}

#[test]
fn what_was_dead_has_as_long_as_the_first_time() {
    check(sqlite_bench, async |bench| {
        bench.persist(&[captured("a", Level::ERROR)], t(0)).await;
        let claim = bench.claim("sms", t(1)).await.unwrap();
        bench.store.bury(&claim, "no", t(2)).await.unwrap();
        of(bench).revive("7K3Q", t(90_000)).await.unwrap();
        let again = bench.claim("sms", t(90_001)).await.unwrap();
        // A sink that can asks first whether it was sent.
        assert_eq!((again.key, again.attempt, again.is_doubtful), (claim.key, 1, true));
        assert!(again.expires_at >= t(90_000) + HOUR);
        // The answer to the claim before it changes nothing.
        assert!(!bench.store.deliver(&claim, None, 1, None, t(90_002)).await.unwrap());
        assert!(bench.store.deliver(&again, None, 1, None, t(90_002)).await.unwrap());
        assert_eq!(bench.store.events().await.unwrap().reported, 1);
    });
}

#[test]
fn what_is_settled_is_purged_but_for_what_somebody_is_to_hear_of_or_is_asked_about() {
    check(sqlite_bench, async |bench| {
        bench.targets.truncate(1);
        for (second, message) in
            [(0, "delivered"), (10, "asked after"), (20, "dead"), (30, "pending"), (40, "last")]
        {
            bench.persist(&[captured_at(message, t(second))], t(second)).await;
            let claim = bench.claim("sms", t(second + 1)).await.unwrap();
            let at = t(second + 2);
            match message {
                "pending" => drop(
                    bench.store.retry(&claim, &SendError::ambiguous("cut"), at + 10_000 * SETTLE, None).await,
                ),
                "dead" => drop(bench.store.bury(&claim, "no", at).await),
                "asked after" => drop(bench.store.deliver(&claim, Some("x"), 1, Some(t(100_000)), at).await),
                _ => drop(bench.store.deliver(&claim, None, 1, None, at).await),
            }
        }
        // Long after all of them ended; nothing is to be told any more.
        bench.tell("sms", t(50_000)).await;
        bench.persist(&[], t(50_000)).await;
        assert_eq!(of(bench).purge(t(50_001)).await.unwrap(), (1, 1));
        let views = of(bench).show(&Shown::Last(100), t(50_001)).await.unwrap();
        let mut left: Vec<_> = views.iter().map(|view| view.message.as_str()).collect();
        left.sort_unstable();
        assert_eq!(left, ["asked after", "dead", "last", "pending"]);
        assert_eq!(of(bench).purge(t(50_002)).await.unwrap(), (0, 0));
    });
}

#[test]
fn the_latest_are_shown_first_and_all_that_are_open() {
    check(sqlite_bench, async |bench| {
        for second in 0..5 {
            bench.persist(&[captured_at(&second.to_string(), t(second))], t(second)).await;
        }
        let messages = async |bench: &mut Bench, last: u32| {
            let views = of(bench).show(&Shown::Last(last), t(9)).await.unwrap();
            views.into_iter().map(|view| view.message).collect::<Vec<_>>()
        };
        assert_eq!(messages(bench, 0).await, ["4", "3", "2", "1", "0"], "they are open");
        bench.persist(&[], t(10_000)).await;
        assert_eq!(messages(bench, 2).await, ["4", "3"]);
        assert_eq!(messages(bench, 0).await, [""; 0]);
    });
}
