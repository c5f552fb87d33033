//! The settings' tests: what both ways to set them share.

use std::ffi::OsString;

use super::{
    env::{HOME, VARIABLES, read},
    *,
};
use crate::{
    dispatcher::Route,
    error::{Error, Problem},
    outbox::Database,
    policy::{budget::Budget, retry::RetryPolicy},
};

mod anything;
mod builder;
mod env;
mod files;
mod names;
mod rows;
mod table;

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

/// The name of every variable.
const NAMES: [&str; VARIABLES.len()] = {
    let mut names = [""; VARIABLES.len()];
    let mut at = 0;
    while at < names.len() {
        names[at] = VARIABLES[at].name;
        at += 1;
    }
    names
};

/// What the environment makes of `vars`, and its problems apart.
fn read_apart(vars: impl IntoIterator<Item = (OsString, OsString)>) -> (Builder, Vec<Problem>) {
    let mut builder = read(vars);
    let problems = std::mem::take(&mut builder.problems);
    (builder, problems)
}

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
    config.setup.routes.iter().find(|route| route.sink.name() == name)
}
