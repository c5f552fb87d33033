//! Texts that are cut at a limit.

/// What is kept of a text that is longer than `limit` bytes: up to a character's end.
/// None if all of it is.
pub(crate) fn part(text: &str, limit: usize) -> Option<&str> {
    (text.len() > limit).then(|| text.get(..text.floor_char_boundary(limit)).unwrap_or_default())
}

/// `text`, cut to at most `limit` bytes, and marked.
pub(crate) fn cut(text: &str, limit: usize) -> String {
    part(text, limit).map_or_else(|| text.to_owned(), |part| format!("{part}{MARK}"))
}

/// A name that the program makes up while it runs, cut as [`cut`] does.
pub(crate) fn short(name: &str) -> String {
    cut(name, MAX_NAME_BYTES)
}

/// Ends a text or a chain that was cut, and stands for what is not kept.
pub(crate) const MARK: &str = "…[cut]";

/// The longest name of a thread, or target of a `log` record.
const MAX_NAME_BYTES: usize = 1024;
