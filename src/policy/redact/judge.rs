//! Whether what stands behind a secret's name is a secret, or is shown to be
//! harmless: nothing, a mask, a place-holder, a type, code, a number that counts,
//! or a sentence that goes on.

use super::{
    chance,
    keys::{Nature, Secret, is_one_of, is_wide},
    look::{
        MIN_CODE, is_algorithm, is_code, is_count, is_dense, is_joined, is_masked, is_mixed, is_named,
        is_pair, is_path, is_place, is_placeholder, is_plain, is_plain_word, is_prose, looks_random,
        looks_secret,
    },
    looked, shapes,
    vocabulary::{KEYS, NOTHING, SENTENCES},
};

/// How a name and its value stand together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// `name=value`, `"name": "value"`, `<name>value<`, a table's column.
    Assigned,
    /// `Name("value")`, `Name { value: "value" }`.
    Type,
    /// `name: value`, and a value on the line after that.
    Colon,
    /// `--name value`, `-name value`.
    Flag,
    /// `name value`, `name is value`.
    Adjacent,
}

/// What encloses a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Quoted,
    Wrapped,
    Bare,
    /// As `Bare`; more words of the line follow.
    GoesOn,
}

pub(super) fn is_secret(text: &str, shape: Shape, form: Form, secret: &Secret<'_>) -> bool {
    looked(text.len());
    let nature = secret.nature;
    if is_placeholder(text.trim(), form) {
        return false;
    }
    let text = text.trim().trim_end_matches([',', '}', ')', ';']).trim_end();
    // Nothing that somebody would choose, or could say.
    let is_blank =
        !text.chars().any(|char| char.is_alphanumeric() || nature.is_strong() && "!@^&~+=".contains(char));
    let is_label = || shape == Shape::Quoted && is_named(text) && is_plain_word(text) && !text.contains('-');
    if is_blank
        || text.len() < 2 && secret.rule != "password"
        || is_label()
        || is_one_of(text.trim_matches(['\'', '"', '`', '(', '.']), NOTHING)
        || is_masked(text)
        || is_placeholder(text, form)
        || text.starts_with(BLOCK)
    {
        return false;
    }
    if let Nature::Digits(least) = nature {
        let least = if form == Form::Adjacent && !["pin", "cvv"].contains(&secret.rule) {
            least.max(MIN_CODE)
        } else {
            least
        };
        let digits = text.bytes().filter(u8::is_ascii_digit).count();
        let is_shown = text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
        return secret.rule == "otp" && digits > 0 && text.contains('-') && chance::is_made(text)
            || secret.rule == "otp"
                && digits > 1
                && text.len() >= MIN_CODE
                && is_shown
                && chance::is_made(text)
            || digits >= least && (shape != Shape::Quoted || 2 * digits >= text.len());
    }
    if nature == Nature::Random {
        return form != Form::Adjacent
            && (shape != Shape::Wrapped || text.split(['"', '\'']).any(is_key))
            && (is_dense(text) || shape == Shape::Wrapped || form != Form::Flag && is_key(text))
            && !is_place(text)
            && !text.contains("..");
    }
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    let is_few = text.len() < MIN_NUMBER && (!nature.is_strong() || shape == Shape::GoesOn);
    let is_digest = text.split_once(':').is_some_and(|(name, rest)| is_algorithm(name) && rest.len() >= 32);
    if is_number && text.len() >= MIN_LONG_NUMBER && ["token", "key", "password"].contains(&secret.rule) {
        return form != Form::Adjacent || nature.is_strong();
    }
    if is_digest && !nature.is_strong()
        || !nature.is_strong() && secret.rule == "password" && text.starts_with('/')
    {
        return false;
    }
    if is_number && (secret.countable || is_few)
        || is_count(text)
        || shape != Shape::Quoted && is_plain(text) && KEYS.iter().any(|row| row.rule == secret.rule)
    {
        return false;
    }
    let is_bare = matches!(shape, Shape::Bare | Shape::GoesOn);
    // A word of a language, of which nothing says that somebody chose it.
    let is_other = !text.is_ascii() && text.chars().all(|char| char.is_alphabetic() && !char.is_uppercase());
    let is_assigned = is_bare && form == Form::Assigned;
    let is_word = is_plain_word(text) && secret.rule == "auth"
        || secret.rule == "credentials" && is_plain_word(text) && shape != Shape::Quoted;
    if form == Form::Adjacent && is_pair(text)
        || matches!(form, Form::Adjacent | Form::Flag) && text.starts_with("--")
        || is_bare && form == Form::Colon && is_other
        || is_bare
            && is_algorithm(text)
            && text.len() <= MAX_ALGORITHM
            && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        || is_assigned
            && (is_word
                || is_named(text) && text.contains(['-', '_']) && !nature.is_line()
                || is_algorithm(text) && !text.bytes().any(|byte| b"!@#$%^&*".contains(&byte)))
    {
        return false;
    }
    // Words of a language without spaces go on in one.
    let wide = text.chars().filter(|char| is_wide(*char)).count();
    if matches!(shape, Shape::Bare | Shape::GoesOn)
        && form != Form::Assigned
        && (wide > 2 || wide > 0 && shape == Shape::GoesOn)
        && !(shape == Shape::Bare
            && text.bytes().next_back().is_some_and(|byte| byte.is_ascii_alphanumeric()))
    {
        return false;
    }
    if shape == Shape::Wrapped {
        return form != Form::Adjacent && has_secret(text, secret);
    }
    let first = text.split_whitespace().next().unwrap_or_default();
    let is_line = nature.is_line() && shape != Shape::Quoted;
    let is_word = is_prose(text) || is_line && is_prose(first);
    let is_sentence = first.len() < text.len() && is_one_of(first, SENTENCES);
    if is_sentence
        || shape != Shape::Quoted
            && (nature != Nature::WeakLine || form == Form::Assigned && !text.contains(';'))
            && is_code(text)
        || secret.rule == "mnemonic"
    {
        return false;
    }
    // It is long, and so are names of functions.
    if secret.rule == "signature" {
        let random = |part: &str| {
            looks_random(part.trim_matches(['"', '\''])) && !(form == Form::Adjacent && part.contains('.'))
        };
        return !text.starts_with("_Z")
            && !is_algorithm(text)
            && (looks_random(text) && !text.contains('.') || text.split(['=', ',', ':']).any(random));
    }
    if secret.rule == "credentials" && is_plain_word(text) && shape != Shape::Quoted {
        return false;
    }
    // What a parser, a lexer or a test calls so is short.
    let is_short = !nature.is_strong()
        && shape == Shape::Quoted
        && (text.bytes().all(|byte| byte.is_ascii_alphabetic()) && text.len() <= 6
            || text.starts_with('#')
            || form == Form::Type && text.bytes().all(|byte| byte.is_ascii_alphabetic()));
    if is_short && form != Form::Flag
        || secret.rule == "credentials" && text.contains(":/") && !text.contains('@')
    {
        return false;
    }
    let is_adjacent = form == Form::Adjacent;
    if (is_adjacent || form == Form::Colon) && is_named(text)
        || is_adjacent && text.contains("://")
        || is_path(text)
    {
        return false;
    }
    match shape {
        _ if is_adjacent && secret.rule == "password" => {
            // A passphrase has several.
            let is_text = nature.is_line()
                || !text.contains(char::is_whitespace)
                || text.bytes().any(|byte| byte.is_ascii_digit());
            let is_chosen = shape == Shape::Quoted
                && nature.is_strong()
                && !is_word
                && is_text
                && !is_algorithm(first.trim_end_matches(','));
            is_chosen || (is_mixed(text) || is_joined(text)) && !text.contains('/')
        }
        // A name of a secret has dashes: `secret my-app-token-17 not found`.
        _ if is_adjacent => {
            looks_random(text) && !(secret.rule == "secret" && text.contains(['-', '.']) && !is_dense(text))
        }
        Shape::Bare | Shape::GoesOn if matches!(form, Form::Colon | Form::Flag) => match nature {
            Nature::WeakLine => is_header(text),
            Nature::StrongLine => !is_word && (first.len() < text.len() || shape == Shape::Bare),
            Nature::Strong => !(is_word || shape == Shape::GoesOn && is_plain_word(text)),
            _ if form == Form::Flag => is_mixed(text) || looks_random(text),
            _ if secret.rule == "password" => is_mixed(text) || is_joined(text),
            _ => looks_secret(text),
        },
        _ if nature.is_strong() => true,

        _ if secret.rule == "session" => {
            text.len() > 8 && is_mixed(text.trim_start_matches("s:")) || is_number
        }
        _ => !is_word,
    }
}

