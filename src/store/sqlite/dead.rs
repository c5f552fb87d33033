//! Recipients that were refused, and what is told of deliveries that ended
//! undelivered.

use std::time::SystemTime;

use sqlx::Connection;

use super::{
    super::{
        Claim, Dead, Maker, StoreError, Target,
        batch::{Captured, tallies},
    },
    Sqlite,
    incidents::join,
    rows::unsigned,
};
use crate::{
    event::{from_millis, to_millis},
    notice::Losses,
};

impl Sqlite {
    pub(in crate::store) async fn refuse(
        &mut self,
        claim: &Claim,
        now: SystemTime,
    ) -> Result<(), StoreError> {
        let key = claim.key.as_bytes().as_slice();
        let now = to_millis(now);
        sqlx::query!(
            "INSERT INTO refusal (sink, recipient, since)
             SELECT sink, recipient, ?2 FROM delivery WHERE key = ?1
                 ON CONFLICT (sink, recipient) DO UPDATE SET since = excluded.since",
            key,
            now
        )
        .execute(&mut self.connection)
        .await?;
        Ok(())
    }

    pub(in crate::store) async fn skip_refused(
        &mut self,
        claim: &Claim,
        since: SystemTime,
        now: SystemTime,
    ) -> Result<bool, StoreError> {
        let key = claim.key.as_bytes().as_slice();
        let (since, now) = (to_millis(since), to_millis(now));
        let done = sqlx::query!(
            "UPDATE delivery SET state = 'dead', settled_at = ?4, told = 1,
                    attempt = attempt - 1, doubtful = doubtful - 1,
                    last_error = 'not attempted: the recipient was refused for good'
              WHERE key = ?1 AND claims = ?2 AND state = 'pending'
                AND EXISTS (SELECT 1 FROM refusal
                             WHERE refusal.sink = delivery.sink AND refusal.recipient = delivery.recipient
                               AND refusal.since BETWEEN ?3 + 1 AND ?4)",
            key,
            claim.token,
            since,
            now
        )
        .execute(&mut self.connection)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    pub(in crate::store) async fn sinks_of_dead(&mut self) -> Result<Vec<String>, StoreError> {
        let sinks = sqlx::query_scalar!(
            r#"SELECT sink AS "sink!" FROM delivery WHERE state = 'dead' AND told = 0
                UNION
               SELECT sink FROM dead_told WHERE count > 0"#
        )
        .fetch_all(&mut self.connection)
        .await?;
        Ok(sinks)
    }

    /// One transaction: of several processes, one tells.
    pub(in crate::store) async fn tell_of_dead(
        &mut self,
        sink: &str,
        not_since: SystemTime,
        tell: impl Fn(&Dead) -> Captured,
        maker: &Maker<'_>,
        targets: &[Target],
        now: SystemTime,
    ) -> Result<bool, StoreError> {
        // What was brought died before what is here.
        let last = sqlx::query!(
            r#"SELECT recipient AS "recipient!: String", public_id AS "public_id!: String",
                      reason AS "reason!: String", told_at AS "told_at?: i64"
                 FROM (SELECT recipient, public_id, coalesce(last_error, '') AS reason, settled_at
                         FROM delivery JOIN notice ON notice.id = notice_id
                        WHERE delivery.sink = ?1 AND state = 'dead' AND told = 0 AND kind <> 'health'
                       UNION ALL
                       SELECT recipient, public_id, reason, 0 FROM dead_told WHERE sink = ?1 AND count > 0)
                 LEFT JOIN (SELECT told_at FROM dead_told WHERE sink = ?1)
                ORDER BY settled_at DESC LIMIT 1"#,
            sink
        )
        .fetch_optional(&mut self.connection)
        .await?;
        let Some(last) = last else { return Ok(false) };
        if last.told_at.is_some_and(|at| from_millis(at) > not_since && at <= to_millis(now)) {
            return Ok(false);
        }
        let mut tx = self.connection.begin_with("BEGIN IMMEDIATE").await?;
        let told = sqlx::query!(
            "UPDATE delivery SET told = 1
              WHERE sink = ?1 AND state = 'dead' AND told = 0
                AND (SELECT kind FROM notice WHERE id = notice_id) <> 'health'",
            sink
        )
        .execute(&mut *tx)
        .await?;
        let brought = sqlx::query_scalar!("SELECT count FROM dead_told WHERE sink = ?1", sink)
            .fetch_optional(&mut *tx)
            .await?;
        let count = told.rows_affected() + unsigned(brought.unwrap_or(0));
        if count == 0 {
            return Ok(false);
        }
        let now_ms = to_millis(now);
        sqlx::query!(
            "INSERT INTO dead_told (sink, told_at) VALUES (?1, ?2)
                 ON CONFLICT (sink) DO UPDATE SET told_at = excluded.told_at, count = 0",
            sink,
            now_ms
        )
        .execute(&mut *tx)
        .await?;
        let dead = Dead { count, recipient: last.recipient, public_id: last.public_id, reason: last.reason };
        join(&mut tx, tallies(&[tell(&dead)], &Losses::new(), now), maker, targets, now).await?;
        tx.commit().await?;
        Ok(true)
    }
}
