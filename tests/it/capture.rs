//! What an event holds when it arrives: values with their types, spans with
//! their fields, errors with their causes, and where it happened.

use std::{error::Error, fmt};

use tracing::{Level, error, error_span, field::Empty, info_span};
use tracing_alert::notice::{Event, Field, Value};

use crate::watch::{captured, captured_one, span_names};

/// The value of the field `name`.
pub(crate) fn value<'a>(fields: &'a [Field], name: &str) -> &'a Value {
    let field = fields.iter().find(|field| field.name == name);
    &field.unwrap_or_else(|| panic!("no {name} in {fields:#?}")).value
}

fn text(text: &str) -> Value {
    Value::Str(text.to_owned())
}

/// An error with an optional cause.
#[derive(Debug)]
struct Failure(&'static str, Option<Box<Self>>);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.1.as_deref().map(|cause| cause as &(dyn Error + 'static))
    }
}

fn failure() -> Failure {
    let root = Failure("connection refused", None);
    let middle = Failure("request failed", Some(Box::new(root)));
    Failure("payment failed", Some(Box::new(middle)))
}

#[test]
fn values_keep_their_types() {
    let event = captured_one(|| {
        error!(
            signed = i64::MIN,
            small = -5_i8,
            unsigned = u64::MAX,
            wide = i128::MIN,
            wide_unsigned = u128::MAX,
            float = 0.1_f64,
            infinite = f64::NEG_INFINITY,
            nan = f64::NAN,
            flag = true,
            borrowed = "grüße",
            owned = String::from("owned"),
            shown = %format_args!("shown {}", 1),
            debugged = ?Some("debugged"),
            absent = None::<u64>,
            empty = Empty,
            "all of them"
        );
    });
    let fields = &event.fields;
    assert_eq!(event.message, "all of them");
    assert_eq!(value(fields, "signed"), &Value::I64(i64::MIN));
    assert_eq!(value(fields, "small"), &Value::I64(-5));
    assert_eq!(value(fields, "unsigned"), &Value::U64(u64::MAX));
    assert_eq!(value(fields, "wide"), &Value::I128(i128::MIN));
    assert_eq!(value(fields, "wide_unsigned"), &Value::U128(u128::MAX));
    assert_eq!(value(fields, "float"), &Value::F64(0.1));
    assert_eq!(value(fields, "infinite"), &Value::F64(f64::NEG_INFINITY));
    assert!(matches!(value(fields, "nan"), Value::F64(number) if number.is_nan()));
    assert_eq!(value(fields, "flag"), &Value::Bool(true));
    assert_eq!(value(fields, "borrowed"), &text("grüße"));
    assert_eq!(value(fields, "owned"), &text("owned"));
    assert_eq!(value(fields, "shown"), &text("shown 1"));
    assert_eq!(value(fields, "debugged"), &text("Some(\"debugged\")"));
    assert_eq!(fields.len(), 13, "{fields:#?}");
}

#[test]
fn fields_are_in_the_order_they_were_written() {
    let event = captured_one(|| error!(b = 1, a = 2, c.d = 3, "ordered"));
    let names: Vec<&str> = event.fields.iter().map(|field| field.name.as_ref()).collect();
    assert_eq!(names, ["b", "a", "c.d"]);
}

