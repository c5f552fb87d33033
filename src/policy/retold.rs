//! [`Retold`]: what was reported a moment ago, and is reported again further out.
//!
//! `#[instrument(err)]` on three functions, or a `?` between two `error!`s, reports one
//! failure several times: each time in a span round the one before, and with the same
//! root cause. These are one incident: that of the first report, which knows most.
//! Invariant: pure, and bounded. What has another cause, is worse, or happened beside it
//! is reported for itself.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use tracing::Level;

use super::fingerprint::{Place, root_cause};
use crate::{event::Event, host::text::cut};

/// The latest reports, the last one first.
#[derive(Debug, Default)]
pub(crate) struct Retold {
    reports: VecDeque<Report>,
}

#[derive(Debug)]
struct Report {
    at: Instant,
    level: Level,
    /// The spans it happened in, root first.
    spans: Vec<u64>,
    root: String,
    place: Place,
}

impl Retold {
    /// Where `event` belongs, which happened in `spans` and belongs to `place` by itself.
    pub(crate) fn place(&mut self, event: &Event, spans: &[u64], place: Place, now: Instant) -> Place {
        if spans.is_empty() || event.panic || place.is_said {
            return place;
        }
        let root = cut(root_cause(event), MAX_ROOT_BYTES);
        if root.is_empty() {
            return place;
        }
        self.reports.retain(|report| now.saturating_duration_since(report.at) <= LASTS);
        let before = self.reports.iter_mut().find(|report| report.is_retold(event, spans, &root));
        let (level, place) = match before {
            Some(report) => {
                // Each report is told again once at each level: the next one is another.
                report.spans.truncate(spans.len());
                let first = &report.place;
                return Place { fingerprint: first.fingerprint, said: first.said.clone(), ..place };
            }
            None => (event.level, place),
        };
        self.reports.truncate(MAX_REPORTS - 1);
        self.reports.push_front(Report { at: now, level, spans: spans.to_vec(), root, place: place.clone() });
        place
    }
}

impl Report {
    /// Whether an event tells of it again that happened in `spans` and has this root
    /// cause.
    fn is_retold(&self, event: &Event, spans: &[u64], root: &str) -> bool {
        let is_further_out = spans.len() < self.spans.len() && self.spans.starts_with(spans);
        is_further_out && event.level >= self.level && has_cause(root, &self.root)
    }
}

/// Whether `text` is `cause`, or ends with it as a chain of causes does.
fn has_cause(text: &str, cause: &str) -> bool {
    text.strip_suffix(cause).is_some_and(|rest| rest.is_empty() || rest.ends_with(": "))
}

/// How long a failure takes to be reported again.
const LASTS: Duration = Duration::from_secs(60);

/// How many reports are remembered.
const MAX_REPORTS: usize = 256;

/// How much of a cause is remembered.
const MAX_ROOT_BYTES: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        event::{Field, Value, tests::event},
        policy::fingerprint::Grouping,
    };

    /// Which kind of event each of these is: its spans, its message and its error.
    fn kinds(events: &[(&[u64], &str, &str)]) -> Vec<usize> {
        kinds_of(events.iter().map(|(spans, message, error)| {
            let error = Field::new("error", Value::Str((*error).to_owned()));
            (
                *spans,
                Event { fields: vec![error], file: Some((*message).to_owned().into()), ..event(message) },
            )
        }))
    }

    fn kinds_of<'a>(events: impl Iterator<Item = (&'a [u64], Event)>) -> Vec<usize> {
        let now = Instant::now();
        let mut grouping = Grouping::new("app".to_owned(), None);
        let mut retold = Retold::default();
        let mut seen = Vec::new();
        let places = events.map(|(spans, event)| {
            let place = grouping.place(&event, now);
            retold.place(&event, spans, place, now).fingerprint
        });
        let number = |fingerprint| {
            seen.iter().position(|known| *known == fingerprint).unwrap_or_else(|| {
                seen.push(fingerprint);
                seen.len() - 1
            })
        };
        places.map(number).collect()
    }

    #[test]
    fn what_is_reported_again_further_out_is_one() {
        let chain = [
            (&[1, 2, 3][..], "charge", "connection refused"),
            (&[1, 2], "order", "connection refused"),
            (&[1], "request", "could not order: connection refused"),
        ];
        assert_eq!(kinds(&chain), [0, 0, 0]);
    }

    #[test]
    fn what_has_another_cause_is_another() {
        let events = [(&[1, 2][..], "charge", "connection refused"), (&[1], "order", "no such order")];
        assert_eq!(kinds(&events), [0, 1]);
        let events = [(&[1, 2][..], "charge", "refused"), (&[1], "order", "connection refused")];
        assert_eq!(kinds(&events), [0, 1], "a part of a cause is none");
    }

    #[test]
    fn what_happened_beside_it_or_further_in_is_another() {
        let refused = "connection refused";
        assert_eq!(kinds(&[(&[1, 2], "a", refused), (&[1, 3], "b", refused)]), [0, 1]);
        assert_eq!(kinds(&[(&[1, 2], "a", refused), (&[1, 2], "b", refused)]), [0, 1]);
        assert_eq!(kinds(&[(&[1], "a", refused), (&[1, 2], "b", refused)]), [0, 1]);
        assert_eq!(kinds(&[(&[1, 2], "a", refused), (&[], "b", refused)]), [0, 1], "nothing is round it");
    }

    #[test]
    fn each_is_told_again_once_by_each_span_round_it() {
        let refused = "connection refused";
        let twice = [(&[1, 2][..], "a", refused), (&[1], "b", refused), (&[1], "b", refused)];
        assert_eq!(kinds(&twice), [0, 0, 1]);
        let batch = [
            (&[1, 2][..], "a", refused),
            (&[1, 3], "a", refused),
            (&[1], "b", refused),
            (&[1], "b", refused),
        ];
        assert_eq!(kinds(&batch), [0, 0, 0, 0]);
    }

    #[test]
    fn what_is_worse_or_chosen_or_a_panic_is_another() {
        let inner = || (&[1, 2][..], Event { level: Level::WARN, ..event("refused") });
        let outer = Event { file: Some("b".into()), ..event("refused") };
        let kinds = |outer: Event| kinds_of([inner(), (&[1][..], outer)].into_iter());
        assert_eq!(kinds(Event { level: Level::WARN, ..outer.clone() }), [0, 0]);
        assert_eq!(kinds(outer.clone()), [0, 1], "an error after a warning");
        assert_eq!(kinds(Event { level: Level::WARN, panic: true, ..outer.clone() }), [0, 1]);
        let chosen = Field::new("alert.fingerprint", Value::Str("mine".to_owned()));
        assert_eq!(kinds(Event { level: Level::WARN, fields: vec![chosen], ..outer }), [0, 1]);
    }

    #[test]
    fn it_is_bounded_and_forgets() {
        let now = Instant::now();
        let mut grouping = Grouping::new("app".to_owned(), None);
        let mut retold = Retold::default();
        let mut note = |spans: &[u64], file: &'static str, now: Instant| {
            let event = Event { file: Some(file.into()), ..event("refused") };
            let place = grouping.place(&event, now);
            let own = place.fingerprint;
            (retold.place(&event, spans, place, now).fingerprint == own, retold.reports.len())
        };
        for number in 0..2 * MAX_REPORTS as u64 {
            assert!(note(&[1, number + 2], "a", now).1 <= MAX_REPORTS);
        }
        assert!(!note(&[1], "b", now + LASTS).0);
        assert_eq!(note(&[1], "b", now + 2 * LASTS), (true, 1));
    }
}
