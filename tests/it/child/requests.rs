//! What web services do.

use tracing::level_filters::LevelFilter;
use tracing_alert::AlertLayer;
use tracing_subscriber::prelude::*;

use crate::{requests::ask, support::eventually};

pub(super) fn panic() {
    tracing_subscriber::registry().with(AlertLayer::from_env()).init();
    eventually("the spans of requests are known", || LevelFilter::current() >= LevelFilter::DEBUG);
    // Nothing is made dearer for who uses `log` only.
    assert_eq!(tracing_log::log::max_level(), tracing_log::log::LevelFilter::Info);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    assert_eq!(runtime.block_on(ask("/panics")), axum::http::StatusCode::INTERNAL_SERVER_ERROR);
}
