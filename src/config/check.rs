//! [`Builder`] becomes [`Config`], or a list of everything that is wrong.
//!
//! Invariant: what [`Builder::sift`] leaves has no problem: code and environment
//! are held to the same rules, and only differ in what a problem leads to.

use std::{mem, path::Path, time::Duration};

use tracing::level_filters::LevelFilter;

use super::{
    Config, Database, EMAIL_DEADLINE, Route, SMS_DEADLINE, SMS_SEGMENTS_PER_DAY,
    builder::Builder,
    entry::{Entry, Kind, Origin},
};
use crate::{
    budget::Budget,
    error::{Error, Problem, quoted, shown},
    incident::Rhythm,
    redact::{Policy, is_field_name},
    render::{Clock, Renderer},
    retry::RetryPolicy,
    sink::{is_email_address, is_phone_number, mask_phone},
};

impl Builder {
    /// Judges all settings together.
    ///
    /// # Errors
    ///
    /// When at least one setting is wrong, or nobody would be told.
    pub(crate) fn check(mut self) -> Result<Config, Error> {
        let nobody = self.entries.is_empty();
        let mut problems = self.sift();
        if nobody {
            problems.push(nobody_is_told(self.origin));
        }
        if !problems.is_empty() {
            return Err(Error::Settings(problems));
        }
        Ok(self.into_config())
    }

    /// Takes out whatever is wrong, and says what that was: a wrong setting
    /// becomes its default, a wrong recipient or sink goes.
    pub(super) fn sift(&mut self) -> Vec<Problem> {
        let mut report = Report { origin: self.origin, problems: Vec::new() };
        let names = [
            (&mut self.app_name, APP_NAME),
            (&mut self.environment, ENVIRONMENT),
            (&mut self.version, VERSION),
        ];
        for (name, setting) in names {
            if let Some(wrong) = name.as_deref().and_then(wrong_name) {
                report.add(setting, wrong, "it is not used");
                *name = None;
            }
        }
        if let Database::File(path) = &self.database
            && let Some(wrong) = wrong_path(path)
        {
            report.add(DATABASE, wrong, "the default file is used");
            self.database = Database::Default;
        }
        if self.settle > Self::LONGEST_SETTLE {
            let what = format!("{:?} is longer than {:?}", self.settle, Self::LONGEST_SETTLE);
            report.add(SETTLE, what, &format!("{:?} is used", Self::DEFAULT_SETTLE));
            self.settle = Self::DEFAULT_SETTLE;
        }
        let windows = [
            (&mut self.sms_window, SMS_WINDOW, Self::DEFAULT_SMS_WINDOW),
            (&mut self.email_window, EMAIL_WINDOW, Self::DEFAULT_EMAIL_WINDOW),
        ];
        for (window, setting, default) in windows {
            if *window > Self::LONGEST_WINDOW {
                let what = format!("{window:?} is longer than {:?}", Self::LONGEST_WINDOW);
                report.add(setting, what, &format!("{default:?} is used"));
                *window = default;
            }
        }
        let budgets = [
            (&mut self.sms_budget, SMS_BUDGET, Budget::SMS),
            (&mut self.email_budget, EMAIL_BUDGET, Budget::EMAIL),
        ];
        for (budget, setting, default) in budgets {
            if let Some(wrong) = budget.as_ref().and_then(wrong_budget) {
                report.add(setting, wrong, "the default is used");
                *budget = Some(default);
            }
        }
        if let Some(name) = self.timezone.as_deref().filter(|name| Clock::named(name).is_none()) {
            let what = format!("the system's time zone database has no {}", shown(name));
            report.add(TIMEZONE, what, "times are told in UTC");
            self.timezone = None;
        }
        if self.storm_rate == 0 {
            let default = format!("{} is used", Self::DEFAULT_STORM_RATE);
            report.add(STORM_RATE, "with 0 no error would be captured".to_owned(), &default);
            self.storm_rate = Self::DEFAULT_STORM_RATE;
        }
        if let Some(wrong) = wrong_policy(&self.retry) {
            report.add(RETRY, wrong, "the default is used");
            self.retry = RetryPolicy::DEFAULT;
        }
        for (names, setting) in
            [(&mut self.redact_fields, REDACT_FIELDS), (&mut self.safe_fields, SAFE_FIELDS)]
        {
            names.retain(|name| {
                let is_name = is_field_name(name);
                if !is_name {
                    let what = format!("{} is no field's name", shown(name));
                    report.add(setting, what, "that entry is left out");
                }
                is_name
            });
        }
        for mut entry in mem::take(&mut self.entries) {
            let twin = self.entries.iter().any(|other| other.sink.name() == entry.sink.name());
            if entry.sift(twin, &mut report) {
                self.entries.push(entry);
            }
        }
        report.problems
    }

