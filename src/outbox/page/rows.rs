//! The rows of a page, and the one form in which a keeper has them: JSON, by serde. A
//! field that is added here is kept; one that older files lack needs a default.
//!
//! Invariant: what only a newer version may have written is read as the nearest thing
//! that this one knows. A row that no version writes cannot be read at all.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use serde::{Deserialize, Serialize};
use tracing::Level;
use uuid::Uuid;

#[cfg(feature = "postgres")]
use super::Shared;
use super::form;
use crate::{
    event::{level, millis, millis_or_none},
    outbox::{batch::About, pace::Pace},
    policy::{
        fingerprint::Learned,
        incident::{Reason, Recent},
        notice::{Kind, Process, Spread},
    },
};

/// Whom a sink tells.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "(Arc<str>, Arc<str>)", into = "(Arc<str>, Arc<str>)")]
pub(in crate::outbox) struct Recipient {
    pub(in crate::outbox) sink: Arc<str>,
    pub(in crate::outbox) address: Arc<str>,
}

impl Recipient {
    pub(in crate::outbox) fn new(sink: &str, address: &str) -> Self {
        Self { sink: sink.into(), address: address.into() }
    }
}

impl From<(Arc<str>, Arc<str>)> for Recipient {
    fn from((sink, address): (Arc<str>, Arc<str>)) -> Self {
        Self { sink, address }
    }
}

impl From<Recipient> for (Arc<str>, Arc<str>) {
    fn from(recipient: Recipient) -> Self {
        (recipient.sink, recipient.address)
    }
}

/// The group of events with one fingerprint: open until it is closed.
#[derive(Clone, Serialize, Deserialize)]
pub(in crate::outbox) struct IncidentRow {
    pub(in crate::outbox) public_id: String,
    #[serde(with = "form::hex")]
    pub(in crate::outbox) fingerprint: Vec<u8>,
    #[serde(with = "level")]
    pub(in crate::outbox) level: Level,
    pub(in crate::outbox) about: Option<About>,
    /// The run of the process that opened it, and its facts.
    pub(in crate::outbox) run: Uuid,
    #[serde(with = "form::whole")]
    pub(in crate::outbox) process: Process,
    /// Whether its fingerprint was never seen before.
    pub(in crate::outbox) is_new: bool,
    #[serde(with = "form::count")]
    pub(in crate::outbox) count: u64,
    /// How many of these one recipient was delivered: the one who was most.
    #[serde(with = "form::count")]
    pub(in crate::outbox) reported: u64,
    /// Whether its events are panics.
    #[serde(default)]
    pub(in crate::outbox) is_panic: bool,
    #[serde(with = "millis")]
    pub(in crate::outbox) opened_at: SystemTime,
    /// When it came back, after it had ended; the last time.
    #[serde(with = "millis_or_none", default)]
    pub(in crate::outbox) back_at: Option<SystemTime>,
    #[serde(with = "millis")]
    pub(in crate::outbox) last_at: SystemTime,
    #[serde(with = "millis_or_none", default)]
    pub(in crate::outbox) closed_at: Option<SystemTime>,
    /// It does not come back: another store goes on with it.
    #[serde(default)]
    pub(in crate::outbox) is_left: bool,
    /// Until when it is silenced, if it is: it stays open as long.
    #[serde(with = "millis_or_none", default)]
    pub(in crate::outbox) held_until: Option<SystemTime>,
    #[serde(with = "form::whole")]
    pub(in crate::outbox) pace: Pace,
    #[serde(default)]
    pub(in crate::outbox) recent: Recent,
    /// In which instances it happened. It is never kept with the row: where instances share
    /// a store, it follows from what each of them counted.
    #[serde(default, skip_serializing)]
    pub(in crate::outbox) spread: Option<Spread>,
    /// What the fleet has of it.
    #[cfg(feature = "postgres")]
    #[serde(default, skip_serializing_if = "Shared::is_nothing")]
    pub(in crate::outbox) shared: Shared,
}

/// How the messages of a callsite are grouped.
#[derive(Clone, Serialize, Deserialize)]
pub(in crate::outbox) struct LearnedRow {
    /// The last incident of the callsite: what was learned goes with it.
    pub(in crate::outbox) incident: i64,
    #[serde(with = "form::whole")]
    pub(in crate::outbox) map: Learned,
}

