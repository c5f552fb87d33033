//! Tokens of nobody in particular, known by nothing but how random they are; those
//! that other things look like, too, by a word near them.

use std::ops::Range;

use super::{chance, keys::is_one_of, looked, shapes, vocabulary::FILES};

/// The token that begins with `run`.
pub(super) fn first(text: &str, run: &Range<usize>) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let is_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"_.+/~-".contains(byte);
    // A compiler's names begin so.
    let is_mangled = matches!(bytes[run.start], b'Z' | b'R');
    let outer = if is_mangled { &text[..run.start] } else { text[..run.start].trim_end_matches('_') };
    let before = outer.bytes().next_back().unwrap_or(b' ');
    let is_scheme = before == b':' && run.start >= 2 && bytes[run.start - 2].is_ascii_alphanumeric();
    let shortest = bytes.get(run.start..run.start + SHORTEST)?;
    if b"+/~@#%_-.$\\".contains(&before) || is_scheme || !shortest.iter().all(is_token) {
        return None;
    }
    let length = bytes[run.start..].iter().take(MAX_BYTES).take_while(|byte| is_token(byte)).count();
    let padding = bytes[run.start + length..].iter().take(3).take_while(|byte| **byte == b'=').count();
    looked(length);
    let whole = text[run.start..run.start + length].trim_end_matches(['.', ':', '-', '/']);
    // The name of something, and base64 of a text or of a file.
    if padding == 1 && bytes.get(run.start + length + 1).is_some_and(u8::is_ascii_alphanumeric)
        || shapes::from_base64(whole).is_some()
        || is_in_block(&text[..run.start])
    {
        return None;
    }
    let is_file = whole.rsplit_once('.').is_some_and(|(_, end)| is_one_of(end, FILES));
    let is_address = whole.len() == 42 && whole.starts_with("0x");
    if is_address
        || whole.contains("//")
        || whole.contains("::")
        || whole.contains("/0x")
        || whole.contains("abcdefgh")
        || is_file
        || begins_public(whole)
    {
        return None;
    }
    let kind = kind(whole)?;
    // No number by chance has so many of one digit in a row.
    let is_zeros = whole.as_bytes().windows(8).any(|row| row.iter().all(|byte| *byte == row[0]));
    if is_zeros {
        return None;
    }
    let from = text.ceil_char_boundary(run.start.saturating_sub(NEAR_BYTES));
    let line = text[from..run.start].rsplit('\n').next().unwrap_or_default();
    let is_it = match kind {
        Kind::Random => !is_introduced(line),
        Kind::Plain if b"[{".contains(&before) => false,
        Kind::Plain | Kind::Marked => {
            let end = run.start + whole.len();
            let after = &text[end..text.floor_char_boundary(end + NEAR_BYTES)];
            let after = after.split('\n').next().unwrap_or_default();
            let is_other = is_introduced(line) || is_public(line) || is_public(after);
            !is_other && (matches!(kind, Kind::Marked) || has_telling(line) || has_telling(after))
        }
    };
    looked(2 * NEAR_BYTES);
    is_it.then(|| run.start..run.start + whole.len() + if whole.len() == length { padding } else { 0 })
}

/// Whether the line before the last of `text` is one of a block of base64.
fn is_in_block(text: &str) -> bool {
    let from = text.ceil_char_boundary(text.len().saturating_sub(NEAR_LINE));
    let near = text[from..].strip_suffix('\n').or_else(|| text[from..].strip_suffix("\\n"));
    let is_body = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte);
    near.is_some_and(|near| {
        near.ends_with("-----")
            || near.len() > 60 && near.as_bytes()[near.len() - 60..].iter().all(|byte| is_body(*byte))
    })
}

enum Kind {
    /// It says so itself.
    Random,
    /// Behind a short word there is a number.
    Marked,
    /// Numbers of other things look the same.
    Plain,
}

