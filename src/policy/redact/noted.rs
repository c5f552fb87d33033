//! Secrets that one part of an event shows to be some: they are none less in its other parts.

use super::{clean, look, looked};

/// The secrets that were found in an event, with their rules.
#[derive(Debug, Default)]
pub(super) struct Noted(Vec<(String, String)>);

impl Noted {
    /// Notes `secret`, unless it may stand for something else, too.
    pub(super) fn note(&mut self, secret: &str, rule: &str) {
        let is_new = || self.0.iter().all(|(known, _)| known != secret);
        if self.0.len() < MAX_NOTED && is_distinct(secret) && is_new() {
            self.0.push((secret.to_owned(), rule.to_owned()));
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
            if text.contains(secret) {
                clean = Some(text.replace(secret, &clean::mark(rule)));
            }
        }
        clean
    }
}

/// Whether a secret is no word that may stand for something else, too.
pub(super) fn is_distinct(secret: &str) -> bool {
    look::is_mixed(secret)
        || look::is_joined(secret)
        || secret.len() >= MIN_BYTES && secret.chars().any(char::is_uppercase)
}

/// A shorter one may be a name.
const MIN_BYTES: usize = 8;

/// An event seldom has more.
const MAX_NOTED: usize = 8;
