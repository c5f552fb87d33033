//! Recipients whom no instance's settings name any more are told nothing more of what they know:
//! after an hour, so that nobody loses them who starts again, or was kept away by an outage. What
//! goes on is told to those who are named instead, as if they had been told as much.
//!
//! It is an hour in which sweeps went on: one that nobody swept, as in an outage of the database,
//! begins it again. Whoever is named again is told again of what is still open.
//! Invariant: only somebody else's word makes a recipient unknown. While an instance does not
//! say whom it knows, or no instance has the sink, there is none.

use std::time::{Duration, SystemTime};

use super::{
    super::StoreError,
    Fleet, bounded,
    load::{run, unwritable},
    turn::FleetTurn,
};
use crate::{event::to_millis, host::time::Saturating, policy::budget::Account};

impl Fleet {
    /// Notes who is named by no instance any more and since when, and has nothing told to
    /// those who were not for [`UNNAMED`].
    pub(in crate::outbox) async fn judge_recipients(&mut self, now: SystemTime) -> Result<(), StoreError> {
        self.note_unnamed(now).await?;
        // One recipient in a transaction: others lock what two are told in the order of incidents.
        for _ in 0..STEPS {
            if !self.take_up_one(now).await? {
                break;
            }
        }
        for _ in 0..STEPS {
            if !self.forget_some(now).await? {
                break;
            }
        }
        Ok(())
    }

    async fn note_unnamed(&mut self, now: SystemTime) -> Result<(), StoreError> {
        let mut turn = self.begin_turn().await?;
        // What is locked changes with the next sweep.
        run!(
            turn,
            "WITH seen AS MATERIALIZED (SELECT targets FROM instance WHERE seen_until > $1),
               named AS MATERIALIZED (
                 SELECT DISTINCT whom ->> 0 AS sink, whom ->> 1 AS recipient
                   FROM seen CROSS JOIN jsonb_array_elements(targets) AS target (whom)),
               changed AS MATERIALIZED (
                 SELECT sink, recipient FROM account
                  WHERE (unnamed_since IS NULL)
                      = (NOT EXISTS (SELECT 1 FROM seen WHERE targets IS NULL)
                         AND sink IN (SELECT sink FROM named)
                         AND (sink, recipient) NOT IN (SELECT sink, recipient FROM named))
                  ORDER BY sink, recipient FOR UPDATE SKIP LOCKED)
             UPDATE account SET unnamed_since = CASE WHEN unnamed_since IS NULL THEN $1::bigint END
               FROM changed WHERE account.sink = changed.sink AND account.recipient = changed.recipient",
            to_millis(now)
        )?;
        turn.end().await
    }

