//! What is said of a file that cannot be used at the start.
//!
//! Invariant: each line says what may be done about it.

use std::path::Path;

#[cfg(feature = "postgres")]
use super::StoreError;
use crate::host::trouble;

/// The file cannot be had now, or at all.
pub(super) fn no_file(why: &str) {
    // Some reasons name a mend of their own.
    let is_mend_named = why.contains("ALERT_");
    let mend = if is_mend_named { "" } else { ": set ALERT_DATABASE to a writable file" };
    trouble::say(&format!(
        "the database cannot be opened ({why}); until it opens, alerts are kept in memory, and are lost if the process ends \
         first{mend}"
    ));
}

/// What is at the path of the file is another program's.
pub(super) fn foreign(path: &Path, is_set: bool, what: &str) {
    let path = path.display();
    let (setting, mend) = match is_set {
        true => ("ALERT_DATABASE: ", "Set another path"),
        false => ("", "Move it away, or set ALERT_DATABASE to another path"),
    };
    trouble::say(&format!(
        "{setting}{path} is not a tracing-alert database ({what}), and was left untouched; alerts are kept in \
         memory, and are lost if the process ends first. {mend}"
    ));
}

/// What the fleet's store refuses is a defect of ours; that it cannot be reached, who asks
/// it says.
#[cfg(feature = "postgres")]
pub(super) fn of_fleet(error: &StoreError) {
    if let StoreError::Broken(_) | StoreError::Failed(_) = error {
        trouble::report(
            "fleet-store",
            "",
            &format!("the fleet's store refused something: {error}; please report this"),
        );
    }
}
