//! How long nothing is told of a kind that was told just now.
//!
//! The hold doubles with each telling, and begins anew once the kind was silent for
//! [`ANEW_AFTER`]: an error that comes every hour must not be told every hour.
//! Invariant: pure. It holds one kind and one recipient, never anything else.

use std::time::{Duration, SystemTime};

use super::{Reason, Standing};
use crate::{host::time::Saturating, policy::calendar::DAY};

/// After the first telling.
pub(crate) const FIRST_HOLD: Duration = Duration::from_secs(30 * 60);

/// No hold is longer.
const MAX_HOLD: Duration = DAY;

/// A kind that was silent for so long begins anew: less than a day, so that an error of a
/// job that runs every night is told in each.
pub(crate) const ANEW_AFTER: Duration = Duration::from_secs(18 * 60 * 60);

/// The hold after so many tellings in a row, if of 24 hours' messages so many may be
/// about one kind.
pub(super) fn hold(in_a_row: u32, share: Option<u32>) -> Duration {
    let doubled = |times: u32| FIRST_HOLD.saturating_mul(2_u32.saturating_pow(times)).min(MAX_HOLD);
    let own = doubled(in_a_row.saturating_sub(1));
    // The holds so far, which is how long ago the first telling was at least.
    let so_far = own.saturating_sub(FIRST_HOLD);
    match share {
        Some(share) if in_a_row > share => MAX_HOLD,
        Some(share) if in_a_row == share => own.max(MAX_HOLD.saturating_sub(so_far)),
        Some(_) | None => own,
    }
}

impl Standing {
    /// The same after it was told at `now`, for this `reason`: it is held.
    pub(crate) fn told_now(&self, reason: Reason, share: Option<u32>, now: SystemTime) -> Self {
        let told = Self {
            told: self.count,
            told_at: Some(now),
            tellings: self.next_tellings(),
            is_back: false,
            // What joins a message that did not leave is no other one.
            went_on: match self.is_pending {
                true => self.went_on,
                false => matches!(reason, Reason::Update | Reason::Reminder),
            },
            ..*self
        };
        if self.untold() == 0 && self.told_at.is_some() {
            // That it ended is no telling that another one would have to wait for.
            return Self { hold: Duration::ZERO, ..told };
        }
        if self.is_crowd {
            // Events of any kinds, which a hold of their own must not grow for.
            return Self { hold: FIRST_HOLD, ..told };
        }
        let holds = if self.is_pending { self.holds.max(1) } else { self.holds.saturating_add(1) };
        Self { holds, hold: hold(holds, share), ..told }
    }

    /// Until when nothing is told of it; in the past if it is not held.
    pub(crate) fn held_until(&self, now: SystemTime) -> Option<SystemTime> {
        // A time that is still to come was written before the clock jumped back.
        self.told_at.map(|at| at.min(now).later(self.hold))
    }

    pub(crate) fn is_held(&self, now: SystemTime) -> bool {
        self.held_until(now).is_some_and(|until| until > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minutes(holds: impl IntoIterator<Item = Duration>) -> Vec<u64> {
        holds.into_iter().map(|hold| hold.as_secs() / 60).collect()
    }

    #[test]
    fn holds_double_from_half_an_hour_to_a_day() {
        let holds = minutes((1..=8).map(|number| hold(number, None)));
        assert_eq!(holds, [30, 60, 120, 240, 480, 960, 1440, 1440]);
        assert_eq!(hold(u32::MAX, None), MAX_HOLD);
    }

    #[test]
    fn one_kind_has_no_more_than_its_share_of_24_hours() {
        for share in 1..=9 {
            let mut now = Duration::ZERO;
            let mut tellings = Vec::new();
            for number in 1..=40 {
                tellings.push(now);
                now += hold(number, Some(share));
            }
            for first in &tellings {
                let within = tellings.iter().filter(|at| **at >= *first && **at < *first + DAY);
                assert!(within.count() <= share as usize, "{share}: {:?}", minutes(tellings.clone()));
            }
        }
    }
}
