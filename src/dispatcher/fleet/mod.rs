//! The fleet: instances of one program that share a store.
//!
//! The alert thread commits what it captures to its own store, as always, and hands over
//! what was counted to a second thread ([`run`]), which hands it to the fleet's store, decides
//! there and sends. As long as that store answers, this instance tells nothing by itself: what
//! the fleet has told is told here ([`link`]). When it does not answer, the alert thread tells
//! after a while what the fleet did not ([`outage`]).
//! Invariant: the alert thread never waits for the fleet; it has at most one question under
//! way.

use crate::outbox::{KeyedSilence, Outlook, Share, Spending, Taken};
use uuid::Uuid;

mod link;
mod outage;
mod run;
mod silences;
mod starts;
mod station;

pub(super) use link::Link;

/// What the alert thread asks of the fleet's thread.
enum Request {
    /// To hand over what the local store counted.
    HandOver(HandOver),
    /// To say that the process ends after an error, and whether it fails.
    Leave { fails: bool },
}

/// What the local store `store` has for the fleet.
struct HandOver {
    store: Uuid,
    shares: Vec<Share>,
    /// Which silences began or ended there.
    silences: Vec<KeyedSilence>,
    /// What this instance sent alone, if that may be news.
    spending: Vec<Spending>,
    /// What an earlier run handed over, and nobody is known to be told of.
    untold: Vec<i64>,
    /// It is to be told at once, as somebody waits for that.
    hurried: bool,
}

/// What the fleet's thread says.
enum Answer {
    /// It turns to what was asked: what came before is answered.
    Begun,
    /// What became of shares that were handed over, of this local store.
    Taken(Uuid, Vec<Taken>),
    /// How it stands, and what became of shares that were handed over before.
    Looked(Uuid, Outlook),
    /// The fleet knows how this process ends.
    Left,
    /// The fleet's store does not answer; nor is there another answer to the last question,
    /// if this is one. If its schema is another program's, that stays so.
    Unreachable { is_answer: bool, is_foreign: bool },
}
