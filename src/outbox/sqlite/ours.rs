//! Whose file it is: ours have an application id in their header.
//!
//! Runs before anything of a file is touched. The header is read through SQLite,
//! which knows of the host's own connections: closing a descriptor of our own would
//! drop their locks. It is opened as immutable: without a lock, without a journal.
//! Invariant: what is not ours is not changed, not renamed and not waited for.

use std::{fs, path::Path};

use sqlx::{ConnectOptions, Connection, SqliteConnection, sqlite::SqliteConnectOptions};

use super::{
    super::{StoreError, path},
    MIGRATOR, mode, thread_name, version,
};
use crate::host::fork::OpenFile;

/// `PRAGMA application_id` of our files: "tAlr" in ASCII. It is in the header from
/// the first write on, before there is a write-ahead log.
const APPLICATION_ID: i64 = 0x7441_6c72;

/// How long the header of a SQLite file is.
const HEADER_BYTES: u64 = 100;

/// Looks at what is at `path`, if anything is, before it is touched.
///
/// # Errors
///
/// [`StoreError::NotOurs`] if it is not ours and not an empty file; if a newer
/// version of this crate has it to itself, or if it cannot be read.
pub(super) async fn judge(path: &Path) -> Result<(), StoreError> {
    judge_marked(path, || path::is_marked(path)).await
}

/// As [`judge`]; `is_marked` says whether the lock beside a file with no header is ours.
async fn judge_marked(path: &Path, is_marked: impl FnOnce() -> bool) -> Result<(), StoreError> {
    let Ok(metadata) = fs::symlink_metadata(path) else {
        // What hinders us says so when the file is made.
        return refuse_journal(path);
    };
    if !metadata.is_file() {
        return Err(StoreError::NotOurs(kind(&metadata).to_owned()));
    }
    if mode::is_planted(path, &metadata) {
        let what = "a file of another user, in a directory that everybody may write to";
        return Err(StoreError::NotOurs(what.to_owned()));
    }
    if metadata.len() == 0 {
        return refuse_journal(path);
    }
    let header = match metadata.len() {
        // SQLite takes a file of few bytes for an empty database.
        ..HEADER_BYTES => Err(StoreError::Damaged("it has no header".to_owned())),
        _ => read_header(path).await,
    };
    let header = match header {
        Ok(header) => header,
        // Whoever opens it finds out what is damaged.
        Err(StoreError::Damaged(_)) if is_marked() => return Ok(()),
        Err(StoreError::Damaged(_)) => return Err(StoreError::NotOurs("no SQLite database".to_owned())),
        Err(error) => return Err(error),
    };
    match header {
        Header { application_id: APPLICATION_ID, user_version, .. } => {
            version::is_known(user_version, &MIGRATOR)
        }
        Header { application_id: 0, has_our_tables: true, .. } => Err(unreleased()),
        Header { .. } => Err(foreign()),
    }
}

/// As [`judge`], of a file that is damaged and that nobody has open: also refuses
/// one to which a newer version of this crate has added anything.
pub(super) async fn judge_damaged(path: &Path, is_marked: bool) -> Result<(), StoreError> {
    judge_marked(path, || is_marked).await?;
    let options = SqliteConnectOptions::new().filename(path).read_only(true).thread_name(thread_name);
    let _open = OpenFile::new();
    let Ok(mut connection) = options.disable_statement_logging().connect().await else {
        return Ok(());
    };
    let needed: Option<i64> = sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut connection).await.ok();
    let added: Option<i64> = sqlx::query_scalar("SELECT max(version) FROM _tracing_alert_migrations")
        .fetch_one(&mut connection)
        .await
        .ok()
        .flatten();
    drop(connection.close().await);
    version::is_known(needed.max(added).unwrap_or(0), &MIGRATOR)
}

/// Whether a newer version of this crate wants the file to itself.
#[cfg(feature = "cli")]
pub(super) async fn is_of_newer(path: &Path) -> bool {
    let header = read_header(path).await;
    header.is_ok_and(|header| version::is_known(header.user_version, &MIGRATOR).is_err())
}

