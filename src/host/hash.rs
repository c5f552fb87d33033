//! Which place of a table is a key's.
//!
//! Invariant: pure.

/// Which of `places`, a power of two, is that of `key`: those of keys that are
/// near each other are not.
pub(crate) fn position(key: u64, places: usize) -> usize {
    // The golden ratio's multiple.
    let spread = key.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (u64::BITS - places.ilog2());
    usize::try_from(spread).unwrap_or_default()
}
