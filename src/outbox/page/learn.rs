//! What is learned of a callsite's messages decides which of them join one incident.
//!
//! Invariant: incidents that are open stay as they are; a group takes what comes next.

use std::collections::BTreeMap;

use super::{LearnedRow, Page};
use crate::{
    event::Event,
    outbox::batch::Arrival,
    policy::fingerprint::{self, Learned, Said},
};

impl Page {
    /// Gives `arrival` the fingerprint of its group, unless an incident of its own is
    /// open. Returns what was learned from it, if that is to be kept.
    pub(super) fn group(&self, arrival: &mut Arrival<'_>, open: &BTreeMap<Vec<u8>, i64>) -> Option<Learned> {
        let said = arrival.said.as_deref()?;
        let mut map = self.learned.get(&said.callsite).map(|row| row.map.clone()).unwrap_or_default();
        let (group, is_news) = map.note(said, arrival.count);
        if let Some(group) = group
            && !open.contains_key(&arrival.fingerprint)
        {
            arrival.fingerprint = group.to_vec();
        }
        is_news.then_some(map)
    }

    /// The group that `arrival` would join.
    pub(super) fn group_of(&self, arrival: &Arrival<'_>) -> Option<fingerprint::Fingerprint> {
        let said = arrival.said.as_deref()?;
        self.learned.get(&said.callsite)?.map.clone().note(said, arrival.count).0
    }

    /// Keeps what was learned from an event of the incident `id`; a new one is its
    /// callsite's last one.
    pub(super) fn keep_learned(
        &mut self,
        said: Option<&Said>,
        id: i64,
        learned: Option<Learned>,
        is_new: bool,
    ) {
        let Some(Said { callsite, .. }) = said else { return };
        match (self.learned.get(callsite), learned) {
            (Some(row), map) if map.is_some() || is_new => {
                let incident = row.incident.max(id);
                let map = map.unwrap_or_else(|| row.map.clone());
                self.learned.insert(*callsite, LearnedRow { incident, map });
            }
            (None, Some(map)) => self.learned.insert(*callsite, LearnedRow { incident: id, map }),
            (_, _) => (),
        }
    }

    /// The groups that events would join: a keeper loads their incidents, too.
    #[cfg(any(feature = "postgres", feature = "sqlite"))]
    pub(in crate::outbox) fn groups_of(&self, said: &[(&Said, u64)]) -> Vec<fingerprint::Fingerprint> {
        let mut maps: BTreeMap<fingerprint::Fingerprint, Learned> = BTreeMap::new();
        let groups = said.iter().filter_map(|(said, count)| {
            let known = || self.learned.get(&said.callsite).map(|row| row.map.clone()).unwrap_or_default();
            maps.entry(said.callsite).or_insert_with(known).note(said, *count).0
        });
        groups.collect()
    }

    /// The callsites of the first events on the page.
    #[cfg(any(feature = "postgres", feature = "sqlite"))]
    pub(in crate::outbox) fn callsites(&self) -> Vec<fingerprint::Fingerprint> {
        let app = |id: &i64| self.incidents.get(id).map(|incident| incident.process.app.as_str());
        self.firsts.iter().filter_map(|(id, event)| Some(fingerprint::callsite(event, app(id)?))).collect()
    }

    /// What the events of a group have in common, if that is what the incident of
    /// `event` counts.
    pub(super) fn in_common(&self, fingerprint: &[u8], event: &Event, app: &str) -> Option<String> {
        if self.learned.is_empty() {
            return None;
        }
        let callsite = fingerprint::callsite(event, app);
        let row = self.learned.get(&callsite)?;
        row.map.shown(fingerprint).map(str::to_owned)
    }

    /// Adds what another store learned, if it has the incident here that it goes with.
    pub(super) fn absorb_learned(&mut self, other: &Self, incidents: &BTreeMap<i64, i64>) {
        for (callsite, theirs) in other.learned.iter() {
            let Some(incident) = incidents.get(&theirs.incident) else { continue };
            let make = || LearnedRow { incident: *incident, map: Learned::default() };
            let own = self.learned.change_or_insert(*callsite, make);
            own.incident = own.incident.max(*incident);
            own.map.absorb(&theirs.map);
        }
    }
}
