//! Nothing that the way of an alert says, on whichever thread, becomes an alert; and
//! what our own threads say reaches no layer at all.

use std::{
    process::Output,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use tracing::{Dispatch, dispatcher, error};
use tracing_alert::{AlertLayer, Message, NoAlerts, Receipt, SendError, Sink};
use tracing_subscriber::prelude::*;

use crate::{
    child::feedback::{ATTEMPTS, DONE},
    support::{Answer, Harness, PATIENCE, Provider, eventually, rows, with_layer, word},
};

/// What stands in a line of the child's log that was said on this thread.
const ALERT_THREAD: &str = " tracing-alert ";
const BLOCKING_THREAD: &str = " tracing-alert-io ";

#[test]
fn providers_that_fail_do_not_alert_about_themselves() {
    let harness = Harness::new();
    harness.provider.always_sms(Answer::status(500));
    // A name, so that it is looked up: on a blocking thread of the runtime.
    let url = |port: u16| format!("http://localhost:{port}");
    let output = harness
        .child("feedback-providers")
        .env("TWILIO_BASE_URL", url(harness.provider.address.port()))
        .env("SENDGRID_BASE_URL", url(Provider::nowhere().port()))
        .env(ATTEMPTS, "60")
        .output()
        .unwrap();
    let log = quiet(&output);
    let heard: Vec<_> =
        log.lines().filter(|line| line.contains(ALERT_THREAD) || line.contains(BLOCKING_THREAD)).collect();
    assert!(heard.is_empty(), "{heard:#?}");
    assert!(!harness.provider.sms().is_empty());
}

/// One error costs the other layers its own line, wherever they are.
#[test]
fn what_our_own_threads_say_reaches_no_layer() {
    for place in ["after", "before", "filtered", "root"] {
        let harness = Harness::new();
        let url = format!("http://localhost:{}", harness.provider.address.port());
        let output = harness
            .child(&format!("feedback-unheard-{place}"))
            .env("TWILIO_BASE_URL", &url)
            .env("SENDGRID_BASE_URL", &url)
            .output()
            .unwrap();
        let log = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{place}: {log}");
        let words = ["payment failed", "inside another event", "around it", "the end"];
        let lines: Vec<_> = log.lines().collect();
        assert_eq!(lines.len(), words.len(), "{place}: {log}");
        assert!(lines.iter().zip(words).all(|(line, word)| line.contains(word)), "{place}: {log}");
        assert_eq!((harness.provider.sms().len(), harness.provider.mails().len()), (1, 1), "{place}");
        assert_eq!(
            rows(&harness.database(), "SELECT DISTINCT state FROM delivery"),
            ["delivered"],
            "{place}"
        );
    }
}

#[test]
fn a_sink_that_logs_does_not_alert_about_itself() {
    let output = Harness::new().child("feedback-sinks").env(ATTEMPTS, "42").output().unwrap();
    let log = quiet(&output);
    assert!(said(&log, ALERT_THREAD, "it failed"), "{log}");
    assert!(said(&log, ALERT_THREAD, "from a task without alerts"), "{log}");
    assert!(said(&log, BLOCKING_THREAD, "from a blocking thread without alerts"), "{log}");
    assert!(log.contains("from a thread without alerts"), "{log}");
    let unheard = |line: &&str| line.ends_with("from a task") || line.ends_with("from a blocking thread");
    assert_eq!(log.lines().find(unheard), None);
}

/// The log of a child that captured its own events only.
fn quiet(output: &Output) -> String {
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains(DONE), "{said}\n{log}");
    log
}

fn said(log: &str, thread: &str, what: &str) -> bool {
    log.lines().any(|line| line.contains(thread) && line.contains(what))
}

#[test]
fn a_thread_of_the_program_alerts_whatever_its_name() {
    let names = ["tracing-alert", "tracing-alert-io", "tracing-alert-db-0", "tracing-alert-panic"];
    let harness = Harness::new();
    let handle = with_layer(harness.builder(), || {
        for name in names {
            let dispatch = dispatcher::get_default(Clone::clone);
            let work = move || dispatcher::with_default(&dispatch, || error!("from {name}"));
            thread::Builder::new().name(name.to_owned()).spawn(work).unwrap().join().unwrap();
        }
    });
    assert!(handle.flush(PATIENCE).is_complete());
    assert_eq!(handle.stats().captured, names.len() as u64);
    let named =
        rows(&harness.database(), "SELECT payload ->> 'thread' FROM first_event ORDER BY incident_id");
    assert_eq!(named, names);
}

#[test]
fn a_panic_of_a_thread_of_the_program_alerts_whatever_its_name() {
    let harness = Harness::new();
    let output = harness.child("feedback-panics").env("ALERT_PANICS", "on").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told =
        rows(&harness.database(), "SELECT payload ->> 'message' FROM first_event ORDER BY incident_id");
    assert_eq!(told, ["in tracing-alert", "in tracing-alert-panic"]);
}

/// Has another thread log an error, each time another one, for each message.
struct Careless {
    is_guarded: bool,
    sent: Arc<AtomicU64>,
    /// Where that thread logs.
    dispatch: Arc<OnceLock<Dispatch>>,
}

impl Sink for Careless {
    fn name(&self) -> &'static str {
        "careless"
    }

    async fn send(&self, _: &Message) -> Result<Receipt, SendError> {
        let number = self.sent.fetch_add(1, Ordering::Relaxed);
        let (dispatch, is_guarded) = (self.dispatch.get().unwrap().clone(), self.is_guarded);
        let log = move || {
            let _no_alerts = is_guarded.then(NoAlerts::here);
            let kind = word(usize::try_from(number).unwrap());
            dispatcher::with_default(&dispatch, || error!("the pager said {kind}"));
        };
        thread::spawn(log).join().unwrap();
        Ok(Receipt::default())
    }
}

/// One error is told by such a sink, while nothing holds messages back. Returns how
/// many messages there were.
fn careless(is_guarded: bool, captured: u64) -> u64 {
    let (sent, dispatch) = (Arc::new(AtomicU64::new(0)), Arc::new(OnceLock::new()));
    let sink = Careless { is_guarded, sent: Arc::clone(&sent), dispatch: Arc::clone(&dispatch) };
    let builder = AlertLayer::builder()
        .in_memory()
        .settle(Duration::ZERO)
        .email_window(Duration::ZERO)
        .email_budget(None)
        .panics(false)
        .sink(sink, ["on-call"]);
    let layer = builder.build().unwrap();
    let handle = layer.handle();
    let dispatch = dispatch.get_or_init(|| Dispatch::new(tracing_subscriber::registry().with(layer)));
    dispatcher::with_default(dispatch, || error!("payment failed"));
    for _ in 0..2 {
        eventually("all is captured", || handle.stats().captured >= captured);
        assert!(handle.flush(PATIENCE).is_complete());
    }
    assert!(handle.shutdown(PATIENCE).is_complete());
    assert_eq!(handle.stats().captured, captured);
    sent.load(Ordering::Relaxed)
}

#[test]
fn a_thread_of_a_sink_that_wants_no_alerts_causes_none() {
    assert_eq!(careless(true, 1), 1);
}

#[test]
fn an_alert_about_every_alert_is_no_loop() {
    assert_eq!(careless(false, 4), 3);
}

#[test]
fn an_allocator_that_logs_hurts_no_thread() {
    let harness = Harness::new();
    let output = harness.child("allocator").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let sql = "SELECT count FROM first_event JOIN incident ON incident.id = incident_id WHERE payload ->> 'message' IN ('the first', 'the second')";
    assert_eq!(rows(&harness.database(), sql), ["2", "2"]);
}
