//! Forks: a child has its parent's memory, and none of its threads.
//!
//! The C library tells the child, by a handler that does nothing but set two
//! atomics: that is allowed where other threads may have held any lock at the
//! fork, and costs an event one relaxed load, not the system call that asking
//! for the process's number is.
//! Invariant: takes no lock that somebody could hold who is not in the child.

#[cfg(unix)]
use std::sync::Once;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use crate::trouble;

/// How many forks there are between the first process and this one.
static GENERATION: AtomicU32 = AtomicU32::new(0);

/// Files that this process has open in SQLite.
static OPEN_FILES: AtomicU32 = AtomicU32::new(0);

/// Whether the process before this one had any at the fork.
static INHERITED: AtomicBool = AtomicBool::new(false);

/// In which process an alert thread was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Birth(u32);

impl Birth {
    /// In this one.
    pub(crate) fn here() -> Self {
        #[cfg(unix)]
        {
            static WATCHING: Once = Once::new();
            WATCHING.call_once(watch);
        }
        Self(GENERATION.load(Ordering::Relaxed))
    }

    /// True in a child that was forked since: nobody reads the queue there.
    pub(crate) fn is_elsewhere(self) -> bool {
        self.0 != GENERATION.load(Ordering::Relaxed)
    }
}

#[cfg(unix)]
#[expect(unsafe_code, reason = "the standard library has no way to notice a fork")]
fn watch() {
    extern "C" fn in_child() {
        GENERATION.fetch_add(1, Ordering::Relaxed);
        INHERITED.fetch_or(OPEN_FILES.swap(0, Ordering::Relaxed) > 0, Ordering::Relaxed);
    }
    // SAFETY: `in_child` lives as long as the process, takes nothing, does not
    // unwind, and does only what is safe in a signal handler.
    if unsafe { libc::pthread_atfork(None, None, Some(in_child)) } != 0 {
        trouble::say("forks cannot be noticed: a forked child loses its events without a word");
    }
}

/// Says, once in each child, that its events are lost.
pub(crate) fn complain() {
    static TOLD: AtomicU32 = AtomicU32::new(0);
    let generation = GENERATION.load(Ordering::Relaxed);
    if TOLD.swap(generation, Ordering::Relaxed) != generation {
        trouble::say_at_once(
            "this process was forked from one that alerts, and has no alert thread: its events are lost. \
             Build the layer after the fork",
        );
    }
}

/// Stands for a file that is open in SQLite. A forked child must not open it
/// again: SQLite's memory says that the process holds locks, which it does not,
/// and another process would take the file's log away from under it.
#[cfg(feature = "sqlite")]
pub(crate) struct OpenFile(());

#[cfg(feature = "sqlite")]
impl OpenFile {
    pub(crate) fn new() -> Self {
        OPEN_FILES.fetch_add(1, Ordering::Relaxed);
        Self(())
    }

    /// Whether this process is such a child.
    pub(crate) fn is_inherited() -> bool {
        INHERITED.load(Ordering::Relaxed)
    }
}

#[cfg(feature = "sqlite")]
impl Drop for OpenFile {
    fn drop(&mut self) {
        OPEN_FILES.fetch_sub(1, Ordering::Relaxed);
    }
}
