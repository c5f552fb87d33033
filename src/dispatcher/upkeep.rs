//! What the loop does now and then: due times that a clock left behind, a file
//! that grew, notices that nobody will look up any more; and where the events are.
//!
//! Invariant: keeps the loop no longer than [`TURN`] and one small step, and
//! waits for no lock unless there is something to do; a start is to be noted, once.

use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant, SystemTime},
};

use super::{Dispatcher, MAX_SLEEP, deliver::LEASE, random};
use crate::{
    host::{
        time::{Saturating, from_now},
        trouble,
    },
    outbox::{FILE_CAP_BYTES, KEPT_DEAD, KEPT_DELIVERED, MAX_LOG_BYTES, Prune, Store, StoreError},
    policy::{incident::Rhythm, retry::RetryPolicy},
};

/// When what is due again: by a clock that does not jump.
pub(super) struct Upkeep {
    /// The look at due times and at the file's size.
    look_at: Instant,
    /// The search for what is abandoned or long settled.
    sweep_at: Instant,
    /// Whether what an earlier process decided was decided anew.
    has_reconsidered: bool,
    /// Whether the store knows that the process has started.
    pub(super) has_noted: bool,
    /// Sinks that nobody has any more, of whose dead deliveries nobody was told.
    pub(super) orphaned: Vec<String>,
    /// The next count of the events; none while nothing changed.
    count_at: Option<Instant>,
    /// It is not before then.
    may_count_at: Instant,
}

impl Upkeep {
    /// The process may be short, and the only one that uses the file; but its
    /// first events come first.
    pub(super) fn new() -> Self {
        let now = Instant::now();
        Self {
            look_at: now,
            sweep_at: now.later(STEP_PAUSE),
            has_reconsidered: false,
            has_noted: false,
            orphaned: Vec::new(),
            count_at: None,
            may_count_at: now.later(COUNT_PAUSE),
        }
    }

    /// Has everything looked at again: what is in another store may have been
    /// written before the time of day jumped.
    pub(super) fn begin_anew(&mut self) {
        self.look_at = Instant::now();
        self.has_reconsidered = false;
        self.has_noted = false;
    }

    /// How long nothing will be due.
    pub(super) fn wait(&self) -> Duration {
        let next = [self.look_at, self.sweep_at].into_iter().chain(self.count_at).min();
        next.map_or(MAX_SLEEP, |next| next.saturating_duration_since(Instant::now()))
    }

    /// Has the events counted again: something changed.
    pub(super) fn count_soon(&mut self) {
        self.count_at.get_or_insert(self.may_count_at);
    }
}

