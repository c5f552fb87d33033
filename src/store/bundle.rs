//! [`Bundle`]: a notice with all that hangs on it, on its way from one store to
//! another.

use uuid::Uuid;

/// A notice whose deliveries are not all settled.
pub(crate) struct Bundle {
    pub(super) public_id: String,
    pub(super) run: Uuid,
    pub(super) kind: String,
    /// Whose dead deliveries it tells of, if any.
    pub(super) about: Option<String>,
    /// As JSON.
    pub(super) process: String,
    /// Times in milliseconds, here and below.
    pub(super) opened_at: i64,
    pub(super) closes_at: i64,
    pub(super) losses: Vec<(String, i64)>,
    pub(super) events: Vec<BundledEvent>,
    pub(super) deliveries: Vec<BundledDelivery>,
}

/// One row of events.
pub(super) struct BundledEvent {
    pub(super) fingerprint: Vec<u8>,
    pub(super) level: i64,
    pub(super) count: i64,
    pub(super) first_at: i64,
    pub(super) last_at: i64,
    /// As JSON.
    pub(super) payload: Option<String>,
}

/// One pending delivery. Its key says which one it is in either store, so that
/// an attempt that is under way can be settled in the other.
pub(super) struct BundledDelivery {
    pub(super) key: Vec<u8>,
    pub(super) sink: String,
    pub(super) recipient: String,
    pub(super) level: i64,
    pub(super) due_at: i64,
    pub(super) attempt: i64,
    pub(super) claims: i64,
    pub(super) doubtful: i64,
    pub(super) created_at: i64,
    pub(super) expires_at: i64,
}
