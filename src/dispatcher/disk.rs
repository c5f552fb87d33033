//! The file: opened at the start, given up for memory when it fails, and taken up
//! again when it works.
//!
//! Invariant: deliveries go on either way, and what memory holds is in the file
//! as soon as that works again.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant, SystemTime},
};

use super::{Attempted, Dispatcher, Lane, STORE_RETRY};
use crate::{
    dispatcher::setup::{Database, Setup},
    host::{fork::OpenFile, time::from_now, trouble},
    outbox::{self, Identity, Memory, Page, Place, Sqlite, Store, StoreError},
    queue::stats::StoreState,
};

mod choice;
use choice::Choice;

mod words;

/// What is known of the file.
pub(super) struct Disk {
    /// None if there is to be no file, or it is not chosen yet.
    path: Option<PathBuf>,
    /// How the file is chosen, until it is.
    choice: Option<Choice>,
    /// If it was chosen for this program: keeps others of its name from it.
    place: Option<Place>,
    /// How long a locked file is waited for before memory takes over.
    busy_patience: Duration,
    /// Since when it is locked, and when that was last met.
    busy: Option<(Instant, Instant)>,
    probed_at: Option<Instant>,
    /// The file that failed, still open: it is closed before it is tried again.
    failed: Option<Store>,
    /// If it is to be replaced: what is wrong with it, and which file it is.
    damage: Option<(String, Option<Identity>)>,
    /// What was pending in a file that was moved or is damaged, until another
    /// has it.
    brought: Vec<Page>,
    /// What was known of recipients when the file was read last, and whether that is
    /// still to be asked of one that failed.
    ledger: Page,
    has_failed: bool,
    /// What became of attempts whose deliveries are in a file that failed.
    deferred: Vec<Attempted>,
}

impl Default for Disk {
    fn default() -> Self {
        Self {
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
            deferred: Vec::new(),
        }
    }
}

impl Disk {
    /// Opens the database in the place of the memory that `store` is; that stays
    /// if it cannot be, or is not wanted.
    pub(super) async fn open(&mut self, setup: &Setup, app: &str, store: &mut Store) {
        if !matches!(store, Store::Memory(_)) {
            // A defect of the loop left its connection in the middle of something.
            *store = Store::Memory(Memory::default());
        } else if self.has_file() {
            // The same while the file fails: what memory holds goes there at the
            // first probe.
            self.probed_at = None;
            return;
        }
        if setup.database == Database::Memory {
            return;
        }
        if OpenFile::is_inherited() {
            trouble::say(
                "this process was forked from one that had its database open: alerts are kept in memory, and are lost \
                 if the process ends first. Build no layer before the fork",
            );
            return;
        }
        match &setup.database {
            Database::Memory => return,
            Database::File(path) => self.path = Some(path.clone()),
            Database::Default => match Choice::new(setup.app_name.as_deref(), app) {
                Ok(choice) => self.choice = Some(choice),
                Err(why) => return words::no_file(&why),
            },
        }
        self.probed_at = Some(Instant::now());
        if let Err(why) = patiently(self.busy_patience, async || self.choose()).await {
            return words::no_file(&why.to_string());
        }
        let Some(path) = self.path.clone() else { return };
        let opened = patiently(self.busy_patience, async || Sqlite::open(&path).await).await;
        match opened {
            Ok(file) => {
                *store = Store::Sqlite(Box::new(file));
                self.read(store).await;
            }
            // The first probe replaces it.
            Err(StoreError::Damaged(_) | StoreError::Broken(_)) => self.probed_at = None,
            Err(StoreError::NotOurs(what)) => {
                words::foreign(&path, setup.database != Database::Default, &what);
            }
            Err(why) => words::no_file(&format!("{}: {why}", path.display())),
        }
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

    /// Keeps what `store` knows of recipients, if it can be read.
    async fn read(&mut self, store: &mut Store) {
        if let Some(ledger) = store.ledger().await {
            self.ledger = ledger;
        }
    }
}

/// Does what other processes may be doing too, until none of them is in the way.
async fn patiently<T>(
    patience: Duration,
    mut work: impl AsyncFnMut() -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let deadline = from_now(patience);
    loop {
        match work().await {
            Err(StoreError::Busy) if Instant::now() < deadline => tokio::time::sleep(STORE_RETRY).await,
            done => return done,
        }
    }
}

impl Dispatcher<'_> {
    /// Judges what the store could not do: what is busy is tried again, what
    /// failed is left for memory.
    pub(super) fn note(&mut self, done: Result<(), StoreError>) {
        match done {
            // The caller counts what is too much.
            Ok(()) | Err(StoreError::Full) => self.disk.busy = None,
            Err(StoreError::Busy) => {
                let (now, patience) = (Instant::now(), self.disk.busy_patience);
                // What wants to write tries again sooner: that was another lock.
                let busy = self.disk.busy.filter(|(_, last)| now.saturating_duration_since(*last) < patience);
                let since = busy.map_or(now, |(since, _)| since);
                self.disk.busy = Some((since, now));
                let lasts = now.saturating_duration_since(since);
                if lasts >= patience {
                    self.give_up("it is locked by another process");
                } else if lasts >= patience / 3 {
                    // Who shares it with others that are busy waits for a while: that is no trouble.
                    trouble::report("busy", "", "the database is locked by another process; waiting");
                }
            }
            Err(error @ (StoreError::Failed(_) | StoreError::NotOurs(_))) => self.give_up(&error.to_string()),
            // It is told of when it is replaced, which is at once.
            Err(StoreError::Damaged(why) | StoreError::Broken(why)) => {
                let file = self.store.identity();
                if self.fall_back() {
                    self.disk.probed_at = None;
                    self.disk.damage = Some((why, file));
                }
            }
        }
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
        if matches!(*self.store, Store::Memory(_)) {
            return false;
        }
        self.disk.failed = Some(std::mem::replace(self.store, Store::Memory(Memory::default())));
        self.disk.has_failed = true;
        self.store.inherit(&self.disk.ledger);
        self.counters.set_store(StoreState::Memory);
        self.disk.busy = None;
        self.disk.probed_at = Some(Instant::now());
        self.begin_anew();
        true
    }

