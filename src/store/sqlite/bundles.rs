//! What comes over from another store: from memory after an outage, from a file
//! that was moved or is damaged.

use std::{collections::HashMap, time::SystemTime};

use sqlx::{Connection, SqliteConnection};

use super::{
    super::{
        StoreError, Target,
        batch::level_number,
        bundle::{Bundle, BundledIncident, BundledItem, BundledNotice, NO_FACTS},
    },
    Sqlite,
    count::note_reported,
    ledger::enter,
    rows::{json, pace_of},
};
use crate::event::{from_millis, to_millis};

impl Sqlite {
    /// Takes in what other stores have; what is there already is not added. Of an
    /// open incident of which it is not known who knows it, `targets` are told.
    pub(in crate::store) async fn import(
        &mut self,
        bundles: impl IntoIterator<Item = &Bundle>,
        targets: &[Target],
        now: SystemTime,
    ) -> Result<(), StoreError> {
        let mut tx = self.connection.begin_with("BEGIN IMMEDIATE").await?;
        for bundle in bundles {
            let mut ids = HashMap::new();
            for incident in &bundle.incidents {
                let whole = allowed(&mut tx, async |part| {
                    let id = insert_incident(part, incident).await?;
                    if incident.standings.is_empty() && incident.closed_at.is_none() {
                        tell_anew(part, id, incident.level, targets, now).await?;
                    }
                    Ok(id)
                });
                let mut id = whole.await?;
                if let (None, Some(rest)) = (id, BundledIncident::untold(incident.id, &incident.standings)) {
                    id = allowed(&mut tx, async |part| insert_incident(part, &rest).await).await?;
                }
                ids.extend(id.map(|id| (incident.id, id)));
            }
            for notice in &bundle.notices {
                let whole = allowed(&mut tx, async |part| insert_notice(part, notice, &ids).await);
                if whole.await?.is_none() {
                    let rest = notice.unreadable();
                    allowed(&mut tx, async |part| insert_notice(part, &rest, &ids).await).await?;
                }
            }
            allowed(&mut tx, async |part| enter(part, &bundle.ledger).await).await?;
        }
        tx.commit().await?;
        Ok(())
    }
}

