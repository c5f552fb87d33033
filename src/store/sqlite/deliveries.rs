//! Deliveries: one function for each transition.

use std::time::SystemTime;

use sqlx::{Connection, SqliteConnection};
use uuid::Uuid;

use super::{
    super::{Claim, Mark, StoreError},
    Sqlite,
    accounts::{account, save_account},
    count::report,
    rows::json,
};
use crate::{
    budget::{Account, day_of},
    event::{from_millis, to_millis},
    incident::PENDING_PAUSE,
    sink::SendError,
};

impl Sqlite {
    pub(in crate::store) async fn claim(
        &mut self,
        sink: &str,
        limit: usize,
        lease_until: SystemTime,
        now: SystemTime,
    ) -> Result<Vec<Claim>, StoreError> {
        let (lease_until, now) = (to_millis(lease_until), to_millis(now));
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = sqlx::query!(
            r#"UPDATE delivery
                  SET due_at = ?1, attempt = attempt + 1, claims = claims + 1, doubtful = doubtful + 1
                WHERE id IN (SELECT id FROM delivery
                              WHERE state = 'pending' AND sink = ?2 AND due_at <= ?3
                              ORDER BY due_at LIMIT ?4)
               RETURNING key, notice_id, recipient, attempt, claims,
                         doubtful > 1 AS "is_doubtful!: bool", expires_at"#,
            lease_until,
            sink,
            now,
            limit
        )
        .fetch_all(&mut self.connection)
        .await?;
        rows.into_iter()
            .map(|row| {
                Ok(Claim {
                    key: Uuid::from_slice(&row.key).map_err(|error| StoreError::Failed(error.to_string()))?,
                    notice_id: row.notice_id,
                    recipient: row.recipient,
                    attempt: u32::try_from(row.attempt).unwrap_or(u32::MAX),
                    token: row.claims,
                    is_doubtful: row.is_doubtful,
                    expires_at: from_millis(row.expires_at),
                })
            })
            .collect()
    }

    pub(in crate::store) async fn deliver(
        &mut self,
        claim: &Claim,
        reference: Option<&str>,
        segments: u32,
        now: SystemTime,
    ) -> Result<bool, StoreError> {
        let key = claim.key.as_bytes().as_slice();
        let now_ms = to_millis(now);
        let mut tx = self.connection.begin_with("BEGIN IMMEDIATE").await?;
        let delivered = sqlx::query!(
            "UPDATE delivery SET state = 'delivered', settled_at = ?3, reference = ?4, last_error = NULL
              WHERE key = ?1 AND claims = ?2 AND state = 'pending'
             RETURNING sink, notice_id",
            key,
            claim.token,
            now_ms,
            reference
        )
        .fetch_optional(&mut *tx)
        .await?;
        if let Some(delivery) = &delivered {
            let sink = &delivery.sink;
            report(&mut tx, delivery.notice_id, sink, &claim.recipient).await?;
            let heard = Account { heard_at: Some(now), ..account(&mut tx, sink, &claim.recipient).await? };
            save_account(&mut tx, sink, &claim.recipient, &heard).await?;
            let cost = account(&mut tx, sink, "").await?.spent(segments, day_of(now));
            save_account(&mut tx, sink, "", &cost).await?;
            admit(&mut tx, sink, &claim.recipient, now).await?;
        }
        tx.commit().await?;
        Ok(delivered.is_some())
    }

    pub(in crate::store) async fn charge(
        &mut self,
        sink: &str,
        segments: u32,
        now: SystemTime,
    ) -> Result<(), StoreError> {
        let mut tx = self.connection.begin_with("BEGIN IMMEDIATE").await?;
        let cost = account(&mut tx, sink, "").await?.spent(segments, day_of(now));
        save_account(&mut tx, sink, "", &cost).await?;
        tx.commit().await?;
        Ok(())
    }

