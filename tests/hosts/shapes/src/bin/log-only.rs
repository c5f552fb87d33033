//! A program that knows the `log` crate only.

use tracing_alert::AlertLayer;
use tracing_subscriber::prelude::*;

fn main() {
    tracing_subscriber::registry().with(AlertLayer::from_env()).init();
    log::error!("payment {} failed", 17);
}
