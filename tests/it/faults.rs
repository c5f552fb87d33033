//! What a lost answer, a refusal and an outage of a provider lead to.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tracing::error;
use tracing_alert::{
    AlertHandle, AlertLayer, Budget, Builder, MemorySink, RetryPolicy, SendError, TwilioSink,
};

use crate::support::{
    ACCOUNT_SID, AUTH_TOKEN, Answer, EMAIL, Harness, PATIENCE, Provider, Reaped, SENDER, eventually, rows,
    try_rows, with_layer, word,
};

/// Retries that a test can wait for.
fn quick() -> RetryPolicy {
    let mut policy = RetryPolicy::DEFAULT;
    policy.initial = Duration::from_millis(100);
    policy.cap = Duration::from_secs(1);
    policy
}

/// One error, told and settled; each a new kind of error.
fn alert(harness: &Harness) -> AlertHandle {
    static KINDS: AtomicUsize = AtomicUsize::new(0);
    let kind = word(KINDS.fetch_add(1, Ordering::Relaxed));
    let handle = with_layer(harness.builder().retry(quick()), || error!("payment failed: {kind}"));
    assert!(handle.flush(PATIENCE).is_complete());
    handle
}

const SMS: &str = "SELECT state, attempt, reference FROM delivery WHERE sink = 'twilio'";

#[test]
fn an_sms_whose_answer_got_lost_is_looked_up_and_not_sent_again() {
    let harness = Harness::new();
    harness.provider.script_sms([Answer::SentThenCut]);
    alert(&harness);
    let provider = &harness.provider;
    assert_eq!((provider.sms().len(), provider.lookups().len(), provider.sent()), (1, 1, 1));
    let lookup = &provider.lookups()[0];
    assert!(lookup.path.ends_with("/Messages.json?To=%2B15551230001&PageSize=50"), "{}", lookup.path);
    assert_eq!(lookup.headers("authorization"), provider.sms()[0].headers("authorization"));
    let told = rows(&harness.database(), SMS);
    assert!(told[0].starts_with("delivered|2|SM0000"), "{told:?}");
}

#[test]
fn an_sms_that_got_lost_is_sent_again() {
    let harness = Harness::new();
    harness.provider.script_sms([Answer::Cut, Answer::status(500)]);
    alert(&harness);
    let provider = &harness.provider;
    assert_eq!((provider.sms().len(), provider.lookups().len(), provider.sent()), (3, 2, 1));
}

#[test]
fn an_sms_that_nobody_got_is_sent_again() {
    let harness = Harness::new();
    harness.provider.script_sms([Answer::SentThenCut]);
    let handle = with_layer(harness.builder().retry(quick()), || error!("payment failed"));
    harness.provider.wait_for(1, 0);
    harness.provider.set_status("undelivered");
    assert!(handle.flush(PATIENCE).is_complete());
    assert_eq!(harness.provider.sms().len(), 2);
}

#[test]
fn what_cannot_be_looked_up_is_sent_again() {
    for refusal in [
        Answer::twilio_error(403, 20403),
        Answer::status(500),
        Answer::With(200, Vec::new(), "<html>".to_owned()),
        Answer::With(200, Vec::new(), format!("[{}]", "[],".repeat(1 << 20))),
        Answer::Cut,
    ] {
        let harness = Harness::new();
        harness.provider.script_sms([Answer::SentThenCut]);
        harness.provider.always_lookups(refusal);
        alert(&harness);
        assert_eq!((harness.provider.sms().len(), harness.provider.lookups().len()), (2, 1));
    }
}

#[test]
fn what_a_look_up_proves_unsent_costs_nothing() {
    let harness = Harness::new();
    harness.provider.script_sms([Answer::status(500), Answer::status(502), Answer::status(500)]);
    let handle =
        with_layer(harness.builder().retry(quick()).sms_budget(Budget::new(9, Duration::ZERO, 9)), || {
            error!("payment failed");
        });
    assert!(handle.flush(PATIENCE).is_complete());
    assert_eq!((harness.provider.sms().len(), harness.provider.lookups().len()), (4, 3));
    let spent = "SELECT sum(slot.value ->> 1) FROM account, json_each(account.data, '$.segments') AS slot WHERE sink = 'twilio'";
    assert_eq!(rows(&harness.database(), spent), ["1"], "only that of the message that was accepted");
}

