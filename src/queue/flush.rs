//! [`Flush`]: a wish to see everything before it through, and what came of it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use crate::host::signal::Signal;

/// Asks the dispatcher to see everything before it through.
#[derive(Clone, Debug)]
pub(crate) struct Flush {
    pub(crate) goal: Goal,
    /// Nobody waits for it any longer than this.
    pub(crate) deadline: Instant,
    pub(crate) done: Arc<Signal<FlushReport>>,
}

impl Flush {
    /// A little before the deadline: an answer on the minute comes too late.
    pub(crate) fn answer_by(&self) -> Instant {
        let margin = match self.goal {
            Goal::FirstAttempts => GIVE_BACK_MARGIN,
            Goal::Delivered | Goal::Shutdown => ANSWER_MARGIN,
        };
        self.deadline.checked_sub(margin).unwrap_or(self.deadline)
    }
}

/// How far a [`Flush`] goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Goal {
    /// Everything is committed, and what can be attempted now has been. As the
    /// process ends then, what is still under way is given back.
    FirstAttempts,
    /// Everything is delivered or dead.
    Delivered,
    /// As [`Goal::Delivered`]; then the alert thread ends.
    Shutdown,
}

/// What a [`flush`](crate::AlertHandle::flush) or a [`shutdown`](crate::AlertHandle::shutdown)
/// left.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct FlushReport {
    /// Events committed to the store since the layer was built.
    pub persisted: u64,
    /// Deliveries that a provider accepted since the layer was built.
    pub delivered: u64,
    /// Deliveries of this layer's alerts that are still to be made. They are in
    /// the store: while the alert thread runs it goes on trying, and after that
    /// the next start does.
    pub pending: u64,
    /// False if the time was up first: then events may still be in the queue.
    /// False, at once, in a forked child of the process that built the layer.
    pub in_time: bool,
}

impl FlushReport {
    /// True if everything was seen through: nothing is queued or pending.
    pub fn is_complete(&self) -> bool {
        self.in_time && self.pending == 0
    }
}

/// How long before its deadline a flush is answered with what is left.
const ANSWER_MARGIN: Duration = Duration::from_millis(20);

/// How long before the end of the process it begins to give back what is under
/// way: some writes, on a machine that may be busy.
const GIVE_BACK_MARGIN: Duration = Duration::from_millis(400);
