//! Who may write a file: a program whose crate and SQLite are new enough.

use std::sync::Once;

use sqlx::{SqliteConnection, migrate::Migrator};

#[cfg(feature = "cli")]
use super::MIGRATOR;
use super::{super::StoreError, path};
use crate::host::fork::LockedFile;

/// Leaves a file alone that a newer version of this crate wants to itself: its
/// `user_version` is the lowest migration that a writer must know. Until a
/// migration breaks with the older ones, that is zero.
pub(super) async fn may_write(
    connection: &mut SqliteConnection,
    migrator: &Migrator,
    lock: Option<&LockedFile>,
) -> Result<(), StoreError> {
    is_known(needed(&mut *connection).await?, migrator)?;
    let sqlite = sqlx::query_scalar!(r#"SELECT sqlite_version() AS "sqlite!: String""#);
    let sqlite = sqlite.fetch_one(connection).await?;
    if is_defective(&sqlite)
        && let Some(lock) = lock
        && path::is_shared(lock)?
    {
        static TOLD: Once = Once::new();
        TOLD.call_once(|| crate::host::trouble::say(&remark(&sqlite)));
    }
    Ok(())
}

/// The lowest migration that whoever writes the file must know.
pub(super) async fn needed(connection: &mut SqliteConnection) -> Result<i64, StoreError> {
    let needed = sqlx::query_scalar!(r#"SELECT user_version + 0 AS "needed!: i64" FROM pragma_user_version"#);
    Ok(needed.fetch_one(connection).await?)
}

/// The newest migration that this version has.
pub(super) fn newest(migrator: &Migrator) -> i64 {
    migrator.iter().map(|migration| migration.version).max().unwrap_or(0)
}

/// Refuses what needs a migration that this version does not have.
pub(super) fn is_known(needed: i64, migrator: &Migrator) -> Result<(), StoreError> {
    let known = newest(migrator);
    if needed <= known {
        return Ok(());
    }
    Err(StoreError::Failed(format!(
        "a newer version of tracing-alert needs schema {needed} in it, and this one knows {known}: update \
         tracing-alert, or set ALERT_DATABASE to another path"
    )))
}

/// Refuses a file that is not as this version makes it, with the version that does.
#[cfg(feature = "cli")]
pub(super) async fn must_be_ours(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    let ours = env!("CARGO_PKG_VERSION");
    let refused = |what: String| Err(StoreError::Failed(what));
    let tables: i64 =
        sqlx::query_scalar("SELECT count(*) FROM sqlite_schema WHERE name = '_tracing_alert_migrations'")
            .fetch_one(&mut *connection)
            .await?;
    if tables == 0 {
        return refused("a program is about to make it: try again".to_owned());
    }
    let there: Option<i64> = sqlx::query_scalar("SELECT max(version) FROM _tracing_alert_migrations")
        .fetch_one(&mut *connection)
        .await?;
    let there = there.unwrap_or(0);
    let known = newest(&MIGRATOR);
    if there > known || needed(&mut *connection).await? > known {
        let release = super::existing::release(connection).await;
        let install = match &release {
            Some(release) => format!("cargo install tracing-alert --features cli --version {release}"),
            None => "cargo install tracing-alert --features cli".to_owned(),
        };
        let by = release.map(|release| format!(" ({release})")).unwrap_or_default();
        return refused(format!(
            "a newer version of tracing-alert{by} made it, and this command is {ours}. Install that one: {install}"
        ));
    }
    if there < known {
        return refused(format!(
            "an older version of tracing-alert made it, and this command is {ours}: start a program that is built with              {ours}, which brings it up to date, or install the command of that version"
        ));
    }
    Ok(())
}

/// What is to be said of a defective SQLite where it can do harm.
fn remark(sqlite: &str) -> String {
    let [major, minor, patch] = FIRST_SOUND;
    format!(
        "this program's SQLite {sqlite} may damage the database, as another program writes it, too: set \
         ALERT_DATABASE to a file of its own, or build with SQLite {major}.{minor}.{patch} or newer \
         (libsqlite3-sys 0.37)"
    )
}

/// Whether a SQLite has the defect that resets the write-ahead log while another
/// connection uses it. A version that is not understood is taken for a new one.
fn is_defective(version: &str) -> bool {
    let numbers: Result<Vec<u32>, _> = version.split('.').map(str::parse).collect();
    numbers.is_ok_and(|numbers| numbers.as_slice() < FIRST_SOUND.as_slice())
}

const FIRST_SOUND: [u32; 3] = [3, 51, 3];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sqlite_before_the_mended_one_is_defective() {
        for old in ["3.51.2", "3.51", "3.46.0", "3.9.99", "2.8.17"] {
            assert!(is_defective(old), "{old}");
        }
        assert!(remark("3.46.0").contains("build with SQLite 3.51.3 or newer"));
        for sound in ["3.51.3", "3.51.10", "3.52.0", "4.0.0", "", "of the future"] {
            assert!(!is_defective(sound), "{sound}");
        }
    }
}
