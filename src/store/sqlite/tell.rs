//! What there is to tell becomes notices, one delivery each.

use std::{collections::BTreeMap, time::SystemTime};

use sqlx::{Connection, SqliteConnection};
use uuid::Uuid;

use super::{
    super::{Channel, Maker, StoreError, Told, batch::message_id},
    Sqlite,
    accounts::{account, save_account},
    incidents::{close_ended, new_id},
    rows::{json, number, reason_name, unsigned},
};
use crate::{
    budget::day_of,
    event::{from_millis, to_millis},
    incident::{Desk, Plan, Reason, Standing, blocked_until, plan},
};

impl Sqlite {
    /// One transaction: of several processes, one tells.
    pub(in crate::store) async fn tell(
        &mut self,
        channel: &Channel,
        maker: &Maker<'_>,
        hurried: bool,
        now: SystemTime,
    ) -> Result<Told, StoreError> {
        let mut told = Told::default();
        if !waiting(&mut self.connection, channel.sink, hurried, now).await?.is_empty() {
            let mut tx = self.connection.begin_with("BEGIN IMMEDIATE").await?;
            close_ended(&mut tx, now).await?;
            for recipient in waiting(&mut tx, channel.sink, hurried, now).await? {
                let notice = tell_one(&mut tx, &recipient, channel, maker, hurried, now).await?;
                told.notice = told.notice.max(notice);
            }
            tx.commit().await?;
        }
        let next = sqlx::query_scalar!(
            r#"SELECT min(due_at) AS "due_at: i64" FROM standing WHERE sink = ?1 AND due_at IS NOT NULL"#,
            channel.sink
        )
        .fetch_one(&mut self.connection)
        .await?;
        told.next = next.map(from_millis);
        Ok(told)
    }
}

/// The recipients of whom something is to be decided.
async fn waiting(
    connection: &mut SqliteConnection,
    sink: &str,
    hurried: bool,
    now: SystemTime,
) -> Result<Vec<String>, StoreError> {
    let now = to_millis(now);
    let recipients = sqlx::query_scalar!(
        "SELECT DISTINCT recipient FROM standing
          WHERE sink = ?1 AND due_at IS NOT NULL AND (due_at <= ?2 OR (?3 AND told_at IS NULL))",
        sink,
        now,
        hurried
    )
    .fetch_all(&mut *connection)
    .await?;
    Ok(recipients)
}

/// What is kept of an incident for one recipient.
struct Known {
    incident_id: i64,
    tellings: u32,
    next_tellings: u32,
    count: u64,
    told: u64,
    last_at: i64,
    due_at: i64,
}

/// Decides for one recipient. Returns the notice that there is now, or more of.
async fn tell_one(
    connection: &mut SqliteConnection,
    recipient: &str,
    channel: &Channel,
    maker: &Maker<'_>,
    hurried: bool,
    now: SystemTime,
) -> Result<Option<i64>, StoreError> {
    let open = open_notice(connection, channel.sink, recipient).await?;
    let (known, standings) = standings(connection, channel.sink, recipient, open).await?;
    let desk = Desk {
        account: account(connection, channel.sink, recipient).await?,
        standings,
        has_open_message: open.is_some(),
        blocked_until: blocked(connection, channel, recipient, now).await?,
    };
    let plan = plan(&desk, &channel.rhythm, channel.budget.as_ref(), hurried, now);
    let mut notice = None;
    if !plan.tell.is_empty() {
        let id = match open {
            Some(id) => id,
            None => insert_notice(connection, recipient, channel, maker, &plan, now).await?,
        };
        for (index, reason) in &plan.tell {
            insert_item(connection, id, &known[*index], *reason).await?;
        }
        name_notice(connection, id, maker).await?;
        let expires_at = to_millis(now + channel.deadline);
        sqlx::query!(
            "UPDATE delivery SET expires_at = max(expires_at, ?2) WHERE notice_id = ?1",
            id,
            expires_at
        )
        .execute(&mut *connection)
        .await?;
        notice = Some(id);
    }
    if let Some(account) = &plan.account {
        save_account(connection, channel.sink, recipient, account).await?;
    }
    let mut dues: Vec<_> = plan.due.iter().map(|due| due.map(to_millis)).collect();
    for (index, _) in &plan.tell {
        note_told(connection, channel.sink, recipient, &known[*index], dues[*index], now).await?;
        dues[*index] = Some(known[*index].due_at);
    }
    let mut moved: BTreeMap<Option<i64>, Vec<i64>> = BTreeMap::new();
    for (known, due_at) in known.iter().zip(dues).filter(|(known, due_at)| *due_at != Some(known.due_at)) {
        moved.entry(due_at).or_default().push(known.incident_id);
    }
    for (due_at, incidents) in moved {
        let incidents = json(&incidents)?;
        sqlx::query!(
            "UPDATE standing SET due_at = ?4
              WHERE sink = ?1 AND recipient = ?2 AND incident_id IN (SELECT value FROM json_each(?3))",
            channel.sink,
            recipient,
            incidents,
            due_at
        )
        .execute(&mut *connection)
        .await?;
    }
    Ok(notice)
}

