//! The environment's variables become a [`Builder`] and the problems they have.
//!
//! Runs on the caller's thread. Invariant: depends on the variables it is given,
//! and on the files of credentials that they name. What is wrong switches off only
//! what needs it, and is told once; the rest of the builder is sound.

use std::ffi::OsString;

use tracing_subscriber::filter::LevelFilter;

use super::{builder::Builder, report::Origin};

mod channels;
use channels::{add_email, add_sms};
mod fleet;
use fleet::add_fleet;
mod webhooks;
use webhooks::{add_heartbeat, add_webhooks};

mod clean;
mod parse;
pub(super) use parse::is_target;
mod path;
mod secrets;
pub(super) mod suggest;
mod table;
pub(super) use table::{Given, Role, VARIABLES, Variable};

mod variables;
#[cfg(test)]
pub(super) use variables::HOME;
use variables::Variables;

impl Builder {
    /// The settings in the process's environment ([the table](crate::docs::settings)),
    /// for code to add to. What code sets replaces what a variable says; lists and
    /// sinks are added to.
    ///
    /// Cannot fail: [`build`](Self::build) returns what is wrong with a variable;
    /// [`build_anyway`](Self::build_anyway) writes it to stderr and goes on.
    ///
    /// Reads no file but those that variables like `SENDGRID_API_KEY_FILE` name, and
    /// waits at most a second for each.
    ///
    /// ```no_run
    /// use tracing_alert::{AlertLayer, Builder, Matcher};
    /// use tracing_subscriber::prelude::*;
    ///
    /// let alerts: AlertLayer = Builder::from_env()
    ///     .version(env!("CARGO_PKG_VERSION"))
    ///     .ignore(Matcher::new().message("connection reset"))
    ///     .build_anyway();
    /// tracing_subscriber::registry().with(alerts).init();
    /// ```
    pub fn from_env() -> Self {
        read(std::env::vars_os())
    }
}

/// Reads the settings from `vars`. But for the problems that are noted in it, the
/// builder passes [`Builder::check`]; it may have no sink: that, `check` tells.
pub(crate) fn read(vars: impl IntoIterator<Item = (OsString, OsString)>) -> Builder {
    let mut vars = Variables::sort(vars);
    let mut builder = Builder::new();
    builder.origin = Origin::Environment;
    builder.is_bare = vars.values.is_empty() && vars.problems.is_empty();
    for variable in &VARIABLES {
        let Some(text) = vars.values.get(variable.name).cloned() else { continue };
        let home = vars.home.clone();
        let given = Given { text: &text, home: home.as_deref() };
        match &variable.role {
            Role::Setting(set) => {
                set(&mut builder, &given).unwrap_or_else(|fault| vars.fault(variable, fault));
            }
            Role::Entries(set) => {
                let faults = set(&mut builder, &given);
                faults
                    .into_iter()
                    .for_each(|(fault, effect)| vars.add(variable, variable.name, fault, &effect));
            }
            Role::Part | Role::Secret | Role::Secrets | Role::Recipients => (),
        }
    }
    if builder.webhooks.level != Some(LevelFilter::OFF) {
        builder = add_webhooks(builder, &mut vars);
    }
    builder = add_heartbeat(builder, &mut vars);
    builder = add_fleet(builder, &mut vars);
    // With no alerts at all, nobody misses a way to send.
    vars.is_off = builder.is_off();
    // `off` is for a host that has these credentials for a use of its own.
    if builder.sms_level != Some(LevelFilter::OFF) {
        builder = add_sms(builder, &mut vars);
    }
    if builder.email_level != Some(LevelFilter::OFF) {
        builder = add_email(builder, &mut vars);
    }
    vars.problems.extend(builder.sift(Origin::Environment));
    (builder.problems, builder.hints) = (vars.problems, vars.hints);
    builder
}
