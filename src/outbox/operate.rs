//! What the command does with a store of running programs: a file, or a fleet's.
//!
//! Invariant: a store that is not there is not made, and one that is not as this version
//! makes it is not touched.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    time::SystemTime,
};

use serde::Serialize;
use uuid::Uuid;

#[cfg(feature = "postgres")]
use super::Fleet;
use super::{
    IncidentView, Page, Prune, Revived, SilenceRow, SilenceView, Sqlite, StoreError,
    keep::{Keep, turn},
    scope::Scope,
};
use crate::{
    event::millis_or_none,
    policy::{known::Knower, notice::Notice},
    queue::stats::EventCounts,
};

/// Why a store is not to be worked with. The text has the mend.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Unusable {
    /// Nothing is there.
    #[error("{0}: there is no such file; it is made when a program first starts")]
    Missing(PathBuf),
    /// Something else is there.
    #[error("{0}: {1}")]
    NotOurs(PathBuf, String),
    /// Another version made it.
    #[error("{0}: {1}")]
    Version(PathBuf, String),
    /// Who runs the command could leave files there that the programs cannot write.
    #[error(
        "{path}: it belongs to user {owner}: run the command as that user (or root), like sudo -u '#{owner}' tracing-alert …"
    )]
    User {
        /// The file.
        path: PathBuf,
        /// The number of its owner.
        owner: u32,
    },
    /// It cannot be read or written now.
    #[error("{0}: {1}")]
    Failed(PathBuf, String),
    /// A fleet's store cannot be used.
    #[error("the fleet's store: {0}")]
    Fleet(String),
}

/// How much there is of what, in a store.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Overview {
    /// Where the events of all incidents are.
    pub events: EventCounts,
    /// How many incidents are open.
    pub open_incidents: u64,
    /// The sinks, by name.
    pub sinks: Vec<SinkView>,
    /// Who was refused for good, and nothing is attempted for.
    pub refused: Vec<String>,
    /// How many silences are in force.
    pub silences: usize,
    /// How many instances of the program are seen, if it is a fleet's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instances: Option<u64>,
    /// How many events of an instance's file its fleet did not confirm yet, if there are any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub behind: Option<u64>,
    /// How large the file is, or all that a fleet's schema has.
    pub file_bytes: u64,
    /// How large its write-ahead log is.
    pub log_bytes: u64,
}

/// What there is of one sink.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct SinkView {
    /// Its name.
    pub name: String,
    /// How many messages are pending.
    pub pending: u64,
    /// When the first of them is attempted.
    #[serde(serialize_with = "millis_or_none::serialize")]
    pub next_at: Option<SystemTime>,
    /// Since when nothing was accepted, although some was attempted.
    #[serde(serialize_with = "millis_or_none::serialize")]
    pub failing_since: Option<SystemTime>,
    /// What was wrong last.
    pub failure: Option<String>,
}

/// What a process noted of itself.
#[derive(Debug)]
pub(crate) struct Noted {
    pub(crate) process: Knower,
    /// Each with its sink.
    pub(crate) tells: BTreeSet<(String, String)>,
}

/// What is shown in full.
pub(crate) enum Shown<'a> {
    /// The last so many incidents, and all that are open.
    Last(u32),
    /// Those with these ids, and those that messages with these ids tell of.
    Ids(&'a [String]),
}

/// A store that the command works on.
pub(crate) enum Operated<'a> {
    File(&'a Path, &'a mut Sqlite),
    #[cfg(feature = "postgres")]
    Fleet(&'a mut Fleet),
}

/// Does the same with either.
macro_rules! each {
    ($self:ident, $keeper:ident => $work:expr) => {
        match $self {
            Self::File(_, $keeper) => {
                let $keeper = &mut **$keeper;
                $work.await
            }
            #[cfg(feature = "postgres")]
            Self::Fleet($keeper) => {
                let $keeper = &mut **$keeper;
                $work.await
            }
        }
    };
}

