//! The alphabet of an SMS: what it holds, what is written in its place, and how
//! many segments a text is billed as.
//!
//! Invariant: a segment count is never below the network's; a pair (an escaped
//! character, a surrogate pair) is never split between two parts.

/// Septets of a message that is one segment, and of each part of a longer one:
/// a toll-free number's hold one less than others.
const GSM7: (usize, usize) = (160, 152);

/// The same in UTF-16 units, if any character is not in the alphabet.
const UCS2: (usize, usize) = (70, 66);

/// How many segments `text` is sent as, whatever the sender is.
pub(crate) fn segments(text: &str) -> u32 {
    count(text, GSM7, UCS2)
}

fn count(text: &str, gsm7: (usize, usize), ucs2: (usize, usize)) -> u32 {
    match text.chars().map(septets).collect::<Option<Vec<_>>>() {
        Some(sizes) => parts(sizes.into_iter(), gsm7),
        None => parts(text.chars().map(char::len_utf16), ucs2),
    }
}

/// Whether all of `text` is in the alphabet.
pub(super) fn is_plain(text: &str) -> bool {
    text.chars().all(|c| septets(c).is_some())
}

/// The most that `c` takes up, whatever the rest of its message is.
pub(super) fn units(c: char) -> usize {
    septets(c).unwrap_or_default().max(c.len_utf16())
}

fn parts(sizes: impl Iterator<Item = usize> + Clone, (alone, part): (usize, usize)) -> u32 {
    if sizes.clone().sum::<usize>() <= alone {
        return 1;
    }
    let (mut parts, mut used) = (1, 0);
    for size in sizes {
        if used + size > part {
            parts += 1;
            used = 0;
        }
        used += size;
    }
    parts
}

/// The septets of `c`: two if it needs the escape, none if it is not in the
/// alphabet.
fn septets(c: char) -> Option<usize> {
    match c {
        'A'..='Z' | 'a'..='z' | '0'..='9' | ' '..='#' | '%'..='?' => Some(1),
        '@' | '£' | '$' | '¥' | 'è' | 'é' | 'ù' | 'ì' | 'ò' | 'Ç' | '\n' | 'Ø' | 'ø' | '\r' | 'Å' | 'å' => {
            Some(1)
        }
        'Δ' | '_' | 'Φ' | 'Γ' | 'Λ' | 'Ω' | 'Π' | 'Ψ' | 'Σ' | 'Θ' | 'Ξ' | 'Æ' | 'æ' | 'ß' | 'É' | '¤' => {
            Some(1)
        }
        '¡' | 'Ä' | 'Ö' | 'Ñ' | 'Ü' | '§' | '¿' | 'ä' | 'ö' | 'ñ' | 'ü' | 'à' => Some(1),
        '\u{C}' | '^' | '{' | '}' | '\\' | '[' | '~' | ']' | '|' | '€' => Some(2),
        _ => None,
    }
}

/// `text` with what has a fair equivalent in the alphabet replaced by it; the
/// rest stays as it is.
pub(super) fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for c in text.chars() {
        if septets(c).is_some() {
            folded.push(c);
        } else if let Some(equivalent) = equivalent(c) {
            folded.push_str(equivalent);
        } else if !(is_accent(c) && folded.ends_with(|before: char| before.is_ascii_alphabetic())) {
            folded.push(c);
        }
    }
    folded
}

fn is_accent(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36F}')
}

