//! What no rule knows is masked by doubt: a word goes unless enough speaks for it, and more has
//! to speak against it where no name is near that tells of a secret. What a rule knows only by
//! a name, and nothing assigns, stays if all of it is shown to be harmless.
//!
//! What a word looks like, of which words it is made, what encloses it, which words stand
//! beside it, and how far the names are is evidence (`evidence`). How much it says was learned
//! from the corpora (`network`), so that secrets of kinds that were kept apart outweigh the
//! other words (`tests/learn`).
//!
//! Invariant: pure; what is looked at of a word is bounded, and so is how far from a name it
//! stands.

use std::ops::Range;

use super::{
    clean::{Found, MARK},
    entropy,
    evidence::{Evidence, Reading},
    jargon,
    keys::{Nature, Secret, is_wide},
    look, looked, network,
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

/// What is `sure` in `text`; what is `likely`, unless what speaks for its words outweighs that
/// a rule knows it; and the words that are doubtful. Names as those of `told` are in their
/// order. What ends at `cut` may have been longer. A text of which something was masked before
/// is not weighed again, as its marks would be evidence: what rules know in it goes.
pub(super) fn weighed<'p>(
    text: &str,
    cut: usize,
    told: &[Told<'p>],
    mut sure: Vec<Found<'p>>,
    mut likely: Vec<Found<'p>>,
) -> Vec<Found<'p>> {
    if text.contains(MARK) {
        sure.append(&mut likely);
        return sure;
    }
    let words = split(text, told);
    let reading = Reading { text, words: &words, told };
    let odds = |index: usize| {
        let is_it = is_possible(text, &words[index]) && is_worth_it(text, &words[index]);
        is_it.then(|| network::odds(&Evidence::of(reading, index).slots))
    };
    likely.retain(|Found { range, .. }| {
        range.end == cut || !may_be_harmless(text, range) || !is_harmless(range, &words, odds)
    });
    [&mut sure, &mut likely].into_iter().for_each(|found| found.sort_by_key(|found| found.range.start));
    let mut found = Vec::new();
    // Where a secret ends that has a shape, its rule knows better.
    let is_open = |word: &Word| may_be_doubtful(text, word) && touching(&sure, &word.range).is_none();
    for (index, word) in words.iter().enumerate().filter(|(_, word)| is_open(word)) {
        let name = word.before_told.or(word.after_told).map(|(name, _)| told[name].rule);
        let least = if name.is_some() { DOUBTFUL } else { ALONE };
        if odds(index).is_some_and(|odds| odds > least) {
            let rule = touching(&likely, &word.range).map(|found| found.rule).or(name).unwrap_or("secret");
            found.push(Found { range: word.range.clone(), rule });
        }
    }
    found.append(&mut sure);
    found.append(&mut likely);
    found
}

/// Whether what a rule knows by a name may be none: a sentence, or a word in one. What is
/// assigned is one, whatever it says: somebody may have chosen `root`.
fn may_be_harmless(text: &str, range: &Range<usize>) -> bool {
    let before = text.as_bytes()[..range.start].iter().rev().take(NEAR_SIGN).find(|byte| **byte != b' ');
    let is_assigned = before.is_some_and(|byte| b"=:>\"'`".contains(byte));
    let value = &text[range.clone()];
    (!is_assigned || value.split_whitespace().count() >= MIN_SENTENCE)
        && !value.contains(['=', '|', '<', '>', '{', '}', ';', '\\'])
}

/// Whether each word in `range` was weighed, and is harmless. Of a longer word it is known that
/// a part is none.
fn is_harmless(range: &Range<usize>, words: &[Word], odds: impl Fn(usize) -> Option<f32>) -> bool {
    let first = words.partition_point(|word| word.range.end <= range.start);
    let within = words[first..].iter().take_while(|word| word.range.start < range.end);
    let mut within = within.zip(first..).peekable();
    within.peek().is_some()
        && within.all(|(word, index)| {
            range.start <= word.range.start
                && word.range.end <= range.end
                && odds(index).is_some_and(|odds| odds < HARMLESS)
        })
}

