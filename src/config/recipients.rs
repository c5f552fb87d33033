//! [`Recipients`]: who is told by what sink, and what holds for them alone.
//!
//! Invariant: a setter only keeps what it is given; [`Recipients::sift`] judges it.

use std::{fmt, mem, ops::RangeInclusive, sync::Arc, time::Duration};

use tracing::level_filters::LevelFilter;

use super::{
    EMAIL_DEADLINE, SMS_DEADLINE,
    builder::Builder,
    check::wrong_budget,
    report::{self, Report, Setting},
};
#[cfg(feature = "webhook")]
use crate::sink::WebhookSink;
use crate::{
    dispatcher::Route,
    error::{Fault, Problem, quoted, shown},
    host::{secret::Secret, time::spoken},
    policy::{budget::Budget, incident::Rhythm},
    sink::{DynSink, SendGridSink, Sink, TwilioSink, WEBHOOK_PREFIX, email_fault, mask_phone, phone_number},
};

/// Who is told by what sink, with settings of their own, for
/// [`Builder::tell`](crate::Builder::tell). What is not set here is as the builder says
/// for all.
///
/// ```
/// use tracing_alert::{AlertLayer, Budget, MemorySink, Recipients};
/// use tracing_subscriber::filter::LevelFilter;
///
/// let everybody = Recipients::by(MemorySink::new(), ["team"]).level(LevelFilter::WARN);
/// let boss = Recipients::by(MemorySink::named("boss"), ["boss"]).budget(Budget::SMS);
/// let alerts = AlertLayer::builder().level(LevelFilter::WARN).in_memory().tell(everybody).tell(boss);
/// # let _: AlertLayer = alerts.build().unwrap();
/// ```
#[must_use = "nobody is told until it is given to a builder"]
pub struct Recipients {
    kind: Kind,
    sink: Arc<dyn DynSink>,
    /// What the sink itself finds wrong with its settings.
    problems: Vec<Problem>,
    /// What no event may show.
    credentials: Vec<Secret>,
    names: Vec<String>,
    level: Option<LevelFilter>,
    window: Option<Duration>,
    budget: Option<Option<Budget>>,
    deadline: Option<Duration>,
    /// How their messages follow one another.
    rhythm: fn(Duration, Duration) -> Rhythm,
}

/// By which constructor they came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Sms,
    Email,
    Webhook,
    Own,
}

impl Kind {
    /// Whether a sink of another kind has this name, unless it is given one: what that
    /// left in the file is not for us to send.
    fn is_reserved(self, name: &str) -> bool {
        let is_webhook = name.starts_with(WEBHOOK_PREFIX);
        match self {
            Self::Sms => name == SendGridSink::NAME || is_webhook,
            Self::Email => name == TwilioSink::NAME || is_webhook,
            Self::Webhook => false,
            Self::Own => [TwilioSink::NAME, SendGridSink::NAME].contains(&name) || is_webhook,
        }
    }
}

/// What holds for those who have nothing else of their own: level, window and budget.
pub(super) struct Defaults {
    pub(super) settle: Duration,
    pub(super) sms: (Option<LevelFilter>, Duration, Option<Budget>),
    pub(super) email: (Option<LevelFilter>, Duration, Option<Budget>),
    pub(super) sms_segments: Option<u32>,
    pub(super) webhook: (Option<LevelFilter>, Duration, Option<Budget>),
}

impl Recipients {
    /// Phone numbers that get SMS, with a plus and the country code, like
    /// `+12065550147`.
    pub fn by_sms(twilio: TwilioSink, numbers: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let (problems, credentials) = (twilio.problems(), owned(twilio.credentials()));
        let rhythm = Rhythm::sms;
        Self { problems, credentials, rhythm, ..Self::new(Kind::Sms, twilio, numbers) }
    }

    /// Addresses that get mails.
    pub fn by_email(sendgrid: SendGridSink, addresses: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let (problems, credentials) = (sendgrid.problems(), owned(sendgrid.credentials()));
        Self { problems, credentials, ..Self::new(Kind::Email, sendgrid, addresses) }
    }

