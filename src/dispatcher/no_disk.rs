//! As `disk.rs`, in a build without files: memory is all there is.

use super::{Attempted, Dispatcher};
use crate::{
    dispatcher::setup::{Database, Setup},
    host::trouble,
    outbox::{Store, StoreError},
};

/// There is no file.
#[derive(Default)]
pub(super) struct Disk {}

impl Disk {
    pub(super) async fn open(&mut self, setup: &Setup, _app: &str, _store: &mut Store) {
        // Whoever asked for no file in particular knows how this was built.
        if let Database::File(path) = &setup.database {
            trouble::say(&format!(
                "ALERT_DATABASE: {} is not used, as this program is built without the feature `sqlite` of tracing-alert: \
                 alerts are kept in memory, and are lost with the process. Build it with that feature, or set no file",
                path.display()
            ));
        }
    }
}

impl Dispatcher<'_> {
    pub(super) fn note(&mut self, done: Result<(), StoreError>) {
        if let Err(error @ StoreError::Failed(_)) = done {
            trouble::report("store", "", &error.to_string());
        }
    }

    pub(super) fn budget_unknown(&self) -> bool {
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

    pub(super) fn unmoved(&self) -> u64 {
        0
    }

    pub(super) async fn probe(&mut self, _at_once: bool) {}

    pub(super) fn is_deferred(&mut self, _attempted: &Attempted) -> bool {
        false
    }
}
