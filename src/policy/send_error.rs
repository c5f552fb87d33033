//! [`SendError`]: why an attempt failed, which decides what follows.

use std::time::Duration;

/// Why an attempt failed. Each variant says what happens next.
///
/// A `reason` is stored and shown to operators: put no credential and no recipient
/// in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The provider did not process the message, so it is safe to try again. Examples:
    /// no connection, a rate limit.
    #[error("not processed: {reason}")]
    NotProcessed {
        /// What went wrong.
        reason: String,
        /// How long the provider asked to be left alone.
        retry_after: Option<Duration>,
    },
    /// The provider may have processed the message: it is tried again, and may arrive
    /// twice. Examples: a timeout after the request was written, a server's error.
    #[error("it may have been sent: {reason}")]
    Ambiguous {
        /// What went wrong.
        reason: String,
        /// How long the provider asked to be left alone.
        retry_after: Option<Duration>,
    },
    /// This message will never be accepted, so its delivery is dead. Example: it is too
    /// long.
    #[error("rejected for good: {reason}")]
    Rejected {
        /// What went wrong.
        reason: String,
    },
    /// This recipient accepts no message: this delivery is dead, and for a day no other
    /// is attempted. Example: someone who unsubscribed.
    #[error("the recipient was refused: {reason}")]
    RecipientRefused {
        /// What went wrong.
        reason: String,
    },
    /// No message will be accepted until somebody corrects the settings or the account:
    /// the sink pauses, and is probed slowly. Example: a wrong credential.
    #[error("the settings or the account must be corrected: {reason}")]
    Misconfigured {
        /// What went wrong.
        reason: String,
    },
}

impl SendError {
    /// [`SendError::NotProcessed`] without a `retry_after`.
    pub fn not_processed(reason: impl Into<String>) -> Self {
        Self::NotProcessed { reason: reason.into(), retry_after: None }
    }

    /// [`SendError::Ambiguous`] without a `retry_after`.
    pub fn ambiguous(reason: impl Into<String>) -> Self {
        Self::Ambiguous { reason: reason.into(), retry_after: None }
    }

    /// [`SendError::Rejected`].
    pub fn rejected(reason: impl Into<String>) -> Self {
        Self::Rejected { reason: reason.into() }
    }

    /// [`SendError::RecipientRefused`].
    pub fn recipient_refused(reason: impl Into<String>) -> Self {
        Self::RecipientRefused { reason: reason.into() }
    }

    /// [`SendError::Misconfigured`].
    pub fn misconfigured(reason: impl Into<String>) -> Self {
        Self::Misconfigured { reason: reason.into() }
    }

    /// Why a delivery that ends with this error is dead.
    pub(crate) fn cause_of_death(&self) -> String {
        match self {
            Self::Rejected { reason } => reason.clone(),
            Self::RecipientRefused { reason } => {
                format!("{reason}; nothing else is sent to this recipient for a day")
            }
            other => other.to_string(),
        }
    }

    /// True if the message may have been sent.
    pub(crate) fn is_ambiguous(&self) -> bool {
        matches!(self, Self::Ambiguous { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_ambiguous_may_have_been_sent() {
        let all = [
            SendError::ambiguous("cut"),
            SendError::not_processed("cut"),
            SendError::rejected("cut"),
            SendError::recipient_refused("cut"),
            SendError::misconfigured("cut"),
        ];
        assert_eq!(all.map(|error| error.is_ambiguous()), [true, false, false, false, false]);
    }

    #[test]
    fn a_dead_delivery_says_what_the_provider_said_and_what_follows() {
        assert_eq!(SendError::rejected("too long").cause_of_death(), "too long");
        let refused = SendError::recipient_refused("unsubscribed").cause_of_death();
        assert_eq!(refused, "unsubscribed; nothing else is sent to this recipient for a day");
        assert_eq!(SendError::ambiguous("cut").cause_of_death(), "it may have been sent: cut");
    }
}
