//! How many messages one recipient may get: a token bucket and a day's limit.
//!
//! Invariant: pure; what was spent lives in the store, so that a restart, or
//! another process on the same file, spends from the same budget.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use super::{calendar::Calendar, incident::Heard, known::Knower};
use crate::{event::millis_or_none, host::time::Saturating};

mod spent;
pub(crate) use spent::Spent;

/// How many messages a recipient may get. What exceeds it waits, and comes with the
/// next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Budget {
    /// How many messages may follow one another at once.
    pub burst: u32,
    /// After that, one message in this time.
    pub refill: Duration,
    /// How many messages a day of the recipients' time zone. A quarter of them is kept
    /// for errors never seen before, and one kind of event makes no more than a quarter
    /// in 24 hours.
    pub per_day: u32,
}

impl Budget {
    /// Three SMS at once, then one in ten minutes; twenty a day.
    pub const SMS: Self = Self { burst: 3, refill: Duration::from_secs(10 * 60), per_day: 20 };

    /// Ten mails at once, then one a minute; two hundred a day.
    pub const EMAIL: Self = Self { burst: 10, refill: Duration::from_secs(60), per_day: 200 };

    /// A budget of `burst` messages at once, then one in `refill`, and `per_day`
    /// a day.
    pub const fn new(burst: u32, refill: Duration, per_day: u32) -> Self {
        Self { burst, refill, per_day }
    }

    /// For a recipient whose account cannot be read: so little that no outage of
    /// the disk becomes a bill.
    pub(crate) const BLIND_SMS: Self = Self { burst: 1, refill: Duration::from_secs(15 * 60), per_day: 20 };

    /// For messages that cost nothing, while each instance of a fleet tells by itself.
    #[cfg(feature = "postgres")]
    pub(crate) const ALONE: Self = Self { burst: 1, refill: Duration::from_secs(60 * 60), per_day: 24 };

    /// What both allow.
    pub(crate) fn and(&self, other: &Self) -> Self {
        Self {
            burst: self.burst.min(other.burst),
            refill: self.refill.max(other.refill),
            per_day: self.per_day.min(other.per_day),
        }
    }

    /// How many messages a day may tell of what is known already.
    fn for_the_known(&self) -> u32 {
        three_quarters(self.per_day)
    }

    /// How many messages of 24 hours one kind of event may make necessary.
    pub(crate) fn share(&self) -> u32 {
        (self.per_day / 4).max(1)
    }
}

/// What one recipient was sent through one sink.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Account {
    /// When the last message to them was made, or delivered.
    #[serde(with = "millis_or_none", default)]
    pub(crate) heard_at: Option<SystemTime>,
    /// What it told.
    #[serde(default)]
    pub(crate) heard: Heard,
    /// How many messages were made in a row that something new had to wait for.
    #[serde(default)]
    pub(crate) in_a_row: u32,
    /// When the bucket will be full, if nothing else is taken from it.
    #[serde(with = "millis_or_none", default)]
    pub(crate) full_at: Option<SystemTime>,
    /// Messages.
    #[serde(default)]
    pub(crate) spent: Spent,
    /// What they cost, in segments.
    #[serde(default)]
    pub(crate) segments: Spent,
    /// The processes whose settings name them.
    #[serde(default)]
    pub(crate) known_by: Vec<Knower>,
    /// What an instance of a fleet sent alone.
    #[serde(default, skip_serializing_if = "Alone::is_nothing")]
    pub(crate) alone: Alone,
}

/// What one recipient was sent by one instance of a fleet, while it could not ask the others.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Alone {
    #[serde(default)]
    messages: Spent,
    #[serde(default)]
    segments: Spent,
}

impl Alone {
    pub(crate) fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

#[cfg(feature = "postgres")]
impl Alone {
    /// One message more, of so many segments.
    pub(crate) fn add(&mut self, segments: u32, now: SystemTime) {
        self.messages.add(1, now);
        self.segments.add(segments, now);
    }
}

#[cfg(feature = "postgres")]
impl Account {
    /// Counts what an instance `sent` alone, of which it said before what is `known`. Returns
    /// all that it said.
    pub(crate) fn take_over(&mut self, sent: &Alone, known: &Alone) -> Alone {
        self.spent = self.spent.with(&sent.messages.without(&known.messages), false);
        self.segments = self.segments.with(&sent.segments.without(&known.segments), false);
        Alone {
            messages: known.messages.with(&sent.messages, true),
            segments: known.segments.with(&sent.segments, true),
        }
    }
}

/// What an account allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Allowance {
    /// One more message; the account after it, and whether it is the day's last
    /// one that tells of what is known.
    Message { after: Account, is_last: bool },
    /// None before then.
    NotBefore(SystemTime),
}

impl Account {
    /// The same account after the clock jumped back to `now`: what was to come
    /// after the last message still comes as long after it.
    pub(crate) fn heard_by(&self, now: SystemTime) -> Self {
        let ahead = self.heard_at.and_then(|at| at.duration_since(now).ok()).unwrap_or_default();
        let back = |at: Option<SystemTime>| at.map(|at| at.earlier(ahead));
        Self { heard_at: back(self.heard_at), full_at: back(self.full_at), ..self.clone() }
    }

    /// What was heard by `other`, too, was heard.
    pub(crate) fn hear(&mut self, other: &Self) {
        if self.heard_at < other.heard_at {
            (self.heard_at, self.heard, self.in_a_row) = (other.heard_at, other.heard, other.in_a_row);
        }
        self.full_at = self.full_at.max(other.full_at);
    }

    /// Whether `limits` allow a message at `now` that tells of something never
    /// seen before, or does not.
    ///
    /// The bucket is kept as the time when it will be full again: one number,
    /// and nothing has to be filled up.
    pub(crate) fn allows(&self, limits: &Limits<'_>, is_new: bool, now: SystemTime) -> Allowance {
        let heard = Self { heard_at: Some(now), ..self.clone() };
        let Some(budget) = limits.budget else {
            return Allowance::Message { after: heard, is_last: false };
        };
        let today = self.spent.today(limits.calendar, now);
        let limit = if is_new { budget.per_day } else { budget.for_the_known() };
        if today >= limit {
            return Allowance::NotBefore(self.spent.tomorrow(limits.calendar, now));
        }
        let fill = budget.refill.saturating_mul(budget.burst);
        // A clock that jumped back must not close the bucket for longer than it
        // takes to fill.
        let full_at = self.full_at.map_or(now, |at| at.max(now).min(now.later(fill)));
        let after = full_at.later(budget.refill);
        if after > now.later(fill) {
            return Allowance::NotBefore(after.earlier(fill));
        }
        let mut after = Self { full_at: Some(after), ..heard };
        after.spent.add(1, now);
        Allowance::Message { after, is_last: today.saturating_add(1) == budget.for_the_known() }
    }
}

/// What holds for each recipient of a sink.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits<'a> {
    /// How many messages; none if that is not limited.
    pub(crate) budget: Option<&'a Budget>,
    /// When a day begins.
    pub(crate) calendar: &'a Calendar,
}

/// What is not kept for what was never seen before.
pub(crate) fn three_quarters(of: u32) -> u32 {
    of - of / 4
}

/// What a message may cost.
pub(crate) const MAX_SEGMENTS: u32 = 2;

#[cfg(test)]
mod tests;
