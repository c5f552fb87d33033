//! [`Builder`]: every setting, in code. Those of messages are in `builder/delivery.rs`,
//! `builder/links.rs` and `builder/webhooks.rs`, those of a fleet in `builder/fleet.rs`,
//! those of some recipients alone in `recipients.rs`.
//!
//! Invariant: a setter only keeps what it is given, and `check.rs` judges it; blanks
//! round a target are left out, as those of the environment are.

use std::{path::PathBuf, sync::Arc, time::Duration};

use tracing_subscriber::filter::LevelFilter;

use super::{SMS_SEGMENTS_PER_DAY, recipients::Recipients, report::Origin};
use crate::{
    capture::directives::Directives,
    error::Problem,
    event::Event,
    host::{secret::Secret, trouble::Voice},
    outbox::Database,
    policy::{budget::Budget, fingerprint::Custom, matcher::Matcher, retry::RetryPolicy},
    queue::storm,
    render::{Render, Template},
};

mod delivery;
mod links;
pub(super) use links::{LINKS, OwnLinks};

mod webhooks;
pub(super) use webhooks::Webhooks;

mod fleet;
pub(super) use fleet::Fleet;

/// The settings of an [`AlertLayer`](crate::AlertLayer), made by
/// [`AlertLayer::builder`](crate::AlertLayer::builder), or by
/// [`from_env`](Self::from_env) if code adds to the environment.
///
/// Only a sink with recipients is required: [`sms`](Self::sms),
/// [`email`](Self::email), `webhook` or [`sink`](Self::sink). All settings are judged
/// together when the layer is [built](Self::build).
#[derive(Debug)]
#[must_use]
pub struct Builder {
    pub(super) origin: Origin,
    /// Whether the environment has none of our variables.
    pub(super) is_bare: bool,
    /// What is wrong with the environment.
    pub(super) problems: Vec<Problem>,
    /// What is odd in the environment and does no harm.
    pub(super) hints: Vec<Problem>,
    pub(super) app_name: Option<String>,
    pub(super) environment: Option<String>,
    pub(super) version: Option<String>,
    pub(super) level: LevelFilter,
    pub(super) directives: Directives,
    pub(super) sms_level: Option<LevelFilter>,
    pub(super) email_level: Option<LevelFilter>,
    pub(super) span_level: LevelFilter,
    pub(super) breadcrumbs: LevelFilter,
    pub(super) told: Vec<Recipients>,
    pub(super) database: Database,
    pub(super) panics: bool,
    pub(super) ignored: Vec<Matcher>,
    pub(super) fingerprint: Option<Custom>,
    pub(super) storm_rate: u32,
    pub(super) settle: Duration,
    pub(super) sms_window: Duration,
    pub(super) email_window: Duration,
    pub(super) sms_budget: Option<Budget>,
    pub(super) sms_segments: Option<u32>,
    pub(super) crash_loops: bool,
    pub(super) email_budget: Option<Budget>,
    pub(super) wait_for_commit: Option<Duration>,
    pub(super) timezone: Option<String>,
    pub(super) render: Option<Arc<dyn Render>>,
    pub(super) sms_fields: bool,
    /// Of each [kind](LINKS), the template.
    pub(super) link_templates: [Option<Template>; LINKS.len()],
    pub(super) own_links: OwnLinks,
    pub(super) webhooks: Webhooks,
    pub(super) fleet: Fleet,
    pub(super) retry: RetryPolicy,
    pub(super) credentials: Vec<Secret>,
    pub(super) redaction: bool,
    pub(super) redact_fields: Vec<String>,
    pub(super) safe_fields: Vec<String>,
    /// Whether the environment lets base URLs of other machines be http.
    pub(super) allows_http: bool,
    pub(crate) voice: Voice,
}

impl Builder {
    /// Errors alert; warnings do not.
    pub const DEFAULT_LEVEL: LevelFilter = LevelFilter::ERROR;

    /// Spans at `INFO` and above are remembered.
    pub const DEFAULT_SPAN_LEVEL: LevelFilter = LevelFilter::INFO;

    /// Mails do not show what happened before.
    pub const DEFAULT_BREADCRUMBS: LevelFilter = LevelFilter::OFF;

    /// A panic is an event.
    pub const DEFAULT_PANICS: bool = true;

    /// A program that fails again and again is told of.
    pub const DEFAULT_CRASH_LOOPS: bool = true;

    /// A hundred events a second of one callsite are captured in full.
    pub const DEFAULT_STORM_RATE: u32 = storm::DEFAULT_RATE;

    /// Secrets are replaced before anything is kept.
    pub const DEFAULT_REDACTION: bool = true;

