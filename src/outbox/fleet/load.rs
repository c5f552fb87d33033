//! Loads what a scope names. First the rows are locked that the turn may save, then they
//! are read, by a statement that sees what was committed meanwhile.
//!
//! Locks are taken in one order: recipients, what is dead, deliveries and standings,
//! incidents; and recipients by their names.
//! Invariant: decides nothing.

use std::{collections::BTreeSet, time::SystemTime};

use serde::Deserialize;
use sqlx::types::Json;
use uuid::Uuid;

use super::{
    super::{
        Claim, StoreError, Target,
        batch::overflow_fingerprints,
        page::hex,
        scope::{Key, Scope},
    },
    bounded,
    turn::{FleetTurn, Saves},
};
use crate::{
    event::to_millis,
    policy::{budget::Account, fingerprint::Fingerprint},
};

/// A row of the table `tab`: its key and what it says, as JSON.
pub(super) type Loaded = (String, String, String);

/// Reads rows of any tables, each as a table's name, a key and data.
macro_rules! rows {
    ($turn:ident, $sql:expr $(, $argument:expr)*) => {
        bounded(
            sqlx::query_as::<_, (String, String, String)>($sql)$(.bind($argument))*
                .persistent(false)
                .fetch_all(&mut *$turn.transaction),
        )
        .await
    };
}
pub(super) use rows;

