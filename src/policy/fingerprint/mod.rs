//! Which events are the same: a fingerprint of what an event says, without what
//! varies in it.
//!
//! Invariant: pure. The same program gives the same fingerprint in every process
//! and after every restart; another [`VERSION`] gives others.

use std::{fmt, hash::Hasher, sync::Arc, time::Instant};

use siphasher::sip128::{Hasher128, SipHasher24};

use crate::{
    event::{Event, Value},
    host::{thread::Role, unwind::caught},
};

mod after;

mod cause;
pub(crate) use cause::{cause, root_cause};

mod learned;
pub(crate) use learned::{Learned, Said};

mod lines;
mod lists;

mod mask;
use mask::mask;

mod number;
mod shape;

mod spread;
use spread::Spread;
pub(crate) use spread::{CallsiteSummary, Fate};

mod url;
mod vocabulary;
mod words;

#[cfg(test)]
mod tests;

/// Same fingerprint, same incident.
pub(crate) type Fingerprint = [u8; 16];

/// Under which fingerprints an event can be counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Keys {
    /// That of what it says.
    pub(crate) own: Fingerprint,
    /// That of its callsite, for one that says too many different things.
    pub(crate) callsite: Fingerprint,
    /// The application set the fingerprint, so it is never replaced by the callsite's.
    pub(crate) is_said: bool,
    /// What its callsite is learned from: nothing, if the application set it or if a
    /// program panicked.
    pub(crate) said: Option<Arc<Said>>,
}

/// Where an event belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// What it is counted under.
    pub(crate) fingerprint: Fingerprint,
    /// Its callsite.
    pub(crate) callsite: Fingerprint,
    /// The application set the fingerprint.
    pub(crate) is_said: bool,
    /// What its callsite is learned from, if the fingerprint is that of what it says.
    pub(crate) said: Option<Arc<Said>>,
}

/// Gives the events of an application their fingerprints, and remembers which
/// callsites say too many different things.
#[derive(Debug)]
pub(crate) struct Grouping {
    app: String,
    custom: Option<Custom>,
    spread: Spread,
}

impl Grouping {
    pub(crate) fn new(app: String, custom: Option<Custom>) -> Self {
        Self { app, custom, spread: Spread::default() }
    }

    /// What is known of events that were only counted, of the callsite that made
    /// `event`.
    pub(crate) fn of_counted(&mut self, event: &Event, now: Instant) -> CallsiteSummary<'_> {
        self.spread.of_counted(callsite(event, &self.app), now)
    }

    /// Where `event` belongs.
    pub(crate) fn place(&mut self, event: &Event, now: Instant) -> Place {
        let keys = keys(event, &self.app, self.custom.as_ref());
        let fingerprint = self.spread.key_for(&keys, &event.message, now);
        let said = keys.said.filter(|_| fingerprint == keys.own);
        Place { fingerprint, callsite: keys.callsite, is_said: keys.is_said, said }
    }

    /// Notes what became of an event: those of its callsite that are only counted
    /// share it.
    pub(crate) fn note(&mut self, place: &Place, fate: Fate, now: Instant) {
        self.spread.note(place.callsite, fate, now);
    }

    /// What became of events says nothing of those to come.
    pub(crate) fn forget_fates(&mut self) {
        self.spread.forget_fates();
    }
}

/// The fingerprints of `event` in the application `app`. What the event's own
/// field `alert.fingerprint` says counts more than what `custom` says, and that
/// more than the message.
pub(crate) fn keys(event: &Event, app: &str, custom: Option<&Custom>) -> Keys {
    let own_field =
        event.fields.iter().find(|field| field.name == OVERRIDE).map(|field| field.value.to_string());
    let says = own_field.or_else(|| custom.and_then(|custom| custom.call(event)));
    let mut causes: Vec<_> = cause::all(event).map(mask).collect();
    let message = mask(text(event));
    // An event that only has an error says it once.
    if event.message.trim().is_empty() && causes.first() == Some(&message) {
        causes.remove(0);
    }
    let causes: Vec<&str> = causes.iter().map(|cause| &**cause).collect();
    let said: Vec<_> = [message.into_owned()].into_iter().chain(telling(event)).collect();
    let said = said.join("\n");
    let default = || key(event, app, "event", &[&[said.as_str()], causes.as_slice()].concat());
    let callsite = callsite(event, app);
    let is_learned = says.is_none() && !event.panic;
    let is_said = says.is_some();
    let own = match says {
        None => default(),
        Some(says) if says.contains(DEFAULT) => {
            let default = hex(default());
            key(event, app, "override", &[&says.replace(DEFAULT, &default)])
        }
        Some(says) => key(event, app, "override", &[&says]),
    };
    let said = is_learned.then(|| Said::new(callsite, own, &said, &causes)).flatten().map(Arc::new);
    Keys { own, callsite, is_said, said }
}

