//! What the command does with a fleet's store: reads what is shown, and locks what one who
//! looks after it changes.
//!
//! Invariant: no table is made, and nothing is read of a schema that is another program's.

use std::time::SystemTime;

use sqlx::postgres::PgConnectOptions;
use uuid::Uuid;

use super::{
    super::{
        Page, StoreError,
        operate::{Shown, SinkView},
    },
    Fleet, bounded,
    load::{Loaded, rows, run},
    turn::FleetTurn,
};
use crate::{
    event::{from_millis, to_millis},
    queue::stats::EventCounts,
};

impl Fleet {
    /// As [`new`](Self::new), of a schema whose tables are there; of any program, if `app` is
    /// none.
    pub(crate) fn existing(
        options: PgConnectOptions,
        schema: &str,
        app: Option<&str>,
        now: SystemTime,
    ) -> Self {
        let mut fleet = Self::new(options, schema, "", Uuid::nil(), now);
        fleet.app = app.map(str::to_owned);
        fleet.may_make = false;
        fleet
    }

    /// Connects, so that the database's clock is known.
    pub(in crate::outbox) async fn reach(&mut self) -> Result<(), StoreError> {
        self.connected().await.map(|_| ())
    }

    /// The part of the store that is shown.
    pub(in crate::outbox) async fn page_of(&mut self, shown: &Shown<'_>) -> Result<Page, StoreError> {
        let mut turn = self.begin_turn().await?;
        let rows = turn.shown(shown).await?;
        turn.keep_all(rows)?;
        let page = std::mem::take(&mut turn.page);
        turn.end().await?;
        Ok(page)
    }

    /// What is known of sinks, of those who were refused, and of silences: each with what
    /// was counted under it.
    pub(in crate::outbox) async fn ledger(&mut self) -> Result<Page, StoreError> {
        let mut turn = self.begin_turn().await?;
        let loaded = rows!(
            turn,
            "SELECT 'refusal', jsonb_build_array(sink, recipient)::text, data::text FROM refusal
              UNION ALL
             SELECT 'dead_told', to_jsonb(sink)::text, data::text FROM dead_told
              UNION ALL
             SELECT 'silence', to_jsonb(key)::text,
                    (data || jsonb_build_object('held',
                         (SELECT coalesce(sum(share.count), 0)::bigint
                            FROM incident JOIN share ON share.incident_id = incident.id
                           WHERE fingerprint = replace(key::text, '-', ''))))::text
               FROM silence"
        )?;
        turn.keep_all(loaded)?;
        let page = std::mem::take(&mut turn.page);
        turn.end().await?;
        Ok(page)
    }

