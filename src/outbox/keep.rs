//! [`Keep`]: what a store has to do that keeps the rows of a page.
//!
//! All rules are the page's, so a store is a folder of its own that implements this, and
//! one arm of [`Store`](super::Store).
//! Invariant: decides nothing, and waits for nothing but its own storage.

use std::time::SystemTime;

use uuid::Uuid;

use super::{
    Captured, Claim, Maker, Mark, Page, StoreError, Target,
    batch::arrival_of,
    scope::{Question, Scope},
    upkeep::{Prune, Pruned},
};
use crate::{policy::notice::Notice, queue::stats::EventCounts};

/// A store of incidents, notices and deliveries.
pub(super) trait Keep {
    type Turn<'a>: Turn
    where
        Self: 'a;

    /// Begins a turn: until it ends, nobody else changes anything.
    async fn begin(&mut self) -> Result<Self::Turn<'_>, StoreError>;

    /// Whether there is anything to decide. Asked without a turn, so that whoever has
    /// nothing to do waits for nobody.
    async fn ask(&mut self, question: &Question<'_>) -> Result<bool, StoreError>;

    /// Claims up to `limit` deliveries of `sink` that are due at `now`, the longest due
    /// first: each counts one attempt and is leased until `lease_until`.
    async fn claim(
        &mut self,
        sink: &str,
        limit: usize,
        lease_until: SystemTime,
        now: SystemTime,
    ) -> Result<Vec<Claim>, StoreError>;

    /// Reads what a notice tells; none if it is gone.
    async fn notice(&mut self, id: i64) -> Result<Option<Notice>, StoreError>;

    /// When the next delivery of `sink` is due, leases included.
    async fn next_due(&mut self, sink: &str) -> Result<Option<SystemTime>, StoreError>;

    /// When the next message of `sink` is to be asked after, leases included.
    async fn next_inquiry(&mut self, sink: &str) -> Result<Option<SystemTime>, StoreError>;

    /// When there will be something to decide for a recipient of `sink`.
    async fn next_look(&mut self, sink: &str) -> Result<Option<SystemTime>, StoreError>;

    /// The last of what there is now.
    async fn mark(&mut self) -> Result<Mark, StoreError>;

    /// How many messages of `run`, or with one of its incidents, are pending up to
    /// `mark`, but for the deliveries of `settled`; and how many recipients were never
    /// told of one of those.
    async fn pending(&mut self, run: Uuid, mark: Mark, settled: &[Uuid]) -> Result<u64, StoreError>;

    /// Where the events of all its incidents are.
    async fn events(&mut self) -> Result<EventCounts, StoreError>;

    /// The sinks with deliveries that ended undelivered, and nobody was told.
    async fn sinks_of_dead(&mut self) -> Result<Vec<String>, StoreError>;

    /// Deletes some of what `what` names.
    async fn prune(&mut self, what: Prune) -> Result<Pruned, StoreError>;
}

/// One decision: what is loaded, decided and saved is of one moment.
pub(super) trait Turn {
    /// What was loaded.
    fn page(&mut self) -> &mut Page;

    /// Adds what `scope` names to the page.
    async fn load(&mut self, scope: &Scope<'_>) -> Result<(), StoreError>;

    /// Saves what changed on the page, all of it or nothing. Public ids that something
    /// else has are drawn again by `new_id`.
    async fn commit(self, new_id: &dyn Fn() -> String) -> Result<(), StoreError>;
}

/// Loads `scope`, has `decide` decide, and saves what changed.
pub(super) async fn turn<T>(
    store: &mut impl Keep,
    scope: &Scope<'_>,
    new_id: &dyn Fn() -> String,
    decide: impl FnOnce(&mut Page) -> T,
) -> Result<T, StoreError> {
    let mut turn = store.begin().await?;
    turn.load(scope).await?;
    let done = decide(turn.page());
    turn.commit(new_id).await?;
    Ok(done)
}

/// As [`turn`]; what `decide` makes joins its incident in the same one, for `targets`.
/// False if it makes nothing.
pub(super) async fn turn_and_join(
    store: &mut impl Keep,
    scope: &Scope<'_>,
    decide: impl FnOnce(&mut Page) -> Option<Captured>,
    maker: &Maker<'_>,
    targets: &[Target],
    now: SystemTime,
) -> Result<bool, StoreError> {
    let mut turn = store.begin().await?;
    turn.load(scope).await?;
    let captured = decide(turn.page());
    if let Some(captured) = &captured {
        let fingerprints = vec![captured.fingerprint.as_slice()];
        turn.load(&Scope::Batch { run: maker.run, fingerprints, said: Vec::new(), targets, now }).await?;
        turn.page().join(arrival_of(captured, now), maker, targets, now);
    }
    turn.commit(maker.new_id).await?;
    Ok(captured.is_some())
}