#[test]
fn attempts_keep_to_what_a_day_may_cost() {
    let harness = Harness::new();
    harness.provider.script_sms((0..9).map(|_| Answer::status(500)));
    harness.provider.always_lookups(Answer::twilio_error(403, 20403));
    let budget = Budget::new(9, Duration::ZERO, 9);
    let builder = harness.builder().retry(quick()).sms_budget(budget).sms_segments(4);
    let _handle = with_layer(builder, || {
        error!("payment failed");
    });
    let waits = "SELECT due_at >= min(expires_at, unixepoch('now', 'start of day', '+1 day') * 1000)
                   FROM delivery WHERE sink = 'twilio'";
    eventually("it waits for the next day, or its deadline", || {
        let is = |sql, row: &str| try_rows(&harness.database(), sql).is_ok_and(|rows| rows == [row]);
        is(waits, "1") && is(SMS, "pending|3|NULL")
    });
    assert_eq!(harness.provider.sms().len(), 3);
}

#[test]
fn a_country_that_the_sender_does_not_reach_leaves_the_others_alone() {
    let harness = Harness::new();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let hears = Arc::clone(&heard);
    harness.provider.script_sms([Answer::twilio_error(400, 21606)]);
    let twilio = TwilioSink::new(ACCOUNT_SID, AUTH_TOKEN).sender_number(SENDER);
    let builder = AlertLayer::builder()
        .database(harness.database())
        .settle(Duration::ZERO)
        .panics(false)
        .sms(twilio.base_url(harness.provider.url()), ["+12065550147", "+12065550148"])
        .on_trouble(move |line| hears.lock().unwrap().push(line.to_owned()));
    let handle = with_layer(builder, || error!("payment failed"));
    harness.provider.wait_for(2, 0);
    eventually("the other one is told", || handle.stats().delivered == 1);
    assert!(heard.lock().unwrap().iter().all(|line| !line.contains("paused")), "{heard:?}");
    assert_eq!(handle.stats().retried, 1, "and who was not is tried again");
}

#[test]
fn an_sms_that_was_surely_not_sent_is_not_looked_up() {
    let harness = Harness::new();
    harness.provider.script_sms([Answer::twilio_error(429, 20429)]);
    alert(&harness);
    assert_eq!((harness.provider.sms().len(), harness.provider.lookups().len()), (2, 0));
}

#[test]
fn an_sms_of_a_killed_process_is_looked_up_by_the_next() {
    let harness = Harness::new();
    harness.provider.script_sms([Answer::SentThenNever]);
    let child = Reaped(harness.child("commit-and-stay").env("ROUND", "1").spawn().unwrap());
    harness.provider.wait_for(1, 1);
    eventually("the mail is settled", || {
        rows(&harness.database(), "SELECT state FROM delivery WHERE sink = 'sendgrid'") == ["delivered"]
    });
    drop(child);
    assert_eq!(rows(&harness.database(), SMS), ["pending|1|NULL"]);
    // Its lease ends.
    rows(
        &harness.database(),
        "UPDATE delivery SET data = json_set(data, '$.due_at', 0) WHERE state = 'pending'",
    );
    let handle = with_layer(harness.builder(), || ());
    eventually("the SMS is settled", || handle.stats().delivered == 1);
    let provider = &harness.provider;
    assert_eq!((provider.sms().len(), provider.lookups().len(), provider.mails().len()), (1, 1, 1));
    assert!(rows(&harness.database(), SMS)[0].starts_with("delivered|2|SM"));
}

#[test]
fn a_dead_sms_is_told_by_mail_with_its_id_and_reason_and_no_number() {
    let harness = Harness::new();
    harness.provider.always_sms(Answer::twilio_error(400, 21211));
    let handle = alert(&harness);
    eventually("both mails are settled", || handle.stats().delivered == 2);
    let mails = harness.provider.mails();
    let mail =
        mails.iter().map(|mail| mail.json()).find(|mail| mail.to_string().contains("could not")).unwrap();
    let dead = rows(&harness.database(), "SELECT public_id FROM notice WHERE kind = 'first'").remove(0);
    let text = mail["content"][0]["value"].as_str().unwrap();
    let told = format!(
        "ERROR: An SMS could not be delivered (alert #{dead}): Twilio 21211 (HTTP 400): invalid To number: no"
    );
    assert!(text.contains(&told), "{text}");
    assert!(text.starts_with("About alerting itself in MyApp on "), "{text}");
    assert!(text.contains("recipient = ***01"), "{text}");
    assert!(!mail.to_string().contains("5551230001"), "{mail}");
    assert_eq!(mail["personalizations"][0]["to"][0]["email"], EMAIL);
}

#[test]
fn a_dead_mail_is_told_by_sms() {
    let harness = Harness::new();
    harness.provider.always_mails(Answer::status(400));
    let handle = alert(&harness);
    eventually("both SMS are settled", || handle.stats().delivered == 2);
    let sms = harness.provider.sms().iter().map(|sms| sms.text()).find(|text| text.contains("could not"));
    let sms = sms.unwrap();
    assert!(sms.starts_with("[MyApp] An e-mail could not be delivered (alert #"), "{sms}");
    assert!(sms.contains("): SendGrid (HTTP 400): the mail was refused #"), "{sms}");
}

