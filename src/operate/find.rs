//! Which files there are: where programs look for theirs.

use std::{
    env,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
};

use crate::outbox::{database_path, owner_of};

/// A database of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Found {
    /// Where it is.
    pub path: PathBuf,
    /// The name of the application, as its directory has it.
    pub app: String,
    /// Whose it is: what its program is called, or where that is.
    pub program: Option<String>,
}

/// The files of `app`, or of all applications, where a program with this environment
/// would have its own, and where services have theirs.
pub fn find(app: Option<&str>) -> Vec<Found> {
    let own = database_path(app.unwrap_or("any"), |name| env::var_os(name));
    let directories = own.as_deref().and_then(|path| path.parent()?.parent()).map(Path::to_owned);
    let mut homes: Vec<PathBuf> = directories.into_iter().collect();
    if cfg!(unix) {
        // `StateDirectory=` of systemd: a directory of the service, ours in it.
        let services = fs::read_dir("/var/lib").into_iter().flatten().filter_map(Result::ok);
        homes.extend(services.map(|entry| entry.path().join("tracing-alert")));
        homes.push("/var/lib/tracing-alert".into());
    }
    let wanted = app.and_then(directory_of);
    let mut found = Vec::new();
    for home in homes {
        for directory in fs::read_dir(home).into_iter().flatten().filter_map(Result::ok) {
            let name = directory.file_name().to_string_lossy().into_owned();
            if wanted.as_ref().is_some_and(|wanted| *wanted != directory.file_name()) {
                continue;
            }
            let files = fs::read_dir(directory.path()).into_iter().flatten().filter_map(Result::ok);
            for file in files.map(|file| file.path()).filter(|path| is_database(path)) {
                let program = owner_of(&file);
                found.push(Found { path: file, app: name.clone(), program });
            }
        }
    }
    found.sort_by(|one, other| one.path.cmp(&other.path));
    found.dedup();
    found
}

/// What the directory of `app` is called, wherever it is.
fn directory_of(app: &str) -> Option<OsString> {
    let anywhere = if cfg!(windows) { "C:\\" } else { "/" };
    let path = database_path(app, |name| (name == "STATE_DIRECTORY").then(|| anywhere.into()))?;
    Some(path.parent()?.file_name()?.to_owned())
}

/// `alerts.db`, `alerts-2.db` and so on.
fn is_database(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let number = name.strip_prefix("alerts").and_then(|rest| rest.strip_suffix(".db"));
    number.is_some_and(|number| {
        number.is_empty() || number.strip_prefix('-').is_some_and(|it| it.bytes().all(|b| b.is_ascii_digit()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_called_as_its_program_makes_it() {
        assert_eq!(directory_of("My/App"), Some("My_App".into()));
    }

    #[test]
    fn only_databases_are_found() {
        for name in ["alerts.db", "alerts-2.db"] {
            assert!(is_database(Path::new("/x").join(name).as_path()), "{name}");
        }
        for name in ["alerts.db.lock", "alerts.db-wal", "alerts-x.db", "alerts.db.damaged-1", "other.db"] {
            assert!(!is_database(Path::new("/x").join(name).as_path()), "{name}");
        }
    }
}
