//! Shares: what one instance counted of its incidents, for the store of the fleet; and what
//! the fleet answers.
//!
//! A share is a sum that only grows, so one that is handed over twice is there once. The
//! fleet's events are told by the fleet: here they are told once it says so. Until then they
//! wait, as nobody knows whether it will be there in a moment.
//! Invariant: every event is counted by one side, and what one side told the other does not
//! tell again.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use serde::{Deserialize, Serialize};

use uuid::Uuid;

use super::{IncidentRow, Page, Recipient, StandingRow, State};
use crate::{
    event::Event,
    outbox::{batch::Arrival, pace::Pace},
    policy::fingerprint::{Said, keys},
    policy::incident::{Reason, Standing},
};

/// What the fleet has of a local incident.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::outbox) struct Shared {
    /// There is something that it was not told.
    pub(in crate::outbox) is_due: bool,
    /// How many events it has.
    pub(in crate::outbox) taken: u64,
    /// How many it knows that were told here, of all recipients.
    pub(in crate::outbox) told: u64,
    /// How many of its events came from another store, which handed them over as its own.
    pub(in crate::outbox) elsewhere: u64,
    /// Which incident of the fleet it is of; zero if that is not known.
    #[serde(default)]
    pub(in crate::outbox) place: i64,
    /// In which database that is.
    #[serde(default)]
    pub(in crate::outbox) fleet: Uuid,
    /// Whether its callsite is learned from.
    #[serde(default)]
    pub(in crate::outbox) is_learned: bool,
}

/// Of the local store.
impl Page {
    /// What this instance tells alone of an incident is to be handed over, although there may
    /// be no more events: else the fleet tells it again.
    pub(super) fn note_told_here(&mut self, id: i64) {
        if let Some(row) = self.incidents.change(&id) {
            row.shared.is_due = true;
        }
    }
}

impl IncidentRow {
    /// How many of its events this store has to hand over.
    pub(in crate::outbox) fn own_count(&self) -> u64 {
        self.count.saturating_sub(self.shared.elsewhere)
    }
}

impl IncidentRow {
    /// This, as it comes from another store.
    pub(in crate::outbox) fn brought(mut self) -> Self {
        let theirs = std::mem::take(&mut self.shared);
        self.absorb_shared(&theirs, self.count);
        self
    }

    /// Goes on with what another store counted of it, `more` events: those that it handed
    /// over are the fleet's already.
    pub(in crate::outbox) fn absorb_shared(&mut self, theirs: &Shared, more: u64) {
        let known = theirs.taken.saturating_add(theirs.elsewhere).min(more);
        self.shared.elsewhere = self.shared.elsewhere.saturating_add(known);
        self.shared.is_due |= theirs.is_due;
    }
}

impl Shared {
    pub(in crate::outbox) fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

/// What one instance counted of an incident, and told while the fleet was out of reach.
#[derive(Clone)]
pub(crate) struct Share {
    pub(in crate::outbox) local_id: i64,
    pub(in crate::outbox) row: IncidentRow,
    pub(in crate::outbox) first: Option<Event>,
    pub(in crate::outbox) latest: Option<Event>,
    /// What its callsite is learned from, if anything is.
    pub(in crate::outbox) said: Option<Arc<Said>>,
    pub(in crate::outbox) told: Vec<ToldHere>,
}

/// How many events of an incident a recipient was told of by one instance alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::outbox) struct ToldHere {
    pub(in crate::outbox) recipient: Recipient,
    pub(in crate::outbox) told: u64,
    pub(in crate::outbox) reported: u64,
    pub(in crate::outbox) tellings: u32,
    #[serde(with = "crate::event::millis_or_none")]
    pub(in crate::outbox) told_at: Option<SystemTime>,
}

/// What the fleet says of a share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Taken {
    pub(crate) local_id: i64,
    /// Which database says so.
    pub(crate) fleet: Uuid,
    /// Which incident of the fleet it is of.
    pub(crate) place: i64,
    /// How many events of it it has.
    pub(crate) count: u64,
    /// What it calls the incident.
    pub(crate) public_id: String,
    /// When a provider took the last message that tells of it; none if none did since it
    /// opened or came back.
    pub(crate) told_at: Option<SystemTime>,
    pub(crate) tellings: u32,
    /// It has to be opened, and its first event is not known.
    pub(crate) needs_event: bool,
    /// How many events the fleet learned that this instance told, if that was said with them.
    pub(crate) told_here: Option<u64>,
}

impl Share {
    /// The events that are told here, of all recipients.
    pub(in crate::outbox) fn told_here(&self) -> u64 {
        self.told.iter().map(|told| told.told).sum()
    }

    /// Whether it says more than how many events there were.
    pub(in crate::outbox) fn has_told(&self) -> bool {
        self.told_here() > self.row.shared.told
    }

    /// How many of its events the fleet did not confirm yet.
    pub(crate) fn untaken(&self) -> u64 {
        self.row.own_count().saturating_sub(self.row.shared.taken)
    }

    pub(super) fn arrival(&self, count: u64) -> Arrival<'_> {
        Arrival {
            fingerprint: self.row.fingerprint.clone(),
            said: self.said.clone(),
            level: self.row.level,
            about: self.row.about,
            first_at: self.row.back_at.unwrap_or(self.row.opened_at),
            last_at: self.row.last_at,
            count,
            pace: Pace::default(),
            not_before: self.row.held_until,
            headline: None,
            event: self.first.as_ref(),
            is_stand_in: self.first.is_none(),
            latest: self.latest.as_ref(),
        }
    }
}

