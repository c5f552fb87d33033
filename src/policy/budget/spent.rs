//! [`Spent`]: how much was spent when, of the last days.
//!
//! Kept by the quarter of an hour: in every time zone a day begins with one, so each
//! reader can have days of their own.
//! Invariant: pure and bounded; a clock that goes to another day and back forgets nothing.

use std::{
    collections::BTreeSet,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};

use crate::{
    host::time::Saturating,
    policy::calendar::{Calendar, DAY},
};

/// How much was spent in which quarter of an hour after the epoch, the earliest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Spent(Vec<(u32, u32)>);

impl Spent {
    /// How much on the readers' day: that of `now`, or the next one if something was
    /// spent on it already, as a day never goes back.
    pub(crate) fn today(&self, calendar: &Calendar, now: SystemTime) -> u32 {
        let now = self.latest(now);
        let (first, last) = (slot_of(calendar.day_began(now)), slot_of(now));
        let today = self.0.iter().filter(|(slot, _)| (first..=last).contains(slot));
        today.fold(0, |sum, (_, count)| sum.saturating_add(*count))
    }

    /// When the day after that begins.
    pub(crate) fn tomorrow(&self, calendar: &Calendar, now: SystemTime) -> SystemTime {
        calendar.next_day(self.latest(now))
    }

    /// Spends `more`.
    pub(crate) fn add(&mut self, more: u32, now: SystemTime) {
        self.add_to(slot_of(self.latest(now)), more);
        self.forget();
    }

    /// Takes back so much of what was spent last.
    pub(crate) fn refund(&mut self, less: u32) {
        let mut left = less;
        for (_, count) in self.0.iter_mut().rev() {
            let back = left.min(*count);
            *count -= back;
            left -= back;
        }
        self.0.retain(|(_, count)| *count > 0);
    }

    /// What it is together with `other`: the sum, or for copies of one the greater.
    pub(crate) fn with(&self, other: &Self, are_copies: bool) -> Self {
        let mut all = self.clone();
        for (slot, count) in &other.0 {
            let known = all.at(*slot);
            all.add_to(*slot, if are_copies { count.saturating_sub(known) } else { *count });
        }
        all.forget();
        all
    }

    /// What it is without `other`.
    pub(crate) fn without(&self, other: &Self) -> Self {
        let rest = self.0.iter().map(|(slot, count)| (*slot, count.saturating_sub(other.at(*slot))));
        Self(rest.filter(|(_, count)| *count > 0).collect())
    }

    /// `now`, or the time of what was spent in the day after it.
    fn latest(&self, now: SystemTime) -> SystemTime {
        let ahead = slot_of(now)..=slot_of(now.later(DAY));
        let last = self.0.iter().rev().map(|(slot, _)| *slot).find(|slot| ahead.contains(slot));
        last.map_or(now, |slot| now.max(start_of(slot)))
    }

    fn at(&self, slot: u32) -> u32 {
        self.0.iter().find(|(known, _)| *known == slot).map_or(0, |(_, count)| *count)
    }

    fn add_to(&mut self, slot: u32, more: u32) {
        match self.0.binary_search_by_key(&slot, |(known, _)| *known) {
            Ok(place) => {
                if let Some((_, count)) = self.0.get_mut(place) {
                    *count = count.saturating_add(more);
                }
            }
            Err(place) => {
                if more > 0 {
                    self.0.insert(place, (slot, more));
                }
            }
        }
    }

    /// Keeps the last [`MAX_DAYS`] on which something was spent.
    fn forget(&mut self) {
        let days: BTreeSet<u32> = self.0.iter().map(|(slot, _)| slot / SLOTS_PER_DAY).collect();
        if let Some(first) = days.iter().rev().nth(MAX_DAYS - 1) {
            self.0.retain(|(slot, _)| slot / SLOTS_PER_DAY >= *first);
        }
    }
}

/// The quarter of an hour that `at` is in.
fn slot_of(at: SystemTime) -> u32 {
    let seconds = at.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    u32::try_from(seconds / SLOT.as_secs()).unwrap_or(u32::MAX)
}

