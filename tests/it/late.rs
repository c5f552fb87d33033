//! Deliveries whose turn comes late.

use std::time::Duration;

use tracing::error;

use crate::support::{Harness, PATIENCE, Provider, eventually, rows, with_layer};

#[test]
fn after_a_long_outage_old_pages_are_dead_letters_and_not_a_herd() {
    let mut harness = Harness::new();
    let provider = harness.provider.clone();
    harness.provider = Provider::at(Provider::nowhere());
    let handle = with_layer(harness.builder(), || {
        for number in 0..5 {
            error!(number, "payment {number} failed");
        }
    });
    eventually("they are committed", || handle.stats().persisted == 5);
    handle.shutdown(Duration::from_millis(300));
    drop(handle);
    // The next start is two hours later: an SMS is worth one.
    rows(
        &harness.database(),
        "UPDATE delivery SET data = json_set(data, '$.due_at', due_at - 7200000, '$.expires_at', expires_at - 7200000)",
    );
    let waiting = rows(&harness.database(), "SELECT count(*) FROM delivery WHERE sink = 'twilio'").remove(0);

    harness.provider = provider;
    let handle = with_layer(harness.builder(), || ());
    let dead = || handle.stats().dead.to_string() == waiting;
    eventually("every old SMS is dead", dead);
    eventually("the mails, and one that tells of the SMS, are sent", || {
        let mails = harness.provider.mails();
        mails.iter().any(|mail| mail.body.contains("could not be delivered"))
    });
    assert!(handle.flush(PATIENCE).is_complete());
    assert_eq!(harness.provider.sms().len(), 0);
}
