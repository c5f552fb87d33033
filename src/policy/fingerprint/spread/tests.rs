//! What a callsite may say, and for how long that is known.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::policy::fingerprint::Said;

fn keys(callsite: u16, own: u16) -> Keys {
    let fingerprint = |kind: u8, number: u16| {
        let mut bytes = [kind; 16];
        bytes[..2].copy_from_slice(&number.to_le_bytes());
        bytes
    };
    Keys { own: fingerprint(1, own), callsite: fingerprint(2, callsite), is_said: false, said: None }
}

#[expect(clippy::cast_possible_truncation, reason = "it is small")]
const MOST: u16 = MAX_FINGERPRINTS as u16;

/// One callsite said one thing more than it may, at `now`.
fn collapsed(now: Instant) -> Spread {
    let mut spread = Spread::default();
    for own in 0..MOST {
        assert_eq!(spread.key_for(&keys(0, own), "message", now), keys(0, own).own, "too early: {own}");
    }
    assert_eq!(spread.key_for(&keys(0, MOST), "message", now), keys(0, 0).callsite);
    spread
}

#[test]
fn a_callsite_that_says_too_much_is_one_incident() {
    let now = Instant::now();
    let mut spread = collapsed(now);
    assert_eq!(spread.key_for(&keys(0, 3), "message", now), keys(0, 0).callsite, "also what it said before");
    assert_eq!(
        spread.key_for(&keys(1, 3), "message", now),
        keys(1, 3).own,
        "another callsite is not concerned"
    );
}

#[test]
fn it_stays_so_until_a_whole_window_has_passed_without() {
    let now = Instant::now();
    let mut spread = collapsed(now);
    let next_ends = now + 2 * WINDOW;
    assert_eq!(spread.key_for(&keys(0, 0), "message", now + WINDOW), keys(0, 0).callsite);
    assert_eq!(
        spread.key_for(&keys(0, 0), "message", next_ends - Duration::from_nanos(1)),
        keys(0, 0).callsite
    );
    assert_eq!(spread.key_for(&keys(0, 0), "message", next_ends), keys(0, 0).own);
    let mut idle = collapsed(now);
    assert_eq!(idle.key_for(&keys(0, 0), "message", next_ends), keys(0, 0).own, "nothing happened meanwhile");
}

#[test]
fn windows_do_not_slide() {
    let now = Instant::now();
    let mut spread = Spread::default();
    let half = WINDOW / 2;
    for (at, own) in [(now, 0..MOST), (now + half + half, MOST..2 * MOST)] {
        for own in own {
            assert_eq!(spread.key_for(&keys(0, own), "message", at), keys(0, own).own);
        }
    }
}

#[test]
fn a_tally_goes_to_the_only_thing_that_was_said() {
    let now = Instant::now();
    let mut spread = Spread::default();
    let Keys { callsite, own, .. } = keys(0, 7);
    let known = |fingerprint, message| CallsiteSummary { fingerprint, message, fate: None };
    assert_eq!(spread.of_counted(callsite, now), known(callsite, None), "nothing was said");
    spread.key_for(&keys(0, 7), "seven", now);
    let expected = known(own, Some("seven"));
    assert_eq!(spread.of_counted(callsite, now), expected);
    assert_eq!(spread.of_counted(callsite, now + WINDOW), expected, "in the window after, too");
    assert_eq!(spread.of_counted(callsite, now + 2 * WINDOW).fingerprint, callsite, "long ago");
    spread.key_for(&keys(0, 7), "seven", now + 2 * WINDOW);
    spread.key_for(&keys(0, 8), "eight", now + 2 * WINDOW);
    let expected = known(callsite, Some("eight"));
    assert_eq!(spread.of_counted(callsite, now + 2 * WINDOW), expected, "two things");
    assert_eq!(collapsed(now).of_counted(callsite, now).fingerprint, callsite);
}

#[test]
fn what_the_application_says_is_not_collapsed_and_its_tally_goes_there() {
    let now = Instant::now();
    let mut spread = collapsed(now);
    let said = Keys { is_said: true, ..keys(0, 7) };
    assert_eq!(spread.key_for(&said, "message", now), said.own);
    let mut spread = Spread::default();
    spread.key_for(&said, "message", now);
    assert_eq!(spread.of_counted(said.callsite, now).fingerprint, said.own);
}

#[test]
fn a_tally_shares_the_fate_of_all_that_was_said_beside_it() {
    let now = Instant::now();
    let mut spread = Spread::default();
    let keys = keys(0, 7);
    spread.note(keys.callsite, Fate::Ignored, now);
    spread.key_for(&keys, "message", now);
    let silenced = Fate::Silenced([3; 16]);
    let mut fate = |noted: &[Fate]| {
        noted.iter().for_each(|fate| spread.note(keys.callsite, *fate, now));
        spread.of_counted(keys.callsite, now).fate
    };
    assert_eq!(fate(&[]), None, "nothing is known");
    assert_eq!(fate(&[Fate::Ignored, Fate::Ignored]), Some(Fate::Ignored));
    assert_eq!(fate(&[]), Some(Fate::Ignored), "nothing else was said");
    assert_eq!(fate(&[silenced]), Some(silenced), "from now on");
    assert_eq!(fate(&[silenced, Fate::Ignored]), Some(Fate::Told));
    assert_eq!(fate(&[Fate::Told, silenced]), Some(Fate::Told));
    spread.note(keys.callsite, Fate::Ignored, now);
    spread.forget_fates();
    assert_eq!(spread.of_counted(keys.callsite, now).fate, None, "a silence began");
    spread.note(keys.callsite, Fate::Ignored, now);
    let long_after = now + FATE_LASTS + Duration::from_nanos(1);
    assert_eq!(spread.of_counted(keys.callsite, long_after).fate, None, "that was long ago");
    spread.note(keys.callsite, silenced, long_after);
    assert_eq!(spread.of_counted(keys.callsite, long_after).fate, Some(silenced));
}

