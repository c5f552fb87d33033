//! [`Page`]: a part of the outbox in memory, and every rule about it.
//!
//! A keeper opens a turn, loads the rows that one decision needs, calls one
//! method and saves the rows that changed. Memory is the page of everything. Runs on
//! the alert thread.
//! Invariant: synchronous, and decided by what the page holds and the arguments
//! alone: no I/O and no clock. Only a delivery's key is drawn, with its row.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::SystemTime,
};

use tracing::Level;
use uuid::Uuid;

use super::{MAX_DRAWS, Maker, batch::About, pace::Pace};
use crate::{
    event::Event,
    policy::{
        budget::Account,
        fingerprint::{Fingerprint, Learned},
        incident::{Reason, Standing},
        notice::{Kind, Process},
    },
};

mod absorb;
mod clock;
mod dead;
mod join;
mod learn;
mod read;
mod settle;
#[cfg(feature = "sqlite")]
mod starts;
mod table;
mod tell;

pub(super) use table::Table;

/// Rows of the outbox, by their keys.
#[derive(Default)]
#[cfg_attr(test, derive(Clone))]
pub(crate) struct Page {
    pub(super) incidents: Table<i64, IncidentRow>,
    /// The first event of an incident: loaded for those who show it.
    pub(super) firsts: Table<i64, Event>,
    /// The latest event of an incident that is known in full, if that is another.
    pub(super) latests: Table<i64, Event>,
    /// By callsite.
    pub(super) learned: Table<Fingerprint, LearnedRow>,
    pub(super) standings: Table<(i64, Recipient), StandingRow>,
    pub(super) accounts: Table<Recipient, Account>,
    pub(super) notices: Table<i64, StoredNotice>,
    /// By notice and incident.
    pub(super) items: Table<(i64, i64), ItemRow>,
    pub(super) deliveries: Table<Uuid, DeliveryRow>,
    /// When a recipient was refused for good.
    pub(super) refusals: Table<Recipient, SystemTime>,
    /// By sink.
    pub(super) dead: Table<String, DeadRow>,
    #[cfg(feature = "sqlite")]
    pub(super) starts: Table<Uuid, StartRow>,
    pub(super) beyond: Beyond,
    /// The part of [`Self::accounts`] that another store has already.
    pub(super) inherited: BTreeMap<Recipient, Account>,
    /// Whether other processes may bring the same rows: then nothing adds up.
    pub(super) is_copy: bool,
}

/// What is known of the rows that a page does not hold.
#[derive(Default)]
#[cfg_attr(test, derive(Clone))]
pub(super) struct Beyond {
    /// The numbers that were given last.
    pub(super) last_incident: i64,
    pub(super) last_notice: i64,
    /// How many incidents are open that are events of one kind.
    pub(super) open: usize,
    /// How many messages are pending, by sink; no more than count.
    pub(super) under_way: BTreeMap<String, u64>,
    /// Fingerprints there were.
    pub(super) seen: BTreeSet<Vec<u8>>,
    /// Incidents and notices whose public id was drawn.
    drawn: BTreeSet<Drawn>,
}

/// What got a public id that was drawn.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Drawn {
    Incident(i64),
    Notice(i64),
}

/// Whom a sink tells; with no address, all of them together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Recipient {
    pub(super) sink: Arc<str>,
    pub(super) address: Arc<str>,
}

impl Recipient {
    pub(super) fn new(sink: &str, address: &str) -> Self {
        Self { sink: sink.into(), address: address.into() }
    }

    /// Stands for all recipients of `sink`: its account counts segments.
    pub(super) fn all_of(sink: &str) -> Self {
        Self::new(sink, "")
    }
}

/// The group of events with one fingerprint: open until it is closed.
#[derive(Clone)]
pub(super) struct IncidentRow {
    pub(super) public_id: String,
    pub(super) fingerprint: Vec<u8>,
    pub(super) level: Level,
    pub(super) about: Option<About>,
    /// The run of the process that opened it, and its facts.
    pub(super) run: Uuid,
    pub(super) process: Process,
    /// Whether its fingerprint was never seen before.
    pub(super) is_new: bool,
    pub(super) count: u64,
    /// How many of these one recipient was delivered: the one who was most.
    pub(super) reported: u64,
    pub(super) opened_at: SystemTime,
    pub(super) last_at: SystemTime,
    pub(super) closed_at: Option<SystemTime>,
    pub(super) pace: Pace,
}