    /// True until a file that turned out to be damaged has been probed.
    pub(super) fn has_damage(&self) -> bool {
        self.disk.damage.is_some() && self.disk.probed_at.is_none()
    }

    /// Tries, now and then, whether a file that failed works again, and whether
    /// one that works is still where it was.
    pub(super) async fn probe(&mut self, at_once: bool) {
        let is_due = at_once || self.disk.probed_at.is_none_or(|at| at.elapsed() >= PROBE_PAUSE);
        self.ask_failed().await;
        if is_due && let Err(error) = self.disk.choose() {
            self.disk.probed_at = Some(Instant::now());
            return trouble::report("probe", "", &format!("the database still cannot be opened ({error})"));
        }
        let Some(path) = self.disk.path.clone().filter(|path| is_due && !self.store.is_file_at(path)) else {
            return;
        };
        self.disk.probed_at = Some(Instant::now());
        let was_durable = !matches!(*self.store, Store::Memory(_));
        // Its connection, or that of a file that was moved, may still have a
        // journal here: first it has to be closed.
        if let Some(mut failed) = self.disk.failed.take() {
            failed.shut().await;
        }
        // Another process may have replaced it.
        self.disk.damage.take_if(|(_, file)| *file != outbox::identity(&path));
        if was_durable {
            let left = self.store.leave(SystemTime::now()).await;
            self.bring(left);
        }
        match self.take_up(&path, at_once).await {
            Ok(()) => {
                self.counters.set_store(StoreState::Durable);
                self.begin_anew();
                self.unsettled.extend(self.disk.deferred.drain(..));
                self.wake_lanes();
            }
            Err(error) => {
                self.counters.set_store(StoreState::Memory);
                if was_durable {
                    self.begin_anew();
                }
                let waits = match self.disk.brought.iter().map(|page| page.messages(None, &[])).sum::<usize>()
                {
                    0 => String::new(),
                    number => {
                        format!("; messages from a moved or damaged file that wait for it: {number}")
                    }
                };
                // What is not ours was named, and stays what it is.
                let is_known = matches!(error, StoreError::NotOurs(_)) && self.disk.damage.is_none();
                if was_durable || !waits.is_empty() || !is_known {
                    let path = path.display();
                    trouble::report("probe", "", &format!("the database fails: {error}{waits} ({path})"));
                }
            }
        }
    }