impl Dispatcher<'_> {
    /// Does what is due; what it leaves, soon.
    pub(super) async fn keep_up(&mut self) {
        let now = Instant::now();
        if self.upkeep.look_at <= now {
            let looked = self.look().await;
            let pause = Self::pause_after(looked, LOOK_PAUSE);
            self.upkeep.look_at = from_now(pause);
        }
        if self.upkeep.sweep_at <= now {
            let swept = self.sweep().await;
            let pause = Self::pause_after(swept, SWEEP_PAUSE);
            self.upkeep.sweep_at = from_now(pause);
        }
    }

    /// Counts where the events are, if that changed.
    pub(super) async fn count_when_due(&mut self) {
        if self.upkeep.count_at.is_some_and(|at| at <= Instant::now()) {
            self.count().await;
        }
    }

    /// Counts where the events are.
    pub(super) async fn count(&mut self) {
        let began = Instant::now();
        let events = self.outbox.with(async |store| store.events().await).await;
        self.upkeep.may_count_at = from_now(COUNT_PAUSE.max(began.elapsed().saturating_mul(20)));
        self.upkeep.count_at = None;
        match events {
            Ok(events) => self.counters.set_events(events),
            Err(_) => self.upkeep.count_soon(),
        }
    }

    /// How long to pause after a turn that left more to do, or did not.
    fn pause_after(more: Result<bool, StoreError>, pause: Duration) -> Duration {
        match more {
            Ok(true) => STEP_PAUSE,
            // Processes that share a file, and were started together, drift apart.
            Ok(false) => pause.mul_f64(0.9 + 0.2 * f64::from(random()) / f64::from(u32::MAX)),
            Err(StoreError::Busy) => STEP_PAUSE,
            Err(_) => LOOK_PAUSE,
        }
    }

    async fn look(&mut self) -> Result<bool, StoreError> {
        let now = SystemTime::now();
        if !self.upkeep.has_reconsidered {
            // Nobody knows by which clock it was decided.
            self.outbox.with(async |store| store.reconsider(now).await).await?;
            self.tell_at = None;
            let deadlines: Vec<_> = self.channels.iter().map(|it| (it.sink, it.deadline)).collect();
            let before = now.earlier(NOBODY_THERE);
            self.outbox.with(async |store| store.prolong(&deadlines, before, now).await).await?;
            self.note_known().await?;
            self.upkeep.has_reconsidered = true;
        }
        self.forget_unknown().await?;
        if !self.upkeep.has_noted {
            self.upkeep.has_noted = self.note_start().await;
        }
        let first_by = now.later(Rhythm::MAX_SETTLE);
        let again_by = now.later(longest_delay(&self.retry));
        let pull = async |store: &mut Store| store.pull_forward(first_by, again_by, now).await;
        if self.outbox.with(pull).await? > 0 {
            self.wake_lanes();
        }
        let excess = Prune::Excess { cap_bytes: FILE_CAP_BYTES, untold_since: now.earlier(TOLD_WITHIN) };
        Ok(self.prune(excess).await? || !self.upkeep.has_noted)
    }

    async fn sweep(&mut self) -> Result<bool, StoreError> {
        let now = SystemTime::now();
        let own: Vec<&str> = self.lanes.iter().map(|lane| lane.sink.name()).collect();
        let buried = self.outbox.with(async |store| store.bury_abandoned(&own, now).await).await?;
        if buried > 0 {
            self.counters.dead.fetch_add(buried, Ordering::Relaxed);
            let what =
                format!("deliveries that ended undelivered, as no process has their sink any more: {buried}");
            trouble::report("abandoned", "", &what);
        }
        let sinks = self.outbox.with(async |store| store.sinks_of_dead().await).await?.into_iter();
        self.upkeep.orphaned = sinks.filter(|sink| !own.contains(&sink.as_str())).collect();
        self.prune(Prune::Expired {
            delivered_by: now.earlier(KEPT_DELIVERED),
            dead_by: now.earlier(KEPT_DEAD),
        })
        .await
    }

    /// Takes steps until nothing is left to do or the turn is over. True if
    /// something is left.
    async fn prune(&mut self, what: Prune) -> Result<bool, StoreError> {
        let until = from_now(TURN);
        loop {
            let pruned = self.outbox.with(async |store| store.prune(what).await).await?;
            let is_search_for_room = matches!(what, Prune::Excess { .. });
            if is_search_for_room && pruned.log_bytes > MAX_LOG_BYTES {
                let size = pruned.log_bytes / 1024 / 1024;
                let what = format!(
                    "another program reads the database in one transaction that does not end: until it does, the \
                     file beside it (-wal) grows, and has {size} MiB"
                );
                trouble::report("log", "", &what);
            }
            if is_search_for_room && !pruned.more && pruned.used_bytes > FILE_CAP_BYTES {
                let cap = FILE_CAP_BYTES / 1024 / 1024;
                trouble::report("size", "", &format!("more than {cap} MiB of alerts are still unsent"));
            }
            if !pruned.more || until <= Instant::now() {
                return Ok(pruned.more);
            }
        }
    }
}

/// No delivery that was attempted is due later than this.
fn longest_delay(retry: &RetryPolicy) -> Duration {
    // Not only our own policy: another process may have written the row.
    let delay = |policy: &RetryPolicy| policy.cap.mul_f64(1.5).max(policy.probe);
    delay(retry).max(delay(&RetryPolicy::DEFAULT)).max(RetryPolicy::MAX_WISH).saturating_add(LEASE)
}

/// What was due so long ago, nobody took: twice as long as a process has it for.
const NOBODY_THERE: Duration = LEASE.saturating_mul(2);

/// How often due times and the file's size are looked at.
const LOOK_PAUSE: Duration = Duration::from_secs(60);

/// How often the events are counted at most, but for those who flush. Longer if
/// that would take more than a twentieth of the time.
const COUNT_PAUSE: Duration = Duration::from_secs(1);

/// How often abandoned deliveries and long settled notices are looked for, ± a
/// tenth.
const SWEEP_PAUSE: Duration = Duration::from_secs(60 * 60);

/// What is dead is told within this time, if there is somebody to tell.
const TOLD_WITHIN: Duration = Duration::from_secs(2 * 60 * 60);

/// How soon a turn goes on that had more to do than its time allowed.
const STEP_PAUSE: Duration = Duration::from_secs(1);

/// No step is begun later in a turn.
const TURN: Duration = Duration::from_millis(20);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_legal_delay_is_taken_for_a_jump_of_the_clock() {
        let long = RetryPolicy { cap: Duration::from_secs(10 * 3600), ..RetryPolicy::DEFAULT };
        let probing = RetryPolicy { probe: Duration::from_secs(20 * 3600), ..RetryPolicy::DEFAULT };
        assert_eq!(longest_delay(&RetryPolicy::DEFAULT), RetryPolicy::MAX_WISH + LEASE);
        assert_eq!(longest_delay(&long), Duration::from_secs(15 * 3600) + LEASE);
        assert_eq!(longest_delay(&probing), Duration::from_secs(20 * 3600) + LEASE);
    }
}
