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
        let shown = value.split_once('"').and_then(|(_, rest)| rest.rsplit_once('"'));
        let secret = shown.map_or(value, |(inside, _)| inside);
        if self.0.len() == MAX_NOTED || !is_distinct(secret) {
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

/// An event seldom has more.
const MAX_NOTED: usize = 8;
