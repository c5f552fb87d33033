//! Whatever an event holds, capturing it is bounded and harmless: huge values,
//! endless ones, and impls that panic or log.

use std::{error::Error, fmt, iter::repeat_n};

use tracing::{error, field, info_span, span::EnteredSpan};
use tracing_alert::notice::{Event, Field, Value};

use crate::{
    capture::value,
    support::Harness,
    watch::{captured, captured_one, span_names},
};

/// How every text that was cut ends.
const CUT: &str = "…[cut]";

/// No text is longer than this.
const MAX_TEXT: usize = 10_000;

/// No event holds more text than this.
const MAX_EVENT: usize = 100_000;

fn text_bytes(fields: &[Field]) -> usize {
    let bytes = |field: &Field| match &field.value {
        Value::Str(text) => text.len(),
        Value::Error(chain) => chain.iter().map(String::len).sum(),
        _ => 0,
    };
    fields.iter().map(bytes).sum()
}

fn assert_bounded(event: &Event) {
    let spans: usize = event.spans.iter().map(|span| text_bytes(&span.fields)).sum();
    let bytes = event.message.len() + text_bytes(&event.fields) + spans;
    assert!(bytes < MAX_EVENT, "{bytes} bytes in {} spans", event.spans.len());
}

fn assert_cut(text: &str) {
    assert!(text.ends_with(CUT) && text.len() < MAX_TEXT, "{} bytes", text.len());
}

#[test]
fn a_huge_message_is_cut_on_a_character_boundary_and_marked() {
    // One byte, then characters of four: every cut falls inside of one.
    for start in ["", "x", "xx", "xxx"] {
        let message = format!("{start}{}", "🦀".repeat(250_000));
        let event = captured_one(|| error!("{message}"));
        assert_cut(&event.message);
        let kept = event.message.strip_suffix(CUT).unwrap();
        assert!(message.starts_with(kept) && kept.len() > 8000, "{}", kept.len());
    }
}

#[test]
fn a_huge_value_is_cut_and_the_others_are_whole() {
    let event = captured_one(|| {
        let list: Vec<usize> = (0..10_000).collect();
        error!(list = ?list, text = "x".repeat(1_000_000), pretty = ?Some(&list), after = "whole", "big");
    });
    for name in ["list", "text", "pretty"] {
        let Value::Str(text) = value(&event.fields, name) else { panic!("{name} is no text") };
        assert_cut(text);
    }
    assert_eq!(value(&event.fields, "after"), &Value::Str("whole".to_owned()));
    assert_eq!(event.message, "big");
    assert_bounded(&event);
}

/// Would write for ever, but stops when it is told that nothing more fits.
struct Endless;

impl fmt::Display for Endless {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        repeat_n("again and again ", usize::MAX).try_for_each(|text| f.write_str(text))
    }
}

#[test]
fn an_endless_value_ends() {
    let event = captured_one(|| error!(value = %Endless, "{}", Endless));
    assert_cut(&event.message);
    assert_bounded(&event);
}

/// Its own cause.
#[derive(Debug)]
struct Cycle(String);

impl fmt::Display for Cycle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for Cycle {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(self)
    }
}

#[test]
fn an_error_chain_without_an_end_is_cut_and_marked() {
    for text in ["round", &"long ".repeat(100_000)] {
        let cycle = Cycle(text.to_owned());
        let event = captured_one(|| error!(error = &cycle as &dyn Error, "failed"));
        let Value::Error(chain) = value(&event.fields, "error") else { panic!("{event:#?}") };
        assert!((2..50).contains(&chain.len()), "{} links", chain.len());
        assert!(text.starts_with(chain[0].strip_suffix(CUT).unwrap_or(&chain[0])));
        assert_eq!(chain.last().map(String::as_str), Some(CUT));
        assert_bounded(&event);
    }
}

#[test]
fn an_event_as_a_whole_is_bounded_with_all_its_spans() {
    let big = "x".repeat(100_000);
    let event = captured_one(|| {
        let _entered: Vec<EnteredSpan> = (0..100)
            .map(|_| {
                let span = info_span!(
                    "deep",
                    number = 1,
                    a = big,
                    b = field::Empty,
                    c = field::Empty,
                    d = field::Empty,
                    e = field::Empty,
                    f = field::Empty
                );
                for name in ["b", "c", "d", "e", "f"] {
                    span.record(name, big.as_str());
                }
                span.entered()
            })
            .collect();
        let _innermost = info_span!("innermost", id = 7, user = "ada").entered();
        error!(a = big, b = big, c = big, d = big, e = big, f = big, "everything");
    });
    assert_bounded(&event);
    assert_eq!(event.message, "everything");
    let innermost = event.spans.last().unwrap();
    assert_eq!(innermost.name, "innermost");
    assert_eq!(value(&innermost.fields, "user"), &Value::Str("ada".to_owned()));
    // Numbers cost nothing, so they are there in spans whose texts are not.
    assert_eq!(value(&event.spans[0].fields, "number"), &Value::I64(1));
}

#[test]
fn one_span_that_is_recorded_again_and_again_is_bounded() {
    let event = captured_one(|| {
        let span = info_span!("span", a = field::Empty, b = field::Empty, c = field::Empty, d = 4);
        for round in 0..100 {
            for name in ["a", "b", "c"] {
                span.record(name, format!("{round} {}", "x".repeat(50_000)).as_str());
            }
        }
        span.record("a", "short");
        span.in_scope(|| error!("failed"));
    });
    assert_bounded(&event);
    let fields = &event.spans[0].fields;
    assert_eq!(value(fields, "a"), &Value::Str("short".to_owned()));
    assert!(value(fields, "b").to_string().starts_with("99 x"));
    assert_eq!(value(fields, "d"), &Value::I64(4));
}

/// Panics when it is shown, with a payload that panics when it is dropped.
struct Panics;

impl fmt::Debug for Panics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                panic!("the payload's drop panicked too");
            }
        }
        f.write_str("half of ")?;
        std::panic::panic_any(Bomb)
    }
}

impl fmt::Display for Panics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl Error for Panics {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        panic!("no source either")
    }
}

#[test]
fn an_impl_that_panics_costs_its_own_value_and_nothing_else() {
    let events = captured(|| {
        let span = info_span!("job", id = 7, bad = ?Panics, late = field::Empty);
        span.record("late", field::debug(Panics));
        let _entered = span.enter();
        error!(before = 1, bad = ?Panics, worse = &Panics as &dyn Error, after = 2, "still here");
        error!("message of {}", Panics);
        error!("next");
    });
    let messages: Vec<&str> = events.iter().map(|event| event.message.as_str()).collect();
    let half = "half of [panicked while being formatted]";
    assert_eq!(messages, ["still here", &format!("message of {half}"), "next"]);
    let fields = &events[0].fields;
    assert_eq!(value(fields, "before"), &Value::I64(1));
    assert_eq!(value(fields, "bad"), &Value::Str(half.to_owned()));
    assert_eq!(value(fields, "worse"), &Value::Error(vec![half.to_owned()]));
    assert_eq!(value(fields, "after"), &Value::I64(2));
    assert_eq!(span_names(&events[0]), ["job"]);
    let fields = &events[0].spans[0].fields;
    assert_eq!(value(fields, "id"), &Value::I64(7));
    assert_eq!(value(fields, "late"), &Value::Str(half.to_owned()));
}

#[test]
fn an_impl_that_logs_is_not_captured_but_counted_and_told() {
    let output = Harness::new().child("layering-nested").output().unwrap();
    assert!(output.status.success(), "{output:#?}");
}
