//! Where notices, events and deliveries are kept: the only module with SQL.
//!
//! Events join incidents as they are persisted; `tell` makes one message for each
//! recipient of what there is to tell. Runs on the alert thread; one owner, no
//! sharing inside the process. Every
//! change of a delivery's state is one function here, and the schema refuses
//! the others:
//!
//! ```text
//!            claim (attempt + 1, a lease)
//!   pending ──────────────────────────────► pending, leased
//!      ▲                                        │
//!      ├── retry    (due later) ────────────────┤
//!      ├── release  (due later, attempt - 1) ───┤
//!      └── lease ends (the process died) ───────┤
//!                                               ├── deliver ──► delivered
//!                                               ├── bury ─────► dead
//!                                               └── skip_refused ► dead
//! ```
//!
//! Invariant: no function waits for anything but its own storage.

use std::time::{Duration, SystemTime};

use tracing::Level;
use uuid::Uuid;

use crate::{
    budget::Budget,
    incident::Rhythm,
    notice::{Losses, Notice, Process},
    sink::SendError,
    stats::EventCounts,
};

mod batch;
#[cfg(feature = "sqlite")]
mod bundle;
mod memory;
mod pace;
#[cfg(feature = "sqlite")]
mod path;
#[cfg(feature = "sqlite")]
mod sqlite;
#[cfg(feature = "sqlite")]
mod starts;
#[cfg(test)]
mod tests;
mod upkeep;
#[cfg(feature = "sqlite")]
mod volume;

pub(crate) use batch::{About, Captured};
#[cfg(feature = "sqlite")]
pub(crate) use bundle::{Bundle, Ledger};
pub(crate) use memory::Memory;
#[cfg(feature = "sqlite")]
pub(crate) use path::{Identity, identity};
#[cfg(feature = "sqlite")]
pub(crate) use sqlite::{Sqlite, database_path};
#[cfg(feature = "sqlite")]
pub(crate) use starts::{Began, CrashLoop, LOOP_WINDOW, Start};
pub(crate) use upkeep::{FILE_CAP_BYTES, KEPT_DEAD, KEPT_DELIVERED, Prune};

/// How long past its deadline a delivery that nobody claims is kept.
#[cfg(feature = "sqlite")]
const ABANDONED_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// How many incidents one message shows; more are counted.
pub(crate) const SAMPLES_PER_NOTICE: usize = 100;

/// How many incidents may be open; the events of more are counted in one for
/// each level.
pub(crate) const MOST_INCIDENTS: usize = 500;

/// What the store needs to make incidents and notices.
pub(crate) struct Maker<'a> {
    /// Draws a public id.
    pub(crate) new_id: &'a dyn Fn() -> String,
    pub(crate) run: Uuid,
    pub(crate) process: &'a Process,
}

/// How often an id is drawn that nothing in the store has: by it, a message is
/// looked for at its provider.
const MOST_DRAWS: usize = 8;

/// A recipient who is told of every incident at `level` or above.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) sink: &'static str,
    pub(crate) recipient: String,
    pub(crate) level: Level,
    pub(crate) rhythm: Rhythm,
}

/// How a sink's recipients are told.
#[derive(Clone, Debug)]
pub(crate) struct Channel {
    pub(crate) sink: &'static str,
    pub(crate) rhythm: Rhythm,
    /// What each recipient may get; none if that is not limited.
    pub(crate) budget: Option<Budget>,
    /// What all of them together may cost a day, in segments.
    pub(crate) segments_per_day: Option<u32>,
    /// How long a delivery is repeated before it is dead.
    pub(crate) deadline: Duration,
}

/// What came of a look at what there is to tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Told {
    /// The last notice that was made, or that more was added to.
    pub(crate) notice: Option<i64>,
    /// When there will be something to decide.
    pub(crate) next: Option<SystemTime>,
}

/// A place in the order of incidents and notices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) notice: i64,
    pub(crate) incident: i64,
}

impl Mark {
    /// After everything there will be.
    pub(crate) const ALL: Self = Self { notice: i64::MAX, incident: i64::MAX };
}

/// Deliveries through one sink that ended undelivered, and nobody was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Dead {
    /// How many.
    pub(crate) count: u64,
    /// To whom the last of them was.
    pub(crate) recipient: String,
    /// The public id of its notice.
    pub(crate) public_id: String,
    /// Why it is dead.
    pub(crate) reason: String,
}

