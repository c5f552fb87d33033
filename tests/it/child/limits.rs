//! A process that runs out of descriptors, or of room for threads.

use std::{fs::File, panic::catch_unwind, time::Duration};

use tracing::error;
use tracing_alert::{
    AlertHandle, AlertLayer, Builder, RetryPolicy, SendGridSink, StoreState,
    notice::{DropReason, Losses},
};
use tracing_subscriber::prelude::*;

use super::init;
use crate::support::{EMAIL, PATIENCE, eventually};

pub(super) fn run(scenario: &str) {
    match scenario {
        "host-descriptors" => few_descriptors(),
        "host-descriptors-later" => few_descriptors_later(),
        "host-no-thread" => no_thread_at_the_start(),
        "host-no-thread-later" => no_thread_later(),
        other => panic!("no scenario {other:?}"),
    }
}

/// A mail only, with retries that a test can wait for.
fn mail() -> Builder {
    let variable = |name| std::env::var(name).unwrap();
    let sink = SendGridSink::new(variable("SENDGRID_API_KEY"), variable("SENDGRID_SENDER_EMAIL"))
        .base_url(variable("SENDGRID_BASE_URL"));
    let mut retry = RetryPolicy::DEFAULT;
    retry.initial = Duration::from_millis(100);
    retry.cap = Duration::from_millis(200);
    AlertLayer::builder()
        .database(variable("ALERT_DATABASE"))
        .settle(Duration::ZERO)
        .retry(retry)
        .email(sink, [EMAIL])
}

fn start(builder: Builder) -> AlertHandle {
    tracing_subscriber::registry().with(builder.build().unwrap()).init();
    AlertHandle::current().unwrap()
}

/// Takes all descriptors but `free`.
#[expect(unsafe_code, reason = "the standard library sets no limits")]
fn take_descriptors(free: usize) -> Vec<File> {
    let limit = libc::rlimit { rlim_cur: 64, rlim_max: 64 };
    // SAFETY: `limit` outlives the call.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) }, 0);
    let mut taken = Vec::new();
    loop {
        match File::open("/dev/null") {
            Ok(file) => taken.push(file),
            Err(error) => {
                assert_eq!(error.raw_os_error(), Some(libc::EMFILE));
                break;
            }
        }
    }
    taken.truncate(taken.len() - free);
    taken
}

fn few_descriptors() {
    let free = std::env::var("FREE").unwrap().parse().unwrap();
    let taken = take_descriptors(free);
    let handle = start(mail());
    error!("payment failed");
    let _ = handle.flush(Duration::from_millis(300));
    drop(taken);
    let report = handle.flush(PATIENCE);
    assert!(report.is_complete() && handle.stats().dropped.is_empty(), "{report:?} {:?}", handle.stats());
    assert_eq!(handle.stats().delivered, 1);
}

fn few_descriptors_later() {
    let handle = start(mail());
    eventually("the database is open", || handle.stats().store == StoreState::Durable);
    let taken = take_descriptors(0);
    error!("payment failed");
    eventually("it is committed, and an attempt failed", || {
        let stats = handle.stats();
        (stats.persisted, stats.delivered) == (1, 0) && stats.retried > 0
    });
    drop(taken);
    let report = handle.flush(PATIENCE);
    assert!(report.is_complete() && handle.stats().dropped.is_empty(), "{report:?} {:?}", handle.stats());
    assert_eq!((handle.stats().delivered, handle.stats().store), (1, StoreState::Durable));
}

/// Leaves room for what is small, and for no thread's stack.
#[expect(unsafe_code, reason = "the standard library sets no limits")]
fn take_room() {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let size = status.lines().find_map(|line| line.strip_prefix("VmSize:")?.trim().strip_suffix(" kB"));
    let used = size.unwrap().parse::<u64>().unwrap() * 1024;
    let limit = libc::rlimit { rlim_cur: used + (1 << 20), rlim_max: libc::RLIM_INFINITY };
    // SAFETY: `limit` outlives the call.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_AS, &raw const limit) }, 0);
    // The stacks of threads that ended would be used again: these take them.
    let waits = || {
        loop {
            std::thread::park();
        }
    };
    while std::thread::Builder::new().spawn(waits).is_ok() {}
}

fn no_thread_at_the_start() {
    take_room();
    init();
    error!("payment failed");
    drop(catch_unwind(|| panic!("boom")));
    let handle = AlertHandle::current().unwrap();
    assert_eq!(handle.stats().dropped, Losses::from([(DropReason::QueueClosed, 2)]));
    let report = handle.flush(Duration::from_secs(3600));
    assert_eq!(report.persisted, 0);
}

fn no_thread_later() {
    let handle = start(mail().panics(true));
    error!("payment failed");
    assert!(handle.flush(PATIENCE).is_complete());
    take_room();
    error!("payment failed");
    drop(catch_unwind(|| panic!("boom")));
    let report = handle.flush(PATIENCE);
    assert!(report.is_complete() && handle.stats().dropped.is_empty(), "{report:?} {:?}", handle.stats());
    assert_eq!((report.persisted, handle.stats().captured), (3, 3));
}
