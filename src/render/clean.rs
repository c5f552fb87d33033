//! What is taken out of an event's text before anybody reads it.
//!
//! Invariant: linear in its input. What comes out has no control character but
//! line feed and tab, no terminal escape, nothing invisible that reorders,
//! hides or smuggles text; but joiners stay where a script or an emoji needs them.

use std::str::Chars;

/// Marks where a [`line()`] was cut.
const CUT_LINE: char = '…';

/// `text` on one line of at most `max_chars`: each run of white space is a
/// space; cut at the end with an ellipsis.
pub(crate) fn line(text: &str, max_chars: usize) -> String {
    let mut line = String::new();
    let (mut chars, mut gap) = (0, false);
    for c in safe(text) {
        if c.is_whitespace() {
            gap = chars > 0;
            continue;
        }
        if chars + usize::from(gap) + 1 > max_chars {
            while (chars >= max_chars || line.ends_with(is_joiner)) && line.pop().is_some() {
                chars -= 1;
            }
            if max_chars > 0 {
                line.push(CUT_LINE);
            }
            break;
        }
        if gap {
            line.push(' ');
        }
        line.push(c);
        chars += 1 + usize::from(gap);
        gap = false;
    }
    line
}

/// The first `max_chars` of `text` with their line breaks and tabs, without
/// blank lines before and white space after.
pub(super) fn block(text: &str, max_chars: usize) -> String {
    let block: String = safe(text).take(max_chars).collect();
    let start = block.len() - block.trim_start_matches('\n').len();
    block.get(start..).unwrap_or_default().trim_end().trim_end_matches(is_joiner).to_owned()
}

/// The characters of `text` that may be shown; every kind of line break is a
/// line feed.
fn safe(text: &str) -> impl Iterator<Item = char> + '_ {
    let mut rest = text.chars();
    let mut before = None;
    let next = move || {
        let next = loop {
            match rest.next()? {
                '\t' => break '\t',
                '\r' => {
                    let mut ahead = rest.clone();
                    if ahead.next() == Some('\n') {
                        rest = ahead;
                    }
                    break '\n';
                }
                '\n' | '\u{B}' | '\u{C}' | '\u{85}' | '\u{2028}' | '\u{2029}' => break '\n',
                '\u{1B}' => skip_escape(&mut rest),
                '\u{9B}' => skip_parameters(&mut rest),
                c if is_joiner(c) && !joins(before, c, rest.clone().next()) => (),
                c if is_unsafe(c) => (),
                c => break c,
            }
        };
        before = Some(next);
        before
    };
    std::iter::from_fn(next)
}

/// Whether `joiner` is part of how a word is written, or of an emoji.
fn joins(before: Option<char>, joiner: char, after: Option<char>) -> bool {
    let (Some(before), Some(after)) = (before, after) else { return false };
    let is_emoji = joiner == ZERO_WIDTH_JOINER && is_picture(after);
    (is_cursive(before) && is_cursive(after)) || (is_emoji && (is_picture(before) || varies_picture(before)))
}

/// A letter or a sign of a script whose letters join: Arabic and its neighbours, those
/// of India and South East Asia, Mongolian.
fn is_cursive(c: char) -> bool {
    matches!(c,
        '\u{620}'..='\u{8FF}'               // Arabic, Syriac, N'Ko, Mandaic
        | '\u{900}'..='\u{DFF}'             // Devanagari to Sinhala
        | '\u{F40}'..='\u{FBC}'             // Tibetan
        | '\u{1000}'..='\u{109F}'           // Myanmar
        | '\u{1780}'..='\u{17D3}'           // Khmer
        | '\u{1820}'..='\u{18AA}'           // Mongolian
        | '\u{1B00}'..='\u{1BFF}'           // Balinese, Sundanese, Batak
        | '\u{A840}'..='\u{A8FF}'           // Phags-pa, Saurashtra, Devanagari Extended
        | '\u{A980}'..='\u{A9DF}'           // Javanese
        | '\u{FB50}'..='\u{FDFF}' | '\u{FE70}'..='\u{FEFC}' // Arabic forms
        | '\u{10D00}'..='\u{10FFF}' | '\u{11000}'..='\u{11FFF}' // Rohingya to Kawi
        | '\u{1E900}'..='\u{1E95F}'         // Adlam
    )
}

/// What emoji are made of.
fn is_picture(c: char) -> bool {
    matches!(c, '\u{2190}'..='\u{21FF}' | '\u{2600}'..='\u{27BF}' | '\u{2B00}'..='\u{2BFF}' | '\u{1F000}'..='\u{1FAFF}')
}

/// Follows a picture and changes how it looks.
fn varies_picture(c: char) -> bool {
    matches!(c, '\u{FE0F}' | '\u{20E3}')
}

/// Two letters are written as one because of it, or are not.
pub(super) fn is_joiner(c: char) -> bool {
    matches!(c, ZERO_WIDTH_JOINER | '\u{200C}')
}

const ZERO_WIDTH_JOINER: char = '\u{200D}';

