//! A program that fails all the time, and writes down what it does and which of
//! its errors are committed: whatever happens then, somebody has to be told.

use std::{fs::OpenOptions, io::Write, thread, time::Duration};

use tracing::error;
use tracing_alert::StoreState;
use tracing_subscriber::prelude::*;

use super::stay;
use crate::support::{Chance, PATIENCE, eventually, impatient, inherited_builder, word};

/// Which life of a program it is.
pub(crate) const LIFE: &str = "TEST_LIFE";

/// Where each error is written down before it happens.
pub(crate) const EMITTED: &str = "TEST_EMITTED";

/// Where what is committed is written down.
pub(crate) const ACKNOWLEDGED: &str = "TEST_ACKNOWLEDGED";

/// What the program does when is drawn from this.
pub(crate) const SEED: &str = "TEST_SEED";

/// A life has no more errors.
const ERRORS: u64 = 20;

/// How many kinds of error there are: each has an incident of its own.
pub(crate) const KINDS: usize = 400;

pub(super) fn run(scenario: &str) {
    match scenario {
        "torture-fail" => fail(),
        "torture-recover" => {
            let alerts = inherited_builder().retry(impatient()).build().unwrap();
            tracing_subscriber::registry().with(alerts).init();
            stay();
        }
        other => panic!("no scenario {other:?}"),
    }
}

/// Fails [`ERRORS`] times, and then ends or waits to be killed.
fn fail() {
    let number = |name: &str| std::env::var(name).unwrap().parse::<u64>().unwrap();
    let life = number(LIFE);
    let mut chance = Chance(number(SEED) ^ life);
    let settle = chance.pause(Duration::from_millis(40));
    let mut builder = inherited_builder().retry(impatient()).settle(settle);
    let (waits, ends) = (chance.below(2) == 0, chance.below(2) == 0);
    if waits {
        builder = builder.wait_for_commit(PATIENCE);
    }
    let alerts = builder.build().unwrap();
    let handle = alerts.handle();
    tracing_subscriber::registry().with(alerts).init();

    let diary =
        |name: &str| OpenOptions::new().append(true).create(true).open(std::env::var(name).unwrap()).unwrap();
    let (mut emitted, mut acknowledged) = (diary(EMITTED), diary(ACKNOWLEDGED));
    let mut failed = 0;
    while failed < ERRORS {
        thread::sleep(chance.pause(Duration::from_millis(80)));
        let more = 1 + chance.below(3).min(ERRORS - failed - 1);
        let words: Vec<_> = (0..more).map(|_| word(chance.index(KINDS))).collect();
        let lines = words.join("\n") + "\n";
        emitted.write_all(lines.as_bytes()).unwrap();
        for word in words {
            error!(alert.fingerprint = word, "{word} failed");
        }
        failed += more;
        if waits {
            assert_eq!(handle.stats().persisted, failed, "a call came back before its commit");
        } else {
            eventually("the errors are committed", || handle.stats().persisted == failed);
        }
        assert_eq!(handle.stats().store, StoreState::Durable);
        acknowledged.write_all(lines.as_bytes()).unwrap();
    }
    if !ends {
        stay();
    }
}
