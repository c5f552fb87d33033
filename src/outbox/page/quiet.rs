//! Silences of a fleet: what its instances tell each other of them.
//!
//! A silence has one key everywhere, so what each instance holds back under it is counted
//! once, in one incident. Whoever ends it ends it for all.
//! Invariant: what an instance counted before it knew of a silence is not told sooner than
//! what it holds back.

use std::time::SystemTime;

use uuid::Uuid;

use super::{
    IncidentRow, Page, SilenceRow, form,
    silences::{KeyedSilence, note},
};
use crate::{event::moved, outbox::batch::Arrival};

impl SilenceRow {
    /// This, by a clock that is so many milliseconds ahead.
    pub(crate) fn by_clock(mut self, ahead: i64) -> Self {
        (self.from, self.until) = (moved(self.from, ahead), moved(self.until, ahead));
        self.undone_at = self.undone_at.map(|at| moved(at, ahead));
        self
    }
}

impl Page {
    /// The silences of the page.
    pub(in crate::outbox) fn keyed_silences(&self) -> Vec<KeyedSilence> {
        self.silences.iter().map(|(key, row)| (*key, row.clone())).collect()
    }

    /// Begins those of `theirs`, which another store has, that are in force at `now` and not
    /// known here; and ends those that somebody ended there. What they hold back is counted
    /// by each store for itself.
    pub(in crate::outbox) fn learn_silences(&mut self, theirs: &[KeyedSilence], now: SystemTime) {
        for (key, theirs) in theirs {
            match self.silences.get(key) {
                None if theirs.is_in_force(now) => {
                    let row = SilenceRow { held: 0, kinds: Vec::new(), open: Vec::new(), ..theirs.clone() };
                    self.silence(*key, row, now);
                    self.put_off_what_opened_since(*key);
                }
                Some(_) if theirs.undone_at.is_some() => {
                    self.unsilence(|own, _| own == *key, now);
                }
                None | Some(_) => (),
            }
        }
    }

    /// Puts off what the silence means and opened after it began elsewhere, and before it was
    /// known here.
    fn put_off_what_opened_since(&mut self, key: Uuid) {
        let Some(silence) = self.silences.get(&key) else { return };
        let (from, until) = (silence.from, silence.until);
        let is_meant = |it: &IncidentRow| {
            it.closed_at.is_none()
                && it.opened_at > from
                && silence.open.contains(&form::hex::of(&it.fingerprint))
        };
        let meant: Vec<i64> =
            self.incidents.iter().filter(|(_, it)| is_meant(it)).map(|(id, _)| *id).collect();
        for id in meant {
            let waiting = self.standings_of(id).filter(|(_, known)| known.due_at.is_some());
            for recipient in waiting.map(|(recipient, _)| recipient.clone()).collect::<Vec<_>>() {
                let Some(known) = self.standings.change(&(id, recipient)) else { continue };
                known.due_at = Some(until);
                if known.told_at.is_none() {
                    known.not_before = Some(until);
                }
            }
        }
    }

    /// Puts off what an instance counted of something silenced: under the silence's own key,
    /// or before it knew of it.
    pub(super) fn defer(&mut self, arrival: &mut Arrival<'_>, now: SystemTime) {
        if let Some(silence) = self.silence_of(&arrival.fingerprint) {
            arrival.not_before = Some(silence.until).filter(|until| *until > now);
            return;
        }
        if arrival.about.is_some() || arrival.not_before.is_some() {
            return;
        }
        let kind = form::hex::of(&arrival.fingerprint);
        let is_meant = |it: &SilenceRow| {
            it.is_in_force(now)
                && (it.open.contains(&kind) || arrival.event.is_some_and(|event| it.conditions.mean(event)))
        };
        let Some(key) = self.silences.iter().find(|(_, it)| is_meant(it)).map(|(key, _)| *key) else {
            return;
        };
        if let Some(silence) = self.silences.change(&key) {
            arrival.not_before = Some(silence.until);
            // Whoever ends it early has this told, as well.
            note(&mut silence.open, kind);
        }
    }
}
