//! Arithmetic of times that cannot fail.
//!
//! The operators of the standard library's times panic beyond what the platform
//! can tell: on Windows a time of day ends in the year 30828, and an [`Instant`]
//! begins with the machine. Clippy keeps the rest of the crate from using them.
//! Runs anywhere.
//! Invariant: never panics, whatever a file, a clock, a provider or the host says,
//! and reads no clock but in [`from_now`].

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use jiff::SignedDuration;

/// Times that stop at the ends of their range.
pub(crate) trait Saturating: Copy {
    /// So much later.
    fn later(self, by: Duration) -> Self;

    /// So much earlier.
    fn earlier(self, by: Duration) -> Self;
}

/// The range is that of [`from_millis`].
impl Saturating for SystemTime {
    fn later(self, by: Duration) -> Self {
        let latest = from_millis(MAX_MILLIS);
        self.checked_add(by).map_or(latest, |at| at.clamp(UNIX_EPOCH, latest))
    }

    fn earlier(self, by: Duration) -> Self {
        self.checked_sub(by).map_or(UNIX_EPOCH, |at| at.clamp(UNIX_EPOCH, from_millis(MAX_MILLIS)))
    }
}

/// The range is the platform's, or [`FOR_EVER`] from here.
impl Saturating for Instant {
    fn later(self, by: Duration) -> Self {
        self.checked_add(by).or_else(|| self.checked_add(FOR_EVER)).unwrap_or(self)
    }

    fn earlier(self, by: Duration) -> Self {
        self.checked_sub(by).unwrap_or(self)
    }
}

/// A duration as a person says it, like `1h 30m`: whole seconds, or below one whole
/// milliseconds.
pub(crate) fn spoken(duration: Duration) -> String {
    let whole = match duration.as_secs() {
        0 => Duration::from_millis(duration.subsec_millis().into()),
        seconds => Duration::from_secs(seconds),
    };
    SignedDuration::try_from(whole).map_or_else(|_| format!("{whole:?}"), |whole| format!("{whole:#}"))
}

/// When `delay` has passed.
pub(crate) fn from_now(delay: Duration) -> Instant {
    Instant::now().later(delay)
}

/// Whole milliseconds since the Unix epoch; earlier times are the epoch, and later
/// ones than [`MAX_MILLIS`] are that.
pub(crate) fn to_millis(at: SystemTime) -> i64 {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).map_or(MAX_MILLIS, |millis| millis.min(MAX_MILLIS))
}

/// The time that [`to_millis`] gave; a negative number is the epoch, and a greater
/// one than [`MAX_MILLIS`] is that.
pub(crate) fn from_millis(millis: i64) -> SystemTime {
    let since = Duration::from_millis(millis.clamp(0, MAX_MILLIS).unsigned_abs());
    UNIX_EPOCH.checked_add(since).unwrap_or(UNIX_EPOCH)
}

/// `at`, so many milliseconds later, or earlier.
pub(crate) fn moved(at: SystemTime, millis: i64) -> SystemTime {
    from_millis(to_millis(at).saturating_add(millis))
}

/// The last whole millisecond that Windows can tell: it counts 100 nanoseconds
/// from the year 1601. No clock of any platform is that late.
pub(crate) const MAX_MILLIS: i64 = i64::MAX / 10_000 - 11_644_473_600_000;

/// Stands for "for ever" where a clock cannot count that far.
pub(crate) const FOR_EVER: Duration = Duration::from_secs(365 * 24 * 60 * 60);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_duration_is_said_in_the_units_that_people_use() {
        let said = [0, 90, 500, 2_600, 5_400_000, 86_400_000].map(Duration::from_millis).map(spoken);
        assert_eq!(said, ["0s", "90ms", "500ms", "2s", "1h 30m", "24h"]);
        assert_eq!(spoken(Duration::from_nanos(812_345_678)), "812ms");
        assert_eq!(spoken(Duration::MAX), "18446744073709551615s");
    }

    /// Of all sizes, the extremes among them.
    fn durations() -> impl Strategy<Value = Duration> {
        prop_oneof![
            Just(Duration::ZERO),
            Just(Duration::MAX),
            (any::<u64>(), 0_u32..64, 0_u32..1_000_000_000)
                .prop_map(|(seconds, shift, nanos)| Duration::new(seconds >> shift, nanos)),
        ]
    }

    /// What a clock or a host may say: as far from now as the platform can tell.
    fn times() -> impl Strategy<Value = SystemTime> {
        (durations(), any::<bool>()).prop_map(|(by, is_later)| {
            let said = if is_later { UNIX_EPOCH.checked_add(by) } else { UNIX_EPOCH.checked_sub(by) };
            said.unwrap_or_else(|| from_millis(if is_later { i64::MAX } else { i64::MIN }))
        })
    }

    #[test]
    fn the_range_is_from_the_epoch_to_the_end_of_windows_time() {
        assert_eq!(from_millis(-5), UNIX_EPOCH);
        assert_eq!(from_millis(i64::MIN), UNIX_EPOCH);
        assert_eq!(to_millis(UNIX_EPOCH.checked_sub(Duration::from_secs(5)).unwrap()), 0);
        assert_eq!(to_millis(from_millis(1_700_000_000_123)), 1_700_000_000_123);
        assert_eq!(to_millis(from_millis(i64::MAX)), MAX_MILLIS);
        assert_eq!(from_millis(i64::MAX).duration_since(UNIX_EPOCH).unwrap().as_secs(), 910_692_730_085);
        if cfg!(windows) {
            assert_eq!(from_millis(MAX_MILLIS).checked_add(Duration::from_millis(1)), None);
        }
    }

    proptest! {
        #[test]
        fn no_time_of_day_is_too_early_or_too_late(
            at in times(), by in durations(), millis in any::<i64>(), number in any::<i64>(),
        ) {
            let range = UNIX_EPOCH..=from_millis(i64::MAX);
            for at in [at.later(by), at.earlier(by), moved(at, millis), from_millis(number)] {
                prop_assert!(range.contains(&at), "{at:?}");
            }
            // Within the range nothing is lost.
            let at = from_millis(to_millis(at));
            prop_assert_eq!(to_millis(at), to_millis(from_millis(to_millis(at))));
            prop_assert!(at.later(by) >= at && at.earlier(by) <= at);
            if at.later(by) < *range.end() {
                prop_assert!(at.later(by).earlier(by) == at);
            }
        }

        #[test]
        fn no_instant_is_too_early_or_too_late(by in durations(), and in durations()) {
            let now = Instant::now();
            prop_assert!(now.earlier(by) <= now && now.earlier(by).earlier(and) <= now);
            prop_assert!(now.later(by) >= now && now.later(by).later(and) >= now);
            prop_assert!(by < Duration::from_nanos(100) || now.later(by) > now);
        }
    }
}
