//! Which names say that their value is a secret.
//!
//! A name is judged by its words (`userPassword`, `USER_PASSWORD` and
//! `user.password` are two), never by a part of one: `author` is no `auth`.

use super::Policy;

/// What a name says about its value.
pub(super) enum Key<'a> {
    /// Somebody vouches for it.
    Safe,
    Secret(Secret<'a>),
}

/// What is behind a name that says "secret".
#[derive(Clone, Copy)]
pub(super) struct Secret<'a> {
    pub(super) rule: &'a str,
    pub(super) nature: Nature,
    /// A number behind it counts something, as behind `tokens`.
    pub(super) countable: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Nature {
    /// Whatever stands behind it is a secret, unless prose goes on.
    Strong,
    /// In prose the word means other things, too: what follows must look the part.
    Weak,
    /// Like `Strong`; it ends with the line.
    StrongLine,
    /// Like `Weak`; it ends with the line.
    WeakLine,
    /// A code with at least so many digits.
    Digits(usize),
}

impl Nature {
    pub(super) fn is_line(self) -> bool {
        matches!(self, Self::StrongLine | Self::WeakLine)
    }

    pub(super) fn is_strong(self) -> bool {
        matches!(self, Self::Strong | Self::StrongLine)
    }
}

impl Policy {
    pub(super) fn key(&self, name: &str) -> Option<Key<'_>> {
        let words = Words::of(name);
        let numbered = Words::numbered(name);
        if self.safe.iter().any(|safe| numbered.is(safe)) {
            return Some(Key::Safe);
        }
        let more = self.more.iter().find(|more| numbered.has(more) || words.has(more));
        let secret = match more {
            Some(rule) => Some(Secret { rule, nature: Strong, countable: false }),
            None => words.secret(),
        };
        secret.map(Key::Secret)
    }
}

/// The last words of a name.
pub(super) struct Words<'a> {
    words: [&'a str; MOST_WORDS],
    count: usize,
}

impl<'a> Words<'a> {
    /// Numbers are no words: `token_2` means what `token` does.
    pub(super) fn of(name: &'a str) -> Self {
        Self::split(name, |letter| matches!(letter, Letter::Upper | Letter::Lower))
    }

    /// Numbers are words, too: somebody who names `token_2` means no other.
    pub(super) fn numbered(name: &'a str) -> Self {
        Self::split(name, |letter| letter != Letter::None)
    }

    /// The words that begin with a letter as `is_word` wants it.
    fn split(name: &'a str, is_word: impl Fn(Letter) -> bool) -> Self {
        let mut words = Self { words: [""; MOST_WORDS], count: 0 };
        let name = name.get(name.ceil_char_boundary(name.len().saturating_sub(MOST_KEY_BYTES))..);
        let name = name.unwrap_or_default();
        let mut start = 0;
        let (mut before, mut last) = (Letter::None, Letter::None);
        for (at, char) in name.char_indices() {
            let letter = Letter::of(char);
            let is_break = match (last, letter) {
                // `APIKey` is two words: the second begins with its capital.
                (Letter::Upper, Letter::Lower) if before == Letter::Upper => {
                    words.push(&name[start..at - 1], &is_word);
                    start = at - 1;
                    false
                }
                (Letter::Upper, Letter::Lower) => false,
                (last, letter) => last != letter,
            };
            if is_break {
                words.push(&name[start..at], &is_word);
                start = at;
            }
            (before, last) = (last, letter);
        }
        words.push(&name[start..], &is_word);
        words
    }

    fn push(&mut self, word: &'a str, is_word: impl Fn(Letter) -> bool) {
        if !word.starts_with(|char| is_word(Letter::of(char))) {
            return;
        }
        if self.count == MOST_WORDS {
            self.words.rotate_left(1);
            self.count -= 1;
        }
        self.words[self.count] = word;
        self.count += 1;
    }

    fn all(&self) -> &[&'a str] {
        &self.words[..self.count]
    }

    /// In lower case, with `_` between.
    pub(super) fn joined(&self) -> String {
        self.all().join("_").to_lowercase()
    }

    /// Whether these are the words of `other`, all of them.
    fn is(&self, other: &str) -> bool {
        self.count == other.split('_').count() && self.has(other)
    }

