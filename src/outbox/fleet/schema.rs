//! The fleet's schema: who makes it, and what each transaction begins with.
//!
//! sqlx's own migrator would take a lock of the session, which a pooler leaves with the
//! wrong one, and which is the host's own.
//! Invariant: a schema of another program, or that a newer version has to itself, is not
//! written to; where the tables are, none is made, so a role that may make none is enough.

use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection, PgConnection, postgres::PgDatabaseError};
use uuid::Uuid;

use super::{Clock, Meant, StoreError, bounded_by};

/// Reads the time in the database, in milliseconds; more columns may follow. Tests move it,
/// by a setting of the connection. The compiler does not check it, as it is two.
pub(super) const NOW: &str = if cfg!(debug_assertions) {
    "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint
          + coalesce(nullif(current_setting('tracing_alert.shift', true), ''), '0')::bigint"
} else {
    "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint"
};

/// How long it may take to make the tables: many may wait for the first of them.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// <https://www.postgresql.org/docs/current/errcodes-appendix.html>
const UNDEFINED_TABLE: &str = "42P01";
const INSUFFICIENT_PRIVILEGE: &str = "42501";

/// This version's tables.
const VERSION: i32 = 1;

/// Begins a transaction, in one round trip. Nothing of it stays with the connection.
pub(super) fn begin(schema: &str) -> String {
    format!(
        "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SET LOCAL search_path = \"{schema}\"; SET LOCAL statement_timeout = '2s'; \
         SET LOCAL lock_timeout = '1s'; SET LOCAL idle_in_transaction_session_timeout = '5s'"
    )
}

/// What the tables say of themselves, and what time it was there.
struct Meta {
    clock: Clock,
    id: Uuid,
    owner: String,
    needed: i32,
}

/// Looks whose the tables are, if the program `app` is known, and makes them for it before
/// if they are not there and it may. Returns which database it is, and its time.
pub(super) async fn prepare(
    connection: &mut PgConnection,
    schema: &str,
    app: Option<&str>,
    may_make: bool,
) -> Result<(Uuid, Clock), StoreError> {
    let mut found = bounded_by(super::PATIENCE, read(connection, schema)).await?;
    if found.is_none()
        && let Some(app) = app.filter(|_| may_make)
    {
        make(connection, schema, app).await?;
        found = read(connection, schema).await?;
    }
    let Some(Meta { clock, id, owner, needed }) = found else {
        return Err(StoreError::NotOurs(format!(
            "the schema {schema} has no tables of tracing-alert: a program makes them when it first starts \
             with ALERT_FLEET"
        )));
    };
    if let Some(app) = app
        && owner != app
    {
        return Err(StoreError::NotOurs(format!(
            "the schema {schema} is that of {owner}, and this is {app}: set ALERT_FLEET_SCHEMA to one of its own"
        )));
    }
    if needed > VERSION {
        return Err(StoreError::NotOurs(format!(
            "a newer version of tracing-alert has the schema {schema} to itself: update this program"
        )));
    }
    Ok((id, clock))
}

/// What the tables say, if they are there: in one transaction, as each connection begins
/// with it. They nearly always are, so they are not looked for before.
async fn read(connection: &mut PgConnection, schema: &str) -> Result<Option<Meta>, StoreError> {
    let mut transaction = connection.begin_with(AssertSqlSafe(begin(schema))).await.meant()?;
    // By its whole name: a role that may not see the schema is told so.
    let meta = AssertSqlSafe(format!("{NOW}, id, app, needed FROM \"{schema}\".meta"));
    let meta = sqlx::query_as(meta).persistent(false).fetch_one(&mut *transaction);
    let (now, id, owner, needed): (i64, Uuid, String, i32) = match meta.await {
        Err(error) if code_of(&error) == Some(UNDEFINED_TABLE) => {
            transaction.rollback().await.meant()?;
            return Ok(None);
        }
        meta => meta.meant()?,
    };
    let clock = Clock::from(now);
    transaction.commit().await.meant()?;
    Ok(Some(Meta { clock, id, owner, needed }))
}

fn code_of(error: &sqlx::Error) -> Option<&str> {
    error.as_database_error()?.try_downcast_ref::<PgDatabaseError>().map(PgDatabaseError::code)
}

/// By the catalogue: what `to_regclass` said once stays with a session.
async fn is_there(connection: &mut PgConnection, schema: &str) -> Result<bool, StoreError> {
    let is_there = statement!(
        sqlx::query_scalar,
        "SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_tables WHERE schemaname = $1 AND tablename = 'meta')",
        schema
    );
    is_there.fetch_one(connection).await.meant()
}

/// One makes them; whoever waited meanwhile finds them there.
async fn make(connection: &mut PgConnection, schema: &str, app: &str) -> Result<(), StoreError> {
    let mut transaction = connection.begin_with("BEGIN").await.meant()?;
    let lock = statement!(
        sqlx::query,
        "SELECT pg_advisory_xact_lock(hashtextextended('tracing-alert ' || $1, 0))",
        schema
    );
    lock.execute(&mut *transaction).await.meant()?;
    if is_there(&mut transaction, schema).await? {
        return transaction.rollback().await.meant();
    }
    let exists = statement!(
        sqlx::query_scalar,
        "SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = $1)",
        schema
    );
    let exists: bool = exists.fetch_one(&mut *transaction).await.meant()?;
    let create = if exists { String::new() } else { format!("CREATE SCHEMA \"{schema}\";") };
    let made = sqlx::raw_sql(AssertSqlSafe(format!(
        "{create} SET LOCAL search_path = \"{schema}\"; {}",
        include_str!("schema.sql")
    )))
    .execute(&mut *transaction)
    .await;
    if let Err(error) = &made
        && code_of(error) == Some(INSUFFICIENT_PRIVILEGE)
    {
        return Err(StoreError::NotOurs(format!(
            "the schema {schema} has no tables, and this role may not make them ({}): have its owner run \
             CREATE SCHEMA \"{schema}\" AUTHORIZATION the role of ALERT_FLEET",
            super::words(error)
        )));
    }
    made.meant()?;
    statement!(sqlx::query, "INSERT INTO meta (app, version, needed) VALUES ($1, $2, $2)", app, VERSION)
        .execute(&mut *transaction)
        .await
        .meant()?;
    transaction.commit().await.meant()
}
