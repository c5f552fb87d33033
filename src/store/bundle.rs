//! [`Bundle`]: what is not settled, on its way from one store to another.
//!
//! Plain rows, as the schema has them: times are milliseconds, events are JSON.

use std::{path::Path, time::SystemTime};

use uuid::Uuid;

use super::{Channel, Identity, Mark, Memory, Sqlite, Store, StoreError, Target};

impl Store {
    /// Leaves a file that is no longer where it was, with everything that is
    /// pending in it; memory takes over.
    pub(crate) async fn leave(&mut self, now: SystemTime) -> Bundle {
        match std::mem::replace(self, Self::Memory(Memory::default())) {
            Self::Memory(memory) => {
                *self = Self::Memory(memory);
                Bundle::default()
            }
            Self::Sqlite(mut store) => {
                let pending = store.export().await;
                store.retire(now).await;
                store.shut().await;
                pending
            }
        }
    }

    /// Goes over from memory to `file`, with everything that is pending in it
    /// and `brought`; `targets` are told where nobody knows who was. If that
    /// fails, memory stays.
    pub(crate) async fn move_to(
        &mut self,
        mut file: Box<Sqlite>,
        brought: &[Bundle],
        targets: &[Target],
        now: SystemTime,
    ) -> Result<(), StoreError> {
        let kept = match self {
            Self::Memory(memory) => memory.export()?,
            Self::Sqlite(_) => Bundle::default(),
        };
        let imported = file.import(brought.iter().chain([&kept]), targets, now).await;
        match imported {
            Ok(()) => *self = Self::Sqlite(file),
            // Who replaces it needs it for himself.
            Err(_) => file.shut().await,
        }
        imported
    }

    /// What a file knows of recipients, if it can be read.
    pub(crate) async fn ledger(&mut self) -> Option<Ledger> {
        match self {
            Self::Memory(_) => None,
            Self::Sqlite(store) => store.ledger().await.ok(),
        }
    }

    /// Has memory go on from `ledger`, which another store has.
    pub(crate) fn inherit(&mut self, ledger: &Ledger, channels: &[Channel]) {
        if let Self::Memory(memory) = self {
            memory.inherit(ledger, channels);
        }
    }

    /// Which file it is; none if it is memory, or if that cannot be told.
    pub(crate) fn identity(&self) -> Option<Identity> {
        match self {
            Self::Memory(_) => None,
            Self::Sqlite(store) => store.identity(),
        }
    }

    /// False if this is memory, or a file that is no longer at `path`.
    pub(crate) fn is_file_at(&self, path: &Path) -> bool {
        match self {
            Self::Memory(_) => false,
            Self::Sqlite(store) => store.is_at(path),
        }
    }

    /// How many messages of `run` a file holds that failed, but for those of
    /// `settled`: what came of them could not be written. Nothing is in memory.
    pub(crate) async fn left(&mut self, run: Uuid, settled: &[Uuid]) -> Result<u64, StoreError> {
        match self {
            Self::Memory(_) => Ok(0),
            Self::Sqlite(store) => store.pending(run, Mark::ALL, settled).await,
        }
    }
}

/// Everything of which somebody is still to be told.
#[derive(Default)]
pub(crate) struct Bundle {
    pub(super) incidents: Vec<BundledIncident>,
    pub(super) notices: Vec<BundledNotice>,
    pub(crate) ledger: Ledger,
}

impl Ledger {
    /// Counts one more delivery that is dead, and that nobody was told of.
    pub(super) fn bury(&mut self, dead: BundledDead) {
        match self.dead.iter_mut().find(|known| known.sink == dead.sink) {
            Some(known) => {
                let (told_at, count) = (known.told_at, known.count.saturating_add(dead.count));
                *known = BundledDead { told_at, count, ..dead };
            }
            None => self.dead.push(dead),
        }
    }

    /// Takes from `known` what is not in it, as it could not be read.
    pub(crate) fn complete(&mut self, known: Self) {
        if self.accounts.is_empty() {
            self.accounts = known.accounts;
        }
        if self.refusals.is_empty() {
            self.refusals = known.refusals;
        }
    }
}

impl Bundle {
    /// How many messages wait in it, of `run` or of all, but for those of `settled`;
    /// who was never told of an incident waits for one.
    pub(crate) fn messages(&self, run: Option<Uuid>, settled: &[Uuid]) -> usize {
        let is_meant = |of: &[u8]| run.is_none_or(|run| of == run.as_bytes());
        let waits = |notice: &&BundledNotice| {
            is_meant(&notice.run) && !settled.iter().any(|key| notice.key == key.as_bytes())
        };
        let incidents = self.incidents.iter().filter(|incident| is_meant(&incident.run));
        let untold = incidents.flat_map(|incident| &incident.standings).filter(|each| each.is_untold());
        self.notices.iter().filter(waits).count() + untold.count()
    }
}

/// An incident that is open, or that somebody is to be told of.
pub(super) struct BundledIncident {
    /// What it is called in the bundle.
    pub(super) id: i64,
    pub(super) public_id: String,
    pub(super) fingerprint: Vec<u8>,
    pub(super) level: i64,
    pub(super) about: Option<String>,
    pub(super) run: Vec<u8>,
    pub(super) process: String,
    pub(super) is_new: bool,
    pub(super) count: i64,
    pub(super) opened_at: i64,
    pub(super) last_at: i64,
    pub(super) closed_at: Option<i64>,
    pub(super) payload: Option<String>,
    pub(super) latest: Option<String>,
    pub(super) pace: String,
    pub(super) standings: Vec<BundledStanding>,
}

