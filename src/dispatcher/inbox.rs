//! [`Inbox`]: what outlives a defect of the loop.

use std::{collections::VecDeque, sync::Arc, time::Instant};

use uuid::Uuid;

use super::{
    Attempted, Link,
    echo::Echoes,
    flush::{Ending, Waiter},
    persist::Late,
    silence::{ActiveSilence, Silencing},
};
use crate::{
    event::loss::Losses,
    host::signal::Signal,
    outbox::Captured,
    policy::{fingerprint::Grouping, matcher::Matcher, redact::Policy, retold::Retold},
    queue::Item,
};

/// What must not be lost with a defect of the loop.
pub(super) struct Inbox {
    /// This run of the process; notices say which run made them.
    pub(super) run: Uuid,
    /// When it began.
    #[cfg_attr(
        not(any(feature = "postgres", feature = "sqlite")),
        expect(dead_code, reason = "no store, no starts")
    )]
    pub(super) since: Instant,
    /// Whether an error was committed that nobody silenced.
    pub(super) has_erred: bool,
    /// Whether one of them was a panic.
    pub(super) has_panicked: bool,
    /// When what is only counted is to be collected.
    pub(super) collect_at: Option<Instant>,
    /// Which events are the same.
    pub(super) grouping: Grouping,
    pub(super) retold: Retold,
    /// Captured, but not persisted yet.
    pub(super) waiting: Vec<Captured>,
    /// How many batches were committed.
    pub(super) batches: u64,
    /// The batch that was tried last and is tried again as it was: how many of
    /// [`Self::waiting`], and which losses. It may be committed although it failed.
    pub(super) tried: Option<(usize, Losses)>,
    /// To be set when [`Self::waiting`] is committed.
    pub(super) acknowledge: Vec<Arc<Signal<()>>>,
    /// Backtraces that are still to come.
    pub(super) late: Vec<Late>,
    /// Who waits for how much.
    pub(super) flushes: Vec<Waiter>,
    /// Since when backtraces are waited for without a break.
    pub(super) late_since: Option<Instant>,
    /// Losses that a notice tells of already.
    pub(super) told: Losses,
    /// What is never told.
    pub(super) ignored: Vec<Matcher>,
    /// What this process alone does not tell yet.
    pub(super) silences: Vec<ActiveSilence>,
    /// What the store is still to be told of silences.
    pub(super) silencing: VecDeque<Silencing>,
    /// What may be an alert about alerting.
    pub(super) echoes: Echoes,
    /// What is replaced before anything is kept.
    pub(super) redaction: Policy,
    /// Received, and not taken up yet.
    pub(super) items: Vec<Item>,
    /// Set when the loop takes no more events.
    pub(super) ending: Option<Ending>,
    /// What became of attempts whose deliveries are in a file that failed.
    pub(super) deferred: Vec<Attempted>,
    /// The fleet, if there is one.
    pub(super) link: Option<Link>,
}
