//! How a process ends, forks and panics, against the layer's will; and levels that
//! several threads set.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    process,
    sync::{
        OnceLock,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use tracing::error;
use tracing_alert::{AlertHandle, AlertLayer, MemorySink, Message, Receipt, SendError, Sink};
use tracing_subscriber::prelude::*;

use super::{
    host::{child_that, ended, in_child},
    init,
};
use crate::support::{PATIENCE, eventually, inherited_builder};

pub(super) fn run(scenario: &str) {
    match scenario {
        "end-fork-while-panicking" => fork_while_panicking(),
        "end-fork-at-first" => fork_while_the_first_event_is_read(),
        "end-fork-first-hook" => fork_before_there_is_a_hook(),
        "end-clone" => cloned_without_handlers(),
        "end-sink-panics" => sink_panics_and_the_hook_exits(),
        "end-late" => event_in_a_later_handler(false),
        "end-late-storm" => event_in_a_later_handler(true),
        "end-late-elsewhere" => {
            event_in_a_later_handler(false);
            // A thread that never logged, nor was it looked at.
            drop(thread::spawn(|| process::exit(0)).join());
        }
        "end-late-locked" => event_in_a_later_handler_finds_the_file_locked(),
        "end-unchained" => hook_replaced(),
        "end-unchained-event" => hook_replaced_and_an_event(),
        "end-resumed" => unwinding_without_a_panic(),
        "end-chained-again" => hook_chained_again(),
        "end-broken-pipe" => printing_for_nobody(),
        other => panic!("no scenario {other:?}"),
    }
}

pub(super) fn in_memory(panics: bool) -> AlertLayer {
    let sink = MemorySink::new();
    AlertLayer::builder().in_memory().panics(panics).sink(sink, ["on-call"]).build().unwrap()
}

static STOP: AtomicBool = AtomicBool::new(false);

/// Threads that panic all the time, and say nothing of it.
fn panicking(threads: usize) -> Vec<thread::JoinHandle<()>> {
    let panic = || {
        while !STOP.load(Ordering::Relaxed) {
            drop(catch_unwind(|| panic!("in the parent")));
        }
    };
    (0..threads).map(|_| thread::spawn(panic)).collect()
}

/// A hook that is silent of panics that are meant.
fn say_what_failed(info: &std::panic::PanicHookInfo<'_>) {
    let what = info.payload_as_str().unwrap_or_default();
    if !what.starts_with("in the ") {
        super::say(&info.to_string());
    }
}

/// How often a process forks: `FORKS=1000` for more.
fn forks() -> u32 {
    std::env::var("FORKS").map_or(40, |forks| forks.parse().unwrap())
}

/// Whatever the panicking threads of the parent hold, a child builds a layer, and
/// that one has its panics.
fn fork_while_panicking() {
    std::panic::set_hook(Box::new(say_what_failed));
    let parents = in_memory(true);
    // A hook that still waits to be set at a fork would keep the child's panics waiting.
    eventually("the hook is set", || parents.handle().chain_panic_hook());
    let threads = panicking(2);
    for _ in 0..forks() {
        let status = in_child(|| {
            let layer = in_memory(true);
            assert!(catch_unwind(|| panic!("in the child")).is_err());
            let handle = layer.handle();
            assert_eq!((handle.stats().captured, handle.stats().dropped.len()), (1, 0));
            assert!(handle.flush(PATIENCE).is_complete());
        });
        assert_eq!(status, 0);
    }
    STOP.store(true, Ordering::Relaxed);
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    // The storm takes its time on a busy machine.
    assert!(parents.handle().shutdown(10 * PATIENCE).in_time);
}

/// Whatever the alert thread of the parent does for the first time, a child does on its
/// own.
fn fork_while_the_first_event_is_read() {
    let fails = || {
        let layer = in_memory(false);
        let handle = layer.handle();
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            error!("login failed: password=hunter2x");
        });
        handle
    };
    let parents = fails();
    let fork = |_| {
        thread::sleep(Duration::from_micros(500));
        child_that(|| assert!(fails().flush(PATIENCE / 2).is_complete()))
    };
    let children: Vec<_> = (0..forks()).map(fork).collect();
    let ends: Vec<_> = children.into_iter().map(ended).collect();
    assert!(ends.iter().all(|status| *status == 0), "{ends:?}");
    assert!(parents.flush(PATIENCE).is_complete());
}

