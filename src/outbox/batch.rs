//! What is persisted at once, and to which incidents it belongs.
//!
//! Invariant: pure.

use std::{collections::HashMap, sync::Arc, time::SystemTime};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tracing::Level;

use super::pace::Pace;
use crate::{
    event::{
        Event,
        loss::{DropReason, Losses},
    },
    host::permit::Permit,
    policy::fingerprint::{Fingerprint, Said},
};

/// One event, or several that are the same, ready to be persisted.
#[derive(Debug)]
pub(crate) struct Captured {
    pub(crate) event: Event,
    /// The last of several.
    pub(crate) latest: Option<Event>,
    /// Only the callsite of the event is known.
    pub(crate) is_stand_in: bool,
    pub(crate) fingerprint: Fingerprint,
    /// What its callsite is learned from, if anything is.
    pub(crate) said: Option<Arc<Said>>,
    pub(crate) count: u64,
    pub(crate) last_at: SystemTime,
    /// What else it is than an event.
    pub(crate) about: Option<About>,
    /// Nobody is told sooner: it was silenced.
    pub(crate) not_before: Option<SystemTime>,
    /// Its share of the queue's bytes.
    #[expect(dead_code, reason = "given back when it is dropped")]
    pub(crate) permit: Permit,
}

/// What an incident counts that is not one kind of event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum About {
    /// Events of more kinds than there may be incidents.
    Overflow,
    /// Deliveries through a sink that ended undelivered.
    Dead,
    /// Events that were lost.
    Loss(DropReason),
    /// Starts of a program that ends badly each time.
    CrashLoop,
}

/// As a keeper has it.
impl Serialize for About {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Overflow => serializer.serialize_str("overflow"),
            Self::Dead => serializer.serialize_str("dead"),
            Self::Loss(reason) => serializer.collect_str(&format_args!("loss:{}", reason.name())),
            Self::CrashLoop => serializer.serialize_str("crash_loop"),
        }
    }
}

/// What a newer version may write counts as an overflow: it has no event to show.
impl<'de> Deserialize<'de> for About {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Ok(match text.split_once(':') {
            Some(("loss", reason)) => Self::Loss(DropReason::from_name(reason)),
            _ if text == "dead" => Self::Dead,
            _ if text == "crash_loop" => Self::CrashLoop,
            _ => Self::Overflow,
        })
    }
}

impl About {
    /// Whether what counts as this are events that were committed.
    pub(super) fn is_of_events(about: Option<Self>) -> bool {
        matches!(about, None | Some(Self::Overflow))
    }

    /// Whether it is told whatever window is open: somebody may rely on a sink that does
    /// not reach them.
    pub(super) fn is_urgent(self) -> bool {
        matches!(self, Self::Dead)
    }

    /// Whether it tells of the alerting itself.
    pub(super) fn is_health(self) -> bool {
        matches!(self, Self::Dead | Self::Loss(_))
    }
}

/// Which fingerprint counts the overflow of a level.
fn level_number(level: Level) -> u8 {
    match level {
        Level::ERROR => 1,
        Level::WARN => 2,
        Level::INFO => 3,
        Level::DEBUG => 4,
        Level::TRACE => 5,
    }
}

/// The fingerprint of the incident that counts what has none of its own at
/// `level`: shorter than any other.
fn overflow_fingerprint(level: Level) -> Vec<u8> {
    vec![level_number(level)]
}

#[cfg(feature = "postgres")]
impl super::page::IncidentRow {
    /// Whether it counts what has no incident of its own at `level`.
    pub(super) fn is_overflow_of(&self, level: Level) -> bool {
        self.fingerprint == overflow_fingerprint(level)
    }
}

/// Those of all levels.
#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub(super) fn overflow_fingerprints() -> [Vec<u8>; 5] {
    [Level::ERROR, Level::WARN, Level::INFO, Level::DEBUG, Level::TRACE].map(overflow_fingerprint)
}

/// The fingerprint of the incident that counts what was lost for `reason`: its name,
/// which no version changes; longer than an overflow's, and shorter than an event's.
fn loss_fingerprint(reason: DropReason) -> Vec<u8> {
    [&[0], reason.name().as_bytes()].concat()
}

