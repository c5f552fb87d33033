//! Secrets that are known by what they look like: an issuer's tokens (`issuers`),
//! numbers of cards, web tokens, hashes of passwords, blocks of keys.

use std::ops::Range;

use base64::prelude::{BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD, Engine};

use super::{
    blocks::block,
    card,
    clean::Found,
    codes, entropy,
    issuers::{INFIXES, ISSUERS, Shape},
    looked,
};
use crate::host::fork::Lazy;

/// The first secret in `run`, or that begins with it; the text ends at `end`, where
/// it may have been cut.
pub(super) fn first(text: &str, run: &Range<usize>, end: usize) -> Option<Found<'static>> {
    let bytes = text.as_bytes();
    let found = |rule, range: Option<_>| Some(Found { range: range?, rule });
    let until = |end: Option<usize>| Some(run.start..end?);
    let known = match bytes[run.start] {
        b'$' | b'{' => return hashed(text, run.start),
        b'W' if text[run.start..].starts_with("WIFI:") => return wifi(text, run.start),
        b'-' | b'P' => found("private_key", block(text, run.start)),
        b'G' if text[run.clone()].starts_with("G-") => {
            found("otp", codes::first(text, &(run.start + 2..run.end)))
        }
        b'0'..=b'9' => found(card::RULE, until(card::end(text, run.start)))
            .or_else(|| found("ssn", until(card::ssn_end(text, run.start))))
            .or_else(|| found("otp", codes::first(text, run))),
        _ => None,
    };
    let known = known.or_else(|| found("otp", codes::groups(text, run)));
    let iban = || found("iban", until(card::iban_end(text, run.start)));
    let known = known.or_else(|| bytes[run.start].is_ascii_uppercase().then(iban).flatten());
    if known.is_some() {
        return known;
    }
    let is_start = |at: &usize| {
        text.is_char_boundary(*at)
            && at.checked_sub(1).is_none_or(|before| !bytes[before].is_ascii_alphanumeric())
    };
    let is_long = run.len() >= MIN_TOKEN
        || bytes.get(run.end).is_some_and(|byte| b"/:~$|".contains(byte))
        || run.end >= end;
    let token = || run.clone().filter(|at| is_long && is_start(at)).find_map(|at| token(text, at, end));
    token()
        .or_else(|| is_long.then(|| infix(text, run)).flatten())
        .or_else(|| scheme(text, run))
        .or_else(|| Some(Found { range: entropy::first(text, run)?, rule: "token" }))
        .or_else(|| beside_key_id(text, run))
}

/// What begins at `at` as an issuer's tokens do.
fn token(text: &str, at: usize, end: usize) -> Option<Found<'static>> {
    let bytes = text.as_bytes();
    let rest = &text[at..];
    let is_cut = end <= text.len();
    if rest.starts_with("eyJ")
        && at.checked_sub(1).is_none_or(|before| !is_base64(bytes[before]))
        && let Some(length) = jwt(rest, is_cut)
    {
        return Some(Found { range: at..at + length, rule: "jwt" });
    }
    let (first, second) = (bytes[at], bytes.get(at + 1).copied().unwrap_or_default());
    let mut known = [slot(first, second), slot(first, 0)].into_iter().flat_map(|slot| &STARTS[slot]);
    known.find_map(|&(rule, shape)| {
        let Shape { prefix, alphabet, least, most } = shape;
        let body = rest.strip_prefix(prefix)?;
        let length = body.bytes().take(most.saturating_add(1)).take_while(|byte| alphabet.has(*byte)).count();
        looked(length);
        let until = at + prefix.len() + length;
        // Of one that was cut at the end, less is left.
        let is_whole = (least..=most).contains(&length)
            || is_cut && until >= end && length > 0 && prefix.len() + length >= MIN_CUT;
        let body = body.get(..length).filter(|_| is_whole)?;
        // A short prefix begins names, too.
        let count = |is: fn(&u8) -> bool| body.bytes().filter(&is).count();
        let is_mixed =
            count(u8::is_ascii_digit) > 0 && (count(u8::is_ascii_uppercase) > 0 || alphabet.has_one_case());
        let is_inside = |byte: Option<&u8>| byte.is_some_and(|byte| matches!(byte, b'+' | b'/' | b'='));
        let is_part = AMBIGUOUS.contains(&prefix)
            && (is_inside(at.checked_sub(1).and_then(|at| bytes.get(at))) || is_inside(bytes.get(until)));
        let is_token = !is_part
            && (is_mixed || !AMBIGUOUS.contains(&prefix))
            && !bytes.get(until).is_some_and(u8::is_ascii_alphanumeric);
        is_token.then_some(Found { range: at..until, rule })
    })
}