    pub(crate) fn new() -> Self {
        Self {
            origin: Origin::Code,
            is_bare: false,
            problems: Vec::new(),
            hints: Vec::new(),
            app_name: None,
            environment: None,
            version: None,
            level: Self::DEFAULT_LEVEL,
            directives: Directives::default(),
            sms_level: None,
            email_level: None,
            span_level: Self::DEFAULT_SPAN_LEVEL,
            breadcrumbs: Self::DEFAULT_BREADCRUMBS,
            told: Vec::new(),
            database: Database::Default,
            panics: Self::DEFAULT_PANICS,
            ignored: Vec::new(),
            fingerprint: None,
            storm_rate: Self::DEFAULT_STORM_RATE,
            settle: Self::DEFAULT_SETTLE,
            sms_window: Self::DEFAULT_SMS_WINDOW,
            email_window: Self::DEFAULT_EMAIL_WINDOW,
            sms_budget: Some(Budget::SMS),
            sms_segments: Some(SMS_SEGMENTS_PER_DAY),
            crash_loops: Self::DEFAULT_CRASH_LOOPS,
            email_budget: Some(Budget::EMAIL),
            wait_for_commit: None,
            timezone: None,
            render: None,
            sms_fields: Self::DEFAULT_SMS_FIELDS,
            link_templates: [const { None }; LINKS.len()],
            own_links: OwnLinks::default(),
            webhooks: Webhooks::new(),
            fleet: Fleet::new(),
            retry: RetryPolicy::DEFAULT,
            credentials: Vec::new(),
            redaction: Self::DEFAULT_REDACTION,
            redact_fields: Vec::new(),
            safe_fields: Vec::new(),
            allows_http: false,
            voice: Voice::default(),
        }
    }

    /// The application's name. It begins every message. Applications with different
    /// names keep their events apart. Default: the executable's name.
    pub fn app_name(mut self, name: impl Into<String>) -> Self {
        self.app_name = Some(name.into());
        self
    }

    /// The environment, like `production`; in every message. Default: none.
    pub fn environment(mut self, environment: impl Into<String>) -> Self {
        self.environment = Some(environment.into());
        self
    }