/// Whether a word is worth weighing as one that no rule knows: where no name is near, none that
/// is made of words of the trade, as most are that programs write.
fn may_be_doubtful(text: &str, word: &Word) -> bool {
    let own = &text[word.range.clone()];
    let is_seldom = |byte: u8| byte.is_ascii_digit() || !byte.is_ascii();
    word.is_near() || own.bytes().any(is_seldom) || own.len() >= MIN_ALONE && jargon::count(own).1 > 0
}

/// The one of `known`, which are in their order, that `range` shares something with.
fn touching<'f, 'p>(known: &'f [Found<'p>], range: &Range<usize>) -> Option<&'f Found<'p>> {
    let before = known.partition_point(|found| found.range.start < range.end);
    known[..before].last().filter(|found| range.start < found.range.end)
}

/// A word of a text.
pub(super) struct Word {
    pub(super) range: Range<usize>,
    /// Where what stands between the word before and this one begins.
    pub(super) gap: usize,
    pub(super) line: usize,
    /// Whether it is one as sentences have them.
    pub(super) is_plain: bool,
    is_name: bool,
    /// The nearest names before it and behind it, and in which words they begin.
    pub(super) before_told: Option<(usize, usize)>,
    pub(super) after_told: Option<(usize, usize)>,
}

impl Word {
    fn is_near(&self) -> bool {
        self.before_told.is_some() || self.after_told.is_some()
    }
}

