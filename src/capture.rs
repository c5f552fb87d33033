//! `tracing` values become an owned [`Event`]: field visitor, error chains, caps.
//!
//! Runs on the caller's thread. Pure: time and thread are arguments.
//! Invariant: bounded work and memory whatever an event holds; a `Debug` or
//! `Display` impl that panics costs its own value and nothing else.

use std::{
    error::Error,
    fmt::{self, Write},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::SystemTime,
};

use tracing::{Metadata, field::Visit};
use tracing_log::NormalizeEvent;

use crate::{
    breadcrumb::Breadcrumb,
    event::{Event, Field, SpanFrame, Text, Value},
    permit::Permit,
};

/// What belongs to the call, not to the event.
pub(crate) struct Call {
    pub(crate) at: SystemTime,
    pub(crate) thread: Option<Arc<str>>,
    /// Root first.
    pub(crate) spans: Vec<SpanFrame>,
    /// The oldest first.
    pub(crate) breadcrumbs: Vec<Arc<Breadcrumb>>,
}

/// Makes the owned event; a `log` record shows its own target and line.
pub(crate) fn event(event: &tracing::Event<'_>, call: Call) -> Event {
    let mut visitor = Visitor::new(event.metadata(), Limits::EVENT);
    event.record(&mut visitor);
    let mut captured = from_metadata(event.metadata(), visitor.message, visitor.fields, call);
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
    let mut visitor = Visitor::new(event.metadata(), Limits::BREADCRUMB);
    event.record(&mut visitor);
    let mut target = Text::from(event.metadata().target());
    if let Some(log) = event.normalized_metadata() {
        target = short(log.target()).into();
        visitor.fields.retain(is_of_the_program);
    }
    Breadcrumb {
        at,
        level: *event.metadata().level(),
        target,
        message: visitor.message,
        fields: visitor.fields,
        share: Permit::default(),
    }
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
        spans: call.spans,
        breadcrumbs: call.breadcrumbs,
        backtrace: None,
        panic: false,
    }
}

/// The fields that a span is made with, or that are recorded later.
pub(crate) fn fields(metadata: &Metadata<'_>, record: impl FnOnce(&mut dyn Visit)) -> Vec<Field> {
    let mut visitor = Visitor::new(metadata, Limits::SPAN);
    record(&mut visitor);
    visitor.fields
}

/// `text`, cut to at most `limit` bytes on a character boundary, and marked.
pub(crate) fn cut(text: &str, limit: usize) -> String {
    let mut capped = Capped::new(limit);
    capped.push(text);
    capped.finish()
}

/// A name that the program makes up while it runs, cut as [`cut`] does.
pub(crate) fn short(name: &str) -> String {
    cut(name, MOST_NAME_BYTES)
}

/// Adds `newer` to a span's fields; the last value of a name wins, if it fits.
pub(crate) fn merge(known: &mut Vec<Field>, newer: Vec<Field>) {
    for mut field in newer {
        let others = known.iter().filter(|each| each.name != field.name).map(text_bytes).sum();
        if text_bytes(&field) > MOST_EVENT_BYTES.saturating_sub(others) {
            field.value = Value::Str(MARK.to_owned());
        }
        match known.iter_mut().find(|each| each.name == field.name) {
            Some(old) => *old = field,
            None => known.push(field),
        }
    }
}

/// What is left for the texts of all spans of an event.
pub(crate) struct Room {
    bytes_left: usize,
}

impl Room {
    pub(crate) fn new() -> Self {
        Self { bytes_left: MOST_EVENT_BYTES }
    }

    /// A span's fields, without the texts that there is no room for.
    pub(crate) fn fit(&mut self, mut fields: Arc<Vec<Field>>) -> Arc<Vec<Field>> {
        if let Some(left) = self.bytes_left.checked_sub(fields.iter().map(text_bytes).sum()) {
            self.bytes_left = left;
            return fields;
        }
        for field in Arc::make_mut(&mut fields) {
            match self.bytes_left.checked_sub(text_bytes(field)) {
                Some(left) => self.bytes_left = left,
                None => field.value = Value::Str(MARK.to_owned()),
            }
        }
        fields
    }
}

fn text_bytes(field: &Field) -> usize {
    match &field.value {
        Value::Bool(_) | Value::I64(_) | Value::U64(_) | Value::I128(_) | Value::U128(_) | Value::F64(_) => 0,
        Value::Str(text) => text.len(),
        Value::Error(chain) => chain.iter().map(String::len).sum(),
    }
}

/// How much of something is captured.
#[derive(Clone, Copy)]
struct Limits {
    /// Whether `message` is a field of its own kind, as it is in events.
    takes_message: bool,
    fields: usize,
    /// Of all texts together.
    bytes: usize,
}

impl Limits {
    const EVENT: Self = Self { takes_message: true, fields: 64, bytes: MOST_EVENT_BYTES };
    const SPAN: Self = Self { takes_message: false, ..Self::EVENT };
    const BREADCRUMB: Self = Self { takes_message: true, fields: 16, bytes: 512 };
}

