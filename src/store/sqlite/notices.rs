//! Notices with their events, losses and first deliveries.

use std::{
    collections::{BTreeMap, HashSet},
    time::SystemTime,
};

use sqlx::{Connection, SqliteConnection};
use uuid::Uuid;

use super::{
    super::{
        Captured, Claim, Draft, SAMPLES_PER_NOTICE, StoreError, Target, gravest, level_number,
        overflow_fingerprint,
    },
    Sqlite,
};
use crate::{
    event::{from_millis, to_millis},
    notice::{Losses, Notice, Sample},
    stats::DropReason,
};

impl Sqlite {
    pub(in crate::store) async fn persist(
        &mut self,
        batch: &[Captured],
        losses: &Losses,
        open: Option<i64>,
        draft: &Draft<'_>,
        targets: &[Target],
        now: SystemTime,
    ) -> Result<i64, StoreError> {
        let now_ms = to_millis(now);
        let mut tx = self.connection.begin_with("BEGIN IMMEDIATE").await?;
        let open = match open {
            Some(id) => {
                sqlx::query_scalar!(
                    r#"SELECT id FROM notice
                        WHERE id = ?1 AND closes_at > ?2
                          AND NOT EXISTS (SELECT 1 FROM delivery WHERE notice_id = ?1 AND claims > 0)"#,
                    id,
                    now_ms
                )
                .fetch_optional(&mut *tx)
                .await?
            }
            None => None,
        };
        let notice_id = match open {
            Some(id) => id,
            None => {
                let kind = if batch.is_empty() { "health" } else { "first" };
                insert_notice(&mut tx, draft, kind, None, now).await?
            }
        };
        insert_events(&mut tx, notice_id, batch).await?;
        for (reason, count) in losses {
            insert_loss(&mut tx, notice_id, *reason, *count).await?;
        }
        let gravest = gravest(batch, losses);
        for target in targets.iter().filter(|target| gravest <= target.level) {
            insert_delivery(&mut tx, notice_id, target, now).await?;
        }
        tx.commit().await?;
        Ok(notice_id)
    }

    pub(in crate::store) async fn add_backtrace(
        &mut self,
        notice_id: i64,
        fingerprint: &[u8],
        backtrace: &str,
    ) -> Result<(), StoreError> {
        sqlx::query!(
            "UPDATE event SET payload = json_set(payload, '$.backtrace', ?3)
              WHERE notice_id = ?1 AND fingerprint = ?2 AND payload IS NOT NULL",
            notice_id,
            fingerprint,
            backtrace
        )
        .execute(&mut self.connection)
        .await?;
        Ok(())
    }

    pub(in crate::store) async fn close(
        &mut self,
        notice_id: i64,
        now: SystemTime,
    ) -> Result<(), StoreError> {
        let now = to_millis(now);
        let mut tx = self.connection.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::query!("UPDATE notice SET closes_at = ?2 WHERE id = ?1 AND closes_at > ?2", notice_id, now)
            .execute(&mut *tx)
            .await?;
        sqlx::query!(
            "UPDATE delivery SET due_at = ?2
              WHERE notice_id = ?1 AND state = 'pending' AND claims = 0 AND due_at > ?2",
            notice_id,
            now
        )
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }

    pub(in crate::store) async fn notice(&mut self, claim: &Claim) -> Result<Notice, StoreError> {
        let row = sqlx::query!(
            "SELECT public_id, about, process, opened_at FROM notice WHERE id = ?1",
            claim.notice_id
        )
        .fetch_one(&mut self.connection)
        .await?;
        let level = i64::from(level_number(claim.level));
        let events = sqlx::query!(
            "SELECT count, last_at, payload FROM event WHERE notice_id = ?1 AND level <= ?2 ORDER BY id",
            claim.notice_id,
            level
        )
        .fetch_all(&mut self.connection)
        .await?;
        let mut samples = Vec::new();
        let mut unsampled = 0;
        for event in events {
            let count = u64::try_from(event.count).unwrap_or(1);
            // A payload that cannot be read is still an event that is told of.
            match event.payload.and_then(|payload| serde_json::from_str(&payload).ok()) {
                Some(payload) => {
                    samples.push(Sample { event: payload, count, last_at: from_millis(event.last_at) });
                }
                None => unsampled += count,
            }
        }
        let losses = sqlx::query!("SELECT reason, count FROM loss WHERE notice_id = ?1", claim.notice_id)
            .fetch_all(&mut self.connection)
            .await?
            .into_iter()
            .map(|loss| (DropReason::from_name(&loss.reason), u64::try_from(loss.count).unwrap_or(0)))
            .collect();
        Ok(Notice {
            id: row.public_id,
            health: row.about.is_some(),
            process: serde_json::from_str(&row.process).unwrap_or_default(),
            opened_at: from_millis(row.opened_at),
            samples,
            unsampled,
            losses,
        })
    }
}

pub(super) async fn insert_notice(
    connection: &mut SqliteConnection,
    draft: &Draft<'_>,
    kind: &str,
    about: Option<&str>,
    now: SystemTime,
) -> Result<i64, StoreError> {
    let run = draft.run.as_bytes().as_slice();
    let process = json(draft.process)?;
    let (now, closes_at) = (to_millis(now), to_millis(draft.closes_at));
    let id = sqlx::query_scalar!(
        r#"INSERT INTO notice (public_id, run, kind, about, process, opened_at, closes_at)
           VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
           RETURNING id AS "id!""#,
        draft.public_id,
        run,
        kind,
        about,
        process,
        now,
        closes_at
    )
    .fetch_one(&mut *connection)
    .await?;
    Ok(id)
}

