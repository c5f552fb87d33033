//! What the child processes do. Run with no scenario, it does nothing.

use std::{
    io::{BufRead, Write},
    thread,
    time::{Duration, Instant},
};

use tracing::error;
use tracing_alert::{AlertHandle, AlertLayer};
use tracing_subscriber::prelude::*;

use crate::{
    cluster::Cluster,
    instances::ANSWER,
    support::{CHILD, Chance, PATIENCE, eventually},
};

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
        "instance" => instance(),
        other => panic!("no scenario {other:?}"),
    }
}

/// A program of a fleet: an error when it is told so, until its stdin ends.
fn instance() {
    tracing_subscriber::registry().with(AlertLayer::from_env()).init();
    let handle = AlertHandle::current().unwrap();
    let answer = |text: &str| say(&format!("{ANSWER}{text}"));
    answer("ready");
    for line in std::io::stdin().lock().lines() {
        let line = line.unwrap();
        let (what, of) = line.split_once(' ').unwrap_or((&line, ""));
        match what {
            // So many; answers how long the slowest call took, in microseconds.
            "err" => {
                let before = handle.stats().persisted;
                let times: u64 = of.parse().unwrap();
                let slowest = (0..times).map(|_| timed(|| error!("payment failed"))).max();
                eventually("all are committed", || handle.stats().persisted >= before + times);
                answer(&slowest.unwrap_or_default().as_micros().to_string());
            }
            "kind" => {
                let before = handle.stats().persisted;
                error!(alert.fingerprint = of, "{of} failed");
                eventually("it is committed", || handle.stats().persisted > before);
                answer("");
            }
            // What needs room on a disk: letters that cannot be compressed.
            "big" => {
                let before = handle.stats().persisted;
                let mut chance = Chance(1);
                let mut letter = || char::from(b'a' + u8::try_from(chance.below(26)).unwrap());
                let text: String = (0..7000).map(|_| letter()).collect();
                error!(alert.fingerprint = of, "{of} failed: {text}");
                eventually("it is committed", || handle.stats().persisted > before);
                answer("");
            }
            "say" => {
                error!("{}", of.replace("<NUL>", "\0"));
                answer("");
            }
            // Ends in a fault, after an error.
            "fail" => {
                error!("payment failed");
                std::process::exit(1);
            }
            "flush" => {
                let report = handle.flush(PATIENCE);
                answer(if report.is_complete() { "complete" } else { "incomplete" });
            }
            "stats" => answer(&serde_json::to_string(&handle.stats()).unwrap()),
            other => panic!("cannot {other:?}"),
        }
    }
}

fn timed(work: impl FnOnce()) -> Duration {
    let begun = Instant::now();
    work();
    begun.elapsed()
}

/// Tells the parent, with one write.
fn say(line: &str) {
    std::io::stdout().write_all(format!("\n{line}\n").as_bytes()).unwrap();
}

/// Until the parent kills it.
fn stay() {
    loop {
        thread::park_timeout(Duration::from_secs(60));
    }
}
