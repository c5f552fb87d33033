//! What speaks for a word and against it: what it looks like, of which words it is made, what
//! encloses it, which words are beside it, and how far the names are that tell of a secret.
//!
//! Each evidence, and some of it together, is a number by which the network finds what it
//! says (`network`).
//!
//! Invariant: pure; how much is looked at for a word is bounded.

use super::{
    chance,
    doubt::{Told, Word},
    entropy, jargon,
    keys::is_one_of,
    look, looked,
    network::SLOT_BITS,
    vocabulary::{FILES, NOTHING, PROSE, TYPES},
};

/// What there is for and against a word, each as the place of what it says.
#[derive(Default)]
pub(super) struct Evidence {
    pub(super) slots: Vec<u32>,
}

/// A text with its words, and with the names that tell of a secret.
#[derive(Clone, Copy)]
pub(super) struct Reading<'t> {
    pub(super) text: &'t str,
    pub(super) words: &'t [Word],
    pub(super) told: &'t [Told<'t>],
}

/// A name that tells of a secret, as seen from a word.
#[derive(Clone, Copy)]
struct Name {
    nature: u64,
    group: u64,
    /// How many words and lines away.
    away: u64,
    lines: u64,
    /// What it ends with.
    end: u64,
    short_end: u64,
}

const NO_NAME: Name = Name { nature: NONE, group: NONE, away: NONE, lines: 0, end: 0, short_end: 0 };

impl Evidence {
    pub(super) fn of(reading: Reading<'_>, index: usize) -> Self {
        let mut evidence = Self { slots: Vec::with_capacity(MOST) };
        let name = reading.name_before(index);
        let after = reading.name_after(index);
        let own = reading.own(index);
        let look = Look::of(own);
        evidence.look(&look, own);
        evidence.place(reading, index, &look, &name);
        evidence.name(&look, &name, after);
        evidence.parts(own, &look, &name);
        evidence.known(reading, index, &look, &name, after);
        looked(8 * own.len());
        evidence
    }

    /// Evidence of one kind, with what it says.
    fn add<const N: usize>(&mut self, kind: u64, says: [u64; N]) {
        let key = says.iter().fold(kind + 1, |key, says| mixed(key, *says));
        let slot = key.wrapping_mul(0xD6E8_FEB8_6659_FD93) >> (u64::BITS - SLOT_BITS);
        self.slots.extend(u32::try_from(slot));
    }

    fn look(&mut self, look: &Look, own: &str) {
        let bytes = own.as_bytes();
        self.add(0, [look.shape]);
        self.add(1, [look.length]);
        self.add(2, [look.letters]);
        self.add(3, [look.shape, look.length]);
        self.add(4, [look.letters, look.length]);
        self.add(5, [look.digits.min(6), look.others.min(6)]);
        self.add(6, [hash(bytes)]);
        self.add(7, [exact(&bytes[..bytes.len().min(3)])]);
        self.add(8, [hash(last(bytes, 4))]);
        self.add(9, [look.odd]);
        self.add(10, [look.odd, look.letters]);
        self.add(11, [look.odd, look.length]);
        self.threes(12, &bytes[..bytes.len().min(MAX_THREES)]);
    }

