//! What was lost, and why.

use std::{collections::BTreeMap, fmt};

use serde::{Serialize, Serializer};

/// Why an event was not captured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum DropReason {
    /// The queue held as many events, or as many bytes, as it may, and the event
    /// could not be counted for its callsite: a panic, a `log` record, or one of
    /// thousands of callsites.
    QueueFull,
    /// The alert thread had ended: after a shutdown, or because it could not be
    /// started.
    QueueClosed,
    /// The event was emitted while another one was being captured on the same
    /// thread, by a `Debug` or `Display` impl; or capturing it panicked.
    Nested,
    /// Emitted in a forked child of the process that built the layer: there is
    /// no alert thread there.
    Forked,
    /// There was no disk, and memory held as many events as it may.
    MemoryFull,
    /// Captured, but the store did not take it before the layer's or the
    /// process's end.
    NotCommitted,
}

impl DropReason {
    /// Every reason, in the order an event can meet them.
    pub const ALL: &[Self] = &[
        Self::Forked,
        Self::Nested,
        Self::QueueFull,
        Self::QueueClosed,
        Self::MemoryFull,
        Self::NotCommitted,
    ];

    /// The name it is stored under.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Nested => "nested",
            Self::QueueFull => "queue_full",
            Self::QueueClosed => "queue_closed",
            Self::Forked => "forked",
            Self::MemoryFull => "memory_full",
            Self::NotCommitted => "not_committed",
        }
    }

    /// The reason stored as `name`; one that only a newer version knows counts
    /// as the most usual.
    pub(crate) fn from_name(name: &str) -> Self {
        Self::ALL.iter().copied().find(|reason| reason.name() == name).unwrap_or(Self::QueueFull)
    }
}

/// By its name, like `queue_full`.
impl Serialize for DropReason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl fmt::Display for DropReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::QueueFull => "queue full",
            Self::QueueClosed => "queue closed",
            Self::Nested => "emitted while capturing another event",
            Self::Forked => "emitted in a forked child",
            Self::MemoryFull => "memory full",
            Self::NotCommitted => "not committed in time",
        })
    }
}

/// How many events were lost, by reason.
pub type Losses = BTreeMap<DropReason, u64>;
