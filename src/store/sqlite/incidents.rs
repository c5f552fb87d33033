//! Events join their incidents; who is concerned gets a standing.

use std::time::SystemTime;

use sqlx::{Connection, SqliteConnection};

use super::{
    super::{
        MOST_INCIDENTS, Maker, StoreError, Target,
        batch::{About, Captured, Tally, level_number, overflow_fingerprint, tallies},
    },
    Sqlite,
    rows::{about_text, json, number, unsigned},
};
use crate::{
    event::{from_millis, to_millis},
    incident::{QUIET_AFTER, Standing},
    notice::Losses,
};

impl Sqlite {
    pub(in crate::store) async fn persist(
        &mut self,
        batch: &[Captured],
        losses: &Losses,
        maker: &Maker<'_>,
        targets: &[Target],
        now: SystemTime,
    ) -> Result<(), StoreError> {
        let mut tx = self.connection.begin_with("BEGIN IMMEDIATE").await?;
        join(&mut tx, &tallies(batch, losses, now), maker, targets, now).await?;
        tx.commit().await?;
        Ok(())
    }

    pub(in crate::store) async fn add_backtrace(
        &mut self,
        fingerprint: &[u8],
        backtrace: &str,
    ) -> Result<(), StoreError> {
        sqlx::query!(
            "UPDATE incident SET payload = json_set(payload, '$.backtrace', ?2)
              WHERE fingerprint = ?1 AND closed_at IS NULL
                AND payload IS NOT NULL AND json_extract(payload, '$.backtrace') IS NULL",
            fingerprint,
            backtrace
        )
        .execute(&mut self.connection)
        .await?;
        Ok(())
    }
}

/// Adds `tallies` to their open incidents, and opens those that are not there.
pub(super) async fn join(
    connection: &mut SqliteConnection,
    tallies: &[Tally<'_>],
    maker: &Maker<'_>,
    targets: &[Target],
    now: SystemTime,
) -> Result<(), StoreError> {
    let mut room = None;
    for tally in tallies {
        if count(connection, &tally.fingerprint, tally, targets, now).await? {
            continue;
        }
        let left = match room {
            Some(left) => left,
            None => MOST_INCIDENTS.saturating_sub(count_open(connection).await?),
        };
        if tally.about.is_some() {
            open(connection, &tally.fingerprint, tally.about, tally, maker, targets, now).await?;
        } else if left > 0 {
            open(connection, &tally.fingerprint, None, tally, maker, targets, now).await?;
            room = Some(left - 1);
        } else {
            room = Some(0);
            let overflow = overflow_fingerprint(tally.level);
            if !count(connection, &overflow, tally, targets, now).await? {
                open(connection, &overflow, Some(About::Overflow), tally, maker, targets, now).await?;
            }
        }
    }
    Ok(())
}

async fn count_open(connection: &mut SqliteConnection) -> Result<usize, StoreError> {
    let open = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!: i64" FROM incident WHERE closed_at IS NULL AND about IS NULL"#
    )
    .fetch_one(&mut *connection)
    .await?;
    Ok(usize::try_from(open).unwrap_or(0))
}

/// Counts `tally` in the open incident of `fingerprint`. False if there is none,
/// or if it ended meanwhile.
async fn count(
    connection: &mut SqliteConnection,
    fingerprint: &[u8],
    tally: &Tally<'_>,
    targets: &[Target],
    now: SystemTime,
) -> Result<bool, StoreError> {
    let (more, last_at) = (number(tally.count), to_millis(tally.last_at));
    let (ended_by, now_ms) = (to_millis(now - QUIET_AFTER), to_millis(now));
    let incident = sqlx::query!(
        r#"UPDATE incident SET count = count + ?2, last_at = max(min(last_at, ?5), ?3)
            WHERE fingerprint = ?1 AND closed_at IS NULL AND last_at > ?4
           RETURNING id AS "id!", opened_at"#,
        fingerprint,
        more,
        last_at,
        ended_by,
        now_ms
    )
    .fetch_optional(&mut *connection)
    .await?;
    let Some(incident) = incident else {
        sqlx::query!(
            "UPDATE incident SET closed_at = ?2 WHERE fingerprint = ?1 AND closed_at IS NULL",
            fingerprint,
            now_ms
        )
        .execute(&mut *connection)
        .await?;
        return Ok(false);
    };
    concern(connection, incident.id, from_millis(incident.opened_at), tally, targets, now).await?;
    look_sooner(connection, incident.id, targets, now).await?;
    Ok(true)
}

