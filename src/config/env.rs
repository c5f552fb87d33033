//! The environment's variables become a [`Builder`] and the problems they have.
//!
//! Invariant: pure over the variables it is given. What is wrong switches off
//! only what needs it, and is told once; the rest of the builder is sound.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    fmt::Display,
    mem,
    time::Duration,
};

use jiff::SignedDuration;
use tracing_subscriber::filter::LevelFilter;

use super::{builder::Builder, entry::Origin};
use crate::{
    budget::Budget,
    error::{Problem, escaped, shown},
    sink::{SendGridSink, TwilioSink},
};

/// Reads the settings from `vars`. The builder passes [`Builder::check`], but
/// it may have no sink: that, `check` tells.
pub(crate) fn read(vars: impl IntoIterator<Item = (OsString, OsString)>) -> (Builder, Vec<Problem>) {
    let mut vars = Variables::sort(vars);
    let mut builder = Builder::new();
    builder.origin = Origin::Environment;

    if let Some(name) = vars.get("ALERT_APP_NAME") {
        builder = builder.app_name(name);
    }
    if let Some(environment) = vars.get("ALERT_ENVIRONMENT") {
        builder = builder.environment(environment);
    }
    if let Some(timezone) = vars.get("ALERT_TIMEZONE") {
        builder = builder.timezone(timezone);
    }
    if let Some(path) = vars.get("ALERT_DATABASE") {
        builder = builder.database(path);
    }
    if let Some(level) = vars.parse("ALERT_LEVEL", parse_level, "a level", Builder::DEFAULT_LEVEL) {
        builder = builder.level(level);
    }
    if let Some(level) = vars.parse("ALERT_SPAN_LEVEL", parse_level, "a level", Builder::DEFAULT_SPAN_LEVEL) {
        builder = builder.span_level(level);
    }
    if let Some(level) = vars.parse("ALERT_BREADCRUMBS", parse_level, "a level", Builder::DEFAULT_BREADCRUMBS)
    {
        builder = builder.breadcrumbs(level);
    }
    let default = if Builder::DEFAULT_PANICS { "on" } else { "off" };
    if let Some(panics) = vars.parse("ALERT_PANICS", parse_switch, "`on` or `off`", default) {
        builder = builder.panics(panics);
    }
    let default = format!("{:?}", Builder::DEFAULT_SETTLE);
    if let Some(settle) = vars.parse("ALERT_SETTLE", parse_duration, "a duration", &default) {
        builder = builder.settle(settle);
    }
    let default = format!("{:?}", Builder::DEFAULT_SMS_WINDOW);
    if let Some(window) = vars.parse("ALERT_SMS_WINDOW", parse_duration, "a duration", &default) {
        builder = builder.sms_window(window);
    }
    let default = format!("{:?}", Builder::DEFAULT_EMAIL_WINDOW);
    if let Some(window) = vars.parse("ALERT_EMAIL_WINDOW", parse_duration, "a duration", &default) {
        builder = builder.email_window(window);
    }
    let wanted = "`off`, or messages at once, a duration, messages a day";
    if let Some(budget) = vars.parse("ALERT_SMS_BUDGET", parse_budget, wanted, "the default") {
        builder = builder.sms_budget(budget);
    }
    if let Some(budget) = vars.parse("ALERT_EMAIL_BUDGET", parse_budget, wanted, "the default") {
        builder = builder.email_budget(budget);
    }
    let default = if Builder::DEFAULT_REDACTION { "on" } else { "off" };
    if let Some(redaction) = vars.parse("ALERT_REDACTION", parse_switch, "`on` or `off`", default) {
        builder = builder.redaction(redaction);
    }
    builder = builder.redact_fields(vars.list("ALERT_REDACT_FIELDS"));
    builder = builder.safe_fields(vars.list("ALERT_SAFE_FIELDS"));
    let sms_level = vars.parse("ALERT_SMS_LEVEL", parse_level, "a level", "that of ALERT_LEVEL");
    if let Some(level) = sms_level {
        builder = builder.sms_level(level);
    }
    // `off` is for a host that has these credentials for a use of its own.
    if sms_level != Some(LevelFilter::OFF) {
        builder = add_sms(builder, &mut vars);
    }
    let email_level = vars.parse("ALERT_EMAIL_LEVEL", parse_level, "a level", "that of ALERT_LEVEL");
    if let Some(level) = email_level {
        builder = builder.email_level(level);
    }
    if email_level != Some(LevelFilter::OFF) {
        builder = add_email(builder, &mut vars);
    }

    let mut problems = vars.problems;
    problems.extend(builder.sift());
    (builder, problems)
}