    /// Goes over to the file, or to a new one if it has some damage. If it is the
    /// last time, a file that cannot be replaced is better than none.
    async fn take_up(&mut self, path: &Path, is_last: bool) -> Result<(), StoreError> {
        if self.disk.damage.is_none() {
            match self.move_to(path).await {
                // Some shows only in what is read, or written.
                Err(StoreError::Damaged(why) | StoreError::Broken(why)) => {
                    self.disk.damage = Some((why, outbox::identity(path)));
                }
                Err(error) => return Err(error),
                Ok(()) => {
                    trouble::report(
                        "recovery",
                        "",
                        "the database works now, and has taken over what was kept elsewhere",
                    );
                    return Ok(());
                }
            }
        }
        let why = self.disk.damage.as_ref().map_or("", |(why, _)| why);
        match Sqlite::set_aside(path, why).await {
            Ok(mut rescued) => {
                // What of it could not be read is known since it was opened.
                rescued.complete(std::mem::take(&mut self.disk.ledger));
                self.bring(rescued);
            }
            Err(_) if is_last => (),
            Err(error) => return Err(error),
        }
        self.disk.damage = None;
        self.move_to(path).await
    }

    async fn move_to(&mut self, path: &Path) -> Result<(), StoreError> {
        let file = Box::new(Sqlite::open(path).await?);
        self.store.move_to(file, &self.disk.brought, &self.targets, SystemTime::now()).await?;
        self.disk.brought.clear();
        self.disk.read(self.store).await;
        self.lanes.iter_mut().for_each(Lane::look_for_dead);
        Ok(())
    }

    fn bring(&mut self, page: Page) {
        self.store.inherit(&page);
        self.disk.brought.push(page);
    }

    /// Has memory know what was spent, if a file that failed can still be read.
    async fn ask_failed(&mut self) {
        if std::mem::take(&mut self.disk.has_failed)
            && let Some(failed) = &mut self.disk.failed
            && let Some(ledger) = failed.ledger().await
        {
            self.store.inherit(&ledger);
            self.disk.ledger = ledger;
        }
    }

    /// True while the file, and with it what was spent, cannot be read.
    pub(super) fn budget_unknown(&self) -> bool {
        self.disk.has_file() && matches!(*self.store, Store::Memory(_))
    }

    /// True if the result of an attempt has to wait for the file its delivery is
    /// in.
    pub(super) fn is_deferred(&mut self, attempted: &Attempted) -> bool {
        let is_outage = self.budget_unknown();
        if is_outage && self.disk.deferred.len() < MAX_DEFERRED {
            self.disk.deferred.push(Attempted { is_old: true, ..attempted.clone() });
        }
        is_outage
    }

    /// How many messages of this run are neither in the store nor sent, but in
    /// a file that failed or was left. None if that one does not say.
    pub(super) async fn left_behind(&mut self) -> Option<u64> {
        let run = self.inbox.run;
        let sent = self.disk.deferred.iter().filter(|attempted| attempted.result.is_ok());
        let sent: Vec<_> = sent.map(|attempted| attempted.claim.key).collect();
        let brought: u64 = self.disk.brought.iter().map(|page| page.messages(Some(run), &sent) as u64).sum();
        match &mut self.disk.failed {
            Some(failed) => Some(failed.left(run, &sent).await.ok()? + brought),
            None => Some(brought),
        }
    }

    /// How many messages of a file that was moved or is damaged no other has yet.
    pub(super) fn unmoved(&self) -> u64 {
        self.disk.brought.iter().map(|page| page.messages(None, &[]) as u64).sum()
    }

    /// Incidents and notices have other numbers now, and nobody knows how old what
    /// is there is.
    fn begin_anew(&mut self) {
        self.tell_at = None;
        self.upkeep.begin_anew();
        for waiter in &mut self.inbox.flushes {
            waiter.mark = None;
        }
    }
}

/// How long a locked file is waited for before memory takes over.
const BUSY_PATIENCE: Duration = Duration::from_secs(30);

/// How often a file that failed is tried, and one that works is looked for.
const PROBE_PAUSE: Duration = Duration::from_secs(30);

/// Many more than can be under way when a file fails.
const MAX_DEFERRED: usize = 1024;

#[cfg(test)]
mod tests;