/// The recipient knows everything of an incident now.
async fn note_told(
    connection: &mut SqliteConnection,
    sink: &str,
    recipient: &str,
    known: &Known,
    due_at: Option<i64>,
    now: SystemTime,
) -> Result<(), StoreError> {
    let (count, now) = (number(known.count), to_millis(now));
    sqlx::query!(
        "UPDATE standing SET due_at = ?4, told = ?5, told_at = ?6, tellings = ?7
          WHERE incident_id = ?1 AND sink = ?2 AND recipient = ?3",
        known.incident_id,
        sink,
        recipient,
        due_at,
        count,
        now,
        known.next_tellings
    )
    .execute(&mut *connection)
    .await?;
    Ok(())
}

async fn standings(
    connection: &mut SqliteConnection,
    sink: &str,
    recipient: &str,
    open: Option<i64>,
) -> Result<(Vec<Known>, Vec<Standing>), StoreError> {
    let rows = sqlx::query!(
        r#"SELECT incident_id AS "incident_id!", told, told_at, tellings, not_before, due_at AS "due_at!",
                  count, opened_at, last_at, is_new AS "is_new: bool",
                  EXISTS (SELECT 1 FROM item
                           WHERE notice_id = ?3 AND item.incident_id = standing.incident_id) AS "is_pending!: bool",
                  EXISTS (SELECT 1 FROM standing AS other
                           WHERE other.incident_id = standing.incident_id AND other.sink <> ?1
                             AND other.told_at IS NOT NULL) AS "is_covered!: bool"
             FROM standing JOIN incident ON incident.id = incident_id
            WHERE sink = ?1 AND recipient = ?2 AND due_at IS NOT NULL
            ORDER BY incident_id"#,
        sink,
        recipient,
        open
    )
    .fetch_all(&mut *connection)
    .await?;
    let pairs = rows.into_iter().map(|row| {
        let tellings = u32::try_from(row.tellings).unwrap_or(u32::MAX);
        let standing = Standing {
            opened_at: from_millis(row.opened_at),
            last_at: from_millis(row.last_at),
            count: unsigned(row.count),
            told: unsigned(row.told),
            told_at: row.told_at.map(from_millis),
            tellings,
            is_pending: row.is_pending,
            is_new: row.is_new,
            not_before: row.not_before.map(from_millis),
            is_covered: row.is_covered,
        };
        let known = Known {
            incident_id: row.incident_id,
            tellings,
            next_tellings: standing.next_tellings(),
            count: standing.count,
            told: standing.told,
            last_at: row.last_at,
            due_at: row.due_at,
        };
        (known, standing)
    });
    Ok(pairs.unzip())
}

/// The recipient's message that did not leave yet.
pub(super) async fn open_notice(
    connection: &mut SqliteConnection,
    sink: &str,
    recipient: &str,
) -> Result<Option<i64>, StoreError> {
    let id = sqlx::query_scalar!(
        "SELECT notice_id FROM delivery
          WHERE sink = ?1 AND recipient = ?2 AND state = 'pending' AND doubtful = 0
          ORDER BY id DESC LIMIT 1",
        sink,
        recipient
    )
    .fetch_optional(&mut *connection)
    .await?;
    Ok(id)
}

