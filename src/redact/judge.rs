//! Whether what stands behind a secret's name is a secret, or says only that
//! there is none, or goes on with a sentence.

use super::{
    keys::{Nature, Secret, is_one_of},
    shapes, value,
};

/// How a name and its value stand together.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// `name=value`, `"name": "value"`.
    Assigned,
    /// `name%3Dvalue`.
    Encoded,
    /// `<name>value<`.
    Tag,
    /// `Name("value")`, `Name { value: "value" }`.
    Type,
    /// `name: value`.
    Colon,
    /// `--name value`, `-name value`.
    Flag,
    /// `name value`.
    Adjacent,
}

/// What encloses a value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Quoted,
    Wrapped,
    Bare,
}

pub(super) fn is_secret(text: &str, shape: Shape, form: Form, secret: &Secret<'_>) -> bool {
    let text = text.trim().trim_end_matches([',', '}', ')', ';']).trim_end();
    let nature = secret.nature;
    // Nothing that somebody would choose, or could say.
    let is_blank =
        !text.chars().any(|char| char.is_alphanumeric() || nature.is_strong() && "!@^&~+=".contains(char));
    if is_blank || is_one_of(text, &NOTHING) || is_masked(text) || is_placeholder(text) {
        return false;
    }
    if let Nature::Digits(least) = nature {
        let least = if form == Form::Adjacent { least.max(SHORTEST_CODE) } else { least };
        return text.bytes().filter(u8::is_ascii_digit).count() >= least;
    }
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    if is_number && (secret.countable || text.len() < SHORTEST_NUMBER && !nature.is_strong()) {
        return false;
    }
    let is_word = is_one_of(text.trim_end_matches(['.', ':']), &PROSE);
    match (shape, form) {
        (Shape::Wrapped, Form::Adjacent) => false,
        // A name of a secret has dashes: `secret my-app-token-17 not found`.
        (Shape::Quoted | Shape::Bare, Form::Adjacent) if secret.rule == "secret" => {
            looks_random(text) && !text.contains(['-', '.', '/'])
        }
        (Shape::Quoted, Form::Adjacent) => {
            let is_password =
                secret.rule == "password" && nature.is_strong() && !text.contains(char::is_whitespace);
            is_password || looks_random(text) && ADJACENT.contains(&secret.rule)
        }
        (Shape::Bare, Form::Adjacent) => looks_random(text) && ADJACENT.contains(&secret.rule),
        (Shape::Bare, Form::Colon | Form::Flag) if nature.is_line() && !nature.is_strong() => is_header(text),
        (Shape::Bare, Form::Colon | Form::Flag) if nature.is_line() => {
            !text.split_whitespace().next().is_some_and(|word| is_one_of(word.trim_end_matches(':'), &PROSE))
        }
        (Shape::Bare, Form::Colon | Form::Flag) if nature.is_strong() => !is_word,
        (Shape::Bare, Form::Colon | Form::Flag) => looks_secret(text),
        _ if nature.is_strong() => true,
        // `PWD` is also where a shell is.
        _ if secret.rule == "password" && text.starts_with('/') => false,
        _ => !is_word,
    }
}

/// Whether `text` begins with what already stands for a secret, in whatever
/// brackets or types: behind a word alone it may be a part of one.
pub(super) fn is_masked(text: &str) -> bool {
    let mut rest = &text[..text.floor_char_boundary(NEAR_BYTES)];
    let mut is_inside = false;
    while !MASKS.iter().any(|mask| starts_with(rest, mask)) {
        let length = rest.find(|char: char| !char.is_ascii_alphanumeric() && !"_:<>".contains(char));
        let (word, after) = rest.split_at(length.unwrap_or(rest.len()));
        let bracket = after.strip_prefix(' ').filter(|after| after.starts_with('{')).unwrap_or(after);
        rest = match bracket.trim_start_matches('\\').strip_prefix(['(', '[', '{', '"', '\'']) {
            Some(inside) => {
                is_inside = true;
                inside
            }
            None if is_one_of(word, &SCHEMES) || is_inside && word.ends_with(':') => after,
            None => return false,
        };
        rest = &rest[value::blanks(rest.as_bytes())..];
    }
    true
}

fn starts_with(text: &str, start: &str) -> bool {
    text.as_bytes().get(..start.len()).is_some_and(|found| found.eq_ignore_ascii_case(start.as_bytes()))
}

