//! Loads the rows that a scope names: about one statement for each table.
//!
//! Invariant: decides nothing, and no statement reads all of a table that grows.

use std::{collections::BTreeSet, time::SystemTime};

use sqlx::SqliteConnection;

use super::{
    super::{Channel, Claim, Page, StoreError, Target, batch::overflow_fingerprints, scope::Scope},
    rows::{self, hex, json},
    turn::Turn,
};
use crate::{
    event::to_millis,
    host::time::Saturating,
    policy::incident::{MAX_PENDING, PENDING_PAUSE, QUIET_AFTER, max_under_way},
};

impl Turn<'_> {
    /// Adds what `scope` names to `page`.
    pub(super) async fn load(&mut self, page: &mut Page, scope: &Scope<'_>) -> Result<(), StoreError> {
        let mut loading = Loading { connection: &mut self.transaction, page };
        match scope {
            Scope::Nothing => Ok(()),
            Scope::Batch { fingerprints, said, targets, now } => {
                let groups = loading.groups(said).await?;
                let groups = groups.iter().map(<[u8; 16]>::as_slice);
                let all: Vec<_> = fingerprints.iter().copied().chain(groups).collect();
                loading.batch(&all, targets, *now).await
            }
            Scope::FirstEvent(fingerprint) => loading.first_event(fingerprint).await,
            Scope::Desk { channel, hurried, now } => loading.desk(channel, *hurried, *now).await,
            Scope::Claimed(claim) => loading.deliveries_by_key(&[hex(claim.key.as_bytes())]).await,
            Scope::Settled { claim, now } => loading.settled(claim, *now).await,
            Scope::Cost(sink) => loading.accounts(&[(sink, "")]).await,
            Scope::Dead(sink) => loading.dead(Some(sink)).await,
            Scope::Starts { since } => loading.starts(*since).await,
            Scope::Live => loading.live().await,
            Scope::Absorb(others) => loading.absorb(others).await,
        }
    }
}

/// A page that is being filled.
pub(super) struct Loading<'a> {
    pub(super) connection: &'a mut SqliteConnection,
    pub(super) page: &'a mut Page,
}

