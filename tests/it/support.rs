//! What the tests stand on: a temporary database beside a provider, child
//! processes, and waiting with a deadline.

use std::{
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use tempfile::TempDir;
use tracing_alert::{AlertHandle, AlertLayer, Builder, RetryPolicy, SendGridSink, TwilioSink};
use tracing_subscriber::prelude::*;

pub(crate) use crate::provider::{Answer, Provider};

/// Long enough for anything that will happen at all; Wine starts a process slowly.
pub(crate) const PATIENCE: Duration = Duration::from_secs(if cfg!(windows) { 60 } else { 20 });

pub(crate) const ACCOUNT_SID: &str = "AC00000000000000000000000000000000";
pub(crate) const AUTH_TOKEN: &str = "twilio-auth-token-that-nobody-may-see";
pub(crate) const API_KEY: &str = "SG.sendgrid-key-that-nobody-may-see";
pub(crate) const SENDER: &str = "+15550009999";
pub(crate) const PHONE: &str = "+15551230001";
pub(crate) const EMAIL: &str = "on-call@example.com";

/// A directory with a database, and a provider.
pub(crate) struct Harness {
    pub(crate) provider: Provider,
    directory: TempDir,
    heard: Heard,
}

/// What the crate said of its own trouble.
#[derive(Clone, Default)]
pub(crate) struct Heard(Arc<Mutex<Vec<String>>>);

impl Heard {
    /// Has it hear what the layer says.
    pub(crate) fn by(&self, builder: Builder) -> Builder {
        let lines = Arc::clone(&self.0);
        builder.on_trouble(move |line| lines.lock().unwrap().push(line.to_owned()))
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

impl Harness {
    pub(crate) fn new() -> Self {
        Self { provider: Provider::start(), directory: tempfile::tempdir().unwrap(), heard: Heard::default() }
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.directory.path().join("alerts.db")
    }

    /// Settings for both providers, one phone and one inbox; with no settle time,
    /// no windows, no budgets and no panic hook.
    pub(crate) fn builder(&self) -> Builder {
        self.hear(builder(&self.provider.url(), self.database()))
    }

    /// Has it hear what the layer says of its trouble.
    pub(crate) fn hear(&self, builder: Builder) -> Builder {
        self.heard.by(builder)
    }

    /// What such layers, and those of [`builder`](Self::builder), said.
    pub(crate) fn heard(&self) -> Vec<String> {
        self.heard.lines()
    }

    /// A child process that runs `scenario` of [`child`](crate::child) with the
    /// same settings, given by the environment.
    pub(crate) fn child(&self, scenario: &str) -> Command {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(["child::run", "--exact", "--nocapture", "--test-threads=1"])
            .env_clear()
            // Without it, Windows gives a process no sockets.
            .envs(std::env::var_os("SYSTEMROOT").map(|root| ("SYSTEMROOT", root)))
            // How often a test repeats what it does.
            .envs(std::env::var_os("FORKS").map(|forks| ("FORKS", forks)))
            .env(CHILD, scenario)
            .envs(self.variables())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// The settings of [`builder`](Self::builder) as environment variables.
    pub(crate) fn variables(&self) -> Vec<(&'static str, String)> {
        let url = self.provider.url();
        vec![
            ("TWILIO_ACCOUNT_SID", ACCOUNT_SID.to_owned()),
            ("TWILIO_AUTH_TOKEN", AUTH_TOKEN.to_owned()),
            ("TWILIO_SENDER_NUMBER", SENDER.to_owned()),
            ("TWILIO_BASE_URL", url.clone()),
            ("SENDGRID_API_KEY", API_KEY.to_owned()),
            ("SENDGRID_SENDER_EMAIL", "alerts@example.com".to_owned()),
            ("SENDGRID_BASE_URL", url),
            ("ALERT_PHONE", PHONE.to_owned()),
            ("ALERT_EMAIL", EMAIL.to_owned()),
            ("ALERT_APP_NAME", "MyApp".to_owned()),
            ("ALERT_SMS_WINDOW", "0".to_owned()),
            ("ALERT_EMAIL_WINDOW", "0".to_owned()),
            ("ALERT_SMS_BUDGET", "off".to_owned()),
            ("ALERT_EMAIL_BUDGET", "off".to_owned()),
            ("ALERT_DATABASE", self.database().display().to_string()),
        ]
    }
}

fn builder(url: &str, database: PathBuf) -> Builder {
    AlertLayer::builder()
        .app_name("MyApp")
        .database(database)
        .settle(Duration::ZERO)
        .sms_window(Duration::ZERO)
        .email_window(Duration::ZERO)
        .sms_budget(None)
        .email_budget(None)
        .panics(false)
        .sms(TwilioSink::new(ACCOUNT_SID, AUTH_TOKEN).sender_number(SENDER).base_url(url), [PHONE])
        .email(SendGridSink::new(API_KEY, "alerts@example.com").base_url(url), [EMAIL])
}

/// In a child, the builder of the [`Harness`] that started it.
pub(crate) fn inherited_builder() -> Builder {
    let variable = |name: &str| std::env::var(name).unwrap();
    builder(&variable("SENDGRID_BASE_URL"), variable("ALERT_DATABASE").into())
}

/// Retries that a test can wait for, many times.
pub(crate) fn impatient() -> RetryPolicy {
    let mut policy = RetryPolicy::DEFAULT;
    policy.initial = Duration::from_millis(20);
    policy.cap = Duration::from_millis(200);
    policy
}

/// Runs `work` under a subscriber with the layer, and gives the layer's handle.
/// The subscriber is gone afterwards; the handle keeps the alert thread.
pub(crate) fn with_layer(builder: Builder, work: impl FnOnce()) -> AlertHandle {
    let layer = builder.build().unwrap();
    let handle = layer.handle();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), work);
    handle
}

/// The variable that names a child's scenario.
pub(crate) const CHILD: &str = "TRACING_ALERT_TEST_CHILD";

/// Kills the child with it.
pub(crate) struct Reaped(pub(crate) Child);

impl Drop for Reaped {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Waits for the end of `child`, which has to be a good one.
pub(crate) fn finished(child: Child) -> Output {
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "the host was hurt: {}\n{}", output.status, text(&output));
    output
}

/// What one of three attempts comes to that has `enough` time: what is bounded in time may
/// be cut short where a machine is busy with something else.
pub(crate) fn in_time<T>(attempt: impl FnMut() -> T, enough: impl FnMut(&T) -> bool) -> T {
    std::iter::repeat_with(attempt).take(3).find(enough).expect("three attempts were cut short")
}

/// All that a process said.
pub(crate) fn text(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!("{}\n{}", text(&output.stdout), text(&output.stderr))
}

/// What the crate said on its stderr.
pub(crate) fn said(output: &Output) -> Vec<String> {
    own_lines(&String::from_utf8_lossy(&output.stderr))
}

/// What the crate said of what was said.
pub(crate) fn own_lines(stderr: &str) -> Vec<String> {
    stderr.lines().filter(|line| line.starts_with("tracing-alert: ")).map(str::to_owned).collect()
}

/// Waits until `child` says `word`.
pub(crate) fn hear(child: &mut Child, word: &str) {
    let mut output = BufReader::new(child.stdout.as_mut().unwrap());
    let heard = output.by_ref().lines().map_while(Result::ok).any(|line| line == word);
    assert!(heard, "the child never said {word:?}");
}

/// Whether a process was killed or aborted, and none of its code ran at the end.
pub(crate) fn is_abort(status: ExitStatus) -> bool {
    // Windows has no signals, but a code of its own for that.
    let fail_fast = cfg!(windows).then_some(0xC000_0409_u32.cast_signed());
    status.code() == fail_fast
}

/// Waits until `condition` holds.
pub(crate) fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The rows that `sql` gives, each a line with `|` between columns: read with
/// the sqlite3 of the crate's own SQLite, through a connection of its own.
pub(crate) fn rows(database: &Path, sql: &str) -> Vec<String> {
    try_rows(database, sql).unwrap()
}

/// As [`rows`], of a database that may be in the making.
pub(crate) fn try_rows(database: &Path, sql: &str) -> Result<Vec<String>, sqlx::Error> {
    use sqlx::{Column, ConnectOptions, Row, ValueRef, sqlite::SqliteConnectOptions};
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut connection = SqliteConnectOptions::new().filename(database).connect().await?;
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).fetch_all(&mut connection).await?;
        let texts = rows
            .iter()
            .map(|row| {
                let column = |index: usize| {
                    let value = row.try_get_raw(index).unwrap();
                    if value.is_null() {
                        return "NULL".to_owned();
                    }
                    match row.try_get_unchecked::<String, _>(index) {
                        Ok(text) => text,
                        Err(_) => row.get_unchecked::<i64, _>(index).to_string(),
                    }
                };
                row.columns().iter().map(|each| column(each.ordinal())).collect::<Vec<_>>().join("|")
            })
            .collect();
        Ok(texts)
    })
}

