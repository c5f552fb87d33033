//! Keys as rows of bytes, near their names: `keypair bytes: [183, 32, …]`, `PMK - hexdump: e4 6e …`.
//!
//! Invariant: how far a row begins from its name is bounded.

use std::ops::Range;

use super::{
    extent::NEAR_NAME,
    keys::{Nature, Secret, is_one_of},
    looked,
};

/// The first row of bytes behind `name`, if nothing near says that all may see it.
pub(super) fn bytes(text: &str, name: &Range<usize>, secret: &Secret<'_>) -> Option<Range<usize>> {
    // What is only called a key may be for all to see; and few hints are of a key.
    let is_hint =
        secret.nature == Nature::Hint && !is_one_of(&text[name.clone()], &["pmk", "wpa", "keychain"]);
    let is_other = secret.countable || ["key", "signature"].contains(&secret.rule);
    if matches!(secret.nature, Nature::Digits(_)) || is_hint || is_other {
        return None;
    }
    let near = &text[name.end..text.floor_char_boundary(name.end + NEAR_NAME)];
    let near = near.lines().next().unwrap_or_default();
    looked(near.len());
    let starts = near.bytes().enumerate().filter(|(at, byte)| {
        let before = at.checked_sub(1).map(|before| near.as_bytes()[before]);
        byte.is_ascii_alphanumeric() && before.is_none_or(|before| !before.is_ascii_alphanumeric())
    });
    let range = starts.take(MAX_WORDS).find_map(|(at, _)| row(text, name.end + at))?;
    let from = text.ceil_char_boundary(name.start.saturating_sub(NEAR_NAME));
    let is_secret =
        |text: &str| !text.split(|char: char| !char.is_alphanumeric()).any(|word| is_one_of(word, PUBLIC));
    let line = text[from..name.start].rsplit('\n').next().unwrap_or_default();
    let mut lead = line.trim_end().rsplit(' ').take(2);
    (is_secret(&text[name.end..range.start]) && lead.all(is_secret)).then_some(range)
}

/// The row of bytes at `at`, each in two hexadecimal digits, or all in decimal ones in brackets.
fn row(text: &str, at: usize) -> Option<Range<usize>> {
    let is_hex = |byte: &str| byte.len() == 2 && byte.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_decimal = |byte: &str| byte.parse::<u8>().is_ok();
    let is_list = text[..at].ends_with(['[', '(', '{']);
    [" ", ":"]
        .iter()
        .find_map(|gap| row_of(text, at, gap, is_hex))
        .or_else(|| [", ", ","].iter().filter(|_| is_list).find_map(|gap| row_of(text, at, gap, is_decimal)))
}

fn row_of(text: &str, at: usize, gap: &str, is_byte: impl Fn(&str) -> bool) -> Option<Range<usize>> {
    let (mut end, mut next, mut count) = (at, at, 0);
    loop {
        let rest = &text.as_bytes()[next..];
        let length = rest.iter().take(MAX_DIGITS).take_while(|byte| byte.is_ascii_hexdigit()).count();
        looked(length + 1);
        if length == 0 || !is_byte(&text[next..next + length]) {
            break;
        }
        (end, count) = (next + length, count + 1);
        if !text[end..].starts_with(gap) {
            break;
        }
        next = end + gap.len();
    }
    let is_whole = !text[end..].starts_with(|char: char| char.is_ascii_alphanumeric());
    (count >= MIN_BYTES && is_whole).then_some(at..end)
}

/// What anybody may see of a key, or of what it is for.
const PUBLIC: &[&str] = &[
    "public",
    "pub",
    "fingerprint",
    "thumbprint",
    "id",
    "identifier",
    "serial",
    "certificate",
    "cert",
    "sha1",
    "sha256",
    "md5",
    "hash",
    "digest",
    "checksum",
    "mac",
    "address",
    "nonce",
    "iv",
];

/// Fewer are an address, a time or a list.
const MIN_BYTES: usize = 16;

/// A byte has no more in decimal, and one more shows that it is none.
const MAX_DIGITS: usize = 4;

/// A row does not begin further away.
const MAX_WORDS: usize = 8;
