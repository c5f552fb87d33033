//! A [`Notice`] becomes the texts of a message.
//!
//! Invariant: pure; no clock, no randomness, no I/O. Every text of an event is
//! hostile: nothing of it leaves this module but through `clean`.

mod own;
pub use own::{DefaultRender, Email, Render};
pub(crate) use own::{Rendered, Renderer};

mod attachment;
pub use attachment::Attachment;

mod bars;
mod before;
mod clean;
#[cfg(feature = "cli")]
pub(crate) use clean::line as one_line;
mod clock;
pub(crate) use clock::Clock;
mod email;
mod facts;
mod gsm7;
pub(crate) use gsm7::segments;
mod headline;
use headline::Headline;
mod instances;
mod link;
pub(crate) use link::{Links, Own as OwnLink, Template};
mod report;
mod silence_hint;
mod sms;
mod space;
mod trace;
mod words;

#[cfg(test)]
mod tests;

use std::time::Duration;

use crate::{
    event::{Event, loss::Losses},
    host::time::spoken,
    policy::{
        fingerprint::cause,
        notice::{Kind, Notice, Process, Sample},
    },
};

/// The longest subject, in characters.
const MAX_SUBJECT_CHARS: usize = 120;

/// Names the worst event only, and no count that changes: mail clients thread
/// by an equal subject.
fn subject(notice: &Notice) -> String {
    let tag = tag(&clean::line(&notice.process.app, 24), &clean::line(environment(&notice.process), 16));
    let Some(Sample { event, .. }) = notice.samples.iter().min_by_key(|sample| rank(&sample.event)) else {
        let what = if lost(&notice.losses) > 0 { words::NOT_CAPTURED } else { words::EVENTS };
        return format!("{tag}{what}");
    };
    if notice.kind == Kind::Health {
        return clean::line(&format!("{tag}{}", headline(event, MAX_SUBJECT_CHARS)), MAX_SUBJECT_CHARS);
    }
    let start = format!("{tag}{}: ", word(event));
    let headline = headline_with_cause(event, MAX_SUBJECT_CHARS);
    let place = if event.panic { panic_place(event, 36) } else { clean::line(&event.target, 36) };
    let place = if place.is_empty() || place == headline { String::new() } else { format!(" · {place}") };
    let more = match notice.samples.len() {
        0 | 1 => String::new(),
        several => words::more_kinds(several - 1),
    };
    let end = format!("{place}{more}");
    let room = MAX_SUBJECT_CHARS.saturating_sub(start.chars().count() + end.chars().count());
    format!("{start}{}{end}", headline_with_cause(event, room))
}

/// What the program says of an event, in at most `max_chars`.
fn headline(event: &Event, max_chars: usize) -> String {
    Headline::of(event, true).subject(max_chars)
}

/// The same, with the root cause.
fn headline_with_cause(event: &Event, max_chars: usize) -> String {
    Headline::of(event, true).chars(max_chars)
}

/// `[app/environment] `, without what is empty.
fn tag(app: &str, environment: &str) -> String {
    match (app.is_empty(), environment.is_empty()) {
        (true, true) => String::new(),
        (false, true) => format!("[{app}] "),
        (true, false) => format!("[{environment}] "),
        (false, false) => format!("[{app}/{environment}] "),
    }
}

/// How late `notice` is, to the minute, if it is.
fn late(notice: &Notice) -> Option<String> {
    notice.late_by.map(|by| spoken(Duration::from_secs(by.as_secs() / 60 * 60)))
}

fn environment(process: &Process) -> &str {
    process.environment.as_deref().unwrap_or_default()
}

/// The word that says how bad it is.
fn word(event: &Event) -> &'static str {
    if event.panic { "PANIC" } else { event.level.as_str() }
}

/// The worst is the least.
fn rank(event: &Event) -> (bool, tracing::Level) {
    (!event.panic, event.level)
}

/// Where a panic happened, in at most `max_chars`: the end of it says more than
/// the start. Other events have a target for that.
fn panic_place(event: &Event, max_chars: usize) -> String {
    let place = clean::line(&event.location().filter(|_| event.panic).unwrap_or_default(), 300);
    let skipped = place.chars().count().saturating_sub(max_chars);
    if skipped == 0 {
        return place;
    }
    let end: String = place.chars().skip(skipped + 1).collect();
    format!("…{}", end.split_once('/').map_or(end.as_str(), |(_, file)| file))
}

/// All events of `notice` but the lost ones. Does not overflow.
fn total(notice: &Notice) -> u64 {
    counted(&notice.samples).saturating_add(notice.unsampled)
}

fn counted<'a>(samples: impl IntoIterator<Item = &'a Sample>) -> u64 {
    samples.into_iter().fold(0, |sum, sample| sum.saturating_add(sample.count))
}

fn lost(losses: &Losses) -> u64 {
    losses.values().fold(0, |sum, count| sum.saturating_add(*count))
}
