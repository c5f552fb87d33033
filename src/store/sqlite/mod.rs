//! [`Sqlite`]: the outbox in a file that several processes may share.
//!
//! One connection, owned by the alert thread; sqlx runs it on a thread of its
//! own. Writes are single statements or `BEGIN IMMEDIATE`, so that no lock is
//! upgraded half-way.
//! Invariant: the database file is only ever opened through SQLite; closing
//! another descriptor of it would drop SQLite's locks.

use std::time::Duration;

use super::{StoreError, path};
use sqlx::{
    ConnectOptions, Connection, SqliteConnection,
    migrate::Migrator,
    sqlite::{SqliteAutoVacuum, SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};

mod dead;
mod deliveries;
mod notices;

pub(crate) use path::database_path;

static MIGRATOR: Migrator = {
    let mut migrator = sqlx::migrate!("src/store/migrations");
    // A newer version of this crate may have added to the file: additions only.
    migrator.ignore_missing = true;
    migrator
};

/// The outbox in a SQLite file.
pub(crate) struct Sqlite {
    connection: SqliteConnection,
}

impl Sqlite {
    /// Opens or creates the file at `path` and brings its schema up to date.
    /// Creates missing directories (0700) and the file (0600).
    pub(crate) async fn open(path: &std::path::Path) -> Result<Self, StoreError> {
        path::prepare(path)?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .busy_timeout(BUSY_TIMEOUT)
            .foreign_keys(true)
            .auto_vacuum(SqliteAutoVacuum::Incremental)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .pragma("wal_autocheckpoint", "256")
            .pragma("journal_size_limit", "4194304")
            .pragma("temp_store", "memory")
            .thread_name(|number| format!("{}-db-{number}", crate::dispatcher::THREAD_NAME))
            .disable_statement_logging();
        let mut connection = options.connect().await?;
        // sqlx takes no lock for migrations on SQLite: without this, processes
        // that open a fresh file together run them twice.
        let mut tx = connection.begin_with("BEGIN IMMEDIATE").await?;
        MIGRATOR.run(&mut *tx).await.map_err(|error| StoreError::Failed(error.to_string()))?;
        tx.commit().await?;
        Ok(Self { connection })
    }

    pub(in crate::store) async fn shut(self) {
        // What is committed is safe either way: closing tidies the WAL away.
        if let Err(error) = self.connection.close().await {
            crate::trouble::report("close", &format!("the database was not closed cleanly: {error}"));
        }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        let code = error.as_database_error().and_then(|error| error.code());
        match code.as_deref() {
            // BUSY, LOCKED, BUSY_RECOVERY, BUSY_SNAPSHOT
            Some("5" | "6" | "261" | "517") => Self::Busy,
            _ => Self::Failed(error.to_string()),
        }
    }
}

/// How long SQLite itself waits for another process's write to end.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
