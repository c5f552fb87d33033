//! What is loaded to tell recipients, and of what became of their messages.

use std::time::SystemTime;

use uuid::Uuid;

use super::{
    super::{
        super::{Claim, StoreError},
        bounded,
        turn::FleetTurn,
    },
    Loaded, rows, run,
};
use crate::event::to_millis;

impl FleetTurn<'_> {
    /// All that decides what one recipient is told of whom something is due; nothing if
    /// others decide of all of them. When there were how many events, and where, is only known
    /// of the incidents that are due first: of many more that would take too long.
    pub(super) async fn desk(
        &mut self,
        sink: &str,
        hurried: bool,
        after: &str,
        now: SystemTime,
    ) -> Result<Vec<Loaded>, StoreError> {
        let now = to_millis(now);
        let whom = bounded(
            statement!(
                sqlx::query_scalar::<_, String>,
                "SELECT recipient FROM account
                  WHERE sink = $1 AND recipient > $4
                    AND EXISTS (SELECT 1 FROM standing
                                 WHERE standing.sink = account.sink AND standing.recipient = account.recipient
                                   AND due_at IS NOT NULL
                                   AND (due_at <= $2 OR ($3 AND (told_at IS NULL OR is_back))))
                  ORDER BY recipient LIMIT 1 FOR UPDATE SKIP LOCKED",
                sink,
                now,
                hurried,
                after
            )
            .fetch_optional(&mut *self.transaction),
        );
        let Some(recipient) = whom.await? else { return Ok(Vec::new()) };
        self.lock(sink, &recipient).await?;
        rows!(
            self,
            "WITH live AS MATERIALIZED (
                 SELECT incident_id, due_at, data FROM standing
                  WHERE sink = $1 AND recipient = $2 AND due_at IS NOT NULL),
               sent AS MATERIALIZED (
                 SELECT key, notice_id, data FROM delivery WHERE sink = $1 AND recipient = $2 AND state = 'pending'),
               told AS MATERIALIZED (
                 SELECT item.notice_id, incident_id, item.data FROM sent JOIN item USING (notice_id)),
               chosen AS MATERIALIZED (
                 SELECT id, min(due_at) AS due_at
                   FROM (SELECT incident_id AS id, due_at FROM live
                          UNION ALL
                         SELECT incident_id, NULL FROM told) ids GROUP BY id)
             SELECT 'incident', id::text, data::text
               FROM incidents_now(ARRAY(SELECT id FROM chosen ORDER BY due_at NULLS LAST, id LIMIT 50))
              UNION ALL
             SELECT 'incident', id::text, data::text
               FROM incidents_counted(ARRAY(SELECT id FROM chosen ORDER BY due_at NULLS LAST, id OFFSET 50))
              UNION ALL
             SELECT 'standing', jsonb_build_array(incident_id, jsonb_build_array($1, $2))::text, data::text FROM live
              UNION ALL
             SELECT * FROM (
                 SELECT DISTINCT ON (incident_id) 'standing',
                        jsonb_build_array(incident_id, jsonb_build_array(sink, recipient))::text, data::text
                   FROM standing
                  WHERE incident_id IN (SELECT incident_id FROM live) AND sink <> $1 AND reported > 0
                  ORDER BY incident_id, told_at DESC NULLS LAST) others
              UNION ALL
             SELECT 'account', jsonb_build_array(sink, recipient)::text, data::text FROM account
              WHERE sink = $1 AND recipient = $2
              UNION ALL
             SELECT 'notice', notice.id::text, notice.data::text FROM sent JOIN notice ON notice.id = notice_id
              UNION ALL
             SELECT 'item', jsonb_build_array(notice_id, incident_id)::text, data::text FROM told
              UNION ALL
             SELECT 'delivery', to_jsonb(key)::text, data::text FROM sent
              UNION ALL
             SELECT 'silence', to_jsonb(key)::text, data::text FROM silence WHERE until > $3
              UNION ALL
             SELECT 'beyond', '', jsonb_build_object(
                 'last_incident', 0, 'last_notice', nextval('notice_number'))::text",
            sink,
            &recipient,
            now
        )
    }

    pub(super) async fn settled(&mut self, claim: &Claim) -> Result<Vec<Loaded>, StoreError> {
        self.lock_delivery(claim.key, &claim.sink, &claim.recipient).await?;
        rows!(
            self,
            "WITH own AS MATERIALIZED (SELECT key, notice_id, data FROM delivery WHERE key = $1),
               told AS MATERIALIZED (
                 SELECT item.notice_id, incident_id, item.data FROM own JOIN item USING (notice_id))
             SELECT 'incident', id::text, data::text FROM incidents_now(ARRAY(SELECT incident_id FROM told))
              UNION ALL
             SELECT 'standing', jsonb_build_array(incident_id, jsonb_build_array(sink, recipient))::text, data::text
               FROM standing
              WHERE sink = $2 AND recipient = $3
                AND (due_at IS NOT NULL OR incident_id IN (SELECT incident_id FROM told))
              UNION ALL
             SELECT 'account', jsonb_build_array(sink, recipient)::text, data::text FROM account
              WHERE sink = $2 AND recipient = $3
              UNION ALL
             SELECT 'notice', id::text, notice.data::text FROM own JOIN notice ON id = notice_id
              UNION ALL
             SELECT 'item', jsonb_build_array(notice_id, incident_id)::text, data::text FROM told
              UNION ALL
             SELECT 'delivery', to_jsonb(key)::text, data::text FROM own
              UNION ALL
             SELECT 'refusal', jsonb_build_array(sink, recipient)::text, data::text FROM refusal
              WHERE sink = $2 AND recipient = $3
              UNION ALL
             SELECT 'dead_told', to_jsonb(sink)::text, data::text FROM dead_told WHERE sink = $2",
            claim.key,
            &claim.sink,
            &claim.recipient
        )
    }

    pub(super) async fn questions(
        &mut self,
        sink: &str,
        limit: usize,
        now: SystemTime,
    ) -> Result<Vec<Loaded>, StoreError> {
        rows!(
            self,
            "SELECT 'delivery', to_jsonb(key)::text, data::text FROM delivery
              WHERE sink = $1 AND ask_at <= $2 ORDER BY ask_at LIMIT $3 FOR UPDATE SKIP LOCKED",
            sink,
            to_millis(now),
            i64::try_from(limit).unwrap_or(i64::MAX)
        )
    }

    /// Others are told what nobody got: who is concerned is locked, as well.
    pub(super) async fn fate(&mut self, key: Uuid, sink: &str) -> Result<Vec<Loaded>, StoreError> {
        run!(
            self,
            "SELECT 1 FROM account
              WHERE (sink, recipient) IN (
                  SELECT standing.sink, standing.recipient
                    FROM delivery JOIN item USING (notice_id) JOIN standing USING (incident_id)
                   WHERE delivery.key = $1)
              ORDER BY sink, recipient FOR UPDATE",
            key
        )?;
        run!(self, "SELECT 1 FROM dead_told WHERE sink = $1 FOR UPDATE", sink)?;
        run!(
            self,
            "WITH own AS MATERIALIZED (SELECT notice_id FROM delivery WHERE key = $1 FOR UPDATE)
             SELECT 1 FROM own JOIN item USING (notice_id) JOIN standing USING (incident_id)
              ORDER BY standing.incident_id, standing.sink, standing.recipient FOR UPDATE OF standing",
            key
        )?;
        rows!(
            self,
            "WITH own AS MATERIALIZED (SELECT key, notice_id, data FROM delivery WHERE key = $1),
               told AS MATERIALIZED (
                 SELECT item.notice_id, incident_id, item.data FROM own JOIN item USING (notice_id))
             SELECT 'incident', id::text, data::text FROM incidents_now(ARRAY(SELECT incident_id FROM told))
              UNION ALL
             SELECT 'standing', jsonb_build_array(incident_id, jsonb_build_array(sink, recipient))::text, data::text
               FROM standing WHERE incident_id IN (SELECT incident_id FROM told)
              UNION ALL
             SELECT 'notice', id::text, notice.data::text FROM own JOIN notice ON id = notice_id
              UNION ALL
             SELECT 'item', jsonb_build_array(notice_id, incident_id)::text, data::text FROM told
              UNION ALL
             SELECT 'delivery', to_jsonb(key)::text, data::text FROM own
              UNION ALL
             SELECT 'dead_told', to_jsonb(sink)::text, data::text FROM dead_told WHERE sink = $2",
            key,
            sink
        )
    }

    pub(super) async fn notice(&mut self, id: i64) -> Result<Vec<Loaded>, StoreError> {
        rows!(
            self,
            "SELECT 'notice', id::text, data::text FROM notice WHERE id = $1
              UNION ALL
             SELECT 'item', jsonb_build_array(notice_id, incident_id)::text, data::text FROM item WHERE notice_id = $1
              UNION ALL
             SELECT 'incident', id::text, data::text FROM incidents_now(ARRAY(SELECT incident_id FROM item WHERE notice_id = $1))",
            id
        )
    }

    pub(super) async fn events(&mut self, incidents: &[i64]) -> Result<Vec<Loaded>, StoreError> {
        rows!(
            self,
            "SELECT 'first_event', incident_id::text, data::text FROM first_event WHERE incident_id = ANY ($1)
              UNION ALL
             SELECT 'latest_event', incident_id::text, data::text FROM latest_event WHERE incident_id = ANY ($1)",
            incidents
        )
    }
}