/// What a batch adds to one incident.
pub(super) struct Arrival<'a> {
    pub(super) fingerprint: Vec<u8>,
    pub(super) said: Option<Arc<Said>>,
    pub(super) level: Level,
    pub(super) about: Option<About>,
    pub(super) first_at: SystemTime,
    pub(super) last_at: SystemTime,
    pub(super) count: u64,
    pub(super) pace: Pace,
    pub(super) not_before: Option<SystemTime>,
    /// What its first event says instead of its own message, if it is silenced.
    pub(super) headline: Option<String>,
    pub(super) event: Option<&'a Event>,
    /// Only the callsite of the event is known.
    pub(super) is_stand_in: bool,
    /// The last of them that is known.
    pub(super) latest: Option<&'a Event>,
}

impl Arrival<'_> {
    /// Whether it is an error of the program's that nobody silenced.
    pub(super) fn is_error(&self) -> bool {
        self.level == Level::ERROR && self.not_before.is_none() && self.about.is_none()
    }

    /// The last of them, if it is not the first.
    pub(super) fn later(&self) -> Option<&Event> {
        self.latest.filter(|latest| !self.event.is_some_and(|first| std::ptr::eq(first, *latest)))
    }
}

/// What `batch` and `losses` add to their incidents, in the order in which they
/// first happened: so a batch costs as many statements as it has kinds of
/// events.
pub(super) fn arrivals<'a>(batch: &'a [Captured], losses: &Losses, now: SystemTime) -> Vec<Arrival<'a>> {
    let mut arrivals: Vec<Arrival<'a>> = Vec::new();
    let mut places: HashMap<&[u8], usize> = HashMap::new();
    for captured in batch {
        // Good enough: that they happened when the last of them did.
        let pace = Pace::of(captured.count, captured.last_at, now);
        let first = (!captured.is_stand_in).then_some(&captured.event);
        let latest = captured.latest.as_ref().or(first);
        let place = places.entry(captured.fingerprint.as_slice()).or_insert(arrivals.len());
        match arrivals.get_mut(*place) {
            Some(arrival) => {
                arrival.count += captured.count;
                arrival.last_at = arrival.last_at.max(captured.last_at);
                arrival.pace.add(&pace, now);
                arrival.latest = latest.or(arrival.latest);
            }
            None => arrivals.push(Arrival {
                fingerprint: captured.fingerprint.to_vec(),
                said: captured.said.clone(),
                level: captured.event.level,
                about: captured.about,
                first_at: captured.event.at,
                last_at: captured.last_at,
                count: captured.count,
                pace,
                not_before: captured.not_before,
                headline: None,
                event: Some(&captured.event),
                is_stand_in: captured.is_stand_in,
                latest,
            }),
        }
    }
    arrivals.extend(losses.iter().map(|(reason, count)| Arrival {
        fingerprint: loss_fingerprint(*reason),
        said: None,
        // A loss may have been of any level.
        level: Level::ERROR,
        about: Some(About::Loss(*reason)),
        first_at: now,
        last_at: now,
        count: *count,
        pace: Pace::of(*count, now, now),
        not_before: None,
        headline: None,
        event: None,
        is_stand_in: false,
        latest: None,
    }));
    arrivals
}

/// What one event adds to its incident.
pub(super) fn arrival_of(captured: &Captured, now: SystemTime) -> Vec<Arrival<'_>> {
    arrivals(std::slice::from_ref(captured), &Losses::new(), now)
}

/// Counts `arrival` among those that have no incident of their own: one for each
/// level.
pub(super) fn overflow<'a>(rest: &mut Vec<Arrival<'a>>, arrival: Arrival<'a>, now: SystemTime) {
    match rest.iter_mut().find(|each| each.level == arrival.level) {
        Some(each) => {
            each.count += arrival.count;
            each.last_at = each.last_at.max(arrival.last_at);
            each.pace.add(&arrival.pace, now);
        }
        None => rest.push(Arrival {
            fingerprint: overflow_fingerprint(arrival.level),
            said: None,
            about: Some(About::Overflow),
            // What is silenced must not silence the others.
            not_before: None,
            headline: None,
            ..arrival
        }),
    }
}

/// The public id of a message that tells of one incident, for the first time or
/// again: no two of them are the same, so one can be found at the provider.
pub(super) fn message_id(incident: &str, tellings: u32) -> String {
    match tellings {
        0 => incident.to_owned(),
        more => format!("{incident}.{}", more + 1),
    }
}
