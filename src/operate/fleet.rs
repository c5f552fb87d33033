//! Which fleet is meant, and what is known of its store.
//!
//! Invariant: nothing of its URL is said but its host, its role and its database.

use std::{ffi::OsString, time::SystemTime};

use super::{Database, Finding, Unusable, health};
use crate::{
    config::read_settings,
    outbox::{Fleet, FleetSettings},
};

/// Where a fleet's store is, and of which program it should be.
pub(super) struct Settings {
    fleet: FleetSettings,
    app: Option<String>,
}

/// Reads `ALERT_FLEET` and what belongs to it.
///
/// # Errors
///
/// If it is not set, or is wrong.
pub(super) fn settings(
    variables: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Settings, Unusable> {
    let (config, problems) = read_settings(variables).sifted();
    if let Some(problem) = problems.iter().find(|problem| problem.setting.starts_with("ALERT_FLEET")) {
        return Err(Unusable::Fleet(format!("{} {}; {}", problem.setting, problem.what, problem.mend)));
    }
    match config.setup.fleet {
        Some(fleet) => Ok(Settings { fleet, app: config.setup.app_name }),
        None => {
            let what =
                "ALERT_FLEET is not set: set it as the program has it, or name a file with it by --env-file";
            Err(Unusable::Fleet(what.to_owned()))
        }
    }
}

impl Settings {
    /// Its schema, and the store in it, if that is of `app` or of the program that the
    /// settings name.
    pub(super) fn open(self, app: Option<&str>) -> Result<(String, Fleet), Unusable> {
        let options = self.fleet.options();
        let options = options.map_err(|fault| Unusable::Fleet(format!("ALERT_FLEET {}", fault.what)))?;
        let fleet =
            Fleet::existing(options, &self.fleet.schema, app.or(self.app.as_deref()), SystemTime::now());
        Ok((self.fleet.schema, fleet))
    }
}

/// Checks the way to the fleet's store that the settings `variables` name, what is in it, and
/// whether the role may do what a program does there.
pub fn examine_fleet(
    variables: impl IntoIterator<Item = (OsString, OsString)> + Clone,
    app: Option<&str>,
) -> Vec<Finding> {
    let wrong =
        |why: &Unusable| vec![Finding::bad("fleet", "settings", why.to_string(), "as the words before say")];
    let opened = settings(variables.clone()).and_then(|settings| settings.open(app));
    let (_, mut fleet) = match opened {
        Ok(opened) => opened,
        Err(why) => return wrong(&why),
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return wrong(&Unusable::Fleet(error.to_string())),
    };
    let mut found = runtime.block_on(fleet.examine(SystemTime::now));
    let is_usable = found.iter().all(|finding| finding.goes_on());
    if is_usable && let Ok(mut database) = Database::open_fleet(variables, app) {
        match database.overview() {
            Ok(overview) => found.extend(health::content("fleet", &overview)),
            Err(why) => found.push(Finding::bad("fleet", "content", why.to_string(), "see the words before")),
        }
    }
    found
}