    /// Whether the words of `other` are among these, one after the other.
    fn has(&self, other: &str) -> bool {
        let count = other.split('_').count();
        self.all()
            .windows(count)
            .any(|words| words.iter().zip(other.split('_')).all(|(word, other)| equal(word, other)))
    }

    fn secret(&self) -> Option<Secret<'static>> {
        let words = self.all();
        let (first, last) = (words.first()?, words.last()?);
        let neutral = words.iter().rev().take_while(|word| is_one_of(word, &NEUTRAL_ENDS)).count();
        let until = (words.len() - neutral).max(1);
        let (entry, rule, nature, at) = KEYS.iter().find_map(|&(entry, rule, nature, place)| {
            let most = words.len().checked_sub(entry.len())?;
            let at = match place {
                Anywhere => (0..=most).find(|at| matches(&words[*at..], entry)),
                End => until.checked_sub(entry.len()).filter(|at| matches(&words[*at..], entry)),
            }?;
            Some((entry, rule, nature, at))
        })?;
        if is_one_of(first, &HARMLESS_BEGINNINGS) || is_one_of(last, &HARMLESS_ENDS) {
            return None;
        }
        let is_plural = words[at + entry.len() - 1].ends_with(['s', 'S']) && !entry.concat().ends_with('s');
        // `secrets: …` goes on with a sentence more often than with secrets.
        let nature = if is_plural && nature == Strong { Weak } else { nature };
        Some(Secret { rule, nature, countable: is_plural || words.len() == 1 && entry == ["pass"] })
    }
}

/// Whether `words` begin with those of `entry`, the last of which may be plural;
/// one with a `*` may end a longer word.
fn matches(words: &[&str], entry: &[&str]) -> bool {
    let (Some((last, rest)), Some(word)) = (entry.split_last(), words.get(entry.len() - 1)) else {
        return false;
    };
    let (last, is_compound) = last.strip_prefix('*').map_or((*last, false), |last| (last, true));
    let singular = if word.len() > last.len() { word.strip_suffix(['s', 'S']).unwrap_or(word) } else { word };
    let from = if is_compound { singular.len().saturating_sub(last.len()) } else { 0 };
    singular.get(from..).is_some_and(|word| word.eq_ignore_ascii_case(last))
        && rest.iter().zip(words).all(|(entry, word)| word.eq_ignore_ascii_case(entry))
}

fn equal(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other) || (!one.is_ascii() && one.to_lowercase() == other)
}

