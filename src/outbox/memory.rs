//! [`Memory`]: the outbox of a process that has no disk, as the page of everything.
//!
//! Invariant: bounded. A message is dropped when it is settled, and an incident
//! when it has ended and nobody is to be told of it any more.

use std::collections::BTreeSet;

use super::{
    StoreError,
    page::{Page, State},
};
use crate::queue::stats::EventCounts;

/// How many bytes of events are kept, but for one batch.
const MAX_BYTES: usize = 32 * 1024 * 1024;

/// How many fingerprints are remembered; then it begins anew.
const MAX_SEEN: usize = 4096;

/// Incidents, notices and deliveries in memory.
#[derive(Default)]
pub(crate) struct Memory {
    pub(super) page: Page,
    /// The events of incidents that are not kept any more.
    pub(super) past: EventCounts,
}

impl Memory {
    /// Decides on the page of everything, and forgets what is over then.
    pub(super) fn turn<T>(&mut self, decide: impl FnOnce(&mut Page) -> T) -> T {
        let done = decide(&mut self.page);
        self.forget();
        done
    }

    /// Refuses more events than [`MAX_BYTES`] of them.
    pub(super) fn must_have_room(&self) -> Result<(), StoreError> {
        if self.page.bytes() > MAX_BYTES { Err(StoreError::Full) } else { Ok(()) }
    }

    /// Where the events are, of what is over, too.
    pub(super) fn events(&self) -> EventCounts {
        self.past + self.page.events()
    }

    fn forget(&mut self) {
        let page = &mut self.page;
        page.settle_changes();
        page.deliveries.retain(|_, delivery| delivery.state == State::Pending);
        let notices: BTreeSet<i64> = page.deliveries.values().map(|delivery| delivery.notice_id).collect();
        page.notices.retain(|id, _| notices.contains(id));
        page.items.retain(|(notice, _), _| notices.contains(notice));
        let live = page.standings.iter().filter(|(_, known)| known.due_at.is_some()).map(|((id, _), _)| *id);
        let told = page.items.keys().map(|(_, incident)| *incident);
        let needed: BTreeSet<i64> = live.chain(told).collect();
        let over = page.incidents.iter().filter(|(id, it)| it.closed_at.is_some() && !needed.contains(id));
        let over: BTreeSet<i64> = over.map(|(id, _)| *id).collect();
        if !over.is_empty() {
            let past = over.iter().map(|id| page.events_of(*id, |_| 0));
            self.past = past.fold(self.past, |sum, events| sum + events);
            page.incidents.retain(|id, _| !over.contains(id));
            page.standings.retain(|(id, _), _| !over.contains(id));
            page.firsts.retain(|id, _| !over.contains(id));
            page.latests.retain(|id, _| !over.contains(id));
            page.learned.retain(|_, row| !over.contains(&row.incident));
        }
        if page.beyond.seen.len() > MAX_SEEN {
            page.beyond.seen.clear();
        }
    }
}
