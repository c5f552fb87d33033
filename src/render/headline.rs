//! [`Headline`]: what happened, in few words; and [`details`], what else tells one such
//! event from another.
//!
//! Invariant: pure. Each text is clean and one line. If not all fits, the root cause is
//! the last that gets shorter.

use super::{cause, clean, report::Report};
use crate::{
    event::{Event, Field, Value},
    policy::{fingerprint::OVERRIDE, notice::Sample},
};

/// What the program says of an event, and the root cause.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Headline {
    what: String,
    cause: String,
    /// The program's own message has the cause in it, or there is no message.
    names_cause: bool,
}

impl Headline {
    /// Of an event without a message, its cause speaks, and the function that failed;
    /// or else the first fields, if they may be told; or else the target.
    pub(super) fn of(event: &Event, tells_fields: bool) -> Self {
        let told = Report::of(&clean::block(&event.message, MAX_TEXT_CHARS));
        let what = clean::line(&told.head, MAX_LINE_CHARS);
        let own_cause = told.causes.last().map(|cause| clean::line(cause, MAX_LINE_CHARS));
        let names_cause = own_cause.is_some() || what.is_empty();
        let cause = own_cause.unwrap_or_else(|| cause_of(event));
        match (what.is_empty(), cause.is_empty()) {
            (false, true) => chained(what),
            (false, false) if what.contains(&cause) => chained(what),
            (false, false) => {
                Self { what: what.trim_end_matches([' ', '.', ':']).to_owned(), cause, names_cause }
            }
            (true, false) => Self { what: function(event), cause, names_cause },
            (true, true) => Self { what: without_words(event, tells_fields), cause, names_cause },
        }
    }

    /// What the program says, without a cause that it does not name itself; in at most
    /// `max` characters.
    pub(super) fn subject(&self, max: usize) -> String {
        if self.names_cause { self.chars(max) } else { start(&self.what, max, |_| 1, "…") }
    }

    /// All of it.
    pub(super) fn whole(&self) -> String {
        match (self.what.is_empty(), self.cause.is_empty()) {
            (_, true) => self.what.clone(),
            (true, false) => self.cause.clone(),
            (false, false) => format!("{}{BETWEEN}{}", self.what, self.cause),
        }
    }

    /// As much of it as is no longer than `max`, as `size` measures characters; what is
    /// cut ends with `mark`. The cause has three quarters of the room, or what the rest
    /// does not need.
    pub(super) fn cut(&self, max: usize, size: fn(char) -> usize, mark: &str) -> String {
        let length = |text: &str| text.chars().map(size).sum::<usize>();
        let whole = self.whole();
        if length(&whole) <= max {
            return whole;
        }
        if self.what.is_empty() || self.cause.is_empty() {
            return start(&whole, max, size, mark);
        }
        let least = length(&self.what).min(max / 4);
        let room = max.saturating_sub(length(&self.cause) + length(BETWEEN));
        let what = start(&self.what, room.max(least), size, mark);
        let room = max.saturating_sub(length(&what) + length(BETWEEN));
        format!("{what}{BETWEEN}{}", start(&self.cause, room, size, mark))
    }

    /// In at most `max` characters, as a mail shows it.
    pub(super) fn chars(&self, max: usize) -> String {
        self.cut(max, |_| 1, "…")
    }

    /// The same with other characters.
    pub(super) fn map(self, change: impl Fn(&str) -> String) -> Self {
        Self { what: change(&self.what), cause: change(&self.cause), ..self }
    }
}

/// As much of `text` as is no longer than `max` with the `mark` that it then ends with.
pub(super) fn start(text: &str, max: usize, size: impl Fn(char) -> usize, mark: &str) -> String {
    let mark_size: usize = mark.chars().map(&size).sum();
    let (mut used, mut end) = (0, 0);
    for (at, c) in text.char_indices() {
        used += size(c);
        if used + mark_size <= max {
            end = at + c.len_utf8();
        }
    }
    if used <= max {
        return text.to_owned();
    }
    let kept = text.get(..end).unwrap_or_default();
    format!("{}{mark}", kept.trim_end_matches(|c: char| c.is_whitespace() || clean::is_joiner(c)))
}

/// A message that ends with its own cause: `payment failed: connection refused`.
fn chained(what: String) -> Headline {
    let is_cause = |(what, cause): &(&str, &str)| {
        cause.trim().contains(' ') && !what.trim().is_empty() && !what.contains(['{', '[', '(', '"', '='])
    };
    let unwrapped = what.strip_prefix(UNWRAPPED).and_then(|rest| rest.strip_prefix(BETWEEN));
    let unwrapped = unwrapped.map(|cause| (UNWRAPPED, cause));
    match unwrapped.or_else(|| what.rsplit_once(BETWEEN).filter(is_cause)) {
        Some((what, cause)) => Headline { what: what.to_owned(), cause: cause.to_owned(), names_cause: true },
        None => Headline { what, cause: String::new(), names_cause: true },
    }
}

