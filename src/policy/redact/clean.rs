//! Takes the secrets out of a text: it is read as it stands, and again as each
//! encoding in it would have it read; what either reading finds goes.

use std::ops::Range;

use super::{Policy, look, looked, noted, reader::Reader, shapes, view::View};
use crate::host::{text, unwind::caught};

/// A secret in a text.
#[derive(Clone, Debug)]
pub(super) struct Found<'a> {
    pub(super) range: Range<usize>,
    pub(super) rule: &'a str,
}

/// `text` with its secrets replaced; none if it has none.
pub(super) fn clean(text: &str, policy: &Policy) -> Option<String> {
    or_all(|| in_rounds(text, policy))
}

/// What `read` gives. If it panics, all of it may be a secret, and goes: that costs
/// neither the event nor the thread.
pub(super) fn or_all(read: impl FnOnce() -> Option<String>) -> Option<String> {
    caught(read).unwrap_or_else(|| Some(mark("unread")))
}

/// Whether a name in `text` tells of a secret, or it cannot be read.
pub(super) fn tells(text: &str, policy: &Policy) -> bool {
    caught(|| !Reader::new(text, false, policy).told().is_empty()).unwrap_or(true)
}

fn in_rounds(text: &str, policy: &Policy) -> Option<String> {
    let mut clean = policy.without_credentials(text);
    // What was replaced may have kept apart what belongs together.
    for _ in 0..if policy.is_on() { MAX_ROUNDS } else { 0 } {
        let Some(cleaner) = once(clean.as_deref().unwrap_or(text), policy) else { break };
        clean = Some(cleaner);
    }
    clean
}

pub(super) fn once(text: &str, policy: &Policy) -> Option<String> {
    let mut clean = String::new();
    let mut done = 0;
    for Found { range, rule } in repeated(text, found(text, policy, MAX_ENCODINGS)) {
        clean.push_str(&text[done..range.start]);
        clean.push_str(&mark(rule));
        done = range.end;
    }
    (done > 0).then(|| clean + &text[done..])
}

/// The secrets in `text`, from left to right, none of which touches another.
fn found<'a>(text: &str, policy: &'a Policy, depth: usize) -> Vec<Found<'a>> {
    let mut all = Vec::new();
    let mut view = Some(View::folded(text));
    for _ in 0..=depth {
        let Some(this) = view else { break };
        let whole = this.text.strip_suffix(text::MARK);
        let read = Reader::new(whole.unwrap_or(&this.text), whole.is_some(), policy).read();
        all.extend(read.into_iter().map(|found| Found { range: this.source(&found.range), ..found }));
        view = this.decoded();
    }
    if depth > 0 {
        inside(text, policy, depth - 1, &mut all);
    }
    merged(text, all)
}

/// `all`, and where the first few of them are said again.
fn repeated<'a>(text: &str, mut all: Vec<Found<'a>>) -> Vec<Found<'a>> {
    if all.is_empty() {
        return all;
    }
    let is_told = |found: &&Found<'_>| noted::is_distinct(&text[found.range.clone()]);
    for Found { range, rule } in all.clone().iter().filter(is_told).take(MAX_REPEATED) {
        let value = &text[range.clone()];
        looked(text.len());
        all.extend(text.match_indices(value).map(|(at, _)| Found { range: at..at + value.len(), rule }));
    }
    merged(text, all)
}

/// Finds what base64 hides: a run of it goes if what it stands for has a secret.
fn inside<'a>(text: &str, policy: &'a Policy, depth: usize, all: &mut Vec<Found<'a>>) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let length = bytes[at..].iter().take_while(|byte| shapes::is_base64(**byte)).count();
        looked(length + 1);
        if length >= MIN_ENCODED
            && let Some(plain) = shapes::from_base64(&text[at..at + length])
            && let Some(first) = found(&plain, policy, depth).into_iter().next()
        {
            let padding = bytes[at + length..].iter().take(2).take_while(|byte| **byte == b'=').count();
            all.push(Found { range: at..at + length + padding, rule: first.rule });
        }
        at += length + 1;
    }
}

/// What of `all` overlaps becomes one, with the rule of the first.
fn merged<'a>(text: &str, mut all: Vec<Found<'a>>) -> Vec<Found<'a>> {
    all.retain(|found| !look::is_masked(&text[found.range.clone()]));
    all.sort_by_key(|found| (found.range.start, usize::MAX - found.range.end));
    let mut merged: Vec<Found<'a>> = Vec::with_capacity(all.len());
    for found in all {
        match merged.last_mut() {
            Some(last) if found.range.start < last.range.end => {
                last.range.end = last.range.end.max(found.range.end);
            }
            _ => merged.push(found),
        }
    }
    merged
}

/// What stands for a secret.
pub(super) fn mark(rule: &str) -> String {
    format!("{MARK}{rule}]")
}

pub(super) const MARK: &str = "[redacted:";

/// Two are enough for all that is not made to need more.
const MAX_ROUNDS: usize = 4;

/// More secrets are seldom in one text.
const MAX_REPEATED: usize = 4;

/// How often a text in a text is decoded.
const MAX_ENCODINGS: usize = 2;

/// A shorter text in base64 hides no name and its value.
const MIN_ENCODED: usize = 20;
