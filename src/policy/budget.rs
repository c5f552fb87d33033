//! How many messages one recipient may get: a token bucket and a day's limit.
//!
//! Invariant: pure; what was spent lives in the store, so that a restart, or
//! another process on the same file, spends from the same budget.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::{event::millis_or_none, host::time::Saturating};

/// How many messages a recipient may get. What exceeds it waits, and comes with the
/// next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Budget {
    /// How many messages may follow one another at once.
    pub burst: u32,
    /// After that, one message in this time.
    pub refill: Duration,
    /// How many messages a day, by UTC. A quarter of them is kept for errors never
    /// seen before.
    pub per_day: u32,
}

impl Budget {
    /// Three SMS at once, then one in ten minutes; twenty a day.
    pub const SMS: Self = Self { burst: 3, refill: Duration::from_secs(10 * 60), per_day: 20 };

    /// Ten mails at once, then one a minute; two hundred a day.
    pub const EMAIL: Self = Self { burst: 10, refill: Duration::from_secs(60), per_day: 200 };

    /// A budget of `burst` messages at once, then one in `refill`, and `per_day`
    /// a day.
    pub const fn new(burst: u32, refill: Duration, per_day: u32) -> Self {
        Self { burst, refill, per_day }
    }

    /// For a recipient whose account cannot be read: so little that no outage of
    /// the disk becomes a bill.
    pub(crate) const BLIND_SMS: Self = Self { burst: 1, refill: Duration::from_secs(15 * 60), per_day: 20 };

    /// What both allow.
    pub(crate) fn and(&self, other: &Self) -> Self {
        Self {
            burst: self.burst.min(other.burst),
            refill: self.refill.max(other.refill),
            per_day: self.per_day.min(other.per_day),
        }
    }

    /// How many messages a day may tell of what is known already.
    fn for_the_known(&self) -> u32 {
        self.per_day - self.per_day / 4
    }
}

/// What one recipient was sent through one sink.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Account {
    /// When the last message to them was made, or delivered.
    #[serde(with = "millis_or_none", default)]
    pub(crate) heard_at: Option<SystemTime>,
    /// When the bucket will be full, if nothing else is taken from it.
    #[serde(with = "millis_or_none", default)]
    pub(crate) full_at: Option<SystemTime>,
    /// Which day [`Self::today`] counts, from the epoch.
    pub(crate) day: u32,
    /// Messages on that day.
    pub(crate) today: u32,
}

/// What an account allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Allowance {
    /// One more message; the account after it, and whether it is the day's last
    /// one that tells of what is known.
    Message { after: Account, is_last: bool },
    /// None before then.
    NotBefore(SystemTime),
}

impl Account {
    /// How much it counts on `day`.
    pub(crate) fn on(&self, day: u32) -> u32 {
        if self.day == day { self.today } else { 0 }
    }

    /// The account after `more` on `day`.
    pub(crate) fn spent(&self, more: u32, day: u32) -> Self {
        Self { day, today: self.on(day).saturating_add(more), ..*self }
    }

    /// The same account after the clock jumped back to `now`: what was to come
    /// after the last message still comes as long after it.
    pub(crate) fn heard_by(&self, now: SystemTime) -> Self {
        let ahead = self.heard_at.and_then(|at| at.duration_since(now).ok()).unwrap_or_default();
        let back = |at: Option<SystemTime>| at.map(|at| at.earlier(ahead));
        Self { heard_at: back(self.heard_at), full_at: back(self.full_at), ..*self }
    }

    /// Whether `budget` allows a message at `now` that tells of something never
    /// seen before, or does not.
    ///
    /// The bucket is kept as the time when it will be full again: one number,
    /// and nothing has to be filled up.
    pub(crate) fn allows(&self, budget: Option<&Budget>, is_new: bool, now: SystemTime) -> Allowance {
        let day = day_of(now);
        let heard = Self { heard_at: Some(now), day, ..*self };
        let Some(budget) = budget else {
            return Allowance::Message { after: heard, is_last: false };
        };
        let today = self.on(day);
        let limit = if is_new { budget.per_day } else { budget.for_the_known() };
        if today >= limit {
            return Allowance::NotBefore(start_of(day.saturating_add(1)));
        }
        let fill = budget.refill.saturating_mul(budget.burst);
        // A clock that jumped back must not close the bucket for longer than it
        // takes to fill.
        let full_at = self.full_at.map_or(now, |at| at.max(now).min(now.later(fill)));
        let after = full_at.later(budget.refill);
        if after > now.later(fill) {
            return Allowance::NotBefore(after.earlier(fill));
        }
        let after = Self { full_at: Some(after), today: today + 1, ..heard };
        Allowance::Message { after, is_last: today + 1 == budget.for_the_known() }
    }
}