/// Collects fields up to the limits.
struct Visitor {
    limits: Limits,
    message: String,
    fields: Vec<Field>,
    bytes_left: usize,
}

impl Visitor {
    fn new(metadata: &Metadata<'_>, limits: Limits) -> Self {
        Self {
            limits,
            message: String::new(),
            fields: Vec::with_capacity(metadata.fields().len().min(limits.fields)),
            bytes_left: limits.bytes,
        }
    }

    fn push(&mut self, field: &tracing::field::Field, value: Value) {
        if self.fields.len() < self.limits.fields {
            let name = field.name();
            self.fields.push(Field::new(name.strip_prefix("r#").unwrap_or(name), value));
        }
    }

    /// Keeps a text as the message or as a field.
    fn push_text(&mut self, field: &tracing::field::Field, write: impl FnOnce(&mut Capped) -> fmt::Result) {
        let text = self.bounded(write);
        if self.limits.takes_message && field.name() == "message" {
            self.message = text;
        } else {
            self.push(field, Value::Str(text));
        }
    }

    /// What `write` writes, up to the cap of one value and what is left for all.
    fn bounded(&mut self, write: impl FnOnce(&mut Capped) -> fmt::Result) -> String {
        let mut capped = Capped::new(MOST_VALUE_BYTES.min(self.bytes_left));
        // An `Err` is the cap's, or that of an impl which then said all it can.
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| write(&mut capped))) {
            // Its drop could panic again.
            std::mem::forget(payload);
            capped.panicked();
        }
        let text = capped.finish();
        self.bytes_left = self.bytes_left.saturating_sub(text.len());
        text
    }
}

impl Visit for Visitor {
    fn record_f64(&mut self, field: &tracing::field::Field, value: f64) {
        self.push(field, Value::F64(value));
    }

    fn record_i64(&mut self, field: &tracing::field::Field, value: i64) {
        self.push(field, Value::I64(value));
    }

    fn record_u64(&mut self, field: &tracing::field::Field, value: u64) {
        self.push(field, Value::U64(value));
    }

    fn record_i128(&mut self, field: &tracing::field::Field, value: i128) {
        self.push(field, Value::I128(value));
    }

    fn record_u128(&mut self, field: &tracing::field::Field, value: u128) {
        self.push(field, Value::U128(value));
    }

    fn record_bool(&mut self, field: &tracing::field::Field, value: bool) {
        self.push(field, Value::Bool(value));
    }

    fn record_str(&mut self, field: &tracing::field::Field, value: &str) {
        self.push_text(field, |capped| capped.write_str(value));
    }

    fn record_error(&mut self, field: &tracing::field::Field, value: &(dyn Error + 'static)) {
        let mut chain = Vec::new();
        let mut next = Some(value);
        while let Some(link) = next.filter(|_| chain.len() < MOST_CHAIN_LINKS) {
            chain.push(self.bounded(|capped| write!(capped, "{link}")));
            next = catch_unwind(AssertUnwindSafe(|| link.source())).unwrap_or_else(|payload| {
                std::mem::forget(payload);
                None
            });
        }
        if next.is_some() {
            chain.push(MARK.to_owned());
        }
        self.push(field, Value::Error(chain));
    }

    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn fmt::Debug) {
        self.push_text(field, |capped| write!(capped, "{value:?}"));
    }
}

/// Text that stops growing at a limit; further writes fail, which ends the
/// formatting of a value that would go on for ever.
struct Capped {
    text: String,
    limit: usize,
    was_cut: bool,
}

impl Capped {
    fn new(limit: usize) -> Self {
        Self { text: String::new(), limit, was_cut: false }
    }

    fn push(&mut self, more: &str) {
        let room = self.limit.saturating_sub(self.text.len());
        if more.len() <= room && !self.was_cut {
            self.text.push_str(more);
        } else if !self.was_cut {
            self.text.push_str(more.get(..more.floor_char_boundary(room)).unwrap_or_default());
            self.was_cut = true;
        }
    }

    fn panicked(&mut self) {
        self.text.push_str("[panicked while being formatted]");
    }

    fn finish(mut self) -> String {
        if self.was_cut {
            self.text.push_str(MARK);
        }
        self.text
    }
}

impl Write for Capped {
    fn write_str(&mut self, more: &str) -> fmt::Result {
        self.push(more);
        if self.was_cut { Err(fmt::Error) } else { Ok(()) }
    }
}

/// Ends a text or a chain that was cut.
pub(crate) const MARK: &str = "…[cut]";

/// The longest text of one value, in bytes.
const MOST_VALUE_BYTES: usize = 8 * 1024;

/// The longest text of all values of an event, of a span, or of all spans of an
/// event together, in bytes.
const MOST_EVENT_BYTES: usize = 32 * 1024;

/// The longest name of a thread, or target of a `log` record, in bytes.
const MOST_NAME_BYTES: usize = 1024;

const MOST_CHAIN_LINKS: usize = 16;

/// How many spans are kept, the innermost first.
pub(crate) const MOST_SPANS: usize = 32;

/// The fields that carry a `log` record's own metadata.
const LOG_FIELDS: [&str; 4] = ["log.target", "log.module_path", "log.file", "log.line"];
