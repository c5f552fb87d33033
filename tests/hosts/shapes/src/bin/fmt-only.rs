//! A program whose whole set-up was `fmt().init()`.

use tracing_alert::AlertLayer;
use tracing_subscriber::prelude::*;

fn main() {
    tracing_subscriber::fmt().finish().with(AlertLayer::from_env()).init();
    tracing::error!(order = 17, "payment failed");
}
