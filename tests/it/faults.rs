//! What a lost answer, a refusal and an outage of a provider lead to.

use std::time::Duration;

use tracing::error;
use tracing_alert::{AlertHandle, RetryPolicy};

use crate::support::{Answer, Harness, PATIENCE, Reaped, eventually, rows, with_layer};

/// Retries that a test can wait for.
fn quick() -> RetryPolicy {
    let mut policy = RetryPolicy::DEFAULT;
    policy.initial = Duration::from_millis(100);
    policy.cap = Duration::from_secs(1);
    policy
}

/// One error, told and settled.
fn alert(harness: &Harness) -> AlertHandle {
    let handle = with_layer(harness.builder().retry(quick()), || error!("payment failed"));
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
    rows(&harness.database(), "UPDATE delivery SET due_at = 0 WHERE state = 'pending'");
    let handle = with_layer(harness.builder(), || ());
    eventually("the SMS is settled", || handle.stats().delivered == 1);
    let provider = &harness.provider;
    assert_eq!((provider.sms().len(), provider.lookups().len(), provider.mails().len()), (1, 1, 1));
    assert!(rows(&harness.database(), SMS)[0].starts_with("delivered|2|SM"));
}
