//! Where the database file is, and how its directory comes to be.

use std::{
    ffi::OsString,
    fs::{File, OpenOptions, TryLockError},
    io::{self, Read, Write},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use super::StoreError;
use crate::host::fork::{LockedFile, PerProcess};

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
    static CREATING: PerProcess<Mutex<()>> = PerProcess::new();
    let _creating = CREATING.get().lock().unwrap_or_else(PoisonError::into_inner);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_) => Ok(()),
        // It may have come since it was judged.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let metadata = std::fs::symlink_metadata(path).map_err(failed)?;
            if metadata.is_file() { Ok(()) } else { Err(StoreError::Failed("not a regular file".to_owned())) }
        }
        Err(error) => Err(failed(error)),
    }
}

pub(super) fn create_directory(directory: &Path) -> io::Result<()> {
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
    match look_up(path) {
        Ok(identity) => Some(identity),
        // Deleted is not the same as unknown: a process that gave up its rights
        // may not look, and has the file open all the same.
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Some(Identity(0, 0))
        }
        Err(_) => None,
    }
}

#[cfg(unix)]
fn look_up(path: &Path) -> io::Result<Identity> {
    use std::os::unix::fs::MetadataExt;
    let metadata = std::fs::metadata(path)?;
    Ok(Identity(metadata.dev(), metadata.ino()))
}

#[cfg(windows)]
#[expect(unsafe_code, reason = "the standard library does not tell which file it is")]
fn look_up(path: &Path) -> io::Result<Identity> {
    use std::{
        mem::MaybeUninit,
        os::windows::{fs::OpenOptionsExt, io::AsRawHandle},
    };
    use windows_sys::Win32::Storage::FileSystem::{FILE_FLAG_BACKUP_SEMANTICS, GetFileInformationByHandle};

    // To ask, and neither to read nor to write: that is in nobody's way. The flag
    // lets it be a directory.
    let file = OpenOptions::new().access_mode(0).custom_flags(FILE_FLAG_BACKUP_SEMANTICS).open(path)?;
    let mut told = MaybeUninit::uninit();
    // SAFETY: the file is open, and `told` has room for the answer.
    if unsafe { GetFileInformationByHandle(file.as_raw_handle(), told.as_mut_ptr()) } == 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: as it succeeded, it has filled in the whole answer.
    let told = unsafe { told.assume_init() };
    let index = u64::from(told.nFileIndexHigh) << 32 | u64::from(told.nFileIndexLow);
    Ok(Identity(told.dwVolumeSerialNumber.into(), index))
}

#[cfg(not(any(unix, windows)))]
fn look_up(_path: &Path) -> io::Result<Identity> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Shares the lock that keeps the file from being replaced. A lock file of its
/// own: locking the database itself would drop SQLite's locks. None where there
/// can be no lock.
pub(super) fn lock(path: &Path) -> Result<Option<LockedFile>, StoreError> {
    share(open_lock(path)?)
}

/// As [`lock`], but makes no file.
#[cfg(feature = "cli")]
pub(super) fn lock_existing(path: &Path) -> Result<Option<LockedFile>, StoreError> {
    let file = open_as_it_is(OpenOptions::new().read(true), &with_suffix(path, LOCK));
    share(file.ok().map(LockedFile::new))
}

fn share(lock: Option<LockedFile>) -> Result<Option<LockedFile>, StoreError> {
    let Some(file) = lock else { return Ok(None) };
    match file.try_lock_shared() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Err(StoreError::Busy),
        // A file system without locks.
        Err(TryLockError::Error(_)) => Ok(None),
    }
}

/// Takes the lock for us alone, to replace a damaged file.
pub(super) fn lock_alone(path: &Path) -> Result<LockedFile, StoreError> {
    let lock =
        open_lock(path)?.ok_or_else(|| StoreError::Failed("damaged, and cannot be replaced".to_owned()))?;
    lock.try_lock().map_err(|_| StoreError::Failed("damaged, and open in another process".to_owned()))?;
    Ok(lock)
}

/// Whether something else has the file open, too. `lock` is shared, and stays so.
pub(super) fn is_shared(lock: &File) -> Result<bool, StoreError> {
    // Elsewhere a lock cannot be asked for twice.
    let is_alone = cfg!(unix) && lock.try_lock().is_ok();
    // Whether it was given or not, that may have cost the shared one.
    match lock.try_lock_shared() {
        Ok(()) => Ok(!is_alone),
        Err(_) if cfg!(unix) => Err(StoreError::Busy),
        Err(_) => Ok(true),
    }
}

fn open_lock(path: &Path) -> Result<Option<LockedFile>, StoreError> {
    if let Some(directory) = path.parent().filter(|parent| !parent.as_os_str().is_empty())
        && create_directory(directory).is_err()
    {
        return Ok(None);
    }
    let path = with_suffix(path, LOCK);
    match open_beside(&path) {
        Ok(file) => {
            if file.metadata().is_ok_and(|metadata| metadata.len() == 0) {
                // Nothing depends on it but the rescue of a file without a header.
                drop((&*file).write_all(MARK));
            }
            Ok(Some(file))
        }
        Err(_) if std::fs::symlink_metadata(&path).is_ok_and(|metadata| !metadata.is_file()) => {
            Err(StoreError::Failed(format!("{} is not a regular file: remove it", path.display())))
        }
        Err(_) => Ok(None),
    }
}