impl Operated<'_> {
    /// What time it is there, `now` being this machine's.
    pub(crate) async fn time(&mut self, now: SystemTime) -> Result<SystemTime, StoreError> {
        match self {
            Self::File(..) => Ok(now),
            #[cfg(feature = "postgres")]
            Self::Fleet(fleet) => {
                fleet.reach().await?;
                Ok(fleet.now())
            }
        }
    }

    /// The incidents that `shown` names.
    pub(crate) async fn show(
        &mut self,
        shown: &Shown<'_>,
        now: SystemTime,
    ) -> Result<Vec<IncidentView>, StoreError> {
        Ok(each!(self, keeper => keeper.page_of(shown))?.incident_views(now))
    }

    /// What a message would say that told all of an incident.
    pub(crate) async fn account_of(
        &mut self,
        id: &str,
        day: u32,
        now: SystemTime,
    ) -> Result<Option<Notice>, StoreError> {
        let ids = [id.to_owned()];
        Ok(each!(self, keeper => keeper.page_of(&Shown::Ids(&ids)))?.account_of(id, day, now))
    }

    /// Has the messages with this id, or of this incident, attempted now.
    pub(crate) async fn revive(&mut self, id: &str, now: SystemTime) -> Result<Vec<Revived>, StoreError> {
        let ids = [id.to_owned()];
        let shown = Shown::Ids(&ids);
        let scope = Scope::Shown(&shown);
        each!(self, keeper => turn(keeper, &scope, &String::new, |page| page.revive(id, now)))
    }

    /// Ends the refusals of a recipient. Returns how many there were.
    pub(crate) async fn allow(&mut self, recipient: &str) -> Result<usize, StoreError> {
        let scope = Scope::Refused(recipient);
        each!(self, keeper => turn(keeper, &scope, &String::new, |page| page.allow(recipient)))
    }

    /// Begins a silence. False if there are too many.
    pub(crate) async fn silence_for(
        &mut self,
        key: Uuid,
        silence: SilenceRow,
        now: SystemTime,
    ) -> Result<bool, StoreError> {
        let begin = |page: &mut Page| page.silence(key, silence, now);
        each!(self, keeper => turn(keeper, &Scope::Silences, &String::new, begin))
    }

    /// Ends the silences in force with this id, or all. Returns how many.
    pub(crate) async fn unsilence_by(
        &mut self,
        id: Option<&str>,
        now: SystemTime,
    ) -> Result<usize, StoreError> {
        let is_meant = |_, row: &SilenceRow| id.is_none_or(|id| row.public_id == id);
        let end = |page: &mut Page| page.unsilence(is_meant, now);
        each!(self, keeper => turn(keeper, &Scope::Silences, &String::new, end))
    }

    /// The silences that are known, the latest first.
    pub(crate) async fn silences(&mut self) -> Result<Vec<SilenceView>, StoreError> {
        let page = each!(self, keeper => keeper.ledger())?;
        let mut views: Vec<_> = page.silences.values().map(SilenceView::of).collect();
        views.sort_by_key(|view| std::cmp::Reverse(view.from));
        Ok(views)
    }

    /// How much there is of what.
    pub(crate) async fn overview(&mut self, now: SystemTime) -> Result<Overview, StoreError> {
        let events = match self {
            Self::File(_, file) => file.events().await?,
            #[cfg(feature = "postgres")]
            Self::Fleet(fleet) => fleet.counted().await?,
        };
        let (open_incidents, pending) = each!(self, keeper => keeper.counts())?;
        let page = each!(self, keeper => keeper.ledger())?;
        let mut sinks: Vec<SinkView> = pending;
        for (name, row) in page.dead.iter() {
            if !sinks.iter().any(|sink| sink.name == *name) {
                sinks.push(SinkView { name: name.clone(), ..SinkView::default() });
            }
            if let Some(sink) = sinks.iter_mut().find(|sink| sink.name == *name) {
                sink.failing_since = row.failing_since;
                sink.failure = row.failing_since.map(|_| row.failure.clone());
            }
        }
        sinks.sort_by(|one, other| one.name.cmp(&other.name));
        let size = |path: PathBuf| std::fs::metadata(path).map_or(0, |metadata| metadata.len());
        let (instances, file_bytes, log_bytes) = match self {
            Self::File(path, _) => {
                (None, size(path.to_owned()), size(super::path::with_suffix(path, "-wal")))
            }
            #[cfg(feature = "postgres")]
            Self::Fleet(fleet) => {
                let (instances, bytes) = fleet.size().await?;
                (Some(instances), bytes, 0)
            }
        };
        let behind: u64 = match self {
            #[cfg(feature = "postgres")]
            Self::File(_, file) => file.behind().await?,
            #[cfg(feature = "postgres")]
            Self::Fleet(_) => 0,
            #[cfg(not(feature = "postgres"))]
            Self::File(..) => 0,
        };
        Ok(Overview {
            events,
            open_incidents,
            sinks,
            refused: page.refusals.keys().map(|it| it.address.to_string()).collect(),
            silences: page.silences.values().filter(|it| it.until > now).count(),
            instances,
            behind: Some(behind).filter(|behind| *behind > 0),
            file_bytes,
            log_bytes,
        })
    }

    /// Deletes what is settled, but for what the programs need to go on. Returns how many
    /// messages and incidents went.
    pub(crate) async fn purge(&mut self, now: SystemTime) -> Result<(u64, u64), StoreError> {
        let (mut messages, mut incidents) = (0, 0);
        loop {
            let (more_messages, more_incidents) = match self {
                Self::File(_, file) => {
                    let pruned = file.prune(Prune::Settled { by: now }).await?;
                    (pruned.notices, pruned.incidents)
                }
                #[cfg(feature = "postgres")]
                Self::Fleet(fleet) => fleet.purge_some().await?,
            };
            messages += more_messages;
            incidents += more_incidents;
            if more_messages + more_incidents == 0 {
                return Ok((messages, incidents));
            }
        }
    }
}
