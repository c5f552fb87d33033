//! Events join their incidents; who is concerned gets a standing.

use std::{collections::BTreeMap, time::SystemTime};

use super::{Incident, Known, Memory, Recipient};
use crate::{
    event::Event,
    incident::{QUIET_AFTER, Standing},
    store::{
        MOST_DRAWS, MOST_INCIDENTS, Maker, StoreError, Target,
        batch::{Tally, overflow},
    },
};

/// How many fingerprints are remembered; then it begins anew.
const MOST_SEEN: usize = 4096;

/// A target, and what is known of him.
struct Addressee<'a> {
    target: &'a Target,
    recipient: Recipient,
    heard_at: Option<SystemTime>,
    /// Whether there is a message for him that did not leave yet: it takes more.
    has_open_message: bool,
}

impl Memory {
    /// Adds `tallies` to their open incidents, and opens those that are not there.
    pub(super) fn join(
        &mut self,
        tallies: Vec<Tally<'_>>,
        maker: &Maker<'_>,
        targets: &[Target],
        now: SystemTime,
    ) {
        self.close_ended(now);
        let targets = &targets.iter().map(|target| self.addressee(target)).collect::<Vec<_>>();
        let mut room = MOST_INCIDENTS.saturating_sub(self.count_open());
        let mut rest = Vec::new();
        for tally in tallies {
            if self.count(&tally, targets, now) {
                continue;
            }
            if tally.about.is_some() {
                self.open(&tally, maker, targets, now);
            } else if room > 0 {
                room -= 1;
                self.open(&tally, maker, targets, now);
            } else {
                overflow(&mut rest, tally, now);
            }
        }
        for tally in rest {
            if !self.count(&tally, targets, now) {
                self.open(&tally, maker, targets, now);
            }
        }
    }

    fn addressee<'a>(&self, target: &'a Target) -> Addressee<'a> {
        let recipient = (target.sink, target.recipient.clone());
        let heard_at = self.accounts.get(&recipient).and_then(|account| account.heard_at);
        let has_open_message = self.open_notice(&recipient).is_some();
        Addressee { target, recipient, heard_at, has_open_message }
    }

    /// How many incidents are open that are events of one kind.
    fn count_open(&self) -> usize {
        let open = self.open.values().filter_map(|id| self.incidents.get(id));
        open.filter(|incident| incident.about.is_none()).count()
    }

    /// Closes the incidents that had no event for long.
    pub(super) fn close_ended(&mut self, now: SystemTime) {
        let incidents = &mut self.incidents;
        self.open.retain(|_, id| {
            let Some(incident) = incidents.get_mut(id) else { return false };
            let has_ended = incident.last_at + QUIET_AFTER <= now;
            incident.closed_at = has_ended.then_some(now);
            !has_ended
        });
    }

    /// Counts `tally` in its open incident. False if there is none.
    fn count(&mut self, tally: &Tally<'_>, targets: &[Addressee<'_>], now: SystemTime) -> bool {
        let open = self.open.get(&tally.fingerprint).and_then(|id| self.incidents.get_mut(id));
        let Some(incident) = open else { return false };
        incident.count = incident.count.saturating_add(tally.count);
        incident.last_at = incident.last_at.min(now).max(tally.last_at);
        incident.pace.add(&tally.pace, now);
        if let Some(latest) = tally.latest {
            let before = incident.latest.replace(latest.bare());
            self.bytes -= before.map_or(0, |before| before.size_bytes());
            self.bytes += incident.latest.as_ref().map_or(0, Event::size_bytes);
        }
        incident.concern(tally, targets, now);
        incident.look_sooner(targets, now);
        true
    }

    fn open(&mut self, tally: &Tally<'_>, maker: &Maker<'_>, targets: &[Addressee<'_>], now: SystemTime) {
        let payload = tally.event.map(Event::unshared);
        let latest = tally.later().map(Event::bare);
        let both = payload.iter().chain(&latest);
        self.bytes += both.map(Event::size_bytes).sum::<usize>();
        if self.seen.len() >= MOST_SEEN {
            self.seen.clear();
        }
        let mut incident = Incident {
            public_id: self.new_id(maker),
            fingerprint: tally.fingerprint.clone(),
            level: tally.level,
            about: tally.about,
            run: maker.run,
            process: maker.process.clone(),
            is_new: self.seen.insert(tally.fingerprint.clone()),
            count: tally.count,
            opened_at: tally.first_at.min(now),
            last_at: tally.last_at,
            closed_at: None,
            payload,
            latest,
            pace: tally.pace.clone(),
            standings: BTreeMap::new(),
        };
        incident.concern(tally, targets, now);
        self.last_id += 1;
        self.open.insert(tally.fingerprint.clone(), self.last_id);
        self.incidents.insert(self.last_id, incident);
    }

    /// A public id that nothing in memory has.
    pub(super) fn new_id(&self, maker: &Maker<'_>) -> String {
        let is_known = |id: &String| {
            self.incidents.values().any(|incident| incident.public_id == *id)
                || self.notices.values().any(|notice| notice.public_id == *id)
        };
        let mut id = (maker.new_id)();
        for _ in 1..MOST_DRAWS {
            if !is_known(&id) {
                break;
            }
            id = (maker.new_id)();
        }
        id
    }

    pub(in crate::store) fn add_backtrace(
        &mut self,
        fingerprint: &[u8],
        backtrace: &str,
    ) -> Result<(), StoreError> {
        let open = self.open.get(fingerprint).and_then(|id| self.incidents.get_mut(id));
        let event = open.and_then(|incident| incident.payload.as_mut());
        if let Some(event) = event.filter(|event| event.backtrace.is_none()) {
            event.backtrace = Some(backtrace.to_owned());
            self.bytes += backtrace.len();
        }
        Ok(())
    }

    /// Drops the incidents that ended and that nothing tells of any more.
    pub(super) fn drop_ended(&mut self) {
        let notices = &self.notices;
        let (bytes, past) = (&mut self.bytes, &mut self.past);
        self.incidents.retain(|id, incident| {
            let is_live = incident.closed_at.is_none()
                || incident.standings.values().any(|known| known.due_at.is_some())
                || notices.values().any(|notice| notice.items.contains_key(id));
            if !is_live {
                let both = incident.payload.iter().chain(&incident.latest);
                *bytes -= both.map(Event::size_bytes).sum::<usize>();
                *past = *past + incident.events(|_| 0);
            }
            is_live
        });
    }
}

