//! Silences: what nobody is told of for a while, whichever process it happens in.
//!
//! The events of a silence join one incident, which nobody is told of before the silence
//! ends; so at the end its count is told once, by whichever process is alive then. What
//! was open when the silence began is put off, and told then as well, if there is more.
//! Invariant: what is silenced is counted as any other event is.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::SystemTime,
};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{IncidentRow, Page, Recipient, form};
use crate::{
    event::{millis, millis_or_none, moved},
    host::time::Saturating,
    outbox::{KEPT_DEAD, batch::Arrival},
    policy::matcher::{Conditions, silenced as silenced_message},
};

/// How many silences may be in force at once: each is looked at with each batch.
const MAX_SILENCES: usize = 100;

/// How many kinds a silence remembers as its own. Of more, an event of which only the
/// callsite is known may be told.
const MAX_KINDS: usize = 64;

/// A wish not to hear of some events for a while.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SilenceRow {
    /// What people call it.
    pub(crate) public_id: String,
    /// The run of the process that began it: with that one's clock it moves.
    pub(crate) run: Uuid,
    /// Which events it means.
    #[serde(with = "form::whole")]
    pub(crate) conditions: Conditions,
    #[serde(with = "millis")]
    pub(crate) from: SystemTime,
    /// When it ends, or ended.
    #[serde(with = "millis")]
    pub(crate) until: SystemTime,
    /// When somebody ended it early.
    #[serde(with = "millis_or_none", default)]
    pub(crate) undone_at: Option<SystemTime>,
    pub(crate) why: Option<String>,
    /// Who began it.
    pub(crate) by: String,
    /// How many events it held back.
    #[serde(with = "form::count")]
    pub(crate) held: u64,
    /// The fingerprints of what it held back: an event of which only the callsite is known
    /// goes with those of its kind.
    #[serde(with = "form::whole")]
    pub(crate) kinds: Vec<String>,
    /// The fingerprints of what was open when it began, and is put off.
    #[serde(with = "form::whole")]
    pub(crate) open: Vec<String>,
}

impl SilenceRow {
    pub(super) fn is_in_force(&self, now: SystemTime) -> bool {
        self.until > now
    }

    /// Whether it means `arrival`: all of it that is known, or what was known of its kind.
    fn means(&self, arrival: &Arrival<'_>, kind: &String) -> bool {
        let first = arrival.event.filter(|_| !arrival.is_stand_in);
        let mut known = first.into_iter().chain(arrival.latest).peekable();
        match known.peek() {
            Some(_) => known.all(|event| self.conditions.mean(event)),
            None => self.kinds.contains(kind) || arrival.event.is_some_and(|it| self.conditions.mean(it)),
        }
    }

    /// Whether it is of one kind, and that is of this group: whoever silences an incident
    /// means all that it counts.
    fn means_group(&self, group: Option<&String>) -> bool {
        let knows = |group: &String| self.open.contains(group) || self.kinds.contains(group);
        self.conditions.is_of_kind() && group.is_some_and(knows)
    }

    fn puts_off(&self, incident: &IncidentRow) -> bool {
        incident.opened_at <= self.from && self.open.contains(&form::hex::of(&incident.fingerprint))
    }
}

/// A silence, with what its events count under.
#[cfg(feature = "postgres")]
pub(crate) type KeyedSilence = (Uuid, SilenceRow);

/// Adds a fingerprint, unless it is there or there are too many.
pub(super) fn note(kinds: &mut Vec<String>, kind: String) {
    if kinds.len() < MAX_KINDS && !kinds.contains(&kind) {
        kinds.push(kind);
    }
}

impl Page {
    /// Begins a silence, whose events are counted under `key`. False if there are too many
    /// already. Those that ended long ago are forgotten.
    pub(in crate::outbox) fn silence(&mut self, key: Uuid, mut silence: SilenceRow, now: SystemTime) -> bool {
        let forgotten = self.silences.iter().filter(|(_, it)| it.until.later(KEPT_DEAD) <= now);
        for key in forgotten.map(|(key, _)| *key).collect::<Vec<_>>() {
            self.silences.remove(&key);
        }
        if self.silences.values().filter(|it| it.is_in_force(now)).count() >= MAX_SILENCES {
            return false;
        }
        for (id, incident) in self.incidents.iter().filter(|(_, it)| it.about.is_none()) {
            let is_meant = self.firsts.get(id).is_some_and(|event| silence.conditions.mean(event));
            if is_meant && incident.closed_at.is_none() && self.silence_of(&incident.fingerprint).is_none() {
                note(&mut silence.open, form::hex::of(&incident.fingerprint));
            }
        }
        self.silences.insert(key, silence);
        true
    }

    /// Ends those of the silences in force that `is_meant`: what they held back is told
    /// now. Returns how many that were.
    pub(in crate::outbox) fn unsilence(
        &mut self,
        is_meant: impl Fn(Uuid, &SilenceRow) -> bool,
        now: SystemTime,
    ) -> usize {
        let meant = self.silences.iter().filter(|(key, it)| it.is_in_force(now) && is_meant(**key, it));
        let meant: Vec<Uuid> = meant.map(|(key, _)| *key).collect();
        for key in &meant {
            let Some(silence) = self.silences.change(key) else { continue };
            silence.until = now;
            silence.undone_at = Some(now);
            let open = silence.open.clone();
            self.release_silenced(key.as_bytes(), &open, now);
        }
        meant.len()
    }

