//! How many different things a callsite says: one that says too many is one
//! incident.
//!
//! Invariant: pure, and bounded in memory whatever the callsites say.

use std::{
    collections::{HashMap, HashSet, hash_map::Entry},
    time::{Duration, Instant},
};

use super::{Fingerprint, Keys, Learned};
use crate::host::{text::cut, time::Saturating};

/// What each callsite said in the window that goes on, and whether it is
/// collapsed.
#[derive(Debug, Default)]
pub(crate) struct Spread {
    callsites: HashMap<Fingerprint, Callsite>,
    /// How their messages are grouped, of those that say several things.
    learned: HashMap<Fingerprint, Learned>,
    /// When those that are over were forgotten last.
    swept: Option<Instant>,
}

#[derive(Debug)]
struct Callsite {
    /// Begins with its first event, and is followed by the next one at once.
    window: Instant,
    said: HashSet<Fingerprint>,
    /// Whether it said too much in the window before.
    said_too_much: bool,
    /// The only thing that it said in the window before.
    said_only: Option<Fingerprint>,
    /// The beginning of the message of something that it said.
    message: String,
    /// What became of all that it said since what was only counted was collected.
    fate: Option<Fate>,
    /// The same of the time before, if it said something then.
    fate_before: Option<Fate>,
    /// When it said something last.
    fated_at: Instant,
}

/// What becomes of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Somebody is told of it.
    Told,
    /// Nobody ever is.
    Ignored,
    /// It is counted under this, and told when that ends.
    Silenced(Fingerprint),
}

/// What is known of events of a callsite that were only counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CallsiteSummary<'a> {
    /// The one that the callsite had in this window, or the callsite's if it had
    /// several.
    pub(crate) fingerprint: Fingerprint,
    /// The message of an event that was not only counted.
    pub(crate) message: Option<&'a str>,
    /// What became of those that were not only counted, if that was one thing for
    /// all of them; else they are told.
    pub(crate) fate: Option<Fate>,
}

impl Spread {
    /// The fingerprint that an event with these keys is counted under. A
    /// callsite that said more than [`MAX_FINGERPRINTS`] different things in a
    /// window has one fingerprint, until a whole window passed in which it did not.
    pub(crate) fn key_for(&mut self, keys: &Keys, message: &str, now: Instant) -> Fingerprint {
        self.make_room(now);
        let is_full = self.callsites.len() >= MAX_CALLSITES;
        let callsite = match self.callsites.entry(keys.callsite) {
            Entry::Occupied(known) => known.into_mut(),
            // A program has not so many: they come from somewhere that makes them
            // up, and each is as good an incident as its events are.
            Entry::Vacant(_) if is_full => return keys.own,
            Entry::Vacant(new) => new.insert(Callsite::new(now)),
        };
        callsite.advance(now);
        // What is one group is one thing.
        let is_new = callsite.said.len() <= MAX_FINGERPRINTS && !callsite.said.contains(&keys.own);
        let group = keys.said.as_ref().filter(|_| is_new).and_then(|said| {
            let learned = match self.learned.len() < MAX_LEARNED {
                true => self.learned.entry(keys.callsite).or_default(),
                false => self.learned.get_mut(&keys.callsite)?,
            };
            learned.note(said, 1).0
        });
        if is_new && callsite.said.insert(group.unwrap_or(keys.own)) {
            callsite.message = cut(message, MAX_MESSAGE_BYTES);
        }
        if callsite.is_collapsed() && !keys.is_said { keys.callsite } else { keys.own }
    }

    /// Notes what became of an event of `callsite`.
    pub(crate) fn note(&mut self, callsite: Fingerprint, fate: Fate, now: Instant) {
        if let Some(known) = self.callsites.get_mut(&callsite) {
            known.forget_old_fate(now);
            known.fated_at = now;
            let is_one = known.fate.is_none_or(|known| known == fate);
            known.fate = Some(if is_one { fate } else { Fate::Told });
        }
    }

