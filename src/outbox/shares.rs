//! What the local store and the fleet tell each other: see [`Share`] and [`Taken`].
//!
//! Invariant: decides nothing, and waits for nothing but its own storage.

use std::time::SystemTime;

use uuid::Uuid;

use super::{
    Claim, Fleet, KeyedSilence, Outbox, Page, Share, Spending, Store, StoreError, Taken,
    keep::turn,
    scope::{Key, Scope},
    store::{decide, keep},
};

impl Outbox {
    /// That of the fleet's thread: nothing takes the place of its store.
    #[cfg_attr(
        not(feature = "sqlite"),
        expect(clippy::field_reassign_with_default, reason = "with files it has more fields")
    )]
    pub(crate) fn of_fleet(fleet: Fleet) -> Self {
        let mut outbox = Self::default();
        outbox.store = Store::Fleet(Box::new(fleet));
        outbox
    }

    /// The fleet's store, if this is the fleet's thread.
    pub(crate) fn fleet(&mut self) -> Option<&mut Fleet> {
        match &mut self.store {
            Store::Fleet(fleet) => Some(fleet),
            _ => None,
        }
    }

    /// Whether this is the fleet's thread.
    pub(crate) fn is_of_fleet(&self) -> bool {
        matches!(self.store, Store::Fleet(_))
    }

    /// What time it is for what the fleet keeps: the database's.
    pub(crate) fn fleet_time(&self) -> Option<SystemTime> {
        match &self.store {
            Store::Fleet(fleet) => Some(fleet.now()),
            _ => None,
        }
    }
}

impl Store {
    /// By which name the instances of a fleet know what is kept here.
    pub(crate) async fn name_in_fleet(&mut self) -> Result<Uuid, StoreError> {
        match self {
            Self::Memory(memory) => Ok(*memory.name.get_or_insert_with(Uuid::new_v4)),
            #[cfg(feature = "sqlite")]
            Self::Sqlite(file) => file.name_in_fleet().await,
            Self::Fleet(fleet) => Ok(fleet.store),
        }
    }

    /// What the fleet is to be told of up to `limit` incidents, and the silences that are
    /// known here.
    pub(crate) async fn shares(
        &mut self,
        limit: usize,
    ) -> Result<(Vec<Share>, Vec<KeyedSilence>), StoreError> {
        decide!(self, Scope::Shares { limit }, |page: &mut Page| (page.shares(limit), page.keyed_silences()))
    }

    /// Begins and ends here what `silences` says that another store began and ended.
    pub(crate) async fn learn_silences(
        &mut self,
        silences: &[KeyedSilence],
        now: SystemTime,
    ) -> Result<(), StoreError> {
        decide!(self, Scope::Silences, |page: &mut Page| page.learn_silences(silences, now))
    }

    /// The incidents that the fleet has, and nobody is known to be told of.
    pub(crate) async fn untold_in_fleet(&mut self) -> Result<Vec<i64>, StoreError> {
        decide!(self, Scope::Live, |page: &mut Page| page.untold_in_fleet())
    }

    /// Notes that this instance sent the message of `claim` alone, which cost so many `segments`.
    pub(crate) async fn note_sent_alone(
        &mut self,
        claim: &Claim,
        segments: u32,
        now: SystemTime,
    ) -> Result<(), StoreError> {
        let keys = [Key::Account(claim)];
        decide!(self, Scope::Keys(&keys), |page: &mut Page| page.note_sent_alone(claim, segments, now))
    }

    /// All that this instance sent alone in the last days.
    pub(crate) async fn spending(&mut self) -> Result<Vec<Spending>, StoreError> {
        decide!(self, Scope::Recipients, |page: &mut Page| page.spending())
    }

    /// Takes back the messages that surely did not leave.
    pub(crate) async fn withdraw(&mut self, now: SystemTime) -> Result<(), StoreError> {
        decide!(self, Scope::Live, |page: &mut Page| page.withdraw(now))
    }

    /// Notes what the fleet has taken, and told.
    pub(crate) async fn note_taken(&mut self, taken: &[Taken], now: SystemTime) -> Result<(), StoreError> {
        let ids: Vec<i64> = taken.iter().map(|taken| taken.local_id).collect();
        decide!(self, Scope::Taken(&ids), |page: &mut Page| page.note_taken(taken, now))
    }
}
