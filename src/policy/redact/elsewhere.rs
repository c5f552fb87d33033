//! Values that do not stand behind their name: `{"name": "password", "value": "…"}`
//! in either order, a form's part.
//!
//! Invariant: how far is looked from a name is bounded.

use std::ops::Range;

use super::{
    extent::{self, NEAR_BYTES, NEAR_NAME},
    judge::{self, Form, Shape},
    keys::{Nature, Secret, is_one_of},
    look, looked, quotes,
    vocabulary::{NAMES, VALUES},
};

/// Where the value is of the name at `name`, if that is itself the value of one.
pub(super) fn named(text: &str, name: &Range<usize>, secret: &Secret<'_>) -> Option<Range<usize>> {
    let from = text.ceil_char_boundary(name.start.saturating_sub(NEAR_NAME));
    let is_part = |char: char| char.is_ascii_alphanumeric() || "_./-[]".contains(char);
    let before = text[from..name.start].trim_end_matches(is_part).trim_end_matches(['"', '\'', '\\', '`']);
    looked(name.start - from);
    let before = before.trim_end();
    if let Some(range) = before_name(text, name, secret) {
        return Some(range);
    }

    // `variable "db_password" { default = "…" }`
    if ends_with_word(before, &["variable", "param", "parameter", "property", "setting", "option"]) {
        let from =
            name.end + text[name.end..].bytes().take(4).take_while(|byte| b"\" {\n".contains(byte)).count();
        return sibling(text, from..text.floor_char_boundary(from + NEAR_BYTES), secret);
    }
    if let Some(tag) = before.strip_suffix('>') {
        let of = &tag[tag.rfind('<')? + 1..];
        return is_one_of(of, NAMES).then(|| next_element(text, name.end, secret))?;
    }
    let of = before.strip_suffix("=>").or_else(|| before.strip_suffix([':', '=']))?.trim_end();
    let of = of.trim_end_matches(['"', '\'', '\\', ' ']);
    let is_type = ends_with_word(of, &["type"]) && secret.nature.is_strong();
    if !is_type && !ends_with_word(of, NAMES) {
        return None;
    }
    let start = from + of.len();
    let after = text.floor_char_boundary(name.end + NEAR_BYTES);
    if of.len() < before.len() && text[from..start].contains("form-data") {
        return part(text, name.end, secret);
    }
    sibling(text, name.end..after, secret).or_else(|| {
        let from = text.ceil_char_boundary(start.saturating_sub(NEAR_BYTES));
        let near = text[from..start].rfind(['{', '<', '(']).map_or(from, |at| from + at + 1);
        sibling(text, near..start, secret).filter(|range| range.end <= start)
    })
}