    fn into_config(self) -> Config {
        let route = |entry: Entry| {
            let email = Rhythm::email(self.settle, self.email_window);
            let (own_level, deadline, rhythm, budget) = match entry.kind {
                Kind::Sms => {
                    (self.sms_level, SMS_DEADLINE, Rhythm::sms(self.settle, self.sms_window), self.sms_budget)
                }
                Kind::Email => (self.email_level, EMAIL_DEADLINE, email, self.email_budget),
                Kind::Own => (None, EMAIL_DEADLINE, email, self.email_budget),
            };
            Route {
                sink: entry.sink,
                recipients: entry.recipients,
                level: own_level.unwrap_or(LevelFilter::TRACE),
                deadline,
                rhythm,
                budget,
                segments_per_day: budget.filter(|_| entry.kind == Kind::Sms).map(|_| SMS_SEGMENTS_PER_DAY),
            }
        };
        Config {
            routes: self.entries.into_iter().map(route).collect(),
            app_name: self.app_name,
            environment: self.environment,
            version: self.version,
            level: self.level,
            span_level: self.span_level,
            breadcrumbs: self.breadcrumbs,
            database: self.database,
            panics: self.panics,
            ignored: self.ignored,
            fingerprint: self.fingerprint,
            storm_rate: self.storm_rate,
            wait_for_commit: self.wait_for_commit,
            renderer: Renderer::new(
                self.timezone.as_deref().and_then(Clock::named).unwrap_or_default(),
                self.render,
            ),
            retry: self.retry,
            redaction: Policy::new(self.redaction, &self.redact_fields, &self.safe_fields)
                .credentials(self.credentials),
        }
    }
}

impl Entry {
    /// Takes out what is wrong; false if the sink cannot be used at all.
    fn sift(&mut self, twin: bool, report: &mut Report) -> bool {
        let (setting, off) = match self.kind {
            Kind::Sms => (SMS, "SMS is off"),
            Kind::Email => (EMAIL, "e-mail is off"),
            Kind::Own => (SINK, "the sink is off"),
        };
        let name = self.sink.name();
        let before = report.problems.len();
        for problem in mem::take(&mut self.problems) {
            report.pass_on(problem, off);
        }
        if name.trim().is_empty() {
            report.add(setting, "a sink's name is blank".into(), off);
        } else if self.kind == Kind::Own && RESERVED_NAMES.contains(&name) {
            report.add(setting, format!("the name {} is taken", quoted(name)), off);
        } else if twin {
            report.add(setting, format!("there is another sink with the name {}", quoted(name)), off);
        }
        let usable = report.problems.len() == before;
        self.sift_recipients(setting, off, report);
        usable && !self.recipients.is_empty()
    }

    fn sift_recipients(&mut self, setting: Setting, off: &str, report: &mut Report) {
        let given = mem::take(&mut self.recipients);
        if given.is_empty() {
            report.add(setting, format!("{} has no recipients", self.sink.name()), off);
        }
        let mut wrong = Vec::new();
        for (index, recipient) in given.iter().enumerate() {
            let recipient = recipient.trim();
            match self.wrong_recipient(recipient) {
                Some(what) => wrong.push(format!("entry {}{what}", index + 1)),
                None if self.recipients.iter().any(|known| self.is_same(known, recipient)) => (),
                None => self.recipients.push(recipient.to_owned()),
            }
        }
        let effect = if self.recipients.is_empty() { off } else { "that entry is left out" };
        for what in wrong {
            report.add(setting, what, effect);
        }
    }

    fn wrong_recipient(&self, recipient: &str) -> Option<String> {
        match self.kind {
            _ if recipient.is_empty() => Some(" is blank".to_owned()),
            Kind::Sms if !is_phone_number(recipient) => Some(format!(
                ", {}, is not a phone number with a plus and the country code",
                shown(&mask_phone(recipient))
            )),
            Kind::Email if !is_email_address(recipient) => {
                Some(format!(", {}, is not an e-mail address", shown(recipient)))
            }
            Kind::Sms | Kind::Email | Kind::Own => None,
        }
    }

    fn is_same(&self, one: &str, other: &str) -> bool {
        match self.kind {
            Kind::Email => one.to_lowercase() == other.to_lowercase(),
            Kind::Sms | Kind::Own => one == other,
        }
    }
}

fn wrong_name(name: &str) -> Option<String> {
    if name.trim().is_empty() {
        return Some("is blank".into());
    }
    name.chars().any(char::is_control).then(|| format!("{} has control characters", shown(name)))
}

fn wrong_path(path: &Path) -> Option<String> {
    if path.as_os_str().is_empty() {
        return Some("is blank".into());
    }
    let is_url = ["sqlite:", "file:"].iter().any(|scheme| path.to_string_lossy().starts_with(scheme));
    is_url.then(|| "is a URL, not a path".into())
}

fn wrong_policy(policy: &RetryPolicy) -> Option<String> {
    let RetryPolicy { initial, cap, probe } = *policy;
    if initial.is_zero() || probe.is_zero() {
        return Some("`initial` or `probe` is zero: a provider would be stormed".into());
    }
    if cap < initial {
        return Some(format!("`cap`, {cap:?}, is shorter than `initial`, {initial:?}"));
    }
    let longest = cap.max(probe);
    (longest > EMAIL_DEADLINE)
        .then(|| format!("a delay of {longest:?} is longer than any delivery lives, {EMAIL_DEADLINE:?}"))
}

