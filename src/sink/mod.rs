//! What sends: the [`Sink`] trait, the [`Message`] it is given, and the
//! [`SendError`] that says what to do next.
//!
//! Runs on the alert thread, one task per attempt. A sink makes one attempt;
//! repeating it is the dispatcher's business.

use std::{fmt, future::Future, pin::Pin, sync::Arc, time::Duration};

use crate::{notice::Notice, render::Attachment};

mod address;
pub(crate) use address::{is_email_address, is_phone_number, mask_phone};

mod http;

mod reason;
pub(crate) use reason::without_numbers;

mod memory;
pub use memory::MemorySink;

mod sendgrid;
pub use sendgrid::SendGridSink;

mod twilio;
pub use twilio::TwilioSink;

#[cfg(test)]
mod wire;

/// Sends messages to recipients. Implement it to reach people by other means
/// than SMS and e-mail.
///
/// ```
/// use tracing_alert::{Message, Receipt, SendError, Sink};
///
/// struct Pager;
///
/// impl Sink for Pager {
///     fn name(&self) -> &'static str {
///         "pager"
///     }
///
///     async fn send(&self, message: &Message) -> Result<Receipt, SendError> {
///         println!("{}: {}", message.recipient, message.short);
///         Ok(Receipt::default())
///     }
/// }
/// ```
///
/// The future runs on the alert thread, which does everything else too: it may
/// await, but it must not block. It is dropped if it takes longer than
/// [`SEND_TIMEOUT`](crate::SEND_TIMEOUT), and the attempt then counts as
/// [`SendError::Ambiguous`].
pub trait Sink: Send + Sync + 'static {
    /// A stable name. It is stored with every delivery: after a restart the sink
    /// of the same name takes up what was left.
    fn name(&self) -> &'static str;

    /// Makes one attempt to send `message` to its recipient.
    ///
    /// It runs on a thread that blocks the signals of the process, and so do the
    /// threads and the programs that it starts, unless they unblock them.
    ///
    /// # Errors
    ///
    /// When the recipient's provider did not accept the message; the variant
    /// decides what happens next.
    fn send(&self, message: &Message) -> impl Future<Output = Result<Receipt, SendError>> + Send;
}

/// One message to one recipient.
///
/// Its `Debug` masks a phone number: it may be logged.
#[derive(Clone)]
#[non_exhaustive]
pub struct Message {
    /// Who it is for: what the configuration says, never taken from an event.
    pub recipient: String,
    /// The same for every attempt at this message: an idempotency key where a
    /// provider knows one.
    pub key: String,
    /// Which attempt this is, from one.
    pub attempt: u32,
    /// Whether an earlier attempt may have reached the recipient: its result was
    /// [`SendError::Ambiguous`], or is not known because the process ended. A sink
    /// that can, asks its provider before it sends again.
    pub may_have_been_sent: bool,
    /// How long the message is still worth delivering.
    pub valid_for: Duration,
    /// A few dozen words for a phone.
    pub short: String,
    /// One line for an inbox.
    pub subject: String,
    /// Everything, as plain text.
    pub text: String,
    /// Everything, as HTML; all text of the events is escaped.
    pub html: String,
    /// What the text and the HTML had no room for, if anything.
    pub attachment: Option<Attachment>,
    /// What the texts were made from.
    pub notice: Arc<Notice>,
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("recipient", &without_numbers(&self.recipient))
            .field("key", &self.key)
            .field("attempt", &self.attempt)
            .field("may_have_been_sent", &self.may_have_been_sent)
            .field("valid_for", &self.valid_for)
            .field("short", &self.short)
            .field("subject", &self.subject)
            .field("notice", &self.notice)
            .finish_non_exhaustive()
    }
}

/// A provider's word that it accepted a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Receipt {
    /// The provider's own id of the message, if it gave one; it is stored with
    /// the delivery.
    pub reference: Option<String>,
}

impl Receipt {
    /// A receipt with the provider's own id of the message.
    pub fn new(reference: impl Into<String>) -> Self {
        Self { reference: Some(reference.into()) }
    }
}

/// Why an attempt failed, by what is to be done next.
///
/// A `reason` is stored and shown to operators: no credential and no recipient
/// belongs in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The provider did not take the message up: repeating it is safe. No
    /// connection, a rate limit.
    #[error("not processed: {reason}")]
    NotProcessed {
        /// What went wrong.
        reason: String,
        /// How long the provider asked to be left alone.
        retry_after: Option<Duration>,
    },
    /// Nobody knows whether the message was taken up: it is repeated, and may
    /// arrive twice. A timeout after the request was written, a server's error.
    #[error("nobody knows if it was sent: {reason}")]
    Ambiguous {
        /// What went wrong.
        reason: String,
        /// How long the provider asked to be left alone.
        retry_after: Option<Duration>,
    },
    /// This message will never be accepted: it is buried. A number that does not
    /// exist.
    #[error("rejected for good: {reason}")]
    Rejected {
        /// What went wrong.
        reason: String,
    },
    /// This recipient will not accept any message: this one is buried, and for
    /// a day no other is attempted. Someone who unsubscribed.
    #[error("the recipient was refused: {reason}")]
    RecipientRefused {
        /// What went wrong.
        reason: String,
    },
    /// No message will be accepted until somebody mends the settings or the
    /// account: the sink pauses and is probed slowly. A wrong credential.
    #[error("the settings or the account need mending: {reason}")]
    Misconfigured {
        /// What went wrong.
        reason: String,
    },
}

impl SendError {
    /// [`SendError::NotProcessed`] with no wish of the provider.
    pub fn not_processed(reason: impl Into<String>) -> Self {
        Self::NotProcessed { reason: reason.into(), retry_after: None }
    }

    /// [`SendError::Ambiguous`] with no wish of the provider.
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
            Self::RecipientRefused { reason } => format!("{reason}; nothing more is sent there for a day"),
            other => other.to_string(),
        }
    }

    /// True if the message may have been sent.
    pub(crate) fn is_ambiguous(&self) -> bool {
        matches!(self, Self::Ambiguous { .. })
    }
}

/// [`Sink`] with its future boxed, so that different sinks can share a list.
pub(crate) trait DynSink: Send + Sync + 'static {
    fn name(&self) -> &'static str;

    fn send<'a>(
        &'a self,
        message: &'a Message,
    ) -> Pin<Box<dyn Future<Output = Result<Receipt, SendError>> + Send + 'a>>;
}

impl<T: Sink> DynSink for T {
    fn name(&self) -> &'static str {
        Sink::name(self)
    }

    fn send<'a>(
        &'a self,
        message: &'a Message,
    ) -> Pin<Box<dyn Future<Output = Result<Receipt, SendError>> + Send + 'a>> {
        Box::pin(Sink::send(self, message))
    }
}

impl fmt::Debug for dyn DynSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sink({})", self.name())
    }
}
