//! What the fleet's store is asked: whether there is anything to do, and what a message
//! tells.

use std::time::SystemTime;

use uuid::Uuid;

use super::{
    super::{
        Claim, Mark, StoreError,
        keep::{Keep, Turn},
        scope::{Question, Scope},
        upkeep::{Prune, Pruned},
    },
    Fleet, bounded,
    load::rows,
    turn::FleetTurn,
};
use crate::{
    event::{from_millis, to_millis},
    policy::notice::Notice,
    queue::stats::EventCounts,
};

/// Asks for one value, in a transaction of its own.
macro_rules! value {
    ($fleet:ident, $sql:literal $(, $argument:expr)*) => {{
        let mut turn = $fleet.begin_turn().await?;
        let value =
            statement!(sqlx::query_scalar, $sql $(, $argument)*).fetch_one(&mut *turn.transaction);
        let value = bounded(value).await?;
        turn.end().await?;
        value
    }};
}

impl Keep for Fleet {
    type Turn<'a> = FleetTurn<'a>;

    async fn begin(&mut self) -> Result<FleetTurn<'_>, StoreError> {
        self.begin_turn().await
    }

    async fn ask(&mut self, question: &Question<'_>) -> Result<bool, StoreError> {
        Ok(match *question {
            Question::Waits { sink, hurried, now } => value!(
                self,
                "SELECT EXISTS (SELECT 1 FROM standing
                                 WHERE sink = $1 AND due_at IS NOT NULL
                                   AND (due_at <= $2 OR ($3 AND (told_at IS NULL OR is_back))))",
                sink,
                to_millis(now),
                hurried
            ),
            Question::Refused { claim, since } => value!(
                self,
                "SELECT EXISTS (SELECT 1 FROM refusal WHERE sink = $1 AND recipient = $2 AND since > $3)",
                &claim.sink,
                &claim.recipient,
                to_millis(since)
            ),
            Question::Ill { sink } => value!(
                self,
                "SELECT EXISTS (SELECT 1 FROM dead_told
                                 WHERE sink = $1 AND (count > 0 OR failing_since IS NOT NULL))",
                sink
            ),
            Question::Abandoned { own, before } => value!(
                self,
                "SELECT EXISTS (SELECT 1 FROM delivery
                                 WHERE state = 'pending' AND due_at <= $1 AND (data ->> 'expires_at')::bigint <= $1
                                   AND sink <> ALL ($2))
                     OR EXISTS (SELECT 1 FROM standing WHERE due_at <= $1 AND sink <> ALL ($2))",
                to_millis(before),
                own as &[_]
            ),
            // The clock is the database's, who is gone, gone in every instance, and whom nobody
            // names any more, the sweep says.
            Question::Ahead { .. }
            | Question::Late { .. }
            | Question::Unknown { .. }
            | Question::Left { .. } => false,
        })
    }

    async fn claim(
        &mut self,
        sink: &str,
        limit: usize,
        lease_until: SystemTime,
        now: SystemTime,
    ) -> Result<Vec<Claim>, StoreError> {
        self.claim_due(sink, limit, lease_until, now).await
    }

    async fn notice(&mut self, id: i64) -> Result<Option<Notice>, StoreError> {
        let mut turn = self.begin_turn().await?;
        turn.load(&Scope::Notice(id)).await?;
        let shown = turn.page.shown(id);
        turn.load(&Scope::Events(&shown)).await?;
        let callsites = turn.page.callsites();
        turn.load(&Scope::Learned(&callsites)).await?;
        let notice = turn.page.notice(id);
        turn.end().await?;
        Ok(notice)
    }

    async fn next_due(&mut self, sink: &str) -> Result<Option<SystemTime>, StoreError> {
        let at: Option<i64> =
            value!(self, "SELECT min(due_at) FROM delivery WHERE sink = $1 AND state = 'pending'", sink);
        Ok(at.map(from_millis))
    }

    async fn next_inquiry(&mut self, sink: &str) -> Result<Option<SystemTime>, StoreError> {
        let at: Option<i64> =
            value!(self, "SELECT min(ask_at) FROM delivery WHERE sink = $1 AND ask_at IS NOT NULL", sink);
        Ok(at.map(from_millis))
    }

    async fn next_look(&mut self, sink: &str) -> Result<Option<SystemTime>, StoreError> {
        let at: Option<i64> =
            value!(self, "SELECT min(due_at) FROM standing WHERE sink = $1 AND due_at IS NOT NULL", sink);
        Ok(at.map(from_millis))
    }

    /// Whoever waits, waits for what its own store says.
    async fn mark(&mut self) -> Result<Mark, StoreError> {
        Ok(Mark::ALL)
    }

    async fn pending(&mut self, _: Uuid, _: Mark, _: &[Uuid]) -> Result<u64, StoreError> {
        Ok(0)
    }

    /// Of all instances; what one of them captured, its own store counts.
    async fn events(&mut self) -> Result<EventCounts, StoreError> {
        let mut turn = self.begin_turn().await?;
        let all = rows!(
            turn,
            "SELECT 'incident', id::text, data::text FROM incident_now
              UNION ALL
             SELECT 'standing', jsonb_build_array(incident_id, jsonb_build_array(sink, recipient))::text, data::text
               FROM standing
              UNION ALL
             SELECT 'item', jsonb_build_array(item.notice_id, incident_id)::text, item.data::text
               FROM delivery JOIN item USING (notice_id) WHERE state = 'pending'
              UNION ALL
             SELECT 'delivery', to_jsonb(key)::text, data::text FROM delivery WHERE state = 'pending'"
        )?;
        turn.keep_all(all)?;
        let events = turn.page.events();
        turn.end().await?;
        Ok(events)
    }

    async fn sinks_of_dead(&mut self) -> Result<Vec<String>, StoreError> {
        let mut turn = self.begin_turn().await?;
        let sinks =
            statement!(sqlx::query_scalar, "SELECT sink FROM dead_told WHERE count > 0 ORDER BY sink");
        let sinks = bounded(sinks.fetch_all(&mut *turn.transaction)).await?;
        turn.end().await?;
        Ok(sinks)
    }

    /// The sweep does that.
    async fn prune(&mut self, _: Prune) -> Result<Pruned, StoreError> {
        Ok(Pruned::default())
    }
}

