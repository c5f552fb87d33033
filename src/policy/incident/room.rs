//! [`Room`]: whether a recipient may get one more message, whatever it is about.
//!
//! Invariant: pure. What may have been sent holds up its own kinds, and the others no
//! longer than for windows.

use std::time::SystemTime;

use super::{PENDING_PAUSE, Rhythm};
use crate::{
    host::time::Saturating,
    policy::budget::{Account, Limits, MAX_SEGMENTS, three_quarters},
};

/// What a recipient's messages cost, and how many are under way or in doubt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Room {
    /// How many messages are pending; of many, the number makes no difference.
    pub(crate) pending: u64,
    /// What they may cost a day, in segments; none if that is not limited.
    pub(crate) segments_per_day: Option<u32>,
}

impl Room {
    /// Until when no new message is made, which would tell of something never seen
    /// before, or would not.
    pub(super) fn blocked_until(
        &self,
        account: &Account,
        rhythm: &Rhythm,
        limits: &Limits<'_>,
        is_new: bool,
        now: SystemTime,
    ) -> Option<SystemTime> {
        if self.exceeds(account, limits, 0, is_new, now) {
            return Some(account.segments.tomorrow(limits.calendar, now));
        }
        let soon = now.later(PENDING_PAUSE);
        if self.exceeds(account, limits, self.pending, is_new, now) {
            return Some(soon);
        }
        let more = u32::try_from(self.pending.checked_sub(MAX_PENDING)?).unwrap_or(u32::MAX);
        let wait = rhythm.window.max(PENDING_PAUSE).saturating_mul(2_u32.saturating_pow(more));
        let ends = account.heard_at?.min(now).later(wait);
        // Sooner if one of them is settled before.
        (ends > now).then(|| ends.min(soon))
    }

    /// Whether after one more message no other may tell of what is known today.
    pub(super) fn is_last(&self, account: &Account, limits: &Limits<'_>, now: SystemTime) -> bool {
        let exceeds = |messages: u64| self.exceeds(account, limits, messages, false, now);
        exceeds(self.pending.saturating_add(1)) && !exceeds(self.pending)
    }

    /// Whether one more message may cost too much, with so many others.
    fn exceeds(
        &self,
        account: &Account,
        limits: &Limits<'_>,
        others: u64,
        is_new: bool,
        now: SystemTime,
    ) -> bool {
        let spent = u64::from(account.segments.today(limits.calendar, now));
        let messages = others.saturating_add(1);
        let cost = spent.saturating_add(messages.saturating_mul(u64::from(MAX_SEGMENTS)));
        self.segments_per_day.is_some_and(|all| {
            let limit = if is_new { all } else { three_quarters(all) };
            cost > u64::from(limit)
        })
    }
}

/// So many messages to one recipient may be under way or in doubt at once; each more
/// waits for windows.
pub(crate) const MAX_PENDING: u64 = 3;
