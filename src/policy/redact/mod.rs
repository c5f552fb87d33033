//! Secrets are replaced by the name of the rule that found them.
//!
//! Runs on the alert thread, before an event is grouped, kept or shown:
//!
//! 1. A text is read as it stands, and as it would be decoded (`view`, `clean`).
//! 2. Its words are names (`keys`, `vocabulary`) or have a shape (`shapes`, `issuers`, `card`,
//!    `entropy`), or stand where secrets do (`urls`, `commands`, `codes`).
//! 3. A name leads to its value in some form (`reader`, `glue`, `extent`, `quotes`, `phrase`), or
//!    elsewhere (`elsewhere`, `columns`, `another`, `rows`).
//! 4. One judge says whether the value is shown to be harmless (`judge`, `look`, `chance`).
//! 5. Where only a name stands, words of its clause go that somebody chose or a machine made
//!    by chance (`clause`).
//! 6. Each word near a name is weighed, and in a text of up to 2,000 bytes each that is not of
//!    the trade: what no rule knows goes if enough speaks against it, and a sentence that a
//!    rule knows only by a name stays if all speaks for it (`doubt`, `evidence`, `jargon`,
//!    `network`).
//! 7. What a field shows to be a secret goes from the event's other parts, too (`noted`).
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
mod network;
mod noted;
mod phrase;
mod policy;
mod quotes;
mod reader;
mod rows;
mod shapes;
mod urls;
mod view;
mod vocabulary;

#[cfg(test)]
mod tests;

use noted::Noted;
pub(crate) use policy::{Policy, is_field_name};

/// Replaces the secrets in an event: in its message, fields, spans and backtrace, and
/// in names that a program makes up while it runs.
pub(crate) fn redact(event: &mut Event, policy: &Policy) {
    if policy.is_idle() {
        return;
    }
    let mut noted = Noted::default();
    replace(event, |text| clean::clean(text, policy), |field| redacted(field, policy, &mut noted));
    if !noted.is_empty() {
        let again = |field: &Field| match &field.value {
            _ if policy.is_safe(&field.name) => None,
            Value::Str(text) => noted.replaced(text).map(Value::Str),
            Value::Error(chain) => {
                let links = chain.iter().map(|link| noted.replaced(link).unwrap_or_else(|| link.clone()));
                let links: Vec<_> = links.collect();
                (links != *chain).then_some(Value::Error(links))
            }
            _ => None,
        };
        replace(event, |text| noted.replaced(text), again);
    }
}

/// Replaces the texts and the values of an event for which `by_text` and `by_value` give
/// others.
fn replace(
    event: &mut Event,
    by_text: impl Fn(&str) -> Option<String>,
    mut by_value: impl FnMut(&Field) -> Option<Value>,
) {
    let text = |text: &mut String| {
        if let Some(other) = by_text(text) {
            *text = other;
        }
    };
    // Other names stand in the program itself.
    let name = |name: &mut Text| {
        if let Text::Owned(name) = name {
            text(name);
        }
    };
    text(&mut event.message);
    name(&mut event.target);
    if let Some(backtrace) = &mut event.backtrace {
        text(backtrace);
    }
    let thread = event.thread.as_deref().and_then(&by_text);
    event.thread = thread.map(Arc::from).or_else(|| event.thread.take());
    replace_values(&mut event.fields, &mut by_value);
    for span in &mut event.spans {
        name(&mut span.name);
        name(&mut span.target);
        // Other events of the span share its fields: only what changes is copied.
        if span.fields.iter().any(|field| by_value(field).is_some()) {
            let fields: &mut Vec<_> = Arc::make_mut(&mut span.fields);
            replace_values(fields, &mut by_value);
        }
    }
}

fn replace_values(fields: &mut [Field], by_value: &mut impl FnMut(&Field) -> Option<Value>) {
    for field in fields {
        if let Some(value) = by_value(field) {
            field.value = value;
        }
    }
}

/// Replaces the secrets in a text of any other kind that is kept or shown.
pub(crate) fn redact_text(text: &mut String, policy: &Policy) {
    if let Some(clean) = clean::clean(text, policy) {
        *text = clean;
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
        let mut redacted = |field: &Field| redacted(field, policy, &mut Noted::default());
        if message.is_none() && breadcrumb.fields.iter().all(|field| redacted(field).is_none()) {
            return true;
        }
        let mut clean = breadcrumb.unshared();
        clean.message = message.unwrap_or(clean.message);
        replace_values(&mut clean.fields, &mut redacted);
        let share = breadcrumb.share.another(clean.size_bytes(), MAX_BREADCRUMB_BYTES);
        let Some(share) = share else { return false };
        *breadcrumb = Arc::new(Breadcrumb { share, ..clean });
        true
    });
}

/// What stands for the field's value; none if it holds no secret.
fn redacted(field: &Field, policy: &Policy, noted: &mut Noted) -> Option<Value> {
    let is_safe = !policy.is_on() || policy.is_safe(&field.name);
    let clean = |text: &str| {
        if is_safe { policy.without_credentials(text) } else { clean::clean(text, policy) }
    };
    let by_key = |text: &str, noted: &mut Noted| {
        if is_safe { None } else { policy.field(&field.name, text, noted).map(Value::Str) }
    };
    let mut number = |text: String| {
        let card = || (!is_safe && card::is_number(&text)).then(|| Value::Str(clean::mark(card::RULE)));
        by_key(&text, noted).or_else(card)
    };
    match &field.value {
        Value::Bool(_) | Value::F64(_) => None,
        Value::I64(value) => number(value.to_string()),
        Value::U64(value) => number(value.to_string()),
        Value::I128(value) => number(value.to_string()),
        Value::U128(value) => number(value.to_string()),
        Value::Str(text) => by_key(text, noted).or_else(|| clean(text).map(Value::Str)),
        Value::Error(chain) => {
            let mut links: Vec<String> = Vec::with_capacity(chain.len());
            for link in chain {
                let whole = clean(link).unwrap_or_else(|| link.clone());
                // One may say of what the next is the value.
                let before = links.last().map(|last| {
                    format!("{}: ", &last[last.ceil_char_boundary(last.len().saturating_sub(NEAR_BYTES))..])
                });
                let behind = before.filter(|before| clean::tells(before, policy)).and_then(|before| {
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
