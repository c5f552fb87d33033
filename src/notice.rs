//! [`Notice`]: the decision to tell people something, with what there is to tell.
//!
//! Invariant: plain data; the store reads it, the renderer and the sinks use it.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

use serde::{Deserialize, Serialize};

use crate::{event::Event, stats::DropReason};

mod examples;

/// What one message is about: what its recipient was not told before.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Notice {
    /// The short public id that ends its message, like `7K3Q`: that of its
    /// incident, if there is just one, with a number if it was told before.
    pub id: String,
    /// Why it is told.
    pub kind: Kind,
    /// The process that captured the events; not always the one that sends.
    pub process: Process,
    /// When it was decided to tell it.
    pub made_at: SystemTime,
    /// The incidents, what is new first, in the order they first happened; all at
    /// the recipient's level or above.
    pub samples: Vec<Sample>,
    /// Events that were counted but not kept as a sample.
    pub unsampled: u64,
    /// Events that could not be captured since the message before.
    pub losses: Losses,
    /// Whether the recipient's budget allows no more messages today, but of what
    /// was never seen before.
    pub is_last_today: bool,
}

impl Notice {
    /// All events it stands for, but for those that could not be captured: none
    /// of them was in a message to this recipient before.
    pub fn event_count(&self) -> u64 {
        self.samples.iter().map(|sample| sample.count).sum::<u64>() + self.unsampled
    }
}

/// Why a recipient is told of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// An incident that he did not hear of before.
    First,
    /// Several incidents.
    Digest,
    /// An incident whose count crossed a power of ten.
    Update,
    /// An incident that goes on for hours.
    Reminder,
    /// An incident that ended.
    Quiet,
    /// The alerting itself: messages that ended undelivered, events that were
    /// lost.
    Health,
}

/// One incident: an event and how often the same kind of event happened.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Sample {
    /// Why it is told: never [`Kind::Digest`].
    pub kind: Kind,
    /// The first of them.
    pub event: Event,
    /// The last one of which more than the number is known, if it is another;
    /// without breadcrumbs and backtrace.
    pub latest: Option<Event>,
    /// The incident's short public id.
    pub incident: String,
    /// How many of them were in no message to this recipient before.
    pub count: u64,
    /// How many there are in all.
    pub total: u64,
    /// When the first one was committed.
    pub since: SystemTime,
    /// When it happened last.
    pub last_at: SystemTime,
    /// How many there were in the hour before the notice was made.
    pub last_hour: LastHour,
}

/// How many events there were in each five minutes of an hour: as precisely as
/// they were committed, some together.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LastHour {
    /// When the first of the five minutes began.
    pub since: SystemTime,
    /// The twelve counts, the oldest first.
    pub counts: Vec<u64>,
}

impl LastHour {
    /// How long each of the counts is for.
    pub const STEP: Duration = Duration::from_secs(5 * 60);
}

/// The facts about the process that captured the events.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Process {
    /// The application's name.
    pub app: String,
    /// The environment, like `production`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// The application's version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The machine's host name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The process id.
    pub pid: u32,
}

/// How many events were lost, by reason.
pub type Losses = BTreeMap<DropReason, u64>;
