//! [`Bucket`]: a few places, each for what is kept under one id.
//!
//! Runs on the callers' threads, also inside of one another's calls.
//! Invariant: a lock is tried and not waited for, and held for a copy; nothing
//! is freed, formatted or looked up meanwhile. What is found under an id was
//! kept under it.

use std::ops::{Deref, DerefMut};

use super::{
    lock::{briefly, tried},
    sync::{AtomicU64, Mutex, MutexGuard, Ordering},
};

/// The ids in one cache line, and what is kept under each.
#[repr(align(64))]
pub(crate) struct Bucket<T> {
    /// Changed to an id only by who holds the lock beside it, so that what was
    /// read there holds as long as the lock does.
    ids: [AtomicU64; WAYS],
    kept: [Mutex<T>; WAYS],
}

/// Nothing is kept here.
const FREE: u64 = 0;

/// As [`FREE`], but for what nobody needs any more: who removed its id met
/// somebody who was reading it.
const ABANDONED: u64 = u64::MAX;

impl<T: Default> Bucket<T> {
    pub(crate) fn new() -> Self {
        Self { ids: [(); WAYS].map(|()| AtomicU64::new(FREE)), kept: [(); WAYS].map(|()| Mutex::default()) }
    }
}

impl<T> Bucket<T> {
    /// A free place, which is that of `id` from the moment that this is dropped.
    /// What is in it may be left from another id.
    pub(crate) fn claim(&self, id: u64) -> Option<Claimed<'_, T>> {
        self.ids.iter().zip(&self.kept).find_map(|(known, kept)| {
            let is_free = || is_free(known.load(Ordering::Relaxed));
            let kept = is_free().then(|| tried(kept)).flatten()?;
            is_free().then(|| Claimed { kept, known, id })
        })
    }

    /// What is kept under `id`, for as short as it takes to copy.
    pub(crate) fn get(&self, id: u64) -> Option<MutexGuard<'_, T>> {
        let (known, kept) = self.of(id)?;
        briefly(kept).filter(|_| known.load(Ordering::Acquire) == id)
    }

    /// Frees the place of `id`, and gives what `empty` takes out of it.
    pub(crate) fn remove<R>(&self, id: u64, empty: impl FnOnce(&mut T) -> R) -> Option<R> {
        let (known, kept) = self.of(id)?;
        let Some(mut kept) = briefly(kept) else {
            // Unless somebody else has removed it meanwhile, and it is another id's.
            let _ = known.compare_exchange(id, ABANDONED, Ordering::Release, Ordering::Relaxed);
            return None;
        };
        (known.load(Ordering::Relaxed) == id).then(|| {
            known.store(FREE, Ordering::Release);
            empty(&mut kept)
        })
    }

    /// The id of what `rank` puts first.
    pub(crate) fn first<R: Ord>(&self, rank: impl Fn(&T) -> R) -> Option<u64> {
        let ranked = self.ids.iter().zip(&self.kept).filter_map(|(known, kept)| {
            let id = Some(known.load(Ordering::Relaxed)).filter(|id| !is_free(*id))?;
            let kept = tried(kept)?;
            (known.load(Ordering::Relaxed) == id).then(|| (rank(&kept), id))
        });
        ranked.min_by(|one, other| one.0.cmp(&other.0)).map(|(_, id)| id)
    }

    fn of(&self, id: u64) -> Option<(&AtomicU64, &Mutex<T>)> {
        let mut places = self.ids.iter().zip(&self.kept);
        places.find(|(known, _)| known.load(Ordering::Acquire) == id).filter(|_| !is_free(id))
    }
}

/// A place that is being filled.
pub(crate) struct Claimed<'a, T> {
    kept: MutexGuard<'a, T>,
    known: &'a AtomicU64,
    id: u64,
}

impl<T> Deref for Claimed<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.kept
    }
}

impl<T> DerefMut for Claimed<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.kept
    }
}

impl<T> Drop for Claimed<'_, T> {
    fn drop(&mut self) {
        // The lock is still held.
        self.known.store(self.id, Ordering::Release);
    }
}

fn is_free(id: u64) -> bool {
    matches!(id, FREE | ABANDONED)
}

/// How many ids a bucket has: as many as a cache line.
pub(crate) const WAYS: usize = 8;
