//! The file: opened at the start, given up for memory when it fails, and taken up
//! again when it works.
//!
//! Invariant: deliveries go on either way, and what memory holds is in the file
//! as soon as that works again.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use super::{Attempted, Dispatcher, STORE_RETRY};
use crate::{
    config::Database,
    stats::StoreState,
    store::{self, Memory, Sqlite, Store, StoreError},
    trouble,
};

/// What is known of the file.
#[derive(Default)]
pub(super) struct Disk {
    /// None if there is to be no file.
    path: Option<PathBuf>,
    busy_since: Option<Instant>,
    probed_at: Option<Instant>,
    /// What became of attempts whose deliveries are in a file that failed.
    deferred: Vec<Attempted>,
}

impl Disk {
    /// Opens the database; memory if that cannot be, or is not wanted.
    pub(super) async fn open(database: &Database, app: &str) -> (Store, Self) {
        let memory = || Store::Memory(Memory::default());
        let path = match database {
            Database::Memory => return (memory(), Self::default()),
            Database::File(path) => Some(path.clone()),
            Database::Default => store::database_path(app, |name| std::env::var_os(name)),
        };
        let Some(path) = path else {
            complain("there is no directory for application state");
            return (memory(), Self::default());
        };
        let opened = open_patiently(&path).await;
        let disk = Self { path: Some(path.clone()), probed_at: Some(Instant::now()), ..Self::default() };
        match opened {
            Ok(file) => (Store::Sqlite(Box::new(file)), disk),
            Err(why) => {
                complain(&format!("{}: {why}", path.display()));
                (memory(), disk)
            }
        }
    }
}

fn complain(why: &str) {
    trouble::say(&format!(
        "the database cannot be opened ({why}); alerts are kept in memory, and lost if the process ends first: \
         set ALERT_DATABASE to a file that can be written"
    ));
}

/// Opens the file; other processes may be opening it too, and a damaged one is
/// replaced.
async fn open_patiently(path: &std::path::Path) -> Result<Sqlite, StoreError> {
    let deadline = Instant::now() + BUSY_PATIENCE;
    loop {
        match Sqlite::open(path).await {
            Err(StoreError::Busy) if Instant::now() < deadline => tokio::time::sleep(STORE_RETRY).await,
            Err(StoreError::Damaged(why)) => return Sqlite::replace_damaged(path, &why).await,
            opened => return opened,
        }
    }
}

impl Dispatcher<'_> {
    /// Judges what the store could not do: what is busy is tried again, what
    /// failed is left for memory.
    pub(super) fn note(&mut self, done: Result<(), StoreError>) {
        match done {
            // The caller counts what is too much.
            Ok(()) | Err(StoreError::Full) => self.disk.busy_since = None,
            Err(StoreError::Busy) => {
                let since = *self.disk.busy_since.get_or_insert_with(Instant::now);
                if since.elapsed() >= BUSY_PATIENCE {
                    self.fall_back("it is locked by another process");
                } else {
                    trouble::report("busy", "the database is locked by another process; waiting");
                }
            }
            Err(error @ (StoreError::Failed(_) | StoreError::Damaged(_))) => {
                self.fall_back(&error.to_string());
            }
        }
    }

    /// Goes on in memory; what is in the file stays there.
    fn fall_back(&mut self, why: &str) {
        if matches!(self.store, Store::Memory(_)) {
            return;
        }
        trouble::report(
            "store",
            &format!("the database failed ({why}); alerts are kept in memory until it works"),
        );
        self.store = Store::Memory(Memory::default());
        self.counters.set_store(StoreState::Memory);
        self.disk.busy_since = None;
        self.disk.probed_at = Some(Instant::now());
        self.begin_anew(i64::MAX);
    }

    /// Tries, now and then, whether a file that failed works again, and whether
    /// one that works is still where it was.
    pub(super) async fn probe(&mut self, at_once: bool) {
        let is_due = at_once || self.disk.probed_at.is_none_or(|at| at.elapsed() >= PROBE_PAUSE);
        let Some(path) = self.disk.path.clone().filter(|path| is_due && !self.store.is_file_at(path)) else {
            return;
        };
        self.disk.probed_at = Some(Instant::now());
        let was_durable = !matches!(self.store, Store::Memory(_));
        // A file that was moved keeps its journal here: first it has to be left.
        let brought = self.store.leave().await;
        let opened = match Sqlite::open(&path).await {
            Err(StoreError::Damaged(why)) => Sqlite::replace_damaged(&path, &why).await,
            opened => opened,
        };
        let moved = match opened {
            Ok(file) => self.store.move_to(Box::new(file), &brought).await,
            Err(error) => Err(error),
        };
        match moved {
            Ok(last_notice) => {
                trouble::report("recovery", "the database works, and has what was kept elsewhere meanwhile");
                self.counters.set_store(StoreState::Durable);
                self.begin_anew(last_notice);
                self.unsettled.extend(self.disk.deferred.drain(..));
                self.wake_lanes();
            }
            Err(error) => {
                self.counters.set_store(StoreState::Memory);
                if was_durable {
                    self.begin_anew(i64::MAX);
                }
                let lost = if brought.is_empty() {
                    ""
                } else {
                    ", and what was pending is in a file that was moved"
                };
                trouble::report("probe", &format!("the database fails: {error}{lost}"));
            }
        }
    }

    /// True while the file, and with it what was spent, cannot be read.
    pub(super) fn is_blind(&self) -> bool {
        self.disk.path.is_some() && matches!(self.store, Store::Memory(_))
    }

    /// True if the result of an attempt has to wait for the file its delivery is
    /// in.
    pub(super) fn is_deferred(&mut self, attempted: &Attempted) -> bool {
        let is_outage = self.is_blind();
        if is_outage && self.disk.deferred.len() < MOST_DEFERRED {
            self.disk.deferred.push(attempted.clone());
        }
        is_outage
    }

    /// The notices have other numbers now.
    fn begin_anew(&mut self, last_notice: i64) {
        self.last_notice = last_notice;
        self.tell_at = None;
        self.upkeep.begin_anew();
        for waiter in &mut self.inbox.flushes {
            waiter.last_notice = waiter.last_notice.map(|_| last_notice);
        }
    }
}

/// How long a locked file is waited for before memory takes over.
const BUSY_PATIENCE: Duration = Duration::from_secs(30);

/// How often a file that failed is tried, and one that works is looked for.
const PROBE_PAUSE: Duration = Duration::from_secs(30);

/// Many more than can be under way when a file fails.
const MOST_DEFERRED: usize = 1024;
