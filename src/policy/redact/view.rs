//! A text as the reader reads it: what is written in another way becomes what it
//! stands for, and each byte knows where it comes from.
//!
//! Invariant: where nothing is another way to write something, there is no copy.

use std::{borrow::Cow, ops::Range};

use super::looked;

/// A text and where each byte of it comes from, up to its end.
pub(super) struct View<'a> {
    pub(super) text: Cow<'a, str>,
    /// None where it is the text itself.
    from: Option<Vec<u32>>,
}

impl<'a> View<'a> {
    /// Accents, typographic quotes and wide letters become plain ones; what has no
    /// width goes.
    pub(super) fn folded(text: &'a str) -> Self {
        let is_plain = text.is_ascii() && !text.contains(['\u{1B}', '*']) && !text.contains("[0m");
        let rewritten = (!is_plain).then(|| rewritten(text, |_| None)).flatten();
        match rewritten {
            Some((text, from)) => Self { text: text.into(), from: Some(from) },
            None => Self { text: text.into(), from: None },
        }
    }

    /// The same with one encoding less: of URLs, of HTML, of JSON's `\u0022`.
    pub(super) fn decoded(&self) -> Option<View<'static>> {
        let may_be = self.text.bytes().any(|byte| matches!(byte, b'%' | b'&' | b'\\'));
        let (text, from) = may_be.then(|| rewritten(&self.text, decoded))??;
        let from = match &self.from {
            Some(mine) => from.iter().map(|at| mine[*at as usize]).collect(),
            None => from,
        };
        Some(View { text: text.into(), from: Some(from) })
    }

    /// Where in the source the part `range` of the text is.
    pub(super) fn source(&self, range: &Range<usize>) -> Range<usize> {
        match &self.from {
            Some(from) => from[range.start] as usize..from[range.end] as usize,
            None => range.clone(),
        }
    }
}

/// `name` with plain letters.
pub(super) fn folded(name: &str) -> Cow<'_, str> {
    View::folded(name).text
}

/// `text` as it is meant, and where it comes from; none if nothing changes.
fn rewritten(text: &str, decoded: fn(&str) -> Option<(char, usize)>) -> Option<(String, Vec<u32>)> {
    let mut out = String::with_capacity(text.len());
    let mut from = Vec::with_capacity(text.len() + 1);
    let mut at = 0;
    let mut is_other = false;
    looked(text.len());
    while let Some(char) = text[at..].chars().next() {
        let rest = &text[at..];
        let escape = if char.is_ascii() { decoded(rest) } else { None };
        let (plain, length) =
            match (markup(rest).filter(|_| !(char == '*' && text[..at].ends_with('*'))), escape) {
                (Some(length), _) => (None, length),
                (None, Some((char, length))) => (folded_char(char), length),
                (None, None) => (folded_char(char), char.len_utf8()),
            };
        is_other |= plain != Some(char) || length > char.len_utf8();
        if let Some(plain) = plain {
            out.push(plain);
            from.resize(out.len(), u32::try_from(at).unwrap_or(u32::MAX));
        }
        at += length;
    }
    from.push(u32::try_from(at).unwrap_or(u32::MAX));
    is_other.then_some((out, from))
}

/// How long a terminal's colour or a text's emphasis at the beginning of `text` is:
/// `\x1B[1m`, also without what begins it, and `**`.
fn markup(text: &str) -> Option<usize> {
    if text.starts_with("**") && !text.starts_with("***") {
        return Some(2);
    }
    let escape = usize::from(text.starts_with('\u{1B}'));
    let escape = ["\\u{1b}", "\\x1b", "\\u001b", "\\e", "\\033"]
        .iter()
        .find(|it| text.starts_with(**it))
        .map_or(escape, |it| it.len());
    let parameters = text[escape..].strip_prefix('[')?;
    let length = parameters
        .bytes()
        .take(MAX_COLOUR_BYTES)
        .take_while(|byte| byte.is_ascii_digit() || *byte == b';')
        .count();
    (length > 0 && parameters[length..].starts_with('m')).then_some(escape + length + 2)
}

