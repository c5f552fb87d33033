//! Writes that are not worth a wait for the disk.

use super::{super::StoreError, Sqlite};

impl Sqlite {
    /// Does `work` and does not wait until the disk has it: a machine that loses its
    /// power may forget that.
    pub(in crate::outbox) async fn without_sync<T>(
        &mut self,
        work: impl AsyncFnOnce(&mut Self) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        sqlx::query!("PRAGMA synchronous = NORMAL").execute(&mut self.connection).await?;
        let done = work(self).await;
        sqlx::query!("PRAGMA synchronous = FULL").execute(&mut self.connection).await?;
        done
    }
}
