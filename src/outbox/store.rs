//! [`Store`]: the outbox in memory or in a file, with the same functions.
//!
//! Each function names what it needs, and what the page decides; nothing else is
//! known here of either store.
//! Invariant: decides nothing, and waits for nothing but its own storage.

use std::time::SystemTime;

use uuid::Uuid;

use super::{
    Captured, Channel, Claim, Dead, Maker, Mark, Memory, Page, StoreError, Target, Told,
    batch::{arrival_of, arrivals},
};
#[cfg(feature = "sqlite")]
use super::{Sqlite, scope::Scope};
use crate::{
    event::loss::Losses,
    policy::{notice::Notice, send_error::SendError},
    queue::stats::EventCounts,
};

/// The store in use.
#[cfg_attr(feature = "sqlite", expect(clippy::large_enum_variant, reason = "there is but one"))]
pub(crate) enum Store {
    Memory(Memory),
    #[cfg(feature = "sqlite")]
    Sqlite(Box<Sqlite>),
}

/// Decides on a page: that of memory, or the part of a file that a scope names.
/// `$new_id` draws public ids.
macro_rules! turn {
    ($self:ident, $scope:expr, $new_id:expr, $decide:expr) => {
        match $self {
            Self::Memory(memory) => Ok(memory.turn($decide)),
            #[cfg(feature = "sqlite")]
            Self::Sqlite(file) => file.turn(&$scope, $new_id, $decide).await,
        }
    };
    ($self:ident, $scope:expr, $decide:expr) => {
        turn!($self, $scope, &String::new, $decide)
    };
}

pub(super) use turn;

