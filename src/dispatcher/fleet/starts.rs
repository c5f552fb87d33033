//! Starts, as a fleet sees them: what no file tells, as it was lost with its instance.
//!
//! Invariant: an instance on a file that the fleet knows tells of no loop: the file does.

use super::{super::Dispatcher, Request, station::Station};
use crate::outbox::{LOOP_WINDOW, StoreError};

/// What the fleet was told of this instance's start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OwnStart {
    /// Nothing.
    Unsaid,
    /// When it was; and those before it are still to be judged.
    Unjudged,
    Judged,
    /// The process ends after an error.
    Ends {
        fails: bool,
    },
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

    pub(super) fn end(&mut self, fails: bool) {
        *self = Self::Ends { fails };
    }
}

impl Dispatcher<'_> {
    /// Tells of it if too many instances began and failed before this one.
    pub(super) async fn judge_starts_of_fleet(&mut self, station: &mut Station) {
        let age = self.inbox.since.elapsed();
        if station.start != OwnStart::Unjudged || !self.tells_crash_loops || age >= LOOP_WINDOW {
            return;
        }
        let now = self.now();
        match self.judge_starts(station.store, age, now).await {
            // Others judge at the same time; the next look tries again.
            Err(StoreError::Busy) => (),
            // What fails will fail when it matters, and is told of then.
            Ok(()) | Err(_) => station.start = OwnStart::Judged,
        }
    }

    /// Says how the process ends, if that was asked.
    pub(super) async fn leave(&mut self, station: &Station) {
        if let OwnStart::Ends { fails } = station.start
            && station.is_reached == Some(true)
            && let Some(fleet) = self.outbox.fleet()
        {
            // Without it, the others see that it does not look any more.
            drop(fleet.leave(fails).await);
        }
    }

    /// What the fleet is to be told of the end of this process: that of one without an error
    /// is none of its concern.
    pub(super) fn last_words(&self) -> Option<Request> {
        let may_count = self.inbox.has_erred && self.inbox.since.elapsed() < LOOP_WINDOW;
        (may_count && self.tells_crash_loops).then(|| Request::Leave { fails: self.fails() })
    }
}
