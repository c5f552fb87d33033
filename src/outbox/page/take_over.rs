//! What the page of a fleet does with shares: it opens what they count, and adds up what their
//! instances told.
//!
//! Invariant: a share says how many events there are in all, so that one that comes again adds
//! nothing.

use std::{collections::BTreeMap, time::SystemTime};

use super::{Page, Recipient, Share, ToldHere};
use crate::{
    host::time::Saturating,
    outbox::{Maker, Target},
    policy::incident::{Reason, Rhythm, Standing, Window},
};

impl Page {
    /// Notes when it is to be decided anew what `recipient` is told of these incidents, once
    /// another instance counts more.
    pub(super) fn note_again(
        &mut self,
        ids: &[i64],
        recipient: &Recipient,
        rhythm: &Rhythm,
        now: SystemTime,
    ) {
        let account = self.accounts.get(recipient).cloned().unwrap_or_default();
        let window = Window::of(&account, rhythm, now);
        for id in ids {
            let key = (*id, recipient.clone());
            let Some(standing) = self.standing(*id, recipient).filter(|it| it.told_at.is_some()) else {
                continue;
            };
            let due_at = self.standings.get(&key).and_then(|known| known.due_at);
            let again_at = match due_at.filter(|_| standing.untold() > 0) {
                Some(due_at) => due_at,
                None => {
                    let count = standing.told.max(standing.count).saturating_add(1);
                    let more = Standing { count, last_at: now, is_covered: false, ..standing };
                    more.next(rhythm, &window, now).at()
                }
            };
            if self.standings.get(&key).is_some_and(|known| known.again_at != Some(again_at))
                && let Some(known) = self.standings.change(&key)
            {
                known.again_at = Some(again_at);
            }
        }
    }

    /// Opens, or has come back, what `shares` count that is not open, and notes what their
    /// instance told; of which `before` knows how much was counted and told before. Returns
    /// which incident each is of; none if its first event has to come with it.
    pub(in crate::outbox) fn take_shares(
        &mut self,
        shares: &[Share],
        before: &BTreeMap<i64, (u64, Vec<ToldHere>)>,
        maker: &Maker<'_>,
        targets: &[Target],
        now: SystemTime,
    ) -> Vec<Option<i64>> {
        let counted = |share: &Share| before.get(&share.local_id).map_or(0, |(count, _)| *count);
        // One that was taken before came without its event.
        let is_known = |page: &Self, share: &Share| {
            share.first.is_some()
                || share.row.about.is_some()
                || share.row.shared.taken == 0
                || page.incidents.values().any(|row| {
                    row.fingerprint == share.row.fingerprint
                        && (row.closed_at.is_none() || row.may_return(now))
                })
        };
        let known: Vec<bool> = shares.iter().map(|share| is_known(self, share)).collect();
        let arrivals = shares.iter().zip(&known).filter(|(_, is_known)| **is_known);
        let arrivals = arrivals.filter_map(|(share, _)| {
            let more = share.row.own_count().saturating_sub(counted(share));
            (more > 0).then(|| share.arrival(more))
        });
        let mut arrivals: Vec<_> = arrivals.collect();
        arrivals.iter_mut().for_each(|arrival| self.defer(arrival, now));
        self.join(arrivals, maker, targets, now);
        let places = shares.iter().zip(known).map(|(share, is_known)| {
            let place = is_known.then(|| self.place_of(share)).flatten()?;
            let told_before = before.get(&share.local_id).map_or(&[][..], |(_, told)| told);
            self.note_told_by_instance(place, &share.told, told_before, now);
            Some(place)
        });
        places.collect()
    }

    /// The incident that a share is of: its own, that of its group, or the one of all that
    /// there is no room for.
    fn place_of(&self, share: &Share) -> Option<i64> {
        let open = || self.incidents.iter().filter(|(_, row)| row.closed_at.is_none());
        let own = &share.row.fingerprint;
        let group = self.group_of(&share.arrival(0));
        let found = open().find(|(_, row)| row.fingerprint == *own);
        let found = found
            .or_else(|| open().find(|(_, row)| Some(&*row.fingerprint) == group.as_ref().map(|it| &it[..])));
        let found = found.or_else(|| self.incidents.iter().rev().find(|(_, row)| row.fingerprint == *own));
        let found = found.or_else(|| open().find(|(_, row)| row.is_overflow_of(share.row.level)));
        found.map(|(id, _)| *id)
    }

    fn note_told_by_instance(&mut self, id: i64, told: &[ToldHere], before: &[ToldHere], now: SystemTime) {
        let Some(count) = self.incidents.get(&id).map(|row| row.count) else { return };
        for here in told {
            let known_before = before.iter().find(|it| it.recipient == here.recipient);
            let (told, reported, tellings) =
                known_before.map_or((0, 0, 0), |it| (it.told, it.reported, it.tellings));
            let key = (id, here.recipient.clone());
            let more = here.told.saturating_sub(told);
            if more == 0 {
                continue;
            }
            let after = self.standing(id, &here.recipient).map(|standing| {
                let at = here.told_at.unwrap_or(now).min(now);
                let reason = if standing.told_at.is_some() { Reason::Reminder } else { Reason::First };
                standing.told_now(reason, None, at)
            });
            let Some(known) = self.standings.change(&key) else { continue };
            // What the fleet told may have been found by its instance, which counts it, too.
            known.told = known.told.saturating_add(more).min(count);
            let more = here.reported.saturating_sub(reported);
            known.reported = known.reported.saturating_add(more).min(count);
            known.tellings = known.tellings.saturating_add(here.tellings.saturating_sub(tellings));
            known.told_at = known.told_at.max(here.told_at.map(|at| at.min(now)));
            known.is_back = false;
            if let Some(after) = after {
                (known.holds, known.hold) = (after.holds, after.hold);
            }
            // Whoever decides next adds up what there is.
            known.due_at = Some(known.told_at.map_or(now, |at| at.later(known.hold)).max(now));
        }
    }
}
