//! What a value looks like: a mask, a place-holder, code, a word, a number of
//! something; chosen by somebody, or random.

use super::{
    chance,
    judge::Form,
    keys::{Words, is_one_of},
    vocabulary::{ALGORITHMS, FILES, MASKS, PROSE, SCHEMES, TYPES},
};

/// Whether `text` begins with what already stands for a secret, in whatever
/// brackets or types: behind a word alone it may be a part of one.
pub(super) fn is_masked(text: &str) -> bool {
    let mut rest = &text[..text.floor_char_boundary(NEAR_BYTES)];
    let mut is_inside = false;
    loop {
        if let Some(mask) = MASKS.iter().find(|mask| starts_with(rest, mask)) {
            return is_all(&rest[mask.len()..]);
        }
        let length = rest.find(|char: char| !char.is_ascii_alphanumeric() && !"_:<>".contains(char));
        let (word, after) = rest.split_at(length.unwrap_or(rest.len()));
        let bracket = after.strip_prefix(' ').filter(|after| after.starts_with('{')).unwrap_or(after);
        rest = match bracket.trim_start_matches('\\').strip_prefix(['(', '[', '{', '"', '\'']) {
            Some(inside) => {
                is_inside = true;
                inside
            }
            None if is_one_of(word, SCHEMES) || is_inside && word.ends_with(':') => after,
            None => return false,
        };
        rest = rest.trim_start_matches(|char: char| char.is_whitespace());
        rest = rest.strip_prefix("\\n").map_or(rest, str::trim_start);
    }
}

/// Whether a mask that goes on with `rest` shows no more than the end of what it
/// stands for.
fn is_all(rest: &str) -> bool {
    let shown = rest.trim_start_matches(|char: char| {
        !matches!(char, ']' | '>' | ')') && !char.is_whitespace() && "*.xX\u{2022}\u{2026}:".contains(char)
            || char.is_ascii_lowercase() && !rest.starts_with('*')
    });
    let shown = shown.trim_start_matches([']', '>', ')', '*', '_', ':']);
    let word = shown
        .split(|char: char| char.is_whitespace() || "\"'`,;)}]".contains(char))
        .next()
        .unwrap_or_default();
    let next = shown.split_whitespace().next().unwrap_or_default();
    word.len() < MAX_SHOWN
        && !(shown.starts_with(' ') && is_mixed(next.trim_matches(['"', '\''])) && !next.starts_with('['))
}

pub(super) fn starts_with(text: &str, start: &str) -> bool {
    text.as_bytes().get(..start.len()).is_some_and(|found| found.eq_ignore_ascii_case(start.as_bytes()))
}