impl Incident {
    pub(super) fn standing(&self, recipient: &Recipient, known: &Known) -> Standing {
        let is_covered =
            self.standings.iter().any(|((sink, _), other)| *sink != recipient.0 && other.told_at.is_some());
        Standing {
            opened_at: self.opened_at,
            last_at: self.last_at,
            count: self.count,
            told: known.told,
            told_at: known.told_at,
            tellings: known.tellings,
            is_pending: false,
            is_new: self.is_new,
            not_before: known.not_before,
            is_covered,
        }
    }

    /// Gives each target whom `tally` concerns a standing, unless he has one.
    fn concern(&mut self, tally: &Tally<'_>, targets: &[Addressee<'_>], now: SystemTime) {
        for Addressee { target, recipient, heard_at, .. } in targets {
            if tally.level > target.level {
                continue;
            }
            let fresh = Standing::fresh(self.opened_at, tally.not_before);
            let due_at = Some(fresh.next(&target.rhythm, *heard_at, now).at());
            self.standings.entry(recipient.clone()).or_insert_with(|| Known {
                not_before: tally.not_before,
                due_at,
                ..Known::default()
            });
        }
    }

    /// Lets those who were told be told again in time, now that there is more.
    fn look_sooner(&mut self, targets: &[Addressee<'_>], now: SystemTime) {
        for Addressee { target, recipient, heard_at, has_open_message } in targets {
            let Some(known) = self.standings.get(recipient).filter(|known| known.told_at.is_some()) else {
                continue;
            };
            let standing = Standing { is_covered: false, ..self.standing(recipient, known) };
            let due = match has_open_message {
                true => now,
                false => standing.next(&target.rhythm, *heard_at, now).at(),
            };
            if let Some(known) = self.standings.get_mut(recipient) {
                known.due_at = known.due_at.map(|due_at| due_at.min(due));
            }
        }
    }
}