/// Whether a value in brackets has a text or an item that is a secret.
fn has_secret(text: &str, secret: &Secret<'_>) -> bool {
    let numbers = text
        .split([',', '[', ']', '(', ')'])
        .map(|item| item.trim_matches(|char: char| char.is_whitespace() || char == '\\' || char == 'n'));
    let is_byte = |item: &&str| {
        item.parse::<u8>().is_ok()
            || item.strip_prefix("0x").is_some_and(|hex| u8::from_str_radix(hex, 16).is_ok())
    };
    let row = numbers.filter(is_byte).count();
    // A schema says of what kind a text is, a getter what the text is called.
    let head = text.split('(').next().unwrap_or_default();
    let call = head.rsplit(['.', ':', '>']).next().unwrap_or_default().to_ascii_lowercase();
    if text.contains("\"type") && !text.contains("alue\"") && !text.contains("efault\"")
        || head.len() < text.len()
            && ["get", "load", "read", "env", "fetch", "lookup", "find"]
                .iter()
                .any(|name| call.starts_with(name))
    {
        return false;
    }
    if row >= if secret.nature.is_strong() { MIN_STRONG_BYTES } else { MIN_BYTES } {
        return true;
    }
    let mut parts = text.split(['"', '\'']).map(|part| part.trim_end_matches('\\'));
    let outside = parts.next().unwrap_or_default();
    let mut is_inside = true;
    let quoted = parts.any(|part| {
        let is_it = is_inside
            && is_secret(part, Shape::Quoted, Form::Assigned, secret)
            && !is_plain_name(part, secret);
        is_inside = !is_inside;
        is_it
    });
    // What stands bare: `Some(hunter2)`, `[abc123def]`.
    let bare = |part: &str| {
        let item = part.trim();
        let is_it = if secret.nature.is_strong() {
            is_mixed(item)
        } else {
            looks_random(item) && !item.contains('.')
        };
        is_it && !is_code(item) && !is_path(item)
    };
    quoted
        || outside.len() == text.len()
            && outside.split(['(', ')', '[', ']', '{', '}', ',', ' ', '<', '>', '\\']).any(bare)
}

