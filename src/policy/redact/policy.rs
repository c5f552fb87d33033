//! [`Policy`]: what is redacted beyond the rules, and what is not although a rule
//! says so.

use super::{
    clean,
    judge::{self, Form, Shape},
    keys::{self, Key, Nature, Secret as Named, Words},
    noted::Noted,
    view,
};
use crate::host::secret::Secret;

/// What the settings say about redaction.
#[derive(Clone, Debug)]
pub(crate) struct Policy {
    is_on: bool,
    /// Names that hold a secret, as their words with `_` between.
    more: Vec<String>,
    /// Names that hold none, likewise.
    safe: Vec<String>,
    /// The sinks' own, which are replaced although it is off.
    credentials: Vec<Secret>,
    /// How each of `more` is read: with plain letters.
    read: Vec<String>,
}

impl Policy {
    pub(crate) fn new(is_on: bool, more: &[String], safe: &[String]) -> Self {
        let normal = |name: &String| Words::numbered(&view::folded(name)).joined();
        let read = more.iter().map(normal).collect();
        let more = more.iter().map(|name| Words::numbered(name).joined()).collect();
        Self { is_on, more, safe: safe.iter().map(normal).collect(), credentials: Vec::new(), read }
    }

    /// Replaces `credentials`, too, wherever they are; but none that is so short
    /// that it may be a word.
    pub(crate) fn credentials(mut self, mut credentials: Vec<Secret>) -> Self {
        credentials.retain(|credential| credential.len() >= MIN_CREDENTIAL);
        self.credentials = credentials;
        self
    }

    pub(super) fn is_on(&self) -> bool {
        self.is_on
    }

    /// Whether it names secrets, or what is none, beyond the rules.
    pub(super) fn has_names(&self) -> bool {
        !(self.safe.is_empty() && self.more.is_empty())
    }

    /// Whether it calls a secret so itself.
    pub(super) fn names(&self, rule: &str) -> bool {
        self.more.iter().any(|more| more == rule)
    }

    /// Whether there is nothing that it could replace.
    pub(super) fn is_idle(&self) -> bool {
        !self.is_on && self.credentials.is_empty()
    }

    /// `text` without the sinks' credentials; none if there is none in it.
    pub(super) fn without_credentials(&self, text: &str) -> Option<String> {
        let mut clean = None;
        for credential in &self.credentials {
            let text = clean.as_deref().unwrap_or(text);
            clean = credential.replaced(text, &clean::mark("credential")).or(clean);
        }
        clean
    }

    /// Whether somebody vouches for what a field of this name holds.
    pub(super) fn is_safe(&self, name: &str) -> bool {
        matches!(self.key(&view::folded(name), 0), Some(Key::Safe))
    }

    /// What a name in a text says, which begins at `own` of `near`; what is before
    /// that may belong to it, as in `API key`.
    pub(super) fn key(&self, near: &str, own: usize) -> Option<Key<'_>> {
        let name = &near[own..];
        if self.has_names() {
            let (words, numbered) = (Words::of(name, 0), Words::numbered(name));
            if self.safe.iter().any(|safe| numbered.is(safe)) {
                return Some(Key::Safe);
            }
            let is_meant = |(_, read): &(&String, &String)| numbered.has(read) || words.has(read);
            if let Some((rule, _)) = self.more.iter().zip(&self.read).find(is_meant) {
                return Some(Key::Secret(Named { rule, nature: Nature::Strong, countable: false }));
            }
        }
        Words::of(near, own).secret().map(Key::Secret)
    }

    /// What stands for the whole of a field's text, if its name says that it is a
    /// secret, which is noted.
    pub(super) fn field(&self, name: &str, text: &str, noted: &mut Noted) -> Option<String> {
        clean::or_all(|| {
            let name = view::folded(name);
            let Some(Key::Secret(secret)) = self.key(&name, 0) else { return None };
            judge::is_secret(&view::folded(text), Shape::Quoted, Form::Assigned, &secret).then(|| {
                noted.note(text, secret.rule);
                clean::mark(secret.rule)
            })
        })
    }
}

/// Whether `name` can be a field's: it has a letter, and is not too long.
pub(crate) fn is_field_name(name: &str) -> bool {
    name.len() <= keys::MAX_KEY_BYTES && !Words::of(&view::folded(name), 0).joined().is_empty()
}

/// A credential of Twilio or SendGrid is longer.
const MIN_CREDENTIAL: usize = 16;
