//! What was learned of callsites.
//!
//! Invariant: decides nothing.

use std::collections::BTreeSet;

use super::{
    super::{StoreError, page::LearnedRow},
    load::Loading,
    rows::{hex, json},
};
use crate::policy::fingerprint::{Fingerprint, Said};

impl Loading<'_> {
    /// What was learned of callsites, in hexadecimal digits.
    pub(super) async fn learned(&mut self, callsites: BTreeSet<String>) -> Result<(), StoreError> {
        if callsites.is_empty() {
            return Ok(());
        }
        let callsites = json(&callsites)?;
        let rows = sqlx::query_as!(
            Record,
            "SELECT callsite, incident_id, map FROM learned
              WHERE callsite IN (SELECT unhex(value) FROM json_each(?1))",
            callsites
        );
        let rows = rows.fetch_all(&mut *self.connection).await?;
        rows.into_iter().filter_map(Record::row).for_each(|(id, it)| self.page.learned.load(id, it));
        Ok(())
    }

    /// The groups that events join; what was learned of their callsites is loaded.
    pub(super) async fn groups(&mut self, said: &[(&Said, u64)]) -> Result<Vec<Fingerprint>, StoreError> {
        self.learned(said.iter().map(|(said, _)| hex(&said.callsite)).collect()).await?;
        Ok(self.page.groups_of(said))
    }
}

/// A row of `learned`.
struct Record {
    callsite: Vec<u8>,
    incident_id: i64,
    map: String,
}

impl Record {
    /// None of what cannot be read: it is learned anew.
    fn row(self) -> Option<(Fingerprint, LearnedRow)> {
        let map = serde_json::from_str(&self.map).ok()?;
        Some((self.callsite.try_into().ok()?, LearnedRow { incident: self.incident_id, map }))
    }
}
