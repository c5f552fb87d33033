//! What comes over from another store: from memory after an outage, from a file
//! that was moved or is damaged.

use std::collections::BTreeSet;

use sqlx::{Connection, SqliteConnection};
use tracing::Level;
use uuid::Uuid;

use super::{
    super::{
        StoreError,
        bundle::{Bundle, BundledDelivery, BundledEvent},
        level_number, overflow_fingerprint,
    },
    Sqlite,
    notices::json,
};
use crate::notice::Process;

impl Sqlite {
    /// Takes in what another store has pending; what is there already stays as
    /// it is. Returns the last notice.
    pub(in crate::store) async fn import(&mut self, bundles: &[Bundle]) -> Result<i64, StoreError> {
        let mut tx = self.connection.begin_with("BEGIN IMMEDIATE").await?;
        for bundle in bundles {
            let mut part = tx.begin().await?;
            match insert_bundle(&mut part, bundle).await {
                Ok(()) => part.commit().await?,
                // It was read from a damaged file, and the schema refuses it.
                Err(StoreError::Damaged(_)) => part.rollback().await?,
                Err(error) => return Err(error),
            }
        }
        let last = sqlx::query_scalar!(r#"SELECT coalesce(max(id), 0) AS "id!: i64" FROM notice"#)
            .fetch_one(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(last)
    }

    /// Everything that is pending. What cannot be read is left out: the file may
    /// be damaged.
    pub(in crate::store) async fn export(&mut self) -> Vec<Bundle> {
        let mut bundles = Vec::new();
        for id in self.pending_notices().await {
            bundles.extend(read_bundle(&mut self.connection, id).await.ok());
        }
        bundles
    }

    /// The notices of what is pending: up to the first row that cannot be read,
    /// and from the end back to the last one.
    async fn pending_notices(&mut self) -> BTreeSet<i64> {
        let mut notices = BTreeSet::new();
        let (mut last, mut first) = (i64::MIN, i64::MAX);
        loop {
            let next = sqlx::query!(
                r#"SELECT id AS "id!", notice_id FROM delivery NOT INDEXED
                    WHERE id > ?1 AND state = 'pending' ORDER BY id LIMIT 1"#,
                last
            );
            match next.fetch_optional(&mut self.connection).await {
                Ok(Some(row)) => {
                    last = row.id;
                    notices.insert(row.notice_id);
                }
                Ok(None) => return notices,
                Err(_) => break,
            }
        }
        loop {
            let next = sqlx::query!(
                r#"SELECT id AS "id!", notice_id FROM delivery NOT INDEXED
                    WHERE id > ?1 AND id < ?2 AND state = 'pending' ORDER BY id DESC LIMIT 1"#,
                last,
                first
            );
            let Ok(Some(row)) = next.fetch_optional(&mut self.connection).await else {
                return notices;
            };
            first = row.id;
            notices.insert(row.notice_id);
        }
    }
}

async fn insert_bundle(connection: &mut SqliteConnection, bundle: &Bundle) -> Result<(), StoreError> {
    let key = bundle.deliveries.first().map(|delivery| delivery.key.as_slice());
    let known = sqlx::query_scalar!("SELECT id FROM delivery WHERE key = ?1", key)
        .fetch_optional(&mut *connection)
        .await?;
    if known.is_some() {
        return Ok(());
    }
    let run = bundle.run.as_bytes().as_slice();
    let notice_id = sqlx::query_scalar!(
        r#"INSERT INTO notice (public_id, run, kind, about, process, opened_at, closes_at)
           VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
           RETURNING id AS "id!: i64""#,
        bundle.public_id,
        run,
        bundle.kind,
        bundle.about,
        bundle.process,
        bundle.opened_at,
        bundle.closes_at
    )
    .fetch_one(&mut *connection)
    .await?;
    for (reason, count) in &bundle.losses {
        sqlx::query!(
            "INSERT INTO loss (notice_id, reason, count) VALUES (?1, ?2, ?3)",
            notice_id,
            reason,
            count
        )
        .execute(&mut *connection)
        .await?;
    }
    for event in &bundle.events {
        sqlx::query!(
            "INSERT INTO event (notice_id, fingerprint, level, count, first_at, last_at, payload)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            notice_id,
            event.fingerprint,
            event.level,
            event.count,
            event.first_at,
            event.last_at,
            event.payload
        )
        .execute(&mut *connection)
        .await?;
    }
    for delivery in &bundle.deliveries {
        sqlx::query!(
            "INSERT INTO delivery (key, notice_id, sink, recipient, level, due_at,
                                   attempt, claims, doubtful, created_at, expires_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
            delivery.key,
            notice_id,
            delivery.sink,
            delivery.recipient,
            delivery.level,
            delivery.due_at,
            delivery.attempt,
            delivery.claims,
            delivery.doubtful,
            delivery.created_at,
            delivery.expires_at
        )
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

/// Reads what can be read of a notice that has pending deliveries. Rather
/// a message without its id, or with an event of which nothing is known, than none.
async fn read_bundle(connection: &mut SqliteConnection, notice_id: i64) -> Result<Bundle, StoreError> {
    let mut bundle = Bundle {
        public_id: "0000".to_owned(),
        run: Uuid::nil(),
        kind: "first".to_owned(),
        about: None,
        process: json(&Process::default())?,
        opened_at: 0,
        closes_at: 0,
        losses: Vec::new(),
        events: read_events(connection, notice_id).await.unwrap_or_else(|_| vec![unreadable_event()]),
        deliveries: read_deliveries(connection, notice_id).await?,
    };
    let notice = sqlx::query!(
        "SELECT public_id, run, kind, about, process, opened_at, closes_at FROM notice WHERE id = ?1",
        notice_id
    );
    if let Ok(notice) = notice.fetch_one(&mut *connection).await {
        bundle.public_id = notice.public_id;
        bundle.run = Uuid::from_slice(&notice.run).unwrap_or_default();
        bundle.kind = notice.kind;
        bundle.about = notice.about;
        bundle.process = notice.process;
        bundle.opened_at = notice.opened_at;
        bundle.closes_at = notice.closes_at;
    }
    let losses = sqlx::query!("SELECT reason, count FROM loss WHERE notice_id = ?1", notice_id);
    let losses = losses.fetch_all(&mut *connection).await.unwrap_or_default();
    bundle.losses = losses.into_iter().map(|loss| (loss.reason, loss.count)).collect();
    Ok(bundle)
}

/// Reads the events of a notice: by the index, or without it if it is damaged.
async fn read_events(
    connection: &mut SqliteConnection,
    notice_id: i64,
) -> Result<Vec<BundledEvent>, StoreError> {
    let by_index = sqlx::query_as!(
        BundledEvent,
        "SELECT fingerprint, level, count, first_at, last_at, payload FROM event WHERE notice_id = ?1 ORDER BY id",
        notice_id
    );
    if let Ok(events) = by_index.fetch_all(&mut *connection).await {
        return Ok(events);
    }
    let one_by_one = sqlx::query_as!(
        BundledEvent,
        "SELECT fingerprint, level, count, first_at, last_at, payload FROM event NOT INDEXED
          WHERE notice_id = ?1 ORDER BY id",
        notice_id
    );
    Ok(one_by_one.fetch_all(&mut *connection).await?)
}

/// As [`read_events`], its pending deliveries.
async fn read_deliveries(
    connection: &mut SqliteConnection,
    notice_id: i64,
) -> Result<Vec<BundledDelivery>, StoreError> {
    let by_index = sqlx::query_as!(
        BundledDelivery,
        "SELECT key, sink, recipient, level, due_at, attempt, claims, doubtful, created_at, expires_at
           FROM delivery WHERE notice_id = ?1 AND state = 'pending'",
        notice_id
    );
    if let Ok(deliveries) = by_index.fetch_all(&mut *connection).await {
        return Ok(deliveries);
    }
    let one_by_one = sqlx::query_as!(
        BundledDelivery,
        "SELECT key, sink, recipient, level, due_at, attempt, claims, doubtful, created_at, expires_at
           FROM delivery NOT INDEXED WHERE notice_id = ?1 AND state = 'pending'",
        notice_id
    );
    Ok(one_by_one.fetch_all(&mut *connection).await?)
}

/// Stands for the events of a notice that cannot be read.
fn unreadable_event() -> BundledEvent {
    BundledEvent {
        fingerprint: overflow_fingerprint(Level::ERROR).to_vec(),
        level: level_number(Level::ERROR).into(),
        count: 1,
        first_at: 0,
        last_at: 0,
        payload: None,
    }
}
