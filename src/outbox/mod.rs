//! Where incidents, notices and deliveries are kept.
//!
//! Events join incidents as they are persisted; `tell` makes one message for each
//! recipient of what there is to tell. Every rule is written once, on a [`page`];
//! stores only keep ([`keep`]): [`Memory`] is the page of everything, and [`Sqlite`]
//! loads the part of a file that one decision needs ([`scope`]), alone with the file, and
//! saves what changed. A row has one form, by serde (`page/rows.rs`), so a new field
//! is named there, where it is decided, and where a damaged file's rows are made up
//! (`sqlite/rescue.rs`). Whoever uses all this has an
//! [`Outbox`], which goes from a file that fails to memory and back. Runs on the alert
//! thread; one owner, no sharing inside the process.
//! Every answer to a delivery is one function of `page/settle.rs` or `page/dead.rs`, and
//! what became of an accepted one of `page/fates.rs`. The claim is the one change that
//! stands twice: `page/read.rs` has it for memory, and `sqlite/reads.rs` as one statement
//! for a file. The schema's checks refuse rows that no such change makes:
//!
//! ```text
//!            claim (attempt + 1, a lease)
//!   pending ──────────────────────────────► pending, leased
//!      ▲                                        │
//!      ├── retry    (due later) ────────────────┤
//!      ├── release  (due later, attempt - 1) ───┤
//!      └── lease ends (the process died) ───────┤
//!                                               ├── deliver ──────► delivered
//!                                               ├── bury ─────────► dead
//!                                               └── skip_refused ─► dead
//!   pending ── bury_abandoned (no process has its sink) ──► dead
//!
//!   delivered ── inquire (a lease), learn ──► delivered: arrived, or nobody can tell
//!                                         ├─► pending: it reached nobody, once more
//!                                         └─► dead: it reached nobody
//! ```
//!
//! Invariant: no function waits for anything but its own storage.

use std::{
    path::PathBuf,
    time::{Duration, SystemTime},
};

use tracing::Level;
use uuid::Uuid;

use crate::policy::{
    budget::{Budget, Limits},
    calendar::Calendar,
    incident::Rhythm,
    notice::Process,
};

mod batch;
#[cfg(feature = "sqlite")]
mod failover;
#[cfg(feature = "postgres")]
mod fleet;
mod keep;
#[cfg(feature = "sqlite")]
mod known;
mod memory;
#[cfg(not(feature = "sqlite"))]
mod memory_only;
#[cfg(feature = "sqlite")]
mod moves;
#[cfg(feature = "cli")]
mod operate;
mod pace;
#[cfg_attr(not(feature = "sqlite"), expect(dead_code, reason = "some is for files only"))]
mod page;
#[cfg(feature = "sqlite")]
mod path;
#[cfg_attr(not(feature = "sqlite"), expect(dead_code, reason = "memory has every row"))]
mod scope;
#[cfg(feature = "postgres")]
mod shares;
#[cfg(feature = "sqlite")]
mod sqlite;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod starts;
mod store;
#[cfg(test)]
mod tests;
mod upkeep;
#[cfg(feature = "sqlite")]
mod volume;

pub(crate) use batch::{About, Captured};
#[cfg(feature = "sqlite")]
pub(crate) use failover::Outbox;
#[cfg(feature = "postgres")]
pub(crate) use fleet::{Fleet, FleetSettings, Outlook, Presence, Seen};
pub(crate) use memory::Memory;
#[cfg(not(feature = "sqlite"))]
pub(crate) use memory_only::Outbox;
#[cfg(feature = "cli")]
pub(crate) use operate::{Noted, Operated, Shown};
#[cfg(feature = "cli")]
pub use operate::{Overview, SinkView, Unusable};
#[cfg(feature = "cli")]
pub use page::{IncidentView, MessageView, Revived, SilenceView, WaitingView};
#[cfg(feature = "postgres")]
pub(crate) use page::{KeyedSilence, Share, Spending, Taken};
pub(crate) use page::{Learned, Page, Sequel, SilenceRow};
#[cfg(feature = "sqlite")]
pub(crate) use sqlite::Sqlite;
#[cfg(feature = "cli")]
pub(crate) use sqlite::{database_path, owner_of};
#[cfg(feature = "postgres")]
use starts::MAX_FAILED;
#[cfg(test)]
#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub(crate) use starts::Sighting;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub(crate) use starts::{Began, CrashLoop, LOOP_WINDOW, Start};
pub(crate) use store::Store;
pub(crate) use upkeep::{FILE_CAP_BYTES, KEPT_DEAD, KEPT_DELIVERED, MAX_LOG_BYTES, Prune};
#[cfg(feature = "cli")]
pub(crate) use volume::is_on_network;

/// Where events are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Database {
    /// In the application's own directory below the user's state directory.
    Default,
    /// In this file.
    File(PathBuf),
    /// Nowhere but in memory.
    Memory,
}

/// How long past its deadline a delivery that nobody claims is kept.
const ABANDONED_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// A sink that failed for so long is told of, and again after so long. It leaves as long as
/// the telling may take to settle, so that people know within ten minutes.
pub(crate) const FAILING_FOR: Duration = Duration::from_secs(10 * 60).saturating_sub(Rhythm::MAX_SETTLE);
const TOLD_AGAIN: Duration = Duration::from_secs(24 * 60 * 60);

/// A sink that fails does so again within this time, if there is something to send: longer
/// than two attempts are apart by default.
const FAILS_AGAIN_WITHIN: Duration = Duration::from_secs(25 * 60);

