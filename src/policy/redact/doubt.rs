//! What no rule knows is masked by doubt: near a name that tells of a secret, a word goes
//! unless enough speaks for it.
//!
//! What a word looks like, of which words it is made, what encloses it, and how far the name
//! is are evidence, and so are some of these together. How much each weighs was learned from
//! the corpora (`weights`), so that secrets of kinds that were kept apart outweigh the other
//! words (`tests/doubt`).
//!
//! Invariant: pure; what is looked at of a word is bounded, and so is how far from a name it
//! stands.

use std::ops::Range;

use super::{
    clean::{Found, MARK},
    evidence::Evidence,
    keys::{Nature, Secret},
    looked,
};

/// A name that tells of a secret.
#[derive(Clone, Debug)]
pub(super) struct Told<'p> {
    pub(super) range: Range<usize>,
    rule: &'p str,
    pub(super) nature: u64,
    pub(super) group: u64,
}

impl<'p> Told<'p> {
    pub(super) fn new(range: Range<usize>, secret: &Secret<'p>) -> Self {
        let nature = match secret.nature {
            Nature::Strong | Nature::StrongLine => 0,
            Nature::Digits(_) => 1,
            Nature::Weak | Nature::WeakLine => 2,
            Nature::Random => 3,
            Nature::Hint => 4,
        };
        let group = match secret.rule {
            "password" => 0,
            "pin" | "otp" => 1,
            "token" | "api_key" | "auth" => 2,
            "secret" | "private_key" => 3,
            "key" => 4,
            _ => 5,
        };
        Self { range, rule: secret.rule, nature, group }
    }
}