/// Runs a statement that only locks, or writes.
macro_rules! run {
    ($turn:ident, $sql:expr $(, $argument:expr)*) => {
        bounded(
            sqlx::query($sql)$(.bind($argument))*.persistent(false).execute(&mut *$turn.transaction),
        )
        .await
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
            Scope::Silences => self.silences().await?,
            Scope::Learned(callsites) => self.known_of(callsites).await?,
            // What is of a process stays in its own store.
            Scope::Starts { .. }
            | Scope::Pending
            | Scope::Live
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
                    known.seen.extend(beyond.seen.iter().filter_map(|print| hex::bytes(print)));
                }
                // An event that cannot be understood is none: its message only counts it.
                "first_event" | "latest_event" | "learned" => drop(self.page.read(&tab, &key, &data)),
                _ => self.page.read(&tab, &key, &data).map_err(unreadable)?,
            }
        }
        self.counted = self.page.incidents.iter().map(|(id, row)| (*id, row.count)).collect();
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

    /// Locks the recipients who may be told of what is opened.
    async fn lock_targets(&mut self, targets: &[Target]) -> Result<(), StoreError> {
        self.saves = Saves::Incidents;
        let (sinks, recipients) = whom(targets);
        let nothing = serde_json::to_value(Account::default()).map_err(unwritable)?;
        run!(
            self,
            "INSERT INTO account (sink, recipient, data)
             SELECT sink, recipient, $3 FROM unnest($1::text[], $2::text[]) AS whom (sink, recipient)
                 ON CONFLICT DO NOTHING",
            &sinks,
            &recipients,
            Json(nothing)
        )?;
        run!(
            self,
            "SELECT 1 FROM account JOIN unnest($1::text[], $2::text[]) AS whom (sink, recipient)
              USING (sink, recipient) ORDER BY sink, recipient FOR UPDATE OF account",
            &sinks,
            &recipients
        )?;
        Ok(())
    }

    /// What is known of callsites, locked.
    async fn learned(&mut self, callsites: BTreeSet<Fingerprint>) -> Result<Vec<Loaded>, StoreError> {
        if callsites.is_empty() {
            return Ok(Vec::new());
        }
        let keys: Vec<String> = callsites.iter().map(|callsite| hex::of(callsite)).collect();
        run!(
            self,
            "SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || ' callsite ' || print, 0))
               FROM unnest($1::text[]) AS print",
            &keys
        )?;
        let callsites: Vec<_> = callsites.into_iter().collect();
        self.known_of(&callsites).await
    }

    async fn known_of(&mut self, callsites: &[Fingerprint]) -> Result<Vec<Loaded>, StoreError> {
        let keys: Result<Vec<String>, _> = callsites.iter().map(serde_json::to_string).collect();
        let keys = keys.map_err(unwritable)?;
        rows!(
            self,
            "SELECT 'learned', callsite, data::text FROM learned
              WHERE callsite IN (SELECT key::jsonb::text FROM unnest($1::text[]) AS key)",
            &keys
        )
    }

    /// What events with these fingerprints join: locked, and who of the instances opens one
    /// locks its fingerprint before there is a row.
    async fn incidents(
        &mut self,
        fingerprints: &[&[u8]],
        targets: &[Target],
        now: SystemTime,
    ) -> Result<Vec<Loaded>, StoreError> {
        let (sinks, recipients) = whom(targets);
        let overflows = overflow_fingerprints();
        let all = fingerprints.iter().copied().chain(overflows.iter().map(Vec::as_slice));
        let prints: BTreeSet<String> = all.map(hex::of).collect();
        let prints: Vec<String> = prints.into_iter().collect();
        run!(
            self,
            "SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || print, 0))
               FROM unnest($1::text[]) AS print",
            &prints
        )?;
        run!(
            self,
            "WITH known AS MATERIALIZED (
                 SELECT id FROM incident
                  WHERE fingerprint = ANY ($1)
                     OR fingerprint IN (SELECT replace(key::text, '-', '') FROM silence WHERE until > $2)
                  ORDER BY id FOR UPDATE)
             SELECT 1 FROM known JOIN standing ON incident_id = id
              ORDER BY incident_id, sink, recipient FOR UPDATE OF standing",
            &prints,
            to_millis(now)
        )?;
        rows!(
            self,
            "WITH chosen AS MATERIALIZED (
                 SELECT max(id) AS id FROM incident
                  WHERE fingerprint = ANY ($1)
                     OR fingerprint IN (SELECT replace(key::text, '-', '') FROM silence WHERE until > $4)
                  GROUP BY fingerprint)
             SELECT 'incident', id::text, data::text FROM incidents_now(ARRAY(SELECT id FROM chosen))
              UNION ALL
             SELECT 'standing', jsonb_build_array(incident_id, jsonb_build_array(sink, recipient))::text, data::text
               FROM standing WHERE incident_id IN (SELECT id FROM chosen)
              UNION ALL
             SELECT 'account', jsonb_build_array(sink, recipient)::text, data::text
               FROM account JOIN unnest($2::text[], $3::text[]) AS whom (sink, recipient) USING (sink, recipient)
              UNION ALL
             SELECT 'silence', to_jsonb(key)::text, data::text FROM silence
              WHERE until > $4 OR replace(key::text, '-', '') = ANY ($1)
              UNION ALL
             SELECT 'beyond', '', jsonb_build_object(
                 'last_incident', nextval('incident_number'),
                 'last_notice', 0,
                 'open', (SELECT count(*) FROM incident WHERE closed_at IS NULL AND about IS NULL),
                 'seen', (SELECT coalesce(jsonb_agg(DISTINCT fingerprint), '[]') FROM incident
                           WHERE fingerprint = ANY ($1)))::text",
            &prints,
            &sinks,
            &recipients,
            to_millis(now)
        )
    }

    async fn first_event(&mut self, fingerprint: &[u8]) -> Result<Vec<Loaded>, StoreError> {
        self.saves = Saves::Incidents;
        let print = hex::of(fingerprint);
        run!(self, "SELECT 1 FROM incident WHERE fingerprint = $1 AND closed_at IS NULL FOR UPDATE", &print)?;
        rows!(
            self,
            "SELECT 'incident', id::text, data::text FROM incidents_now(ARRAY(SELECT id FROM incident WHERE fingerprint = $1 AND closed_at IS NULL))
              UNION ALL
             SELECT 'first_event', incident_id::text, first_event.data::text
               FROM first_event JOIN incident ON id = incident_id
              WHERE fingerprint = $1 AND closed_at IS NULL",
            &print
        )
    }

    /// All that decides what one recipient is told of whom something is due; nothing if
    /// others decide of all of them.
    async fn desk(
        &mut self,
        sink: &str,
        hurried: bool,
        after: &str,
        now: SystemTime,
    ) -> Result<Vec<Loaded>, StoreError> {
        let now = to_millis(now);
        let whom = bounded(
            sqlx::query_scalar::<_, String>(
                "SELECT recipient FROM account
                  WHERE sink = $1 AND recipient > $4
                    AND EXISTS (SELECT 1 FROM standing
                                 WHERE standing.sink = account.sink AND standing.recipient = account.recipient
                                   AND due_at IS NOT NULL
                                   AND (due_at <= $2 OR ($3 AND (told_at IS NULL OR is_back))))
                  ORDER BY recipient LIMIT 1 FOR UPDATE SKIP LOCKED",
            )
            .bind(sink)
            .bind(now)
            .bind(hurried)
            .bind(after)
            .persistent(false)
            .fetch_optional(&mut *self.transaction),
        );
        let Some(recipient) = whom.await? else { return Ok(Vec::new()) };
        self.lock(sink, &recipient).await?;
        rows!(
            self,
            "WITH live AS MATERIALIZED (
                 SELECT incident_id, data FROM standing WHERE sink = $1 AND recipient = $2 AND due_at IS NOT NULL),
               sent AS MATERIALIZED (
                 SELECT key, notice_id, data FROM delivery WHERE sink = $1 AND recipient = $2 AND state = 'pending'),
               told AS MATERIALIZED (
                 SELECT item.notice_id, incident_id, item.data FROM sent JOIN item USING (notice_id)),
               chosen AS MATERIALIZED (SELECT incident_id AS id FROM live UNION SELECT incident_id FROM told)
             SELECT 'incident', id::text, data::text FROM incidents_now(ARRAY(SELECT id FROM chosen))
              UNION ALL
             SELECT 'standing', jsonb_build_array(incident_id, jsonb_build_array($1, $2))::text, data::text FROM live
              UNION ALL
             SELECT * FROM (
                 SELECT DISTINCT ON (incident_id) 'standing',
                        jsonb_build_array(incident_id, jsonb_build_array(sink, recipient))::text, data::text
                   FROM standing
                  WHERE incident_id IN (SELECT incident_id FROM live) AND sink <> $1 AND reported > 0
                  ORDER BY incident_id, told_at DESC NULLS LAST) others
              UNION ALL
             SELECT 'account', jsonb_build_array(sink, recipient)::text, data::text FROM account
              WHERE sink = $1 AND recipient = $2
              UNION ALL
             SELECT 'notice', notice.id::text, notice.data::text FROM sent JOIN notice ON notice.id = notice_id
              UNION ALL
             SELECT 'item', jsonb_build_array(notice_id, incident_id)::text, data::text FROM told
              UNION ALL
             SELECT 'delivery', to_jsonb(key)::text, data::text FROM sent
              UNION ALL
             SELECT 'silence', to_jsonb(key)::text, data::text FROM silence WHERE until > $3
              UNION ALL
             SELECT 'beyond', '', jsonb_build_object(
                 'last_incident', 0, 'last_notice', nextval('notice_number'))::text",
            sink,
            &recipient,
            now
        )
    }

    async fn settled(&mut self, claim: &Claim) -> Result<Vec<Loaded>, StoreError> {
        self.lock_delivery(claim.key, &claim.sink, &claim.recipient).await?;
        rows!(
            self,
            "WITH own AS MATERIALIZED (SELECT key, notice_id, data FROM delivery WHERE key = $1),
               told AS MATERIALIZED (
                 SELECT item.notice_id, incident_id, item.data FROM own JOIN item USING (notice_id))
             SELECT 'incident', id::text, data::text FROM incidents_now(ARRAY(SELECT incident_id FROM told))
              UNION ALL
             SELECT 'standing', jsonb_build_array(incident_id, jsonb_build_array(sink, recipient))::text, data::text
               FROM standing
              WHERE sink = $2 AND recipient = $3
                AND (due_at IS NOT NULL OR incident_id IN (SELECT incident_id FROM told))
              UNION ALL
             SELECT 'account', jsonb_build_array(sink, recipient)::text, data::text FROM account
              WHERE sink = $2 AND recipient = $3
              UNION ALL
             SELECT 'notice', id::text, notice.data::text FROM own JOIN notice ON id = notice_id
              UNION ALL
             SELECT 'item', jsonb_build_array(notice_id, incident_id)::text, data::text FROM told
              UNION ALL
             SELECT 'delivery', to_jsonb(key)::text, data::text FROM own
              UNION ALL
             SELECT 'refusal', jsonb_build_array(sink, recipient)::text, data::text FROM refusal
              WHERE sink = $2 AND recipient = $3
              UNION ALL
             SELECT 'dead_told', to_jsonb(sink)::text, data::text FROM dead_told WHERE sink = $2",
            claim.key,
            &claim.sink,
            &claim.recipient
        )
    }

    async fn questions(
        &mut self,
        sink: &str,
        limit: usize,
        now: SystemTime,
    ) -> Result<Vec<Loaded>, StoreError> {
        rows!(
            self,
            "SELECT 'delivery', to_jsonb(key)::text, data::text FROM delivery
              WHERE sink = $1 AND ask_at <= $2 ORDER BY ask_at LIMIT $3 FOR UPDATE SKIP LOCKED",
            sink,
            to_millis(now),
            i64::try_from(limit).unwrap_or(i64::MAX)
        )
    }

    /// Others are told what nobody got: who is concerned is locked, as well.
    async fn fate(&mut self, key: Uuid, sink: &str) -> Result<Vec<Loaded>, StoreError> {
        run!(
            self,
            "SELECT 1 FROM account
              WHERE (sink, recipient) IN (
                  SELECT standing.sink, standing.recipient
                    FROM delivery JOIN item USING (notice_id) JOIN standing USING (incident_id)
                   WHERE delivery.key = $1)
              ORDER BY sink, recipient FOR UPDATE",
            key
        )?;
        run!(self, "SELECT 1 FROM dead_told WHERE sink = $1 FOR UPDATE", sink)?;
        run!(
            self,
            "WITH own AS MATERIALIZED (SELECT notice_id FROM delivery WHERE key = $1 FOR UPDATE)
             SELECT 1 FROM own JOIN item USING (notice_id) JOIN standing USING (incident_id)
              ORDER BY standing.incident_id, standing.sink, standing.recipient FOR UPDATE OF standing",
            key
        )?;
        rows!(
            self,
            "WITH own AS MATERIALIZED (SELECT key, notice_id, data FROM delivery WHERE key = $1),
               told AS MATERIALIZED (
                 SELECT item.notice_id, incident_id, item.data FROM own JOIN item USING (notice_id))
             SELECT 'incident', id::text, data::text FROM incidents_now(ARRAY(SELECT incident_id FROM told))
              UNION ALL
             SELECT 'standing', jsonb_build_array(incident_id, jsonb_build_array(sink, recipient))::text, data::text
               FROM standing WHERE incident_id IN (SELECT incident_id FROM told)
              UNION ALL
             SELECT 'notice', id::text, notice.data::text FROM own JOIN notice ON id = notice_id
              UNION ALL
             SELECT 'item', jsonb_build_array(notice_id, incident_id)::text, data::text FROM told
              UNION ALL
             SELECT 'delivery', to_jsonb(key)::text, data::text FROM own
              UNION ALL
             SELECT 'dead_told', to_jsonb(sink)::text, data::text FROM dead_told WHERE sink = $2",
            key,
            sink
        )
    }

    async fn notice(&mut self, id: i64) -> Result<Vec<Loaded>, StoreError> {
        rows!(
            self,
            "SELECT 'notice', id::text, data::text FROM notice WHERE id = $1
              UNION ALL
             SELECT 'item', jsonb_build_array(notice_id, incident_id)::text, data::text FROM item WHERE notice_id = $1
              UNION ALL
             SELECT 'incident', id::text, data::text FROM incidents_now(ARRAY(SELECT incident_id FROM item WHERE notice_id = $1))",
            id
        )
    }

    async fn events(&mut self, incidents: &[i64]) -> Result<Vec<Loaded>, StoreError> {
        rows!(
            self,
            "SELECT 'first_event', incident_id::text, data::text FROM first_event WHERE incident_id = ANY ($1)
              UNION ALL
             SELECT 'latest_event', incident_id::text, data::text FROM latest_event WHERE incident_id = ANY ($1)",
            incidents
        )
    }

    async fn silences(&mut self) -> Result<Vec<Loaded>, StoreError> {
        self.saves = Saves::Incidents;
        run!(self, "SELECT 1 FROM account ORDER BY sink, recipient FOR UPDATE")?;
        run!(
            self,
            "SELECT 1 FROM standing WHERE due_at IS NOT NULL ORDER BY incident_id, sink, recipient FOR UPDATE"
        )?;
        run!(self, "SELECT 1 FROM incident WHERE closed_at IS NULL ORDER BY id FOR UPDATE")?;
        rows!(
            self,
            "WITH open AS MATERIALIZED (SELECT id FROM incident WHERE closed_at IS NULL)
             SELECT 'silence', to_jsonb(key)::text, data::text FROM silence
              UNION ALL
             SELECT 'incident', id::text, data::text FROM incidents_now(ARRAY(SELECT id FROM open UNION SELECT incident_id FROM standing WHERE due_at IS NOT NULL))
              UNION ALL
             SELECT 'standing', jsonb_build_array(incident_id, jsonb_build_array(sink, recipient))::text, data::text
               FROM standing WHERE due_at IS NOT NULL
              UNION ALL
             SELECT 'first_event', incident_id::text, first_event.data::text
               FROM open JOIN first_event ON incident_id = id"
        )
    }
}

/// The recipients, in the order in which they are locked.
fn whom(targets: &[Target]) -> (Vec<&str>, Vec<&str>) {
    let whom: BTreeSet<_> = targets.iter().map(|target| (target.sink, &*target.recipient)).collect();
    whom.into_iter().unzip()
}

pub(super) fn unwritable(error: serde_json::Error) -> StoreError {
    StoreError::Failed(error.to_string())
}
