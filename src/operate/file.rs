//! [`File`]: a database that programs use, for one who looks after them.
//!
//! Runs on the command's only thread. Invariant: no transaction stays open between two
//! calls, so that no program waits for whoever reads a table on a terminal.

use std::{
    io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use jiff::tz::TimeZone;
use tokio::runtime::Runtime;

use super::{IncidentView, Overview, Revived, SilenceView, Unusable};
use crate::{
    dispatcher::public_id,
    host::{id, time::Saturating},
    outbox::{Shown, SilenceRow, Sqlite, StoreError},
    policy::{calendar::Calendar, matcher::Matcher},
    render::DefaultRender,
};

/// A database that programs use.
pub struct File {
    path: PathBuf,
    runtime: Runtime,
    /// None once it is closed.
    store: Option<Box<Sqlite>>,
}

/// What a silence is of.
#[derive(Debug)]
#[non_exhaustive]
pub enum SilenceOf {
    /// The kind of the incident with this id.
    Incident(String),
    /// What meets these conditions.
    Matcher(Matcher),
}

impl File {
    /// Opens the file at `path` as it is.
    ///
    /// # Errors
    ///
    /// If it is not there, is none that this version made, or cannot be read.
    pub fn open(path: &Path) -> Result<Self, Unusable> {
        let failed = |error: io::Error| Unusable::Failed(path.to_owned(), error.to_string());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let store = runtime.block_on(Sqlite::open_existing(path))?;
        Ok(Self { path: path.to_owned(), runtime, store: Some(Box::new(store)) })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The incidents that are open and the `last` ones, the one with the latest event
    /// first.
    ///
    /// # Errors
    ///
    /// If the file cannot be read; so below.
    pub fn incidents(&mut self, last: u32) -> Result<Vec<IncidentView>, Unusable> {
        let now = SystemTime::now();
        self.with(async |store| store.show(&Shown::Last(last), now).await)
    }

    /// The incidents with this id, or that a message with it tells of.
    ///
    /// # Errors
    ///
    /// As above.
    pub fn incident(&mut self, id: &str) -> Result<Vec<IncidentView>, Unusable> {
        let (now, ids) = (SystemTime::now(), [id.to_owned()]);
        self.with(async |store| store.show(&Shown::Ids(&ids), now).await)
    }

    /// The text and the HTML of a mail that tells all of an incident, with times in
    /// `zone`; none if it has no event to show.
    ///
    /// # Errors
    ///
    /// As above.
    pub fn mail(&mut self, id: &str, zone: Option<&str>) -> Result<Option<(String, String)>, Unusable> {
        let now = SystemTime::now();
        let calendar = Calendar::of(zone.and_then(|zone| TimeZone::get(zone).ok()));
        let notice = self.with(async |store| store.account_of(id, calendar.day_of(now), now).await)?;
        let clock = zone.and_then(crate::render::Clock::named).unwrap_or_default();
        let mail = notice.map(|notice| DefaultRender::new(clock).email(&notice));
        Ok(mail.map(|mail| (mail.text, mail.html)))
    }

    /// Has the messages with this id, or that tell of the incident with it, attempted by
    /// the next program that looks: within half a minute, if one runs.
    ///
    /// # Errors
    ///
    /// As above.
    pub fn retry(&mut self, id: &str) -> Result<Vec<Revived>, Unusable> {
        let now = SystemTime::now();
        self.with(async |store| store.revive(id, now).await)
    }

    /// Ends the refusals of a recipient, to whom nothing is attempted for a day. Returns
    /// how many there were.
    ///
    /// # Errors
    ///
    /// As above.
    pub fn allow(&mut self, recipient: &str) -> Result<usize, Unusable> {
        self.with(async |store| store.allow(recipient).await)
    }

    /// Begins a silence of so long, by the one whose name is `by`. None if nothing has the
    /// id that it is of.
    ///
    /// # Errors
    ///
    /// As above; also if there are too many silences, or if an incident has no event to
    /// know its kind by.
    pub fn silence(
        &mut self,
        of: SilenceOf,
        lasts: Duration,
        why: Option<String>,
        by: String,
    ) -> Result<Option<SilenceView>, Unusable> {
        let now = SystemTime::now();
        let path = self.path.clone();
        let failed = |what: &str| Unusable::Failed(path.clone(), what.to_owned());
        let matcher = match of {
            SilenceOf::Matcher(matcher) => matcher,
            SilenceOf::Incident(id) => {
                let no_event =
                    failed("this incident has no event of one kind: silence it by --target or --message");
                let found = self.incident(&id)?;
                let [incident] = found.as_slice() else {
                    return match found.len() {
                        0 => Ok(None),
                        _ => {
                            Err(failed("a message with this id tells of several incidents: name one of them"))
                        }
                    };
                };
                match &incident.code {
                    Some(code) => Matcher::new().kind(code),
                    None => return Err(no_event),
                }
            }
        };
        let too_many = failed("there are too many silences: end some by `tracing-alert unsilence`");
        let Some(conditions) = matcher.conditions().cloned() else {
            return Err(failed("a predicate cannot be kept"));
        };
        let row = SilenceRow {
            public_id: public_id(),
            run: id::next(),
            conditions,
            from: now,
            until: now.later(lasts),
            undone_at: None,
            why,
            by,
            held: 0,
            kinds: Vec::new(),
            open: Vec::new(),
        };
        let view = SilenceView::of(&row);
        let begins = self.with(async |store| store.silence_for(id::next(), row, now).await)?;
        if begins { Ok(Some(view)) } else { Err(too_many) }
    }

    /// The silences that are in force or were in the last 30 days, the latest first.
    ///
    /// # Errors
    ///
    /// As above.
    pub fn silences(&mut self) -> Result<Vec<SilenceView>, Unusable> {
        self.with(async |store| store.silences().await)
    }

    /// Ends the silence with this id, or all that are in force. Returns how many.
    ///
    /// # Errors
    ///
    /// As above.
    pub fn unsilence(&mut self, id: Option<&str>) -> Result<usize, Unusable> {
        let now = SystemTime::now();
        self.with(async |store| store.unsilence_by(id, now).await)
    }

    /// How much there is of what.
    ///
    /// # Errors
    ///
    /// As above.
    pub fn overview(&mut self) -> Result<Overview, Unusable> {
        let (now, path) = (SystemTime::now(), self.path.clone());
        self.with(async |store| store.overview(&path, now).await)
    }

    /// Deletes what is settled. Returns how many messages and incidents went.
    ///
    /// # Errors
    ///
    /// As above.
    pub fn purge(&mut self) -> Result<(u64, u64), Unusable> {
        let now = SystemTime::now();
        self.with(async |store| store.purge(now).await)
    }

    /// Does `work`, and waits for its lock as long as another program may have it.
    pub(super) fn with<T>(
        &mut self,
        work: impl AsyncFnOnce(&mut Sqlite) -> Result<T, StoreError>,
    ) -> Result<T, Unusable> {
        let failed = |what: String| Unusable::Failed(self.path.clone(), what);
        let Some(store) = &mut self.store else { return Err(failed("it is closed".to_owned())) };
        self.runtime.block_on(work(store)).map_err(|error| match error {
            StoreError::Busy => failed("it is locked by another process; try again".to_owned()),
            other => failed(other.to_string()),
        })
    }
}

/// Closing it leaves nothing beside the file that SQLite made.
impl Drop for File {
    fn drop(&mut self) {
        if let Some(store) = self.store.take() {
            self.runtime.block_on(store.shut());
        }
    }
}

impl std::fmt::Debug for File {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("File").field("path", &self.path).finish_non_exhaustive()
    }
}
