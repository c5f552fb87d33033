//! What a start does with what it finds: notices that are long settled, due
//! times that a clock left behind.
#![cfg(feature = "sqlite")]

use std::time::Duration;

use tracing::error;
use tracing_alert::{AlertLayer, Builder, MemorySink, SendError};

use crate::support::{Harness, PATIENCE, eventually, rows, with_layer};

fn builder(harness: &Harness, sink: MemorySink) -> Builder {
    AlertLayer::builder()
        .database(harness.database())
        .settle(Duration::ZERO)
        .panics(false)
        .sink(sink, ["on-call"])
}

#[test]
fn a_start_forgets_what_is_long_settled_and_nothing_else() {
    let harness = Harness::new();
    for text in ["long ago", "last week", "today"] {
        let handle = with_layer(builder(&harness, MemorySink::new()), || error!("{text}"));
        assert!(handle.shutdown(PATIENCE).is_complete());
    }
    rows(
        &harness.database(),
        "UPDATE delivery
            SET data = json_set(data, '$.settled_at', settled_at - (CASE notice_id WHEN 1 THEN 8 ELSE 6 END) * 86400000)
          WHERE notice_id < 3",
    );
    rows(
        &harness.database(),
        "UPDATE incident
            SET data = json_set(data, '$.last_at', last_at - 10 * 86400000, '$.closed_at', last_at - 10 * 86400000)
          WHERE id < 3",
    );
    rows(
        &harness.database(),
        "UPDATE standing SET data = json_set(data, '$.due_at', NULL) WHERE incident_id < 3",
    );
    rows(
        &harness.database(),
        "UPDATE notice SET data = json_set(data, '$.made_at', made_at - 10 * 86400000) WHERE id < 3",
    );
    let _handle = with_layer(builder(&harness, MemorySink::new()), || ());
    eventually("the old notice is deleted", || {
        let left =
            rows(&harness.database(), "SELECT payload ->> 'message' FROM first_event ORDER BY incident_id");
        left == ["last week", "today"]
    });
}

#[test]
fn what_a_jump_of_the_clock_put_off_is_sent_at_the_next_start() {
    let harness = Harness::new();
    let refusing = MemorySink::failing_with([SendError::not_processed("503")]);
    let handle = with_layer(builder(&harness, refusing), || error!("payment failed"));
    eventually("an attempt failed", || handle.stats().retried == 1);
    handle.shutdown(Duration::ZERO);
    let put_off = "UPDATE delivery SET data = json_set(data, '$.due_at', due_at + 10 * 3600000) WHERE state = 'pending' RETURNING id";
    assert_eq!(rows(&harness.database(), put_off).len(), 1);
    let sink = MemorySink::new();
    let _handle = with_layer(builder(&harness, sink.clone()), || ());
    assert_eq!(sink.wait_for(1, PATIENCE).len(), 1);
}
