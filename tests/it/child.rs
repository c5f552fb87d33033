//! What the child processes do. Run with no scenario, it does nothing.

use std::{
    io::{self, Write},
    process, thread,
    time::Duration,
};

use tracing::error;
use tracing_alert::{AlertHandle, AlertLayer};
use tracing_subscriber::prelude::*;

use crate::support::{CHILD, PATIENCE};

pub(crate) mod allocator;

mod breadcrumbs;
#[cfg(unix)]
mod end;

pub(crate) mod feedback;

mod handler;
#[cfg(unix)]
mod host;

mod layering;
mod levels;

#[cfg(unix)]
mod limits;
mod locks;
#[cfg(target_os = "linux")]
pub(crate) mod millions;
#[cfg(unix)]
mod panics;
pub(crate) mod processes;
mod requests;
#[cfg(unix)]
pub(crate) mod torture;
pub(crate) mod trouble;

#[test]
fn run() {
    let Ok(scenario) = std::env::var(CHILD) else {
        return;
    };
    match scenario.as_str() {
        "init-only" => init(),
        "try" => {
            let error = AlertLayer::<tracing_subscriber::Registry>::try_from_env().unwrap_err();
            assert!(error.to_string().contains("ALERT_LEVEL"), "{error}");
        }
        "return" => {
            init();
            error!("payment failed");
        }
        "exit" => {
            init();
            error!("payment failed");
            process::exit(0);
        }
        "exit-elsewhere" => {
            init();
            let worker = thread::spawn(|| {
                error!("payment failed");
                process::exit(0);
            });
            drop(worker.join());
        }
        "tokio" => {
            tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(async {
                init();
                tokio::spawn(async { error!("payment failed") }).await.unwrap();
            });
        }
        "tokio-first" => {
            init();
            tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
                error!("payment failed");
            });
        }
        "smol" => smol::block_on(async {
            init();
            smol::spawn(async { error!("payment failed") }).await;
        }),
        "storm" => {
            init();
            for order in 0..100_000 {
                error!(order, "payment failed");
            }
        }
        "fill" => {
            init();
            let handle = AlertHandle::current().unwrap();
            for round in 0..60 {
                let kind = crate::support::word(round);
                error!(alert.fingerprint = kind, "{kind} {}", "x".repeat(8000));
                let told = handle.stats().delivered;
                if handle.stats().store == tracing_alert::StoreState::Durable {
                    let report = handle.flush(PATIENCE);
                    let is_durable = handle.stats().store == tracing_alert::StoreState::Durable;
                    assert!(report.is_complete() || !is_durable, "{round} {report:?}");
                } else {
                    // A flush waits for what the file holds, and that cannot be sent;
                    // but it ends the settle time.
                    let _ = handle.flush(Duration::from_millis(100));
                    crate::support::eventually("alerts flow", || handle.stats().delivered > told);
                }
            }
            let stats = handle.stats();
            assert_eq!(stats.store, tracing_alert::StoreState::Memory, "{stats:?}");
            // What memory holds is lost with the process: all but what the file holds leaves first.
            crate::support::eventually("memory is empty", || {
                handle.flush(Duration::from_millis(200)).pending <= 2
            });
        }
        "abort-after-commit" => {
            let database = std::env::var("ALERT_DATABASE").unwrap();
            let alerts = AlertLayer::builder()
                .database(database)
                .wait_for_commit(PATIENCE)
                .sink(tracing_alert::MemorySink::new(), ["on-call"])
                .build()
                .unwrap();
            tracing_subscriber::registry().with(alerts).init();
            error!("the last words");
            process::abort();
        }
        "subscriber-gone" => {
            let subscriber = tracing_subscriber::registry().with(AlertLayer::from_env());
            tracing::subscriber::with_default(subscriber, || error!("payment failed"));
        }
        "damage" => crate::damage::run(),
        #[cfg(unix)]
        "full-for-a-while" => crate::disks::full_for_a_while(init),
        "stay" => {
            init();
            stay();
        }
        "commit-and-stay" => {
            init();
            error!(round = std::env::var("ROUND").unwrap(), "the payment of a round failed");
            let handle = AlertHandle::current().unwrap();
            crate::support::eventually("the event is committed", || handle.stats().persisted == 1);
            say("committed");
            stay();
        }
        "capture-and-stay" => {
            init();
            error!(round = std::env::var("ROUND").unwrap(), "payment failed");
            say("captured");
            stay();
        }
        "flush" => {
            init();
            error!("payment failed");
            let report = AlertHandle::current().unwrap().flush(PATIENCE);
            assert!(report.is_complete(), "{report:?}");
        }
        "flush-in-runtimes" => {
            init();
            for (runtime, what) in [
                (tokio::runtime::Builder::new_current_thread(), "payment"),
                (tokio::runtime::Builder::new_multi_thread(), "refund"),
            ] {
                let mut runtime = runtime;
                runtime.enable_all().build().unwrap().block_on(async {
                    error!("{what} failed");
                    let report = AlertHandle::current().unwrap().flush(PATIENCE);
                    assert!(report.is_complete(), "{report:?}");
                });
            }
            let report = AlertHandle::current().unwrap().shutdown(PATIENCE);
            assert_eq!((report.pending, report.delivered), (0, 4));
            error!("too late");
            assert_eq!(AlertHandle::current().unwrap().stats().dropped.values().sum::<u64>(), 1);
        }
        "allocator" => allocator::run(),
        "panic-in-a-handler" => handler::panic_in_a_handler(),
        name if name.starts_with("breadcrumbs-") => breadcrumbs::run(name),
        #[cfg(unix)]
        name if name.starts_with("end-") => end::run(name),
        name if name.starts_with("levels-") => levels::run(name),
        feedback if feedback.starts_with("feedback-") => feedback::run(feedback),
        #[cfg(unix)]
        name if name.starts_with("host-") => host::run(name),
        name if name.starts_with("layering-") => layering::run(name),
        name if name.starts_with("locks-") => locks::run(name),
        #[cfg(target_os = "linux")]
        name if name.starts_with("millions-") => millions::run(name),
        #[cfg(unix)]
        name if name.starts_with("panics-") => panics::run(name),
        name if name.starts_with("processes-") => processes::run(name),
        name if name.starts_with("requests-") => requests::run(name),
        #[cfg(unix)]
        name if name.starts_with("torture-") => torture::run(name),
        name if name.starts_with("trouble-") => trouble::run(name),
        other => panic!("no scenario {other:?}"),
    }
}

/// The line that a program has.
fn init() {
    tracing_subscriber::registry().with(AlertLayer::from_env()).init();
}

/// Tells the parent, with one write.
fn say(line: &str) {
    io::stdout().write_all(format!("\n{line}\n").as_bytes()).unwrap();
}

/// Until the parent kills it.
fn stay() {
    loop {
        thread::park_timeout(Duration::from_secs(60));
    }
}