/// How the messages of a callsite are grouped.
#[derive(Clone)]
pub(super) struct LearnedRow {
    /// The last incident of the callsite: what was learned goes with it.
    pub(super) incident: i64,
    pub(super) map: Learned,
}

/// What one recipient knows of an incident.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct StandingRow {
    /// How many of its events are in this recipient's messages.
    pub(super) told: u64,
    /// How many of these are in messages that were delivered.
    pub(super) reported: u64,
    pub(super) told_at: Option<SystemTime>,
    /// How many messages those are.
    pub(super) tellings: u32,
    /// Not told sooner: it was silenced.
    pub(super) not_before: Option<SystemTime>,
    /// When it is decided anew what there is to tell; none once that is all.
    pub(super) due_at: Option<SystemTime>,
}

impl StandingRow {
    /// Whether this recipient is still to be told for the first time.
    pub(super) fn is_untold(&self) -> bool {
        self.told_at.is_none() && self.due_at.is_some()
    }
}

/// The decision to tell somebody something: one message.
#[derive(Clone)]
pub(super) struct StoredNotice {
    pub(super) public_id: String,
    pub(super) run: Uuid,
    pub(super) kind: Kind,
    pub(super) process: Process,
    pub(super) made_at: SystemTime,
    /// Whether it has to say that the day's budget is spent.
    pub(super) is_last: bool,
}

/// What a notice tells of an incident.
#[derive(Clone)]
pub(super) struct ItemRow {
    pub(super) reason: Reason,
    /// How often the recipient was told of it before.
    pub(super) tellings: u32,
    /// Events that were in no notice before.
    pub(super) count: u64,
    pub(super) total: u64,
    pub(super) last_at: SystemTime,
    pub(super) pace: Pace,
}

/// Where a delivery is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Pending,
    Delivered,
    Dead,
}

/// One notice to one recipient through one sink: the unit of retry.
#[derive(Clone)]
pub(super) struct DeliveryRow {
    pub(super) notice_id: i64,
    pub(super) recipient: Recipient,
    pub(super) state: State,
    /// Both the next attempt and the end of the lease.
    pub(super) due_at: SystemTime,
    pub(super) attempt: u32,
    /// Counts claims: it is the fencing token of the last one.
    pub(super) claims: i64,
    /// The last claim whose answer was taken.
    pub(super) answered: i64,
    /// How many attempts may have reached somebody, the one under way included.
    /// While it is zero the message has not left: what else is to be told joins it.
    pub(super) doubtful: u32,
    pub(super) created_at: SystemTime,
    pub(super) expires_at: SystemTime,
    pub(super) settled_at: Option<SystemTime>,
    /// What the provider calls it.
    pub(super) reference: Option<String>,
    pub(super) last_error: Option<String>,
}

/// What is known of a sink's deliveries that ended undelivered.
#[derive(Clone, Default)]
pub(super) struct DeadRow {
    /// When somebody was told last.
    pub(super) told_at: Option<SystemTime>,
    /// How many nobody was told of, and the last of them.
    pub(super) count: u64,
    pub(super) recipient: String,
    pub(super) public_id: String,
    pub(super) reason: String,
}

/// A start of the program.
#[cfg(feature = "sqlite")]
#[derive(Clone)]
pub(super) struct StartRow {
    pub(super) host: String,
    pub(super) pid: u32,
    pub(super) started_at: SystemTime,
    /// When it ended by itself. Else it runs, or was killed.
    pub(super) ended_at: Option<SystemTime>,
}

impl Page {
    /// What everybody knows of an incident.
    pub(super) fn standings_of(&self, incident: i64) -> impl Iterator<Item = (&Recipient, &StandingRow)> {
        let first = (incident, Recipient::new("", ""));
        let of = self.standings.range(first..).take_while(move |((id, _), _)| *id == incident);
        of.map(|((_, recipient), row)| (recipient, row))
    }

