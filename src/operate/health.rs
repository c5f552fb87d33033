//! What is known of a database before an alert depends on it.
//!
//! Invariant: nothing is changed, and what cannot be opened is said with the mend.

use std::{path::Path, time::SystemTime};

use super::{Database, Finding, Overview, Unusable, one_line, processes};
use crate::{
    host::time::spoken,
    outbox::{FILE_CAP_BYTES, MAX_LOG_BYTES, is_on_network, owner_of},
};

/// Checks the file at `path`, what programs left in it, and whether those that have it
/// open tell each of `recipients`, of whom the settings have the sink and the address.
pub fn examine_file(path: &Path, recipients: &[(String, String)]) -> Vec<Finding> {
    let mut found = rights(path);
    let mut file = match Database::open(path) {
        Ok(file) => file,
        Err(why) => {
            let mend = match &why {
                Unusable::Missing(_) => "start the program once, or name the file that it uses by --database",
                Unusable::NotOurs(..) => {
                    "name the file that the program uses by --database, or set ALERT_DATABASE"
                }
                Unusable::Version(..) => "as the words before say",
                Unusable::User { .. } => "as the words before say",
                Unusable::Fleet(_) | Unusable::Failed(..) => {
                    "see that its disk works and has room, and that nobody holds it for long"
                }
            };
            found.push(Finding::bad(OF, "open", why.to_string(), mend));
            return found;
        }
    };
    found.push(Finding::good(OF, "open", path.display().to_string()));
    found.push(Finding::good(OF, "version", format!("as this command's, {}", env!("CARGO_PKG_VERSION"))));
    let program = owner_of(path);
    if let Some(program) = program {
        found.push(Finding::good(OF, "program", one_line(&program, 200)));
    }
    found.extend(processes::examine(&mut file, recipients));
    match file.overview() {
        Err(why) => found.push(Finding::bad(OF, "content", why.to_string(), "see the words before")),
        Ok(overview) => {
            let size = overview.file_bytes / 1024;
            found.push(match overview.file_bytes > FILE_CAP_BYTES {
                true => Finding::bad(
                    OF,
                    "size",
                    format!("{size} KiB, more than the programs want it to be"),
                    "have pending messages sent, or run `tracing-alert purge`",
                ),
                false => Finding::good(OF, "size", format!("{size} KiB")),
            });
            if overview.log_bytes > MAX_LOG_BYTES {
                let says = format!(
                    "its log has {} KiB: somebody reads in one transaction",
                    overview.log_bytes / 1024
                );
                found.push(Finding::bad(
                    OF,
                    "log",
                    says,
                    "end whatever has the file open besides the programs",
                ));
            }
            found.extend(content(OF, &overview));
        }
    }
    found
}

/// What a store says of its sinks, recipients and silences.
pub(super) fn content(of: &str, overview: &Overview) -> Vec<Finding> {
    let mut found = Vec::new();
    for sink in &overview.sinks {
        if let (Some(since), Some(failure)) = (sink.failing_since, &sink.failure) {
            let time = SystemTime::now().duration_since(since).unwrap_or_default();
            let says = format!("{} accepts nothing for {}: {failure}", sink.name, spoken(time));
            found.push(Finding::bad(of, "sink", says, "see what is said of that sink"));
        }
    }
    for recipient in &overview.refused {
        let mend = format!("mend what the provider said, and run `tracing-alert allow {recipient}`");
        let says = format!("{recipient} was refused for good: nothing is attempted for a day");
        found.push(Finding::bad(of, "recipient", says, mend));
    }
    if overview.silences > 0 {
        let says = format!("{} in force: `tracing-alert silences`", overview.silences);
        found.push(Finding::unknown(of, "silences", says));
    }
    found
}

/// Who may read and replace the file, and where it is.
fn rights(path: &Path) -> Vec<Finding> {
    let mut found = Vec::new();
    if is_on_network(path) {
        let says = "it is on a network file system, where a commit takes long and a lock may not hold";
        found.push(Finding::bad(OF, "place", says, "set ALERT_DATABASE to a path on a local disk"));
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let mode = |path: &Path| std::fs::metadata(path).ok().map(|it| it.mode() & 0o7777);
        if let Some(mode) = mode(path).filter(|mode| mode & 0o007 != 0) {
            let says = format!("everybody may open it (mode {mode:04o})");
            found.push(Finding::bad(OF, "rights", says, format!("chmod 600 {}", path.display())));
        }
        let directory =
            path.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
        if let Some(mode) = mode(directory).filter(|mode| mode & 0o1002 == 0o002) {
            let says =
                format!("everybody may replace the files in {} (mode {mode:04o})", directory.display());
            let mend = "set ALERT_DATABASE to a path in a directory of its own";
            found.push(Finding::bad(OF, "directory", says, mend));
        }
    }
    found
}

const OF: &str = "file";
