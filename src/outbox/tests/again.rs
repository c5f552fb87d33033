//! Kinds that come back: the same incident, told again once they are not held.

use super::*;
use crate::policy::{incident::QUIET_AFTER, notice::Notice};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// What the inbox gets at `now`, if it gets anything.
async fn mail(bench: &mut Bench, now: SystemTime) -> Option<Notice> {
    let claim = bench.claim("mail", now).await?;
    let notice = bench.store.notice(&claim).await.unwrap();
    assert!(bench.store.deliver(&claim, None, 1, None, now).await.unwrap());
    Some(notice)
}

/// An error at `at`, told a second later.
async fn told(bench: &mut Bench, name: &str, at: SystemTime) -> Notice {
    bench.persist(&[captured_at(name, at)], at).await;
    mail(bench, at + SETTLE).await.unwrap()
}

every_store! {
    async fn what_comes_back_within_a_week_is_the_same_incident(bench: &mut Bench) {
        let first = told(bench, "a", t(0)).await;
        assert_eq!((first.kind, first.samples[0].held_until), (Kind::First, Some(t(1801))));
        let again = told(bench, "a", t(2000)).await;
        assert_eq!((again.kind, again.id.as_str()), (Kind::Again, "7K3Q.2"));
        let [sample] = again.samples.as_slice() else { panic!("{again:?}") };
        assert_eq!((sample.kind, sample.count, sample.total), (Kind::Again, 1, 2));
        assert_eq!((sample.today, sample.this_week), (2, 2));
        assert_eq!(sample.held_until, Some(t(2001) + HOUR));
        assert_eq!((sample.event.at, &sample.latest), (t(2000), &None), "what happened now");
    }

    async fn after_a_week_it_is_new(bench: &mut Bench) {
        told(bench, "a", t(0)).await;
        let again = told(bench, "a", t(10) + 6 * DAY).await;
        assert_eq!((again.kind, again.samples[0].today, again.samples[0].this_week), (Kind::Again, 1, 2));
        let new = told(bench, "a", t(20) + 13 * DAY).await;
        assert_eq!((new.kind, new.samples[0].total), (Kind::First, 1));
    }

    async fn what_is_held_is_told_in_one_line_when_that_ends(bench: &mut Bench) {
        told(bench, "a", t(0)).await;
        told(bench, "a", t(2000)).await;
        for burst in [3850, 5599] {
            bench.persist(&[captured_at("a", t(burst))], t(burst)).await;
            assert_eq!(mail(bench, t(burst) + SETTLE).await.map(|it| it.kind), None);
        }
        let notice = mail(bench, t(5601)).await.unwrap();
        let counts: Vec<_> = notice.samples.iter().map(|it| (it.kind, it.count, it.total)).collect();
        assert_eq!(counts, [(Kind::Again, 2, 4)]);
    }

    async fn after_the_silence_of_most_of_a_day_holds_begin_anew(bench: &mut Bench) {
        told(bench, "a", t(0)).await;
        told(bench, "a", t(2000)).await;
        let hour_late = told(bench, "a", t(2000) + 17 * HOUR).await.samples.remove(0);
        assert_eq!(hour_late.held_until, Some(t(2001) + 19 * HOUR));
        let next_night = told(bench, "a", t(2000) + 35 * HOUR).await.samples.remove(0);
        assert_eq!(next_night.held_until, Some(t(3801) + 35 * HOUR));
    }

    async fn a_hold_holds_nothing_else(bench: &mut Bench) {
        bench.persist(&[captured("a", Level::WARN)], t(0)).await;
        assert!(mail(bench, t(1)).await.is_some());
        let same_words = told(bench, "a", t(60)).await;
        assert_eq!(same_words.samples[0].event.level, Level::ERROR);
        assert_eq!(told(bench, "b", t(120)).await.kind, Kind::First);
    }

    async fn what_is_held_is_not_told_because_somebody_ends(bench: &mut Bench) {
        told(bench, "a", t(0)).await;
        let back = t(1801 - 60);
        bench.persist(&[captured_at("a", back)], back).await;
        bench.persist(&[captured_at("a", t(1750))], t(1750)).await;
        assert_eq!(bench.tell_with(&channel("mail"), true, t(1751)).await.notice, None);
    }

    async fn an_end_is_told_after_the_hold_of_what_went_on(bench: &mut Bench) {
        told(bench, "a", t(0)).await;
        bench.persist(&[captured_at("a", t(1500))], t(1500)).await;
        assert_eq!(mail(bench, t(1801)).await.map(|it| it.kind), Some(Kind::Reminder));
        assert_eq!(mail(bench, t(1500) + QUIET_AFTER).await.map(|it| it.kind), None, "it is held");
        let quiet = mail(bench, t(1801) + HOUR).await.unwrap();
        assert_eq!((quiet.kind, quiet.samples[0].held_until), (Kind::Quiet, None));
        let again = told(bench, "a", t(1900) + HOUR).await;
        assert_eq!(again.samples[0].held_until, Some(t(1901) + 3 * HOUR), "that was no telling to wait for");
    }
}

/// What one process alone waits for, and what its clock does.
mod alone {
    use super::*;

    each_own_store! {
        async fn whoever_ends_tells_what_came_back_at_once(bench: &mut Bench) {
            told(bench, "a", t(0)).await;
            let back = t(0) + DAY;
            told(bench, "b", back - SETTLE).await;
            bench.persist(&[captured_at("a", back)], back).await;
            assert_eq!(bench.store.pending(bench.run, Mark::ALL).await.unwrap(), 2 + 1, "and two SMS");
            let channel = default_channel("mail");
            assert_eq!(bench.tell_with(&channel, false, back + SETTLE).await.notice, None, "its window is open");
            assert!(bench.tell_with(&channel, true, back + SETTLE).await.notice.is_some());
        }
    }
}
