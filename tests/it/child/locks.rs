//! Programs that hang if anybody waits for the lock of a span.

use std::{
    fmt, io,
    panic::catch_unwind,
    process,
    sync::{Barrier, Mutex},
    thread,
    time::Duration,
};

use tracing::{Dispatch, Level, Span, dispatcher, error, field, info, info_span};
use tracing_alert::{AlertLayer, MemorySink};
use tracing_subscriber::{EnvFilter, Layer, prelude::*};

use crate::watch::Watch;

pub(super) fn run(scenario: &str) {
    thread::spawn(|| {
        thread::sleep(Duration::from_secs(60));
        // It hangs.
        process::abort();
    });
    let rounds = std::env::var("LOCK_ROUNDS").unwrap().parse().unwrap();
    match scenario {
        "locks-event" => meet(1, rounds, 1, |_| error!("in the span")),
        "locks-breadcrumb" => meet(1, rounds, 0, |_| info!("in the span")),
        "locks-span" => meet(1, rounds, 1, |_| {
            let inner = info_span!("inner", id = 7, late = field::Empty);
            inner.record("late", "value");
            inner.in_scope(|| error!("in the inner span"));
        }),
        // Each waits for its commit.
        "locks-panic" => meet(1, rounds.min(20), 1, |_| drop(catch_unwind(|| panic!("in the span")))),
        "locks-pairs" => meet(4, rounds, 1, |_| {
            let _inner = info_span!("inner", id = 7).entered();
            info!("in the span");
            error!("in the span");
        }),
        "locks-alone" => alone(rounds),
        other => panic!("no scenario {other:?}"),
    }
}

/// A pool that is shown under its lock.
struct Pool {
    free: Mutex<u32>,
    /// Passed by who is about to show it, and by who has it.
    shown: Barrier,
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // It is shown twice, by the layer that writes and by ours.
        if self.free.try_lock().is_err() {
            self.shown.wait();
        }
        write!(f, "{}", self.free.lock().unwrap())
    }
}

/// In each of `pairs`, one thread records a pool, under the lock that another layer
/// takes for that, while the other one has the pool, and does `act` in the span:
/// so many `events`.
fn meet(pairs: u64, rounds: u64, events: u64, act: fn(&Span)) {
    let builder = AlertLayer::builder().in_memory().breadcrumbs(Level::INFO).panics(true);
    let layer = builder.sink(MemorySink::new(), ["on-call"]).build().unwrap();
    let handle = layer.handle();
    let written = tracing_subscriber::fmt::layer()
        .json()
        .with_span_list(false)
        .with_current_span(false)
        .with_writer(io::sink);
    let dispatch = Dispatch::new(tracing_subscriber::registry().with(written).with(layer));
    let pair = || {
        for _ in 0..rounds {
            let pool = Pool { free: Mutex::new(3), shown: Barrier::new(2) };
            let span = dispatcher::with_default(&dispatch, || info_span!("request", pool = field::Empty));
            let taken = Barrier::new(2);
            thread::scope(|scope| {
                scope.spawn(|| {
                    taken.wait();
                    dispatcher::with_default(&dispatch, || span.record("pool", field::debug(&pool)));
                });
                scope.spawn(|| {
                    let held = pool.free.lock().unwrap();
                    taken.wait();
                    pool.shown.wait();
                    dispatcher::with_default(&dispatch, || span.in_scope(|| act(&span)));
                    drop(held);
                });
            });
        }
    };
    thread::scope(|scope| {
        for _ in 0..pairs {
            scope.spawn(pair);
        }
    });
    assert_eq!(handle.stats().captured, pairs * rounds * events);
}

/// Logs an error when it is shown.
struct Logs;

impl fmt::Debug for Logs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        error!(target: "lib", "while shown");
        f.write_str("shown")
    }
}

/// A layer that does not want what the `Debug` impl logs holds the lock of the span
/// that it is logged in.
fn alone(rounds: u64) {
    let (layer, watch) = Watch::build(AlertLayer::builder().breadcrumbs(Level::INFO));
    let written =
        tracing_subscriber::fmt::layer().with_writer(io::sink).with_filter(EnvFilter::new("info,lib=off"));
    let dispatch = Dispatch::new(tracing_subscriber::registry().with(written).with(layer));
    dispatcher::with_default(&dispatch, || {
        for _ in 0..rounds {
            let span = info_span!("request", value = field::Empty).entered();
            span.record("value", field::debug(Logs));
            let _shown = info_span!("inner", value = ?Logs).entered();
            info!(value = ?Logs, "in the spans");
        }
    });
    let told = watch.messages();
    assert!(!told.is_empty() && told.iter().all(|message| message == "while shown"), "{told:?}");
}
