//! As `disk.rs`, in a build without files: memory is all there is.

use super::{Attempted, Dispatcher};
use crate::{
    config::Database,
    store::{Memory, Store, StoreError},
    trouble,
};

/// There is no file.
pub(super) struct Disk;

impl Disk {
    pub(super) async fn open(database: &Database, _app: &str) -> (Store, Self) {
        if *database != Database::Memory {
            trouble::say(
                "built without the feature `sqlite`: alerts are kept in memory, and lost with the process",
            );
        }
        (Store::Memory(Memory::default()), Self)
    }
}

impl Dispatcher<'_> {
    pub(super) fn note(&mut self, done: Result<(), StoreError>) {
        if let Err(error @ StoreError::Failed(_)) = done {
            trouble::report("store", &error.to_string());
        }
    }

    pub(super) fn is_blind(&self) -> bool {
        false
    }

    pub(super) async fn probe(&mut self, _at_once: bool) {}

    pub(super) fn is_deferred(&mut self, _attempted: &Attempted) -> bool {
        false
    }
}
