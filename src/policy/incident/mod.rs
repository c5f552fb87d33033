//! When a recipient is told of an incident: first, again, for the last time.
//!
//! An incident is the group of events with one fingerprint: a *kind*. It ends when it
//! had no event for [`QUIET_AFTER`], and is the same one again if it comes back within
//! [`SAME_WITHIN`]. Windows and holds are fixed, never pushed on by the next event, and
//! counted from times that the store keeps: a restart changes nothing.
//! Invariant: pure; `now` is an argument.

use std::time::{Duration, SystemTime};

use crate::host::time::Saturating;

mod hold;
pub(crate) use hold::ANEW_AFTER;

mod plan;
pub(crate) use plan::{PENDING_PAUSE, Plan, RecipientView, plan};

mod recent;
pub(crate) use recent::Recent;

mod room;
#[cfg(feature = "sqlite")]
pub(crate) use room::MAX_PENDING;
pub(crate) use room::Room;

mod window;
pub(crate) use window::{Heard, Rank, Window};

/// How often one recipient hears of things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rhythm {
    /// How long the first event of an incident waits for company.
    pub(crate) settle: Duration,
    /// Who heard something hears of what is new at the end of this window.
    pub(crate) window: Duration,
    /// Whether the end of an incident is told although nothing was left to say.
    pub(crate) says_quiet: bool,
    /// Whether every end is told, also of what was told once and in full.
    pub(crate) says_every_end: bool,
}

impl Rhythm {
    /// No [`settle`](Self::settle) time is longer.
    pub(crate) const MAX_SETTLE: Duration = Duration::from_secs(60);

    /// A phone is for what is new, comes back or goes on.
    pub(crate) const fn sms(settle: Duration, window: Duration) -> Self {
        Self { settle, window, says_quiet: false, says_every_end: false }
    }

    /// An inbox also gets what ended.
    pub(crate) const fn email(settle: Duration, window: Duration) -> Self {
        Self { settle, window, says_quiet: true, says_every_end: false }
    }

    /// A pager has an alert that is open until it hears of the end.
    #[cfg(feature = "webhook")]
    pub(crate) const fn pager(settle: Duration, window: Duration) -> Self {
        Self { says_every_end: true, ..Self::email(settle, window) }
    }
}

/// An incident ends when it had no event for this long.
pub(crate) const QUIET_AFTER: Duration = Duration::from_secs(30 * 60);

/// One that comes back within this time after its last event is the same one.
pub(crate) const SAME_WITHIN: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// What is left to tell waits for the end if it comes sooner than this after the last
/// event: then one message tells both.
const GOES_ON_FOR: Duration = Duration::from_secs(15 * 60);

/// An incident, and what one recipient knows of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) opened_at: SystemTime,
    /// When it came back, after it had ended; the last time.
    pub(crate) back_at: Option<SystemTime>,
    pub(crate) last_at: SystemTime,
    pub(crate) rank: Rank,
    /// All its events.
    pub(crate) count: u64,
    /// How many of them are in this recipient's messages.
    pub(crate) told: u64,
    /// When the last of those was made.
    pub(crate) told_at: Option<SystemTime>,
    /// How many those are.
    pub(crate) tellings: u32,
    /// How many holds there were in a row, and how long the last one is.
    pub(crate) holds: u32,
    pub(crate) hold: Duration,
    /// Whether it came back when it was not held, and nothing was told since.
    pub(crate) is_back: bool,
    /// Whether the last one told that it goes on.
    pub(crate) went_on: bool,
    /// Whether the one that did not leave yet is among them.
    pub(crate) is_pending: bool,
    /// Whether one of them may have been sent: nothing may overtake it.
    pub(crate) is_in_doubt: bool,
    /// Whether its events are of many kinds.
    pub(crate) is_crowd: bool,
    /// Whether its fingerprint was never seen before.
    pub(crate) is_new: bool,
    /// It is not told sooner: somebody silenced it.
    pub(crate) not_before: Option<SystemTime>,
    /// Whether somebody else is told how it ends.
    pub(crate) is_covered: bool,
    /// Whether it waits for no window.
    pub(crate) is_urgent: bool,
}

