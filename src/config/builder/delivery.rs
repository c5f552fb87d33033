//! The part of the [`Builder`] that is about messages: to whom, by what, when and
//! in what words.
//!
//! Invariant: a setter only keeps what it is given; `check.rs` judges it.

use std::{sync::Arc, time::Duration};

use super::Builder;
use crate::{
    config::Recipients,
    policy::{budget::Budget, incident::Rhythm, retry::RetryPolicy},
    render::Render,
    sink::{SendGridSink, Sink, TwilioSink},
};

impl Builder {
    /// One second: a cascade of errors is one message.
    pub const DEFAULT_SETTLE: Duration = Duration::from_secs(1);

    /// No [`settle`](Self::settle) time is longer.
    pub const MAX_SETTLE: Duration = Rhythm::MAX_SETTLE;

    /// Two minutes: after an SMS, new incidents wait for their end.
    pub const DEFAULT_SMS_WINDOW: Duration = Duration::from_secs(2 * 60);

    /// Five minutes, for a mail.
    pub const DEFAULT_EMAIL_WINDOW: Duration = Duration::from_secs(5 * 60);

    /// No window is longer: nobody waits longer for a new incident, unless for a
    /// budget.
    pub const MAX_WINDOW: Duration = Duration::from_secs(60 * 60);

    /// An SMS shows fields where it has room.
    pub const DEFAULT_SMS_FIELDS: bool = true;

    /// Tells `recipients` by SMS: phone numbers with a plus and the country code,
    /// like `+12065550147`. One who is named twice is told once. A message is given
    /// up after [`SMS_DEADLINE`](crate::SMS_DEADLINE). Default: no SMS.
    pub fn sms(self, twilio: TwilioSink, recipients: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.tell(Recipients::by_sms(twilio, recipients))
    }

    /// Tells `recipients`, e-mail addresses, by e-mail. One who is named twice is told
    /// once, in whatever case. A message is given up after
    /// [`EMAIL_DEADLINE`](crate::EMAIL_DEADLINE). Default: no e-mail.
    pub fn email(
        self,
        sendgrid: SendGridSink,
        recipients: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        self.tell(Recipients::by_email(sendgrid, recipients))
    }

    /// Tells `recipients` of everything that alerts, by a sink of your own. The sink
    /// decides what a recipient's name means. A message is given up after
    /// [`EMAIL_DEADLINE`](crate::EMAIL_DEADLINE). May be called for several sinks with
    /// different [names](Sink::name). Default: none.
    pub fn sink(self, sink: impl Sink, recipients: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.tell(Recipients::by(sink, recipients))
    }

    /// Tells these recipients too, with a level, window, budget or deadline of their
    /// own. Two sinks of one kind need different [names](Sink::name): see
    /// [`TwilioSink::named`] and [`SendGridSink::named`].
    pub fn tell(mut self, recipients: Recipients) -> Self {
        // No event shows them, whatever becomes of their sink.
        self.credentials.extend_from_slice(recipients.credentials());
        self.told.push(recipients);
        self
    }

    /// How long the first event of an incident waits for others, to share one message;
    /// at most [`MAX_SETTLE`](Self::MAX_SETTLE). Default:
    /// [`DEFAULT_SETTLE`](Self::DEFAULT_SETTLE).
    pub fn settle(mut self, settle: Duration) -> Self {
        self.settle = settle;
        self
    }

    /// After an SMS, new incidents wait for the end of this window and come in one
    /// digest; at most [`MAX_WINDOW`](Self::MAX_WINDOW). With zero, they come at once.
    /// Default: [`DEFAULT_SMS_WINDOW`](Self::DEFAULT_SMS_WINDOW).
    pub fn sms_window(mut self, window: Duration) -> Self {
        self.sms_window = window;
        self
    }

    /// As [`sms_window`](Self::sms_window), for e-mail and for sinks of your own.
    /// Default: [`DEFAULT_EMAIL_WINDOW`](Self::DEFAULT_EMAIL_WINDOW).
    pub fn email_window(mut self, window: Duration) -> Self {
        self.email_window = window;
        self
    }

    /// How many SMS one recipient may get. What exceeds it waits, and comes with the
    /// next one. `None` means any number, of any [cost](Self::sms_segments).
    /// Default: [`Budget::SMS`].
    pub fn sms_budget(mut self, budget: impl Into<Option<Budget>>) -> Self {
        self.sms_budget = budget.into();
        self
    }

    /// What the SMS to each recipient may cost a day, in segments; at least 4, or `None` for
    /// any number. A quarter of them is kept for errors never seen before. An SMS has one
    /// or two. With [`sms_budget`](Self::sms_budget) `None`, it is not limited either.
    /// Default: [`SMS_SEGMENTS_PER_DAY`](crate::SMS_SEGMENTS_PER_DAY).
    pub fn sms_segments(mut self, segments: impl Into<Option<u32>>) -> Self {
        self.sms_segments = segments.into();
        self
    }

    /// How many mails, or messages of a sink of your own, one recipient may get;
    /// `None` means any number. Default: [`Budget::EMAIL`].
    pub fn email_budget(mut self, budget: impl Into<Option<Budget>>) -> Self {
        self.email_budget = budget.into();
        self
    }

    /// The recipients' time zone, by its IANA name, like `Europe/Riga`: mails show
    /// times in it and in UTC, and the days of budgets are its own. It is read from the
    /// system's time zone database; on Windows, which has none, from one that is compiled
    /// in. Default: UTC only.
    pub fn timezone(mut self, name: impl Into<String>) -> Self {
        self.timezone = Some(name.into());
        self
    }

    /// Messages in words of your own, or in another language. Default:
    /// [`DefaultRender`](crate::DefaultRender).
    pub fn render(mut self, render: impl Render) -> Self {
        self.render = Some(Arc::new(render));
        self
    }

    /// Whether an SMS shows the fields of an event and of its spans in the room that its
    /// message leaves: `payment failed: connection refused - order=17`. They never make
    /// it longer than one that has none. Without them, phone companies see messages and
    /// causes only. Default: [`DEFAULT_SMS_FIELDS`](Self::DEFAULT_SMS_FIELDS).
    pub fn sms_fields(mut self, sms_fields: bool) -> Self {
        self.sms_fields = sms_fields;
        self
    }

    /// Delays between attempts. Default: [`RetryPolicy::DEFAULT`].
    pub fn retry(mut self, retry: RetryPolicy) -> Self {
        self.retry = retry;
        self
    }
}
