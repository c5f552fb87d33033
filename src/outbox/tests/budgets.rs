//! How many messages there may be, of whose day.

use jiff::tz::{TimeZone, offset};

use super::*;

/// A kind of its own, told at `now` if `channel` allows that.
async fn is_told(bench: &mut Bench, channel: &Channel, name: &str, now: SystemTime) -> bool {
    bench.persist(&[captured_at(name, now)], now).await;
    bench.tell_with(channel, false, now + SETTLE).await;
    let claims = bench.store.claim("sms", 9, now + HOUR, now + SETTLE).await.unwrap();
    for claim in &claims {
        assert!(bench.store.deliver(claim, None, 2, None, now + SETTLE).await.unwrap());
    }
    !claims.is_empty()
}

fn three_a_day(calendar: Calendar) -> Channel {
    Channel { budget: Some(Budget::new(9, Duration::ZERO, 3)), calendar, ..channel("sms") }
}

every_store! {
    async fn a_day_is_that_of_the_readers(bench: &mut Bench) {
        // It is 22:13 UTC, and 01:13 in the readers' zone.
        let channel = three_a_day(Calendar::of(Some(TimeZone::fixed(offset(3)))));
        for (name, at) in [("a", 0), ("b", 100), ("c", 200)] {
            assert!(is_told(bench, &channel, name, t(at)).await, "{name}");
        }
        assert!(!is_told(bench, &channel, "d", t(2 * 3600)).await, "midnight of UTC is none of theirs");
        let theirs = channel.calendar.next_day(t(0));
        assert!(!is_told(bench, &channel, "e", theirs - 2 * SETTLE).await);
        assert!(is_told(bench, &channel, "f", theirs).await);
    }

    async fn a_clock_whose_date_flips_gets_no_new_day(bench: &mut Bench) {
        let channel = three_a_day(Calendar::default());
        let mut told = 0;
        for flip in 0..20_u64 {
            let day = 86_400 * (flip % 2);
            bench.store.reconsider(t(day + flip)).await.unwrap();
            told += usize::from(is_told(bench, &channel, &format!("kind {flip}"), t(day + flip)).await);
        }
        assert!(told <= 4, "{told} on two days of three each");
    }

    async fn a_quarter_of_the_segments_is_kept_for_what_was_never_seen(bench: &mut Bench) {
        let channel = Channel { segments_per_day: Some(8), ..channel("sms") };
        for (name, at) in [("a", 0), ("b", 10), ("c", 20)] {
            assert!(is_told(bench, &channel, name, t(at)).await, "{name}");
        }
        let back = t(20) + crate::policy::incident::QUIET_AFTER;
        assert!(!is_told(bench, &channel, "a", back).await, "it is known");
        assert!(is_told(bench, &channel, "d", back).await);
        assert!(!is_told(bench, &channel, "e", back + HOUR).await, "nothing is left");
    }

    async fn the_last_message_before_only_new_ones_go_says_so(bench: &mut Bench) {
        let channel = Channel { segments_per_day: Some(8), ..channel("sms") };
        let mut last = Vec::new();
        for n in 0..3 {
            bench.persist(&[captured_at(&format!("{n}"), t(10 * n))], t(10 * n)).await;
            bench.tell_with(&channel, false, t(10 * n + 1)).await;
            let claim = bench.store.claim("sms", 1, t(10 * n + 70), t(10 * n + 1)).await.unwrap().remove(0);
            last.push(bench.store.notice(&claim).await.unwrap().is_last_today);
            assert!(bench.store.deliver(&claim, None, 2, None, t(10 * n + 1)).await.unwrap());
        }
        assert_eq!(last, [false, false, true]);
    }
}
