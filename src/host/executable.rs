//! Which program this is: where its executable is, or was.

use std::{ffi::OsString, path::PathBuf};

/// The path of the executable, through no link. If it was replaced or deleted since
/// the program started, the path it had. None if nobody says.
pub(crate) fn path() -> Option<PathBuf> {
    // Where there is no `/proc`, the system does not know.
    let Ok(path) = std::env::current_exe() else { return called_by_path(std::env::args_os().next()?) };
    match path.canonicalize() {
        Ok(canonical) => Some(canonical),
        Err(_) => Some(before_deletion(path)),
    }
}

/// The name of the executable, without what is after the dot.
pub(crate) fn name() -> Option<String> {
    let called = || std::env::args_os().next().map(PathBuf::from);
    Some(path().or_else(called)?.file_stem()?.to_string_lossy().into_owned())
}

/// The file that a program was called by, if it was called by a path.
fn called_by_path(called: OsString) -> Option<PathBuf> {
    let called = PathBuf::from(called);
    called.parent().filter(|parent| !parent.as_os_str().is_empty())?;
    called.canonicalize().ok().filter(|path| path.is_file())
}

/// Linux adds to the path of an executable that is gone.
#[cfg(target_os = "linux")]
fn before_deletion(path: PathBuf) -> PathBuf {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt};

    match path.as_os_str().as_bytes().strip_suffix(b" (deleted)") {
        Some(before) => OsStr::from_bytes(before).into(),
        None => path,
    }
}

#[cfg(not(target_os = "linux"))]
fn before_deletion(path: PathBuf) -> PathBuf {
    path
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn an_executable_that_was_replaced_is_where_it_was() {
        assert_eq!(before_deletion("/opt/a/server (deleted)".into()), PathBuf::from("/opt/a/server"));
        assert_eq!(before_deletion("/opt/a/server".into()), PathBuf::from("/opt/a/server"));
        assert!(path().unwrap().is_file());
    }

    #[test]
    fn whoever_was_called_by_a_path_is_known_without_help_of_the_system() {
        assert_eq!(called_by_path(path().unwrap().into()), path());
        for called in ["server", "", "/nowhere/server", "/"] {
            assert_eq!(called_by_path(called.into()), None, "{called}");
        }
    }
}
