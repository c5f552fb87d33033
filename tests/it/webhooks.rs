//! Webhooks and the heartbeat, from an error to what a server gets.

use std::time::Duration;

use serde_json::Value;
use tracing::error;
use tracing_alert::{AlertHandle, AlertLayer, Budget, Builder, WebhookSink};
use tracing_subscriber::prelude::*;

use crate::{
    provider::Request,
    support::{
        Answer, Harness, PATIENCE, Provider, eventually, impatient, rows, said, time_passes, with_layer,
    },
};

/// What only the URL has.
const TOKEN: &str = "url-token-that-nobody-may-see";

/// Tells `webhook` alone, at once.
fn builder(harness: &Harness, webhook: WebhookSink) -> Builder {
    let builder = AlertLayer::builder()
        .app_name("MyApp")
        .database(harness.database())
        .settle(Duration::ZERO)
        .webhook_window(Duration::ZERO)
        .webhook_budget(None)
        .retry(impatient())
        .panics(false)
        .webhook(webhook);
    harness.hear(builder)
}

fn url(prefix: &str, provider: &Provider, path: &str) -> String {
    format!("{prefix}+{}{path}", provider.url())
}

/// All that a file has, in its tables and beside them.
fn all_of(harness: &Harness) -> String {
    let directory = harness.database().parent().unwrap().to_owned();
    let files =
        std::fs::read_dir(directory).unwrap().filter_map(|file| std::fs::read(file.unwrap().path()).ok());
    files.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).collect()
}

#[test]
fn an_error_reaches_a_chat_and_only_the_label_is_known() {
    let harness = Harness::new();
    let echo = Answer::With(404, Vec::new(), format!("no_service: {}/{TOKEN}", harness.provider.url()));
    harness.provider.script_mails([echo]);
    let slack = WebhookSink::new("ops", url("slack", &harness.provider, &format!("/services/{TOKEN}")));
    let mut retry = impatient();
    retry.probe = Duration::from_millis(50);
    let builder = builder(&harness, slack).retry(retry);
    let shown = format!("{builder:?}");
    let handle = with_layer(builder, || error!("payment to {TOKEN} failed, <!channel>"));
    assert!(handle.flush(PATIENCE).is_complete());

    let requests = harness.provider.requests();
    let told = requests.last().unwrap().json();
    assert_eq!(requests.len(), 2);
    assert!(told["text"].as_str().unwrap().contains("failed, &lt;!channel&gt;"), "{told}");
    assert_eq!(rows(&harness.database(), "SELECT DISTINCT data ->> 'reference' FROM delivery"), ["NULL"]);
    let recipients = rows(&harness.database(), "SELECT * FROM delivery").concat();
    assert!(recipients.contains("webhook:ops"), "{recipients}");
    let heard = harness.heard().concat();
    assert!(heard.contains("webhook:ops is paused") && heard.contains("no_service"), "{heard}");
    let body = told.to_string();
    let host = harness.provider.address.to_string();
    for text in [shown, heard, all_of(&harness), body] {
        assert!(!text.contains(TOKEN) && !text.contains(&host), "{text}");
    }
}

#[test]
fn a_new_url_gets_what_was_left_of_the_old_one() {
    let mut harness = Harness::new();
    let gone = Provider::at(Provider::nowhere());
    let old = builder(&harness, WebhookSink::new("ops", url("generic", &gone, "/old")));
    let handle = with_layer(old, || error!("payment failed"));
    eventually("it was tried", || handle.stats().retried >= 1);
    assert_eq!(handle.shutdown(Duration::from_millis(500)).pending, 1);

    harness.provider = Provider::start();
    let new = builder(&harness, WebhookSink::new("ops", url("discord", &harness.provider, "/new")));
    let handle = with_layer(new, || ());
    eventually("it was sent", || handle.stats().delivered == 1);
    let [told] = &harness.provider.requests()[..] else { panic!("one request") };
    assert_eq!(told.path, "/new?wait=true");
    assert!(told.json()["content"].as_str().unwrap().contains("payment failed"));
}

/// A URL that is gone keeps nobody else waiting, and the others tell of it.
#[test]
fn one_webhook_does_not_delay_another() {
    let harness = Harness::new();
    let gone = Provider::start();
    gone.always_mails(Answer::status(410));
    let builder = builder(&harness, WebhookSink::new("gone", url("slack", &gone, "/x")));
    let builder = builder.webhook(WebhookSink::new("here", url("teams", &harness.provider, "/x")));
    let handle = with_layer(builder, || error!("payment failed"));
    eventually("one has it", || handle.stats().delivered == 1);
    assert_eq!(harness.provider.requests().len(), 1);
    assert_eq!(handle.stats().dead, 0, "it is kept for a new URL");
}

