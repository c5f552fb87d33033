//! Of incidents: who is told of what when, in which message, and how many there
//! are.

use super::*;

every_store! {
    async fn an_incident_is_told_when_its_settle_time_ends(bench: &mut Bench) {
        bench.persist(&[captured("a", Level::ERROR)], t(0)).await;
        assert_eq!(bench.tell("sms", t(0)).await, Told { notice: None, next: Some(t(1)) });
        let claim = bench.claim("sms", t(1)).await.unwrap();
        assert_eq!((claim.recipient.as_str(), claim.attempt, claim.expires_at), ("+1", 1, t(3601)));
        assert_eq!(bench.claim("sms", t(1)).await, None);
    }

    async fn who_waits_gets_what_is_new_at_once(bench: &mut Bench) {
        bench.persist(&[captured("a", Level::ERROR)], t(0)).await;
        assert!(bench.tell_with(&channel("sms"), true, t(0)).await.notice.is_some());
        assert!(bench.claim("sms", t(0)).await.is_some());
    }

    async fn what_is_new_joins_a_message_that_did_not_leave(bench: &mut Bench) {
        bench.persist(&[captured("a", Level::ERROR)], t(0)).await;
        bench.persist(&[captured("b", Level::ERROR)], t(0)).await;
        assert_eq!(bench.told("sms", t(1)).await, [("a".to_owned(), 1), ("b".to_owned(), 1)]);
    }

    async fn a_message_that_was_surely_not_sent_takes_all_that_came_since(bench: &mut Bench) {
        bench.persist(&[captured("a", Level::ERROR)], t(0)).await;
        let mut now = 1;
        let mut notice = None;
        while now < 3600 {
            let claim = bench.claim("sms", t(now)).await.unwrap();
            assert_eq!(*notice.get_or_insert(claim.notice_id), claim.notice_id);
            assert!(bench.store.retry(&claim, &SendError::not_processed("down"), t(now + 60), None).await.unwrap());
            now += 60;
            let name = format!("{now}");
            let batch = [captured_at("a", t(now - 1)), captured_at(&name, t(now - 1))];
            bench.persist(&batch, t(now - 1)).await;
        }
        let told = bench.told("sms", t(now)).await;
        assert_eq!((told.len(), &told[0]), (61, &("a".to_owned(), 61)));
        assert_eq!(bench.claim("sms", t(now)).await, None);
    }

    async fn what_joined_a_message_that_did_not_leave_was_told_once(bench: &mut Bench) {
        for n in 0..3 {
            bench.persist(&[captured_at("a", t(n))], t(n)).await;
            bench.tell("mail", t(n + 1)).await;
        }
        let claim = bench.claim("mail", t(4)).await.unwrap();
        bench.store.deliver(&claim, None, 1, None, t(4)).await.unwrap();
        let end = t(2) + crate::policy::incident::QUIET_AFTER;
        assert_eq!(bench.tell("mail", end).await, Told::default(), "its end is no news");
    }

    async fn what_may_have_been_sent_is_not_changed(bench: &mut Bench) {
        bench.persist(&[captured("a", Level::ERROR)], t(0)).await;
        let first = bench.claim("sms", t(1)).await.unwrap();
        assert!(bench.store.retry(&first, &SendError::ambiguous("cut"), t(60), None).await.unwrap());
        bench.persist(&[captured("b", Level::ERROR)], t(2)).await;
        let second = bench.claim("sms", t(3)).await.unwrap();
        assert_ne!(second.notice_id, first.notice_id);
        let again = bench.claim("sms", t(60)).await.unwrap();
        assert_eq!(bench.store.notice(&again).await.unwrap().samples.len(), 1);
    }

    async fn three_messages_in_doubt_hold_up_the_next_for_a_window_or_until_one_is_settled(bench: &mut Bench) {
        let mut claims = Vec::new();
        for n in 0..9 {
            bench.persist(&[captured(&format!("{n}"), Level::ERROR)], t(2 * n)).await;
            claims.extend(bench.claim("sms", t(2 * n + 1)).await);
        }
        assert_eq!(claims.len(), 3);
        assert_eq!(bench.tell("sms", t(34)).await, Told { notice: None, next: Some(t(35)) });
        assert_eq!(bench.told("sms", t(35)).await.len(), 6);
        bench.persist(&[captured_at("b", t(36))], t(36)).await;
        assert_eq!(bench.tell("sms", t(37)).await.notice, None, "now for two");
        assert!(bench.store.deliver(&claims[0], None, 1, None, t(38)).await.unwrap());
        assert!(bench.store.deliver(&claims[1], None, 1, None, t(38)).await.unwrap());
        assert_eq!(bench.told("sms", t(38)).await.len(), 1, "what waited is told as soon as it may");
    }

    async fn each_recipient_is_told_of_its_own_levels(bench: &mut Bench) {
        bench.persist(&[captured("only a warning", Level::WARN)], t(0)).await;
        assert_eq!(bench.tell("sms", t(0)).await, Told::default());
        bench.persist(&[captured("an error", Level::ERROR)], t(0)).await;
        assert_eq!(bench.told("sms", t(1)).await, [("an error".to_owned(), 1)]);
        assert_eq!(bench.told("mail", t(1)).await, [("only a warning".to_owned(), 1), ("an error".to_owned(), 1)]);
    }

    async fn the_same_event_is_kept_once_and_counted(bench: &mut Bench) {
        let again = Captured { count: 40, ..captured("a", Level::ERROR) };
        bench.persist(&[captured("a", Level::ERROR), again], t(0)).await;
        bench.persist(&[captured("a", Level::ERROR)], t(0)).await;
        let claim = bench.claim("sms", t(1)).await.unwrap();
        let notice = bench.store.notice(&claim).await.unwrap();
        let [sample] = notice.samples.as_slice() else { panic!("{notice:?}") };
        assert_eq!((sample.count, sample.total, notice.unsampled), (42, 42, 0));
        assert_eq!((notice.id.as_str(), &notice.process), ("7K3Q", &bench.process));
    }

    async fn no_two_things_in_a_store_have_one_id(bench: &mut Bench) {
        let drawn = std::cell::Cell::new(0_usize);
        // Each is drawn twice.
        bench.new_id = Box::new(move || {
            drawn.set(drawn.get() + 1);
            format!("{:04}", drawn.get() / 2)
        });
        bench.persist(&[captured("a", Level::ERROR), captured("b", Level::ERROR)], t(0)).await;
        let digest = bench.claim("sms", t(1)).await.unwrap();
        let notice = bench.store.notice(&digest).await.unwrap();
        let ids = [&notice.id, &notice.samples[0].incident, &notice.samples[1].incident];
        assert_eq!(std::collections::HashSet::from(ids).len(), 3, "{ids:?}");
    }

    async fn an_id_that_something_older_has_is_drawn_again(bench: &mut Bench) {
        let mut all = Vec::new();
        for (start, kind) in [(t(0), "a"), (t(0) + 30 * 24 * HOUR, "b")] {
            let drawn = std::cell::Cell::new(0_usize);
            bench.new_id = Box::new(move || {
                drawn.set(drawn.get() + 1);
                format!("{:04}", drawn.get())
            });
            bench.persist(&[captured_at(kind, start)], start).await;
            for sink in ["sms", "mail"] {
                let claim = bench.claim(sink, start + SETTLE).await.unwrap();
                let notice = bench.store.notice(&claim).await.unwrap();
                all.extend([notice.id, notice.samples[0].incident.clone()]);
                assert!(bench.store.deliver(&claim, None, 1, None, start + SETTLE).await.unwrap());
            }
            bench.persist(&[], start + HOUR).await;
        }
        let (first, second) = all.split_at(4);
        let forgets = matches!(bench.store, Store::Memory(_));
        assert!(forgets || first.iter().all(|id| !second.contains(id)), "{all:?}");
    }

    async fn the_last_event_that_is_known_is_kept_beside_the_first(bench: &mut Bench) {
        let order = |number| Event {
            fields: vec![crate::event::Field::new("order", crate::event::Value::U64(number))],
            backtrace: Some("0: main".to_owned()),
            ..captured("a", Level::ERROR).event
        };
        let a = || captured("a", Level::ERROR);
        let latest = async |bench: &mut Bench| {
            let claim = bench.store.claim("sms", 1, t(1), t(1)).await.unwrap().remove(0);
            let sample = bench.store.notice(&claim).await.unwrap().samples.remove(0);
            (sample.event.fields, sample.latest)
        };
        bench.persist(&[Captured { event: order(1), ..a() }], t(0)).await;
        bench.tell("sms", t(1)).await;
        assert_eq!(latest(bench).await, (order(1).fields, None), "there is but one");
        bench.persist(&[Captured { event: order(2), latest: Some(order(3)), ..a() }], t(1)).await;
        assert_eq!(latest(bench).await, (order(1).fields, Some(order(3).bare())));
        bench.persist(&[Captured { event: order(4), is_stand_in: true, ..a() }], t(1)).await;
        assert_eq!(latest(bench).await.1, Some(order(3).bare()), "of the others only the number is known");
        bench.persist(&[Captured { event: order(5), ..a() }], t(1)).await;
        assert_eq!(latest(bench).await.1, Some(order(5).bare()));
    }

    async fn an_incident_is_told_again_with_what_is_new_and_in_all(bench: &mut Bench) {
        bench.persist(&[captured("a", Level::ERROR)], t(0)).await;
        let claim = bench.claim("mail", t(1)).await.unwrap();
        bench.store.deliver(&claim, None, 1, None, t(1)).await.unwrap();
        let many = Captured { count: 99, last_at: t(1000), ..captured("a", Level::ERROR) };
        bench.persist(&[many], t(1000)).await;
        assert_eq!(bench.claim("mail", t(1800)).await, None, "it is held");
        let claim = bench.claim("mail", t(1801)).await.unwrap();
        let notice = bench.store.notice(&claim).await.unwrap();
        assert_eq!((notice.kind, notice.id.as_str()), (Kind::Update, "7K3Q.2"));
        assert_eq!((notice.samples[0].count, notice.samples[0].total), (99, 100));
        bench.store.deliver(&claim, None, 1, None, t(1801)).await.unwrap();
        let end = t(1801) + HOUR;
        assert_eq!(bench.tell("mail", t(1802)).await.next, Some(end));
        let claim = bench.claim("mail", end).await.unwrap();
        let notice = bench.store.notice(&claim).await.unwrap();
        assert_eq!((notice.kind, notice.id.as_str(), notice.event_count()), (Kind::Quiet, "7K3Q.3", 0));
        assert_eq!(bench.tell("mail", end).await.next, None);
    }

    async fn the_last_hour_is_told_in_five_minutes_each(bench: &mut Bench) {
        bench.persist(&[captured_at("a", t(0))], t(0)).await;
        let claim = bench.claim("mail", t(1)).await.unwrap();
        bench.store.deliver(&claim, None, 1, None, t(1)).await.unwrap();
        let more = |count, at| Captured { count, ..captured_at("a", at) };
        bench.persist(&[more(2, t(99)), more(30, t(100)), more(4, t(399))], t(400)).await;
        bench.persist(&[more(50, t(401)), more(13, t(1000))], t(1000)).await;
        let claim = bench.claim("mail", t(1801)).await.unwrap();
        let [sample] = &bench.store.notice(&claim).await.unwrap().samples[..] else { panic!("one incident") };
        assert_eq!(sample.last_hour.since, t(1900) - HOUR);
        assert_eq!(sample.last_hour.counts, [0, 0, 0, 0, 0, 3, 34, 50, 0, 13, 0, 0]);
        assert_eq!((sample.count, sample.total), (99, 100));
    }

    async fn what_is_older_than_an_hour_is_in_no_pace(bench: &mut Bench) {
        let step = HOUR / 12;
        for n in 0..30 {
            let batch = [captured_at("a", t(0) + step * n), captured_at("a", t(0) + step * n)];
            bench.persist(&batch, t(0) + step * n).await;
        }
        let now = t(0) + step * 31;
        let claim = bench.claim("mail", now).await.unwrap();
        let notice = bench.store.notice(&claim).await.unwrap();
        assert_eq!(notice.samples[0].last_hour.counts, [2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 0, 0]);
        assert_eq!(notice.event_count(), 60);
    }

    async fn each_part_of_a_message_says_why(bench: &mut Bench) {
        let more = |count, at| Captured { count, ..captured_at("a", at) };
        bench.persist(&[captured_at("a", t(0))], t(0)).await;
        let claim = bench.claim("mail", t(1)).await.unwrap();
        bench.store.deliver(&claim, None, 1, None, t(1)).await.unwrap();
        bench.persist(&[more(99, t(1000))], t(1000)).await;
        bench.tell("mail", t(1801)).await;
        bench.persist(&[more(1, t(1802)), captured_at("b", t(1802))], t(1802)).await;
        let why = async |bench: &mut Bench, now| {
            let claim = bench.claim("mail", now).await.unwrap();
            bench.store.release(&claim, None, now, None).await.unwrap();
            let notice = bench.store.notice(&claim).await.unwrap();
            notice.samples.iter().map(|sample| (sample.event.message.clone(), sample.kind)).collect::<Vec<_>>()
        };
        let [a, b] = ["a", "b"].map(str::to_owned);
        assert_eq!(why(bench, t(1803)).await, [(b.clone(), Kind::First), (a.clone(), Kind::Update)]);
        bench.persist(&[more(1, t(1804)), captured_at("b", t(1804))], t(1804)).await;
        let end = t(1804) + crate::policy::incident::QUIET_AFTER;
        let told = [(b.clone(), Kind::First), (a.clone(), Kind::Quiet)];
        assert_eq!(why(bench, end).await, told, "it ended while it waited");
        let back = end + SETTLE;
        bench.persist(&[more(1, back), captured_at("b", back)], back).await;
        assert_eq!(why(bench, back + SETTLE).await, [(b, Kind::First), (a, Kind::Again)], "and came back");
    }


    async fn there_are_only_so_many_open_incidents_and_the_rest_is_counted(bench: &mut Bench) {
        let batch: Vec<_> = (0..MAX_INCIDENTS + 20)
            .map(|n| captured(&format!("{n}"), Level::ERROR))
            .chain((0..7).map(|n| captured(&format!("w{n}"), Level::WARN)))
            .collect();
        bench.persist(&batch, t(0)).await;
        let counts = async |bench: &mut Bench, sink| {
            let claim = bench.claim(sink, t(1)).await.unwrap();
            let notice = bench.store.notice(&claim).await.unwrap();
            (notice.samples.len(), notice.event_count())
        };
        assert_eq!(counts(bench, "sms").await, (SAMPLES_PER_NOTICE, 520));
        assert_eq!(counts(bench, "mail").await, (SAMPLES_PER_NOTICE, 527));
    }

    async fn so_it_is_if_they_come_one_after_the_other(bench: &mut Bench) {
        for kinds in [0..MAX_INCIDENTS - 1, MAX_INCIDENTS - 1..MAX_INCIDENTS + 20] {
            let batch: Vec<_> = kinds.map(|n| captured(&format!("{n}"), Level::ERROR)).collect();
            bench.persist(&batch, t(0)).await;
        }
        let page = bench.page().await;
        let counts = |about| page.incidents.values().filter(move |it| it.about == about).map(|it| it.count);
        assert_eq!(counts(None).count(), MAX_INCIDENTS);
        assert_eq!(counts(Some(About::Overflow)).collect::<Vec<_>>(), [20]);
    }

    async fn losses_are_told_also_with_no_event(bench: &mut Bench) {
        let losses = Losses::from([(DropReason::QueueFull, 3)]);
        bench.persist_with(&[], &losses, t(0)).await;
        bench.persist_with(&[], &losses, t(0)).await;
        let claim = bench.claim("sms", t(1)).await.unwrap();
        let notice = bench.store.notice(&claim).await.unwrap();
        assert_eq!((notice.losses, notice.samples.len()), (Losses::from([(DropReason::QueueFull, 6)]), 0));
        assert_eq!(notice.kind, Kind::Health);
    }

    async fn errors_with_losses_are_no_news_of_the_alerting_alone(bench: &mut Bench) {
        bench.persist_with(&[captured_at("a", t(0))], &Losses::from([(DropReason::QueueFull, 3)]), t(0)).await;
        let claim = bench.claim("sms", t(1)).await.unwrap();
        assert_eq!(bench.store.notice(&claim).await.unwrap().kind, Kind::Digest);
        bench.store.bury(&claim, "21211", t(1)).await.unwrap();
        assert_eq!(bench.tell_of_dead("sms", t(0), t(1)).await, Some(1));
    }

    async fn a_backtrace_can_come_later(bench: &mut Bench) {
        let captured = captured("a", Level::ERROR);
        let fingerprint = captured.fingerprint;
        bench.persist(&[captured], t(0)).await;
        bench.store.add_backtrace(fingerprint.as_slice(), "0: main\n").await.unwrap();
        bench.store.add_backtrace(fingerprint.as_slice(), "of another").await.unwrap();
        let claim = bench.claim("sms", t(1)).await.unwrap();
        let notice = bench.store.notice(&claim).await.unwrap();
        assert_eq!(notice.samples[0].event.backtrace.as_deref(), Some("0: main\n"));
    }

    async fn what_is_silenced_is_counted_and_told_at_the_end(bench: &mut Bench) {
        let silenced =
            || Captured { not_before: Some(t(3600)), count: 100, ..captured("a", Level::ERROR) };
        bench.persist(&[silenced()], t(0)).await;
        bench.persist(&[silenced()], t(0)).await;
        assert!(bench.tell_with(&channel("sms"), true, t(9)).await.notice.is_none());
        assert_eq!(bench.told("sms", t(3600)).await, [("a".to_owned(), 200)]);
    }

    async fn a_budget_is_kept_and_the_rest_comes_in_one_message(bench: &mut Bench) {
        let limited = Channel { budget: Some(Budget::SMS), ..channel("sms") };
        let mut told = Vec::new();
        for n in (0..1200).step_by(10) {
            bench.persist(&[captured_at(&format!("{n}"), t(n))], t(n)).await;
            bench.tell_with(&limited, false, t(n + 1)).await;
            for claim in bench.store.claim("sms", 9, t(n + 70), t(n + 1)).await.unwrap() {
                told.push(bench.store.notice(&claim).await.unwrap().event_count());
                bench.store.deliver(&claim, None, 1, None, t(n + 1)).await.unwrap();
            }
        }
        assert_eq!(told.len(), 4, "three at once, then one in ten minutes: {told:?}");
        assert_eq!(told[..3], [1, 1, 1]);
        assert!(told[3] > 50, "{told:?}");
    }

    async fn what_may_have_been_sent_costs_too(bench: &mut Bench) {
        let limited = Channel { segments_per_day: Some(6), ..channel("sms") };
        bench.persist(&[captured("a", Level::ERROR)], t(0)).await;
        let claim = bench.claim("sms", t(1)).await.unwrap();
        bench.store.charge(&claim, 5, None, t(1)).await.unwrap();
        assert!(bench.store.bury(&claim, "21211", t(1)).await.unwrap());
        bench.persist(&[captured_at("b", t(1))], t(1)).await;
        let told = bench.tell_with(&limited, false, t(2)).await;
        let tomorrow = bench.calendar.next_day(t(1));
        assert_eq!(told.notice, None);
        assert_eq!(bench.tell_with(&limited, false, tomorrow - SETTLE).await.notice, None);
        assert!(bench.tell_with(&limited, false, tomorrow).await.notice.is_some());
    }

    async fn the_sms_to_one_phone_cost_no_more_than_they_may(bench: &mut Bench) {
        let limited = Channel { segments_per_day: Some(6), ..channel("sms") };
        let mut sent = 0;
        for n in 0..9 {
            bench.persist(&[captured(&format!("{n}"), Level::ERROR)], t(10 * n)).await;
            bench.tell_with(&limited, false, t(10 * n + 1)).await;
            for claim in bench.store.claim("sms", 9, t(10 * n + 70), t(10 * n + 1)).await.unwrap() {
                bench.store.deliver(&claim, None, 2, None, t(10 * n + 1)).await.unwrap();
                sent += 1;
            }
        }
        assert_eq!(sent, 3);
    }
}

