//! What comes over from another store: from memory after an outage, from a file
//! that was moved or is damaged.

use std::collections::HashMap;

use sqlx::{Connection, SqliteConnection};

use super::{
    super::{
        StoreError,
        bundle::{Bundle, BundledAccount, BundledIncident, BundledItem, BundledNotice, BundledStanding},
    },
    Sqlite,
};

impl Sqlite {
    /// Takes in what other stores have, all or nothing; what is there already
    /// stays as it is.
    pub(in crate::store) async fn import(&mut self, bundles: &[&Bundle]) -> Result<(), StoreError> {
        let mut tx = self.connection.begin_with("BEGIN IMMEDIATE").await?;
        for bundle in bundles {
            let mut ids = HashMap::new();
            for incident in &bundle.incidents {
                ids.insert(incident.id, insert_incident(&mut tx, incident).await?);
            }
            for notice in &bundle.notices {
                insert_notice(&mut tx, notice, &ids).await?;
            }
            for account in &bundle.accounts {
                insert_account(&mut tx, account).await?;
            }
        }
        tx.commit().await?;
        Ok(())
    }

    /// Everything that is not settled. What cannot be read is left out: the file
    /// may be damaged.
    pub(in crate::store) async fn export(&mut self) -> Bundle {
        let connection = &mut self.connection;
        let mut bundle = Bundle::default();
        let notices = sqlx::query_scalar!("SELECT id FROM delivery WHERE state = 'pending'")
            .fetch_all(&mut *connection)
            .await
            .unwrap_or_default();
        for delivery in notices {
            bundle.notices.extend(read_notice(connection, delivery).await.ok());
        }
        let incidents = sqlx::query_scalar!(
            r#"SELECT id AS "id!" FROM incident
                WHERE closed_at IS NULL
                   OR EXISTS (SELECT 1 FROM standing WHERE incident_id = incident.id AND due_at IS NOT NULL)
                   OR EXISTS (SELECT 1 FROM item JOIN delivery ON delivery.notice_id = item.notice_id
                               WHERE incident_id = incident.id AND state = 'pending')"#
        )
        .fetch_all(&mut *connection)
        .await
        .unwrap_or_default();
        for id in incidents {
            bundle.incidents.extend(read_incident(connection, id).await.ok());
        }
        bundle.accounts = sqlx::query_as!(
            BundledAccount,
            "SELECT sink, recipient, heard_at, full_at, day, today FROM account"
        )
        .fetch_all(&mut *connection)
        .await
        .unwrap_or_default();
        bundle
    }
}

/// Adds an incident to the open one of its fingerprint, if there is one. Returns
/// its number here.
async fn insert_incident(
    connection: &mut SqliteConnection,
    incident: &BundledIncident,
) -> Result<i64, StoreError> {
    let known = sqlx::query_scalar!(
        r#"SELECT id AS "id!" FROM incident WHERE fingerprint = ?1 AND public_id = ?2 AND opened_at = ?3"#,
        incident.fingerprint,
        incident.public_id,
        incident.opened_at
    )
    .fetch_optional(&mut *connection)
    .await?;
    if let Some(id) = known {
        return Ok(id);
    }
    let joined = if incident.closed_at.is_none() {
        sqlx::query_scalar!(
            r#"UPDATE incident SET count = count + ?2, last_at = max(last_at, ?3)
                WHERE fingerprint = ?1 AND closed_at IS NULL RETURNING id AS "id!""#,
            incident.fingerprint,
            incident.count,
            incident.last_at
        )
        .fetch_optional(&mut *connection)
        .await?
    } else {
        None
    };
    let id = match joined {
        Some(id) => id,
        None => {
            sqlx::query_scalar!(
                r#"INSERT INTO incident (public_id, fingerprint, level, about, run, process, is_new,
                                         count, opened_at, last_at, closed_at, payload)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
                   RETURNING id AS "id!""#,
                incident.public_id,
                incident.fingerprint,
                incident.level,
                incident.about,
                incident.run,
                incident.process,
                incident.is_new,
                incident.count,
                incident.opened_at,
                incident.last_at,
                incident.closed_at,
                incident.payload
            )
            .fetch_one(&mut *connection)
            .await?
        }
    };
    for standing in &incident.standings {
        sqlx::query!(
            "INSERT INTO standing (incident_id, sink, recipient, told, told_at, tellings, not_before, due_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
                 ON CONFLICT (incident_id, sink, recipient) DO UPDATE
                    SET told = told + excluded.told, tellings = tellings + excluded.tellings,
                        told_at = max(coalesce(told_at, excluded.told_at), coalesce(excluded.told_at, told_at)),
                        due_at = min(coalesce(due_at, excluded.due_at), coalesce(excluded.due_at, due_at))",
            id,
            standing.sink,
            standing.recipient,
            standing.told,
            standing.told_at,
            standing.tellings,
            standing.not_before,
            standing.due_at
        )
        .execute(&mut *connection)
        .await?;
    }
    Ok(id)
}

