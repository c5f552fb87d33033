//! How many different things a callsite says: one that says too many is one
//! incident.
//!
//! Invariant: pure, and bounded in memory whatever the callsites say.

use std::{
    collections::{HashMap, HashSet, hash_map::Entry},
    time::{Duration, Instant},
};

use super::{Fingerprint, Keys};

/// What each callsite said in the window that goes on, and whether it is
/// collapsed.
#[derive(Debug, Default)]
pub(crate) struct Spread {
    callsites: HashMap<Fingerprint, Callsite>,
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
}

impl Spread {
    /// The fingerprint that an event with these keys is counted under. A
    /// callsite that said more than [`MOST_FINGERPRINTS`] different things in a
    /// window has one fingerprint, until a whole window passed in which it did not.
    pub(crate) fn key_for(&mut self, keys: &Keys, now: Instant) -> Fingerprint {
        self.make_room(now);
        let is_full = self.callsites.len() >= MOST_CALLSITES;
        let callsite = match self.callsites.entry(keys.callsite) {
            Entry::Occupied(known) => known.into_mut(),
            // A program has not so many: they come from somewhere that makes them
            // up, and each is as good an incident as its events are.
            Entry::Vacant(_) if is_full => return keys.own,
            Entry::Vacant(new) => new.insert(Callsite::new(now)),
        };
        callsite.advance(now);
        if callsite.said.len() <= MOST_FINGERPRINTS {
            callsite.said.insert(keys.own);
        }
        if callsite.is_collapsed() { keys.callsite } else { keys.own }
    }

    /// The fingerprint for events of a callsite that were only counted: the one
    /// that it had in this window, or the callsite's if it had several.
    #[cfg_attr(not(test), expect(dead_code, reason = "nothing is only counted yet"))]
    pub(crate) fn key_of(&mut self, callsite: Fingerprint, now: Instant) -> Fingerprint {
        let Some(known) = self.callsites.get_mut(&callsite) else {
            return callsite;
        };
        known.advance(now);
        let mut said = known.said.iter();
        match (said.next(), said.next()) {
            (Some(only), None) if !known.is_collapsed() => *only,
            _ => callsite,
        }
    }

    /// Forgets the callsites that are as good as new, if there are many.
    fn make_room(&mut self, now: Instant) {
        let is_soon = self.swept.is_some_and(|swept| now.saturating_duration_since(swept) < SWEEP_PAUSE);
        if self.callsites.len() < MOST_CALLSITES || is_soon {
            return;
        }
        self.swept = Some(now);
        self.callsites.retain(|_, callsite| {
            callsite.advance(now);
            callsite.said_too_much || !callsite.said.is_empty()
        });
    }
}

impl Callsite {
    fn new(now: Instant) -> Self {
        Self { window: now, said: HashSet::new(), said_too_much: false }
    }

    /// Goes on to the window that `now` is in.
    fn advance(&mut self, now: Instant) {
        let windows = now.saturating_duration_since(self.window).as_nanos() / WINDOW.as_nanos();
        if windows > 0 {
            self.said_too_much = windows == 1 && self.says_too_much();
            self.said.clear();
            let windows = u32::try_from(windows).unwrap_or(u32::MAX);
            self.window += WINDOW.saturating_mul(windows);
        }
    }

    fn says_too_much(&self) -> bool {
        self.said.len() > MOST_FINGERPRINTS
    }

    fn is_collapsed(&self) -> bool {
        self.said_too_much || self.says_too_much()
    }
}

/// How long what a callsite said counts; windows do not slide.
const WINDOW: Duration = Duration::from_secs(10 * 60);

/// How many different things a callsite may say in a window.
const MOST_FINGERPRINTS: usize = 20;

/// How many callsites are remembered.
const MOST_CALLSITES: usize = 4096;

