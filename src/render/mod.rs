//! A [`Notice`] becomes the texts of a message.
//!
//! Invariant: pure; no clock, no randomness, no I/O.

use crate::notice::Notice;

/// The texts of one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rendered {
    pub(crate) short: String,
    pub(crate) subject: String,
    pub(crate) text: String,
    pub(crate) html: String,
}

/// Renders all texts of `notice`.
pub(crate) fn render(notice: &Notice) -> Rendered {
    let text = format!("{notice:?}");
    Rendered { short: text.clone(), subject: text.clone(), text: text.clone(), html: text }
}
