//! [`Recent`]: how many events of a kind there were today and this week.
//!
//! Invariant: pure and bounded.

use serde::{Deserialize, Serialize};

/// How many events there were on which of the readers' days, the last ones at the end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Recent(Vec<(u32, u64)>);

impl Recent {
    pub(crate) fn add(&mut self, more: u64, day: u32) {
        match self.0.iter_mut().find(|(known, _)| *known == day) {
            Some((_, count)) => *count = count.saturating_add(more),
            None => {
                self.0.push((day, more));
                let surplus = self.0.len().saturating_sub(DAYS_PER_WEEK as usize);
                self.0.drain(..surplus);
            }
        }
    }

    /// With what another store counted.
    pub(crate) fn absorb(&mut self, other: &Self) {
        other.0.iter().for_each(|(day, count)| self.add(*count, *day));
    }

    /// How many more there are than in `before`.
    #[cfg(feature = "postgres")]
    pub(crate) fn more_than(&self, before: &Self) -> Self {
        let more = self.0.iter().map(|(day, count)| (*day, count.saturating_sub(before.today(*day))));
        Self(more.filter(|(_, count)| *count > 0).collect())
    }

    pub(crate) fn today(&self, day: u32) -> u64 {
        self.since(day, day)
    }

    /// On `day` and the six before it.
    pub(crate) fn this_week(&self, day: u32) -> u64 {
        self.since(day.saturating_sub(DAYS_PER_WEEK - 1), day)
    }

    fn since(&self, first: u32, last: u32) -> u64 {
        let counts = self.0.iter().filter(|(day, _)| (first..=last).contains(day));
        counts.fold(0, |sum, (_, count)| sum.saturating_add(*count))
    }
}

const DAYS_PER_WEEK: u32 = 7;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_counts_today_and_the_last_seven_days() {
        let mut recent = Recent::default();
        (1..=20).for_each(|day| recent.add(u64::from(day), day));
        recent.add(5, 20);
        assert_eq!((recent.today(20), recent.this_week(20)), (25, 25 + 19 + 18 + 17 + 16 + 15 + 14));
        assert_eq!((recent.today(21), recent.this_week(21)), (0, 25 + 19 + 18 + 17 + 16 + 15));
        assert_eq!(recent.this_week(99), 0);
        assert_eq!(recent.0.len(), 7);
    }

    #[test]
    fn what_two_stores_counted_is_added_up_by_the_day() {
        let (mut own, mut other) = (Recent::default(), Recent::default());
        own.add(3, 1);
        [(2, 1), (5, 2)].into_iter().for_each(|(more, day)| other.add(more, day));
        own.absorb(&other);
        assert_eq!((own.today(1), own.today(2)), (5, 5));
    }
}