/// A delivery that this process may attempt until its lease ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Claim {
    pub(crate) key: Uuid,
    pub(crate) notice_id: i64,
    pub(crate) recipient: String,
    /// Which attempt this is, from one.
    pub(crate) attempt: u32,
    /// Grows with each claim: an older claim's answer is refused.
    pub(crate) token: i64,
    /// Whether an earlier attempt may have reached the recipient: its answer was
    /// [`SendError::Ambiguous`], or never came.
    pub(crate) is_doubtful: bool,
    pub(crate) expires_at: SystemTime,
}

/// Why the store could not do it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// Another process holds the file's write lock; worth repeating.
    #[cfg_attr(not(feature = "sqlite"), expect(dead_code, reason = "there is no file"))]
    #[error("the database is busy")]
    Busy,
    /// The memory store holds as many events as it may.
    #[error("memory is full")]
    Full,
    /// The file is damaged, or no database.
    #[cfg_attr(not(feature = "sqlite"), expect(dead_code, reason = "there is no file"))]
    #[error("{0}")]
    Damaged(String),
    /// A row breaks a rule of the schema. No statement of ours does that in a file
    /// that keeps them; what was read from a damaged one may.
    #[cfg_attr(not(feature = "sqlite"), expect(dead_code, reason = "there is no file"))]
    #[error("{0}")]
    Broken(String),
    /// Anything else that the database said.
    #[error("{0}")]
    Failed(String),
}

/// The store in use.
#[cfg_attr(feature = "sqlite", expect(clippy::large_enum_variant, reason = "there is but one"))]
pub(crate) enum Store {
    Memory(Memory),
    #[cfg(feature = "sqlite")]
    Sqlite(Box<Sqlite>),
}

/// Calls the same method of whichever store is in use.
macro_rules! either {
    ($self:ident, $store:ident => $call:expr, $awaited:expr) => {
        match $self {
            Self::Memory($store) => $call,
            #[cfg(feature = "sqlite")]
            Self::Sqlite($store) => $awaited.await,
        }
    };
}

impl Store {
    /// Commits `batch` and `losses` to their incidents; opens those that are
    /// new, for the recipients whom their levels concern.
    pub(crate) async fn persist(
        &mut self,
        batch: &[Captured],
        losses: &Losses,
        maker: &Maker<'_>,
        targets: &[Target],
        now: SystemTime,
    ) -> Result<(), StoreError> {
        either!(self, store =>
            store.persist(batch, losses, maker, targets, now),
            store.persist(batch, losses, maker, targets, now))
    }

    /// Adds the backtrace to an event that was committed without it.
    pub(crate) async fn add_backtrace(
        &mut self,
        fingerprint: &[u8],
        backtrace: &str,
    ) -> Result<(), StoreError> {
        either!(self, store =>
            store.add_backtrace(fingerprint, backtrace),
            store.add_backtrace(fingerprint, backtrace))
    }

    /// Makes, for each recipient of `channel` of whose incidents something is to
    /// be told at `now`, one message of it. If that is `hurried`, what is new is
    /// told at once.
    pub(crate) async fn tell(
        &mut self,
        channel: &Channel,
        maker: &Maker<'_>,
        hurried: bool,
        now: SystemTime,
    ) -> Result<Told, StoreError> {
        either!(self, store =>
            store.tell(channel, maker, hurried, now),
            store.tell(channel, maker, hurried, now))
    }

    /// Claims up to `limit` deliveries of `sink` that are due at `now`: each
    /// counts one attempt and is leased until `lease_until`.
    pub(crate) async fn claim(
        &mut self,
        sink: &str,
        limit: usize,
        lease_until: SystemTime,
        now: SystemTime,
    ) -> Result<Vec<Claim>, StoreError> {
        either!(self, store =>
            store.claim(sink, limit, lease_until, now),
            store.claim(sink, limit, lease_until, now))
    }

    /// Reads what a claimed delivery has to tell.
    pub(crate) async fn notice(&mut self, claim: &Claim) -> Result<Notice, StoreError> {
        either!(self, store => store.notice(claim), store.notice(claim))
    }

    /// pending → delivered, at a cost of `segments`. False if the claim was no
    /// longer valid.
    pub(crate) async fn deliver(
        &mut self,
        claim: &Claim,
        reference: Option<&str>,
        segments: u32,
        now: SystemTime,
    ) -> Result<bool, StoreError> {
        either!(self, store =>
            store.deliver(claim, reference, segments, now),
            store.deliver(claim, reference, segments, now))
    }

    /// pending → pending, due again at `due_at`. False as above.
    pub(crate) async fn retry(
        &mut self,
        claim: &Claim,
        error: &SendError,
        due_at: SystemTime,
    ) -> Result<bool, StoreError> {
        either!(self, store => store.retry(claim, error, due_at), store.retry(claim, error, due_at))
    }

