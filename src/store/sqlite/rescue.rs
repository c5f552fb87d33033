//! What a file hands over that was moved or is damaged: everything that is not
//! settled, as far as it can be read.
//!
//! Invariant: rather less detail than no message; what cannot be read is never an
//! error.

use std::{
    collections::BTreeSet,
    time::{Duration, SystemTime},
};

use sqlx::{Connection, SqliteConnection};

use super::{
    super::{
        StoreError,
        bundle::{
            Bundle, BundledDead, BundledIncident, BundledItem, BundledNotice, BundledStanding, Ledger,
            NO_FACTS, NO_RUN, UNREADABLE_ID,
        },
    },
    Sqlite, ledger,
};
use crate::event::to_millis;

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
    pub(in crate::store) async fn export(&mut self) -> Bundle {
        let connection = &mut self.connection;
        let pending = readable!(
            connection,
            r#"SELECT id AS "id!" FROM delivery NOT INDEXED
                WHERE id > ?1 AND id < ?2 AND state = 'pending' ORDER BY id LIMIT 1"#,
            r#"SELECT id AS "id!" FROM delivery NOT INDEXED
                WHERE id > ?1 AND id < ?2 AND state = 'pending' ORDER BY id DESC LIMIT 1"#
        );
        let mut bundle = Bundle::default();
        for delivery in pending {
            bundle.notices.extend(read_notice(connection, delivery).await.ok());
        }
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
        incidents.extend(bundle.notices.iter().flat_map(|notice| &notice.items).map(|item| item.incident_id));
        for id in incidents {
            bundle.incidents.extend(read_incident(connection, id).await);
        }
        bundle.ledger = Ledger {
            adds_up: false,
            accounts: ledger::accounts(connection).await.unwrap_or_default(),
            refusals: ledger::refusals(connection).await.unwrap_or_default(),
            dead: ledger::dead(connection).await.unwrap_or_default(),
        };
        let untold = readable!(
            connection,
            r#"SELECT id AS "id!" FROM delivery NOT INDEXED
                WHERE id > ?1 AND id < ?2 AND state = 'dead' AND told = 0 ORDER BY id LIMIT 1"#,
            r#"SELECT id AS "id!" FROM delivery NOT INDEXED
                WHERE id > ?1 AND id < ?2 AND state = 'dead' AND told = 0 ORDER BY id DESC LIMIT 1"#
        );
        for delivery in untold {
            if let Ok(Some(dead)) = read_dead(connection, delivery).await {
                bundle.ledger.bury(dead);
            }
        }
        bundle
    }

    /// Leaves what was exported of a file that is no longer where it was to those
    /// who have the copy: another process may work with it until it notices. What
    /// comes meanwhile is an incident of its own, and adds up.
    pub(in crate::store) async fn retire(&mut self, now: SystemTime) {
        let (now, later) = (to_millis(now), to_millis(now + RETIRED_FOR));
        let done = async {
            let mut tx = self.connection.begin_with("BEGIN IMMEDIATE").await?;
            sqlx::query!("UPDATE incident SET closed_at = ?1 WHERE closed_at IS NULL", now)
                .execute(&mut *tx)
                .await?;
            sqlx::query!("UPDATE standing SET due_at = max(due_at, ?1) WHERE due_at IS NOT NULL", later)
                .execute(&mut *tx)
                .await?;
            sqlx::query!("UPDATE delivery SET due_at = max(due_at, ?1) WHERE state = 'pending'", later)
                .execute(&mut *tx)
                .await?;
            tx.commit().await
        };
        // A file that takes nothing more is of no use to others either.
        drop::<Result<(), sqlx::Error>>(done.await);
    }
}

/// Longer than it takes another process to notice.
const RETIRED_FOR: Duration = Duration::from_secs(60);