/// The password in what a phone scans to join a network.
fn wifi(text: &str, at: usize) -> Option<Found<'static>> {
    let near = &text[at..text.floor_char_boundary(at + 256)];
    let start = near.find(";P:")? + 3;
    let length = near[start..].find(';').unwrap_or(near.len() - start);
    looked(start + length);
    Some(Found { range: at + start..at + start + length, rule: "password" })
}

/// Where the two letters that a token begins with are in the table.
fn slot(first: u8, second: u8) -> usize {
    (usize::from(first) * 61 + usize::from(second)) % START_SLOTS
}

/// The shapes of all issuers' tokens, with their rules, by how they begin.
static STARTS: Lazy<Vec<Vec<(&str, Shape)>>> = Lazy::new(|| {
    let mut starts = vec![Vec::new(); START_SLOTS];
    for issuer in ISSUERS {
        for shape in issuer.shapes {
            let prefix = shape.prefix.as_bytes();
            starts[slot(prefix[0], prefix.get(1).copied().unwrap_or_default())].push((issuer.rule, *shape));
        }
    }
    starts
});

const START_SLOTS: usize = 1024;

/// A token whose mark is in its middle.
fn infix(text: &str, run: &Range<usize>) -> Option<Found<'static>> {
    let bytes = text.as_bytes();
    let whole = bytes.get(run.start..run.start + MIN_INFIX)?;
    if !whole.iter().all(|byte| byte.is_ascii_graphic() && *byte != b'"') {
        return None;
    }
    let near = &text[run.start..text.floor_char_boundary(run.end + 16)];
    looked(near.len());
    INFIXES.iter().find_map(|&(infix, (before, first), (alphabet, least, most), rule)| {
        let mark = infix.as_bytes();
        let at = run.start
            + near
                .bytes()
                .enumerate()
                .position(|(at, byte)| byte == mark[0] && near[at..].starts_with(infix))?;
        let start = at - bytes[run.start..at].iter().rev().take_while(|byte| before.has(**byte)).count();
        let length = bytes[at + infix.len()..]
            .iter()
            .take(most.saturating_add(1))
            .take_while(|byte| alphabet.has(**byte))
            .count();
        looked(at - start + length);
        (at - start >= first && (least..=most).contains(&length))
            .then_some(Found { range: start..at + infix.len() + length, rule })
    })
}

/// The credentials behind the name of a scheme: `Bearer …`, `Basic …`.
fn scheme(text: &str, run: &Range<usize>) -> Option<Found<'static>> {
    let range = scheme_token(text, run.start)?;
    let rule = if text.as_bytes()[run.start].eq_ignore_ascii_case(&b'b') && run.len() == "basic".len() {
        "basic"
    } else {
        "bearer"
    };
    Some(Found { range, rule })
}

/// The secret half of a pair whose other half is an access key's id, or what is left
/// of it.
fn beside_key_id(text: &str, run: &Range<usize>) -> Option<Found<'static>> {
    let near = &text[text.ceil_char_boundary(run.start.saturating_sub(NEAR_PAIR))..run.start];
    looked(1);
    let is_start = !text[..run.start].ends_with(['/', '+', '=']);
    let length = text.as_bytes()[run.start..]
        .iter()
        .take(MAX_PAIR)
        .take_while(|byte| byte.is_ascii_alphanumeric() || b"/+".contains(byte))
        .count();
    if !(MIN_PAIR..MAX_PAIR).contains(&length) || !is_start {
        return None;
    }
    let half = &text[run.start..run.start + length];
    let has = |is: fn(&u8) -> bool| half.bytes().any(|byte| is(&byte));
    let is_random = has(u8::is_ascii_digit) && has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase);
    looked(length + near.len());
    let is_pair =
        ["AKIA", "ASIA", "[redacted:aws]", "[redacted:credentials]"].iter().any(|id| near.contains(id));
    (is_random && is_pair).then_some(Found { range: run.start..run.start + length, rule: "access_key" })
}

/// The length of the JSON Web Token that `text` begins with.
fn jwt(text: &str, is_cut: bool) -> Option<usize> {
    let part = |from: usize| {
        let length = text.bytes().skip(from).take_while(|byte| is_base64(*byte)).count();
        looked(length);
        length
    };
    let mut end = part(0);
    let mut parts = 1;
    while text.as_bytes().get(end) == Some(&b'.') && parts < MAX_JWT_PARTS {
        let length = part(end + 1);
        let is_claims =
            text[end + 1..].starts_with("eyJ") || length >= 16 || is_cut && end + 1 + length == text.len();
        if parts == 1 && !is_claims {
            return None;
        }
        end += 1 + length;
        parts += 1;
    }
    (parts > 1 || is_cut && end == text.len() && end >= MIN_CUT).then_some(end)
}