/// What is to be replaced by a value, or only shows that there is one.
pub(super) fn is_placeholder(text: &str, form: Form) -> bool {
    let is_open = ["<", "[", "${", "{{", "$(", "#{"].iter().any(|open| {
        text.strip_prefix(open).is_some_and(|name| {
            !name.is_empty()
                && name.chars().all(|char| char.is_alphanumeric() || "_-. |>]}".contains(char))
                && !name.bytes().any(|byte| byte.is_ascii_digit())
        })
    });
    let is_enclosed = is_open
        || [
            ("${", "}"),
            ("{{", "}}"),
            ("<", ">"),
            ("%(", ")s"),
            ("$(", ")"),
            ("%", "%"),
            ("{", "}"),
            ("#{", "}"),
        ]
        .iter()
        .any(|(open, close)| {
            text.strip_prefix(open).and_then(|rest| rest.strip_suffix(close)).is_some_and(|name| {
                !name.contains(['"', '\'', '>']) && (!name.contains([':', ',', '=']) || *open == "<")
            })
        });
    let name =
        |rest: &str| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'_');
    let is_parameter = text.strip_prefix(['$', ':', '@', '?']).is_some_and(|rest| {
        rest.bytes().all(|byte| byte.is_ascii_digit()) && rest.len() <= 3
            || name(rest) && !rest.chars().any(char::is_uppercase)
            || name(rest) && !rest.chars().any(char::is_lowercase)
    });
    let is_shouted = name(text) && !text.chars().any(char::is_lowercase);
    let words = text.bytes().filter(|byte| *byte == b'_').count() + 1;
    // A name in capitals is that of a variable, or of an argument.
    let is_name = is_shouted
        && (words > 2
            || form == Form::Flag
            || (words == 2 || form != Form::Type) && Words::of(text, 0).secret().is_some());
    // `SetCredential=`, as in a list of names.
    let is_next = text
        .strip_suffix('=')
        .is_some_and(|name| name.bytes().all(|byte| byte.is_ascii_alphabetic() || b"_/".contains(&byte)));
    let is_repeated = text.len() >= 3
        && text.bytes().all(|byte| byte == text.as_bytes()[0])
        && matches!(text.as_bytes()[0], b'x' | b'X' | b'*' | b'.' | b'#' | b'-' | b'_');
    // Names of variables may be among words that say no more.
    let is_made = text.starts_with("{{") && text.ends_with("}}")
        || text.contains("${")
        || text.matches("%s").count() > 1 && !is_mixed(&text.replace("%s", ""));
    let is_hidden = text.bytes().filter(|byte| *byte == b'*').count() >= 4
        && text.bytes().filter(u8::is_ascii_alphanumeric).count()
            <= if text.starts_with(|char: char| char.is_ascii_lowercase()) { 12 } else { 6 };
    is_enclosed
        || is_made
        || is_hidden
        || is_parameter
        || is_name
        || is_next
        || is_repeated
        || starts_with(text, "your-")
        || starts_with(text, "your_")
        || text.starts_with("<%")
        || text.split('\\').next() == Some("%s")
        || text == "{}"
        || text.starts_with('%')
            && text.len() <= 5
            && text[1..].bytes().all(|byte| byte == b'$' || byte.is_ascii_alphanumeric())
}

/// Whether `text` is how a program would name a value: a type, a call, a path to a
/// field that is named like a secret itself.
pub(super) fn is_code(text: &str) -> bool {
    let start = text.trim_start_matches(['&', '*', '!', '?']).trim_start_matches("mut ");
    let is_path =
        |char: char| char.is_ascii_alphanumeric() || matches!(char, '_' | '.' | ':' | '$') || char == '>';
    let length = start.find(|char| !is_path(char)).unwrap_or(start.len());
    let (path, after) = start.split_at(length);
    let path = path.trim_end_matches(['.', ':', '>']);
    if is_one_of(path.rsplit(['.', ':']).next().unwrap_or(path), TYPES)
        || path.starts_with("_Z")
        || text.starts_with('$') && text.contains("->")
        || starts_with(path, "process.env")
        || starts_with(path, "os.environ")
    {
        return true;
    }
    let last = path.rsplit(['.', ':', '>']).next().unwrap_or_default();
    let is_identifier = !path.is_empty() && !path.starts_with(|char: char| char.is_ascii_digit());
    let is_call =
        after.starts_with('(') && last.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'_');
    let is_macro = ["!(", "![", "!{", "! {"].iter().any(|open| after.starts_with(open)) && is_snake(last);
    let is_generic = after.starts_with('<')
        && (path.starts_with(|char: char| char.is_ascii_uppercase()) || text.contains("::<"));
    let is_member = last.len() < path.len()
        && Words::of(last, 0).secret().is_some()
        && last.bytes().next_back().is_some_and(|byte| byte.is_ascii_alphabetic());
    is_identifier && (is_call || is_macro || is_generic || is_member)
}