/// Asks memory's page, or a file by a statement of its own.
macro_rules! ask {
    ($self:ident, $memory:ident => $read:expr, $file:ident => $query:expr) => {
        match $self {
            Self::Memory($memory) => Ok($read),
            #[cfg(feature = "sqlite")]
            Self::Sqlite($file) => $query.await,
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
        match self {
            Self::Memory(memory) => memory.must_have_room()?,
            #[cfg(feature = "sqlite")]
            Self::Sqlite(_) => (),
        }
        let arrivals = arrivals(batch, losses, now);
        #[cfg(feature = "sqlite")]
        let fingerprints: Vec<_> = arrivals.iter().map(|arrival| arrival.fingerprint.clone()).collect();
        #[cfg(feature = "sqlite")]
        let fingerprints = fingerprints.iter().map(Vec::as_slice).collect();
        #[cfg(feature = "sqlite")]
        let said: Vec<_> =
            arrivals.iter().filter_map(|arrival| Some((arrival.said.clone()?, arrival.count))).collect();
        #[cfg(feature = "sqlite")]
        let said = said.iter().map(|(said, count)| (&**said, *count)).collect();
        turn!(self, Scope::Batch { fingerprints, said, targets, now }, maker.new_id, |page| {
            page.join(arrivals, maker, targets, now);
        })
    }

    /// Adds the backtrace to an event that was committed without it.
    pub(crate) async fn add_backtrace(
        &mut self,
        fingerprint: &[u8],
        backtrace: &str,
    ) -> Result<(), StoreError> {
        turn!(self, Scope::FirstEvent(fingerprint), |page| page.add_backtrace(fingerprint, backtrace))
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
        let decide = |page: &mut Page| page.tell(channel, maker, hurried, now);
        match self {
            Self::Memory(memory) => Ok(memory.turn(decide)),
            #[cfg(feature = "sqlite")]
            Self::Sqlite(file) => {
                let told = match file.has_waiting(channel.sink, hurried, now).await? {
                    true => file.turn(&Scope::Desk { channel, hurried, now }, maker.new_id, decide).await?,
                    false => Told::default(),
                };
                Ok(Told { next: file.next_look(channel.sink).await?, ..told })
            }
        }
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
        ask!(self, memory => memory.turn(|page| page.claim(sink, limit, lease_until, now)),
            file => file.claim(sink, limit, lease_until, now))
    }

    /// Reads what a claimed delivery has to tell.
    pub(crate) async fn notice(&mut self, claim: &Claim) -> Result<Notice, StoreError> {
        let notice = ask!(self, memory => memory.page.notice(claim.notice_id),
            file => file.notice(claim.notice_id));
        notice?.ok_or_else(|| StoreError::Failed("a notice vanished".to_owned()))
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
        turn!(self, Scope::Settled { claim, now }, |page| page.deliver(claim, reference, segments, now))
    }

    /// pending → pending, due again at `due_at`. False as above.
    pub(crate) async fn retry(
        &mut self,
        claim: &Claim,
        error: &SendError,
        due_at: SystemTime,
    ) -> Result<bool, StoreError> {
        turn!(self, Scope::Claimed(claim), |page| page.retry(claim, error, due_at))
    }

    /// pending → pending, due again at `due_at`, and the attempt does not count.
    /// False as above.
    pub(crate) async fn release(
        &mut self,
        claim: &Claim,
        error: Option<&str>,
        due_at: SystemTime,
    ) -> Result<bool, StoreError> {
        turn!(self, Scope::Claimed(claim), |page| page.release(claim, error, due_at))
    }

    /// pending → dead. False as above.
    pub(crate) async fn bury(
        &mut self,
        claim: &Claim,
        reason: &str,
        now: SystemTime,
    ) -> Result<bool, StoreError> {
        turn!(self, Scope::Settled { claim, now }, |page| page.bury(claim, reason, now))
    }

    /// Notes that the recipient of a claimed delivery was refused for good.
    pub(crate) async fn refuse(&mut self, claim: &Claim, now: SystemTime) -> Result<(), StoreError> {
        turn!(self, Scope::Nothing, |page| page.refuse(claim, now))
    }

    /// pending → dead without an attempt, if the recipient was refused after
    /// `since`; nobody is told once more. False if it was not.
    pub(crate) async fn skip_refused(
        &mut self,
        claim: &Claim,
        since: SystemTime,
        now: SystemTime,
    ) -> Result<bool, StoreError> {
        #[cfg(feature = "sqlite")]
        if let Self::Sqlite(file) = self
            && !file.has_refusal(claim, since).await?
        {
            return Ok(false);
        }
        turn!(self, Scope::Settled { claim, now }, |page| page.skip_refused(claim, since, now))
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
        let decide = |page: &mut Page| page.tell_of_dead(sink, not_since, now).map(|dead| tell(&dead));
        match self {
            Self::Memory(memory) => Ok(memory.turn(|page| {
                let captured = decide(page);
                captured.iter().for_each(|it| page.join(arrival_of(it, now), maker, targets, now));
                captured.is_some()
            })),
            #[cfg(feature = "sqlite")]
            Self::Sqlite(file) => {
                if !file.sinks_of_dead().await?.iter().any(|dead| dead == sink) {
                    return Ok(false);
                }
                file.turn_and_join(&Scope::Dead(sink), decide, maker, targets, now).await
            }
        }
    }

    /// When the next delivery of `sink` is due, leases included.
    pub(crate) async fn next_due(&mut self, sink: &str) -> Result<Option<SystemTime>, StoreError> {
        ask!(self, memory => memory.page.next_due(sink), file => file.next_due(sink))
    }

    /// The last of what there is now.
    pub(crate) async fn mark(&mut self) -> Result<Mark, StoreError> {
        ask!(self, memory => memory.page.mark(), file => file.mark())
    }

    /// How many messages of `run`, or with one of its incidents, are pending up to
    /// `mark`; and how many recipients were never told of one of those.
    pub(crate) async fn pending(&mut self, run: Uuid, mark: Mark) -> Result<u64, StoreError> {
        ask!(self, memory => memory.page.pending(run, mark), file => file.pending(run, mark, &[]))
    }

    /// Where the events of all its incidents are.
    pub(crate) async fn events(&mut self) -> Result<EventCounts, StoreError> {
        ask!(self, memory => memory.events(), file => file.events())
    }

    /// The sinks with deliveries that ended undelivered, and nobody was told.
    pub(crate) async fn sinks_of_dead(&mut self) -> Result<Vec<String>, StoreError> {
        ask!(self, memory => memory.page.sinks_of_dead(), file => file.sinks_of_dead())
    }

    /// Counts what an attempt may have cost that did not end in
    /// [`deliver`](Self::deliver).
    pub(crate) async fn charge(
        &mut self,
        sink: &'static str,
        segments: u32,
        now: SystemTime,
    ) -> Result<(), StoreError> {
        turn!(self, Scope::Cost(sink), |page| page.charge(sink, segments, now))
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
