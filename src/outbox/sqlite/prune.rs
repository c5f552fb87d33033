//! Deletion in small steps.
//!
//! Every function reads first: when there is nothing to do, it takes no lock
//! that another process could hold.

use super::{
    super::{
        StoreError,
        upkeep::{Prune, Pruned, ROOM_PERCENT},
    },
    MIGRATOR, Sqlite, json, unsigned, version,
};
use crate::event::to_millis;

impl Sqlite {
    pub(super) async fn prune_some(&mut self, what: Prune) -> Result<Pruned, StoreError> {
        version::is_known(version::needed(&mut self.connection).await?, &MIGRATOR)?;
        let before = self.size().await?;
        let (delivered_by, dead_by, untold_by, enough) = match what {
            Prune::Expired { delivered_by, dead_by } => {
                (to_millis(delivered_by), to_millis(dead_by), i64::MAX, BYTES_PER_STEP)
            }
            Prune::Settled { by } => (to_millis(by), to_millis(by), 0, BYTES_PER_STEP),
            Prune::Excess { cap_bytes, untold_since } => {
                let excess = before.used_bytes().saturating_sub(cap_bytes / 100 * ROOM_PERCENT);
                (i64::MAX, i64::MAX, to_millis(untold_since), excess.min(BYTES_PER_STEP))
            }
        };
        // Who is asked after is known some day.
        let is_late = !matches!(what, Prune::Settled { .. });
        if let Prune::Expired { .. } = what {
            self.forget_batches(delivered_by).await?;
        }
        let log_bytes = std::fs::metadata(&self.log).map_or(0, |log| log.len());
        let mut pruned = Pruned { log_bytes, ..Pruned::default() };
        if enough > 0 {
            pruned.incidents = self.delete_incidents(delivered_by, enough).await?;
        }
        if enough > 0 && pruned.incidents == 0 {
            pruned.notices = self.delete_notices(delivered_by, dead_by, untold_by, is_late, enough).await?;
        }
        let has_deleted = pruned.incidents + pruned.notices > 0;
        if !has_deleted && before.free_pages < PAGES_PER_STEP {
            return Ok(Pruned { used_bytes: before.used_bytes(), ..pruned });
        }
        sqlx::query!("PRAGMA incremental_vacuum(256)").execute(&mut self.connection).await?;
        let after = self.size().await?;
        // A file that was made without the means to shrink does not.
        let shrinks = after.pages < before.pages && after.free_pages >= PAGES_PER_STEP;
        Ok(Pruned { more: has_deleted || shrinks, used_bytes: after.used_bytes(), ..pruned })
    }

    /// A run that is over brings nothing again.
    async fn forget_batches(&mut self, before: i64) -> Result<(), StoreError> {
        let any = sqlx::query_scalar!(
            r#"SELECT EXISTS (SELECT 1 FROM batch WHERE at <= ?1) AS "any!: bool""#,
            before
        );
        if any.fetch_one(&mut self.connection).await? {
            sqlx::query!("DELETE FROM batch WHERE at <= ?1", before).execute(&mut self.connection).await?;
        }
        Ok(())
    }

    async fn size(&mut self) -> Result<Size, StoreError> {
        let size = sqlx::query!(
            r#"SELECT page_count + 0 AS "pages!: i64", freelist_count + 0 AS "free_pages!: i64",
                      page_size + 0 AS "page_bytes!: i64"
                 FROM pragma_page_count, pragma_freelist_count, pragma_page_size"#
        )
        .fetch_one(&mut self.connection)
        .await?;
        Ok(Size {
            pages: unsigned(size.pages),
            free_pages: unsigned(size.free_pages),
            page_bytes: unsigned(size.page_bytes),
        })
    }

