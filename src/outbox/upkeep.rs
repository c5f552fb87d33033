//! What a store does besides its work: it forgets what is long settled, and
//! mends due times that the clock left behind.
//!
//! Invariant: nothing here touches a notice of which somebody is still to be
//! told, but to have them told sooner.

use std::time::{Duration, SystemTime};

use uuid::Uuid;

use super::{
    ABANDONED_AFTER, Store, StoreError,
    keep::{Keep, turn},
    scope::{Question, Scope},
    store::{decide, keep},
};
use crate::host::time::Saturating;

/// What has been delivered to everybody is kept this long.
pub(crate) const KEPT_DELIVERED: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// What did not reach somebody is kept this long.
pub(crate) const KEPT_DEAD: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// How large the file may become before what is settled goes early, as
/// [`ROOM_PERCENT`] says. Not a limit that SQLite enforces: what is pending is
/// worth more than the room.
pub(crate) const FILE_CAP_BYTES: u64 = 64 * 1024 * 1024;

/// How large the write-ahead log becomes while nobody holds it up, with much to
/// spare.
pub(crate) const MAX_LOG_BYTES: u64 = 16 * 1024 * 1024;

/// The part of [`FILE_CAP_BYTES`] that is used without need to make room.
#[cfg(feature = "sqlite")]
pub(super) const ROOM_PERCENT: u64 = 80;

/// Which notices a step may delete, if all their deliveries are settled; and
/// which incidents, if they ended and no notice tells of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Prune {
    /// Those that nobody will want to look up any more.
    Expired {
        /// The delivery was settled by then, or the incident ended.
        delivered_by: SystemTime,
        /// The same of a delivery that is dead.
        dead_by: SystemTime,
    },
    /// All that are settled by then, but for what somebody is still to be told of or asked
    /// after.
    #[cfg_attr(not(feature = "cli"), expect(dead_code, reason = "the command has somebody ask for it"))]
    Settled { by: SystemTime },
    /// The oldest, as many as a file that may have this many bytes has too many.
    Excess {
        cap_bytes: u64,
        /// What is dead since then, and nobody was told of, stays.
        untold_since: SystemTime,
    },
}

/// What a step of pruning came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pruned {
    /// How many notices are gone.
    pub(crate) notices: u64,
    /// How many incidents are gone.
    pub(crate) incidents: u64,
    /// Whether another step would find something to do.
    pub(crate) more: bool,
    /// How many bytes of the file hold something.
    pub(crate) used_bytes: u64,
    /// How large its write-ahead log is: it grows as long as somebody reads in one
    /// transaction.
    pub(crate) log_bytes: u64,
}

impl Store {
    /// Deletes some of the notices that `what` names, with their deliveries, or of
    /// the incidents that no notice tells of any more, and gives room that is free
    /// back to the disk. The notice and the delivery that were made last stay, so
    /// that no id ever comes again. Memory keeps nothing that is settled.
    pub(crate) async fn prune(&mut self, what: Prune) -> Result<Pruned, StoreError> {
        keep!(self, keeper => keeper.prune(what))
    }

    /// If anything happened at a time that is still to come, the clock jumped back:
    /// then it happened now, or its end would be waited for, and of everything it
    /// is decided anew what there is to tell and when.
    pub(crate) async fn reconsider(&mut self, now: SystemTime) -> Result<(), StoreError> {
        if !keep!(self, keeper => keeper.ask(&Question::Ahead { now }))? {
            return Ok(());
        }
        decide!(self, Scope::Live, |page| page.reconsider(now))
    }

    /// Moves what is pending of notices that `run` made, with its deadlines, by so
    /// many milliseconds.
    pub(crate) async fn shift(&mut self, run: Uuid, millis: i64) -> Result<(), StoreError> {
        decide!(self, Scope::Pending, |page| page.shift(run, millis))
    }

    /// Makes due at `now` what is pending and due later than any delay can be:
    /// the clock jumped back. That is `first_by` for what was never claimed, and
    /// `again_by` for the rest. Returns how many deliveries.
    pub(crate) async fn pull_forward(
        &mut self,
        first_by: SystemTime,
        again_by: SystemTime,
        now: SystemTime,
    ) -> Result<u64, StoreError> {
        if !keep!(self, keeper => keeper.ask(&Question::Late { first_by, again_by }))? {
            return Ok(0);
        }
        decide!(self, Scope::Pending, |page| page.pull_forward(first_by, again_by, now))
    }

    /// Gives more time to what was due `before` in one of these sinks, and nobody took: it
    /// has the deadline of its sink from `now` on. Returns how many messages.
    pub(crate) async fn prolong(
        &mut self,
        deadlines: &[(&str, Duration)],
        before: SystemTime,
        now: SystemTime,
    ) -> Result<u64, StoreError> {
        let sinks: Vec<&str> = deadlines.iter().map(|(sink, _)| *sink).collect();
        if !keep!(self, keeper => keeper.ask(&Question::Left { sinks: &sinks, before }))? {
            return Ok(0);
        }
        decide!(self, Scope::Pending, |page| page.prolong(deadlines, before, now))
    }

    /// pending → dead, for what nobody claimed for a day after its deadline, and
    /// what was to be told a day ago is not any more: no process has its sink, nor
    /// is it of our `own`. Returns how many messages that were.
    pub(crate) async fn bury_abandoned(&mut self, own: &[&str], now: SystemTime) -> Result<u64, StoreError> {
        if !keep!(self, keeper => keeper.ask(&Question::Abandoned { own, before: now.earlier(ABANDONED_AFTER) }))?
        {
            return Ok(0);
        }
        decide!(self, Scope::Live, |page| page.bury_abandoned(own, now))
    }
}
