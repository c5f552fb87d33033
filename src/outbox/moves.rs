//! From one store to the next, as when a file fails and memory takes over: what is not
//! settled goes along as a page. (What becomes of a delivery is in `page/settle.rs`.)

use std::{path::Path, time::SystemTime};

use uuid::Uuid;

use super::{Mark, Memory, Page, Sqlite, Store, StoreError, Target, keep::Keep, path::Identity};

impl Store {
    /// Leaves a file that is no longer where it was, with everything that is
    /// pending in it; memory takes over.
    pub(crate) async fn leave(&mut self, now: SystemTime) -> Page {
        match std::mem::replace(self, Self::Memory(Memory::default())) {
            Self::Sqlite(mut store) => {
                let pending = store.export().await;
                store.retire(now).await;
                store.shut().await;
                pending
            }
            other => {
                *self = other;
                Page::default()
            }
        }
    }

    /// Goes over from memory to `file`, with everything that is pending in it
    /// and `brought`; `targets` are told where nobody knows who was. If that
    /// fails, memory stays.
    pub(crate) async fn move_to(
        &mut self,
        mut file: Box<Sqlite>,
        brought: &[Page],
        targets: &[Target],
        now: SystemTime,
    ) -> Result<(), StoreError> {
        let kept = match self {
            Self::Memory(memory) => Some(&memory.page),
            _ => None,
        };
        let pages: Vec<&Page> = brought.iter().chain(kept).collect();
        let imported = file.import(&pages, targets, now).await;
        match imported {
            Ok(()) => *self = Self::Sqlite(file),
            // Whoever replaces it needs it alone.
            Err(_) => file.shut().await,
        }
        imported
    }

    /// What a file knows of recipients, if it can be read.
    pub(crate) async fn ledger(&mut self) -> Option<Page> {
        match self {
            Self::Sqlite(store) => store.ledger().await.ok(),
            _ => None,
        }
    }

    /// Has memory go on from what another store knows of recipients.
    pub(crate) fn inherit(&mut self, ledger: &Page) {
        if let Self::Memory(memory) = self {
            memory.page.inherit(ledger);
            memory.forget();
        }
    }

    /// Whether it was written to since this was asked last.
    pub(super) fn has_written(&mut self) -> bool {
        match self {
            Self::Sqlite(store) => std::mem::take(&mut store.has_written),
            _ => true,
        }
    }

    /// Which file it is; none if it is memory, or if that cannot be told.
    pub(crate) fn identity(&self) -> Option<Identity> {
        match self {
            Self::Sqlite(store) => store.identity(),
            _ => None,
        }
    }

    /// False if this is memory, or a file that is no longer at `path`.
    pub(crate) fn is_file_at(&self, path: &Path) -> bool {
        match self {
            Self::Sqlite(store) => store.is_at(path),
            _ => false,
        }
    }

    /// How many messages of `run` a file holds that failed, but for those of
    /// `settled`: what came of them could not be written. Nothing is in memory.
    pub(crate) async fn left(&mut self, run: Uuid, settled: &[Uuid]) -> Result<u64, StoreError> {
        match self {
            Self::Sqlite(store) => store.pending(run, Mark::ALL, settled).await,
            _ => Ok(0),
        }
    }
}
