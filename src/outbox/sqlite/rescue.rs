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
        page::{DeliveryRow, IncidentRow, ItemRow, Recipient, StandingRow, StoredNotice},
    },
    Sqlite,
    load::split,
};
use crate::policy::{
    incident::{Reason, Recent},
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
        // Each apart: one that is damaged costs no other.
        let recipients = [
            sqlx::query_scalar!(
                r#"SELECT group_concat('account' || char(31) || json_array(sink, recipient) || char(31) || data, char(30))
                          AS "rows?: String" FROM account"#
            )
            .fetch_one(&mut *connection)
            .await,
            sqlx::query_scalar!(
                r#"SELECT group_concat('refusal' || char(31) || json_array(sink, recipient) || char(31) || data, char(30))
                          AS "rows?: String" FROM refusal"#
            )
            .fetch_one(&mut *connection)
            .await,
            sqlx::query_scalar!(
                r#"SELECT group_concat('dead_told' || char(31) || json_quote(sink) || char(31) || data, char(30))
                          AS "rows?: String" FROM dead_told"#
            )
            .fetch_one(&mut *connection)
            .await,
            sqlx::query_scalar!(
                r#"SELECT group_concat('silence' || char(31) || json_quote(key) || char(31) || data, char(30))
                          AS "rows?: String" FROM silence"#
            )
            .fetch_one(&mut *connection)
            .await,
        ];
        for rows in recipients.into_iter().filter_map(|rows| rows.ok().flatten()) {
            split(&rows).for_each(|row| drop(page.read(row.tab, row.key, row.data)));
        }
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
        let row = sqlx::query!("SELECT key, data FROM delivery WHERE id = ?1", delivery);
        let Ok(row) = row.fetch_one(&mut *self.connection).await else { return };
        let (Ok(key), Ok(row)) = (row.key.parse(), serde_json::from_str::<DeliveryRow>(&row.data)) else {
            return;
        };
        let claims = row.claims.max(0);
        let most = u32::try_from(claims).unwrap_or(u32::MAX);
        // It is pending, and the new file takes no numbers that contradict each other.
        let row = DeliveryRow {
            claims,
            attempt: row.attempt.min(most),
            answered: row.answered.clamp(0, claims),
            doubtful: row.doubtful.min(most),
            settled_at: None,
            ..row
        };
        let notice = sqlx::query_scalar!("SELECT data FROM notice WHERE id = ?1", row.notice_id);
        let notice = notice.fetch_one(&mut *self.connection).await.ok();
        let notice = notice.and_then(|data| serde_json::from_str(&data).ok());
        let notice = notice.unwrap_or_else(|| unreadable_notice(row.created_at));
        self.items(row.notice_id, key, &notice).await;
        self.page.notices.load(row.notice_id, notice);
        self.page.deliveries.load(key, row);
    }

    /// Reads what a notice tells; if that is damaged, from the index: which incidents
    /// it tells of. It tells of one event, if not even that can be read.
    async fn items(&mut self, id: i64, key: Uuid, notice: &StoredNotice) {
        let items = sqlx::query!("SELECT incident_id, data FROM item WHERE notice_id = ?1", id);
        let items: Vec<(i64, Option<ItemRow>)> = match items.fetch_all(&mut *self.connection).await {
            Ok(items) => {
                items.into_iter().map(|it| (it.incident_id, serde_json::from_str(&it.data).ok())).collect()
            }
            Err(_) => {
                let items = sqlx::query_scalar!(
                    "SELECT incident_id FROM item INDEXED BY item_incident WHERE notice_id = ?1",
                    id
                );
                let items = items.fetch_all(&mut *self.connection).await.unwrap_or_default();
                items.into_iter().map(|incident| (incident, None)).collect()
            }
        };
        if items.is_empty() {
            let incident = self.add_unreadable(key.as_bytes().to_vec(), 1, notice.made_at);
            self.page.items.load((id, incident), unreadable_item(1, notice.made_at));
        }
        for (incident, item) in items {
            let item = item.unwrap_or_else(|| unreadable_item(1, notice.made_at));
            self.page.items.load((id, incident), item);
        }
    }

    /// Reads what can be read of an incident, if need be without its events. If
    /// nothing can, those who were never told of it hear that there was one.
    async fn incident(&mut self, id: i64) {
        let standings = sqlx::query!("SELECT sink, recipient, data FROM standing WHERE incident_id = ?1", id)
            .fetch_all(&mut *self.connection)
            .await
            .unwrap_or_default();
        // What the schema refuses is as good as not there.
        let standings = standings.into_iter().filter_map(|row| {
            let standing: StandingRow = serde_json::from_str(&row.data).ok()?;
            Some(((id, Recipient::new(&row.sink, &row.recipient)), standing))
        });
        let standings: Vec<_> = standings.collect();
        let row = sqlx::query_scalar!("SELECT data FROM incident WHERE id = ?1", id);
        let row = row.fetch_one(&mut *self.connection).await.ok();
        let row = row.and_then(|data| serde_json::from_str::<IncidentRow>(&data).ok());
        if let Some(row) = row.filter(|row| row.count > 0) {
            self.page.incidents.load(id, row);
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
        if let Ok(Some(payload)) = first.fetch_optional(&mut *self.connection).await {
            drop(self.page.read("first_event", &id.to_string(), &payload));
        }
        let latest = sqlx::query_scalar!("SELECT payload FROM latest_event WHERE incident_id = ?1", id);
        if let Ok(Some(payload)) = latest.fetch_optional(&mut *self.connection).await {
            drop(self.page.read("latest_event", &id.to_string(), &payload));
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
        is_panic: false,
        opened_at: at,
        back_at: None,
        last_at: at,
        closed_at: Some(at),
        is_left: true,
        held_until: None,
        pace: Pace::default(),
        recent: Recent::default(),
        spread: None,
        #[cfg(feature = "postgres")]
        shared: Default::default(),
    }
}

fn unreadable_item(count: u64, at: SystemTime) -> ItemRow {
    ItemRow {
        reason: Reason::First,
        tellings: 0,
        count,
        total: count,
        last_at: at,
        pace: Pace::default(),
        today: 0,
        this_week: 0,
        held_until: None,
        spread: None,
    }
}

#[cfg(test)]
mod tests;