    /// Has whoever is concerned told, at `now`, of what counts under `fingerprint` and of
    /// what was put off under one of those of `open`.
    pub(in crate::outbox) fn release_silenced(
        &mut self,
        fingerprint: &[u8],
        open: &[String],
        now: SystemTime,
    ) {
        let is_held = |of: &[u8]| of == fingerprint || open.contains(&form::hex::of(of));
        let held = self.incidents.iter().filter(|(_, it)| is_held(&it.fingerprint));
        for id in held.map(|(id, _)| *id).collect::<BTreeSet<_>>() {
            if self.incidents.get(&id).is_some_and(|it| it.held_until.is_some())
                && let Some(incident) = self.incidents.change(&id)
            {
                incident.held_until = None;
            }
            let waiting = self.standings_of(id).filter(|(_, known)| known.due_at.is_some());
            for recipient in waiting.map(|(recipient, _)| recipient.clone()).collect::<Vec<_>>() {
                if let Some(known) = self.standings.change(&(id, recipient)) {
                    known.not_before = None;
                    known.due_at = Some(now);
                }
            }
        }
    }

    /// Has those of `arrivals` that are silenced at `now` join what counts for their
    /// silence.
    pub(super) fn hold_back(&mut self, arrivals: &mut [Arrival<'_>], now: SystemTime) {
        if self.silences.is_empty() {
            return;
        }
        for arrival in arrivals.iter_mut().filter(|it| it.about.is_none() && it.not_before.is_none()) {
            let kind = form::hex::of(&arrival.fingerprint);
            let group = self.group_of(arrival).map(|group| form::hex::of(&group));
            let is_meant = |it: &SilenceRow| it.means(arrival, &kind) || it.means_group(group.as_ref());
            let found = self.silences.iter().find(|(_, it)| it.is_in_force(now) && is_meant(it));
            let Some(key) = found.map(|(key, _)| *key) else { continue };
            let Some(silence) = self.silences.change(&key) else { continue };
            silence.held = silence.held.saturating_add(arrival.count);
            note(&mut silence.kinds, kind);
            let lasts = silence.until.duration_since(silence.from).unwrap_or_default();
            let first = arrival.event.map_or("", |event| &event.message);
            arrival.headline = Some(silenced_message(&silence.conditions, lasts, first));
            arrival.fingerprint = key.into_bytes().to_vec();
            arrival.not_before = Some(silence.until);
            arrival.said = None;
        }
    }

    /// Puts off what is silenced of the incidents that `recipient` is to be told of:
    /// nothing is decided of them before the silence ends. Returns which they are.
    pub(super) fn put_off(&mut self, recipient: &Recipient, now: SystemTime) -> BTreeSet<i64> {
        let mut put_off: BTreeMap<i64, SystemTime> = BTreeMap::new();
        for silence in self.silences.values().filter(|it| it.is_in_force(now) && !it.open.is_empty()) {
            let of = self.standings.iter().filter(|((id, other), known)| {
                let is_meant = self.incidents.get(id).is_some_and(|it| silence.puts_off(it));
                other == recipient && known.due_at.is_some() && is_meant
            });
            for ((id, _), _) in of {
                let until = put_off.entry(*id).or_insert(silence.until);
                *until = silence.until.max(*until);
            }
        }
        for (id, until) in &put_off {
            let key = (*id, recipient.clone());
            if self.standings.get(&key).is_some_and(|known| known.due_at == Some(*until)) {
                continue;
            }
            if let Some(known) = self.standings.change(&key) {
                known.due_at = Some(*until);
                if known.told_at.is_none() {
                    known.not_before = Some(*until);
                }
            }
        }
        put_off.into_keys().collect()
    }

    /// The silence whose events count under `fingerprint`.
    pub(super) fn silence_of(&self, fingerprint: &[u8]) -> Option<&SilenceRow> {
        self.silences.get(&Uuid::from_slice(fingerprint).ok()?)
    }

    /// Moves the silences that `run` began, with its clock.
    pub(super) fn shift_silences(&mut self, run: Uuid, millis: i64) {
        let ours = self.silences.iter().filter(|(_, it)| it.run == run && it.undone_at.is_none());
        for key in ours.map(|(key, _)| *key).collect::<Vec<_>>() {
            if let Some(silence) = self.silences.change(&key) {
                silence.from = moved(silence.from, millis);
                silence.until = moved(silence.until, millis);
            }
        }
    }

    /// Takes in what another store knows of silences: one that was ended in either is over.
    pub(super) fn absorb_silences(&mut self, other: &Self) {
        for (key, theirs) in other.silences.iter() {
            let Some(own) = self.silences.change(key) else {
                self.silences.insert(*key, theirs.clone());
                continue;
            };
            own.until = own.until.min(theirs.until);
            own.undone_at = own.undone_at.or(theirs.undone_at);
            own.held = match other.is_copy {
                true => own.held.max(theirs.held),
                false => own.held.saturating_add(theirs.held),
            };
            theirs.kinds.iter().for_each(|kind| note(&mut own.kinds, kind.clone()));
            theirs.open.iter().for_each(|kind| note(&mut own.open, kind.clone()));
        }
    }

    /// Goes on from another store's silences, which keeps what they held back.
    #[cfg(feature = "sqlite")]
    pub(super) fn inherit_silences(&mut self, other: &Self) {
        for (key, theirs) in other.silences.iter() {
            let make = || SilenceRow { held: 0, ..theirs.clone() };
            let own = self.silences.change_or_insert(*key, make);
            own.until = own.until.min(theirs.until);
            own.undone_at = own.undone_at.or(theirs.undone_at);
        }
    }
}