/// What one process alone waits for, and what its clock does.
mod alone {
    use super::*;

    each_own_store! {
        async fn a_silence_ends_when_it_would_although_the_clock_is_set(bench: &mut Bench) {
            let silenced = Captured { not_before: Some(t(36_300)), ..captured_at("a", t(36_000)) };
            bench.persist(&[silenced], t(36_000)).await;
            bench.store.shift(bench.run, -36_000_000).await.unwrap();
            bench.store.reconsider(t(0)).await.unwrap();
            assert_eq!(bench.tell("mail", t(0)).await.next, Some(t(300)));
            assert_eq!(bench.told("mail", t(300)).await, [("a".to_owned(), 1)]);
        }

        async fn what_is_still_to_come_is_in_no_pace(bench: &mut Bench) {
            bench.persist(&[captured_at("a", t(0) + HOUR)], t(0) + HOUR).await;
            bench.store.reconsider(t(0)).await.unwrap();
            bench.persist(&[captured_at("a", t(0)), captured_at("a", t(0))], t(0)).await;
            let claim = bench.claim("mail", t(1)).await.unwrap();
            let notice = bench.store.notice(&claim).await.unwrap();
            assert_eq!(notice.samples[0].last_hour.counts.iter().sum::<u64>(), 2);
        }
    }
}