impl BundledIncident {
    /// Stands for one of which nothing is known but that it was of one event.
    pub(super) fn unreadable(fingerprint: Vec<u8>, at: i64) -> Self {
        Self {
            id: 0,
            public_id: UNREADABLE_ID.to_owned(),
            fingerprint,
            level: 1,
            about: Some("overflow".to_owned()),
            run: NO_RUN.to_vec(),
            process: NO_FACTS.to_owned(),
            is_new: true,
            count: 1,
            opened_at: at,
            last_at: at,
            closed_at: Some(at),
            payload: None,
            latest: None,
            pace: NO_FACTS.to_owned(),
            standings: Vec::new(),
        }
    }

    /// Stands for one that cannot be read, for those of `standings` who were never
    /// told of it. None if there are none.
    pub(super) fn untold(id: i64, standings: &[BundledStanding]) -> Option<Self> {
        let untold = standings.iter().filter(|each| each.is_untold());
        let at = untold.clone().filter_map(|standing| standing.due_at).min()?;
        let fresh = |standing: &BundledStanding| BundledStanding {
            sink: standing.sink.clone(),
            recipient: standing.recipient.clone(),
            told: 0,
            reported: 0,
            told_at: None,
            tellings: 0,
            not_before: standing.not_before,
            due_at: standing.due_at,
        };
        let standings = untold.map(fresh).collect();
        // Shorter than an event's, so that none joins it.
        Some(Self { id, standings, ..Self::unreadable(id.to_le_bytes().to_vec(), at) })
    }
}

/// The public id of what cannot be read, the run that made it and the facts of
/// its process.
pub(super) const UNREADABLE_ID: &str = "0000";
pub(super) const NO_RUN: [u8; 16] = [0; 16];
pub(super) const NO_FACTS: &str = "{}";

/// What a recipient knows of it.
pub(super) struct BundledStanding {
    pub(super) sink: String,
    pub(super) recipient: String,
    pub(super) told: i64,
    pub(super) reported: i64,
    pub(super) told_at: Option<i64>,
    pub(super) tellings: i64,
    pub(super) not_before: Option<i64>,
    pub(super) due_at: Option<i64>,
}

impl BundledStanding {
    fn is_untold(&self) -> bool {
        self.told_at.is_none() && self.due_at.is_some()
    }
}

/// A notice with its one pending delivery.
pub(super) struct BundledNotice {
    pub(super) public_id: String,
    pub(super) run: Vec<u8>,
    pub(super) kind: String,
    pub(super) process: String,
    pub(super) made_at: i64,
    pub(super) is_last: bool,
    pub(super) items: Vec<BundledItem>,
    /// Its key says which delivery it is in either store, so that an attempt that
    /// is under way can be settled in the other.
    pub(super) key: Vec<u8>,
    pub(super) sink: String,
    pub(super) recipient: String,
    pub(super) due_at: i64,
    pub(super) attempt: i64,
    pub(super) claims: i64,
    pub(super) doubtful: i64,
    pub(super) created_at: i64,
    pub(super) expires_at: i64,
}

impl BundledNotice {
    /// One of which nothing is known but to whom it goes, and which delivery it
    /// is. It tells of one event that cannot be read.
    pub(super) fn unreadable(&self) -> Self {
        Self {
            public_id: UNREADABLE_ID.to_owned(),
            run: NO_RUN.to_vec(),
            kind: "first".to_owned(),
            process: NO_FACTS.to_owned(),
            made_at: self.created_at,
            is_last: false,
            items: Vec::new(),
            key: self.key.clone(),
            sink: self.sink.clone(),
            recipient: self.recipient.clone(),
            attempt: 0,
            claims: 0,
            doubtful: 0,
            ..*self
        }
    }
}

/// What a notice tells of an incident.
pub(super) struct BundledItem {
    pub(super) incident_id: i64,
    pub(super) reason: String,
    pub(super) tellings: i64,
    pub(super) count: i64,
    pub(super) total: i64,
    pub(super) last_at: i64,
    pub(super) pace: String,
}

/// What is known of recipients, whatever they are told.
#[derive(Default)]
pub(crate) struct Ledger {
    /// Whether it holds what happened in its store alone: else it may be brought
    /// by several, and does not add up.
    pub(super) adds_up: bool,
    pub(super) accounts: Vec<BundledAccount>,
    pub(super) refusals: Vec<BundledRefusal>,
    pub(super) dead: Vec<BundledDead>,
}

/// What a recipient was sent.
pub(super) struct BundledAccount {
    pub(super) sink: String,
    pub(super) recipient: String,
    pub(super) heard_at: Option<i64>,
    pub(super) full_at: Option<i64>,
    pub(super) day: i64,
    pub(super) today: i64,
}

/// When a recipient was refused for good.
pub(super) struct BundledRefusal {
    pub(super) sink: String,
    pub(super) recipient: String,
    pub(super) since: i64,
}

/// When somebody was told of a sink's dead deliveries, how many nobody was told
/// of, and the last of them.
pub(super) struct BundledDead {
    pub(super) sink: String,
    pub(super) told_at: Option<i64>,
    pub(super) count: i64,
    pub(super) recipient: String,
    pub(super) public_id: String,
    pub(super) reason: String,
}
