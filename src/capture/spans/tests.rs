//! What is kept of spans, by made-up ids and a real callsite's fields.

use proptest::prelude::*;
use tracing::{Callsite, Level, callsite, callsite::DefaultCallsite, metadata::Kind};

use super::*;
use crate::{capture::visit::Keep, host::bucket::WAYS};

const NAMES: [&str; 4] = ["order", "path", "r#type", "error"];

fn metadata() -> &'static Metadata<'static> {
    static CALLSITE: DefaultCallsite = DefaultCallsite::new(&METADATA);
    static METADATA: Metadata<'static> = Metadata::new(
        "request",
        "app",
        Level::INFO,
        None,
        None,
        None,
        tracing::field::FieldSet::new(&NAMES, callsite::Identifier(&CALLSITE)),
        Kind::SPAN,
    );
    CALLSITE.metadata()
}

fn id(number: u64) -> Id {
    Id::from_u64(number)
}

/// `values` by the index of their field.
fn packed(values: &[(usize, Value)]) -> Packed {
    let mut packed = Packed::default();
    for (index, value) in values {
        let field = metadata().fields().iter().nth(*index).unwrap();
        match value {
            Value::Str(text) => drop((&mut packed).text(&field, usize::MAX, text.as_str())),
            other => (&mut packed).value(&field, other.clone()),
        }
    }
    packed
}

fn text(text: impl Into<String>) -> Value {
    Value::Str(text.into())
}

/// What an event tells of the spans `ids`, the innermost first.
fn told(spans: &Spans, ids: &[u64]) -> Vec<Vec<(String, Value)>> {
    let mut frames = Frames::default();
    ids.iter().for_each(|number| frames.add(metadata(), &id(*number), spans));
    let opened = frames.open().into_iter().rev();
    let plain = |field: &Field| (field.name.to_string(), field.value.clone());
    opened.map(|frame| frame.fields.iter().map(plain).collect()).collect()
}

fn named(name: &str, value: Value) -> (String, Value) {
    (name.to_owned(), value)
}

fn missing() -> Vec<(String, Value)> {
    vec![named("fields", text(MARK))]
}

#[test]
fn what_is_kept_is_told_until_the_span_is_closed() {
    let spans = Spans::new();
    spans.keep(&id(7), metadata(), &packed(&[(0, Value::U64(17)), (1, text("/orders"))]));
    spans.keep(
        &id(8),
        metadata(),
        &packed(&[(2, text("inner")), (3, Value::Error(vec!["top".into(), "root".into()]))]),
    );
    let outer = vec![named("order", Value::U64(17)), named("path", text("/orders"))];
    let inner = vec![
        named("type", text("inner")),
        named("error", Value::Error(vec!["top".to_owned(), "root".to_owned()])),
    ];
    assert_eq!(told(&spans, &[8, 7]), [inner, outer.clone()]);
    spans.close(&id(8));
    assert_eq!(told(&spans, &[8, 7]), [missing(), outer]);
}

#[test]
fn the_last_value_of_a_field_counts_and_a_span_stays_short() {
    let spans = Spans::new();
    spans.keep(&id(1), metadata(), &packed(&[(0, Value::I64(-1))]));
    for length in [1, 200, 20_000, 3] {
        for number in 0..1_000 {
            spans.record(&id(1), &packed(&[(1, text("x".repeat(length))), (0, Value::I64(number))]));
        }
        let expected = vec![named("order", Value::I64(999)), named("path", text("x".repeat(length)))];
        assert_eq!(told(&spans, &[1]), [expected]);
    }
    spans.record(&id(1), &packed(&[(2, text("y".repeat(30_000)))]));
    spans.record(&id(1), &packed(&[(1, text("z".repeat(30_000))), (0, Value::I64(5))]));
    let fields = told(&spans, &[1]).remove(0);
    assert_eq!(fields[..2], [named("order", Value::I64(5)), named("path", text(MARK))]);
    assert!(fields[2] == named("type", text("y".repeat(30_000))) && fields.len() == 3);
    spans.close(&id(1));
    assert_eq!(spans.long_bytes.load(Ordering::Relaxed), 0);
}

#[test]
fn what_is_recorded_of_a_span_that_is_not_kept_is_not_kept() {
    let spans = Spans::new();
    spans.record(&id(1), &packed(&[(0, Value::Bool(true))]));
    assert_eq!(told(&spans, &[1]), [missing()]);
}

#[test]
fn spans_that_are_never_closed_are_bounded_and_new_ones_are_marked() {
    let spans = Spans::new();
    let buckets: usize = LEVEL_BUCKETS.iter().sum();
    assert!(buckets * size_of::<Bucket<Kept>>() + MAX_LONG_BYTES < 11 * 1024 * 1024);
    let most = buckets * WAYS;
    assert_eq!(most, 41_984);
    let all = (most + most / 8) as u64;
    (1..=all).for_each(|number| spans.keep(&id(number), metadata(), &packed(&[(0, Value::U64(number))])));
    let is_kept = |number: &u64| told(&spans, &[*number]) == [[named("order", Value::U64(*number))]];
    let kept = (1..=all).filter(is_kept).count();
    assert!(kept <= most && kept > most / 2, "{kept} of {most}");
    assert!((1..=1_000).all(|number| is_kept(&number)), "the first ones");
    (1..=all).for_each(|number| spans.close(&id(number)));
    spans.keep(&id(all), metadata(), &packed(&[(0, Value::U64(all))]));
    assert!(is_kept(&all), "there is room again");
}