    /// What is known of events of `callsite` that were only counted since it was
    /// asked last.
    pub(crate) fn of_counted(&mut self, callsite: Fingerprint, now: Instant) -> CallsiteSummary<'_> {
        let Some(known) = self.callsites.get_mut(&callsite) else {
            return CallsiteSummary { fingerprint: callsite, message: None, fate: None };
        };
        known.advance(now);
        known.forget_old_fate(now);
        known.fate_before = known.fate.take().or(known.fate_before);
        let only = if known.is_collapsed() { None } else { known.only().or(known.said_only) };
        let message = Some(known.message.as_str()).filter(|message| !message.is_empty());
        CallsiteSummary { fingerprint: only.unwrap_or(callsite), message, fate: known.fate_before }
    }

    /// What became of events says nothing of those to come.
    pub(crate) fn forget_fates(&mut self) {
        self.callsites.values_mut().for_each(Callsite::forget_fate);
    }

    /// Forgets the callsites that are as good as new, if there are many.
    fn make_room(&mut self, now: Instant) {
        let is_soon = self.swept.is_some_and(|swept| now.saturating_duration_since(swept) < SWEEP_PAUSE);
        if self.callsites.len() < MAX_CALLSITES || is_soon {
            return;
        }
        self.swept = Some(now);
        self.callsites.retain(|_, callsite| {
            callsite.advance(now);
            callsite.said_too_much || callsite.said_only.is_some() || !callsite.said.is_empty()
        });
        let callsites = &self.callsites;
        self.learned.retain(|callsite, _| callsites.contains_key(callsite));
    }
}

impl Callsite {
    fn new(now: Instant) -> Self {
        Self {
            window: now,
            said: HashSet::new(),
            said_too_much: false,
            said_only: None,
            message: String::new(),
            fate: None,
            fate_before: None,
            fated_at: now,
        }
    }

    /// Goes on to the window that `now` is in.
    fn advance(&mut self, now: Instant) {
        let windows = now.saturating_duration_since(self.window).as_nanos() / WINDOW.as_nanos();
        if windows > 0 {
            self.said_too_much = windows == 1 && self.says_too_much();
            self.said_only = self.only().filter(|_| windows == 1);
            self.said.clear();
            let windows = u32::try_from(windows).unwrap_or(u32::MAX);
            self.window = self.window.later(WINDOW.saturating_mul(windows));
        }
    }

    /// What became of events long ago says nothing of those that come now.
    fn forget_old_fate(&mut self, now: Instant) {
        if now.saturating_duration_since(self.fated_at) > FATE_LASTS {
            self.forget_fate();
        }
    }

    fn forget_fate(&mut self) {
        (self.fate, self.fate_before) = (None, None);
    }

    /// What it said in this window, if that is one thing.
    fn only(&self) -> Option<Fingerprint> {
        let mut said = self.said.iter();
        said.next().filter(|_| said.next().is_none()).copied()
    }

    fn says_too_much(&self) -> bool {
        self.said.len() > MAX_FINGERPRINTS
    }

    fn is_collapsed(&self) -> bool {
        self.said_too_much || self.says_too_much()
    }
}

/// How long what a callsite said counts; windows do not slide.
const WINDOW: Duration = Duration::from_secs(10 * 60);

/// For how long events that are only counted share the fate of others.
const FATE_LASTS: Duration = Duration::from_secs(10);

/// How many different things a callsite may say in a window.
const MAX_FINGERPRINTS: usize = 20;

/// How many callsites are remembered.
const MAX_CALLSITES: usize = 4096;

/// Of how many it is remembered how their messages are grouped.
const MAX_LEARNED: usize = 256;

/// How much of a message is remembered.
const MAX_MESSAGE_BYTES: usize = 512;

/// How long nothing is forgotten again.
const SWEEP_PAUSE: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests;
