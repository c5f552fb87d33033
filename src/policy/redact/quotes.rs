//! What encloses a text: quotes of any kind, doubled, tripled or escaped, and
//! brackets.
//!
//! Invariant: what is opened and not closed ends with the text, which may be cut.

use super::{extent::NEAR_BYTES, looked};

/// A quote in a text, escaped as often as its backslashes say; or three of them.
pub(super) struct Quote {
    pub(super) char: u8,
    pub(super) backslashes: usize,
    is_triple: bool,
    pub(super) end: usize,
}

/// The quote at `at`, or behind the letters that say what it encloses: `b"…"`.
pub(super) fn prefixed_quote(text: &str, at: usize) -> Option<Quote> {
    let bytes = text.as_bytes();
    let length = PREFIXES
        .iter()
        .find(|prefix| bytes[at..].starts_with(prefix.as_bytes()))
        .map_or(0, |prefix| prefix.len());
    quote(text, at).or_else(|| quote(text, at + length))
}

/// The quote that stands at `at`.
pub(super) fn quote(text: &str, at: usize) -> Option<Quote> {
    let rest = text.as_bytes().get(at..)?;
    let backslashes = rest.iter().take(MAX_BACKSLASHES).take_while(|byte| **byte == b'\\').count();
    looked(backslashes + 1);
    let char = *rest.get(backslashes).filter(|byte| matches!(byte, b'"' | b'\'' | b'`'))?;
    let same = |at: usize| {
        rest[at..].iter().take(backslashes).all(|byte| *byte == b'\\')
            && rest.get(at + backslashes) == Some(&char)
    };
    let length = backslashes + 1;
    let is_triple = rest.len() >= 3 * length && same(length) && same(2 * length);
    Some(Quote { char, backslashes, is_triple, end: at + if is_triple { 3 * length } else { length } })
}

/// Where the text in `quote` ends; one that is cut ends with the text.
pub(super) fn quoted_end(text: &str, quote: &Quote) -> usize {
    let bytes = text.as_bytes();
    let (mut backslashes, mut at) = (0, quote.end);
    while let Some(byte) = bytes.get(at) {
        looked(1);
        // In C and in prose, what a backtick opens an apostrophe closes.
        let is_same = *byte == quote.char || *byte == b'\'' && quote.char == b'`';
        // A quote inside is escaped once more, and so are its backslashes.
        if is_same && backslashes % (2 * (quote.backslashes + 1)) == quote.backslashes {
            // So a shell's text goes on behind a quote that is none of its own.
            let piece = ["'\\''", "'\"'\"'"]
                .iter()
                .find(|piece| *byte == b'\'' && bytes[at..].starts_with(piece.as_bytes()));
            if let Some(piece) = piece {
                at += piece.len();
                continue;
            }
            let count = bytes[at..].iter().take(3).take_while(|same| *same == byte).count();
            let after = bytes.get(at + 1);
            let is_letter = after
                .is_some_and(|byte| byte.is_ascii_alphanumeric() || !byte.is_ascii() && quote.char != b'`');
            // A quote is doubled inside a text, or an apostrophe in a word.
            let is_inside = match count {
                1 => is_letter && quote.backslashes == 0 && *byte != b'"' && !quote.is_triple,
                2 => {
                    quote.backslashes == 0
                        && bytes.get(at + 2).is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b' ')
                }
                _ => false,
            };
            if !is_inside
                && (!quote.is_triple
                    || count == 3
                    || quote.backslashes > 0 && bytes.get(at + 1) == Some(&b'\\'))
            {
                return at - quote.backslashes;
            }
            at += count.min(2);
            backslashes = 0;
            continue;
        }
        backslashes = if *byte == b'\\' { backslashes + 1 } else { 0 };
        at += 1;
    }
    text.len()
}

/// Where what is in the bracket at `open` ends, with it; what is cut ends with
/// the text.
pub(super) fn wrapped_end(text: &str, open: usize) -> usize {
    let bytes = text.as_bytes();
    let (mut at, mut depth) = (open, 0_usize);
    while let Some(byte) = bytes.get(at) {
        looked(1);
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            b'"' | b'\\' | b'\'' => match quote(text, at) {
                Some(quote)
                    if quote.char == b'"'
                        || quote.char == b'\'' && !bytes[at - 1].is_ascii_alphanumeric() =>
                {
                    at = quoted_end(text, &quote) + quote.backslashes;
                }
                Some(quote) => at = quote.end - 1,
                None => at = after_backslashes(bytes, at).max(at + 1) - 1,
            },
            _ => (),
        }
        at += 1;
        if depth == 0 {
            return at.min(text.len());
        }
    }
    text.len()
}

pub(super) fn after_backslashes(bytes: &[u8], at: usize) -> usize {
    at + bytes[at..].iter().take_while(|byte| **byte == b'\\').count()
}

/// How much of `bytes` is white space, and breaks of lines that are escaped.
pub(super) fn blanks(bytes: &[u8]) -> usize {
    let bytes = &bytes[..bytes.len().min(NEAR_BYTES)];
    let mut at = 0;
    loop {
        let spaces = bytes[at..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        looked(spaces);
        at += spaces;
        let after = after_backslashes(bytes, at);
        looked(after - at);
        if after == at || !matches!(bytes.get(after), Some(b'n' | b't' | b'r')) {
            return at;
        }
        at = after + 1;
    }
}

/// What stands before a quote and says how what is in it is written.
const PREFIXES: &[&str] =
    &["br#", "b", "r#", "rb", "r", "f", "u8", "u", "L", "@", "$", "&", "c", "N", "E", "s", "~r"];

/// More are no escaped quote.
const MAX_BACKSLASHES: usize = 64;