#[test]
fn long_fields_are_bounded_over_all_spans() {
    let spans = Spans::new();
    let long = packed(&[(1, text("x".repeat(30_000)))]);
    (1..=1_000).for_each(|number| spans.keep(&id(number), metadata(), &long));
    let bytes = spans.long_bytes.load(Ordering::Relaxed);
    assert!(bytes <= MAX_LONG_BYTES && bytes > MAX_LONG_BYTES / 2, "{bytes}");
    assert_eq!(told(&spans, &[1_000]), [missing()]);
    (1..=1_000).for_each(|number| spans.close(&id(number)));
    assert_eq!(spans.long_bytes.load(Ordering::Relaxed), 0);
}

#[test]
fn if_there_is_too_much_the_inner_spans_keep_their_texts_and_all_their_numbers() {
    let spans = Spans::new();
    for number in 1..=32 {
        spans.keep(
            &id(number),
            metadata(),
            &packed(&[(0, Value::U64(number)), (1, text("x".repeat(3_000)))]),
        );
    }
    let told = told(&spans, &(1..=32).collect::<Vec<_>>());
    let whole = told.iter().take_while(|fields| fields[1].1 != text(MARK)).count();
    assert!((9..=11).contains(&whole), "{whole}");
    for (number, fields) in (1..).zip(&told) {
        assert_eq!(fields[0], named("order", Value::U64(number)));
    }
    assert!(told[whole..].iter().all(|fields| fields[1].1 == text(MARK)));
}

#[test]
fn a_lock_that_is_held_is_not_waited_for() {
    let spans = Spans::new();
    spans.keep(&id(1), metadata(), &packed(&[(1, text("x".repeat(1_000)))]));
    let held = spans.get(&id(1)).unwrap();
    assert_eq!(told(&spans, &[1]), [missing()]);
    spans.record(&id(1), &packed(&[(0, Value::U64(1))]));
    spans.close(&id(1));
    drop(held);
    assert_eq!(told(&spans, &[1]), [missing()], "it is closed all the same");
    (2..=9_000).for_each(|number| spans.keep(&id(number), metadata(), &packed(&[(0, Value::U64(number))])));
    assert_eq!(spans.long_bytes.load(Ordering::Relaxed), 0, "its place was taken");
}

#[test]
fn threads_at_once_find_what_they_kept() {
    let spans = Spans::new();
    std::thread::scope(|scope| {
        for thread in 1..=8_u64 {
            let spans = &spans;
            scope.spawn(move || {
                let mut found = 0;
                for round in 0..5_000 {
                    let number = (thread << 35) | (round << 48) | (1 + round % 3);
                    spans.keep(&id(number), metadata(), &packed(&[(0, Value::U64(number))]));
                    spans.record(&id(number), &packed(&[(1, text("later"))]));
                    let told = told(spans, &[number]).remove(0);
                    assert!(told[0] == named("order", Value::U64(number)) || told == missing(), "{told:?}");
                    found += usize::from(told.len() == 2);
                    spans.close(&id(number));
                }
                // One that was interrupted costs another a value.
                assert!(found > 4_900, "{found}");
            });
        }
    });
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::I64),
        any::<u64>().prop_map(Value::U64),
        any::<i128>().prop_map(Value::I128),
        any::<u128>().prop_map(Value::U128),
        any::<f64>().prop_map(Value::F64),
        "\\PC{0,40}".prop_map(Value::Str),
        // Around the length that a span is packed in place up to.
        "[a-z]{230,260}".prop_map(Value::Str),
        prop::collection::vec("\\PC{0,20}", 0..5).prop_map(Value::Error),
    ]
}

proptest! {
    #[test]
    fn every_value_is_what_it_was(values in prop::collection::vec((0..NAMES.len(), value()), 0..6)) {
        let packed = packed(&values);
        let unpacked = packed::unpack(packed.bytes(), metadata().fields());
        let expected: Vec<_> = values
            .iter()
            .map(|(index, value)| Field::new(crate::capture::visit::plain_name(NAMES[*index]), value.clone()))
            .collect();
        prop_assert_eq!(format!("{unpacked:?}"), format!("{expected:?}"));
    }

    #[test]
    fn whatever_was_packed_nothing_panics(bytes in prop::collection::vec(any::<u8>(), 0..200), room in 0_usize..100) {
        let _fields = packed::unpack(&bytes, metadata().fields());
        let mut copied = Vec::new();
        packed::copy(&bytes, &mut copied, &mut { room });
    }
}
