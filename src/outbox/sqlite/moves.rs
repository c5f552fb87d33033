//! What goes over from one store to another.

use std::time::{Duration, SystemTime};

use super::{
    super::{Page, StoreError, Target, keep::turn, scope::Scope},
    Sqlite,
};
use crate::host::time::Saturating;

/// Longer than it takes another process to notice that a file was moved.
const RETIRED_FOR: Duration = Duration::from_secs(60);

impl Sqlite {
    /// Takes in what other stores have, all of it or nothing.
    pub(in crate::outbox) async fn import(
        &mut self,
        pages: &[&Page],
        targets: &[Target],
        now: SystemTime,
    ) -> Result<(), StoreError> {
        let absorb = |page: &mut Page| pages.iter().for_each(|other| page.absorb(other, targets, now));
        turn(self, &Scope::Absorb(pages), &String::new, absorb).await
    }

    /// Leaves what was exported of a file that is no longer where it was to those
    /// who have the copy.
    pub(in crate::outbox) async fn retire(&mut self, now: SystemTime) {
        let later = now.later(RETIRED_FOR);
        let retired = turn(self, &Scope::Live, &String::new, |page| page.retire(later, now)).await;
        // A file that takes nothing more is of no use to others either.
        drop::<Result<(), StoreError>>(retired);
    }
}
