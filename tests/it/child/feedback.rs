//! Programs in which everything alerts and everybody talks: whoever listens to
//! their own way of telling hears themselves.
//!
//! What they say goes to stderr, at TRACE; the parent looks at it.
#![expect(clippy::print_stdout, reason = "the parent reads it")]

use std::{
    io,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use tracing::{debug, error, info_span, level_filters::LevelFilter, trace};
use tracing_alert::{
    AlertHandle, AlertLayer, Builder, Message, NoAlerts, Receipt, RetryPolicy, SendError, SendGridSink, Sink,
    TwilioSink,
};
use tracing_subscriber::{filter::filter_fn, fmt::format::FmtSpan, prelude::*, registry::LookupSpan};

use crate::support::{PATIENCE, eventually};

/// How many attempts are to be over before a program goes on.
pub(crate) const ATTEMPTS: &str = "TEST_ATTEMPTS";

/// Set if a program shall be killed rather than end, so that the database's
/// journal stays.
pub(crate) const ABORT: &str = "TEST_ABORT";

/// What a program says last.
pub(crate) const DONE: &str = "nothing but the program's own events was captured";

pub(crate) fn run(scenario: &str) {
    match scenario {
        "feedback-providers" => providers(),
        "feedback-sinks" => sinks(),
        "feedback-panics" => panics(),
        name if name.starts_with("feedback-unheard-") => unheard(name),
        other => panic!("no scenario {other:?}"),
    }
}

/// Both providers, as the environment has them.
fn providers() {
    let var = |name: &str| std::env::var(name).unwrap();
    let account = var("TWILIO_ACCOUNT_SID");
    let twilio = match std::env::var("TWILIO_API_KEY") {
        Ok(key) => TwilioSink::with_api_key(account, key, var("TWILIO_API_KEY_SECRET")),
        Err(_) => TwilioSink::new(account, var("TWILIO_AUTH_TOKEN")),
    };
    let twilio = twilio.sender_number(var("TWILIO_SENDER_NUMBER")).base_url(var("TWILIO_BASE_URL"));
    let sendgrid = SendGridSink::new(var("SENDGRID_API_KEY"), var("SENDGRID_SENDER_EMAIL"))
        .base_url(var("SENDGRID_BASE_URL"));
    println!("{twilio:?} {sendgrid:?}");
    let builder = AlertLayer::builder().database(var("ALERT_DATABASE"));
    talk(builder.sms(twilio, [var("ALERT_PHONE")]).email(sendgrid, [var("ALERT_EMAIL")]));
}

/// One error is sent, under layers that hear everything; the parent looks at what
/// they heard.
fn unheard(scenario: &str) {
    match scenario {
        "feedback-unheard-after" => {
            tracing_subscriber::registry().with(text()).with(AlertLayer::from_env()).init();
        }
        "feedback-unheard-before" => {
            tracing_subscriber::registry().with(AlertLayer::from_env()).with(text()).init();
        }
        // Each callsite is asked for each event, so that filters keep notes of it.
        "feedback-unheard-filtered" => {
            let all =
                filter_fn(|metadata| metadata.target() != "nobody").with_max_level_hint(LevelFilter::TRACE);
            tracing_subscriber::registry().with(text().with_filter(all)).with(AlertLayer::from_env()).init();
        }
        "feedback-unheard-root" => {
            let root = tracing_subscriber::fmt().with_max_level(LevelFilter::TRACE).with_ansi(false);
            root.with_writer(io::stderr).finish().with(AlertLayer::from_env()).init();
        }
        other => panic!("no scenario {other:?}"),
    }
    let handle = AlertHandle::current().unwrap();
    error!(order = 17, "payment failed");
    assert!(handle.flush(PATIENCE).is_complete());
    // While our threads live, others are heard as they are without them.
    debug!(with = ?Nested, "around it");
    assert!(handle.shutdown(PATIENCE).is_complete());
    debug!("the end");
}

/// Hears everything.
fn text<S>() -> impl tracing_subscriber::Layer<S> + Send + Sync
where
    S: tracing::Subscriber + for<'span> LookupSpan<'span>,
{
    tracing_subscriber::fmt::layer().with_span_events(FmtSpan::FULL).with_ansi(false).with_writer(io::stderr)
}

/// Its `Debug` logs.
struct Nested;

impl std::fmt::Debug for Nested {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        debug!("inside another event");
        f.write_str("Nested")
    }
}

