//! [`Outbox`]: the store in use. A file that fails is given up for memory, and taken up
//! again when it works.
//!
//! Whoever uses the outbox sees one result of each operation: one that failed is to be
//! tried again, and then it may be another store that does it. What was decided by
//! numbers of incidents and notices is void when [`Outbox::changes`] grew.
//! Invariant: deliveries go on either way, and what memory holds is in the file
//! as soon as that works again.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant, SystemTime},
};

use super::{Database, Memory, Page, Sqlite, Store, StoreError, Target, path, sqlite::Place};
use crate::host::{fork::OpenFile, trouble};

mod choice;
use choice::Choice;

mod left;

mod words;

/// The store in use, and what is known of the file.
pub(crate) struct Outbox {
    pub(crate) store: Store,
    changes: u64,
    /// None if there is to be no file, or it is not chosen yet.
    path: Option<PathBuf>,
    /// How the file is chosen, until it is.
    choice: Option<Choice>,
    /// If it was chosen for this program: keeps others of its name from it.
    place: Option<Place>,
    /// How long a locked file is waited for before memory takes over.
    pub(crate) busy_patience: Duration,
    /// Since when it is locked, and when that was last met.
    pub(crate) busy: Option<(Instant, Instant)>,
    pub(crate) probed_at: Option<Instant>,
    /// The file that failed, still open: it is closed before it is tried again.
    pub(crate) failed: Option<Store>,
    /// If it is to be replaced: what is wrong with it, and which file it is.
    damage: Option<(String, Option<path::Identity>)>,
    /// What was pending in a file that was moved or is damaged, until another
    /// has it.
    brought: Vec<Page>,
    /// What was known of recipients when the file was read last, and whether that is
    /// still to be asked of one that failed.
    ledger: Page,
    has_failed: bool,
}

impl Default for Outbox {
    fn default() -> Self {
        Self {
            store: Store::Memory(Memory::default()),
            changes: 0,
            path: None,
            choice: None,
            place: None,
            busy_patience: BUSY_PATIENCE,
            busy: None,
            probed_at: None,
            failed: None,
            damage: None,
            brought: Vec::new(),
            ledger: Page::default(),
            has_failed: false,
        }
    }
}

impl Outbox {
    /// Opens the database in the place of memory; that stays if it cannot be, or is not
    /// wanted. By its `name`, or else as `app`, the program is known from others.
    ///
    /// # Errors
    ///
    /// [`StoreError::Busy`] if another process is in the way: it is to be tried again.
    pub(crate) async fn open(
        &mut self,
        database: &Database,
        name: Option<&str>,
        app: &str,
    ) -> Result<(), StoreError> {
        if self.is_durable() {
            // A defect of the loop left its connection in the middle of something.
            self.store = Store::Memory(Memory::default());
        } else if self.has_file() && self.busy.is_none() {
            // The same while the file fails: what memory holds goes there at the
            // first probe.
            self.probed_at = None;
            return Ok(());
        }
        if *database != Database::Memory && OpenFile::is_inherited() {
            trouble::say(
                "this process was forked from one that had its database open: alerts are kept in memory, and are lost \
                 if the process ends first. Build no layer before the fork",
            );
            return Ok(());
        }
        match database {
            Database::Memory => return Ok(()),
            Database::File(path) => self.path = Some(path.clone()),
            Database::Default if self.has_file() => (),
            Database::Default => match Choice::new(name, app) {
                Ok(choice) => self.choice = Some(choice),
                Err(why) => {
                    words::no_file(&why);
                    return Ok(());
                }
            },
        }
        self.probed_at = Some(Instant::now());
        let opened = self.open_file().await;
        if matches!(opened, Err(StoreError::Busy)) && self.still_waits() {
            return opened;
        }
        self.busy = None;
        let place = self.path.as_ref().map(|path| format!("{}: ", path.display())).unwrap_or_default();
        match opened {
            Ok(()) => (),
            // The first probe replaces it.
            Err(StoreError::Damaged(_) | StoreError::Broken(_)) => self.probed_at = None,
            Err(StoreError::NotOurs(what)) => {
                let is_set = *database != Database::Default;
                words::foreign(self.path.as_deref().unwrap_or_else(|| Path::new("")), is_set, &what);
            }
            Err(why) => words::no_file(&format!("{place}{why}")),
        }
        Ok(())
    }

