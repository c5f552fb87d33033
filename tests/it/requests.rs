//! A web service as most people set it up: axum with `TraceLayer::new_for_http()`.

use crate::support::Harness;

/// How tracing tells all callsites apart is a matter of the whole process.
fn child(scenario: &str) -> Harness {
    let harness = Harness::new();
    let output = harness.child(scenario).env("ALERT_PANICS", "on").output().unwrap();
    assert!(output.status.success(), "{output:#?}");
    harness
}

#[test]
fn a_request_tells_its_method_and_path_and_fails_once() {
    child("requests-told");
}

#[test]
fn a_failed_request_that_nothing_explains_is_told() {
    child("requests-unexplained");
}

#[test]
fn who_wants_fewer_spans_has_none_of_requests() {
    child("requests-unwanted");
}

#[test]
fn a_panic_of_a_handler_is_one_incident() {
    let harness = child("requests-panic");
    let mails = harness.provider.mails();
    assert_eq!(mails.len(), 1, "{mails:#?}");
    let body = &mails[0].body;
    assert!(body.contains("PANIC: out of luck") && body.contains("uri=/panics"), "{body}");
    assert!(!body.contains("Service panicked") && !body.contains("response failed"), "{body}");
    assert!(!body.contains("tracing_alert::"), "{body}");
}
