//! [`Scope`]: which rows one decision needs, and [`Question`]: whether there is one.
//!
//! Invariant: a keeper may load more than a scope names, and never less: what
//! becomes of the rows is decided on the page.

use std::time::SystemTime;

use uuid::Uuid;

#[cfg(feature = "cli")]
use super::operate::Shown;
use super::{Channel, Claim, Target, page::Page};
use crate::policy::fingerprint::{Fingerprint, Said};

/// What a keeper loads for a turn.
pub(super) enum Scope<'a> {
    /// These rows; none of what is only added, or replaced.
    Keys(&'a [Key<'a>]),
    /// Those that events with these fingerprints join, or that are of the groups of what
    /// was `said`, so many times each; what is known of `targets`; the incidents that have
    /// ended at `now`, and the last batch of `run`.
    Batch {
        run: Uuid,
        fingerprints: Vec<&'a [u8]>,
        said: Vec<(&'a Said, u64)>,
        targets: &'a [Target],
        now: SystemTime,
    },
    /// The open incident with this fingerprint, and its first event.
    FirstEvent(&'a [u8]),
    /// All that decides what the recipients are told of whom something is due at
    /// `now`, or whatever is new if that is `hurried`.
    /// A keeper may load one of these recipients only, the first whose name is `after` that
    /// of the last one.
    Desk { channel: &'a Channel, hurried: bool, after: &'a str, now: SystemTime },
    /// One delivery, and all that its end changes at `now`.
    Settled { claim: &'a Claim, now: SystemTime },
    /// The messages of a sink to be asked after at `now`, so many at most.
    Inquiries { sink: &'a str, limit: usize, now: SystemTime },
    /// One accepted message, what it tells, and who knows that.
    Fate { key: Uuid, sink: &'a str },
    /// The program's starts, and what the open incidents say of them.
    Starts { since: SystemTime },
    /// The messages that are pending, and what is silenced.
    Pending,
    /// Everything that is not over, and what is known of all recipients.
    Live,
    /// What is known of all recipients.
    Recipients,
    /// A notice, and what it tells; but for the events.
    Notice(i64),
    /// The events of incidents.
    Events(&'a [i64]),
    /// What was learned of callsites.
    Learned(&'a [Fingerprint]),
    /// All silences, and what is open or still to be told.
    Silences,
    /// So many incidents that the fleet is to be told more of, with what is known of them and
    /// their events; and the silences.
    #[cfg(feature = "postgres")]
    Shares { limit: usize },
    /// These incidents, and what is known of them.
    #[cfg(feature = "postgres")]
    Taken(&'a [i64]),
    /// Some incidents, what is sent of them, and their events.
    #[cfg(feature = "cli")]
    Shown(&'a Shown<'a>),
    /// The refusals of a recipient.
    #[cfg(feature = "cli")]
    Refused(&'a str),
    /// What another store's rows meet here.
    Absorb(&'a [&'a Page]),
}

/// One row.
pub(super) enum Key<'a> {
    /// A delivery.
    Delivery(Uuid),
    /// What the recipient of a claimed delivery may still be sent.
    Account(&'a Claim),
    /// What is dead in a sink.
    Dead(&'a str),
}

/// Whether a turn would find anything to decide.
pub(super) enum Question<'a> {
    /// Something is due for a recipient of `sink` at `now`, or new if that is `hurried`.
    Waits { sink: &'a str, hurried: bool, now: SystemTime },
    /// The claim's recipient was refused after `since`.
    Refused { claim: &'a Claim, since: SystemTime },
    /// Something may be to be told of a sink.
    Ill { sink: &'a str },
    /// Anything happened after `now`.
    Ahead { now: SystemTime },
    /// A pending delivery is due after `first_by`, if it was never claimed, or after
    /// `again_by`.
    Late { first_by: SystemTime, again_by: SystemTime },
    /// Something is to be told to a recipient who is none of `targets`, by a sink of theirs.
    Unknown { targets: &'a [Target] },
    /// A delivery of one of these sinks was due `before`.
    Left { sinks: &'a [&'a str], before: SystemTime },
    /// Something of a sink that is none of `own` was due `before`.
    Abandoned { own: &'a [&'a str], before: SystemTime },
}