/// Why a recipient is told of an incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reason {
    First,
    /// It came back.
    Again,
    Update,
    Reminder,
    Quiet,
}

/// What comes next for a recipient of an incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Tell them at that time, unless something else happens before.
    Tell(Reason, SystemTime),
    /// Nothing any more, from then on.
    Close(SystemTime),
}

impl Next {
    /// When it comes.
    pub(crate) fn at(self) -> SystemTime {
        match self {
            Self::Tell(_, at) | Self::Close(at) => at,
        }
    }
}

impl Standing {
    /// How many messages there are with the next one, or with what joins the one
    /// that did not leave.
    pub(crate) fn next_tellings(&self) -> u32 {
        self.tellings.saturating_add(u32::from(!self.is_pending))
    }

    /// Events that are in none of this recipient's messages.
    pub(crate) fn untold(&self) -> u64 {
        self.count.saturating_sub(self.told)
    }

    /// What comes next, if nothing else passes `window`.
    pub(crate) fn next(&self, rhythm: &Rhythm, window: &Window, now: SystemTime) -> Next {
        // A time that is still to come was written before the clock jumped back.
        let known = |at: SystemTime| at.min(now);
        let when_free = |at: SystemTime| {
            let free_at = window.until.filter(|_| !self.passes(window));
            free_at.map_or(at, |free| at.max(free))
        };
        let Some(held_until) = self.held_until(now) else {
            let settled = known(self.opened_at).later(rhythm.settle);
            let at = self.not_before.map_or_else(|| when_free(settled), |silent| silent.max(settled));
            return Next::Tell(Reason::First, at);
        };
        let held_until = self.not_before.map_or(held_until, |silent| silent.max(held_until));
        let end = known(self.last_at).later(QUIET_AFTER);
        // Whoever has to hear of each end hears of it once, and then; no hold is for that.
        let knows_no_end = rhythm.says_every_end && self.told_at.is_some_and(|told| known(told) < end);
        if self.untold() == 0 {
            // Of what was told once since it came, and in full, the end is no news.
            let is_news = rhythm.says_quiet && self.went_on;
            return match is_news {
                _ if knows_no_end => Next::Tell(Reason::Quiet, end),
                true => Next::Tell(Reason::Quiet, when_free(end.max(held_until))),
                false => Next::Close(end),
            };
        }
        if let Some(back_at) = self.back_at.map(known).filter(|_| self.came_back()) {
            return Next::Tell(Reason::Again, when_free(back_at.later(rhythm.settle).max(held_until)));
        }
        if known(self.last_at).later(GOES_ON_FOR) >= held_until {
            let grows = self.count >= next_power_of_ten(self.told);
            let reason = if grows { Reason::Update } else { Reason::Reminder };
            return Next::Tell(reason, when_free(held_until));
        }
        match rhythm.says_quiet || !self.is_covered {
            _ if knows_no_end => Next::Tell(Reason::Quiet, end),
            true => Next::Tell(Reason::Quiet, when_free(end.max(held_until))),
            false => Next::Close(end),
        }
    }

    /// Whether it came back since it was told.
    fn came_back(&self) -> bool {
        self.back_at > self.told_at
    }

    /// Whether it is to be told as soon as may be: nobody was told, or it came back.
    pub(crate) fn is_news(&self, now: SystemTime) -> bool {
        self.told_at.is_none() || (self.came_back() && !self.is_held(now))
    }

    /// Whether it had no event for so long that it has ended.
    pub(crate) fn is_over(&self, now: SystemTime) -> bool {
        self.last_at.later(QUIET_AFTER) <= now
    }
}

/// The count at which an incident is told again of which `told` are known.
fn next_power_of_ten(told: u64) -> u64 {
    let mut power: u64 = 10;
    while power <= told {
        power = power.saturating_mul(10);
    }
    power
}

#[cfg(test)]
mod tests;