async fn open(
    connection: &mut SqliteConnection,
    fingerprint: &[u8],
    about: Option<About>,
    tally: &Tally<'_>,
    maker: &Maker<'_>,
    targets: &[Target],
    now: SystemTime,
) -> Result<(), StoreError> {
    let public_id = (maker.new_id)();
    let level = i64::from(level_number(tally.level));
    let about = about.map(about_text);
    let run = maker.run.as_bytes().as_slice();
    let process = json(maker.process)?;
    let opened = tally.first_at.min(now);
    let (more, opened_at) = (number(tally.count), to_millis(opened));
    let last_at = to_millis(tally.last_at);
    let payload = tally.event.map(json).transpose()?;
    let id = sqlx::query_scalar!(
        r#"INSERT INTO incident (public_id, fingerprint, level, about, run, process, is_new,
                                 count, opened_at, last_at, payload)
           VALUES (?1, ?2, ?3, ?4, ?5, ?6,
                   NOT EXISTS (SELECT 1 FROM incident WHERE fingerprint = ?2), ?7, ?8, ?9, ?10)
           RETURNING id AS "id!""#,
        public_id,
        fingerprint,
        level,
        about,
        run,
        process,
        more,
        opened_at,
        last_at,
        payload
    )
    .fetch_one(&mut *connection)
    .await?;
    concern(connection, id, opened, tally, targets, now).await
}

/// Gives each target whom `tally` concerns a standing, unless he has one.
async fn concern(
    connection: &mut SqliteConnection,
    incident: i64,
    opened_at: SystemTime,
    tally: &Tally<'_>,
    targets: &[Target],
    now: SystemTime,
) -> Result<(), StoreError> {
    for target in targets.iter().filter(|target| tally.level <= target.level) {
        let heard_at = sqlx::query_scalar!(
            "SELECT heard_at FROM account WHERE sink = ?1 AND recipient = ?2",
            target.sink,
            target.recipient
        )
        .fetch_optional(&mut *connection)
        .await?
        .flatten();
        let fresh = Standing::fresh(opened_at, tally.not_before);
        let due_at = to_millis(fresh.next(&target.rhythm, heard_at.map(from_millis), now).at());
        let not_before = tally.not_before.map(to_millis);
        sqlx::query!(
            "INSERT INTO standing (incident_id, sink, recipient, not_before, due_at)
             VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT (incident_id, sink, recipient) DO NOTHING",
            incident,
            target.sink,
            target.recipient,
            not_before,
            due_at
        )
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

/// Lets those who were told be told again in time, now that there is more. A
/// look that comes too early decides again; so only an earlier one is noted.
async fn look_sooner(
    connection: &mut SqliteConnection,
    incident: i64,
    targets: &[Target],
    now: SystemTime,
) -> Result<(), StoreError> {
    let rows = sqlx::query!(
        r#"SELECT standing.sink, standing.recipient, told, told_at, tellings, not_before, due_at AS "due_at!",
                  count, opened_at, last_at, is_new AS "is_new: bool", heard_at AS "heard_at?"
             FROM standing JOIN incident ON incident.id = incident_id
             LEFT JOIN account ON account.sink = standing.sink AND account.recipient = standing.recipient
            WHERE incident_id = ?1 AND due_at IS NOT NULL AND told_at IS NOT NULL"#,
        incident
    )
    .fetch_all(&mut *connection)
    .await?;
    for row in rows {
        let standing = Standing {
            opened_at: from_millis(row.opened_at),
            last_at: from_millis(row.last_at),
            count: unsigned(row.count),
            told: unsigned(row.told),
            told_at: row.told_at.map(from_millis),
            tellings: u32::try_from(row.tellings).unwrap_or(u32::MAX),
            is_new: row.is_new,
            not_before: row.not_before.map(from_millis),
            is_covered: false,
        };
        let known =
            targets.iter().find(|target| target.sink == row.sink && target.recipient == row.recipient);
        // Of another process's recipient only that process knows the rhythm.
        let due = known
            .map_or(now, |target| standing.next(&target.rhythm, row.heard_at.map(from_millis), now).at());
        let due_at = to_millis(due);
        if due_at < row.due_at {
            sqlx::query!(
                "UPDATE standing SET due_at = ?4 WHERE incident_id = ?1 AND sink = ?2 AND recipient = ?3",
                incident,
                row.sink,
                row.recipient,
                due_at
            )
            .execute(&mut *connection)
            .await?;
        }
    }
    Ok(())
}
