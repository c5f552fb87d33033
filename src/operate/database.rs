//! [`Database`]: what programs keep their alerts in, for one who looks after them: a file, or
//! what the instances of a program share.
//!
//! Runs on the command's only thread. Invariant: no transaction stays open between two
//! calls, so that no program waits for whoever reads a table on a terminal.

use std::{
    ffi::OsString,
    io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use jiff::tz::TimeZone;
use tokio::runtime::Runtime;

#[cfg(feature = "postgres")]
use super::fleet;
use super::{IncidentView, Overview, Revived, SilenceView, Unusable};
#[cfg(feature = "postgres")]
use crate::outbox::Fleet;
use crate::{
    config::read_settings,
    dispatcher::public_id,
    host::{id, time::Saturating},
    outbox::{Operated, Shown, SilenceRow, Sqlite, StoreError},
    policy::{calendar::Calendar, matcher::Matcher, redact::redact_text},
    render::DefaultRender,
};

/// A database that programs use.
pub struct Database {
    runtime: Runtime,
    /// None once it is closed.
    place: Option<Place>,
}

enum Place {
    File(PathBuf, Box<Sqlite>),
    #[cfg(feature = "postgres")]
    Fleet(String, Box<Fleet>),
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

impl Database {
    /// Opens the file at `path` as it is.
    ///
    /// # Errors
    ///
    /// If it is not there, is none that this version made, or cannot be read.
    pub fn open(path: &Path) -> Result<Self, Unusable> {
        let runtime = runtime().map_err(|error| Unusable::Failed(path.to_owned(), error.to_string()))?;
        let file = runtime.block_on(Sqlite::open_existing(path))?;
        Ok(Self { runtime, place: Some(Place::File(path.to_owned(), Box::new(file))) })
    }

    /// Connects to the store of the fleet that the settings `variables` name, if it is that
    /// of the program `app`, or of the one that the settings name.
    ///
    /// # Errors
    ///
    /// If none is named, it does not answer, or its tables are not there, or another
    /// program's; and if this crate is built without the feature `postgres`.
    #[cfg(feature = "postgres")]
    pub fn open_fleet(
        variables: impl IntoIterator<Item = (OsString, OsString)>,
        app: Option<&str>,
    ) -> Result<Self, Unusable> {
        let runtime = runtime().map_err(|error| Unusable::Fleet(error.to_string()))?;
        let (schema, fleet) = fleet::settings(variables)?.open(app)?;
        let mut database = Self { runtime, place: Some(Place::Fleet(schema, Box::new(fleet))) };
        database.with(async |_, _| Ok(()))?;
        Ok(database)
    }

    /// Says that this command knows no fleets.
    ///
    /// # Errors
    ///
    /// Always: this crate is built without the feature `postgres`.
    #[cfg(not(feature = "postgres"))]
    pub fn open_fleet(
        _: impl IntoIterator<Item = (OsString, OsString)>,
        _: Option<&str>,
    ) -> Result<Self, Unusable> {
        Err(Unusable::Fleet(
            "this command is built without it; cargo install tracing-alert --features cli,postgres"
                .to_owned(),
        ))
    }

    /// What it is called: a file's path, or a fleet's schema.
    pub fn name(&self) -> String {
        match &self.place {
            Some(Place::File(path, _)) => path.display().to_string(),
            #[cfg(feature = "postgres")]
            Some(Place::Fleet(schema, _)) => format!("the fleet's schema {schema}"),
            None => "closed".to_owned(),
        }
    }

    /// How long programs may take to notice what is changed in it, in words.
    pub fn noticed_within(&self) -> &'static str {
        match &self.place {
            Some(Place::File(..)) | None => "within 30 s, if a program runs",
            #[cfg(feature = "postgres")]
            Some(Place::Fleet(..)) => {
                "when an instance next looks: within ALERT_FLEET_POLL, by default 5 min"
            }
        }
    }

    /// The incidents that are open and the `last` ones, the one with the latest event
    /// first.
    ///
    /// # Errors
    ///
    /// If the file cannot be read; so below.
    pub fn incidents(&mut self, last: u32) -> Result<Vec<IncidentView>, Unusable> {
        self.with(async |store, now| store.show(&Shown::Last(last), now).await)
    }

    /// The incidents with this id, or that a message with it tells of.
    ///
    /// # Errors
    ///
    /// As above.
    pub fn incident(&mut self, id: &str) -> Result<Vec<IncidentView>, Unusable> {
        let ids = [id.to_owned()];
        self.with(async |store, now| store.show(&Shown::Ids(&ids), now).await)
    }

    /// The text and the HTML of a mail that tells all of an incident, with times in
    /// `zone`; none if it has no event to show.
    ///
    /// # Errors
    ///
    /// As above.
    pub fn mail(&mut self, id: &str, zone: Option<&str>) -> Result<Option<(String, String)>, Unusable> {
        let calendar = Calendar::of(zone.and_then(|zone| TimeZone::get(zone).ok()));
        let notice = self.with(async |store, now| store.account_of(id, calendar.day_of(now), now).await)?;
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
        self.with(async |store, now| store.revive(id, now).await)
    }

    /// Ends the refusals of a recipient, to whom nothing is attempted for a day. Returns
    /// how many there were.
    ///
    /// # Errors
    ///
    /// As above.
    pub fn allow(&mut self, recipient: &str) -> Result<usize, Unusable> {
        self.with(async |store, _| store.allow(recipient).await)
    }

    /// Begins a silence of so long, by the one whose name is `by`, without what is a secret
    /// by the settings `variables`. None if nothing has the id that it is of.
    ///
    /// # Errors
    ///
    /// As above; also if there are too many silences, or if an incident has no event to
    /// know its kind by.
    pub fn silence(
        &mut self,
        of: SilenceOf,
        lasts: Duration,
        mut why: Option<String>,
        by: String,
        variables: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Option<SilenceView>, Unusable> {
        let matcher = match of {
            SilenceOf::Matcher(matcher) => matcher,
            SilenceOf::Incident(id) => {
                let found = self.incident(&id)?;
                let [incident] = found.as_slice() else {
                    return match found.len() {
                        0 => Ok(None),
                        _ => {
                            let what = "a message with this id tells of several incidents: name one of them";
                            Err(self.failed(what.to_owned()))
                        }
                    };
                };
                match &incident.code {
                    Some(code) => Matcher::new().kind(code),
                    None => {
                        let what =
                            "this incident has no event of one kind: silence it by --target or --message";
                        return Err(self.failed(what.to_owned()));
                    }
                }
            }
        };
        let Some(mut conditions) = matcher.conditions().cloned() else {
            return Err(self.failed("a predicate cannot be kept".to_owned()));
        };
        let policy = read_settings(variables).sifted().0.setup.redaction;
        conditions.redact(&policy);
        why.iter_mut().for_each(|why| redact_text(why, &policy));
        let begin = |now: SystemTime| SilenceRow {
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
        let begun = self.with(async move |store, now| {
            let row = begin(now);
            let view = SilenceView::of(&row);
            Ok(store.silence_for(id::next(), row, now).await?.then_some(view))
        })?;
        match begun {
            Some(view) => Ok(Some(view)),
            None => {
                let what = "there are too many silences: end some by `tracing-alert unsilence`";
                Err(self.failed(what.to_owned()))
            }
        }
    }

    /// The silences that are in force or were in the last 30 days, the latest first.
    ///
    /// # Errors
    ///
    /// As above.
    pub fn silences(&mut self) -> Result<Vec<SilenceView>, Unusable> {
        self.with(async |store, _| store.silences().await)
    }

    /// Ends the silence with this id, or all that are in force. Returns how many.
    ///
    /// # Errors
    ///
    /// As above.
    pub fn unsilence(&mut self, id: Option<&str>) -> Result<usize, Unusable> {
        self.with(async |store, now| store.unsilence_by(id, now).await)
    }

    /// How much there is of what.
    ///
    /// # Errors
    ///
    /// As above.
    pub fn overview(&mut self) -> Result<Overview, Unusable> {
        self.with(async |store, now| store.overview(now).await)
    }

    /// Deletes what is settled. Returns how many messages and incidents went.
    ///
    /// # Errors
    ///
    /// As above.
    pub fn purge(&mut self) -> Result<(u64, u64), Unusable> {
        self.with(async |store, now| store.purge(now).await)
    }

    /// Does `work` at the time that it is there, and waits for its lock as long as another
    /// program may have it.
    pub(super) fn with<T>(
        &mut self,
        work: impl AsyncFnOnce(&mut Operated<'_>, SystemTime) -> Result<T, StoreError>,
    ) -> Result<T, Unusable> {
        let mut store = match &mut self.place {
            Some(Place::File(path, file)) => Operated::File(path, file),
            #[cfg(feature = "postgres")]
            Some(Place::Fleet(_, fleet)) => Operated::Fleet(fleet),
            None => return Err(self.failed("it is closed".to_owned())),
        };
        let done = self.runtime.block_on(async {
            let now = store.time(SystemTime::now()).await?;
            work(&mut store, now).await
        });
        done.map_err(|error| match error {
            StoreError::Busy => self.failed("it is locked by another process; try again".to_owned()),
            other => self.failed(other.to_string()),
        })
    }

    fn failed(&self, what: String) -> Unusable {
        match &self.place {
            Some(Place::File(path, _)) => Unusable::Failed(path.clone(), what),
            #[cfg(feature = "postgres")]
            Some(Place::Fleet(..)) => Unusable::Fleet(what),
            None => Unusable::Failed(PathBuf::new(), what),
        }
    }
}

fn runtime() -> io::Result<Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

/// Closing it leaves nothing beside a file that SQLite made, and no connection.
impl Drop for Database {
    fn drop(&mut self) {
        match self.place.take() {
            Some(Place::File(_, file)) => self.runtime.block_on(file.shut()),
            #[cfg(feature = "postgres")]
            Some(Place::Fleet(_, mut fleet)) => self.runtime.block_on(fleet.close()),
            None => (),
        }
    }
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Database").field("name", &self.name()).finish_non_exhaustive()
    }
}
