//! What sends: the [`Sink`] trait, the [`Message`] it is given, and the
//! [`SendError`] that says what to do next.
//!
//! Runs on the alert thread, one task per attempt. A sink makes one attempt;
//! repeating it is the dispatcher's business.

use std::{
    any::TypeId,
    fmt,
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use crate::{
    policy::{notice::Notice, send_error::SendError},
    render::Attachment,
};

mod fate;
pub use fate::{Accepted, Fate};

mod address;
pub(crate) use address::{email_fault, is_invisible, is_phone_number, mask_phone, phone_number};

#[cfg(feature = "cli")]
mod finding;
#[cfg(feature = "cli")]
pub use finding::{Finding, Verdict};

mod http;
#[cfg(feature = "postgres")]
pub(crate) use http::Url;

mod reason;
pub(crate) use reason::without_numbers;

mod memory;
pub use memory::MemorySink;

mod sendgrid;
pub use sendgrid::SendGridSink;

mod twilio;
pub use twilio::TwilioSink;

#[cfg(feature = "webhook")]
mod heartbeat;
#[cfg(feature = "webhook")]
pub(crate) use heartbeat::Heartbeat;

#[cfg(feature = "webhook")]
mod webhook;
#[cfg(feature = "cli")]
pub(crate) use webhook::NEW_URL;
#[cfg(feature = "webhook")]
pub use webhook::WebhookSink;

/// Begins the name of each sink for a webhook, in a program that has them, too.
pub(crate) const WEBHOOK_PREFIX: &str = "webhook:";

#[cfg(test)]
mod wire;

/// Sends messages to recipients. Implement it to reach people by other means than SMS
/// and e-mail.
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
/// The future runs on the alert thread, which does everything else too. It may
/// await, but it must not block. It is dropped if it takes longer than
/// [`SEND_TIMEOUT`], and the attempt then counts as
/// [`SendError::Ambiguous`].
pub trait Sink: Send + Sync + 'static {
    /// A stable name. It is stored with every delivery: after a restart, the sink with
    /// the same name sends what was left.
    fn name(&self) -> &'static str;

    /// Whether [`send`](Self::send) asks its provider first, if a message may have
    /// been sent before. One whose deadline has passed since is then handed over once
    /// more, to be looked up and not sent again.
    fn looks_up(&self) -> bool {
        false
    }

    /// Makes one attempt to send `message` to its recipient.
    ///
    /// It runs on a thread that blocks the signals of the process. Threads and programs
    /// that it starts inherit that, unless they unblock them.
    ///
    /// What it emits by `tracing` reaches the other layers, and never alerts. Threads
    /// and tasks that it starts need [`NoAlerts`](crate::NoAlerts) for that. Without
    /// it, an error that they log with each message alerts too, though ever more
    /// rarely if they log it for no other reason.
    ///
    /// # Errors
    ///
    /// If the provider did not accept the message. The variant decides what happens
    /// next.
    fn send(&self, message: &Message) -> impl Future<Output = Result<Receipt, SendError>> + Send;

    /// How long after it was accepted a message is asked after, each time. Default:
    /// never, and nobody knows whether it arrived.
    fn asks_after(&self) -> &'static [Duration] {
        &[]
    }

    /// Asks the provider what became of messages that it accepted: one [`Fate`] for
    /// each, in their order.
    ///
    /// # Errors
    ///
    /// If the provider did not say. After [`SendError::Misconfigured`], which stands
    /// for credentials that may not ask, this process does not ask again.
    fn fates(&self, accepted: &[Accepted]) -> impl Future<Output = Result<Vec<Fate>, SendError>> + Send {
        let open = vec![Fate::Open; accepted.len()];
        async { Ok(open) }
    }
}

/// One message to one recipient.
///
/// Its `Debug` masks a phone number: it may be logged.
#[derive(Clone)]
#[non_exhaustive]
pub struct Message {
    /// Who it is for. It comes from the settings, never from an event.
    pub recipient: String,
    /// The same for every attempt at this message: an idempotency key, for a provider
    /// that has such a thing.
    pub key: String,
    /// Which attempt this is, from one.
    pub attempt: u32,
    /// Whether an earlier attempt may have reached the recipient: its result was
    /// [`SendError::Ambiguous`], or is unknown because the process ended. A sink that
    /// can should ask its provider before it sends again.
    pub may_have_been_sent: bool,
    /// How long the message is still worth delivering. Zero if it may have been sent
    /// and its deadline has passed: a sink that [`looks_up`](Sink::looks_up) asks its
    /// provider, and does not send again.
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
    /// What a look-up found.
    pub(crate) found: LookUp,
}

/// What a sink learned of the earlier attempts at a message; shared by its copies.
#[derive(Clone, Debug, Default)]
pub(crate) struct LookUp(Arc<AtomicBool>);

impl LookUp {
    /// Notes that the provider has no message of theirs.
    pub(crate) fn note_absent(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether surely nothing was sent by them.
    pub(crate) fn is_absent(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
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

/// No attempt takes longer: then it counts as [`SendError::Ambiguous`].
pub const SEND_TIMEOUT: Duration = Duration::from_secs(30);

/// [`Sink`] with its future boxed, so that different sinks can share a list.
pub(crate) trait DynSink: Send + Sync + 'static {
    fn name(&self) -> &'static str;

    /// Whether it is the program's own, and may log whatever it likes.
    fn is_of_the_program(&self) -> bool;

    /// For who knows more of some sink.
    #[cfg(feature = "cli")]
    fn as_any(&self) -> &dyn std::any::Any;
    fn looks_up(&self) -> bool;

    fn send<'a>(
        &'a self,
        message: &'a Message,
    ) -> Pin<Box<dyn Future<Output = Result<Receipt, SendError>> + Send + 'a>>;

    fn asks_after(&self) -> &'static [Duration];

    fn fates<'a>(
        &'a self,
        accepted: &'a [Accepted],
    ) -> Pin<Box<dyn Future<Output = Result<Vec<Fate>, SendError>> + Send + 'a>>;
}

impl<T: Sink> DynSink for T {
    fn name(&self) -> &'static str {
        Sink::name(self)
    }

    fn is_of_the_program(&self) -> bool {
        let ours = [TypeId::of::<TwilioSink>(), TypeId::of::<SendGridSink>(), TypeId::of::<MemorySink>()];
        #[cfg(feature = "webhook")]
        let ours = [&ours[..], &[TypeId::of::<WebhookSink>()]].concat();
        !ours.contains(&TypeId::of::<T>())
    }

    #[cfg(feature = "cli")]
    fn as_any(&self) -> &dyn std::any::Any {
        self
    }

    fn looks_up(&self) -> bool {
        Sink::looks_up(self)
    }

    fn send<'a>(
        &'a self,
        message: &'a Message,
    ) -> Pin<Box<dyn Future<Output = Result<Receipt, SendError>> + Send + 'a>> {
        Box::pin(Sink::send(self, message))
    }

    fn asks_after(&self) -> &'static [Duration] {
        Sink::asks_after(self)
    }

    fn fates<'a>(
        &'a self,
        accepted: &'a [Accepted],
    ) -> Pin<Box<dyn Future<Output = Result<Vec<Fate>, SendError>> + Send + 'a>> {
        Box::pin(Sink::fates(self, accepted))
    }
}

impl fmt::Debug for dyn DynSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sink({})", self.name())
    }
}
