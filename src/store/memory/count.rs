//! Where the events are.

use std::collections::BTreeMap;

use super::{Incident, Memory, Recipient};
use crate::{stats::EventCounts, store::batch::About};

impl Memory {
    pub(in crate::store) fn events(&self) -> EventCounts {
        let mut pending: BTreeMap<(i64, &str, &str), u64> = BTreeMap::new();
        for delivery in self.deliveries.values() {
            let items = self.notices.get(&delivery.notice_id).into_iter().flat_map(|notice| &notice.items);
            for (incident, item) in items {
                let whose = (*incident, delivery.sink, delivery.recipient.as_str());
                *pending.entry(whose).or_default() += item.count;
            }
        }
        let events = self.incidents.iter().map(|(id, incident)| {
            incident.events(|(sink, recipient)| pending.get(&(*id, *sink, recipient)).copied().unwrap_or(0))
        });
        events.fold(self.past, |sum, events| sum + events)
    }

    /// What a message tells that was delivered is reported.
    pub(super) fn report(&mut self, notice: i64, recipient: &Recipient) {
        for (incident, item) in self.notices.get(&notice).into_iter().flat_map(|notice| &notice.items) {
            let incident = self.incidents.get_mut(incident);
            if let Some(known) = incident.and_then(|incident| incident.standings.get_mut(recipient)) {
                known.reported += item.count;
            }
        }
    }
}

impl Incident {
    /// Where its events are, if so many `wait` in messages to a recipient.
    pub(super) fn events(&self, wait: impl Fn(&Recipient) -> u64) -> EventCounts {
        if !About::is_of_events(self.about) {
            return EventCounts::default();
        }
        let alive = self.standings.iter().map(|(recipient, known)| {
            let untold = known.due_at.map_or(0, |_| self.count.saturating_sub(known.told));
            known.reported + wait(recipient) + untold
        });
        let reported = self.standings.values().map(|known| known.reported).max();
        EventCounts::new(self.count, reported.unwrap_or(0), alive.max().unwrap_or(0))
    }
}