/// The words of `text`, as far as what programs put between them keeps them apart. Several
/// in quotes are one, as a passphrase has them.
fn split(text: &str, told: &[Told<'_>]) -> Vec<Word> {
    let bytes = text.as_bytes();
    let mut words: Vec<Word> = Vec::with_capacity(bytes.len() / 8);
    let (mut at, mut line, mut gap) = (0, 0, 0);
    looked(bytes.len());
    while let Some(byte) = bytes.get(at) {
        if !GAPS[usize::from(*byte)] {
            let end = at + length(text, at);
            let marks = bytes[at..end].iter().rev().take_while(|byte| b".!?".contains(byte)).count();
            let range = at..if marks < end - at { end - marks } else { end };
            let is_plain = bytes[gap..at] == *b" " && bytes[range.clone()].iter().all(u8::is_ascii_lowercase);
            at = end;
            let next_gap = range.end;
            words.push(Word {
                range,
                gap,
                line,
                is_plain,
                is_name: false,
                before_told: None,
                after_told: None,
            });
            gap = next_gap;
            continue;
        }
        let is_break = *byte == b'\\' && matches!(bytes.get(at + 1), Some(b'n' | b'r' | b't'));
        line += usize::from(is_break || *byte == b'\n');
        at += 1 + usize::from(is_break);
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

/// How long the word at `at` is: to the quote that ends it, to what keeps words apart, or to
/// where letters of another script begin that need no space.
fn length(text: &str, at: usize) -> usize {
    let bytes = text.as_bytes();
    let quoted = |quote: u8| {
        let near = &bytes[at..bytes.len().min(at + MAX_QUOTED)];
        let inside = &near[..near.iter().position(|byte| *byte == quote || *byte == b'\\')?];
        let spaces = inside.iter().filter(|byte| **byte == b' ').count();
        let is_text = !inside.iter().any(|byte| GAPS[usize::from(*byte)] && !b" ,\"'`".contains(byte));
        (is_text && (1..=MAX_SPACES).contains(&spaces) && inside.last() != Some(&b' '))
            .then_some(inside.len())
    };
    let quote = at.checked_sub(1).map(|before| bytes[before]).filter(|before| b"\"'`".contains(before));
    // A text that is in quotes as a whole is none that somebody chose.
    let is_part = |length: &usize| at > 1 || at + length + 1 < bytes.len();
    quote.and_then(quoted).filter(is_part).unwrap_or_else(|| {
        let rest = &text[at..];
        let is_first = rest.starts_with(is_wide);
        let is_gap = |char: char| u8::try_from(char).is_ok_and(|byte| GAPS[usize::from(byte)]);
        let is_other =
            |char: char| is_wide(char) != is_first && (is_wide(char) || char.is_ascii_alphanumeric());
        let end = rest.find(|char: char| is_gap(char) || is_other(char)).unwrap_or(rest.len());
        looked(end);
        end
    })
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

/// Whether a word can be doubtful: where no name is near, only in a text that is no backtrace;
/// it says more than a number does, and is none of which only the end is shown.
fn is_worth_it(text: &str, word: &Word) -> bool {
    let (own, before) = (&text[word.range.clone()], text[..word.range.start].trim_end_matches(' '));
    (word.is_near() || text.len() <= MAX_TEXT_ALONE && own.contains(char::is_alphabetic))
        && !ENDS.iter().any(|end| before.ends_with(end))
}

/// Whether a word may be a secret at all: it has a letter or a digit, and is none that a
/// sentence has, unless a name is near.
fn is_possible(text: &str, word: &Word) -> bool {
    let own = &text.as_bytes()[word.range.clone()];
    (MIN_WORD..=MAX_WORD).contains(&own.len())
        && !word.is_name
        && (word.is_near() || !word.is_plain)
        && own.iter().any(|byte| byte.is_ascii_alphanumeric() || !byte.is_ascii())
        && !entropy::begins_public(&text[word.range.clone()])
        && !look::is_count(&text[word.range.start..text.floor_char_boundary(word.range.end + NEAR_UNIT)])
        && !(text[..word.range.start].ends_with("::") && is_symbol(own))
        && !text[..word.range.start].ends_with("u{")
}

/// What a compiler puts behind the name of a function: `h0a1b2c3d4e5f6071`.
fn is_symbol(own: &[u8]) -> bool {
    own.len() == 17 && own[0] == b'h' && own[1..].iter().all(u8::is_ascii_hexdigit)
}

/// A word that no rule knows is masked if the logarithm of the odds that it is a secret is
/// more than this, and one that a rule knows only by its name stays if it is less than that.
pub(super) const DOUBTFUL: f32 = 1.6;
const HARMLESS: f32 = -4.5;

/// The same of a word with no name near.
const ALONE: f32 = 3.0;

/// So many words are a sentence, and so near stands what assigns a value.
const MIN_SENTENCE: usize = 4;
const NEAR_SIGN: usize = 3;

/// How far behind a number its unit is.
const NEAR_UNIT: usize = 16;

/// What is further from a name, or longer, is none of its words.
const MAX_AWAY: usize = 24;
const MIN_WORD: usize = 3;
const MAX_WORD: usize = 256;

/// In a longer text, no word is weighed that has no name near; nor is it in any text if it is
/// shorter and of letters alone.
const MAX_TEXT_ALONE: usize = 2_000;
const MIN_ALONE: usize = 5;

/// Behind these stands how a number ends of which the rest is not shown.
const ENDS: &[&str] = &[
    "\u{5C3E}\u{53F7}",
    "ending in",
    "ends in",
    "ending with",
    "endet auf",
    "terminant par",
    "terminada en",
];

/// So long is a text in quotes that is one word, and so many spaces it has.
const MAX_QUOTED: usize = 64;
const MAX_SPACES: usize = 6;

/// What is learned from: the words of `text` that may be secrets, and their evidence.
#[cfg(test)]
pub(super) fn evidence(text: &str, told: &[Told<'_>]) -> Vec<(Range<usize>, Vec<u32>)> {
    let words = split(text, told);
    let reading = Reading { text, words: &words, told };
    let possible = (0..words.len()).filter(|index| is_possible(text, &words[*index]));
    possible.map(|index| (words[index].range.clone(), Evidence::of(reading, index).slots)).collect()
}
