//! Which errors are the same.

use std::time::Duration;

use tracing::{error, info_span};
use tracing_alert::{AlertLayer, Builder, MemorySink, notice::Event};

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
            for length in 1..=100 {
                error!("{}", "so ".repeat(length));
            }
        },
    );
    assert_eq!(told.len(), 21);
    assert_eq!(told[20].1, 80);
}

/// What differs in one place only is one incident once enough of it was seen, and
/// what people read of it says so.
#[test]
fn a_place_where_words_go_on_varying_is_learned() {
    let sink = MemorySink::new();
    let builder = AlertLayer::builder().in_memory().settle(Duration::from_secs(60)).panics(false);
    let handle = with_layer(builder.sink(sink.clone(), ["on-call"]), || {
        for supplier in ["Globex", "Initech", "Umbrella", "Hooli", "Wonka", "Stark"] {
            error!("supplier {supplier} is gone");
        }
    });
    assert!(handle.flush(PATIENCE).is_complete());
    let messages = sink.messages();
    let samples = messages.iter().flat_map(|message| &message.notice.samples);
    let told: Vec<_> = samples.map(|it| (&*it.event.message, it.count, it.in_common.as_deref())).collect();
    assert_eq!(told, [("supplier Globex is gone", 6, Some("supplier … is gone"))]);
}

#[test]
fn names_of_people_are_one_incident() {
    let told = told(
        |builder| builder,
        || {
            for user in ["ann", "bob", "kim", "eve"] {
                error!("user {user} has no seat");
            }
            error!("user ann has no desk");
        },
    );
    let expected = [("user ann has no seat", 4), ("user ann has no desk", 1)];
    assert_eq!(told, expected.map(|(message, count)| (message.to_owned(), count)));
}

/// As `#[instrument(err)]` does on three functions.
fn order(error: &str) {
    info_span!("request").in_scope(|| {
        info_span!("order").in_scope(|| {
            info_span!("charge").in_scope(|| error!(%error, "no charge"));
            error!(%error, "no order");
        });
        error!(%error, "no answer");
    });
}

#[test]
fn what_is_reported_again_further_out_is_told_once() {
    let told = told(|builder| builder, || order("connection refused"));
    assert_eq!(told, [("no charge".to_owned(), 3)]);
}

#[test]
fn a_hundred_failed_orders_of_one_batch_stay_a_hundred() {
    let told = told(
        |builder| builder,
        || {
            let _batch = info_span!("batch").entered();
            for number in 0..100 {
                info_span!("order", number).in_scope(|| error!(error = "connection refused", "no order"));
            }
            error!(error = "disk full", "no batch");
        },
    );
    assert_eq!(told, [("no order".to_owned(), 100), ("no batch".to_owned(), 1)]);
}

#[test]
fn errors_with_another_cause_in_a_field_are_told_apart() {
    let told = told(
        |builder| builder,
        || {
            for error in ["db is down", "disk is full", "db is down"] {
                error!(error = %error, "request failed");
            }
            error!(cause = ?std::io::Error::other("certificate expired"), "request failed");
        },
    );
    let counts: Vec<_> = told.iter().map(|(_, count)| *count).collect();
    assert_eq!(counts, [2, 1, 1]);
}
