//! [`Sqlite`]: the outbox in a file that several processes may share.
//!
//! A keeper: it loads the rows that a decision needs (`load`), saves those
//! that changed (`save`), claims, counts and prunes; the rules are the page's. One
//! connection, owned by the alert thread; sqlx runs it on a thread of its own. Writes
//! are single statements or `BEGIN IMMEDIATE` (`turn`), so that no lock is upgraded
//! half-way.
//! Invariant: the database file is only ever opened through SQLite; closing
//! another descriptor of it would drop SQLite's locks.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use super::{Page, StoreError, path, volume};
use crate::host::{
    fork::{LockedFile, OpenFile},
    thread,
};
use sqlx::{
    ConnectOptions, Connection, SqliteConnection,
    migrate::{MigrateError, Migrator},
    sqlite::{SqliteConnectOptions, SqliteSynchronous},
};
use uuid::Uuid;

#[cfg(feature = "cli")]
mod existing;
#[cfg(feature = "cli")]
mod holders;
mod journal;
mod load;
mod mode;
mod moves;
mod ours;
mod program;
mod prune;
mod reads;
mod rescue;
mod save;
mod sync;
#[cfg(test)]
mod tests;
mod turn;
mod version;

pub(crate) use path::database_path;
#[cfg(feature = "cli")]
pub(crate) use program::owner_of;
pub(crate) use program::{Place, Program, choose};

static MIGRATOR: Migrator = {
    let mut migrator = sqlx::migrate!("src/outbox/migrations");
    // A newer version of this crate may have added to the file: additions only.
    migrator.ignore_missing = true;
    migrator
};

/// The outbox in a SQLite file.
pub(crate) struct Sqlite {
    connection: SqliteConnection,
    /// Whether it was written to since somebody asked: nobody else has its lock then.
    pub(in crate::outbox) has_written: bool,
    /// Whether its next commit says that it failed, and did not.
    #[cfg(test)]
    pub(crate) lies: bool,
    /// Its write-ahead log, if it has one.
    log: PathBuf,
    /// Which file it is, wherever it was moved.
    identity: Option<path::Identity>,
    /// Held as long as the file is open: whoever replaces a damaged file needs it
    /// alone.
    _lock: Option<LockedFile>,
    _open: OpenFile,
}

impl Sqlite {
    /// Opens or creates the file at `path` and brings its schema up to date.
    /// Creates missing directories (0700) and the file (0600). What is not ours is
    /// not touched.
    pub(crate) async fn open(path: &Path) -> Result<Self, StoreError> {
        ours::judge(path).await?;
        path::finish_set_aside(path)?;
        let lock = path::lock(path)?;
        path::prepare(path)?;
        mode::tighten(path);
        Self::open_prepared(path, lock, volume::is_on_network(path)).await
    }

    async fn open_prepared(
        path: &Path,
        lock: Option<LockedFile>,
        is_network: bool,
    ) -> Result<Self, StoreError> {
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
        if let Err(refused) = begin(&mut connection, lock.as_ref()).await {
            connection.close().await?;
            return Err(refused);
        }
        journal::choose(&mut connection, is_network).await?;
        // sqlx takes no lock for migrations on SQLite: without this, processes
        // that open a fresh file together run them twice.
        let mut tx = connection.begin_with("BEGIN IMMEDIATE").await?;
        MIGRATOR.run(&mut *tx).await.map_err(migration_failed)?;
        tx.commit().await?;
        let log = path::with_suffix(path, "-wal");
        Ok(Self {
            connection,
            has_written: false,
            #[cfg(test)]
            lies: false,
            log,
            identity: path::identity(path),
            _lock: lock,
            _open: open,
        })
    }

