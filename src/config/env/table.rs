//! Every variable: its name, an example, what counts without it, and what it sets.
//!
//! Invariant: what a variable means is in its row. What else names variables: which of
//! them make a sink (`channels.rs`), what their absence leads to (`effect` in
//! `variables.rs`), whose they are, to tell near misses (`suggest.rs`), and which setter
//! does the same (`report.rs`, `check.rs`). Of a new sink also: `../recipients.rs`, `../env.rs`,
//! `operate/probe.rs`, and the list of our own sinks in `sink/mod.rs`.

use std::path::Path;

use super::{
    clean,
    parse::{budget, duration, level, levels, segments, switch},
    path::path,
};
use crate::{
    config::Builder,
    error::{Fault, shown},
    policy::{fingerprint::is_code, matcher::Matcher},
    render::Template,
};

/// A variable.
pub(in crate::config) struct Variable {
    pub(in crate::config) name: &'static str,
    pub(in crate::config) example: &'static str,
    /// What counts if it is not set, as it would be set; "" for nothing.
    pub(in crate::config) default: &'static str,
    pub(in crate::config) role: Role,
}

pub(in crate::config) enum Role {
    /// Sets something in the builder, unless it is wrong.
    Setting(fn(&mut Builder, &Given<'_>) -> Result<(), Fault>),
    /// The same; each of its entries may be wrong, and what that leads to is said.
    Entries(fn(&mut Builder, &Given<'_>) -> Vec<(Fault, String)>),
    /// A part of a way to send.
    Part,
    /// The same; a file may hold it instead.
    Secret,
    /// Several of these, in a list or in a file.
    Secrets,
    /// Those who are told.
    Recipients,
}

/// The value of a variable.
pub(in crate::config) struct Given<'a> {
    pub(in crate::config) text: &'a str,
    /// What `~` stands for.
    pub(in crate::config) home: Option<&'a Path>,
}

impl Variable {
    const fn new(name: &'static str, example: &'static str, default: &'static str, role: Role) -> Self {
        Self { name, example, default, role }
    }

    /// The row of `name`.
    pub(in crate::config) fn named(name: &str) -> Option<&'static Self> {
        VARIABLES.iter().find(|variable| variable.name == name)
    }

    /// Whether a file may hold the value instead.
    pub(super) fn may_be_in_file(&self) -> bool {
        matches!(self.role, Secret | Secrets)
    }

    /// What shows that `text` is not the value that was meant; `is_path` if it is that
    /// of a file that holds the value.
    pub(super) fn fault(&self, text: &str, is_path: bool) -> Option<Fault> {
        match self.role {
            Secret if !is_path => clean::secret_fault(text),
            // Each entry is judged by itself.
            _ if self.is_list() && text.contains(',') => None,
            _ => clean::fault(text),
        }
    }

    /// Whether the value is a list, whose entries have what surrounds a value.
    pub(super) fn is_list(&self) -> bool {
        matches!(self.role, Recipients | Entries(_) | Secrets)
    }
}

use Role::{Entries, Part, Recipients, Secret, Secrets, Setting};

#[rustfmt::skip]
pub(in crate::config) const VARIABLES: [Variable; 50] = [
    Variable::new("TWILIO_ACCOUNT_SID", "AC<32 hexadecimal digits>", "", Secret),
    Variable::new("TWILIO_AUTH_TOKEN", "<from console.twilio.com>", "", Secret),
    Variable::new("TWILIO_API_KEY", "SK<32 hexadecimal digits>", "", Secret),
    Variable::new("TWILIO_API_KEY_SECRET", "<from console.twilio.com>", "", Secret),
    Variable::new("TWILIO_SENDER_NUMBER", "+12065550147", "", Part),
    Variable::new("TWILIO_MESSAGING_SERVICE_SID", "MG<32 hexadecimal digits>", "", Part),
    Variable::new("TWILIO_BASE_URL", "https://api.twilio.com", "", Part),
    Variable::new("SENDGRID_API_KEY", "<from app.sendgrid.com>", "", Secret),
    Variable::new("SENDGRID_SENDER_EMAIL", "alerts@example.com", "", Part),
    Variable::new("SENDGRID_BASE_URL", "https://api.sendgrid.com", "", Part),
    Variable::new("ALERT_PHONE", "+12065550147", "", Recipients),
    Variable::new("ALERT_EMAIL", "ops@example.com,dev@example.com", "", Recipients),
    Variable::new("ALERT_WEBHOOK", "ops=https://hooks.slack.com/services/…", "", Secrets),
    Variable::new("ALERT_WEBHOOK_SECRET", "<as its receiver has it>", "", Secret),
    Variable::new("ALERT_WEBHOOK_RESOLVE", "off", "on",
        Setting(|to, it| switch(it.text).map(|resolves| to.webhooks.resolves = resolves))),
    Variable::new("ALERT_HEARTBEAT_URL", "https://hc-ping.com/<uuid>", "", Secret),
    Variable::new("ALERT_HEARTBEAT_EVERY", "5m", "5m",
        Setting(|to, it| duration(it.text).map(|every| to.webhooks.heartbeat_every = every))),
    Variable::new("ALERT_ALLOW_HTTP", "on", "off",
        Setting(|to, it| switch(it.text).map(|is_on| to.allows_http = is_on))),
    Variable::new("ALERT_LEVEL", "error,tower_http=off", "error", Entries(set_levels)),
    Variable::new("ALERT_SMS_LEVEL", "error", "that of ALERT_LEVEL",
        Setting(|to, it| level(it.text).map(|level| to.sms_level = Some(level)))),
    Variable::new("ALERT_EMAIL_LEVEL", "warn", "that of ALERT_LEVEL",
        Setting(|to, it| level(it.text).map(|level| to.email_level = Some(level)))),
    Variable::new("ALERT_WEBHOOK_LEVEL", "error", "that of ALERT_LEVEL",
        Setting(|to, it| level(it.text).map(|level| to.webhooks.level = Some(level)))),
    Variable::new("ALERT_SPAN_LEVEL", "info", "info",
        Setting(|to, it| level(it.text).map(|level| to.span_level = level))),
    Variable::new("ALERT_BREADCRUMBS", "info", "off",
        Setting(|to, it| level(it.text).map(|level| to.breadcrumbs = level))),
    Variable::new("ALERT_APP_NAME", "MyApp", "",
        Setting(|to, it| { to.app_name = Some(it.text.to_owned()); Ok(()) })),
    Variable::new("ALERT_ENVIRONMENT", "production", "",
        Setting(|to, it| { to.environment = Some(it.text.to_owned()); Ok(()) })),
    Variable::new("ALERT_VERSION", "1.2.3", "",
        Setting(|to, it| { to.version = Some(it.text.to_owned()); Ok(()) })),
    Variable::new("ALERT_TIMEZONE", "Europe/Riga", "",
        Setting(|to, it| { to.timezone = Some(it.text.to_owned()); Ok(()) })),
    Variable::new("ALERT_DATABASE", "/var/lib/myapp/alerts.db", "the default file", Setting(set_database)),
    Variable::new("ALERT_FLEET", "postgres://alerts:<password>@db.example.com/mydb", "", Secret),
    Variable::new("ALERT_FLEET_SCHEMA", "tracing_alert", "tracing_alert",
        Setting(|to, it| { to.fleet.schema = it.text.to_owned(); Ok(()) })),
    Variable::new("ALERT_FLEET_POLL", "5m", "the default pace",
        Setting(|to, it| duration(it.text).map(|every| to.fleet.poll = Some(every)))),
    Variable::new("ALERT_PANICS", "on", "on",
        Setting(|to, it| switch(it.text).map(|panics| to.panics = panics))),
    Variable::new("ALERT_SETTLE", "2s", "1s",
        Setting(|to, it| duration(it.text).map(|settle| to.settle = settle))),
    Variable::new("ALERT_SMS_WINDOW", "2m", "2m",
        Setting(|to, it| duration(it.text).map(|window| to.sms_window = window))),
    Variable::new("ALERT_EMAIL_WINDOW", "5m", "5m",
        Setting(|to, it| duration(it.text).map(|window| to.email_window = window))),
    Variable::new("ALERT_WEBHOOK_WINDOW", "2m", "2m",
        Setting(|to, it| duration(it.text).map(|window| to.webhooks.window = window))),
    Variable::new("ALERT_SMS_BUDGET", "3,10m,20", "3,10m,20",
        Setting(|to, it| budget(it.text).map(|budget| to.sms_budget = budget))),
    Variable::new("ALERT_EMAIL_BUDGET", "10,1m,200", "10,1m,200",
        Setting(|to, it| budget(it.text).map(|budget| to.email_budget = budget))),
    Variable::new("ALERT_WEBHOOK_BUDGET", "10,1m,200", "10,1m,200",
        Setting(|to, it| budget(it.text).map(|budget| to.webhooks.budget = budget))),
    Variable::new("ALERT_SMS_SEGMENTS", "60", "60",
        Setting(|to, it| segments(it.text).map(|segments| to.sms_segments = segments))),
    Variable::new("ALERT_CRASH_LOOPS", "off", "on",
        Setting(|to, it| switch(it.text).map(|crash_loops| to.crash_loops = crash_loops))),
    Variable::new("ALERT_SMS_FIELDS", "off", "on",
        Setting(|to, it| switch(it.text).map(|sms_fields| to.sms_fields = sms_fields))),
    Variable::new("ALERT_LINK_LOGS", "https://logs.example.com/?from={first_ms}", "",
        Setting(|to, it| { to.link_templates[0] = Some(Template::new(it.text)); Ok(()) })),
    Variable::new("ALERT_LINK_SOURCE", "https://git.example.com/{file}#L{line}", "",
        Setting(|to, it| { to.link_templates[1] = Some(Template::new(it.text)); Ok(()) })),
    Variable::new("ALERT_LINK_TRACE", "https://traces.example.com/{span:trace_id}", "",
        Setting(|to, it| { to.link_templates[2] = Some(Template::new(it.text)); Ok(()) })),
    Variable::new("ALERT_IGNORE", "3f9a0c1d2e4b5a67", "", Entries(set_ignored)),
    Variable::new("ALERT_REDACTION", "on", "on",
        Setting(|to, it| switch(it.text).map(|redaction| to.redaction = redaction))),
    Variable::new("ALERT_REDACT_FIELDS", "license_plate", "",
        Entries(|to, it| { to.redact_fields = clean::entries(it.text).0; Vec::new() })),
    Variable::new("ALERT_SAFE_FIELDS", "session", "",
        Entries(|to, it| { to.safe_fields = clean::entries(it.text).0; Vec::new() })),
];

fn set_levels(to: &mut Builder, given: &Given<'_>) -> Vec<(Fault, String)> {
    let (level, directives, faults) = levels(given.text);
    to.level = level.unwrap_or(Builder::DEFAULT_LEVEL);
    to.directives = directives;
    let effect = match level {
        Some(_) => "that entry is ignored".to_owned(),
        None => format!("{} is used", Builder::DEFAULT_LEVEL),
    };
    faults.into_iter().map(|fault| (fault, effect.clone())).collect()
}

/// Kinds of event, by their codes.
fn set_ignored(to: &mut Builder, given: &Given<'_>) -> Vec<(Fault, String)> {
    let codes = clean::entries(given.text).0;
    let (good, wrong): (Vec<_>, Vec<_>) = codes.into_iter().partition(|code| is_code(code));
    to.ignored.extend(good.into_iter().map(|code| Matcher::new().kind(code)));
    let fault = |code: &String| {
        let what = format!("{} is not the code of a kind of event", shown(code));
        Fault::new(what).mend("give codes of 16 digits and letters, as mails end with")
    };
    wrong.iter().map(|code| (fault(code), "that entry is ignored".to_owned())).collect()
}

fn set_database(to: &mut Builder, given: &Given<'_>) -> Result<(), Fault> {
    to.database = match path(given)? {
        path if path.as_os_str() == ":memory:" => crate::outbox::Database::Memory,
        path => crate::outbox::Database::File(path),
    };
    Ok(())
}
