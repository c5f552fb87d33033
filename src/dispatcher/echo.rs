//! Alerts about alerting: an error that the program logs whenever one of its own
//! sinks sends makes a message, which is sent, which logs it again.
//!
//! Such a callsite is known by its times: it never says anything but during a send
//! or soon after. Who hears it for the third time hears no more for five minutes, and
//! then ten, and so on up to a day; the silence ends with how often it was said. It is
//! short at first, as a callsite of another kind may look like this during an outage:
//! then the sink is sending almost always.
//! Invariant: bounded in memory; a callsite that also speaks at other times is left
//! alone.

use std::{
    collections::{HashMap, hash_map::Entry},
    time::{Duration, Instant},
};

use super::{Dispatcher, Inbox, silence::ActiveSilence};
use crate::{
    event::Event,
    policy::fingerprint::{Fate, Fingerprint},
};

/// What is known of callsites and sends.
#[derive(Debug, Default)]
pub(super) struct Echoes {
    /// How many attempts the program's own sinks began.
    sends: u64,
    /// Whether one is under way, or was just now.
    is_sending: bool,
    heard: HashMap<Fingerprint, Heard>,
}

/// When a callsite says something.
#[derive(Clone, Copy, Debug)]
enum Heard {
    /// Also when nothing is sent.
    AnyTime,
    /// So many times, never but with another send.
    WithSends { times: u32, last: u64 },
}

impl Echoes {
    /// One of the program's own sinks begins to send.
    pub(super) fn begin_send(&mut self) {
        self.sends += 1;
    }

    /// Notes that `callsite` said something. Returns for how long to hear no more of
    /// it, if it is an echo.
    fn hear(&mut self, callsite: Fingerprint) -> Option<Duration> {
        let is_full = self.heard.len() >= MAX_CALLSITES;
        let heard = match self.heard.entry(callsite) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(_) if is_full => return None,
            Entry::Vacant(new) => new.insert(Heard::WithSends { times: 0, last: 0 }),
        };
        let Heard::WithSends { times, last } = *heard else { return None };
        if !self.is_sending {
            *heard = Heard::AnyTime;
        } else if self.sends > last {
            *heard = Heard::WithSends { times: times.saturating_add(1), last: self.sends };
        }
        let Heard::WithSends { times, .. } = *heard else { return None };
        let doublings = times.checked_sub(MIN_TIMES)?.min(9);
        Some((FIRST_SILENCE * 2_u32.pow(doublings)).min(MAX_SILENCE))
    }
}

impl Dispatcher<'_> {
    /// Notes whether one of the program's own sinks sends.
    pub(super) fn listen_for_echoes(&mut self) {
        let sends = |lane: &super::Lane| {
            let ended = lane.ended_at.is_some_and(|ended: Instant| ended.elapsed() < ECHO);
            lane.sink.is_of_the_program() && (lane.in_flight > 0 || ended)
        };
        self.inbox.echoes.is_sending = self.lanes.iter().any(sends);
    }
}

impl Inbox {
    /// What becomes of `event` of `callsite`, which may be an echo.
    pub(super) fn fate_unless_echo(&mut self, event: &Event, callsite: Fingerprint) -> Fate {
        match self.fate(event) {
            Fate::Ignored => Fate::Ignored,
            Fate::Silenced(silenced) if self.echoes.is_sending => Fate::Silenced(silenced),
            Fate::Silenced(_) => {
                // It was taken for one, and speaks without a send.
                let _: Option<Duration> = self.echoes.hear(callsite);
                self.silences.retain(|silence| silence.of_echo != Some(callsite));
                self.fate(event)
            }
            Fate::Told => match self.echoes.hear(callsite) {
                Some(lasts) => {
                    self.begin_silence(ActiveSilence::of_echo(event, callsite, lasts));
                    self.fate(event)
                }
                None => Fate::Told,
            },
        }
    }
}

/// How often it takes to be known as an echo.
const MIN_TIMES: u32 = 3;

/// How long after a send something may still be said because of it.
const ECHO: Duration = Duration::from_secs(5);

const FIRST_SILENCE: Duration = Duration::from_secs(5 * 60);

const MAX_SILENCE: Duration = Duration::from_secs(24 * 60 * 60);

/// Many more than a program has; those beyond are left alone.
const MAX_CALLSITES: usize = 1_024;

#[cfg(test)]
mod tests {
    use super::*;

    const CALLSITE: Fingerprint = [7; 16];

    fn minutes(silence: Option<Duration>) -> Option<u64> {
        silence.map(|silence| silence.as_secs() / 60)
    }

    #[test]
    fn what_is_only_said_with_sends_is_heard_twice_and_then_ever_more_rarely() {
        let mut echoes = Echoes { is_sending: true, ..Echoes::default() };
        let silences: Vec<_> = (0..12)
            .map(|_| {
                echoes.begin_send();
                minutes(echoes.hear(CALLSITE))
            })
            .collect();
        let expected = [5, 10, 20, 40, 80, 160, 320, 640, 1_280, 1_440].map(Some);
        assert_eq!((&silences[..2], &silences[2..]), (&[None, None][..], &expected[..]));
    }

    #[test]
    fn a_burst_during_one_send_is_no_echo() {
        let mut echoes = Echoes { is_sending: true, ..Echoes::default() };
        echoes.begin_send();
        assert!((0..100).all(|_| echoes.hear(CALLSITE).is_none()));
    }

    #[test]
    fn what_is_said_without_a_send_too_is_no_echo() {
        let mut echoes = Echoes::default();
        assert_eq!(echoes.hear(CALLSITE), None);
        echoes.is_sending = true;
        for _ in 0..10 {
            echoes.begin_send();
            assert_eq!(echoes.hear(CALLSITE), None);
        }
    }

    #[test]
    fn callsites_without_number_take_no_memory_without_bound() {
        let mut echoes = Echoes::default();
        for number in 0..2 * MAX_CALLSITES as u128 {
            assert_eq!(echoes.hear(number.to_be_bytes()), None);
        }
        assert_eq!(echoes.heard.len(), MAX_CALLSITES);
    }
}