    /// A chat, a pager, or whatever a webhook reaches.
    #[cfg(feature = "webhook")]
    pub fn by_webhook(webhook: WebhookSink) -> Self {
        let (problems, credentials) = (webhook.problems(), owned(webhook.credentials()));
        let rhythm = if webhook.tells_every_end() { Rhythm::pager } else { Rhythm::email };
        let label = webhook.label().to_owned();
        Self { problems, credentials, rhythm, ..Self::new(Kind::Webhook, webhook, [label]) }
    }

    /// Those who are told by a sink of your own. The sink decides what their names
    /// mean.
    pub fn by(sink: impl Sink, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self::new(Kind::Own, sink, names)
    }

    fn new(kind: Kind, sink: impl Sink, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            kind,
            sink: Arc::new(sink),
            problems: Vec::new(),
            credentials: Vec::new(),
            names: names.into_iter().map(Into::into).collect(),
            level: None,
            window: None,
            budget: None,
            deadline: None,
            rhythm: Rhythm::email,
        }
    }

    /// The lowest level that they are told of. Nobody is told of what is below the alert
    /// level. Default: [`Builder::sms_level`](crate::Builder::sms_level),
    /// [`Builder::email_level`](crate::Builder::email_level), or all that alerts; of a webhook
    /// as `webhook_level` says.
    pub fn level(mut self, level: impl Into<LevelFilter>) -> Self {
        self.level = Some(level.into());
        self
    }

    /// After a message, new incidents wait for the end of this window; at most
    /// [`Builder::MAX_WINDOW`](crate::Builder::MAX_WINDOW). Default:
    /// [`Builder::sms_window`](crate::Builder::sms_window), or
    /// [`Builder::email_window`](crate::Builder::email_window).
    pub fn window(mut self, window: Duration) -> Self {
        self.window = Some(window);
        self
    }

    /// How many messages each of them may get; `None` means any number. With a budget, the
    /// SMS to each of them cost at most [`Builder::sms_segments`](crate::Builder::sms_segments) a day. Default:
    /// [`Builder::sms_budget`](crate::Builder::sms_budget), or
    /// [`Builder::email_budget`](crate::Builder::email_budget).
    pub fn budget(mut self, budget: impl Into<Option<Budget>>) -> Self {
        self.budget = Some(budget.into());
        self
    }

    /// How long a message is attempted, from a minute to a week. Default:
    /// [`SMS_DEADLINE`], or [`EMAIL_DEADLINE`].
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// The name of their sink.
    pub(super) fn name(&self) -> &'static str {
        self.sink.name()
    }

    /// Whether they are told by a sink of the program's own.
    pub(super) fn are_own(&self) -> bool {
        self.kind == Kind::Own
    }

    /// Whether they are told by a webhook.
    pub(super) fn are_webhook(&self) -> bool {
        self.kind == Kind::Webhook
    }

    pub(super) fn credentials(&self) -> &[Secret] {
        &self.credentials
    }

    pub(super) fn into_route(self, defaults: &Defaults) -> Route {
        let (default_level, default_window, default_budget) = match self.kind {
            Kind::Sms => defaults.sms,
            Kind::Email => defaults.email,
            Kind::Webhook => defaults.webhook,
            Kind::Own => (None, defaults.email.1, defaults.email.2),
        };
        let deadline = if self.kind == Kind::Sms { SMS_DEADLINE } else { EMAIL_DEADLINE };
        let budget = self.budget.unwrap_or(default_budget);
        Route {
            sink: self.sink,
            recipients: self.names,
            level: self.level.or(default_level).unwrap_or(LevelFilter::TRACE),
            deadline: self.deadline.unwrap_or(deadline),
            rhythm: (self.rhythm)(defaults.settle, self.window.unwrap_or(default_window)),
            budget,
            segments_per_day: budget.filter(|_| self.kind == Kind::Sms).and(defaults.sms_segments),
        }
    }
}

fn owned(credentials: Vec<&Secret>) -> Vec<Secret> {
    credentials.into_iter().cloned().collect()
}

/// Shows how many there are, not who: some are phone numbers.
impl fmt::Debug for Recipients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recipients")
            .field("sink", &self.sink)
            .field("count", &self.names.len())
            .field("problems", &self.problems)
            .finish_non_exhaustive()
    }
}