#[test]
fn webhooks_have_a_level_and_a_rhythm_of_their_own() {
    let harness = Harness::new();
    let any = |label, path| WebhookSink::new(label, url("generic", &harness.provider, path));
    let builder = builder(&harness, any("strict", "/strict")).webhook(any("rare", "/rare"));
    let builder = builder
        .level(tracing::Level::WARN)
        .webhook_level(tracing::Level::ERROR)
        .webhook_budget(Budget::new(1, Duration::from_secs(3600), 5));
    let handle = with_layer(builder, || {
        tracing::warn!("nearly");
        error!("payment failed");
    });
    eventually("both have it", || handle.stats().delivered == 2);
    let told = harness.provider.requests();
    assert!(told.iter().all(|request| request.json()["short"].as_str().unwrap().contains("payment failed")));
}

/// What PagerDuty was told: the action, and the key.
fn events(provider: &Provider) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let event = |request: &Request| {
        let body = request.json();
        (text(&body["event_action"]), text(&body["dedup_key"]))
    };
    provider.requests().iter().map(event).collect()
}

fn pager(harness: &Harness) -> WebhookSink {
    let path = "/v2/enqueue?routing_key=0123456789abcdef0123456789abcdef";
    WebhookSink::new("pager", url("pagerduty", &harness.provider, path))
}

#[test]
fn the_end_of_an_incident_resolves_its_alert() {
    let harness = Harness::new();
    let layer = builder(&harness, pager(&harness)).build().unwrap();
    let handle = layer.handle();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        error!("payment failed");
        assert!(handle.flush(PATIENCE).is_complete());
        rows(&harness.database(), &time_passes(31 * 60 * 1000));
        error!(target: "another", "something else");
        eventually("it is resolved", || events(&harness.provider).len() == 3);
    });
    let told = events(&harness.provider);
    let resolved: Vec<_> = told.iter().filter(|(action, _)| action == "resolve").collect();
    assert_eq!(resolved, [&("resolve".to_owned(), told[0].1.clone())], "{told:?}");
    let request = harness.provider.requests().remove(0);
    assert_eq!((request.path.as_str(), request.method.as_str()), ("/v2/enqueue", "POST"));
    let summaries: Vec<_> =
        harness.provider.requests().iter().map(|it| it.json()["payload"]["summary"].clone()).collect();
    let words = |text: &&Value| text.as_str().unwrap().starts_with("no more events: [MyApp] ");
    assert_eq!(summaries.iter().filter(words).count(), 1, "{summaries:?}");
}

/// After a restart nobody knows whether the errors ended, or only the program that had them.
#[test]
fn another_process_or_one_that_is_told_not_to_resolves_nothing() {
    for resolves in [true, false] {
        let harness = Harness::new();
        let pager = || pager(&harness).resolve(resolves);
        let handle = with_layer(builder(&harness, pager()), || error!("payment failed"));
        assert!(handle.shutdown(PATIENCE).is_complete());
        rows(&harness.database(), &time_passes(31 * 60 * 1000));
        let handle = with_layer(builder(&harness, pager()), || error!(target: "another", "something else"));
        assert!(handle.flush(PATIENCE).is_complete());
        eventually("it is over", || {
            rows(&harness.database(), "SELECT count(*) FROM incident WHERE closed_at IS NULL") == ["1"]
        });
        let told = events(&harness.provider);
        assert!(told.len() == 2 && told.iter().all(|(action, _)| action == "trigger"), "{told:?}");
    }
}

/// The calls of a heartbeat: how, where, and with what.
fn calls(provider: &Provider) -> Vec<(String, String, String)> {
    let requests = provider.requests().into_iter().filter(|request| request.path.starts_with("/ping"));
    requests.map(|request| (request.method, request.path, request.body)).collect()
}

fn has_call(provider: &Provider, method: &str, path: &str, body: &str) -> bool {
    calls(provider).iter().any(|call| (&*call.0, &*call.1) == (method, path) && call.2.contains(body))
}

/// Builds a layer, and emits below it.
fn under(builder: Builder, work: impl FnOnce(AlertHandle)) {
    let layer = builder.build().unwrap();
    let handle = layer.handle();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || work(handle));
}

