//! What web services do.

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
use tracing_alert::{AlertLayer, Builder, Stats, notice::Event};
use tracing_subscriber::{Registry, prelude::*};

use crate::{
    support::eventually,
    watch::{Watch, span_names},
};

pub(super) fn run(scenario: &str) {
    match scenario {
        "requests-told" => told(),
        "requests-unexplained" => unexplained(),
        "requests-unwanted" => unwanted(),
        "requests-panic" => panics(),
        _ => panic!("no scenario {scenario}"),
    }
}

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

async fn ask(path: &str) -> StatusCode {
    let request = Request::get(path).body(Body::empty()).unwrap();
    service().oneshot(request).await.unwrap().status()
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn wait_for_requests() {
    eventually("the spans of requests are known", || LevelFilter::current() >= LevelFilter::DEBUG);
}

/// What alerts while these are asked for.
fn alerts(builder: Builder, paths: &[&str]) -> (Vec<Event>, Stats) {
    let (layer, watch) = Watch::build::<Registry>(builder);
    with_default(tracing_subscriber::registry().with(layer), || {
        wait_for_requests();
        for path in paths {
            assert_eq!(block_on(ask(path)), StatusCode::INTERNAL_SERVER_ERROR, "{path}");
        }
        assert!(!tracing::enabled!(Level::DEBUG), "others are not wanted");
    });
    (watch.events(), watch.handle.stats())
}

fn messages(events: &[Event]) -> Vec<&str> {
    events.iter().map(|event| event.message.as_str()).collect()
}

/// The fields of its only span.
fn request(event: &Event) -> String {
    assert_eq!(span_names(event), ["request"]);
    let fields = event.spans[0].fields.iter();
    fields.map(|field| format!("{}={}", field.name, field.value)).collect::<Vec<_>>().join(" ")
}

fn told() {
    let (events, stats) = alerts(AlertLayer::builder(), &["/orders/17", "/orders/17"]);
    // The second may be counted in a message that is still to come.
    assert!(messages(&events).iter().all(|message| *message == "payment failed"), "{events:#?}");
    assert_eq!(request(&events[0]), "method=GET uri=/orders/17 version=HTTP/1.1");
    assert_eq!((stats.captured, stats.ignored), (4, 2), "each counts");
    // Also those that are only counted.
    let (events, stats) = alerts(AlertLayer::builder().storm_rate(1), &["/orders/17"; 50]);
    assert!(messages(&events).iter().all(|message| *message == "payment failed"), "{events:#?}");
    assert_eq!((stats.captured, stats.ignored), (100, 50));
}

fn unexplained() {
    let (events, _) = alerts(AlertLayer::builder(), &["/orders/17", "/quiet"]);
    assert_eq!(messages(&events), ["payment failed", "response failed"]);
    assert!(request(&events[1]).contains("uri=/quiet"), "{events:#?}");
    // What was less than an error does not stand for one.
    let (events, _) = alerts(AlertLayer::builder(), &["/warned"]);
    assert_eq!(messages(&events), ["response failed"]);
    let (events, _) = alerts(AlertLayer::builder().level(Level::WARN), &["/warned"]);
    assert_eq!(messages(&events), ["the bank is slow", "response failed"]);
}

fn unwanted() {
    let (layer, watch) = Watch::build::<Registry>(AlertLayer::builder().span_level(Level::WARN));
    with_default(tracing_subscriber::registry().with(layer), || block_on(ask("/orders/17")));
    let events = watch.events();
    assert!(events.len() == 2 && events.iter().all(|event| event.spans.is_empty()), "{events:#?}");
}

fn panics() {
    tracing_subscriber::registry().with(AlertLayer::from_env()).init();
    wait_for_requests();
    // Nothing got dearer for who uses `log` only.
    assert_eq!(log::max_level(), log::LevelFilter::Info);
    assert_eq!(block_on(ask("/panics")), StatusCode::INTERNAL_SERVER_ERROR);
}