/// What one recipient knows of an incident.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::outbox) struct StandingRow {
    /// How many of its events are in this recipient's messages.
    #[serde(with = "form::count")]
    pub(in crate::outbox) told: u64,
    /// How many of these are in messages that were delivered.
    #[serde(with = "form::count")]
    pub(in crate::outbox) reported: u64,
    #[serde(with = "millis_or_none", default)]
    pub(in crate::outbox) told_at: Option<SystemTime>,
    /// How many messages those are.
    pub(in crate::outbox) tellings: u32,
    /// How many holds there were in a row.
    #[serde(default)]
    pub(in crate::outbox) holds: u32,
    /// How long nothing is told after `told_at`.
    #[serde(with = "form::span", default)]
    pub(in crate::outbox) hold: Duration,
    /// Whether it came back when it was not held, and nothing was told since.
    #[serde(default)]
    pub(in crate::outbox) is_back: bool,
    /// Whether the last message told that it goes on.
    #[serde(default)]
    pub(in crate::outbox) went_on: bool,
    /// Not told sooner: it was silenced.
    #[serde(with = "millis_or_none", default)]
    pub(in crate::outbox) not_before: Option<SystemTime>,
    /// When it is decided anew what there is to tell; none once that is all.
    #[serde(with = "millis_or_none", default)]
    pub(in crate::outbox) due_at: Option<SystemTime>,
    /// When it is to be decided anew once there are more events, which another instance may
    /// count.
    #[cfg(feature = "postgres")]
    #[serde(with = "millis_or_none", default, skip_serializing_if = "Option::is_none")]
    pub(in crate::outbox) again_at: Option<SystemTime>,
    /// How many of `told` the fleet told.
    #[cfg(feature = "postgres")]
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(in crate::outbox) by_fleet: u64,
}

#[cfg(feature = "postgres")]
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it so")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl StandingRow {
    /// Whether this recipient is still to be told for the first time, or that it came
    /// back.
    pub(in crate::outbox) fn is_untold(&self) -> bool {
        (self.told_at.is_none() || self.is_back) && self.due_at.is_some()
    }
}

/// The decision to tell somebody something: one message.
#[derive(Clone, Serialize, Deserialize)]
pub(in crate::outbox) struct StoredNotice {
    pub(in crate::outbox) public_id: String,
    pub(in crate::outbox) run: Uuid,
    #[serde(with = "form::kind")]
    pub(in crate::outbox) kind: Kind,
    #[serde(with = "form::whole")]
    pub(in crate::outbox) process: Process,
    #[serde(with = "millis")]
    pub(in crate::outbox) made_at: SystemTime,
    /// Whether it has to say that the day's budget is spent.
    pub(in crate::outbox) is_last: bool,
}

/// What a notice tells of an incident.
#[derive(Clone, Serialize, Deserialize)]
pub(in crate::outbox) struct ItemRow {
    #[serde(with = "form::reason")]
    pub(in crate::outbox) reason: Reason,
    /// How often the recipient was told of it before.
    pub(in crate::outbox) tellings: u32,
    /// Events that were in no notice before.
    #[serde(with = "form::count")]
    pub(in crate::outbox) count: u64,
    #[serde(with = "form::count")]
    pub(in crate::outbox) total: u64,
    #[serde(with = "millis")]
    pub(in crate::outbox) last_at: SystemTime,
    #[serde(with = "form::whole")]
    pub(in crate::outbox) pace: Pace,
    /// How many events there were on the readers' day, and on seven days.
    #[serde(with = "form::count", default)]
    pub(in crate::outbox) today: u64,
    #[serde(with = "form::count", default)]
    pub(in crate::outbox) this_week: u64,
    /// Until when the recipient is told no more of it.
    #[serde(with = "millis_or_none", default)]
    pub(in crate::outbox) held_until: Option<SystemTime>,
    /// In which instances it happened, if several share the store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::outbox) spread: Option<Spread>,
}

/// Where a delivery is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::outbox) enum State {
    Pending,
    Delivered,
    Dead,
}

#[cfg(feature = "cli")]
impl State {
    /// Its name, as a keeper has it.
    pub(in crate::outbox) fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Dead => "dead",
        }
    }
}

#[cfg(feature = "cli")]
impl Known {
    /// Its name, as a keeper has it.
    pub(in crate::outbox) fn name(self) -> &'static str {
        match self {
            Self::Arrived => "arrived",
            Self::Failed => "failed",
            Self::Unconfirmed => "unconfirmed",
        }
    }
}

/// What is known of a message after it was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::outbox) enum Known {
    /// It arrived.
    Arrived,
    /// Nobody got it.
    Failed,
    /// Nobody could tell, until it was not asked any more.
    #[serde(other)]
    Unconfirmed,
}

