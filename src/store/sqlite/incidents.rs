//! Events join their incidents; who is concerned gets a standing.

use std::{collections::HashSet, time::SystemTime};

use sqlx::{Connection, SqliteConnection};

use super::{
    super::{
        MOST_DRAWS, MOST_INCIDENTS, Maker, StoreError, Target,
        batch::{Captured, Tally, level_number, overflow, tallies},
        pace::{STEPS, step},
    },
    Sqlite,
    accounts::account,
    rows::{about_text, json, number, unsigned},
    tell::open_notice,
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
        join(&mut tx, tallies(batch, losses, now), maker, targets, now).await?;
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

/// What it takes to join events to incidents, the same for a whole batch.
struct Joining<'a> {
    maker: &'a Maker<'a>,
    /// Who may be told.
    targets: Vec<Addressee<'a>>,
    now: SystemTime,
}

/// A target, and what is known of him.
struct Addressee<'a> {
    target: &'a Target,
    heard_at: Option<SystemTime>,
    /// Whether there is a message for him that did not leave yet: it takes more.
    has_open_message: bool,
}

/// Adds `tallies` to their open incidents, and opens those that are not there.
pub(super) async fn join(
    connection: &mut SqliteConnection,
    tallies: Vec<Tally<'_>>,
    maker: &Maker<'_>,
    targets: &[Target],
    now: SystemTime,
) -> Result<(), StoreError> {
    close_ended(connection, now).await?;
    let mut joining = Joining { maker, targets: Vec::with_capacity(targets.len()), now };
    for target in targets {
        let heard_at = account(connection, target.sink, &target.recipient).await?.heard_at;
        let open = open_notice(connection, target.sink, &target.recipient).await?;
        joining.targets.push(Addressee { target, heard_at, has_open_message: open.is_some() });
    }
    let open = if tallies.len() > MANY { Some(open_fingerprints(connection).await?) } else { None };
    let is_open = |tally: &Tally<'_>| open.as_ref().is_none_or(|open| open.contains(&tally.fingerprint));
    let mut room = None;
    let mut rest = Vec::new();
    for tally in tallies {
        if is_open(&tally) && joining.count(connection, &tally).await? {
            continue;
        }
        if tally.about.is_some() {
            joining.open(connection, &tally).await?;
            continue;
        }
        let left = match room {
            Some(left) => left,
            None => MOST_INCIDENTS.saturating_sub(count_open(connection).await?),
        };
        room = Some(left.saturating_sub(1));
        if left > 0 {
            joining.open(connection, &tally).await?;
        } else {
            overflow(&mut rest, tally, now);
        }
    }
    for tally in rest {
        if !joining.count(connection, &tally).await? {
            joining.open(connection, &tally).await?;
        }
    }
    Ok(())
}

/// Closes the incidents that had no event for long.
pub(super) async fn close_ended(
    connection: &mut SqliteConnection,
    now: SystemTime,
) -> Result<(), StoreError> {
    let (ended_by, now) = (to_millis(now - QUIET_AFTER), to_millis(now));
    sqlx::query!(
        "UPDATE incident SET closed_at = ?2 WHERE closed_at IS NULL AND last_at <= ?1",
        ended_by,
        now
    )
    .execute(&mut *connection)
    .await?;
    Ok(())
}

/// A public id that nothing in the file has.
pub(super) async fn new_id(
    connection: &mut SqliteConnection,
    maker: &Maker<'_>,
) -> Result<String, StoreError> {
    let mut id = (maker.new_id)();
    for _ in 1..MOST_DRAWS {
        let is_known = sqlx::query_scalar!(
            r#"SELECT EXISTS (SELECT 1 FROM incident WHERE public_id = ?1)
                   OR EXISTS (SELECT 1 FROM notice WHERE public_id = ?1) AS "known!: bool""#,
            id
        )
        .fetch_one(&mut *connection)
        .await?;
        if !is_known {
            break;
        }
        id = (maker.new_id)();
    }
    Ok(id)
}

async fn open_fingerprints(connection: &mut SqliteConnection) -> Result<HashSet<Vec<u8>>, StoreError> {
    let open = sqlx::query_scalar!("SELECT fingerprint FROM incident WHERE closed_at IS NULL")
        .fetch_all(&mut *connection)
        .await?;
    Ok(open.into_iter().collect())
}

/// How many incidents are open that are events of one kind.
async fn count_open(connection: &mut SqliteConnection) -> Result<usize, StoreError> {
    let open = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!: i64" FROM incident WHERE closed_at IS NULL AND about IS NULL"#
    )
    .fetch_one(&mut *connection)
    .await?;
    Ok(usize::try_from(open).unwrap_or(0))
}

