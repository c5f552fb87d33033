//! Programs that share a file.

use std::{io::Read, time::Duration};

use tracing::error;
use tracing_alert::{AlertHandle, StoreState};
use tracing_subscriber::prelude::*;

use super::{init, say, stay};
use crate::support::{PATIENCE, eventually, impatient, inherited_builder, try_rows, word};

pub(crate) const READY: &str = "ready";

/// How many kinds of error a program with many has, in how many groups.
pub(crate) const MANY: usize = GROUPS * GROUP;
const GROUPS: usize = 25;
const GROUP: usize = 4;

/// How often a program in a storm has the same error.
pub(crate) const STORM: usize = 2000;

pub(super) fn run(scenario: &str) {
    match scenario {
        "processes-one" => {
            wait_for_the_parent();
            init();
            error!("payment failed");
            sees_it_through(1);
        }
        "processes-together" => {
            wait_for_the_parent();
            init();
            error!("payment failed");
            let handle = AlertHandle::current().unwrap();
            eventually("it is committed", || handle.stats().persisted == 1);
            say("committed");
            stay();
        }
        "processes-many" => {
            wait_for_the_parent();
            init();
            let handle = AlertHandle::current().unwrap();
            for group in 0..GROUPS {
                for number in 0..GROUP {
                    let kind = word(group * GROUP + number);
                    error!(alert.fingerprint = kind, "{kind} failed");
                }
                let captured = (group + 1) * GROUP;
                eventually("it is committed", || handle.stats().persisted == captured as u64);
            }
            sees_it_through(MANY as u64);
        }
        "processes-storm" => {
            wait_for_the_parent();
            init();
            for _ in 0..STORM {
                error!("payment failed");
            }
            sees_it_through(STORM as u64);
        }
        "processes-kind" => {
            init();
            error!("{} failed", std::env::var("KIND").unwrap());
        }
        "processes-well" => {
            init();
            let handle = AlertHandle::current().unwrap();
            eventually("the file is open", || handle.stats().store == StoreState::Durable);
        }
        "processes-exit" => {
            init();
            error!("no database");
            std::process::exit(1);
        }
        "processes-late" => {
            let alerts = inherited_builder().retry(impatient()).build().unwrap();
            tracing_subscriber::registry().with(alerts).init();
            error!("payment failed");
            let handle = AlertHandle::current().unwrap();
            eventually("both answers are too late", || handle.stats().late == 2);
            let stats = handle.stats();
            assert_eq!((stats.delivered, stats.retried, stats.dead), (0, 0, 0), "{stats:?}");
            say("late");
            stay();
        }
        "processes-lock" => {
            let sql = "BEGIN IMMEDIATE; ROLLBACK";
            let path = std::env::var("ALERT_DATABASE").unwrap();
            say(if try_rows(path.as_ref(), sql).is_err() { "locked" } else { "free" });
        }
        "processes-return" => {
            init();
            error!("payment failed");
            wait_for_the_parent();
        }
        "processes-shutdown" => {
            init();
            error!("payment failed");
            wait_for_the_parent();
            let report = AlertHandle::current().unwrap().shutdown(Duration::from_millis(500));
            assert_eq!((report.persisted, report.pending), (1, 2), "{report:?}");
            say("shut down");
            stay();
        }
        other => panic!("no scenario {other:?}"),
    }
}

/// Until the parent closes stdin.
fn wait_for_the_parent() {
    say(READY);
    let _: usize = std::io::stdin().read(&mut [0]).unwrap();
}

/// All `errors` are on disk and delivered.
fn sees_it_through(errors: u64) {
    let handle = AlertHandle::current().unwrap();
    let report = handle.flush(PATIENCE);
    assert!(report.is_complete(), "{report:?}");
    let stats = handle.stats();
    assert_eq!((stats.persisted, stats.store), (errors, StoreState::Durable), "{stats:?}");
}
