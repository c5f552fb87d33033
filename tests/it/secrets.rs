//! No credential and no phone number shows anywhere, whatever the providers
//! answer: not in a `Debug`, a `Display`, a log line or the database.

use std::{fmt::Debug, path::Path, process::Output, time::Duration};

use tracing::error;
use tracing_alert::{AlertLayer, MemorySink, Receipt, SendError, SendGridSink, TwilioSink};
use tracing_subscriber::prelude::*;

use crate::{
    child::feedback::{ABORT, ATTEMPTS, DONE},
    support::{
        ACCOUNT_SID, API_KEY, AUTH_TOKEN, Answer, Harness, PATIENCE, PHONE, Provider, SENDER, is_abort, rows,
    },
};

const KEY_SID: &str = "SK00000000000000000000000000000000";
const KEY_SECRET: &str = "twilio-key-secret-that-nobody-may-see";

/// The `Authorization` of both ways to log in at Twilio.
const BY_TOKEN: &str =
    "QUMwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDp0d2lsaW8tYXV0aC10b2tlbi10aGF0LW5vYm9keS1tYXktc2Vl";
const BY_KEY: &str =
    "U0swMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDp0d2lsaW8ta2V5LXNlY3JldC10aGF0LW5vYm9keS1tYXktc2Vl";

const CREDENTIALS: [&str; 6] = [AUTH_TOKEN, KEY_SID, KEY_SECRET, API_KEY, BY_TOKEN, BY_KEY];

/// Without the plus: it may be encoded.
const NUMBERS: [&str; 2] = ["15551230001", "15550009999"];

#[test]
fn whatever_the_providers_answer_no_secret_shows() {
    let harness = Harness::new();
    harness.provider.script_sms(echoing(&by_token()));
    harness.provider.script_mails(echoing(&by_bearer()));
    let output = harness.child("feedback-providers").env(ATTEMPTS, "12").output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_quiet(&output);
    assert_clean(&harness.database());

    // One answer of each provider kills whatever asks then: what tells of it, too.
    let settled = "SELECT count(*) FROM delivery JOIN notice ON notice.id = notice_id
                    WHERE state <> 'pending' AND kind <> 'health'";
    let refused = "SELECT count(*) FROM delivery WHERE state = 'dead'";
    let [settled, refused] = [settled, refused].map(|sql| rows(&harness.database(), sql).remove(0));
    assert!(["2", "3", "4"].contains(&settled.as_str()), "{settled}");
    assert_eq!(refused, "2");
    // What it was about was really there.
    let requests = format!("{:?}", harness.provider.requests());
    assert!([BY_TOKEN, API_KEY, NUMBERS[0]].iter().all(|secret| requests.contains(secret)), "{requests}");
}

/// The process is killed, so the journal still has what was overwritten since.
#[test]
fn a_journal_that_was_left_has_no_secret() {
    let harness = Harness::new();
    harness.provider.script_sms(echoing(&by_key()));
    harness.provider.script_mails(echoing(&by_bearer()));
    let mut child = harness.child("feedback-providers");
    child.env("TWILIO_API_KEY", KEY_SID).env("TWILIO_API_KEY_SECRET", KEY_SECRET).env(ABORT, "");
    let output = child.env(ATTEMPTS, "12").output().unwrap();
    assert!(is_abort(output.status), "{output:?}");
    assert_quiet(&output);
    assert!(journal(&harness.database()).metadata().unwrap().len() > 0);
    assert_clean(&harness.database());
    assert!(format!("{:?}", harness.provider.requests()).contains(BY_KEY));
}

#[test]
fn a_refused_connection_shows_no_secret() {
    let harness = Harness::new();
    let nowhere = format!("http://{}", Provider::nowhere());
    let mut child = harness.child("feedback-providers");
    child.env("TWILIO_BASE_URL", &nowhere).env("SENDGRID_BASE_URL", &nowhere);
    let output = child.env(ATTEMPTS, "6").output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_quiet(&output);
    assert_clean(&harness.database());
}

#[test]
fn nothing_public_shows_a_secret() {
    let twilio = || TwilioSink::new(ACCOUNT_SID, AUTH_TOKEN).sender_number(SENDER);
    let twilio_by_key = TwilioSink::with_api_key(ACCOUNT_SID, KEY_SID, KEY_SECRET).sender_number(SENDER);
    let sendgrid = || SendGridSink::new(API_KEY, "alerts@example.com");
    assert_silent(&[&twilio(), &twilio_by_key, &sendgrid()]);

    let sink = MemorySink::new();
    let builder = AlertLayer::builder()
        .in_memory()
        .panics(false)
        .settle(Duration::ZERO)
        .sink(sink.clone(), [PHONE.to_owned(), format!("whatsapp:{PHONE}")])
        .sms(twilio(), [PHONE])
        .email(sendgrid(), ["on-call@example.com"]);
    assert_silent(&[&builder]);
    let layer = builder.build().unwrap();
    let handle = layer.handle();
    assert_silent(&[&layer, &handle, &handle.stats(), &handle.flush(Duration::ZERO)]);
    drop(handle);
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        error!("payment failed");
    });
    let messages = sink.wait_for(2, PATIENCE);
    assert_eq!(messages.len(), 2);
    assert_silent(&[&messages, &messages[0].notice, &sink, &Receipt::default(), &SendError::rejected("no")]);
}

