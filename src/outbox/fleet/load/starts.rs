//! What is loaded of the starts of other instances: those that may have failed, and what they
//! said last.
//!
//! Invariant: whoever finds nothing waits for nobody.

use std::time::SystemTime;

use uuid::Uuid;

use super::{
    super::{
        super::{MAX_FAILED, StoreError},
        bounded,
        turn::FleetTurn,
    },
    Loaded, rows, run,
};
use crate::event::to_millis;

impl FleetTurn<'_> {
    /// The starts `since` then of instances that are gone, or said that they failed; and, if
    /// they are more than may fail, whether that is told and what their last error was. Who
    /// then decides holds up the others who do.
    pub(super) async fn starts(&mut self, since: SystemTime) -> Result<Vec<Loaded>, StoreError> {
        let mut loaded = rows!(
            self,
            "SELECT 'start', to_jsonb(store)::text,
                    jsonb_build_object(
                        'host', coalesce(host, ''), 'pid', 0, 'started_at', started_at, 'ended_at', ended_at,
                        'seen', jsonb_build_object(
                            'version', version, 'looks_at', looks_at, 'until', seen_until,
                            'erred_at', (SELECT max(last_at) FROM share
                                          WHERE share.store = instance.store AND local_id > 0
                                            AND (SELECT about IS NULL AND data ->> 'level' = 'ERROR'
                                                   FROM incident WHERE id = incident_id LIMIT 1))))::text
               FROM instance
              WHERE store <> $1 AND started_at >= $2 AND (ended_at IS NOT NULL OR seen_until <= $3)
              ORDER BY started_at DESC LIMIT 1000",
            self.store,
            to_millis(since),
            to_millis(self.now)
        )?;
        if loaded.len() <= MAX_FAILED {
            return Ok(loaded);
        }
        run!(self, "SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || ' starts', 0))")?;
        let stores: Vec<Uuid> =
            loaded.iter().filter_map(|(_, key, _)| serde_json::from_str(key).ok()).collect();
        loaded.extend(rows!(
            self,
            "WITH own AS MATERIALIZED (
                 SELECT incident_id, max(last_at) AS last_at FROM share
                  WHERE store = ANY ($1) AND local_id > 0 AND last_at >= $2 GROUP BY 1),
               last AS MATERIALIZED (
                 SELECT id FROM incident
                  WHERE id = ANY (ARRAY(SELECT incident_id FROM own))
                    AND closed_at IS NULL AND about IS NULL AND data ->> 'level' = 'ERROR'
                  ORDER BY (SELECT last_at FROM own WHERE incident_id = id) DESC, id LIMIT 1)
             SELECT 'incident', id::text, data::text FROM incidents_now(ARRAY(SELECT id FROM last))
              UNION ALL
             SELECT 'first_event', incident_id::text, data::text FROM first_event
              WHERE incident_id = ANY (ARRAY(SELECT id FROM last))
              UNION ALL
             SELECT 'beyond', '', jsonb_build_object(
                 'last_incident', 0, 'last_notice', 0,
                 'has_crash_loop', EXISTS (SELECT 1 FROM incident
                                            WHERE closed_at IS NULL AND about = 'crash_loop'))::text",
            &stores,
            to_millis(since)
        )?);
        Ok(loaded)
    }
}
