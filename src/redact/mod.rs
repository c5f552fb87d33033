//! Secrets are replaced by the name of the rule that found them.
//!
//! Runs on the alert thread, before an event is grouped, kept or shown. A secret
//! is known by its key (`keys`), wherever a key and a value stand together
//! (`scan`, `value`, `judge`), or by its own shape (`shapes`, `card`).
//! Invariant: pure; time is linear in an event's text; what was redacted once
//! stays as it is.

use std::sync::Arc;

use crate::{
    breadcrumb::{self, Breadcrumb},
    event::{Event, Field, Value},
    secret::Secret,
};

mod card;
mod judge;
mod keys;
mod scan;
mod shapes;
mod value;

#[cfg(test)]
mod tests;

use judge::{Form, Shape};
use keys::Words;

/// What is redacted beyond the rules, and what is not although a rule says so.
#[derive(Clone, Debug)]
pub(crate) struct Policy {
    is_on: bool,
    /// Names that hold a secret, as their words with `_` between.
    more: Vec<String>,
    /// Names that hold none, likewise.
    safe: Vec<String>,
    /// The sinks' own, which are replaced although it is off.
    credentials: Vec<Secret>,
}

impl Policy {
    pub(crate) fn new(is_on: bool, more: &[String], safe: &[String]) -> Self {
        let normal = |names: &[String]| names.iter().map(|name| Words::numbered(name).joined()).collect();
        Self { is_on, more: normal(more), safe: normal(safe), credentials: Vec::new() }
    }

    /// Replaces `credentials`, too, wherever they are; but none that is so short
    /// that it may be a word.
    pub(crate) fn credentials(mut self, mut credentials: Vec<Secret>) -> Self {
        credentials.retain(|credential| credential.len() >= SHORTEST_CREDENTIAL);
        self.credentials = credentials;
        self
    }

    /// Whether there is nothing that it could replace.
    fn is_idle(&self) -> bool {
        !self.is_on && self.credentials.is_empty()
    }

    /// `text` without the sinks' credentials; none if there is none in it.
    fn without_credentials(&self, text: &str) -> Option<String> {
        let mut clean = None;
        for credential in &self.credentials {
            let text = clean.as_deref().unwrap_or(text);
            clean = credential.replaced(text, &scan::mark("credential")).or(clean);
        }
        clean
    }
}

/// Whether `name` can be a field's: it has a letter, and is not too long.
pub(crate) fn is_field_name(name: &str) -> bool {
    name.len() <= keys::MOST_KEY_BYTES && !Words::of(name).joined().is_empty()
}

/// Replaces the secrets in an event's message, fields and spans.
pub(crate) fn redact(event: &mut Event, policy: &Policy) {
    if policy.is_idle() {
        return;
    }
    if let Some(clean) = scan::clean(&event.message, policy) {
        event.message = clean;
    }
    redact_fields(&mut event.fields, policy);
    for span in &mut event.spans {
        // Other events of the span share its fields: only what changes is copied.
        if span.fields.iter().any(|field| redacted(field, policy).is_some()) {
            let fields: &mut Vec<_> = Arc::make_mut(&mut span.fields);
            redact_fields(fields, policy);
        }
    }
}

/// The same for an event's breadcrumbs, once it is clear that it is kept: there
/// may be many of them, and others share them. One that there is no room for
/// without its secrets goes.
pub(crate) fn redact_breadcrumbs(breadcrumbs: &mut Vec<Arc<Breadcrumb>>, policy: &Policy) {
    if policy.is_idle() {
        return;
    }
    breadcrumbs.retain_mut(|breadcrumb| {
        let message = scan::clean(&breadcrumb.message, policy);
        if message.is_none() && breadcrumb.fields.iter().all(|field| redacted(field, policy).is_none()) {
            return true;
        }
        let mut clean = breadcrumb.unshared();
        clean.message = message.unwrap_or(clean.message);
        redact_fields(&mut clean.fields, policy);
        let share = breadcrumb.share.another(clean.size_bytes(), breadcrumb::MOST_BYTES);
        let Some(share) = share else { return false };
        *breadcrumb = Arc::new(Breadcrumb { share, ..clean });
        true
    });
}

fn redact_fields(fields: &mut [Field], policy: &Policy) {
    for field in fields {
        if let Some(value) = redacted(field, policy) {
            field.value = value;
        }
    }
}

/// What stands for the field's value; none if it holds no secret.
fn redacted(field: &Field, policy: &Policy) -> Option<Value> {
    let (is_safe, secret) = match policy.key(&field.name) {
        Some(keys::Key::Safe) => (true, None),
        Some(keys::Key::Secret(secret)) => (!policy.is_on, Some(secret)),
        None => (!policy.is_on, None),
    };
    let clean = |text: &str| {
        if is_safe { policy.without_credentials(text) } else { scan::clean(text, policy) }
    };
    let by_key = |text: &str| {
        let is_secret =
            |secret: &_| !is_safe && judge::is_secret(text, Shape::Quoted, Form::Assigned, secret);
        let secret = secret.filter(is_secret)?;
        Some(Value::Str(scan::mark(secret.rule)))
    };
    let number = |text: String| {
        let card = || (!is_safe && card::is_number(&text)).then(|| Value::Str(scan::mark(card::RULE)));
        by_key(&text).or_else(card)
    };
    match &field.value {
        Value::Bool(_) | Value::F64(_) => None,
        Value::I64(value) => number(value.to_string()),
        Value::U64(value) => number(value.to_string()),
        Value::I128(value) => number(value.to_string()),
        Value::U128(value) => number(value.to_string()),
        Value::Str(text) => by_key(text).or_else(|| clean(text).map(Value::Str)),
        Value::Error(chain) => {
            let clean: Vec<_> = chain.iter().map(|link| clean(link)).collect();
            clean.iter().any(Option::is_some).then(|| {
                let links = chain.iter().zip(clean);
                Value::Error(links.map(|(link, clean)| clean.unwrap_or_else(|| link.clone())).collect())
            })
        }
    }
}

/// A credential of Twilio or SendGrid is longer.
const SHORTEST_CREDENTIAL: usize = 16;

/// Says that so many bytes were looked at, to the test that time is linear.
fn looked(bytes: usize) {
    #[cfg(test)]
    tests::LOOKED.set(tests::LOOKED.get() + bytes);
    #[cfg(not(test))]
    let _unused = bytes;
}