/// A name of a function or a variable.
pub(super) fn is_snake(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

/// A word with which a sentence about a secret goes on.
pub(super) fn is_prose(text: &str) -> bool {
    let word = text.trim_end_matches(['.', ':', ',', '!', ';', '?']).trim_matches(['`', '\'', '"']);
    word.split('-').all(|word| is_one_of(word, PROSE))
        || is_plain_word(word) && word.len() > 4 && (word.ends_with("ed") || word.ends_with("ing"))
        || word.ends_with("Error")
        || word.ends_with("Exception")
}

pub(super) fn is_plain_word(text: &str) -> bool {
    let word = text
        .trim_end_matches(['.', ':', ',', '!', ';', '?', '\'', '`', '"'])
        .trim_start_matches(['\'', '`', '"']);
    let mut chars = word.chars();
    chars.next().is_some_and(char::is_alphabetic)
        && chars.all(|char| char.is_lowercase() || matches!(char, '-' | '\''))
}

/// As somebody would choose a password: letters with digits or signs among them.
pub(super) fn is_mixed(word: &str) -> bool {
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    let has_letter = word.chars().any(char::is_alphabetic);
    let has_sign = word.bytes().skip(1).any(|byte| b"!#$%^&*+=~@".contains(&byte));
    (digits > 0 || has_sign || is_jagged(word) || chance::is_phrase(word))
        && has_letter
        && word.chars().count() >= 6
        && !word.contains(char::is_whitespace)
        && !is_place(word)
        && !is_algorithm(word)
}

/// Capitals among small letters, as no name has them.
fn is_jagged(word: &str) -> bool {
    let changes = word
        .as_bytes()
        .windows(2)
        .filter(|pair| pair[0].is_ascii_lowercase() && pair[1].is_ascii_uppercase())
        .count();
    changes >= 2
        && word.len() >= 8
        && word.as_bytes().windows(2).any(|pair| pair[0].is_ascii_uppercase() && pair[1].is_ascii_uppercase())
}

/// Words that somebody put together as no sentence does: `radio_Gaga`, `luna.roja`.
pub(super) fn is_joined(word: &str) -> bool {
    let is_part = |part: &str| {
        (2..=16).contains(&part.chars().count())
            && part.chars().all(char::is_alphabetic)
            && !part.chars().all(char::is_uppercase)
            && !is_prose(part)
    };
    let parts = || word.split(['_', '.', '-', '&', '+']);
    word.len() >= 6
        && (2..=4).contains(&parts().count())
        && parts().all(is_part)
        && !parts().next_back().is_some_and(|end| is_one_of(end, FILES))
        && Words::of(word, 0).secret().is_none()
}

/// Long, with digits among letters of both cases.
pub(super) fn is_dense(word: &str) -> bool {
    let count = |is: fn(&u8) -> bool| word.bytes().filter(&is).count();
    let [digits, upper, lower] =
        [count(u8::is_ascii_digit), count(u8::is_ascii_uppercase), count(u8::is_ascii_lowercase)];
    looks_random(word) && word.len() >= 20 && digits >= 2 && upper >= 3 && lower >= 3
}

/// `2 of 3`.
pub(super) fn is_count(text: &str) -> bool {
    let rest = text.trim_start_matches(|char: char| char.is_ascii_digit());
    rest.len() < text.len()
        && [" of ", " out of ", " days", " bytes", " chars", " ms", " seconds"]
            .iter()
            .any(|unit| rest.starts_with(unit))
}

/// The name of a secret itself, as of a variable or a column.
pub(super) fn is_named(text: &str) -> bool {
    let is_letters =
        text.bytes().all(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'_' | b'-' | b'\'' | b'.'));
    is_letters && Words::of(text, 0).secret().is_some() && !chance::is_phrase(text)
}

/// The name of a file, or of a place of that kind: `/run/secrets/db`, `prod/shop/db`.
pub(super) fn is_path(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_./-".contains(&byte);
    let is_name = |part: &str| {
        !part.is_empty()
            && (part.bytes().all(|byte| byte.is_ascii_lowercase() || b"-#".contains(&byte))
                || part.bytes().all(|byte| byte.is_ascii_digit()))
    };
    if text.contains('/') && text.split('/').all(is_name) {
        return true;
    }
    let kind = text.bytes().take_while(u8::is_ascii_lowercase).count();
    let path = text[kind..].strip_prefix(':').unwrap_or(text);
    path.strip_prefix('/').is_some_and(|rest| rest.contains('/') && rest.bytes().all(is_part))
}

