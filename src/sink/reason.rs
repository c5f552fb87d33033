//! What a provider or the network said becomes the reason of a
//! [`SendError`](super::SendError): one short line that may be stored and shown.
//!
//! Invariant: pure. Every foreign text passes through [`Scrub`], which removes
//! what belongs to the operator, before it is cut: half a credential is one too.

use crate::host::secret::Secret;

/// No reason has more characters.
pub(crate) const MAX_REASON: usize = 300;

/// As many characters are shown of an answer that is not the provider's JSON.
const MAX_EXCERPT: usize = 120;

/// A run of as many digits may be a phone number.
const MIN_NUMBER: usize = 7;

/// A word as long as this after `Basic` or `Bearer` is no English.
const MIN_TOKEN: usize = 16;

/// What no reason may show.
#[derive(Debug, Default)]
pub(crate) struct Scrub<'a> {
    /// Credentials.
    pub(crate) secrets: Vec<&'a Secret>,
    /// Other words of the operator's, each with what is shown instead.
    pub(crate) words: Vec<(&'a str, &'static str)>,
}

impl Scrub<'_> {
    /// This one, which removes `more` secrets, too.
    pub(crate) fn and<'b>(&'b self, more: &'b [Secret]) -> Scrub<'b> {
        let secrets = self.secrets.iter().copied().chain(more).collect();
        Scrub { secrets, words: self.words.clone() }
    }

    /// `ours`, then what is fit to be shown of the foreign text `theirs`.
    pub(crate) fn reason(&self, ours: &str, theirs: &str) -> String {
        let theirs = self.clean(theirs);
        if theirs.is_empty() {
            return cut(ours, MAX_REASON);
        }
        cut(&format!("{ours}: {theirs}"), MAX_REASON)
    }

    /// The first words of a body that is no JSON: a proxy's page, as a rule.
    pub(crate) fn excerpt(&self, body: &[u8]) -> String {
        cut(&self.clean(&without_tags(&String::from_utf8_lossy(body))), MAX_EXCERPT)
    }

    /// True if there is a credential in `text`.
    pub(crate) fn finds_secret(&self, text: &str) -> bool {
        self.secrets.iter().any(|secret| secret.replaced(text, "").is_some())
    }

    /// `text` on one line, without the operator's words, or anything that looks
    /// like a phone number or an e-mail address.
    fn clean(&self, text: &str) -> String {
        let mut text = one_line(text);
        for secret in &self.secrets {
            text = secret.replaced(&text, "[redacted]").unwrap_or(text);
        }
        for (word, instead) in &self.words {
            text = replace_ignoring_case(&text, word, instead);
        }
        without_numbers(&without_addresses(&text))
    }
}

/// `text` without line breaks and other characters that change how a line is
/// shown; white space is squeezed.
pub(crate) fn one_line(text: &str) -> String {
    let visible = text.replace(is_invisible, " ");
    visible.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Control characters, and those of Unicode that have no shape or turn the
/// direction of writing.
fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(c, '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fffd}')
}

/// `text` with at most `most` characters, marked if it was longer.
fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some(_) => text.chars().take(most - 1).chain(['…']).collect(),
    }
}

/// `text` with a space for each HTML tag. A tag that does not end takes the rest
/// with it.
fn without_tags(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('<') {
        kept.push_str(before);
        kept.push(' ');
        let is_tag = after.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '/' | '!' | '?'));
        rest = if is_tag { after.split_once('>').map_or("", |(_, text)| text) } else { after };
    }
    kept.push_str(rest);
    kept
}

/// ASCII case only: an address is compared so, and a number has none.
fn replace_ignoring_case(text: &str, word: &str, instead: &str) -> String {
    if word.trim().is_empty() {
        return text.to_owned();
    }
    let (mut kept, mut rest) = (String::with_capacity(text.len()), text);
    let (lower, word) = (text.to_ascii_lowercase(), word.to_ascii_lowercase());
    let mut rest_lower = lower.as_str();
    while let Some(at) = rest_lower.find(&word) {
        kept.push_str(&rest[..at]);
        kept.push_str(instead);
        rest = &rest[at + word.len()..];
        rest_lower = &rest_lower[at + word.len()..];
    }
    kept.push_str(rest);
    kept
}

/// Masks runs of digits as long as a phone number; after a `+` also those with
/// the usual signs between the digits.
pub(crate) fn without_numbers(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(|c: char| c == '+' || c.is_ascii_digit()) {
        let (before, run) = rest.split_at(start);
        let is_spaced = run.starts_with('+');
        let is_part = |c: char| c.is_ascii_digit() || (is_spaced && "+ -.()/".contains(c));
        let end = run.find(|c| !is_part(c)).unwrap_or(run.len());
        // What stands behind the last digit is not the number's.
        let end = run[..end].rfind(|c: char| c.is_ascii_digit()).map_or(1, |last| last + 1);
        let (run, after) = run.split_at(end);
        kept.push_str(before);
        let digits = run.bytes().filter(u8::is_ascii_digit).count();
        kept.push_str(if digits < MIN_NUMBER { run } else { "[number]" });
        rest = after;
    }
    kept.push_str(rest);
    kept
}

/// Masks words with an `@` in them, encoded or not, and what an `Authorization` header holds,
/// should a proxy show the request.
fn without_addresses(text: &str) -> String {
    let is_edge = |c: char| c.is_whitespace() || "\"<>()[]{},;:".contains(c);
    let mut kept = String::with_capacity(text.len());
    let mut last = "";
    for piece in text.split_inclusive(is_edge) {
        let word = piece.trim_end_matches(is_edge);
        let is_scheme = ["basic", "bearer"].iter().any(|scheme| last.eq_ignore_ascii_case(scheme));
        kept.push_str(match word {
            _ if word.contains('@') || word.contains("%40") => "[address]",
            _ if is_scheme && word.len() >= MIN_TOKEN => "[redacted]",
            _ => word,
        });
        kept.push_str(&piece[word.len()..]);
        last = word;
    }
    kept
}

#[cfg(test)]
mod tests;