/// As above, of a parent whose layer does not hear of panics.
fn fork_before_there_is_a_hook() {
    // It takes its time, so that the lock is held at most forks.
    std::panic::set_hook(Box::new(|_| thread::sleep(Duration::from_millis(1))));
    let _parents = in_memory(false);
    let threads = panicking(2);
    for _ in 0..forks() {
        let status = in_child(|| {
            let layer = in_memory(true);
            assert!(!layer.handle().chain_panic_hook());
            tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
                error!("in the child");
            });
        });
        assert_eq!(status, 0);
    }
    STOP.store(true, Ordering::Relaxed);
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

/// The C library knows nothing of such a child, nor do we.
fn cloned_without_handlers() {
    init();
    error!("in the parent");
    assert!(AlertHandle::current().unwrap().flush(PATIENCE).is_complete());
    let took = (0..3).map(|_| {
        let begun = Instant::now();
        clone_that_exits();
        begun.elapsed()
    });
    // Each waited for two seconds; on a busy machine one may take long all the same.
    assert!(took.min().unwrap() < Duration::from_millis(1500));
}

#[expect(unsafe_code, reason = "the standard library does not fork")]
fn clone_that_exits() {
    // SAFETY: as `fork`, without the handlers; the child only exits.
    let child = unsafe { libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) };
    if child == 0 {
        process::exit(7);
    }
    let mut status = 0;
    // SAFETY: `status` outlives the call.
    let ended = || unsafe { libc::waitpid(-1, &raw mut status, libc::WNOHANG) } > 0;
    eventually("the child ends", ended);
    assert_eq!(libc::WEXITSTATUS(status), 7);
}

struct PanickingSink;

impl Sink for PanickingSink {
    fn name(&self) -> &'static str {
        "panicking"
    }

    async fn send(&self, _: &Message) -> Result<Receipt, SendError> {
        ENDED.set(Instant::now()).unwrap();
        panic!("a sink panics");
    }
}

static ENDED: OnceLock<Instant> = OnceLock::new();

#[expect(unsafe_code, reason = "the standard library has no way to run code when the process exits")]
fn sink_panics_and_the_hook_exits() {
    extern "C" fn took() {
        // It was registered before the layer's, and so comes after it.
        let took = ENDED.get().unwrap().elapsed();
        super::say(&format!("the end took {} ms", took.as_millis()));
    }
    // SAFETY: the handler lives as long as the process, and does not unwind.
    unsafe { libc::atexit(took) };
    std::panic::set_hook(Box::new(|_| process::exit(3)));
    let builder = inherited_builder().settle(Duration::ZERO).panics(true);
    let layer = builder.sink(PanickingSink, ["on-call"]).build().unwrap();
    tracing_subscriber::registry().with(layer).init();
    error!("payment failed");
    super::stay();
}

#[expect(unsafe_code, reason = "the standard library has no way to run code when the process exits")]
fn event_in_a_later_handler(storm: bool) {
    extern "C" fn later() {
        error!("after the drain");
    }
    extern "C" fn later_and_often() {
        (0..100_000).for_each(|_| error!("after the drain"));
    }
    // SAFETY: the handlers live as long as the process, and do not unwind.
    unsafe { libc::atexit(if storm { later_and_often } else { later }) };
    init();
    error!("before the end");
    assert!(AlertHandle::current().unwrap().flush(PATIENCE).is_complete());
}

fn event_in_a_later_handler_finds_the_file_locked() {
    event_in_a_later_handler(false);
    super::say("ready");
    // The parent has locked the file.
    std::io::stdin().read_line(&mut String::new()).unwrap();
}

/// A hook that does not call the one before it, as some crates set theirs.
fn replace_the_hook() {
    std::panic::set_hook(Box::new(|_| ()));
}

fn hook_replaced() {
    init();
    replace_the_hook();
    for _ in 0..3 {
        let unwound = catch_unwind(|| {
            let span = tracing::info_span!("request", id = 7);
            let _entered = span.enter();
            panic!("unseen");
        });
        assert!(unwound.is_err());
    }
    let handle = AlertHandle::current().unwrap();
    assert_eq!(handle.stats().captured, 0);
    // However often.
    assert!((0..3).all(|_| handle.chain_panic_hook()));
    assert!(catch_unwind(|| panic!("seen")).is_err());
    assert_eq!(handle.stats().captured, 1);
    assert!(handle.flush(PATIENCE).is_complete());
}

/// Logs while its thread unwinds.
struct Logs;

impl Drop for Logs {
    fn drop(&mut self) {
        error!("dropped in the midst of it");
    }
}

fn hook_replaced_and_an_event() {
    init();
    replace_the_hook();
    for _ in 0..3 {
        assert!(
            catch_unwind(|| {
                let _logs = Logs;
                panic!("unseen");
            })
            .is_err()
        );
    }
    let handle = AlertHandle::current().unwrap();
    assert_eq!(handle.stats().captured, 3);
    assert!(handle.flush(PATIENCE).is_complete());
}

