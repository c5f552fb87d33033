//! Nothing that the way of an alert says, on whichever thread, becomes an alert.

use std::process::Output;

use crate::{
    child::feedback::{ATTEMPTS, DONE},
    support::{Answer, Harness, Provider},
};

/// What stands in a line of the child's log that was said on this thread.
const ALERT_THREAD: &str = " tracing-alert ";
const BLOCKING_THREAD: &str = " tracing-alert-io ";

#[test]
fn providers_that_fail_do_not_alert_about_themselves() {
    let harness = Harness::new();
    harness.provider.always_sms(Answer::status(500));
    // A name, so that it is looked up: on a blocking thread of the runtime.
    let url = |port: u16| format!("http://localhost:{port}");
    let output = harness
        .child("feedback-providers")
        .env("TWILIO_BASE_URL", url(harness.provider.address.port()))
        .env("SENDGRID_BASE_URL", url(Provider::nowhere().port()))
        .env(ATTEMPTS, "60")
        .output()
        .unwrap();
    let log = quiet(&output);
    for talker in ["hyper_util::", "reqwest::"] {
        assert!(said(&log, ALERT_THREAD, talker), "{talker} was not heard at all: {log}");
    }
    assert!(!harness.provider.sms().is_empty());
}

#[test]
fn a_sink_that_logs_does_not_alert_about_itself() {
    let output = Harness::new().child("feedback-sinks").env(ATTEMPTS, "42").output().unwrap();
    let log = quiet(&output);
    assert!(said(&log, ALERT_THREAD, "it failed"), "{log}");
    assert!(said(&log, ALERT_THREAD, "from a task"), "{log}");
    assert!(said(&log, BLOCKING_THREAD, "from a blocking thread"), "{log}");
}

/// The log of a child that captured its own events only.
fn quiet(output: &Output) -> String {
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains(DONE), "{said}\n{log}");
    log
}

fn said(log: &str, thread: &str, what: &str) -> bool {
    log.lines().any(|line| line.contains(thread) && line.contains(what))
}
