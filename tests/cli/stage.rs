//! What the tests stand on: a directory with a database, a service, and the command.

use std::{
    path::PathBuf,
    process::{Command, Output},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use serde_json::Value;

use crate::{program::Program, service::Service};

/// Long enough for anything that will happen at all: programs look at the file every 30 s.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) const ACCOUNT: &str = "AC00000000000000000000000000000000";
pub(crate) const PHONE: &str = "+12065550147";
pub(crate) const SECRETS: [&str; 3] =
    ["twilio-token-nobody-may-see", "SG.sendgrid-key-nobody-may-see", "webhook-path-nobody-may-see"];

/// Settings that are complete, each to be changed.
pub(crate) struct Stage {
    pub(crate) service: Service,
    directory: tempfile::TempDir,
    pub(crate) settings: Vec<(&'static str, String)>,
}

impl Stage {
    pub(crate) fn new() -> Self {
        Self::with(Service::start())
    }

    pub(crate) fn with(service: Service) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let database = directory.path().join("alerts.db").display().to_string();
        let set = [
            ("ALERT_APP_NAME", "shop".to_owned()),
            ("ALERT_DATABASE", database),
            ("ALERT_PHONE", PHONE.to_owned()),
            ("TWILIO_ACCOUNT_SID", ACCOUNT.to_owned()),
            ("TWILIO_AUTH_TOKEN", SECRETS[0].to_owned()),
            ("TWILIO_SENDER_NUMBER", "+12065550100".to_owned()),
            ("TWILIO_BASE_URL", service.url()),
            ("ALERT_EMAIL", "on-call@example.com".to_owned()),
            ("SENDGRID_API_KEY", SECRETS[1].to_owned()),
            ("SENDGRID_SENDER_EMAIL", "alerts@example.com".to_owned()),
            ("SENDGRID_BASE_URL", service.url()),
            ("ALERT_SETTLE", "0s".to_owned()),
            ("ALERT_SMS_WINDOW", "0s".to_owned()),
            ("ALERT_EMAIL_WINDOW", "0s".to_owned()),
            ("ALERT_SMS_BUDGET", "off".to_owned()),
            ("ALERT_EMAIL_BUDGET", "off".to_owned()),
        ];
        Self { service, directory, settings: set.to_vec() }
    }

    /// Sets a variable, or takes it out if it is to be blank.
    pub(crate) fn set(&mut self, name: &'static str, value: &str) {
        self.settings.retain(|(known, _)| *known != name);
        if !value.is_empty() {
            self.settings.push((name, value.to_owned()));
        }
    }

    pub(crate) fn directory(&self) -> PathBuf {
        self.directory.path().to_owned()
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.directory.path().join("alerts.db")
    }

    /// What is in the directory, by name.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.directory.path()).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    pub(crate) fn program(&self) -> Program {
        Program::start(&self.settings)
    }

    /// The command, with the settings of the program in its environment.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tracing-alert"));
        command.args(arguments).env_clear().env("TZ", noon()).env("USER", "ann");
        command.envs(self.settings.iter().map(|(name, value)| (name, value)));
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(self.command(arguments).output().unwrap())
    }

    /// What a command says as JSON; it has to go well.
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let ran = self.run(&[arguments, &["--json"]].concat());
        assert!(ran.is_well, "{arguments:?}: {}", ran.text);
        serde_json::from_str(&ran.text).unwrap_or_else(|error| panic!("{error}: {}", ran.text))
    }
}

/// A zone where it is about noon: so that what is two hours away is on the same day.
fn noon() -> String {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    format!("NOON{:+}", i64::try_from(seconds / 3600 % 24).unwrap() - 12)
}

/// What a command said, and how it ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) text: String,
    pub(crate) errors: String,
    pub(crate) is_well: bool,
}

impl Ran {
    pub(crate) fn of(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let ran =
            Self { text: text(output.stdout), errors: text(output.stderr), is_well: output.status.success() };
        for secret in SECRETS {
            assert!(!ran.text.contains(secret) && !ran.errors.contains(secret), "a secret is shown: {ran:?}");
        }
        assert!(!ran.text.contains('\u{1b}'), "a color off a terminal: {ran:?}");
        ran
    }

    /// The line with this in it.
    pub(crate) fn line(&self, part: &str) -> &str {
        self.text
            .lines()
            .find(|line| line.contains(part))
            .unwrap_or_else(|| panic!("no {part:?} in {}", self.text))
    }
}

/// Waits until something is so.
pub(crate) fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
