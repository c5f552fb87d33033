//! [`Fate`]: what became of a message after its provider accepted it.

use std::{fmt, time::SystemTime};

use super::reason::without_numbers;
use crate::policy::send_error::SendError;

/// A message that a provider accepted: [`Sink::fates`](super::Sink::fates) asks what
/// became of it.
///
/// Its `Debug` masks a phone number: it may be logged.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Accepted {
    /// Who it was for.
    pub recipient: String,
    /// The provider's own id of the message, if its [`Receipt`](super::Receipt) had one.
    pub reference: Option<String>,
    /// When the provider accepted it.
    pub accepted_at: SystemTime,
}

impl Accepted {
    pub(crate) fn new(recipient: &str, reference: Option<&str>, accepted_at: SystemTime) -> Self {
        Self { recipient: recipient.to_owned(), reference: reference.map(str::to_owned), accepted_at }
    }
}

impl fmt::Debug for Accepted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accepted")
            .field("recipient", &without_numbers(&self.recipient))
            .field("reference", &self.reference)
            .field("accepted_at", &self.accepted_at)
            .finish()
    }
}

/// What became of a message after its provider accepted it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fate {
    /// It is under way, or nobody can tell yet: it is asked after again, until the last
    /// of [`Sink::asks_after`](super::Sink::asks_after) has passed.
    Open,
    /// It arrived.
    Arrived,
    /// Nobody got it. If the error is one after which an attempt is repeated, the
    /// message is sent once more, and no more than that.
    Failed(SendError),
}
