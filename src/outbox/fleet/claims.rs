//! The claim: the one change that is a statement and no decision of the page.

use std::time::SystemTime;

use uuid::Uuid;

use super::{
    super::{Claim, StoreError, page::DeliveryRow},
    Fleet, bounded,
};
use crate::event::to_millis;

impl Fleet {
    /// pending → pending, leased: each claim counts one attempt, and grows the token. What
    /// another instance claims at the same time is passed over.
    pub(super) async fn claim_due(
        &mut self,
        sink: &str,
        limit: usize,
        lease_until: SystemTime,
        now: SystemTime,
    ) -> Result<Vec<Claim>, StoreError> {
        let mut turn = self.begin_turn().await?;
        let claimed = statement!(
            sqlx::query_as::<_, (Uuid, String)>,
            "WITH due AS MATERIALIZED (
                 SELECT key FROM delivery WHERE state = 'pending' AND sink = $1 AND due_at <= $2
                  ORDER BY due_at LIMIT $3 FOR UPDATE SKIP LOCKED)
             UPDATE delivery
                SET data = data || jsonb_build_object(
                        'due_at', $4::bigint,
                        'attempt', (data ->> 'attempt')::bigint + 1,
                        'claims', (data ->> 'claims')::bigint + 1,
                        'doubtful', (data ->> 'doubtful')::bigint + 1)
               FROM due WHERE delivery.key = due.key
             RETURNING delivery.key, delivery.data::text",
            sink,
            to_millis(now),
            i64::try_from(limit).unwrap_or(i64::MAX),
            to_millis(lease_until)
        );
        let claimed = bounded(claimed.fetch_all(&mut *turn.transaction)).await?;
        turn.end().await?;
        let mut claims: Vec<_> = claimed
            .into_iter()
            .map(|(key, data)| match serde_json::from_str::<DeliveryRow>(&data) {
                Ok(row) => Ok((row.created_at, Claim::of(key, &row))),
                Err(error) => Err(StoreError::Broken(format!("delivery {key}: {error}"))),
            })
            .collect::<Result<_, _>>()?;
        claims.sort_by_key(|(created_at, _)| *created_at);
        Ok(claims.into_iter().map(|(_, claim)| claim).collect())
    }
}