#[test]
fn what_tells_of_the_dead_is_never_told_when_it_dies() {
    let harness = Harness::new();
    harness.provider.always_sms(Answer::twilio_error(400, 21612));
    harness.provider.always_mails(Answer::status(400));
    let handle = alert(&harness);
    eventually("all are dead", || handle.stats().dead == 4);
    assert!(handle.shutdown(PATIENCE).is_complete());
    assert_eq!((harness.provider.sms().len(), harness.provider.mails().len()), (2, 2));
    let told =
        "SELECT sink FROM notice JOIN delivery ON notice_id = notice.id WHERE kind = 'health' ORDER BY 1";
    assert_eq!(rows(&harness.database(), told), ["sendgrid", "twilio"]);
}

#[test]
fn the_dead_of_an_hour_are_told_once_also_after_a_restart() {
    let harness = Harness::new();
    harness.provider.always_sms(Answer::twilio_error(400, 21612));
    for start in 1..=3 {
        let handle = alert(&harness);
        eventually("the SMS is dead", || handle.stats().dead == 1);
        assert!(handle.shutdown(PATIENCE).is_complete());
        assert_eq!(harness.provider.mails().len(), start + 1);
    }
    // The hour passes.
    rows(
        &harness.database(),
        "UPDATE dead_told SET data = json_set(data, '$.told_at', (data ->> 'told_at') - 3600000)",
    );
    let handle = with_layer(harness.builder(), || ());
    eventually("the rest is told", || handle.stats().delivered == 1);
    let text = harness.provider.mails().pop().unwrap().json()["subject"].to_string();
    assert!(text.starts_with("\"[MyApp] 2 SMS could not be delivered, the last one (alert #"), "{text}");
}

#[test]
fn with_no_other_sink_nobody_is_told() {
    let harness = Harness::new();
    let sink = MemorySink::failing_with([SendError::rejected("no such room")]);
    let builder = AlertLayer::builder().database(harness.database()).settle(Duration::ZERO).panics(false);
    let builder = harness.hear(builder).sink(sink.clone(), ["on-call"]);
    let handle = with_layer(builder, || error!("payment failed"));
    assert!(handle.shutdown(PATIENCE).is_complete());
    assert_eq!((handle.stats().dead, sink.attempts()), (1, 1));
    let heard = harness.heard();
    assert!(heard[0].contains("ended undelivered: rejected for good: no such room"), "{heard:?}");
    assert_eq!(rows(&harness.database(), "SELECT kind FROM notice"), ["first"]);
}

#[test]
fn a_number_that_unsubscribed_is_not_tried_for_a_day_and_told_once() {
    let harness = Harness::new();
    harness.provider.script_sms([Answer::twilio_error(400, 21610)]);
    for start in 0..3 {
        let handle = alert(&harness);
        assert!(handle.shutdown(PATIENCE).is_complete());
        assert_eq!((harness.provider.sms().len(), handle.stats().dead), (1, 1));
        // The one that tells of it goes with the first.
        assert_eq!(harness.provider.mails().len(), start + 2);
    }
    let dead = "SELECT last_error, attempt FROM delivery WHERE state = 'dead' ORDER BY id";
    let dead = rows(&harness.database(), dead);
    let unsubscribed = "Twilio 21610 (HTTP 400): the recipient has unsubscribed with STOP: no; \
                        nothing else is sent to this recipient for a day|1";
    let skipped = "not attempted: the recipient was refused for good|0";
    assert_eq!(dead, [unsubscribed, skipped, skipped]);
    // A day passes.
    rows(&harness.database(), "UPDATE refusal SET data = json_set(data, '$.since', since - 86400000)");
    alert(&harness);
    assert_eq!((harness.provider.sms().len(), harness.provider.sent()), (2, 1));
}

#[test]
fn a_message_that_is_refused_says_nothing_of_the_number() {
    let harness = Harness::new();
    harness.provider.script_sms([Answer::twilio_error(400, 21617)]);
    alert(&harness);
    alert(&harness);
    assert_eq!((harness.provider.sms().len(), harness.provider.sent()), (2, 1));
}

