//! A program that fails all the time, and writes down which of its errors are
//! committed: whatever happens then, somebody has to be told of them.

use std::{fs::OpenOptions, io::Write, thread, time::Duration};

use tracing::error;
use tracing_alert::StoreState;
use tracing_subscriber::prelude::*;

use super::stay;
use crate::support::{Chance, PATIENCE, eventually, impatient, inherited_builder};

/// Which life of a program it is: what its errors are called depends on it.
pub(crate) const LIFE: &str = "TEST_LIFE";

/// Where what is committed is written down.
pub(crate) const ACKNOWLEDGED: &str = "TEST_ACKNOWLEDGED";

/// What the program does when is drawn from this.
pub(crate) const SEED: &str = "TEST_SEED";

/// A life has no more errors: one mail shows them all.
const ERRORS: u64 = 20;

/// How each word of ours begins that stands for an error.
pub(crate) const WORD: &str = "zq";

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

    let path = std::env::var(ACKNOWLEDGED).unwrap();
    let mut acknowledged = OpenOptions::new().append(true).create(true).open(path).unwrap();
    let mut failed = 0;
    while failed < ERRORS {
        thread::sleep(chance.pause(Duration::from_millis(80)));
        let mut words = String::new();
        for _ in 0..=chance.below(3).min(ERRORS - failed - 1) {
            let word = word(life * ERRORS + failed);
            error!("{word} failed");
            words += &format!("{word}\n");
            failed += 1;
        }
        if waits {
            assert_eq!(handle.stats().persisted, failed, "a call came back before its commit");
        } else {
            eventually("the errors are committed", || handle.stats().persisted == failed);
        }
        assert_eq!(handle.stats().store, StoreState::Durable);
        acknowledged.write_all(words.as_bytes()).unwrap();
    }
    if !ends {
        stay();
    }
}

/// A word of letters only: numbers in messages may be taken for the same.
fn word(mut number: u64) -> String {
    let letters = std::iter::repeat_with(|| {
        let letter = b'a' + u8::try_from(number % 26).unwrap();
        number /= 26;
        char::from(letter)
    });
    letters.take(6).fold(WORD.to_owned(), |word, letter| word + &letter.to_string())
}
