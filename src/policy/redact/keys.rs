//! Which names say that their value is a secret.
//!
//! A name is judged by its words (`userPassword`, `USER_PASSWORD` and
//! `user.password` are two), never by a part of one: `author` is no `auth`.

use super::vocabulary::{HARMLESS_BEGINNINGS, HARMLESS_ENDS, KEYS, NEUTRAL_ENDS, PAGES, PARTICLES, WHOLE};
use crate::host::fork::Lazy;

/// What a name says about its value.
pub(super) enum Key<'a> {
    /// Somebody vouches for it.
    Safe,
    Secret(Secret<'a>),
}

/// What is behind a name that says "secret".
#[derive(Clone, Copy, Debug)]
pub(super) struct Secret<'a> {
    pub(super) rule: &'a str,
    pub(super) nature: Nature,
    /// A number behind it counts something, as behind `tokens`.
    pub(super) countable: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Nature {
    /// Whatever stands behind it is a secret, unless prose goes on.
    Strong,
    /// In prose the word means other things, too: what follows must look the part.
    Weak,
    /// Like `Strong`; it ends with the line.
    StrongLine,
    /// Like `Weak`; it ends with the line.
    WeakLine,
    /// Like `Weak`; only what nobody could have thought of is one.
    Random,
    /// Nothing follows it, but the clause that it is in may have a secret.
    Hint,
    /// A code with at least so many digits.
    Digits(usize),
}

impl Nature {
    pub(super) fn is_line(self) -> bool {
        matches!(self, Self::StrongLine | Self::WeakLine)
    }

    pub(super) fn is_strong(self) -> bool {
        matches!(self, Self::Strong | Self::StrongLine)
    }
}

#[derive(Clone, Copy)]
pub(super) enum Place {
    Anywhere,
    /// At the end of the name, but for words that mean nothing.
    End,
}

/// The last words of a name, and those before it that may belong to it.
pub(super) struct Words<'a> {
    words: [&'a str; MAX_WORDS],
    count: usize,
    /// How many of them are before the name.
    before: usize,
}

impl<'a> Words<'a> {
    /// Numbers are no words: `token_2` means what `token` does. The name begins at
    /// `own` of `near`.
    pub(super) fn of(near: &'a str, own: usize) -> Self {
        Self::split(near, own, |letter| matches!(letter, Letter::Upper | Letter::Lower))
    }

    /// Numbers are words, too: somebody who names `token_2` means no other.
    pub(super) fn numbered(name: &'a str) -> Self {
        Self::split(name, 0, |letter| letter != Letter::None)
    }

    /// The words that begin with a letter as `is_word` wants it.
    fn split(near: &'a str, own: usize, is_word: impl Fn(Letter) -> bool) -> Self {
        let mut words = Self { words: [""; MAX_WORDS], count: 0, before: 0 };
        let from = near.ceil_char_boundary(near.len().saturating_sub(MAX_KEY_BYTES));
        let mut start = from;
        let (mut before, mut last) = (Letter::None, Letter::None);
        for (at, char) in near[from..].char_indices().map(|(at, char)| (from + at, char)) {
            let letter = Letter::of(char);
            let is_break = match (last, letter) {
                // `APIKey` is two words: the second begins with its capital.
                (Letter::Upper, Letter::Lower) if before == Letter::Upper => {
                    words.push(&near[start..at - 1], &is_word);
                    start = at - 1;
                    false
                }
                (Letter::Upper, Letter::Lower) => false,
                (last, letter) => last != letter,
            };
            if is_break {
                words.push(&near[start..at], &is_word);
                start = at;
            }
            if at == own {
                words.before = words.count;
            }
            (before, last) = (last, letter);
        }
        words.push(&near[start..], &is_word);
        words
    }

    fn push(&mut self, word: &'a str, is_word: impl Fn(Letter) -> bool) {
        if !word.starts_with(|char| is_word(Letter::of(char))) {
            return;
        }
        if self.count == MAX_WORDS {
            self.words.rotate_left(1);
            self.count -= 1;
            self.before = self.before.saturating_sub(1);
        }
        self.words[self.count] = word;
        self.count += 1;
    }

    fn all(&self) -> &[&'a str] {
        &self.words[..self.count]
    }

    /// In lower case, with `_` between.
    pub(super) fn joined(&self) -> String {
        self.all().join("_").to_lowercase()
    }

    /// Whether these are the words of `other`, all of them.
    pub(super) fn is(&self, other: &str) -> bool {
        self.count == other.split('_').count() && self.has(other)
    }

    /// Whether the words of `other` are among these, one after the other.
    pub(super) fn has(&self, other: &str) -> bool {
        let count = other.split('_').count();
        self.all()
            .windows(count)
            .any(|words| words.iter().zip(other.split('_')).all(|(word, other)| equal(word, other)))
    }

