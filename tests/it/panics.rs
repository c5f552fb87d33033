//! Panics alert, and are committed before the process can go down with them.

use std::process::Output;

use tracing_alert::AlertLayer;

use crate::support::{Harness, in_time, is_abort, rows, try_rows};

/// Runs a child with the panic hook on.
fn run(harness: &Harness, scenario: &str) -> Output {
    harness.child(scenario).env("ALERT_PANICS", "on").env("ALERT_SETTLE", "0").output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The event's JSON of each row, in the order they were committed.
fn payloads(harness: &Harness) -> Vec<serde_json::Value> {
    let rows = rows(&harness.database(), "SELECT payload FROM first_event ORDER BY incident_id");
    rows.iter().map(|row| serde_json::from_str(row).unwrap()).collect()
}

/// The names of the event's spans, root first.
fn spans(payload: &serde_json::Value) -> Vec<&str> {
    let spans = payload["spans"].as_array();
    spans.into_iter().flatten().map(|span| span["name"].as_str().unwrap()).collect()
}

/// Where the children panic.
const FILE: &str = "tests/it/child/layering.rs";

// The test's harness calls `exit` then, which is the end of all threads on Windows.
#[test]
#[cfg(unix)]
fn a_panic_in_main_is_one_alert_with_all_that_is_known() {
    let panics = || {
        let harness = Harness::new();
        let output = run(&harness, "layering-panic-main");
        assert_eq!(output.status.code(), Some(101), "{output:#?}");
        harness.provider.wait_for(1, 1);
        harness
    };
    // A message waits a second for it.
    let has_backtrace = |harness: &Harness| payloads(harness)[0]["backtrace"].is_string();
    let harness = in_time(panics, has_backtrace);

    let text = harness.provider.sms()[0].text();
    assert!(text.contains("boom in main"), "{text}");
    let mail = harness.provider.mails()[0].json().to_string();
    for part in ["boom in main", FILE, "outer", "inner", "panic_in_main"] {
        assert!(mail.contains(part), "no {part:?} in {mail}");
    }
    let payloads = payloads(&harness);
    assert_eq!(payloads.len(), 1);
    assert_eq!(spans(&payloads[0]), ["outer", "inner"]);
    assert_eq!(payloads[0]["panic"], true);
    assert_eq!(payloads[0]["file"], FILE);
    assert!(payloads[0]["line"].as_u64().unwrap() > 0);
    assert!(payloads[0]["backtrace"].as_str().unwrap().contains("panic_in_main"));
    assert_eq!((harness.provider.sms().len(), harness.provider.mails().len()), (1, 1));
}

#[test]
fn the_hook_that_was_there_before_still_runs() {
    let harness = Harness::new();
    let output = run(&harness, "layering-panic-main");
    assert_eq!(stderr(&output).matches("the hook before: boom in main").count(), 1, "{output:#?}");
}

#[test]
fn a_panic_in_a_task_and_in_blocking_code_is_an_alert_each() {
    let harness = Harness::new();
    let output = run(&harness, "layering-panic-tasks");
    assert!(output.status.success(), "{output:#?}");
    let payloads = payloads(&harness);
    let messages: Vec<&str> = payloads.iter().map(|event| event["message"].as_str().unwrap()).collect();
    assert_eq!(messages, ["boom in a task", "boom in blocking code"]);
    assert_eq!((spans(&payloads[0]), spans(&payloads[1])), (vec!["task"], vec!["blocking"]));
    assert!(payloads.iter().all(|event| event["thread"].as_str().unwrap().contains("tokio")));
    assert_eq!((harness.provider.sms().len(), harness.provider.mails().len()), (2, 2));
}

#[test]
fn a_panic_is_committed_before_the_process_aborts_and_sent_by_the_next() {
    let harness = Harness::new();
    let mut child = harness.child("layering-panic-abort");
    // Nothing is sent within the settle time, and the process is gone long before.
    let output = child.env("ALERT_PANICS", "on").env("ALERT_SETTLE", "1s").output().unwrap();
    assert!(is_abort(output.status), "{output:#?}");
    assert_eq!(rows(&harness.database(), "SELECT count(*) FROM incident"), ["1"], "{output:#?}");
    assert_eq!(payloads(&harness)[0]["message"], "boom and gone");
    let pending = "SELECT sink FROM standing WHERE told_at IS NULL";
    assert_eq!(rows(&harness.database(), pending).len(), 2);
    assert_eq!(harness.provider.requests().len(), 0);

    let _next: AlertLayer = harness.builder().build().unwrap();
    harness.provider.wait_for(1, 1);
    assert!(harness.provider.sms()[0].text().contains("boom and gone"));
}

#[test]
fn a_panic_while_an_event_is_captured_is_no_alert() {
    let harness = Harness::new();
    let output = run(&harness, "layering-panic-capturing");
    assert!(output.status.success(), "{output:#?}");
    let payloads = payloads(&harness);
    assert_eq!(payloads.len(), 1, "{payloads:#?}");
    assert_eq!(payloads[0]["message"], "with a bad value");
}

#[test]
fn with_panics_off_a_panic_is_no_alert() {
    let harness = Harness::new();
    let output = harness.child("layering-panic-main").env("ALERT_PANICS", "off").output().unwrap();
    assert_eq!(output.status.code(), Some(101), "{output:#?}");
    assert!(stderr(&output).contains("the hook before: boom in main"));
    assert_eq!(harness.provider.requests().len(), 0);
    // The end does not wait for a file that is still being made.
    let incidents = try_rows(&harness.database(), "SELECT count(*) FROM incident");
    assert!(incidents.as_ref().is_ok_and(|count| *count == ["0"]) || incidents.is_err(), "{incidents:?}");
}

#[test]
fn at_level_off_a_panic_is_no_alert() {
    let harness = Harness::new();
    let mut child = harness.child("layering-panic-main");
    let output = child.env("ALERT_PANICS", "on").env("ALERT_LEVEL", "off").output().unwrap();
    assert_eq!(output.status.code(), Some(101), "{output:#?}");
    assert_eq!(harness.provider.requests().len(), 0);
}

#[test]
fn a_panic_under_the_lock_of_a_span_does_not_block() {
    let output = run(&Harness::new(), "layering-panic-locked");
    assert!(output.status.success(), "{output:#?}");
}

#[test]
fn a_panic_while_a_thread_ends_does_not_abort() {
    let output = run(&Harness::new(), "layering-panic-thread-end");
    assert!(output.status.success(), "{output:#?}");
}