/// One notice to one recipient through one sink: the unit of retry.
#[derive(Clone, Serialize, Deserialize)]
pub(in crate::outbox) struct DeliveryRow {
    pub(in crate::outbox) notice_id: i64,
    pub(in crate::outbox) recipient: Recipient,
    pub(in crate::outbox) state: State,
    /// Both the next attempt and the end of the lease: so a retry is a pending row that
    /// is due later, and what a killed process had claimed comes due by itself.
    #[serde(with = "millis")]
    pub(in crate::outbox) due_at: SystemTime,
    pub(in crate::outbox) attempt: u32,
    /// Counts claims: it is the fencing token of the last one.
    pub(in crate::outbox) claims: i64,
    /// The last claim whose answer was taken.
    pub(in crate::outbox) answered: i64,
    /// How many attempts may have reached somebody, the one under way included: a claim
    /// adds one, and an answer that leaves no doubt takes it back.
    /// While it is zero the message has not left: what else is to be told joins it.
    pub(in crate::outbox) doubtful: u32,
    #[serde(with = "millis")]
    pub(in crate::outbox) created_at: SystemTime,
    #[serde(with = "millis")]
    pub(in crate::outbox) expires_at: SystemTime,
    #[serde(with = "millis_or_none", default)]
    pub(in crate::outbox) settled_at: Option<SystemTime>,
    /// What the provider calls it.
    pub(in crate::outbox) reference: Option<String>,
    pub(in crate::outbox) last_error: Option<String>,
    /// What its attempts may have cost that are in doubt, and the last claim of which that
    /// was counted.
    #[serde(default)]
    pub(in crate::outbox) charged: u32,
    #[serde(default)]
    pub(in crate::outbox) charged_claim: i64,
    /// When the provider is asked what became of it, and the end of the lease of who
    /// asks; none once that is known.
    #[serde(with = "millis_or_none", default)]
    pub(in crate::outbox) ask_at: Option<SystemTime>,
    /// How often that was asked.
    #[serde(default)]
    pub(in crate::outbox) asked: u32,
    /// What became of it, once that is known.
    #[serde(default)]
    pub(in crate::outbox) fate: Option<Known>,
    /// Whether it reached nobody before, and is not sent a third time.
    #[serde(default)]
    pub(in crate::outbox) was_sent_again: bool,
}

/// When a recipient was refused for good.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(in crate::outbox) struct RefusalRow {
    #[serde(with = "millis")]
    pub(in crate::outbox) since: SystemTime,
}

/// What is known of a sink's deliveries that ended undelivered.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(in crate::outbox) struct DeadRow {
    /// When somebody was told last.
    #[serde(with = "millis_or_none", default)]
    pub(in crate::outbox) told_at: Option<SystemTime>,
    /// How many nobody was told of, and the last of them.
    #[serde(with = "form::count")]
    pub(in crate::outbox) count: u64,
    pub(in crate::outbox) recipient: String,
    pub(in crate::outbox) public_id: String,
    pub(in crate::outbox) reason: String,
    /// Since when no message was accepted, although some were attempted; and why.
    #[serde(with = "millis_or_none", default)]
    pub(in crate::outbox) failing_since: Option<SystemTime>,
    #[serde(default)]
    pub(in crate::outbox) failure: String,
    /// When an attempt failed last.
    #[serde(with = "millis_or_none", default)]
    pub(in crate::outbox) failed_at: Option<SystemTime>,
    /// When somebody was told of that last.
    #[serde(with = "millis_or_none", default)]
    pub(in crate::outbox) failure_told_at: Option<SystemTime>,
}

/// A start of the program.
#[derive(Clone, Serialize, Deserialize)]
pub(in crate::outbox) struct StartRow {
    pub(in crate::outbox) host: String,
    pub(in crate::outbox) pid: u32,
    #[serde(with = "millis")]
    pub(in crate::outbox) started_at: SystemTime,
    /// When it ended by itself, and failed. Else it runs, or was killed.
    #[serde(with = "millis_or_none", default)]
    pub(in crate::outbox) ended_at: Option<SystemTime>,
    /// What the fleet saw of it, if it is that of another instance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::outbox) seen: Option<SightingRow>,
}

/// What a fleet saw of an instance.
#[derive(Clone, Serialize, Deserialize)]
pub(in crate::outbox) struct SightingRow {
    pub(in crate::outbox) version: Option<String>,
    /// When the last of its errors happened.
    #[serde(with = "millis_or_none", default)]
    pub(in crate::outbox) erred_at: Option<SystemTime>,
    /// When it meant to look again, the last time that it looked.
    #[serde(with = "millis")]
    pub(in crate::outbox) looks_at: SystemTime,
    /// After that it is taken to be gone.
    #[serde(with = "millis")]
    pub(in crate::outbox) until: SystemTime,
}

/// The last batch of events that a run of a process committed.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(in crate::outbox) struct BatchRow {
    /// From one, without a gap.
    pub(in crate::outbox) number: u64,
    #[serde(with = "millis")]
    pub(in crate::outbox) at: SystemTime,
    /// When the last error of the run happened.
    #[serde(with = "millis_or_none", default)]
    pub(in crate::outbox) erred_at: Option<SystemTime>,
}
