//! With which status the process exits, where the system's library tells that: glibc.
//!
//! Runs as the first of our exit handlers. Invariant: without it, the status is unknown.

#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub(super) use known::note_at_exit;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub(crate) use known::status;

/// Has the status noted when the process exits.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(super) fn note_at_exit() {}

/// With which status the process exits; none before it does.
#[cfg(any(feature = "postgres", feature = "sqlite"))]
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(crate) fn status() -> Option<i32> {
    None
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod known {
    use std::{
        ffi::{c_int, c_void},
        ptr,
        sync::atomic::{AtomicBool, AtomicI32, Ordering},
    };

    static IS_KNOWN: AtomicBool = AtomicBool::new(false);
    static STATUS: AtomicI32 = AtomicI32::new(0);

    /// With which status the process exits; none before it does.
    #[cfg(any(feature = "postgres", feature = "sqlite"))]
    pub(crate) fn status() -> Option<i32> {
        IS_KNOWN.load(Ordering::Acquire).then(|| STATUS.load(Ordering::Relaxed))
    }

    /// Has the status noted when the process exits.
    #[expect(unsafe_code, reason = "the standard library does not tell with which status it exits")]
    pub(in super::super) fn note_at_exit() {
        unsafe extern "C" {
            fn on_exit(function: extern "C" fn(c_int, *mut c_void), argument: *mut c_void) -> c_int;
        }
        // SAFETY: `note` lives as long as the process, takes no argument and does not
        // unwind. If it cannot be set, the status stays unknown.
        let _is_set = unsafe { on_exit(note, ptr::null_mut()) } == 0;
    }

    extern "C" fn note(status: c_int, _: *mut c_void) {
        STATUS.store(status, Ordering::Relaxed);
        IS_KNOWN.store(true, Ordering::Release);
    }
}
