//! What the command does with a file of running programs.
//!
//! Invariant: a file that is not there is not made, and one that is not as this version
//! makes it is not touched.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    time::SystemTime,
};

use serde::Serialize;
use uuid::Uuid;

use super::{
    IncidentView, Prune, Revived, SilenceRow, SilenceView, Sqlite, StoreError,
    keep::{Keep, turn},
    scope::Scope,
};
use crate::{
    event::millis_or_none,
    policy::{known::Knower, notice::Notice},
    queue::stats::EventCounts,
};

/// Why a file is not to be worked with. The text has the mend.
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
}

/// How much there is of what, in a file.
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
    /// How large the file is.
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

impl Sqlite {
    /// The incidents that `shown` names.
    pub(crate) async fn show(
        &mut self,
        shown: &Shown<'_>,
        now: SystemTime,
    ) -> Result<Vec<IncidentView>, StoreError> {
        Ok(self.page_of(shown).await?.incident_views(now))
    }

    /// What a message would say that told all of an incident.
    pub(crate) async fn account_of(
        &mut self,
        id: &str,
        day: u32,
        now: SystemTime,
    ) -> Result<Option<Notice>, StoreError> {
        Ok(self.page_of(&Shown::Ids(&[id.to_owned()])).await?.account_of(id, day, now))
    }

    /// Has the messages with this id, or of this incident, attempted now.
    pub(crate) async fn revive(&mut self, id: &str, now: SystemTime) -> Result<Vec<Revived>, StoreError> {
        let ids = [id.to_owned()];
        let scope = Scope::Shown(&Shown::Ids(&ids));
        turn(self, &scope, &String::new, |page| page.revive(id, now)).await
    }

    /// Ends the refusals of a recipient. Returns how many there were.
    pub(crate) async fn allow(&mut self, recipient: &str) -> Result<usize, StoreError> {
        turn(self, &Scope::Live, &String::new, |page| page.allow(recipient)).await
    }

    /// Begins a silence. False if there are too many.
    pub(crate) async fn silence_for(
        &mut self,
        key: Uuid,
        silence: SilenceRow,
        now: SystemTime,
    ) -> Result<bool, StoreError> {
        turn(self, &Scope::Silences, &String::new, |page| page.silence(key, silence, now)).await
    }

    /// Ends the silences in force with this id, or all. Returns how many.
    pub(crate) async fn unsilence_by(
        &mut self,
        id: Option<&str>,
        now: SystemTime,
    ) -> Result<usize, StoreError> {
        let is_meant = |_, row: &SilenceRow| id.is_none_or(|id| row.public_id == id);
        turn(self, &Scope::Silences, &String::new, |page| page.unsilence(is_meant, now)).await
    }

    /// The silences that are known, the latest first.
    pub(crate) async fn silences(&mut self) -> Result<Vec<SilenceView>, StoreError> {
        let page = self.ledger().await?;
        let mut views: Vec<_> = page.silences.values().map(SilenceView::of).collect();
        views.sort_by_key(|view| std::cmp::Reverse(view.from));
        Ok(views)
    }

    /// How much there is of what.
    pub(crate) async fn overview(&mut self, path: &Path, now: SystemTime) -> Result<Overview, StoreError> {
        let events = self.events().await?;
        let (open_incidents, pending) = self.counts().await?;
        let page = self.ledger().await?;
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
        Ok(Overview {
            events,
            open_incidents,
            sinks,
            refused: page.refusals.keys().map(|it| it.address.to_string()).collect(),
            silences: page.silences.values().filter(|it| it.until > now).count(),
            file_bytes: size(path.to_owned()),
            log_bytes: size(super::path::with_suffix(path, "-wal")),
        })
    }

    /// Deletes what is settled, but for what the programs need to go on. Returns how many
    /// messages and incidents went.
    pub(crate) async fn purge(&mut self, now: SystemTime) -> Result<(u64, u64), StoreError> {
        let (mut messages, mut incidents) = (0, 0);
        loop {
            let pruned = self.prune(Prune::Settled { by: now }).await?;
            messages += pruned.notices;
            incidents += pruned.incidents;
            if pruned.notices + pruned.incidents == 0 {
                return Ok((messages, incidents));
            }
        }
    }
}