    /// Has one of those who were forgotten, and are named again, told of what is open, once
    /// there are more events than they know of. False if there is nobody.
    async fn take_up_one(&mut self, now: SystemTime) -> Result<bool, StoreError> {
        let mut turn = self.begin_turn().await?;
        let whom = statement!(
            sqlx::query_as::<_, (String, String)>,
            "SELECT sink, recipient FROM account
              WHERE is_forgotten AND unnamed_since IS NULL
              ORDER BY sink, recipient LIMIT 1 FOR UPDATE SKIP LOCKED"
        );
        let whom = bounded(whom.fetch_optional(&mut *turn.transaction)).await?;
        if let Some((sink, recipient)) = &whom {
            run!(
                turn,
                "WITH quiet AS MATERIALIZED (
                     SELECT incident_id FROM standing
                      WHERE sink = $1 AND recipient = $2 AND due_at IS NULL AND again_at IS NULL
                        AND incident_id = ANY (ARRAY(SELECT id FROM incident WHERE closed_at IS NULL))
                      ORDER BY incident_id FOR UPDATE)
                 UPDATE standing SET data = data || jsonb_build_object('again_at', $3::bigint)
                  WHERE sink = $1 AND recipient = $2 AND incident_id = ANY (ARRAY(SELECT incident_id FROM quiet))",
                sink,
                recipient,
                to_millis(now)
            )?;
            run!(
                turn,
                "UPDATE account SET is_forgotten = false WHERE sink = $1 AND recipient = $2",
                sink,
                recipient
            )?;
        }
        turn.end().await?;
        Ok(whom.is_some())
    }

    /// Has nothing more told to one of those whom nobody names for [`UNNAMED`], of some of the
    /// incidents that they know, and those told who are named. What is locked is left for the
    /// next time. False if nothing was done.
    async fn forget_some(&mut self, now: SystemTime) -> Result<bool, StoreError> {
        let mut turn = self.begin_turn().await?;
        // `min` and an order keep the server to the index on `again_at`: it expects to meet one
        // soon, and would read the whole table if there is none.
        let whom = statement!(
            sqlx::query_as::<_, (String, String)>,
            "SELECT sink, recipient FROM account
              WHERE unnamed_since <= $1
                AND (EXISTS (SELECT 1 FROM standing
                              WHERE standing.sink = account.sink AND standing.recipient = account.recipient
                                AND due_at IS NOT NULL AND told_at IS NOT NULL)
                     OR (SELECT min(again_at) FROM standing
                          WHERE standing.sink = account.sink AND standing.recipient = account.recipient
                            AND told_at IS NOT NULL) IS NOT NULL)
              ORDER BY sink, recipient LIMIT 1 FOR UPDATE SKIP LOCKED",
            to_millis(now.earlier(UNNAMED))
        );
        let whom = bounded(whom.fetch_optional(&mut *turn.transaction)).await?;
        let Some((sink, recipient)) = &whom else {
            turn.end().await?;
            return Ok(false);
        };
        run!(
            turn,
            "UPDATE account SET is_forgotten = true WHERE sink = $1 AND recipient = $2 AND NOT is_forgotten",
            sink,
            recipient
        )?;
        let forgotten = run!(
            turn,
            "WITH due AS MATERIALIZED (
                 SELECT incident_id, data FROM standing
                  WHERE sink = $1 AND recipient = $2 AND due_at IS NOT NULL AND told_at IS NOT NULL
                  LIMIT 500 FOR UPDATE SKIP LOCKED),
               again AS MATERIALIZED (
                 SELECT incident_id, data FROM standing
                  WHERE sink = $1 AND recipient = $2 AND again_at IS NOT NULL AND told_at IS NOT NULL
                  ORDER BY again_at LIMIT 500 FOR UPDATE SKIP LOCKED),
               known AS MATERIALIZED (SELECT * FROM due UNION SELECT * FROM again),
               named AS MATERIALIZED (
                 SELECT DISTINCT whom ->> 1 AS heir
                   FROM instance CROSS JOIN jsonb_array_elements(targets) AS target (whom)
                  WHERE seen_until > $3 AND whom ->> 0 = $1),
               heirs AS (
                 INSERT INTO account (sink, recipient, data)
                 SELECT $1, heir, $4 FROM named ORDER BY heir
                     ON CONFLICT (sink, recipient) DO NOTHING),
               told AS (
                 INSERT INTO standing (incident_id, sink, recipient, data)
                 SELECT incident_id, $1, heir, data FROM known CROSS JOIN named ORDER BY incident_id, heir
                     ON CONFLICT (incident_id, sink, recipient) DO NOTHING)
             UPDATE standing SET data = data || '{\"due_at\": null, \"again_at\": null}'
              WHERE sink = $1 AND recipient = $2 AND incident_id = ANY (ARRAY(SELECT incident_id FROM known))
                AND EXISTS (SELECT 1 FROM named)",
            sink,
            recipient,
            to_millis(now),
            serde_json::to_value(Account::default()).map_err(unwritable)?
        )?;
        turn.end().await?;
        Ok(forgotten.rows_affected() > 0)
    }
}

impl FleetTurn<'_> {
    /// Begins the hour again, of those whom it passes for.
    pub(super) async fn wait_again(&mut self) -> Result<(), StoreError> {
        let now = to_millis(self.now);
        run!(
            self,
            "WITH waiting AS MATERIALIZED (
                 SELECT sink, recipient FROM account WHERE unnamed_since IS NOT NULL
                  ORDER BY sink, recipient FOR UPDATE)
             UPDATE account SET unnamed_since = $1 FROM waiting
              WHERE account.sink = waiting.sink AND account.recipient = waiting.recipient",
            now
        )?;
        Ok(())
    }
}

/// For so long nobody names a recipient until they are told no more.
const UNNAMED: Duration = Duration::from_secs(60 * 60);

/// So many steps one sweep takes at most.
const STEPS: usize = 20;
