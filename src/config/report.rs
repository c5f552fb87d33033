//! [`Report`]: what was found wrong with the settings, each by the name that it was
//! set by.
//!
//! Invariant: who wrote code reads of methods, who set variables of those.

use super::env::Variable;
use crate::error::{Fault, Problem};

/// Where the settings come from: whose names a [`Problem`] uses, and whether
/// a wrong one is only left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    Code,
    Environment,
}

/// The problems found so far.
pub(super) struct Report {
    pub(super) origin: Origin,
    pub(super) problems: Vec<Problem>,
}

impl Report {
    /// Adds a problem; `effect` is what it leads to where it is no failure.
    pub(super) fn add(&mut self, setting: Setting, fault: Fault, effect: &str) {
        let variable =
            setting.variable.and_then(Variable::named).filter(|_| self.origin == Origin::Environment);
        let (name, example) = match variable {
            Some(Variable { name, example, .. }) => (*name, format!("{name}={example}")),
            None => (setting.call.split('(').next().unwrap_or_default(), setting.call.to_owned()),
        };
        let mend = fault.mend.unwrap_or_else(|| format!("set it like `{example}`"));
        self.pass_on(Problem::new(name, fault.what, mend), effect);
    }

    pub(super) fn pass_on(&mut self, mut problem: Problem, effect: &str) {
        if self.origin == Origin::Environment && !problem.what.ends_with(effect) {
            problem.what = format!("{}: {effect}", problem.what);
        }
        self.problems.push(problem);
    }
}

/// A setting by an example of it in code (what stands before the `(` is its name)
/// and by its variable.
#[derive(Clone, Copy)]
pub(super) struct Setting {
    call: &'static str,
    variable: Option<&'static str>,
}

impl Setting {
    const fn new(call: &'static str, variable: &'static str) -> Self {
        Self { call, variable: Some(variable) }
    }

    const fn in_code(call: &'static str) -> Self {
        Self { call, variable: None }
    }
}

pub(super) const APP_NAME: Setting = Setting::new(r#"app_name("MyApp")"#, "ALERT_APP_NAME");
pub(super) const ENVIRONMENT: Setting = Setting::new(r#"environment("production")"#, "ALERT_ENVIRONMENT");
pub(super) const VERSION: Setting = Setting::new(r#"version("1.2.3")"#, "ALERT_VERSION");
pub(super) const DATABASE: Setting =
    Setting::new(r#"database("/var/lib/myapp/alerts.db")"#, "ALERT_DATABASE");
pub(super) const SETTLE: Setting = Setting::new("settle(Duration::from_secs(2))", "ALERT_SETTLE");
pub(super) const SMS_WINDOW: Setting =
    Setting::new("sms_window(Duration::from_secs(120))", "ALERT_SMS_WINDOW");
pub(super) const EMAIL_WINDOW: Setting =
    Setting::new("email_window(Duration::from_secs(300))", "ALERT_EMAIL_WINDOW");
pub(super) const SMS_BUDGET: Setting = Setting::new("sms_budget(Budget::SMS)", "ALERT_SMS_BUDGET");
pub(super) const SMS_SEGMENTS: Setting = Setting::new("sms_segments(60)", "ALERT_SMS_SEGMENTS");
pub(super) const EMAIL_BUDGET: Setting = Setting::new("email_budget(Budget::EMAIL)", "ALERT_EMAIL_BUDGET");
pub(super) const TIMEZONE: Setting = Setting::new(r#"timezone("Europe/Riga")"#, "ALERT_TIMEZONE");
pub(super) const SMS: Setting = Setting::new(r#"sms(twilio, ["+12065550147"])"#, "ALERT_PHONE");
pub(super) const EMAIL: Setting = Setting::new(r#"email(sendgrid, ["ops@example.com"])"#, "ALERT_EMAIL");
pub(super) const WEBHOOK: Setting =
    Setting::new(r#"webhook(WebhookSink::new("ops", "https://…"))"#, "ALERT_WEBHOOK");
pub(super) const WEBHOOK_WINDOW: Setting =
    Setting::new("webhook_window(Duration::from_secs(120))", "ALERT_WEBHOOK_WINDOW");
pub(super) const WEBHOOK_BUDGET: Setting =
    Setting::new("webhook_budget(Budget::EMAIL)", "ALERT_WEBHOOK_BUDGET");
#[cfg(feature = "webhook")]
pub(super) const HEARTBEAT: Setting = Setting::new(r#"heartbeat("https://…")"#, "ALERT_HEARTBEAT_URL");
pub(super) const HEARTBEAT_EVERY: Setting =
    Setting::new("heartbeat_every(Duration::from_secs(300))", "ALERT_HEARTBEAT_EVERY");
#[cfg(feature = "postgres")]
pub(super) const FLEET: Setting =
    Setting::new(r#"fleet("postgres://alerts:<password>@db.example.com/mydb")"#, "ALERT_FLEET");
pub(super) const FLEET_SCHEMA: Setting =
    Setting::new(r#"fleet_schema("tracing_alert")"#, "ALERT_FLEET_SCHEMA");
pub(super) const FLEET_POLL: Setting =
    Setting::new("fleet_poll(Duration::from_secs(300))", "ALERT_FLEET_POLL");
pub(super) const REDACT_FIELDS: Setting =
    Setting::new(r#"redact_fields(["license_plate"])"#, "ALERT_REDACT_FIELDS");
pub(super) const SAFE_FIELDS: Setting = Setting::new(r#"safe_fields(["session"])"#, "ALERT_SAFE_FIELDS");
pub(super) const LEVEL_FOR: Setting =
    Setting::new(r#"level_for("tower_http", LevelFilter::OFF)"#, "ALERT_LEVEL");
/// In the order of the builder's.
pub(super) const LINKS: [Setting; 3] = [
    Setting::new(r#"link_logs("https://logs.example.com/?from={first_ms}")"#, "ALERT_LINK_LOGS"),
    Setting::new(r#"link_source("https://git.example.com/{file}#L{line}")"#, "ALERT_LINK_SOURCE"),
    Setting::new(r#"link_trace("https://traces.example.com/{span:trace_id}")"#, "ALERT_LINK_TRACE"),
];
pub(super) const RETRY: Setting = Setting::in_code("retry(RetryPolicy::DEFAULT)");
pub(super) const STORM_RATE: Setting = Setting::in_code("storm_rate(100)");
pub(super) const SINK: Setting = Setting::in_code(r#"sink(pager, ["on-call"])"#);
pub(super) const RECIPIENTS: Setting = Setting::in_code(r#"tell(Recipients::by(pager, ["on-call"]))"#);
