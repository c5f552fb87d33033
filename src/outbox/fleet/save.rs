//! Writes the rows of a page that changed, by one statement for every table.
//!
//! A row is merged with what is there, so that what only a newer version knows of it stays.
//! Invariant: decides nothing. What is written has no character that the database refuses.

use std::borrow::Cow;

use serde_json::json;

use super::{
    super::{MAX_DRAWS, StoreError},
    bounded,
    load::{run, unwritable},
    turn::{Counted, FleetTurn, Saves},
};
use crate::event::to_millis;

impl FleetTurn<'_> {
    /// Saves what changed on the page; public ids that are taken are drawn again before.
    pub(super) async fn save(&mut self, new_id: &dyn Fn() -> String) -> Result<(), StoreError> {
        for _ in 1..MAX_DRAWS {
            let drawn: Vec<String> = self.page.drawn().into_iter().map(str::to_owned).collect();
            if drawn.is_empty() {
                break;
            }
            let taken = statement!(
                sqlx::query_scalar::<_, String>,
                "SELECT drawn FROM unnest($1::text[]) AS drawn
                  WHERE EXISTS (SELECT 1 FROM incident WHERE public_id = drawn)
                     OR EXISTS (SELECT 1 FROM notice WHERE public_id = drawn)",
                &drawn
            );
            let taken = bounded(taken.fetch_all(&mut *self.transaction)).await?;
            if taken.is_empty() {
                break;
            }
            self.page.redraw(&taken, new_id);
        }
        self.count_own().await?;
        let arrays = self.page.changed_in(self.saves.tables()).map_err(unwritable)?;
        for rows in arrays {
            self.write(&rows).await?;
        }
        Ok(())
    }

    /// Counts what the page added to incidents, and no instance handed over: what the fleet
    /// tells of itself.
    async fn count_own(&mut self) -> Result<(), StoreError> {
        if self.saves != Saves::Incidents {
            return Ok(());
        }
        let nothing = Counted::default();
        let more = self.page.incidents.iter().filter_map(|(id, row)| {
            let known = self.counted.get(id).unwrap_or(&nothing);
            let count = i64::try_from(row.count.saturating_sub(known.count)).ok().filter(|more| *more > 0)?;
            let when = json!({
                "pace": row.pace.since(&known.pace),
                "recent": row.recent.more_than(&known.recent),
            });
            Some((*id, count, to_millis(row.last_at), when))
        });
        let more: Vec<_> = more.collect();
        if more.is_empty() {
            return Ok(());
        }
        // The incidents of the shares come first.
        for rows in self.page.changed_in(&["incident"]).map_err(unwritable)? {
            self.write(&rows).await?;
        }
        for (incident, count, at, when) in more {
            run!(
                self,
                "INSERT INTO share (incident_id, store, local_id, count, first_at, last_at, data)
                 VALUES ($1, $2, -nextval('notice_number'), $3, $4, $4, $5)",
                incident,
                self.store,
                count,
                at,
                when
            )?;
        }
        Ok(())
    }

    async fn write(&mut self, rows: &str) -> Result<(), StoreError> {
        run!(
            self,
            "WITH given AS MATERIALIZED (
                 SELECT value ->> 0 AS tab, value -> 1 AS key, nullif(value -> 2, 'null') AS data
                   FROM jsonb_array_elements($1::text::jsonb) AS value),
               incidents AS (
                 INSERT INTO incident (id, data) SELECT key::bigint, data FROM given WHERE tab = 'incident'
                     ON CONFLICT (id) DO UPDATE SET data = incident.data || excluded.data),
               firsts AS (
                 INSERT INTO first_event (incident_id, data)
                 SELECT key::bigint, data FROM given WHERE tab = 'first_event' AND data IS NOT NULL
                     ON CONFLICT (incident_id) DO UPDATE SET data = excluded.data),
               latests AS (
                 INSERT INTO latest_event (incident_id, data)
                 SELECT key::bigint, data FROM given WHERE tab = 'latest_event' AND data IS NOT NULL
                     ON CONFLICT (incident_id) DO UPDATE SET data = excluded.data),
               learned_of AS (
                 INSERT INTO learned (callsite, data) SELECT key::text, data FROM given WHERE tab = 'learned'
                     ON CONFLICT (callsite) DO UPDATE SET data = learned.data || excluded.data),
               standings AS (
                 INSERT INTO standing (incident_id, sink, recipient, data)
                 SELECT (key ->> 0)::bigint, key -> 1 ->> 0, key -> 1 ->> 1, data FROM given WHERE tab = 'standing'
                     ON CONFLICT (incident_id, sink, recipient) DO UPDATE SET data = standing.data || excluded.data),
               accounts AS (
                 INSERT INTO account (sink, recipient, data)
                 SELECT key ->> 0, key ->> 1, data FROM given WHERE tab = 'account'
                     ON CONFLICT (sink, recipient) DO UPDATE SET data = account.data || excluded.data),
               addressed AS (
                 INSERT INTO account (sink, recipient, data)
                 SELECT DISTINCT key -> 1 ->> 0, key -> 1 ->> 1, '{}'::jsonb FROM given
                  WHERE tab = 'standing'
                    AND NOT EXISTS (SELECT 1 FROM given AS known WHERE known.tab = 'account' AND known.key = given.key -> 1)
                     ON CONFLICT (sink, recipient) DO NOTHING),
               notices AS (
                 INSERT INTO notice (id, data) SELECT key::bigint, data FROM given WHERE tab = 'notice'
                     ON CONFLICT (id) DO UPDATE SET data = notice.data || excluded.data),
               items AS (
                 INSERT INTO item (notice_id, incident_id, data)
                 SELECT (key ->> 0)::bigint, (key ->> 1)::bigint, data FROM given WHERE tab = 'item'
                     ON CONFLICT (notice_id, incident_id) DO UPDATE SET data = item.data || excluded.data),
               deliveries AS (
                 INSERT INTO delivery (key, data) SELECT (key #>> '{}')::uuid, data FROM given WHERE tab = 'delivery'
                     ON CONFLICT (key) DO UPDATE SET data = delivery.data || excluded.data),
               refusals AS (
                 INSERT INTO refusal (sink, recipient, data)
                 SELECT key ->> 0, key ->> 1, data FROM given WHERE tab = 'refusal' AND data IS NOT NULL
                     ON CONFLICT (sink, recipient) DO UPDATE SET data = refusal.data || excluded.data),
               dead AS (
                 INSERT INTO dead_told (sink, data) SELECT key #>> '{}', data FROM given WHERE tab = 'dead_told'
                     ON CONFLICT (sink) DO UPDATE SET data = dead_told.data || excluded.data),
               silences AS (
                 INSERT INTO silence (key, data)
                 SELECT (key #>> '{}')::uuid, data FROM given WHERE tab = 'silence' AND data IS NOT NULL
                     ON CONFLICT (key) DO UPDATE SET data = silence.data || excluded.data),
               unrefused AS (
                 DELETE FROM refusal USING given
                  WHERE tab = 'refusal' AND given.data IS NULL
                    AND sink = key ->> 0 AND recipient = key ->> 1),
               unsilenced AS (
                 DELETE FROM silence USING given
                  WHERE tab = 'silence' AND given.data IS NULL AND silence.key = (given.key #>> '{}')::uuid)
             DELETE FROM latest_event USING given
              WHERE tab = 'latest_event' AND given.data IS NULL AND incident_id = given.key::bigint",
            &*plain(rows)
        )?;
        Ok(())
    }
}

/// JSON without the one character that the database's JSON has no place for.
pub(super) fn plain(json: &str) -> Cow<'_, str> {
    if !json.contains("\\u0000") {
        return Cow::Borrowed(json);
    }
    let mut plain = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        plain.push_str(before);
        let length = if escape.starts_with("\\u0000") { 6 } else { 2.min(escape.len()) };
        let (escape, after) = escape.split_at(length);
        plain.push_str(if length == 6 { "\\ufffd" } else { escape });
        rest = after;
    }
    plain.push_str(rest);
    Cow::Owned(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_character_that_has_no_place_is_replaced() {
        let table = [
            (r#"["a"]"#, r#"["a"]"#),
            (r#"["a\u0000b"]"#, r#"["a\ufffdb"]"#),
            (r#"["a\\u0000b"]"#, r#"["a\\u0000b"]"#),
            (r#"["\\\u0000\n\"\u0000"]"#, r#"["\\\ufffd\n\"\ufffd"]"#),
            (r#"["\u0001ä\u0000"]"#, r#"["\u0001ä\ufffd"]"#),
        ];
        for (json, expected) in table {
            assert_eq!(plain(json), expected);
            serde_json::from_str::<Vec<String>>(&plain(json)).unwrap();
        }
    }
}
