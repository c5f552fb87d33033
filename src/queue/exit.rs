//! The end of the process: what is queued is committed, and deliveries that
//! were never attempted get their chance.
//!
//! Runs in `atexit`: after `main` returned or `std::process::exit` was called,
//! while other threads still run and thread-local storage is gone, but for what has
//! no destructor.
//! Invariant: waits at most [`EXIT_TIMEOUT`] in all; with nothing to do, not at
//! all, but to note that a start ended well; never for the thread that it runs on;
//! does nothing in a forked or cloned child, which has no alert thread.

use std::{
    cell::Cell,
    process,
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering, fence},
    },
    time::{Duration, Instant},
};

use crate::{
    host::{
        fork::PerProcess,
        lock,
        signal::Signal,
        thread::Role,
        time::{Saturating, from_now},
        trouble::{self, Voice},
        unwind::caught,
    },
    queue::{
        WeakQueue,
        flush::{Flush, Goal},
        stats::Counters,
    },
};

/// An alert thread that runs.
struct Running {
    /// The number of its process. A child that was cloned by a bare system call has
    /// its parent's memory, and nothing else tells it.
    process: u32,
    queue: WeakQueue,
    ended: Arc<Signal<()>>,
    counters: Arc<Counters>,
    voice: Voice,
}

/// Set when the process has begun to end.
static ENDING: AtomicBool = AtomicBool::new(false);

/// Whether the process has begun to end, and may not wait for what begins now.
#[cfg(feature = "sqlite")]
pub(crate) fn has_begun() -> bool {
    fence(Ordering::SeqCst);
    ENDING.load(Ordering::Relaxed)
}

static RUNNING: PerProcess<Mutex<Vec<Running>>> = PerProcess::new();

/// Has the process wait, at its end, for the alert thread behind `queue`.
pub(crate) fn register(queue: WeakQueue, ended: Arc<Signal<()>>, counters: Arc<Counters>, voice: Voice) {
    // Not a `Once`, which waits for a thread that may not be in a forked child. Set
    // twice, the hook finds nothing to do the second time.
    static IS_HOOKED: AtomicBool = AtomicBool::new(false);
    if !IS_HOOKED.load(Ordering::Relaxed) {
        // Before ours, so that it runs later; and not when the alert thread has something
        // to say, for which ours would wait in vain.
        trouble::wait_at_the_end();
        hook();
        IS_HOOKED.store(true, Ordering::Relaxed);
    }
    let Some(mut running) = lock::soon(RUNNING.get()) else {
        return trouble::say(NO_HOOK);
    };
    let is_over = |each: &mut Running| each.ended.wait_until(Instant::now()).is_some();
    let over: Vec<_> = running.extract_if(.., is_over).collect();
    running.push(Running { process: process::id(), queue, ended, counters, voice });
    drop(running);
    // With what the program's listener owns.
    let _: Option<()> = caught(|| drop(over));
}

thread_local! {
    /// Which layer's alert thread this one is, by the address of its counters. It has
    /// no destructor, so it is there while this thread ends the process.
    static SERVED: Cell<usize> = const { Cell::new(0) };

    /// Whether this thread ends the process.
    static IS_ENDING: Cell<bool> = const { Cell::new(false) };
}

/// Notes that this thread is the alert thread of the layer that `counters` are of.
pub(crate) fn serve(counters: &Arc<Counters>) {
    SERVED.set(Arc::as_ptr(counters).addr());
}

#[expect(unsafe_code, reason = "the standard library has no way to run code when the process exits")]
fn hook() {
    // SAFETY: `drain` is a function that lives as long as the process, takes
    // nothing, and does not unwind.
    if unsafe { libc::atexit(drain) } != 0 {
        trouble::say(NO_HOOK);
    }
    // Later than ours, so that it runs before it.
    status::note_at_exit();
}

mod status;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub(crate) use status::status;

const NO_HOOK: &str = "no exit hook could be set: call AlertHandle::flush before the program ends";

extern "C" fn drain() {
    // Unwinding out of C is not allowed. Nothing in there panics on purpose.
    drop(std::panic::catch_unwind(drain_all));
}

