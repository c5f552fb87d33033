//! What became of messages that a provider accepted.

use std::time::Duration;

use tracing::error;

use crate::support::{Answer, EMAIL, Harness, PATIENCE, eventually, rows, time_passes, with_layer};

/// The text of a mail.
fn text(mail: &crate::provider::Request) -> String {
    mail.json()["content"][0]["value"].as_str().unwrap().to_owned()
}

#[test]
fn an_sms_that_failed_later_is_told_by_mail_and_right_in_every_number() {
    let harness = Harness::new();
    // The mail's window is open when the SMS turns out to have failed.
    let builder = harness.builder().email_window(Duration::from_secs(300));
    let handle = with_layer(builder, || error!("payment failed"));
    harness.provider.wait_for(1, 1);
    harness.provider.has_failed("failed", 30034);
    harness.provider.wait_for(1, 2);
    let mail = text(&harness.provider.mails()[1]);
    assert!(mail.contains("your US number is not registered (A2P 10DLC)"), "{mail}");
    eventually("it is counted", || {
        let stats = handle.stats();
        (stats.failed, stats.dead, stats.delivered) == (1, 1, 3)
    });
    // The first mail told it.
    assert!(handle.flush(PATIENCE).is_complete());
    assert_eq!((handle.stats().events.reported, handle.stats().events.dead), (1, 0));
    let fates = rows(&harness.database(), "SELECT state, fate FROM delivery WHERE sink = 'twilio'");
    assert_eq!(fates, ["dead|failed"]);
    let heard = harness.heard();
    assert!(
        heard.iter().any(|line| line.contains("a message that twilio accepted reached nobody")),
        "{heard:?}"
    );
    assert_eq!(harness.provider.sms().len(), 1, "it was sent again");
}

#[test]
fn an_sms_that_arrived_is_confirmed() {
    let harness = Harness::new();
    let handle = with_layer(harness.builder(), || error!("payment failed"));
    harness.provider.wait_for(1, 1);
    harness.provider.set_status("delivered");
    eventually("it is confirmed", || handle.stats().confirmed == 1);
    assert_eq!(harness.provider.questions().len(), 1);
    assert_eq!(rows(&harness.database(), "SELECT fate FROM delivery WHERE sink = 'twilio'"), ["arrived"]);
}

#[test]
fn what_a_process_did_not_ask_any_more_the_next_one_asks() {
    let harness = Harness::new();
    let handle = with_layer(harness.builder(), || error!("payment failed"));
    assert!(handle.shutdown(PATIENCE).is_complete());
    assert_eq!(harness.provider.questions().len(), 0, "it waited");
    harness.provider.set_status("delivered");
    rows(&harness.database(), &time_passes(60_000));
    let handle = with_layer(harness.builder(), || ());
    eventually("it is confirmed", || handle.stats().confirmed == 1);
}

#[test]
fn an_answer_that_says_failed_is_no_success() {
    let harness = Harness::new();
    let body = r#"{"sid":"SM00000000000000000000000000000000","status":"failed","error_code":30007}"#;
    harness.provider.script_sms([Answer::With(201, Vec::new(), body.to_owned())]);
    let handle = with_layer(harness.builder(), || error!("payment failed"));
    harness.provider.wait_for(1, 2);
    let mail = text(&harness.provider.mails()[1]);
    assert!(mail.contains("filtered by the carrier"), "{mail}");
    assert_eq!(handle.stats().dead, 1);
}

#[test]
fn an_inbox_on_a_suppression_list_is_told_by_sms() {
    let harness = Harness::new();
    let entry = format!(
        r#"[{{"created":1700000000,"email":"{EMAIL}","reason":"550 no such user","status":"5.1.1"}}]"#
    );
    harness.provider.suppresses("/bounces/", &entry);
    let handle = with_layer(harness.builder(), || error!("payment failed"));
    harness.provider.wait_for(1, 1);
    assert!(handle.shutdown(PATIENCE).is_complete());
    // Not asked at the start, nor before the first mail; a minute after it.
    assert!(harness.provider.questions().iter().all(|it| !it.path.starts_with("/v3/")));
    rows(&harness.database(), &time_passes(60_000));
    let handle = with_layer(harness.builder(), || ());
    harness.provider.wait_for(2, 1);
    let sms = harness.provider.sms()[1].text();
    assert!(sms.contains("e-mail could not be delivered") && sms.contains("a mail to it bounced"), "{sms}");
    eventually("it is counted", || handle.stats().failed == 1);
    assert_eq!(harness.provider.mails().len(), 1);
}

#[test]
fn a_key_that_may_not_ask_is_told_once_and_asks_no_more() {
    let harness = Harness::new();
    harness.provider.always_questions(Answer::twilio_error(403, 20403));
    let _handle = with_layer(harness.builder(), || {
        error!("payment failed");
        error!("queue is full");
    });
    let told = || {
        let heard = harness.heard();
        heard.iter().filter(|line| line.contains("twilio does not say what becomes of messages")).count()
    };
    eventually("it is told", || told() > 0);
    assert_eq!((told(), harness.provider.questions().len()), (1, 1));
}

#[test]
fn a_channel_that_fails_is_told_of_through_the_others() {
    let harness = Harness::new();
    harness.provider.always_sms(Answer::twilio_error(401, 20003));
    let handle = with_layer(harness.builder(), || error!("payment failed"));
    harness.provider.wait_for(1, 1);
    eventually("it is tried", || handle.stats().retried > 0);
    assert!(!handle.shutdown(Duration::from_secs(1)).is_complete());
    rows(&harness.database(), &time_passes(600_000));
    let _handle = with_layer(harness.builder(), || error!("payment failed"));
    eventually("it is told", || {
        harness.provider.mails().iter().any(|mail| text(mail).contains("no SMS could be sent for 10m"))
    });
    assert!(harness.heard().iter().any(|line| line.contains("twilio is paused")), "{:?}", harness.heard());
}
