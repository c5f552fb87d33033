//! Which journal SQLite keeps: a write-ahead log, but not on a network.

use sqlx::SqliteConnection;

use super::super::StoreError;

/// Asks for the journal that suits the place, and looks which one it is then:
/// SQLite keeps another one, without an error, where it cannot have that.
pub(super) async fn choose(connection: &mut SqliteConnection, is_network: bool) -> Result<(), StoreError> {
    let choice = if is_network { "PRAGMA journal_mode = truncate" } else { "PRAGMA journal_mode = wal" };
    // Not checked by the compiler: a pragma's row has no type.
    let mode: String = sqlx::query_scalar(choice).fetch_one(connection).await?;
    if let Some(remark) = judge(&mode, is_network)? {
        crate::host::trouble::report("journal", "", &remark);
    }
    Ok(())
}

/// What is to be said of a journal, if it will do.
fn judge(mode: &str, is_network: bool) -> Result<Option<String>, StoreError> {
    let place = if is_network { "on a network file system" } else { "where SQLite has no write-ahead log" };
    match (mode, is_network) {
        ("wal", false) => Ok(None),
        ("wal", true) => Err(StoreError::Busy),
        ("truncate" | "delete" | "persist", _) => Ok(Some(format!(
            "the database is {place}: it is safe, but each commit takes longer; \
             better set ALERT_DATABASE to a file on a local disk"
        ))),
        _ => Err(StoreError::Failed(format!("it is {place}, and has no journal but {mode}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_journal_that_survives_a_kill_will_do_and_a_slow_one_is_remarked_on() {
        assert!(judge("wal", false).unwrap().is_none());
        for mode in ["truncate", "delete", "persist"] {
            assert!(judge(mode, false).unwrap().unwrap().contains("no write-ahead log"));
            assert!(judge(mode, true).unwrap().unwrap().contains("network"));
        }
        for mode in ["memory", "off", ""] {
            assert!(matches!(judge(mode, false), Err(StoreError::Failed(_))), "{mode}");
        }
    }

    #[test]
    fn a_write_ahead_log_that_somebody_still_uses_is_waited_for() {
        assert!(matches!(judge("wal", true), Err(StoreError::Busy)));
    }
}