/// The fingerprint of the callsite that made `event`.
pub(crate) fn callsite(event: &Event, app: &str) -> Fingerprint {
    key(event, app, "callsite", &[&event.line.unwrap_or_default().to_string()])
}

fn hex(fingerprint: Fingerprint) -> String {
    format!("{:032x}", u128::from_be_bytes(fingerprint))
}

/// How a fingerprint is written.
mod form {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use super::{Fingerprint, hex};

    pub(super) fn serialize<S: Serializer>(fingerprint: &Fingerprint, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&hex(*fingerprint))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Fingerprint, D::Error> {
        let digits = String::deserialize(from)?;
        u128::from_str_radix(&digits, 16).map(u128::to_be_bytes).map_err(D::Error::custom)
    }
}

/// A short name for the events that are the same as `event` by what they say: the same
/// in every application, process and mail.
pub(crate) fn code(event: &Event) -> String {
    let own = u128::from_be_bytes(keys(event, "", None).own);
    format!("{own:032x}").split_off(32 - CODE_CHARS)
}

/// Whether `text` can be a [`code`].
pub(crate) fn is_code(text: &str) -> bool {
    text.len() == CODE_CHARS && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// In 64 bits, no two kinds of event meet.
const CODE_CHARS: usize = 16;

fn key(event: &Event, app: &str, kind: &str, rest: &[&str]) -> Fingerprint {
    let file = event.file.as_deref().unwrap_or_default();
    let panic = if event.panic { "panic" } else { "" };
    let mut parts = vec![app, kind, &event.target, file, event.level.as_str(), panic];
    parts.extend(rest);
    hash(&parts)
}

/// A hash whose value is part of what is stored: not the standard library's, of
/// which only the next release knows what it gives.
fn hash(parts: &[&str]) -> Fingerprint {
    let mut hasher = SipHasher24::new();
    hasher.write(&[VERSION]);
    for part in parts {
        hasher.write(&(part.len() as u64).to_le_bytes());
        hasher.write(part.as_bytes());
    }
    hasher.finish128().as_u128().to_be_bytes()
}

/// The message. Of an event that only has fields, the error that is its cause, or else
/// the first text.
fn text(event: &Event) -> &str {
    let first = || {
        event.fields.iter().find_map(|field| match &field.value {
            Value::Str(text) => Some(text.as_str()),
            Value::Error(chain) => chain.first().map(String::as_str),
            _ => None,
        })
    };
    if !event.message.trim().is_empty() {
        return &event.message;
    }
    cause::outermost(event).or_else(first).unwrap_or_default()
}

/// What the fields of `event` say of a problem, beside its causes: a status, a method, the
/// name of a job; also within a body of JSON. Other fields are values.
fn telling(event: &Event) -> impl Iterator<Item = String> + '_ {
    let said = |name: &str, value: String| {
        let is_short = value.len() <= MAX_TELLING && !value.trim().is_empty() && !value.contains('\n');
        (is_short && vocabulary::tells(name)).then(|| mask(&format!("{name}={value}")).into_owned())
    };
    event.fields.iter().flat_map(move |field| match &field.value {
        Value::Str(text) if text.starts_with('{') => {
            let body: serde_json::Map<_, _> = serde_json::from_str(text).unwrap_or_default();
            body.into_iter().filter_map(|(name, value)| said(&name, plain(&value)?)).collect()
        }
        value => Vec::from_iter(said(&field.name, value.to_string())),
    })
}

fn plain(value: &serde_json::Value) -> Option<String> {
    value.as_str().map(str::to_owned).or_else(|| value.as_i64().map(|number| number.to_string()))
}

/// What is longer is no name and no code.
const MAX_TELLING: usize = 64;

/// The application's own idea of what an event is the same as.
#[derive(Clone)]
pub(crate) struct Custom(Arc<Says>);

type Says = dyn Fn(&Event) -> Option<String> + Send + Sync;

impl Custom {
    pub(crate) fn new(function: impl Fn(&Event) -> Option<String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(function))
    }

    /// None if it panics.
    fn call(&self, event: &Event) -> Option<String> {
        caught(|| Role::Guest.play(|| (self.0)(event))).flatten()
    }
}

impl fmt::Debug for Custom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Custom(..)")
    }
}

/// The field of an event that says what it is the same as.
pub(crate) const OVERRIDE: &str = "alert.fingerprint";

/// Stands, in such a text, for the fingerprint that the event would have.
const DEFAULT: &str = "{{default}}";

/// Part of every fingerprint: to be changed whenever the same event would get
/// another one.
const VERSION: u8 = 3;
