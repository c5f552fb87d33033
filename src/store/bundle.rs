//! [`Bundle`]: what is not settled, on its way from one store to another.
//!
//! Plain rows, as the schema has them: times are milliseconds, events are JSON.

/// Everything of which somebody is still to be told.
#[derive(Default)]
pub(crate) struct Bundle {
    pub(super) incidents: Vec<BundledIncident>,
    pub(super) notices: Vec<BundledNotice>,
    pub(super) accounts: Vec<BundledAccount>,
}

impl Bundle {
    /// How many messages wait in it.
    pub(crate) fn messages(&self) -> usize {
        self.notices.len()
    }
}

/// An incident that is open, or that somebody is to be told of.
pub(super) struct BundledIncident {
    /// What it is called in the bundle.
    pub(super) id: i64,
    pub(super) public_id: String,
    pub(super) fingerprint: Vec<u8>,
    pub(super) level: i64,
    pub(super) about: Option<String>,
    pub(super) run: Vec<u8>,
    pub(super) process: String,
    pub(super) is_new: bool,
    pub(super) count: i64,
    pub(super) opened_at: i64,
    pub(super) last_at: i64,
    pub(super) closed_at: Option<i64>,
    pub(super) payload: Option<String>,
    pub(super) standings: Vec<BundledStanding>,
}

/// What a recipient knows of it.
pub(super) struct BundledStanding {
    pub(super) sink: String,
    pub(super) recipient: String,
    pub(super) told: i64,
    pub(super) told_at: Option<i64>,
    pub(super) tellings: i64,
    pub(super) not_before: Option<i64>,
    pub(super) due_at: Option<i64>,
}

/// A notice with its one pending delivery.
pub(super) struct BundledNotice {
    pub(super) public_id: String,
    pub(super) run: Vec<u8>,
    pub(super) kind: String,
    pub(super) process: String,
    pub(super) made_at: i64,
    pub(super) is_last: bool,
    pub(super) items: Vec<BundledItem>,
    /// Its key says which delivery it is in either store, so that an attempt that
    /// is under way can be settled in the other.
    pub(super) key: Vec<u8>,
    pub(super) sink: String,
    pub(super) recipient: String,
    pub(super) due_at: i64,
    pub(super) attempt: i64,
    pub(super) claims: i64,
    pub(super) doubtful: i64,
    pub(super) created_at: i64,
    pub(super) expires_at: i64,
}

/// What a notice tells of an incident.
pub(super) struct BundledItem {
    pub(super) incident_id: i64,
    pub(super) reason: String,
    pub(super) tellings: i64,
    pub(super) count: i64,
    pub(super) total: i64,
    pub(super) last_at: i64,
}

/// What a recipient was sent.
pub(super) struct BundledAccount {
    pub(super) sink: String,
    pub(super) recipient: String,
    pub(super) heard_at: Option<i64>,
    pub(super) full_at: Option<i64>,
    pub(super) day: i64,
    pub(super) today: i64,
}
