//! What is posted to an address that belongs to no known service: JSON that says its
//! version.
//!
//! ```text
//! { "version": 1,
//!   "id":       "0198…",        the same for every attempt at this message
//!   "attempt":  1,
//!   "kind":     "first",        why it is sent: that of the notice
//!   "short":    "[Shop] …",     what a phone shows
//!   "subject":  "[Shop] …",
//!   "text":     "New in Shop …",
//!   "notice":   { … },          what the texts were made from
//!   "omitted":  [ … ] }         what there was no room for, if anything
//! ```
//!
//! Invariant: pure; at most [`MAX_BODY_BYTES`]. Within a version, fields are only added.

use serde_json::json;

use super::text::{fit, plain};
use crate::{
    policy::notice::{Notice, Sample},
    sink::Message,
};

/// The body of the request: with as much of the notice as there is room for.
pub(super) fn body(message: &Message) -> Vec<u8> {
    let fits = |body: &Vec<u8>| body.len() <= MAX_BODY_BYTES;
    let whole = json(message, &[], Some(&message.notice));
    if fits(&whole) {
        return whole;
    }
    let bare = without_trails(&message.notice);
    let short = Some(json(message, &["breadcrumbs", "backtraces"], Some(&bare))).filter(fits);
    let shorter = || {
        let first = first_only(bare.clone());
        Some(json(message, &["breadcrumbs", "backtraces", "further samples"], Some(&first))).filter(fits)
    };
    short.or_else(shorter).unwrap_or_else(|| json(message, &["notice"], None))
}

fn json(message: &Message, omitted: &[&str], notice: Option<&Notice>) -> Vec<u8> {
    let text = |text: &str| fit(text, MAX_TEXT_BYTES, plain, str::len);
    let mut body = json!({
        "version": VERSION,
        "id": message.key,
        "attempt": message.attempt,
        "kind": message.notice.kind,
        "short": text(&message.short),
        "subject": text(&message.subject),
        "text": text(&message.text),
        "notice": notice,
    });
    if !omitted.is_empty() {
        body["omitted"] = omitted.into();
    }
    body.to_string().into_bytes()
}

fn without_trails(notice: &Notice) -> Notice {
    let bare = |sample: &Sample| Sample { event: sample.event.bare(), ..sample.clone() };
    Notice { samples: notice.samples.iter().map(bare).collect(), ..notice.clone() }
}

fn first_only(notice: Notice) -> Notice {
    Notice { samples: notice.samples.into_iter().take(1).collect(), ..notice }
}

/// Changes when a field goes, or means something else.
const VERSION: u32 = 1;

/// A megabyte is what many servers take by default.
pub(super) const MAX_BODY_BYTES: usize = 1_000_000;

/// Three such texts have room even where JSON writes each character as six.
const MAX_TEXT_BYTES: usize = 48 * 1024;