fn start_of(slot: u32) -> SystemTime {
    UNIX_EPOCH.later(SLOT.saturating_mul(slot))
}

const SLOT: Duration = Duration::from_secs(15 * 60);
const SLOTS_PER_DAY: u32 = 96;

/// A reader's day is part of two, and a clock may flip between several.
const MAX_DAYS: usize = 4;

#[cfg(test)]
mod tests {
    use jiff::tz::{TimeZone, offset};

    use super::*;

    fn hour(hour: u32) -> SystemTime {
        UNIX_EPOCH + DAY * 20_000 + Duration::from_secs(3600) * hour
    }

    #[test]
    fn each_reader_has_a_day_of_their_own() {
        let mut spent = Spent::default();
        [20, 22, 26].into_iter().for_each(|at| spent.add(1, hour(at)));
        assert_eq!(spent.today(&Calendar::default(), hour(27)), 1);
        let east = Calendar::of(Some(TimeZone::fixed(offset(3))));
        assert_eq!(spent.today(&east, hour(27)), 2);
        assert_eq!(spent.tomorrow(&east, hour(27)), hour(45));
        assert_eq!(spent.today(&Calendar::default(), hour(50)), 0);
    }

    #[test]
    fn a_day_never_goes_back_and_is_remembered() {
        let calendar = Calendar::default();
        for days in [1, 300] {
            let mut spent = Spent::default();
            let mut most = 0;
            for flip in 0..20 {
                let now = if flip % 2 == 0 { hour(0) } else { hour(0) + DAY * days };
                spent.add(1, now);
                most = most.max(spent.today(&calendar, now));
            }
            assert_eq!(most, if days == 1 { 19 } else { 10 }, "after {days} days");
            let real = hour(0) + DAY * 2;
            assert_eq!(spent.today(&calendar, real), 0, "a wrong clock closes no later day");
        }
    }

    #[test]
    fn what_is_given_back_is_what_was_spent_last() {
        let mut spent = Spent::default();
        spent.add(3, hour(1));
        spent.add(2, hour(2));
        spent.refund(4);
        assert_eq!(spent, Spent(vec![(slot_of(hour(1)), 1)]));
        spent.refund(9);
        assert_eq!(spent, Spent::default());
        spent.add(6, hour(1));
        spent.add(2, hour(2));
        spent.refund(5);
        assert_eq!(spent, Spent(vec![(slot_of(hour(1)), 3)]));
    }

    #[test]
    fn nothing_is_kept_of_what_was_not_spent() {
        let mut spent = Spent::default();
        spent.add(0, hour(1));
        assert_eq!(spent, Spent::default());
        spent.add(3, hour(1));
        assert_eq!(spent.without(&spent), Spent::default());
    }

    #[test]
    fn the_last_days_on_which_something_was_spent_are_kept_whole() {
        let mut spent = Spent::default();
        let hours = [0, 23, 24 * 3, 24 * 7, 24 * 7 + 23, 24 * 8 + 1, 24 * 9, 24 * 9 + 23];
        hours.into_iter().for_each(|at| spent.add(1, hour(at)));
        let kept: Vec<_> = hours[2..].iter().map(|at| (slot_of(hour(*at)), 1)).collect();
        assert_eq!(spent, Spent(kept));
    }

    #[test]
    fn two_of_them_add_up_unless_they_are_copies() {
        let (mut own, mut other) = (Spent::default(), Spent::default());
        own.add(3, hour(1));
        other.add(5, hour(1));
        other.add(1, hour(9));
        let today = |spent: &Spent| spent.today(&Calendar::default(), hour(10));
        assert_eq!([false, true].map(|copies| today(&own.with(&other, copies))), [9, 6]);
        assert_eq!(today(&other.without(&own)), 3);
    }

    #[test]
    fn it_stays_small() {
        let mut spent = Spent::default();
        (0..10_000).for_each(|quarter| spent.add(1, start_of(quarter)));
        assert!(spent.0.len() <= 4 * 96, "{}", spent.0.len());
    }
}
