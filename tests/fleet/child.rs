//! What the child processes do. Run with no scenario, it does nothing.

use std::{thread, time::Duration};

use crate::{cluster::Cluster, support::CHILD};

#[test]
fn run() {
    let Ok(scenario) = std::env::var(CHILD) else {
        return;
    };
    match scenario.as_str() {
        "keep-a-cluster" => {
            let cluster = Cluster::start();
            say(&format!("port {}", cluster.port()));
            stay();
        }
        other => panic!("no scenario {other:?}"),
    }
}

/// Tells the parent, with one write.
fn say(line: &str) {
    use std::io::Write;
    std::io::stdout().write_all(format!("\n{line}\n").as_bytes()).unwrap();
}

/// Until the parent kills it.
fn stay() {
    loop {
        thread::park_timeout(Duration::from_secs(60));
    }
}
