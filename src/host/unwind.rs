//! Panics of other people's code, which cost what that code was to give and
//! nothing else.
//!
//! Runs on every thread.
//! Invariant: no panic passes through here, not even that of a payload's `Drop`.

use std::{
    any::Any,
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
};

/// What `act` gives; none if it panics.
pub(crate) fn caught<T>(act: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(act)).map_err(discard).ok()
}

/// Drops what somebody panicked with. That may panic again, and so may the drop
/// of what it panics with.
pub(crate) fn discard(payload: Box<dyn Any + Send>) {
    let mut next = Some(payload);
    for _ in 0..MAX_DROPS {
        let Some(payload) = next else { return };
        next = catch_unwind(AssertUnwindSafe(|| drop(payload))).err();
    }
    // It goes on for ever, so it is leaked.
    mem::forget(next);
}

/// Payloads of one panic that are dropped.
const MAX_DROPS: usize = 8;

#[cfg(test)]
mod tests {
    use std::{
        panic::panic_any,
        sync::{
            Arc,
            atomic::{AtomicU32, Ordering},
        },
    };

    use super::*;

    /// Panics with the next one when it is dropped.
    struct Bomb(u32, Arc<AtomicU32>);

    impl Drop for Bomb {
        fn drop(&mut self) {
            self.1.fetch_add(1, Ordering::Relaxed);
            if self.0 > 0 {
                panic_any(Self(self.0 - 1, Arc::clone(&self.1)));
            }
        }
    }

    #[test]
    fn what_was_panicked_with_is_dropped_however_it_ends() {
        assert_eq!(caught(|| 7), Some(7));
        for (depth, dropped) in [(0, 1), (3, 4), (1_000, 8)] {
            let drops = Arc::new(AtomicU32::new(0));
            let bomb = Bomb(depth, Arc::clone(&drops));
            assert_eq!(caught(|| panic_any(bomb)), None::<()>);
            assert_eq!(drops.load(Ordering::Relaxed), dropped, "{depth}");
        }
    }
}
