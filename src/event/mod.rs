//! [`Event`]: what was captured, owned, ready to travel to another thread, to
//! disk and back.
//!
//! Invariant: plain data. Nothing here formats, sends or reads a clock.

pub(crate) mod breadcrumb;

pub(crate) mod loss;

use std::{borrow::Cow, fmt, sync::Arc, time::SystemTime};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use tracing::Level;

use crate::event::breadcrumb::Breadcrumb;
pub(crate) use crate::host::time::{from_millis, moved, to_millis};

/// Text that is usually borrowed from a callsite's metadata.
pub(crate) type Text = Cow<'static, str>;

/// One tracing event at or above the alert level, or one panic, with the spans
/// it happened in.
///
/// Made by [`AlertLayer`](crate::AlertLayer); read by a [`Sink`](crate::Sink)
/// through [`Notice::samples`](crate::notice::Notice::samples).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Event {
    /// Wall-clock time of the call.
    #[serde(with = "millis")]
    pub at: SystemTime,
    /// The level it was emitted at; `ERROR` for a panic.
    #[serde(with = "level")]
    pub level: Level,
    /// The target: by default the module path of the call. A `log` record shows
    /// its own.
    pub target: Text,
    /// The message. A panic shows its payload.
    pub message: String,
    /// The fields except the message, in the order they were written.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<Field>,
    /// Source file of the call, as the compiler saw it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<Text>,
    /// Line in that file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// Module path of the call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub module_path: Option<Text>,
    /// Name of the thread that made the call, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<Arc<str>>,
    /// The spans it happened in, root first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub spans: Vec<SpanFrame>,
    /// What happened before it, the oldest first; see
    /// [`Builder::breadcrumbs`](crate::Builder::breadcrumbs).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub breadcrumbs: Vec<Arc<Breadcrumb>>,
    /// The backtrace, for a panic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backtrace: Option<String>,
    /// True for a panic.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub panic: bool,
}

impl Event {
    /// `file:line`, if the callsite knows it.
    pub fn location(&self) -> Option<String> {
        let file = self.file.as_deref()?;
        Some(match self.line {
            Some(line) => format!("{file}:{line}"),
            None => file.to_owned(),
        })
    }

    /// A copy that holds no share of anything: for a place that is bounded itself.
    pub(crate) fn unshared(&self) -> Self {
        let breadcrumbs = self.breadcrumbs.iter().map(|each| Arc::new(each.unshared())).collect();
        Self { breadcrumbs, ..self.clone() }
    }

    /// The same event without what is long, and would be told twice.
    pub(crate) fn bare(&self) -> Self {
        Self { breadcrumbs: Vec::new(), backtrace: None, ..self.clone() }
    }

    /// Bytes of memory it holds, roughly; what the queue's byte limit counts.
    pub(crate) fn size_bytes(&self) -> usize {
        let fields: usize = self.fields.iter().map(Field::size_bytes).sum();
        let spans: usize = self
            .spans
            .iter()
            .map(|span| size_of::<SpanFrame>() + span.fields.iter().map(Field::size_bytes).sum::<usize>())
            .sum();
        let places = [Some(&self.target), self.file.as_ref(), self.module_path.as_ref()];
        let breadcrumbs: usize = self.breadcrumbs.iter().map(|breadcrumb| breadcrumb.unshared_bytes()).sum();
        size_of::<Self>()
            + places.into_iter().flatten().map(owned_bytes).sum::<usize>()
            + self.message.len()
            + self.thread.as_ref().map_or(0, |name| name.len())
            + self.backtrace.as_ref().map_or(0, String::len)
            + fields
            + spans
            + breadcrumbs
            + size_of_val(self.breadcrumbs.as_slice())
    }
}

/// Bytes of memory that only `text` holds.
pub(crate) fn owned_bytes(text: &Text) -> usize {
    match text {
        Cow::Borrowed(_) => 0,
        Cow::Owned(text) => text.len(),
    }
}

/// One span that an [`Event`] happened in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SpanFrame {
    /// The span's name.
    pub name: Text,
    /// The span's target.
    pub target: Text,
    /// Its fields, also those recorded after it was made. Shared by all events
    /// of the span.
    #[serde(default)]
    pub fields: Arc<Vec<Field>>,
}

/// A named value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Field {
    /// The field's name, without a raw identifier's `r#`.
    pub name: Text,
    /// Its value.
    pub value: Value,
}

