//! Deliveries whose turn comes late.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use tracing::error;

use crate::support::{Harness, PATIENCE, Provider, eventually, rows, with_layer};

#[test]
fn what_nobody_could_send_is_told_at_the_next_start_whenever_that_is() {
    let mut harness = Harness::new();
    let provider = harness.provider.clone();
    harness.provider = Provider::at(Provider::nowhere());
    let heard = Arc::new(Mutex::new(Vec::new()));
    let hears = Arc::clone(&heard);
    let builder = harness.builder().on_trouble(move |line| hears.lock().unwrap().push(line.to_owned()));
    let handle = with_layer(builder, || {
        for number in 0..5 {
            error!(number, "payment {number} failed");
        }
    });
    eventually("they are committed", || handle.stats().persisted == 5);
    handle.shutdown(Duration::from_millis(300));
    drop(handle);
    let said = |line: &String| {
        line.contains("not sent before the program ended")
            && line.contains(&harness.database().display().to_string())
    };
    eventually("it is said what is left, and where", || heard.lock().unwrap().iter().any(said));
    // The next start is a day later.
    for sql in [
        "UPDATE delivery SET data = json_set(data, '$.due_at', due_at - 86400000, '$.expires_at', expires_at - 86400000)",
        "UPDATE notice SET data = json_set(data, '$.made_at', made_at - 86400000)",
    ] {
        rows(&harness.database(), sql);
    }

    harness.provider = provider;
    let handle = with_layer(harness.builder(), || ());
    harness.provider.wait_for(1, 1);
    assert!(handle.flush(PATIENCE).is_complete());
    assert_eq!(handle.stats().dead, 0);
    let sms = harness.provider.sms();
    assert!(sms.iter().all(|sms| sms.text().contains("24h late")), "{sms:?}");
    assert_eq!((sms.len(), harness.provider.mails().len()), (1, 1), "no herd of them");
}
