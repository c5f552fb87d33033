//! Codes of a few digits, which are sent to somebody and let them in: known by the words
//! near by, in either order.

use std::ops::Range;

use super::{keys::is_one_of, looked};

/// The code that `run` is, if its line says so.
pub(super) fn first(text: &str, run: &Range<usize>) -> Option<Range<usize>> {
    let mut code = text[run.clone()].trim_end_matches(['.', '-']);
    // `731 204`
    if code.len() == 3 && text[run.end..].starts_with(' ') {
        let half =
            text.get(run.end + 1..run.end + 4).filter(|half| half.bytes().all(|byte| byte.is_ascii_digit()));
        code = half.map_or(code, |_| &text[run.start..run.end + 4]);
    }
    let digits = code.bytes().filter(u8::is_ascii_digit).count();
    let is_code = (4..=8).contains(&digits)
        && (digits == code.len() || digits + 1 == code.len() && code.contains(['-', ' ']));
    let is_part = |byte: Option<u8>| {
        byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || b"./:#+$-_=@%".contains(&byte))
    };
    let (before, after) = (&text[..run.start], &text[run.start + code.len()..]);
    let is_inside = is_part(before.bytes().next_back()) && !before.ends_with("G-")
        || is_part(after.bytes().next()) && !after.starts_with(". ") && !matches!(after, "." | "-" | ":");
    if !is_code || is_inside {
        return None;
    }
    let before = &before[before.ceil_char_boundary(before.len().saturating_sub(NEAR_BYTES))..];
    let after = &after[..after.floor_char_boundary(NEAR_BYTES)];
    looked(before.len() + after.len());
    let before = before.rsplit('\n').next().unwrap_or_default();
    let after = after.split('\n').next().unwrap_or_default();
    let words = |text: &str, count: usize, is_back: bool| {
        let trim = |word: &str| word.trim_matches(|char: char| !char.is_alphanumeric()).to_lowercase();
        let mut words: Vec<String> =
            text.split_whitespace().map(trim).filter(|word| !word.is_empty()).collect();
        if is_back {
            words.reverse();
        }
        words.truncate(count);
        words
    };
    let (last, next) = (words(before, 1, true), words(after, 2, false));
    let is_led =
        last.iter().any(|word| is_one_of(word, LEADS)) || next.iter().any(|word| is_one_of(word, FOLLOWS));
    let is_used = last.iter().any(|word| is_one_of(word, &["use", "enter", "code"]))
        && next.first().is_some_and(|word| word == "to")
        && next.iter().any(|word| is_one_of(word, &["log", "login", "sign", "verify", "confirm", "reset"]));
    let near: Vec<String> = words(before, 12, true).into_iter().chain(words(after, 12, false)).collect();
    let is_told = near.iter().any(|word| is_one_of(word, CODES))
        || near.windows(2).any(|two| {
            let is = |code: &str, kind: &str| is_one_of(code, &["code", "codes"]) && is_one_of(kind, KINDS);
            is(&two[0], &two[1]) || is(&two[1], &two[0])
        });
    (is_used || is_led && is_told).then(|| run.start..run.start + code.len())
}

/// The seed of codes that begins with `run`, in groups of four letters of base32 as it is
/// shown to be typed.
pub(super) fn groups(text: &str, run: &Range<usize>) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let group = |at: usize| {
        let group = bytes.get(at..at + 4)?;
        let is_group = group.iter().all(|byte| byte.is_ascii_alphabetic() || (b'2'..=b'7').contains(byte));
        (is_group && bytes.get(at + 4).is_none_or(|byte| !byte.is_ascii_alphanumeric())).then_some(group)
    };
    let (mut end, mut count, mut digits) = (run.start, 0, 0);
    let separator = *bytes.get(run.start + 4).filter(|byte| [b' ', b'-'].contains(byte))?;
    while let Some(group) = group(if count == 0 { end } else { end + 1 })
        .filter(|_| count == 0 || count < MAX_GROUPS && bytes[end] == separator)
    {
        digits += group.iter().filter(|byte| byte.is_ascii_digit()).count();
        end += if count == 0 { 4 } else { 5 };
        count += 1;
        looked(4);
    }
    let near = &text[text.ceil_char_boundary(run.start.saturating_sub(NEAR_BYTES))..run.start];
    let is_told = || near.split(|char: char| !char.is_alphanumeric()).any(|word| is_one_of(word, SEEDS));
    (count >= 4 && digits >= 2 && is_told()).then_some(run.start..end)
}

/// What the seed of codes is called.
const SEEDS: &[&str] =
    &["key", "secret", "code", "setup", "scan", "totp", "2fa", "mfa", "authenticator", "seed", "token"];

/// What stands right before a code, or right behind it.
const LEADS: &[&str] = &[
    "is",
    "are",
    "code",
    "codes",
    "lautet",
    "est",
    "es",
    "use",
    "enter",
    "هو",
    "otp",
    "tan",
    "passcode",
    "ist",
    "ओटीपी",
    "kod",
    "codigo",
    "código",
    "and",
];
const FOLLOWS: &[&str] = &["is", "was", "है", "ist", "est"];

/// What a code is called, and how it is called one.
const CODES: &[&str] = &["otp", "passcode", "tan", "ओटीपी", "التحقق", "totp", "2fa", "mfa"];
const KINDS: &[&str] = &[
    "your",
    "verification",
    "login",
    "security",
    "backup",
    "recovery",
    "scratch",
    "sms",
    "example",
    "one-time",
    "time",
    "confirmation",
    "access",
    "reset",
    "ihr",
    "dein",
    "votre",
    "tu",
    "su",
    "gate",
    "door",
];

/// Longer seeds are not shown in groups.
const MAX_GROUPS: usize = 16;

const NEAR_BYTES: usize = 64;
