//! What is told of deliveries that ended undelivered.

use std::time::SystemTime;

use sqlx::Connection;

use super::{
    super::{Captured, Dead, Draft, StoreError, Target},
    Sqlite,
    notices::{insert_delivery, insert_events, insert_notice},
};
use crate::event::{from_millis, to_millis};

impl Sqlite {
    /// One transaction: of several processes, one tells.
    pub(in crate::store) async fn tell_of_dead(
        &mut self,
        sink: &'static str,
        not_since: SystemTime,
        tell: impl Fn(&Dead) -> Captured,
        draft: &Draft<'_>,
        targets: &[Target],
        now: SystemTime,
    ) -> Result<Option<i64>, StoreError> {
        let last = sqlx::query!(
            r#"SELECT recipient, public_id, last_error,
                      (SELECT max(opened_at) FROM notice WHERE about = ?1) AS "told_at: i64"
                 FROM delivery JOIN notice ON notice.id = notice_id
                WHERE sink = ?1 AND state = 'dead' AND told = 0 AND about IS NULL
                ORDER BY settled_at DESC LIMIT 1"#,
            sink
        )
        .fetch_optional(&mut self.connection)
        .await?;
        let Some(last) = last else { return Ok(None) };
        if last.told_at.is_some_and(|at| from_millis(at) > not_since && at <= to_millis(now)) {
            return Ok(None);
        }
        let mut tx = self.connection.begin_with("BEGIN IMMEDIATE").await?;
        let told = sqlx::query!(
            "UPDATE delivery SET told = 1
              WHERE sink = ?1 AND state = 'dead' AND told = 0
                AND (SELECT about FROM notice WHERE id = notice_id) IS NULL",
            sink
        )
        .execute(&mut *tx)
        .await?;
        if told.rows_affected() == 0 {
            return Ok(None);
        }
        let dead = Dead {
            count: told.rows_affected(),
            recipient: last.recipient,
            public_id: last.public_id,
            reason: last.last_error.unwrap_or_default(),
        };
        let notice_id = insert_notice(&mut tx, draft, "health", Some(sink), now).await?;
        insert_events(&mut tx, notice_id, &[tell(&dead)]).await?;
        for target in targets {
            insert_delivery(&mut tx, notice_id, target, now).await?;
        }
        tx.commit().await?;
        Ok(Some(notice_id))
    }
}
