//! A path from the environment: what a shell would have made of it.
//!
//! Invariant: pure. A path that could be a real one is taken as it is; code, which
//! no shell reads, is not judged here.

use std::path::{PathBuf, is_separator};

use super::{table::Given, variables::HOME};
use crate::error::Fault;

/// The path that was given; a leading `~/` is the home directory, as in a shell.
///
/// # Errors
///
/// If it has what only a shell, or whatever else starts programs, replaces.
pub(super) fn path(given: &Given<'_>) -> Result<PathBuf, Fault> {
    let text = given.text;
    let whole = |what: String| Err(Fault::new(what).mend("write the whole path"));
    if let Some(mark) = reference(text) {
        return whole(format!("has a {mark}, but variables are not expanded here"));
    }
    if text.contains('"') {
        return Err(Fault::new("has quotation marks").mend("leave them out"));
    }
    if has_comment(text) {
        return Err(Fault::new("ends with a comment").mend("put the comment on a line of its own"));
    }
    let Some(rest) = text.strip_prefix('~') else { return Ok(text.into()) };
    match (rest.strip_prefix(is_separator), given.home) {
        (None, _) => whole("begins with ~, but not with ~/".to_owned()),
        (Some(_), None) => whole(format!("begins with ~/, but {HOME} is not set to a path")),
        (Some(below), Some(home)) => Ok(home.join(below.trim_start_matches(is_separator))),
    }
}

/// What begins a reference that nothing replaced. A `$` or `%` that begins no name
/// is a part of the path.
fn reference(text: &str) -> Option<&'static str> {
    let begins_name = |rest: &str| rest.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let has =
        |mark: &str| text.split(is_separator).any(|part| part.strip_prefix(mark).is_some_and(begins_name));
    let is_within_percents = |part: &str| part.strip_prefix('%').is_some_and(|rest| rest.contains('%'));
    match text {
        _ if text.contains("${") || text.contains("$(") || has("$") => Some("$"),
        // `%h` is systemd's.
        _ if text.starts_with('%') || text.split(is_separator).any(is_within_percents) => Some("%"),
        _ if text.contains("{{") && text.contains("}}") => Some("{{"),
        _ => None,
    }
}

/// A file's name may have a `#` in it, and so may a directory's behind a space.
fn has_comment(text: &str) -> bool {
    text.contains(" # ") || text.rsplit(is_separator).next().is_some_and(|name| name.contains(" #"))
}
