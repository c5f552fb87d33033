//! Events join their incidents; who is concerned gets a standing.

use std::{collections::BTreeMap, time::SystemTime};

use super::{Incident, Known, Memory, Recipient};
use crate::{
    budget::Account,
    event::Event,
    incident::{QUIET_AFTER, Standing},
    store::{
        MOST_INCIDENTS, Maker, Target,
        batch::{About, Tally, overflow_fingerprint},
    },
};

impl Memory {
    /// Adds `tally` to its open incident, or opens one.
    pub(super) fn join(&mut self, tally: &Tally<'_>, maker: &Maker<'_>, targets: &[Target], now: SystemTime) {
        if self.count(&tally.fingerprint, tally, targets, now) {
            return;
        }
        let is_open = |incident: &&Incident| incident.closed_at.is_none() && incident.about.is_none();
        let has_room = || self.incidents.values().filter(is_open).count() < MOST_INCIDENTS;
        if tally.about.is_some() || has_room() {
            return self.open(tally.fingerprint.clone(), tally.about, tally, maker, targets, now);
        }
        let overflow = overflow_fingerprint(tally.level);
        if !self.count(&overflow, tally, targets, now) {
            self.open(overflow, Some(About::Overflow), tally, maker, targets, now);
        }
    }

    /// Counts `tally` in the open incident of `fingerprint`. False if there is
    /// none, or if it ended meanwhile.
    fn count(&mut self, fingerprint: &[u8], tally: &Tally<'_>, targets: &[Target], now: SystemTime) -> bool {
        let mut open = self
            .incidents
            .values_mut()
            .filter(|incident| incident.closed_at.is_none() && incident.fingerprint == fingerprint);
        let Some(incident) = open.next() else { return false };
        if incident.last_at + QUIET_AFTER <= now {
            incident.closed_at = Some(now);
            return false;
        }
        incident.count = incident.count.saturating_add(tally.count);
        incident.last_at = incident.last_at.min(now).max(tally.last_at);
        incident.concern(tally, targets, &self.accounts, now);
        incident.look_sooner(targets, &self.accounts, now);
        true
    }

    fn open(
        &mut self,
        fingerprint: Vec<u8>,
        about: Option<About>,
        tally: &Tally<'_>,
        maker: &Maker<'_>,
        targets: &[Target],
        now: SystemTime,
    ) {
        let payload = tally.event.cloned();
        self.bytes += payload.as_ref().map_or(0, Event::size_bytes);
        let mut incident = Incident {
            public_id: (maker.new_id)(),
            level: tally.level,
            about,
            run: maker.run,
            process: maker.process.clone(),
            is_new: !self.incidents.values().any(|known| known.fingerprint == fingerprint),
            fingerprint,
            count: tally.count,
            opened_at: tally.first_at.min(now),
            last_at: tally.last_at,
            closed_at: None,
            payload,
            standings: BTreeMap::new(),
        };
        incident.concern(tally, targets, &self.accounts, now);
        self.last_id += 1;
        self.incidents.insert(self.last_id, incident);
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
            is_new: self.is_new,
            not_before: known.not_before,
            is_covered,
        }
    }

    /// Gives each target whom `tally` concerns a standing, unless he has one.
    pub(super) fn concern(
        &mut self,
        tally: &Tally<'_>,
        targets: &[Target],
        accounts: &BTreeMap<Recipient, Account>,
        now: SystemTime,
    ) {
        for target in targets.iter().filter(|target| tally.level <= target.level) {
            let recipient = (target.sink, target.recipient.clone());
            let heard_at = accounts.get(&recipient).and_then(|account| account.heard_at);
            let fresh = Standing::fresh(self.opened_at, tally.not_before);
            let due_at = Some(fresh.next(&target.rhythm, heard_at, now).at());
            let known = || Known { not_before: tally.not_before, due_at, ..Known::default() };
            self.standings.entry(recipient).or_insert_with(known);
        }
    }

    /// Lets those who were told be told again in time, now that there is more.
    pub(super) fn look_sooner(
        &mut self,
        targets: &[Target],
        accounts: &BTreeMap<Recipient, Account>,
        now: SystemTime,
    ) {
        let mut dues = Vec::new();
        for (recipient, known) in &self.standings {
            let target =
                targets.iter().find(|target| target.sink == recipient.0 && target.recipient == recipient.1);
            let (Some(target), Some(due_at), Some(_)) = (target, known.due_at, known.told_at) else {
                continue;
            };
            let heard_at = accounts.get(recipient).and_then(|account| account.heard_at);
            let standing = Standing { is_covered: false, ..self.standing(recipient, known) };
            let due = standing.next(&target.rhythm, heard_at, now).at();
            dues.extend((due < due_at).then(|| (recipient.clone(), due)));
        }
        for (recipient, due) in dues {
            self.standings.entry(recipient).or_default().due_at = Some(due);
        }
    }
}
