//! Which of the default files is this program's: two programs of one name that run at
//! once do not share one.
//!
//! `alerts.db` is the first one's, `alerts-2.db` that of one which started while the
//! first ran, and so on. Beside each, `….program` says whose it is, by the name that
//! was given to it or else by the path of its executable, and is locked while that
//! runs: a lock ends with the process, however it ends. Who starts takes the file that
//! says so; else, of those whose program does not run and has no name of its own, the
//! one whose path is most like its own: that is a new release of it, or was moved; else
//! a new one.
//! Invariant: a program whose lock stands keeps its file; only who has
//! `programs.lock` chooses, and nobody has it for longer than it takes to choose.

use std::{
    ffi::OsString,
    fmt,
    fs::TryLockError,
    io::{self, Read, Seek, Write},
    path::{Path, PathBuf},
};

use super::super::{
    StoreError,
    path::{create_directory, open_beside, with_suffix},
};
use crate::host::fork::LockedFile;

/// How a program is told from others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Program {
    /// By the name that it was given.
    Named(String),
    /// By where its executable is.
    At(PathBuf),
}

impl Program {
    fn record(&self) -> Vec<u8> {
        match self {
            Self::Named(name) => [NAMED, name.as_bytes()].concat(),
            Self::At(path) => path.as_os_str().as_encoded_bytes().to_owned(),
        }
    }

    fn recorded(record: &[u8]) -> Self {
        let lossy = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        match record.strip_prefix(NAMED) {
            Some(name) => Self::Named(lossy(name)),
            None => Self::At(OsString::from(lossy(record)).into()),
        }
    }
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(name) => write!(f, "its ALERT_APP_NAME is {name}"),
            Self::At(path) => path.display().fmt(f),
        }
    }
}

/// How the record of a program with a name begins; a path begins in another way.
const NAMED: &[u8] = b"ALERT_APP_NAME=";

/// The file of a program.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) path: PathBuf,
    /// Another program of the name that runs, if that is why this file was chosen now.
    pub(crate) beside: Option<Program>,
    /// Held as long as the program runs.
    _label: Option<LockedFile>,
}

/// Chooses the file of `program` among `first` and its siblings.
///
/// # Errors
///
/// [`StoreError::Busy`] while another process chooses; or if more programs of the
/// name run than there are files for.
pub(crate) fn choose(first: &Path, program: &Program) -> Result<Place, StoreError> {
    let unlabelled = || Place { path: first.to_owned(), beside: None, _label: None };
    // What is locked cannot be read there, so nobody could tell whose it is.
    if cfg!(windows) {
        return Ok(unlabelled());
    }
    let Some(directory) = first.parent().filter(|directory| create_directory(directory).is_ok()) else {
        // Who opens the file says what is wrong.
        return Ok(unlabelled());
    };
    let Ok(choosing) = open_beside(&directory.join("programs.lock")) else {
        return Ok(unlabelled());
    };
    match choosing.try_lock() {
        Ok(()) => (),
        Err(TryLockError::WouldBlock) => return Err(StoreError::Busy),
        // Where there are no locks, nobody knows who runs.
        Err(TryLockError::Error(_)) => return Ok(unlabelled()),
    }
    let slots = (1..=MAX_PROGRAMS).map(|number| Slot::open(sibling(first, number)));
    let slots: Vec<_> = slots.collect::<io::Result<_>>().map_err(failed)?;
    if let Some(own) = slots.iter().position(|slot| slot.is_of(program)) {
        return slots.into_iter().nth(own).map_or_else(|| Ok(unlabelled()), |slot| slot.label(None));
    }
    let runs = |slot: &&Slot| slot.state == State::Runs && !slot.record.is_empty();
    let beside = slots.iter().find(runs).map(|slot| Program::recorded(&slot.record));
    // The last of the greatest; one that is unused is like nothing.
    let free = slots.into_iter().rev().filter(|slot| slot.state != State::Runs && slot.is_left_to(program));
    let Some(mut slot) = free.max_by_key(|slot| slot.likeness(program)) else {
        return Err(StoreError::Failed(format!(
            "{MAX_PROGRAMS} programs of its name run: give each one of its own by ALERT_APP_NAME"
        )));
    };
    slot.record(program).map_err(failed)?;
    slot.label(beside)
}

/// Whose file the one at `path` is, as is noted beside it. It is only read: who starts
/// takes a lock on it for a program that runs.
#[cfg(feature = "cli")]
pub(crate) fn owner_of(path: &Path) -> Option<String> {
    let record = std::fs::File::open(with_suffix(path, CLAIM)).ok()?;
    let mut bytes = Vec::new();
    record.take(MAX_RECORD_BYTES).read_to_end(&mut bytes).ok()?;
    (!bytes.is_empty()).then(|| Program::recorded(&bytes).to_string())
}

