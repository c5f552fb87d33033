//! When a recipient is told of an incident: first, again, for the last time.
//!
//! An incident is the open group of events with one fingerprint. Windows are
//! fixed, never pushed on by the next event, and counted from times that the
//! store keeps: a restart changes nothing.
//! Invariant: pure; `now` is an argument.

use std::time::{Duration, SystemTime};

use crate::host::time::Saturating;

mod plan;
#[cfg(feature = "sqlite")]
pub(crate) use plan::{MAX_PENDING, max_under_way};
pub(crate) use plan::{PENDING_PAUSE, Plan, RecipientView, blocked_until, plan};

/// How often one recipient hears of things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rhythm {
    /// How long the first event of an incident waits for company.
    pub(crate) settle: Duration,
    /// Who heard something hears of what is new at the end of this window.
    pub(crate) window: Duration,
    /// An incident whose count crosses a power of ten is told again, but not
    /// sooner than after this long.
    pub(crate) update: Duration,
    /// An incident that goes on is told again after this long.
    pub(crate) reminder: Option<Duration>,
    /// Whether the end of an incident is told although nothing was left to say.
    pub(crate) says_quiet: bool,
    /// Whether every end is told, also of what was told once and in full.
    pub(crate) says_every_end: bool,
}

impl Rhythm {
    /// No [`settle`](Self::settle) time is longer.
    pub(crate) const MAX_SETTLE: Duration = Duration::from_secs(60);

    /// A phone is for what is new, and for what grows.
    pub(crate) const fn sms(settle: Duration, window: Duration) -> Self {
        Self {
            settle,
            window,
            update: Duration::from_secs(60 * 60),
            reminder: None,
            says_quiet: false,
            says_every_end: false,
        }
    }

    /// An inbox also gets what goes on, and what ended.
    pub(crate) const fn email(settle: Duration, window: Duration) -> Self {
        Self {
            settle,
            window,
            update: Duration::from_secs(15 * 60),
            reminder: Some(Duration::from_secs(4 * 60 * 60)),
            says_quiet: true,
            says_every_end: false,
        }
    }

    /// A pager has an alert that is open until it hears of the end.
    #[cfg(feature = "webhook")]
    pub(crate) const fn pager(settle: Duration, window: Duration) -> Self {
        Self { says_every_end: true, ..Self::email(settle, window) }
    }
}

/// An incident ends when it had no event for this long.
pub(crate) const QUIET_AFTER: Duration = Duration::from_secs(30 * 60);

/// An incident, and what one recipient knows of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) opened_at: SystemTime,
    pub(crate) last_at: SystemTime,
    /// All its events.
    pub(crate) count: u64,
    /// How many of them are in this recipient's messages.
    pub(crate) told: u64,
    /// When the last of those was made.
    pub(crate) told_at: Option<SystemTime>,
    /// How many those are.
    pub(crate) tellings: u32,
    /// Whether the one that did not leave yet is among them.
    pub(crate) is_pending: bool,
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
    /// That of somebody who was never told of what opened at `opened_at`.
    pub(crate) fn fresh(opened_at: SystemTime, not_before: Option<SystemTime>) -> Self {
        Self {
            opened_at,
            last_at: opened_at,
            count: 1,
            told: 0,
            told_at: None,
            tellings: 0,
            is_pending: false,
            is_new: true,
            not_before,
            is_covered: false,
            is_urgent: false,
        }
    }

    /// How many messages there are with the next one, or with what joins the one
    /// that did not leave.
    pub(crate) fn next_tellings(&self) -> u32 {
        self.tellings.saturating_add(u32::from(!self.is_pending))
    }

    /// Events that are in none of this recipient's messages.
    pub(crate) fn untold(&self) -> u64 {
        self.count.saturating_sub(self.told)
    }

    /// What comes next, if this recipient heard something else at `heard_at`.
    pub(crate) fn next(&self, rhythm: &Rhythm, heard_at: Option<SystemTime>, now: SystemTime) -> Next {
        // A time that is still to come was written before the clock jumped back.
        let known = |at: SystemTime| at.min(now);
        let free_at = heard_at.map(|at| known(at).later(rhythm.window));
        let when_free = |at: SystemTime| free_at.map_or(at, |free| at.max(free));
        let Some(told_at) = self.told_at.map(known) else {
            let settled = known(self.opened_at).later(rhythm.settle);
            let free = if self.is_urgent { settled } else { when_free(settled) };
            let at = self.not_before.map_or(free, |silent| silent.max(settled));
            return Next::Tell(Reason::First, at);
        };
        let end = match self.end(rhythm, known(self.last_at).later(QUIET_AFTER)) {
            Next::Tell(reason, at) => Next::Tell(reason, when_free(at)),
            close @ Next::Close(_) => close,
        };
        if self.is_over(now) || self.untold() == 0 {
            return end;
        }
        let update = (self.count >= next_power_of_ten(self.told))
            .then(|| Next::Tell(Reason::Update, when_free(told_at.later(rhythm.update))));
        let reminder =
            rhythm.reminder.map(|pause| Next::Tell(Reason::Reminder, when_free(told_at.later(pause))));
        [update, reminder, Some(end)].into_iter().flatten().min_by_key(|next| next.at()).unwrap_or(end)
    }

    /// Whether it had no event for so long that it has ended.
    pub(crate) fn is_over(&self, now: SystemTime) -> bool {
        self.last_at.later(QUIET_AFTER) <= now
    }

    /// What the end at `at` means for this recipient.
    fn end(&self, rhythm: &Rhythm, at: SystemTime) -> Next {
        let has_news = self.untold() > 0 && (rhythm.says_quiet || !self.is_covered);
        // Of what was told once, and in full, the end is no news.
        let had_more = rhythm.says_quiet && self.tellings > 1;
        if has_news || had_more || rhythm.says_every_end {
            Next::Tell(Reason::Quiet, at)
        } else {
            Next::Close(at)
        }
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
