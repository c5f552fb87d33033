//! What surrounds a value by mistake: blanks, quotation marks that no shell took
//! off, a reference that none filled in.
//!
//! Invariant: pure; what is taken off is never a part of what was meant.

use crate::{error::Fault, sink::is_invisible};

/// `value` without blanks and paired quotation marks around it, and whether it had
/// such marks. `docker --env-file` and systemd's `Environment=` leave them.
pub(super) fn clean(value: &str) -> (&str, bool) {
    let (mut text, mut had_marks) = (trimmed(value), false);
    while let Some(inner) = unquoted(text) {
        (text, had_marks) = (trimmed(inner), true);
    }
    (text, had_marks)
}

/// The entries of a list, with commas or line breaks between, each
/// [cleaned](clean), and whether one had quotation marks.
pub(super) fn entries(list: &str) -> (Vec<String>, bool) {
    let cleaned = list.split([',', '\n']).map(clean).filter(|(entry, _)| !entry.is_empty());
    let had_marks = cleaned.clone().any(|(_, had_marks)| had_marks);
    (cleaned.map(|(entry, _)| entry.to_owned()).collect(), had_marks)
}

/// What shows that `text` is not the value that was meant.
pub(super) fn fault(text: &str) -> Option<Fault> {
    if is_reference(text) {
        return Some(unfilled());
    }
    is_half_quoted(text).then(|| Fault::new("has a quotation mark at one end only").mend("leave it out"))
}

/// What shows that `text` is not the credential that was meant. It may be a word
/// that an application can be called.
pub(super) fn secret_fault(text: &str) -> Option<Fault> {
    fault(text).or_else(|| is_stand_in(text).then(unfilled))
}

fn unfilled() -> Fault {
    Fault::new("is a reference or a placeholder that was not filled in").mend("set it to the actual value")
}

/// Whether there is a mark at an end whose other one is nowhere.
fn is_half_quoted(text: &str) -> bool {
    // A name may end with an apostrophe.
    let opening = text.chars().next().filter(|c| ['"', '\'', '`', '“', '„', '«'].contains(c));
    let closing = text.chars().last().filter(|c| ['"', '`', '”', '»'].contains(c));
    let is_of_the_whole = PAIRS.iter().any(|pair| text.starts_with(pair[0]) && text.ends_with(pair[1]));
    let ((Some(mark), None) | (None, Some(mark))) = (opening, closing) else { return false };
    let has_other = match mark {
        '"' | '`' => text.matches(mark).count() % 2 == 0,
        _ => PAIRS.iter().filter(|[open, close]| open != close).any(|[open, close]| {
            (mark == *open && text.contains(*close)) || (mark == *close && text.contains(*open))
        }),
    };
    !is_of_the_whole && !has_other
}

/// `changeme`, `your-api-key`, `xxxx`: what stands where a credential is to be.
fn is_stand_in(text: &str) -> bool {
    let word: String = text.chars().filter(|c| c.is_alphanumeric()).collect();
    let word = word.to_lowercase();
    STAND_INS.contains(&&*word)
        || (word.starts_with("your") && CREDENTIALS.iter().any(|name| word.contains(name)))
        || (text.len() > 2 && text.chars().all(|c| "xX*._- ".contains(c)))
}

/// `$NAME`, `${NAME}`, `%NAME%`, `{{ name }}` or `<what to put here>`.
fn is_reference(text: &str) -> bool {
    let within = |before: &str, after: &str| text.strip_prefix(before)?.strip_suffix(after);
    let is_name = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    within("${", "}").is_some()
        || within("{{", "}}").is_some()
        || within("$", "").is_some_and(is_name)
        || within("%", "%").is_some_and(is_name)
        || within("<", ">").is_some_and(|inner| !inner.contains(['<', '>', '@']))
}

fn trimmed(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || is_invisible(c))
}

/// What is between two quotation marks; none if they are not those of the whole.
fn unquoted(text: &str) -> Option<&str> {
    PAIRS.iter().find_map(|pair| {
        let inner = text.strip_prefix(pair[0])?.strip_suffix(pair[1])?;
        (!inner.contains(pair)).then_some(inner)
    })
}

const PAIRS: [[char; 2]; 8] =
    [['"', '"'], ['\'', '\''], ['`', '`'], ['“', '”'], ['„', '“'], ['‘', '’'], ['«', '»'], ['”', '”']];

/// No credential, but what examples have in its place.
const STAND_INS: [&str; 12] = [
    "changeme",
    "changethis",
    "fixme",
    "nil",
    "none",
    "null",
    "placeholder",
    "replaceme",
    "replacethis",
    "tbd",
    "todo",
    "undefined",
];

/// What examples call a credential: a random one may begin with anything.
const CREDENTIALS: [&str; 6] = ["credential", "key", "password", "secret", "sid", "token"];