/// The root cause that a field tells.
fn cause_of(event: &Event) -> String {
    let cause = cause(event).unwrap_or_default();
    clean::line(Report::of(&clean::block(cause, MAX_TEXT_CHARS)).root(), MAX_LINE_CHARS)
}

/// The innermost span: with `#[instrument(err)]`, the function that failed.
fn function(event: &Event) -> String {
    event.spans.last().map(|span| clean::line(&span.name, MAX_NAME_CHARS)).unwrap_or_default()
}

fn without_words(event: &Event, tells_fields: bool) -> String {
    let told = event.fields.iter().filter(|field| tells_fields && field.name != OVERRIDE);
    let fields: Vec<_> =
        told.take(MAX_FIELDS).map(|field| format!("{}={}", field.name, field.value)).collect();
    let fields = clean::line(&fields.join(" "), MAX_LINE_CHARS);
    let target = clean::line(&event.target, MAX_LINE_CHARS);
    let known = [fields, target].into_iter().find(|text| !text.is_empty());
    known.unwrap_or_else(|| super::words::NO_MESSAGE.to_owned())
}

/// The fields of the event and of its spans, the innermost first, that tell it from
/// others of its kind: `order=17`. None that its headline names, that the latest of
/// several events does not share, or that is longer than a phone shows.
pub(super) fn details(sample: &Sample, headline: &Headline) -> Vec<String> {
    let event = &sample.event;
    let (said, cause) = (headline.whole(), cause(event));
    let mut names: Vec<&str> = Vec::new();
    let mut details = Vec::new();
    for field in all(event) {
        let is_known = names.contains(&&*field.name);
        names.push(&field.name);
        if is_known || is_dull(&field.name) || is_error(field, cause) || !is_shared(field, sample) {
            continue;
        }
        let (name, value) = (clean::line(&field.name, MAX_NAME_CHARS), field.value.to_string());
        let is_short = value.chars().count() <= MAX_VALUE_CHARS && !value.trim().contains(['\n', '\r']);
        let value = clean::line(&value, MAX_VALUE_CHARS);
        if is_short && !value.is_empty() && !names_it(&said, &value) {
            details.push(format!("{name}={value}"));
        }
    }
    details
}

fn all(event: &Event) -> impl Iterator<Item = &Field> {
    event.fields.iter().chain(event.spans.iter().rev().flat_map(|span| span.fields.iter()))
}

/// Whether the headline is about it already.
fn is_error(field: &Field, cause: Option<&str>) -> bool {
    match &field.value {
        Value::Error(_) => true,
        Value::Str(text) => cause == Some(text),
        _ => false,
    }
}

/// What is the same for every request, or speaks to machines.
fn is_dull(name: &str) -> bool {
    name == OVERRIDE || DULL.contains(&name) || DULL_FAMILIES.iter().any(|family| name.starts_with(family))
}

/// Whether the latest of several events has it, too.
fn is_shared(field: &Field, sample: &Sample) -> bool {
    let same = |latest| all(latest).find(|other: &&Field| other.name == field.name) == Some(field);
    sample.latest.as_ref().is_none_or(same)
}

/// Whether `value` is a word, or several, of `text`.
fn names_it(text: &str, value: &str) -> bool {
    text.match_indices(value).any(|(at, _)| {
        let before = text.get(..at).unwrap_or_default().chars().next_back();
        let after = text.get(at + value.len()..).unwrap_or_default().chars().next();
        ![before, after].into_iter().flatten().any(char::is_alphanumeric)
    })
}

/// What a panic of `unwrap` says before the cause.
const UNWRAPPED: &str = "called `Result::unwrap()` on an `Err` value";

/// Between what happened and its cause.
const BETWEEN: &str = ": ";

/// More than any message shows of one event.
const MAX_LINE_CHARS: usize = 320;

/// More than any report of an error has before its backtrace.
const MAX_TEXT_CHARS: usize = 32 * 1024;

const MAX_NAME_CHARS: usize = 40;

/// What is longer is for a mail.
const MAX_VALUE_CHARS: usize = 48;

/// How many speak for an event that says nothing else.
const MAX_FIELDS: usize = 4;

const DULL: [&str; 8] = [
    "version",
    "http.flavor",
    "http.scheme",
    "http.user_agent",
    "network.protocol.version",
    "url.scheme",
    "user_agent.original",
    "latency",
];

const DULL_FAMILIES: [&str; 5] = ["otel.", "code.", "thread.", "log.", "exception."];

#[cfg(test)]
mod tests;
