//! What a file hands over that was moved or is damaged: everything that is not
//! settled, as far as it can be read.
//!
//! Whatever cannot be read has something in its place, so that the page is whole: its
//! message tells of as many events of which nothing else is known.
//! Invariant: rather less detail than no message; what cannot be read is never an
//! error, and nothing that breaks a rule of the schema is on the page.

use std::{collections::BTreeSet, time::SystemTime};

use sqlx::SqliteConnection;
use tracing::Level;
use uuid::Uuid;

use super::{
    super::{
        Page,
        batch::About,
        pace::Pace,
        page::{DeliveryRow, IncidentRow, ItemRow, StandingRow, StoredNotice},
    },
    Sqlite,
    load::Loading,
    rows,
};
use crate::policy::{
    incident::Reason,
    notice::{Kind, Process},
};

/// The numbers that two queries find after ?1 and before ?2, the first or the last
/// one: up to the first row that cannot be read, and from the end back to the last.
macro_rules! readable {
    ($connection:expr, $first:literal, $last:literal) => {{
        let mut found = BTreeSet::new();
        let (mut after, mut before) = (i64::MIN, i64::MAX);
        let is_whole = loop {
            match sqlx::query_scalar!($first, after, before).fetch_optional(&mut *$connection).await {
                // A damaged page may give any number, and the same one for ever.
                Ok(Some(id)) if id > after => {
                    after = id;
                    found.insert(id);
                }
                Ok(None) => break true,
                Ok(Some(_)) | Err(_) => break false,
            }
        };
        while !is_whole {
            let last = sqlx::query_scalar!($last, after, before).fetch_optional(&mut *$connection);
            let Ok(Some(id)) = last.await else { break };
            if id >= before {
                break;
            }
            before = id;
            found.insert(id);
        }
        found
    }};
}

impl Sqlite {
    /// Everything that is not settled, as far as it can be read. No table is read
    /// by an index, which may be damaged too.
    pub(in crate::outbox) async fn export(&mut self) -> Page {
        let connection = &mut self.connection;
        let pending = readable!(
            connection,
            r#"SELECT id AS "id!" FROM delivery NOT INDEXED
                WHERE id > ?1 AND id < ?2 AND state = 'pending' ORDER BY id LIMIT 1"#,
            r#"SELECT id AS "id!" FROM delivery NOT INDEXED
                WHERE id > ?1 AND id < ?2 AND state = 'pending' ORDER BY id DESC LIMIT 1"#
        );
        let mut incidents = readable!(
            connection,
            r#"SELECT id AS "id!" FROM incident NOT INDEXED
                WHERE id > ?1 AND id < ?2 AND closed_at IS NULL ORDER BY id LIMIT 1"#,
            r#"SELECT id AS "id!" FROM incident NOT INDEXED
                WHERE id > ?1 AND id < ?2 AND closed_at IS NULL ORDER BY id DESC LIMIT 1"#
        );
        incidents.extend(readable!(
            connection,
            r#"SELECT incident_id AS "id!" FROM standing
                WHERE incident_id > ?1 AND incident_id < ?2 AND due_at IS NOT NULL
                ORDER BY incident_id LIMIT 1"#,
            r#"SELECT incident_id AS "id!" FROM standing
                WHERE incident_id > ?1 AND incident_id < ?2 AND due_at IS NOT NULL
                ORDER BY incident_id DESC LIMIT 1"#
        ));
        let mut page = Page { is_copy: true, ..Page::default() };
        let mut rescue = Rescue { connection, page: &mut page };
        for delivery in pending {
            rescue.message(delivery).await;
        }
        incidents.extend(rescue.page.items.keys().map(|(_, incident)| *incident));
        for incident in incidents {
            rescue.incident(incident).await;
        }
        rescue.stand_in_for_incidents();
        let mut loading = Loading { connection, page: &mut page };
        drop(loading.all_accounts().await);
        drop(loading.refusals(None).await);
        drop(loading.dead(None).await);
        page
    }
}

/// A file that may be damaged, and what was read of it.
struct Rescue<'a> {
    connection: &'a mut SqliteConnection,
    page: &'a mut Page,
}