fn add_sms(builder: Builder, vars: &mut Variables) -> Builder {
    let Some(recipients) = vars.recipients(&SMS) else { return builder };
    let account_sid = vars.get("TWILIO_ACCOUNT_SID");
    let (key, secret) = (vars.get("TWILIO_API_KEY"), vars.get("TWILIO_API_KEY_SECRET"));
    let token = vars.get("TWILIO_AUTH_TOKEN");
    let sender = vars.get("TWILIO_SENDER_NUMBER");
    let service = vars.get("TWILIO_MESSAGING_SERVICE_SID");

    let other_half = match (&key, &secret) {
        (Some(_), None) => Some("TWILIO_API_KEY_SECRET"),
        (None, Some(_)) => Some("TWILIO_API_KEY"),
        (Some(_), Some(_)) | (None, None) => None,
    };
    let mut missing = Vec::new();
    if account_sid.is_none() {
        missing.push("TWILIO_ACCOUNT_SID");
    }
    match (other_half, &token) {
        (Some(name), Some(_)) => vars.note(name, "is not set: TWILIO_AUTH_TOKEN is used".into()),
        (Some(name), None) => missing.push(name),
        (None, None) if key.is_none() => missing.push("TWILIO_AUTH_TOKEN"),
        (None, _) => (),
    }
    if sender.is_none() && service.is_none() {
        missing.push("TWILIO_SENDER_NUMBER");
    }
    if vars.lacks(missing, &recipients, &SMS) {
        return builder;
    }

    let account_sid = account_sid.unwrap_or_default();
    let mut sink = match (key, secret) {
        (Some(key), Some(secret)) => TwilioSink::with_api_key(account_sid, key, secret),
        (Some(_), None) | (None, _) => TwilioSink::new(account_sid, token.unwrap_or_default()),
    };
    if let Some(number) = sender {
        sink = sink.sender_number(number);
    }
    if let Some(sid) = service {
        sink = sink.messaging_service_sid(sid);
    }
    if let Some(url) = vars.get("TWILIO_BASE_URL") {
        sink = sink.base_url(url);
    }
    builder.sms(sink, recipients)
}

fn add_email(builder: Builder, vars: &mut Variables) -> Builder {
    let Some(recipients) = vars.recipients(&EMAIL) else { return builder };
    let (api_key, sender) = (vars.get("SENDGRID_API_KEY"), vars.get("SENDGRID_SENDER_EMAIL"));

    let mut missing = Vec::new();
    if api_key.is_none() {
        missing.push("SENDGRID_API_KEY");
    }
    if sender.is_none() {
        missing.push("SENDGRID_SENDER_EMAIL");
    }
    if vars.lacks(missing, &recipients, &EMAIL) {
        return builder;
    }

    let mut sink = SendGridSink::new(api_key.unwrap_or_default(), sender.unwrap_or_default());
    if let Some(url) = vars.get("SENDGRID_BASE_URL") {
        sink = sink.base_url(url);
    }
    builder.email(sink, recipients)
}

fn parse_level(text: &str) -> Option<LevelFilter> {
    // `LevelFilter` also reads numbers, which nobody knows the order of.
    let is_name = text.chars().all(|char| char.is_ascii_alphabetic());
    is_name.then(|| text.parse().ok()).flatten()
}

fn parse_switch(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "on" | "true" => Some(true),
        "off" | "false" => Some(false),
        _ => None,
    }
}

fn parse_duration(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    text.parse::<SignedDuration>().ok()?.try_into().ok()
}