/// Reads what can be read of an incident, if need be without its event. None if
/// it cannot be read, and all were told of it.
async fn read_incident(connection: &mut SqliteConnection, id: i64) -> Option<BundledIncident> {
    // What the schema refuses is as good as not there.
    let standings = sqlx::query_as!(
        BundledStanding,
        "SELECT sink, recipient, told, reported, told_at, tellings, not_before, due_at
           FROM standing WHERE incident_id = ?1 AND told >= 0 AND reported >= 0 AND tellings >= 0",
        id
    )
    .fetch_all(&mut *connection)
    .await
    .unwrap_or_default();
    let row = sqlx::query!(
        r#"SELECT public_id, fingerprint, level, about, run, process, is_new AS "is_new: bool",
                  count, opened_at, last_at, closed_at, pace
             FROM incident WHERE id = ?1"#,
        id
    )
    .fetch_one(&mut *connection)
    .await;
    let Ok(row) = row else {
        return BundledIncident::untold(id, &standings);
    };
    let payload = sqlx::query_scalar!("SELECT payload FROM incident WHERE id = ?1", id)
        .fetch_one(&mut *connection)
        .await;
    let latest = sqlx::query_scalar!("SELECT latest FROM incident WHERE id = ?1", id)
        .fetch_one(&mut *connection)
        .await;
    Some(BundledIncident {
        id,
        public_id: row.public_id,
        fingerprint: row.fingerprint,
        level: row.level,
        about: row.about,
        run: row.run,
        process: row.process,
        is_new: row.is_new,
        count: row.count,
        opened_at: row.opened_at,
        last_at: row.last_at,
        closed_at: row.closed_at,
        payload: payload.ok().flatten(),
        latest: latest.ok().flatten(),
        pace: row.pace,
        standings,
    })
}

/// Reads a delivery, and what can be read of its notice.
async fn read_notice(connection: &mut SqliteConnection, delivery: i64) -> Result<BundledNotice, StoreError> {
    let row = sqlx::query!(
        "SELECT notice_id, key, sink, recipient, due_at, attempt, claims, doubtful, created_at, expires_at
           FROM delivery WHERE id = ?1",
        delivery
    )
    .fetch_one(&mut *connection)
    .await?;
    let mut bundled = BundledNotice {
        public_id: UNREADABLE_ID.to_owned(),
        run: NO_RUN.to_vec(),
        kind: "first".to_owned(),
        process: NO_FACTS.to_owned(),
        made_at: row.created_at,
        is_last: false,
        items: read_items(connection, row.notice_id).await,
        key: row.key,
        sink: row.sink,
        recipient: row.recipient,
        due_at: row.due_at,
        attempt: row.attempt,
        claims: row.claims,
        doubtful: row.doubtful,
        created_at: row.created_at,
        expires_at: row.expires_at,
    };
    let notice = sqlx::query!(
        r#"SELECT public_id, run, kind, process, made_at, is_last AS "is_last: bool" FROM notice WHERE id = ?1"#,
        row.notice_id
    );
    if let Ok(notice) = notice.fetch_one(&mut *connection).await {
        bundled.public_id = notice.public_id;
        bundled.run = notice.run;
        bundled.kind = notice.kind;
        bundled.process = notice.process;
        bundled.made_at = notice.made_at;
        bundled.is_last = notice.is_last;
    }
    Ok(bundled)
}

/// Reads a delivery that is dead and that nobody was told of; none if nobody is
/// to be, as it told of the dead itself.
async fn read_dead(
    connection: &mut SqliteConnection,
    delivery: i64,
) -> Result<Option<BundledDead>, StoreError> {
    let row = sqlx::query!(
        r#"SELECT notice_id, sink, recipient, coalesce(last_error, '') AS "reason!: String"
             FROM delivery WHERE id = ?1"#,
        delivery
    )
    .fetch_one(&mut *connection)
    .await?;
    let notice = sqlx::query!("SELECT public_id, kind FROM notice WHERE id = ?1", row.notice_id)
        .fetch_one(&mut *connection)
        .await;
    if notice.as_ref().is_ok_and(|notice| notice.kind == "health") {
        return Ok(None);
    }
    Ok(Some(BundledDead {
        sink: row.sink,
        told_at: None,
        count: 1,
        recipient: row.recipient,
        public_id: notice.map_or_else(|_| UNREADABLE_ID.to_owned(), |notice| notice.public_id),
        reason: row.reason,
    }))
}

/// Reads what a notice tells; if that is damaged, from the index: which incidents
/// it tells of.
async fn read_items(connection: &mut SqliteConnection, notice: i64) -> Vec<BundledItem> {
    let items = sqlx::query_as!(
        BundledItem,
        "SELECT incident_id, reason, tellings, count, total, last_at, pace FROM item WHERE notice_id = ?1",
        notice
    );
    if let Ok(items) = items.fetch_all(&mut *connection).await {
        return items;
    }
    let items = sqlx::query_as!(
        BundledItem,
        r#"SELECT incident_id, 'first' AS "reason!: String", 0 AS "tellings!: i64", 1 AS "count!: i64",
                  1 AS "total!: i64", 0 AS "last_at!: i64", '{}' AS "pace!: String"
             FROM item INDEXED BY item_incident WHERE notice_id = ?1"#,
        notice
    );
    items.fetch_all(&mut *connection).await.unwrap_or_default()
}

#[cfg(test)]
mod tests;
