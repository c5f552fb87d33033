//! Programs that have something to hear from the crate.

use std::{io, time::Instant};

use tracing::error;
use tracing_alert::AlertLayer;
use tracing_subscriber::{Registry, prelude::*};

use super::{init, say};
use crate::support::{PATIENCE, inherited_builder};

/// Begins the line that says how many microseconds it took to build a layer.
pub(crate) const BUILT_IN: &str = "built in µs: ";

pub(super) fn run(scenario: &str) {
    match scenario {
        "trouble-build" => {
            let error = AlertLayer::<Registry>::try_from_env().unwrap_err();
            say(&error.to_string());
            let began = Instant::now();
            init();
            say(&format!("{BUILT_IN}{}", began.elapsed().as_micros()));
        }
        "trouble-logged" => logged(),
        other => panic!("no scenario {other:?}"),
    }
}

/// What is heard is logged as an error, which is no alert.
fn logged() {
    // The alert thread may have something to say before there is anybody to log it.
    let logs = |line: &str| {
        while !tracing::dispatcher::has_been_set() {
            std::thread::yield_now();
        }
        error!("alerts: {line}");
    };
    let layer = inherited_builder().on_trouble(logs).build().unwrap();
    let handle = layer.handle();
    let text = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(io::stdout);
    tracing_subscriber::registry().with(text).with(layer).init();
    error!("payment failed");
    assert!(handle.flush(PATIENCE).is_complete());
    assert_eq!(handle.stats().captured, 1);
}
