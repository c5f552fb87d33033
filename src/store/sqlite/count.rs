//! Where the events are.
//!
//! Invariant: what is settled long ago is only summed up, from an index that has
//! all it takes.

use sqlx::SqliteConnection;

use super::{
    super::StoreError,
    Sqlite,
    rows::{json, unsigned},
};
use crate::stats::EventCounts;

impl Sqlite {
    /// One statement, so of one moment.
    pub(in crate::store) async fn events(&mut self) -> Result<EventCounts, StoreError> {
        let counts = sqlx::query!(
            r#"WITH unsettled (incident_id, sink, recipient, more) AS (
                   SELECT incident_id, sink, recipient, item.count
                     FROM delivery JOIN item ON item.notice_id = delivery.notice_id
                    WHERE state = 'pending'
                    UNION ALL
                   SELECT incident_id, sink, recipient, count - told
                     FROM standing JOIN incident ON incident.id = incident_id
                    WHERE due_at IS NOT NULL
               ), waiting AS (
                   SELECT incident_id, sink, recipient, sum(more) AS more FROM unsettled GROUP BY 1, 2, 3
               ), pending AS (
                   SELECT min(count, max(standing.reported + more)) - incident.reported AS more
                     FROM waiting JOIN standing USING (incident_id, sink, recipient)
                     JOIN incident ON incident.id = incident_id
                    WHERE about IS NULL OR about = 'overflow'
                    GROUP BY incident_id
               )
               SELECT coalesce(sum(count), 0) AS "committed!: i64",
                      coalesce(sum(reported), 0) AS "reported!: i64",
                      coalesce((SELECT sum(more) FROM pending WHERE more > 0), 0) AS "pending!: i64"
                 FROM incident INDEXED BY incident_ended WHERE about IS NULL OR about = 'overflow'"#
        )
        .fetch_one(&mut self.connection)
        .await?;
        let [committed, reported, pending] =
            [counts.committed, counts.reported, counts.pending].map(unsigned);
        Ok(EventCounts::new(committed, reported, reported.saturating_add(pending)))
    }
}

/// What a message tells that was delivered is reported.
pub(super) async fn report(
    connection: &mut SqliteConnection,
    notice: i64,
    sink: &str,
    recipient: &str,
) -> Result<(), StoreError> {
    let incidents = sqlx::query_scalar!(
        r#"UPDATE standing SET reported = reported + item.count
             FROM item
            WHERE notice_id = ?1 AND item.incident_id = standing.incident_id
              AND sink = ?2 AND recipient = ?3
           RETURNING incident_id AS "id!""#,
        notice,
        sink,
        recipient
    )
    .fetch_all(&mut *connection)
    .await?;
    note_reported(connection, &incidents).await
}

/// Has `incidents` count the recipient who was told the most.
pub(super) async fn note_reported(
    connection: &mut SqliteConnection,
    incidents: &[i64],
) -> Result<(), StoreError> {
    let incidents = json(incidents)?;
    sqlx::query!(
        "UPDATE incident SET reported = min(count, most)
           FROM (SELECT incident_id, max(reported) AS most FROM standing
                  WHERE incident_id IN (SELECT value FROM json_each(?1)) GROUP BY incident_id)
          WHERE id = incident_id AND reported < most",
        incidents
    )
    .execute(&mut *connection)
    .await?;
    Ok(())
}
