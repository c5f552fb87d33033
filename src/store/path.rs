//! Where the database file is, and how its directory comes to be.

use std::{
    ffi::OsString,
    fs::{File, OpenOptions, TryLockError},
    io,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use super::StoreError;

/// The file for `app`: below `$STATE_DIRECTORY`, which a service manager sets,
/// else `$XDG_STATE_HOME`, else the platform's directory for application state.
/// None if there is none of these: never the working or the temporary directory.
pub(crate) fn database_path(app: &str, var: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let absolute = |path: OsString| Some(PathBuf::from(path)).filter(|path| path.is_absolute());
    let state = var("STATE_DIRECTORY")
        .and_then(|list| std::env::split_paths(&list).next())
        .filter(|path| path.is_absolute())
        .or_else(|| var("XDG_STATE_HOME").and_then(absolute))
        .or_else(|| platform_state(&var, absolute))?;
    Some(state.join("tracing-alert").join(file_name(app)).join("alerts.db"))
}

#[cfg(not(any(windows, target_os = "macos")))]
fn platform_state(
    var: &impl Fn(&str) -> Option<OsString>,
    absolute: impl Fn(OsString) -> Option<PathBuf>,
) -> Option<PathBuf> {
    var("HOME").and_then(absolute).map(|home| home.join(".local/state"))
}

#[cfg(target_os = "macos")]
fn platform_state(
    var: &impl Fn(&str) -> Option<OsString>,
    absolute: impl Fn(OsString) -> Option<PathBuf>,
) -> Option<PathBuf> {
    var("HOME").and_then(absolute).map(|home| home.join("Library/Application Support"))
}

#[cfg(windows)]
fn platform_state(
    var: &impl Fn(&str) -> Option<OsString>,
    absolute: impl Fn(OsString) -> Option<PathBuf>,
) -> Option<PathBuf> {
    var("LOCALAPPDATA").and_then(absolute)
}

/// `app` as one component of a path.
fn file_name(app: &str) -> String {
    let name: String = app
        .chars()
        .map(|c| if c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | ' ') { c } else { '_' })
        .take(64)
        .collect();
    if name.chars().all(|c| c == '.') { "_".to_owned() } else { name }
}

/// Creates the directories (0700) and an empty file (0600) that are missing.
/// A file that exists is not opened.
pub(super) fn prepare(path: &Path) -> Result<(), StoreError> {
    let failed = |error: io::Error| StoreError::Failed(error.to_string());
    if let Some(directory) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        create_directory(directory)
            .map_err(|error| StoreError::Failed(format!("creating {}: {error}", directory.display())))?;
    }
    // Closing the new file while another layer of this process has it open in
    // SQLite would drop that one's locks.
    static CREATING: Mutex<()> = Mutex::new(());
    let _creating = CREATING.lock().unwrap_or_else(PoisonError::into_inner);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let metadata = std::fs::symlink_metadata(path).map_err(failed)?;
            if metadata.is_file() { Ok(()) } else { Err(StoreError::Failed("not a regular file".to_owned())) }
        }
        Err(error) => Err(failed(error)),
    }
}

fn create_directory(directory: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory)
}

/// Which file it is, whatever its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity(u64, u64);

/// The file at `path`; none where that cannot be told.
pub(crate) fn identity(path: &Path) -> Option<Identity> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        match std::fs::metadata(path) {
            Ok(metadata) => Some(Identity(metadata.dev(), metadata.ino())),
            // Deleted is not the same as unknown: a process that gave up its rights
            // may not look, and has the file open all the same.
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                Some(Identity(0, 0))
            }
            Err(_) => None,
        }
    }
    #[cfg(not(unix))]
    {
        let _: &Path = path;
        None
    }
}

/// Shares the lock that keeps the file from being replaced. A lock file of its
/// own: locking the database itself would drop SQLite's locks.
pub(super) fn lock(path: &Path) -> Result<Option<File>, StoreError> {
    let Some(file) = open_lock(path) else {
        return Ok(None);
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Err(StoreError::Busy),
        // A file system without locks.
        Err(TryLockError::Error(_)) => Ok(None),
    }
}

fn open_lock(path: &Path) -> Option<File> {
    if let Some(directory) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        create_directory(directory).ok()?;
    }
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(with_suffix(path, ".lock")).ok()
}

/// Renames a damaged file and what belongs to it, unless another process has it
/// open. Returns the new name.
pub(super) fn set_aside(path: &Path) -> Result<PathBuf, StoreError> {
    let lock =
        open_lock(path).ok_or_else(|| StoreError::Failed("damaged, and cannot be replaced".to_owned()))?;
    lock.try_lock().map_err(|_| StoreError::Failed("damaged, and open in another process".to_owned()))?;
    let aside = (1..=MOST_ASIDE)
        .map(|number| with_suffix(path, &format!(".damaged-{number}")))
        .find(|aside| !aside.exists())
        .ok_or_else(|| StoreError::Failed("damaged, and there are too many damaged ones".to_owned()))?;
    for suffix in ["-journal", "-wal", "-shm", ""] {
        match std::fs::rename(with_suffix(path, suffix), with_suffix(&aside, suffix)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(StoreError::Failed(format!("damaged, and cannot be renamed: {error}")));
            }
            Ok(()) | Err(_) => (),
        }
    }
    Ok(aside)
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// How many damaged files are kept; somebody should have looked by then.
const MOST_ASIDE: u32 = 9;

#[cfg(test)]
mod tests {
    use super::*;

    fn path(vars: &[(&str, &str)]) -> Option<PathBuf> {
        database_path("My/App", |name| {
            vars.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value))
        })
    }

    #[test]
    #[cfg(unix)]
    fn a_service_managers_directory_comes_first() {
        let all =
            [("STATE_DIRECTORY", "/var/lib/a:/var/lib/b"), ("XDG_STATE_HOME", "/x"), ("HOME", "/home/me")];
        assert_eq!(path(&all).unwrap(), Path::new("/var/lib/a/tracing-alert/My_App/alerts.db"));
        assert_eq!(path(&all[1..]).unwrap(), Path::new("/x/tracing-alert/My_App/alerts.db"));
    }

    #[test]
    fn without_a_home_there_is_no_file() {
        assert_eq!(path(&[]), None);
        assert_eq!(path(&[("HOME", "relative"), ("LOCALAPPDATA", "relative")]), None);
    }

    #[test]
    fn an_applications_name_is_one_component() {
        assert_eq!(file_name("../../etc/passwd"), ".._.._etc_passwd");
        assert_eq!(file_name(".."), "_");
        assert_eq!(file_name(""), "_");
        assert_eq!(file_name("Größe 1.0"), "Größe 1.0");
    }

    #[test]
    #[cfg(unix)]
    fn directories_and_file_are_made_for_the_owner_alone() {
        use std::os::unix::fs::PermissionsExt;

        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("a/b/alerts.db");
        prepare(&file).unwrap();
        prepare(&file).unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(
            (mode(&file), mode(&root.path().join("a")), mode(&root.path().join("a/b"))),
            (0o600, 0o700, 0o700)
        );
    }

    #[test]
    #[cfg(unix)]
    fn a_link_is_refused() {
        let root = tempfile::tempdir().unwrap();
        let link = root.path().join("alerts.db");
        std::os::unix::fs::symlink("/etc/hostname", &link).unwrap();
        assert!(prepare(&link).unwrap_err().to_string().contains("not a regular file"));
    }
}
