//! Passwords of several words that nothing encloses: `Pwd=correct horse;`.

use std::ops::Range;

use super::{
    extent::{NEAR_BYTES, NEAR_NAME},
    keys::is_one_of,
    look, looked,
    vocabulary::{FILLERS, NOTHING, OF, PROSE, SENTENCES},
};

/// Where the phrase ends of which `first` is the first word: where a field, a statement, a
/// comment or the line does. What reads as a sentence is none, and ends with that word; and so
/// does what is not `strong`, unless it is in a statement.
pub(super) fn end(text: &str, first: &Range<usize>, is_strong: bool) -> usize {
    let near = text.get(first.end..text.floor_char_boundary(first.end + NEAR_BYTES)).unwrap_or_default();
    let line = near.lines().next().unwrap_or_default();
    looked(line.len());
    let line = &line[..line.find("\\n").unwrap_or(line.len())];
    // A statement has nothing but fields, whatever their words are.
    let is_statement = is_closed(&text[..first.start], line);
    let is_part = if is_statement { is_word } else { is_plain };
    if !line.starts_with(' ') || !is_part(&text[first.clone()]) || !is_strong && !is_statement {
        return first.end;
    }
    let mut end = first.end;
    for (index, word) in line.split_inclusive(' ').skip(1).enumerate() {
        let word = word.trim_end_matches(' ');
        let own = &word[..word.find([';', '&', '"', '|']).unwrap_or(word.len())];
        let own = if is_statement { own.split(['\'', '`']).next().unwrap_or(own) } else { own };
        if own.contains('=') || own.is_empty() || own.starts_with(['#', '-', '(', '/', '[']) {
            return end;
        }
        let is_said = [PROSE, FILLERS, SENTENCES, OF, NOTHING].iter().any(|list| is_one_of(own, list));
        if index == MAX_WORDS || !is_part(own) || !is_statement && (is_said || look::is_prose(own)) {
            return first.end;
        }
        end = own.as_ptr() as usize - text.as_ptr() as usize + own.len();
        if own.len() < word.len() {
            break;
        }
    }
    end
}

/// Whether a value behind `before` is one of a statement that `after` closes: between marks that
/// keep fields apart, or in quotes that are around its name, too.
fn is_closed(before: &str, after: &str) -> bool {
    let is_part = |char: char| char.is_alphanumeric() || "_.-=: ".contains(char);
    let before = &before[before.ceil_char_boundary(before.len().saturating_sub(NEAR_NAME))..];
    let opening = before.trim_end_matches(is_part);
    match opening.chars().next_back() {
        Some(';') => after.contains([';', '"']),
        Some(quote @ ('"' | '\'' | '`')) => {
            // An apostrophe is none.
            let is_in_word = opening[..opening.len() - 1].ends_with(char::is_alphanumeric);
            !is_in_word && after.contains(quote)
        }
        _ => after.contains(';') && before.contains(';'),
    }
}

/// Letters and digits, and what words have among them.
fn is_word(word: &str) -> bool {
    word.starts_with(|char: char| char.is_alphanumeric())
        && word.chars().all(|char| char.is_alphanumeric() || "'-!?".contains(char))
}

/// The same without digits, which count something in a sentence.
fn is_plain(word: &str) -> bool {
    is_word(word) && !word.contains(|char: char| char.is_ascii_digit())
}

/// A longer one is a sentence.
const MAX_WORDS: usize = 7;
