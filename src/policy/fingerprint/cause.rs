//! What an event says was its cause: in the fields that people give errors in, or in
//! the message itself.
//!
//! Invariant: pure.

use super::lines;
use crate::event::{Event, Field, Value};

/// The cause that is told: that of an error in full before that of one as text, and
/// the last of a chain.
pub(crate) fn cause(event: &Event) -> Option<&str> {
    let of_error = event.fields.iter().filter(|field| matches!(field.value, Value::Error(_))).find_map(text);
    let named =
        || NAMES.iter().find_map(|name| event.fields.iter().find(|field| field.name == *name).and_then(text));
    let told = of_error.or_else(named).or_else(|| event.fields.iter().find_map(text));
    told.map(|text| lines::last_cause(text).unwrap_or(text)).or_else(|| lines::last_cause(&event.message))
}

/// Why `event` happened, in the words of whoever knew first: its [`cause`], or what it
/// says itself.
pub(crate) fn root_cause(event: &Event) -> &str {
    cause(event).unwrap_or(&event.message).trim()
}

/// All that the fields of `event` say of its cause.
pub(super) fn all(event: &Event) -> impl Iterator<Item = &str> {
    event.fields.iter().filter_map(text)
}

/// What the first error in the fields of `event` says itself, whatever caused it.
pub(super) fn outermost(event: &Event) -> Option<&str> {
    let field = event.fields.iter().find(|field| text(field).is_some())?;
    match &field.value {
        Value::Error(chain) => chain.first().map(String::as_str),
        _ => text(field),
    }
}

/// What `field` says of the cause: the root of an error's chain, as `dyn Error` does
/// not tell its type; or the text of a field that is named as errors are.
fn text(field: &Field) -> Option<&str> {
    let text = match &field.value {
        Value::Error(chain) => chain.iter().rev().map(String::as_str).find(|link| !link.trim().is_empty())?,
        Value::Str(text) if is_named_so(&field.name) => text,
        _ => return None,
    };
    (!text.trim().is_empty()).then_some(text)
}

fn is_named_so(name: &str) -> bool {
    NAMES.contains(&name) || (name.starts_with("exception.") && name != "exception.stacktrace")
}

/// The fields that people give an error in, the one that says most first.
const NAMES: [&str; 9] =
    ["error", "err", "e", "cause", "source", "exception.message", "exception", "reason", "exception.type"];