async fn insert_notice(
    connection: &mut SqliteConnection,
    notice: &BundledNotice,
    incidents: &HashMap<i64, i64>,
) -> Result<(), StoreError> {
    let known = sqlx::query_scalar!("SELECT id FROM delivery WHERE key = ?1", notice.key)
        .fetch_optional(&mut *connection)
        .await?;
    if known.is_some() {
        return Ok(());
    }
    let id = sqlx::query_scalar!(
        r#"INSERT INTO notice (public_id, run, kind, process, made_at, is_last)
           VALUES (?1, ?2, ?3, ?4, ?5, ?6)
           RETURNING id AS "id!""#,
        notice.public_id,
        notice.run,
        notice.kind,
        notice.process,
        notice.made_at,
        notice.is_last
    )
    .fetch_one(&mut *connection)
    .await?;
    for item in &notice.items {
        // Of a damaged file, an incident may be missing.
        let Some(incident) = incidents.get(&item.incident_id) else { continue };
        sqlx::query!(
            "INSERT INTO item (notice_id, incident_id, reason, tellings, count, total, last_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
                 ON CONFLICT (notice_id, incident_id) DO UPDATE SET count = count + excluded.count",
            id,
            incident,
            item.reason,
            item.tellings,
            item.count,
            item.total,
            item.last_at
        )
        .execute(&mut *connection)
        .await?;
    }
    sqlx::query!(
        "INSERT INTO delivery (key, notice_id, sink, recipient, due_at,
                               attempt, claims, doubtful, created_at, expires_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        notice.key,
        id,
        notice.sink,
        notice.recipient,
        notice.due_at,
        notice.attempt,
        notice.claims,
        notice.doubtful,
        notice.created_at,
        notice.expires_at
    )
    .execute(&mut *connection)
    .await?;
    Ok(())
}

/// What both stores spent was spent.
async fn insert_account(
    connection: &mut SqliteConnection,
    account: &BundledAccount,
) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO account (sink, recipient, heard_at, full_at, day, today)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT (sink, recipient) DO UPDATE
                SET heard_at = max(coalesce(heard_at, 0), coalesce(excluded.heard_at, 0)),
                    full_at = max(coalesce(full_at, 0), coalesce(excluded.full_at, 0)),
                    today = iif(day >= excluded.day, today, 0) + iif(excluded.day >= day, excluded.today, 0),
                    day = max(day, excluded.day)",
        account.sink,
        account.recipient,
        account.heard_at,
        account.full_at,
        account.day,
        account.today
    )
    .execute(&mut *connection)
    .await?;
    Ok(())
}

async fn read_incident(connection: &mut SqliteConnection, id: i64) -> Result<BundledIncident, StoreError> {
    let row = sqlx::query!(
        r#"SELECT public_id, fingerprint, level, about, run, process, is_new AS "is_new: bool",
                  count, opened_at, last_at, closed_at, payload
             FROM incident WHERE id = ?1"#,
        id
    )
    .fetch_one(&mut *connection)
    .await?;
    let standings = sqlx::query_as!(
        BundledStanding,
        "SELECT sink, recipient, told, told_at, tellings, not_before, due_at
           FROM standing WHERE incident_id = ?1",
        id
    )
    .fetch_all(&mut *connection)
    .await?;
    Ok(BundledIncident {
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
        payload: row.payload,
        standings,
    })
}

async fn read_notice(connection: &mut SqliteConnection, delivery: i64) -> Result<BundledNotice, StoreError> {
    let row = sqlx::query!(
        r#"SELECT notice.id, public_id, run, kind, process, made_at, is_last AS "is_last: bool",
                  key, sink, recipient, due_at, attempt, claims, doubtful, created_at, expires_at
             FROM delivery JOIN notice ON notice.id = notice_id WHERE delivery.id = ?1"#,
        delivery
    )
    .fetch_one(&mut *connection)
    .await?;
    let items = sqlx::query_as!(
        BundledItem,
        "SELECT incident_id, reason, tellings, count, total, last_at FROM item WHERE notice_id = ?1",
        row.id
    )
    .fetch_all(&mut *connection)
    .await?;
    Ok(BundledNotice {
        public_id: row.public_id,
        run: row.run,
        kind: row.kind,
        process: row.process,
        made_at: row.made_at,
        is_last: row.is_last,
        items,
        key: row.key,
        sink: row.sink,
        recipient: row.recipient,
        due_at: row.due_at,
        attempt: row.attempt,
        claims: row.claims,
        doubtful: row.doubtful,
        created_at: row.created_at,
        expires_at: row.expires_at,
    })
}