/// How long nothing is forgotten again.
const SWEEP_PAUSE: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn keys(callsite: u16, own: u16) -> Keys {
        let fingerprint = |kind: u8, number: u16| {
            let mut bytes = [kind; 16];
            bytes[..2].copy_from_slice(&number.to_le_bytes());
            bytes
        };
        Keys { own: fingerprint(1, own), callsite: fingerprint(2, callsite) }
    }

    #[expect(clippy::cast_possible_truncation, reason = "it is small")]
    const MOST: u16 = MOST_FINGERPRINTS as u16;

    /// One callsite said one thing more than it may, at `now`.
    fn collapsed(now: Instant) -> Spread {
        let mut spread = Spread::default();
        for own in 0..MOST {
            assert_eq!(spread.key_for(&keys(0, own), now), keys(0, own).own, "too early: {own}");
        }
        assert_eq!(spread.key_for(&keys(0, MOST), now), keys(0, 0).callsite);
        spread
    }

    #[test]
    fn a_callsite_that_says_too_much_is_one_incident() {
        let now = Instant::now();
        let mut spread = collapsed(now);
        assert_eq!(spread.key_for(&keys(0, 3), now), keys(0, 0).callsite, "also what it said before");
        assert_eq!(spread.key_for(&keys(1, 3), now), keys(1, 3).own, "another callsite is not concerned");
    }

    #[test]
    fn it_stays_so_until_a_whole_window_has_passed_without() {
        let now = Instant::now();
        let mut spread = collapsed(now);
        let next_ends = now + 2 * WINDOW;
        assert_eq!(spread.key_for(&keys(0, 0), now + WINDOW), keys(0, 0).callsite);
        assert_eq!(spread.key_for(&keys(0, 0), next_ends - Duration::from_nanos(1)), keys(0, 0).callsite);
        assert_eq!(spread.key_for(&keys(0, 0), next_ends), keys(0, 0).own);
        let mut idle = collapsed(now);
        assert_eq!(idle.key_for(&keys(0, 0), next_ends), keys(0, 0).own, "nothing happened meanwhile");
    }

    #[test]
    fn windows_do_not_slide() {
        let now = Instant::now();
        let mut spread = Spread::default();
        let half = WINDOW / 2;
        for (at, own) in [(now, 0..MOST), (now + half + half, MOST..2 * MOST)] {
            for own in own {
                assert_eq!(spread.key_for(&keys(0, own), at), keys(0, own).own);
            }
        }
    }

    #[test]
    fn a_tally_goes_to_the_only_thing_that_was_said() {
        let now = Instant::now();
        let mut spread = Spread::default();
        let Keys { callsite, .. } = keys(0, 0);
        assert_eq!(spread.key_of(callsite, now), callsite, "nothing was said");
        spread.key_for(&keys(0, 7), now);
        assert_eq!(spread.key_of(callsite, now), keys(0, 7).own);
        spread.key_for(&keys(0, 8), now);
        assert_eq!(spread.key_of(callsite, now), callsite, "two things were said");
        assert_eq!(collapsed(now).key_of(callsite, now), callsite);
    }

    #[test]
    fn memory_is_bounded_and_comes_back() {
        let now = Instant::now();
        let mut spread = Spread::default();
        let most = u16::try_from(MOST_CALLSITES).unwrap();
        for callsite in 0..most + 100 {
            for own in 0..MOST + 5 {
                spread.key_for(&keys(callsite, own), now);
            }
        }
        assert_eq!(spread.callsites.len(), MOST_CALLSITES);
        assert!(spread.callsites.values().all(|callsite| callsite.said.len() <= MOST_FINGERPRINTS + 1));
        assert_eq!(spread.key_for(&keys(most, MOST + 1), now), keys(0, MOST + 1).own, "no room: its own");
        spread.key_for(&keys(most, 0), now + 2 * WINDOW);
        assert_eq!(spread.callsites.len(), 1, "what is over is forgotten");
    }

    proptest! {
        /// Whatever is said when: it is counted under one of its two keys, and a
        /// callsite has few of its own in a window.
        #[test]
        fn few_incidents_are_opened_in_a_window(
            said in prop::collection::vec((0_u16..3, 0_u16..60, 0_u64..120), 1..400)
        ) {
            let start = Instant::now();
            let mut now = start;
            let mut spread = Spread::default();
            let mut opened: HashMap<(Fingerprint, u128), HashSet<Fingerprint>> = HashMap::new();
            // Every window begins with the callsite's first event.
            let mut first: HashMap<Fingerprint, Instant> = HashMap::new();
            for (callsite, own, pause) in said {
                now += Duration::from_secs(pause);
                let keys = keys(callsite, own);
                let begin = *first.entry(keys.callsite).or_insert(now);
                let window = (now - begin).as_nanos() / WINDOW.as_nanos();
                let key = spread.key_for(&keys, now);
                prop_assert!(key == keys.own || key == keys.callsite);
                if key == keys.own {
                    opened.entry((keys.callsite, window)).or_default().insert(key);
                }
            }
            for own in opened.values() {
                prop_assert!(own.len() <= MOST_FINGERPRINTS);
            }
        }
    }
}
