//! [`Clock`]: how a time is written.
//!
//! Invariant: never the time of now; a time is an argument.

use std::time::{Duration, SystemTime};

use jiff::{Timestamp, Zoned, tz::TimeZone};

use super::words;
use crate::{host::time::Saturating, policy::calendar::Calendar};

/// Writes times in UTC, and first in its readers' time zone if it has one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Clock {
    zone: Option<TimeZone>,
}

impl Clock {
    /// That of the time zone with this IANA name; none if the system knows none.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(Self { zone: Some(TimeZone::get(name).ok()?) })
    }

    /// The days of its readers.
    pub(crate) fn calendar(&self) -> Calendar {
        Calendar::of(self.zone.clone())
    }

    /// Like `2026-11-22 21:41:03 EET (19:41:03 UTC)`; to the second.
    pub(super) fn time(&self, at: SystemTime) -> String {
        let Ok(at) = Timestamp::try_from(at) else { return words::UNKNOWN_TIME.to_owned() };
        let utc = at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string();
        let Some(zone) = &self.zone else { return utc };
        let here = at.to_zoned(zone.clone());
        let local = here.strftime("%Y-%m-%d %H:%M:%S %Z").to_string();
        if local == utc {
            return utc;
        }
        let is_same_day = here.date() == at.to_zoned(TimeZone::UTC).date();
        let utc = if is_same_day { at.strftime("%H:%M:%S UTC").to_string() } else { utc };
        format!("{local} ({utc})")
    }

    /// Like `20:45–21:45 EET`, in the readers' zone only; to the minute.
    pub(super) fn span(&self, since: SystemTime, until: SystemTime) -> String {
        let (Some(since), Some(until)) = (self.here(since), self.here(until)) else {
            return words::UNKNOWN_TIME.to_owned();
        };
        format!("{}–{}", since.strftime("%H:%M"), until.strftime("%H:%M %Z"))
    }

    /// Like `14:30 EET`, in the readers' zone only; to the next full minute.
    pub(super) fn minute(&self, at: SystemTime) -> String {
        let at = self.here(at.later(Duration::from_secs(59)));
        at.map_or_else(|| words::UNKNOWN_TIME.to_owned(), |at| at.strftime("%H:%M %Z").to_string())
    }

    /// Like `21:41:02.113`, in the same zone as [`time`](Self::time) tells first;
    /// with the date if that is not the one of `event`.
    pub(super) fn time_before(&self, at: SystemTime, event: SystemTime) -> String {
        let Some(then) = self.here(at) else { return words::UNKNOWN_TIME.to_owned() };
        let is_same_day = self.here(event).is_some_and(|event| event.date() == then.date());
        then.strftime(if is_same_day { "%H:%M:%S%.3f" } else { "%Y-%m-%d %H:%M:%S%.3f" }).to_string()
    }

    /// The time where the readers are.
    fn here(&self, at: SystemTime) -> Option<Zoned> {
        Some(Timestamp::try_from(at).ok()?.to_zoned(self.zone.clone().unwrap_or(TimeZone::UTC)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::from_millis;

    fn clock(rule: &str) -> Clock {
        Clock { zone: Some(TimeZone::posix(rule).unwrap()) }
    }

    #[test]
    fn a_time_is_told_in_the_readers_zone_and_in_utc() {
        let (winter, summer) = (from_millis(1_795_376_463_123), from_millis(1_782_000_000_000));
        let riga = clock("EET-2EEST,M3.5.0/3,M10.5.0/4");
        assert_eq!(Clock::default().time(winter), "2026-11-22 19:41:03 UTC");
        assert_eq!(riga.time(winter), "2026-11-22 21:41:03 EET (19:41:03 UTC)");
        assert_eq!(riga.time(summer), "2026-06-21 03:00:00 EEST (00:00:00 UTC)");
    }

    #[test]
    fn an_hour_is_told_in_the_readers_zone() {
        let (since, until) = (from_millis(1_795_376_100_000), from_millis(1_795_379_700_000));
        assert_eq!(Clock::default().span(since, until), "19:35–20:35 UTC");
        assert_eq!(clock("EET-2").span(since, until), "21:35–22:35 EET");
    }

    #[test]
    fn another_day_there_is_told() {
        let auckland = clock("NZST-12NZDT,M9.5.0,M4.1.0/3");
        assert_eq!(
            auckland.time(from_millis(1_795_376_463_123)),
            "2026-11-23 08:41:03 NZDT (2026-11-22 19:41:03 UTC)"
        );
    }

    #[test]
    fn a_zone_that_is_utc_says_nothing_twice() {
        assert_eq!(Clock::named("UTC").unwrap().time(from_millis(0)), "1970-01-01 00:00:00 UTC");
        assert!(Clock::named("Mars/Olympus_Mons").is_none());
    }

    #[test]
    fn no_time_is_too_early_or_too_late() {
        let far = from_millis(i64::MAX);
        assert_eq!(Clock::default().time(far), words::UNKNOWN_TIME);
        assert_eq!(clock("EET-2").time(far), words::UNKNOWN_TIME);
    }
}
