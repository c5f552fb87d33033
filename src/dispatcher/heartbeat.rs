//! When the heartbeat is called: as long as the store takes writes and no sink fails.
//!
//! Invariant: the loop never awaits the call; nothing is due if there is no heartbeat.

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use tokio::task::JoinSet;

use super::{Dispatcher, Lane, MAX_SLEEP, STORE_RETRY, setup::Setup, tell::public_id};
use crate::{
    event::loss::Losses,
    host::{thread::Role, time::from_now, trouble},
    outbox::{Maker, Store, StoreError},
    sink::Heartbeat,
};

/// The heartbeat of a running thread.
pub(super) struct Pulse {
    heartbeat: Arc<Heartbeat>,
    every: Duration,
    next_at: Instant,
    /// The call that is under way.
    calls: JoinSet<Result<(), String>>,
}

impl Pulse {
    /// The first call is not made at once: whoever keeps crashing is not alive.
    pub(super) fn of(setup: &Setup) -> Option<Self> {
        let (heartbeat, every) = setup.heartbeat.as_ref()?;
        let next_at = from_now((*every).min(FIRST_AFTER));
        Some(Self { heartbeat: Arc::clone(heartbeat), every: *every, next_at, calls: JoinSet::new() })
    }
}

impl Dispatcher<'_> {
    /// Calls the heartbeat if it is time. Returns how long it is not.
    pub(super) async fn beat_when_due(&mut self) -> Duration {
        let Some(pulse) = &mut self.pulse else { return MAX_SLEEP };
        while let Some(called) = pulse.calls.try_join_next() {
            let wrong = match called {
                Ok(Ok(())) => continue,
                Ok(Err(wrong)) => wrong,
                Err(error) if error.is_cancelled() => continue,
                Err(_) => "heartbeat: the call panicked".to_owned(),
            };
            trouble::report("heartbeat", "", &format!("the heartbeat was not taken: {wrong}"));
            pulse.next_at = pulse.next_at.min(from_now(AGAIN_AFTER));
        }
        let wait = pulse.next_at.saturating_duration_since(Instant::now());
        if !wait.is_zero() {
            // What came of a call is looked at soon.
            return if pulse.calls.is_empty() { wait } else { wait.min(CALL_POLL) };
        }
        pulse.next_at = from_now(pulse.every);
        let every = pulse.every;
        let is_calling = !pulse.calls.is_empty();
        let Ok(trouble) = self.ill_health().await else {
            // Whoever has the lock may give it back; if not, memory takes over.
            if let Some(pulse) = &mut self.pulse {
                pulse.next_at = from_now(STORE_RETRY);
            }
            return STORE_RETRY;
        };
        if let Some(pulse) = self.pulse.as_mut().filter(|_| !is_calling) {
            let heartbeat = Arc::clone(&pulse.heartbeat);
            pulse.calls.spawn(Role::Own.play_all(async move { heartbeat.beat(trouble).await }));
        }
        every.min(CALL_POLL)
    }

    /// Why an alert might not arrive, if so.
    ///
    /// # Errors
    ///
    /// If the store is busy.
    async fn ill_health(&mut self) -> Result<Option<String>, StoreError> {
        // Whether what is being tried is there already is not known before it is tried again.
        if self.inbox.tried.is_some() {
            return Err(StoreError::Busy);
        }
        // A batch of nothing: it is written as everything is that is persisted.
        let maker = Maker {
            new_id: &public_id,
            run: self.inbox.run,
            process: &self.process,
            calendar: &self.calendar,
            is_of_fleet: self.is_of_fleet,
        };
        let (number, losses, targets) = (self.inbox.batches + 1, Losses::new(), &self.targets);
        let now = SystemTime::now();
        let write = async |store: &mut Store| store.persist(number, &[], &losses, &maker, targets, now).await;
        let written = self.outbox.with(write).await;
        self.follow_the_outbox();
        match written {
            Err(StoreError::Busy) => return Err(StoreError::Busy),
            Err(_) => return Ok(Some("the database takes no writes".to_owned())),
            Ok(_) if self.outbox.is_outage() => {
                return Ok(Some("the database takes no writes, and alerts are only in memory".to_owned()));
            }
            Ok(_) => self.inbox.batches = number,
        }
        let failing: Vec<_> = self.lanes.iter().filter(|lane| lane.is_failing()).map(Lane::name).collect();
        Ok((!failing.is_empty()).then(|| format!("messages do not get through by: {}", failing.join(", "))))
    }
}

/// Longer than a program that keeps crashing lives, as a rule.
const FIRST_AFTER: Duration = Duration::from_secs(60);

/// How soon a call is made again that nobody took.
const AGAIN_AFTER: Duration = Duration::from_secs(30);

/// How soon it is looked what came of a call.
const CALL_POLL: Duration = Duration::from_secs(1);