fn failed(error: io::Error) -> StoreError {
    StoreError::Failed(error.to_string())
}

/// `alerts.db`, `alerts-2.db`, …
fn sibling(first: &Path, number: u32) -> PathBuf {
    match (number, first.file_stem(), first.extension()) {
        (2.., Some(stem), Some(extension)) => {
            let mut name = stem.to_owned();
            name.push(format!("-{number}."));
            name.push(extension);
            first.with_file_name(name)
        }
        _ => first.to_owned(),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Unused,
    /// Its program does not run; we have its lock alone.
    Free,
    /// It runs, as far as can be known.
    Runs,
}

/// A file, and whose it is.
struct Slot {
    path: PathBuf,
    /// None if it is unused, or cannot be opened.
    label: Option<LockedFile>,
    /// Its program.
    record: Vec<u8>,
    state: State,
}

impl Slot {
    fn open(path: PathBuf) -> io::Result<Self> {
        let file = with_suffix(&path, CLAIM);
        if !file.try_exists()? {
            return Ok(Self { path, label: None, record: Vec::new(), state: State::Unused });
        }
        let label = match open_beside(&file) {
            Ok(label) => label,
            // Another user's, who shares the directory and not this file.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                return Ok(Self { path, label: None, record: Vec::new(), state: State::Runs });
            }
            Err(error) => return Err(error),
        };
        let state = match label.try_lock() {
            Ok(()) => State::Free,
            Err(TryLockError::WouldBlock) => State::Runs,
            Err(TryLockError::Error(error)) => return Err(error),
        };
        let mut record = Vec::new();
        (&*label).take(MAX_RECORD_BYTES).read_to_end(&mut record)?;
        Ok(Self { path, label: Some(label), record, state })
    }

    fn is_of(&self, program: &Program) -> bool {
        self.state != State::Unused && self.record == program.record()
    }

    /// Whether `program` may take it up: whoever has a name of its own keeps its file.
    fn is_left_to(&self, program: &Program) -> bool {
        !self.record.starts_with(NAMED) || self.is_of(program)
    }

    /// How much of the path of its program is as in that of `program`: of the front
    /// first, as releases of two programs may have the same number. None if there was
    /// none.
    fn likeness(&self, program: &Program) -> Option<(usize, usize)> {
        let alike = match (Program::recorded(&self.record), program) {
            (Program::At(of), Program::At(path)) => {
                let front = of.components().zip(path.components());
                let back = of.components().rev().zip(path.components().rev());
                (front.take_while(|(a, b)| a == b).count(), back.take_while(|(a, b)| a == b).count())
            }
            (Program::Named(_), _) | (_, Program::Named(_)) => (0, 0),
        };
        (self.state != State::Unused).then_some(alike)
    }

    /// Makes it the file of `program`.
    fn record(&mut self, program: &Program) -> io::Result<()> {
        let label = match self.label.take() {
            Some(label) => label,
            None => open_beside(&with_suffix(&self.path, CLAIM))?,
        };
        label.set_len(0)?;
        (&*label).rewind()?;
        (&*label).write_all(&program.record())?;
        self.label = Some(label);
        Ok(())
    }

    /// Shares the lock with other processes of the same program.
    fn label(self, beside: Option<Program>) -> Result<Place, StoreError> {
        if let Some(label) = &self.label {
            if self.state == State::Free {
                label.unlock().map_err(failed)?;
            }
            match label.try_lock_shared() {
                Ok(()) => (),
                Err(TryLockError::WouldBlock) => return Err(StoreError::Busy),
                Err(TryLockError::Error(error)) => return Err(failed(error)),
            }
        }
        Ok(Place { path: self.path, beside, _label: self.label })
    }
}

/// What a file's label is called.
const CLAIM: &str = ".program";

/// So many programs of one name can run at once.
const MAX_PROGRAMS: u32 = 16;

/// Longer than any path.
const MAX_RECORD_BYTES: u64 = 64 * 1024;

#[cfg(test)]
#[cfg(not(windows))]
mod tests {
    use super::*;

    fn at(path: &str) -> Program {
        Program::At(path.into())
    }

    /// What a start of the executable `path` gets.
    fn start(directory: &Path, path: &str) -> Place {
        choose(&directory.join("alerts.db"), &at(path)).unwrap()
    }

    /// What a start of a program called `name` gets.
    fn start_named(directory: &Path, name: &str) -> Place {
        choose(&directory.join("alerts.db"), &Program::Named(name.to_owned())).unwrap()
    }

    fn name(place: &Place) -> &str {
        place.path.file_name().unwrap().to_str().unwrap()
    }

