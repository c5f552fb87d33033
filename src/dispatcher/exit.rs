//! The end of the process: what is queued is committed, and deliveries that
//! were never attempted get their chance.
//!
//! Runs in `atexit`: after `main` returned or `std::process::exit` was called,
//! while other threads still run and thread-local storage is gone.
//! Invariant: waits at most [`EXIT_TIMEOUT`] in all; with nothing to do, not at
//! all, but to note that a start ended well; does nothing in a forked child, which has no alert thread.

use std::{
    sync::{
        Arc, Mutex, Once, PoisonError,
        atomic::{AtomicBool, Ordering, fence},
    },
    time::{Duration, Instant},
};

use crate::{
    fork::Birth,
    queue::{Flush, Goal, WeakQueue},
    signal::Signal,
    stats::Counters,
    trouble,
};

/// An alert thread that runs.
struct Running {
    birth: Birth,
    queue: WeakQueue,
    ended: Arc<Signal<()>>,
    counters: Arc<Counters>,
}

/// Set when the process has begun to end.
static ENDING: AtomicBool = AtomicBool::new(false);

/// Whether the process has begun to end, and may not wait for what begins now.
#[cfg(feature = "sqlite")]
pub(super) fn has_begun() -> bool {
    fence(Ordering::SeqCst);
    ENDING.load(Ordering::Relaxed)
}

static RUNNING: Mutex<Vec<Running>> = Mutex::new(Vec::new());

/// Has the process wait, at its end, for the alert thread behind `queue`.
pub(crate) fn register(birth: Birth, queue: WeakQueue, ended: Arc<Signal<()>>, counters: Arc<Counters>) {
    static HOOK: Once = Once::new();
    HOOK.call_once(hook);
    let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
    running.retain(|each| each.ended.wait_until(Instant::now()).is_none());
    running.push(Running { birth, queue, ended, counters });
}

#[expect(unsafe_code, reason = "the standard library has no way to run code when the process exits")]
fn hook() {
    // SAFETY: `drain` is a function that lives as long as the process, takes
    // nothing, and does not unwind.
    if unsafe { libc::atexit(drain) } != 0 {
        trouble::say("no exit hook could be set: call AlertHandle::flush before the program ends");
    }
}

extern "C" fn drain() {
    // Unwinding out of C is not allowed. Nothing in there panics on purpose.
    drop(std::panic::catch_unwind(drain_all));
}

fn drain_all() {
    ENDING.store(true, Ordering::Relaxed);
    // Either what is open is seen here, or this is seen before anything is noted.
    fence(Ordering::SeqCst);
    let deadline = Instant::now() + EXIT_TIMEOUT;
    // A thread that holds the lock now is starting an alert thread; it may be
    // gone in a forked child.
    let Ok(mut running) = RUNNING.try_lock() else {
        return;
    };
    running.retain(|each| !each.birth.is_elsewhere() && each.counters.has_begun());
    let waits: Vec<_> = running
        .drain(..)
        .map(|each| {
            let counters = Arc::clone(&each.counters);
            // What other threads capture from now on is not waited for.
            let captured = counters.captured();
            (counters, captured, Wait::start(each, deadline))
        })
        .collect();
    let (mut lost, mut late) = (0, 0);
    for (counters, captured, wait) in waits {
        wait.finish(deadline);
        let uncommitted = counters.uncommitted_of(captured);
        lost += uncommitted;
        late += counters.uncommitted().saturating_sub(uncommitted);
    }
    let events = |count| if count == 1 { "1 event".to_owned() } else { format!("{count} events") };
    if lost > 0 {
        trouble::say(&format!("{} lost: the database did not take them before the end", events(lost)));
    }
    if late > 0 {
        trouble::say(&format!("{} may be lost: captured while the process ended", events(late)));
    }
}

/// What is waited for.
enum Wait {
    /// For an answer to a flush.
    Flush(Arc<Signal<crate::handle::FlushReport>>),
    /// For the end of an alert thread whose callers are gone.
    End(Arc<Signal<()>>),
}

impl Wait {
    fn start(running: Running, deadline: Instant) -> Self {
        let done = Arc::new(Signal::new());
        let flush = Flush { goal: Goal::FirstAttempts, deadline, done: Arc::clone(&done) };
        if running.queue.flush(flush) { Self::Flush(done) } else { Self::End(running.ended) }
    }

    /// What is not sent in time is in the store, for the next start.
    fn finish(self, deadline: Instant) {
        match self {
            Self::Flush(done) => drop(done.wait_until(deadline)),
            Self::End(ended) => drop(ended.wait_until(deadline)),
        }
    }
}

/// The longest that the end of the process waits.
const EXIT_TIMEOUT: Duration = Duration::from_secs(2);
