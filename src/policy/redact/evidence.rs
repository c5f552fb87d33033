//! What speaks for a word and against it, each as a number by which its weight is found.
//!
//! Invariant: pure; what is dear to see is looked at only if it can still decide.

use super::{
    chance,
    doubt::{Told, Word},
    entropy, jargon,
    keys::is_one_of,
    look, looked,
    vocabulary::{FILES, NOTHING, PROSE, TYPES},
    weights::{MAX_OF_KNOWN, MAX_OF_PUBLIC, THRESHOLD, weight},
};

/// What speaks for a word and against it.
pub(super) struct Evidence<'w> {
    word: &'w Word,
    own: &'w str,
    letters: u64,
    shape: u64,
    length: u64,
    /// How many of its words are of the trade, and how many are not.
    trade: u64,
    /// Of which nature and group the last name before it is, and how many words and lines
    /// away.
    before: [u64; 4],
    /// Of which nature the nearest names are.
    nature: u64,
}

impl<'w> Evidence<'w> {
    pub(super) fn of(text: &'w str, words: &'w [Word], told: &[Told<'_>], index: usize) -> Self {
        let word = &words[index];
        let own = &text[word.range.clone()];
        looked(4 * own.len());
        let before = word.before_told.map(|(name, at)| {
            let lines = (word.line - words[at].line).min(2);
            [told[name].nature, told[name].group, away(index - at), lines as u64]
        });
        let after = word.after_told.map(|(name, _)| told[name].nature);
        let (known, others) = jargon::count(own);
        let before = before.unwrap_or([NONE, NONE, NONE, 0]);
        Self {
            word,
            own,
            letters: letters(own),
            shape: shape(own),
            length: length_class(own.len()),
            trade: u64::from(4 * known.min(3) + others.min(3)),
            before,
            nature: before[0].min(after.unwrap_or(NONE)),
        }
    }

    /// Whether the evidence is enough. What is dear to see is looked at only if it can still
    /// be.
    pub(super) fn outweighs(&self, text: &str) -> bool {
        let sum = |keys: &[u64]| keys.iter().map(|key| weight(*key)).sum::<i32>();
        let seen = sum(&self.seen());
        seen + MAX_OF_KNOWN > THRESHOLD && {
            let form = form(self.own);
            let known = seen + sum(&self.known(form));
            known + MAX_OF_PUBLIC > THRESHOLD && known + sum(&self.public(form, text)) > THRESHOLD
        }
    }

    /// All of it, to learn from.
    #[cfg(test)]
    pub(super) fn all(&self, text: &str) -> impl Iterator<Item = u64> + use<> {
        let form = form(self.own);
        let (seen, known, public) = (self.seen(), self.known(form), self.public(form, text));
        seen.into_iter().chain(known).chain(public)
    }

    /// What it looks like, and where it stands.
    fn seen(&self) -> [u64; 11] {
        let [nature, group, away, lines] = self.before;
        let word = self.word;
        let (gap, after, is_prose) =
            (u64::from(word.before), u64::from(word.after), u64::from(word.is_prose));
        [
            key(0, [0, 0, 0]),
            key(1, [self.shape, 0, 0]),
            key(2, [gap, after, 0]),
            key(3, [nature, away, lines]),
            key(4, [nature << 8 | away, lines, self.letters]),
            key(5, [group, away.min(5), self.letters]),
            key(6, [self.nature, self.letters, self.length]),
            key(7, [self.trade, nature, away]),
            key(8, [self.trade, self.length, 0]),
            key(9, [self.trade, self.nature, self.letters]),
            key(10, [self.trade, is_prose, gap]),
        ]
    }

    /// What it is, by the rules that know words.
    fn known(&self, form: u64) -> [u64; 3] {
        let starts = ["0x", "_Z", "MII", "_R"];
        let marks = u64::from(is_marked(self.own))
            + 2 * u64::from(starts.iter().any(|start| self.own.starts_with(start)))
            + 4 * u64::from(self.own.contains("://"))
            + 8 * u64::from(self.own.contains('@'));
        [
            key(11, [marks, 0, 0]),
            key(12, [u64::from(self.word.is_prose), form, u64::from(self.word.before)]),
            key(13, [self.trade, form, 0]),
        ]
    }

    /// Whether what stands around it says that everybody may see it.
    fn public(&self, form: u64, text: &str) -> [u64; 3] {
        let start = self.word.range.start;
        let before = &text[text.ceil_char_boundary(start.saturating_sub(NEAR_BYTES))..start];
        let before = before.rsplit('\n').next().unwrap_or_default();
        looked(4 * before.len());
        let public = u64::from(entropy::is_introduced(before))
            + 2 * u64::from(entropy::is_id(entropy::last_name(before)));
        [
            key(14, [public, self.letters & 31, 0]),
            key(15, [public, self.length, 0]),
            key(16, [public, form, 0]),
        ]
    }
}

/// Evidence of one kind, with what it says.
fn key(kind: u64, says: [u64; 3]) -> u64 {
    says.iter().fold(kind + 1, |key, says| key.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(*says))
}

/// How far so many words are.
fn away(words: usize) -> u64 {
    match words {
        0..=4 => words as u64,
        5..=6 => 5,
        7..=9 => 6,
        10..=14 => 7,
        _ => 8,
    }
}

fn length_class(bytes: usize) -> u64 {
    const ENDS: [usize; 14] = [1, 3, 5, 7, 9, 12, 16, 20, 31, 32, 39, 40, 63, 64];
    ENDS.partition_point(|end| *end < bytes) as u64
}

/// Which kinds of letters a word has.
fn letters(word: &str) -> u64 {
    let kind = |(at, byte): (usize, u8)| match byte {
        b'a'..=b'z' => 1,
        b'A'..=b'Z' if at == 0 => 2,
        b'A'..=b'Z' => 4,
        b'0'..=b'9' => 8,
        128.. => 16,
        b'-' | b'_' | b'.' => 32,
        b'/' => 64,
        _ => 128,
    };
    word.bytes().enumerate().map(kind).fold(0, |all, kind| all | kind)
}

/// In which order they are; all are one that change more often than names do.
fn shape(word: &str) -> u64 {
    let (mut shape, mut last, mut runs) = (0, 0, 0);
    for byte in word.bytes() {
        let kind = match byte {
            b'a'..=b'z' => 1,
            b'A'..=b'Z' => 2,
            b'0'..=b'9' => 3,
            128.. => 4,
            b'!' | b'?' | b'^' | b'~' | b'*' | b'&' => 5,
            b'-' => 6,
            b'_' => 7,
            b'.' => 8,
            b'/' => 9,
            b'@' => 10,
            b'#' => 11,
            b'$' => 12,
            b'+' => 13,
            b'%' => 14,
            _ => 15,
        };
        if kind != last {
            (shape, last, runs) = (16 * shape + kind, kind, runs + 1);
        }
        if runs > MAX_RUNS {
            return u64::MAX;
        }
    }
    shape
}

/// What a word is, by the rules that know words.
fn form(word: &str) -> u64 {
    let is_word = word.len() <= MAX_LISTED && !word.bytes().any(|byte| byte.is_ascii_digit());
    let is_hex = || word.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    let forms: [&dyn Fn() -> bool; 18] = [
        &|| word.bytes().all(|byte| byte.is_ascii_digit()),
        &|| look::is_dated(word),
        &|| word.len() == 36 && word.matches('-').count() == 4 && is_hex(),
        &|| word.len() >= 8 && !word.contains('-') && is_hex(),
        &|| word.rsplit_once('.').is_some_and(|(_, end)| is_one_of(end, FILES)),
        &|| word.starts_with(['-', '/', '$', '@', '#', '%', '.', '~']),
        &|| look::is_place(word),
        &|| is_word && is_one_of(word, PROSE),
        &|| is_word && is_one_of(word, TYPES),
        &|| is_word && is_one_of(word, NOTHING),
        &|| look::is_named(word),
        &|| look::is_plain_word(word),
        &|| look::is_algorithm(word),
        &|| look::looks_random(word),
        &|| chance::is_chosen(word),
        &|| look::is_mixed(word),
        &|| look::is_joined(word),
        &|| true,
    ];
    forms.iter().position(|is| is()).unwrap_or_default() as u64
}

/// Whether a word stands for something itself, as a mask does.
fn is_marked(word: &str) -> bool {
    ["...", "**", "\u{2026}", "xxx"].iter().any(|mark| word.contains(mark))
}

/// What is said of a name that there is none.
const NONE: u64 = 9;

const MAX_RUNS: usize = 7;

/// No word of the lists is longer.
const MAX_LISTED: usize = 16;

/// How far is looked for what says that a word is public.
const NEAR_BYTES: usize = 56;
