//! A credential that cannot be shown by accident.
//!
//! Invariant: the text leaves only through [`Secret::expose`], which only the
//! providers and the settings of a fleet's store call, and only to authenticate.

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

    /// How long it is, in bytes.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// `text` with `instead` wherever the credential is; none if it is nowhere.
    /// It is also found where some of it is percent-encoded, or escaped with a
    /// backslash.
    pub(crate) fn replaced(&self, text: &str, instead: &str) -> Option<String> {
        let first = self.0.chars().next().filter(|_| !self.is_blank())?;
        let is_plain = !text.as_bytes().contains(&b'%') && !text.as_bytes().contains(&b'\\');
        if is_plain && !text.contains(&self.0) {
            return None;
        }
        let (mut clean, mut done, mut at) = (String::new(), 0, 0);
        while let Some(more) = text[at..].find([first, '%', '\\']) {
            at += more;
            match self.length_in(&text[at..]) {
                Some(length) => {
                    clean.push_str(&text[done..at]);
                    clean.push_str(instead);
                    at += length;
                    done = at;
                }
                None => at += text[at..].chars().next().map_or(1, char::len_utf8),
            }
        }
        (done > 0).then(|| clean + &text[done..])
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
        let clean = |secret: &str, text: &str| Secret::new(secret).replaced(text, "[redacted]");
        assert_eq!(clean("hunter2", "key hunter2 is bad").unwrap(), "key [redacted] is bad");
        assert_eq!(clean("hunter2", "hunter2hunter2").unwrap(), "[redacted][redacted]");
        assert_eq!(clean("hunter2", "hunter, 2 of %"), None);
        assert_eq!(clean("", "as it is"), None);
    }

    #[test]
    fn an_echo_in_another_spelling_is_redacted() {
        let secret = Secret::new("a+b/c=é");
        for echo in ["a+b/c=é", "a%2Bb%2Fc%3D%C3%A9", "%61%2bb%2fc%3dé", r"a+b\/c=é"] {
            let text = format!("ä {echo}{echo} %2");
            assert_eq!(secret.replaced(&text, "[redacted]").unwrap(), "ä [redacted][redacted] %2");
        }
        for other in ["a+b/c", "a%2Bb%2", "a%+Bb/c=é", "a%2", "%"] {
            assert_eq!(secret.replaced(other, "[redacted]"), None);
        }
    }
}
