//! [`FileTurn`]: one decision about a file, alone with it.
//!
//! Invariant: what is read, decided and written in a turn is of one moment. A file
//! that a newer version of this crate wants to itself is not written to: to load fails.

use sqlx::{Connection, SqliteTransaction};

use super::{
    super::{Page, StoreError, keep::Turn, scope::Scope},
    Sqlite,
    load::load,
};

/// The file's write lock, and a transaction that ends with it.
pub(in crate::outbox) struct FileTurn<'a> {
    pub(super) transaction: SqliteTransaction<'a>,
    pub(super) page: Page,
    has_written: &'a mut bool,
    #[cfg(test)]
    lies: &'a mut bool,
}

impl Sqlite {
    /// Waits for the file's write lock, as long as SQLite does.
    pub(super) async fn begin_turn(&mut self) -> Result<FileTurn<'_>, StoreError> {
        let transaction = self.connection.begin_with("BEGIN IMMEDIATE").await?;
        Ok(FileTurn {
            transaction,
            page: Page::default(),
            has_written: &mut self.has_written,
            #[cfg(test)]
            lies: &mut self.lies,
        })
    }
}

impl Turn for FileTurn<'_> {
    fn page(&mut self) -> &mut Page {
        &mut self.page
    }

    async fn load(&mut self, scope: &Scope<'_>) -> Result<(), StoreError> {
        load(&mut self.transaction, &mut self.page, scope).await
    }

    async fn commit(mut self, new_id: &dyn Fn() -> String) -> Result<(), StoreError> {
        self.save(new_id).await?;
        self.transaction.commit().await?;
        *self.has_written = true;
        #[cfg(test)]
        if std::mem::take(self.lies) {
            return Err(StoreError::Failed("disk I/O error".to_owned()));
        }
        Ok(())
    }
}
