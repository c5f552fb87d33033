//! What another store has, on its way into this one: memory's after an outage, or
//! that of a file that was moved or is damaged.
//!
//! Invariant: nothing is lost, and what is brought twice is there once.

use std::{collections::BTreeMap, time::SystemTime};

use uuid::Uuid;

use super::{DeliveryRow, FirstBatch, IncidentRow, ItemRow, Page, Recipient, StandingRow, State};
use crate::{
    event::to_millis,
    outbox::Target,
    policy::budget::{Account, Spent},
};

/// Which incidents there are, as they are looked for.
#[derive(Default)]
struct Places {
    /// By what makes two of them the same.
    same: BTreeMap<(Vec<u8>, String, i64), i64>,
    open: BTreeMap<Vec<u8>, i64>,
    latest: BTreeMap<Vec<u8>, i64>,
    /// How many events came in a batch that is here already.
    known: BTreeMap<Vec<u8>, u64>,
}

impl IncidentRow {
    /// What is the same in every store that has it: times are kept in
    /// milliseconds.
    pub(in crate::outbox) fn identity(&self) -> (Vec<u8>, String, i64) {
        (self.fingerprint.clone(), self.public_id.clone(), to_millis(self.opened_at))
    }
}

impl Page {
    /// Takes in what `other` has. An incident that is here already counts what is
    /// more; one that is open in both counts as one; a message that is here already
    /// is not added. Of an open incident of which it is not known who knows it,
    /// `targets` are told.
    pub(in crate::outbox) fn absorb(&mut self, other: &Self, targets: &[Target], now: SystemTime) {
        let mut places = Places { known: self.known_of(other), ..Places::default() };
        for (id, incident) in self.incidents.iter() {
            places.note(*id, incident);
        }
        let mut ids = BTreeMap::new();
        for (id, incident) in other.incidents.iter() {
            let own = self.absorb_incident(*id, incident, other, &mut places);
            ids.insert(*id, own);
            if incident.closed_at.is_none() && other.standings_of(*id).next().is_none() {
                self.tell_anew(own, incident, targets, now);
            }
        }
        let live =
            other.deliveries.iter().filter(|(_, it)| it.state == State::Pending || it.ask_at.is_some());
        for (key, delivery) in live {
            self.absorb_message(*key, delivery, other, &ids);
        }
        for (run, theirs) in other.batches.iter() {
            let own = self.batches.change_or_insert(*run, || *theirs);
            own.number = own.number.max(theirs.number);
        }
        self.absorb_learned(other, &ids);
        self.absorb_accounts(other);
        self.absorb_refusals(other);
        self.absorb_silences(other);
        for (sink, theirs) in other.dead.iter() {
            let own = self.dead.change_or_insert(sink.clone(), Default::default);
            own.told_at = own.told_at.max(theirs.told_at);
            own.count = if other.is_copy {
                own.count.max(theirs.count)
            } else {
                own.count.saturating_add(theirs.count)
            };
            if theirs.count > 0 {
                own.recipient.clone_from(&theirs.recipient);
                own.public_id.clone_from(&theirs.public_id);
                own.reason.clone_from(&theirs.reason);
            }
        }
    }

    /// Returns the number that it has here.
    fn absorb_incident(&mut self, id: i64, theirs: &IncidentRow, other: &Self, places: &mut Places) -> i64 {
        let same = places.same.get(&theirs.identity()).copied();
        let open = places.open.get(&theirs.fingerprint).filter(|_| theirs.closed_at.is_none()).copied();
        let known = places.known.get_mut(&theirs.fingerprint).map_or(0, |known| {
            let own = theirs.count.min(*known);
            *known -= own;
            own
        });
        let latest = places.latest.get(&theirs.fingerprint).filter(|_| known > 0).copied();
        let own = match same.or(open).or(latest) {
            Some(own) => {
                if let Some(row) = self.incidents.change(&own) {
                    row.last_at = row.last_at.max(theirs.last_at);
                    row.back_at = row.back_at.max(theirs.back_at);
                    if same.is_some() {
                        row.count = row.count.max(theirs.count);
                    } else {
                        let more = theirs.count.saturating_sub(known);
                        row.count = row.count.saturating_add(more);
                        #[cfg(feature = "postgres")]
                        row.absorb_shared(&theirs.shared, more);
                        row.recent.absorb(&theirs.recent);
                        let until = row.last_at;
                        row.pace.add(&theirs.pace, until);
                    }
                }
                own
            }
            None => {
                self.beyond.last_incident = self.beyond.last_incident.saturating_add(1);
                let own = self.beyond.last_incident;
                let row = IncidentRow { reported: 0, ..theirs.clone() };
                #[cfg(feature = "postgres")]
                let row = row.brought();
                self.incidents.insert(own, row);
                if let Some(event) = other.firsts.get(&id) {
                    self.firsts.insert(own, event.clone());
                }
                if let Some(event) = other.latests.get(&id) {
                    self.latests.insert(own, event.clone());
                }
                places.note(own, theirs);
                own
            }
        };
        for (recipient, theirs) in other.standings_of(id) {
            self.absorb_standing(own, recipient, theirs, same.is_some());
        }
        own
    }

