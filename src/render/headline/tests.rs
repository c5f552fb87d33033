//! What an event says in few words, and what tells it from others.

use std::sync::Arc;

use proptest::prelude::*;
use tracing::Level;

use super::{
    super::tests::{error, event, hostile, sample},
    *,
};
use crate::event::SpanFrame;

fn field(name: &'static str, value: &str) -> Field {
    Field::new(name, Value::Str(value.to_owned()))
}

fn span(name: &'static str, fields: Vec<Field>) -> SpanFrame {
    SpanFrame { name: name.into(), target: "my_app".into(), fields: Arc::new(fields) }
}

fn whole(event: &Event) -> String {
    Headline::of(event, true).whole()
}

const REPORT: &str = "payment failed\n\nCaused by:\n    0: error sending request\n    1: connection refused\n
Stack backtrace:\n   0: shop::charge\n             at ./src/payment.rs:41:18\n   1: shop::main\n   2: main";

#[test]
fn the_first_paragraph_of_a_report_is_the_headline_and_its_last_cause_the_root() {
    let told = "payment failed: connection refused";
    assert_eq!(whole(&event(Level::ERROR, REPORT)), told);
    let mut as_field = event(Level::ERROR, "the order was not placed");
    as_field.fields = vec![field("error", REPORT)];
    assert_eq!(whole(&as_field), "the order was not placed: connection refused");
    as_field.message.clear();
    assert_eq!(whole(&as_field), "connection refused");
}

#[test]
fn a_function_that_returned_an_error_is_named() {
    let mut returned = event(Level::ERROR, "");
    returned.fields = vec![field("error", "connection refused")];
    returned.spans = vec![
        span("request", vec![field("path", "/orders/17")]),
        span("charge", vec![Field::new("order", Value::U64(17))]),
    ];
    let headline = Headline::of(&returned, true);
    assert_eq!(headline.whole(), "charge: connection refused");
    assert_eq!(headline.subject(99), "charge: connection refused");
    assert_eq!(details(&sample(returned, 1), &headline), ["order=17", "path=/orders/17"]);
}

#[test]
fn a_detail_tells_what_the_headline_does_not() {
    let mut failed = event(Level::ERROR, "order 17 failed");
    failed.fields = vec![
        Field::new("order", Value::U64(17)),
        Field::new("attempt", Value::U64(1)),
        Field::new("error", Value::Error(vec!["late".into(), "refused".into()])),
        field("query", "SELECT\n1"),
        field("long", &"x".repeat(60)),
        field("alert.fingerprint", "mine"),
        field("version", "HTTP/1.1"),
        field("empty", " "),
    ];
    failed.spans = vec![span("request", vec![Field::new("attempt", Value::U64(9)), field("method", "GET")])];
    let headline = Headline::of(&failed, true);
    assert_eq!(details(&sample(failed, 1), &headline), ["attempt=1", "method=GET"]);
}

#[test]
fn what_the_latest_event_does_not_share_tells_nothing_of_all() {
    let mut failed = error(Level::ERROR, "payment failed", 37);
    failed.event.fields = vec![Field::new("order", Value::U64(17)), field("bank", "north")];
    let headline = Headline::of(&failed.event, true);
    failed.latest = Some(Event {
        fields: vec![Field::new("order", Value::U64(112)), field("bank", "north")],
        ..failed.event.clone()
    });
    assert_eq!(details(&failed, &headline), ["bank=north"]);
}

#[test]
fn the_root_cause_is_cut_last() {
    let mut failed = event(Level::ERROR, "the payment of the order could not be made");
    failed.fields = vec![field("error", "connection refused")];
    let cut = |max| Headline::of(&failed, true).chars(max);
    assert_eq!(cut(99), "the payment of the order could not be made: connection refused");
    assert_eq!(cut(40), "the payment of the…: connection refused");
    assert_eq!(cut(26), "the p…: connection refused");
    assert_eq!(cut(20), "the…: connection re…");
    let unwrapped = event(
        Level::ERROR,
        "called `Result::unwrap()` on an `Err` value: Os { code: 111, kind: ConnectionRefused }",
    );
    assert_eq!(Headline::of(&unwrapped, true).whole(), unwrapped.message);
    assert_eq!(Headline::of(&unwrapped, true).chars(40), "called `R…: Os { code: 111, kind: Conne…");
    let chained = event(Level::ERROR, "the payment of the order failed: the bank: connection refused");
    assert_eq!(Headline::of(&chained, true).chars(40), "the payment of the…: connection refused");
}

#[test]
fn without_words_the_target_speaks_if_fields_may_not() {
    let mut silent = event(Level::ERROR, "");
    silent.fields = vec![Field::new("order", Value::U64(17))];
    assert_eq!(whole(&silent), "order=17");
    assert_eq!(Headline::of(&silent, false).whole(), "my_app::payment");
}

proptest! {
    #[test]
    fn a_cut_is_no_longer_than_it_may_be(message in hostile(200), cause in hostile(200), max in 12..200_usize) {
        let mut event = event(Level::ERROR, &message);
        event.fields = vec![field("error", &cause)];
        let text = Headline::of(&event, true).chars(max);
        prop_assert!(text.chars().count() <= max, "{}", text);
        prop_assert!(!text.contains(clean::is_unsafe) && !text.contains('\n'));
    }
}