/// How many whole days `at` is after the epoch.
pub(crate) fn day_of(at: SystemTime) -> u32 {
    let seconds = at.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    u32::try_from(seconds / DAY.as_secs()).unwrap_or(u32::MAX)
}

/// When that day begins.
pub(crate) fn start_of(day: u32) -> SystemTime {
    UNIX_EPOCH.later(DAY.saturating_mul(day))
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// What a message may cost.
pub(crate) const MAX_SEGMENTS: u32 = 2;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn midnight() -> SystemTime {
        start_of(20_000)
    }

    /// How many messages go out at these times.
    fn allowed(budget: &Budget, is_new: bool, times: impl Iterator<Item = SystemTime>) -> usize {
        let mut account = Account::default();
        let taken = times.filter(|now| match account.allows(Some(budget), is_new, *now) {
            Allowance::Message { after, .. } => {
                account = after;
                true
            }
            Allowance::NotBefore(at) => {
                assert!(at > *now);
                false
            }
        });
        taken.count()
    }

    #[test]
    fn three_sms_go_at_once_and_then_one_in_ten_minutes() {
        let every_second =
            |minutes: u32| (0..minutes * 60).map(|s| midnight() + Duration::from_secs(s.into()));
        assert_eq!(allowed(&Budget::SMS, false, every_second(1)), 3);
        assert_eq!(allowed(&Budget::SMS, false, every_second(31)), 6);
    }

    #[test]
    fn a_quarter_of_the_day_is_kept_for_what_was_never_seen() {
        let every_minute = || (0..24 * 60).map(|m| midnight() + MINUTE * m);
        assert_eq!(allowed(&Budget::SMS, false, every_minute()), 15);
        assert_eq!(allowed(&Budget::SMS, true, every_minute()), 20);
    }

    #[test]
    fn the_last_message_of_the_day_says_so_once() {
        let mut account = Account::default();
        let mut last = Vec::new();
        for minute in 0..24 * 60 {
            let now = midnight() + MINUTE * minute;
            if let Allowance::Message { after, is_last } = account.allows(Some(&Budget::SMS), true, now) {
                account = after;
                last.push(is_last);
            }
        }
        assert_eq!(last.iter().position(|is_last| *is_last), Some(14));
        assert_eq!(last.iter().filter(|is_last| **is_last).count(), 1);
        let tomorrow = midnight() + DAY;
        assert!(matches!(account.allows(Some(&Budget::SMS), false, tomorrow), Allowance::Message { .. }));
    }

    #[test]
    fn after_the_clock_jumped_back_a_bucket_fills_as_fast_as_before() {
        let later = midnight() + MINUTE * 600;
        let Allowance::Message { after, .. } = Account::default().allows(Some(&Budget::SMS), true, later)
        else {
            panic!("an account that was never used allows nothing");
        };
        let now = midnight() + MINUTE;
        let jumped = after.heard_by(now);
        assert_eq!((jumped.heard_at, jumped.full_at), (Some(now), Some(now + MINUTE * 10)));
        assert_eq!(jumped.heard_by(now + MINUTE), jumped, "what is past stays");
    }

    #[test]
    fn without_a_budget_everything_goes() {
        let spent = Account { today: 1_000_000, day: day_of(midnight()), ..Account::default() };
        assert!(matches!(spent.allows(None, false, midnight()), Allowance::Message { .. }));
    }

    proptest! {
        #[test]
        fn no_order_of_times_gets_more_than_the_day_allows(minutes in proptest::collection::vec(0_u32..1440, 0..200)) {
            let times = minutes.iter().map(|minute| midnight() + MINUTE * *minute);
            prop_assert!(allowed(&Budget::SMS, true, times) <= 20);
        }

        #[test]
        fn a_clock_that_jumps_closes_the_bucket_no_longer_than_it_takes_to_fill(jump in 0_u32..100_000) {
            let mut account = Account::default();
            let later = midnight() + MINUTE * jump;
            for _ in 0..5 {
                if let Allowance::Message { after, .. } = account.allows(Some(&Budget::EMAIL), true, later) {
                    account = after;
                }
            }
            let wait = Budget::EMAIL.refill * Budget::EMAIL.burst;
            let allowance = account.allows(Some(&Budget::EMAIL), true, midnight() + wait);
            let is_allowed = matches!(allowance, Allowance::Message { .. });
            prop_assert!(is_allowed || allowance == Allowance::NotBefore(midnight() + wait + MINUTE));
        }
    }
}