async fn blocked(
    connection: &mut SqliteConnection,
    channel: &Channel,
    recipient: &str,
    now: SystemTime,
) -> Result<Option<SystemTime>, StoreError> {
    let pending = sqlx::query!(
        r#"SELECT count(*) AS "all!: i64", count(*) FILTER (WHERE recipient = ?2) AS "his!: i64"
             FROM delivery WHERE state = 'pending' AND sink = ?1"#,
        channel.sink,
        recipient
    )
    .fetch_one(&mut *connection)
    .await?;
    let spent = account(connection, channel.sink, "").await?.on(day_of(now));
    let (his, all) = (unsigned(pending.his), unsigned(pending.all));
    Ok(blocked_until(his, spent, all, channel.segments_per_day, now))
}

async fn insert_notice(
    connection: &mut SqliteConnection,
    recipient: &str,
    channel: &Channel,
    maker: &Maker<'_>,
    plan: &Plan,
    now: SystemTime,
) -> Result<i64, StoreError> {
    let run = maker.run.as_bytes().as_slice();
    let process = json(maker.process)?;
    let (made_at, expires_at) = (to_millis(now), to_millis(now + channel.deadline));
    let id = sqlx::query_scalar!(
        r#"INSERT INTO notice (public_id, run, kind, process, made_at, is_last)
           VALUES ('', ?1, 'first', ?2, ?3, ?4)
           RETURNING id AS "id!""#,
        run,
        process,
        made_at,
        plan.is_last
    )
    .fetch_one(&mut *connection)
    .await?;
    let key = Uuid::now_v7();
    let key = key.as_bytes().as_slice();
    sqlx::query!(
        "INSERT INTO delivery (key, notice_id, sink, recipient, due_at, created_at, expires_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?5, ?6)",
        key,
        id,
        channel.sink,
        recipient,
        made_at,
        expires_at
    )
    .execute(&mut *connection)
    .await?;
    Ok(id)
}

async fn insert_item(
    connection: &mut SqliteConnection,
    notice: i64,
    known: &Known,
    reason: Reason,
) -> Result<(), StoreError> {
    let reason = reason_name(reason);
    let (count, total) = (number(known.count.saturating_sub(known.told)), number(known.count));
    sqlx::query!(
        "INSERT INTO item (notice_id, incident_id, reason, tellings, count, total, last_at, pace)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, (SELECT pace FROM incident WHERE id = ?2))
             ON CONFLICT (notice_id, incident_id) DO UPDATE
                SET count = count + excluded.count, total = excluded.total, last_at = excluded.last_at,
                    pace = excluded.pace,
                    reason = iif(excluded.reason = 'quiet' AND reason <> 'first', 'quiet', reason)",
        notice,
        known.incident_id,
        reason,
        known.tellings,
        count,
        total,
        known.last_at
    )
    .execute(&mut *connection)
    .await?;
    Ok(())
}

/// Says what a notice is, from what it tells: with one incident it bears that
/// one's name, and the facts of the process that opened it.
async fn name_notice(
    connection: &mut SqliteConnection,
    notice: i64,
    maker: &Maker<'_>,
) -> Result<(), StoreError> {
    let facts = sqlx::query!(
        r#"SELECT count(*) AS "items!: i64", min(coalesce(about = 'dead' OR about LIKE 'loss:%', 0)) AS "is_health!: bool",
                  count(DISTINCT incident.process) AS "processes!: i64",
                  min(reason) AS "reason!: String", min(incident.public_id) AS "incident!: String",
                  min(tellings) AS "tellings!: i64", min(incident.process) AS "process!: String"
             FROM item JOIN incident ON incident.id = incident_id
            WHERE notice_id = ?1"#,
        notice
    )
    .fetch_one(&mut *connection)
    .await?;
    let kind = match facts.items {
        _ if facts.is_health => "health",
        1 => facts.reason.as_str(),
        _ => "digest",
    };
    let is_single = facts.items == 1;
    let public_id = match is_single {
        true => message_id(&facts.incident, u32::try_from(facts.tellings).unwrap_or(u32::MAX)),
        false => new_id(connection, maker).await?,
    };
    let process = if facts.processes == 1 { facts.process } else { json(maker.process)? };
    sqlx::query!(
        "UPDATE notice SET kind = ?2, public_id = ?3, process = ?4 WHERE id = ?1",
        notice,
        kind,
        public_id,
        process
    )
    .execute(&mut *connection)
    .await?;
    Ok(())
}