    /// How many events of `other` came in a batch that is here already, by fingerprint.
    fn known_of(&self, other: &Self) -> BTreeMap<Vec<u8>, u64> {
        let is_here = |first: &&FirstBatch| {
            self.batches.get(&first.run).is_some_and(|last| last.number >= first.number)
        };
        let first = other.first_batch.as_ref().filter(is_here);
        first.map(|first| first.counts.clone()).unwrap_or_default()
    }

    /// What is known of an incident in both stores is the same, if they are of the
    /// same events; if not, it adds up.
    fn absorb_standing(
        &mut self,
        incident: i64,
        recipient: &Recipient,
        theirs: &StandingRow,
        are_same: bool,
    ) {
        let key = (incident, recipient.clone());
        let all = self.incidents.get(&incident).map_or(u64::MAX, |row| row.count);
        let Some(own) = self.standings.change(&key) else {
            self.standings.insert(key, theirs.clone());
            return self.note_reported(incident, theirs.reported);
        };
        let sum =
            |own: u64, more: u64| if are_same { own.max(more) } else { own.saturating_add(more).min(all) };
        own.told = sum(own.told, theirs.told);
        own.reported = sum(own.reported, theirs.reported);
        #[cfg(feature = "postgres")]
        {
            own.by_fleet = sum(own.by_fleet, theirs.by_fleet);
        }
        own.tellings = match are_same {
            true => own.tellings.max(theirs.tellings),
            false => own.tellings.saturating_add(theirs.tellings),
        };
        if own.told_at < theirs.told_at {
            (own.told_at, own.hold) = (theirs.told_at, theirs.hold);
        }
        own.holds = own.holds.max(theirs.holds);
        own.is_back |= theirs.is_back;
        own.due_at = own.due_at.into_iter().chain(theirs.due_at).min();
        let most = own.reported;
        self.note_reported(incident, most);
    }

    /// Has those of `targets` whom an incident concerns be told of it: nobody knows
    /// who was.
    fn tell_anew(&mut self, id: i64, incident: &IncidentRow, targets: &[Target], now: SystemTime) {
        for target in targets.iter().filter(|target| incident.level <= target.level) {
            let key = (id, Recipient::new(target.sink, &target.recipient));
            if self.standings.get(&key).is_none() {
                self.standings.insert(key, StandingRow { due_at: Some(now), ..StandingRow::default() });
            }
        }
    }

    fn absorb_message(
        &mut self,
        key: Uuid,
        delivery: &DeliveryRow,
        other: &Self,
        incidents: &BTreeMap<i64, i64>,
    ) {
        let Some(notice) = other.notices.get(&delivery.notice_id) else { return };
        if self.deliveries.get(&key).is_some() {
            return;
        }
        self.beyond.last_notice = self.beyond.last_notice.saturating_add(1);
        let id = self.beyond.last_notice;
        self.notices.insert(id, notice.clone());
        self.deliveries.insert(key, DeliveryRow { notice_id: id, ..delivery.clone() });
        for (incident, item) in other.items_of(delivery.notice_id) {
            let Some(incident) = incidents.get(&incident) else { continue };
            match self.items.change(&(id, *incident)) {
                Some(own) => own.count = own.count.saturating_add(item.count),
                None => self.items.insert((id, *incident), ItemRow::clone(item)),
            }
            // Nobody may have known that it concerns them, or that they know of it.
            let known = (*incident, delivery.recipient.clone());
            let standing = self.standings.change_or_insert(known, StandingRow::default);
            if standing.told_at.is_none() {
                standing.told = item.total;
                standing.told_at = Some(notice.made_at);
                standing.tellings = 1;
            }
        }
    }

