//! [`Errand`]: work that may wait for somebody else's lock, done on another thread.
//!
//! Whoever asks for it may hold that lock: they wait for the work, but with a
//! deadline. One thread at a time does it, as often as it takes until everybody who
//! asked has had a whole run that began after they asked.
//! Invariant: no lock of ours is held while the work is done.

use std::{
    sync::PoisonError,
    time::{Duration, Instant},
};

use super::sync::{Condvar, Mutex, MutexGuard};

/// Done for all who ask; see [`ask`](Self::ask).
#[derive(Debug)]
pub(crate) struct Errand {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    /// How often anybody asked.
    asked: u64,
    /// How many of these are done.
    done: u64,
    /// Whether a thread is at it, and sees who asks now.
    is_served: bool,
    /// Whether somebody waited in vain for the run that is under way: it may be for
    /// them that it waits, and nobody else waits for it.
    is_stuck: bool,
}

/// What [`Errand::ask`] came to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    ticket: u64,
    /// Nobody is at it: whoever asked has a thread [serve](Errand::serve).
    pub(crate) must_serve: bool,
}

impl Default for Errand {
    fn default() -> Self {
        let state = State { asked: 0, done: 0, is_served: false, is_stuck: false };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }
}

impl Errand {
    /// Asks for a run that begins after this call.
    pub(crate) fn ask(&self) -> Asked {
        let mut state = self.lock();
        state.asked += 1;
        let must_serve = !std::mem::replace(&mut state.is_served, true);
        // The thread that is at it may be pausing.
        self.changed.notify_all();
        Asked { ticket: state.asked, must_serve }
    }

    /// Waits for the run that was asked for. False if it does not end before
    /// `deadline`.
    pub(crate) fn wait_until(&self, asked: Asked, deadline: Instant) -> bool {
        self.wait(deadline, |state| state.done >= asked.ticket || state.is_stuck);
        let mut state = self.lock();
        let is_done = state.done >= asked.ticket;
        state.is_stuck |= !is_done;
        is_done
    }

    /// Does `work` until nobody asks any more; and once more after each pause in
    /// `again`, unless somebody asks meanwhile. `work` must not panic.
    pub(crate) fn serve(&self, again: &[Duration], work: impl Fn()) {
        loop {
            let asked = self.lock().asked;
            work();
            {
                let mut state = self.lock();
                (state.done, state.is_stuck) = (asked, false);
            }
            self.changed.notify_all();
            let is_asked_within = |pause: Duration| {
                let now = Instant::now();
                self.wait(now.checked_add(pause).unwrap_or(now), |state| state.asked > asked)
            };
            for pause in again {
                if is_asked_within(*pause) {
                    break;
                }
                work();
            }
            let mut state = self.lock();
            if state.asked == asked {
                state.is_served = false;
                return;
            }
        }
    }

    fn wait(&self, deadline: Instant, is_over: impl Fn(&State) -> bool) -> bool {
        let mut state = self.lock();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if is_over(&state) || left.is_zero() {
                return is_over(&state);
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
