//! Loads what a scope names. First the rows are locked that the turn may save, then they
//! are read, by a statement that sees what was committed meanwhile.
//!
//! Locks are taken in one order: recipients, what is dead, deliveries and standings,
//! incidents; and recipients by their names.
//! Invariant: decides nothing.

use serde::Deserialize;
use uuid::Uuid;

use super::{
    super::{
        StoreError,
        page::hex,
        scope::{Key, Scope},
    },
    bounded,
    turn::FleetTurn,
};

mod opening;
mod starts;
mod telling;

/// A row of the table `tab`: its key and what it says, as JSON.
pub(super) type Loaded = (String, String, String);

/// Reads rows of any tables, each as a table's name, a key and data.
macro_rules! rows {
    ($turn:ident, $sql:literal $(, $argument:expr)*) => {
        bounded(
            statement!(sqlx::query_as::<_, (String, String, String)>, $sql $(, $argument)*)
                .fetch_all(&mut *$turn.transaction),
        )
        .await
    };
}
pub(super) use rows;

/// Runs a statement that only locks, or writes.
macro_rules! run {
    ($turn:ident, $sql:literal $(, $argument:expr)*) => {
        bounded(statement!(sqlx::query, $sql $(, $argument)*).execute(&mut *$turn.transaction)).await
    };
}
pub(super) use run;

/// What there is besides the rows.
#[derive(Deserialize)]
struct Beyond {
    last_incident: i64,
    last_notice: i64,
    #[serde(default)]
    open: usize,
    #[serde(default)]
    seen: Vec<String>,
    #[serde(default)]
    has_crash_loop: bool,
}

