//! The words of a masked message, and which of them may turn out to be values.
//!
//! Invariant: pure, and linear in the text.

use std::{collections::HashMap, ops::Range};

use super::{mask::MASK, vocabulary};

/// What a word is likely to be, by where it stands and how it is written. The more likely
/// it tells problems apart, the more different ones must have stood in a place until that
/// is a hole: so many incidents, less one, tell of what is one problem before it is known
/// to be one; and as many problems that differ in that word are told apart.
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
    /// No hole by itself, but a part of one: it joins the words of a name or of a list.
    Part,
    /// Never a hole of its own: it says what happened.
    Fixed,
    /// What parts a message: never in a hole.
    Between,
}

impl Slot {
    pub(super) const ALL: [Self; 7] =
        [Self::Who, Self::Open, Self::Bare, Self::Few, Self::Part, Self::Fixed, Self::Between];

    /// How many different words make a hole of it.
    pub(super) fn enough(self, again: Again) -> Option<usize> {
        match (self, again) {
            (Self::Who, _) | (Self::Open, Again::None | Again::Some) => Some(2),
            (Self::Open, Again::Most) => Some(6),
            (Self::Bare, Again::None) => Some(2),
            (Self::Bare, Again::Some) => Some(4),
            (Self::Bare, Again::Most) => Some(12),
            (Self::Few, Again::None) => Some(4),
            (Self::Few, Again::Some) => Some(6),
            (Self::Few, Again::Most) => Some(18),
            (Self::Part | Self::Fixed | Self::Between, _) => None,
        }
    }
}

/// How many of the words that stood in a place came more than once: names of what a
/// program has a few of do, values seldom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Again {
    None,
    Some,
    Most,
}

/// A word, or what stands between two of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Word<'a> {
    pub(super) text: &'a str,
    pub(super) slot: Slot,
}

/// The words of a masked message.
pub(super) fn words(masked: &str) -> Vec<Word<'_>> {
    let (mut words, mut values) = (Vec::new(), HashMap::new());
    for (number, line) in masked.split('\n').enumerate() {
        // What follows the first line is its cause, or shows it.
        let (words, values) = (&mut words, &mut values);
        Line { text: line, is_cause: number > 0, words, values, before: ["", ""] }.read();
    }
    words
}

