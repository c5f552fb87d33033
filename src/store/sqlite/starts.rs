//! Starts of the program.
//!
//! Invariant: what is written here is not worth a wait for the disk: a machine
//! that loses its power may forget a start.

use std::time::{Duration, SystemTime};

use sqlx::{Connection, SqliteConnection};
use uuid::Uuid;

use super::{
    super::{
        Maker, StoreError, Target,
        batch::{Captured, tallies},
        starts::{Began, CrashLoop, LOOP_WINDOW, MOST_FAILED, Start},
    },
    Sqlite,
    incidents::join,
};
use crate::{
    event::{Event, from_millis, to_millis},
    notice::Losses,
};

impl Sqlite {
    pub(in crate::store) async fn note_start(
        &mut self,
        began: Began,
        have_failed: impl Fn(&Start) -> bool,
        tell: impl Fn(CrashLoop) -> Captured,
        maker: &Maker<'_>,
        targets: &[Target],
        now: SystemTime,
    ) -> Result<bool, StoreError> {
        self.without_sync(async |connection| {
            let mut tx = connection.begin_with("BEGIN IMMEDIATE").await?;
            let before = starts(&mut tx, now).await?;
            if !insert(&mut tx, maker, began).await? {
                return Ok(false);
            }
            let failed: Vec<_> = before.iter().filter(|start| have_failed(start)).collect();
            let is_loop = failed.len() > MOST_FAILED;
            if is_loop {
                let last_error = last_error(&mut tx, now - LOOP_WINDOW).await?;
                let earlier = if is_told(&mut tx).await? { &[] } else { &*failed };
                let starts = 1 + earlier.len() as u64;
                let since = earlier.iter().map(|start| start.at).min().unwrap_or(now);
                let told = tell(CrashLoop { starts, since, last_error });
                join(&mut tx, tallies(&[told], &Losses::new(), now), maker, targets, now).await?;
            }
            tx.commit().await?;
            Ok(is_loop)
        })
        .await
    }

    pub(in crate::store) async fn note_end(
        &mut self,
        run: Uuid,
        has_erred: bool,
        now: SystemTime,
    ) -> Result<(), StoreError> {
        let (run, now) = (run.as_bytes().as_slice(), to_millis(now));
        self.without_sync(async |connection| {
            match has_erred {
                true => sqlx::query!("UPDATE start SET ended_at = ?2 WHERE run = ?1", run, now)
                    .execute(connection),
                false => {
                    // Another layer of the process may have alerted.
                    sqlx::query!("DELETE FROM start WHERE run = ?1 AND ended_at IS NULL", run)
                        .execute(connection)
                }
            }
            .await?;
            Ok(())
        })
        .await
    }

    /// Does `work` and does not wait until the disk has it.
    async fn without_sync<T>(
        &mut self,
        work: impl AsyncFnOnce(&mut SqliteConnection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        sqlx::query!("PRAGMA synchronous = NORMAL").execute(&mut self.connection).await?;
        let done = work(&mut self.connection).await;
        sqlx::query!("PRAGMA synchronous = FULL").execute(&mut self.connection).await?;
        done
    }
}

/// The starts that still count; the others are forgotten.
async fn starts(connection: &mut SqliteConnection, now: SystemTime) -> Result<Vec<Start>, StoreError> {
    // Who waited for the file knows an earlier time than who had it meanwhile.
    let (since, until) = (to_millis(now - LOOP_WINDOW), to_millis(now + LONGEST_WAIT));
    sqlx::query!("DELETE FROM start WHERE started_at NOT BETWEEN ?1 AND ?2", since, until)
        .execute(&mut *connection)
        .await?;
    let rows = sqlx::query!(r#"SELECT run, host, pid AS "pid: u32", started_at, ended_at FROM start"#)
        .fetch_all(&mut *connection)
        .await?;
    let starts = rows.into_iter().map(|row| Start {
        run: Uuid::from_slice(&row.run).unwrap_or_default(),
        host: row.host,
        pid: row.pid,
        at: from_millis(row.started_at),
        ended_at: row.ended_at.map(from_millis),
    });
    Ok(starts.collect())
}

/// False if it is there already.
async fn insert(
    connection: &mut SqliteConnection,
    maker: &Maker<'_>,
    began: Began,
) -> Result<bool, StoreError> {
    let (run, started_at) = (began.run.as_bytes().as_slice(), to_millis(began.at));
    let host = maker.process.host.as_deref().unwrap_or_default();
    let done = sqlx::query!(
        "INSERT INTO start (run, host, pid, started_at) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
        run,
        host,
        maker.process.pid,
        started_at
    )
    .execute(&mut *connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Whether there is an incident of it already.
async fn is_told(connection: &mut SqliteConnection) -> Result<bool, StoreError> {
    let is_told = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT 1 FROM incident
                           WHERE closed_at IS NULL AND about = 'crash_loop') AS "is_told!: bool""#
    )
    .fetch_one(&mut *connection)
    .await?;
    Ok(is_told)
}

async fn last_error(
    connection: &mut SqliteConnection,
    since: SystemTime,
) -> Result<Option<Event>, StoreError> {
    let since = to_millis(since);
    let payload = sqlx::query_scalar!(
        "SELECT payload FROM incident
          WHERE closed_at IS NULL AND last_at >= ?1 AND about IS NULL AND level = 1
          ORDER BY last_at DESC, id DESC LIMIT 1",
        since
    )
    .fetch_optional(&mut *connection)
    .await?;
    Ok(payload.flatten().and_then(|payload| serde_json::from_str(&payload).ok()))
}

/// A start that is further ahead was written before the clock was set back.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