impl FleetTurn<'_> {
    pub(super) async fn load_scope(&mut self, scope: &Scope<'_>) -> Result<(), StoreError> {
        let rows = match scope {
            Scope::Keys(keys) => self.by_key(keys).await?,
            Scope::Batch { fingerprints, said, targets, now, .. } => {
                self.lock_targets(targets).await?;
                let learned = self.learned(said.iter().map(|(said, _)| said.callsite).collect()).await?;
                self.keep_all(learned)?;
                let groups = self.page.groups_of(said);
                let all: Vec<_> =
                    fingerprints.iter().copied().chain(groups.iter().map(<[u8; 16]>::as_slice)).collect();
                self.incidents(&all, targets, *now).await?
            }
            Scope::FirstEvent(fingerprint) => self.first_event(fingerprint).await?,
            Scope::Desk { channel, hurried, after, now } => {
                self.desk(channel.sink, *hurried, after, *now).await?
            }
            Scope::Settled { claim, .. } => self.settled(claim).await?,
            Scope::Inquiries { sink, limit, now } => self.questions(sink, *limit, *now).await?,
            Scope::Fate { key, sink } => self.fate(*key, sink).await?,
            Scope::Notice(id) => self.notice(*id).await?,
            Scope::Events(incidents) => self.events(incidents).await?,
            Scope::Live => self.live().await?,
            Scope::Silences => self.silences().await?,
            Scope::Learned(callsites) => self.known_of(callsites).await?,
            Scope::Starts { since } => self.starts(*since).await?,
            // What is of a process stays in its own store.
            Scope::Pending
            | Scope::Recipients
            | Scope::Shares { .. }
            | Scope::Taken(_)
            | Scope::Absorb(_) => Vec::new(),
            #[cfg(feature = "cli")]
            Scope::Shown(shown) => {
                self.lock_shown(shown).await?;
                self.shown(shown).await?
            }
            #[cfg(feature = "cli")]
            Scope::Refused(recipient) => self.refused(recipient).await?,
        };
        self.keep_all(rows)
    }

    pub(super) fn keep_all(&mut self, rows: Vec<Loaded>) -> Result<(), StoreError> {
        for (tab, key, data) in rows {
            let unreadable = |error| StoreError::Broken(format!("{tab} {key}: {error}"));
            match tab.as_str() {
                "beyond" => {
                    let beyond: Beyond = serde_json::from_str(&data).map_err(unreadable)?;
                    let here = self.page.count_open();
                    let known = &mut self.page.beyond;
                    (known.last_incident, known.last_notice) = (beyond.last_incident, beyond.last_notice);
                    known.open = beyond.open.saturating_sub(here);
                    known.has_crash_loop |= beyond.has_crash_loop;
                    known.seen.extend(beyond.seen.iter().filter_map(|print| hex::bytes(print)));
                }
                // An event that cannot be understood is none: its message only counts it.
                "first_event" | "latest_event" | "learned" => drop(self.page.read(&tab, &key, &data)),
                _ => self.page.read(&tab, &key, &data).map_err(unreadable)?,
            }
        }
        self.note_counted();
        Ok(())
    }

    /// Locks a recipient, and what is known of them and sent to them.
    async fn lock(&mut self, sink: &str, recipient: &str) -> Result<(), StoreError> {
        run!(
            self,
            "WITH whom AS MATERIALIZED (
                 SELECT sink, recipient FROM account WHERE sink = $1 AND recipient = $2 FOR UPDATE),
               sent AS MATERIALIZED (
                 SELECT delivery.key FROM whom JOIN delivery USING (sink, recipient)
                  WHERE delivery.state = 'pending' ORDER BY delivery.key FOR UPDATE OF delivery),
               known AS MATERIALIZED (
                 SELECT standing.incident_id FROM whom JOIN standing USING (sink, recipient)
                  WHERE standing.due_at IS NOT NULL ORDER BY standing.incident_id FOR UPDATE OF standing)
             SELECT (SELECT count(*) FROM sent) + (SELECT count(*) FROM known)",
            sink,
            recipient
        )?;
        Ok(())
    }

    /// Locks the recipient of a delivery, that delivery, and what is known of what it tells.
    async fn lock_delivery(&mut self, key: Uuid, sink: &str, recipient: &str) -> Result<(), StoreError> {
        self.lock(sink, recipient).await?;
        run!(self, "SELECT 1 FROM dead_told WHERE sink = $1 FOR UPDATE", sink)?;
        run!(
            self,
            "WITH own AS MATERIALIZED (SELECT notice_id FROM delivery WHERE key = $1 FOR UPDATE)
             SELECT 1 FROM own JOIN item USING (notice_id)
                      JOIN standing ON standing.incident_id = item.incident_id
                       AND standing.sink = $2 AND standing.recipient = $3
              ORDER BY standing.incident_id FOR UPDATE OF standing",
            key,
            sink,
            recipient
        )?;
        Ok(())
    }

    async fn by_key(&mut self, keys: &[Key<'_>]) -> Result<Vec<Loaded>, StoreError> {
        let mut rows = Vec::new();
        for key in keys {
            if let Key::Account(claim) = key {
                self.lock(&claim.sink, &claim.recipient).await?;
                rows.extend(rows!(
                    self,
                    "SELECT 'account', jsonb_build_array(sink, recipient)::text, data::text FROM account
                      WHERE sink = $1 AND recipient = $2",
                    &claim.sink,
                    &claim.recipient
                )?);
            }
        }
        for key in keys {
            match key {
                Key::Account(_) => (),
                Key::Delivery(key) => rows.extend(rows!(
                    self,
                    "SELECT 'delivery', to_jsonb(key)::text, data::text FROM delivery WHERE key = $1 FOR UPDATE",
                    key
                )?),
                Key::Dead(sink) => rows.extend(rows!(
                    self,
                    "SELECT 'dead_told', to_jsonb(sink)::text, data::text FROM dead_told WHERE sink = $1 FOR UPDATE",
                    sink
                )?),
            }
        }
        Ok(rows)
    }
}

pub(super) fn unwritable(error: serde_json::Error) -> StoreError {
    StoreError::Failed(error.to_string())
}
