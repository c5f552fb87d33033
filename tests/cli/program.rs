//! A program with alerts, as a child process: it does what it is told on its stdin.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::Duration,
};

use tracing::error;
use tracing_alert::{AlertHandle, AlertLayer, Matcher, StoreState};
use tracing_subscriber::prelude::*;

use crate::stage::PATIENCE;

/// Names what is a child.
pub(crate) const CHILD: &str = "TRACING_ALERT_CLI_CHILD";

/// What the child does; run as a test, it does nothing.
#[test]
fn run() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    tracing_subscriber::registry().with(AlertLayer::from_env()).init();
    let alerts = AlertHandle::current().unwrap();
    while alerts.stats().store != StoreState::Durable {
        std::thread::sleep(Duration::from_millis(5));
    }
    println!("ready");
    for line in std::io::stdin().lines() {
        let line = line.unwrap();
        let (word, rest) = line.split_once(' ').unwrap_or((&line, ""));
        match word {
            "error" => error!(target: "shop::payment", "{rest}"),
            "stock" => error!(target: "shop::stock", "{rest}"),
            "flush" => assert!(alerts.flush(PATIENCE).in_time),
            "wait" => {
                while alerts.stats().persisted < rest.parse().unwrap() {
                    std::thread::sleep(Duration::from_millis(5));
                }
            }
            "silence" => assert!(alerts.silence(Matcher::new().message(rest), Duration::from_secs(3600))),
            "unsilence" => assert!(alerts.unsilence(Matcher::new().message(rest))),
            "end" => break,
            other => panic!("{other}"),
        }
        println!("done {word}");
    }
}

/// A running child.
pub(crate) struct Program {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Program {
    /// Starts one with these settings and nothing else.
    pub(crate) fn start(settings: &[(&'static str, String)]) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["program::run", "--exact", "--nocapture", "--test-threads=1"])
            .env_clear()
            .env(CHILD, "1")
            .envs(settings.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (stdin, stdout) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let mut program = Self { child, stdin, stdout };
        program.hear("ready");
        program
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Has it do something, and waits until it did.
    pub(crate) fn tell(&mut self, line: &str) {
        writeln!(self.stdin, "{line}").unwrap();
        let word = line.split(' ').next().unwrap();
        self.hear(&format!("done {word}"));
    }

    fn hear(&mut self, word: &str) {
        let mut line = String::new();
        while self.stdout.read_line(&mut line).unwrap() > 0 {
            // The harness writes the beginning of its own line before.
            if line.trim_end().ends_with(word) {
                return;
            }
            line.clear();
        }
        panic!("the program ended and never said {word:?}");
    }

    /// As the system does it, with no chance to tidy up.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Has it end by itself.
    pub(crate) fn end(mut self) {
        writeln!(self.stdin, "end").unwrap();
        assert!(self.child.wait().unwrap().success());
    }
}

/// A test that failed leaves none behind.
impl Drop for Program {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