/// Of the local store.
impl Page {
    /// What the fleet does not have yet, of up to `limit` incidents.
    pub(in crate::outbox) fn shares(&self, limit: usize) -> Vec<Share> {
        let due = self.incidents.iter().filter(|(_, row)| row.shared.is_due).take(limit);
        due.map(|(id, row)| Share {
            local_id: *id,
            row: row.clone(),
            first: self.firsts.get(id).cloned(),
            latest: self.latests.get(id).cloned(),
            said: self.said_by(*id, row),
            told: self
                .standings_of(*id)
                .filter_map(|(recipient, known)| known.told_here(recipient))
                .collect(),
        })
        .collect()
    }

    /// The incidents that the fleet has, and nobody is known to be told of.
    pub(in crate::outbox) fn untold_in_fleet(&self) -> Vec<i64> {
        let placed = self.incidents.iter().filter(|(_, row)| row.shared.place > 0).map(|(id, _)| *id);
        placed.filter(|id| self.standings_of(*id).any(|(_, known)| known.is_untold())).collect()
    }

    /// Takes back the messages that surely did not leave: what they tell is untold again, and
    /// the fleet's to tell.
    pub(in crate::outbox) fn withdraw(&mut self, now: SystemTime) {
        let here = self.deliveries.iter().filter(|(_, it)| it.state == State::Pending && it.doubtful == 0);
        let here: Vec<_> = here.map(|(key, it)| (*key, it.notice_id, it.recipient.clone())).collect();
        for (key, notice, recipient) in here {
            let items: Vec<_> = self.items_of(notice).map(|(id, item)| (id, item.count)).collect();
            for (id, count) in items {
                let Some(known) = self.standings.change(&(id, recipient.clone())) else { continue };
                known.told = known.told.saturating_sub(count);
                known.tellings = known.tellings.saturating_sub(1);
                if known.told == 0 {
                    (known.told_at, known.holds, known.hold) = (None, 0, Duration::ZERO);
                }
                known.due_at = Some(now);
            }
            if let Some(delivery) = self.deliveries.change(&key) {
                delivery.state = State::Dead;
                delivery.settled_at = Some(now);
                delivery.last_error = Some("not sent: the fleet tells it".to_owned());
            }
        }
    }

    /// What the callsite of an incident that the fleet does not know yet is learned from.
    fn said_by(&self, id: i64, row: &IncidentRow) -> Option<Arc<Said>> {
        let first = self.firsts.get(&id).filter(|_| row.shared.is_learned)?;
        keys(first, &row.process.app, None).said
    }

    /// Notes what the fleet has taken, and what it has told: nobody is told that here.
    pub(in crate::outbox) fn note_taken(&mut self, taken: &[Taken], now: SystemTime) {
        for answer in taken {
            let told_here: u64 = self
                .standings_of(answer.local_id)
                .filter_map(|(recipient, known)| known.told_here(recipient))
                .map(|told| told.told)
                .sum();
            let was_told = self.standings_of(answer.local_id).any(|(_, known)| known.told_at.is_some());
            let Some(row) = self.incidents.change(&answer.local_id) else { continue };
            if answer.needs_event {
                let Shared { elsewhere, is_learned, .. } = row.shared;
                row.shared = Shared { is_due: true, elsewhere, is_learned, ..Shared::default() };
                continue;
            }
            if row.shared.fleet != answer.fleet {
                row.shared.taken = 0;
            }
            (row.shared.fleet, row.shared.place) = (answer.fleet, answer.place);
            row.shared.taken = row.shared.taken.max(answer.count);
            // More may have been told since it was handed over.
            row.shared.told = row.shared.told.max(answer.told_here.unwrap_or(0));
            row.shared.is_due = row.own_count() > row.shared.taken || told_here > row.shared.told;
            if !was_told {
                row.public_id.clone_from(&answer.public_id);
            }
            if let Some(told_at) = answer.told_at {
                self.note_told_by_fleet(answer, told_at.min(now));
            }
        }
    }

    fn note_told_by_fleet(&mut self, answer: &Taken, told_at: SystemTime) {
        let id = answer.local_id;
        let Some((count, elsewhere)) = self.incidents.get(&id).map(|row| (row.count, row.shared.elsewhere))
        else {
            return;
        };
        let known: Vec<Recipient> = self.standings_of(id).map(|(recipient, _)| recipient.clone()).collect();
        for recipient in known {
            let Some(standing) = self.standing(id, &recipient) else { continue };
            let told = answer.count.saturating_add(elsewhere).min(count).max(standing.told);
            if told == standing.told && standing.told_at.is_some() && !standing.is_back {
                continue;
            }
            let reason = if standing.told_at.is_some() { Reason::Reminder } else { Reason::First };
            let after = Standing { count: told, ..standing }.told_now(reason, None, told_at);
            let Some(known) = self.standings.change(&(id, recipient)) else { continue };
            let more = told.saturating_sub(known.told);
            known.by_fleet = known.by_fleet.saturating_add(more);
            known.told = told;
            known.reported = known.reported.saturating_add(more);
            known.told_at = known.told_at.max(Some(told_at));
            known.tellings = known.tellings.max(answer.tellings);
            (known.holds, known.hold) = (after.holds, after.hold);
            (known.is_back, known.went_on) = (false, after.went_on);
            if told == count {
                known.due_at = None;
            }
            let most = known.reported;
            self.note_reported(id, most);
        }
    }
}

impl StandingRow {
    /// What this instance alone told of an incident.
    fn told_here(&self, recipient: &Recipient) -> Option<ToldHere> {
        let told = self.told.saturating_sub(self.by_fleet);
        (told > 0).then(|| ToldHere {
            recipient: recipient.clone(),
            told,
            reported: self.reported.saturating_sub(self.by_fleet),
            tellings: self.tellings,
            told_at: self.told_at,
        })
    }
}
