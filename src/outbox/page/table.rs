//! [`Table`]: rows by their key, and which of them changed.
//!
//! Invariant: a row that was only read is never marked, so a keeper writes what
//! a decision changed and nothing else.

use std::{
    collections::{BTreeMap, BTreeSet, btree_map},
    ops::RangeBounds,
};

use serde::{Serialize, de::DeserializeOwned};

/// The rows of one kind that a page holds.
#[cfg_attr(test, derive(Clone))]
pub(in crate::outbox) struct Table<K, R> {
    rows: BTreeMap<K, R>,
    /// Inserted, changed or removed since the page was loaded or saved.
    changed: BTreeSet<K>,
}

impl<K, R> Default for Table<K, R> {
    fn default() -> Self {
        Self { rows: BTreeMap::new(), changed: BTreeSet::new() }
    }
}

impl<K: Ord + Clone, R> Table<K, R> {
    /// Reads one row.
    pub(in crate::outbox) fn get(&self, key: &K) -> Option<&R> {
        self.rows.get(key)
    }

    /// Marks a row as changed, and hands it out for that.
    pub(in crate::outbox) fn change(&mut self, key: &K) -> Option<&mut R> {
        let row = self.rows.get_mut(key)?;
        self.changed.insert(key.clone());
        Some(row)
    }

    /// As [`change`](Self::change); a row that is missing is made first.
    pub(in crate::outbox) fn change_or_insert(&mut self, key: K, make: impl FnOnce() -> R) -> &mut R {
        self.changed.insert(key.clone());
        self.rows.entry(key).or_insert_with(make)
    }

    /// Adds a row, or replaces it.
    pub(in crate::outbox) fn insert(&mut self, key: K, row: R) {
        self.changed.insert(key.clone());
        self.rows.insert(key, row);
    }

    /// Removes a row, also one that is not loaded: a keeper deletes it.
    pub(in crate::outbox) fn remove(&mut self, key: &K) {
        self.rows.remove(key);
        self.changed.insert(key.clone());
    }

    /// Adds a row as it is kept. One that the page holds already stays: it may have
    /// changed.
    pub(in crate::outbox) fn load(&mut self, key: K, row: R) {
        self.rows.entry(key).or_insert(row);
    }

    /// Forgets rows without having a keeper delete them.
    pub(in crate::outbox) fn retain(&mut self, keep: impl FnMut(&K, &mut R) -> bool) {
        self.rows.retain(keep);
    }

    /// All rows, by key.
    pub(in crate::outbox) fn iter(&self) -> btree_map::Iter<'_, K, R> {
        self.rows.iter()
    }

    /// The rows whose keys are in `range`.
    pub(in crate::outbox) fn range(&self, range: impl RangeBounds<K>) -> btree_map::Range<'_, K, R> {
        self.rows.range(range)
    }

    pub(in crate::outbox) fn values(&self) -> btree_map::Values<'_, K, R> {
        self.rows.values()
    }

    /// The keys of all rows.
    pub(in crate::outbox) fn keys(&self) -> btree_map::Keys<'_, K, R> {
        self.rows.keys()
    }

    pub(in crate::outbox) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

/// The rows of a table as a keeper has them, whatever they are: as JSON.
pub(in crate::outbox) trait Kept {
    /// Adds a row as it is kept.
    fn read(&mut self, key: &str, data: &str) -> serde_json::Result<()>;

    /// Adds to `rows` what a keeper has to write, each with the table's `name` and its
    /// key; without data if the row was removed.
    fn write(&self, name: &str, rows: &mut Rows) -> serde_json::Result<()>;

    /// Notes that all of it is saved.
    fn note_saved(&mut self);
}

impl<K, R> Kept for Table<K, R>
where
    K: Ord + Clone + Serialize + DeserializeOwned,
    R: Serialize + DeserializeOwned,
{
    fn read(&mut self, key: &str, data: &str) -> serde_json::Result<()> {
        self.load(serde_json::from_str(key)?, serde_json::from_str(data)?);
        Ok(())
    }

    fn write(&self, name: &str, rows: &mut Rows) -> serde_json::Result<()> {
        for key in &self.changed {
            rows.add(&serde_json::to_string(&(name, key, self.rows.get(key)))?);
        }
        Ok(())
    }

    fn note_saved(&mut self) {
        self.changed.clear();
    }
}

/// Rows in arrays of JSON, each of about [`MAX_ARRAY_BYTES`], so that a keeper needs no
/// copy of all of them.
#[derive(Default)]
pub(in crate::outbox) struct Rows(Vec<String>);

impl Rows {
    fn add(&mut self, row: &str) {
        match self.0.last_mut().filter(|array| array.len() <= MAX_ARRAY_BYTES) {
            Some(array) => array.push(','),
            None => self.0.push("[".to_owned()),
        }
        if let Some(array) = self.0.last_mut() {
            array.push_str(row);
        }
    }

    /// The arrays.
    pub(in crate::outbox) fn close(mut self) -> Vec<String> {
        self.0.iter_mut().for_each(|array| array.push(']'));
        self.0
    }
}

/// How much JSON one statement has, about: so no batch takes much memory at once.
const MAX_ARRAY_BYTES: usize = 256 * 1024;
