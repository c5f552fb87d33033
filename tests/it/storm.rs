//! A million errors are a handful of messages with the exact count.

use std::time::Duration;

use tracing::{Dispatch, Level, dispatcher, error, warn};
use tracing_alert::{AlertHandle, AlertLayer, Builder, MemorySink, notice::DropReason};
use tracing_subscriber::prelude::*;

use crate::support::{Harness, PATIENCE, eventually, rows, with_layer};

fn builder(sink: &MemorySink) -> Builder {
    // Long enough that a flush ends it, and all of a storm is one message.
    let builder = AlertLayer::builder().in_memory().settle(Builder::MAX_SETTLE).panics(false);
    builder.sink(sink.clone(), ["on-call"])
}

/// How many events the messages tell of.
fn told(sink: &MemorySink) -> u64 {
    sink.messages().iter().map(|message| message.notice.event_count()).sum()
}

/// Runs `act` on four threads under a layer.
fn on_four_threads(builder: Builder, act: impl Fn(&AlertHandle) + Sync) -> AlertHandle {
    let layer = builder.build().unwrap();
    let handle = layer.handle();
    let dispatch = Dispatch::new(tracing_subscriber::registry().with(layer));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| dispatcher::with_default(&dispatch, || act(&handle)));
        }
    });
    handle
}

#[test]
fn a_million_errors_are_a_few_messages_with_the_exact_count() {
    let sink = MemorySink::new();
    let handle = on_four_threads(builder(&sink), |_| {
        for order in 0..250_000 {
            error!(order, "payment failed");
        }
    });
    assert_eq!(handle.stats().captured, 1_000_000);
    assert!(handle.flush(PATIENCE).is_complete());
    let stats = handle.stats();
    assert_eq!((stats.captured, stats.persisted), (1_000_000, 1_000_000));
    assert_eq!((told(&sink), stats.dropped.len()), (1_000_000, 0), "{stats:?}");
    let messages = sink.messages();
    assert_eq!(messages.len(), 1);
    for sample in messages.iter().flat_map(|message| &message.notice.samples) {
        assert_eq!(sample.event.message, "payment failed");
    }
}

#[test]
fn a_storm_is_told_while_it_goes_on_and_nobody_flushes() {
    let sink = MemorySink::new();
    with_layer(builder(&sink).storm_rate(1).settle(Duration::from_secs(3)), || {
        for _ in 0..1000 {
            error!("payment failed");
        }
        eventually("all of it is told", || told(&sink) == 1000);
    });
}

#[test]
fn what_is_only_counted_belongs_to_what_the_callsite_said() {
    let sink = MemorySink::new();
    let handle = with_layer(builder(&sink).settle(Duration::from_secs(60)).storm_rate(10), || {
        for order in 0..1000 {
            error!("payment failed for order {order}");
        }
        for customer in ["ACME", "Globex", "Initech"].iter().cycle().take(900) {
            error!("no stock for {customer}");
        }
    });
    assert!(handle.flush(PATIENCE).is_complete());
    let samples = sink.messages().remove(0).notice.samples.clone();
    let told = |text: &str| {
        let of_it = samples.iter().filter(|sample| sample.event.message.starts_with(text));
        of_it.map(|sample| sample.count).collect::<Vec<_>>()
    };
    assert_eq!(told("payment failed for order"), [1000]);
    // Three that are the same each, and those of which only the callsite is known.
    let no_stock = told("no stock for");
    assert_eq!((no_stock.len(), no_stock.iter().sum::<u64>()), (4, 900), "{no_stock:?}");
}

#[test]
fn what_is_only_counted_belongs_to_what_the_application_called_it() {
    let sink = MemorySink::new();
    let by_cart = builder(&sink).storm_rate(10).fingerprint(|_| Some("carts".to_owned()));
    let handle = with_layer(by_cart, || {
        for cart in 0..1000 {
            error!(cart, alert.fingerprint = "payments", "declined");
            error!(cart, "no such cart");
        }
    });
    assert!(handle.flush(PATIENCE).is_complete());
    let samples = sink.messages().remove(0).notice.samples.clone();
    let told: Vec<_> = samples.iter().map(|sample| (sample.event.message.as_str(), sample.count)).collect();
    assert_eq!(told, [("declined", 1000), ("no such cart", 1000)]);
}

#[test]
fn who_hears_of_errors_only_is_not_told_of_a_storm_of_warnings() {
    let harness = Harness::new();
    let builder = harness.builder().level(Level::WARN).sms_level(Level::ERROR).storm_rate(1);
    let handle = with_layer(builder, || {
        for _ in 0..1000 {
            warn!("stock is low");
        }
    });
    assert!(handle.flush(PATIENCE).is_complete());
    assert_eq!(harness.provider.sms().len(), 0);
    assert!(!harness.provider.mails().is_empty());
    assert_eq!(rows(&harness.database(), "SELECT sum(count) FROM incident"), ["1000"]);
}

#[test]
fn a_storm_through_a_shutdown_is_accounted_for() {
    let sink = MemorySink::new();
    let handle = on_four_threads(builder(&sink), |handle| {
        for order in 0..100_000 {
            error!(order, "payment failed");
            if order == 50_000 {
                handle.shutdown(PATIENCE);
            }
        }
    });
    let stats = handle.stats();
    let late = stats.dropped.get(&DropReason::QueueClosed).copied().unwrap_or(0);
    let uncommitted = stats.dropped.get(&DropReason::NotCommitted).copied().unwrap_or(0);
    assert_eq!(stats.captured + late, 400_000, "{stats:?}");
    assert_eq!(stats.persisted + uncommitted, stats.captured, "{stats:?}");
    assert_eq!(told(&sink), stats.persisted, "{stats:?}");
}

#[test]
fn records_of_log_are_never_only_counted() {
    let sink = MemorySink::new();
    let handle = with_layer(builder(&sink).storm_rate(1).settle(Duration::from_secs(60)), || {
        for line in 0..200 {
            let record = log::Record::builder()
                .args(format_args!("from log"))
                .level(log::Level::Error)
                .file(Some(if line % 2 == 0 { "src/a.rs" } else { "src/b.rs" }))
                .build();
            tracing_log::format_trace(&record).unwrap();
        }
    });
    assert!(handle.flush(PATIENCE).is_complete());
    let samples = sink.messages().remove(0).notice.samples.clone();
    let counts: Vec<_> = samples.iter().map(|sample| (sample.event.file.as_deref(), sample.count)).collect();
    assert_eq!(counts, [(Some("src/a.rs"), 100), (Some("src/b.rs"), 100)]);
}

#[test]
fn what_was_only_counted_survives_the_end_of_the_process() {
    let harness = Harness::new();
    let output = harness.child("storm").output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(rows(&harness.database(), "SELECT sum(count) FROM incident"), ["100000"]);
}
