//! Secrets found in the fields of an event, which are replaced in its other parts too.

use super::{clean, look, looked};
use crate::host::secret::Secret;

/// What fields with telling names hold, with the rules that say so; the longest first, as one
/// may begin another.
#[derive(Debug, Default)]
pub(super) struct Noted(Vec<(Secret, String)>);

impl Noted {
    /// Notes what a field holds, as it is or as `Debug` shows it, unless it may stand for
    /// something else, too.
    pub(super) fn note(&mut self, value: &str, rule: &str) {
        let shown = value.split_once('"').filter(|(before, _)| before.is_empty() || before.ends_with('('));
        let secret = shown.and_then(|(_, rest)| rest.rsplit_once('"')).map_or(value, |(inside, _)| inside);
        if self.0.len() == MAX_NOTED || secret.len() > MAX_BYTES || !is_distinct(secret) {
            return;
        }
        let secret = Secret::new(secret);
        if self.0.iter().all(|(known, _)| *known != secret) {
            self.0.push((secret, rule.to_owned()));
            self.0.sort_by_key(|(secret, _)| usize::MAX - secret.len());
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// `text` without them; none if none is in it.
    pub(super) fn replaced(&self, text: &str) -> Option<String> {
        clean::or_all(|| self.without(text))
    }

    fn without(&self, text: &str) -> Option<String> {
        let mut clean: Option<String> = None;
        for (secret, rule) in &self.0 {
            let text = clean.as_deref().unwrap_or(text);
            looked(text.len());
            clean = secret.replaced(text, &clean::mark(rule)).or(clean);
        }
        clean
    }
}

/// Whether a secret is no word that may stand for something else, too.
pub(super) fn is_distinct(secret: &str) -> bool {
    look::is_mixed(secret) || look::is_joined(secret)
}

/// Where a longer one is cannot be seen in linear time, if it is like itself.
pub(super) const MAX_BYTES: usize = 128;

/// An event seldom has more.
const MAX_NOTED: usize = 8;