/// What the pieces of `whole` look like.
fn kind(whole: &str) -> Option<Kind> {
    let first = whole.split(['_', '-', '.', ':']).next().unwrap_or_default();
    if is_one_of(first, IDS) && whole.matches('_').count() < 2 {
        return None;
    }
    let mut is_plain = false;
    for piece in whole.split('.') {
        let body = body(piece);
        let is_marked = body.len() < piece.len() || piece.len() < whole.len();
        let least = if is_marked { MIN_MARKED } else { SHORTEST };
        if is_random(body, least) {
            return Some(Kind::Random);
        }
        if body.len() < whole.len()
            && is_number(body, least)
            && !piece.starts_with(|char: char| char.is_ascii_digit())
            && !(body.len() == 36 && piece.matches('-').count() > 5)
        {
            return Some(Kind::Marked);
        }
        is_plain |= is_number(body, least);
    }
    is_plain.then_some(Kind::Plain)
}

/// `piece` without the short words that it begins with: `tr_prod_…`.
fn body(piece: &str) -> &str {
    let mut rest = piece;
    while !is_number(rest, SHORTEST)
        && let Some((word, after)) = rest.split_once(['_', '-'])
        && word.len() <= MAX_WORD
        && after.len() >= MIN_MARKED
        && !word.bytes().any(|byte| byte.is_ascii_uppercase() != word.as_bytes()[0].is_ascii_uppercase())
    {
        rest = after;
    }
    rest
}

/// Letters of both cases and digits, as they stand together in no name.
fn is_random(piece: &str, least: usize) -> bool {
    let piece = piece.trim_end_matches('=');
    let count = |is: fn(&u8) -> bool| piece.bytes().filter(is).count();
    let [digits, upper, lower] =
        [count(u8::is_ascii_digit), count(u8::is_ascii_uppercase), count(u8::is_ascii_lowercase)];
    let signs = piece.len() - digits - upper - lower;
    piece.len() >= least
        && digits >= 1
        && upper >= 3
        && lower >= 3
        && signs <= piece.len() / 6
        && count(|byte| *byte == b'/') <= piece.len() / 10
        && chance::is_made(piece)
}

/// Of one case with digits, or with the dashes of an UUID.
fn is_number(piece: &str, least: usize) -> bool {
    let count = |is: fn(&u8) -> bool| piece.bytes().filter(&is).count();
    let [digits, upper, lower] =
        [count(u8::is_ascii_digit), count(u8::is_ascii_uppercase), count(u8::is_ascii_lowercase)];
    let is_uuid = piece.len() == 36 && piece.bytes().filter(|byte| *byte == b'-').count() == 4;
    let is_one_case = digits + upper.max(lower) == piece.len() && piece.len() >= least;
    let is_hex = || piece.bytes().all(|byte| byte.is_ascii_hexdigit());
    (is_one_case && (piece.len() >= SHORTEST || !is_hex()) || is_uuid)
        && digits >= 3
        && 5 * upper.max(lower) >= piece.len().min(40)
        && upper.max(lower) >= 3
}

/// Whether what stands right before says that it is no secret.
pub(super) fn is_introduced(line: &str) -> bool {
    // HTTP's weak entity tags.
    let is_weak_tag = line.ends_with("W/\"") || line.ends_with("W/\\\"");
    let line = line.trim_end_matches(|char: char| !char.is_ascii_alphanumeric());
    let name = last_name(line);
    let word = name.to_ascii_lowercase();
    let near = &line[line.ceil_char_boundary(line.len().saturating_sub(NEAR_WORDS))..];
    is_weak_tag
        || is_id(name)
        || ["x", "y", "n", "p"].contains(&word.as_str())
        || is_public(near)
        || word.split(['_', '-']).any(|part| {
            let is_it = |public: &&str| {
                part.ends_with(*public) || part.strip_prefix(*public).is_some_and(|rest| rest.len() <= 1)
            };
            PUBLIC.iter().any(is_it)
        })
}

/// The name that `line` ends with, but for what stands between it and its value.
pub(super) fn last_name(line: &str) -> &str {
    let line = line.trim_end_matches(|char: char| !char.is_ascii_alphanumeric());
    let is_part = |char: char| char.is_ascii_alphanumeric() || "_-".contains(char);
    line.rsplit(|char: char| !is_part(char)).next().unwrap_or_default()
}

