//! A daemon that has the layer once it is one.

use tracing_alert::AlertLayer;
use tracing_subscriber::prelude::*;

fn main() {
    daemonize::Daemonize::new().start().unwrap();
    tracing_subscriber::registry().with(AlertLayer::from_env()).init();
    tracing::error!("payment failed");
}
