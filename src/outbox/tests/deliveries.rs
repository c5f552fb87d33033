//! Of deliveries: claims, leases, doubt, and what ends undelivered.

use super::*;

every_store! {
    async fn a_claimed_delivery_is_not_claimed_again_before_its_lease_ends(bench: &mut Bench) {
        bench.persist(&[captured("a", Level::ERROR)], t(0)).await;
        let first = bench.claim("sms", t(1)).await.unwrap();
        assert_eq!(bench.claim("sms", t(70)).await, None);
        let second = bench.claim("sms", t(71)).await.unwrap();
        assert_eq!((second.key, second.attempt, second.token), (first.key, 2, first.token + 1));
    }

    async fn a_late_answer_is_refused(bench: &mut Bench) {
        bench.persist(&[captured("a", Level::ERROR)], t(0)).await;
        let first = bench.claim("sms", t(1)).await.unwrap();
        let second = bench.claim("sms", t(71)).await.unwrap();
        assert!(!bench.store.deliver(&first, None, 1, None, t(72)).await.unwrap());
        assert!(!bench.store.retry(&first, &SendError::not_processed("x"), t(72), None).await.unwrap());
        assert!(!bench.store.release(&first, None, t(72), None).await.unwrap());
        assert!(!bench.store.bury(&first, "x", t(72)).await.unwrap());
        assert!(bench.store.deliver(&second, Some("SM1"), 1, None, t(72)).await.unwrap());
        assert!(!bench.store.bury(&second, "x", t(73)).await.unwrap());
    }

    async fn an_answer_that_comes_when_the_message_was_given_up_is_refused(bench: &mut Bench) {
        bench.persist(&[captured("a", Level::ERROR)], t(0)).await;
        let claim = bench.claim("sms", t(1)).await.unwrap();
        let later = t(2 * 24 * 3600);
        assert_eq!(bench.store.bury_abandoned(&["mail"], later).await.unwrap(), 1);
        assert!(!bench.store.deliver(&claim, None, 1, None, later).await.unwrap());
        assert!(!bench.store.retry(&claim, &SendError::not_processed("x"), later, None).await.unwrap());
    }

    async fn a_retry_is_not_claimed_before_it_is_due(bench: &mut Bench) {
        bench.persist(&[captured("a", Level::ERROR)], t(0)).await;
        let claim = bench.claim("sms", t(1)).await.unwrap();
        assert!(bench.store.retry(&claim, &SendError::not_processed("503"), t(60), None).await.unwrap());
        assert_eq!(bench.claim("sms", t(59)).await, None);
        assert_eq!(bench.claim("sms", t(60)).await.unwrap().attempt, 2);
    }

    async fn what_may_have_been_sent_stays_in_doubt(bench: &mut Bench) {
        bench.persist(&[captured("a", Level::ERROR)], t(0)).await;
        let mut now = 1;
        for (error, doubted_before) in [
            (SendError::not_processed("503"), false),
            (SendError::ambiguous("cut"), false),
            (SendError::not_processed("503"), true),
            (SendError::not_processed("503"), true),
        ] {
            let claim = bench.claim("sms", t(now)).await.unwrap();
            assert_eq!(claim.is_doubtful, doubted_before, "{claim:?}");
            now += 10;
            assert!(bench.store.retry(&claim, &error, t(now), None).await.unwrap());
        }
    }

    async fn a_claim_that_was_released_leaves_no_doubt(bench: &mut Bench) {
        bench.persist(&[captured("a", Level::ERROR)], t(0)).await;
        let claim = bench.claim("sms", t(1)).await.unwrap();
        bench.store.release(&claim, None, t(2), None).await.unwrap();
        assert!(!bench.claim("sms", t(2)).await.unwrap().is_doubtful);
    }

    async fn a_claim_that_was_never_answered_leaves_doubt(bench: &mut Bench) {
        bench.persist(&[captured("a", Level::ERROR)], t(0)).await;
        assert!(!bench.claim("sms", t(1)).await.unwrap().is_doubtful);
        assert!(bench.claim("sms", t(71)).await.unwrap().is_doubtful);
    }

    async fn the_dead_are_told_once_and_then_not_before_the_pause_is_over(bench: &mut Bench) {
        for (start, name) in [(0, "a"), (10, "b"), (20, "c")] {
            bench.persist(&[captured(name, Level::ERROR)], t(start)).await;
            let claim = bench.claim("sms", t(start + 1)).await.unwrap();
            bench.store.bury(&claim, "21211", t(start + 2)).await.unwrap();
            if start == 0 {
                assert_eq!(bench.tell_of_dead("sms", t(0), t(3)).await, Some(1));
            }
        }
        assert_eq!(bench.tell_of_dead("sms", t(2), t(30)).await, None);
        assert_eq!(bench.tell_of_dead("mail", t(3), t(30)).await, None);
        assert_eq!(bench.tell_of_dead("sms", t(3), t(31)).await, Some(2));
        assert_eq!(bench.tell_of_dead("sms", t(31), t(99)).await, None);
    }

    async fn a_refused_recipient_gets_no_attempt_until_it_is_long_ago(bench: &mut Bench) {
        bench.persist(&[captured("a", Level::ERROR)], t(0)).await;
        let claim = bench.claim("sms", t(1)).await.unwrap();
        assert!(!bench.store.skip_refused(&claim, t(0), t(1)).await.unwrap());
        bench.store.refuse(&claim, t(2)).await.unwrap();
        bench.store.bury(&claim, "21610", t(2)).await.unwrap();
        assert_eq!(bench.tell_of_dead("sms", t(0), t(2)).await, Some(1));
        bench.persist(&[captured("b", Level::ERROR)], t(10)).await;
        let mail = bench.claim("mail", t(11)).await.unwrap();
        assert!(!bench.store.skip_refused(&mail, t(1), t(11)).await.unwrap());
        let claim = bench.claim("sms", t(11)).await.unwrap();
        assert!(!bench.store.skip_refused(&claim, t(2), t(11)).await.unwrap());
        assert!(bench.store.skip_refused(&claim, t(1), t(11)).await.unwrap());
        assert!(!bench.store.deliver(&claim, None, 1, None, t(12)).await.unwrap());
        assert_eq!(bench.tell_of_dead("sms", t(9), t(13)).await, None);
    }

    async fn what_tells_of_the_dead_is_not_told_itself(bench: &mut Bench) {
        bench.persist(&[captured("a", Level::ERROR)], t(0)).await;
        let claim = bench.claim("sms", t(1)).await.unwrap();
        bench.store.bury(&claim, "21211", t(2)).await.unwrap();
        let claim = bench.claim("mail", t(2)).await.unwrap();
        assert!(bench.store.deliver(&claim, None, 1, None, t(2)).await.unwrap());
        assert_eq!(bench.tell_of_dead("sms", t(0), t(3)).await, Some(1));
        let claim = bench.claim("mail", t(4)).await.unwrap();
        let notice = bench.store.notice(&claim).await.unwrap();
        let message = notice.samples[0].event.message.as_str();
        assert_eq!((notice.kind, message), (Kind::Health, "21211 for +1 in #7K3Q"));
        bench.store.bury(&claim, "refused", t(4)).await.unwrap();
        assert_eq!(bench.tell_of_dead("mail", t(0), t(5)).await, None);
    }

    async fn a_released_delivery_keeps_its_attempt(bench: &mut Bench) {
        bench.persist(&[captured("a", Level::ERROR)], t(0)).await;
        let claim = bench.claim("sms", t(1)).await.unwrap();
        assert!(bench.store.release(&claim, Some("401"), t(60), None).await.unwrap());
        assert_eq!(bench.claim("sms", t(60)).await.unwrap().attempt, 1);
    }

    async fn the_longest_due_come_first_and_no_more_than_asked(bench: &mut Bench) {
        for n in 0..5 {
            bench.targets.push(target("sms", &format!("+2{n}"), Level::ERROR));
            bench.persist(&[captured(&format!("{n}"), Level::ERROR)], t(n)).await;
        }
        bench.tell("sms", t(100)).await;
        let claims = bench.store.claim("sms", 3, t(200), t(100)).await.unwrap();
        assert_eq!(claims.len(), 3);
        assert_eq!(bench.store.claim("sms", 9, t(200), t(100)).await.unwrap().len(), 3);
    }

    async fn an_attempt_that_may_have_cost_counts_once_and_not_if_surely_nothing_was_sent(bench: &mut Bench) {
        bench.persist(&[captured("a", Level::ERROR)], t(0)).await;
        let (calendar, tomorrow) = (Calendar::default(), Calendar::default().next_day(t(0)));
        let limit = Some((6, &calendar));
        let mut now = 1;
        for until in [None, None, Some(tomorrow)] {
            let claim = bench.claim("sms", t(now)).await.unwrap();
            for _ in 0..2 {
                assert_eq!(bench.store.charge(&claim, 2, limit, t(now)).await.unwrap(), until);
            }
            now += 10;
            let cut = SendError::ambiguous("cut");
            assert!(bench.store.retry(&claim, &cut, t(now), None).await.unwrap());
        }
        let claim = bench.claim("sms", t(now)).await.unwrap();
        for _ in 0..2 {
            bench.store.refund(&claim).await.unwrap();
        }
        assert_eq!(bench.store.charge(&claim, 2, limit, t(now)).await.unwrap(), None, "all of it is back");
        assert!(bench.store.deliver(&claim, None, 2, None, t(now)).await.unwrap());
        bench.persist(&[captured_at("b", t(now))], t(now)).await;
        let other = bench.claim("sms", t(now + 1)).await.unwrap();
        bench.store.refund(&other).await.unwrap();
        assert_eq!(bench.store.charge(&other, 0, limit, t(now)).await.unwrap(), None);
        let more = bench.store.charge(&other, 1, Some((5, &calendar)), t(now)).await.unwrap();
        assert_eq!(more, Some(tomorrow), "what was accepted is never given back");
    }

    async fn messages_of_one_incident_leave_in_order(bench: &mut Bench) {
        bench.persist(&[captured("a", Level::ERROR)], t(0)).await;
        let first = bench.claim("mail", t(1)).await.unwrap();
        let late = t(5000);
        assert!(bench.store.retry(&first, &SendError::ambiguous("cut"), late, None).await.unwrap());
        bench.persist(&[Captured { count: 99, ..captured_at("a", t(1900)) }, captured_at("b", t(1900))], t(1900)).await;
        let other = bench.claim("mail", t(1901)).await.unwrap();
        assert_ne!(other.key, first.key, "another one is told");
        assert!(bench.store.deliver(&other, None, 1, None, t(1901)).await.unwrap());
        assert_eq!(bench.claim("mail", t(4999)).await, None);
        let again = bench.claim("mail", late).await.unwrap();
        assert_eq!(again.key, first.key);
        assert!(bench.store.deliver(&again, None, 1, None, late).await.unwrap());
        assert_eq!(bench.told("mail", late).await, [("a".to_owned(), 99)]);
    }

    async fn whose_dead_were_told_has_none_to_tell(bench: &mut Bench) {
        bench.persist(&[captured_at("a", t(0))], t(0)).await;
        let claim = bench.claim("sms", t(1)).await.unwrap();
        bench.store.bury(&claim, "21211", t(1)).await.unwrap();
        assert_eq!(bench.store.sinks_of_dead().await.unwrap(), ["sms"]);
        assert_eq!(bench.tell_of_dead("sms", t(0), t(1)).await, Some(1));
        assert_eq!(bench.store.sinks_of_dead().await.unwrap(), [""; 0]);
    }
}

