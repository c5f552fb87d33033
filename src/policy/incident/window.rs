//! [`Window`]: how long who heard something waits for what is new.
//!
//! Windows in a row grow as long as something new comes in each of them, until they
//! use a quarter of a day's messages: a flood of new kinds leaves room for the rest
//! of the day. What comes later than a window of the usual length waits for no longer
//! one.
//! Invariant: pure. A panic, or a kind never seen before, waits for no window that only
//! something lesser began.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use tracing::Level;

use super::{Rhythm, Standing};
use crate::{
    host::time::Saturating,
    policy::{
        budget::{Account, Budget},
        calendar::DAY,
    },
};

/// How bad something is; a panic is worse than any level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Rank(u8);

impl Rank {
    pub(crate) const PANIC: Self = Self(6);

    pub(crate) fn of(level: Level, is_panic: bool) -> Self {
        match level {
            _ if is_panic => Self::PANIC,
            Level::ERROR => Self(5),
            Level::WARN => Self(4),
            Level::INFO => Self(3),
            Level::DEBUG => Self(2),
            Level::TRACE => Self(1),
        }
    }
}

/// What a message told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Heard {
    /// The worst of it.
    pub(crate) worst: Rank,
    /// The worst that was never seen before.
    pub(crate) worst_new: Rank,
}

impl Heard {
    /// The same with `standing`.
    pub(super) fn with(self, standing: &Standing) -> Self {
        let new = if standing.is_never_seen() { standing.rank } else { Rank::default() };
        Self { worst: self.worst.max(standing.rank), worst_new: self.worst_new.max(new) }
    }
}

/// Until when who heard something hears of nothing else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Window {
    pub(super) until: Option<SystemTime>,
    pub(super) heard: Heard,
}

impl Window {
    /// That of what a recipient heard last, at its usual length.
    pub(crate) fn of(account: &Account, rhythm: &Rhythm, now: SystemTime) -> Self {
        Self::new(account, rhythm.window, now)
    }

    /// The same, as long as it is if any of `standings` waits since it was open.
    pub(super) fn with(
        account: &Account,
        rhythm: &Rhythm,
        budget: Option<&Budget>,
        standings: &[Standing],
        now: SystemTime,
    ) -> Self {
        let usual = Self::of(account, rhythm, now);
        let waits = |it: &Standing| it.is_told_first() && usual.until.is_some_and(|end| it.came_at() < end);
        if standings.iter().any(waits) {
            Self::new(account, length(rhythm.window, account.in_a_row, budget), now)
        } else {
            usual
        }
    }

    fn new(account: &Account, length: Duration, now: SystemTime) -> Self {
        // A time that is still to come was written before the clock jumped back.
        let until = account.heard_at.map(|at| at.min(now).later(length));
        Self { until, heard: account.heard }
    }
}

/// How many messages in a row there are with one that tells of `told` at `now`, each of
/// which had to wait.
pub(super) fn in_a_row<'a>(
    account: &Account,
    rhythm: &Rhythm,
    told: impl IntoIterator<Item = &'a Standing>,
    now: SystemTime,
) -> u32 {
    let has_waited =
        |it: &Standing| it.is_told_first() && it.came_at().later(rhythm.settle).later(AT_ONCE) < now;
    if told.into_iter().any(has_waited) { account.in_a_row.saturating_add(1) } else { 0 }
}

/// How long a window is after so many in a row.
fn length(usual: Duration, in_a_row: u32, budget: Option<&Budget>) -> Duration {
    let Some(budget) = budget else { return usual };
    let longest = DAY.checked_div(budget.share()).unwrap_or(DAY).max(usual);
    usual.saturating_mul(2_u32.saturating_pow(in_a_row.saturating_sub(USUAL_WINDOWS))).min(longest)
}

/// What was told so soon has not waited.
const AT_ONCE: Duration = Duration::from_secs(10);

/// So many windows in a row are not longer than usual.
const USUAL_WINDOWS: u32 = 3;

impl Standing {
    /// When it began to wait.
    fn came_at(&self) -> SystemTime {
        self.back_at.unwrap_or(self.opened_at)
    }

    /// Whether it is new, or came back and had no hold to wait for.
    fn is_told_first(&self) -> bool {
        self.told_at.is_none() || self.is_back
    }

    pub(super) fn is_never_seen(&self) -> bool {
        self.is_new && self.told_at.is_none()
    }

    /// Whether it need not wait for the end of `window`.
    pub(super) fn passes(&self, window: &Window) -> bool {
        self.is_urgent
            || (self.is_never_seen() && window.heard.worst_new < self.rank)
            || (self.rank == Rank::PANIC && window.heard.worst < self.rank)
    }
}