fn wrong_budget(budget: &Budget) -> Option<String> {
    let Budget { burst, refill, per_day } = *budget;
    if burst == 0 || per_day == 0 {
        return Some("it allows no message at all".into());
    }
    (refill > LONGEST_REFILL).then(|| format!("a refill of {refill:?} is longer than {LONGEST_REFILL:?}"))
}

fn nobody_is_told(origin: Origin) -> Problem {
    match origin {
        Origin::Code => Problem::new("sink", "nobody would be told", "call `sms`, `email` or `sink`"),
        Origin::Environment => Problem::new(
            "ALERT_EMAIL, ALERT_PHONE",
            "nobody would be told: there is no way to send that is set completely",
            "set ALERT_EMAIL, SENDGRID_API_KEY and SENDGRID_SENDER_EMAIL, or ALERT_PHONE, \
             TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN and TWILIO_SENDER_NUMBER",
        ),
    }
}

/// The problems found so far.
struct Report {
    origin: Origin,
    problems: Vec<Problem>,
}

impl Report {
    /// Adds a problem; `effect` is what it leads to where it is no failure.
    fn add(&mut self, setting: Setting, what: String, effect: &str) {
        let example = match self.origin {
            Origin::Code => setting.call,
            Origin::Environment => setting.line,
        };
        let name = example.split(['(', '=']).next().unwrap_or(example);
        self.pass_on(Problem::new(name, what, format!("set it like `{example}`")), effect);
    }

    fn pass_on(&mut self, mut problem: Problem, effect: &str) {
        if self.origin == Origin::Environment && !problem.what.ends_with(effect) {
            problem.what = format!("{}: {effect}", problem.what);
        }
        self.problems.push(problem);
    }
}

/// A setting by an example of it in code, and one in the environment; what
/// stands before the `(` or the `=` is its name.
#[derive(Clone, Copy)]
struct Setting {
    call: &'static str,
    line: &'static str,
}

const APP_NAME: Setting = Setting { call: r#"app_name("MyApp")"#, line: "ALERT_APP_NAME=MyApp" };
const ENVIRONMENT: Setting =
    Setting { call: r#"environment("production")"#, line: "ALERT_ENVIRONMENT=production" };
const DATABASE: Setting = Setting {
    call: r#"database("/var/lib/myapp/alerts.db")"#,
    line: "ALERT_DATABASE=/var/lib/myapp/alerts.db",
};
const SETTLE: Setting = Setting { call: "settle(Duration::from_secs(2))", line: "ALERT_SETTLE=2s" };
const SMS_WINDOW: Setting =
    Setting { call: "sms_window(Duration::from_secs(120))", line: "ALERT_SMS_WINDOW=2m" };
const EMAIL_WINDOW: Setting =
    Setting { call: "email_window(Duration::from_secs(300))", line: "ALERT_EMAIL_WINDOW=5m" };
const SMS_BUDGET: Setting = Setting { call: "sms_budget(Budget::SMS)", line: "ALERT_SMS_BUDGET=3,10m,20" };
const EMAIL_BUDGET: Setting =
    Setting { call: "email_budget(Budget::EMAIL)", line: "ALERT_EMAIL_BUDGET=10,1m,200" };
const TIMEZONE: Setting = Setting { call: r#"timezone("Europe/Riga")"#, line: "ALERT_TIMEZONE=Europe/Riga" };
const SMS: Setting = Setting { call: r#"sms(twilio, ["+12065550147"])"#, line: "ALERT_PHONE=+12065550147" };
const EMAIL: Setting =
    Setting { call: r#"email(sendgrid, ["ops@example.com"])"#, line: "ALERT_EMAIL=ops@example.com" };
const REDACT_FIELDS: Setting =
    Setting { call: r#"redact_fields(["license_plate"])"#, line: "ALERT_REDACT_FIELDS=license_plate" };
const SAFE_FIELDS: Setting =
    Setting { call: r#"safe_fields(["session"])"#, line: "ALERT_SAFE_FIELDS=session" };

// These have no variable.
const VERSION: Setting = Setting { call: r#"version("1.2.3")"#, line: r#"version("1.2.3")"# };
const RETRY: Setting = Setting { call: "retry(RetryPolicy::DEFAULT)", line: "retry(RetryPolicy::DEFAULT)" };
const STORM_RATE: Setting = Setting { call: "storm_rate(100)", line: "storm_rate(100)" };
const SINK: Setting = Setting { call: r#"sink(pager, ["on-call"])"#, line: r#"sink(pager, ["on-call"])"# };

/// A budget that takes longer to fill is no budget of a day.
const LONGEST_REFILL: Duration = Duration::from_secs(24 * 60 * 60);

/// The names of the sinks that [`Builder::sms`] and [`Builder::email`] add.
const RESERVED_NAMES: [&str; 2] = ["twilio", "sendgrid"];
