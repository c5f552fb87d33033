//! [`Tally`] and [`Bell`]: events that are only counted, and who is told that there
//! are any.
//!
//! The callers count, the alert thread collects.
//! Invariant: what is counted is collected once. While something is not collected,
//! the bell has rung since the last collection; once it is shut, who counts is told
//! to collect.

use super::sync::{AtomicU8, AtomicU64, Ordering, separate};

/// What the alert thread knows. Shared by all tallies.
pub(crate) struct Bell(AtomicU8);

/// There is nothing to collect.
const SILENT: u8 = 0;
/// It was told that there is.
const RUNG: u8 = 1;
/// It ended.
const SHUT: u8 = 2;

/// What is to be done about an event that was counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ring {
    /// The alert thread is to be told.
    First,
    /// It is told.
    Again,
    /// Nobody will collect it any more.
    Late,
}

impl Bell {
    pub(crate) fn new() -> Self {
        Self(AtomicU8::new(SILENT))
    }

    fn ring(&self) -> Ring {
        match self.0.load(Ordering::SeqCst) {
            RUNG => Ring::Again,
            SILENT => match self.0.compare_exchange(SILENT, RUNG, Ordering::SeqCst, Ordering::SeqCst) {
                Ok(_) => Ring::First,
                Err(SHUT) => Ring::Late,
                Err(_) => Ring::Again,
            },
            _ => Ring::Late,
        }
    }

    /// Before all tallies are collected.
    pub(crate) fn answer(&self) {
        // It stays shut.
        let _ = self.0.compare_exchange(RUNG, SILENT, Ordering::SeqCst, Ordering::SeqCst);
        separate();
    }

    /// Before all tallies are collected for the last time.
    pub(crate) fn shut(&self) {
        self.0.swap(SHUT, Ordering::SeqCst);
        separate();
    }

    /// Whether there is something to collect.
    pub(crate) fn has_rung(&self) -> bool {
        self.0.load(Ordering::SeqCst) == RUNG
    }

    /// As [`has_rung`](Self::has_rung), or a moment ago; none once it is shut.
    pub(crate) fn may_have_rung(&self) -> Option<bool> {
        match self.0.load(Ordering::Relaxed) {
            SHUT => None,
            state => Some(state == RUNG),
        }
    }
}

/// How many events were only counted. Those that count write this cache line, and
/// read what is beside it.
#[derive(Default)]
#[repr(align(64))]
pub(crate) struct Tally {
    /// Ever.
    counted: AtomicU64,
    /// Of these.
    collected: AtomicU64,
}

impl Tally {
    /// Counts one.
    pub(crate) fn count(&self, bell: &Bell) -> Ring {
        // In this order, and the other way round where it is collected: of two that
        // meet, at least one sees the other.
        self.counted.fetch_add(1, Ordering::SeqCst);
        separate();
        bell.ring()
    }

    /// How many were counted and not collected yet.
    pub(crate) fn collect(&self) -> u64 {
        let counted = self.counted.load(Ordering::SeqCst);
        // Two may collect at the same time: the greater number counts.
        counted.saturating_sub(self.collected.fetch_max(counted, Ordering::SeqCst))
    }

    /// All that were ever counted.
    pub(crate) fn counted(&self) -> u64 {
        self.counted.load(Ordering::Relaxed)
    }

    /// Whether none was counted since they were collected.
    pub(crate) fn is_calm(&self) -> bool {
        self.counted() == self.collected.load(Ordering::Relaxed)
    }
}
