//! Locks that are tried, and not waited for without a bound.
//!
//! Runs on every thread. Whoever holds a lock of ours may have been interrupted, may
//! be this thread, further up, or may not be in this process, if it was forked.
//! Invariant: each of these functions ends, whoever holds the lock. A poisoned lock
//! is as good as any: nothing is left half-done under one of ours.

use std::time::{Duration, Instant};

use super::sync::{MAX_TRIES, Mutex, MutexGuard, TryLockError, pause};

/// Locks `mutex` if nobody has it.
pub(crate) fn tried<T>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    match mutex.try_lock() {
        Ok(guard) => Some(guard),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}

/// Locks `mutex`, which is held for no longer than it takes to copy something. Never
/// gives up the processor.
pub(crate) fn briefly<T>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    let mut tries = 0..MAX_TRIES;
    repeatedly(mutex, || tries.next().inspect(|_| pause()).is_some())
}

/// Locks `mutex`, which is never held for longer than an instant, within `patience`.
pub(crate) fn within<T>(mutex: &Mutex<T>, patience: Duration) -> Option<MutexGuard<'_, T>> {
    let begun = Instant::now();
    repeatedly(mutex, || {
        let goes_on = begun.elapsed() < patience;
        if goes_on {
            std::thread::yield_now();
        }
        goes_on
    })
}

/// As [`within`], with the patience of whoever has nothing else to fall back on.
pub(crate) fn soon<T>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    within(mutex, PATIENCE)
}

fn repeatedly<T>(mutex: &Mutex<T>, mut goes_on: impl FnMut() -> bool) -> Option<MutexGuard<'_, T>> {
    loop {
        let guard = tried(mutex);
        if guard.is_some() || !goes_on() {
            return guard;
        }
    }
}

const PATIENCE: Duration = Duration::from_millis(100);
