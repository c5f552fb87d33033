//! Who but the owner may read or replace the database: nobody, if we can help it.
//!
//! What we make has mode 0600. A file of ours that everybody may read was not meant
//! to be: what all may do is taken away. What only its group may was chosen, for
//! programs of several users that share a file: it stays, and such a group may lock
//! the file, too.
//! Invariant: what is wrong and cannot be mended is said, and the file is used
//! nevertheless: an alert that is read is better than one that is lost. No descriptor
//! of the database is closed that a lock hangs on, and no link is followed.

use std::{fs::Metadata, path::Path};

#[cfg(not(unix))]
pub(super) fn tighten(_path: &Path) {}

#[cfg(not(unix))]
pub(super) fn is_planted(_path: &Path, _metadata: &Metadata) -> bool {
    false
}

#[cfg(all(feature = "cli", not(unix)))]
pub(super) fn other_owner(_metadata: &Metadata) -> Option<u32> {
    None
}

#[cfg(all(feature = "cli", unix))]
pub(super) use unix::other_owner;
#[cfg(unix)]
pub(super) use unix::{is_planted, tighten};

#[cfg(unix)]
mod unix {
    use std::{
        ffi::CString,
        fs, io,
        os::unix::{ffi::OsStrExt, fs::MetadataExt},
    };
    #[cfg(target_os = "linux")]
    use std::{
        fs::{OpenOptions, Permissions},
        os::{
            fd::AsRawFd,
            unix::fs::{OpenOptionsExt, PermissionsExt},
        },
    };

    use super::{Metadata, Path};
    use crate::{host::trouble, outbox::path::with_suffix};

    /// Closes the database at `path`, and what is beside it, to everybody but its owner
    /// and a group that may do more with it than everybody.
    pub(in crate::outbox) fn tighten(path: &Path) {
        let name = path.display();
        let (mut closed, mut open) = (None, None);
        for suffix in ["", "-wal", "-shm", "-journal", ".lock", ".program"] {
            let path = with_suffix(path, suffix);
            if let Some(mode) = mode(&path).filter(|mode| is_open(*mode)) {
                let done = change(&path, narrowed(mode));
                match self::mode(&path).filter(|mode| is_open(*mode)) {
                    None => closed = closed.or(Some(mode)),
                    // Some file systems take it, and do nothing.
                    Some(mode) => open = open.or_else(|| Some((mode, done.err()))),
                }
            }
        }
        if let Some(mode) = closed {
            let now = narrowed(mode);
            trouble::say(&format!(
                "everybody could open {name} (mode {mode:04o}): now its mode is {now:04o}. For programs of several \
                 users that share it, give it to a group (mode 0660)"
            ));
        }
        share_locks(path);
        if let Some((mode, why)) = open {
            let why = why.map_or_else(|| "the file system keeps it".to_owned(), |why| why.to_string());
            trouble::report(
                "mode",
                "",
                &format!(
                    "everybody may open {name} (mode {mode:04o}), and that cannot be changed ({why}): chmod 600 it, or \
                     set ALERT_DATABASE to another path"
                ),
            );
        }
        let directory = directory(path);
        if let Some(mode) = fs::metadata(directory).ok().map(|it| it.mode() & 0o7777)
            && mode & (0o002 | STICKY) == 0o002
        {
            trouble::report(
                "directory",
                "",
                &format!(
                    "everybody may replace the files in {} (mode {mode:04o}): set ALERT_DATABASE to a path in a \
                     directory of its own, which is made if it is missing",
                    directory.display()
                ),
            );
        }
    }

    /// Whether anybody could have put a file of another user at `path`, to read what
    /// we write or to have us send what they wrote.
    pub(in crate::outbox) fn is_planted(path: &Path, metadata: &Metadata) -> bool {
        let is_open = fs::metadata(directory(path)).is_ok_and(|it| it.mode() & 0o002 != 0);
        is_open && ![0, user()].contains(&metadata.uid())
    }

    /// Whose a file is, if who asks is neither that user nor root: what SQLite makes
    /// beside it would be of the one who asks. As root it gives that to the owner.
    #[cfg(feature = "cli")]
    pub(in crate::outbox) fn other_owner(metadata: &Metadata) -> Option<u32> {
        Some(metadata.uid()).filter(|owner| ![0, *owner].contains(&user()))
    }

    /// Has whoever may write the database lock it, too. Of one who may not lock it is not
    /// known that they have it open.
    fn share_locks(path: &Path) {
        let Some(group) = mode(path).map(|mode| mode & GROUP).filter(|group| *group == GROUP) else { return };
        let locks =
            [with_suffix(path, ".lock"), with_suffix(path, ".program"), path.with_file_name("programs.lock")];
        for (lock, mode) in locks.iter().filter_map(|lock| Some((lock, mode(lock)?))) {
            if mode & group != group {
                // It is another user's, who does this at the next start.
                drop(change(lock, mode | group));
            }
        }
    }

    /// The mode of a regular file.
    fn mode(path: &Path) -> Option<u32> {
        let metadata = fs::symlink_metadata(path).ok().filter(Metadata::is_file)?;
        Some(metadata.mode() & 0o7777)
    }

