//! A web service as most people set it up: axum with `TraceLayer::new_for_http()`.

use std::future::Future;

use axum::{
    Router,
    body::Body,
    http::{Request, StatusCode},
    routing::get,
};
use tower::ServiceExt;
use tower_http::{catch_panic::CatchPanicLayer, trace::TraceLayer};
use tracing::{Level, debug, debug_span, error, level_filters::LevelFilter, subscriber::with_default, warn};
use tracing_alert::{AlertLayer, Event};
use tracing_subscriber::{Registry, prelude::*};

use crate::{
    support::{Harness, eventually},
    watch::{Watch, span_names},
};

fn service() -> Router {
    let app = Router::new()
        .route("/orders/17", get(|| async { fail() }))
        .route("/quiet", get(|| async { StatusCode::INTERNAL_SERVER_ERROR }))
        .route("/warned", get(|| async { warn_of_it() }))
        .route("/panics", get(|| async { panic() }));
    app.layer(CatchPanicLayer::new()).layer(TraceLayer::new_for_http())
}

fn fail() -> StatusCode {
    debug!("nobody wants it");
    debug_span!("nor this").in_scope(|| error!(order = 17, "payment failed"));
    StatusCode::INTERNAL_SERVER_ERROR
}

fn warn_of_it() -> StatusCode {
    warn!("the bank is slow");
    StatusCode::INTERNAL_SERVER_ERROR
}

fn panic() -> StatusCode {
    panic!("out of luck");
}

/// Asks for `path`, as the first or a later request of the service.
pub(crate) async fn ask(path: &str) -> StatusCode {
    let request = Request::get(path).body(Body::empty()).unwrap();
    service().oneshot(request).await.unwrap().status()
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// What alerts while these are asked for.
fn alerts(builder: tracing_alert::Builder, paths: &[&str]) -> (Vec<Event>, tracing_alert::Stats) {
    let (layer, watch) = Watch::build::<Registry>(builder);
    with_default(tracing_subscriber::registry().with(layer), || {
        eventually("the spans of requests are known", || LevelFilter::current() >= LevelFilter::DEBUG);
        for path in paths {
            assert_eq!(run(ask(path)), StatusCode::INTERNAL_SERVER_ERROR, "{path}");
        }
        assert!(!tracing::enabled!(Level::DEBUG), "others are not wanted");
    });
    (watch.events(), watch.handle.stats())
}

fn told(events: &[Event]) -> Vec<(&str, String)> {
    let in_request = |event: &Event| {
        let fields = event.spans.iter().flat_map(|span| span.fields.iter());
        fields.map(|field| format!("{}={}", field.name, field.value)).collect::<Vec<_>>().join(" ")
    };
    events.iter().map(|event| (event.message.as_str(), in_request(event))).collect()
}

#[test]
fn a_request_tells_its_method_and_path_and_fails_once() {
    let (events, stats) = alerts(AlertLayer::builder(), &["/orders/17", "/orders/17?page=2"]);
    let span = |uri: &str| format!("method=GET uri={uri} version=HTTP/1.1");
    let wanted = [("payment failed", span("/orders/17")), ("payment failed", span("/orders/17?page=2"))];
    assert_eq!(told(&events), wanted);
    assert!(events.iter().all(|event| span_names(event) == ["request"]), "{events:#?}");
    assert_eq!((stats.captured, stats.ignored), (4, 2), "each counts");
}

#[test]
fn a_failed_request_that_nothing_explains_is_told() {
    let (events, _) = alerts(AlertLayer::builder(), &["/orders/17", "/quiet", "/warned"]);
    let messages: Vec<_> = events.iter().map(|event| event.message.as_str()).collect();
    assert_eq!(messages, ["payment failed", "response failed", "response failed"]);
    assert!(told(&events)[1].1.contains("uri=/quiet"), "{events:#?}");
    // What was less than an error does not stand for one.
    let (events, _) = alerts(AlertLayer::builder().level(Level::WARN), &["/warned"]);
    let messages: Vec<_> = events.iter().map(|event| event.message.as_str()).collect();
    assert_eq!(messages, ["the bank is slow", "response failed"]);
}

#[test]
fn who_wants_fewer_spans_has_none_of_requests() {
    let (layer, watch) = Watch::build::<Registry>(AlertLayer::builder().span_level(Level::WARN));
    with_default(tracing_subscriber::registry().with(layer), || run(ask("/orders/17")));
    let events = watch.events();
    assert!(events.len() == 2 && events.iter().all(|event| event.spans.is_empty()), "{events:#?}");
}

#[test]
fn a_panic_of_a_handler_is_one_incident() {
    let harness = Harness::new();
    let output = harness.child("requests-panic").env("ALERT_PANICS", "on").output().unwrap();
    assert!(output.status.success(), "{output:#?}");
    let mails = harness.provider.mails();
    assert_eq!(mails.len(), 1, "{mails:#?}");
    let body = &mails[0].body;
    assert!(body.contains("PANIC: out of luck") && body.contains("uri=/panics"), "{body}");
    assert!(!body.contains("Service panicked") && !body.contains("response failed"), "{body}");
    assert!(!body.contains("tracing_alert::"), "{body}");
}