/// Like `3,10m,20`, or `off`.
fn parse_budget(text: &str) -> Option<Option<Budget>> {
    if parse_switch(text) == Some(false) {
        return Some(None);
    }
    let [burst, refill, per_day] = text.split(',').map(str::trim).collect::<Vec<_>>().try_into().ok()?;
    Some(Some(Budget::new(burst.parse().ok()?, parse_duration(refill)?, per_day.parse().ok()?)))
}

/// The variables that are ours and not empty, and what is wrong with them.
struct Variables {
    values: BTreeMap<&'static str, String>,
    /// Set, but not to text: already told.
    broken: BTreeSet<&'static str>,
    problems: Vec<Problem>,
}

impl Variables {
    fn sort(vars: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let mut sorted = Self { values: BTreeMap::new(), broken: BTreeSet::new(), problems: Vec::new() };
        for (name, value) in vars {
            let (name, value) = (name.to_string_lossy(), value.to_str().map(str::trim));
            let known = VARIABLES.iter().map(|(known, _)| *known).find(|known| *known == name);
            match (known, value) {
                (_, Some("")) => (),
                (Some(known), Some(value)) => drop(sorted.values.insert(known, value.to_owned())),
                (Some(known), None) => sorted.note_broken(known),
                (None, _) if name.starts_with("ALERT_") => sorted.note_unknown(&name),
                (None, _) => (),
            }
        }
        sorted
    }

    fn get(&self, name: &str) -> Option<String> {
        self.values.get(name).cloned()
    }

    /// The entries of `name`, which has commas between.
    fn list(&self, name: &str) -> Vec<String> {
        let value = self.values.get(name).map(String::as_str).unwrap_or_default();
        let entries = value.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        entries.map(str::to_owned).collect()
    }

    /// The value of `name` as `parse` reads it; `expected` and `default` are
    /// told if it cannot.
    fn parse<T>(
        &mut self,
        name: &'static str,
        parse: impl Fn(&str) -> Option<T>,
        expected: &str,
        default: impl Display,
    ) -> Option<T> {
        let value = self.values.get(name)?;
        let parsed = parse(value);
        if parsed.is_none() {
            let what = format!("{} is not {expected}: {default} is used", shown(value));
            self.note(name, what);
        }
        parsed
    }

    /// Who is to be told by `channel`; none if nobody asked for it, or if a
    /// problem that is now told keeps it off.
    fn recipients(&mut self, channel: &Channel) -> Option<Vec<String>> {
        if self.broken.iter().any(|name| channel.owns(name)) {
            return None;
        }
        let set = self.values.keys().copied().filter(|name| channel.owns(name)).collect::<Vec<_>>();
        match set[..] {
            [] => None,
            [only] if only == channel.recipients => {
                let what = format!("nothing is set to send with: {}", channel.off);
                self.problems.push(Problem::new(only, what, format!("set {}", channel.credentials)));
                None
            }
            _ => Some(self.list(channel.recipients)),
        }
    }

    /// True if `channel` cannot be used because variables are missing.
    fn lacks(&mut self, mut missing: Vec<&'static str>, recipients: &[String], channel: &Channel) -> bool {
        if missing.is_empty() {
            return false;
        }
        if recipients.is_empty() {
            missing.push(channel.recipients);
        }
        for name in missing {
            self.note(name, format!("is not set: {}", channel.off));
        }
        true
    }

    fn note(&mut self, name: &'static str, what: String) {
        let example = VARIABLES.iter().find(|(known, _)| *known == name).map_or("", |(_, example)| example);
        self.problems.push(Problem::new(name, what, format!("set it like `{name}={example}`")));
    }

    fn note_broken(&mut self, name: &'static str) {
        let channel = [SMS, EMAIL].into_iter().find(|channel| channel.owns(name));
        let effect = channel.map_or("it is not used", |channel| channel.off);
        self.note(name, format!("is not Unicode text: {effect}"));
        self.broken.insert(name);
    }