    async fn open_file(&mut self) -> Result<(), StoreError> {
        self.choose()?;
        let Some(path) = &self.path else { return Ok(()) };
        self.store = Store::Sqlite(Box::new(Sqlite::open(path).await?));
        self.read_ledger().await;
        Ok(())
    }

    /// Chooses the file, unless that is done or there is to be none.
    fn choose(&mut self) -> Result<(), StoreError> {
        let Some(choice) = &self.choice else { return Ok(()) };
        let place = choice.make()?;
        self.path = Some(place.path.clone());
        (self.place, self.choice) = (Some(place), None);
        Ok(())
    }

    /// Whether alerts are to be in a file.
    fn has_file(&self) -> bool {
        self.path.is_some() || self.choice.is_some()
    }

    /// Whether what is committed outlives the process.
    pub(crate) fn is_durable(&self) -> bool {
        !matches!(self.store, Store::Memory(_))
    }

    /// Where what is committed is kept.
    pub(crate) fn kept_in(&self) -> Option<String> {
        let path = self.path.as_ref().filter(|_| self.is_durable());
        path.map(|path| path.display().to_string())
    }

    /// Gives up what is only in memory.
    pub(crate) fn forget(&mut self) {
        self.store = Store::Memory(Memory::default());
    }

    /// How often another store came into use.
    pub(crate) fn changes(&self) -> u64 {
        self.changes
    }

    /// True while the file, and with it what was spent, cannot be read.
    pub(crate) fn is_outage(&self) -> bool {
        self.has_file() && !self.is_durable()
    }

    /// True until a file that turned out to be damaged has been probed.
    pub(crate) fn has_damage(&self) -> bool {
        self.damage.is_some() && self.probed_at.is_none()
    }

    /// Does `work` with the store in use. What is busy is to be tried again, and so is
    /// what failed: then memory does it.
    pub(crate) async fn with<T>(
        &mut self,
        work: impl AsyncFnOnce(&mut Store) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let done = work(&mut self.store).await;
        match &done {
            // The caller counts what is too much.
            Ok(_) | Err(StoreError::Full) => {
                // What only looks says nothing of a lock.
                if self.store.has_written() {
                    self.busy = None;
                }
            }
            Err(error) => self.judge(error),
        }
        done
    }

    /// Gives up a file that fails.
    pub(crate) fn judge(&mut self, error: &StoreError) {
        #[cfg(feature = "postgres")]
        if self.is_of_fleet() {
            return words::of_fleet(error);
        }
        match error {
            StoreError::Full => (),
            #[cfg(feature = "postgres")]
            StoreError::Unreachable(_) => (),
            StoreError::Busy => {
                if !self.still_waits() {
                    self.give_up("it is locked by another process");
                } else if self.busy.is_some_and(|(since, _)| since.elapsed() >= self.busy_patience / 3) {
                    // Who shares it with others that are busy waits for a while: that is no trouble.
                    trouble::report("busy", "", "the database is locked by another process; waiting");
                }
            }
            StoreError::Failed(_) | StoreError::NotOurs(_) => self.give_up(&error.to_string()),
            // It is told of when it is replaced, which is at once.
            StoreError::Damaged(why) | StoreError::Broken(why) => {
                let file = self.store.identity();
                if self.fall_back() {
                    self.probed_at = None;
                    self.damage = Some((why.clone(), file));
                }
            }
        }
    }

    /// Notes that the file is locked. False if it was for longer than it is waited for.
    fn still_waits(&mut self) -> bool {
        let (now, patience) = (Instant::now(), self.busy_patience);
        // What wants to write tries again sooner: that was another lock.
        let busy = self.busy.filter(|(_, last)| now.saturating_duration_since(*last) < patience);
        let since = busy.map_or(now, |(since, _)| since);
        self.busy = Some((since, now));
        now.saturating_duration_since(since) < patience
    }

    fn give_up(&mut self, why: &str) {
        if self.fall_back() {
            trouble::report(
                "store",
                "",
                &format!("the database failed ({why}); alerts are kept in memory until it works"),
            );
        }
    }

    /// Goes on in memory; what is in the file stays there. False if there was no
    /// file.
    fn fall_back(&mut self) -> bool {
        if !self.is_durable() {
            return false;
        }
        self.failed = Some(std::mem::replace(&mut self.store, Store::Memory(Memory::default())));
        self.has_failed = true;
        self.store.inherit(&self.ledger);
        self.busy = None;
        self.probed_at = Some(Instant::now());
        self.changes += 1;
        true
    }