impl Rescue<'_> {
    /// Reads a pending delivery, and what can be read of its notice.
    async fn message(&mut self, delivery: i64) {
        let row = sqlx::query_as!(
            rows::Delivery,
            "SELECT key, notice_id, sink, recipient, state, due_at, attempt, claims, answered, doubtful,
                    created_at, expires_at, settled_at, reference, last_error
               FROM delivery WHERE id = ?1",
            delivery
        );
        let Ok(row) = row.fetch_one(&mut *self.connection).await else { return };
        let Some((key, row)) = row.row() else { return };
        // It is pending: the schema takes no time at which it was settled.
        let row = DeliveryRow { settled_at: None, ..row };
        let notice = sqlx::query_as!(
            rows::NoticeRecord,
            r#"SELECT id, public_id, run, kind, process, made_at, is_last AS "is_last: bool"
                 FROM notice WHERE id = ?1"#,
            row.notice_id
        );
        let notice = match notice.fetch_one(&mut *self.connection).await {
            Ok(notice) => notice.row().1,
            Err(_) => unreadable_notice(row.created_at),
        };
        self.items(row.notice_id, key, &notice).await;
        self.page.notices.load(row.notice_id, notice);
        self.page.deliveries.load(key, row);
    }

    /// Reads what a notice tells; if that is damaged, from the index: which incidents
    /// it tells of. It tells of one event, if not even that can be read.
    async fn items(&mut self, id: i64, key: Uuid, notice: &StoredNotice) {
        let items = sqlx::query_as!(
            rows::Item,
            "SELECT notice_id, incident_id, reason, tellings, count, total, last_at, pace
               FROM item WHERE notice_id = ?1 AND count >= 0",
            id
        );
        let items = match items.fetch_all(&mut *self.connection).await {
            Ok(items) => items,
            Err(_) => {
                let items = sqlx::query_as!(
                    rows::Item,
                    r#"SELECT notice_id AS "notice_id!", incident_id AS "incident_id!", 'first' AS "reason!: String", 0 AS "tellings!: i64",
                              1 AS "count!: i64", 1 AS "total!: i64", 0 AS "last_at!: i64",
                              '{}' AS "pace!: String"
                         FROM item INDEXED BY item_incident WHERE notice_id = ?1"#,
                    id
                );
                items.fetch_all(&mut *self.connection).await.unwrap_or_default()
            }
        };
        if items.is_empty() {
            let incident = self.add_unreadable(key.as_bytes().to_vec(), 1, notice.made_at);
            self.page.items.load((id, incident), unreadable_item(1, notice.made_at));
        }
        for item in items {
            let (key, item) = item.row();
            self.page.items.load(key, item);
        }
    }

    /// Reads what can be read of an incident, if need be without its events. If
    /// nothing can, those who were never told of it hear that there was one.
    async fn incident(&mut self, id: i64) {
        // What the schema refuses is as good as not there.
        let standings = sqlx::query_as!(
            rows::Standing,
            r#"SELECT incident_id AS "incident_id!", sink, recipient, told, reported, told_at, tellings, not_before, due_at
               FROM standing WHERE incident_id = ?1 AND told >= 0 AND reported >= 0 AND tellings >= 0"#,
            id
        )
        .fetch_all(&mut *self.connection)
        .await
        .unwrap_or_default();
        let standings: Vec<_> = standings.into_iter().map(rows::Standing::row).collect();
        let row = sqlx::query_as!(
            rows::Incident,
            r#"SELECT id, public_id, fingerprint, level, about, run, process, is_new AS "is_new: bool", count,
                      reported, opened_at, last_at, closed_at, pace
                 FROM incident WHERE id = ?1"#,
            id
        )
        .fetch_one(&mut *self.connection)
        .await;
        if let Some(row) = row.ok().filter(rows::Incident::is_sound) {
            self.page.incidents.load(id, row.row().1);
            standings.into_iter().for_each(|(key, standing)| self.page.standings.load(key, standing));
            return self.events(id).await;
        }
        let untold: Vec<_> = standings.into_iter().filter(|(_, standing)| standing.is_untold()).collect();
        let Some(at) = untold.iter().filter_map(|(_, standing)| standing.due_at).min() else { return };
        // Shorter than an event's fingerprint, so that none joins it.
        self.page.incidents.load(id, unreadable_incident(id.to_le_bytes().to_vec(), 1, at));
        for (key, StandingRow { not_before, due_at, .. }) in untold {
            self.page.standings.load(key, StandingRow { not_before, due_at, ..StandingRow::default() });
        }
    }

    /// Reads the first and the latest event of an incident, unless they cannot be.
    async fn events(&mut self, id: i64) {
        let first = sqlx::query_scalar!("SELECT payload FROM first_event WHERE incident_id = ?1", id);
        let first = first.fetch_optional(&mut *self.connection).await.ok().flatten();
        if let Some(event) = first.and_then(|payload| serde_json::from_str(&payload).ok()) {
            self.page.firsts.load(id, event);
        }
        let latest = sqlx::query_scalar!("SELECT payload FROM latest_event WHERE incident_id = ?1", id);
        let latest = latest.fetch_optional(&mut *self.connection).await.ok().flatten();
        if let Some(event) = latest.and_then(|payload| serde_json::from_str(&payload).ok()) {
            self.page.latests.load(id, event);
        }
    }

    /// Has messages tell of as many events of which nothing else is known, where the
    /// incident could not be read.
    fn stand_in_for_incidents(&mut self) {
        let lost: Vec<_> = self
            .page
            .items
            .iter()
            .filter_map(|(key, item)| self.page.incidents.get(&key.1).is_none().then_some((*key, item.count)))
            .collect();
        for ((notice, incident), count) in lost {
            let delivery = self.page.deliveries.iter().find(|(_, it)| it.notice_id == notice);
            let Some((fingerprint, at)) = delivery.map(|(key, it)| (key.as_bytes().to_vec(), it.created_at))
            else {
                continue;
            };
            let stand_in = self.add_unreadable(fingerprint, count, at);
            self.page.items.remove(&(notice, incident));
            let item = self.page.items.change_or_insert((notice, stand_in), || unreadable_item(0, at));
            item.count = item.count.saturating_add(count);
            item.total = item.count;
        }
    }

    /// Adds a closed incident of `count` more events; one for each fingerprint. Its
    /// number is no other's: those of the file are positive.
    fn add_unreadable(&mut self, fingerprint: Vec<u8>, count: u64, at: SystemTime) -> i64 {
        let known = self.page.incidents.iter().find(|(_, it)| it.fingerprint == fingerprint);
        if let Some(id) = known.map(|(id, _)| *id) {
            if let Some(incident) = self.page.incidents.change(&id) {
                incident.count = incident.count.saturating_add(count);
            }
            return id;
        }
        let first = self.page.incidents.keys().next().copied().unwrap_or(0);
        let id = first.min(0).saturating_sub(1);
        self.page.incidents.load(id, unreadable_incident(fingerprint, count.max(1), at));
        id
    }
}

/// The public id of what cannot be read.
const UNREADABLE_ID: &str = "0000";

/// Stands for a notice that cannot be read.
fn unreadable_notice(made_at: SystemTime) -> StoredNotice {
    StoredNotice {
        public_id: UNREADABLE_ID.to_owned(),
        run: Uuid::nil(),
        kind: Kind::First,
        process: Process::default(),
        made_at,
        is_last: false,
    }
}

/// Stands for an incident of which nothing is known but how many events it had.
fn unreadable_incident(fingerprint: Vec<u8>, count: u64, at: SystemTime) -> IncidentRow {
    IncidentRow {
        public_id: UNREADABLE_ID.to_owned(),
        fingerprint,
        level: Level::ERROR,
        about: Some(About::Overflow),
        run: Uuid::nil(),
        process: Process::default(),
        is_new: true,
        count,
        reported: 0,
        opened_at: at,
        last_at: at,
        closed_at: Some(at),
        pace: Pace::default(),
    }
}

fn unreadable_item(count: u64, at: SystemTime) -> ItemRow {
    let pace = Pace::default();
    ItemRow { reason: Reason::First, tellings: 0, count, total: count, last_at: at, pace }
}

#[cfg(test)]
mod tests;
