//! Closes what has ended, forgets those whom nobody names any more, and deletes what nobody
//! will look up any more: by one instance at a time, a little at once.

use std::time::{Duration, SystemTime};

use super::{
    super::{KEPT_DEAD, KEPT_DELIVERED, StoreError, keep::Turn},
    Fleet, bounded,
    load::{rows, run},
    turn::Saves,
};
use crate::{event::to_millis, host::time::Saturating, policy::incident::QUIET_AFTER};

impl Fleet {
    /// Sweeps, unless an instance did within [`PAUSE`]. True if it did.
    pub(crate) async fn sweep(&mut self) -> Result<bool, StoreError> {
        let done = self.sweep_if_due().await;
        self.note(done)
    }

    async fn sweep_if_due(&mut self) -> Result<bool, StoreError> {
        let mut turn = self.begin_turn().await?;
        let now = turn.now;
        // Of two that come at once, the second sees what the first wrote.
        let last = statement!(
            sqlx::query_scalar::<_, i64>,
            "SELECT swept_at FROM meta WHERE swept_at <= $2 OR swept_at > $1 FOR UPDATE",
            to_millis(now),
            to_millis(now.earlier(PAUSE))
        );
        let last = bounded(last.fetch_optional(&mut *turn.transaction)).await?;
        if let Some(last) = last {
            run!(turn, "UPDATE meta SET swept_at = $1", to_millis(now))?;
            // Together: who sweeps next does not see that nobody did for long.
            if last < to_millis(now.earlier(LONG_PAUSE)) {
                turn.wait_again().await?;
            }
        }
        turn.end().await?;
        if last.is_none() {
            return Ok(false);
        }
        self.close_ended(now).await?;
        self.forget(now).await?;
        self.judge_recipients(now).await?;
        Ok(true)
    }

    /// Closes the incidents that no instance counted an event of for so long: locked, and
    /// looked at again, as a share may have been added meanwhile.
    async fn close_ended(&mut self, now: SystemTime) -> Result<(), StoreError> {
        let mut turn = self.begin_turn().await?;
        turn.saves = Saves::Incidents;
        let ended = statement!(
            sqlx::query_scalar::<_, i64>,
            "SELECT id FROM incident
              WHERE closed_at IS NULL
                AND NOT EXISTS (SELECT 1 FROM share WHERE incident_id = id AND last_at > $1)
              ORDER BY id LIMIT 200 FOR UPDATE SKIP LOCKED",
            to_millis(now.earlier(QUIET_AFTER))
        );
        let ended = bounded(ended.fetch_all(&mut *turn.transaction)).await?;
        if !ended.is_empty() {
            let loaded =
                rows!(turn, "SELECT 'incident', id::text, data::text FROM incidents_now($1)", &ended)?;
            turn.keep_all(loaded)?;
            turn.page.close_ended(now);
        }
        turn.commit(&String::new).await
    }

    async fn forget(&mut self, now: SystemTime) -> Result<(), StoreError> {
        let mut turn = self.begin_turn().await?;
        let (delivered_by, dead_by) =
            (to_millis(now.earlier(KEPT_DELIVERED)), to_millis(now.earlier(KEPT_DEAD)));
        run!(
            turn,
            "DELETE FROM notice WHERE id IN (
                 SELECT notice_id FROM delivery
                  WHERE settled_at <= CASE state WHEN 'dead' THEN $2::bigint ELSE $1::bigint END AND ask_at IS NULL
                  ORDER BY settled_at LIMIT 200 FOR UPDATE SKIP LOCKED)",
            delivered_by,
            dead_by
        )?;
        run!(
            turn,
            "DELETE FROM incident WHERE id IN (
                 SELECT id FROM incident
                  WHERE closed_at <= $1
                    AND NOT EXISTS (SELECT 1 FROM item WHERE incident_id = id)
                    AND NOT EXISTS (SELECT 1 FROM standing WHERE incident_id = id AND due_at IS NOT NULL)
                  ORDER BY closed_at LIMIT 200 FOR UPDATE SKIP LOCKED)",
            delivered_by
        )?;
        // Whoever decided while something was counted may not have seen it.
        run!(
            turn,
            "UPDATE standing SET data = standing.data || jsonb_build_object('due_at', again_at)
               FROM incident
              WHERE incident.id = incident_id AND closed_at IS NULL
                AND again_at IS NOT NULL AND (due_at IS NULL OR again_at < due_at)
                AND (standing.data ->> 'told')::bigint
                  < (SELECT sum(count) FROM share WHERE share.incident_id = incident.id)"
        )?;
        run!(turn, "DELETE FROM instance WHERE seen_until <= $1", to_millis(now.earlier(UNSEEN)))?;
        run!(turn, "DELETE FROM sent_alone WHERE at <= $1", to_millis(now.earlier(SPENT)))?;
        run!(turn, "DELETE FROM silence WHERE until <= $1", dead_by)?;
        turn.end().await
    }
}

/// Between two sweeps.
const PAUSE: Duration = Duration::from_secs(60);

/// After a longer one there was an outage, or no instance.
const LONG_PAUSE: Duration = Duration::from_secs(30 * 60);

/// What was sent so long ago counts for no budget of today, also if it is said again.
const SPENT: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// An instance that was not seen for so long is gone.
const UNSEEN: Duration = Duration::from_secs(24 * 60 * 60);