/// Threads of the program that have names like ours panic.
fn panics() {
    super::init();
    for name in ["tracing-alert", "tracing-alert-panic"] {
        let work = move || panic!("in {name}");
        assert!(std::thread::Builder::new().name(name.to_owned()).spawn(work).unwrap().join().is_err());
    }
    assert!(AlertHandle::current().unwrap().flush(PATIENCE).is_complete());
}

/// Two sinks that talk.
fn sinks() {
    let database = std::env::var("ALERT_DATABASE").unwrap();
    let sinks = AlertLayer::builder()
        .database(database)
        .sink(Talkative { name: "talks itself", ..Talkative::default() }, ["nobody"])
        .sink(Talkative { name: "has others talk", has_tasks: true, ..Talkative::default() }, ["nobody"]);
    talk(sinks);
}

/// Emits [`OWN`] events and sees what else is captured.
fn talk(builder: Builder) {
    let mut policy = RetryPolicy::default();
    policy.initial = Duration::from_millis(10);
    policy.cap = Duration::from_millis(40);
    policy.probe = Duration::from_millis(10);
    let builder = builder
        .app_name("MyApp")
        .level(LevelFilter::TRACE)
        .span_level(LevelFilter::TRACE)
        .settle(Duration::ZERO)
        .retry(policy)
        .panics(false);
    println!("{builder:?}");
    let layer = builder.build().unwrap();
    println!("{layer:?}");
    let handle = layer.handle();
    tracing_subscriber::registry()
        .with(
            tracing_subscriber::fmt::layer().with_ansi(false).with_thread_names(true).with_writer(io::stderr),
        )
        .with(layer)
        .init();

    let _request = info_span!("request", path = "/orders").entered();
    error!(order = 17, "payment failed");
    debug!("a debug message");
    log::error!("a record of `log`");
    let wanted = std::env::var(ATTEMPTS).unwrap().parse::<u64>().unwrap();
    eventually("the attempts", || attempts(&handle) >= wanted);
    trace!("after the failures");

    if std::env::var_os(ABORT).is_some() {
        eventually("the last event is committed", || handle.stats().persisted == OWN);
        check(&handle);
        std::process::abort();
    }
    let report = handle.shutdown(Duration::from_millis(500));
    println!("{report:?}");
    check(&handle);
}

fn check(handle: &AlertHandle) {
    println!("{handle:?} {:?}", handle.stats());
    let stats = handle.stats();
    assert_eq!((stats.captured, stats.dropped.len()), (OWN, 0), "{stats:?}");
    println!("{DONE}");
}

fn attempts(handle: &AlertHandle) -> u64 {
    let stats = handle.stats();
    stats.delivered + stats.retried + stats.dead
}

/// A sink that fails for a while, and emits ERROR events all the time.
#[derive(Default)]
struct Talkative {
    name: &'static str,
    /// Talks from other tasks, and from the runtime's blocking threads.
    has_tasks: bool,
    attempts: AtomicU64,
}

impl Sink for Talkative {
    fn name(&self) -> &'static str {
        self.name
    }

    async fn send(&self, message: &Message) -> Result<Receipt, SendError> {
        let _span = info_span!("sending", self.name);
        error!(attempt = message.attempt, "it begins");
        log::error!("it begins");
        if self.has_tasks {
            tokio::spawn(async { error!("from a task") }).await.unwrap();
            tokio::spawn(NoAlerts::during(async { error!("from a task without alerts") })).await.unwrap();
            tokio::task::spawn_blocking(|| {
                error!("from a blocking thread");
                let _no_alerts = NoAlerts::here();
                error!("from a blocking thread without alerts");
            })
            .await
            .unwrap();
            let helper = std::thread::spawn(|| {
                let _no_alerts = NoAlerts::here();
                error!("from a thread without alerts");
            });
            helper.join().unwrap();
        }
        if self.attempts.fetch_add(1, Ordering::Relaxed) < 20 {
            error!("it failed");
            return Err(SendError::not_processed("scripted"));
        }
        Ok(Receipt::default())
    }
}

/// How many events [`talk`] emits.
const OWN: u64 = 4;