#[test]
fn no_answer_of_a_provider_loses_an_alert_or_takes_it_elsewhere() {
    let (harness, elsewhere) = (Harness::new(), Provider::start());
    let raw = |text: &str| Answer::Raw(text.as_bytes().to_vec());
    let page = "<!DOCTYPE html><html><h1>502 Bad Gateway</h1></html>";
    let mut answers = vec![
        Answer::With(502, Vec::new(), page.to_owned()).header("content-type", "text/html"),
        Answer::status(500),
        Answer::status(503).header("retry-after", "-5"),
        Answer::With(500, Vec::new(), "{}".to_owned()).header("content-type", "image/png"),
        Answer::Raw(vec![0xff; 4096]),
        Answer::Raw(b"HTTP/1.1 500 \xff\r\ncontent-length: 3\r\n\r\n\xff\xfe\xc0".to_vec()),
        raw(""),
        raw("HTTP/1.1 "),
        raw("HTTP/1.1 500 x\r\ncontent-length: 99\r\n\r\n{\"code\":"),
        raw("HTTP/1.1 400 x\r\ncontent-length: 99\r\n\r\n{\"code\":"),
        raw(&format!("HTTP/1.1 200 x\r\nx: {}\r\n\r\n", "x".repeat(4 << 20))),
        Answer::Endless(503),
        Answer::Cut,
    ];
    answers.extend([301, 302, 303, 307, 308].map(|status| {
        Answer::status(status).header("location", format!("{}/v3/mail/send", elsewhere.url()))
    }));
    let number = answers.len();
    harness.provider.script_sms(answers.clone());
    harness.provider.script_mails(answers);
    let mut policy = quick();
    (policy.initial, policy.cap) = (Duration::from_millis(5), Duration::from_millis(20));
    policy.probe = Duration::from_millis(5);
    let handle = with_layer(harness.builder().retry(policy), || error!("payment failed"));
    assert!(handle.flush(PATIENCE).is_complete(), "the alert is still pending: {:?}", handle.stats());
    let settled = rows(&harness.database(), "SELECT state, attempt > 0 FROM delivery");
    assert_eq!(settled, ["delivered|1", "delivered|1"], "the alert is lost");
    let provider = &harness.provider;
    assert_eq!((provider.sms().len(), provider.mails().len()), (number + 1, number + 1));
    assert_eq!(elsewhere.requests().len(), 0, "the credentials went elsewhere");
}

/// Ten phones, each with a delivery of its own.
fn ten_phones(harness: &Harness) -> Builder {
    let url = harness.provider.url();
    let builder = AlertLayer::builder().database(harness.database()).settle(Duration::ZERO).panics(false);
    harness.hear(builder).sms(
        TwilioSink::new(ACCOUNT_SID, AUTH_TOKEN).sender_number(SENDER).base_url(&url),
        (10..20).map(|n| format!("+155512300{n}")),
    )
}

#[test]
fn an_outage_pauses_the_sink_and_is_probed_by_one_delivery_at_a_time() {
    let harness = Harness::new();
    harness.provider.script_sms((0..12).map(|_| Answer::status(503)));
    let mut policy = quick();
    policy.cap = Duration::from_millis(400);
    let handle = with_layer(ten_phones(&harness).retry(policy), || error!("payment failed"));
    assert!(handle.flush(PATIENCE).is_complete());
    let sms = harness.provider.sms();
    assert_eq!((sms.len(), harness.provider.sent()), (22, 10));
    // Four are under way when the fifth fails: then each waits for a pause of
    // 100, 200 and then 400 ms, half of it at least.
    let probes: Vec<_> = sms[8..13].windows(2).map(|pair| pair[1].at - pair[0].at).collect();
    for probe in &probes {
        assert!(*probe >= Duration::from_millis(50), "{probes:?}");
    }
}

#[test]
fn an_outage_costs_few_requests_however_much_is_due() {
    let harness = Harness::new();
    harness.provider.always_sms(Answer::status(503));
    let mut policy = quick();
    policy.cap = Duration::from_secs(60);
    policy.initial = Duration::from_secs(20);
    let handle = with_layer(ten_phones(&harness).retry(policy), || error!("payment failed"));
    // All but those under way at the fifth failure stay unattempted.
    let report = handle.flush(Duration::from_secs(2));
    assert_eq!(report.pending, 10);
    let requests = harness.provider.sms().len();
    assert!((5..=8).contains(&requests), "{requests} requests");
    let attempted = rows(&harness.database(), "SELECT count(*) FROM delivery WHERE attempt > 0");
    assert_eq!(attempted, [requests.to_string()]);
    let heard = harness.heard();
    assert!(heard.iter().any(|line| line.starts_with("twilio keeps failing")), "{heard:?}");
}

#[test]
fn a_refusal_shows_that_the_provider_works() {
    let harness = Harness::new();
    let failing = || (0..4).map(|_| Answer::status(503));
    let answers = failing().chain([Answer::twilio_error(400, 21617)]).chain(failing());
    harness.provider.script_sms(answers);
    let mut policy = quick();
    policy.initial = Duration::from_millis(10);
    let handle = with_layer(ten_phones(&harness).retry(policy), || error!("payment failed"));
    assert!(handle.flush(PATIENCE).is_complete());
    assert_eq!((handle.stats().delivered, handle.stats().dead), (9, 1));
}
