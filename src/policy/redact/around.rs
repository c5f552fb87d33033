//! What stands around a name: dashes of a flag, quotes, brackets, a tag.

use super::{extent::NEAR_NAME, looked, reader::Reader};

impl Reader<'_, '_> {
    /// Whether the name that begins at `start` has one or two dashes before it.
    pub(super) fn is_flag(&self, start: usize) -> bool {
        let before = &self.text[..start];
        // The dashes of a flag with several words are in front of the first.
        let short = before.strip_suffix('-').unwrap_or("-");
        before.ends_with("--") || short.is_empty() || short.ends_with([' ', '\'', '"', '`', ',', '['])
    }

    /// Whether a bracket of `these` opens right before the quoted name.
    pub(super) fn opens(&self, start: usize, these: &[u8]) -> bool {
        let before = self.text[..start].trim_end_matches(['"', '\'', '\\', 'b', ' ']);
        before.bytes().next_back().is_some_and(|byte| these.contains(&byte))
    }

    /// Whether the list that the quoted name begins is itself in a list.
    pub(super) fn is_pair_of_pairs(&self, start: usize) -> bool {
        let before = self.text[..start].trim_end_matches(['"', '\'', '\\', ' ']);
        before.strip_suffix('[').is_some_and(|before| before.trim_end().ends_with(['[', ',']))
    }

    /// Whether `<` or `<ns:` is before the name.
    pub(super) fn is_tag(&self, start: usize) -> bool {
        let before = self.text[..start].trim_end_matches(':');
        let name = before
            .bytes()
            .rev()
            .take(NEAR_NAME)
            .take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
            .count();
        before[..before.len() - name].ends_with('<')
    }

    /// Whether a name of Amazon's is before `end`: `arn:aws:…:secret:…`.
    pub(super) fn is_in_arn(&self, end: usize) -> bool {
        let near = &self.bytes[end.saturating_sub(2 * NEAR_NAME)..end];
        let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-.:".contains(byte);
        near.rsplit(|byte| !is_part(byte)).next().is_some_and(|name| name.starts_with(b"arn:"))
    }

    pub(super) fn at(&self, at: usize, what: &str) -> bool {
        self.bytes.get(at..at + what.len()).is_some_and(|found| found.eq_ignore_ascii_case(what.as_bytes()))
    }

    pub(super) fn after_spaces(&self, at: usize) -> usize {
        let spaces = self
            .bytes
            .get(at..)
            .unwrap_or_default()
            .iter()
            .take_while(|byte| [b' ', b'\t'].contains(byte))
            .count();
        looked(spaces);
        at + spaces
    }
}
