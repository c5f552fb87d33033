//! [`Sqlite`]: the outbox in a file that several processes may share.
//!
//! One connection, owned by the alert thread; sqlx runs it on a thread of its
//! own. Writes are single statements or `BEGIN IMMEDIATE`, so that no lock is
//! upgraded half-way.
//! Invariant: the database file is only ever opened through SQLite; closing
//! another descriptor of it would drop SQLite's locks.

use std::{fs::File, path::Path, time::Duration};

use super::{Bundle, StoreError, path, volume};
use crate::fork::OpenFile;
use sqlx::{
    ConnectOptions, Connection, SqliteConnection,
    migrate::{MigrateError, Migrator},
    sqlite::{SqliteConnectOptions, SqliteSynchronous},
};

mod accounts;
mod bundles;
mod count;
mod dead;
mod deliveries;
mod incidents;
mod journal;
mod ledger;
mod notices;
mod rescue;
pub(super) mod rows;
mod starts;
mod tell;
#[cfg(test)]
mod tests;
mod upkeep;
mod version;

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
    _lock: Option<File>,
    _open: OpenFile,
}

impl Sqlite {
    /// Opens or creates the file at `path` and brings its schema up to date.
    /// Creates missing directories (0700) and the file (0600).
    pub(crate) async fn open(path: &Path) -> Result<Self, StoreError> {
        let lock = path::lock(path)?;
        path::prepare(path)?;
        Self::open_prepared(path, lock, volume::is_on_network(path)).await
    }

    async fn open_prepared(path: &Path, lock: Option<File>, is_network: bool) -> Result<Self, StoreError> {
        let open = OpenFile::new();
        let options = SqliteConnectOptions::new()
            .filename(path)
            .busy_timeout(BUSY_TIMEOUT)
            .foreign_keys(true)
            .synchronous(SqliteSynchronous::Full)
            .pragma("wal_autocheckpoint", "256")
            .pragma("journal_size_limit", "4194304")
            .pragma("temp_store", "memory")
            .thread_name(thread_name)
            .disable_statement_logging();
        let mut connection = options.connect().await?;
        if let Err(refused) = version::may_write(&mut connection, &MIGRATOR).await {
            connection.close().await?;
            return Err(refused);
        }
        can_shrink(&mut connection).await?;
        journal::choose(&mut connection, is_network).await?;
        // sqlx takes no lock for migrations on SQLite: without this, processes
        // that open a fresh file together run them twice.
        let mut tx = connection.begin_with("BEGIN IMMEDIATE").await?;
        MIGRATOR.run(&mut *tx).await.map_err(migration_failed)?;
        tx.commit().await?;
        Ok(Self { connection, identity: path::identity(path), _lock: lock, _open: open })
    }

    /// Puts a damaged file aside. Returns what can still be read of it.
    pub(crate) async fn set_aside(path: &Path, why: &str) -> Result<Bundle, StoreError> {
        let aside = path::set_aside(path)?;
        crate::trouble::say(&format!("the database is damaged ({why}); it is kept as {}", aside.display()));
        let read_only = SqliteConnectOptions::new()
            .filename(&aside)
            .read_only(true)
            // Reads on where the schema or the end of the file is missing.
            .pragma("writable_schema", "on")
            .thread_name(thread_name)
            .disable_statement_logging();
        let open = OpenFile::new();
        // One that cannot even be opened shows nothing.
        let Ok(connection) = read_only.connect().await else {
            return Ok(Bundle::default());
        };
        let mut damaged = Self { connection, identity: None, _lock: None, _open: open };
        let rescued = damaged.export().await;
        damaged.shut().await;
        Ok(rescued)
    }

    /// Leaves it to the system when the disk gets what is committed.
    #[cfg(test)]
    pub(in crate::store) async fn never_sync(&mut self) {
        sqlx::query("PRAGMA synchronous = OFF").execute(&mut self.connection).await.unwrap();
    }

    /// False if the file was moved or deleted.
    pub(in crate::store) fn is_at(&self, path: &Path) -> bool {
        let is_known = self.identity.is_some();
        path::identity(path).is_none_or(|found| !is_known || self.identity == Some(found))
    }

    /// Which file it is; none where that cannot be told.
    pub(in crate::store) fn identity(&self) -> Option<path::Identity> {
        self.identity
    }

    pub(in crate::store) async fn shut(self) {
        // What is committed is safe either way: closing tidies the WAL away.
        if let Err(error) = self.connection.close().await {
            crate::trouble::report("close", &format!("the database was not closed cleanly: {error}"));
        }
    }
}

/// Lets a new file give back its room. Not asked of each connection: SQLite would
/// write to the file each time.
async fn can_shrink(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    let pages = sqlx::query_scalar!(r#"SELECT page_count + 0 AS "pages!: i64" FROM pragma_page_count"#)
        .fetch_one(&mut *connection)
        .await?;
    if pages == 0 {
        sqlx::query!("PRAGMA auto_vacuum = incremental").execute(&mut *connection).await?;
    }
    Ok(())
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
        // Without what an extended code adds.
        let code = code.and_then(|code| code.parse::<u32>().ok()).map(|code| code & 0xff);
        match code {
            // BUSY and LOCKED
            Some(5 | 6) => Self::Busy,
            // CORRUPT and NOTADB
            Some(11 | 26) => Self::Damaged(error.to_string()),
            // CONSTRAINT and MISMATCH
            Some(19 | 20) => Self::Broken(error.to_string()),
            // A value that the schema does not allow either.
            None if matches!(error, sqlx::Error::ColumnDecode { .. }) => Self::Broken(error.to_string()),
            _ => Self::Failed(error.to_string()),
        }
    }
}

/// How long SQLite itself waits for another process's write to end; less in the
/// tests of this crate, where the other one never ends.
const BUSY_TIMEOUT: Duration = Duration::from_millis(if cfg!(test) { 50 } else { 2_000 });