    pub(super) fn secret(&self) -> Option<Secret<'static>> {
        let own = self.all().get(self.before..)?;
        let (first, last) = (own.first()?, own.last()?);
        let neutral = own.iter().rev().take_while(|word| is_one_of(word, NEUTRAL_ENDS)).count();
        let until = (self.count - neutral).max(self.before + 1);
        let index = &*INDEX;
        let mut best: Option<(&Phrase, usize)> = None;
        for end in self.before + 1..=self.count {
            let word = self.words[end - 1];
            let candidates = slots(word).into_iter().flatten().flat_map(|slot| &index[slot]);
            for phrase in candidates {
                let is_first = best.is_none_or(|(best, _)| phrase.order < best.order);
                let is_there = matches!(KEYS[phrase.row].place, Place::Anywhere) || end == until;
                if is_first && is_there && self.ends_with(phrase, end) {
                    best = Some((phrase, end));
                }
            }
        }
        let (phrase, end) = best?;
        let row = &KEYS[phrase.row];
        let is_about = end < self.count && is_one_of(last, HARMLESS_ENDS);
        let is_public = (row.nature == Nature::Random || row.rule == "signature")
            && self.all().iter().any(|word| {
                is_one_of(
                    word,
                    &[
                        "public",
                        "pub",
                        "primary",
                        "foreign",
                        "peer",
                        "routing",
                        "partition",
                        "sort",
                        "varnish",
                        "surrogate",
                        "dkim",
                    ],
                )
            });
        let is_page = row.rule == "token" && own.iter().any(|word| is_one_of(word, PAGES));
        if is_about || is_page || is_public || is_one_of(first, HARMLESS_BEGINNINGS) {
            return None;
        }
        let is_plural = self.words[end - 1].ends_with(['s', 'S']) && !phrase.last.ends_with('s');
        // `secrets: …` goes on with a sentence more often than with secrets.
        let nature = if is_plural && row.nature == Nature::Strong { Nature::Weak } else { row.nature };
        let countable = is_plural || own.len() == 1 && phrase.last == "pass" || phrase.last == "seed";
        Some(Secret { rule: row.rule, nature, countable })
    }

    /// Whether the words up to `end` end with those of `phrase`; words before the name
    /// count only if they lead up to its end.
    fn ends_with(&self, phrase: &Phrase, end: usize) -> bool {
        if !matches(self.words[end - 1], phrase.last, true) {
            return false;
        }
        let Some(rest) = phrase.rest else { return true };
        let mut at = end - 1;
        let is_all = rest.rsplit(' ').all(|entry| {
            let before = at.checked_sub(1);
            at = before.unwrap_or(0);
            before.is_some_and(|at| matches(self.words[at], entry, false))
        });
        is_all && (at >= self.before || end == self.count)
    }
}

/// One of the phrases in the vocabulary, its last word apart.
struct Phrase {
    row: usize,
    order: usize,
    rest: Option<&'static str>,
    last: &'static str,
}

/// The phrases by how their last words end: most words of a text end like none.
static INDEX: Lazy<Vec<Vec<Phrase>>> = Lazy::new(|| {
    let mut index: Vec<Vec<Phrase>> = Vec::new();
    index.resize_with(2 * SLOTS + 1, Vec::new);
    let rows = KEYS.iter().enumerate();
    let all = rows.flat_map(|(row, it)| it.phrases.iter().map(move |phrase| (row, *phrase)));
    for (order, (row, phrase)) in all.enumerate() {
        let (rest, last) = phrase.rsplit_once(' ').map_or((None, phrase), |(rest, last)| (Some(rest), last));
        let tail = last.trim_start_matches('*').as_bytes();
        let slot = match tail {
            _ if !last.is_ascii() => SLOTS,
            [head @ .., b'*'] => slot(&head[..HEAD]) + SLOTS + 1,
            _ => slot(&tail[tail.len().saturating_sub(TAIL)..]),
        };
        index[slot].push(Phrase { row, order, rest, last });
    }
    index
});

/// Where the phrases are that may end with `word`, or with what it is the plural of.
fn slots(word: &str) -> [Option<usize>; 5] {
    if !word.is_ascii() {
        return [Some(SLOTS), None, None, None, None];
    }
    let bytes = word.as_bytes();
    let end = |end: usize, count: usize| end.checked_sub(count).map(|from| slot(&bytes[from..end]));
    let singular = if matches!(bytes.last(), Some(b's' | b'S')) { bytes.len() - 1 } else { 0 };
    let head = bytes.get(..HEAD).map(|head| slot(head) + SLOTS + 1);
    [end(bytes.len(), TAIL), end(bytes.len(), TAIL - 1), end(singular, TAIL), end(singular, TAIL - 1), head]
}

