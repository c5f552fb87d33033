//! [`Clock`]: notices that the time of day was set.
//!
//! A deadline is a time of day, so that it holds across restarts; but an hour is
//! not over because somebody set the clock, as a small machine does that learns
//! the time from the network after its start.

use std::time::{Duration, SystemTime};

use super::Dispatcher;
use crate::event::{moved, to_millis};

/// The time of day, and the time on a clock that nobody sets.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    day: SystemTime,
    steady: Duration,
}

impl Clock {
    pub(super) fn now() -> Self {
        Self { day: SystemTime::now(), steady: steady() }
    }

    /// How many milliseconds the time of day was set forward since `then`, or
    /// back; zero if it is but a correction.
    fn jumped_since(self, then: Self) -> i64 {
        let passed = i64::try_from(self.steady.saturating_sub(then.steady).as_millis()).unwrap_or(i64::MAX);
        let jump = (to_millis(self.day) - to_millis(then.day)).saturating_sub(passed);
        if jump.unsigned_abs() < MIN_JUMP_MILLIS { 0 } else { jump }
    }
}

/// Goes on while the machine sleeps: that time does pass.
#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
#[expect(unsafe_code, reason = "the standard library has no clock that goes on in sleep")]
#[expect(clippy::cast_sign_loss, reason = "since the machine's start, so not negative")]
fn steady() -> Duration {
    #[cfg(not(target_vendor = "apple"))]
    use libc::CLOCK_BOOTTIME as CLOCK;
    #[cfg(target_vendor = "apple")]
    use libc::CLOCK_MONOTONIC as CLOCK;

    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `now` outlives the call.
    unsafe { libc::clock_gettime(CLOCK, &raw mut now) };
    Duration::from_secs(now.tv_sec as u64).saturating_add(Duration::from_nanos(now.tv_nsec as u64))
}

/// That of Windows goes on in sleep; others may lose that time.
#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
fn steady() -> Duration {
    static START: crate::host::fork::Lazy<std::time::Instant> =
        crate::host::fork::Lazy::new(std::time::Instant::now);
    START.elapsed()
}

impl Dispatcher<'_> {
    /// Moves what this run has pending along with a clock that jumped. Of what
    /// others left, nobody knows by which clock it was written.
    pub(super) async fn follow_the_clock(&mut self) {
        let now = Clock::now();
        let jump = now.jumped_since(self.clock);
        if jump != 0 {
            let run = self.inbox.run;
            if self.outbox.with(async |store| store.shift(run, jump).await).await.is_err() {
                // The clock is not followed yet: again in the next turn.
                return;
            }
            drop(self.outbox.with(async |store| store.reconsider(now.day).await).await);
            self.tell_at = None;
            let under_way = self.attempts.values_mut().map(|(_, claim)| claim);
            let unsettled = self.unsettled.iter_mut().map(|attempted| &mut attempted.claim);
            for claim in under_way.chain(unsettled) {
                claim.expires_at = moved(claim.expires_at, jump);
            }
            self.wake_lanes();
        }
        self.clock = now;
    }
}

/// What is set by less is a correction, which no deadline notices.
const MIN_JUMP_MILLIS: u64 = 60_000;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        AlertLayer, MemorySink,
        dispatcher::Inbox,
        event::{from_millis, tests::event},
        host::permit::Permit,
        outbox::Outbox,
        policy::{fingerprint::Grouping, redact::Policy},
        queue::stats::Counters,
    };

    const HOUR: i64 = 3_600_000;

    fn at(day: i64, steady: u64) -> Clock {
        Clock { day: from_millis(day), steady: Duration::from_millis(steady) }
    }

    #[test]
    fn a_clock_that_is_set_jumps_and_one_that_goes_on_does_not() {
        let then = at(100 * HOUR, 5_000);
        assert_eq!(at(100 * HOUR + 30_000, 35_000).jumped_since(then), 0);
        assert_eq!(at(108 * HOUR, 8 * 3_600_000 + 5_000).jumped_since(then), 0);
        assert_eq!(at(100 * HOUR + 59_999, 5_000).jumped_since(then), 0);
        assert_eq!(at(110 * HOUR + 30_000, 35_000).jumped_since(then), 10 * HOUR);
        assert_eq!(at(90 * HOUR + 30_000, 35_000).jumped_since(then), -10 * HOUR);
    }

    #[test]
    fn a_deadline_does_not_pass_because_the_clock_is_set_nor_if_it_is_set_back() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let builder = AlertLayer::builder().in_memory().sink(MemorySink::new(), ["on-call"]);
            let config = builder.check().unwrap();
            let mut inbox =
                Inbox::new(Grouping::new("MyApp".to_owned(), None), Vec::new(), Policy::new(true, &[], &[]));
            let mut outbox = Outbox::default();
            let mut dispatcher =
                Dispatcher::open(&config.setup, Arc::default(), &mut inbox, &mut outbox).await;
            dispatcher.inbox.add(event("payment failed"), Permit::default(), &Counters::default());
            dispatcher.persist().await;
            dispatcher.hurry();
            dispatcher.tell().await;
            let written = deadline(&mut dispatcher).await;
            for (hours, moved_by) in [(10, 10), (-10, 0), (-10, -10)] {
                // As if it had been set by so much since the last turn.
                dispatcher.clock.day = moved(dispatcher.clock.day, -hours * HOUR);
                dispatcher.persist().await;
                dispatcher.persist().await;
                let off = deadline(&mut dispatcher).await - written - moved_by * HOUR;
                assert!(off.abs() < HOUR, "{moved_by} h: off by {off} ms");
            }
        });
    }

    /// In milliseconds; of the one delivery, which is claimed for that.
    async fn deadline(dispatcher: &mut Dispatcher<'_>) -> i64 {
        let sink = dispatcher.lanes[0].sink.name();
        let late = SystemTime::now() + Duration::from_secs(100 * 3600);
        let claims = dispatcher.outbox.store.claim(sink, 1, SystemTime::now(), late).await.unwrap();
        to_millis(claims[0].expires_at)
    }
}
