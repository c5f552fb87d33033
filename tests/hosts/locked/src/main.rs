//! A program with an old lock.

use tracing_alert::AlertLayer;
use tracing_subscriber::prelude::*;

fn main() {
    tracing_subscriber::registry().with(AlertLayer::from_env()).init();
    tracing::error!("payment failed");
}