    /// Where the events of all instances are.
    pub(in crate::outbox) async fn counted(&mut self) -> Result<EventCounts, StoreError> {
        let mut turn = self.begin_turn().await?;
        let counts = statement!(
            sqlx::query_as::<_, (i64, i64, i64)>,
            "WITH known AS MATERIALIZED (
                 SELECT id, coalesce((SELECT sum(share.count) FROM share WHERE incident_id = id), 0) AS count
                   FROM incident WHERE about IS NULL OR about = 'overflow'),
               each AS (
                 SELECT known.count,
                        coalesce((SELECT max(reported) FROM standing WHERE incident_id = id), 0) AS reported,
                        coalesce((SELECT max(standing.reported
                                         + coalesce((SELECT sum((item.data ->> 'count')::bigint)
                                                       FROM delivery JOIN item USING (notice_id)
                                                      WHERE item.incident_id = id AND delivery.state = 'pending'
                                                        AND delivery.sink = standing.sink
                                                        AND delivery.recipient = standing.recipient), 0)
                                         + CASE WHEN due_at IS NULL THEN 0
                                                ELSE greatest(known.count - (standing.data ->> 'told')::bigint, 0) END)
                                    FROM standing WHERE incident_id = id), 0) AS alive
                   FROM known)
             SELECT coalesce(sum(count), 0)::bigint, coalesce(sum(least(reported, count)), 0)::bigint,
                    coalesce(sum(least(greatest(alive, reported), count)), 0)::bigint
               FROM each"
        );
        let counts = bounded(counts.fetch_one(&mut *turn.transaction)).await?;
        turn.end().await?;
        let unsigned = |count: i64| u64::try_from(count).unwrap_or(0);
        Ok(EventCounts::new(unsigned(counts.0), unsigned(counts.1), unsigned(counts.2)))
    }

    /// How many incidents are open, and of each sink with pending messages how many.
    pub(in crate::outbox) async fn counts(&mut self) -> Result<(u64, Vec<SinkView>), StoreError> {
        let mut turn = self.begin_turn().await?;
        let open =
            statement!(sqlx::query_scalar::<_, i64>, "SELECT count(*) FROM incident WHERE closed_at IS NULL");
        let open = bounded(open.fetch_one(&mut *turn.transaction)).await?;
        let sinks = statement!(
            sqlx::query_as::<_, (String, i64, i64)>,
            "SELECT sink, count(*), min(due_at) FROM delivery WHERE state = 'pending' GROUP BY sink ORDER BY sink"
        );
        let sinks = bounded(sinks.fetch_all(&mut *turn.transaction)).await?;
        turn.end().await?;
        let sinks = sinks.into_iter().map(|(name, pending, next_at)| SinkView {
            name,
            pending: u64::try_from(pending).unwrap_or(0),
            next_at: Some::<SystemTime>(from_millis(next_at)),
            ..SinkView::default()
        });
        Ok((u64::try_from(open).unwrap_or(0), sinks.collect()))
    }

    /// How many instances there are, and how large the tables with all that belongs to them.
    pub(in crate::outbox) async fn size(&mut self) -> Result<(u64, u64), StoreError> {
        let mut turn = self.begin_turn().await?;
        let size = statement!(
            sqlx::query_as::<_, (i64, i64)>,
            "SELECT (SELECT count(*) FROM instance WHERE seen_until > $1),
                    (SELECT coalesce(sum(pg_catalog.pg_total_relation_size(c.oid)), 0)::bigint
                       FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
                      WHERE n.nspname = current_schema() AND c.relkind = 'r')",
            to_millis(turn.now)
        );
        let (instances, bytes) = bounded(size.fetch_one(&mut *turn.transaction)).await?;
        turn.end().await?;
        Ok((u64::try_from(instances).unwrap_or(0), u64::try_from(bytes).unwrap_or(0)))
    }

    /// Deletes some of what is settled, but for the last notice and what somebody is still to
    /// be told of or asked after. Returns how many messages and incidents went.
    pub(in crate::outbox) async fn purge_some(&mut self) -> Result<(u64, u64), StoreError> {
        let mut turn = self.begin_turn().await?;
        let notices = run!(
            turn,
            "DELETE FROM notice WHERE id IN (
                 SELECT notice.id FROM delivery JOIN notice ON notice.id = notice_id
                  WHERE settled_at IS NOT NULL AND ask_at IS NULL
                    AND notice.id < (SELECT max(id) FROM notice)
                    AND NOT (state = 'dead' AND notice.data ->> 'kind' <> 'health'
                             AND EXISTS (SELECT 1 FROM dead_told WHERE dead_told.sink = delivery.sink AND count > 0))
                  ORDER BY settled_at LIMIT 200 FOR UPDATE OF delivery, notice SKIP LOCKED)"
        )?;
        let incidents = run!(
            turn,
            "DELETE FROM incident WHERE id IN (
                 SELECT id FROM incident
                  WHERE closed_at IS NOT NULL
                    AND NOT EXISTS (SELECT 1 FROM item WHERE incident_id = id)
                    AND NOT EXISTS (SELECT 1 FROM standing WHERE incident_id = id AND due_at IS NOT NULL)
                  ORDER BY closed_at LIMIT 200 FOR UPDATE SKIP LOCKED)"
        )?;
        turn.end().await?;
        Ok((notices.rows_affected(), incidents.rows_affected()))
    }
}

