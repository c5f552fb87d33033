//! What nobody wants to hear of: ignored, or silenced for a while.

use std::time::Duration;

use tracing::error;
use tracing_alert::{AlertLayer, Builder, Matcher, MemorySink};
use tracing_subscriber::prelude::*;

use crate::support::{PATIENCE, with_layer};

fn builder(sink: &MemorySink) -> Builder {
    AlertLayer::builder()
        .in_memory()
        .settle(Duration::ZERO)
        .email_window(Duration::ZERO)
        .email_budget(None)
        .panics(false)
        .sink(sink.clone(), ["on-call"])
}

/// What was told, by message and count.
fn told(sink: &MemorySink) -> Vec<(String, u64)> {
    let samples = sink.messages().into_iter().flat_map(|message| message.notice.samples.clone());
    samples.map(|sample| (sample.event.message, sample.count)).collect()
}

#[test]
fn what_is_ignored_is_counted_and_told_to_nobody() {
    let sink = MemorySink::new();
    let flaky = Matcher::new().message("flaky").when(|event| event.panic || !event.message.is_empty());
    let builder = builder(&sink).ignore(flaky).ignore(Matcher::new().target("noisy"));
    let handle = with_layer(builder.wait_for_commit(PATIENCE), || {
        error!("a flaky connection");
        error!(target: "noisy::part", "again");
        error!("payment failed");
    });
    assert!(handle.flush(PATIENCE).is_complete());
    assert_eq!(told(&sink), [("payment failed".to_owned(), 1)]);
    let stats = handle.stats();
    assert_eq!((stats.captured, stats.persisted, stats.ignored), (3, 1, 2));
}

#[test]
fn a_predicate_that_panics_ignores_nothing() {
    let sink = MemorySink::new();
    let broken =
        Matcher::new().when(|event| if event.message.is_empty() { true } else { panic!("a defect") });
    let handle = with_layer(builder(&sink).ignore(broken), || error!("payment failed"));
    assert!(handle.flush(PATIENCE).is_complete());
    assert_eq!(told(&sink), [("payment failed".to_owned(), 1)]);
}

#[test]
fn what_is_silenced_is_counted_exactly_and_told_when_the_silence_ends() {
    let sink = MemorySink::new();
    let layer = builder(&sink).build().unwrap();
    let handle = layer.handle();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        assert!(handle.silence(Matcher::new().message("migration"), Duration::from_secs(2)));
        for table in 0..312 {
            error!(table, "the migration is at work");
        }
        error!("payment failed");
        assert!(handle.flush(PATIENCE).is_complete());
        assert_eq!(told(&sink), [("payment failed".to_owned(), 1)]);
        let told = sink.wait_for(2, PATIENCE).last().unwrap().notice.samples.clone();
        let first = "silenced for 2s: \"migration\"; the first: the migration is at work";
        assert_eq!((told[0].event.message.as_str(), told[0].count), (first, 312));
        error!("the migration is at work");
    });
    assert!(handle.flush(PATIENCE).is_complete());
    assert_eq!(told(&sink).last(), Some(&("the migration is at work".to_owned(), 1)));
}

/// The condition is about what a merely counted event does not have.
fn of_a_tenant() -> Matcher {
    Matcher::new().when(|event| event.fields.iter().any(|field| field.name == "tenant"))
}

#[test]
fn in_a_storm_what_is_ignored_by_its_fields_stays_so() {
    let sink = MemorySink::new();
    // All of it is one message: of what was told before, more waits.
    let builder = builder(&sink).settle(Duration::from_secs(60));
    let handle = with_layer(builder.ignore(of_a_tenant()).storm_rate(10), || {
        for tenant in 0..1000 {
            error!(tenant, "no such page");
        }
        for _ in 0..1000 {
            error!("payment failed");
        }
    });
    assert!(handle.flush(PATIENCE).is_complete());
    assert!(told(&sink).iter().all(|(message, _)| message == "payment failed"), "{:?}", told(&sink));
    assert_eq!(told(&sink).iter().map(|(_, count)| count).sum::<u64>(), 1000);
    let stats = handle.stats();
    assert_eq!((stats.captured, stats.persisted, stats.ignored), (2000, 1000, 1000));
}

#[test]
fn in_a_storm_what_is_silenced_by_its_fields_stays_so() {
    let sink = MemorySink::new();
    let layer = builder(&sink).storm_rate(10).build().unwrap();
    let handle = layer.handle();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        assert!(handle.silence(of_a_tenant(), Duration::from_secs(2)));
        for tenant in 0..1000 {
            error!(tenant, "no such page");
        }
        assert!(handle.flush(PATIENCE).is_complete());
    });
    assert_eq!(told(&sink), []);
    sink.wait_for(1, PATIENCE);
    let first = "silenced for 2s: some errors; the first: no such page".to_owned();
    assert_eq!(told(&sink), [(first, 1000)]);
}

#[test]
fn a_silence_holds_for_what_was_told_before_it() {
    let sink = MemorySink::new();
    let layer = builder(&sink).storm_rate(10).build().unwrap();
    let handle = layer.handle();
    let fail = || error!("payment failed");
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        fail();
        assert!(handle.flush(PATIENCE).is_complete());
        assert!(handle.silence(Matcher::new().message("payment"), Duration::from_secs(3)));
        (0..1000).for_each(|_| fail());
        assert!(handle.flush(PATIENCE).is_complete());
    });
    sink.wait_for(2, PATIENCE);
    let first = "silenced for 3s: \"payment\"; the first: payment failed".to_owned();
    assert_eq!(told(&sink), [("payment failed".to_owned(), 1), (first, 1000)]);
}

#[test]
fn a_secret_in_a_silence_is_kept_and_told_nowhere_and_it_holds_all_the_same() {
    let sink = MemorySink::new();
    let layer = builder(&sink).build().unwrap();
    let handle = layer.handle();
    let matcher = || Matcher::new().message("password=correct-horse-9");
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        assert!(handle.silence(matcher(), Duration::from_secs(3600)));
        error!("login failed: password=correct-horse-9");
        assert!(handle.flush(PATIENCE).is_complete());
        assert_eq!(told(&sink), []);
        assert!(handle.unsilence(matcher()));
        sink.wait_for(1, PATIENCE);
    });
    let shown = format!("{:?}", sink.messages());
    assert!(shown.contains("silenced for 1h") && !shown.contains("correct-horse"), "{shown}");
}

#[test]
fn a_silence_that_is_undone_tells_what_it_held_back_also_if_it_has_a_predicate() {
    for matcher in [Matcher::new().message("migration"), Matcher::new().when(|event| !event.panic)] {
        let sink = MemorySink::new();
        let layer = builder(&sink).build().unwrap();
        let handle = layer.handle();
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            assert!(handle.silence(matcher.clone(), Duration::from_secs(3600)));
            error!("the migration is at work");
            assert!(handle.flush(PATIENCE).is_complete());
            assert_eq!(told(&sink), []);
            // A matcher of its own with other conditions ends nothing.
            assert!(handle.unsilence(Matcher::new().message("another")));
            error!("the migration is at work");
            assert!(handle.flush(PATIENCE).is_complete());
            assert_eq!(told(&sink), []);
            assert!(handle.unsilence(matcher.clone()));
            sink.wait_for(1, PATIENCE);
            let first = told(&sink).remove(0);
            assert!(first.0.starts_with("silenced for 1h: ") && first.1 == 2, "{first:?}");
            error!("the migration is at work");
            assert!(handle.flush(PATIENCE).is_complete());
            assert_eq!(told(&sink).last(), Some(&("the migration is at work".to_owned(), 1)));
        });
    }
}
