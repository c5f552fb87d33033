//! [`Scope`]: which rows one decision needs.
//!
//! Invariant: a keeper may load more than a scope names, and never less: what
//! becomes of the rows is decided on the page.

use std::time::SystemTime;

use super::{Channel, Claim, Target, page::Page};
use crate::policy::fingerprint::Said;

/// What a keeper loads for a turn.
pub(super) enum Scope<'a> {
    /// What is only added, or replaced.
    Nothing,
    /// Those that events with these fingerprints join, or that are of the groups of what
    /// was `said`, so many times each; what is known of `targets`; the incidents that have
    /// ended at `now`.
    Batch { fingerprints: Vec<&'a [u8]>, said: Vec<(&'a Said, u64)>, targets: &'a [Target], now: SystemTime },
    /// The open incident with this fingerprint, and its first event.
    FirstEvent(&'a [u8]),
    /// All that decides what the recipients are told of whom something is due at
    /// `now`, or whatever is new if that is `hurried`.
    Desk { channel: &'a Channel, hurried: bool, now: SystemTime },
    /// One delivery.
    Claimed(&'a Claim),
    /// One delivery, and all that its end changes at `now`.
    Settled { claim: &'a Claim, now: SystemTime },
    /// What the recipients of a sink cost together.
    Cost(&'a str),
    /// What is dead in a sink.
    Dead(&'a str),
    /// The program's starts, and what the open incidents say of them.
    Starts { since: SystemTime },
    /// Everything that is not over, and what is known of all recipients.
    Live,
    /// What another store's rows meet here.
    Absorb(&'a [&'a Page]),
}
