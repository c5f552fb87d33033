//! Backtraces are set as backtraces, wherever they stand.

use super::*;

const TRACE: &str = "   0: anyhow::error::<impl anyhow::Error>::msg
             at /home/me/.cargo/registry/src/index/anyhow-1.0.100/src/backtrace.rs:27:14
   1: shop::payment::charge
             at ./src/payment.rs:41:18
   2: core::ops::function::FnOnce::call_once
   3: std::sys::backtrace::__rust_begin_short_backtrace
   4: main";

/// How a mail shows it.
const SHOWN: &str = "
Backtrace
    1: shop::payment::charge
      at ./src/payment.rs:41:18

Library frames
    0: anyhow::error::<impl anyhow::Error>::msg
      at anyhow-1.0.100/src/backtrace.rs:27:14
    2: core::ops::function::FnOnce::call_once

";

fn report() -> String {
    format!(
        "payment failed\n\nCaused by:\n    0: error sending request\n    1: connection refused\n\nStack backtrace:\n{TRACE}"
    )
}

fn field(name: &'static str, value: impl Into<String>) -> Field {
    Field::new(name, Value::Str(value.into()))
}

fn mail(event: Event) -> Texts {
    texts(&notice(vec![sample(event, 1)]))
}

#[test]
fn that_of_a_field_is_told_after_the_process_and_its_causes_as_causes() {
    let mut failed = event(Level::ERROR, "the order was not placed");
    failed.fields = vec![field("error", report()), Field::new("order", Value::U64(17))];
    let texts = mail(failed);
    assert!(texts.text.contains(SHOWN), "{}", texts.text);
    let chain = "\nError\n    error: payment failed\n    caused by: error sending request\n    caused by: connection refused\n";
    assert!(texts.text.contains(chain), "{}", texts.text);
    assert!(texts.text.contains("\nFields\n    order = 17\n"), "{}", texts.text);
    assert_eq!(texts.short, "[MyApp] ERROR: the order was not placed: connection refused - order=17 #7K3Q");
}

#[test]
fn that_of_a_message_leaves_its_first_paragraph() {
    let texts = mail(event(Level::ERROR, &report()));
    let head = "\nERROR: payment failed\nError\n    caused by: error sending request\n    caused by: connection refused\nWhere\n";
    assert!(texts.text.contains(head) && texts.text.contains(SHOWN), "{}", texts.text);
    assert_eq!(texts.short, "[MyApp] ERROR: payment failed: connection refused #7K3Q");
    assert_eq!(texts.subject, "[MyApp] ERROR: payment failed: connection refused · my_app::payment");
}

#[test]
fn that_of_a_span_is_told_once_though_it_is_on_one_line() {
    let one_line = TRACE.split_whitespace().collect::<Vec<_>>().join(" ");
    let fields = vec![
        field("http.method", "GET"),
        field("exception.details", format!("late Stack backtrace: {one_line}")),
    ];
    let mut failed = event(Level::ERROR, "payment failed");
    failed.spans =
        vec![SpanFrame { name: "HTTP request".into(), target: "actix".into(), fields: Arc::new(fields) }];
    failed.backtrace = Some(TRACE.to_owned());
    failed.fields = vec![field("backtrace", TRACE)];
    let text = mail(failed).text;
    assert!(text.contains("\nSpans\n    HTTP request{http.method=GET exception.details=late}\n"), "{text}");
    assert!(text.contains(SHOWN) && !text.contains("\nFields\n"), "{text}");
    assert_eq!(text.matches("shop::payment::charge").count(), 1, "{text}");
}

#[test]
fn a_library_that_panics_shows_none_of_our_frames() {
    let hook = "   0: tracing_alert::layer::panic::capture_panic\n   1: std::panicking::panic_with_hook\n   2: __rustc::rust_begin_unwind\n   3: core::panicking::panic_fmt\n   4: shop::main\n";
    let mut panic = event(Level::ERROR, "out of luck");
    (panic.panic, panic.backtrace) = (true, Some(hook.to_owned()));
    let text = mail(panic).text;
    assert!(
        text.contains("\nBacktrace\n    4: shop::main\n\n") && !text.contains("Library frames"),
        "{text}"
    );
}