/// What one process alone waits for, and what its clock does.
mod alone {
    use super::*;

    each_own_store! {
        async fn pending_counts_what_this_run_asked_for(bench: &mut Bench) {
            bench.persist(&[captured("a", Level::ERROR)], t(0)).await;
            bench.run = Uuid::from_u128(2);
            assert_eq!(bench.store.pending(bench.run, Mark::ALL).await.unwrap(), 0);
            bench.persist(&[captured("b", Level::ERROR)], t(5)).await;
            assert_eq!(bench.store.pending(bench.run, Mark::ALL).await.unwrap(), 2);
            let claim = bench.claim("sms", t(6)).await.unwrap();
            assert_eq!(bench.store.pending(bench.run, Mark::ALL).await.unwrap(), 2);
            bench.store.bury(&claim, "21211", t(7)).await.unwrap();
            assert_eq!(bench.store.pending(bench.run, Mark::ALL).await.unwrap(), 1);
        }

        async fn what_joined_a_message_of_another_run_is_pending(bench: &mut Bench) {
            bench.targets.truncate(1);
            bench.persist(&[captured("a", Level::ERROR)], t(0)).await;
            let claim = bench.claim("sms", t(1)).await.unwrap();
            bench.store.retry(&claim, &SendError::not_processed("503"), t(60), None).await.unwrap();
            bench.run = Uuid::from_u128(2);
            bench.persist(&[captured("b", Level::ERROR)], t(2)).await;
            bench.tell("sms", t(3)).await;
            assert_eq!(bench.store.pending(bench.run, Mark::ALL).await.unwrap(), 1);
            let told = [("a".to_owned(), 1), ("b".to_owned(), 1)];
            assert_eq!(bench.told("sms", t(60)).await, told);
            assert_eq!(bench.store.pending(Uuid::from_u128(3), Mark::ALL).await.unwrap(), 0);
        }

        async fn what_nobody_could_send_has_its_whole_deadline_from_the_next_start_on(bench: &mut Bench) {
            bench.persist(&[captured("a", Level::ERROR)], t(0)).await;
            let claim = bench.claim("sms", t(1)).await.unwrap();
            let error = SendError::not_processed("503");
            assert!(bench.store.retry(&claim, &error, t(60), None).await.unwrap());
            let (day, sms) = (86_400, [("sms", HOUR)]);
            assert_eq!(bench.store.prolong(&sms, t(59), t(199)).await.unwrap(), 0, "somebody may be about to");
            assert_eq!(bench.store.prolong(&[("mail", HOUR)], t(day), t(day)).await.unwrap(), 0, "another's");
            assert_eq!(bench.store.prolong(&sms, t(day - 140), t(day)).await.unwrap(), 1);
            let claim = bench.claim("sms", t(day)).await.unwrap();
            assert_eq!(claim.expires_at, t(day) + HOUR);
        }
    }
}