    /// Where it stands.
    fn place(&mut self, reading: Reading<'_>, index: usize, look: &Look, name: &Name) {
        let word = &reading.words[index];
        let bytes = reading.text.as_bytes();
        let gap = &bytes[word.gap..word.range.start];
        let (gap, last_of_gap) = (exact(last(gap, 4)), exact(last(gap, 3)));
        let after = exact(&bytes[word.range.end..bytes.len().min(word.range.end + 2)]);
        self.add(13, [gap]);
        self.add(14, [after]);
        self.add(15, [gap, after]);
        self.add(16, [gap, look.letters]);
        self.add(17, [gap, name.nature, name.away]);
        self.add(18, [name.short_end, name.away.min(2), gap]);
        self.add(19, [index.min(2) as u64]);
        let near = index.saturating_sub(4)..reading.words.len().min(index + 4);
        let plain = reading.words[near].iter().filter(|word| word.is_plain).count().min(4) as u64;
        self.add(20, [plain, look.letters]);
        self.add(21, [plain, gap]);
        let beside = |offset: isize| reading.beside(index, offset);
        let [before_last, before, next, after_next] = [-2, -1, 1, 2].map(|offset| hash(beside(offset)));
        self.add(22, [before]);
        self.add(23, [next]);
        self.add(24, [before_last]);
        self.add(25, [after_next]);
        self.add(26, [before_last, before]);
        self.add(27, [before, look.letters]);
        self.add(28, [before, last_of_gap]);
        self.add(29, [next, after]);
        for offset in 1..=MAX_BESIDE {
            self.add(30, [hash(beside(-offset))]);
            self.add(31, [hash(beside(offset))]);
        }
        let key = hash(last(beside(-1), MAX_HASHED));
        self.add(56, [key]);
        self.add(57, [key, last_of_gap]);
        self.add(58, [key, look.letters]);
        for part in jargon::words(beside(-1)).take(MAX_PARTS) {
            self.add(32, [hash(part)]);
        }
        self.threes(33, begin(beside(-1)));
        self.threes(34, begin(beside(1)));
    }

    /// Three letters each that stand together in a word.
    fn threes(&mut self, kind: u64, word: &[u8]) {
        let mut three = u64::from(b'^');
        for byte in word.iter().map(u8::to_ascii_lowercase).chain([b'$']) {
            three = three << 8 & 0xFF_FFFF | u64::from(byte);
            if three > 0xFFFF {
                self.add(kind, [three]);
            }
        }
    }

    /// Which names are near.
    fn name(&mut self, look: &Look, name: &Name, after: (u64, u64)) {
        self.add(35, [name.nature, name.away, name.lines]);
        self.add(36, [name.group, name.away]);
        self.add(37, [name.end]);
        self.add(38, [name.end, name.away.min(3)]);
        self.add(39, [name.nature, look.letters]);
        self.add(40, [name.nature, look.length]);
        self.add(41, [name.nature, name.away.min(4), look.letters & !2, look.length.min(9)]);
        self.add(42, [name.nature, look.odd]);
        self.add(43, [after.0, after.1]);
    }

    /// Of which words it is made.
    fn parts(&mut self, own: &str, look: &Look, name: &Name) {
        let parts: Vec<_> = jargon::words(own.as_bytes()).collect();
        self.add(44, [parts.len().min(9) as u64, look.letters]);
        for (place, part) in parts.iter().take(MAX_PARTS).enumerate() {
            self.add(45, [hash(part)]);
            if place < MAX_NAMED_PARTS {
                self.add(46, [hash(part), name.nature]);
            }
        }
    }

    /// What it is, by the rules that know words, and whether what stands before says that
    /// everybody may see it.
    fn known(&mut self, reading: Reading<'_>, index: usize, look: &Look, name: &Name, after: (u64, u64)) {
        let word = &reading.words[index];
        let own = reading.own(index);
        let (known, others) = jargon::count(own);
        let trade = u64::from(4 * known.min(3) + others.min(3));
        let form = form(own);
        let starts = ["0x", "_Z", "MII", "_R"];
        let marks = u64::from(is_marked(own))
            + 2 * u64::from(starts.iter().any(|start| own.starts_with(start)))
            + 4 * u64::from(own.contains("://"))
            + 8 * u64::from(own.contains('@'));
        let start = word.range.start;
        let before = &reading.text[reading.text.ceil_char_boundary(start.saturating_sub(NEAR_BYTES))..start];
        let before = before.rsplit('\n').next().unwrap_or_default();
        looked(4 * before.len());
        let public = u64::from(entropy::is_introduced(before))
            + 2 * u64::from(entropy::is_id(entropy::last_name(before)));
        self.add(47, [trade, name.nature, name.away]);
        self.add(48, [trade, look.length]);
        self.add(49, [trade, name.nature.min(after.0), look.letters]);
        self.add(50, [marks]);
        self.add(51, [form]);
        self.add(52, [trade, form]);
        self.add(53, [public, look.letters & 31]);
        self.add(54, [public, look.length]);
        self.add(55, [public, form]);
    }
}