    /// Whether everybody may open it in some way.
    fn is_open(mode: u32) -> bool {
        mode & 0o007 != 0
    }

    /// Without what everybody may; a group that may more keeps what it may.
    fn narrowed(mode: u32) -> u32 {
        let group = mode & GROUP;
        let is_chosen = group & !(mode << 3) != 0;
        if is_chosen { 0o600 | group } else { 0o600 }
    }

    fn directory(path: &Path) -> &Path {
        path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."))
    }

    /// Older C libraries cannot set the mode of what may be a link. A descriptor that
    /// is only a path has no part in the locks.
    #[cfg(target_os = "linux")]
    fn change(path: &Path, mode: u32) -> io::Result<()> {
        let file = OpenOptions::new().read(true).custom_flags(libc::O_PATH | libc::O_NOFOLLOW).open(path)?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::other("not a regular file"));
        }
        let by_number = format!("/proc/self/fd/{}", file.as_raw_fd());
        match fs::set_permissions(by_number, Permissions::from_mode(mode)) {
            // There is no `/proc`.
            Err(error) if error.kind() == io::ErrorKind::NotFound => change_unless_link(path, mode),
            done => done,
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn change(path: &Path, mode: u32) -> io::Result<()> {
        change_unless_link(path, mode)
    }

    #[expect(unsafe_code, reason = "the standard library follows links")]
    #[expect(clippy::allow_attributes, reason = "on some platforms it is that type already")]
    #[allow(clippy::cast_possible_truncation, trivial_numeric_casts, reason = "a mode has twelve bits")]
    fn change_unless_link(path: &Path, mode: u32) -> io::Result<()> {
        let path = CString::new(path.as_os_str().as_bytes())?;
        let mode = mode as libc::mode_t;
        // SAFETY: the path ends with a zero byte.
        let done = unsafe { libc::fchmodat(libc::AT_FDCWD, path.as_ptr(), mode, libc::AT_SYMLINK_NOFOLLOW) };
        if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    #[expect(unsafe_code, reason = "the standard library does not know the user")]
    fn user() -> u32 {
        // SAFETY: it takes nothing, and always succeeds.
        unsafe { libc::geteuid() }
    }

    /// What a group may: read and write.
    const GROUP: u32 = 0o060;

    const STICKY: u32 = 0o1000;
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::{
        fs::{self, Permissions},
        os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    };

    use super::*;
    use crate::outbox::path::with_suffix;

    fn set(path: &Path, mode: u32) {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    fn mode(path: &Path) -> u32 {
        fs::symlink_metadata(path).unwrap().mode() & 0o777
    }

    #[test]
    fn what_everybody_may_open_is_closed_and_what_a_group_may_stays() {
        for (before, after) in [
            (0o666, 0o600),
            (0o644, 0o600),
            (0o602, 0o600),
            (0o777, 0o600),
            (0o604, 0o600),
            (0o664, 0o660),
            (0o642, 0o640),
            (0o675, 0o660),
            (0o600, 0o600),
            (0o660, 0o660),
            (0o640, 0o640),
        ] {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("alerts.db");
            let files = ["", "-wal", "-shm", "-journal", ".lock", ".program"]
                .map(|suffix| with_suffix(&path, suffix));
            for file in &files {
                fs::write(file, "").unwrap();
                set(file, before);
            }
            tighten(&path);
            for file in &files {
                assert_eq!(mode(file), after, "{before:o}: {}", file.display());
            }
        }
    }

    #[test]
    fn a_group_that_may_write_the_file_may_lock_it() {
        for (database, lock) in [(0o660, 0o660), (0o664, 0o660), (0o640, 0o600), (0o600, 0o600)] {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("alerts.db");
            let locks = [
                with_suffix(&path, ".lock"),
                with_suffix(&path, ".program"),
                directory.path().join("programs.lock"),
            ];
            fs::write(&path, "").unwrap();
            set(&path, database);
            for file in &locks {
                fs::write(file, "").unwrap();
                set(file, 0o600);
            }
            tighten(&path);
            assert_eq!(locks.each_ref().map(|file| mode(file)), [lock; 3], "{database:o}");
        }
    }

    #[test]
    fn a_link_is_not_followed() {
        let directory = tempfile::tempdir().unwrap();
        let (path, other) = (directory.path().join("alerts.db"), directory.path().join("other"));
        fs::write(&other, "").unwrap();
        set(&other, 0o666);
        symlink(&other, with_suffix(&path, "-wal")).unwrap();
        symlink(&other, &path).unwrap();
        tighten(&path);
        assert_eq!(mode(&other), 0o666);
    }

    #[test]
    fn a_file_of_another_user_counts_as_planted_where_everybody_may_write() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("alerts.db");
        fs::write(&path, "").unwrap();
        let is_planted = || is_planted(&path, &fs::symlink_metadata(&path).unwrap());
        set(directory.path(), 0o1777);
        assert!(!is_planted(), "it is our own");
        // Only root can give a file away.
        if std::os::unix::fs::chown(&path, Some(12_345), None).is_ok() {
            assert!(is_planted());
            set(directory.path(), 0o770);
            assert!(!is_planted(), "who may write here was chosen");
        }
    }
}
