//! What became of accepted messages: questions, answers, and what follows them.

use super::*;
use crate::sink::Fate;

/// Has a message accepted at `now` that is asked after ten seconds later.
async fn accept(bench: &mut Bench, sink: &'static str, now: SystemTime) -> Claim {
    let claim = bench.claim(sink, now).await.unwrap();
    assert!(bench.store.deliver(&claim, Some("SM1"), 1, Some(now + 10 * SETTLE), now).await.unwrap());
    claim
}

async fn ask(bench: &mut Bench, now: SystemTime) -> Vec<Inquiry> {
    bench.store.inquire("sms", 50, now + 70 * SETTLE, now).await.unwrap()
}

async fn learn(bench: &mut Bench, question: &Inquiry, fate: Fate, now: SystemTime) -> Learned {
    learn_with(bench, question, fate, None, None, now).await
}

async fn learn_with(
    bench: &mut Bench,
    question: &Inquiry,
    fate: Fate,
    ask_at: Option<SystemTime>,
    again: Option<(SystemTime, SystemTime)>,
    now: SystemTime,
) -> Learned {
    let others = [bench.targets[1].clone()];
    let sequel = Sequel { ask_at, again, others: &others };
    bench.store.learn("sms", question, &fate, &sequel, now).await.unwrap()
}

fn unreachable() -> Fate {
    Fate::Failed(SendError::not_processed("30003"))
}

async fn events(bench: &mut Bench) -> [u64; 3] {
    let events = bench.store.events().await.unwrap();
    [events.reported, events.pending, events.dead]
}

/// Tells the inbox that SMS fail: for how many seconds, and why.
async fn failing(bench: &mut Bench, now: SystemTime) -> Option<(u64, String)> {
    let told = std::cell::RefCell::new(None);
    let tell = |ill: &Ill| {
        let Ill::Failing(failing) = ill else { panic!("{ill:?}") };
        let secs = now.duration_since(failing.since).unwrap().as_secs();
        *told.borrow_mut() = Some((secs, failing.reason.clone()));
        Captured { about: Some(About::Dead), ..captured(&failing.reason, Level::ERROR) }
    };
    let maker = Maker {
        new_id: &*bench.new_id,
        run: bench.run,
        process: &bench.process,
        calendar: &bench.calendar,
        is_of_fleet: false,
    };
    let done = bench.store.tell_of_sink("sms", true, t(0), tell, &maker, &bench.targets[1..], now).await;
    assert_eq!(done.unwrap(), told.borrow().is_some());
    told.into_inner()
}

