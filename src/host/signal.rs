//! [`Signal`]: a value that one thread sets once and others wait for.
//!
//! Invariant: works with no runtime, inside one, and while the process exits;
//! it uses no thread-local storage.

use std::{sync::PoisonError, time::Instant};

use super::sync::{Condvar, Mutex};

/// Set once by the alert thread; waited for, with a deadline, by others.
#[derive(Debug)]
pub(crate) struct Signal<T> {
    value: Mutex<Option<T>>,
    changed: Condvar,
}

impl<T: Clone> Signal<T> {
    pub(crate) fn new() -> Self {
        Self { value: Mutex::new(None), changed: Condvar::new() }
    }

    /// Sets the value, unless it is set.
    pub(crate) fn set(&self, value: T) {
        self.value.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(value);
        self.changed.notify_all();
    }

    /// Waits until the value is set; `None` if that is not before `deadline`.
    pub(crate) fn wait_until(&self, deadline: Instant) -> Option<T> {
        let mut value = self.value.lock().unwrap_or_else(PoisonError::into_inner);
        while value.is_none() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            value = self.changed.wait_timeout(value, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        value.clone()
    }
}
