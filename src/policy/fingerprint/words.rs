//! The words of a masked message, and which of them may turn out to be values.
//!
//! Invariant: pure, and linear in the text.

use super::{mask::MASK, vocabulary};

/// How many different words must have stood in one place until it is a hole. So many
/// incidents, less one, tell of what is one problem before it is known to be one; and
/// as many problems that differ in that word are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Slot {
    /// Behind a word that says who: `user ann`. Or a part of it varies: `shop-*-red`.
    Who,
    /// What is written as values are: in quotation marks, behind `=`, as `Globex`.
    Open,
    /// Any other word.
    Bare,
    /// Behind a word for what a program has a few of: `queue billing`.
    Few,
    /// Never a hole: it says what happened.
    Fixed,
}

impl Slot {
    pub(super) const ALL: [Self; 5] = [Self::Who, Self::Open, Self::Bare, Self::Few, Self::Fixed];

    /// How many different words make a hole of it.
    pub(super) fn enough(self) -> Option<usize> {
        match self {
            Self::Who => Some(2),
            Self::Open => Some(2),
            Self::Bare => Some(4),
            Self::Few => Some(8),
            Self::Fixed => None,
        }
    }
}

/// A word, or what stands between two of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Word<'a> {
    pub(super) text: &'a str,
    pub(super) slot: Slot,
}

/// The words of a masked message.
pub(super) fn words(masked: &str) -> Vec<Word<'_>> {
    let mut words = Vec::new();
    for (number, line) in masked.split('\n').enumerate() {
        // What follows the first line is its cause, or shows it.
        Line { text: line, is_cause: number > 0, words: &mut words, before: ["", ""] }.read();
    }
    words
}

struct Line<'a, 'b> {
    text: &'a str,
    /// Whether what comes now says why.
    is_cause: bool,
    words: &'b mut Vec<Word<'a>>,
    /// The last two words, the last one first.
    before: [&'a str; 2],
}

impl<'a> Line<'a, '_> {
    fn read(mut self) {
        let cause_at = self.text.rfind(": ").map_or(self.text.len(), |at| at + 1);
        let mut at = 0;
        while let Some(rest) = self.text.get(at..).filter(|rest| !rest.is_empty()) {
            let cause_begins = at >= cause_at;
            self.is_cause |= cause_begins;
            let Some(first) = rest.chars().next() else { return };
            let length = match first {
                ' ' => 1,
                '"' | '\'' => self.quoted(at, first),
                '`' => rest.get(1..).and_then(|rest| rest.find('`')).map_or(1, |length| length + 2),
                _ if is_separator(first) => first.len_utf8(),
                _ => rest.find(is_end).unwrap_or(rest.len()),
            };
            let text = rest.get(..length).unwrap_or(rest);
            if first != ' ' {
                self.add(text, at);
            }
            at += text.len();
        }
    }

    /// How long what is in quotation marks is; one, if nothing is.
    fn quoted(&self, at: usize, mark: char) -> usize {
        let rest = self.text.get(at + 1..).unwrap_or_default();
        let close = rest.find(mark).filter(|length| *length > 0);
        let is_open = !self.text.get(..at).unwrap_or_default().ends_with(char::is_alphanumeric);
        close.filter(|_| is_open).map_or(1, |length| length + 2)
    }

    fn add(&mut self, text: &'a str, at: usize) {
        let trimmed = text.trim_end_matches(['.', ':', '-']);
        let text = if trimmed.is_empty() { text } else { trimmed };
        self.words.push(Word { text, slot: self.slot(text, at) });
        if text.chars().any(char::is_alphanumeric) {
            self.before = [text, self.before[0]];
        }
    }

    fn slot(&self, text: &str, at: usize) -> Slot {
        let inner = text.trim_matches(['"', '\'']);
        let is_quoted = inner.len() < text.len();
        let is_word = inner.contains(|c: char| c.is_alphabetic() || c == MASK);
        if !is_word || text.starts_with('`') || self.before[0].is_empty() {
            return Slot::Fixed;
        }
        let before = self.before[0].to_ascii_lowercase();
        let before = before.rsplit('_').next().unwrap_or_default();
        let lower = inner.to_ascii_lowercase();
        let further = self.before[1].to_ascii_lowercase();
        if vocabulary::is_who(before) {
            let is_name = inner.contains(MASK) || !vocabulary::is_no_name(inner);
            return if is_name { Slot::Who } else { Slot::Fixed };
        }
        let is_value = self.text.get(..at).is_some_and(|ahead| ahead.ends_with('='));
        let happens = lower.split(['-', '_']).any(vocabulary::is_what_happens);
        if happens || is_telling(inner) || vocabulary::is_of_grammar(&lower) || vocabulary::speaks(before) {
            return Slot::Fixed;
        }
        if self.is_cause && !is_value {
            return Slot::Fixed;
        }
        let is_of_few = vocabulary::has_few(before)
            || (vocabulary::is_of_grammar(before) && vocabulary::has_few(&further));
        if is_of_few || is_of_program(inner) {
            return Slot::Few;
        }
        if !is_quoted && vocabulary::is_before_verb(before) {
            return Slot::Fixed;
        }
        if inner.contains(MASK) {
            return Slot::Who;
        }
        if is_quoted || is_value || inner.starts_with(char::is_uppercase) {
            return Slot::Open;
        }
        if vocabulary::is_of_grammar(before) && !inner.contains(['-', '/', '.', '@']) {
            return Slot::Fixed;
        }
        Slot::Bare
    }
}

/// Whether `text` says what happened wherever it stands: a sentence, a name of the
/// program's, a code.
fn is_telling(text: &str) -> bool {
    let has_lower = text.contains(char::is_lowercase);
    let is_compound = text.contains(['-', '_', '/', '.', ' ']);
    let is_camel = has_lower && !is_compound && text.chars().skip(1).any(char::is_uppercase);
    let is_sentence = text.contains(' ') && !is_title(text);
    is_sentence || is_camel || text.contains("::") || text.contains(|c: char| c.is_ascii_digit())
}

/// As `War and Peace`: each word in it is a name, or joins two.
fn is_title(text: &str) -> bool {
    let is_part = |word: &str| word.starts_with(char::is_uppercase) || vocabulary::is_of_grammar(word);
    text.starts_with(char::is_uppercase) && text.split(' ').all(is_part)
}

/// As `/orders`, `card_declined`, `EUR` and URLs: what a program has, it has a few of.
fn is_of_program(text: &str) -> bool {
    let is_upper =
        !text.contains(char::is_lowercase) && text.chars().filter(|c| c.is_uppercase()).count() > 1;
    is_upper || text.starts_with('/') || text.contains("://") || (text.contains('_') && !text.contains(MASK))
}

fn is_separator(c: char) -> bool {
    "()[]{}<>,;:=|\"'`!?&".contains(c)
}

fn is_end(c: char) -> bool {
    c == ' ' || is_separator(c)
}
