//! [`Outbox`] in a build without files: memory is all there is.

use std::time::SystemTime;

use uuid::Uuid;

use super::{Database, Memory, Store, StoreError, Target};
use crate::host::trouble;

/// The store in use.
pub(crate) struct Outbox {
    pub(crate) store: Store,
}

impl Default for Outbox {
    fn default() -> Self {
        Self { store: Store::Memory(Memory::default()) }
    }
}

impl Outbox {
    pub(crate) async fn open(
        &mut self,
        database: &Database,
        _: Option<&str>,
        _: &str,
    ) -> Result<(), StoreError> {
        // Whoever asked for no file in particular knows how this was built.
        if let Database::File(path) = database {
            trouble::say(&format!(
                "ALERT_DATABASE: {} is not used, as this program is built without the feature `sqlite` of tracing-alert: \
                 alerts are kept in memory, and are lost with the process. Build it with that feature, or set no file",
                path.display()
            ));
        }
        Ok(())
    }

    pub(crate) async fn with<T>(
        &mut self,
        work: impl AsyncFnOnce(&mut Store) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let done = work(&mut self.store).await;
        done.inspect_err(|error| self.judge(error))
    }

    pub(crate) fn judge(&mut self, error: &StoreError) {
        if let StoreError::Failed(_) = error {
            trouble::report("store", "", &error.to_string());
        }
    }

    pub(crate) fn forget(&mut self) {
        self.store = Store::Memory(Memory::default());
    }

    pub(crate) fn is_durable(&self) -> bool {
        false
    }

    pub(crate) fn kept_in(&self) -> Option<String> {
        None
    }

    pub(crate) fn changes(&self) -> u64 {
        0
    }

    pub(crate) fn is_outage(&self) -> bool {
        false
    }

    pub(crate) fn has_damage(&self) -> bool {
        false
    }

    pub(crate) async fn probe(&mut self, _: bool, _: &[Target], _: SystemTime) {}

    pub(crate) async fn left_behind(&mut self, _: Uuid, _: &[Uuid]) -> Option<u64> {
        Some(0)
    }

    pub(crate) fn unmoved(&self) -> u64 {
        0
    }
}