    fn note_unknown(&mut self, name: &str) {
        let near = VARIABLES
            .iter()
            .map(|(known, _)| (distance(known, name), *known))
            .min()
            .filter(|(distance, _)| *distance <= LONGEST_SLIP);
        let mend = match near {
            Some((_, known)) => format!("did you mean {known}?"),
            None => "remove it".to_owned(),
        };
        self.problems.push(Problem::new(
            escaped(name),
            "this version knows no such variable: it is not used",
            mend,
        ));
    }
}

/// How many characters must be inserted, removed or replaced to turn `one`
/// into `other`.
fn distance(one: &str, other: &str) -> usize {
    let mut row = (0..=other.chars().count()).collect::<Vec<_>>();
    for (above, wanted) in one.chars().enumerate() {
        let mut diagonal = mem::replace(&mut row[0], above + 1);
        for (at, found) in other.chars().enumerate() {
            let replaced = diagonal + usize::from(wanted != found);
            diagonal = row[at + 1];
            row[at + 1] = replaced.min(row[at] + 1).min(diagonal + 1);
        }
    }
    row[other.chars().count()]
}

/// The variables of one way to send.
struct Channel {
    prefix: &'static str,
    recipients: &'static str,
    credentials: &'static str,
    off: &'static str,
}

impl Channel {
    fn owns(&self, name: &str) -> bool {
        name.starts_with(self.prefix) || name == self.recipients
    }
}

const SMS: Channel = Channel {
    prefix: "TWILIO_",
    recipients: "ALERT_PHONE",
    credentials: "TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN and TWILIO_SENDER_NUMBER",
    off: "SMS is off",
};

const EMAIL: Channel = Channel {
    prefix: "SENDGRID_",
    recipients: "ALERT_EMAIL",
    credentials: "SENDGRID_API_KEY and SENDGRID_SENDER_EMAIL",
    off: "e-mail is off",
};

/// Every variable, each with an example.
const VARIABLES: [(&str, &str); 30] = [
    ("TWILIO_ACCOUNT_SID", "AC<32 hexadecimal digits>"),
    ("TWILIO_AUTH_TOKEN", "<from console.twilio.com>"),
    ("TWILIO_API_KEY", "SK<32 hexadecimal digits>"),
    ("TWILIO_API_KEY_SECRET", "<from console.twilio.com>"),
    ("TWILIO_SENDER_NUMBER", "+12065550147"),
    ("TWILIO_MESSAGING_SERVICE_SID", "MG<32 hexadecimal digits>"),
    ("TWILIO_BASE_URL", "https://api.twilio.com"),
    ("SENDGRID_API_KEY", "<from app.sendgrid.com>"),
    ("SENDGRID_SENDER_EMAIL", "alerts@example.com"),
    ("SENDGRID_BASE_URL", "https://api.sendgrid.com"),
    ("ALERT_PHONE", "+12065550147"),
    ("ALERT_EMAIL", "ops@example.com,dev@example.com"),
    ("ALERT_LEVEL", "error"),
    ("ALERT_SMS_LEVEL", "error"),
    ("ALERT_EMAIL_LEVEL", "warn"),
    ("ALERT_SPAN_LEVEL", "info"),
    ("ALERT_BREADCRUMBS", "info"),
    ("ALERT_APP_NAME", "MyApp"),
    ("ALERT_ENVIRONMENT", "production"),
    ("ALERT_TIMEZONE", "Europe/Riga"),
    ("ALERT_DATABASE", "/var/lib/myapp/alerts.db"),
    ("ALERT_PANICS", "on"),
    ("ALERT_SETTLE", "2s"),
    ("ALERT_SMS_WINDOW", "2m"),
    ("ALERT_EMAIL_WINDOW", "5m"),
    ("ALERT_SMS_BUDGET", "3,10m,20"),
    ("ALERT_EMAIL_BUDGET", "10,1m,200"),
    ("ALERT_REDACTION", "on"),
    ("ALERT_REDACT_FIELDS", "license_plate"),
    ("ALERT_SAFE_FIELDS", "session"),
];

/// A variable that is farther than this from every known one is no slip of the
/// keyboard.
const LONGEST_SLIP: usize = 2;
