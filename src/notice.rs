//! [`Notice`]: the decision to tell people something, with what there is to tell.
//!
//! Invariant: plain data; the store reads it, the renderer and the sinks use it.

use std::{collections::BTreeMap, time::SystemTime};

use serde::{Deserialize, Serialize};

use crate::{event::Event, stats::DropReason};

/// What one message is about: the events of one settle window.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Notice {
    /// The short public id that ends each of its messages, like `7K3Q`.
    pub id: String,
    /// Whether it tells of the alerting itself: of messages that ended
    /// undelivered, in an event that the crate made.
    pub health: bool,
    /// The process that captured the events; not always the one that sends.
    pub process: Process,
    /// When its first event was captured.
    pub opened_at: SystemTime,
    /// The different events, in the order they first happened, and at the
    /// recipient's level or above.
    pub samples: Vec<Sample>,
    /// Events that were counted but not kept as a sample.
    pub unsampled: u64,
    /// Events that could not be captured since the message before.
    pub losses: Losses,
}

impl Notice {
    /// All events it stands for, but for those that could not be captured.
    pub fn event_count(&self) -> u64 {
        self.samples.iter().map(|sample| sample.count).sum::<u64>() + self.unsampled
    }
}

/// One event and how often the same one happened.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Sample {
    /// The first of them.
    pub event: Event,
    /// How often it happened; at least one.
    pub count: u64,
    /// When it happened last.
    pub last_at: SystemTime,
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
