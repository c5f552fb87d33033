//! Which errors are the same.

use std::time::Duration;

use tracing::error;
use tracing_alert::{AlertLayer, Builder, Event, MemorySink};

use crate::support::{PATIENCE, with_layer};

/// What is told of the errors that `act` makes: the message of each first one,
/// and how many there were.
fn told(settings: impl FnOnce(Builder) -> Builder, act: impl FnOnce()) -> Vec<(String, u64)> {
    let sink = MemorySink::new();
    // One message for all.
    let builder = AlertLayer::builder().in_memory().settle(Duration::from_secs(60)).panics(false);
    let handle = with_layer(settings(builder).sink(sink.clone(), ["on-call"]), act);
    assert!(handle.flush(PATIENCE).is_complete());
    let messages = sink.messages();
    let samples = messages.iter().flat_map(|message| &message.notice.samples);
    samples.map(|sample| (sample.event.message.clone(), sample.count)).collect()
}

#[test]
fn errors_that_differ_in_a_number_are_one() {
    let told = told(
        |builder| builder,
        || {
            for order in 1..=3 {
                error!("payment failed for order {order}");
            }
            error!("payment failed for customer ACME");
        },
    );
    let expected =
        [("payment failed for order 1".to_owned(), 3), ("payment failed for customer ACME".to_owned(), 1)];
    assert_eq!(told, expected);
}

#[test]
fn errors_with_the_same_field_alert_fingerprint_are_one() {
    let told = told(
        |builder| builder,
        || {
            error!(alert.fingerprint = "payments", "declined");
            error!(alert.fingerprint = "payments", "no answer");
            error!(alert.fingerprint = "{{default}} of payments", "no answer");
        },
    );
    assert_eq!(told, [("declined".to_owned(), 2), ("no answer".to_owned(), 1)]);
}

#[test]
fn errors_are_what_the_applications_function_says_they_are() {
    let by_tenant = |event: &Event| {
        let tenant = event.fields.iter().find(|field| field.name == "tenant")?;
        Some(format!("{{{{default}}}} of {}", tenant.value))
    };
    let told = told(
        |builder| builder.fingerprint(by_tenant),
        || {
            for tenant in ["ACME", "Globex", "ACME"] {
                error!(tenant, "no schema");
            }
            error!("no schema");
        },
    );
    let expected = [2, 1, 1].map(|count| ("no schema".to_owned(), count));
    assert_eq!(told, expected);
}

#[test]
fn a_callsite_that_says_a_hundred_things_is_one_incident_after_twenty() {
    let told = told(
        |builder| builder,
        || {
            for name in
                ('a'..='e').flat_map(|first| ('a'..='t').map(move |second| format!("{first}{second}")))
            {
                error!("supplier {name} is gone");
            }
        },
    );
    assert_eq!(told.len(), 21);
    assert_eq!(told[20], ("supplier ba is gone".to_owned(), 80));
}