    /// Puts a damaged file aside. Returns what can still be read of it.
    pub(crate) async fn set_aside(path: &Path, why: &str) -> Result<Page, StoreError> {
        // Before the lock is taken: on Windows, nobody can read what is locked.
        let is_marked = path::is_marked(path);
        let alone = path::lock_alone(path)?;
        // It may have been replaced by somebody who has to do with neither of us.
        ours::judge_damaged(path, is_marked).await?;
        let aside = path::set_aside(path, &alone)?;
        drop(alone);
        crate::host::trouble::say(&format!(
            "the database is damaged ({why}); it is kept as {}",
            aside.display()
        ));
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
            return Ok(Page { is_copy: true, ..Page::default() });
        };
        let log = path::with_suffix(&aside, "-wal");
        let mut damaged = Self {
            connection,
            has_written: false,
            #[cfg(test)]
            lies: false,
            log,
            identity: None,
            _lock: None,
            _open: open,
        };
        let rescued = damaged.export().await;
        damaged.shut().await;
        Ok(rescued)
    }

    /// Leaves it to the system when the disk gets what is committed.
    #[cfg(test)]
    pub(in crate::outbox) async fn never_sync(&mut self) {
        sqlx::query("PRAGMA synchronous = OFF").execute(&mut self.connection).await.unwrap();
    }

    /// Of how many callsites something is learned.
    #[cfg(test)]
    pub(in crate::outbox) async fn count_learned(&mut self) -> i64 {
        sqlx::query_scalar("SELECT count(*) FROM learned").fetch_one(&mut self.connection).await.unwrap()
    }

    /// False if the file was moved or deleted.
    pub(in crate::outbox) fn is_at(&self, path: &Path) -> bool {
        let is_known = self.identity.is_some();
        path::identity(path).is_none_or(|found| !is_known || self.identity == Some(found))
    }

    /// Which file it is; none where that cannot be told.
    pub(in crate::outbox) fn identity(&self) -> Option<path::Identity> {
        self.identity
    }

    pub(crate) async fn shut(self) {
        // What is committed is safe either way: closing tidies the WAL away.
        if let Err(error) = self.connection.close().await {
            crate::host::trouble::report(
                "close",
                "",
                &format!("the database was not closed cleanly: {error}"),
            );
        }
    }
}

/// Makes a new file ours, and refuses one that we may not write.
async fn begin(connection: &mut SqliteConnection, lock: Option<&LockedFile>) -> Result<(), StoreError> {
    if !ours::is_ours(&mut *connection).await? {
        ours::mark_ours(&mut *connection).await?;
    }
    version::may_write(connection, &MIGRATOR, lock).await
}

/// Numbers and texts, as a statement takes any number of them.
fn json(values: &(impl serde::Serialize + ?Sized)) -> String {
    // It never fails; and of no array SQLite says so.
    serde_json::to_string(values).unwrap_or_default()
}

/// A count that SQLite keeps.
fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// The name of sqlx's thread for a connection, by which it is one of ours.
fn thread_name(_: u64) -> String {
    thread::secret_name(|| Uuid::new_v4().simple().to_string())
}

fn migration_failed(error: MigrateError) -> StoreError {
    match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => error.into(),
        MigrateError::VersionMismatch(_) => ours::unreleased(),
        other => StoreError::Failed(other.to_string()),
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        let code = error.as_database_error().and_then(|error| error.code());
        let code = code.and_then(|code| code.parse::<u32>().ok());
        if code == Some(DELETED_ALREADY) {
            return Self::Busy;
        }
        // Without what an extended code adds.
        match code.map(|code| code & 0xff) {
            // BUSY and LOCKED
            Some(5 | 6) => Self::Busy,
            // CORRUPT and NOTADB
            Some(11 | 26) => Self::Damaged(error.to_string()),
            // CONSTRAINT and MISMATCH
            Some(19 | 20) => Self::Broken(error.to_string()),
            // A row's JSON is cut or overwritten: it was written whole.
            Some(1) if error.to_string().contains("malformed JSON") => Self::Damaged(error.to_string()),
            // A value that the schema does not allow either.
            None if matches!(error, sqlx::Error::ColumnDecode { .. }) => Self::Broken(error.to_string()),
            _ => Self::Failed(error.to_string()),
        }
    }
}

/// `SQLITE_IOERR_DELETE_NOENT`: another process deleted a log that both found empty. Nothing
/// failed, and who tries again finds no log.
const DELETED_ALREADY: u32 = 10 | (23 << 8);

/// How long SQLite itself waits for another process's write to end; less in the
/// tests of this crate, where the other one never ends.
const BUSY_TIMEOUT: Duration = Duration::from_millis(if cfg!(test) { 50 } else { 2_000 });
