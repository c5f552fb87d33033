//! A secret in an event reaches neither the disk nor a provider.

use std::{error::Error, fmt, path::Path, time::Duration};

use tracing::{Level, error, info, info_span};
use tracing_alert::AlertHandle;

use crate::support::{API_KEY, AUTH_TOKEN, Harness, PATIENCE, with_layer};

/// One for each place in an event.
const SECRETS: [&str; 11] = [
    "in-the-message-1",
    "in-a-url-2",
    "in-a-field-3",
    "in-a-debug-text-4",
    "in-a-cause-5",
    "in-a-span-6",
    "recorded-later-7",
    "in-what-was-before-8",
    "said before 9",
    "9182736455",
    "4242424242424242",
];

#[derive(Debug)]
struct Failure(&'static str, Option<Box<Self>>);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.1.as_deref().map(|cause| cause as &(dyn Error + 'static))
    }
}

#[derive(Debug)]
#[expect(dead_code, reason = "only its Debug is read")]
struct Login {
    user: &'static str,
    password: &'static str,
}

fn fail() {
    let cause = Failure("GET /?api_key=in-a-cause-5 refused", None);
    let failure = Failure("the request failed", Some(Box::new(cause)));
    let span = info_span!("login", session_id = "in-a-span-6", token = tracing::field::Empty);
    span.record("token", "recorded-later-7");
    let _entered = span.entered();
    info!(secret = "in-what-was-before-8", r#"the bank wants password="said before 9""#);
    error!(
        access_token = "in-a-field-3",
        pin = 9_182_736_455_u64,
        card = 4_242_424_242_424_242_u64,
        login = ?Login { user: "bob", password: "in-a-debug-text-4" },
        url = "postgres://app:in-a-url-2@db/orders",
        error = &failure as &dyn Error,
        "login failed: password=in-the-message-1"
    );
}

/// What of `secrets` is in the database's files, as bytes.
fn on_disk(directory: &Path, secrets: &[&'static str]) -> (Vec<&'static str>, usize) {
    let files = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let files: Vec<_> =
        files.filter(|path| path.is_file()).map(|path| std::fs::read(path).unwrap()).collect();
    let has =
        |text: &str| files.iter().any(|bytes| bytes.windows(text.len()).any(|part| part == text.as_bytes()));
    assert!(has("login failed"), "the event is not on disk");
    (secrets.iter().copied().filter(|secret| has(secret)).collect(), files.len())
}

fn sent(harness: &Harness, secrets: &[&'static str]) -> Vec<&'static str> {
    let requests = harness.provider.requests();
    let bodies: Vec<_> =
        requests.iter().map(|request| format!("{} {}", request.path, request.body)).collect();
    assert!(requests.iter().any(|request| request.is_sms()), "no SMS");
    assert!(requests.iter().any(|request| request.is_mail()), "no mail");
    secrets.iter().copied().filter(|secret| bodies.iter().any(|body| body.contains(secret))).collect()
}

fn flushed(handle: &AlertHandle) {
    assert!(handle.flush(PATIENCE).is_complete());
}

#[test]
fn no_secret_of_an_event_reaches_the_disk_or_a_provider() {
    let harness = Harness::new();
    let handle = with_layer(harness.builder().breadcrumbs(Level::INFO), fail);
    flushed(&handle);
    let directory = harness.database().parent().unwrap().to_owned();
    let (leaked, files) = on_disk(&directory, &SECRETS);
    assert_eq!(leaked, [""; 0], "on disk, with the journal");
    assert!(files > 1, "the journal was not looked at");
    assert!(handle.shutdown(Duration::from_secs(20)).is_complete());
    assert_eq!(on_disk(&directory, &SECRETS).0, [""; 0], "on disk, after the end");
    assert_eq!(sent(&harness, &SECRETS), [""; 0], "sent");
    let requests = harness.provider.requests();
    let mail = requests.iter().find(|request| request.is_mail()).unwrap();
    for rule in ["password", "token", "api_key", "session", "pin", "card", "secret"] {
        assert!(mail.body.contains(&format!("[redacted:{rule}]")), "the mail names no {rule}: {}", mail.body);
    }
}

/// What is told of the program itself, and the names of its threads.
#[test]
fn no_secret_of_the_programs_names_reaches_the_disk_or_a_provider() {
    let secrets = ["in-the-name-12", "in-the-place-13", "in-a-thread-14"];
    let harness = Harness::new();
    let builder = harness
        .builder()
        .app_name("shop password=in-the-name-12")
        .environment("postgres://app:in-the-place-13@db/orders");
    let handle = with_layer(builder, || {
        let dispatch = tracing::dispatcher::get_default(Clone::clone);
        let named = std::thread::Builder::new().name("worker token=in-a-thread-14".into());
        let fail = move || tracing::dispatcher::with_default(&dispatch, || error!("login failed"));
        named.spawn(fail).unwrap().join().unwrap();
    });
    flushed(&handle);
    assert_eq!(on_disk(harness.database().parent().unwrap(), &secrets).0, [""; 0], "on disk");
    assert_eq!(sent(&harness, &secrets), [""; 0], "sent");
}

#[test]
fn with_redaction_off_an_event_is_kept_and_sent_as_it_is() {
    let harness = Harness::new();
    let handle = with_layer(harness.builder().breadcrumbs(Level::INFO).redaction(false), fail);
    flushed(&handle);
    assert_eq!(on_disk(harness.database().parent().unwrap(), &SECRETS).0, SECRETS);
    assert_eq!(sent(&harness, &SECRETS), SECRETS);
}

/// By their names or shapes they would not be found.
#[test]
fn the_sinks_own_credentials_are_replaced_even_with_redaction_off() {
    for redaction in [true, false] {
        let harness = Harness::new();
        let handle = with_layer(harness.builder().redaction(redaction), || {
            let _entered = info_span!("login", with = API_KEY).entered();
            error!(text = format!("{API_KEY}!"), "login failed: [{AUTH_TOKEN}] refused");
        });
        flushed(&handle);
        let own = [AUTH_TOKEN, API_KEY];
        assert_eq!(on_disk(harness.database().parent().unwrap(), &own).0, [""; 0], "on disk");
        assert_eq!(sent(&harness, &own), [""; 0], "sent");
        let requests = harness.provider.requests();
        let mail = requests.iter().find(|request| request.is_mail()).unwrap();
        assert!(mail.body.contains("login failed: [[redacted:credential]] refused"), "{}", mail.body);
    }
}