#[test]
fn a_heartbeat_is_called_while_no_sink_fails_and_is_told_which_one_does() {
    let harness = Harness::new();
    let watcher = Provider::start();
    let path = format!("/ping/{TOKEN}");
    let mut retry = impatient();
    retry.probe = Duration::from_millis(50);
    let builder = harness.builder().heartbeat(url("healthchecks", &watcher, &path)).retry(retry);
    let builder = builder.heartbeat_every(Duration::from_secs(1));
    assert!(!format!("{builder:?}").contains(TOKEN));
    under(builder, |handle| {
        eventually("it is called", || has_call(&watcher, "GET", &path, ""));
        assert!(!has_call(&watcher, "POST", &format!("{path}/fail"), ""));
        harness.provider.always_sms(Answer::twilio_error(401, 20003));
        error!("payment to {TOKEN} failed");
        let why = "messages do not get through by: twilio";
        eventually("it is told", || has_call(&watcher, "POST", &format!("{path}/fail"), why));
        harness.provider.always_sms(Answer::With(201, Vec::new(), "{}".to_owned()));
        eventually("it arrives", || handle.stats().delivered == 2);
        let called = calls(&watcher).len();
        eventually("it is called again", || calls(&watcher)[called..].iter().any(|call| call.0 == "GET"));
        assert!(handle.shutdown(PATIENCE).is_complete());
    });
    assert!(!all_of(&harness).contains(TOKEN) && !harness.heard().concat().contains(TOKEN));
}

#[test]
fn a_heartbeat_tells_that_the_database_takes_no_writes() {
    let harness = Harness::new();
    std::fs::create_dir(harness.database()).unwrap();
    let (watcher, other) = (Provider::start(), Provider::start());
    let every = Duration::from_secs(1);
    let told = harness.builder().heartbeat(url("healthchecks", &watcher, "/ping/1")).heartbeat_every(every);
    let untold = harness.builder().heartbeat(format!("{}/ping/2", other.url())).heartbeat_every(every);
    under(told, |_| {
        under(untold, |_| {
            let why = "the database takes no writes";
            eventually("it is told", || has_call(&watcher, "POST", "/ping/1/fail", why));
            eventually("it is told again", || calls(&watcher).len() >= 3);
        });
    });
    assert!(!has_call(&watcher, "GET", "/ping/1", ""));
    // Who has no address for trouble misses the calls.
    assert_eq!(calls(&other), []);
}

#[test]
fn a_heartbeat_that_nobody_takes_is_one_line_without_its_url() {
    let harness = Harness::new();
    let watcher = Provider::start();
    watcher.always_mails(Answer::status(404));
    let builder = harness.builder().heartbeat(format!("{}/ping/{TOKEN}", watcher.url()));
    under(builder.heartbeat_every(Duration::from_secs(1)), |_| {
        eventually("it is said", || harness.heard().concat().contains("the heartbeat was not taken"));
        eventually("it is called again", || calls(&watcher).len() >= 2);
    });
    let heard = harness.heard();
    assert_eq!(heard.len(), 1, "{heard:?}");
    let host = watcher.address.to_string();
    assert!(
        heard[0].contains("(HTTP 404)") && !heard[0].contains(TOKEN) && !heard[0].contains(&host),
        "{heard:?}"
    );
}

/// As a program is set up that has no code for it.
#[test]
fn the_environment_sets_all_of_it() {
    let harness = Harness::new();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("hooks");
    std::fs::write(&file, format!("ops={}\n", url("slack", &harness.provider, &format!("/{TOKEN}"))))
        .unwrap();
    let output = harness
        .child("return")
        .env("ALERT_WEBHOOK_FILE", &file)
        .env("ALERT_WEBHOOK_WINDOW", "0")
        .env("ALERT_HEARTBEAT_URL", format!("{}/ping/{TOKEN}", harness.provider.url()))
        .output()
        .unwrap();
    assert!(output.status.success());
    assert_eq!(said(&output), [""; 0]);
    let posted = harness.provider.requests().into_iter().filter(|it| it.path == format!("/{TOKEN}"));
    let posted: Vec<_> = posted.map(|request| request.json()["text"].to_string()).collect();
    assert_eq!(posted.len(), 1, "{posted:?}");
    assert!(posted[0].contains("[MyApp]"), "{posted:?}");
    // The program ended long before the first call of a heartbeat.
    assert_eq!(calls(&harness.provider), []);
}
