//! The shapes of what varies: addresses, files, tokens, hashes; and of names that
//! look so, and do not.
//!
//! Invariant: pure, and linear in what it is given.

use super::number::{ipv4, port};

/// Whether `byte` may be part of a word; all that is not ASCII may.
pub(super) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || !byte.is_ascii()
}

/// The part of a chunk that varies as a whole: a mail address, a host with its
/// port, an IPv6 address, a temporary file, percent-encoded text, a token.
pub(super) fn whole(chunk: &str) -> Option<usize> {
    let trimmed = chunk.trim_end_matches(['.', ':', '-']);
    if trimmed.contains("://") {
        return None;
    }
    let is_whole = is_mail(trimmed)
        || is_temporary(trimmed)
        || is_ipv6(trimmed)
        || is_percent_encoded(trimmed)
        || is_token(trimmed);
    is_whole.then_some(trimmed.len())
}

pub(super) fn is_mail(text: &str) -> bool {
    let bytes = text.as_bytes();
    let inner = |at: usize| bytes.get(at).is_some_and(|&byte| is_word(byte));
    bytes.iter().position(|&byte| byte == b'@').is_some_and(|at| at > 0 && inner(at - 1) && inner(at + 1))
}

fn is_temporary(text: &str) -> bool {
    let temporary = ["/tmp/", "/var/tmp/", "/private/tmp/", "/var/folders/"];
    temporary.iter().any(|root| text.starts_with(root)) || text.contains("\\Temp\\")
}

/// Or a MAC address.
fn is_ipv6(text: &str) -> bool {
    let (address, _zone) = text.split_once(['%', '/']).unwrap_or((text, ""));
    let groups = address.split(':').count();
    let is_compressed = address.contains("::") && groups <= 9;
    (is_compressed || groups == 8 || groups == 6)
        && address.bytes().any(|byte| byte.is_ascii_digit())
        && address.split(':').all(|group| {
            group.len() <= 4 && group.bytes().all(|byte| byte.is_ascii_hexdigit())
                || ipv4(group.as_bytes()) == Some(group.len())
        })
}

/// An IPv6 address in brackets, with or without a port; or what stands for a secret.
pub(super) fn bracketed(bytes: &[u8]) -> Option<usize> {
    let inside = bytes.get(1..)?.iter().take(MAX_IPV6).position(|&byte| byte == b']')?;
    let address = std::str::from_utf8(bytes.get(1..=inside)?).ok()?;
    if address.starts_with("redacted:") {
        return Some(inside + 2);
    }
    if address != "::" && !is_ipv6(address) {
        return None;
    }
    Some(inside + 2 + port(&bytes[inside + 2..]))
}

/// How long what stands in braces is.
pub(super) fn braces(bytes: &[u8]) -> usize {
    let mut depth = 0_usize;
    let close = bytes.iter().position(|byte| {
        depth = match byte {
            b'{' => depth + 1,
            b'}' => depth.saturating_sub(1),
            _ => depth,
        };
        depth == 0
    });
    close.map_or(bytes.len(), |at| at + 1)
}

fn is_percent_encoded(text: &str) -> bool {
    let is_encoded = |part: &str| part.bytes().take_while(u8::is_ascii_hexdigit).count() >= 2;
    text.split('%').skip(1).any(is_encoded)
}

/// A JSON Web Token, or what looks like base64: letters of both cases and digits
/// in turn.
fn is_token(text: &str) -> bool {
    if text.len() < MIN_TOKEN || text.contains("::") || text.starts_with(['/', '.']) {
        return false;
    }
    let class = |byte: &u8| match byte {
        b'0'..=b'9' => 0,
        b'a'..=b'z' => 1,
        b'A'..=b'Z' => 2,
        _ => 3,
    };
    let has = |wanted: u8| text.bytes().any(|byte| class(&byte) == wanted);
    let turns = text.as_bytes().windows(2).filter(|pair| class(&pair[0]) != class(&pair[1])).count();
    text.starts_with("eyJ") || (has(0) && has(1) && has(2) && turns * 3 >= text.len())
}