impl Joining<'_> {
    /// Counts `tally` in its open incident. False if there is none.
    async fn count(&self, connection: &mut SqliteConnection, tally: &Tally<'_>) -> Result<bool, StoreError> {
        let (more, last_at) = (number(tally.count), to_millis(tally.last_at));
        let now = to_millis(self.now);
        let (pace, step) = (json(&tally.pace)?, step(self.now));
        let latest = tally.latest.map(|latest| json(&latest.bare())).transpose()?;
        let incident = sqlx::query!(
            r#"UPDATE incident
                  SET count = count + ?2, last_at = max(min(last_at, ?4), ?3), latest = coalesce(?8, latest),
                      pace = (SELECT json_group_object(key, total)
                                FROM (SELECT key, sum(value) AS total
                                        FROM (SELECT key, value
                                                FROM json_each(iif(json_valid(incident.pace), incident.pace, '{}'))
                                               UNION ALL SELECT key, value FROM json_each(?5))
                                       WHERE CAST(key AS INTEGER) BETWEEN ?6 - ?7 + 1 AND ?6
                                       GROUP BY key))
                WHERE fingerprint = ?1 AND closed_at IS NULL
               RETURNING id AS "id!", opened_at"#,
            tally.fingerprint,
            more,
            last_at,
            now,
            pace,
            step,
            STEPS,
            latest
        )
        .fetch_optional(&mut *connection)
        .await?;
        let Some(incident) = incident else { return Ok(false) };
        let known = self.look_sooner(connection, incident.id).await?;
        self.concern(connection, incident.id, from_millis(incident.opened_at), tally, &known).await?;
        Ok(true)
    }

    async fn open(&self, connection: &mut SqliteConnection, tally: &Tally<'_>) -> Result<(), StoreError> {
        let public_id = new_id(connection, self.maker).await?;
        let level = i64::from(level_number(tally.level));
        let about = tally.about.map(about_text);
        let run = self.maker.run.as_bytes().as_slice();
        let process = json(self.maker.process)?;
        let opened = tally.first_at.min(self.now);
        let (count, opened_at, last_at) = (number(tally.count), to_millis(opened), to_millis(tally.last_at));
        let (payload, pace) = (tally.event.map(json).transpose()?, json(&tally.pace)?);
        let latest = tally.later().map(|latest| json(&latest.bare())).transpose()?;
        let id = sqlx::query_scalar!(
            r#"INSERT INTO incident (public_id, fingerprint, level, about, run, process, is_new,
                                     count, opened_at, last_at, payload, pace, latest)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6,
                       NOT EXISTS (SELECT 1 FROM incident WHERE fingerprint = ?2), ?7, ?8, ?9, ?10, ?11, ?12)
               RETURNING id AS "id!""#,
            public_id,
            tally.fingerprint,
            level,
            about,
            run,
            process,
            count,
            opened_at,
            last_at,
            payload,
            pace,
            latest
        )
        .fetch_one(&mut *connection)
        .await?;
        self.concern(connection, id, opened, tally, &[]).await
    }

    /// Gives each target whom `tally` concerns a standing, unless he is `known` to
    /// have one; one that was abandoned is taken up again.
    async fn concern(
        &self,
        connection: &mut SqliteConnection,
        incident: i64,
        opened_at: SystemTime,
        tally: &Tally<'_>,
        known: &[(String, String)],
    ) -> Result<(), StoreError> {
        for Addressee { target, heard_at, .. } in &self.targets {
            let is_his =
                |(sink, recipient): &(String, String)| sink == target.sink && *recipient == target.recipient;
            if tally.level > target.level || known.iter().any(is_his) {
                continue;
            }
            let fresh = Standing::fresh(opened_at, tally.not_before);
            let due_at = to_millis(fresh.next(&target.rhythm, *heard_at, self.now).at());
            let not_before = tally.not_before.map(to_millis);
            sqlx::query!(
                "INSERT INTO standing (incident_id, sink, recipient, not_before, due_at)
                 VALUES (?1, ?2, ?3, ?4, ?5)
                     ON CONFLICT (incident_id, sink, recipient) DO UPDATE
                        SET due_at = excluded.due_at WHERE due_at IS NULL",
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
    /// Returns who is to be told of it.
    async fn look_sooner(
        &self,
        connection: &mut SqliteConnection,
        incident: i64,
    ) -> Result<Vec<(String, String)>, StoreError> {
        let rows = sqlx::query!(
            r#"SELECT sink, recipient, told, told_at, tellings, not_before, due_at AS "due_at!",
                      count, opened_at, last_at, is_new AS "is_new: bool"
                 FROM standing JOIN incident ON incident.id = incident_id
                WHERE incident_id = ?1 AND due_at IS NOT NULL"#,
            incident
        )
        .fetch_all(&mut *connection)
        .await?;
        for row in rows.iter().filter(|row| row.told_at.is_some()) {
            let standing = Standing {
                opened_at: from_millis(row.opened_at),
                last_at: from_millis(row.last_at),
                count: unsigned(row.count),
                told: unsigned(row.told),
                told_at: row.told_at.map(from_millis),
                tellings: u32::try_from(row.tellings).unwrap_or(u32::MAX),
                is_pending: false,
                is_new: row.is_new,
                not_before: row.not_before.map(from_millis),
                is_covered: false,
            };
            let is_his = |target: &Target| target.sink == row.sink && target.recipient == row.recipient;
            let due = match self.targets.iter().find(|addressee| is_his(addressee.target)) {
                Some(Addressee { target, heard_at, has_open_message: false }) => {
                    standing.next(&target.rhythm, *heard_at, self.now).at()
                }
                // Of another process's recipient only that process knows the rhythm.
                Some(Addressee { has_open_message: true, .. }) | None => self.now,
            };
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
        Ok(rows.into_iter().map(|row| (row.sink, row.recipient)).collect())
    }
}

/// Of more kinds of events than this, it is asked once which are open.
const MANY: usize = 100;