/// Skips what a terminal would take for the rest of an escape sequence; nothing
/// if it is incomplete. Each search ends at the next control character, so all
/// of them together are linear.
fn skip_escape(rest: &mut Chars<'_>) {
    let mut ahead = rest.clone();
    let complete = match ahead.next() {
        Some('[') => {
            *rest = ahead;
            return skip_parameters(rest);
        }
        Some(']' | 'P' | 'X' | '^' | '_') => match ahead.find(|c| c.is_control()) {
            Some('\u{7}' | '\u{9C}') => true,
            Some('\u{1B}') => ahead.next() == Some('\\'),
            _ => false,
        },
        Some('(' | ')') => ahead.next().is_some_and(|c| c.is_ascii_alphanumeric()),
        _ => false,
    };
    if complete {
        *rest = ahead;
    }
}

/// Skips the parameters and the final byte of a control sequence.
fn skip_parameters(rest: &mut Chars<'_>) {
    let mut ahead = rest.clone();
    if ahead.find(|c| !matches!(c, ' '..='?')).is_some_and(|c| matches!(c, '@'..='~')) {
        *rest = ahead;
    }
}

/// Control characters, marks of direction, and what has no width or no glyph, but for
/// [joiners](is_joiner).
pub(super) fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{AD}'                          // soft hyphen
            | '\u{34F}'                       // grapheme joiner
            | '\u{61C}'                       // Arabic letter mark
            | '\u{180E}'                      // Mongolian vowel separator
            | '\u{200B}' | '\u{200E}'..='\u{200F}' // zero width space, marks of direction
            | '\u{202A}'..='\u{202E}'         // embeddings and overrides
            | '\u{2060}'..='\u{206F}'         // joiner, isolates, deprecated formats
            | '\u{FEFF}'                      // byte order mark
            | '\u{FFF9}'..='\u{FFFB}'         // annotations
            | '\u{E0000}'..='\u{E0FFF}'       // tags, supplementary variation selectors
        )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::tests::hostile, *};

    #[test]
    fn terminal_escapes_leave_nothing() {
        let text =
            "\u{1B}[1;31mred\u{1B}[0m \u{1B}]8;;http://x/\u{7}link\u{1B}]8;;\u{1B}\\ \u{1B}(Bplain\u{9B}2K";
        assert_eq!(line(text, 100), "red link plain");
    }

    #[test]
    fn an_endless_escape_does_not_swallow_the_message() {
        assert_eq!(line("\u{1B}]0;title and the rest", 100), "]0;title and the rest");
        assert_eq!(line("a\u{1B}", 100), "a");
    }

    #[test]
    fn a_line_is_cut_at_its_length() {
        assert_eq!(line("  a\r\n\t b  ", 3), "a b");
        assert_eq!(line("abcd", 3), "ab…");
        assert_eq!(line("ab cd", 3), "ab…");
        assert_eq!(line("abc", 0), "");
    }

    #[test]
    fn a_block_keeps_its_lines_and_tabs() {
        assert_eq!(block("\n\r\n  a\r\n\tb\u{202E}\rc \n\n", 100), "  a\n\tb\nc");
    }

    #[test]
    fn joiners_stay_where_they_are_needed() {
        let family = "👨\u{200D}👩\u{200D}👧\u{200D}👦 ❤\u{FE0F}\u{200D}🔥";
        let persian = "می\u{200C}خواهم";
        let hindi = "क\u{94D}\u{200D}ष";
        for text in [family, persian, hindi] {
            assert_eq!((line(text, 100).as_str(), block(text, 100).as_str()), (text, text));
        }
        for (text, wanted) in [
            ("pay\u{200D}pal\u{200C}", "paypal"),
            ("\u{200D}🔥\u{200D}", "🔥"),
            ("🔥\u{200C}🔥", "🔥🔥"),
            ("🔥\u{200D}\u{200D}\u{200D}🔥", "🔥\u{200D}🔥"),
            ("می\u{200C}\u{202E}خواهم", "میخواهم"),
            ("🔥\n\u{200D}→", "🔥 →"),
            ("🔥\t\u{200D}→", "🔥 →"),
        ] {
            assert_eq!(line(text, 100), wanted);
        }
        assert_eq!((line(family, 3), block(family, 2)), ("👨…".to_owned(), "👨".to_owned()));
    }

    #[test]
    fn a_megabyte_of_escapes_takes_no_quadratic_time() {
        for text in ["\u{1B}]", "\u{1B}[", "\u{1B}[0", "\u{9B}", "\r"] {
            assert!(line(&text.repeat(1 << 20), 100).chars().count() <= 100);
        }
    }

    proptest! {
        #[test]
        fn nothing_unsafe_is_left(text in hostile(80), max_chars in 0_usize..60) {
            let line = line(&text, max_chars);
            prop_assert!(line.chars().count() <= max_chars);
            prop_assert!(!line.contains(is_unsafe));
            prop_assert!(!block(&text, max_chars).contains(|c| is_unsafe(c) && c != '\n' && c != '\t'));
            let chars: Vec<Option<char>> = [None].into_iter().chain(line.chars().map(Some)).chain([None]).collect();
            let stray = chars.windows(3).find(|three| {
                three[1].is_some_and(|c| is_joiner(c) && !joins(three[0], c, three[2]))
            });
            prop_assert_eq!(stray, None, "{:?}", line);
        }
    }
}
