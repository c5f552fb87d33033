//! A call becomes an owned [`Event`], or a [`Breadcrumb`].
//!
//! Runs on the caller's thread. Pure: time and thread are arguments.
//! Invariant: bounded work and memory whatever an event holds.

pub(crate) mod directives;

pub(crate) mod gate;

pub(crate) mod rebuild;

pub(crate) mod visit;

pub(crate) mod interrupt;

pub(crate) mod packed;

pub(crate) mod spans;

pub(crate) mod trail;

use std::{mem, sync::Arc, time::SystemTime};

use tracing::{Metadata, field::Visit};
use tracing_log::NormalizeEvent;

use crate::{
    capture::{
        packed::Packed,
        spans::Frames,
        visit::{Fields, Limits, Visitor},
    },
    event::{Event, Field, Text, Value, breadcrumb::Breadcrumb},
    host::{
        permit::Permit,
        text::{cut, short},
    },
};

/// What belongs to the call, not to the event.
pub(crate) struct Call {
    pub(crate) at: SystemTime,
    pub(crate) thread: Option<Arc<str>>,
    /// The oldest first.
    pub(crate) breadcrumbs: Vec<Arc<Breadcrumb>>,
}

/// An event as it is handed over: its spans are as they were kept.
#[derive(Debug)]
pub(crate) struct Sealed {
    event: Event,
    spans: Frames,
    /// Which spans these are, once they are opened.
    ids: Vec<u64>,
}

impl Sealed {
    pub(crate) fn new(event: Event, spans: Frames) -> Self {
        Self { event, spans, ids: Vec::new() }
    }

    /// Bytes of memory that the event will hold, roughly.
    pub(crate) fn size_bytes(&self) -> usize {
        self.event.size_bytes() + self.spans.size_bytes()
    }

    /// The event with its spans.
    pub(crate) fn open(&mut self) -> &mut Event {
        if self.event.spans.is_empty() {
            self.ids = self.spans.ids();
            self.event.spans = mem::take(&mut self.spans).open();
        }
        &mut self.event
    }

    /// As [`open`](Self::open).
    pub(crate) fn into_event(self) -> Event {
        self.into_parts().0
    }

    /// The event with its spans, and their ids, root first.
    pub(crate) fn into_parts(mut self) -> (Event, Vec<u64>) {
        self.open();
        (self.event, self.ids)
    }
}

/// One that happened outside of spans.
impl From<Event> for Sealed {
    fn from(event: Event) -> Self {
        Self::new(event, Frames::default())
    }
}

/// Makes the owned event; a `log` record shows its own target and line.
pub(crate) fn event(event: &tracing::Event<'_>, call: Call) -> Event {
    let Fields { message, fields } = visited(event, Limits::FULL);
    let mut captured = from_metadata(event.metadata(), message, fields, call);
    if let Some(log) = event.normalized_metadata() {
        captured.target = short(log.target()).into();
        captured.file = log.file().map(|file| short(file).into());
        captured.line = log.line();
        captured.module_path = log.module_path().map(|path| short(path).into());
        captured.fields.retain(is_of_the_program);
    }
    captured
}

/// Makes what is told of an event before another one.
pub(crate) fn breadcrumb(event: &tracing::Event<'_>, at: SystemTime) -> Breadcrumb {
    let Fields { message, mut fields } = visited(event, Limits::BREADCRUMB);
    let mut target = Text::from(event.metadata().target());
    if let Some(log) = event.normalized_metadata() {
        target = short(log.target()).into();
        fields.retain(is_of_the_program);
    }
    Breadcrumb { at, level: *event.metadata().level(), target, message, fields, share: Permit::default() }
}

fn visited(event: &tracing::Event<'_>, limits: Limits) -> Fields {
    let mut visitor = Visitor::new(Fields::of(event.metadata(), limits), limits);
    event.record(&mut visitor);
    visitor.kept
}

/// The same of what was captured already, without the fields that are too long.
pub(crate) fn breadcrumb_of(event: &Event) -> Breadcrumb {
    let message = cut(&event.message, Limits::BREADCRUMB.bytes);
    let mut left = Limits::BREADCRUMB.bytes.saturating_sub(message.len());
    let fits = |field: &&Field| {
        let rest = left.checked_sub(text_bytes(field));
        left = rest.unwrap_or(left);
        rest.is_some()
    };
    Breadcrumb {
        at: event.at,
        level: event.level,
        target: event.target.clone(),
        fields: event.fields.iter().filter(fits).take(Limits::BREADCRUMB.fields).cloned().collect(),
        message,
        share: Permit::default(),
    }
}

/// Not one that carries a `log` record's own metadata.
fn is_of_the_program(field: &Field) -> bool {
    !LOG_FIELDS.contains(&field.name.as_ref())
}

/// An event of a callsite.
pub(crate) fn from_metadata(
    metadata: &'static Metadata<'static>,
    message: String,
    fields: Vec<Field>,
    call: Call,
) -> Event {
    Event {
        at: call.at,
        level: *metadata.level(),
        target: metadata.target().into(),
        message,
        fields,
        file: metadata.file().map(Text::from),
        line: metadata.line(),
        module_path: metadata.module_path().map(Text::from),
        thread: call.thread,
        spans: Vec::new(),
        breadcrumbs: call.breadcrumbs,
        backtrace: None,
        panic: false,
    }
}

/// The fields that a span is made with, or that are recorded later.
pub(crate) fn fields(into: &mut Packed, record: impl FnOnce(&mut dyn Visit)) {
    record(&mut Visitor::new(into, Limits::FULL));
}

fn text_bytes(field: &Field) -> usize {
    match &field.value {
        Value::Bool(_) | Value::I64(_) | Value::U64(_) | Value::I128(_) | Value::U128(_) | Value::F64(_) => 0,
        Value::Str(text) => text.len(),
        Value::Error(chain) => chain.iter().map(String::len).sum(),
    }
}

/// How many spans an event tells of, the innermost first.
pub(crate) const MAX_SPANS: usize = 32;

/// How many spans are looked at for that.
pub(crate) const MAX_LOOKS: usize = 256;

/// The fields that carry a `log` record's own metadata.
const LOG_FIELDS: [&str; 4] = ["log.target", "log.module_path", "log.file", "log.line"];
