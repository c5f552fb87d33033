//! Forks: a child has its parent's memory, and none of its threads.
//!
//! The C library tells the child, by a handler that does nothing but set atomics and
//! close descriptors: that is allowed where other threads may have held any lock at
//! the fork, and costs an event one relaxed load, not the system call that asking
//! for the process's number is.
//! Invariant: takes no lock that somebody could hold who is not in the child.

#[cfg(all(unix, feature = "sqlite"))]
use std::sync::atomic::AtomicI32;
#[cfg(feature = "sqlite")]
use std::{fs::File, mem::ManuallyDrop};
use std::{
    ops::Deref,
    ptr,
    sync::{
        OnceLock,
        atomic::{AtomicBool, AtomicPtr, AtomicU32, Ordering},
    },
};

use crate::host::trouble;

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
            // Not a `Once`, which waits for a thread that may not be in the child.
            // That two threads watch is no harm: generations only have to differ.
            static IS_WATCHING: AtomicBool = AtomicBool::new(false);
            if !IS_WATCHING.load(Ordering::Relaxed) {
                watch();
                IS_WATCHING.store(true, Ordering::Relaxed);
            }
        }
        Self(GENERATION.load(Ordering::Relaxed))
    }

    /// As [`here`](Self::here), but asks the C library for nothing: forks are noticed only
    /// once somebody has called that.
    pub(crate) fn now() -> Self {
        Self(GENERATION.load(Ordering::Relaxed))
    }

    /// True in a child that was forked since the first of all births.
    pub(crate) fn is_in_child(self) -> bool {
        self.0 != 0
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
        #[cfg(feature = "sqlite")]
        for locked in &LOCKED {
            let descriptor = locked.swap(NONE, Ordering::Relaxed);
            if descriptor != NONE {
                // SAFETY: it is open, as the parent has it open, and nothing in the
                // child uses it: see `LockedFile`.
                unsafe { libc::close(descriptor) };
            }
        }
    }
    // SAFETY: `in_child` lives as long as the process, takes nothing, does not
    // unwind, and does only what is safe in a signal handler, as `close` is.
    if unsafe { libc::pthread_atfork(None, None, Some(in_child)) } != 0 {
        trouble::say("forks cannot be detected: a forked child loses its events without notice");
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

/// A value that each process has one of. A thread of the parent may have held a lock
/// in its one at the fork, and is not in the child to release it: so the child gets
/// a new one.
pub(crate) struct PerProcess<T> {
    /// Never freed; one for each fork after which it is used.
    latest: AtomicPtr<Owned<T>>,
}

struct Owned<T> {
    birth: Birth,
    value: T,
}

impl<T> PerProcess<T> {
    pub(crate) const fn new() -> Self {
        Self { latest: AtomicPtr::new(ptr::null_mut()) }
    }
}

impl<T: Default + Send + Sync + 'static> PerProcess<T> {
    /// This process's.
    #[expect(unsafe_code, reason = "a pointer that is swapped needs no lock, and a box is needed for that")]
    pub(crate) fn get(&self) -> &'static T {
        let birth = Birth::here();
        let before = self.latest.load(Ordering::Acquire);
        // SAFETY: what is in there came out of a box, and is never freed.
        if let Some(owned) = unsafe { before.as_ref() }.filter(|owned| owned.birth == birth) {
            return &owned.value;
        }
        let ours = Box::into_raw(Box::new(Owned { birth, value: T::default() }));
        match self.latest.compare_exchange(before, ours, Ordering::AcqRel, Ordering::Acquire) {
            // SAFETY: as above.
            Ok(_) => unsafe { &(*ours).value },
            Err(theirs) => {
                // SAFETY: it came out of a box just now, and nobody else saw it. What
                // another thread of this process was faster to put there: as above.
                unsafe {
                    drop(Box::from_raw(ours));
                    &(*theirs).value
                }
            }
        }
    }

    /// This process's if it used any, or else its parent's, whose locks may be held
    /// for ever.
    #[expect(unsafe_code, reason = "as in `get`")]
    pub(crate) fn latest(&self) -> Option<&'static T> {
        // SAFETY: as in `get`.
        unsafe { self.latest.load(Ordering::Acquire).as_ref() }.map(|owned| &owned.value)
    }
}

/// What each process makes once, when it is first needed. A thread of the parent may be
/// making it at the fork, and is not in the child to finish: so the child makes its own.
pub(crate) struct Lazy<T> {
    made: PerProcess<OnceLock<T>>,
    make: fn() -> T,
}

impl<T: Send + Sync + 'static> Lazy<T> {
    pub(crate) const fn new(make: fn() -> T) -> Self {
        Self { made: PerProcess::new(), make }
    }
}

impl<T: Send + Sync + 'static> Deref for Lazy<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // What the parent has finished serves the child, too.
        let finished = self.made.latest().and_then(OnceLock::get);
        finished.unwrap_or_else(|| self.made.get().get_or_init(self.make))
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

/// A file of ours that is, or will be, locked. A lock is its file's, and is released
/// when nobody has that open any more; a forked child has it open too, and would keep
/// the lock when its parent is gone. So it closes its own at once.
#[cfg(feature = "sqlite")]
#[derive(Debug)]
pub(crate) struct LockedFile {
    /// In a child it is closed, and the number may be another file's: there it is
    /// neither used nor dropped.
    file: ManuallyDrop<File>,
    birth: Birth,
}

#[cfg(feature = "sqlite")]
impl LockedFile {
    /// Of a fork between the opening and this, the child keeps it.
    pub(crate) fn new(file: File) -> Self {
        let birth = Birth::here();
        #[cfg(unix)]
        {
            let descriptor = std::os::fd::AsRawFd::as_raw_fd(&file);
            // Beyond these, a child keeps them.
            let _ = LOCKED.iter().any(|place| exchange(place, NONE, descriptor));
        }
        Self { file: ManuallyDrop::new(file), birth }
    }
}

#[cfg(feature = "sqlite")]
impl Deref for LockedFile {
    type Target = File;

    fn deref(&self) -> &File {
        &self.file
    }
}

#[cfg(feature = "sqlite")]
impl Drop for LockedFile {
    #[expect(unsafe_code, reason = "it is dropped in the process that opened it, and in no other")]
    fn drop(&mut self) {
        if self.birth.is_elsewhere() {
            return;
        }
        // A child that is forked before the file is closed, and does not find it here, has
        // it open for good: but not locked.
        drop(self.file.unlock());
        #[cfg(unix)]
        {
            let descriptor = std::os::fd::AsRawFd::as_raw_fd(&**self);
            let _ = LOCKED.iter().any(|place| exchange(place, descriptor, NONE));
        }
        // SAFETY: nothing uses it after this.
        unsafe { ManuallyDrop::drop(&mut self.file) };
    }
}

#[cfg(all(unix, feature = "sqlite"))]
fn exchange(place: &AtomicI32, before: i32, after: i32) -> bool {
    place.compare_exchange(before, after, Ordering::Relaxed, Ordering::Relaxed).is_ok()
}

/// The descriptors of such files.
#[cfg(all(unix, feature = "sqlite"))]
static LOCKED: [AtomicI32; 64] = [const { AtomicI32::new(NONE) }; 64];

#[cfg(all(unix, feature = "sqlite"))]
const NONE: i32 = -1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_has_one_value() {
        static VALUE: PerProcess<AtomicU32> = PerProcess::new();
        assert!(VALUE.latest().is_none());
        let ours = VALUE.get();
        assert!(ptr::eq(ours, VALUE.get()));
        assert!(VALUE.latest().is_some_and(|latest| ptr::eq(ours, latest)));
    }
}
