//! Panics where others are at it, too: other subscribers, hooks that log, and hooks
//! that do not end.

use std::{
    backtrace::Backtrace,
    io::Write,
    os::fd::AsRawFd,
    panic::{self, catch_unwind},
    sync::mpsc,
    thread,
    time::Duration,
};

use tracing::error;
use tracing_alert::AlertHandle;
use tracing_subscriber::prelude::*;

use super::{end::in_memory, init};
use crate::support::{PATIENCE, eventually, inherited_builder};

pub(super) fn run(scenario: &str) {
    match scenario {
        "panics-of-two" => panic_under_one_of_two_subscribers(),
        "panics-hook-logs" => hook_that_logs(),
        "panics-while-printing" => panic_while_another_is_printed(),
        other => panic!("no scenario {other:?}"),
    }
}

/// One subscriber is the thread's; the other's registry has other spans of that number.
fn panic_under_one_of_two_subscribers() {
    let other = in_memory(true);
    let others = other.handle();
    tracing_subscriber::registry().with(other).init();
    let _apart = tracing::info_span!("of the other").entered();
    let own = inherited_builder().panics(true).build().unwrap();
    let handle = own.handle();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(own), || {
        let unwound = catch_unwind(|| {
            let _request = tracing::info_span!("request", id = 7).entered();
            panic!("boom in a span");
        });
        assert!(unwound.is_err());
    });
    assert_eq!((handle.stats().captured, others.stats().captured), (1, 1));
    assert!(handle.flush(PATIENCE).is_complete() && others.flush(PATIENCE).is_complete());
    assert_eq!((handle.stats().persisted, others.stats().persisted), (1, 1));
}

/// It says more than an event can hold, of a panic that does, too.
fn hook_that_logs() {
    panic::set_hook(Box::new(|info| error!("the hook was told: {info} {}", "y".repeat(20_000))));
    init();
    assert!(catch_unwind(|| panic!("{}", "x".repeat(20_000))).is_err());
    let handle = AlertHandle::current().unwrap();
    assert_eq!(handle.stats().captured, 2);
    assert!(handle.flush(PATIENCE).is_complete());
}

/// What prints a panic of one thread holds the standard library's lock of backtraces,
/// and stderr takes nothing.
fn panic_while_another_is_printed() {
    const PRINTS: &str = "prints";
    let prints = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if thread::current().name() == Some(PRINTS) {
            prints(info);
        }
    }));
    let layers = [in_memory(true), in_memory(true)];
    let captured = || layers.each_ref().map(|layer| layer.handle().stats().captured);
    nobody_reads_stderr();
    thread::Builder::new().name(PRINTS.to_owned()).spawn(|| panic!("printed")).unwrap();
    eventually("it is captured", || captured() == [1, 1]);
    eventually("it is being printed", || {
        let (took, takes) = mpsc::channel();
        thread::spawn(move || {
            drop(Backtrace::force_capture());
            let _ = took.send(());
        });
        takes.recv_timeout(Duration::from_millis(200)).is_err()
    });
    assert!(catch_unwind(|| panic!("not printed")).is_err());
    assert_eq!(captured(), [2, 2]);
    let are_told = layers.iter().all(|layer| layer.handle().flush(PATIENCE).is_complete());
    assert!(are_told);
    // The harness would wait for the hook.
    std::process::exit(0);
}

#[expect(unsafe_code, reason = "the standard library does not replace descriptors")]
fn nobody_reads_stderr() {
    let (reader, mut writer) = std::io::pipe().unwrap();
    let end = writer.as_raw_fd();
    // SAFETY: the descriptors are open.
    unsafe {
        assert!(libc::fcntl(end, libc::F_SETFL, libc::O_NONBLOCK) == 0);
        while writer.write(&[0]).is_ok() {}
        assert!(libc::fcntl(end, libc::F_SETFL, 0) == 0);
        assert!(libc::dup2(end, libc::STDERR_FILENO) >= 0);
    }
    std::mem::forget(reader);
}
