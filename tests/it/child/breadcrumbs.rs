//! Breadcrumbs where they need a global subscriber or a panic hook.

use std::{cell::Cell, fmt, panic::catch_unwind};

use tracing::{Level, dispatcher, error, info, info_span, level_filters::LevelFilter};
use tracing_alert::{
    AlertHandle, AlertLayer, Builder, StoreState,
    notice::{DropReason, Losses},
};
use tracing_subscriber::{Registry, prelude::*};

use crate::{
    breadcrumbs::{before, builder},
    support::eventually,
    watch::Watch,
};

pub(super) fn run(scenario: &str) {
    match scenario {
        "breadcrumbs-nested" => nested(),
        "breadcrumbs-panic" => panics(),
        "breadcrumbs-levels" => levels(),
        other => panic!("no scenario {other:?}"),
    }
}

/// Logs when it is shown.
struct Logs(Cell<u32>);

impl fmt::Debug for Logs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.set(self.0.get() + 1);
        info!("while shown");
        if self.0.get() == 3 {
            error!("while shown");
        }
        f.write_str("shown")
    }
}

fn nested() {
    let (layer, watch) = Watch::build::<Registry>(builder());
    tracing_subscriber::registry().with(layer).init();
    let logs = Logs(Cell::new(0));
    info!(value = ?logs, "logs");
    error!(value = ?logs, "failed");
    assert_eq!(watch.handle.stats().dropped, Losses::new());
    info!(value = ?logs, "logs an error");
    error!("again");
    assert_eq!(logs.0.get(), 3, "each is shown once");
    assert_eq!(watch.handle.stats().dropped, Losses::from([(DropReason::Nested, 1)]));
    let events = watch.events();
    assert_eq!(before(&events[0]), ["INFO logs value=shown"]);
    assert_eq!(before(&events[1])[1..], ["ERROR failed value=shown", "INFO logs an error value=shown"]);
}

fn panics() {
    tracing_subscriber::registry().with(AlertLayer::from_env()).init();
    let handle = AlertHandle::current().unwrap();
    eventually("the database is open", || handle.stats().store == StoreState::Durable);
    info!("outside of spans");
    drop(catch_unwind(|| panic!("boom outside")));
    info_span!("request").in_scope(|| {
        info!(n = 1, "in the span");
        drop(catch_unwind(|| panic!("boom in a span")));
    });
    let ours = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        ours(info);
        std::process::abort();
    }));
    panic!("boom and gone");
}

fn levels() {
    let max_level = |builder: Builder| {
        let (layer, _watch) = Watch::build::<Registry>(builder);
        dispatcher::with_default(&tracing_subscriber::registry().with(layer).into(), || {
            tracing::callsite::rebuild_interest_cache();
            let enabled = [
                tracing::enabled!(Level::WARN),
                tracing::enabled!(Level::INFO),
                tracing::enabled!(Level::DEBUG),
            ];
            // Soon it is DEBUG, for the spans of requests.
            (LevelFilter::current().min(LevelFilter::INFO), enabled)
        })
    };
    let off = || AlertLayer::builder().span_level(LevelFilter::OFF);
    assert_eq!(max_level(off()), (LevelFilter::ERROR, [false, false, false]));
    assert_eq!(max_level(off().breadcrumbs(Level::ERROR)), (LevelFilter::ERROR, [false, false, false]));
    assert_eq!(max_level(off().breadcrumbs(Level::WARN)), (LevelFilter::WARN, [true, false, false]));
    assert_eq!(max_level(off().breadcrumbs(Level::INFO)), (LevelFilter::INFO, [true, true, false]));
    assert_eq!(max_level(AlertLayer::builder()), (LevelFilter::INFO, [false, false, false]));
    assert_eq!(max_level(builder()), (LevelFilter::INFO, [true, true, false]));
    assert_eq!(max_level(builder().level(LevelFilter::OFF)), (LevelFilter::OFF, [false, false, false]));
}