impl FleetTurn<'_> {
    /// Locks the messages that are shown, after those whom they are to.
    pub(super) async fn lock_shown(&mut self, shown: &Shown<'_>) -> Result<(), StoreError> {
        let ids = match shown {
            Shown::Last(_) => &[][..],
            Shown::Ids(ids) => ids,
        };
        run!(
            self,
            "SELECT 1 FROM account
              WHERE (sink, recipient) IN (
                  SELECT sink, recipient FROM delivery
                   WHERE notice_id IN (SELECT id FROM notice WHERE public_id = ANY ($1))
                      OR notice_id IN (SELECT notice_id FROM item JOIN incident ON incident.id = incident_id
                                        WHERE public_id = ANY ($1)))
              ORDER BY sink, recipient FOR UPDATE",
            ids
        )?;
        run!(
            self,
            "SELECT 1 FROM delivery
              WHERE notice_id IN (SELECT id FROM notice WHERE public_id = ANY ($1))
                 OR notice_id IN (SELECT notice_id FROM item JOIN incident ON incident.id = incident_id
                                   WHERE public_id = ANY ($1))
              ORDER BY key FOR UPDATE",
            ids
        )?;
        Ok(())
    }

    /// The incidents that `shown` names, what is sent of them, and their events.
    pub(super) async fn shown(&mut self, shown: &Shown<'_>) -> Result<Vec<Loaded>, StoreError> {
        let (last, ids) = match shown {
            Shown::Last(last) => (i64::from(*last), &[][..]),
            Shown::Ids(ids) => (-1, *ids),
        };
        rows!(
            self,
            "WITH chosen AS MATERIALIZED (
                 (SELECT id FROM incident ORDER BY id DESC LIMIT greatest($1::bigint, 0))
                  UNION
                 SELECT id FROM incident WHERE $1 >= 0 AND closed_at IS NULL
                  UNION
                 SELECT id FROM incident WHERE public_id = ANY ($2)
                  UNION
                 SELECT incident_id FROM notice JOIN item ON notice_id = notice.id WHERE public_id = ANY ($2)),
               told AS MATERIALIZED (
                 SELECT DISTINCT notice_id FROM chosen JOIN item ON incident_id = chosen.id)
             SELECT 'incident', id::text, data::text FROM incidents_now(ARRAY(SELECT id FROM chosen))
              UNION ALL
             SELECT 'first_event', incident_id::text, data::text
               FROM first_event WHERE incident_id IN (SELECT id FROM chosen)
              UNION ALL
             SELECT 'latest_event', incident_id::text, data::text
               FROM latest_event WHERE incident_id IN (SELECT id FROM chosen) AND $1 < 0
              UNION ALL
             SELECT 'standing', jsonb_build_array(incident_id, jsonb_build_array(sink, recipient))::text, data::text
               FROM standing WHERE incident_id IN (SELECT id FROM chosen)
              UNION ALL
             SELECT 'notice', id::text, data::text FROM notice WHERE id IN (SELECT notice_id FROM told)
              UNION ALL
             SELECT 'item', jsonb_build_array(notice_id, incident_id)::text, data::text
               FROM item WHERE notice_id IN (SELECT notice_id FROM told)
              UNION ALL
             SELECT 'delivery', to_jsonb(key)::text, data::text
               FROM delivery WHERE notice_id IN (SELECT notice_id FROM told)
              UNION ALL
             SELECT 'refusal', jsonb_build_array(sink, recipient)::text, data::text FROM refusal",
            last,
            ids
        )
    }

    /// The refusals of a recipient.
    pub(super) async fn refused(&mut self, recipient: &str) -> Result<Vec<Loaded>, StoreError> {
        run!(
            self,
            "SELECT 1 FROM account WHERE recipient = $1 ORDER BY sink, recipient FOR UPDATE",
            recipient
        )?;
        rows!(
            self,
            "SELECT 'refusal', jsonb_build_array(sink, recipient)::text, data::text
               FROM refusal WHERE recipient = $1 ORDER BY sink FOR UPDATE",
            recipient
        )
    }
}