#[cfg(test)]
impl Fleet {
    pub(in crate::outbox) fn schema(&self) -> &str {
        &self.schema
    }

    /// How many statements of its connection have a name.
    pub(in crate::outbox) async fn named(&mut self) -> i64 {
        let mut turn = self.begin_turn().await.unwrap();
        let named = sqlx::query_scalar("SELECT count(*) FROM pg_prepared_statements");
        let named = named.persistent(false).fetch_one(&mut *turn.transaction).await.unwrap();
        turn.end().await.unwrap();
        named
    }

    /// Everything that it has. Not checked by the compiler: `.ci/sqlx` compiles no tests.
    pub(in crate::outbox) async fn export(&mut self) -> super::super::Page {
        let mut turn = self.begin_turn().await.unwrap();
        let all = sqlx::query_as(
            "SELECT 'incident', id::text, data::text FROM incident_now
              UNION ALL
             SELECT 'standing', jsonb_build_array(incident_id, jsonb_build_array(sink, recipient))::text, data::text
               FROM standing
              UNION ALL SELECT 'first_event', incident_id::text, data::text FROM first_event
              UNION ALL SELECT 'latest_event', incident_id::text, data::text FROM latest_event
              UNION ALL SELECT 'learned', callsite, data::text FROM learned
              UNION ALL SELECT 'account', jsonb_build_array(sink, recipient)::text, data::text FROM account
              UNION ALL SELECT 'notice', id::text, data::text FROM notice
              UNION ALL SELECT 'item', jsonb_build_array(notice_id, incident_id)::text, data::text FROM item
              UNION ALL SELECT 'delivery', to_jsonb(key)::text, data::text FROM delivery
              UNION ALL SELECT 'refusal', jsonb_build_array(sink, recipient)::text, data::text FROM refusal
              UNION ALL SELECT 'dead_told', to_jsonb(sink)::text, data::text FROM dead_told
              UNION ALL SELECT 'silence', to_jsonb(key)::text, data::text FROM silence",
        );
        let all = all.persistent(false).fetch_all(&mut *turn.transaction).await;
        turn.keep_all(all.unwrap()).unwrap();
        let page = std::mem::take(turn.page());
        turn.end().await.unwrap();
        page
    }
}
