//! [`Calendar`]: when a day begins where the readers are.
//!
//! Invariant: pure; a time is an argument.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::{Timestamp, Zoned, civil::Date, tz::TimeZone};

use crate::host::time::Saturating;

/// The days of a time zone; without one, those of UTC.
#[derive(Clone, Debug, Default)]
pub(crate) struct Calendar {
    zone: Option<TimeZone>,
}

impl Calendar {
    /// That of `zone`.
    pub(crate) fn of(zone: Option<TimeZone>) -> Self {
        Self { zone }
    }

    /// Which day `at` is on: the number of dates since that of the Unix epoch.
    pub(crate) fn day_of(&self, at: SystemTime) -> u32 {
        let date = self.zoned(at).map(|at| at.date());
        let days = date.and_then(|date| date.since(EPOCH).ok()).map(|since| since.get_days());
        days.map_or_else(|| utc_day_of(at), |days| u32::try_from(days).unwrap_or(0))
    }

    /// When the day of `at` began.
    pub(crate) fn day_began(&self, at: SystemTime) -> SystemTime {
        let began = self.zoned(at).and_then(|at| at.start_of_day().ok());
        began.map_or_else(|| start_of_utc_day(utc_day_of(at)), SystemTime::from)
    }

    /// When the day after that of `at` begins.
    pub(crate) fn next_day(&self, at: SystemTime) -> SystemTime {
        let next = self.zoned(at).and_then(|at| at.tomorrow().ok()?.start_of_day().ok());
        next.map_or_else(|| start_of_utc_day(utc_day_of(at).saturating_add(1)), SystemTime::from)
    }

    /// None in UTC, which takes no more than a division, and beyond what a date can be.
    fn zoned(&self, at: SystemTime) -> Option<Zoned> {
        Some(Timestamp::try_from(at).ok()?.to_zoned(self.zone.clone()?))
    }
}

/// How many whole days `at` is after the Unix epoch.
fn utc_day_of(at: SystemTime) -> u32 {
    let seconds = at.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    u32::try_from(seconds / DAY.as_secs()).unwrap_or(u32::MAX)
}

/// When that day begins.
fn start_of_utc_day(day: u32) -> SystemTime {
    UNIX_EPOCH.later(DAY.saturating_mul(day))
}

const EPOCH: Date = Date::constant(1970, 1, 1);

/// A day on which no clock is set.
pub(crate) const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[cfg(test)]
mod tests {
    use super::*;

    fn hour(hour: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(hour * 3600)
    }

    #[test]
    fn without_a_zone_a_day_is_that_of_utc() {
        let calendar = Calendar::default();
        assert_eq!([0, 23, 24, 49].map(|at| calendar.day_of(hour(at))), [0, 0, 1, 2]);
        assert_eq!((calendar.day_began(hour(30)), calendar.next_day(hour(30))), (hour(24), hour(48)));
    }

    #[test]
    fn a_day_is_that_of_the_readers() {
        let calendar = Calendar::of(Some(TimeZone::fixed(jiff::tz::offset(-5))));
        assert_eq!([28, 29, 52, 53].map(|at| calendar.day_of(hour(at))), [0, 1, 1, 2]);
        assert_eq!((calendar.day_began(hour(30)), calendar.next_day(hour(30))), (hour(29), hour(53)));
        let east = Calendar::of(Some(TimeZone::fixed(jiff::tz::offset(5))));
        assert_eq!([18, 19].map(|at| east.day_of(hour(at))), [0, 1]);
    }

    #[test]
    fn a_day_on_which_clocks_are_set_is_shorter_or_longer() {
        let zone = TimeZone::posix("EST5EDT,M3.2.0,M11.1.0").unwrap();
        let calendar = Calendar::of(Some(zone));
        let noon: SystemTime = "2026-03-08T12:00:00-04:00".parse::<Timestamp>().unwrap().into();
        let length = |at| calendar.next_day(at).duration_since(calendar.day_began(at)).unwrap();
        assert_eq!(length(noon), Duration::from_secs(23 * 3600));
    }

    #[test]
    fn no_time_is_too_late_for_it() {
        let calendar = Calendar::of(Some(TimeZone::fixed(jiff::tz::offset(5))));
        let late = UNIX_EPOCH.later(Duration::MAX);
        assert!(calendar.next_day(late) >= calendar.day_began(late));
        assert!(calendar.day_of(late) > calendar.day_of(hour(0)));
    }
}