/// Another name and its value: `visibility=gone`.
pub(super) fn is_pair(text: &str) -> bool {
    let Some((before, after)) = text.split_once('=') else { return false };
    let name =
        before.rsplit(|char: char| !char.is_ascii_alphanumeric() && char != '_').next().unwrap_or_default();
    name.len() >= 2
        && !name.bytes().any(|byte| byte.is_ascii_digit())
        && !after.trim_start_matches('=').is_empty()
}

/// An address in memory, or a number that is none of a key.
fn is_address(text: &str) -> bool {
    text.strip_prefix("0x")
        .is_some_and(|hex| hex.len() <= 16 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// What is no secret behind any name: a number that counts, an address.
pub(super) fn is_plain(text: &str) -> bool {
    let is_count = text.len() <= 2 && text.bytes().all(|byte| byte.is_ascii_digit());
    is_count || is_address(text)
}

/// A word that is no word, name, number, address or time.
pub(super) fn looks_secret(word: &str) -> bool {
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    let letters = word.bytes().filter(u8::is_ascii_alphabetic).count();

    let looks_so = letters > 0 && (digits >= 2 && word.len() >= 8 || looks_random(word));

    looks_so && !is_place(word) && !word.contains('.') && !is_algorithm(word)
        || word.len() >= 24 && looks_random(word) && !is_place(word)
}

pub(super) fn is_place(word: &str) -> bool {
    let is_mail = word.split_once('@').is_some_and(|(name, host)| {
        !name.is_empty()
            && host.contains('.')
            && host.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'.' || byte == b'-')
    });
    is_mail
        || word.starts_with('/')
        || word.contains([':', '(', '<', '{', '['])
        || word.contains("//")
        || is_dated(word)
}

/// A date, a version, an address: digits with dots or dashes between.
pub(super) fn is_dated(word: &str) -> bool {
    let word = word.trim_start_matches(['v', 'V']);
    word.split(['.', '-', ':', 'T', 'Z', '+', '/']).all(|part| part.bytes().all(|byte| byte.is_ascii_digit()))
        && word.contains(['.', '-'])
}

pub(super) fn is_algorithm(word: &str) -> bool {
    let has = |word: &str, is: fn(&u8) -> bool| word.bytes().any(|byte| is(&byte));
    let is_cased = |word: &str| has(word, u8::is_ascii_uppercase) && has(word, u8::is_ascii_lowercase);
    let is_one = |word: &str| {
        word.len() <= 16
            && !(word.len() > 7 && is_cased(word) && chance::is_made(word))
            && ALGORITHMS.iter().any(|name| starts_with(word, name) && is_of_algorithm(&word[name.len()..]))
    };
    is_one(word) || word.split(['_', '-']).all(is_one)
}

/// Whether that follows the name of an algorithm: `256`, `2id`, `v1_3`, `withRSA`. What
/// changes between letters and digits again and again does not.
fn is_of_algorithm(rest: &str) -> bool {
    let told: Vec<u8> = rest.bytes().filter(u8::is_ascii_alphanumeric).collect();
    let runs = told.chunk_by(|one, other| one.is_ascii_digit() == other.is_ascii_digit()).count();
    runs <= 2 || told.len() <= 5
}

/// Long, of letters and digits, with nothing that a sentence has.
pub(super) fn looks_random(word: &str) -> bool {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=_-.~%".contains(&byte);
    word.len() >= 16
        && word.bytes().all(is_token)
        && word.bytes().filter(u8::is_ascii_digit).count() >= if word.len() < 20 { 2 } else { 1 }
        && word.bytes().any(|byte| byte.is_ascii_alphabetic())
        && (word.bytes().filter(u8::is_ascii_digit).count() >= 2 || is_jagged(word))
}

pub(super) const MIN_CODE: usize = 6;

/// Of what is masked, no more is shown.
const MAX_SHOWN: usize = 8;

/// How far into a value is looked for a mask.
const NEAR_BYTES: usize = 64;
