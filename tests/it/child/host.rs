//! What hosts do to themselves: they fork, get signals, run out of descriptors
//! and threads, and end while others still work.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    process,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use tokio::signal::unix::{SignalKind, signal};
use tracing::error;
use tracing_alert::{AlertHandle, AlertLayer, StoreState, notice::DropReason};
use tracing_subscriber::prelude::*;

use super::{init, limits, say};
use crate::support::{PATIENCE, eventually};

pub(super) fn run(scenario: &str) {
    match scenario {
        "host-fork" => fork_after_init(),
        "host-fork-storm" => fork_in_a_storm(),
        "host-fork-rebuild" => build_again_after_a_fork(),
        "host-fork-and-stay" => fork_a_child_that_lives_on(),
        "host-fork-after-shutdown" => build_again_after_shutdown_and_fork(),
        "host-commit-and-abort" => {
            init();
            error!("aborted");
            let handle = AlertHandle::current().unwrap();
            eventually("the event is committed", || handle.stats().persisted == 1);
            process::abort();
        }
        "host-sigterm-tokio" => terminated_in_tokio(),
        "host-sigterm-handler" => terminated_with_a_handler(),
        "host-double-panic" => panic_while_unwinding(),
        "host-runtime-dropped" => runtime_dropped_early(),
        "host-after-runtime" => {
            drop(tokio::runtime::Builder::new_multi_thread().build().unwrap());
            init();
            error!("payment failed");
            warm_up();
        }
        "host-main-thread-end" => {
            init();
            error!("payment failed");
            warm_up();
            main_thread_ends();
        }
        "host-threads-go-on" => threads_go_on(),
        "host-storm-goes-on" => storm_goes_on(),
        "host-panics-of-many" => panics_of_many_layers(),
        "host-deaf" => our_threads_take_no_signal(),
        "host-pipe" => a_closed_pipe_kills(),
        limited => limits::run(limited),
    }
}

/// Sends what there is to send: what comes later finds the file and the
/// connections open, also on a machine that is too busy for the first in 2 s.
fn warm_up() {
    let report = AlertHandle::current().unwrap().flush(PATIENCE);
    assert!(report.is_complete(), "{report:?}");
}

/// Runs `act` in a forked child, and gives its exit status once it has ended.
pub(super) fn in_child(act: impl FnOnce()) -> i32 {
    ended(child_that(act))
}

#[expect(unsafe_code, reason = "the standard library does not fork")]
/// A child that does `act`, and ends badly if that panics.
pub(super) fn child_that(act: impl FnOnce()) -> libc::pid_t {
    // SAFETY: the child runs what a host would run there; that is the test.
    let child = unsafe { libc::fork() };
    assert!(child >= 0, "no fork: {}", std::io::Error::last_os_error());
    if child == 0 {
        let done = catch_unwind(AssertUnwindSafe(act));
        process::exit(i32::from(done.is_err()));
    }
    child
}

#[expect(unsafe_code, reason = "the standard library does not fork")]
/// How `child` ended.
pub(super) fn ended(child: libc::pid_t) -> i32 {
    let mut status = 0;
    // SAFETY: `status` outlives the call.
    eventually("the child ends", || unsafe { libc::waitpid(child, &raw mut status, libc::WNOHANG) } == child);
    status
}

/// What a child's every use of its parent's layer comes to.
fn use_the_parents_layer() {
    let handle = AlertHandle::current().unwrap();
    let before = handle.stats();
    let asked_for_long = Duration::from_secs(3600);
    for _ in 0..3 {
        error!("in the child");
    }
    assert!(catch_unwind(|| panic!("a panic in the child")).is_err());
    let stats = handle.stats();
    assert_eq!(stats.captured, before.captured, "an event went into a queue that nobody reads");
    assert_eq!(stats.dropped.get(&DropReason::Forked), Some(&4), "a loss was not counted");
    assert!(!handle.flush(asked_for_long).in_time && !handle.shutdown(asked_for_long).in_time);
}

fn fork_after_init() {
    init();
    error!("in the parent");
    assert_eq!(in_child(use_the_parents_layer), 0);
    error!("in the parent, later");
    warm_up();
    assert!(!AlertHandle::current().unwrap().stats().dropped.contains_key(&DropReason::Forked));
}

