//! What the fleet is to be told, and what it answered.

use sqlx::SqliteConnection;
use uuid::Uuid;

#[cfg(feature = "cli")]
use super::super::super::{Page, Share, scope::Scope};
use super::{
    super::{super::StoreError, Sqlite, json},
    Rows,
};

impl Sqlite {
    /// By which name the instances of a fleet know the file.
    pub(in crate::outbox) async fn name_in_fleet(&mut self) -> Result<Uuid, StoreError> {
        let name =
            sqlx::query_scalar!("SELECT store FROM instance LIMIT 1").fetch_one(&mut self.connection).await?;
        Uuid::try_parse(&name).map_err(|error| StoreError::Broken(format!("instance: {error}")))
    }
}

#[cfg(feature = "cli")]
impl Sqlite {
    /// How many events the fleet did not confirm yet.
    pub(in crate::outbox) async fn behind(&mut self) -> Result<u64, StoreError> {
        let mut page = Page::default();
        let all = usize::MAX;
        super::load(&mut self.connection, &mut page, &Scope::Shares { limit: all }).await?;
        Ok(page.shares(all).iter().map(Share::untaken).sum())
    }
}

/// The incidents with something that the fleet does not have, and the silences.
pub(super) async fn due(connection: &mut SqliteConnection, limit: usize) -> Rows {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    rows!(
        connection,
        "WITH due (id, data) AS MATERIALIZED (
               SELECT id, data FROM incident WHERE to_share ORDER BY id LIMIT ?1)
           SELECT 'incident' AS tab, CAST(id AS TEXT) AS key, data
             FROM due
            UNION ALL
           SELECT 'standing', json_array(incident_id, json_array(sink, recipient)), standing.data
             FROM due CROSS JOIN standing ON incident_id = due.id
            UNION ALL
           SELECT 'first_event', CAST(incident_id AS TEXT), payload
             FROM due CROSS JOIN first_event ON incident_id = due.id
            WHERE coalesce(due.data ->> '$.shared.taken', 0) = 0
            UNION ALL
           SELECT 'latest_event', CAST(incident_id AS TEXT), payload
             FROM due CROSS JOIN latest_event ON incident_id = due.id
            WHERE coalesce(due.data ->> '$.shared.taken', 0) = 0
            UNION ALL
           SELECT 'silence', json_quote(key), data FROM silence
            UNION ALL
           SELECT 'needed', '', CAST(user_version AS TEXT) FROM pragma_user_version",
        limit
    )
}

pub(super) async fn taken(connection: &mut SqliteConnection, ids: &[i64]) -> Rows {
    let ids = json(ids);
    rows!(
        connection,
        "SELECT 'incident' AS tab, CAST(id AS TEXT) AS key, data
             FROM incident WHERE id IN (SELECT value FROM json_each(?1))
            UNION ALL
           SELECT 'standing', json_array(incident_id, json_array(sink, recipient)), data
             FROM standing WHERE incident_id IN (SELECT value FROM json_each(?1))
            UNION ALL
           SELECT 'needed', '', CAST(user_version AS TEXT) FROM pragma_user_version",
        ids
    )
}