    /// Deletes the incidents that ended first, and of which nobody is to be told
    /// and no notice tells: until `enough` bytes are free, or a step has no more.
    async fn delete_incidents(&mut self, ended_by: i64, enough: u64) -> Result<u64, StoreError> {
        let rows = sqlx::query!(
            r#"SELECT id AS "id!", coalesce(octet_length(payload), 0) AS "bytes!: i64"
                 FROM incident LEFT JOIN first_event ON first_event.incident_id = incident.id
                WHERE closed_at IS NOT NULL AND items = 0 AND closed_at <= ?1
                  AND NOT EXISTS (SELECT 1 FROM standing
                                   WHERE incident_id = incident.id AND due_at IS NOT NULL)
                ORDER BY closed_at LIMIT ?2"#,
            ended_by,
            ROWS_PER_STEP
        )
        .fetch_all(&mut self.connection)
        .await?;
        let chosen = until_enough(rows.into_iter().map(|row| (row.id, row.bytes)), enough);
        if chosen.is_empty() {
            return Ok(0);
        }
        let chosen = json(&chosen);
        let done = sqlx::query!(
            "DELETE FROM incident
              WHERE id IN (SELECT value FROM json_each(?1)) AND closed_at IS NOT NULL AND items = 0
                AND NOT EXISTS (SELECT 1 FROM standing
                                 WHERE incident_id = incident.id AND due_at IS NOT NULL)",
            chosen
        )
        .execute(&mut self.connection)
        .await?;
        Ok(done.rows_affected())
    }

    /// Deletes the oldest notices that may go, in the same measure: with the last
    /// one that tells of it an incident that ended may go, too.
    async fn delete_notices(
        &mut self,
        delivered_by: i64,
        dead_by: i64,
        untold_by: i64,
        is_late: bool,
        enough: u64,
    ) -> Result<u64, StoreError> {
        let rows = sqlx::query!(
            r#"SELECT notice.id AS "id!",
                      (SELECT coalesce(sum(octet_length(payload)), 0)
                         FROM item JOIN incident ON incident.id = item.incident_id
                         JOIN first_event USING (incident_id)
                        WHERE item.notice_id = notice.id AND closed_at IS NOT NULL
                          AND NOT EXISTS (SELECT 1 FROM item AS later
                                           WHERE later.incident_id = item.incident_id
                                             AND later.notice_id > item.notice_id)) AS "bytes!: i64"
                 FROM notice LEFT JOIN delivery ON delivery.notice_id = notice.id
                WHERE made_at <= ?1 AND notice.id < (SELECT max(id) FROM notice)
                  AND coalesce(settled_at, made_at) <= iif(state = 'dead', ?2, ?1)
                  AND state IS NOT 'pending'
                  AND NOT (state IS 'dead' AND kind <> 'health' AND settled_at > ?4
                           AND EXISTS (SELECT 1 FROM dead_told WHERE dead_told.sink = delivery.sink AND count > 0))
                  AND (?5 OR ask_at IS NULL)
                  AND delivery.id IS NOT (SELECT max(id) FROM delivery)
                ORDER BY notice.id LIMIT ?3"#,
            delivered_by,
            dead_by,
            ROWS_PER_STEP,
            untold_by,
            is_late
        )
        .fetch_all(&mut self.connection)
        .await?;
        let chosen = until_enough(rows.into_iter().map(|row| (row.id, row.bytes)), enough);
        if chosen.is_empty() {
            return Ok(0);
        }
        let chosen = json(&chosen);
        let done = sqlx::query!(
            "DELETE FROM notice
              WHERE id IN (SELECT value FROM json_each(?1))
                AND NOT EXISTS (SELECT 1 FROM delivery WHERE notice_id = notice.id AND state = 'pending')",
            chosen
        )
        .execute(&mut self.connection)
        .await?;
        Ok(done.rows_affected())
    }
}

/// The first of `rows` that hold `enough` bytes together.
fn until_enough(rows: impl Iterator<Item = (i64, i64)>, enough: u64) -> Vec<i64> {
    let mut bytes = 0;
    let still = rows.take_while(|(_, more)| {
        let goes_on = bytes < enough;
        bytes += unsigned(*more) + BYTES_OF_ROWS;
        goes_on
    });
    still.map(|(id, _)| id).collect()
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

/// How many notices, or incidents, one step deletes at most.
const ROWS_PER_STEP: i64 = 200;

/// A step takes no more of them when those it has hold this much.
const BYTES_PER_STEP: u64 = 4 * 1024 * 1024;

/// What their rows hold besides events, about.
const BYTES_OF_ROWS: u64 = 1024;

/// How many free pages a step gives back to the disk; as many may stay.
const PAGES_PER_STEP: u64 = 256;