    /// What both stores spent was spent, if they are not the same.
    fn absorb_accounts(&mut self, other: &Self) {
        for (recipient, theirs) in other.accounts.iter() {
            let (messages, segments) = other.spent_here(recipient, theirs);
            let own = self.accounts.change_or_insert(recipient.clone(), Account::default);
            own.hear(theirs);
            own.spent = own.spent.with(&messages, other.is_copy);
            own.segments = own.segments.with(&segments, other.is_copy);
        }
    }

    fn absorb_refusals(&mut self, other: &Self) {
        for (recipient, theirs) in other.refusals.iter() {
            let own = self.refusals.change_or_insert(recipient.clone(), || *theirs);
            own.since = own.since.max(theirs.since);
        }
    }

    /// Goes on from what another store knows of recipients, which it keeps: what was
    /// spent there is spent, and not brought back. What is dead there is told from
    /// there.
    #[cfg(feature = "sqlite")]
    pub(in crate::outbox) fn inherit(&mut self, other: &Self) {
        for (recipient, theirs) in other.accounts.iter() {
            let mut own = self.accounts.get(recipient).cloned().unwrap_or_default();
            let (messages, segments) = self.spent_here(recipient, &own);
            let known = self.inherited.entry(recipient.clone()).or_default();
            known.spent = known.spent.with(&theirs.spent, true);
            known.segments = known.segments.with(&theirs.segments, true);
            own.hear(theirs);
            own.spent = known.spent.with(&messages, false);
            own.segments = known.segments.with(&segments, false);
            self.accounts.insert(recipient.clone(), own);
        }
        self.absorb_refusals(other);
        self.inherit_silences(other);
        for (sink, theirs) in other.dead.iter().filter(|(_, theirs)| theirs.told_at.is_some()) {
            let own = self.dead.change_or_insert(sink.clone(), Default::default);
            own.told_at = own.told_at.max(theirs.told_at);
        }
    }

    /// How much of `account` no other store knows of.
    fn spent_here(&self, recipient: &Recipient, account: &Account) -> (Spent, Spent) {
        let inherited = self.inherited.get(recipient).cloned().unwrap_or_default();
        (account.spent.without(&inherited.spent), account.segments.without(&inherited.segments))
    }

    /// Takes from `known` what is not on the page, as it could not be read.
    #[cfg(feature = "sqlite")]
    pub(crate) fn complete(&mut self, known: Self) {
        if self.accounts.is_empty() {
            self.accounts = known.accounts;
        }
        if self.refusals.is_empty() {
            self.refusals = known.refusals;
        }
    }

    /// How many messages wait on the page, of `run` or of all, but for those of
    /// `settled`; whoever was never told of an incident waits for one.
    #[cfg(feature = "sqlite")]
    pub(crate) fn messages(&self, run: Option<Uuid>, settled: &[Uuid]) -> usize {
        let is_meant = |of: Uuid| run.is_none_or(|run| of == run);
        let waits = self.deliveries.iter().filter(|(key, it)| {
            let notice = self.notices.get(&it.notice_id);
            it.state == State::Pending && !settled.contains(key) && notice.is_some_and(|it| is_meant(it.run))
        });
        let untold = self.standings.iter().filter(|((incident, _), known)| {
            known.is_untold() && self.incidents.get(incident).is_some_and(|it| is_meant(it.run))
        });
        waits.count().saturating_add(untold.count())
    }
}

impl Places {
    fn note(&mut self, id: i64, incident: &IncidentRow) {
        self.same.insert(incident.identity(), id);
        self.latest.insert(incident.fingerprint.clone(), id);
        if incident.closed_at.is_none() {
            self.open.insert(incident.fingerprint.clone(), id);
        }
    }
}