/// Writes our application id to an empty database, if it is still that.
///
/// # Errors
///
/// [`StoreError::NotOurs`] if it became another program's meanwhile.
pub(super) async fn mark_ours(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    // On Windows (seen on Wine) a journal that another process is looking at is not gone
    // when it is deleted: they take it for that of a killed process, and undo the mark.
    if cfg!(windows) {
        // Not checked by the compiler: a pragma's row has no type.
        sqlx::query("PRAGMA journal_mode = truncate").execute(&mut *connection).await?;
    }
    // Not immediate: that would make the first page before it is said that the file
    // can shrink. And in one transaction with the id: else others could see, or a
    // kill leave, a file that is nobody's.
    let mut tx = connection.begin().await?;
    sqlx::query!("PRAGMA auto_vacuum = incremental").execute(&mut *tx).await?;
    let header = sqlx::query!(
        r#"SELECT application_id + 0 AS "id!: i64", user_version + 0 AS "needed!: i64",
                  (SELECT count(*) FROM sqlite_schema) AS "tables!: i64"
             FROM pragma_application_id, pragma_user_version"#
    )
    .fetch_one(&mut *tx)
    .await?;
    match header.id {
        APPLICATION_ID => (),
        0 if header.needed == 0 && header.tables == 0 => {
            sqlx::query!("PRAGMA application_id = 0x74416c72").execute(&mut *tx).await?;
        }
        _ => return Err(foreign()),
    }
    tx.commit().await?;
    Ok(())
}

/// Whether it is ours, as a connection sees it that takes locks.
pub(super) async fn is_ours(connection: &mut SqliteConnection) -> Result<bool, StoreError> {
    let id: i64 = sqlx::query_scalar("PRAGMA application_id").fetch_one(connection).await?;
    Ok(id == APPLICATION_ID)
}

/// Of a file that was made before there was a first release.
pub(super) fn unreleased() -> StoreError {
    StoreError::Failed(
        "an unreleased version of tracing-alert made it: move it away, or set ALERT_DATABASE to another path"
            .to_owned(),
    )
}

fn foreign() -> StoreError {
    StoreError::NotOurs("another program's SQLite database".to_owned())
}

/// Refuses the place of an empty or missing file beside which another program's journal
/// is: what that holds is all that is left of a database.
fn refuse_journal(path: &Path) -> Result<(), StoreError> {
    let has_journal = ["-wal", "-journal"]
        .iter()
        .any(|suffix| fs::symlink_metadata(path::with_suffix(path, suffix)).is_ok());
    if has_journal && !path::is_marked(path) {
        let what = "there is no database, but another program's journal beside it";
        return Err(StoreError::NotOurs(what.to_owned()));
    }
    Ok(())
}

/// What a file says of whose it is.
struct Header {
    application_id: i64,
    user_version: i64,
    /// Whether it has the table in which our migrations are noted.
    has_our_tables: bool,
}

async fn read_header(path: &Path) -> Result<Header, StoreError> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .read_only(true)
        .immutable(true)
        // Somebody may be writing: more pages may be promised than there are yet.
        .pragma("writable_schema", "on")
        .thread_name(thread_name)
        .disable_statement_logging();
    let _open = OpenFile::new();
    let mut connection = options.connect().await?;
    let header = async {
        let application_id = sqlx::query_scalar("PRAGMA application_id").fetch_one(&mut connection).await?;
        let user_version = sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut connection).await?;
        let tables: Result<i64, _> =
            sqlx::query_scalar("SELECT count(*) FROM sqlite_schema WHERE name = '_tracing_alert_migrations'")
                .fetch_one(&mut connection)
                .await;
        // What cannot be read says nothing.
        let has_our_tables = tables.is_ok_and(|tables| tables > 0);
        Ok::<_, StoreError>(Header { application_id, user_version, has_our_tables })
    }
    .await;
    drop(connection.close().await);
    header
}

/// What is there instead of a file.
fn kind(metadata: &fs::Metadata) -> &'static str {
    let kind = metadata.file_type();
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        if kind.is_fifo() {
            return "a FIFO";
        } else if kind.is_socket() {
            return "a socket";
        } else if kind.is_block_device() || kind.is_char_device() {
            return "a device";
        }
    }
    if kind.is_symlink() {
        "a symbolic link"
    } else if kind.is_dir() {
        "a directory"
    } else {
        "no regular file"
    }
}