every_store! {
    async fn a_sink_that_fails_for_ten_minutes_is_told_of_and_each_day_until_it_works(bench: &mut Bench) {
        let error = SendError::misconfigured("401");
        let mut now = 1;
        bench.persist(&[captured("a", Level::ERROR)], t(0)).await;
        let claim = bench.claim("sms", t(now)).await.unwrap();
        bench.store.release(&claim, Some(&error.to_string()), t(2), Some(t(now))).await.unwrap();
        let mut told = Vec::new();
        // An error each 20 minutes, and a probe each five, for three days.
        while now < 3 * 86_400 {
            if now % 1200 < 300 {
                bench.persist(&[captured_at("b", t(now))], t(now)).await;
            }
            if let Some(claim) = bench.claim("sms", t(now)).await {
                bench.store.release(&claim, Some(&error.to_string()), t(now + 1), Some(t(now))).await.unwrap();
            }
            told.extend(failing(bench, t(now)).await);
            now += 300;
        }
        let reason = error.to_string();
        assert_eq!(told, [600, 87_000, 173_400].map(|secs| (secs, reason.clone())));
        let claim = bench.claim("sms", t(now)).await.unwrap();
        bench.store.deliver(&claim, None, 1, None, t(now)).await.unwrap();
        assert_eq!(failing(bench, t(now + 86_400 * 2)).await, None);
    }

    async fn what_was_given_back_at_the_end_of_a_process_is_no_failure(bench: &mut Bench) {
        bench.persist(&[captured("a", Level::ERROR)], t(0)).await;
        let claim = bench.claim("sms", t(1)).await.unwrap();
        bench.store.retry(&claim, &SendError::ambiguous("the process ended"), t(2), None).await.unwrap();
        assert_eq!(failing(bench, t(86_400)).await, None);
    }

    async fn a_message_is_asked_after_when_its_time_has_come_and_by_one(bench: &mut Bench) {
        bench.persist(&[captured("a", Level::ERROR)], t(0)).await;
        assert_eq!(bench.store.next_inquiry("sms").await.unwrap(), None);
        accept(bench, "sms", t(1)).await;
        assert_eq!(bench.store.next_inquiry("sms").await.unwrap(), Some(t(11)));
        assert_eq!(bench.store.next_inquiry("mail").await.unwrap(), None);
        assert_eq!(ask(bench, t(10)).await, []);
        bench.reopen().await;
        let [question] = <[_; 1]>::try_from(ask(bench, t(11)).await).unwrap();
        let asked = (question.recipient.as_str(), question.reference.as_deref(), question.accepted_at);
        assert_eq!((asked, question.number), (("+1", Some("SM1"), t(1)), 1));
        assert_eq!(ask(bench, t(80)).await, []);
        // Its lease ended: who asked did not say what came of it.
        assert_eq!(ask(bench, t(81)).await[0].number, 2);
        assert_eq!(learn(bench, &question, Fate::Arrived, t(82)).await, Learned::Late);
    }

    async fn an_answer_counts_once(bench: &mut Bench) {
        bench.persist(&[captured("a", Level::ERROR)], t(0)).await;
        accept(bench, "sms", t(1)).await;
        let question = ask(bench, t(11)).await.remove(0);
        assert_eq!(learn(bench, &question, Fate::Arrived, t(12)).await, Learned::Arrived);
        assert_eq!(learn(bench, &question, unreachable(), t(12)).await, Learned::Late);
        assert_eq!(bench.store.next_inquiry("sms").await.unwrap(), None);
        assert_eq!(events(bench).await, [1, 0, 0]);
    }

    async fn what_is_open_is_asked_again_until_the_last_time(bench: &mut Bench) {
        bench.persist(&[captured("a", Level::ERROR)], t(0)).await;
        accept(bench, "sms", t(1)).await;
        let question = ask(bench, t(11)).await.remove(0);
        assert_eq!(learn_with(bench, &question, Fate::Open, Some(t(40)), None, t(12)).await, Learned::Open);
        assert_eq!(ask(bench, t(39)).await, []);
        let question = ask(bench, t(40)).await.remove(0);
        assert_eq!(question.number, 2);
        assert_eq!(learn(bench, &question, Fate::Open, t(41)).await, Learned::Unconfirmed);
        assert_eq!((bench.store.next_inquiry("sms").await.unwrap(), events(bench).await), (None, [1, 0, 0]));
    }

    async fn what_nobody_got_is_unreported_and_told_to_the_others(bench: &mut Bench) {
        bench.targets.truncate(2);
        bench.persist(&[captured("a", Level::ERROR), captured("a", Level::ERROR)], t(0)).await;
        accept(bench, "sms", t(1)).await;
        assert_eq!(events(bench).await, [2, 0, 0]);
        let question = ask(bench, t(11)).await.remove(0);
        let fate = Fate::Failed(SendError::misconfigured("30034"));
        assert_eq!(learn(bench, &question, fate, t(12)).await, Learned::Failed);
        // The mail that is to come has them.
        assert_eq!(events(bench).await, [0, 2, 0]);
        assert_eq!(bench.tell_of_dead("sms", t(0), t(13)).await, Some(1));
        bench.tell("mail", t(13)).await;
        let claim = bench.claim("mail", t(14)).await.unwrap();
        bench.store.deliver(&claim, None, 1, None, t(14)).await.unwrap();
        assert_eq!(events(bench).await, [2, 0, 0]);
    }

    async fn it_is_sent_once_more_at_most(bench: &mut Bench) {
        bench.targets.truncate(1);
        bench.persist(&[captured("a", Level::ERROR)], t(0)).await;
        let claim = accept(bench, "sms", t(1)).await;
        let question = ask(bench, t(11)).await.remove(0);
        let again = Some((t(130), t(130) + HOUR));
        bench.targets.push(target("mail", "a@b", Level::WARN));
        assert_eq!(learn_with(bench, &question, unreachable(), None, again, t(12)).await, Learned::SentAgain);
        assert_eq!(events(bench).await, [0, 1, 0]);
        assert_eq!(bench.claim("sms", t(129)).await, None);
        let second = bench.claim("sms", t(130)).await.unwrap();
        assert_eq!((second.key, second.attempt, second.is_doubtful), (claim.key, 2, false));
        bench.store.deliver(&second, Some("SM2"), 1, Some(t(140)), t(131)).await.unwrap();
        assert_eq!(events(bench).await, [1, 0, 0]);
        let question = ask(bench, t(140)).await.remove(0);
        assert_eq!(question.reference.as_deref(), Some("SM2"));
        assert_eq!(learn_with(bench, &question, unreachable(), None, again, t(141)).await, Learned::Failed);
        assert_eq!(bench.claim("sms", t(9_000)).await, None);
    }

    async fn what_reached_nobody_goes_to_those_who_did_not_hear_of_it(bench: &mut Bench) {
        // The inbox is for errors of another kind: it was never told of this one.
        let inbox = bench.targets.remove(1);
        bench.persist(&[captured("a", Level::ERROR)], t(0)).await;
        accept(bench, "sms", t(1)).await;
        bench.targets.push(inbox);
        let question = ask(bench, t(11)).await.remove(0);
        let fate = Fate::Failed(SendError::rejected("30007"));
        assert_eq!(learn(bench, &question, fate, t(12)).await, Learned::Failed);
        assert_eq!(events(bench).await, [0, 1, 0]);
        assert_eq!(bench.told("mail", t(13)).await, [("a".to_owned(), 1)]);
    }
}