    pub(in crate::store) async fn retry(
        &mut self,
        claim: &Claim,
        error: &SendError,
        due_at: SystemTime,
    ) -> Result<bool, StoreError> {
        let key = claim.key.as_bytes().as_slice();
        let due_at = to_millis(due_at);
        let (settled, reason) = (i64::from(!error.is_ambiguous()), error.to_string());
        let done = sqlx::query!(
            "UPDATE delivery SET due_at = ?3, last_error = ?4, doubtful = doubtful - ?5
              WHERE key = ?1 AND claims = ?2 AND state = 'pending'",
            key,
            claim.token,
            due_at,
            reason,
            settled
        )
        .execute(&mut self.connection)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    pub(in crate::store) async fn release(
        &mut self,
        claim: &Claim,
        error: Option<&str>,
        due_at: SystemTime,
    ) -> Result<bool, StoreError> {
        let key = claim.key.as_bytes().as_slice();
        let due_at = to_millis(due_at);
        let done = sqlx::query!(
            "UPDATE delivery SET due_at = ?3, attempt = attempt - 1, doubtful = doubtful - 1,
                    last_error = coalesce(?4, last_error)
              WHERE key = ?1 AND claims = ?2 AND state = 'pending'",
            key,
            claim.token,
            due_at,
            error
        )
        .execute(&mut self.connection)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    pub(in crate::store) async fn bury(
        &mut self,
        claim: &Claim,
        reason: &str,
        now: SystemTime,
    ) -> Result<bool, StoreError> {
        let key = claim.key.as_bytes().as_slice();
        let now_ms = to_millis(now);
        let mut tx = self.connection.begin_with("BEGIN IMMEDIATE").await?;
        let sink = sqlx::query_scalar!(
            "UPDATE delivery SET state = 'dead', settled_at = ?3, last_error = ?4
              WHERE key = ?1 AND claims = ?2 AND state = 'pending'
             RETURNING sink",
            key,
            claim.token,
            now_ms,
            reason
        )
        .fetch_optional(&mut *tx)
        .await?;
        if let Some(sink) = &sink {
            admit(&mut tx, sink, &claim.recipient, now).await?;
        }
        tx.commit().await?;
        Ok(sink.is_some())
    }

    pub(in crate::store) async fn next_due(&mut self, sink: &str) -> Result<Option<SystemTime>, StoreError> {
        let due = sqlx::query_scalar!(
            r#"SELECT min(due_at) AS "due_at: i64" FROM delivery WHERE state = 'pending' AND sink = ?1"#,
            sink
        )
        .fetch_one(&mut self.connection)
        .await?;
        Ok(due.map(from_millis))
    }

    pub(in crate::store) async fn mark(&mut self) -> Result<Mark, StoreError> {
        let mark = sqlx::query_as!(
            Mark,
            r#"SELECT (SELECT coalesce(max(id), 0) FROM notice) AS "notice!: i64",
                      (SELECT coalesce(max(id), 0) FROM incident) AS "incident!: i64""#
        )
        .fetch_one(&mut self.connection)
        .await?;
        Ok(mark)
    }

    /// But for the deliveries with the keys in `settled`.
    pub(in crate::store) async fn pending(
        &mut self,
        run: Uuid,
        mark: Mark,
        settled: &[Uuid],
    ) -> Result<u64, StoreError> {
        let run = run.as_bytes().as_slice();
        // The plus keeps SQLite from searching all deliveries by notice: few are
        // pending.
        let settled = json(&settled.iter().map(|key| format!("{:X}", key.simple())).collect::<Vec<_>>())?;
        let count = sqlx::query_scalar!(
            r#"SELECT (SELECT count(*) FROM delivery JOIN notice ON notice.id = notice_id
                        WHERE state = 'pending' AND +notice_id <= ?2
                          AND (notice.run = ?1
                               OR EXISTS (SELECT 1 FROM item JOIN incident ON incident.id = incident_id
                                           WHERE item.notice_id = notice.id AND incident.run = ?1))
                          AND hex(key) NOT IN (SELECT value FROM json_each(?4)))
                    + (SELECT count(*) FROM standing JOIN incident ON incident.id = incident_id
                        WHERE incident.run = ?1 AND incident.id <= ?3 AND due_at IS NOT NULL
                          AND told_at IS NULL AND not_before IS NULL) AS "count!: i64""#,
            run,
            mark.notice,
            mark.incident,
            settled
        )
        .fetch_one(&mut self.connection)
        .await?;
        Ok(u64::try_from(count).unwrap_or(0))
    }
}

/// Has decided anew what waited for fewer messages to be under way.
async fn admit(
    connection: &mut SqliteConnection,
    sink: &str,
    recipient: &str,
    now: SystemTime,
) -> Result<(), StoreError> {
    let (held_until, now) = (to_millis(now + PENDING_PAUSE), to_millis(now));
    sqlx::query!(
        "UPDATE standing SET due_at = ?3
          WHERE sink = ?1 AND recipient = ?2 AND due_at > ?3 AND due_at <= ?4",
        sink,
        recipient,
        now,
        held_until
    )
    .execute(&mut *connection)
    .await?;
    Ok(())
}
