//! [`Attachment`]: what a mail had no room for.
//!
//! Invariant: what is sent is clean, bounded, and has a harmless name.

use super::{clean, words};

/// A file of plain text that comes with a mail.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Attachment {
    /// Like `alert-7K3Q.txt`.
    pub name: String,
    /// What is in it.
    pub text: String,
}

impl Attachment {
    /// A file of that name, of which only ASCII letters and digits, dots and dashes
    /// are kept. No more than 256 KiB of `text` are sent.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self { name: name.into(), text: text.into() }
    }

    /// As it may be sent; none if there is nothing in it.
    pub(super) fn checked(&self) -> Option<Self> {
        let name = name(&self.name);
        let name = if name.is_empty() { "alert.txt".to_owned() } else { name };
        let mut text = clean::block(&self.text, self.text.len().min(MAX_BYTES + 1));
        if text.len() > MAX_BYTES {
            text.truncate(text.floor_char_boundary(MAX_BYTES - words::CUT.len()));
            text.push_str(words::CUT);
        }
        (!text.is_empty()).then_some(Self { name, text })
    }
}

/// What is fit for the name of a file, of `text`.
pub(super) fn name(text: &str) -> String {
    let is_fit = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    text.chars().filter(is_fit).take(MAX_NAME_CHARS).collect()
}

/// No more of it is sent.
pub(super) const MAX_BYTES: usize = 256 * 1024;

const MAX_NAME_CHARS: usize = 40;
