//! [`RetryPolicy`]: when a failed attempt is repeated, and when it is not.
//!
//! Invariant: pure. The attempt number comes from the store, so a restart
//! changes nothing; randomness is an argument.

use std::time::Duration;

use backoff::{ExponentialBackoff, ExponentialBackoffBuilder, backoff::Backoff};

use crate::policy::send_error::SendError;

/// When a failed attempt is repeated: after a delay that grows from
/// [`initial`](Self::initial) by [`MULTIPLIER`](Self::MULTIPLIER) to
/// [`cap`](Self::cap), each ± half of itself at random.
///
/// A sink whose attempts keep failing, for whatever message, pauses by the same
/// delays; after each, one message probes it.
///
/// There is no largest number of attempts: a delivery ends when its deadline
/// has passed ([`SMS_DEADLINE`](crate::SMS_DEADLINE),
/// [`EMAIL_DEADLINE`](crate::EMAIL_DEADLINE)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RetryPolicy {
    /// The delay after the first failed attempt.
    pub initial: Duration,
    /// No delay is longer, apart from the random half.
    pub cap: Duration,
    /// How long a sink pauses after a [`SendError::Misconfigured`], before one delivery
    /// probes whether somebody fixed it.
    pub probe: Duration,
}

impl RetryPolicy {
    /// Two seconds, doubling to a quarter of an hour; a probe every five minutes.
    pub const DEFAULT: Self = Self {
        initial: Duration::from_secs(2),
        cap: Duration::from_secs(15 * 60),
        probe: Duration::from_secs(5 * 60),
    };

    /// Each delay is this many times the one before.
    pub const MULTIPLIER: f64 = 2.0;

    /// A provider's `Retry-After` counts up to this long.
    pub const MAX_WISH: Duration = Duration::from_secs(60 * 60);

    /// The same with another [`initial`](Self::initial) delay.
    #[must_use]
    pub const fn with_initial(self, initial: Duration) -> Self {
        Self { initial, ..self }
    }

    /// The same with another [`cap`](Self::cap).
    #[must_use]
    pub const fn with_cap(self, cap: Duration) -> Self {
        Self { cap, ..self }
    }

    /// The same with another [`probe`](Self::probe).
    #[must_use]
    pub const fn with_probe(self, probe: Duration) -> Self {
        Self { probe, ..self }
    }

    /// What follows from `error` at `attempt`, counted from one. `jitter` is
    /// evenly distributed from zero to one.
    pub(crate) fn decide(&self, attempt: u32, error: &SendError, jitter: f64) -> Verdict {
        match error {
            SendError::NotProcessed { retry_after, .. } | SendError::Ambiguous { retry_after, .. } => {
                let wish = retry_after.unwrap_or_default().min(Self::MAX_WISH);
                Verdict::RetryIn(self.delay(attempt, jitter).max(wish))
            }
            SendError::Misconfigured { .. } => Verdict::PauseSink(self.probe),
            SendError::Rejected { .. } | SendError::RecipientRefused { .. } => Verdict::Bury,
        }
    }

    /// The delay after the failed attempt number `attempt`.
    pub(crate) fn delay(&self, attempt: u32, jitter: f64) -> Duration {
        let mut backoff: ExponentialBackoff = ExponentialBackoffBuilder::new()
            .with_initial_interval(self.initial)
            .with_multiplier(Self::MULTIPLIER)
            .with_max_interval(self.cap)
            .with_randomization_factor(0.0)
            .with_max_elapsed_time(None)
            .build();
        let steps = attempt.clamp(1, MAX_STEPS);
        let grown = (0..steps).filter_map(|_| backoff.next_backoff()).last();
        let delay = grown.map_or(self.cap, |delay| delay.min(self.cap));
        delay.mul_f64(0.5 + jitter.clamp(0.0, 1.0))
    }
}

/// From a nanosecond on, a delay that doubles has reached any cap after so many steps.
const MAX_STEPS: u32 = 96;

impl Default for RetryPolicy {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// What is to be done with a delivery after a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Repeat it after this long.
    RetryIn(Duration),
    /// Leave the whole sink alone for this long; the attempt does not count.
    PauseSink(Duration),
    /// Never repeat it.
    Bury,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn secs(attempt: u32, jitter: f64) -> u64 {
        match RetryPolicy::DEFAULT.decide(attempt, &SendError::not_processed("503"), jitter) {
            Verdict::RetryIn(delay) => (delay + Duration::from_millis(500)).as_secs(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn pauses_double_up_to_the_cap() {
        assert_eq!(
            [1, 2, 3, 4, 9, 10, 11, 4_000_000_000].map(|n| secs(n, 0.5)),
            [2, 4, 8, 16, 512, 900, 900, 900]
        );
    }

    #[test]
    fn jitter_is_half_of_the_pause_either_way() {
        assert_eq!([0.0, 1.0].map(|jitter| secs(3, jitter)), [4, 12]);
    }

    #[test]
    fn a_providers_wish_is_a_floor_and_is_clamped() {
        let asked = |secs| SendError::NotProcessed {
            reason: "429".into(),
            retry_after: Some(Duration::from_secs(secs)),
        };
        let decide = |secs| RetryPolicy::DEFAULT.decide(1, &asked(secs), 0.5);
        assert_eq!(decide(30), Verdict::RetryIn(Duration::from_secs(30)));
        assert_eq!(decide(u64::MAX), Verdict::RetryIn(RetryPolicy::MAX_WISH));
        assert!(matches!(decide(0), Verdict::RetryIn(delay) if delay > Duration::from_millis(1_999)));
    }

    #[test]
    fn what_will_never_succeed_is_not_repeated() {
        assert_eq!(RetryPolicy::DEFAULT.decide(1, &SendError::rejected("21211"), 0.5), Verdict::Bury);
        assert_eq!(
            RetryPolicy::DEFAULT.decide(1, &SendError::misconfigured("401"), 0.5),
            Verdict::PauseSink(RetryPolicy::DEFAULT.probe)
        );
    }

    proptest! {
        #[test]
        fn a_pause_stays_between_half_the_first_and_one_and_a_half_caps(attempt: u32, jitter in 0.0..=1.0) {
            let Verdict::RetryIn(delay) = RetryPolicy::DEFAULT.decide(attempt, &SendError::ambiguous("cut"), jitter) else {
                panic!("not a retry");
            };
            prop_assert!(delay >= RetryPolicy::DEFAULT.initial / 2);
            prop_assert!(delay <= RetryPolicy::DEFAULT.cap.mul_f64(1.5) + Duration::from_millis(1));
        }
    }
}