impl Field {
    pub(crate) fn new(name: impl Into<Text>, value: Value) -> Self {
        Self { name: name.into(), value }
    }

    pub(crate) fn size_bytes(&self) -> usize {
        size_of::<Self>() + self.value.size_bytes()
    }
}

/// A field's value with the type it was recorded with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Value {
    /// A boolean.
    Bool(bool),
    /// A signed integer.
    I64(i64),
    /// An unsigned integer.
    U64(u64),
    /// A signed 128-bit integer.
    #[serde(with = "as_text")]
    I128(i128),
    /// An unsigned 128-bit integer.
    #[serde(with = "as_text")]
    U128(u128),
    /// A floating point number; NaN and the infinities included.
    #[serde(with = "as_text")]
    F64(f64),
    /// A string, or the text that a `Display` or `Debug` value gave.
    Str(String),
    /// A `dyn Error`: its own text, then that of each `source()` in turn.
    Error(Vec<String>),
}

impl Value {
    fn size_bytes(&self) -> usize {
        match self {
            Self::Bool(_) | Self::I64(_) | Self::U64(_) | Self::I128(_) | Self::U128(_) | Self::F64(_) => 0,
            Self::Str(text) => text.len(),
            Self::Error(chain) => chain.iter().map(|link| size_of::<String>() + link.len()).sum(),
        }
    }
}

/// One line: an error chain is joined by `: `.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => value.fmt(f),
            Self::I64(value) => value.fmt(f),
            Self::U64(value) => value.fmt(f),
            Self::I128(value) => value.fmt(f),
            Self::U128(value) => value.fmt(f),
            Self::F64(value) => value.fmt(f),
            Self::Str(value) => value.fmt(f),
            Self::Error(chain) => chain.join(": ").fmt(f),
        }
    }
}

pub(crate) mod millis {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(at: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(to_millis(*at))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SystemTime, D::Error> {
        i64::deserialize(deserializer).map(from_millis)
    }
}

/// As [`millis`], of what may not have happened.
pub(crate) mod millis_or_none {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(
        at: &Option<SystemTime>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        at.map(to_millis).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<SystemTime>, D::Error> {
        Ok(Option::<i64>::deserialize(deserializer)?.map(from_millis))
    }
}

pub(crate) mod level {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(level: &Level, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(level.as_str())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Level, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

/// JSON has no NaN, and many readers no 128-bit integers: these go as text.
mod as_text {
    use super::*;

    pub(super) fn serialize<T: fmt::Display, S: Serializer>(
        value: &T,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    pub(super) fn deserialize<'de, T, D>(deserializer: D) -> Result<T, D::Error>
    where
        T: std::str::FromStr<Err: fmt::Display>,
        D: Deserializer<'de>,
    {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

/// The target of a panic's event.
pub(crate) const PANIC_TARGET: &str = "panic";

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A plain ERROR with this message.
    pub(crate) fn event(message: &str) -> Event {
        Event {
            at: from_millis(1_700_000_000_000),
            level: Level::ERROR,
            target: "app::orders".into(),
            message: message.to_owned(),
            fields: Vec::new(),
            file: Some("src/orders.rs".into()),
            line: Some(17),
            module_path: Some("app::orders".into()),
            thread: Some("main".into()),
            spans: Vec::new(),
            breadcrumbs: Vec::new(),
            backtrace: None,
            panic: false,
        }
    }

    #[test]
    fn every_value_survives_the_way_to_disk_and_back() {
        let values = [
            Value::Bool(true),
            Value::I64(i64::MIN),
            Value::U64(u64::MAX),
            Value::I128(i128::MIN),
            Value::U128(u128::MAX),
            Value::F64(0.1),
            Value::F64(f64::NEG_INFINITY),
            Value::Str("a \"quoted\" line\n".into()),
            Value::Error(vec!["top".into(), "root".into()]),
        ];
        for value in values {
            let json = serde_json::to_string(&value).unwrap();
            assert_eq!(serde_json::from_str::<Value>(&json).unwrap(), value, "{json}");
        }
        let json = serde_json::to_string(&Value::F64(f64::NAN)).unwrap();
        let back = serde_json::from_str::<Value>(&json).unwrap();
        assert!(matches!(back, Value::F64(number) if number.is_nan()), "{json}");
    }
}
