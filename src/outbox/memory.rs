//! [`Memory`]: the outbox of a process that has no disk, as the page of everything.
//!
//! Invariant: bounded. A message is dropped when it is settled, and the events of an
//! incident when it has ended and nobody is to be told of it any more.

use std::{collections::BTreeSet, time::SystemTime};

use uuid::Uuid;

use super::{
    Claim, Mark, StoreError,
    keep::{Keep, Turn},
    page::{Page, State},
    scope::{Question, Scope},
    upkeep::{Prune, Pruned},
};
use crate::{
    host::time::Saturating,
    policy::{incident::SAME_WITHIN, notice::Notice},
    queue::stats::EventCounts,
};

/// How many bytes are kept of events and of what is learned from them, but for one batch.
const MAX_BYTES: usize = 32 * 1024 * 1024;

/// How many fingerprints are remembered; then it begins anew.
const MAX_SEEN: usize = 4096;

/// How many incidents that ended are kept, as they may come back: the latest ones.
const MAX_ENDED: usize = 1000;

/// Of how many of these is kept what was learned: of the latest ones.
pub(super) const MAX_LEARNED: usize = 200;

/// Incidents, notices and deliveries in memory.
#[derive(Default)]
pub(crate) struct Memory {
    pub(super) page: Page,
    /// The events of incidents that are not kept any more.
    pub(super) past: EventCounts,
    /// By this name the instances of a fleet know it.
    #[cfg(feature = "postgres")]
    pub(super) name: Option<Uuid>,
}

impl Memory {
    /// Refuses events if there are more than [`MAX_BYTES`].
    pub(super) fn must_have_room(&self) -> Result<(), StoreError> {
        if self.page.bytes() > MAX_BYTES { Err(StoreError::Full) } else { Ok(()) }
    }

    /// Drops what is over.
    pub(super) fn forget(&mut self) {
        let page = &mut self.page;
        page.note_saved();
        page.deliveries.retain(|_, it| it.state == State::Pending || it.ask_at.is_some());
        let notices: BTreeSet<i64> = page.deliveries.values().map(|delivery| delivery.notice_id).collect();
        page.notices.retain(|id, _| notices.contains(id));
        page.items.retain(|(notice, _), _| notices.contains(notice));
        let live = page.standings.iter().filter(|(_, known)| known.due_at.is_some()).map(|((id, _), _)| *id);
        let told = page.items.keys().map(|(_, incident)| *incident);
        let needed: BTreeSet<i64> = live.chain(told).collect();
        let over = page.incidents.iter().filter(|(id, it)| it.closed_at.is_some() && !needed.contains(id));
        let mut over: Vec<_> = over.map(|(id, it)| (it.last_at, *id)).collect();
        over.sort_unstable();
        let ended: BTreeSet<i64> = over.iter().map(|(_, id)| *id).collect();
        page.firsts.retain(|id, _| !ended.contains(id));
        page.latests.retain(|id, _| !ended.contains(id));
        let unlearned: BTreeSet<i64> = over.iter().rev().skip(MAX_LEARNED).map(|(_, id)| *id).collect();
        page.learned.retain(|_, row| !unlearned.contains(&row.incident));
        let surplus = over.len().saturating_sub(MAX_ENDED);
        let last = over.last().map(|(last_at, _)| last_at.earlier(SAME_WITHIN));
        let is_gone = |(place, (last_at, _)): &(usize, (SystemTime, i64))| {
            *place < surplus || last.is_some_and(|last| *last_at < last)
        };
        let over = over.into_iter().enumerate().filter(is_gone);
        let over: BTreeSet<i64> = over.map(|(_, (_, id))| id).collect();
        if !over.is_empty() {
            let past = over.iter().map(|id| page.events_of(*id, |_| 0));
            self.past = past.fold(self.past, |sum, events| sum + events);
            page.incidents.retain(|id, _| !over.contains(id));
            page.standings.retain(|(id, _), _| !over.contains(id));
            page.learned.retain(|_, row| !over.contains(&row.incident));
        }
        if page.beyond.seen.len() > MAX_SEEN {
            page.beyond.seen.clear();
        }
    }
}

/// All rows are on the page, and nobody else has them.
impl Turn for &mut Memory {
    fn page(&mut self) -> &mut Page {
        &mut self.page
    }

    async fn load(&mut self, _: &Scope<'_>) -> Result<(), StoreError> {
        Ok(())
    }

    async fn commit(self, _: &dyn Fn() -> String) -> Result<(), StoreError> {
        self.forget();
        Ok(())
    }
}

impl Keep for Memory {
    type Turn<'a> = &'a mut Self;

    async fn begin(&mut self) -> Result<&mut Self, StoreError> {
        Ok(self)
    }

    async fn ask(&mut self, _: &Question<'_>) -> Result<bool, StoreError> {
        Ok(true)
    }

    async fn claim(
        &mut self,
        sink: &str,
        limit: usize,
        lease_until: SystemTime,
        now: SystemTime,
    ) -> Result<Vec<Claim>, StoreError> {
        Ok(self.page.claim(sink, limit, lease_until, now))
    }

    async fn notice(&mut self, id: i64) -> Result<Option<Notice>, StoreError> {
        Ok(self.page.notice(id))
    }

    async fn next_due(&mut self, sink: &str) -> Result<Option<SystemTime>, StoreError> {
        Ok(self.page.next_due(sink))
    }

    async fn next_inquiry(&mut self, sink: &str) -> Result<Option<SystemTime>, StoreError> {
        Ok(self.page.next_inquiry(sink))
    }

    async fn next_look(&mut self, sink: &str) -> Result<Option<SystemTime>, StoreError> {
        Ok(self.page.next_look(sink))
    }

    async fn mark(&mut self) -> Result<Mark, StoreError> {
        Ok(self.page.mark())
    }

    async fn pending(&mut self, run: Uuid, mark: Mark, _: &[Uuid]) -> Result<u64, StoreError> {
        Ok(self.page.pending(run, mark))
    }

    async fn events(&mut self) -> Result<EventCounts, StoreError> {
        Ok(self.past + self.page.events())
    }

    async fn sinks_of_dead(&mut self) -> Result<Vec<String>, StoreError> {
        Ok(self.page.sinks_of_dead())
    }

    /// Keeps nothing that is settled.
    async fn prune(&mut self, _: Prune) -> Result<Pruned, StoreError> {
        Ok(Pruned::default())
    }
}