/// A scheme of `scheme` bytes, and what follows it.
pub(super) fn url(bytes: &[u8], scheme: usize) -> Option<usize> {
    let rest = bytes.get(scheme..)?.strip_prefix(b"://")?;
    if !bytes[..scheme].iter().all(u8::is_ascii_alphabetic) {
        return None;
    }
    let mut has_bracket = false;
    let mut ends = |byte: &u8| {
        has_bracket |= *byte == b'[';
        let is_foreign = b"\"'`<>){}|\\".contains(byte) || (*byte == b']' && !has_bracket);
        is_foreign || byte.is_ascii_whitespace()
    };
    let length = rest.iter().position(&mut ends).unwrap_or(rest.len());
    let trimmed = rest[..length].iter().rev().take_while(|byte| b".,;:!?".contains(byte)).count();
    Some(scheme + 3 + length - trimmed)
}

/// The beginning of a status line, like `HTTP/1.1`.
pub(super) fn http_version(text: &str) -> Option<usize> {
    let known = ["HTTP/1.0", "HTTP/1.1", "HTTP/2.0", "HTTP/2", "HTTP/3.0", "HTTP/3"];
    known.iter().find(|version| text.starts_with(**version)).map(|version| version.len())
}

/// A name with digits in it, alone or as the end of a longer name in camel case.
pub(super) fn is_name(word: &str) -> bool {
    let lower = word.to_ascii_lowercase();
    let version = lower
        .strip_prefix('v')
        .is_some_and(|rest| (1..=2).contains(&rest.len()) && rest.bytes().all(|byte| byte.is_ascii_digit()));
    version || is_known(&lower) || is_camel_case_name(word)
}

fn is_known(lower: &str) -> bool {
    NAMES.split(' ').any(|name| name == lower)
}

/// As in `HmacSha256` and `FromUtf8Error`: each number ends a known name.
fn is_camel_case_name(word: &str) -> bool {
    let mut name = String::new();
    let mut numbers = 0;
    let mut bytes = word.bytes().peekable();
    while let Some(byte) = bytes.next() {
        if byte.is_ascii_uppercase() {
            name.clear();
        }
        name.push(char::from(byte.to_ascii_lowercase()));
        let ends_number = byte.is_ascii_digit() && !bytes.peek().is_some_and(u8::is_ascii_digit);
        if ends_number {
            if !is_known(&name) {
                return false;
            }
            numbers += 1;
        }
    }
    numbers > 0
}

/// A hash, or a part of one.
pub(super) fn is_hex(word: &str) -> bool {
    let digits = word.strip_prefix("0x").or_else(|| word.strip_prefix("0X"));
    let shortest = if digits.is_some() { 1 } else { MIN_HASH };
    let digits = digits.unwrap_or(word);
    digits.len() >= shortest && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// What has digits and is no number, in lower case.
const NAMES: &str = "\
    4xx 5xx aarch64 aes128 aes192 aes256 amd64 arm64 b2b b2c base16 base32 base58 base64 blake2 \
    blake2b blake2s blake3 chacha20 crc32 crc32c crc64 e2e ec2 ed25519 es256 es384 f16 f32 f64 \
    float4 float8 h2 h264 h265 h2c h3 hs256 hs384 hs512 http1 http2 http3 i128 i16 i18n i32 i64 i8 \
    int2 int4 int8 ipv4 ipv6 k8s l10n latin1 log4j md4 md5 mp3 mp4 neo4j oauth1 oauth2 p256 p384 \
    poly1305 rs256 rs384 rs512 s3 saml2 secp256k1 secp256r1 sha1 sha2 sha224 sha256 sha3 sha384 \
    sha512 sqlite3 u128 u16 u32 u64 u8 utf16 utf32 utf8 utf8mb4 x509 x86_64";

/// The fewest hexadecimal digits that are a hash: git's abbreviation.
const MIN_HASH: usize = 7;

const MIN_TOKEN: usize = 20;

/// Of the text between brackets.
const MAX_IPV6: usize = 64;