/// In a list or a struct, a text may be the name of something.
fn is_plain_name(text: &str, secret: &Secret<'_>) -> bool {
    !secret.nature.is_strong() && !is_mixed(text)
}

/// A number as long as keys are, in hexadecimal.
fn is_key(text: &str) -> bool {
    let hex = text.strip_prefix("x'").unwrap_or(text).trim_end_matches('\'');
    matches!(hex.len(), 32 | 48 | 64 | 96 | 128) && hex.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Whether a header's line holds credentials, not words about them.
fn is_header(text: &str) -> bool {
    let mut words = text.split_whitespace();
    shapes::scheme_token(text, 0).is_some()
        || words.any(|word| !word.contains('=') && looks_secret(word))
        || text.split(['=', ';', ',', '"', ' ']).skip(1).any(|part| is_mixed(part) || looks_random(part))
}

/// A shorter number is no token, and a shorter row of digits in prose no code.
const MIN_NUMBER: usize = 4;

/// A shorter number counts something, or is a time.
const MIN_LONG_NUMBER: usize = 17;

/// What is longer begins like the name of an algorithm by chance.
const MAX_ALGORITHM: usize = 8;

/// How a block begins, which has a rule of its own.
const BLOCK: &str = "-----BEGIN";

/// A shorter row of numbers is no key, nor a password.
const MIN_BYTES: usize = 8;
const MIN_STRONG_BYTES: usize = 5;
