//! [`Builder`]: every setting, in code.
//!
//! Invariant: a setter only keeps what it is given; `check.rs` judges it.

use std::{path::PathBuf, sync::Arc, time::Duration};

use tracing_subscriber::filter::LevelFilter;

use super::{
    Database,
    entry::{Entry, Kind, Origin},
};
use crate::{
    budget::Budget,
    error::Problem,
    event::Event,
    fingerprint::Custom,
    matcher::Matcher,
    render::Render,
    retry::RetryPolicy,
    secret::Secret,
    sink::{SendGridSink, Sink, TwilioSink},
    storm,
};

/// The settings of an [`AlertLayer`](crate::AlertLayer), made by
/// [`AlertLayer::builder`](crate::AlertLayer::builder).
///
/// Only a sink with recipients is required: [`sms`](Self::sms),
/// [`email`](Self::email) or [`sink`](Self::sink). All settings are judged
/// together when the layer is built.
#[derive(Debug)]
#[must_use]
pub struct Builder {
    pub(super) origin: Origin,
    pub(super) app_name: Option<String>,
    pub(super) environment: Option<String>,
    pub(super) version: Option<String>,
    pub(super) level: LevelFilter,
    pub(super) sms_level: Option<LevelFilter>,
    pub(super) email_level: Option<LevelFilter>,
    pub(super) span_level: LevelFilter,
    pub(super) breadcrumbs: LevelFilter,
    pub(super) entries: Vec<Entry>,
    pub(super) database: Database,
    pub(super) panics: bool,
    pub(super) ignored: Vec<Matcher>,
    pub(super) fingerprint: Option<Custom>,
    pub(super) storm_rate: u32,
    pub(super) settle: Duration,
    pub(super) sms_window: Duration,
    pub(super) email_window: Duration,
    pub(super) sms_budget: Option<Budget>,
    pub(super) email_budget: Option<Budget>,
    pub(super) wait_for_commit: Option<Duration>,
    pub(super) timezone: Option<String>,
    pub(super) render: Option<Arc<dyn Render>>,
    pub(super) retry: RetryPolicy,
    pub(super) credentials: Vec<Secret>,
    pub(super) redaction: bool,
    pub(super) redact_fields: Vec<String>,
    pub(super) safe_fields: Vec<String>,
}

impl Builder {
    /// Errors alert; warnings do not.
    pub const DEFAULT_LEVEL: LevelFilter = LevelFilter::ERROR;

    /// Spans at `INFO` and above are remembered.
    pub const DEFAULT_SPAN_LEVEL: LevelFilter = LevelFilter::INFO;

    /// What happened before is not told.
    pub const DEFAULT_BREADCRUMBS: LevelFilter = LevelFilter::OFF;

    /// A panic is an event.
    pub const DEFAULT_PANICS: bool = true;

    /// One second: a cascade of errors is one message.
    pub const DEFAULT_SETTLE: Duration = Duration::from_secs(1);

    /// A hundred events a second of one callsite are captured in full.
    pub const DEFAULT_STORM_RATE: u32 = storm::DEFAULT_RATE;

    /// No alert waits longer than this for company.
    pub const LONGEST_SETTLE: Duration = Duration::from_secs(60);

    /// Two minutes: who got an SMS hears of what else is new at the end of them.
    pub const DEFAULT_SMS_WINDOW: Duration = Duration::from_secs(2 * 60);

    /// Five minutes, for a mail.
    pub const DEFAULT_EMAIL_WINDOW: Duration = Duration::from_secs(5 * 60);

    /// Nobody waits longer than this for what is new, but for a budget.
    pub const LONGEST_WINDOW: Duration = Duration::from_secs(60 * 60);
    /// Secrets are replaced before anything is kept.
    pub const DEFAULT_REDACTION: bool = true;

    pub(crate) fn new() -> Self {
        Self {
            origin: Origin::Code,
            app_name: None,
            environment: None,
            version: None,
            level: Self::DEFAULT_LEVEL,
            sms_level: None,
            email_level: None,
            span_level: Self::DEFAULT_SPAN_LEVEL,
            breadcrumbs: Self::DEFAULT_BREADCRUMBS,
            entries: Vec::new(),
            database: Database::Default,
            panics: Self::DEFAULT_PANICS,
            ignored: Vec::new(),
            fingerprint: None,
            storm_rate: Self::DEFAULT_STORM_RATE,
            settle: Self::DEFAULT_SETTLE,
            sms_window: Self::DEFAULT_SMS_WINDOW,
            email_window: Self::DEFAULT_EMAIL_WINDOW,
            sms_budget: Some(Budget::SMS),
            email_budget: Some(Budget::EMAIL),
            wait_for_commit: None,
            timezone: None,
            render: None,
            retry: RetryPolicy::DEFAULT,
            credentials: Vec::new(),
            redaction: Self::DEFAULT_REDACTION,
            redact_fields: Vec::new(),
            safe_fields: Vec::new(),
        }
    }