/// How many incidents one message shows; more are counted.
pub(crate) const SAMPLES_PER_NOTICE: usize = 100;

/// How many incidents may be open; the events of more are counted in one for
/// each level.
pub(crate) const MAX_INCIDENTS: usize = 500;

/// What the store needs to make incidents and notices.
pub(crate) struct Maker<'a> {
    /// Draws a public id.
    pub(crate) new_id: &'a dyn Fn() -> String,
    pub(crate) run: Uuid,
    pub(crate) process: &'a Process,
    /// When a day begins for the recipients.
    pub(crate) calendar: &'a Calendar,
    /// Whether a fleet has to learn of it.
    #[cfg_attr(not(feature = "postgres"), expect(dead_code, reason = "there is none"))]
    pub(crate) is_of_fleet: bool,
}

/// How often an id is drawn that nothing in the store has: by it, a message is
/// looked for at its provider.
const MAX_DRAWS: usize = 8;

/// A recipient who is told of every incident at `level` or above.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) sink: &'static str,
    pub(crate) recipient: String,
    pub(crate) level: Level,
    pub(crate) rhythm: Rhythm,
}

/// How a sink's recipients are told.
#[derive(Clone, Debug)]
pub(crate) struct Channel {
    pub(crate) sink: &'static str,
    pub(crate) rhythm: Rhythm,
    /// What each recipient may get; none if that is not limited.
    pub(crate) budget: Option<Budget>,
    /// When a day begins for them.
    pub(crate) calendar: Calendar,
    /// What the messages to each of them may cost a day, in segments.
    pub(crate) segments_per_day: Option<u32>,
    /// How long a delivery is repeated before it is dead.
    pub(crate) deadline: Duration,
}

impl Channel {
    pub(crate) fn limits(&self) -> Limits<'_> {
        Limits { budget: self.budget.as_ref(), calendar: &self.calendar }
    }
}

/// What came of a look at what there is to tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Told {
    /// The last notice that was made, or that more was added to.
    pub(crate) notice: Option<i64>,
    /// When there will be something to decide.
    pub(crate) next: Option<SystemTime>,
}

/// A place in the order of incidents and notices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) notice: i64,
    pub(crate) incident: i64,
}

impl Mark {
    /// After everything there will be.
    pub(crate) const ALL: Self = Self { notice: i64::MAX, incident: i64::MAX };
}

/// Deliveries through one sink that ended undelivered, and nobody was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Dead {
    /// How many.
    pub(crate) count: u64,
    /// To whom the last of them was.
    pub(crate) recipient: String,
    /// The public id of its notice.
    pub(crate) public_id: String,
    /// Why it is dead.
    pub(crate) reason: String,
}

/// A sink whose provider accepts nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failing {
    /// When the first attempt failed that was followed by no success.
    pub(crate) since: SystemTime,
    /// What the last one said.
    pub(crate) reason: String,
}

/// What is told of a sink through the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ill {
    Dead(Dead),
    Failing(Failing),
}

/// An accepted message that this process asks after, until its lease ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Inquiry {
    pub(crate) key: Uuid,
    pub(crate) recipient: String,
    /// What the provider calls it.
    pub(crate) reference: Option<String>,
    pub(crate) accepted_at: SystemTime,
    /// Which question about it this is, from one. The answer to an earlier one is
    /// refused.
    pub(crate) number: u32,
}

/// A delivery that this process may attempt until its lease ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Claim {
    pub(crate) key: Uuid,
    pub(crate) notice_id: i64,
    pub(crate) sink: String,
    pub(crate) recipient: String,
    /// Which attempt this is, from one.
    pub(crate) attempt: u32,
    /// Grows with each claim: an older claim's answer is refused.
    pub(crate) token: i64,
    /// Whether an earlier attempt may have reached the recipient: its answer was
    /// [`SendError::Ambiguous`](crate::SendError::Ambiguous), or never came.
    pub(crate) is_doubtful: bool,
    pub(crate) expires_at: SystemTime,
}

/// Why the store could not do it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// Another process holds the file's write lock; worth repeating.
    #[cfg_attr(
        not(any(feature = "postgres", feature = "sqlite", feature = "webhook")),
        expect(dead_code, reason = "there is no file")
    )]
    #[error("the database is busy")]
    Busy,
    /// The memory store holds as many events as it may.
    #[error("memory is full")]
    Full,
    /// What is at the path is none of our files, but this; it was not touched.
    #[cfg_attr(
        not(any(feature = "postgres", feature = "sqlite")),
        expect(dead_code, reason = "there is no file")
    )]
    #[error("it is not a tracing-alert database ({0}), and nothing of it was touched")]
    NotOurs(String),
    /// The file is damaged.
    #[cfg_attr(not(feature = "sqlite"), expect(dead_code, reason = "there is no file"))]
    #[error("{0}")]
    Damaged(String),
    /// A row breaks a rule of the schema: no statement of ours does that in a file
    /// that keeps them.
    #[cfg_attr(
        not(any(feature = "postgres", feature = "sqlite")),
        expect(dead_code, reason = "there is no file")
    )]
    #[error("{0}")]
    Broken(String),
    /// The fleet's database does not answer, or refuses.
    #[cfg(feature = "postgres")]
    #[error("{0}")]
    Unreachable(String),
    /// Anything else that the database said.
    #[error("{0}")]
    Failed(String),
}
