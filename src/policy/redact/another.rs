//! Other values of a name that has one: of a list, of a text in pieces, in `from … to …`.

use std::ops::Range;

use super::{
    extent::{self, NEAR_BYTES, NEAR_NAME},
    judge::Form,
    keys::{Nature, Secret},
    look, quotes,
    reader::Reader,
    vocabulary::LINKS,
};

impl Reader<'_, '_> {
    /// A value that follows one of the same name: in `from … to …`, `"…" -> "…"`.
    pub(super) fn another(&self, last: &Range<usize>, secret: &Secret<'_>) -> Option<Range<usize>> {
        let end = last.end;
        let near = &self.text[end..self.text.floor_char_boundary(end + NEAR_NAME)];
        // `"…" + "…"`, `'…' . '…'`
        if let Some(quote) = quotes::quote(self.text, end) {
            let gap = self.text[quote.end..self.text.floor_char_boundary(quote.end + NEAR_NAME / 2)]
                .bytes()
                .take_while(|byte| byte.is_ascii_whitespace() || b"+.\\&".contains(byte))
                .count();
            let at = quote.end + gap;
            let next = quotes::quote(self.text, at).filter(|next| gap > 0 && next.char == quote.char);
            if let Some(next) = next.filter(|_| !self.text[end..at].trim_matches(['"', '\'', ' ']).is_empty())
            {
                return Some(next.end..quotes::quoted_end(self.text, &next)).filter(|range| range.len() >= 6);
            }
        }
        // `codes: 123, 456`
        if matches!(secret.nature, Nature::Digits(_)) {
            let next = end + near.len() - near.trim_start_matches(['"', '\'', ',', ' ', '\n', '-']).len();
            let next = if near.starts_with('\n') { self.after_item(next) } else { next };
            let length = self.like(next, &self.text[last.clone()]);
            let is_same = (next > end + 1 || near.starts_with('\n'))
                && length > 0
                && self.bytes[next..next + length].iter().any(u8::is_ascii_digit);
            return is_same.then_some(next..next + length);
        }
        // The next item of a list, one on each line.
        let before = self.text[..last.start].trim_end_matches(['"', '\'']);
        let item = near.trim_start_matches(['"', '\'']).strip_prefix('\n').map(str::trim_start);
        if let Some(item) = item.and_then(|item| item.strip_prefix("- ")).filter(|_| before.ends_with("- ")) {
            let at = item.as_ptr() as usize - self.text.as_ptr() as usize;
            return extent::secret_at(self.text, at, Form::Assigned, secret);
        }
        let rest = near.trim_start_matches(['"', '\'', '`', '\\', ',']);
        // Of a list in a sentence: `tokens: …, …`.
        let list = Some(&", ").filter(|link| secret.countable && near.starts_with(**link));
        let rest = if list.is_some() { near } else { rest };
        let link = list.or_else(|| LINKS.iter().find(|link| rest.starts_with(*link)))?;
        let at = end + near.len() - rest.len() + link.len();
        // Its beginning has to tell: a long one is looked at once, and not for each name in it.
        let begun = &self.text[..self.text.floor_char_boundary(at + NEAR_BYTES)];
        let range = extent::secret_at(begun, at, Form::Assigned, secret)?;
        look::is_mixed(&begun[range]).then(|| extent::secret_at(self.text, at, Form::Assigned, secret))?
    }

    /// How much of what is at `at` has digits, letters and gaps where `last` has them.
    fn like(&self, at: usize, last: &str) -> usize {
        let near = self.bytes[at..].iter().take(last.len());
        let is_like = |(one, other): &(&u8, u8)| {
            one.is_ascii_alphanumeric() == other.is_ascii_alphanumeric()
                && (one.is_ascii_alphanumeric() || **one == *other)
        };
        let length = near.zip(last.bytes()).take_while(is_like).count();
        let is_end = self.bytes.get(at + length).is_none_or(|byte| !byte.is_ascii_alphanumeric());
        if length == last.len() && is_end { length } else { 0 }
    }

    /// Behind what numbers the item of a list at `at`: `1. `, `2) `, `* `.
    pub(super) fn after_item(&self, at: usize) -> usize {
        let rest = &self.bytes[at.min(self.bytes.len())..];
        let digits = rest.iter().take(3).take_while(|byte| byte.is_ascii_digit()).count();
        match (digits, rest.get(digits), rest.get(digits + 1)) {
            (1..=2, Some(b'.' | b')'), Some(b' ')) | (0, Some(b'*'), Some(b' ')) => at + digits + 2,
            _ => at,
        }
    }
}
