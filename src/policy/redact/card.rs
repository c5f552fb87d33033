//! Numbers of payment cards: an issuer's beginning and length, and the check digit;
//! of bank accounts and of persons, likewise.

pub(super) const RULE: &str = "card";

/// Where the card number ends that begins with the digits at `start`.
///
/// It stands alone, or in the groups that are printed on cards.
pub(super) fn end(text: &str, start: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let digits =
        |from: usize| bytes.iter().skip(from).take_while(|byte| byte.is_ascii_digit()).take(20).count();
    let first = digits(start);
    let end = match first {
        4 => GROUPS.iter().find_map(|groups| {
            let separator = bytes.get(start + first).filter(|byte| [b' ', b'-'].contains(byte))?;
            let mut at = start;
            for (index, group) in groups.iter().enumerate() {
                if index > 0 {
                    at = bytes.get(at).filter(|byte| *byte == separator).map(|_| at + 1)?;
                }
                at = Some(at + group).filter(|_| digits(at) == *group)?;
            }
            Some(at).filter(|end| is_number(text.get(start..*end).unwrap_or_default()))
        })?,
        13.. => Some(start + first).filter(|end| is_number(text.get(start..*end).unwrap_or_default()))?,
        _ => return None,
    };
    let before = start.checked_sub(1).map(|at| bytes[at]);
    let is_fraction = bytes.get(end) == Some(&b'.') && bytes.get(end + 1).is_some_and(u8::is_ascii_digit)
        || before == Some(b'.') && start >= 2 && bytes[start - 2].is_ascii_digit();
    let goes_on = |byte: u8| byte.is_ascii_alphanumeric();
    let is_part = before.is_some_and(goes_on) || bytes.get(end).copied().is_some_and(goes_on);
    (!is_fraction && !is_part).then_some(end).map(|end| after_track(text, end))
}

/// Behind what a card's track goes on with: `=` and digits.
fn after_track(text: &str, end: usize) -> usize {
    let digits = text[end..]
        .strip_prefix('=')
        .map_or(0, |rest| rest.bytes().take(40).take_while(u8::is_ascii_digit).count());
    if digits >= MIN_TRACK { end + 1 + digits } else { end }
}

/// Where the bank account's number ends that begins at `start`, by ISO 13616: a
/// country, check digits, and up to 30 letters and digits, also in groups of four.
pub(super) fn iban_end(text: &str, start: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let head = bytes.get(start..start + 4)?;
    if !(head[0].is_ascii_uppercase()
        && head[1].is_ascii_uppercase()
        && head[2].is_ascii_digit()
        && head[3].is_ascii_digit())
    {
        return None;
    }
    let (mut end, mut last) = (start, start);
    let mut letters = Vec::with_capacity(MAX_IBAN);
    let mut found = None;
    while let Some(byte) = bytes.get(end).filter(|_| letters.len() <= MAX_IBAN) {
        match byte {
            b'A'..=b'Z' | b'0'..=b'9' => letters.push(*byte),
            b' ' | b'-'
                if end > last
                    && end - last <= 4
                    && bytes.get(end + 1).is_some_and(u8::is_ascii_alphanumeric) =>
            {
                last = end + 1;
            }
            _ => break,
        }
        end += 1;
        let is_end = !bytes.get(end).is_some_and(u8::is_ascii_alphanumeric);
        if is_end && (MIN_IBAN..=MAX_IBAN).contains(&letters.len()) && is_iban(&letters) {
            found = Some(end);
        }
    }
    found
}

/// ISO 7064: with the first four at the end and letters as numbers, the rest by 97 is 1.
fn is_iban(letters: &[u8]) -> bool {
    let rest = letters[4..].iter().chain(&letters[..4]).fold(0_u32, |rest, letter| match letter {
        b'0'..=b'9' => (rest * 10 + u32::from(letter - b'0')) % 97,
        letter => (rest * 100 + u32::from(letter - b'A') + 10) % 97,
    });
    rest == 1
}

/// Where the social security number ends that begins at `start`, if it is called so
/// near by.
pub(super) fn ssn_end(text: &str, start: usize) -> Option<usize> {
    let number = text.get(start..start + 11)?;
    let is_it = number
        .bytes()
        .enumerate()
        .all(|(index, byte)| if index == 3 || index == 6 { byte == b'-' } else { byte.is_ascii_digit() });
    let is_part = text.as_bytes().get(start + 11).is_some_and(u8::is_ascii_alphanumeric);
    let near = &text[text.ceil_char_boundary(start.saturating_sub(NEAR_BYTES))
        ..text.floor_char_boundary(start + 11 + NEAR_BYTES)];
    (is_it && !is_part && ["SSN", "ssn", "ocial security"].iter().any(|name| near.contains(name)))
        .then_some(start + 11)
}

/// A shorter row of digits behind a card's number is no track.
const MIN_TRACK: usize = 4;

/// The least and the most that ISO 13616 has.
const MIN_IBAN: usize = 15;
const MAX_IBAN: usize = 34;

/// How far from a number it is called what it is.
const NEAR_BYTES: usize = 32;

/// Whether the digits in `text` are a card's; spaces and dashes do not count.
pub(super) fn is_number(text: &str) -> bool {
    let mut number = 0_u128;
    let mut length = 0;
    let (mut sum, mut doubled) = (0, 0);
    for digit in text.bytes().filter(|byte| ![b' ', b'-'].contains(byte)) {
        if !digit.is_ascii_digit() || length == 19 {
            return false;
        }
        let digit = u32::from(digit - b'0');
        number = number * 10 + u128::from(digit);
        length += 1;
        // Which digits are doubled depends on the length: both sums go on.
        let twice = if digit > 4 { 2 * digit - 9 } else { 2 * digit };
        (sum, doubled) = (doubled + digit, sum + twice);
    }
    !text.starts_with('-') && sum % 10 == 0 && is_issued(number, length)
}

fn is_issued(number: u128, length: u32) -> bool {
    let Some(rest) = length.checked_sub(6) else { return false };
    let six = number / 10_u128.pow(rest);
    ISSUERS.iter().any(|(from, to, lengths)| (*from..=*to).contains(&six) && lengths.contains(&length))
}

/// How cards show their digits.
const GROUPS: [&[usize]; 4] = [&[4, 4, 4, 4, 3], &[4, 4, 4, 4], &[4, 6, 5], &[4, 6, 4]];

/// The first six digits from and to, and how many there are in all. Visa's
/// numbers of 13 digits are no longer in use; many product codes look like them.
#[rustfmt::skip]
const ISSUERS: [(u128, u128, &[u32]); 18] = [
    (220_000, 220_499, &[16]), (979_200, 979_289, &[16]), // Mir, Troy
    (400_000, 499_999, &[16, 19]), // Visa
    (510_000, 559_999, &[16]), (222_100, 272_099, &[16]), // Mastercard
    (340_000, 349_999, &[15]), (370_000, 379_999, &[15]), // American Express
    (601_100, 601_199, &[16, 19]), (644_000, 659_999, &[16, 19]), // Discover
    (300_000, 305_999, &[14]), (360_000, 369_999, &[14]), (380_000, 399_999, &[14]), // Diners Club
    (352_800, 358_999, &[16]), // JCB
    (620_000, 629_999, &[16, 17, 18, 19]), // UnionPay
    (501_800, 501_899, &[16]), (503_800, 503_899, &[16]), (630_400, 630_499, &[16]), (675_900, 676_399, &[16]), // Maestro
];
