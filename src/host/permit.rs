//! [`Permit`]: a share of the bytes that the queue, or all breadcrumbs, may hold.
//!
//! Invariant: the shares that are out never exceed the bound, and waiting for
//! one is not possible.

use super::sync::{Arc, AtomicUsize, Ordering};

/// Given back when it is dropped; an event's, when that is committed.
#[derive(Debug, Default)]
pub(crate) struct Permit {
    /// None if it is a share of nothing.
    bytes: Option<Arc<AtomicUsize>>,
    held: usize,
}

impl Permit {
    /// Takes `size` of the `most` bytes that may be out, of which `bytes` are;
    /// none if there are not so many left.
    pub(crate) fn take(bytes: &Arc<AtomicUsize>, size: usize, most: usize) -> Option<Self> {
        let permit = Self { bytes: Some(Arc::clone(bytes)), held: size };
        let before = bytes.fetch_add(size, Ordering::Relaxed);
        (before + size <= most).then_some(permit)
    }

    /// As [`take`](Self::take), of the same bytes as this one; of nothing, if this
    /// one is.
    pub(crate) fn another(&self, size: usize, most: usize) -> Option<Self> {
        self.bytes.as_ref().map_or_else(|| Some(Self::default()), |bytes| Self::take(bytes, size, most))
    }

    /// Whether it is a share of anything.
    pub(crate) fn is_some(&self) -> bool {
        self.held > 0
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(bytes) = &self.bytes {
            bytes.fetch_sub(self.held, Ordering::Relaxed);
        }
    }
}
