//! The handle: levels, flush and shutdown, while the program runs.

use std::{
    thread,
    time::{Duration, Instant},
};

use tracing::{Level, error, warn};
use tracing_alert::{AlertLayer, MemorySink, Message, NoAlerts, Receipt, RetryPolicy, SendError, Sink};
use tracing_subscriber::{filter::LevelFilter, prelude::*};

use crate::support::{Answer, Harness, PATIENCE, eventually, rows, with_layer};

#[test]
fn a_level_that_is_raised_later_alerts_too() {
    for first in [LevelFilter::ERROR, LevelFilter::OFF] {
        let sink = MemorySink::new();
        let builder =
            AlertLayer::builder().in_memory().panics(false).level(first).sink(sink.clone(), ["on-call"]);
        let layer = builder.build().unwrap();
        let handle = layer.handle();
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            warn!("before");
            handle.set_level(Level::WARN);
            warn!("after");
        });
        assert!(handle.flush(PATIENCE).is_complete());
        let messages = sink.messages();
        assert_eq!(messages.len(), 1, "{first}");
        assert!(messages[0].short.contains("WARN: after"), "{}", messages[0].short);
    }
}

#[test]
fn what_no_sink_would_be_told_of_is_not_captured() {
    let harness = Harness::new();
    let builder = harness.builder().sms_level(Level::ERROR).email_level(Level::ERROR);
    let handle = with_layer(builder, || error!("an error"));
    handle.set_level(Level::TRACE);
    assert_eq!(handle.level(), LevelFilter::ERROR);
}

#[test]
fn a_flush_is_about_what_came_before_it() {
    let sink = MemorySink::new();
    let layer =
        AlertLayer::builder().in_memory().panics(false).sink(sink.clone(), ["on-call"]).build::<_>().unwrap();
    let handle = layer.handle();
    let subscriber = tracing_subscriber::registry().with(layer);
    tracing::subscriber::with_default(subscriber, || {
        error!("before");
        assert!(handle.flush(PATIENCE).is_complete());
        assert!(sink.messages()[0].short.contains("before"));
        error!("after");
    });
    assert!(handle.flush(PATIENCE).is_complete());
    assert_eq!(sink.messages().len(), 2);
}

#[test]
fn two_shutdowns_at_once_are_both_answered() {
    let harness = Harness::new();
    harness.provider.always_sms(Answer::Never);
    harness.provider.always_mails(Answer::Never);
    let handle = with_layer(harness.builder(), || error!("payment failed"));
    harness.provider.wait_for(1, 1);
    let asked = Instant::now();
    let reports = thread::scope(|scope| {
        let timeouts = [Duration::from_secs(3), Duration::from_millis(300)];
        let waits = timeouts.map(|timeout| {
            let handle = handle.clone();
            scope.spawn(move || handle.shutdown(timeout))
        });
        waits.map(|wait| wait.join().unwrap())
    });
    assert!(asked.elapsed() < PATIENCE);
    for report in reports {
        assert_eq!(report.pending, 2, "{report:?}");
        assert!(!report.is_complete());
    }
    let later = handle.flush(PATIENCE);
    assert_eq!(
        (later.pending, later.is_complete()),
        (2, false),
        "a shutdown leaves nothing complete that is not"
    );
}

#[test]
fn after_a_shutdown_an_event_is_counted_and_a_flush_returns_at_once() {
    let sink = MemorySink::failing_with([SendError::rejected("no such number")]);
    let layer = AlertLayer::builder().in_memory().panics(false).sink(sink, ["on-call"]).build().unwrap();
    let handle = layer.handle();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        error!("rejected");
        assert!(handle.shutdown(PATIENCE).is_complete());
        error!("too late");
    });
    let stats = handle.stats();
    assert_eq!((stats.captured, stats.dead, stats.dropped.values().sum::<u64>()), (1, 1, 1));
    assert!(handle.flush(PATIENCE).in_time);
}

#[test]
fn a_flush_ends_when_another_process_has_sent_what_it_waits_for() {
    let harness = Harness::new();
    let mut retry = RetryPolicy::DEFAULT;
    retry.initial = retry.cap;
    let sink = MemorySink::failing_with([SendError::not_processed("503")]);
    let builder = AlertLayer::builder().database(harness.database()).panics(false).retry(retry);
    let handle = with_layer(builder.settle(Duration::ZERO).sink(sink, ["on-call"]), || error!("failed"));
    eventually("an attempt failed", || handle.stats().retried == 1);
    let flush = thread::spawn(move || handle.flush(Duration::from_secs(3600)));
    rows(
        &harness.database(),
        "UPDATE delivery SET data = json_set(data, '$.state', 'delivered', '$.settled_at', due_at) RETURNING id",
    );
    eventually("the flush is answered", || flush.is_finished());
    assert!(flush.join().unwrap().is_complete());
}

/// Sends nothing before it is opened.
struct Gated(tokio::sync::watch::Receiver<bool>);

impl Sink for Gated {
    fn name(&self) -> &'static str {
        "gated"
    }

    async fn send(&self, _: &Message) -> Result<Receipt, SendError> {
        let mut opened = self.0.clone();
        opened.wait_for(|is_open| *is_open).await.map_err(|_| SendError::not_processed("gone"))?;
        Ok(Receipt::default())
    }
}

#[test]
fn a_task_that_flushes_holds_up_no_other() {
    let (open, gate) = tokio::sync::watch::channel(false);
    let builder = AlertLayer::builder().in_memory().panics(false).settle(Duration::ZERO);
    let handle = with_layer(builder.sink(Gated(gate), ["on-call"]), || error!("payment failed"));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        // There is one thread: were it to wait, nobody would open.
        let (report, _) = tokio::join!(handle.flush_async(PATIENCE), async { open.send(true) });
        assert!(report.is_complete() && report.delivered == 1, "{report:?}");
        let no_alerts = NoAlerts::here();
        assert!(!handle.flush_async(Duration::from_secs(3600)).await.in_time, "it would wait for itself");
        drop(no_alerts);
        let report = handle.shutdown_async(PATIENCE).await;
        assert!(report.is_complete(), "{report:?}");
    });
    // The file, if there is one, is closed then.
    assert!(handle.shutdown(Duration::ZERO).in_time);
}

#[test]
fn a_test_message_reaches_everybody_and_says_who_was_not_reached() {
    let harness = Harness::new();
    let alerts = with_layer(harness.builder(), || ());
    let report = alerts.send_test(PATIENCE);
    assert!(report.is_complete(), "{report:?}");
    let mut sinks: Vec<_> = report.messages.iter().map(|it| (it.sink, it.reference.is_some())).collect();
    sinks.sort_unstable();
    assert_eq!(sinks, [("sendgrid", true), ("twilio", true)]);
    assert!(harness.provider.sms()[0].form("Body").unwrap().contains("this is a test"));
    harness.provider.always_sms(Answer::twilio_error(400, 21_606));
    let report = alerts.send_test(PATIENCE);
    let error = report.messages.iter().find_map(|it| it.error.as_ref()).unwrap();
    assert!(!report.is_complete() && error.to_string().contains("21606"), "{report:?}");
    assert!(!format!("{report:?}").contains("5551230001"), "{report:?}");
    assert_eq!(alerts.stats().captured, 0, "it is no event");
    // In a report that is cut short there is what there was until then.
    harness.provider.always_sms(Answer::Never);
    let report = alerts.send_test(Duration::from_secs(2));
    assert_eq!(report.messages.iter().map(|it| it.sink).collect::<Vec<_>>(), ["sendgrid"]);
}