#[expect(unsafe_code, reason = "the standard library does not fork")]
fn fork_a_child_that_lives_on() {
    init();
    error!("in the parent");
    let handle = AlertHandle::current().unwrap();
    eventually("the event is committed", || handle.stats().persisted == 1);
    // SAFETY: the child runs what a host would run there; that is the test.
    match unsafe { libc::fork() } {
        0 => {
            let until_the_end = std::io::read_to_string(std::io::stdin());
            process::exit(i32::from(until_the_end.is_err()));
        }
        _ => say("forked"),
    }
    super::stay();
}

/// Whatever locks other threads hold at the fork, a child ends.
fn fork_in_a_storm() {
    init();
    let storm = || {
        while !STOP.load(Ordering::Relaxed) {
            error!("in the parent");
        }
    };
    let threads: Vec<_> = (0..3).map(|_| thread::spawn(storm)).collect();
    for _ in 0..20 {
        assert_eq!(in_child(use_the_parents_layer), 0);
    }
    STOP.store(true, Ordering::Relaxed);
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

static STOP: AtomicBool = AtomicBool::new(false);

fn built_anew(message: &str) -> StoreState {
    let layer = AlertLayer::from_env();
    let handle = layer.handle();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || error!("{message}"));
    let report = handle.flush(PATIENCE);
    assert!(report.is_complete(), "{report:?}");
    handle.stats().store
}

fn build_again_after_a_fork() {
    init();
    let handle = AlertHandle::current().unwrap();
    error!("in the parent");
    assert!(handle.flush(PATIENCE).is_complete());
    assert_eq!(handle.stats().store, StoreState::Durable);
    let child = || assert_eq!(built_anew("in the child"), StoreState::Memory);
    assert_eq!(in_child(child), 0);
}

fn build_again_after_shutdown_and_fork() {
    let layer = AlertLayer::from_env();
    let handle = layer.handle();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || error!("before"));
    assert!(handle.shutdown(PATIENCE).is_complete());
    let child = || assert_eq!(built_anew("in the child"), StoreState::Durable);
    assert_eq!(in_child(child), 0);
}

fn terminated_in_tokio() {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
        init();
        let mut terminated = signal(SignalKind::terminate()).unwrap();
        error!("payment failed");
        warm_up();
        say("ready");
        terminated.recv().await.unwrap();
        error!("terminated");
    });
}

#[expect(unsafe_code, reason = "a handler as C has it")]
fn terminated_with_a_handler() {
    extern "C" fn handler(_: libc::c_int) {
        STOP.store(true, Ordering::Relaxed);
    }
    // SAFETY: the handler only sets an atomic.
    unsafe { libc::signal(libc::SIGTERM, handler as *const () as libc::sighandler_t) };
    init();
    error!("payment failed");
    say("ready");
    eventually("the signal", || STOP.load(Ordering::Relaxed));
    error!("terminated");
    let report = AlertHandle::current().unwrap().shutdown(PATIENCE);
    assert!(report.is_complete(), "{report:?}");
}

/// Panics when it is dropped.
struct PanicsAtDrop;

impl Drop for PanicsAtDrop {
    fn drop(&mut self) {
        panic!("the second panic");
    }
}

fn panic_while_unwinding() {
    init();
    let handle = AlertHandle::current().unwrap();
    eventually("the database is open", || handle.stats().store == StoreState::Durable);
    let _bad = PanicsAtDrop;
    panic!("the first panic");
}

fn runtime_dropped_early() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async { init() });
    let (started, has_started) = std::sync::mpsc::channel();
    runtime.spawn_blocking(move || {
        started.send(()).unwrap();
        while !STOP.load(Ordering::Relaxed) {
            thread::yield_now();
        }
        error!("from a blocking thread");
        SAID.store(true, Ordering::Relaxed);
    });
    has_started.recv().unwrap();
    runtime.shutdown_background();
    error!("after the runtime");
    STOP.store(true, Ordering::Relaxed);
    eventually("the blocking thread's error", || SAID.load(Ordering::Relaxed));
    warm_up();
}

static SAID: AtomicBool = AtomicBool::new(false);

/// Logs when the thread's local storage is torn down: in `exit`, of a main
/// thread.
struct AtEnd;

impl Drop for AtEnd {
    fn drop(&mut self) {
        error!("in a destructor");
    }
}

fn main_thread_ends() {
    thread_local!(static LAST: AtEnd = const { AtEnd });
    LAST.with(|_| ());
}

