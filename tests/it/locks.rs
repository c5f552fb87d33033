//! No lock of anybody else's is on the caller's path: whatever a `Debug` impl of the
//! host does while another layer holds the lock of a span, the program goes on.
//!
//! `LOCK_ROUNDS=1000 cargo test --test it locks` repeats each so often.

use crate::support::Harness;

/// Runs the scenario in a process that ends itself if it hangs.
fn goes_on(scenario: &str) {
    let mut child = Harness::new().child(scenario);
    let rounds = std::env::var("LOCK_ROUNDS").unwrap_or_else(|_| "50".to_owned());
    let output = child.env("LOCK_ROUNDS", rounds).output().unwrap();
    assert!(output.status.success(), "{scenario}: {output:#?}");
}

#[test]
fn an_event_in_a_span_that_another_thread_records() {
    goes_on("locks-event");
}

#[test]
fn a_breadcrumb_in_a_span_that_another_thread_records() {
    goes_on("locks-breadcrumb");
}

#[test]
fn a_span_in_one_that_another_thread_records_is_made_recorded_and_closed() {
    goes_on("locks-span");
}

#[test]
fn a_panic_in_a_span_that_another_thread_records() {
    goes_on("locks-panic");
}

#[test]
fn four_such_pairs_of_threads_at_once() {
    goes_on("locks-pairs");
}

#[test]
fn an_event_of_a_value_that_another_layer_formats_on_the_same_thread() {
    goes_on("locks-alone");
}