/// Does `work`, or nothing of it if the schema does not allow that: it was read
/// from a damaged file. That this one is damaged is another matter.
async fn allowed<T>(
    connection: &mut SqliteConnection,
    work: impl AsyncFnOnce(&mut SqliteConnection) -> Result<T, StoreError>,
) -> Result<Option<T>, StoreError> {
    let mut part = connection.begin().await?;
    match work(&mut part).await {
        Ok(done) => {
            part.commit().await?;
            Ok(Some(done))
        }
        Err(StoreError::Broken(_)) => {
            part.rollback().await?;
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Adds an incident to the open one of its fingerprint, if there is one. Of one
/// that is there already, as another process brought it, what is more counts.
/// Returns its number here.
async fn insert_incident(
    connection: &mut SqliteConnection,
    incident: &BundledIncident,
) -> Result<i64, StoreError> {
    let known = sqlx::query_scalar!(
        r#"UPDATE incident SET count = max(count, ?4), last_at = max(last_at, ?5)
            WHERE fingerprint = ?1 AND public_id = ?2 AND opened_at = ?3 RETURNING id AS "id!""#,
        incident.fingerprint,
        incident.public_id,
        incident.opened_at,
        incident.count,
        incident.last_at
    )
    .fetch_optional(&mut *connection)
    .await?;
    if let Some(id) = known {
        insert_standings(connection, id, incident, true).await?;
        return Ok(id);
    }
    let joined = if incident.closed_at.is_none() {
        sqlx::query!(
            r#"UPDATE incident SET count = count + ?2, last_at = max(last_at, ?3)
                WHERE fingerprint = ?1 AND closed_at IS NULL RETURNING id AS "id!", last_at"#,
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
        Some(joined) => {
            // One that cannot be read is no fault of what is brought.
            let pace = sqlx::query_scalar!("SELECT pace FROM incident WHERE id = ?1", joined.id);
            let mut pace = pace_of(&pace.fetch_one(&mut *connection).await.unwrap_or_default());
            pace.add(&pace_of(&incident.pace), from_millis(joined.last_at));
            let pace = json(&pace)?;
            sqlx::query!("UPDATE incident SET pace = ?2 WHERE id = ?1", joined.id, pace)
                .execute(&mut *connection)
                .await?;
            joined.id
        }
        None => {
            sqlx::query_scalar!(
                r#"INSERT INTO incident (public_id, fingerprint, level, about, run, process, is_new,
                                         count, opened_at, last_at, closed_at, payload, pace, latest)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)
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
                incident.payload,
                incident.pace,
                incident.latest
            )
            .fetch_one(&mut *connection)
            .await?
        }
    };
    insert_standings(connection, id, incident, false).await?;
    Ok(id)
}

/// What is known of an incident in both stores is the same, if they are of the
/// same events; if not, it adds up.
async fn insert_standings(
    connection: &mut SqliteConnection,
    id: i64,
    incident: &BundledIncident,
    are_same: bool,
) -> Result<(), StoreError> {
    for standing in &incident.standings {
        sqlx::query!(
            "INSERT INTO standing (incident_id, sink, recipient, told, reported, told_at, tellings, not_before, due_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
                 ON CONFLICT (incident_id, sink, recipient) DO UPDATE
                    SET told = iif(?10, max(told, excluded.told), told + excluded.told),
                        reported = iif(?10, max(reported, excluded.reported), reported + excluded.reported),
                        tellings = iif(?10, max(tellings, excluded.tellings), tellings + excluded.tellings),
                        told_at = max(coalesce(told_at, excluded.told_at), coalesce(excluded.told_at, told_at)),
                        due_at = min(coalesce(due_at, excluded.due_at), coalesce(excluded.due_at, due_at))",
            id,
            standing.sink,
            standing.recipient,
            standing.told,
            standing.reported,
            standing.told_at,
            standing.tellings,
            standing.not_before,
            standing.due_at,
            are_same
        )
        .execute(&mut *connection)
        .await?;
    }
    note_reported(connection, &[id]).await
}

/// Has those of `targets` whom an incident of `level` concerns be told of it:
/// nobody knows who was.
async fn tell_anew(
    connection: &mut SqliteConnection,
    incident: i64,
    level: i64,
    targets: &[Target],
    now: SystemTime,
) -> Result<(), StoreError> {
    let now = to_millis(now);
    for target in targets.iter().filter(|target| level <= level_number(target.level).into()) {
        sqlx::query!(
            "INSERT INTO standing (incident_id, sink, recipient, due_at) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (incident_id, sink, recipient) DO NOTHING",
            incident,
            target.sink,
            target.recipient,
            now
        )
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
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
        if let Some(incident) = incidents.get(&item.incident_id) {
            insert_item(connection, id, *incident, notice, item).await?;
        } else {
            insert_unreadable(connection, id, notice, item.count).await?;
        }
    }
    if notice.items.is_empty() {
        insert_unreadable(connection, id, notice, 1).await?;
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

/// Also has who is told of it know it, if nobody knew whether he does, or that it
/// concerns him.
async fn insert_item(
    connection: &mut SqliteConnection,
    id: i64,
    incident: i64,
    notice: &BundledNotice,
    item: &BundledItem,
) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO item (notice_id, incident_id, reason, tellings, count, total, last_at, pace)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
             ON CONFLICT (notice_id, incident_id) DO UPDATE SET count = count + excluded.count",
        id,
        incident,
        item.reason,
        item.tellings,
        item.count,
        item.total,
        item.last_at,
        item.pace
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        "INSERT INTO standing (incident_id, sink, recipient, told, told_at, tellings)
         VALUES (?1, ?2, ?3, ?4, ?5, 1)
             ON CONFLICT (incident_id, sink, recipient) DO UPDATE
                SET told = excluded.told, told_at = excluded.told_at, tellings = 1 WHERE told_at IS NULL",
        incident,
        notice.sink,
        notice.recipient,
        item.total,
        notice.made_at
    )
    .execute(&mut *connection)
    .await?;
    Ok(())
}

/// Has a notice tell of `count` events of which nothing else is known.
async fn insert_unreadable(
    connection: &mut SqliteConnection,
    id: i64,
    notice: &BundledNotice,
    count: i64,
) -> Result<(), StoreError> {
    let unreadable = BundledIncident::unreadable(notice.key.clone(), notice.made_at);
    let incident = insert_incident(connection, &unreadable).await?;
    let item = BundledItem {
        incident_id: incident,
        reason: "first".to_owned(),
        tellings: 0,
        count,
        total: count,
        last_at: notice.made_at,
        pace: NO_FACTS.to_owned(),
    };
    insert_item(connection, id, incident, notice, &item).await
}
