//! Deletion in small steps, and due times that cannot be right.
//!
//! Every function reads first: when there is nothing to do, it takes no lock
//! that another process could hold.

use std::time::SystemTime;

use sqlx::Connection;
use uuid::Uuid;

use super::{
    super::{
        ABANDONED_AFTER, StoreError,
        upkeep::{Prune, Pruned, ROOM_PERCENT},
    },
    Sqlite,
    rows::json,
};
use crate::event::to_millis;

impl Sqlite {
    pub(in crate::store) async fn prune(&mut self, what: Prune) -> Result<Pruned, StoreError> {
        let before = self.size().await?;
        let (delivered_by, dead_by, enough) = match what {
            Prune::Expired { delivered_by, dead_by } => {
                (to_millis(delivered_by), to_millis(dead_by), BYTES_PER_STEP)
            }
            Prune::Excess { cap_bytes } => {
                let excess = before.used_bytes().saturating_sub(cap_bytes / 100 * ROOM_PERCENT);
                (i64::MAX, i64::MAX, excess.min(BYTES_PER_STEP))
            }
        };
        let chosen = if enough > 0 { self.choose(delivered_by, dead_by, enough).await? } else { Vec::new() };
        let notices = if chosen.is_empty() { 0 } else { self.delete(&chosen).await? };
        if notices == 0 && before.free_pages < PAGES_PER_STEP {
            return Ok(Pruned { notices, more: false, used_bytes: before.used_bytes() });
        }
        sqlx::query!("PRAGMA incremental_vacuum(256)").execute(&mut self.connection).await?;
        let after = self.size().await?;
        // A file that was made without the means to shrink does not.
        let shrinks = after.pages < before.pages && after.free_pages >= PAGES_PER_STEP;
        Ok(Pruned { notices, more: notices > 0 || shrinks, used_bytes: after.used_bytes() })
    }

    async fn size(&mut self) -> Result<Size, StoreError> {
        let size = sqlx::query!(
            r#"SELECT page_count + 0 AS "pages!: i64", freelist_count + 0 AS "free_pages!: i64",
                      page_size + 0 AS "page_bytes!: i64"
                 FROM pragma_page_count, pragma_freelist_count, pragma_page_size"#
        )
        .fetch_one(&mut self.connection)
        .await?;
        let unsigned = |number: i64| u64::try_from(number).unwrap_or(0);
        Ok(Size {
            pages: unsigned(size.pages),
            free_pages: unsigned(size.free_pages),
            page_bytes: unsigned(size.page_bytes),
        })
    }

    /// The oldest notices that may go: until they hold `enough` bytes, or a step
    /// has no more.
    async fn choose(&mut self, delivered_by: i64, dead_by: i64, enough: u64) -> Result<Vec<i64>, StoreError> {
        let rows = sqlx::query!(
            r#"SELECT notice.id AS "id!",
                      (SELECT coalesce(sum(octet_length(payload)), 0)
                         FROM item JOIN incident ON incident.id = incident_id
                        WHERE item.notice_id = notice.id) AS "bytes!: i64"
                 FROM notice LEFT JOIN delivery ON delivery.notice_id = notice.id
                WHERE made_at <= ?1 AND notice.id < (SELECT max(id) FROM notice)
                GROUP BY notice.id
               HAVING count(*) FILTER (WHERE state = 'pending') = 0
                  AND coalesce(max(settled_at), made_at)
                      <= CASE WHEN max(state = 'dead') THEN ?2 ELSE ?1 END
                  AND max(delivery.id) IS NOT (SELECT max(id) FROM delivery)
                ORDER BY notice.id LIMIT ?3"#,
            delivered_by,
            dead_by,
            NOTICES_PER_STEP
        )
        .fetch_all(&mut self.connection)
        .await?;
        let mut bytes = 0;
        let mut chosen = Vec::new();
        for row in rows {
            if bytes >= enough {
                break;
            }
            bytes += u64::try_from(row.bytes).unwrap_or(0) + BYTES_OF_ROWS;
            chosen.push(row.id);
        }
        Ok(chosen)
    }

    /// Deletes notices, but for one of which somebody is to be told again; and
    /// incidents that ended, and that no notice tells of any more.
    async fn delete(&mut self, notices: &[i64]) -> Result<u64, StoreError> {
        let notices = json(&notices)?;
        let mut tx = self.connection.begin_with("BEGIN IMMEDIATE").await?;
        let done = sqlx::query!(
            "DELETE FROM notice
              WHERE id IN (SELECT value FROM json_each(?1))
                AND NOT EXISTS (SELECT 1 FROM delivery WHERE notice_id = notice.id AND state = 'pending')",
            notices
        )
        .execute(&mut *tx)
        .await?;
        sqlx::query!(
            "DELETE FROM incident
              WHERE closed_at IS NOT NULL
                AND NOT EXISTS (SELECT 1 FROM item WHERE incident_id = incident.id)
                AND NOT EXISTS (SELECT 1 FROM standing
                                 WHERE incident_id = incident.id AND due_at IS NOT NULL)"
        )
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(done.rows_affected())
    }