    #[test]
    fn programs_that_run_at_once_have_files_of_their_own_and_find_them_again() {
        let directory = tempfile::tempdir().unwrap();
        let directory = directory.path();
        let (one, two) = (start(directory, "/a/server"), start(directory, "/b/server"));
        assert_eq!((name(&one), name(&two)), ("alerts.db", "alerts-2.db"));
        assert_eq!(one.beside, None);
        assert_eq!(two.beside, Some(at("/a/server")));
        let again = start(directory, "/b/server");
        assert_eq!((name(&again), &again.beside), ("alerts-2.db", &None), "two of one program share");
        drop((one, two, again));
        let two = start(directory, "/b/server");
        assert_eq!(name(&two), "alerts-2.db");
        assert_eq!(name(&start(directory, "/a/server")), "alerts.db");
        assert_eq!(name(&start(directory, "/c/server")), "alerts.db", "one that runs keeps its file");
    }

    #[test]
    fn a_new_release_takes_up_the_file_of_the_old_one() {
        let directory = tempfile::tempdir().unwrap();
        let directory = directory.path();
        drop(start(directory, "/srv/shop/releases/1/server"));
        let shop = start(directory, "/srv/shop/releases/2/server");
        assert_eq!((name(&shop), &shop.beside), ("alerts.db", &None));
        let mail = start(directory, "/srv/mail/releases/1/server");
        assert_eq!(name(&mail), "alerts-2.db");
        drop((shop, mail));
        // Of two that do not run, the one that is more like it.
        let mail = start(directory, "/srv/mail/releases/2/server");
        assert_eq!(name(&mail), "alerts-2.db");
        let shop = start(directory, "/srv/shop/releases/3/server");
        assert_eq!(name(&shop), "alerts.db");
        assert_eq!(shop.beside, Some(at("/srv/mail/releases/2/server")));
    }

    #[test]
    fn a_name_tells_a_program_from_one_that_has_none_and_from_one_whose_directory_is_called_the_same() {
        let directory = tempfile::tempdir().unwrap();
        let directory = directory.path();
        let (one, two) = (start_named(directory, "server"), start(directory, "/a/server"));
        assert_eq!((name(&one), name(&two)), ("alerts.db", "alerts-2.db"));
        assert_eq!(
            two.beside.as_ref().map(ToString::to_string),
            Some("its ALERT_APP_NAME is server".to_owned())
        );
        let again = start_named(directory, "server");
        assert_eq!((name(&again), &again.beside), ("alerts.db", &None), "two of one name share");
        drop((one, two, again));
        // Neither is the other, however much their directories are.
        let other = start_named(directory, "ser/ver");
        assert_eq!((name(&other), &other.beside), ("alerts-2.db", &None), "it was given a name since");
        assert_eq!(name(&start_named(directory, "server")), "alerts.db");
        drop(other);
        assert_eq!(name(&start_named(directory, "ser ver")), "alerts-3.db");
    }

    #[test]
    fn a_label_that_says_nothing_is_taken_up_last_and_a_file_without_a_label_is_no_obstacle() {
        let directory = tempfile::tempdir().unwrap();
        let directory = directory.path();
        std::fs::write(directory.join("alerts.db"), "").unwrap();
        let (one, two) = (start(directory, "/a/server"), start(directory, "/b/server"));
        assert_eq!((name(&one), name(&two)), ("alerts.db", "alerts-2.db"));
        drop((one, two));
        std::fs::write(directory.join("alerts.db.program"), "").unwrap();
        assert_eq!(name(&start(directory, "/c/server")), "alerts-2.db");
        assert_eq!(name(&start(directory, "/a/server")), "alerts-2.db");
        std::fs::remove_file(directory.join("alerts.db.program")).unwrap();
        assert_eq!(name(&start(directory, "/b/server")), "alerts-2.db", "an unused one comes after");
    }

    #[test]
    fn the_number_of_files_is_bounded() {
        let directory = tempfile::tempdir().unwrap();
        let directory = directory.path();
        let running: Vec<_> =
            (0..MAX_PROGRAMS).map(|number| start(directory, &format!("/{number}/server"))).collect();
        let refused = choose(&directory.join("alerts.db"), &at("/x/server")).unwrap_err();
        assert!(refused.to_string().contains("16 programs"), "{refused}");
        drop(running);
        assert_eq!(name(&start(directory, "/x/server")), "alerts.db");
    }

    #[test]
    fn who_chooses_is_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        let choosing = open_beside(&directory.path().join("programs.lock")).unwrap();
        choosing.lock().unwrap();
        let first = directory.path().join("alerts.db");
        assert!(matches!(choose(&first, &at("/a/server")), Err(StoreError::Busy)));
        drop(choosing);
        assert!(choose(&first, &at("/a/server")).is_ok());
    }
}