#[test]
fn memory_is_bounded_and_comes_back() {
    let now = Instant::now();
    let mut spread = Spread::default();
    let most = u16::try_from(MAX_CALLSITES).unwrap();
    for callsite in 0..most + 100 {
        for own in 0..MOST + 5 {
            spread.key_for(&keys(callsite, own), "message", now);
        }
    }
    assert_eq!(spread.callsites.len(), MAX_CALLSITES);
    assert!(spread.callsites.values().all(|callsite| callsite.said.len() <= MAX_FINGERPRINTS + 1));
    assert_eq!(
        spread.key_for(&keys(most, MOST + 1), "message", now),
        keys(0, MOST + 1).own,
        "no room: its own"
    );
    spread.key_for(&keys(most, 0), "message", now + 3 * WINDOW);
    assert_eq!(spread.callsites.len(), 1, "what is over is forgotten");
}

#[test]
fn a_fate_lasts_to_the_end_of_its_time() {
    let now = Instant::now();
    let mut spread = Spread::default();
    spread.key_for(&keys(0, 7), "message", now);
    spread.note(keys(0, 7).callsite, Fate::Ignored, now);
    assert_eq!(spread.of_counted(keys(0, 7).callsite, now + FATE_LASTS).fate, Some(Fate::Ignored));
}

/// As many callsites as are remembered, less `room`; each said something at `now`.
fn crowded(room: usize, now: Instant) -> Spread {
    let mut spread = Spread::default();
    for callsite in 100..100 + u16::try_from(MAX_CALLSITES - room).unwrap() {
        spread.key_for(&keys(callsite, 0), "message", now);
    }
    spread
}

#[test]
fn room_is_made_once_in_a_while() {
    let now = Instant::now();
    let mut spread = crowded(0, now);
    let swept = now + 2 * WINDOW - Duration::from_secs(1);
    for (at, left) in [
        (swept, MAX_CALLSITES),
        (swept + SWEEP_PAUSE - Duration::from_nanos(1), MAX_CALLSITES),
        (swept + SWEEP_PAUSE, 1),
    ] {
        spread.key_for(&keys(0, 0), "message", at);
        assert_eq!(spread.callsites.len(), left);
    }
}

#[test]
fn as_long_as_there_is_room_nothing_is_forgotten() {
    let now = Instant::now();
    let mut spread = crowded(1, now);
    spread.key_for(&keys(0, 0), "message", now + 2 * WINDOW);
    assert_eq!(spread.callsites.len(), MAX_CALLSITES);
}

#[test]
fn who_said_too_much_or_one_thing_or_something_now_is_remembered() {
    let now = Instant::now();
    let mut spread = crowded(4, now);
    let before = now + 2 * WINDOW - Duration::from_secs(1);
    for own in 0..=MOST {
        spread.key_for(&keys(0, own), "message", before);
    }
    spread.key_for(&keys(1, 0), "message", before);
    spread.key_for(&keys(2, 0), "message", before);
    spread.key_for(&keys(2, 1), "message", before);
    spread.key_for(&keys(3, 0), "message", before + WINDOW);
    spread.key_for(&keys(3, 1), "message", before + WINDOW);
    spread.key_for(&keys(4, 0), "message", before + WINDOW);
    let known = |callsite| spread.callsites.contains_key(&keys(callsite, 0).callsite);
    assert_eq!([0, 1, 2, 3, 4].map(known), [true, true, false, true, true]);
    assert_eq!(spread.callsites.len(), 4);
}

#[test]
fn of_so_many_callsites_it_is_learned_and_no_more() {
    let now = Instant::now();
    let mut spread = Spread::default();
    let telling = |callsite, own| {
        let keys = keys(callsite, own);
        let said = Said::new(keys.callsite, keys.own, "supplier Globex sent nothing", &[]);
        Keys { said: said.map(Arc::new), ..keys }
    };
    for callsite in 0..u16::try_from(MAX_LEARNED).unwrap() + 9 {
        let keys = telling(callsite, 0);
        assert_eq!(spread.key_for(&keys, "message", now), keys.own);
    }
    assert_eq!(spread.learned.len(), MAX_LEARNED);
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
            let key = spread.key_for(&keys, "message", now);
            prop_assert!(key == keys.own || key == keys.callsite);
            if key == keys.own {
                opened.entry((keys.callsite, window)).or_default().insert(key);
            }
        }
        for own in opened.values() {
            prop_assert!(own.len() <= MAX_FINGERPRINTS);
        }
    }
}