/// The character that an escape at the beginning of `text` stands for, and how
/// long the escape is.
fn decoded(text: &str) -> Option<(char, usize)> {
    let hex = |digits: Option<&str>| u32::from_str_radix(digits?, 16).ok();
    match text.as_bytes()[0] {
        b'%' => {
            let byte = |at: usize| {
                let digits = text.get(at..at + 3)?.strip_prefix('%')?;
                u8::from_str_radix(digits, 16).ok()
            };
            let first = byte(0)?;
            let count = match first {
                b'\t' | b'\n' | b'\r' | b' '..=b'~' => return Some((char::from(first), 3)),
                0xC2..=0xDF => 2,
                0xE0..=0xEF => 3,
                0xF0..=0xF4 => 4,
                _ => return None,
            };
            let bytes: Option<Vec<u8>> = (0..count).map(|index| byte(3 * index)).collect();
            Some((std::str::from_utf8(&bytes?).ok()?.chars().next()?, 3 * count))
        }
        b'&' => {
            let (name, _) = text[1..].get(..MAX_ENTITY_BYTES.min(text.len() - 1))?.split_once(';')?;
            let char = match name {
                "quot" => '"',
                "apos" => '\'',
                "lt" => '<',
                "gt" => '>',
                "amp" => '&',
                _ => match name.strip_prefix('#')? {
                    number if number.starts_with(['x', 'X']) => char::from_u32(hex(number.get(1..))?)?,
                    number => char::from_u32(number.parse().ok()?)?,
                },
            };
            Some((char, name.len() + 2))
        }
        b'\\' => match text.as_bytes().get(1)? {
            plain @ (b'/' | b'"' | b'\'' | b'\\' | b'`') => Some((char::from(*plain), 2)),
            b'n' | b'r' => Some(('\n', 2)),
            b't' => Some(('\t', 2)),
            b'x' => {
                Some((char::from_u32(hex(text.get(2..4))?)?, 4)).filter(|(char, _)| char.is_ascii_graphic())
            }
            b'u' => match text[2..].strip_prefix('{') {
                Some(rest) => {
                    let (digits, _) = rest.get(..rest.floor_char_boundary(8))?.split_once('}')?;
                    Some((char::from_u32(hex(Some(digits))?)?, digits.len() + 4))
                }
                None => Some((char::from_u32(hex(text.get(2..6))?)?, 6)),
            },
            _ => None,
        },
        _ => None,
    }
}

/// The plain character for `char`; none if it is not seen.
fn folded_char(char: char) -> Option<char> {
    match char {
        '\0'..='\x7F' => Some(char),
        '\u{AD}'
        | '\u{300}'..='\u{36F}'
        | '\u{200B}'..='\u{200F}'
        | '\u{202A}'..='\u{202E}'
        | '\u{2060}'..='\u{206F}'
        | '\u{FEFF}'
        | '\u{FE00}'..='\u{FE0F}' => None,
        '\u{A0}' | '\u{2000}'..='\u{200A}' | '\u{202F}' | '\u{3000}' => Some(' '),
        '\u{FF01}'..='\u{FF5E}' => char::from_u32(u32::from(char) - 0xFEE0),
        _ => Some(FOLDS.iter().find(|(these, _)| these.contains(char)).map_or(char, |(_, plain)| *plain)),
    }
}

const MAX_COLOUR_BYTES: usize = 12;

/// The longest name of a character in HTML that is looked for, with its semicolon.
const MAX_ENTITY_BYTES: usize = 9;

/// Letters and marks, and what is read instead.
#[rustfmt::skip]
const FOLDS: [(&str, char); 39] = [
    ("“”„‟«»″〝〞", '"'), ("「」『』《》", '`'), ("‘’‚‛‹›′", '\''), ("：﹕՝", ':'), ("→⇒⟶≔", '='), ("—–‐‑−", '-'), ("，、", ','), ("（", '('), ("】⟩〉", ':'), ("【⟨〈", ' '), ("│┃║｜", '|'),
    ("àáâãäåāăąạảấầẩẫậắằẵặ", 'a'), ("ÀÁÂÃÄÅĀĂĄ", 'A'), ("æ", 'a'), ("œ", 'o'), ("çćčĉ", 'c'), ("ÇĆČ", 'C'), ("ďđð", 'd'),
    ("əèéêëēėęěẹẻếềểễệ", 'e'), ("ÈÉÊËĒĘĚ", 'E'), ("ğģ", 'g'), ("ìíîïīįıịỉ", 'i'), ("ÌÍÎÏĪİ", 'I'), ("ķ", 'k'), ("łľļĺ", 'l'),
    ("Ł", 'L'), ("ñńňņ", 'n'), ("ÑŃŇ", 'N'), ("òóôõöøōőọỏốồổỗộớờởợ", 'o'), ("ÒÓÔÕÖØŐ", 'O'), ("řŕ", 'r'),
    ("śšşșß", 's'), ("ŚŠŞȘ", 'S'), ("ťţț", 't'), ("ùúûüūůűųụủưứừửữự", 'u'), ("ÙÚÛÜŮŰ", 'U'), ("ýÿ", 'y'), ("źżž", 'z'),
    ("ё", 'е'),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_escape_is_the_character_it_stands_for_and_as_long_as_it_is() {
        for (text, is) in [
            ("%3D1", Some(('=', 3))),
            ("%C3%B6n", Some(('ö', 6))),
            ("%E2%82%AC", Some(('€', 9))),
            ("%C3", None),
            ("&lt;", Some(('<', 4))),
            ("&quot;x", Some(('"', 6))),
            ("&#61;", Some(('=', 5))),
            ("&#x3d;", Some(('=', 6))),
            ("&", None),
            ("&lt", None),
        ] {
            assert_eq!(decoded(text), is, "{text}");
        }
    }
}
