//! Writes the rows of a page that changed: one statement for each table.
//!
//! The rows are one JSON parameter, so a turn costs as many statements as it
//! changes tables, however many rows. What never changes in a row is not written
//! again.
//! Invariant: decides nothing; the order of the tables is that of their references.

use super::{
    super::{MAX_DRAWS, Page, StoreError, batch::level_number},
    rows::{about_text, hex, json, number, reason_name, state_name},
    turn::Turn,
};
use crate::event::{Event, to_millis};

/// How many events one statement writes: each may be large.
const EVENTS_PER_STATEMENT: usize = 64;

/// The rows that changed, as one JSON array; none if no row did.
macro_rules! changed {
    ($table:expr, |$key:ident, $row:ident| $columns:expr) => {{
        let mut rows = Vec::new();
        for ($key, row) in $table.changed() {
            if let Some($row) = row {
                rows.push($columns);
            }
        }
        if rows.is_empty() { None } else { Some(json(&rows)?) }
    }};
}

/// Executes a statement with these rows, if there are any.
macro_rules! write {
    ($turn:ident, $rows:expr, $sql:literal) => {
        if let Some(rows) = $rows {
            sqlx::query!($sql, rows).execute(&mut *$turn.transaction).await?;
        }
    };
}

impl Turn<'_> {
    /// Saves what changed on `page`; public ids that are taken are drawn again before.
    pub(super) async fn save(
        &mut self,
        page: &mut Page,
        new_id: &dyn Fn() -> String,
    ) -> Result<(), StoreError> {
        for _ in 1..MAX_DRAWS {
            let drawn = page.drawn();
            let taken = if drawn.is_empty() { Vec::new() } else { self.taken(&json(&drawn)?).await? };
            if taken.is_empty() {
                break;
            }
            page.redraw(&taken, new_id);
        }
        self.save_incidents(page).await?;
        self.save_notices(page).await?;
        self.save_recipients(page).await?;
        page.settle_changes();
        Ok(())
    }

    /// Those of `drawn` that something in the file has.
    async fn taken(&mut self, drawn: &str) -> Result<Vec<String>, StoreError> {
        let taken = sqlx::query_scalar!(
            r#"SELECT CAST(value AS TEXT) AS "id!: String" FROM json_each(?1) AS drawn
                WHERE EXISTS (SELECT 1 FROM incident WHERE public_id = drawn.value)
                   OR EXISTS (SELECT 1 FROM notice WHERE public_id = drawn.value)"#,
            drawn
        )
        .fetch_all(&mut *self.transaction)
        .await?;
        Ok(taken)
    }

    async fn save_incidents(&mut self, page: &Page) -> Result<(), StoreError> {
        let incidents = changed!(page.incidents, |id, it| (
            id,
            &it.public_id,
            hex(&it.fingerprint),
            level_number(it.level),
            it.about.map(about_text),
            hex(it.run.as_bytes()),
            json(&it.process)?,
            it.is_new,
            number(it.count),
            number(it.reported),
            to_millis(it.opened_at),
            to_millis(it.last_at),
            it.closed_at.map(to_millis),
            json(&it.pace)?,
        ));
        write!(
            self,
            incidents,
            "INSERT INTO incident (id, public_id, fingerprint, level, about, run, process, is_new,
                                       count, reported, opened_at, last_at, closed_at, pace)
                 SELECT value ->> 0, value ->> 1, unhex(value ->> 2), value ->> 3, value ->> 4,
                        unhex(value ->> 5), value ->> 6, value ->> 7, value ->> 8, value ->> 9,
                        value ->> 10, value ->> 11, value ->> 12, value ->> 13
                   FROM json_each(?1) WHERE true
                     ON CONFLICT (id) DO UPDATE
                    SET count = excluded.count, reported = excluded.reported, opened_at = excluded.opened_at,
                        last_at = excluded.last_at, closed_at = excluded.closed_at, pace = excluded.pace"
        );
        let firsts: Vec<_> = page.firsts.changed().filter_map(|(id, event)| Some((id, event?))).collect();
        for rows in firsts.chunks(EVENTS_PER_STATEMENT) {
            write!(
                self,
                Some(json(&texts(rows)?)?),
                "INSERT INTO first_event (incident_id, payload)
                 SELECT value ->> 0, value ->> 1 FROM json_each(?1) WHERE true
                     ON CONFLICT (incident_id) DO UPDATE SET payload = excluded.payload"
            );
        }
        let latests: Vec<_> = page.latests.changed().filter_map(|(id, event)| Some((id, event?))).collect();
        for rows in latests.chunks(EVENTS_PER_STATEMENT) {
            write!(
                self,
                Some(json(&texts(rows)?)?),
                "INSERT INTO latest_event (incident_id, payload)
                 SELECT value ->> 0, value ->> 1 FROM json_each(?1) WHERE true
                     ON CONFLICT (incident_id) DO UPDATE SET payload = excluded.payload"
            );
        }
        let learned = changed!(page.learned, |callsite, it| (hex(callsite), it.incident, json(&it.map)?));
        write!(
            self,
            learned,
            "INSERT INTO learned (callsite, incident_id, map)
                 SELECT unhex(value ->> 0), value ->> 1, value ->> 2 FROM json_each(?1) WHERE true
                     ON CONFLICT (callsite) DO UPDATE
                    SET incident_id = excluded.incident_id, map = excluded.map"
        );
        let standings = changed!(page.standings, |key, it| (
            key.0,
            &*key.1.sink,
            &*key.1.address,
            number(it.told),
            number(it.reported),
            it.told_at.map(to_millis),
            it.tellings,
            it.not_before.map(to_millis),
            it.due_at.map(to_millis),
        ));
        write!(
            self,
            standings,
            "INSERT INTO standing (incident_id, sink, recipient, told, reported, told_at, tellings,
                                       not_before, due_at)
                 SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5,
                        value ->> 6, value ->> 7, value ->> 8
                   FROM json_each(?1) WHERE true
                     ON CONFLICT (incident_id, sink, recipient) DO UPDATE
                    SET told = excluded.told, reported = excluded.reported, told_at = excluded.told_at,
                        tellings = excluded.tellings, not_before = excluded.not_before,
                        due_at = excluded.due_at"
        );
        Ok(())
    }

    async fn save_notices(&mut self, page: &Page) -> Result<(), StoreError> {
        let notices = changed!(page.notices, |id, it| (
            id,
            &it.public_id,
            hex(it.run.as_bytes()),
            it.kind.name(),
            json(&it.process)?,
            to_millis(it.made_at),
            it.is_last,
        ));
        write!(
            self,
            notices,
            "INSERT INTO notice (id, public_id, run, kind, process, made_at, is_last)
                 SELECT value ->> 0, value ->> 1, unhex(value ->> 2), value ->> 3, value ->> 4, value ->> 5,
                        value ->> 6
                   FROM json_each(?1) WHERE true
                     ON CONFLICT (id) DO UPDATE
                    SET public_id = excluded.public_id, kind = excluded.kind, process = excluded.process"
        );
        let items = changed!(page.items, |key, it| (
            key.0,
            key.1,
            reason_name(it.reason),
            it.tellings,
            number(it.count),
            number(it.total),
            to_millis(it.last_at),
            json(&it.pace)?,
        ));
        write!(
            self,
            items,
            "INSERT INTO item (notice_id, incident_id, reason, tellings, count, total, last_at, pace)
                 SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5,
                        value ->> 6, value ->> 7
                   FROM json_each(?1) WHERE true
                     ON CONFLICT (notice_id, incident_id) DO UPDATE
                    SET reason = excluded.reason, count = excluded.count, total = excluded.total,
                        last_at = excluded.last_at, pace = excluded.pace"
        );
        let deliveries = changed!(page.deliveries, |key, it| (
            hex(key.as_bytes()),
            it.notice_id,
            &*it.recipient.sink,
            &*it.recipient.address,
            state_name(it.state),
            to_millis(it.due_at),
            it.attempt,
            it.claims,
            it.answered,
            it.doubtful,
            to_millis(it.created_at),
            to_millis(it.expires_at),
            it.settled_at.map(to_millis),
            &it.reference,
            &it.last_error,
        ));
        write!(
            self,
            deliveries,
            "INSERT INTO delivery (key, notice_id, sink, recipient, state, due_at, attempt, claims, answered,
                                       doubtful, created_at, expires_at, settled_at, reference, last_error)
                 SELECT unhex(value ->> 0), value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5,
                        value ->> 6, value ->> 7, value ->> 8, value ->> 9, value ->> 10, value ->> 11,
                        value ->> 12, value ->> 13, value ->> 14
                   FROM json_each(?1) WHERE true
                     ON CONFLICT (key) DO UPDATE
                    SET state = excluded.state, due_at = excluded.due_at, attempt = excluded.attempt,
                        claims = excluded.claims, answered = excluded.answered, doubtful = excluded.doubtful,
                        expires_at = excluded.expires_at, settled_at = excluded.settled_at,
                        reference = excluded.reference, last_error = excluded.last_error"
        );
        Ok(())
    }

    async fn save_recipients(&mut self, page: &Page) -> Result<(), StoreError> {
        let accounts = changed!(page.accounts, |key, it| (
            &*key.sink,
            &*key.address,
            it.heard_at.map(to_millis),
            it.full_at.map(to_millis),
            it.day,
            it.today,
        ));
        write!(
            self,
            accounts,
            "INSERT INTO account (sink, recipient, heard_at, full_at, day, today)
                 SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5
                   FROM json_each(?1) WHERE true
                     ON CONFLICT (sink, recipient) DO UPDATE
                    SET heard_at = excluded.heard_at, full_at = excluded.full_at, day = excluded.day,
                        today = excluded.today"
        );
        let refusals = changed!(page.refusals, |key, since| (&*key.sink, &*key.address, to_millis(*since)));
        write!(
            self,
            refusals,
            "INSERT INTO refusal (sink, recipient, since)
                 SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?1) WHERE true
                     ON CONFLICT (sink, recipient) DO UPDATE SET since = excluded.since"
        );
        let dead = changed!(page.dead, |sink, it| (
            sink,
            it.told_at.map(to_millis),
            number(it.count),
            &it.recipient,
            &it.public_id,
            &it.reason,
        ));
        write!(
            self,
            dead,
            "INSERT INTO dead_told (sink, told_at, count, recipient, public_id, reason)
                 SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5
                   FROM json_each(?1) WHERE true
                     ON CONFLICT (sink) DO UPDATE
                    SET told_at = excluded.told_at, count = excluded.count, recipient = excluded.recipient,
                        public_id = excluded.public_id, reason = excluded.reason"
        );
        self.save_starts(page).await
    }

    /// The only rows that a decision removes.
    async fn save_starts(&mut self, page: &Page) -> Result<(), StoreError> {
        let gone = page.starts.changed().filter(|(_, start)| start.is_none());
        let gone: Vec<_> = gone.map(|(run, _)| hex(run.as_bytes())).collect();
        if !gone.is_empty() {
            let gone = json(&gone)?;
            sqlx::query!("DELETE FROM start WHERE run IN (SELECT unhex(value) FROM json_each(?1))", gone)
                .execute(&mut *self.transaction)
                .await?;
        }
        let starts = changed!(page.starts, |run, it| (
            hex(run.as_bytes()),
            &it.host,
            it.pid,
            to_millis(it.started_at),
            it.ended_at.map(to_millis),
        ));
        write!(
            self,
            starts,
            "INSERT INTO start (run, host, pid, started_at, ended_at)
                 SELECT unhex(value ->> 0), value ->> 1, value ->> 2, value ->> 3, value ->> 4
                   FROM json_each(?1) WHERE true
                     ON CONFLICT (run) DO UPDATE SET ended_at = excluded.ended_at"
        );
        Ok(())
    }
}

fn texts<'a>(events: &[(&'a i64, &'a Event)]) -> Result<Vec<(&'a i64, String)>, StoreError> {
    events.iter().map(|(id, event)| Ok((*id, json(*event)?))).collect()
}