/// Whether a name is that of a number of something.
pub(super) fn is_id(name: &str) -> bool {
    let word = name.trim_end_matches(|char: char| char.is_ascii_digit() || "-s".contains(char));
    word.len().checked_sub(2).and_then(|at| word.get(at..)).is_some_and(|end| end.eq_ignore_ascii_case("id"))
        && !is_one_of(name, NO_IDS)
}

/// Words that end as names of numbers do.
const NO_IDS: &[&str] =
    &["said", "valid", "invalid", "paid", "void", "avoid", "did", "forbid", "rapid", "solid"];

pub(super) fn is_public(line: &str) -> bool {
    let line = line.to_ascii_lowercase();
    ALWAYS_PUBLIC.iter().any(|public| line.contains(public))
}

/// Whether a word in `line` tells of a secret.
fn has_telling(line: &str) -> bool {
    line.split(|char: char| !char.is_ascii_alphanumeric())
        .any(|word| TELLING.iter().any(|telling| telling.eq_ignore_ascii_case(word)))
}

/// What numbers of things begin with, not secrets.
#[rustfmt::skip]
const IDS: &[&str] = &[
    "req", "chatcmpl", "msg", "resp", "run", "evt", "pi", "ch", "cs", "cus", "in", "sub", "file", "call", "thread", "asst", "batch", "id", "trace", "span", "request", "price", "prod", "acct", "order", "job", "task",
    "build", "commit", "sha", "sha1", "sha256", "sha384", "sha512", "md5", "etag", "cache", "integrity", "worker", "pod", "user", "org", "team", "proj", "project", "item", "doc", "node", "upload", "img", "image", "pm", "seti", "re", "txn", "po", "tr",
    "public", "pubkey", "ssh", "index", "chunk", "vendor", "main", "app", "test", "zn", "libs", "arn", "urn", "nonce", "publishable", "blake3",
];

/// Whether `word` begins as what is public does.
pub(super) fn begins_public(word: &str) -> bool {
    BEGINNINGS.iter().any(|it| word.starts_with(it))
}

/// How what is public begins: certificates, keys, pictures, names of a compiler, addresses of
/// IPFS by content, advisories.
const BEGINNINGS: &[&str] = &[
    "MII", "AAAAB3", "AAAAC3", "AAAAE2", "iVBOR", "/9j/", "R0lGOD", "UklGR", "PHN2Zy", "_ZN", "_R", "bafy",
    "GHSA-",
];

/// What is called so is public.
#[rustfmt::skip]
const PUBLIC: &[&str] = &[
    "idempotency", "sha", "digest", "integrity", "etag", "commit", "fingerprint", "checksum", "hash", "image", "arn", "md5", "thumbprint", "cert", "public", "pub", "ssh", "ed25519", "rsa", "nonce", "trace", "span", "request", "version", "rev",
    "uuid", "tag", "build", "ray", "object", "blob", "tree", "parent", "cursor", "page", "correlation", "base64", "ecdsa", "spki", "pin-sha256", "challenge", "etag", "peer", "x5", "kid", "address", "match", "-id", "response", "x.509",
];

/// So it is where this is said near by.
#[rustfmt::skip]
const ALWAYS_PUBLIC: &[&str] = &[
    "sha1", "sha256", "sha512", "fingerprint", "checksum", "digest", "cert", "public", "x.509", "ed25519", "eddsa", "peer", "rsa4096", "rsa2048", "cache",
    "integrity", "thumbprint", "domainkey", "idempotency", "refs/", "dnskey",
];

/// Near these, a number is a secret.
#[rustfmt::skip]
const TELLING: &[&str] = &[
    "key", "keys", "token", "tokens", "secret", "auth", "webhook", "license", "licence", "dsn", "pat", "private", "credential", "credentials", "apikey", "login",
    "unauthorized", "unauthorised", "401", "403", "revoked",
];

const SHORTEST: usize = 20;
/// Behind a short word, and what keeps it apart.
const MIN_MARKED: usize = 16;
const MAX_WORD: usize = 10;
const NEAR_BYTES: usize = 56;
/// So near stands what introduces a token, and so long may a line of a block be.
const NEAR_WORDS: usize = 24;
const NEAR_LINE: usize = 80;
const MAX_BYTES: usize = 512;