#[test]
fn an_error_about_a_secret_does_not_show_it() {
    // Each in the wrong place, or mistyped.
    let numbers = [PHONE.replace('+', "00"), format!("{PHONE}x"), AUTH_TOKEN.to_owned(), API_KEY.to_owned()];
    let token = format!("{AUTH_TOKEN} ");
    let swapped = TwilioSink::new(AUTH_TOKEN, ACCOUNT_SID).sender_number(KEY_SECRET).base_url(API_KEY);
    let keyed = TwilioSink::with_api_key(KEY_SID, KEY_SECRET, token).messaging_service_sid(AUTH_TOKEN);
    let sendgrid =
        SendGridSink::new(format!("{API_KEY}\n"), API_KEY).base_url(format!("http://u:{API_KEY}@h"));
    assert_silent(&[&swapped, &keyed, &sendgrid]);
    for builder in [
        AlertLayer::builder().sms(swapped, numbers.clone()).email(sendgrid, numbers.clone()),
        AlertLayer::builder().sms(keyed, numbers),
    ] {
        let error = builder.build::<tracing_subscriber::Registry>().unwrap_err();
        assert_silent(&[&error]);
        assert_shows_none("an error's Display", error.to_string().as_bytes(), &[&CREDENTIALS[..], &NUMBERS]);
    }
}

/// What a provider that was given `secrets` can echo, in all manners; ends with
/// a refusal for good.
fn echoing(secrets: &str) -> Vec<Answer> {
    let echo = format!("{secrets} To={PHONE} To=%2B{} From={SENDER}", NUMBERS[0]);
    let json = format!(
        r#"{{"code":1,"message":"bad: {echo}","errors":[{{"message":"bad: {echo}","field":"{PHONE}"}}]}}"#
    );
    let page = format!("<html><title>{PHONE}</title><body class=\"{PHONE}\"><p>{echo}</p></body></html>");
    let elsewhere = format!("/?to={PHONE}&key={secrets}");
    vec![
        Answer::With(401, Vec::new(), json.clone()),
        Answer::With(302, Vec::new(), page.clone()).header("location", elsewhere),
        Answer::With(503, Vec::new(), page),
        Answer::Cut,
        Answer::With(500, Vec::new(), json.clone()).header("x-echo", &echo),
        Answer::With(400, Vec::new(), json),
    ]
}

fn by_token() -> String {
    format!("{AUTH_TOKEN} {ACCOUNT_SID}:{AUTH_TOKEN} Authorization: Basic {BY_TOKEN} auth={BY_TOKEN}")
}

fn by_key() -> String {
    format!("{KEY_SID}:{KEY_SECRET} Authorization: Basic {BY_KEY} auth={BY_KEY}")
}

fn by_bearer() -> String {
    format!("{API_KEY} \\\"Authorization\\\": [\\\"Bearer {API_KEY}\\\"]")
}

/// All that a child said, at TRACE on stderr and by `Debug` on stdout.
fn assert_quiet(output: &Output) {
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(String::from_utf8_lossy(&output.stdout).contains(DONE), "{output:?}");
    assert!(log.contains("tracing-alert: "), "nobody talked: {log}");
    assert!(!log.contains("reqwest::connect"), "our client talked to the program: {log}");
    let secrets = [&CREDENTIALS[..], &NUMBERS];
    assert_shows_none("stderr", &output.stderr, &secrets);
    assert_shows_none("stdout", &output.stdout, &secrets);
}

/// A number is in the database only as the recipient of a delivery.
fn assert_clean(database: &Path) {
    for file in [database.to_owned(), journal(database)].iter().filter(|file| file.exists()) {
        let bytes = std::fs::read(file).unwrap();
        assert_shows_none(&file.display().to_string(), &bytes, &[&CREDENTIALS]);
    }
    let errors = rows(database, "SELECT last_error FROM delivery WHERE last_error IS NOT NULL");
    assert!(!errors.is_empty());
    assert_shows_none("last_error", errors.join("\n").as_bytes(), &[&CREDENTIALS[..], &NUMBERS]);
}

fn journal(database: &Path) -> std::path::PathBuf {
    database.with_extension("db-wal")
}

fn assert_silent(values: &[&dyn Debug]) {
    for value in values {
        for text in [format!("{value:?}"), format!("{value:#?}")] {
            assert_shows_none("a Debug", text.as_bytes(), &[&CREDENTIALS[..], &NUMBERS]);
        }
    }
}

fn assert_shows_none(place: &str, bytes: &[u8], secrets: &[&[&str]]) {
    for secret in secrets.concat() {
        let at = bytes.windows(secret.len()).position(|window| window == secret.as_bytes());
        let near =
            at.map(|at| String::from_utf8_lossy(&bytes[at.saturating_sub(200)..bytes.len().min(at + 100)]));
        assert_eq!(near, None, "{place} shows {secret}");
    }
}