pub(super) fn is_one_of(word: &str, list: &[&str]) -> bool {
    list.iter().any(|listed| listed.eq_ignore_ascii_case(word))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Letter {
    None,
    Lower,
    Upper,
    Digit,
}

impl Letter {
    fn of(char: char) -> Self {
        match char {
            'A'..='Z' => Self::Upper,
            '0'..='9' => Self::Digit,
            char if char.is_alphanumeric() => Self::Lower,
            _ => Self::None,
        }
    }
}

#[derive(Clone, Copy)]
enum Place {
    Anywhere,
    /// At the end of the name, but for words that mean nothing.
    End,
}

use Nature::{Digits, Strong, StrongLine, Weak, WeakLine};
use Place::{Anywhere, End};

/// Words in lower case, the rule's name, and how both are meant.
const KEYS: [(&[&str], &str, Nature, Place); 66] = [
    (&["*passphrase"], "password", StrongLine, Anywhere),
    (&["seed", "phrase"], "mnemonic", StrongLine, Anywhere),
    (&["mnemonic"], "mnemonic", StrongLine, End),
    (&["*connectionstring"], "connection_string", StrongLine, Anywhere),
    (&["connection", "string"], "connection_string", StrongLine, Anywhere),
    (&["*password"], "password", Strong, Anywhere),
    (&["*passwd"], "password", Strong, Anywhere),
    (&["passcode"], "password", Strong, Anywhere),
    (&["psk"], "password", Strong, End),
    (&["*clientsecret"], "secret", Strong, Anywhere),
    (&["*secretkey"], "secret", Strong, Anywhere),
    (&["secret"], "secret", Strong, Anywhere),
    (&["*apikey"], "api_key", Strong, Anywhere),
    (&["api", "key"], "api_key", Strong, Anywhere),
    (&["*accesskey"], "access_key", Strong, Anywhere),
    (&["access", "key"], "access_key", Strong, Anywhere),
    (&["*accountkey"], "access_key", Strong, End),
    (&["account", "key"], "access_key", Strong, End),
    (&["*privatekey"], "private_key", Strong, Anywhere),
    (&["private", "key"], "private_key", Strong, Anywhere),
    (&["signing", "key"], "private_key", Strong, Anywhere),
    (&["encryption", "key"], "private_key", Strong, Anywhere),
    (&["master", "key"], "private_key", Strong, Anywhere),
    (&["credential"], "credentials", Strong, Anywhere),
    (&["creds"], "credentials", Strong, Anywhere),
    (&["pwd"], "password", Weak, End),
    (&["*pw"], "password", Weak, End),
    (&["pass"], "password", Weak, End),
    (&["*storepass"], "password", Weak, End),
    (&["*keypass"], "password", Weak, End),
    (&["*dbpass"], "password", Weak, End),
    (&["token"], "token", Weak, End),
    (&["*authtoken"], "token", Weak, End),
    (&["*accesstoken"], "token", Weak, End),
    (&["*refreshtoken"], "token", Weak, End),
    (&["*idtoken"], "token", Weak, End),
    (&["*apitoken"], "token", Weak, End),
    (&["*csrftoken"], "token", Weak, End),
    (&["csrf"], "token", Weak, End),
    (&["xsrf"], "token", Weak, End),
    (&["auth"], "auth", Weak, End),
    (&["auth", "code"], "auth", Weak, End),
    (&["authorization", "code"], "auth", Weak, End),
    (&["authorization"], "authorization", WeakLine, End),
    (&["cookie"], "cookie", WeakLine, End),
    (&["session"], "session", Weak, End),
    (&["session", "id"], "session", Weak, End),
    (&["session", "key"], "session", Weak, End),
    (&["*sessionid"], "session", Weak, End),
    (&["*sessid"], "session", Weak, End),
    (&["jwt"], "jwt", Weak, End),
    (&["bearer"], "bearer", Weak, End),
    (&["dsn"], "connection_string", Weak, End),
    (&["signature"], "signature", Weak, End),
    (&["sig"], "signature", Weak, End),
    (&["pin"], "pin", Digits(4), End),
    (&["pin", "code"], "pin", Digits(4), End),
    (&["otp"], "otp", Digits(4), End),
    (&["totp"], "otp", Digits(4), End),
    (&["otp", "code"], "otp", Digits(4), End),
    (&["totp", "code"], "otp", Digits(4), End),
    (&["mfa", "code"], "otp", Digits(4), End),
    (&["cvv"], "cvv", Digits(3), End),
    (&["cvc"], "cvv", Digits(3), End),
    (&["ssn"], "ssn", Digits(4), End),
    (&["iban"], "iban", Digits(10), End),
];

/// A name with one of these last tells something about a secret.
#[rustfmt::skip]
const HARMLESS_ENDS: [&str; 92] = [
    "age", "alg", "algorithm", "arn", "at", "attempt", "attempts", "changed", "check", "column", "count",
    "created", "dir", "directory", "disabled", "duration", "enabled", "encoding", "endpoint", "error",
    "errors", "exists", "expired", "expires", "expiry", "expiration", "field", "file", "filename", "format",
    "header", "hint", "host", "in", "index", "invalid", "issuer", "kind", "label", "left", "len", "length",
    "limit", "manager", "match", "max", "method", "min", "mismatch", "missing", "mode", "ms", "name", "names",
    "ok", "owner", "path", "policy", "port", "position", "prefix", "present", "prompt", "provider", "ref",
    "remaining", "required", "rotation", "row", "scheme", "scope", "score", "seconds", "secs", "service",
    "size", "source", "state", "status", "store", "strength", "table", "timeout", "title", "ttl", "type",
    "updated", "uri", "url", "used", "user", "version",
];

const HARMLESS_BEGINNINGS: [&str; 8] = ["has", "is", "max", "min", "needs", "num", "requires", "total"];

/// A name may go on with these and still mean the same.
#[rustfmt::skip]
pub(super) const NEUTRAL_ENDS: [&str; 15] = [
    "bytes", "current", "data", "hash", "hex", "new", "old", "plain", "plaintext", "previous", "raw", "str",
    "string", "text", "value",
];

const MOST_WORDS: usize = 8;

/// The longest name that is looked at; of a longer one, its end is.
pub(super) const MOST_KEY_BYTES: usize = 64;