    /// What a notice tells, by incident.
    pub(super) fn items_of(&self, notice: i64) -> impl Iterator<Item = (i64, &ItemRow)> {
        self.items
            .range((notice, i64::MIN)..=(notice, i64::MAX))
            .map(|((_, incident), item)| (*incident, item))
    }

    /// What a recipient knows of an incident, as the policy takes it.
    fn standing(&self, incident: i64, recipient: &Recipient) -> Option<Standing> {
        let (row, known) =
            (self.incidents.get(&incident)?, self.standings.get(&(incident, recipient.clone()))?);
        let mut others = self.standings_of(incident).filter(|(other, _)| other.sink != recipient.sink);
        Some(Standing {
            opened_at: row.opened_at,
            last_at: row.last_at,
            count: row.count,
            told: known.told,
            told_at: known.told_at,
            tellings: known.tellings,
            is_pending: false,
            is_new: row.is_new,
            not_before: known.not_before,
            is_covered: others.any(|(_, other)| other.told_at.is_some()),
        })
    }

    /// The pending deliveries to a recipient.
    fn pending_to<'a>(&'a self, recipient: &'a Recipient) -> impl Iterator<Item = &'a DeliveryRow> {
        let all = self.deliveries.values().filter(|delivery| delivery.state == State::Pending);
        all.filter(move |delivery| delivery.recipient == *recipient)
    }

    /// The notice for a recipient that did not leave yet, the last one if there are
    /// several.
    fn open_notice(&self, recipient: &Recipient) -> Option<i64> {
        let open = self.pending_to(recipient).filter(|delivery| delivery.doubtful == 0);
        open.map(|delivery| delivery.notice_id).max()
    }

    /// Draws a public id that nothing on the page has.
    fn draw(&self, new_id: &dyn Fn() -> String) -> String {
        let is_known = |id: &String| {
            self.incidents.values().any(|incident| incident.public_id == *id)
                || self.notices.values().any(|notice| notice.public_id == *id)
        };
        let mut id = new_id();
        for _ in 1..MAX_DRAWS {
            if !is_known(&id) {
                break;
            }
            id = new_id();
        }
        id
    }

    fn draw_for(&mut self, drawn: Drawn, maker: &Maker<'_>) -> String {
        self.beyond.drawn.insert(drawn);
        self.draw(maker.new_id)
    }

    /// The public ids that were drawn since the page was loaded: a keeper looks
    /// whether something else has them.
    pub(super) fn drawn(&self) -> Vec<&str> {
        self.beyond.drawn.iter().filter_map(|drawn| self.public_id(*drawn)).collect()
    }

    /// Draws others in the place of those that are `taken`.
    pub(super) fn redraw(&mut self, taken: &[String], new_id: &dyn Fn() -> String) {
        for drawn in self.beyond.drawn.clone() {
            if !self.public_id(drawn).is_some_and(|id| taken.iter().any(|taken| taken == id)) {
                continue;
            }
            let id = self.draw(new_id);
            match drawn {
                Drawn::Incident(number) => self.incidents.change(&number).map(|row| row.public_id = id),
                Drawn::Notice(number) => self.notices.change(&number).map(|row| row.public_id = id),
            };
        }
    }

    fn public_id(&self, drawn: Drawn) -> Option<&str> {
        match drawn {
            Drawn::Incident(number) => self.incidents.get(&number).map(|row| row.public_id.as_str()),
            Drawn::Notice(number) => self.notices.get(&number).map(|row| row.public_id.as_str()),
        }
    }

    /// Takes everything for written.
    pub(super) fn settle_changes(&mut self) {
        self.incidents.settle();
        self.firsts.settle();
        self.latests.settle();
        self.learned.settle();
        self.standings.settle();
        self.accounts.settle();
        self.notices.settle();
        self.items.settle();
        self.deliveries.settle();
        self.refusals.settle();
        self.dead.settle();
        #[cfg(feature = "sqlite")]
        self.starts.settle();
        self.beyond.drawn.clear();
    }
}