fn equivalent(c: char) -> Option<&'static str> {
    Some(match c {
        '`' | '´' | '‘' | '’' | '‚' | '‛' | 'ʼ' | 'ʹ' | '′' | '‵' | '‹' | '›' => "'",
        '“' | '”' | '„' | '‟' | '″' | '‶' | '«' | '»' => "\"",
        '‐'..='―' | '−' | '⁃' | '﹣' | '\u{FF0D}' => "-",
        '…' => "...",
        '•' | '‣' | '◦' | '▪' | '▫' | '●' | '○' | '■' | '□' | '∙' | '★' | '☆' => "*",
        '·' | '⋅' => ".",
        '→' | '⟶' | '➜' | '➔' | '➝' | '➞' | '↳' | '↦' => "->",
        '←' | '⟵' => "<-",
        '↔' | '⟷' => "<->",
        '⇒' | '⟹' => "=>",
        '⇐' => "<=",
        '▶' | '►' | '▸' | '❯' => ">",
        '◀' | '◄' | '◂' | '❮' => "<",
        '─' | '━' | '┄' | '┅' | '┈' | '┉' | '╌' | '╍' | '═' | '╴' | '╶' | '╸' | '╺' => {
            "-"
        }
        '│' | '┃' | '┆' | '┇' | '┊' | '┋' | '╎' | '╏' | '║' | '╵' | '╷' | '╹' | '╻' | '¦' => {
            "|"
        }
        '\u{2500}'..='\u{257F}' => "+",
        '\u{2580}'..='\u{259F}' => "#",
        '×' | '✕' | '✖' | '✗' | '✘' => "x",
        '÷' | '⁄' | '∕' => "/",
        'µ' | 'μ' => "u",
        '°' => "deg",
        '±' => "+/-",
        '≤' => "<=",
        '≥' => ">=",
        '≠' => "!=",
        '≈' => "~",
        '©' => "(c)",
        '®' => "(R)",
        '™' => "(TM)",
        '№' => "No.",
        '¢' => "c",
        '¹' => "1",
        '²' => "2",
        '³' => "3",
        'ª' => "a",
        'º' => "o",
        '\u{A0}' | '\u{2000}'..='\u{200A}' | '\u{202F}' | '\u{205F}' | '\u{3000}' | '\t' => " ",
        '\u{FE00}'..='\u{FE0F}' => "",
        'À' | 'Á' | 'Â' | 'Ã' | 'Ā' | 'Ă' | 'Ą' => "A",
        'á' | 'â' | 'ã' | 'ā' | 'ă' | 'ą' => "a",
        'Ć' | 'Ĉ' | 'Ċ' | 'Č' => "C",
        'ç' | 'ć' | 'ĉ' | 'ċ' | 'č' => "c",
        'Ď' | 'Đ' | 'Ð' => "D",
        'ď' | 'đ' | 'ð' => "d",
        'È' | 'Ê' | 'Ë' | 'Ē' | 'Ĕ' | 'Ė' | 'Ę' | 'Ě' => "E",
        'ê' | 'ë' | 'ē' | 'ĕ' | 'ė' | 'ę' | 'ě' => "e",
        'Ĝ' | 'Ğ' | 'Ġ' | 'Ģ' => "G",
        'ĝ' | 'ğ' | 'ġ' | 'ģ' => "g",
        'Ĥ' | 'Ħ' => "H",
        'ĥ' | 'ħ' => "h",
        'Ì' | 'Í' | 'Î' | 'Ï' | 'Ĩ' | 'Ī' | 'Ĭ' | 'Į' | 'İ' => "I",
        'í' | 'î' | 'ï' | 'ĩ' | 'ī' | 'ĭ' | 'į' | 'ı' => "i",
        'Ĵ' => "J",
        'ĵ' => "j",
        'Ķ' => "K",
        'ķ' => "k",
        'Ĺ' | 'Ļ' | 'Ľ' | 'Ł' => "L",
        'ĺ' | 'ļ' | 'ľ' | 'ł' => "l",
        'Ń' | 'Ņ' | 'Ň' => "N",
        'ń' | 'ņ' | 'ň' => "n",
        'Ò' | 'Ó' | 'Ô' | 'Õ' | 'Ō' | 'Ŏ' | 'Ő' => "O",
        'ó' | 'ô' | 'õ' | 'ō' | 'ŏ' | 'ő' => "o",
        'Œ' => "OE",
        'œ' => "oe",
        'Ŕ' | 'Ŗ' | 'Ř' => "R",
        'ŕ' | 'ŗ' | 'ř' => "r",
        'Ś' | 'Ŝ' | 'Ş' | 'Š' | 'Ș' => "S",
        'ś' | 'ŝ' | 'ş' | 'š' | 'ș' => "s",
        'Ţ' | 'Ť' | 'Ŧ' | 'Ț' => "T",
        'ţ' | 'ť' | 'ŧ' | 'ț' => "t",
        'Þ' => "Th",
        'þ' => "th",
        'Ù' | 'Ú' | 'Û' | 'Ũ' | 'Ū' | 'Ŭ' | 'Ů' | 'Ű' | 'Ų' => "U",
        'ú' | 'û' | 'ũ' | 'ū' | 'ŭ' | 'ů' | 'ű' | 'ų' => "u",
        'Ŵ' => "W",
        'ŵ' => "w",
        'Ý' | 'Ŷ' | 'Ÿ' => "Y",
        'ý' | 'ÿ' | 'ŷ' => "y",
        'Ź' | 'Ż' | 'Ž' => "Z",
        'ź' | 'ż' | 'ž' => "z",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use sms_splitter::SplitSms;

    use super::{super::tests::hostile, *};

    /// As most senders' messages are counted.
    fn segments(text: &str) -> u32 {
        count(text, (160, 153), (70, 67))
    }

    #[test]
    fn the_alphabet_has_its_size() {
        let of_size =
            |size| (0..=0xFFFF).filter_map(char::from_u32).filter(|c| septets(*c) == Some(size)).count();
        assert_eq!((of_size(1), of_size(2)), (127, 10));
    }

    #[test]
    fn a_lone_segment_is_longer_than_a_part() {
        let count = |length| segments(&"a".repeat(length));
        assert_eq!([0, 1, 160, 161, 306, 307, 1600].map(count), [1, 1, 1, 2, 2, 3, 11]);
        let count = |length| segments(&"я".repeat(length));
        assert_eq!([70, 71, 134, 135].map(count), [1, 2, 2, 3]);
    }

    #[test]
    fn a_part_of_a_toll_free_numbers_is_shorter() {
        let count = |length| super::segments(&"a".repeat(length));
        assert_eq!([160, 161, 304, 305].map(count), [1, 2, 2, 3]);
        let count = |length| super::segments(&"я".repeat(length));
        assert_eq!([70, 71, 132, 133].map(count), [1, 2, 2, 3]);
    }

    #[test]
    fn an_extension_character_counts_twice() {
        let count = |length| segments(&"€".repeat(length));
        assert_eq!([80, 81, 152, 153].map(count), [1, 2, 2, 3]);
        assert_eq!(segments(&format!("{}{{", "a".repeat(159))), 2);
    }

    #[test]
    fn an_escaped_character_moves_to_the_next_part_whole() {
        let fits = format!("{}{{{}", "a".repeat(151), "a".repeat(153));
        let moves = format!("{}{{{}", "a".repeat(152), "a".repeat(152));
        assert_eq!((segments(&fits), segments(&moves)), (2, 3));
    }

    #[test]
    fn a_surrogate_pair_moves_to_the_next_part_whole() {
        let count = |length| segments(&"🔥".repeat(length));
        assert_eq!([35, 36, 66, 67].map(count), [1, 2, 2, 3]);
    }

    #[test]
    fn one_character_outside_switches_the_whole_message() {
        assert_eq!(segments(&format!("{}`", "a".repeat(159))), 3);
    }

    #[test]
    fn equivalents_are_in_the_alphabet() {
        for c in (0..=0x2FFFF).filter_map(char::from_u32) {
            if let Some(text) = equivalent(c) {
                assert!(text.chars().all(|c| septets(c).is_some()), "{c:?}");
                assert_eq!(septets(c), None, "{c:?} needs no equivalent");
            }
        }
    }

    #[test]
    fn what_rust_programs_print_fits_the_alphabet() {
        assert_eq!(
            fold("`x` – “q” … a→b took 5µs\u{A0}• ╰─▶ Ça déjà naïve e\u{301}"),
            "'x' - \"q\" ... a->b took 5us * +-> Ça déjà naive e"
        );
        assert_eq!(fold("платёж 🔥 支付"), "платёж 🔥 支付");
    }

    proptest! {
        #[test]
        fn an_independent_counter_counts_the_same(text in hostile(400), folded: bool) {
            let text = if folded { fold(&text) } else { text };
            let theirs = SplitSms::default().split(text.clone()).parts.len().max(1);
            prop_assert_eq!(segments(&text) as usize, theirs, "{:?}", text);
        }
    }
}
