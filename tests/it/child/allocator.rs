//! A program whose global allocator logs, wherever that happens.
#![expect(unsafe_code, reason = "an allocator")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use tracing::{error, info_span};
use tracing_alert::AlertHandle;

use super::init;
use crate::support::PATIENCE;

/// The system's, which logs an error for each allocation once it is told to.
pub(crate) struct Talkative;

static TALKS: AtomicBool = AtomicBool::new(false);

thread_local! {
    /// It does not log what its own logging allocates.
    static IS_TALKING: Cell<bool> = const { Cell::new(false) };
}

fn talk() {
    if TALKS.load(Ordering::Relaxed) && !IS_TALKING.replace(true) {
        error!("an allocation");
        IS_TALKING.set(false);
    }
}

// SAFETY: all is the system's; what is logged allocates by itself.
unsafe impl GlobalAlloc for Talkative {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        talk();
        // SAFETY: as the caller's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as the caller's.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        talk();
        // SAFETY: as the caller's.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// The first error of each of some threads, with names and without.
pub(super) fn run() {
    init();
    let handle = AlertHandle::current().unwrap();
    error!("before");
    assert!(handle.flush(PATIENCE).is_complete());
    TALKS.store(true, Ordering::Relaxed);
    let threads = [Some("worker"), None].map(|name| {
        let builder = name.map_or_else(thread::Builder::new, |name| thread::Builder::new().name(name.into()));
        let work = || {
            error!("the first");
            let _span = info_span!("request", path = "/orders").entered();
            error!(order = 17, "the second");
        };
        builder.spawn(work).unwrap()
    });
    let results = threads.map(|thread| thread.join().is_ok());
    TALKS.store(false, Ordering::Relaxed);
    assert_eq!(results, [true, true]);
    assert!(handle.flush(PATIENCE).is_complete());
}