impl Reading<'_> {
    fn own(&self, index: usize) -> &str {
        &self.text[self.words[index].range.clone()]
    }

    /// The word so many words further on; nothing where the text ends.
    fn beside(&self, index: usize, offset: isize) -> &[u8] {
        let other = index.checked_add_signed(offset).filter(|other| *other < self.words.len());
        other.map_or(b"", |other| self.own(other).as_bytes())
    }

    /// The nearest name before a word.
    fn name_before(&self, index: usize) -> Name {
        let Some((name, at)) = self.words[index].before_told else { return NO_NAME };
        let told = &self.told[name];
        let bytes = self.text[told.range.clone()].as_bytes();
        let end = |most: usize| hash(last(bytes, most));
        Name {
            nature: told.nature,
            group: told.group,
            away: (index - at).min(8) as u64,
            lines: (self.words[index].line - self.words[at].line).min(2) as u64,
            end: end(12),
            short_end: end(6),
        }
    }

    /// Of which nature the nearest name behind a word is, and how many words away.
    fn name_after(&self, index: usize) -> (u64, u64) {
        let name = self.words[index].after_told;
        name.map_or((NONE, NONE), |(name, at)| (self.told[name].nature, (at - index).min(5) as u64))
    }
}

/// What a word looks like.
struct Look {
    letters: u64,
    shape: u64,
    length: u64,
    digits: u64,
    others: u64,
    /// How many of its neighbouring letters stand so in few words, in eighths.
    odd: u64,
}

impl Look {
    fn of(own: &str) -> Self {
        let digits = own.bytes().filter(u8::is_ascii_digit).count();
        Self {
            letters: letters(own),
            shape: shape(own),
            length: length_class(own.len()),
            digits: digits as u64,
            others: (own.len() - digits) as u64,
            odd: (8 * chance::oddities(own) / own.len().max(1)) as u64,
        }
    }
}

fn mixed(key: u64, says: u64) -> u64 {
    (key ^ key >> 29).wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(says)
}

/// A word, whatever its case; of a long one, how it begins.
fn hash(word: &[u8]) -> u64 {
    begin(word)
        .iter()
        .fold(0xCBF2_9CE4_8422_2325, |hash, byte| mixed(hash, u64::from(byte.to_ascii_lowercase())))
}

fn begin(word: &[u8]) -> &[u8] {
    &word[..word.len().min(MAX_HASHED)]
}

fn last(bytes: &[u8], most: usize) -> &[u8] {
    &bytes[bytes.len() - bytes.len().min(most)..]
}

fn exact(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |all, byte| all << 8 | u64::from(*byte))
}

fn length_class(bytes: usize) -> u64 {
    const ENDS: [usize; 20] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 16, 20, 24, 31, 32, 39, 40, 48, 63, 64];
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
            sign => u64::from(sign),
        };
        if kind != last {
            (shape, last, runs) = (shape << 7 | kind, kind, runs + 1);
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

/// What is said of a name that there is none, and of a word.
const NONE: u64 = 9;

/// More there seldom are.
const MOST: usize = 128;

const MAX_RUNS: usize = 7;

/// So many of the words that it is made of say something, and so many do with the name.
const MAX_PARTS: usize = 5;
const MAX_NAMED_PARTS: usize = 3;

/// So many words before it and behind it are looked at, and so much of one in threes.
const MAX_BESIDE: isize = 5;
const MAX_THREES: usize = 24;

/// So much of a word is one with all that begin so.
const MAX_HASHED: usize = 16;

/// No word of the lists is longer.
const MAX_LISTED: usize = 16;

/// How far is looked for what says that a word is public.
const NEAR_BYTES: usize = 56;