/// Keeps the events that are new, and counts the others: so a batch costs as
/// many statements as it has new samples, not as it has events.
pub(super) async fn insert_events(
    connection: &mut SqliteConnection,
    notice_id: i64,
    batch: &[Captured],
) -> Result<(), StoreError> {
    let rows = sqlx::query!(
        "SELECT fingerprint, payload IS NOT NULL AS \"kept!: bool\" FROM event WHERE notice_id = ?1",
        notice_id
    )
    .fetch_all(&mut *connection)
    .await?;
    let mut samples = rows.iter().filter(|row| row.kept).count();
    let known: HashSet<Vec<u8>> = rows.into_iter().map(|row| row.fingerprint).collect();
    let mut tallies: BTreeMap<Vec<u8>, Tally<'_>> = BTreeMap::new();
    for captured in batch {
        let own = captured.fingerprint.as_slice();
        let is_known = known.contains(own) || tallies.contains_key(own);
        let is_kept = is_known || samples < SAMPLES_PER_NOTICE;
        samples += usize::from(!is_known && is_kept);
        let overflow = overflow_fingerprint(captured.event.level);
        let fingerprint = if is_kept { own } else { overflow.as_slice() };
        let order = tallies.len();
        match tallies.get_mut(fingerprint) {
            Some(tally) => tally.add(captured),
            None => {
                let tally = Tally::new(order, captured, is_kept && !is_known);
                tallies.insert(fingerprint.to_vec(), tally);
            }
        }
    }
    let mut tallies: Vec<_> = tallies.into_iter().collect();
    tallies.sort_by_key(|(_, tally)| tally.order);
    for (fingerprint, tally) in tallies {
        upsert_event(connection, notice_id, &fingerprint, &tally).await?;
    }
    Ok(())
}

/// What a batch adds to one row.
struct Tally<'a> {
    order: usize,
    first: &'a Captured,
    /// Whether the row is new and keeps the event itself.
    is_sample: bool,
    count: u64,
    last_at: SystemTime,
}

impl<'a> Tally<'a> {
    fn new(order: usize, first: &'a Captured, is_sample: bool) -> Self {
        Self { order, first, is_sample, count: first.count, last_at: first.last_at }
    }

    fn add(&mut self, captured: &Captured) {
        self.count += captured.count;
        self.last_at = self.last_at.max(captured.last_at);
    }
}

async fn upsert_event(
    connection: &mut SqliteConnection,
    notice_id: i64,
    fingerprint: &[u8],
    tally: &Tally<'_>,
) -> Result<(), StoreError> {
    let event = &tally.first.event;
    let level = i64::from(level_number(event.level));
    let count = i64::try_from(tally.count).unwrap_or(i64::MAX);
    let first_at = to_millis(event.at);
    let last_at = to_millis(tally.last_at);
    let payload = if tally.is_sample { Some(json(event)?) } else { None };
    sqlx::query!(
        "INSERT INTO event (notice_id, fingerprint, level, count, first_at, last_at, payload)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT (notice_id, fingerprint)
         DO UPDATE SET count = count + excluded.count, last_at = max(last_at, excluded.last_at)",
        notice_id,
        fingerprint,
        level,
        count,
        first_at,
        last_at,
        payload
    )
    .execute(&mut *connection)
    .await?;
    Ok(())
}

async fn insert_loss(
    connection: &mut SqliteConnection,
    notice_id: i64,
    reason: DropReason,
    count: u64,
) -> Result<(), StoreError> {
    let reason = reason.name();
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    sqlx::query!(
        "INSERT INTO loss (notice_id, reason, count) VALUES (?1, ?2, ?3)
             ON CONFLICT (notice_id, reason) DO UPDATE SET count = count + excluded.count",
        notice_id,
        reason,
        count
    )
    .execute(&mut *connection)
    .await?;
    Ok(())
}

/// Adds the delivery, due when the notice closes, unless it is there.
pub(super) async fn insert_delivery(
    connection: &mut SqliteConnection,
    notice_id: i64,
    target: &Target,
    now: SystemTime,
) -> Result<(), StoreError> {
    let key = Uuid::now_v7();
    let key = key.as_bytes().as_slice();
    let level = i64::from(level_number(target.level));
    let expires_at = to_millis(now + target.deadline);
    let now = to_millis(now);
    sqlx::query!(
        "INSERT INTO delivery (key, notice_id, sink, recipient, level, due_at, created_at, expires_at)
         SELECT ?1, id, ?3, ?4, ?5, closes_at, ?6, ?7 FROM notice WHERE id = ?2
             ON CONFLICT (notice_id, sink, recipient) DO NOTHING",
        key,
        notice_id,
        target.sink,
        target.recipient,
        level,
        now,
        expires_at
    )
    .execute(&mut *connection)
    .await?;
    Ok(())
}

pub(super) fn json(value: &impl serde::Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Failed(error.to_string()))
}
