//! A credential that cannot be shown by accident.
//!
//! Invariant: the text leaves only through [`Secret::expose`], which only the
//! providers call, and only to authenticate a request.

use std::fmt;

/// A credential; `Debug` and `Display` never show it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(String);

impl Secret {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Gives the text itself, for the `Authorization` of a request.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }

    /// True if there is nothing in it but white space.
    pub(crate) fn is_blank(&self) -> bool {
        self.0.trim().is_empty()
    }

    /// Removes the credential from `text`, should a provider echo it.
    pub(crate) fn redact(&self, text: &str) -> String {
        if self.is_blank() {
            return text.to_owned();
        }
        text.replace(&self.0, "[redacted]")
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_does_not_show_it() {
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "Secret([redacted])");
    }

    #[test]
    fn an_echo_is_redacted() {
        assert_eq!(Secret::new("hunter2").redact("key hunter2 is bad"), "key [redacted] is bad");
        assert_eq!(Secret::new("").redact("as it is"), "as it is");
    }
}
