//! Who may write a file: a program whose crate and SQLite are new enough.

use std::sync::Once;

use sqlx::{SqliteConnection, migrate::Migrator};

use super::super::StoreError;

/// Leaves a file alone that a newer version of this crate wants to itself: its
/// `user_version` is the lowest migration that a writer must know. Until a
/// migration breaks with the older ones, that is zero.
pub(super) async fn may_write(
    connection: &mut SqliteConnection,
    migrator: &Migrator,
) -> Result<(), StoreError> {
    let told = sqlx::query!(
        r#"SELECT user_version + 0 AS "needed!: i64", sqlite_version() AS "sqlite!: String" FROM pragma_user_version"#
    )
    .fetch_one(connection)
    .await?;
    let known = migrator.iter().map(|migration| migration.version).max().unwrap_or(0);
    if told.needed > known {
        return Err(StoreError::Failed(format!(
            "a newer version of tracing-alert needs schema {} in it, and this one knows {known}",
            told.needed
        )));
    }
    if is_defective(&told.sqlite) {
        static TOLD: Once = Once::new();
        TOLD.call_once(|| {
            crate::trouble::say(&format!(
                "this program's SQLite {} may damage a file that several processes write: update to {FIRST_SOUND:?}",
                told.sqlite
            ));
        });
    }
    Ok(())
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
        for sound in ["3.51.3", "3.51.10", "3.52.0", "4.0.0", "", "of the future"] {
            assert!(!is_defective(sound), "{sound}");
        }
    }
}
