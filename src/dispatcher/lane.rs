//! [`Lane`]: one sink, how busy it is and when it is to be looked at next.

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use super::{MAX_SLEEP, questions::Questions};
use crate::{
    host::time::{Saturating, from_now},
    outbox::FAILING_FOR,
    sink::DynSink,
};

/// One sink's attempts: independent of every other sink's.
pub(super) struct Lane {
    pub(super) sink: Arc<dyn DynSink>,
    pub(super) in_flight: usize,
    /// When an attempt was over last.
    pub(super) ended_at: Option<Instant>,
    due: Due,
    pub(super) questions: Questions,
    /// Not a time of day: a clock that jumps back makes no pause longer.
    paused_until: Option<Instant>,
    /// How many attempts failed in a row, whichever delivery's they were.
    failures: u32,
    /// When its dead deliveries are to be looked for.
    dead_at: Instant,
    /// When it is to be looked whether it still fails, since it began to.
    failing_at: Option<Instant>,
}

/// When a lane's next delivery is due.
enum Due {
    /// Something changed: the store has to be asked.
    Unknown,
    Never,
    At(SystemTime),
    /// The store failed: it is asked again then.
    Stuck(Instant),
}

impl Lane {
    pub(super) fn new(sink: Arc<dyn DynSink>) -> Self {
        Self {
            sink,
            in_flight: 0,
            ended_at: None,
            due: Due::Unknown,
            questions: Questions::default(),
            paused_until: None,
            failures: 0,
            dead_at: Instant::now(),
            failing_at: None,
        }
    }

    /// How many more attempts may be started: after a pause just one, which
    /// probes whether somebody mended the sink.
    pub(super) fn free(&self) -> usize {
        let most = match self.paused_until {
            None => MAX_IN_FLIGHT,
            Some(until) if until <= Instant::now() => 1,
            Some(_) => 0,
        };
        most.saturating_sub(self.in_flight)
    }

    /// Whether the store has to be asked when something is due.
    pub(super) fn must_ask(&self) -> bool {
        match self.due {
            Due::Unknown => true,
            Due::Stuck(again) => again <= Instant::now(),
            Due::Never | Due::At(_) => false,
        }
    }

    /// The store did not say what is due.
    pub(super) fn is_stuck(&self) -> bool {
        matches!(self.due, Due::Stuck(_))
    }

    pub(super) fn set_due(&mut self, due: Option<SystemTime>) {
        self.due = due.map_or(Due::Never, Due::At);
    }

    /// Something changed: deliveries may be due.
    pub(super) fn wake(&mut self) {
        self.due = Due::Unknown;
    }

    /// The store failed: asks it again, but not within `pause`.
    pub(super) fn look_again_in(&mut self, pause: Duration) {
        self.due = Due::Stuck(from_now(pause));
    }

    pub(super) fn is_due(&self, now: SystemTime) -> bool {
        matches!(self.due, Due::At(due) if due <= now)
    }

    /// How long there is nothing to do for this lane but to await its attempts.
    pub(super) fn wait(&self, now: SystemTime) -> Duration {
        let until = |at: Instant| at.saturating_duration_since(Instant::now());
        let paused = self.paused_until.map_or(Duration::ZERO, until);
        match self.due {
            Due::At(due) if paused > Duration::ZERO || self.free() > 0 => {
                due.duration_since(now).unwrap_or_default().max(paused).min(MAX_SLEEP)
            }
            Due::Unknown => Duration::ZERO,
            Due::Stuck(again) => until(again).min(MAX_SLEEP),
            Due::At(_) | Due::Never => MAX_SLEEP,
        }
    }

    /// Whether its dead deliveries are to be looked for, and whether it fails: then not
    /// again before `pause` has passed, one of them dies, or it failed for so long.
    pub(super) fn takes_stock_of_dead(&mut self, pause: Duration) -> bool {
        let now = Instant::now();
        let has_failed = self.failing_at.is_some_and(|at| at <= now);
        let is_time = self.dead_at <= now || has_failed;
        if is_time {
            self.dead_at = now.later(pause);
            if has_failed {
                self.failing_at = Some(now.later(pause));
            }
        }
        is_time
    }

    /// An attempt failed that may succeed another time.
    pub(super) fn note_failing(&mut self) {
        self.failing_at.get_or_insert_with(|| from_now(FAILING_FOR));
    }

    /// Whether its messages do not get through: it pauses, or has failed for long.
    #[cfg(feature = "webhook")]
    pub(super) fn is_failing(&self) -> bool {
        self.paused_until.is_some() || self.failing_at.is_some_and(|at| at <= Instant::now())
    }

    #[cfg(feature = "webhook")]
    pub(super) fn name(&self) -> &'static str {
        self.sink.name()
    }

    /// How long it is not to be looked whether it fails.
    pub(super) fn until_failing(&self) -> Duration {
        self.failing_at.map_or(MAX_SLEEP, |at| at.saturating_duration_since(Instant::now()))
    }

    /// One of its deliveries died.
    pub(super) fn look_for_dead(&mut self) {
        self.dead_at = Instant::now();
    }

    pub(super) fn pause(&mut self, pause: Duration) {
        self.paused_until = self.paused_until.max(Some(from_now(pause)));
    }

    /// An attempt failed that may succeed another time. Returns how many times
    /// the lane was found failing by now: none if it may go on, or pauses already.
    pub(super) fn fail(&mut self) -> Option<u32> {
        if self.paused_until.is_some_and(|until| until > Instant::now()) {
            return None;
        }
        self.failures = self.failures.saturating_add(1);
        self.failures.checked_sub(MAX_FAILURES - 1).filter(|times| *times > 0)
    }

    /// The provider answered for good: it works.
    pub(super) fn resume(&mut self) {
        self.paused_until = None;
        self.failing_at = None;
        self.failures = 0;
    }
}

/// After as many failures in a row a sink pauses, and is probed by one delivery.
const MAX_FAILURES: u32 = 5;

/// How many attempts of one sink run at once.
const MAX_IN_FLIGHT: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{event::from_millis, sink::MemorySink};

    #[test]
    fn a_pause_ends_although_the_clock_jumps_back() {
        let mut lane = Lane::new(Arc::new(MemorySink::new()));
        let before_the_jump = from_millis(1_700_000_000_000);
        lane.set_due(Some(before_the_jump));
        lane.pause(Duration::ZERO);
        assert_eq!(lane.free(), 1);
        lane.pause(MAX_SLEEP * 2);
        let after_the_jump = before_the_jump - Duration::from_secs(3 * 3600);
        assert_eq!((lane.free(), lane.wait(after_the_jump)), (0, MAX_SLEEP));
        assert_eq!((lane.free(), lane.wait(before_the_jump)), (0, MAX_SLEEP));
        lane.resume();
        assert_eq!((lane.free(), lane.wait(before_the_jump)), (MAX_IN_FLIGHT, Duration::ZERO));
    }
}