    pub(in crate::store) async fn shift(&mut self, run: Uuid, millis: i64) -> Result<(), StoreError> {
        let run = run.as_bytes().as_slice();
        sqlx::query!(
            "UPDATE delivery SET due_at = due_at + ?2, expires_at = expires_at + ?2
              WHERE state = 'pending' AND notice_id IN (SELECT id FROM notice WHERE run = ?1)",
            run,
            millis
        )
        .execute(&mut self.connection)
        .await?;
        Ok(())
    }

    pub(in crate::store) async fn hasten(
        &mut self,
        first_by: SystemTime,
        again_by: SystemTime,
        now: SystemTime,
    ) -> Result<u64, StoreError> {
        let (first_by, again_by, now) = (to_millis(first_by), to_millis(again_by), to_millis(now));
        let earliest = first_by.min(again_by);
        let latest = sqlx::query_scalar!(
            r#"SELECT max(due_at) AS "due_at: i64" FROM delivery WHERE state = 'pending'"#
        )
        .fetch_one(&mut self.connection)
        .await?;
        if latest.is_none_or(|due_at| due_at <= earliest) {
            return Ok(0);
        }
        let done = sqlx::query!(
            "UPDATE delivery SET due_at = ?3
              WHERE state = 'pending' AND due_at > CASE WHEN claims = 0 THEN ?1 ELSE ?2 END",
            first_by,
            again_by,
            now
        )
        .execute(&mut self.connection)
        .await?;
        Ok(done.rows_affected())
    }

    pub(in crate::store) async fn reconsider(&mut self, now: SystemTime) -> Result<(), StoreError> {
        let now = to_millis(now);
        let later = sqlx::query_scalar!(
            r#"SELECT EXISTS (SELECT 1 FROM standing JOIN incident ON incident.id = incident_id
                               WHERE due_at IS NOT NULL AND max(due_at, last_at) > ?1) AS "any!: bool""#,
            now
        )
        .fetch_one(&mut self.connection)
        .await?;
        if !later {
            return Ok(());
        }
        let mut tx = self.connection.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::query!(
            "UPDATE incident SET opened_at = min(opened_at, ?1), last_at = ?1
              WHERE last_at > ?1 AND id IN (SELECT incident_id FROM standing WHERE due_at IS NOT NULL)",
            now
        )
        .execute(&mut *tx)
        .await?;
        sqlx::query!(
            "UPDATE standing SET due_at = min(due_at, ?1), told_at = min(told_at, ?1)
              WHERE due_at > ?1 OR (due_at IS NOT NULL AND told_at > ?1)",
            now
        )
        .execute(&mut *tx)
        .await?;
        sqlx::query!("UPDATE account SET heard_at = ?1 WHERE heard_at > ?1", now).execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(())
    }

    pub(in crate::store) async fn bury_abandoned(&mut self, now: SystemTime) -> Result<u64, StoreError> {
        let before = to_millis(now - ABANDONED_AFTER);
        let now = to_millis(now);
        let abandoned = sqlx::query_scalar!(
            r#"SELECT EXISTS (SELECT 1 FROM delivery
                               WHERE state = 'pending' AND due_at <= ?1 AND expires_at <= ?1)
                   OR EXISTS (SELECT 1 FROM standing WHERE due_at <= ?1) AS "any!: bool""#,
            before
        )
        .fetch_one(&mut self.connection)
        .await?;
        if !abandoned {
            return Ok(0);
        }
        let mut tx = self.connection.begin_with("BEGIN IMMEDIATE").await?;
        let deliveries = sqlx::query!(
            "UPDATE delivery SET state = 'dead', settled_at = ?1,
                    last_error = coalesce(last_error, 'no process had this sink')
              WHERE state = 'pending' AND due_at <= ?2 AND expires_at <= ?2",
            now,
            before
        )
        .execute(&mut *tx)
        .await?;
        let standings = sqlx::query!("UPDATE standing SET due_at = NULL WHERE due_at <= ?1", before)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(deliveries.rows_affected() + standings.rows_affected())
    }
}

/// How large the file is.
struct Size {
    pages: u64,
    free_pages: u64,
    page_bytes: u64,
}

impl Size {
    fn used_bytes(&self) -> u64 {
        self.pages.saturating_sub(self.free_pages) * self.page_bytes
    }
}

/// How many notices one step deletes at most.
const NOTICES_PER_STEP: i64 = 200;

/// A step takes no more notices when those it has hold this much.
const BYTES_PER_STEP: u64 = 4 * 1024 * 1024;

/// What a notice's rows hold besides its events, about.
const BYTES_OF_ROWS: u64 = 1024;

/// How many free pages a step gives back to the disk; as many may stay.
const PAGES_PER_STEP: u64 = 256;
