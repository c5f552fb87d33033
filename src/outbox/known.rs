//! Which processes know which recipients.
//!
//! Invariant: memory is one process's own, and has none but its recipients.

use super::{
    Store, StoreError, Target,
    keep::{Keep, turn},
    scope::{Question, Scope},
};
use crate::policy::known::Knower;

impl Store {
    /// Notes that the process `own` knows `targets`.
    pub(crate) async fn note_known(
        &mut self,
        targets: &[Target],
        own: &Knower,
        is_gone: impl Fn(&Knower) -> bool,
    ) -> Result<(), StoreError> {
        let Self::Sqlite(file) = self else { return Ok(()) };
        let note = |page: &mut super::Page| page.note_known(targets, own, is_gone);
        file.without_sync(async |file| turn(file, &Scope::Recipients, &String::new, note).await).await
    }

    /// Has nothing more to tell those recipients of the sinks of `targets` who are none of
    /// them, if all that knew them are gone. Returns how much that was.
    pub(crate) async fn forget_unknown(
        &mut self,
        targets: &[Target],
        is_gone: impl Fn(&Knower) -> bool,
    ) -> Result<u64, StoreError> {
        let Self::Sqlite(file) = self else { return Ok(0) };
        let file = &mut **file;
        if !file.ask(&Question::Unknown { targets }).await? {
            return Ok(0);
        }
        turn(file, &Scope::Live, &String::new, |page| page.forget_unknown(targets, is_gone)).await
    }
}