    /// The application's name. It begins every message, and applications of
    /// different names keep their events apart. Default: the executable's name.
    pub fn app_name(mut self, name: impl Into<String>) -> Self {
        self.app_name = Some(name.into());
        self
    }

    /// The environment, like `production`; in every message. Default: none.
    pub fn environment(mut self, environment: impl Into<String>) -> Self {
        self.environment = Some(environment.into());
        self
    }

    /// The application's version, like `env!("CARGO_PKG_VERSION")`; in every
    /// message. Default: none.
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = Some(version.into());
        self
    }

    /// The lowest level that alerts: a [`Level`](tracing::Level) or a
    /// [`LevelFilter`]. Default: [`DEFAULT_LEVEL`](Self::DEFAULT_LEVEL).
    pub fn level(mut self, level: impl Into<LevelFilter>) -> Self {
        self.level = level.into();
        self
    }

    /// The lowest level that is told by SMS. It can only be stricter than
    /// [`level`](Self::level): of the two, the stricter one counts. Default: the
    /// same as `level`.
    pub fn sms_level(mut self, level: impl Into<LevelFilter>) -> Self {
        self.sms_level = Some(level.into());
        self
    }

    /// The lowest level that is told by e-mail. It can only be stricter than
    /// [`level`](Self::level): of the two, the stricter one counts. Default: the
    /// same as `level`.
    pub fn email_level(mut self, level: impl Into<LevelFilter>) -> Self {
        self.email_level = Some(level.into());
        self
    }

    /// The lowest level of the spans that are remembered, to say in which ones
    /// an event happened. Default: [`DEFAULT_SPAN_LEVEL`](Self::DEFAULT_SPAN_LEVEL).
    pub fn span_level(mut self, level: impl Into<LevelFilter>) -> Self {
        self.span_level = level.into();
        self
    }

    /// The lowest level of the events that are told with one that alerts: the
    /// last ones before it in the same outermost remembered span, or, if it
    /// happened outside of spans, the last ones outside of spans. They are in the
    /// mail, and in [`Event::breadcrumbs`]. Each such event is captured, so that
    /// it costs its caller something, if less than one that alerts. Default:
    /// [`DEFAULT_BREADCRUMBS`](Self::DEFAULT_BREADCRUMBS).
    pub fn breadcrumbs(mut self, level: impl Into<LevelFilter>) -> Self {
        self.breadcrumbs = level.into();
        self
    }

    /// Tells `recipients` by SMS: phone numbers with a plus and the country
    /// code, like `+12065550147`. Who is named twice is told once. A message is
    /// given up after [`SMS_DEADLINE`](crate::SMS_DEADLINE). Default: no SMS.
    pub fn sms(self, twilio: TwilioSink, recipients: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let problems = twilio.problems();
        self.hiding(twilio.credentials()).entry(Kind::Sms, twilio, problems, recipients)
    }

    /// Tells `recipients`, e-mail addresses, by e-mail. Who is named twice is
    /// told once, whatever the case. A message is given up after
    /// [`EMAIL_DEADLINE`](crate::EMAIL_DEADLINE). Default: no e-mail.
    pub fn email(
        self,
        sendgrid: SendGridSink,
        recipients: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        let problems = sendgrid.problems();
        self.hiding(sendgrid.credentials()).entry(Kind::Email, sendgrid, problems, recipients)
    }

    /// Tells `recipients` by a sink of your own, of everything at
    /// [`level`](Self::level) and above. What a recipient is called is the
    /// sink's affair. A message is given up after
    /// [`EMAIL_DEADLINE`](crate::EMAIL_DEADLINE). May be called for several
    /// sinks, of different [names](Sink::name). Default: none.
    pub fn sink(self, sink: impl Sink, recipients: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.entry(Kind::Own, sink, Vec::new(), recipients)
    }

    /// The SQLite file that keeps the events; `:memory:` is
    /// [`in_memory`](Self::in_memory). Default: `alerts.db` in the
    /// application's own directory below the user's state directory.
    pub fn database(mut self, path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        self.database = if path.as_os_str() == ":memory:" { Database::Memory } else { Database::File(path) };
        self
    }

    /// Keeps events in memory only: what is not sent when the process ends is
    /// lost.
    pub fn in_memory(mut self) -> Self {
        self.database = Database::Memory;
        self
    }

    /// Whether a panic is an event. Default:
    /// [`DEFAULT_PANICS`](Self::DEFAULT_PANICS).
    pub fn panics(mut self, panics: bool) -> Self {
        self.panics = panics;
        self
    }

    /// Tells nobody of the events that `matcher` means: they are counted, in
    /// [`Stats::ignored`](crate::Stats::ignored), and forgotten. May be called for
    /// several. Past the [`storm_rate`](Self::storm_rate), events share the fate of
    /// those of their callsite that were captured beside them. To keep quiet for a while only, there is
    /// [`AlertHandle::silence`](crate::AlertHandle::silence).
    pub fn ignore(mut self, matcher: Matcher) -> Self {
        self.ignored.push(matcher);
        self
    }

    /// What an event is the same as: events that `says` gives the same text for,
    /// from one source file and of one level, are one incident; where it gives
    /// none, those with the same message are, but for the numbers, ids and quoted
    /// values in it, and the same root error. `{{default}}` in the text
    /// stands for that. An event's own field `alert.fingerprint` counts more.
    ///
    /// It is called on the alert thread, for each event. If it panics, it gave
    /// none.
    ///
    /// ```
    /// # use tracing_alert::AlertLayer;
    /// let builder = AlertLayer::builder().fingerprint(|event| {
    ///     let tenant = event.fields.iter().find(|field| field.name == "tenant")?;
    ///     Some(format!("{{{{default}}}} of {}", tenant.value))
    /// });
    /// ```
    pub fn fingerprint(mut self, says: impl Fn(&Event) -> Option<String> + Send + Sync + 'static) -> Self {
        self.fingerprint = Some(Custom::new(says));
        self
    }

    /// How many events a second of one callsite (of a `log` record, none) are
    /// captured in full. What comes beyond that is counted, exactly and at
    /// next to no cost, and the count is told with those that were captured.
    /// Default: [`DEFAULT_STORM_RATE`](Self::DEFAULT_STORM_RATE).
    pub fn storm_rate(mut self, events_per_second: u32) -> Self {
        self.storm_rate = events_per_second;
        self
    }

    /// How long the first event of an incident waits for company; at most
    /// [`LONGEST_SETTLE`](Self::LONGEST_SETTLE). Default:
    /// [`DEFAULT_SETTLE`](Self::DEFAULT_SETTLE).
    pub fn settle(mut self, settle: Duration) -> Self {
        self.settle = settle;
        self
    }

    /// Who got an SMS is told of further incidents at the end of this window, in
    /// one message; at most [`LONGEST_WINDOW`](Self::LONGEST_WINDOW). Zero: at
    /// once. Default: [`DEFAULT_SMS_WINDOW`](Self::DEFAULT_SMS_WINDOW).
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

    /// How many SMS one recipient may get; what there is none for waits for the
    /// next. With a budget, all SMS together cost at most
    /// [`SMS_SEGMENTS_PER_DAY`](crate::SMS_SEGMENTS_PER_DAY); `None` lifts both.
    /// Default: [`Budget::SMS`].
    pub fn sms_budget(mut self, budget: impl Into<Option<Budget>>) -> Self {
        self.sms_budget = budget.into();
        self
    }

    /// How many mails one recipient may get, and messages of a sink of your own;
    /// `None`: any number. Default: [`Budget::EMAIL`].
    pub fn email_budget(mut self, budget: impl Into<Option<Budget>>) -> Self {
        self.email_budget = budget.into();
        self
    }

    /// A call that alerts returns when its event is committed, or after
    /// `timeout`. What is committed to the file survives whatever happens to the
    /// process next, also an abort or a `kill -9`; what is in memory, by choice or
    /// while the file fails, does not ([`Stats::store`](crate::Stats::store) tells). It costs the caller a commit, shared by all that wait at the
    /// same time: under a millisecond on a good disk, many on a slow or a busy
    /// one. What is only counted ([`storm_rate`](Self::storm_rate)) is not waited
    /// for. Default: the caller never waits, and what was captured is on disk
    /// some milliseconds later.
    pub fn wait_for_commit(mut self, timeout: Duration) -> Self {
        self.wait_for_commit = Some(timeout);
        self
    }

    /// The time zone of those who are told, by its IANA name, like
    /// `Europe/Riga`: mails tell times in it and in UTC. It is read from the
    /// system's time zone database. Default: UTC only.
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

    /// When a failed attempt is repeated. Default: [`RetryPolicy::DEFAULT`].
    pub fn retry(mut self, retry: RetryPolicy) -> Self {
        self.retry = retry;
        self
    }

    /// Whether secrets in messages, fields, spans and error chains are replaced,
    /// like `[redacted:password]`, before an event is kept or sent. They are known
    /// by their names, like `password`, or by their own shape. The sinks' own
    /// credentials always are. Default: [`DEFAULT_REDACTION`](Self::DEFAULT_REDACTION).
    pub fn redaction(mut self, redaction: bool) -> Self {
        self.redaction = redaction;
        self
    }

    /// Names that hold a secret beyond those that everybody uses so, like
    /// `license_plate`. Case and style do not count; a name that has these words
    /// among others is meant, too. Adds to what was given before.
    pub fn redact_fields(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.redact_fields.extend(names.into_iter().map(Into::into));
        self
    }

    /// Names that hold no secret although a rule says so, like `session`: a field
    /// of just this name stays as it is. Case and style do not count. Adds to what
    /// was given before.
    pub fn safe_fields(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.safe_fields.extend(names.into_iter().map(Into::into));
        self
    }

    fn entry(
        mut self,
        kind: Kind,
        sink: impl Sink,
        problems: Vec<Problem>,
        recipients: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        self.entries.push(Entry {
            kind,
            sink: Arc::new(sink),
            problems,
            recipients: recipients.into_iter().map(Into::into).collect(),
        });
        self
    }
}