#[test]
fn a_raw_identifier_is_shown_without_its_mark() {
    let event = captured_one(|| {
        let _span = info_span!("raw", r#type = "span").entered();
        error!(r#type = "event", r#match = 1, "raw");
    });
    assert_eq!(value(&event.fields, "type"), &text("event"));
    assert_eq!(value(&event.fields, "match"), &Value::I64(1));
    assert_eq!(value(&event.spans[0].fields, "type"), &text("span"));
}

#[test]
fn an_event_with_no_message_has_its_fields() {
    let event = captured_one(|| error!(code = 7));
    assert_eq!((event.message.as_str(), event.fields.len()), ("", 1));
    assert_eq!(captured_one(|| error!("")).message, "");
}

#[test]
fn a_message_given_as_a_field_is_the_message() {
    assert_eq!(captured_one(|| error!(message = "as a field")).message, "as a field");
    assert_eq!(captured_one(|| error!("formatted {}", 17)).message, "formatted 17");
}

#[test]
fn an_error_has_its_whole_chain() {
    let event = captured_one(|| error!(error = &failure() as &dyn Error, "failed"));
    let chain = ["payment failed", "request failed", "connection refused"].map(str::to_owned);
    assert_eq!(value(&event.fields, "error"), &Value::Error(chain.to_vec()));
}

#[test]
fn an_error_recorded_in_a_span_has_its_whole_chain() {
    let event = captured_one(|| {
        let failure = failure();
        let _span = info_span!("job", error = &failure as &dyn Error).entered();
        error!("failed");
    });
    assert!(matches!(value(&event.spans[0].fields, "error"), Value::Error(chain) if chain.len() == 3));
}

#[test]
fn the_last_value_recorded_in_a_span_counts() {
    let events = captured(|| {
        let span = info_span!("request", user = Empty, step = 1, untouched = "same");
        let _entered = span.enter();
        error!("before");
        span.record("user", "ada");
        span.record("step", 2);
        error!("between");
        span.record("step", "three");
        error!("after");
    });
    let shown = |event: &Event| {
        let fields = event.spans[0].fields.iter();
        fields.map(|field| format!("{}={}", field.name, field.value)).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(shown(&events[0]), "step=1 untouched=same");
    assert_eq!(shown(&events[1]), "step=2 untouched=same user=ada");
    assert_eq!(shown(&events[2]), "step=three untouched=same user=ada");
}

#[test]
fn spans_are_root_first_with_names_targets_and_fields() {
    let event = captured_one(|| {
        let _root = info_span!(target: "app::web", "request", id = 7).entered();
        let _none = info_span!("no fields").entered();
        let _leaf = error_span!(target: "app::db", "query", table = "orders").entered();
        error!("failed");
    });
    assert_eq!(span_names(&event), ["request", "no fields", "query"]);
    let targets: Vec<&str> = event.spans.iter().map(|span| span.target.as_ref()).collect();
    assert_eq!(targets, ["app::web", module_path!(), "app::db"]);
    assert_eq!(value(&event.spans[0].fields, "id"), &Value::I64(7));
    assert!(event.spans[1].fields.is_empty());
    assert_eq!(value(&event.spans[2].fields, "table"), &text("orders"));
}

#[test]
fn an_explicit_parent_replaces_the_current_span() {
    let event = captured_one(|| {
        let root = info_span!("root");
        let parent = info_span!(parent: &root, "parent");
        let _current = info_span!("current").entered();
        error!(parent: &parent, "elsewhere");
    });
    assert_eq!(span_names(&event), ["root", "parent"]);
}

#[test]
fn an_event_with_no_parent_has_no_spans() {
    let event = captured_one(|| {
        let _current = info_span!("current").entered();
        error!(parent: None, "alone");
    });
    assert_eq!(span_names(&event), [""; 0]);
}

#[test]
fn it_says_where_it_happened() {
    let before = line!();
    let event = captured_one(|| error!(target: "app::orders", "here"));
    assert_eq!(event.target, "app::orders");
    assert_eq!(event.level, Level::ERROR);
    assert_eq!(event.file.as_deref(), Some(file!()));
    assert_eq!(event.line, Some(before + 1));
    assert_eq!(event.location(), Some(format!("{}:{}", file!(), before + 1)));
    assert_eq!(event.module_path.as_deref(), Some(module_path!()));
    assert!(event.at.elapsed().unwrap() < crate::support::PATIENCE);
    assert!(!event.panic && event.backtrace.is_none());
}

/// The thread of an event that is emitted in a thread that `builder` makes.
fn thread_of(builder: std::thread::Builder) -> Option<String> {
    let event = captured_one(|| {
        let current = tracing::dispatcher::get_default(Clone::clone);
        let emit = move || tracing::dispatcher::with_default(&current, || error!("somewhere"));
        builder.spawn(emit).unwrap().join().unwrap();
    });
    event.thread.map(|name| name.to_string())
}

#[test]
fn it_says_on_which_thread_it_happened() {
    let named = std::thread::Builder::new().name("orders-worker".to_owned());
    assert_eq!(thread_of(named).as_deref(), Some("orders-worker"));
    assert_eq!(thread_of(std::thread::Builder::new()), None);
}