impl Recipients {
    /// Takes out what is wrong; false if the sink cannot be used at all.
    pub(super) fn sift(&mut self, is_twin: bool, report: &mut Report) -> bool {
        let (setting, off) = match self.kind {
            Kind::Sms => (report::SMS, "SMS is off"),
            Kind::Email => (report::EMAIL, "e-mail is off"),
            Kind::Webhook => (report::WEBHOOK, "this webhook is off"),
            Kind::Own => (report::SINK, "the sink is off"),
        };
        let name = self.sink.name();
        let before = report.problems.len();
        for problem in mem::take(&mut self.problems) {
            report.pass_on(problem, off);
        }
        if name.trim().is_empty() {
            report.add(setting, Fault::new("a sink's name is blank"), off);
        } else if self.kind.is_reserved(name) {
            let what = format!("the name {} is that of another kind of sink", quoted(name));
            report.add(setting, Fault::new(what), off);
        } else if is_twin {
            let what = format!("there is another sink with the name {}", quoted(name));
            let mend = "give one of them a name of its own, like TwilioSink::named does";
            report.add(setting, Fault::new(what).mend(mend), off);
        }
        let usable = report.problems.len() == before;
        self.sift_own(report);
        self.sift_names(setting, off, report);
        usable && !self.names.is_empty()
    }

    /// Takes out what is wrong with the settings of these recipients alone.
    fn sift_own(&mut self, report: &mut Report) {
        let effect = "the one for all others is used";
        if let Some(window) = self.window.take_if(|window| *window > Builder::MAX_WINDOW) {
            let (window, longest) = (spoken(window), spoken(Builder::MAX_WINDOW));
            let what = format!("a window of {window} is longer than {longest}");
            let mend = "give a shorter one";
            report.add(report::RECIPIENTS, Fault::new(what).mend(mend), effect);
        }
        if let Some(wrong) = self.budget.flatten().as_ref().and_then(wrong_budget) {
            self.budget = None;
            report.add(report::RECIPIENTS, Fault::new(wrong).mend("give a budget like Budget::SMS"), effect);
        }
        if let Some(deadline) = self.deadline.take_if(|deadline| !DEADLINES.contains(deadline)) {
            let [given, least, most] = [deadline, *DEADLINES.start(), *DEADLINES.end()].map(spoken);
            let what = format!("a deadline of {given} is not between {least} and {most}");
            report.add(report::RECIPIENTS, Fault::new(what).mend("give one between these"), effect);
        }
    }

    fn sift_names(&mut self, setting: Setting, off: &str, report: &mut Report) {
        let given = mem::take(&mut self.names);
        if given.is_empty() {
            report.add(setting, Fault::new(format!("{} has no recipients", self.sink.name())), off);
        }
        let mut wrong = Vec::new();
        for (index, recipient) in given.iter().enumerate() {
            match self.name_of(recipient.trim()) {
                Err((shown, Fault { what, mend })) => {
                    wrong.push(Fault { what: format!("entry {}{shown} {what}", index + 1), mend });
                }
                Ok(recipient) if self.names.iter().any(|known| self.is_same(known, &recipient)) => (),
                Ok(recipient) => self.names.push(recipient),
            }
        }
        let effect = if self.names.is_empty() { off } else { "that entry is ignored" };
        for fault in wrong {
            report.add(setting, fault, effect);
        }
    }

    /// `given` as it is sent to, or as it is shown and what is wrong with it.
    fn name_of(&self, given: &str) -> Result<String, (String, Fault)> {
        match self.kind {
            _ if given.is_empty() => Err((String::new(), Fault::new("is blank"))),
            Kind::Sms => {
                phone_number(given).map_err(|fault| (format!(", {},", shown(&mask_phone(given))), fault))
            }
            Kind::Email => match email_fault(given) {
                Some(fault) => Err((format!(", {},", shown(given)), fault)),
                None => Ok(given.to_owned()),
            },
            Kind::Webhook | Kind::Own => Ok(given.to_owned()),
        }
    }

    fn is_same(&self, one: &str, other: &str) -> bool {
        match self.kind {
            Kind::Email => one.to_lowercase() == other.to_lowercase(),
            Kind::Sms | Kind::Webhook | Kind::Own => one == other,
        }
    }
}

/// How long a delivery may be repeated, if somebody says so.
const DEADLINES: RangeInclusive<Duration> = Duration::from_secs(60)..=Duration::from_secs(7 * 24 * 60 * 60);
