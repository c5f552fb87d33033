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

    /// Removes the credential from `text`, should a provider echo it; also where
    /// some of it is percent-encoded, or escaped with a backslash.
    pub(crate) fn redact(&self, text: &str) -> String {
        if self.is_blank() {
            return text.to_owned();
        }
        let (mut kept, mut rest) = (String::with_capacity(text.len()), text);
        while let Some(first) = rest.chars().next() {
            match self.length_in(rest) {
                Some(length) => {
                    kept.push_str("[redacted]");
                    rest = &rest[length..];
                }
                None => {
                    kept.push(first);
                    rest = &rest[first.len_utf8()..];
                }
            }
        }
        kept
    }

    /// How many bytes at the beginning of `text` spell the credential.
    fn length_in(&self, text: &str) -> Option<usize> {
        let mut rest = text;
        for c in self.0.chars() {
            let plain = rest.strip_prefix(c).or_else(|| rest.strip_prefix('\\')?.strip_prefix(c));
            rest = plain.or_else(|| strip_encoded(rest, c))?;
        }
        Some(text.len() - rest.len())
    }
}

/// What follows `c` in a text that begins with it, percent-encoded.
fn strip_encoded(text: &str, c: char) -> Option<&str> {
    let mut bytes = [0; 4];
    let mut rest = text;
    for byte in c.encode_utf8(&mut bytes).bytes() {
        let (hex, after) = rest.strip_prefix('%')?.split_at_checked(2)?;
        if u8::from_str_radix(hex, 16) != Ok(byte) {
            return None;
        }
        rest = after;
    }
    Some(rest)
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

    #[test]
    fn an_echo_in_another_spelling_is_redacted() {
        let secret = Secret::new("a+b/c=é");
        for echo in ["a+b/c=é", "a%2Bb%2Fc%3D%C3%A9", "%61%2bb%2fc%3dé", r"a+b\/c=é"] {
            assert_eq!(secret.redact(&format!("ä {echo}{echo} %2")), "ä [redacted][redacted] %2");
        }
        for other in ["a+b/c", "a%2Bb%2", "a%+Bb/c=é", "a%2", "%"] {
            assert_eq!(secret.redact(other), other);
        }
    }
}
