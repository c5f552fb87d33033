//! [`Page`]: a part of the outbox in memory, and every rule about it.
//!
//! A keeper opens a turn, loads the rows that one decision needs, calls one
//! method and saves the rows that changed. Memory is the page of everything. Runs on
//! the alert thread.
//! Invariant: synchronous, and decided by what the page holds and the arguments
//! alone: no I/O and no clock. Only a delivery's key is drawn, with its row.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::{MAX_DRAWS, Maker, batch::About};
use crate::{
    event::Event,
    policy::{
        budget::Account,
        fingerprint::Fingerprint,
        incident::{Rank, Standing},
    },
};

mod absorb;
mod clock;
mod dead;
mod fates;
mod form;
mod join;
#[cfg(feature = "sqlite")]
mod known;
mod learn;
#[cfg(feature = "cli")]
mod overview;
#[cfg(feature = "postgres")]
mod quiet;
mod read;
mod rows;
mod settle;
#[cfg(feature = "postgres")]
mod shares;
mod silences;
#[cfg(feature = "postgres")]
mod spending;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod starts;
mod table;
#[cfg(feature = "postgres")]
mod take_over;
mod tell;

pub(crate) use fates::{Learned, Sequel};
#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub(super) use form::hex;
#[cfg(feature = "cli")]
pub use overview::{IncidentView, MessageView, Revived, SilenceView, WaitingView};
pub(super) use rows::{
    BatchRow, DeadRow, DeliveryRow, IncidentRow, ItemRow, LearnedRow, Recipient, RefusalRow, StandingRow,
    StartRow, State, StoredNotice,
};
#[cfg(feature = "postgres")]
pub(crate) use shares::{Share, Taken};
#[cfg(feature = "postgres")]
pub(super) use shares::{Shared, ToldHere};
#[cfg(feature = "postgres")]
pub(crate) use silences::KeyedSilence;
pub(crate) use silences::SilenceRow;
#[cfg(feature = "postgres")]
pub(crate) use spending::Spending;
use table::Rows;
pub(super) use table::{Kept, Table};

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
    pub(super) refusals: Table<Recipient, RefusalRow>,
    /// By sink.
    pub(super) dead: Table<String, DeadRow>,
    pub(super) starts: Table<Uuid, StartRow>,
    /// By what their events are counted under.
    pub(super) silences: Table<Uuid, SilenceRow>,
    /// By run.
    pub(super) batches: Table<Uuid, BatchRow>,
    /// The first batch that was added, where none of its run was before: another store may
    /// have it as well.
    pub(super) first_batch: Option<FirstBatch>,
    pub(super) beyond: Beyond,
    /// The part of [`Self::accounts`] that another store has already.
    pub(super) inherited: BTreeMap<Recipient, Account>,
    /// Whether other processes may bring the same rows: then nothing adds up.
    pub(super) is_copy: bool,
}

/// A batch, and how many events it added by fingerprint.
#[cfg_attr(test, derive(Clone))]
pub(super) struct FirstBatch {
    run: Uuid,
    number: u64,
    counts: BTreeMap<Vec<u8>, u64>,
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
    /// Fingerprints there were.
    pub(super) seen: BTreeSet<Vec<u8>>,
    /// Whether a crash loop is an open incident.
    pub(super) has_crash_loop: bool,
    /// Incidents and notices whose public id was drawn.
    drawn: BTreeSet<Drawn>,
}

/// What got a public id that was drawn.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Drawn {
    Incident(i64),
    Notice(i64),
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
            back_at: row.back_at,
            last_at: row.last_at,
            rank: Rank::of(row.level, row.is_panic),
            count: row.count,
            told: known.told,
            told_at: known.told_at,
            tellings: known.tellings,
            holds: known.holds,
            hold: known.hold,
            is_back: known.is_back,
            went_on: known.went_on,
            is_pending: false,
            is_in_doubt: false,
            is_crowd: row.about == Some(About::Overflow),
            is_new: row.is_new,
            not_before: known.not_before,
            // Not by what was only made, nor by what was said before it came back.
            is_covered: others.any(|(_, other)| other.reported > 0 && other.told_at >= row.back_at),
            is_urgent: row.about.is_some_and(About::is_urgent),
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

    /// The same, but `derived` if nothing on the page has that.
    #[cfg(feature = "postgres")]
    fn derive_for(&mut self, drawn: Drawn, derived: String, maker: &Maker<'_>) -> String {
        self.beyond.drawn.insert(drawn);
        let first = std::cell::Cell::new(Some(derived));
        self.draw(&|| first.take().unwrap_or_else(maker.new_id))
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

    /// Every table by its name, in the order of their references.
    pub(super) fn tables(&mut self) -> [(&'static str, &mut dyn Kept); 14] {
        [
            ("incident", &mut self.incidents),
            ("first_event", &mut self.firsts),
            ("latest_event", &mut self.latests),
            ("learned", &mut self.learned),
            ("standing", &mut self.standings),
            ("account", &mut self.accounts),
            ("notice", &mut self.notices),
            ("item", &mut self.items),
            ("delivery", &mut self.deliveries),
            ("refusal", &mut self.refusals),
            ("dead_told", &mut self.dead),
            ("start", &mut self.starts),
            ("batch", &mut self.batches),
            ("silence", &mut self.silences),
        ]
    }

    /// Adds a row of the table `name`, as a keeper has it.
    pub(super) fn read(&mut self, name: &str, key: &str, data: &str) -> serde_json::Result<()> {
        let found = self.tables().into_iter().find(|(known, _)| *known == name);
        found.map_or(Ok(()), |(_, table)| table.read(key, data))
    }

    /// What a keeper has to write, in arrays: of each row that changed its table's name,
    /// its key and what it says, if it was not removed.
    pub(super) fn changed(&mut self) -> serde_json::Result<Vec<String>> {
        self.changed_where(|_| true)
    }

    /// The same of the tables `names` alone.
    #[cfg(feature = "postgres")]
    pub(super) fn changed_in(&mut self, names: &[&str]) -> serde_json::Result<Vec<String>> {
        self.changed_where(|name| names.contains(&name))
    }

    fn changed_where(&mut self, is_meant: impl Fn(&str) -> bool) -> serde_json::Result<Vec<String>> {
        let mut rows = Rows::default();
        let meant = self.tables().into_iter().filter(|(name, _)| is_meant(name));
        meant.into_iter().try_for_each(|(name, table)| table.write(name, &mut rows))?;
        Ok(rows.close())
    }

    /// Notes that what changed is saved.
    pub(super) fn note_saved(&mut self) {
        self.tables().into_iter().for_each(|(_, table)| table.note_saved());
        self.beyond.drawn.clear();
    }
}