/// Whether any word of `name` may be the last of a phrase: it is seldom so, and quick
/// to see.
pub(super) fn may_tell(name: &str) -> bool {
    let bytes = name.as_bytes();
    let index = &*INDEX;
    (0..bytes.len()).any(|at| {
        let is_end = |next: usize| bytes.get(next).is_none_or(|byte| !byte.is_ascii_lowercase());
        let is_tail = |count: usize| {
            (at + 1).checked_sub(count).is_some_and(|from| !index[slot(&bytes[from..=at])].is_empty())
        };
        let is_plural = || matches!(bytes.get(at + 1), Some(b's' | b'S')) && is_end(at + 2);
        let is_head = || {
            let is_start = at.checked_sub(1).is_none_or(|before| !bytes[before].is_ascii_lowercase());
            let head = bytes.get(at..at + HEAD).filter(|_| is_start || bytes[at].is_ascii_uppercase());
            head.is_some_and(|head| !index[slot(head) + SLOTS + 1].is_empty())
        };
        !bytes[at].is_ascii()
            || is_head()
            || (is_end(at + 1) || is_plural()) && (is_tail(TAIL) || is_tail(TAIL - 1))
    })
}

/// Where phrases with these last letters are in the index, whatever their case.
fn slot(tail: &[u8]) -> usize {
    tail.iter().fold(tail.len(), |slot, byte| slot * 31 + usize::from(byte | 0x20)) % SLOTS
}

/// So many letters, and one less for words that are shorter.
const TAIL: usize = 3;
/// So many of a stem.
const HEAD: usize = 4;
const SLOTS: usize = 1024;

/// Whether `word` is that of an entry, of which the last may be plural; one with a
/// `*` may end a longer word. Without spaces between words, a particle may follow.
fn matches(word: &str, entry: &str, is_last: bool) -> bool {
    if let Some(stem) = entry.strip_suffix('*') {
        return is_like(word, stem) && begins(word, stem);
    }
    if entry.starts_with(is_wide) {
        return word.strip_suffix(PARTICLES).unwrap_or(word).ends_with(entry);
    }
    if !entry.is_ascii() {
        return equal(word, entry);
    }
    let (entry, is_compound) = entry.strip_prefix('*').map_or((entry, false), |entry| (entry, true));
    let is_plural = is_last && word.len() > entry.len();
    let is_plural = is_plural && !entry.ends_with('s');
    let singular = if is_plural { word.strip_suffix(['s', 'S']).unwrap_or(word) } else { word };
    let from =
        if is_compound && !is_one_of(word, WHOLE) { singular.len().saturating_sub(entry.len()) } else { 0 };
    singular.get(from..).is_some_and(|word| word.eq_ignore_ascii_case(entry))
}

/// Whether `word` is `stem` with an ending that its language gives it.
fn begins(word: &str, stem: &str) -> bool {
    let count = stem.chars().count();
    let length = word.char_indices().nth(count).map_or(word.len(), |(at, _)| at);
    equal(&word[..length], stem) && word[length..].chars().count() <= MAX_ENDING
}

fn equal(one: &str, other: &str) -> bool {
    let is_same = || one.chars().flat_map(char::to_lowercase).eq(other.chars());
    one.eq_ignore_ascii_case(other) || !one.is_ascii() && is_like(one, other) && is_same()
}

/// Whether `word` may be `entry`: most are not, and that is quick to see.
fn is_like(word: &str, entry: &str) -> bool {
    let (one, other) = (word.chars().next(), entry.chars().next());
    one == other || one.is_some_and(|one| !one.is_lowercase())
}

pub(super) fn is_one_of(word: &str, list: &[&str]) -> bool {
    list.iter().any(|listed| listed.eq_ignore_ascii_case(word))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Letter {
    None,
    Lower,
    Upper,
    Digit,
}

impl Letter {
    fn of(char: char) -> Self {
        match char {
            'A'..='Z' => Self::Upper,
            '0'..='9' => Self::Digit,
            char if is_letter(char) => Self::Lower,
            _ => Self::None,
        }
    }
}

/// Whether `char` is one of a word, in any script; also a sign that only goes with a
/// letter.
pub(super) fn is_letter(char: char) -> bool {
    char.is_alphanumeric()
        || matches!(char, '\u{900}'..='\u{E7F}' if !char.is_whitespace() && char != '\u{964}')
}

/// Of a script that has no spaces between words.
pub(super) fn is_wide(char: char) -> bool {
    char >= '\u{E00}'
}

/// Where the first name of a secret ends in a run of words without spaces between.
pub(super) fn wide_end(run: &str) -> Option<usize> {
    let phrases = INDEX[SLOTS].iter().filter(|phrase| phrase.last.starts_with(is_wide));
    phrases.filter_map(|phrase| Some(run.find(phrase.last)? + phrase.last.len())).min()
}

const MAX_WORDS: usize = 8;

/// The longest ending of a word's stem.
const MAX_ENDING: usize = 5;

/// The longest name that is looked at; of a longer one, its end is.
pub(super) const MAX_KEY_BYTES: usize = 64;
