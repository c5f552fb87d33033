//! As `disk.rs`, in a build without files: memory is all there is.

use super::{Attempted, Dispatcher};
use crate::{
    config::Database,
    store::{Store, StoreError},
    trouble,
};

/// There is no file.
#[derive(Default)]
pub(super) struct Disk {}

impl Disk {
    pub(super) async fn open(&mut self, database: &Database, _app: &str, _store: &mut Store) {
        if *database != Database::Memory {
            trouble::say(
                "built without the feature `sqlite`: alerts are kept in memory, and lost with the process",
            );
        }
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

    pub(super) fn has_damage(&self) -> bool {
        false
    }

    pub(super) async fn note_start(&mut self) -> bool {
        true
    }

    pub(super) async fn note_end(&mut self) {}

    pub(super) async fn left_behind(&mut self) -> Option<u64> {
        Some(0)
    }

    pub(super) fn adrift(&self) -> u64 {
        0
    }

    pub(super) async fn probe(&mut self, _at_once: bool) {}

    pub(super) fn is_deferred(&mut self, _attempted: &Attempted) -> bool {
        false
    }
}