/// A panic of one thread that goes on in another one, or that is used to return, is
/// no sign that our hook is gone.
fn unwinding_without_a_panic() {
    init();
    let resumed = catch_unwind(|| {
        let _logs = Logs;
        std::panic::resume_unwind(Box::new("not a panic"));
    });
    assert!(resumed.is_err());
    assert!(AlertHandle::current().unwrap().flush(PATIENCE).is_complete());
}

fn hook_chained_again() {
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    std::panic::set_hook(Box::new(|_| _ = CALLS.fetch_add(1, Ordering::Relaxed)));
    let layer = in_memory(true);
    let handle = layer.handle();
    let in_front = || {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            CALLS.fetch_add(1, Ordering::Relaxed);
            before(info);
        }));
    };
    let boom = || {
        CALLS.store(0, Ordering::Relaxed);
        let before = handle.stats().captured;
        assert!(catch_unwind(|| panic!("boom")).is_err());
        (CALLS.load(Ordering::Relaxed), handle.stats().captured - before)
    };
    assert_eq!(boom(), (1, 1));
    in_front();
    assert_eq!(boom(), (2, 1), "ours is behind the host's");
    for _ in 0..10 {
        assert!(handle.chain_panic_hook());
        assert_eq!(boom(), (2, 1), "each hook is called once, and a panic is captured once");
    }
    in_front();
    assert!(handle.chain_panic_hook());
    assert_eq!(boom(), (3, 1));

    // A hook for a while, as test harnesses set them.
    let depth = || {
        static DEPTH: AtomicUsize = AtomicUsize::new(0);
        let chain = std::panic::take_hook();
        std::panic::set_hook(Box::new(|_| {
            let frames = std::backtrace::Backtrace::force_capture().to_string().lines().count();
            DEPTH.store(frames, Ordering::Relaxed);
        }));
        assert!(handle.chain_panic_hook());
        assert_eq!(boom().1, 1);
        std::panic::set_hook(chain);
        assert!(handle.chain_panic_hook());
        assert_eq!(boom(), (3, 1));
        DEPTH.load(Ordering::Relaxed)
    };
    let depths: Vec<_> = (0..5).map(|_| depth()).collect();
    assert!(depths.iter().all(|each| *each == depths[0]), "the chain grows: {depths:?}");

    // One whose layer does not hear of panics may ask to.
    let quiet = in_memory(false).handle();
    assert_eq!((boom(), quiet.stats().captured), ((3, 1), 0));
    assert!((0..3).all(|_| quiet.chain_panic_hook()));
    assert_eq!((boom(), quiet.stats().captured), ((3, 1), 1));

    // Also in a destructor, and where a hook runs.
    struct Chains(AlertHandle);
    impl Drop for Chains {
        fn drop(&mut self) {
            assert!(thread::panicking() && self.0.chain_panic_hook());
        }
    }
    let unwound = catch_unwind(AssertUnwindSafe(|| {
        let _chains = Chains(handle.clone());
        panic!("boom");
    }));
    assert!(unwound.is_err());
    let again = handle.clone();
    std::panic::set_hook(Box::new(move |_| _ = again.chain_panic_hook()));
    assert!(catch_unwind(|| panic!("boom")).is_err());
    eventually("it is chained once the hook is over", || boom().1 == 1);
}

/// Standard output is a pipe that nobody reads.
#[expect(unsafe_code, reason = "the standard library does not replace descriptors")]
fn printing_for_nobody() {
    use std::os::fd::AsRawFd;

    init();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    // SAFETY: the descriptors are open, and the first one is put back.
    let before = unsafe { libc::dup(libc::STDOUT_FILENO) };
    // SAFETY: as above.
    assert!(unsafe { libc::dup2(writer.as_raw_fd(), libc::STDOUT_FILENO) } >= 0);
    #[expect(clippy::print_stdout, reason = "that is what panics")]
    let printed = catch_unwind(|| println!("nobody reads this"));
    // SAFETY: as above.
    assert!(unsafe { libc::dup2(before, libc::STDOUT_FILENO) } >= 0);
    assert!(printed.is_err());
    let handle = AlertHandle::current().unwrap();
    let stats = handle.stats();
    assert_eq!((stats.captured, stats.ignored), (1, 1));
    for message in
        ["upload failed: Broken pipe (os error 32)", "failed printing to stdout: disk full (os error 28)"]
    {
        assert!(catch_unwind(|| panic!("{message}")).is_err());
    }
    assert!(handle.flush(PATIENCE).is_complete());
}
