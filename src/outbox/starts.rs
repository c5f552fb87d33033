//! Starts of the program: many that ended badly, soon after each other, are one
//! incident.
//!
//! Invariant: memory knows of no start but its own.

use std::time::{Duration, SystemTime};

use uuid::Uuid;

use super::{Captured, Maker, Page, Store, StoreError, Target, keep::turn_and_join, scope::Scope};
use crate::{event::Event, host::time::Saturating};

/// A start before this one.
#[derive(Debug)]
pub(crate) struct Start {
    /// The first one of its process.
    pub(crate) run: Uuid,
    pub(crate) host: String,
    pub(crate) pid: u32,
    pub(crate) at: SystemTime,
    /// When it ended by itself, and failed.
    pub(crate) ended_at: Option<SystemTime>,
    /// Whether an error was the last that was heard of it, until the next start.
    pub(crate) erred_last: bool,
    /// What its fleet saw of it, if it is that of another instance.
    pub(crate) seen: Option<Sighting>,
}

/// What a fleet saw of an instance.
#[derive(Debug)]
pub(crate) struct Sighting {
    pub(crate) version: Option<String>,
    /// After that it is taken to be gone.
    pub(crate) until: SystemTime,
}

/// When a process began, and its first run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Began {
    pub(crate) at: SystemTime,
    pub(crate) run: Uuid,
}

/// A program that starts again and again.
#[derive(Debug)]
pub(crate) struct CrashLoop {
    /// Starts that were not reported before.
    pub(crate) starts: u64,
    /// The first of these.
    pub(crate) since: SystemTime,
    /// The last error meanwhile.
    pub(crate) last_error: Option<Event>,
}

impl Store {
    /// Notes that the process `began`, unless another layer did. If more than [`MAX_FAILED`]
    /// of the starts of the last [`LOOP_WINDOW`] `have_failed`, that is an incident
    /// for `targets`, as `tell` makes it. False if it is not.
    pub(crate) async fn note_start(
        &mut self,
        began: Began,
        have_failed: impl Fn(&Start) -> bool,
        tell: impl Fn(CrashLoop) -> Captured,
        maker: &Maker<'_>,
        targets: &[Target],
        now: SystemTime,
    ) -> Result<bool, StoreError> {
        let process = (maker.process.host.as_deref().unwrap_or_default(), maker.process.pid);
        let decide = |page: &mut Page| page.note_start(began, process, have_failed, now).map(tell);
        let scope = Scope::Starts { since: now.earlier(LOOP_WINDOW) };
        match self {
            Self::Memory(_) => Ok(false),
            #[cfg(feature = "sqlite")]
            Self::Sqlite(file) => {
                let note = async |file: &mut super::Sqlite| {
                    turn_and_join(file, &scope, decide, maker, targets, now).await
                };
                file.without_sync(note).await
            }
            #[cfg(feature = "postgres")]
            Self::Fleet(fleet) => turn_and_join(&mut **fleet, &scope, decide, maker, targets, now).await,
        }
    }

    /// Notes that the process whose first run is `run` ends by itself, and whether it
    /// fails.
    #[cfg(feature = "sqlite")]
    pub(crate) async fn note_end(
        &mut self,
        run: Uuid,
        fails: bool,
        now: SystemTime,
    ) -> Result<(), StoreError> {
        let Self::Sqlite(file) = self else { return Ok(()) };
        let scope = Scope::Starts { since: now };
        let note = |page: &mut Page| page.note_end(run, fails, now);
        file.without_sync(async |file| super::keep::turn(file, &scope, &String::new, note).await).await
    }
}

/// So many may fail within [`LOOP_WINDOW`].
pub(crate) const MAX_FAILED: usize = 3;

/// A run that was killed failed if the next one began so soon after its last error.
/// Else somebody may have ended it, which nobody can tell from a fault.
pub(crate) const ERRED_LAST: Duration = Duration::from_secs(60);

/// How long a start counts.
pub(crate) const LOOP_WINDOW: Duration = Duration::from_secs(10 * 60);