    /// Tries, now and then or `at_once`, whether a file that failed works again, and
    /// whether one that works is still where it was. Where nobody knows who was told of
    /// an incident, `targets` are.
    pub(crate) async fn probe(&mut self, at_once: bool, targets: &[Target], now: SystemTime) {
        let is_due = at_once || self.probed_at.is_none_or(|at| at.elapsed() >= PROBE_PAUSE);
        self.ask_failed().await;
        if is_due && let Err(error) = self.choose() {
            self.probed_at = Some(Instant::now());
            return trouble::report("probe", "", &format!("the database still cannot be opened ({error})"));
        }
        let Some(path) = self.path.clone().filter(|path| is_due && !self.store.is_file_at(path)) else {
            return;
        };
        self.probed_at = Some(Instant::now());
        let was_durable = self.is_durable();
        // Its connection, or that of a file that was moved, may still have a
        // journal here: first it has to be closed.
        if let Some(mut failed) = self.failed.take() {
            failed.shut().await;
        }
        // Another process may have replaced it.
        self.damage.take_if(|(_, file)| *file != path::identity(&path));
        if was_durable {
            let left = self.store.leave(now).await;
            self.bring(left);
        }
        let taken_up = self.take_up(&path, at_once, targets, now).await;
        if was_durable || taken_up.is_ok() {
            self.changes += 1;
        }
        let Err(error) = taken_up else { return };
        let waits = match self.unmoved() {
            0 => String::new(),
            number => format!("; messages from a moved or damaged file that wait for it: {number}"),
        };
        // What is not ours was named, and stays what it is.
        let is_known = matches!(error, StoreError::NotOurs(_)) && self.damage.is_none();
        if was_durable || !waits.is_empty() || !is_known {
            let path = path.display();
            trouble::report("probe", "", &format!("the database fails: {error}{waits} ({path})"));
        }
    }

    /// Goes over to the file, or to a new one if it has some damage. If it is the
    /// last time, a file that cannot be replaced is better than none.
    async fn take_up(
        &mut self,
        path: &Path,
        is_last: bool,
        targets: &[Target],
        now: SystemTime,
    ) -> Result<(), StoreError> {
        if self.damage.is_none() {
            match self.move_to(path, targets, now).await {
                // Some shows only in what is read, or written.
                Err(StoreError::Damaged(why) | StoreError::Broken(why)) => {
                    self.damage = Some((why, path::identity(path)));
                }
                Err(error) => return Err(error),
                Ok(()) => {
                    let works = "the database works now, and has taken over what was kept elsewhere";
                    trouble::report("recovery", "", works);
                    return Ok(());
                }
            }
        }
        let why = self.damage.as_ref().map_or("", |(why, _)| why);
        match Sqlite::set_aside(path, why).await {
            Ok(mut rescued) => {
                // What of it could not be read is known since it was opened.
                rescued.complete(std::mem::take(&mut self.ledger));
                self.bring(rescued);
            }
            Err(_) if is_last => (),
            Err(error) => return Err(error),
        }
        self.damage = None;
        self.move_to(path, targets, now).await
    }

    async fn move_to(&mut self, path: &Path, targets: &[Target], now: SystemTime) -> Result<(), StoreError> {
        let file = Box::new(Sqlite::open(path).await?);
        self.store.move_to(file, &self.brought, targets, now).await?;
        self.brought.clear();
        self.read_ledger().await;
        Ok(())
    }

    fn bring(&mut self, page: Page) {
        self.store.inherit(&page);
        self.brought.push(page);
    }

    /// Keeps what the file knows of recipients, if it can be read.
    async fn read_ledger(&mut self) {
        if let Some(ledger) = self.store.ledger().await {
            self.ledger = ledger;
        }
    }

    /// Has memory know what was spent, if a file that failed can still be read.
    async fn ask_failed(&mut self) {
        if std::mem::take(&mut self.has_failed)
            && let Some(failed) = &mut self.failed
            && let Some(ledger) = failed.ledger().await
        {
            self.store.inherit(&ledger);
            self.ledger = ledger;
        }
    }
}

/// How long a locked file is waited for before memory takes over.
const BUSY_PATIENCE: Duration = Duration::from_secs(30);

/// How often a file that failed is tried, and one that works is looked for.
const PROBE_PAUSE: Duration = Duration::from_secs(30);