/// The words of `text` that are doubtful, as near to names as those of `told` are, which
/// are in their order.
pub(super) fn words<'p>(text: &str, told: &[Told<'p>], known: &[Found<'p>]) -> Vec<Found<'p>> {
    if told.is_empty() {
        return Vec::new();
    }
    let words = split(text, told);
    let is_doubtful = |index: &usize| {
        let word = &words[*index];
        is_possible(text, word) && Evidence::of(text, &words, told, *index).outweighs(text)
    };
    let found = (0..words.len()).filter(is_doubtful).map(|index| {
        let word = &words[index];
        let range = word.range.clone();
        let is_part = |found: &&Found<'_>| found.range.start < range.end && range.start < found.range.end;
        let name = word.before_told.or(word.after_told);
        let rule = name.map_or("secret", |(name, _)| told[name].rule);
        let rule = known.iter().find(is_part).map_or(rule, |found| found.rule);
        Found { range, rule }
    });
    found.collect()
}

/// A word of a text.
pub(super) struct Word {
    pub(super) range: Range<usize>,
    /// What stands right before it and behind it, but for spaces before.
    pub(super) before: u8,
    pub(super) after: u8,
    pub(super) line: usize,
    /// Whether its line is a sentence.
    pub(super) is_prose: bool,
    is_name: bool,
    /// The nearest names before it and behind it, and in which words they begin.
    pub(super) before_told: Option<(usize, usize)>,
    pub(super) after_told: Option<(usize, usize)>,
}

/// The words of `text`, as far as what programs put between them keeps them apart. Several
/// in quotes are one, as a passphrase has them.
fn split(text: &str, told: &[Told<'_>]) -> Vec<Word> {
    let bytes = text.as_bytes();
    let mut words: Vec<Word> = Vec::with_capacity(bytes.len() / 8);
    let (mut at, mut line, mut gap) = (0, 0, START);
    looked(bytes.len());
    while let Some(byte) = bytes.get(at) {
        if !GAPS[usize::from(*byte)] || *byte == b'[' && text[at..].starts_with(MARK) {
            let end = at + length(text, at, gap);
            let marks = bytes[at..end].iter().rev().take_while(|byte| b".!?".contains(byte)).count();
            let range = at..if marks < end - at { end - marks } else { end };
            let after = bytes.get(range.end).copied().unwrap_or(END);
            let word = Word {
                range,
                before: gap,
                after,
                line,
                is_prose: false,
                is_name: false,
                before_told: None,
                after_told: None,
            };
            words.push(word);
            (gap, at) = (WORD, end);
            continue;
        }
        let is_break = *byte == b'\\' && matches!(bytes.get(at + 1), Some(b'n' | b'r' | b't'));
        if is_break || *byte == b'\n' {
            (line, gap) = (line + 1, b'\n');
        } else if *byte != b' ' || gap == WORD {
            gap = *byte;
        }
        at += 1 + usize::from(is_break);
    }
    for line in words.chunk_by_mut(|one, other| one.line == other.line).filter(|line| line.len() > MIN_PROSE)
    {
        let is_plain = |word: &&Word| word.before == b' ' && bytes[word.range.start].is_ascii_lowercase();
        let is_prose = line.iter().take(MAX_PROSE).filter(is_plain).count() >= MIN_PLAIN;
        line.iter_mut().for_each(|word| word.is_prose = is_prose);
    }
    let mut last = None;
    let mut names = told.iter().enumerate().peekable();
    for (index, word) in words.iter_mut().enumerate() {
        while let Some((name, told)) = names.next_if(|(_, told)| told.range.start < word.range.end) {
            word.is_name |= word.range.start < told.range.end;
            last = Some((name, index));
        }
        word.before_told = last.filter(|(_, at)| index - at <= MAX_AWAY);
    }
    let mut next: Option<(usize, usize)> = None;
    for (index, word) in words.iter_mut().enumerate().rev() {
        word.after_told = next.filter(|(_, at)| at - index <= MAX_AWAY);
        if word.is_name {
            next = word.before_told;
        }
    }
    words
}

/// How long the word at `at` is, behind the gap that ends with `gap`.
fn length(text: &str, at: usize, gap: u8) -> usize {
    let bytes = text.as_bytes();
    if text[at..].starts_with(MARK) {
        return bytes[at..].iter().position(|byte| *byte == b']').map_or(MARK.len(), |end| end + 1);
    }
    let quoted = || {
        let near = &bytes[at..bytes.len().min(at + MAX_QUOTED)];
        let inside = &near[..near.iter().position(|byte| *byte == gap || *byte == b'\\')?];
        let spaces = inside.iter().filter(|byte| **byte == b' ').count();
        let is_text = !inside.iter().any(|byte| GAPS[usize::from(*byte)] && !b" ,\"'`".contains(byte));
        (is_text && (1..=MAX_SPACES).contains(&spaces) && inside.last() != Some(&b' '))
            .then_some(inside.len())
    };
    let is_quote = matches!(gap, b'"' | b'\'' | b'`') && bytes[at - 1] == gap;
    is_quote
        .then(quoted)
        .flatten()
        .unwrap_or_else(|| bytes[at..].iter().take_while(|byte| !GAPS[usize::from(**byte)]).count())
}

/// What keeps words apart.
const GAPS: [bool; 256] = {
    let mut gaps = [false; 256];
    let marks = b" \t\r\n\x0C\"'`()[]{}<>,;|=:\\";
    let mut at = 0;
    while at < marks.len() {
        gaps[marks[at] as usize] = true;
        at += 1;
    }
    gaps
};

/// Whether a word may be a secret at all: it is none that a sentence has, and no number,
/// which counts something unless a rule knows better.
fn is_possible(text: &str, word: &Word) -> bool {
    let own = &text.as_bytes()[word.range.clone()];
    let has = |is: fn(&u8) -> bool| own.iter().any(is);
    let is_enclosed =
        b"\"'`=:([{<>|\n".contains(&word.before) || word.before == START || b"\"'`)]}|".contains(&word.after);
    let is_plain = || own[1..].iter().all(u8::is_ascii_lowercase) && own[0].is_ascii_alphabetic();
    let is_constant =
        || own.len() < MIN_SHOUTED && own.iter().all(|byte| byte.is_ascii_uppercase() || *byte == b'_');
    (word.before_told.is_some() || word.after_told.is_some())
        && !word.is_name
        && (MIN_WORD..=MAX_WORD).contains(&own.len())
        && (is_enclosed || !is_plain())
        && (own.len() > MIN_WORD || has(u8::is_ascii_digit))
        && has(|byte| byte.is_ascii_alphabetic() || !byte.is_ascii())
        && !is_constant()
        && !own.starts_with(b"--")
        && !own.starts_with(MARK.as_bytes())
        && !text[..word.range.start].ends_with("u{")
}

/// What stands before the first word of a text, behind the last, and between two words.
const START: u8 = b'^';
const END: u8 = b'$';
const WORD: u8 = b'x';

/// What is further from a name, or longer, is none of its words.
const MAX_AWAY: usize = 24;
const MIN_WORD: usize = 3;
const MAX_WORD: usize = 256;
/// Shorter words in capitals are constants.
const MIN_SHOUTED: usize = 6;

/// So long is a text in quotes that is one word, and so many spaces it has.
const MAX_QUOTED: usize = 64;
const MAX_SPACES: usize = 6;

/// A line is a sentence if so many of its first words are plain.
const MIN_PROSE: usize = 4;
const MAX_PROSE: usize = 12;
const MIN_PLAIN: usize = 3;

/// What is learned from: the words of `text` that may be secrets, and where the weights of
/// their evidence are.
#[cfg(test)]
pub(super) fn evidence(text: &str, told: &[Told<'_>]) -> Vec<(Range<usize>, Vec<usize>)> {
    let words = split(text, told);
    let possible = (0..words.len()).filter(|index| is_possible(text, &words[*index]));
    let all = possible.map(|index| {
        let keys = Evidence::of(text, &words, told, index).all(text);
        (words[index].range.clone(), keys.map(super::weights::slot).collect())
    });
    all.collect()
}
