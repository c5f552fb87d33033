//! [`Turn`]: one decision about a file, alone with it.
//!
//! Invariant: what is read, decided and written in a turn is of one moment. A file
//! that a newer version of this crate wants to itself is not written to.

use std::time::SystemTime;

use sqlx::{Connection, SqliteTransaction};

use super::{
    super::{Captured, Maker, Page, StoreError, Target, batch::arrival_of, scope::Scope},
    MIGRATOR, Sqlite, version,
};

/// The file's write lock, and a transaction that ends with it.
pub(super) struct Turn<'a> {
    pub(super) transaction: SqliteTransaction<'a>,
}

impl Sqlite {
    /// Loads `scope`, has `decide` decide, and commits what changed. Public ids that
    /// something else in the file has are drawn again by `new_id`.
    pub(in crate::outbox) async fn turn<T>(
        &mut self,
        scope: &Scope<'_>,
        new_id: &dyn Fn() -> String,
        decide: impl FnOnce(&mut Page) -> T,
    ) -> Result<T, StoreError> {
        let mut turn = self.begin().await?;
        let mut page = Page::default();
        turn.load(&mut page, scope).await?;
        let done = decide(&mut page);
        turn.save(&mut page, new_id).await?;
        turn.commit().await?;
        Ok(done)
    }

    /// As [`turn`](Self::turn); what `decide` makes joins its incident in the same one,
    /// for `targets`. False if it makes nothing.
    pub(in crate::outbox) async fn turn_and_join(
        &mut self,
        scope: &Scope<'_>,
        decide: impl FnOnce(&mut Page) -> Option<Captured>,
        maker: &Maker<'_>,
        targets: &[Target],
        now: SystemTime,
    ) -> Result<bool, StoreError> {
        let mut turn = self.begin().await?;
        let mut page = Page::default();
        turn.load(&mut page, scope).await?;
        let captured = decide(&mut page);
        if let Some(captured) = &captured {
            let fingerprints = vec![captured.fingerprint.as_slice()];
            turn.load(&mut page, &Scope::Batch { fingerprints, said: Vec::new(), targets, now }).await?;
            page.join(arrival_of(captured, now), maker, targets, now);
        }
        turn.save(&mut page, maker.new_id).await?;
        turn.commit().await?;
        Ok(captured.is_some())
    }

    /// Waits for the file's write lock, as long as SQLite does.
    pub(super) async fn begin(&mut self) -> Result<Turn<'_>, StoreError> {
        let mut transaction = self.connection.begin_with("BEGIN IMMEDIATE").await?;
        version::is_known(version::needed(&mut transaction).await?, &MIGRATOR)?;
        Ok(Turn { transaction })
    }
}

impl Turn<'_> {
    pub(super) async fn commit(self) -> Result<(), StoreError> {
        self.transaction.commit().await?;
        Ok(())
    }
}
