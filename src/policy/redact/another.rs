//! Other values of a name that has one: of a list, of a text in pieces, in `from … to …`.

use std::ops::Range;

use super::{
    extent::{self, NEAR_NAME},
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
            let length = self.bytes[next..]
                .iter()
                .take(NEAR_NAME)
                .take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'-')
                .count();
            let is_same = (next > end + 1 || near.starts_with('\n'))
                && length == self.same(end)
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
        let link = LINKS.iter().find(|link| rest.starts_with(*link))?;
        let at = end + near.len() - rest.len() + link.len();
        let range = extent::secret_at(self.text, at, Form::Assigned, secret)?;
        look::is_mixed(&self.text[range.clone()]).then_some(range)
    }

    /// How long the word is that ends at `end`.
    fn same(&self, end: usize) -> usize {
        let near = self.bytes[end.saturating_sub(NEAR_NAME)..end].iter().rev();
        near.take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'-').count()
    }
}