/// Each event that a thread knows to be committed is told to the parent.
fn threads_go_on() {
    let alerts = AlertLayer::builder()
        .database(std::env::var("ALERT_DATABASE").unwrap())
        .wait_for_commit(PATIENCE)
        .sink(tracing_alert::MemorySink::new(), ["on-call"])
        .build()
        .unwrap();
    let handle = alerts.handle();
    tracing_subscriber::registry().with(alerts).init();
    for thread in 0..3 {
        drop(thread::spawn(move || {
            for round in 0.. {
                error!("event {thread} {round}");
                say(&format!("committed event {thread} {round}"));
            }
        }));
    }
    eventually("they are at it", || handle.stats().persisted > 10);
}

fn storm_goes_on() {
    init();
    let handle = AlertHandle::current().unwrap();
    for _ in 0..3 {
        drop(thread::spawn(|| {
            loop {
                error!("payment failed");
            }
        }));
    }
    eventually("they are at it", || handle.stats().persisted > 10);
}

/// What `/proc` says each of our threads blocks.
fn our_threads_take_no_signal() {
    init();
    error!("payment failed");
    warm_up();
    let mut ours = 0;
    for thread in std::fs::read_dir("/proc/self/task").unwrap() {
        let Ok(status) = std::fs::read_to_string(thread.unwrap().path().join("status")) else {
            continue;
        };
        let value = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(":\t"));
            line.unwrap().to_owned()
        };
        let blocked = u64::from_str_radix(&value("SigBlk"), 16).unwrap();
        let blocks = |signal: libc::c_int| blocked & (1 << (signal - 1)) != 0;
        let is_ours = value("Name").starts_with("tracing-alert");
        ours += u32::from(is_ours);
        for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGPIPE, libc::SIGUSR1, libc::SIGCHLD] {
            assert_eq!(blocks(signal), is_ours, "{signal} in {}", value("Name"));
        }
        assert!(!blocks(libc::SIGSEGV), "{}", value("Name"));
    }
    assert!(ours >= 2, "the alert thread and SQLite's: {ours}");
}

/// As in a program in C, whose end it is to write to a pipe that nobody reads.
#[expect(unsafe_code, reason = "the standard library ignores the signal")]
fn a_closed_pipe_kills() {
    // SAFETY: no handler is given.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
    init();
    error!("payment failed");
    warm_up();
}

/// However many layers a program builds, a panic goes through as many hooks as
/// it did with the first, and each layer that lives has it once.
fn panics_of_many_layers() {
    static DEPTH: std::sync::Mutex<Vec<usize>> = std::sync::Mutex::new(Vec::new());
    std::panic::set_hook(Box::new(|_| {
        let frames = std::backtrace::Backtrace::force_capture().to_string().lines().count();
        DEPTH.lock().unwrap().push(frames);
    }));
    let layer = || {
        let sink = tracing_alert::MemorySink::new();
        let builder = AlertLayer::builder().in_memory().panics(true).sink(sink, ["on-call"]);
        builder.build::<tracing_subscriber::Registry>().unwrap()
    };
    let boom = || assert!(catch_unwind(|| panic!("boom")).is_err());
    let first = layer();
    boom();
    (0..20).for_each(|_| drop(layer()));
    let last = layer();
    boom();
    let depths = DEPTH.lock().unwrap().clone();
    assert_eq!(depths[0], depths[1], "the chain of hooks grew");
    assert_eq!((first.handle().stats().captured, last.handle().stats().captured), (2, 1));

    // A hook of the host's own, in front of ours, stays there.
    let ours = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        SAID.store(true, Ordering::Relaxed);
        ours(info);
    }));
    let later = layer();
    boom();
    assert!(SAID.load(Ordering::Relaxed), "a hook of the host's was lost");
    let captured = [first, last, later].map(|layer| layer.handle().stats().captured);
    assert_eq!(captured, [3, 2, 1], "a layer had a panic twice, or not at all");
    // Ours is gone, and there is another where it was.
    drop(std::panic::take_hook());
    std::panic::set_hook(Box::new(|_| SAID.store(true, Ordering::Relaxed)));
    SAID.store(false, Ordering::Relaxed);
    let _latest = layer();
    boom();
    assert!(SAID.load(Ordering::Relaxed), "a hook of the host's was taken for ours");
}
