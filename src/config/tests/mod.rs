//! The settings' tests: what both ways to set them share.

use super::*;
use crate::error::{Error, Problem};

mod anything;
mod builder;
mod env;

const ACCOUNT_SID: &str = "AC0123456789abcdef0123456789abcdef";
const KEY_SID: &str = "SK0123456789abcdef0123456789abcdef";
const SERVICE_SID: &str = "MG0123456789abcdef0123456789abcdef";
const TOKEN: &str = "fedcba9876543210fedcba9876543210";
const SENDGRID_KEY: &str = "SG.0123456789abcdefghijkl.0123456789abcdefghijkl0123456789abcdefghijk";
const SENDER: &str = "+15005550006";
const PHONE: &str = "+41791234567";
const EMAIL: &str = "ops@example.com";

/// All that SMS needs.
const SMS: [(&str, &str); 4] = [
    ("TWILIO_ACCOUNT_SID", ACCOUNT_SID),
    ("TWILIO_AUTH_TOKEN", TOKEN),
    ("TWILIO_SENDER_NUMBER", SENDER),
    ("ALERT_PHONE", PHONE),
];

/// All that e-mail needs.
const MAIL: [(&str, &str); 3] = [
    ("SENDGRID_API_KEY", SENDGRID_KEY),
    ("SENDGRID_SENDER_EMAIL", "alerts@example.com"),
    ("ALERT_EMAIL", EMAIL),
];

/// Every variable.
const NAMES: [&str; 30] = [
    "TWILIO_ACCOUNT_SID",
    "TWILIO_AUTH_TOKEN",
    "TWILIO_API_KEY",
    "TWILIO_API_KEY_SECRET",
    "TWILIO_SENDER_NUMBER",
    "TWILIO_MESSAGING_SERVICE_SID",
    "TWILIO_BASE_URL",
    "SENDGRID_API_KEY",
    "SENDGRID_SENDER_EMAIL",
    "SENDGRID_BASE_URL",
    "ALERT_PHONE",
    "ALERT_EMAIL",
    "ALERT_LEVEL",
    "ALERT_SMS_LEVEL",
    "ALERT_EMAIL_LEVEL",
    "ALERT_SPAN_LEVEL",
    "ALERT_BREADCRUMBS",
    "ALERT_APP_NAME",
    "ALERT_ENVIRONMENT",
    "ALERT_DATABASE",
    "ALERT_PANICS",
    "ALERT_SETTLE",
    "ALERT_TIMEZONE",
    "ALERT_SMS_WINDOW",
    "ALERT_EMAIL_WINDOW",
    "ALERT_SMS_BUDGET",
    "ALERT_EMAIL_BUDGET",
    "ALERT_REDACTION",
    "ALERT_REDACT_FIELDS",
    "ALERT_SAFE_FIELDS",
];

fn problems(builder: Builder) -> Vec<Problem> {
    match builder.check() {
        Ok(_) => Vec::new(),
        Err(Error::Settings(problems)) => problems,
    }
}

/// The names of the settings that have a problem, in order.
fn settings(problems: &[Problem]) -> Vec<&str> {
    problems.iter().map(|problem| problem.setting.as_str()).collect()
}

fn route<'a>(config: &'a Config, name: &str) -> Option<&'a Route> {
    config.routes.iter().find(|route| route.sink.name() == name)
}