/// The statements after which everything in the file happened `millis` earlier:
/// for the programs that share it, so much time has passed.
pub(crate) fn time_passes(millis: i64) -> String {
    let columns = [
        ("incident", &["opened_at", "back_at", "last_at", "closed_at"][..]),
        ("standing", &["told_at", "not_before", "due_at"]),
        ("account", &["heard_at", "full_at"]),
        ("notice", &["made_at"]),
        ("delivery", &["due_at", "created_at", "expires_at", "settled_at", "ask_at"]),
        ("refusal", &["since"]),
        ("dead_told", &["told_at", "failing_since", "failed_at", "failure_told_at"]),
        ("start", &["started_at"]),
        ("batch", &["at", "erred_at"]),
    ];
    let earlier = |column: &&str| format!("'$.{column}', data ->> '{column}' - ({millis})");
    let update = |(table, columns): (&str, &[&str])| {
        let columns: Vec<_> = columns.iter().map(earlier).collect();
        format!("UPDATE {table} SET data = json_set(data, {});", columns.join(", "))
    };
    columns.into_iter().map(update).collect()
}

/// A word of letters for `number`: no two messages with different ones are the
/// same but for a number. It is written as a variant is, so that no callsite learns that
/// it varies.
pub(crate) fn word(number: usize) -> String {
    let letter = |place: u32| char::from(b'a' + u8::try_from(number / 20_usize.pow(place) % 20).unwrap());
    ['q', letter(2).to_ascii_uppercase(), letter(1), letter(0)].into_iter().collect()
}

/// Chance that repeats itself: the same numbers from the same seed (SplitMix64).
#[derive(Clone, Debug)]
pub(crate) struct Chance(pub(crate) u64);

impl Chance {
    fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.draw() % end
    }

    /// One of so many places.
    pub(crate) fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).unwrap()
    }

    /// Any time up to `longest`.
    pub(crate) fn pause(&mut self, longest: Duration) -> Duration {
        Duration::from_micros(self.below(u64::try_from(longest.as_micros()).unwrap() + 1))
    }
}
