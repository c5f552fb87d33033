//! Secrets are replaced by the name of the rule that found them.
//!
//! Runs on the alert thread, before an event is grouped, kept or shown:
//!
//! 1. A text is read as it stands, and as it would be decoded (`view`, `clean`).
//! 2. Its words are names (`keys`, `vocabulary`) or have a shape (`shapes`, `issuers`, `card`,
//!    `entropy`), or stand where secrets do (`urls`, `commands`, `codes`).
//! 3. A name leads to its value in some form (`reader`, `glue`, `extent`, `quotes`), or elsewhere
//!    (`elsewhere`, `columns`, `another`).
//! 4. One judge says whether the value is shown to be harmless (`judge`, `look`).
//! 5. Where only a name stands, words of its clause go that somebody chose or a machine made
//!    by chance (`clause`, `chance`).
//! 6. What no rule knows is weighed near a name, and goes if enough speaks against it (`doubt`,
//!    `evidence`, `jargon`, `weights`).
//!
//! Invariant: pure; time is linear in an event's text; what was redacted once
//! stays as it is.

use std::sync::Arc;

use crate::event::{
    Event, Field, Text, Value,
    breadcrumb::{Breadcrumb, MAX_BREADCRUMB_BYTES},
};

mod another;
mod around;
mod blocks;
mod card;
mod chance;
mod clause;
mod clean;
mod codes;
mod columns;
mod commands;
mod doubt;
mod elsewhere;
mod entropy;
mod evidence;
mod extent;
mod glue;
mod issuers;
mod jargon;
mod judge;
mod keys;
mod look;
mod policy;
mod quotes;
mod reader;
mod shapes;
mod urls;
mod view;
mod vocabulary;
mod weights;

#[cfg(test)]
mod tests;

pub(crate) use policy::{Policy, is_field_name};

/// Replaces the secrets in an event: in its message, fields, spans and backtrace, and
/// in names that a program makes up while it runs.
pub(crate) fn redact(event: &mut Event, policy: &Policy) {
    if policy.is_idle() {
        return;
    }
    redact_text(&mut event.message, policy);
    redact_name(&mut event.target, policy);
    if let Some(backtrace) = &mut event.backtrace {
        redact_text(backtrace, policy);
    }
    let thread = event.thread.as_deref().and_then(|thread| clean::clean(thread, policy));
    event.thread = thread.map(Arc::from).or_else(|| event.thread.take());
    redact_fields(&mut event.fields, policy);
    for span in &mut event.spans {
        redact_name(&mut span.name, policy);
        redact_name(&mut span.target, policy);
        // Other events of the span share its fields: only what changes is copied.
        if span.fields.iter().any(|field| redacted(field, policy).is_some()) {
            let fields: &mut Vec<_> = Arc::make_mut(&mut span.fields);
            redact_fields(fields, policy);
        }
    }
}

/// Replaces the secrets in a text of any other kind that is kept or shown.
pub(crate) fn redact_text(text: &mut String, policy: &Policy) {
    if let Some(clean) = clean::clean(text, policy) {
        *text = clean;
    }
}

/// The same for a name, unless it stands in the program itself.
fn redact_name(name: &mut Text, policy: &Policy) {
    if let Text::Owned(name) = name {
        redact_text(name, policy);
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
        let message = clean::clean(&breadcrumb.message, policy);
        if message.is_none() && breadcrumb.fields.iter().all(|field| redacted(field, policy).is_none()) {
            return true;
        }
        let mut clean = breadcrumb.unshared();
        clean.message = message.unwrap_or(clean.message);
        redact_fields(&mut clean.fields, policy);
        let share = breadcrumb.share.another(clean.size_bytes(), MAX_BREADCRUMB_BYTES);
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
    let is_safe = !policy.is_on() || policy.is_safe(&field.name);
    let clean = |text: &str| {
        if is_safe { policy.without_credentials(text) } else { clean::clean(text, policy) }
    };
    let by_key = |text: &str| policy.field(&field.name, text).filter(|_| !is_safe).map(Value::Str);
    let number = |text: String| {
        let card = || (!is_safe && card::is_number(&text)).then(|| Value::Str(clean::mark(card::RULE)));
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
            let mut links: Vec<String> = Vec::with_capacity(chain.len());
            for link in chain {
                let whole = clean(link).unwrap_or_else(|| link.clone());
                // One may say of what the next is the value.
                let before = links.last().map(|last| {
                    format!("{}: ", &last[last.ceil_char_boundary(last.len().saturating_sub(NEAR_BYTES))..])
                });
                let behind = before.and_then(|before| {
                    clean(&format!("{before}{whole}"))?.strip_prefix(&before).map(str::to_owned)
                });
                links.push(behind.unwrap_or(whole));
            }
            (links != *chain).then_some(Value::Error(links))
        }
    }
}

/// How much of an error is read again with its cause.
const NEAR_BYTES: usize = 64;

/// Says that so many bytes were looked at, to the test that time is linear.
fn looked(bytes: usize) {
    #[cfg(test)]
    tests::look(bytes);
    #[cfg(not(test))]
    let _unused = bytes;
}
