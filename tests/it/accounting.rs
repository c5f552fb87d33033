//! Where every event is, in numbers: what `stats()` says, and what the provider
//! got.

use std::time::Duration;

use tracing::error;
use tracing_alert::{AlertHandle, Builder};

use crate::support::{Answer, Harness, PATIENCE, eventually, impatient, rows, time_passes, with_layer};

/// One message for all that comes until a flush.
fn builder(harness: &Harness) -> Builder {
    harness.builder().settle(Duration::from_secs(60)).retry(impatient())
}

fn fail(times: usize, what: &str) {
    for order in 0..times {
        error!(order, alert.fingerprint = what, "{what} failed");
    }
}

/// Reported, pending and dead; all that was committed is one of these.
fn counted(handle: &AlertHandle) -> [u64; 3] {
    let stats = handle.stats();
    let events = stats.events;
    assert_eq!(events.committed(), stats.persisted, "{stats:?}");
    assert_eq!(events.reported + events.pending + events.dead, stats.captured, "{stats:?}");
    [events.reported, events.pending, events.dead]
}

/// How many events the mails told that were accepted, but for those about the
/// alerting itself.
fn told_by_mail(harness: &Harness) -> u64 {
    let sent = harness.provider.exchanges();
    let mails = sent.iter().filter(|(request, answer)| request.is_mail() && answer.is_sent());
    let counts = mails.map(|(request, _)| {
        let mail = request.json();
        let text = mail["content"][0]["value"].as_str().unwrap();
        let reason = text.lines().next().unwrap();
        let number = |end: &str| reason.split_once(end)?.0.rsplit(' ').next()?.parse::<u64>().ok();
        match number(" not reported before").or_else(|| number(" times since")) {
            Some(count) => count,
            None if reason.contains("happened once") => 1,
            None => panic!("no number in {reason:?}"),
        }
    });
    counts.sum()
}

#[test]
fn every_committed_event_is_reported_pending_or_dead_as_the_provider_has_it() {
    let harness = Harness::new();
    let rejected = || Answer::twilio_error(400, 21617);
    let unavailable = || Answer::status(503);
    // No SMS about a mail that is dead, nor the other way round.
    let told_already = "INSERT INTO dead_told (sink, data)
        SELECT value, json_object('told_at', unixepoch() * 1000, 'count', 0, 'recipient', '', 'public_id', '', 'reason', '')
          FROM json_each('[\"twilio\", \"sendgrid\"]')";
    let mut handle = None;
    with_layer(builder(&harness), || {
        let alerts = AlertHandle::current().unwrap();
        fail(3, "payment");
        assert!(alerts.flush(PATIENCE).is_complete());
        assert_eq!(counted(&alerts), [3, 0, 0]);
        rows(&harness.database(), told_already);

        harness.provider.script_sms([rejected()]);
        fail(2, "refund");
        assert!(alerts.flush(PATIENCE).is_complete());
        assert_eq!(counted(&alerts), [5, 0, 0], "the mail reports it");

        harness.provider.script_sms([rejected()]);
        harness.provider.script_mails([Answer::status(400)]);
        fail(7, "delivery");
        assert!(alerts.flush(PATIENCE).is_complete());
        assert_eq!(counted(&alerts), [5, 0, 7]);
        assert_eq!(told_by_mail(&harness), 5);

        harness.provider.always_sms(unavailable());
        harness.provider.always_mails(unavailable());
        fail(4, "stock");
        assert!(!alerts.flush(Duration::from_millis(300)).is_complete());
        eventually("it is counted", || alerts.stats().events.committed() == 16);
        assert_eq!(counted(&alerts), [5, 4, 7]);

        harness.provider.always_sms(Answer::status(201));
        harness.provider.always_mails(Answer::status(202));
        assert!(alerts.flush(PATIENCE).is_complete());
        assert_eq!(counted(&alerts), [9, 0, 7]);
        assert_eq!(told_by_mail(&harness), 9);
        handle = Some(alerts);
    });
    let handle = handle.unwrap();
    assert!(handle.shutdown(PATIENCE).is_complete());
    assert_eq!(counted(&handle), [9, 0, 7], "the last word");
}

#[test]
fn what_only_the_mail_about_the_end_tells_is_pending_until_then_whoever_asks() {
    const HOURS: i64 = 3_600_000;
    let harness = Harness::new();
    let mut handle = None;
    with_layer(builder(&harness), || {
        let alerts = AlertHandle::current().unwrap();
        fail(3, "payment");
        assert!(alerts.flush(PATIENCE).is_complete());
        fail(2, "payment");
        assert!(alerts.flush(PATIENCE).is_complete(), "nobody waits for what is told later");
        assert_eq!(counted(&alerts), [3, 2, 0]);
        handle = Some(alerts);
    });
    assert!(handle.unwrap().shutdown(PATIENCE).is_complete());
    rows(&harness.database(), &time_passes(5 * HOURS));

    let next = with_layer(builder(&harness), || ());
    eventually("the end is told", || harness.provider.mails().len() == 2);
    // Another run's events count, too.
    eventually("it is counted without a flush", || next.stats().events.reported == 5);
    assert_eq!(next.stats().events.committed(), 5);
    assert_eq!((told_by_mail(&harness), harness.provider.sms().len()), (5, 1));
}