    /// The application's version, like `env!("CARGO_PKG_VERSION")`; in every mail.
    /// Default: none.
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = Some(version.into());
        self
    }

    /// The lowest level that alerts: a [`Level`](tracing::Level) or a
    /// [`LevelFilter`]. [`level_for`](Self::level_for) is for a single target.
    /// Default: [`DEFAULT_LEVEL`](Self::DEFAULT_LEVEL).
    pub fn level(mut self, level: impl Into<LevelFilter>) -> Self {
        self.level = level.into();
        self
    }

    /// The lowest level that alerts for `target` and every target that begins with
    /// it, instead of [`level`](Self::level): that for `tower_http` also holds for
    /// `tower_http::trace`. If several hold, the longest wins. Spans and breadcrumbs
    /// keep their levels. May be called several times. Default: none.
    ///
    /// ```
    /// # use tracing_alert::AlertLayer;
    /// use tracing::{Level, level_filters::LevelFilter};
    ///
    /// let builder =
    ///     AlertLayer::builder().level_for("tower_http", LevelFilter::OFF).level_for("sqlx", Level::WARN);
    /// ```
    pub fn level_for(mut self, target: impl Into<String>, level: impl Into<LevelFilter>) -> Self {
        self.directives.set(target.into().trim(), level.into());
        self
    }

    /// The lowest level that is sent by SMS. It can only be stricter than
    /// [`level`](Self::level): the stricter of the two counts. Default: the same as
    /// `level`.
    pub fn sms_level(mut self, level: impl Into<LevelFilter>) -> Self {
        self.sms_level = Some(level.into());
        self
    }

    /// The lowest level that is sent by e-mail. It can only be stricter than
    /// [`level`](Self::level): the stricter of the two counts. Default: the same as
    /// `level`.
    pub fn email_level(mut self, level: impl Into<LevelFilter>) -> Self {
        self.email_level = Some(level.into());
        self
    }

    /// The lowest level of the spans that a message shows. At `INFO`, the spans that
    /// tower-http's `TraceLayer` makes of requests are shown too, although they are at
    /// `DEBUG`. Default: [`DEFAULT_SPAN_LEVEL`](Self::DEFAULT_SPAN_LEVEL).
    pub fn span_level(mut self, level: impl Into<LevelFilter>) -> Self {
        self.span_level = level.into();
        self
    }

    /// The lowest level of the earlier events that go with one that alerts: the last
    /// ones in the same outermost remembered span or, if it happened outside of
    /// spans, the last ones outside of spans. They are in the mail, and in
    /// [`Event::breadcrumbs`]. Each of them is captured, which costs its caller less
    /// than an alert does, but not nothing. Default:
    /// [`DEFAULT_BREADCRUMBS`](Self::DEFAULT_BREADCRUMBS).
    pub fn breadcrumbs(mut self, level: impl Into<LevelFilter>) -> Self {
        self.breadcrumbs = level.into();
        self
    }

    /// The SQLite file that keeps the events: a whole path, in which nothing is
    /// expanded. `:memory:` is the same as [`in_memory`](Self::in_memory). Without the
    /// feature `sqlite`, events are kept in memory in any case. Default: `alerts.db`
    /// in the application's own directory below the user's state directory.
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

    /// Whether a panic is an event. A panic of `println!` because its reader is gone
    /// is [ignored](crate::Stats::ignored). Default:
    /// [`DEFAULT_PANICS`](Self::DEFAULT_PANICS).
    pub fn panics(mut self, panics: bool) -> Self {
        self.panics = panics;
        self
    }

    /// Whether it is told that the program starts again and again, because each run fails.
    /// Default: [`DEFAULT_CRASH_LOOPS`](Self::DEFAULT_CRASH_LOOPS).
    pub fn crash_loops(mut self, crash_loops: bool) -> Self {
        self.crash_loops = crash_loops;
        self
    }

    /// Tells nobody of the events that `matcher` matches: they are counted in
    /// [`Stats::ignored`](crate::Stats::ignored), and forgotten. May be called several
    /// times. Past the [`storm_rate`](Self::storm_rate), events share the fate of the
    /// captured ones of their callsite. To keep quiet only for a while, use
    /// [`AlertHandle::silence`](crate::AlertHandle::silence).
    pub fn ignore(mut self, matcher: Matcher) -> Self {
        self.ignored.push(matcher);
        self
    }

    /// Says which events are one incident: those for which `says` returns the same
    /// text, if they have the same source file, target and level. If it returns
    /// `None`, events are the same by their message and root error, apart from
    /// numbers, ids and quoted values; `{{default}}` in the text stands for that.
    /// An event's own field `alert.fingerprint` counts more. A panic is never the same
    /// as another event.
    ///
    /// The alert thread calls `says` for each event that was captured in full and has
    /// no such field. If `says` panics, that counts as `None`.
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

    /// How many events a second of one callsite are captured in full. The rest are
    /// counted, exactly and at next to no cost, and the message has the count.
    /// Records of `log` are always captured in full. Default:
    /// [`DEFAULT_STORM_RATE`](Self::DEFAULT_STORM_RATE).
    pub fn storm_rate(mut self, events_per_second: u32) -> Self {
        self.storm_rate = events_per_second;
        self
    }

    /// Makes a call that alerts wait until its event is committed, or for `timeout`.
    /// A committed event survives an abort or a `kill -9`, unless it is kept in
    /// memory, by choice or while the file fails ([`Stats::store`](crate::Stats::store)
    /// says which). It costs the caller a commit, shared by all that wait at the same
    /// time: under a millisecond on a good disk, many on a slow or a busy one. Events
    /// that are only counted ([`storm_rate`](Self::storm_rate)) are not waited for.
    /// Default: the caller never waits, and events are on disk some milliseconds
    /// later.
    pub fn wait_for_commit(mut self, timeout: Duration) -> Self {
        self.wait_for_commit = Some(timeout);
        self
    }

    /// Whether secrets are replaced, like `[redacted:password]`, before an event is
    /// kept or sent: in messages, fields, spans, error chains, backtraces,
    /// breadcrumbs, names of threads and the application's name. A secret is known by
    /// its name, like `password`, or by its own shape. The credentials of the sinks
    /// for SMS and e-mail are always replaced. Default:
    /// [`DEFAULT_REDACTION`](Self::DEFAULT_REDACTION).
    pub fn redaction(mut self, redaction: bool) -> Self {
        self.redaction = redaction;
        self
    }

    /// More names that hold a secret, like `license_plate`. Case, style and accents do
    /// not matter, and any script will do. A longer name that contains these words
    /// counts too, in a text as in a field. Adds to what was given before.
    pub fn redact_fields(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.redact_fields.extend(names.into_iter().map(Into::into));
        self
    }

    /// Names that hold no secret although a rule says so, like `session`: a field
    /// with exactly this name stays as it is. Case and style do not matter. Adds to
    /// what was given before.
    pub fn safe_fields(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.safe_fields.extend(names.into_iter().map(Into::into));
        self
    }

    /// Receives, instead of stderr, each line about this crate's own trouble: what is
    /// wrong, and how to fix it. `|_| ()` silences it. `hears` runs on the alert thread,
    /// where the layer is built, and where the process ends, so it must return soon.
    /// What it emits by `tracing` does not alert. A forked child, where `hears` might
    /// hang, uses stderr all the same. Default: stderr.
    ///
    /// ```
    /// # use tracing_alert::AlertLayer;
    /// let builder = AlertLayer::builder().on_trouble(|line| tracing::warn!("alerts: {line}"));
    /// ```
    pub fn on_trouble(mut self, hears: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.voice = Voice::new(hears);
        self
    }
}
