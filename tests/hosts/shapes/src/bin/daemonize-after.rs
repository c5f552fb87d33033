//! A daemon that had the layer before it was one: it is told so.

use std::{
    fs::{self, File},
    time::{Duration, Instant},
};

use tracing_alert::AlertLayer;
use tracing_subscriber::prelude::*;

fn main() {
    let told = File::create("daemon.txt").unwrap();
    tracing_subscriber::registry().with(AlertLayer::from_env()).init();
    tracing::error!("payment failed");
    let daemon = daemonize::Daemonize::new().working_directory(".").stderr(told).execute();
    if daemon.is_child() {
        tracing::error!("refund failed");
        return;
    }
    // The first process waits until the daemon has said so.
    let deadline = Instant::now() + Duration::from_secs(10);
    while fs::read("daemon.txt").unwrap().is_empty() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(10));
    }
}
