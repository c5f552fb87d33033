//! [`FleetTurn`]: one decision, in one transaction.
//!
//! Invariant: what may be saved was locked before it was read; which tables that are, the
//! scope says.

use std::{collections::BTreeMap, time::SystemTime};

use sqlx::{AssertSqlSafe, Connection, PgTransaction};
use uuid::Uuid;

use crate::policy::incident::Recent;

use super::{
    super::{Page, StoreError, keep::Turn, pace::Pace, page::IncidentRow, scope::Scope},
    Fleet, bounded,
};

/// A transaction, and what it loaded.
pub(in crate::outbox) struct FleetTurn<'a> {
    pub(super) transaction: PgTransaction<'a>,
    pub(super) page: Page,
    pub(super) store: Uuid,
    /// Which database it is.
    pub(super) fleet: Uuid,
    /// Which tables are saved.
    pub(super) saves: Saves,
    /// What shares count already of the incidents on the page.
    pub(super) counted: BTreeMap<i64, Counted>,
    pub(super) now: SystemTime,
    is_broken: &'a mut bool,
}

/// What shares count of an incident.
#[derive(Clone, Default)]
pub(super) struct Counted {
    pub(super) count: u64,
    pub(super) pace: Pace,
    pub(super) recent: Recent,
}

/// Which rows a turn may save.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Saves {
    /// What is known of recipients, and their messages.
    #[default]
    Recipients,
    /// Also incidents, whose rows are locked.
    Incidents,
}

impl Saves {
    pub(super) fn tables(self) -> &'static [&'static str] {
        match self {
            Self::Recipients => {
                &["standing", "account", "notice", "item", "delivery", "refusal", "dead_told"]
            }
            Self::Incidents => &[
                "incident",
                "first_event",
                "latest_event",
                "learned",
                "standing",
                "account",
                "notice",
                "item",
                "delivery",
                "refusal",
                "dead_told",
                "silence",
            ],
        }
    }
}

impl Fleet {
    pub(super) async fn begin_turn(&mut self) -> Result<FleetTurn<'_>, StoreError> {
        let begin = AssertSqlSafe(self.begin_statement());
        self.connected().await?;
        let now = self.now();
        let (store, fleet) = (self.store, self.id);
        let Some(connection) = &mut self.connection else {
            return Err(StoreError::Unreachable("it is not connected".to_owned()));
        };
        // Until it has ended well.
        self.is_broken = true;
        let transaction = bounded(connection.begin_with(begin)).await?;
        Ok(FleetTurn {
            transaction,
            page: Page::default(),
            store,
            fleet,
            saves: Saves::default(),
            counted: BTreeMap::new(),
            now,
            is_broken: &mut self.is_broken,
        })
    }
}

impl FleetTurn<'_> {
    /// Notes that shares count what the page does.
    pub(super) fn note_counted(&mut self) {
        let counted = |row: &IncidentRow| Counted {
            count: row.count,
            pace: row.pace.clone(),
            recent: row.recent.clone(),
        };
        self.counted = self.page.incidents.iter().map(|(id, row)| (*id, counted(row))).collect();
    }

    /// Ends the transaction; only then the connection is used again.
    pub(super) async fn end(self) -> Result<(), StoreError> {
        bounded(self.transaction.commit()).await?;
        *self.is_broken = false;
        Ok(())
    }
}

impl Turn for FleetTurn<'_> {
    fn page(&mut self) -> &mut Page {
        &mut self.page
    }

    async fn load(&mut self, scope: &Scope<'_>) -> Result<(), StoreError> {
        self.load_scope(scope).await
    }

    async fn commit(mut self, new_id: &dyn Fn() -> String) -> Result<(), StoreError> {
        self.save(new_id).await?;
        self.end().await
    }
}
