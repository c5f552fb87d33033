//! A file that is there already, for the command: opened as it is.
//!
//! Invariant: nothing is made, migrated, repaired or put aside. What SQLite itself makes
//! beside the file is gone when the last connection is, or belongs to the file's owner.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    time::SystemTime,
};

use sqlx::{
    ConnectOptions, Connection, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteSynchronous},
};
use uuid::Uuid;

use super::{
    super::{
        StoreError,
        operate::{Noted, Shown, SinkView, Unusable},
        page::Page,
        path,
        scope::Scope,
    },
    BUSY_TIMEOUT, Sqlite,
    load::load,
    mode, ours, thread_name, unsigned, version,
};
use crate::{event::from_millis, host::fork::OpenFile};

impl Sqlite {
    /// Opens the file at `path`, if programs of this version use it.
    pub(crate) async fn open_existing(path: &Path) -> Result<Self, Unusable> {
        let place = path.to_owned();
        let failed = |error: StoreError| match error {
            StoreError::NotOurs(what) => {
                Unusable::NotOurs(place.clone(), format!("it is not a tracing-alert database ({what})"))
            }
            StoreError::Busy => Unusable::Failed(place.clone(), "it is locked by another process".to_owned()),
            other => Unusable::Failed(place.clone(), other.to_string()),
        };
        let metadata = match std::fs::symlink_metadata(path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(Unusable::Missing(place));
            }
            Err(error) => return Err(Unusable::Failed(place, error.to_string())),
        };
        if metadata.is_file()
            && let Some(owner) = mode::other_owner(&metadata)
        {
            return Err(Unusable::User { path: place, owner });
        }
        match ours::judge(path).await {
            // What a newer version wants to itself: which one is in the file.
            Err(StoreError::Failed(why)) if ours::is_of_newer(path).await => {
                return Err(Unusable::Version(place, why));
            }
            judged => judged.map_err(&failed)?,
        }
        if metadata.len() == 0 {
            let what = "it is empty: the program that made it has not started yet";
            return Err(Unusable::NotOurs(place, what.to_owned()));
        }
        let lock = path::lock_existing(path).map_err(&failed)?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(false)
            .busy_timeout(BUSY_TIMEOUT)
            .foreign_keys(true)
            .synchronous(SqliteSynchronous::Full)
            .pragma("wal_autocheckpoint", "256")
            .pragma("journal_size_limit", "4194304")
            .pragma("temp_store", "memory")
            .thread_name(thread_name)
            .disable_statement_logging();
        let open = OpenFile::new();
        let mut connection = options.connect().await.map_err(|error| failed(StoreError::from(error)))?;
        if let Err(why) = version::must_be_ours(&mut connection).await {
            drop(connection.close().await);
            return Err(match why {
                StoreError::Failed(why) => Unusable::Version(place, why),
                other => failed(other),
            });
        }
        Ok(Self {
            connection,
            has_written: false,
            #[cfg(test)]
            lies: false,
            log: path::with_suffix(path, "-wal"),
            identity: path::identity(path),
            _lock: lock,
            _open: open,
        })
    }

    /// The part of the file that is shown.
    pub(in crate::outbox) async fn page_of(&mut self, shown: &Shown<'_>) -> Result<Page, StoreError> {
        let mut page = Page::default();
        load(&mut self.connection, &mut page, &Scope::Shown(shown)).await?;
        let callsites = page.callsites();
        load(&mut self.connection, &mut page, &Scope::Learned(&callsites)).await?;
        Ok(page)
    }

    /// The processes that noted themselves, in the order of their starts.
    pub(crate) async fn noted(&mut self) -> Result<Vec<Noted>, StoreError> {
        let mut page = Page::default();
        load(&mut self.connection, &mut page, &Scope::Recipients).await?;
        let mut each: BTreeMap<Uuid, Noted> = BTreeMap::new();
        for (recipient, account) in page.accounts.iter() {
            for process in &account.known_by {
                let new = || Noted { process: process.clone(), tells: BTreeSet::new() };
                let noted = each.entry(process.run).or_insert_with(new);
                noted.tells.insert((recipient.sink.to_string(), recipient.address.to_string()));
            }
        }
        Ok(each.into_values().collect())
    }

    /// How many incidents are open, and of each sink with pending messages how many.
    pub(in crate::outbox) async fn counts(&mut self) -> Result<(u64, Vec<SinkView>), StoreError> {
        let open =
            sqlx::query_scalar!(r#"SELECT count(*) AS "open!: i64" FROM incident WHERE closed_at IS NULL"#)
                .fetch_one(&mut self.connection)
                .await?;
        let sinks = sqlx::query!(
            r#"SELECT sink AS "sink!", count(*) AS "pending!: i64", min(due_at) AS "next_at!: i64"
                 FROM delivery WHERE state = 'pending' GROUP BY sink ORDER BY sink"#
        )
        .fetch_all(&mut self.connection)
        .await?;
        let sinks = sinks.into_iter().map(|row| SinkView {
            name: row.sink,
            pending: unsigned(row.pending),
            next_at: Some::<SystemTime>(from_millis(row.next_at)),
            ..SinkView::default()
        });
        Ok((unsigned(open), sinks.collect()))
    }
}

/// What the newest migration of a file came with.
pub(super) async fn release(connection: &mut SqliteConnection) -> Option<String> {
    // In a file of a version before this was noted there is no such table.
    sqlx::query_scalar("SELECT version FROM release ORDER BY migration DESC LIMIT 1")
        .fetch_optional(connection)
        .await
        .ok()
        .flatten()
}