/// Whether we had a database at `path`: the lock beside it says so. A file of ours
/// whose header is damaged is known by that.
pub(super) fn is_marked(path: &Path) -> bool {
    let mut options = OpenOptions::new();
    options.read(true);
    let mut begin = Vec::new();
    let read = open_as_it_is(&mut options, &with_suffix(path, LOCK))
        .and_then(|file| file.take(MARK.len() as u64).read_to_end(&mut begin));
    read.is_ok() && begin == MARK
}

/// Opens a file of ours beside a database, to be locked, or makes it (0600).
pub(super) fn open_beside(path: &Path) -> io::Result<LockedFile> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    open_as_it_is(&mut options, path).map(LockedFile::new)
}

/// Opens a regular file; follows no link, and waits for no other end of a pipe.
fn open_as_it_is(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(options, libc::O_NOFOLLOW | libc::O_NONBLOCK);
    let file = options.open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("not a regular file")) }
}

/// Renames a damaged file and what belongs to it; nobody else has it open, for the
/// caller has the lock alone. Returns the new name.
pub(super) fn set_aside(path: &Path, _alone: &File) -> Result<PathBuf, StoreError> {
    let aside = (1..=MAX_ASIDE)
        .map(|number| with_suffix(path, &format!(".damaged-{number}")))
        .find(|aside| !aside.exists())
        .ok_or_else(|| {
            StoreError::Failed(
                "damaged, and there are too many damaged ones beside it: remove some".to_owned(),
            )
        })?;
    // The database first: if the process dies in between, its journals are left with
    // no database, and `finish_set_aside` knows whose they are.
    rename_all(path, &aside, &["", "-journal", "-wal", "-shm"])?;
    Ok(aside)
}

/// Puts journals aside that are left of a database that was put aside, or deleted:
/// SQLite would take them for those of the new one. Nothing, if somebody has that
/// open already.
pub(super) fn finish_set_aside(path: &Path) -> Result<(), StoreError> {
    let exists = |suffix: &str| std::fs::symlink_metadata(with_suffix(path, suffix)).is_ok();
    let are_left = || !exists("") && JOURNALS.iter().any(|suffix| exists(suffix));
    if !are_left() || !is_marked(path) {
        return Ok(());
    }
    let Ok(_alone) = lock_alone(path) else { return Ok(()) };
    let asides = (1..=MAX_ASIDE).map(|number| with_suffix(path, &format!(".damaged-{number}")));
    let has_journal = |aside: &PathBuf| JOURNALS.iter().any(|suffix| with_suffix(aside, suffix).exists());
    let own = asides.filter(|aside| !has_journal(aside)).max_by_key(|aside| aside.exists());
    match own.filter(|_| are_left()) {
        Some(aside) => rename_all(path, &aside, &JOURNALS),
        None => Ok(()),
    }
}

fn rename_all(path: &Path, aside: &Path, suffixes: &[&str]) -> Result<(), StoreError> {
    for suffix in suffixes {
        match std::fs::rename(with_suffix(path, suffix), with_suffix(aside, suffix)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(StoreError::Failed(format!("damaged, and cannot be renamed: {error}")));
            }
            Ok(()) | Err(_) => (),
        }
    }
    Ok(())
}

/// What SQLite keeps beside a database.
const JOURNALS: [&str; 3] = ["-journal", "-wal", "-shm"];

pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

const LOCK: &str = ".lock";

/// How a lock file of ours begins.
const MARK: &[u8] = b"tracing-alert\n";

/// How many damaged files are kept; somebody should have looked by then.
const MAX_ASIDE: u32 = 9;

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
    fn whoever_shares_a_file_knows_it_and_goes_on_sharing_it() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("alerts.db");
        let one = lock(&file).unwrap().unwrap();
        assert!(!is_shared(&one).unwrap());
        assert!(open_lock(&file).unwrap().unwrap().try_lock().is_err(), "it is not held any more");
        let other = lock(&file).unwrap().unwrap();
        assert!(is_shared(&one).unwrap() && is_shared(&other).unwrap());
        drop(one);
        assert!(!is_shared(&other).unwrap());
    }

    #[test]
    #[cfg(unix)]
    fn a_link_is_refused() {
        let root = tempfile::tempdir().unwrap();
        let link = root.path().join("alerts.db");
        std::os::unix::fs::symlink("/etc/hostname", &link).unwrap();
        assert!(prepare(&link).unwrap_err().to_string().contains("not a regular file"));
    }

    #[test]
    #[cfg(unix)]
    fn a_lock_is_neither_a_link_nor_a_pipe() {
        let root = tempfile::tempdir().unwrap();
        let (path, lock) = (root.path().join("alerts.db"), root.path().join("alerts.db.lock"));
        let other = root.path().join("other");
        std::os::unix::fs::symlink(&other, &lock).unwrap();
        assert!(super::lock(&path).unwrap_err().to_string().contains("not a regular file"));
        assert!(!other.exists(), "the link was followed");
        std::fs::write(&other, MARK).unwrap();
        assert!(!is_marked(&path), "the link was followed");
        std::fs::remove_file(&lock).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(&lock).status().unwrap().success());
        assert!(super::lock(&path).unwrap_err().to_string().contains("not a regular file"));
        assert!(!is_marked(&path));
        std::fs::remove_file(&lock).unwrap();
        let _lock = super::lock(&path).unwrap().expect("there are locks here");
        assert!(is_marked(&path));
    }
}