/// The credentials behind the name of the scheme, `Bearer` or `Basic`, at `at`.
pub(super) fn scheme_token(text: &str, at: usize) -> Option<Range<usize>> {
    let after = |name: &str| {
        let found = text.get(at..at + name.len())?;
        found.eq_ignore_ascii_case(name).then(|| &text[at + name.len()..])?.strip_prefix(' ')
    };
    if !matches!(text.as_bytes().get(at), Some(b'b' | b'B' | b'n' | b'N')) {
        return None;
    }
    let basic = after("basic");
    let rest = basic.or_else(|| after("bearer")).or_else(|| after("negotiate")).or_else(|| after("ntlm"))?;
    let token = rest.trim_start_matches(' ');
    let is_body = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(byte);
    let body = token.bytes().take_while(is_body).count();
    looked(rest.len() - token.len() + body);
    let padding = token.bytes().skip(body).take(3).take_while(|byte| *byte == b'=').count();
    let length = body + padding;
    let is_parameter = padding > 0
        && !token[length..].is_empty()
        && !token[length..].starts_with([' ', '"', '\'', '\n', ',', ')', '\\', ';', '`', '}', ']', '<', '&']);
    let has = |of: fn(&u8) -> bool| token.bytes().take(body).skip(1).any(|byte| of(&byte));
    let is_secret = if basic.is_some() {
        let mixed = has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase);
        body >= 6 && length % 4 == 0 && (padding > 0 || mixed || has(u8::is_ascii_digit))
    } else {
        body >= 20 && has(u8::is_ascii_digit)
            || body >= 30
            || body >= 8 && has(u8::is_ascii_digit) && !token[..body].contains('.')
    };
    let start = text.len() - token.len();
    (is_secret && !is_parameter).then_some(start..start + length)
}

/// The hash of a password that begins at `at`: `$2b$12$…`, `{SSHA}…`.
fn hashed(text: &str, at: usize) -> Option<Found<'static>> {
    let rest = &text[at..];
    let scheme = HASHES.iter().find(|scheme| rest.starts_with(**scheme))?;
    let is_body = |byte: &u8| byte.is_ascii_alphanumeric() || b"./+=$,_-".contains(byte);
    let length = rest.bytes().skip(scheme.len()).take_while(is_body).count();
    looked(length);
    (length >= MIN_HASH).then_some(Found { range: at..at + scheme.len() + length, rule: "password" })
}

/// What `run` stands for, if it is base64 of a text.
pub(super) fn from_base64(run: &str) -> Option<String> {
    let is_url = run.contains(['-', '_']);
    let bytes =
        if is_url { BASE64_URL_SAFE_NO_PAD.decode(run) } else { BASE64_STANDARD_NO_PAD.decode(run) }.ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let is_text = |char: char| !char.is_control() || char.is_whitespace();
    text.chars().all(is_text).then_some(text)
}

/// The letters of base64, also in URLs.
pub(super) fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

/// How hashes of passwords begin.
#[rustfmt::skip]
const HASHES: &[&str] = &[
    "$2a$", "$2b$", "$2y$", "$2x$", "$1$", "$5$", "$6$", "$y$", "$7$", "$apr1$", "$argon2i$", "$argon2d$", "$argon2id$", "$scrypt$", "$pbkdf2", "$P$", "$H$", "$S$", "$sha1$", "$bcrypt-sha256$", "$8$", "$9$",
    "{SSHA}", "{SHA}", "{SMD5}", "{MD5}", "{SSHA256}", "{SSHA512}", "{SHA256}", "{CRYPT}", "{PBKDF2", "{BLF-CRYPT}", "{ARGON2",
];

const MIN_HASH: usize = 16;

/// No token of an issuer is shorter, nor the name of a host that has one behind.
const MIN_TOKEN: usize = 11;

/// Less than that is left of no token that is worth it.
const MIN_CUT: usize = 6;

/// So long is every token with a mark in it.
const MIN_INFIX: usize = 24;

/// An encrypted one has five.
const MAX_JWT_PARTS: usize = 5;

/// How far behind an access key's id its other half is, and how long that is.
const NEAR_PAIR: usize = 160;
const MIN_PAIR: usize = 40;
const MAX_PAIR: usize = 64;

/// What also begins other names: behind these there is a digit and a capital.
const AMBIGUOUS: &[&str] = &[
    "sk-", "pk_", "re_", "A3-", "t1.", "fc-", "s.", "b.", "6L", "SCW", "pub", "pat", "secret_", "key-",
    "sk_", "at_", "live_", "test_", "00", "ops_", "EAAA", "cio", "fw_", "r8_", "K", "L", "5H", "5J", "5K",
];