/// The code that a sentence says before it names it: `259569 is your login code`.
fn before_name(text: &str, name: &Range<usize>, secret: &Secret<'_>) -> Option<Range<usize>> {
    let Nature::Digits(least) = secret.nature else { return said_before(text, name, secret) };
    let from = text.ceil_char_boundary(name.start.saturating_sub(NEAR_NAME));
    let line = text[from..name.start].rsplit('\n').next().unwrap_or_default();
    looked(line.len());
    let start = name.start - line.len();
    let words = line.split_whitespace().rev().take(MAX_WORDS_BEFORE);
    let digits = words
        .map(|word| word.trim_start_matches(['"', '\'']))
        .find(|word| word.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-'))?;
    let at = digits.as_ptr() as usize - text.as_ptr() as usize;
    let is_said = line[at - start + digits.len()..]
        .split_whitespace()
        .next()
        .is_some_and(|word| is_one_of(word, &["is", "as", "ist", "est", "es"]));
    let count = digits.bytes().filter(u8::is_ascii_digit).count();
    (is_said && count >= least && count <= 8).then_some(at..at + digits.len())
}

/// The value that a sentence says before what it is: `tried hunter2 as password`,
/// `… (secret)`.
fn said_before(text: &str, name: &Range<usize>, secret: &Secret<'_>) -> Option<Range<usize>> {
    let from = text.ceil_char_boundary(name.start.saturating_sub(NEAR_NAME));
    let line = text[from..name.start].rsplit('\n').next().unwrap_or_default();
    looked(line.len());
    let value = VERDICTS
        .iter()
        .find_map(|verdict| line.strip_suffix(verdict))
        .filter(|_| !line.ends_with('(') || text[name.end..].starts_with(')'))
        .or_else(|| {
            // `invalid value "…" for key `password``
            let kinds = ["value ", "string ", "argument ", "entry "].iter();
            let quoted = kinds.filter_map(|kind| line.rfind(kind).map(|at| at + kind.len())).max()?;
            let quote = quotes::quote(line, quoted)?;
            Some(&line[..quotes::quoted_end(line, &quote)]).filter(|value| value.len() < line.len())
        })?;
    let value = value.trim_end_matches(['"', '\'', '`', '\\']);
    let word = value.rsplit([' ', '"', '\'', '`', '=']).next()?;
    let is_it = (secret.nature.is_strong() || secret.nature == Nature::Weak && look::looks_random(word))
        && look::is_mixed(word.trim_end_matches('.'))
        && !look::is_named(word)
        && !word.contains('/')
        && judge::is_secret(word, Shape::Quoted, Form::Colon, secret);
    let end = value.as_ptr() as usize - text.as_ptr() as usize + value.len();
    is_it.then(|| end - word.len()..end)
}

/// What is said of a value before it is called what it is.
#[rustfmt::skip]
const VERDICTS: &[&str] = &[
    " is the ", " is my ", " is our ", " is your ", " is his ", " is her ", " ist das ", " est le ", " es la ", " e la ", " to jest ", " as ", " as a ", " as the ", " is not a valid ", " is not the ", " is no valid ", " is an invalid ", " is a valid ", " is a weak ",
    " is the wrong ", " is an incorrect ", ": wrong ", ": invalid ", ": bad ", " (wrong ", " (invalid ", " (bad ", " (",
];

/// The text of the element whose tag ends at `at`, or of the first that it has.
pub(super) fn tagged(text: &str, at: usize, secret: &Secret<'_>) -> Option<Range<usize>> {
    let near = &text[at..text.floor_char_boundary(at + NEAR_BYTES)];
    looked(NEAR_NAME);
    if let Some(rest) = near.trim_start().strip_prefix("<![CDATA[") {
        let start = at + near.len() - rest.len();
        let is_it = judge::is_secret(
            rest.split("]]>").next().unwrap_or_default(),
            Shape::Quoted,
            Form::Assigned,
            secret,
        );
        return is_it.then(|| start..start + text[start..].find("]]>").unwrap_or(text.len() - start));
    }
    if near.trim_start().starts_with('<') && !near.trim_start().starts_with("</") {
        return next_element(text, at, secret);
    }
    let value = near.split('<').next().unwrap_or_default();
    let is_closed = near[value.len()..].starts_with("</")
        || value.len() == near.len() && (at + near.len() < text.len() || look::is_mixed(value));
    let is_it = is_closed && judge::is_secret(value, Shape::Quoted, Form::Assigned, secret);
    let length = || text[at..].find('<').unwrap_or(text.len() - at);
    is_it.then(|| {
        let whole = &text[at..at + length()];
        looked(whole.len());
        let start = at + whole.len() - whole.trim_start().len();
        start..start + whole.trim().len()
    })
}

/// The value behind the first word in the lines at `at`, indented more than the name,
/// that is called one: `DBPassword:`, `Type: String`, `Default: …`.
pub(super) fn below(text: &str, at: usize, secret: &Secret<'_>) -> Option<Range<usize>> {
    sibling(text, at..text.floor_char_boundary(at + NEAR_BYTES), secret)
}

/// The value behind the first word in `near` that is called one.
fn sibling(text: &str, near: Range<usize>, secret: &Secret<'_>) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let mut at = near.start;
    while at < near.end {
        if matches!(bytes[at], b'}' | b'{') {
            return None;
        }
        if !bytes[at].is_ascii_alphabetic() {
            at += 1;
            continue;
        }
        let length = bytes[at..near.end]
            .iter()
            .take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_')
            .count();
        looked(length);
        let word = &text[at..at + length];
        at += length;
        let after = quotes::quote(text, at).map_or(at, |quote| quote.end);
        let gap = after + text[after..near.end.max(after)].bytes().take_while(|byte| *byte == b' ').count();
        if !matches!(bytes.get(gap), Some(b':' | b'=')) {
            continue;
        }
        if ends_with_word(word, VALUES) {
            let arrow = usize::from(bytes.get(gap + 1) == Some(&b'>'));
            let start = gap + 1 + arrow;
            let start = start + quotes::blanks(&bytes[start.min(bytes.len())..]);
            return extent::secret_at(text, start, Form::Assigned, secret);
        }
        // The next thing with a name has its own value.
        if ends_with_word(word, &["name", "key"]) {
            return None;
        }
    }
    None
}

/// The text of the element that is open at `at`.
fn element(text: &str, at: usize, secret: &Secret<'_>) -> Option<Range<usize>> {
    let near = &text[at..text.floor_char_boundary(at + NEAR_BYTES)];
    let length = near.find('<')?;
    let value = near[..length].trim();
    if value.contains(char::is_whitespace) && !value.bytes().any(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let start = at + (near.len() - near.trim_start().len());
    judge::is_secret(value, Shape::Quoted, Form::Assigned, secret).then_some(start..start + value.len())
}

/// The text of the element that follows the one that ends behind `at`.
fn next_element(text: &str, mut at: usize, secret: &Secret<'_>) -> Option<Range<usize>> {
    for _ in 0..MAX_TAGS {
        let near = &text[at..text.floor_char_boundary(at + NEAR_NAME)];
        let tag = near.trim_start();
        looked(near.len());
        if !tag.starts_with('<') {
            break;
        }
        at += near.len() - tag.len() + tag.find('>')? + 1;
    }
    element(text, at, secret)
}

/// The body of a form's part, the head of which ends behind `at`.
fn part(text: &str, at: usize, secret: &Secret<'_>) -> Option<Range<usize>> {
    let near = &text[at..text.floor_char_boundary(at + NEAR_BYTES)];
    let gap = ["\r\n\r\n", "\n\n", "\\r\\n\\r\\n", "\\n\\n"]
        .iter()
        .filter_map(|gap| Some((near.find(gap)?, gap.len())))
        .min()?;
    let start = at + gap.0 + gap.1;
    let rest = &text[start..];
    let length = rest.find(['\r', '\n', '\\']).unwrap_or(rest.len());
    looked(length);
    judge::is_secret(&rest[..length], Shape::Quoted, Form::Assigned, secret).then_some(start..start + length)
}

/// Whether `text` ends with one of `words`, also as the last of a name like
/// `ParameterKey`.
fn ends_with_word(text: &str, words: &[&str]) -> bool {
    let bytes = text.as_bytes();
    words.iter().any(|word| {
        bytes.len().checked_sub(word.len()).is_some_and(|start| {
            let is_word = bytes[start..].eq_ignore_ascii_case(word.as_bytes());
            is_word
                && start.checked_sub(1).is_none_or(|before| {
                    !bytes[before].is_ascii_alphanumeric()
                        || bytes[start].is_ascii_uppercase() && bytes[before].is_ascii_lowercase()
                })
        })
    })
}

const MAX_TAGS: usize = 4;

const MAX_WORDS_BEFORE: usize = 5;