/// What is to be replaced by a value, or only shows that there is one.
fn is_placeholder(text: &str) -> bool {
    let is_enclosed = [("${", "}"), ("{{", "}}"), ("<", ">"), ("%(", ")s")]
        .iter()
        .any(|(open, close)| text.strip_prefix(open).is_some_and(|rest| rest.ends_with(close)));
    let is_parameter = text.strip_prefix(['$', ':']).is_some_and(|rest| {
        !rest.is_empty() && rest.len() <= 3 && rest.bytes().all(|byte| byte.is_ascii_digit())
    });
    is_enclosed || is_parameter
}

/// Whether a header's line holds credentials, not words about them.
fn is_header(text: &str) -> bool {
    let mut words = text.split_whitespace();
    shapes::scheme_token(text, 0).is_some() || text.contains('=') || words.any(looks_secret)
}

/// A word that is no word, name, number, address or time.
fn looks_secret(word: &str) -> bool {
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    let letters = word.bytes().filter(u8::is_ascii_alphabetic).count();
    if digits == word.len() {
        return digits >= SHORTEST_CODE;
    }
    let is_place = || word.starts_with('/') || word.contains([':', '.', '(', '<', '{', '[']);
    let is_algorithm = || {
        let lower = word.to_ascii_lowercase();
        word.len() <= 16 && ALGORITHMS.iter().any(|name| lower.starts_with(name))
    };
    let looks_so = letters > 0 && (digits >= 2 && word.len() >= 8 || looks_random(word));
    looks_so && !is_place() && !is_algorithm()
}

/// Long, of letters and digits, with nothing that a sentence has.
pub(super) fn looks_random(word: &str) -> bool {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=_-.~".contains(&byte);
    word.len() >= 16
        && word.bytes().all(is_token)
        && word.bytes().filter(u8::is_ascii_digit).count() >= 2
        && word.bytes().any(|byte| byte.is_ascii_alphabetic())
}

/// What can stand behind its name with nothing between.
const ADJACENT: [&str; 4] = ["token", "api_key", "access_key", "jwt"];

/// There is no value, or one that shows nothing.
const NOTHING: [&str; 11] = [
    "none",
    "null",
    "nil",
    "undefined",
    "true",
    "false",
    "some(true)",
    "some(false)",
    "sensitive",
    "n/a",
    "yes",
];

/// With which a sentence about a secret goes on.
#[rustfmt::skip]
const PROSE: [&str; 117] = [
    "a", "absent", "actual", "algorithm", "already", "an", "and", "argument", "at", "authentication", "bad",
    "basic", "bearer", "boolean", "bool", "but", "can", "cannot", "check", "closed", "config", "configuration",
    "connection", "contains", "could", "decode", "denied", "did", "disabled", "does", "empty", "enabled",
    "environment", "eof", "error", "exceeded", "expected", "expired", "failed", "failure", "field", "file",
    "flag", "for", "forbidden", "format", "found", "from", "got", "has", "header", "identifier", "if",
    "illegal", "in", "incorrect", "integer", "internal", "invalid", "io", "is", "it", "length", "limit",
    "malformed", "may", "mismatch", "missing", "must", "needs", "no", "not", "null", "of", "ok", "on", "only",
    "option", "or", "parse", "permission", "please", "provided", "read", "rejected", "required",
    "requires", "revoked", "should", "signature", "string", "the", "there", "this", "timed", "timeout", "to",
    "too", "type", "unable", "unauthorized", "unexpected", "unknown", "unset", "unsupported", "user", "valid",
    "validation", "value", "verification", "was", "were", "when", "with", "without", "wrong", "your",
];

/// How words begin that have digits and are no secrets.
#[rustfmt::skip]
const ALGORITHMS: [&str; 14] = [
    "sha", "hmac", "ed25519", "curve", "x25519", "secp", "chacha", "poly1305", "aes", "rsa", "oauth", "http",
    "utf", "argon",
];

/// How what stands for a secret begins.
const MASKS: [&str; 6] = ["***", "[redacted", "<redacted", "[filtered", "[hidden", "<hidden"];

/// What stands before credentials.
const SCHEMES: [&str; 3] = ["basic", "bearer", "token"];

/// A shorter number is no token, and a shorter row of digits in prose no code.
const SHORTEST_NUMBER: usize = 4;
const SHORTEST_CODE: usize = 6;

/// How far into a value is looked for a mask.
const NEAR_BYTES: usize = 64;