    /// pending → pending, due again at `due_at`, and the attempt does not count.
    /// False as above.
    pub(crate) async fn release(
        &mut self,
        claim: &Claim,
        error: Option<&str>,
        due_at: SystemTime,
    ) -> Result<bool, StoreError> {
        either!(self, store => store.release(claim, error, due_at), store.release(claim, error, due_at))
    }

    /// pending → dead. False as above.
    pub(crate) async fn bury(
        &mut self,
        claim: &Claim,
        reason: &str,
        now: SystemTime,
    ) -> Result<bool, StoreError> {
        either!(self, store => store.bury(claim, reason, now), store.bury(claim, reason, now))
    }

    /// Notes that the recipient of a claimed delivery was refused for good.
    pub(crate) async fn refuse(&mut self, claim: &Claim, now: SystemTime) -> Result<(), StoreError> {
        either!(self, store => { store.refuse(claim, now); Ok(()) }, store.refuse(claim, now))
    }

    /// pending → dead without an attempt, if the recipient was refused after
    /// `since`; nobody is told once more. False if it was not.
    pub(crate) async fn skip_refused(
        &mut self,
        claim: &Claim,
        since: SystemTime,
        now: SystemTime,
    ) -> Result<bool, StoreError> {
        either!(self, store => Ok(store.skip_refused(claim, since, now)), store.skip_refused(claim, since, now))
    }

    /// Opens an incident of what is dead and untold in `sink`, for `targets`, as
    /// `tell` makes it. False if nothing is to be told, or if the last time was
    /// after `not_since`. What is about the dead, and dead itself, is never told.
    pub(crate) async fn tell_of_dead(
        &mut self,
        sink: &str,
        not_since: SystemTime,
        tell: impl Fn(&Dead) -> Captured,
        maker: &Maker<'_>,
        targets: &[Target],
        now: SystemTime,
    ) -> Result<bool, StoreError> {
        either!(self, store =>
            Ok(store.tell_of_dead(sink, not_since, tell, maker, targets, now)),
            store.tell_of_dead(sink, not_since, tell, maker, targets, now))
    }

    /// When the next delivery of `sink` is due, leases included.
    pub(crate) async fn next_due(&mut self, sink: &str) -> Result<Option<SystemTime>, StoreError> {
        either!(self, store => Ok(store.next_due(sink)), store.next_due(sink))
    }

    /// The last of what there is now.
    pub(crate) async fn mark(&mut self) -> Result<Mark, StoreError> {
        either!(self, store => Ok(store.mark()), store.mark())
    }

    /// How many messages of `run`, or with one of its incidents, are pending up to
    /// `mark`; and how many recipients were never told of one of those.
    pub(crate) async fn pending(&mut self, run: Uuid, mark: Mark) -> Result<u64, StoreError> {
        either!(self, store => Ok(store.pending(run, mark)), store.pending(run, mark, &[]))
    }

    /// Where the events of all its incidents are.
    pub(crate) async fn events(&mut self) -> Result<EventCounts, StoreError> {
        either!(self, store => Ok(store.events()), store.events())
    }

    /// pending → dead, for what nobody claimed for a day after its deadline, and
    /// what was to be told a day ago is not any more: no process has its sink, nor
    /// is it of our `own`. Returns how many messages that were.
    pub(crate) async fn bury_abandoned(&mut self, own: &[&str], now: SystemTime) -> Result<u64, StoreError> {
        either!(self, store => Ok(store.bury_abandoned(own, now)), store.bury_abandoned(own, now))
    }

    /// The sinks with deliveries that ended undelivered, and nobody was told.
    pub(crate) async fn sinks_of_dead(&mut self) -> Result<Vec<String>, StoreError> {
        either!(self, store => Ok(store.sinks_of_dead()), store.sinks_of_dead())
    }

    /// Counts what an attempt may have cost that did not end in
    /// [`deliver`](Self::deliver).
    pub(crate) async fn charge(
        &mut self,
        sink: &'static str,
        segments: u32,
        now: SystemTime,
    ) -> Result<(), StoreError> {
        either!(self, store => { store.charge(sink, segments, now); Ok(()) }, store.charge(sink, segments, now))
    }

    /// Closes the file, if there is one.
    pub(crate) async fn shut(&mut self) {
        match std::mem::replace(self, Self::Memory(Memory::default())) {
            Self::Memory(_) => (),
            #[cfg(feature = "sqlite")]
            Self::Sqlite(store) => store.shut().await,
        }
    }
}