struct Line<'a, 'b> {
    text: &'a str,
    /// Whether what comes now says why.
    is_cause: bool,
    words: &'b mut Vec<Word<'a>>,
    /// What stood in the place of a value, as it stood first.
    values: &'b mut HashMap<&'a str, Slot>,
    /// The last two words, the last one first.
    before: [&'a str; 2],
}

impl<'a> Line<'a, '_> {
    fn read(mut self) {
        let cause = self.cause();
        let is_all_cause = self.is_cause;
        let mut at = 0;
        while let Some(rest) = self.text.get(at..).filter(|rest| !rest.is_empty()) {
            self.is_cause = is_all_cause || cause.contains(&at);
            let Some(first) = rest.chars().next() else { return };
            let length = match first {
                ' ' => 1,
                _ if closing(first).is_some() => self.quoted(at, first),
                '[' => list(rest).unwrap_or(1),
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

    /// Where the last cause stands: before a remark at the end, in parentheses.
    fn cause(&self) -> Range<usize> {
        let remark = self.text.rfind(" (").filter(|_| self.text.ends_with(')'));
        let end = remark.unwrap_or(self.text.len());
        let said = self.text.get(..end).unwrap_or(self.text);
        said.rfind(": ").map_or(end, |at| at + 1)..end
    }

    /// How long what is in quotation marks is; one, if nothing is.
    fn quoted(&self, at: usize, mark: char) -> usize {
        let width = mark.len_utf8();
        let rest = self.text.get(at + width..).unwrap_or_default();
        let end = closing(mark).and_then(|end| Some(rest.find(end)? + end.len_utf8()));
        let is_open =
            mark != '\'' || !self.text.get(..at).unwrap_or_default().ends_with(char::is_alphanumeric);
        end.filter(|_| is_open).map_or(width, |length| width + length)
    }

    fn add(&mut self, text: &'a str, at: usize) {
        // Of a number written in groups, how many there are varies.
        let is_mask = |text: &str| text.contains(MASK);
        if is_mask(text) && self.words.last().is_some_and(|last| is_mask(last.text)) {
            return;
        }
        let trimmed = text.trim_end_matches(['.', ':', '-']);
        let text = if trimmed.is_empty() { text } else { trimmed };
        let slot = self.slot(text, at);
        // A value that is said again is no less a value.
        let before = if slot == Slot::Fixed { self.values.get(inner(text)) } else { None };
        let slot = before.copied().unwrap_or(slot);
        if slot < Slot::Part && !inner(text).is_empty() {
            self.values.entry(inner(text)).or_insert(slot);
        }
        self.words.push(Word { text, slot });
        if text.chars().any(char::is_alphanumeric) {
            self.before = [text, self.before[0]];
        }
    }

    fn slot(&self, text: &str, at: usize) -> Slot {
        if matches!(text, "," | "&" | "'") {
            return Slot::Part;
        }
        if text.chars().all(is_separator) {
            return Slot::Between;
        }
        let inner = inner(text);
        let is_list = text.len() > 1 && text.starts_with('[');
        let is_quoted = is_list || inner.len() < text.len();
        let is_word = is_quoted || inner.contains(|c: char| c.is_alphabetic() || c == MASK);
        if !is_word || text.starts_with('`') || self.before[0].is_empty() {
            return Slot::Fixed;
        }
        let before = self.before[0].to_ascii_lowercase();
        let before = before.rsplit('_').next().unwrap_or_default();
        if vocabulary::is_who(before) {
            let is_name = inner.contains(MASK) || !vocabulary::is_no_name(inner);
            return if is_name { Slot::Who } else { Slot::Fixed };
        }
        let ahead = self.text.get(..at).unwrap_or_default();
        let is_value = ahead.ends_with('=') || (is_quoted && is_behind_key(ahead));
        let tells = is_telling(inner);
        if (tells && !is_quoted) || vocabulary::speaks(before) {
            return Slot::Fixed;
        }
        if self.is_cause && !is_value {
            // A cause of one word may be one, or what is meant: `unknown profile: ann`.
            let is_alone = ahead.ends_with(": ") && at + text.len() == self.text.len();
            return if is_alone && !inner.starts_with(char::is_uppercase) { Slot::Few } else { Slot::Fixed };
        }
        let further = self.before[1].to_ascii_lowercase();
        let is_joined = vocabulary::is_of_grammar(before);
        let is_of_few = vocabulary::has_few(before) || (is_joined && vocabulary::has_few(&further));
        let is_varied = inner.contains(MASK) && !is_quoted;
        if is_varied && !(is_of_few && has_two_words(inner)) {
            return Slot::Who;
        }
        if is_of_few || is_component(inner) || is_of_program(inner) {
            return Slot::Few;
        }
        if !is_quoted && vocabulary::is_before_verb(before) {
            return Slot::Fixed;
        }
        if tells {
            return Slot::Bare;
        }
        if is_quoted || is_value || inner.starts_with(char::is_uppercase) {
            return Slot::Open;
        }
        let is_plain = !inner.contains(['-', '/', '.', '@']);
        if is_joined && is_plain { Slot::Few } else { Slot::Bare }
    }
}

/// Whether `text` says what happened wherever it stands: a sentence, a name of the
/// program's, a code.
fn is_telling(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let happens = lower.split(['-', '_']).any(vocabulary::is_what_happens);
    let is_compound = text.contains(['-', '_', '/', '.', ' ']);
    let is_sentence = text.contains(' ') && !is_title(text);
    let is_name =
        happens || is_sentence || (is_camel(text) && !is_compound) || vocabulary::is_of_grammar(&lower);
    is_name || text.contains("::") || text.contains(|c: char| c.is_ascii_digit())
}

/// As `NotFound`, and not as `GmbH`.
fn is_camel(text: &str) -> bool {
    let last_hump = text.rfind(char::is_uppercase).filter(|at| *at > 0).map_or(0, |at| text.len() - at);
    text.contains(char::is_lowercase) && last_hump > 1
}

/// As `War and Peace`: each word in it is a name, or joins two.
fn is_title(text: &str) -> bool {
    let is_part = |word: &str| word.starts_with(char::is_uppercase) || vocabulary::is_of_grammar(word);
    text.starts_with(char::is_uppercase) && text.split(' ').all(is_part)
}

/// As `/orders`, `card_declined`, `EUR` and URLs: what a program has, it has a few of. But
/// of files like `my_thesis.docx`, it is given many.
fn is_of_program(text: &str) -> bool {
    let is_upper =
        !text.contains(char::is_lowercase) && text.chars().filter(|c| c.is_uppercase()).count() > 1;
    let is_named = text.contains('_') && !text.contains(MASK);
    (is_upper || text.starts_with('/') || text.contains("://") || is_named) && !is_file(text)
}

fn is_file(text: &str) -> bool {
    let parts = text.rsplit_once('.').filter(|(stem, _)| !stem.is_empty() && !stem.contains('/'));
    parts.is_some_and(|(_, end)| end.len() <= 5 && end.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

/// As `ledger-api` and `redis-primary`: a part of the system.
fn is_component(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let is_name = !text.contains([' ', MASK]);
    is_name && lower.split(['-', '_', '.']).any(vocabulary::is_component)
}

/// As `0042_add_orders`: a name, and not only an id.
fn has_two_words(text: &str) -> bool {
    let is_word = |part: &&str| part.len() > 2 && part.chars().all(char::is_alphabetic);
    text.split(['-', '_']).filter(is_word).count() > 1
}

/// How long the list is that `text` begins with: in brackets, with commas, of words.
fn list(text: &str) -> Option<usize> {
    let inside = text.get(1..)?.split_once(']')?.0;
    let is_list = inside.contains(',') || inside.starts_with('"');
    (is_list && !inside.contains(['[', '{', '(', ':', '='])).then_some(inside.len() + 2)
}

/// Whether what follows is a field's value, as in `{"name":` and `User { name: `.
fn is_behind_key(ahead: &str) -> bool {
    let key = ahead.trim_end().strip_suffix(':');
    let is_key = key.is_some_and(|key| key.ends_with(|c: char| c == '"' || c == '_' || c.is_alphanumeric()));
    is_key && ahead.rfind(['{', '(']) > ahead.rfind(['}', ')'])
}

/// What ends what `mark` begins, if that is a quotation mark.
fn closing(mark: char) -> Option<char> {
    Some(match mark {
        '"' | '\'' => mark,
        '“' | '„' => '”',
        '‘' | '‚' => '’',
        '«' => '»',
        '「' => '」',
        '『' => '』',
        _ => return None,
    })
}

/// Without quotation marks.
fn inner(text: &str) -> &str {
    text.trim_matches(|c| "\"'“”„‘’‚«»「」『』".contains(c))
}

fn is_separator(c: char) -> bool {
    "()[]{}<>,;:=|\"'`!?&".contains(c)
}

fn is_end(c: char) -> bool {
    c == ' ' || is_separator(c) || closing(c).is_some_and(|_| !c.is_ascii())
}