impl Loading<'_> {
    async fn batch(
        &mut self,
        fingerprints: &[&[u8]],
        targets: &[Target],
        now: SystemTime,
    ) -> Result<(), StoreError> {
        let overflows = overflow_fingerprints();
        let all = fingerprints.iter().copied().chain(overflows.iter().map(Vec::as_slice));
        let fingerprints = json(&all.map(hex).collect::<Vec<_>>())?;
        let ended_by = to_millis(now.earlier(QUIET_AFTER));
        let ids = sqlx::query_scalar!(
            r#"SELECT json_group_array(id) AS "ids!: String"
                 FROM (SELECT id FROM incident
                        WHERE closed_at IS NULL AND fingerprint IN (SELECT unhex(value) FROM json_each(?1))
                       UNION ALL
                       SELECT id FROM incident WHERE closed_at IS NULL AND last_at <= ?2)"#,
            fingerprints,
            ended_by
        )
        .fetch_one(&mut *self.connection)
        .await?;
        if ids != "[]" {
            self.incidents(&ids).await?;
            self.standings(&ids).await?;
        }
        self.beyond(&fingerprints).await?;
        let recipients: Vec<_> = targets.iter().map(|target| (target.sink, &*target.recipient)).collect();
        self.accounts(&recipients).await?;
        self.pending_to(&recipients).await
    }

    /// What there is besides the rows: numbers, and fingerprints that were seen.
    async fn beyond(&mut self, fingerprints: &str) -> Result<(), StoreError> {
        let beyond = sqlx::query!(
            r#"SELECT max(coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'incident'), 0),
                          (SELECT coalesce(max(id), 0) FROM incident)) AS "incident!: i64",
                      (SELECT coalesce(max(id), 0) FROM notice) AS "notice!: i64",
                      (SELECT count(*) FROM incident
                        WHERE closed_at IS NULL AND about IS NULL) AS "open!: i64",
                      (SELECT json_group_array(value) FROM json_each(?1) AS print
                        WHERE EXISTS (SELECT 1 FROM incident
                                       WHERE fingerprint = unhex(print.value))) AS "seen!: String""#,
            fingerprints
        )
        .fetch_one(&mut *self.connection)
        .await?;
        let seen: Vec<String> = serde_json::from_str(&beyond.seen).unwrap_or_default();
        let here = self.page.count_open();
        let known = &mut self.page.beyond;
        known.last_incident = beyond.incident;
        known.last_notice = beyond.notice;
        known.open = usize::try_from(beyond.open).unwrap_or(0).saturating_sub(here);
        known.seen.extend(seen.iter().map(|print| rows::unhex(print)));
        Ok(())
    }

    async fn first_event(&mut self, fingerprint: &[u8]) -> Result<(), StoreError> {
        let ids = sqlx::query_scalar!(
            r#"SELECT json_group_array(id) AS "ids!: String" FROM incident
                WHERE fingerprint = ?1 AND closed_at IS NULL"#,
            fingerprint
        )
        .fetch_one(&mut *self.connection)
        .await?;
        self.incidents(&ids).await?;
        self.firsts(&ids).await
    }

    async fn desk(&mut self, channel: &Channel, hurried: bool, now: SystemTime) -> Result<(), StoreError> {
        let (sink, now_ms) = (channel.sink, to_millis(now));
        let waiting = sqlx::query_scalar!(
            "SELECT DISTINCT recipient FROM standing
              WHERE sink = ?1 AND due_at IS NOT NULL AND (due_at <= ?2 OR (?3 AND told_at IS NULL))",
            sink,
            now_ms,
            hurried
        )
        .fetch_all(&mut *self.connection)
        .await?;
        let recipients: Vec<_> = waiting.iter().map(|recipient| (sink, recipient.as_str())).collect();
        let waiting = json(&waiting)?;
        let standings = sqlx::query_as!(
            rows::Standing,
            r#"SELECT incident_id AS "incident_id!", sink, recipient, told, reported, told_at, tellings, not_before, due_at
               FROM standing
              WHERE sink = ?1 AND due_at IS NOT NULL AND recipient IN (SELECT value FROM json_each(?2))"#,
            sink,
            waiting
        )
        .fetch_all(&mut *self.connection)
        .await?;
        standings.into_iter().for_each(|row| self.keep_standing(row));
        self.pending_to(&recipients).await?;
        self.notices_of_deliveries().await?;
        let standing: Vec<_> = self.page.standings.keys().map(|(incident, _)| *incident).collect();
        let told = self.page.items.keys().map(|(_, incident)| *incident);
        let ended_by = to_millis(now.earlier(QUIET_AFTER));
        let ended = sqlx::query_scalar!(
            r#"SELECT id AS "id!" FROM incident WHERE closed_at IS NULL AND last_at <= ?1"#,
            ended_by
        )
        .fetch_all(&mut *self.connection)
        .await?;
        let ids: BTreeSet<_> = standing.iter().copied().chain(told).chain(ended).collect();
        self.incidents(&json(&ids)?).await?;
        self.told_elsewhere(&json(&standing)?, sink).await?;
        let mut accounts = recipients;
        accounts.push((sink, ""));
        self.accounts(&accounts).await?;
        self.beyond("[]").await?;
        match channel.segments_per_day {
            Some(limit) => self.under_way(sink, limit).await,
            None => Ok(()),
        }
    }

    /// Somebody who was told of each of these incidents through another sink than
    /// `sink`, if anybody was: it makes no difference who.
    async fn told_elsewhere(&mut self, incidents: &str, sink: &str) -> Result<(), StoreError> {
        let rows = sqlx::query_as!(
            rows::Standing,
            r#"SELECT incident_id AS "incident_id!", sink, recipient, told, reported, told_at, tellings, not_before, due_at
               FROM standing
              WHERE incident_id IN (SELECT value FROM json_each(?1)) AND sink <> ?2 AND told_at IS NOT NULL
              GROUP BY incident_id"#,
            incidents,
            sink
        )
        .fetch_all(&mut *self.connection)
        .await?;
        rows.into_iter().for_each(|row| self.keep_standing(row));
        Ok(())
    }

    /// How many messages of a sink are pending that the page does not hold: as many as
    /// make a difference to a day's `limit` of segments.
    async fn under_way(&mut self, sink: &str, limit: u32) -> Result<(), StoreError> {
        let here = self.page.deliveries.values().filter(|it| *it.recipient.sink == *sink).count() as u64;
        let enough = max_under_way(limit).saturating_add(here);
        let enough = rows::number(enough);
        let pending = sqlx::query_scalar!(
            r#"SELECT count(*) AS "count!: i64"
                 FROM (SELECT 1 FROM delivery WHERE state = 'pending' AND sink = ?1 LIMIT ?2)"#,
            sink,
            enough
        )
        .fetch_one(&mut *self.connection)
        .await?;
        let elsewhere = rows::unsigned(pending).saturating_sub(here);
        self.page.beyond.under_way.insert(sink.to_owned(), elsewhere);
        Ok(())
    }

    async fn settled(&mut self, claim: &Claim, now: SystemTime) -> Result<(), StoreError> {
        self.deliveries_by_key(&[hex(claim.key.as_bytes())]).await?;
        self.notices_of_deliveries().await?;
        let told: Vec<_> = self.page.items.keys().map(|(_, incident)| *incident).collect();
        let told = json(&told)?;
        self.incidents(&told).await?;
        let (held_until, now) = (to_millis(now.later(PENDING_PAUSE)), to_millis(now));
        let rows = sqlx::query_as!(
            rows::Standing,
            r#"SELECT incident_id AS "incident_id!", sink AS "sink!", recipient AS "recipient!", told AS "told!",
                      reported AS "reported!", told_at, tellings AS "tellings!", not_before, due_at
                 FROM standing
                WHERE incident_id IN (SELECT value FROM json_each(?1)) AND sink = ?2 AND recipient = ?3
               UNION ALL
               SELECT incident_id, sink, recipient, told, reported, told_at, tellings, not_before, due_at
                 FROM standing
                WHERE sink = ?2 AND due_at > ?4 AND due_at <= ?5 AND recipient = ?3"#,
            told,
            claim.sink,
            claim.recipient,
            now,
            held_until
        )
        .fetch_all(&mut *self.connection)
        .await?;
        rows.into_iter().for_each(|row| self.keep_standing(row));
        self.accounts(&[(&claim.sink, &claim.recipient), (&claim.sink, "")]).await?;
        self.dead(Some(&claim.sink)).await?;
        self.refusals(Some((&claim.sink, &claim.recipient))).await
    }

    async fn starts(&mut self, since: SystemTime) -> Result<(), StoreError> {
        let rows =
            sqlx::query_as!(rows::StartRecord, "SELECT run, host, pid, started_at, ended_at FROM start")
                .fetch_all(&mut *self.connection)
                .await?;
        for row in rows {
            let (run, start) = row.row();
            self.page.starts.load(run, start);
        }
        let since = to_millis(since);
        let told = sqlx::query_scalar!(
            r#"SELECT id AS "id!" FROM incident WHERE closed_at IS NULL AND about = 'crash_loop'"#
        )
        .fetch_all(&mut *self.connection)
        .await?;
        let error = sqlx::query_scalar!(
            r#"SELECT id AS "id!" FROM incident
                WHERE closed_at IS NULL AND last_at >= ?1 AND about IS NULL AND level = 1
                ORDER BY last_at DESC, id DESC LIMIT 1"#,
            since
        )
        .fetch_all(&mut *self.connection)
        .await?;
        self.firsts(&json(&error)?).await?;
        let ids: Vec<_> = told.into_iter().chain(error).collect();
        self.incidents(&json(&ids)?).await
    }

    async fn live(&mut self) -> Result<(), StoreError> {
        let rows = sqlx::query_as!(
            rows::Standing,
            r#"SELECT incident_id AS "incident_id!", sink, recipient, told, reported, told_at, tellings, not_before, due_at
               FROM standing WHERE due_at IS NOT NULL"#
        )
        .fetch_all(&mut *self.connection)
        .await?;
        rows.into_iter().for_each(|row| self.keep_standing(row));
        let open = sqlx::query_scalar!(r#"SELECT id AS "id!" FROM incident WHERE closed_at IS NULL"#)
            .fetch_all(&mut *self.connection)
            .await?;
        let standing = self.page.standings.keys().map(|(incident, _)| *incident);
        let ids: BTreeSet<_> = standing.chain(open).collect();
        self.incidents(&json(&ids)?).await?;
        let rows = sqlx::query_as!(
            rows::Delivery,
            "SELECT key, notice_id, sink, recipient, state, due_at, attempt, claims, answered, doubtful,
                    created_at, expires_at, settled_at, reference, last_error
               FROM delivery WHERE state = 'pending'"
        )
        .fetch_all(&mut *self.connection)
        .await?;
        rows.into_iter().for_each(|row| self.keep_delivery(row));
        self.notices_of_deliveries().await?;
        self.recipients().await
    }

    async fn absorb(&mut self, others: &[&Page]) -> Result<(), StoreError> {
        let incidents = others.iter().flat_map(|page| page.incidents.values()).map(|incident| {
            let (fingerprint, public_id, opened_at) = incident.identity();
            (hex(&fingerprint), public_id, opened_at)
        });
        let incidents = json(&incidents.collect::<Vec<_>>())?;
        let ids = sqlx::query_scalar!(
            r#"SELECT json_group_array(incident.id) AS "ids!: String"
                 FROM json_each(?1) AS theirs JOIN incident ON fingerprint = unhex(theirs.value ->> 0)
                WHERE closed_at IS NULL OR (public_id = theirs.value ->> 1 AND opened_at = theirs.value ->> 2)"#,
            incidents
        )
        .fetch_one(&mut *self.connection)
        .await?;
        self.incidents(&ids).await?;
        self.standings(&ids).await?;
        let callsites = others.iter().flat_map(|page| page.learned.keys()).map(|callsite| hex(callsite));
        self.learned(callsites.collect()).await?;
        let keys = others.iter().flat_map(|page| page.deliveries.keys()).map(|key| hex(key.as_bytes()));
        self.deliveries_by_key(&keys.collect::<Vec<_>>()).await?;
        self.beyond("[]").await?;
        self.recipients().await
    }
}

/// One more than may be under way to a recipient, so that it shows.
pub(super) const MAX_PENDING_LOADED: i64 = MAX_PENDING.cast_signed() + 1;
