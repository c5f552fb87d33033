//! How much a word looks as if somebody chose it, or a machine made it by chance: letters
//! stand side by side that do so in no word, and digits and signs among them.

use super::{
    keys::{Words, is_one_of},
    look::{is_algorithm, is_pair, is_place},
    looked,
    vocabulary::{PROSE, TYPES},
};

/// How many of the pairs of neighbours in `word` stand in few words or names: letters
/// that are seldom found together, a digit beside a letter, a capital that begins
/// nothing.
pub(super) fn oddities(word: &str) -> usize {
    looked(word.len());
    word.as_bytes().windows(2).filter(|pair| is_odd(pair[0], pair[1])).count()
}

fn is_odd(one: u8, next: u8) -> bool {
    match (one.is_ascii_alphabetic(), next.is_ascii_alphabetic()) {
        (true, true) => {
            let place = usize::from((one | 0x20) - b'a');
            let is_next_word = one.is_ascii_lowercase() && next.is_ascii_uppercase();
            !is_next_word && !FOLLOWERS[place].as_bytes().contains(&(next | 0x20))
        }
        (true, false) => next.is_ascii_digit(),
        (false, true) => one.is_ascii_digit(),
        (false, false) => false,
    }
}

/// Whether so many of its letters do that it can be no word, nor a name of several.
pub(super) fn is_made(word: &str) -> bool {
    let letters = word.bytes().filter(u8::is_ascii_alphanumeric).count();
    4 * oddities(word) > letters
}

/// Several words that say nothing together, as a manager of passwords joins them.
pub(super) fn is_phrase(word: &str) -> bool {
    let is_word = |part: &str| {
        (3..=9).contains(&part.len())
            && part.bytes().all(|byte| byte.is_ascii_lowercase())
            && !is_one_of(part, PROSE)
            && !is_one_of(part, TYPES)
            && (part == "pepper" || part == "salt" || Words::of(part, 0).secret().is_none())
    };
    word.split('-').count() >= MIN_PHRASE && word.split('-').all(is_word)
}

/// As only somebody who chose it, or a machine that made it at random, writes a word:
/// signs or digits where no name and no number has them.
pub(super) fn is_chosen(word: &str) -> bool {
    let count = |is: fn(&u8) -> bool| word.bytes().filter(is).count();
    let [digits, upper, lower] =
        [count(u8::is_ascii_digit), count(u8::is_ascii_uppercase), count(u8::is_ascii_lowercase)];
    let signs = word.bytes().skip(1).filter(|byte| b"!$%^&*?~".contains(byte)).count();
    let is_sign = signs > 0 && digits > 0 && upper + lower > 2;
    // `security.W009` is a name.
    let is_cased = digits >= 2
        && upper >= 1
        && lower >= 2
        && word.split('.').any(|part| part.len() >= 6 && part.bytes().any(|byte| byte.is_ascii_digit()));
    let is_leet = word.split(['-', '_', '.']).any(|part| {
        is_leet(part.as_bytes())
            && part.bytes().any(|byte| byte.is_ascii_lowercase() && !byte.is_ascii_hexdigit())
    }) && digits >= 2;
    let is_made = (digits > 0 || word.len() >= 16) && upper + lower > 2 && is_made(word);
    (is_sign || is_cased || is_leet || is_made)
        && !word.starts_with('@')
        && !(word.contains('-') && upper + signs == 0 && is_kebab(word))
        && !is_place(word)
        && !is_algorithm(word)
        && !is_hex(word)
        && !word.contains(['/', '=', '\\'])
        && !is_pair(word)
}

/// The name of a thing with what makes it unique behind it: `db-secret-k7m2t9f4b6`.
pub(super) fn is_kebab(word: &str) -> bool {
    let first = word.split('-').next().unwrap_or_default();
    first.len() > 1
        && first.bytes().all(|byte| byte.is_ascii_lowercase())
        && oddities(first) == 0
        && !is_phrase(word)
}

/// A number in hexadecimal that is too short for a key.
fn is_hex(word: &str) -> bool {
    let digits = word.strip_prefix("0x").unwrap_or(word);
    digits.len() < 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

/// A digit among letters, or a number between words.
fn is_leet(word: &[u8]) -> bool {
    let lower = |byte: &u8| byte.is_ascii_lowercase();
    let is_digit_in = |three: &[u8]| lower(&three[0]) && three[1].is_ascii_digit() && lower(&three[2]);
    let is_number_in = |eight: &[u8]| {
        eight[..3].iter().all(lower)
            && eight[3..5].iter().all(u8::is_ascii_digit)
            && eight[5..].iter().all(lower)
    };
    word.windows(3).any(is_digit_in) || word.windows(8).any(is_number_in)
}

/// Fewer words are the name of something.
const MIN_PHRASE: usize = 4;

/// Of each letter of the alphabet, those that follow it in the words and names of
/// programs: all pairs but one in 25. Of two letters by chance it is every second.
#[rustfmt::skip]
const FOLLOWERS: [&str; 26] = [
    "abcdfgiklmnprstuvwxy", "abceilorsu", "acdefghiklmnoprstuv", "abcdefgilmnoprstuv", "abcdefgilmnopqrstuvwxy", "abcdefiloprstu", "aeghilnoprsu",
    "adeimortu", "abcdefglmnoprstvxz", "", "adeist", "acdefiklmoprstuy", "abeilmopstu", "acdefgiklnoprstuvy", "abcdefgiklmnoprstuvw", "acdeghiloprstu",
    "u", "abcdefgiklmnoprstuvy", "acdeghiklmnoprstuwy", "abcdefhilmnoprstuxy", "abcdefgilmnprst", "aeios", "aehinors", "acefiptx", "inps", "e",
];