fn drain_all() {
    ENDING.store(true, Ordering::Relaxed);
    // Either what is open is seen here, or this is seen before anything is noted.
    fence(Ordering::SeqCst);
    IS_ENDING.set(true);
    // What is asked of a thread whose storage is gone ends in a panic.
    Role::settle();
    let deadline = from_now(EXIT_TIMEOUT);
    // What there is to say of it takes time, too.
    let answered_by = deadline.earlier(trouble::EXIT_PATIENCE);
    let running = lock::soon(RUNNING.get()).map(|mut running| std::mem::take(&mut *running));
    if running.is_none() {
        trouble::say(UNKNOWN);
    }
    let is_here = |each: &Running| each.process == process::id() && each.counters.has_begun();
    let waits: Vec<_> = running
        .unwrap_or_default()
        .into_iter()
        .filter(is_here)
        .map(|each| {
            let (counters, voice) = (Arc::clone(&each.counters), each.voice.clone());
            // What other threads capture from now on is not waited for.
            let captured = counters.captured();
            (counters, captured, voice, Wait::start(each, answered_by))
        })
        .collect();
    for (counters, captured, voice, wait) in waits {
        wait.finish(answered_by);
        let lost = counters.uncommitted_of(captured);
        let late = counters.uncommitted().saturating_sub(lost);
        tell(lost, late, &voice);
    }
    let _ = AFTER.get().deadline.set(deadline);
    IS_OVER.store(true, Ordering::Release);
    trouble::see_out();
}

const UNKNOWN: &str = "events that are not committed may be lost: another thread was building a layer when the process \
     ended, and nothing was waited for. Call AlertHandle::flush before the program ends";

/// Says what the end costs, if anything. Not as the voice of this thread, whose
/// local storage is gone.
fn tell(lost: u64, late: u64, voice: &Voice) {
    if lost > 0 {
        voice.say(&format!("{} lost: not committed before the end", events(lost)));
    }
    if late > 0 {
        voice.say(&format!("{} may be lost: captured while the process ended", events(late)));
    }
}

fn events(count: u64) -> String {
    if count == 1 { "1 event".to_owned() } else { format!("{count} events") }
}

/// Set when a process has waited at its end; a child that is forked then goes on.
static IS_OVER: AtomicBool = AtomicBool::new(false);

/// What comes after that, as handlers that were registered before ours run later.
#[derive(Default)]
struct After {
    /// When the end has taken all the time that it may. Set when ours has run.
    deadline: OnceLock<Instant>,
    late: AtomicU64,
}

static AFTER: PerProcess<After> = PerProcess::new();

/// Whether the process has waited at its end, so that nobody waits for what is
/// captured now.
pub(crate) fn is_over() -> bool {
    IS_OVER.load(Ordering::Acquire) && AFTER.get().deadline.get().is_some()
}

/// How long one more event waits for its commit, after that: on the thread that ends
/// the process, where nothing else would wait for it.
pub(crate) fn patience() -> Option<Duration> {
    if !is_over() || !IS_ENDING.get() {
        return None;
    }
    AFTER.get().deadline.get().map(|deadline| deadline.saturating_duration_since(Instant::now()))
}

/// Counts one more event that may be lost after that, and says how many there were:
/// of the first one, the tenth, the hundredth …
pub(crate) fn tell_late() {
    let late = AFTER.get().late.fetch_add(1, Ordering::Relaxed) + 1;
    if 10_u64.pow(late.ilog10()) == late {
        trouble::say_at_once(&format!(
            "{} may be lost: captured as the process was at its end",
            events(late)
        ));
    }
}

/// What is waited for.
enum Wait {
    /// For nothing: this is the alert thread, and it ends the process.
    Never,
    /// For an answer to a flush.
    Flush(Arc<Signal<super::flush::FlushReport>>),
    /// For the end of an alert thread whose callers are gone.
    End(Arc<Signal<()>>),
}

impl Wait {
    fn start(running: Running, deadline: Instant) -> Self {
        if SERVED.get() == Arc::as_ptr(&running.counters).addr() {
            return Self::Never;
        }
        let done = Arc::new(Signal::new());
        let flush = Flush { goal: Goal::FirstAttempts, deadline, done: Arc::clone(&done) };
        if running.queue.flush(flush) { Self::Flush(done) } else { Self::End(running.ended) }
    }

    /// What is not sent in time is in the store, for the next start.
    fn finish(self, deadline: Instant) {
        match self {
            Self::Never => (),
            Self::Flush(done) => drop(done.wait_until(deadline)),
            Self::End(ended) => drop(ended.wait_until(deadline)),
        }
    }
}

/// The longest that the end of the process waits, in all.
const EXIT_TIMEOUT: Duration = Duration::from_secs(2);
