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
    migrate::{MigrateError, Migrator},
    sqlite::{SqliteAutoVacuum, SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};

mod accounts;
mod bundles;
mod dead;
mod deliveries;
mod incidents;
mod notices;
pub(super) mod rows;
mod tell;
mod upkeep;

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
    /// Which file it is, wherever it was moved.
    identity: Option<path::Identity>,
    /// Held as long as the file is open: who replaces a damaged file needs it
    /// for himself.
    _lock: Option<std::fs::File>,
}

impl Sqlite {
    /// Opens or creates the file at `path` and brings its schema up to date.
    /// Creates missing directories (0700) and the file (0600).
    pub(crate) async fn open(path: &std::path::Path) -> Result<Self, StoreError> {
        let lock = path::lock(path)?;
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
            .thread_name(thread_name)
            .disable_statement_logging();
        let mut connection = options.connect().await?;
        // sqlx takes no lock for migrations on SQLite: without this, processes
        // that open a fresh file together run them twice.
        let mut tx = connection.begin_with("BEGIN IMMEDIATE").await?;
        MIGRATOR.run(&mut *tx).await.map_err(migration_failed)?;
        tx.commit().await?;
        Ok(Self { connection, identity: path::identity(path), _lock: lock })
    }

    /// Puts a damaged file aside, and opens a new one with what can still be
    /// read of it.
    pub(crate) async fn replace_damaged(path: &std::path::Path, why: &str) -> Result<Self, StoreError> {
        let aside = path::set_aside(path)?;
        crate::trouble::say(&format!("the database is damaged ({why}); it is kept as {}", aside.display()));
        let mut file = Self::open(path).await?;
        let read_only = SqliteConnectOptions::new()
            .filename(&aside)
            .read_only(true)
            .thread_name(thread_name)
            .disable_statement_logging();
        if let Ok(connection) = read_only.connect().await {
            let mut damaged = Self { connection, identity: None, _lock: None };
            let rescued = damaged.export().await;
            file.import(&[&rescued]).await?;
        }
        Ok(file)
    }

    /// Leaves it to the system when the disk gets what is committed.
    #[cfg(test)]
    pub(in crate::store) async fn never_sync(&mut self) {
        sqlx::query("PRAGMA synchronous = OFF").execute(&mut self.connection).await.unwrap();
    }

    /// False if the file was moved or deleted.
    pub(in crate::store) fn is_at(&self, path: &std::path::Path) -> bool {
        self.identity.is_none() || self.identity == path::identity(path)
    }

    pub(in crate::store) async fn shut(self) {
        // What is committed is safe either way: closing tidies the WAL away.
        if let Err(error) = self.connection.close().await {
            crate::trouble::report("close", &format!("the database was not closed cleanly: {error}"));
        }
    }
}

/// One of our own: what sqlx says on its thread never alerts.
fn thread_name(number: u64) -> String {
    format!("{}-db-{number}", crate::dispatcher::THREAD_NAME)
}

fn migration_failed(error: MigrateError) -> StoreError {
    match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => error.into(),
        // Before the first release the schema was not kept.
        MigrateError::VersionMismatch(_) => {
            StoreError::Damaged("it has the schema of an unreleased version".to_owned())
        }
        other => StoreError::Failed(other.to_string()),
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        let code = error.as_database_error().and_then(|error| error.code());
        match code.as_deref() {
            // BUSY, LOCKED, BUSY_RECOVERY, BUSY_SNAPSHOT
            Some("5" | "6" | "261" | "517") => Self::Busy,
            // CORRUPT, NOTADB
            Some("11" | "26") => Self::Damaged(error.to_string()),
            _ => Self::Failed(error.to_string()),
        }
    }
}

/// How long SQLite itself waits for another process's write to end.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);
