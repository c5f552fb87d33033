//! Locks and counters, which `tests/it/models.rs` replaces to try every order of events.

pub(crate) use std::{
    hint::spin_loop as pause,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, TryLockError,
        atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering},
    },
};

/// Between two accesses of which others must not see the second one alone. Both
/// are `SeqCst`, which is enough; for a model, which takes that for less, it is a
/// fence.
pub(crate) fn separate() {}

/// How often a lock is tried: for some microseconds, which is longer than the
/// largest copy takes that is made under one.
pub(crate) const MAX_TRIES: usize = 128;
