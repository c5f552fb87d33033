//! Starts, as a fleet sees them: what no file tells, as it was lost with its instance.
//!
//! Invariant: an instance on a file that the fleet knows tells of no loop: the file does.

use super::{super::Dispatcher, station::Station};
use crate::{
    outbox::{LOOP_WINDOW, StoreError},
    queue::flush::Goal,
};

/// What the fleet was told of this instance's start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OwnStart {
    /// Nothing.
    Unsaid,
    /// When it was; and those before it are still to be judged.
    Unjudged,
    Judged,
}

impl OwnStart {
    pub(super) fn is_unsaid(self) -> bool {
        self == Self::Unsaid
    }

    /// Notes that the fleet knows it; `is_new` is whether it did not know its store.
    pub(super) fn note_said(&mut self, is_new: bool) {
        if self.is_unsaid() {
            *self = if is_new { Self::Unjudged } else { Self::Judged };
        }
    }
}

impl Dispatcher<'_> {
    /// Tells of it if too many instances began and failed before this one; but not while
    /// something waits to be handed over, which goes first.
    pub(super) async fn judge_starts_of_fleet(&mut self, station: &mut Station) {
        let age = self.inbox.since.elapsed();
        let is_due = station.start == OwnStart::Unjudged && station.requests.is_empty();
        if !is_due || !self.tells_crash_loops || age >= LOOP_WINDOW {
            return;
        }
        let now = self.now();
        match self.judge_starts(station.store, age, now).await {
            // Others judge at the same time, or it went away; the next look tries again.
            Err(StoreError::Busy | StoreError::Unreachable(_)) => (),
            // What fails will fail when it matters, and is told of then.
            Ok(()) | Err(_) => station.start = OwnStart::Judged,
        }
    }

    /// Has the fleet told how this process ends, which is of no concern to it without an
    /// error. If nobody says so, the others see that it does not look any more.
    pub(in crate::dispatcher) fn say_if_it_ends(&mut self) {
        let at_exit = self.inbox.flushes.iter().any(|waiter| waiter.flush.goal == Goal::FirstAttempts);
        let ends = at_exit || self.inbox.ending.is_some();
        let may_count = self.inbox.has_erred && self.inbox.since.elapsed() < LOOP_WINDOW;
        let fails = self.fails();
        if let Some(link) = &mut self.inbox.link
            && ends
            && may_count
            && self.tells_crash_loops
        {
            link.leave(fails);
        }
    }
}
