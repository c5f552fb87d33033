//! The command `tracing-alert`: for whoever is woken by an alert, or sets alerts up.
//!
//! Reads arguments, has `tracing_alert::operate` do the work, and writes a table or JSON.
//! Exit codes: 0 if it did what it was asked, 1 if not, 2 if the arguments are wrong.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "that is what a command does")]

use std::{
    io::{self, IsTerminal, Write},
    process::ExitCode,
};

use clap::{CommandFactory, Parser, error::ErrorKind};
use tracing_alert::operate::{Database, Unusable};

mod args;
mod change;
mod choose;
mod incidents;
mod look;
mod probe;
mod settings;
mod table;
mod watch;

use args::{Cli, Command};
use look::Look;

/// Why a command did not do what it was asked.
#[derive(Debug)]
pub(crate) enum Failure {
    /// A line for people.
    Say(String),
    /// It was said already.
    Said,
}

impl From<Unusable> for Failure {
    fn from(why: Unusable) -> Self {
        Self::Say(why.to_string())
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            // Who read it has gone, as `head` does.
            io::ErrorKind::BrokenPipe => Self::Said,
            _ => Self::Say(format!("writing failed: {error}")),
        }
    }
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    // clap does not see it of one that stands before the command and one behind it.
    if cli.common.fleet && cli.common.database.is_some() {
        let what = "the argument '--fleet' cannot be used with '--database <FILE>'";
        Cli::command().error(ErrorKind::ArgumentConflict, what).exit();
    }
    match run(&cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Said) => ExitCode::FAILURE,
        Err(Failure::Say(why)) => {
            if cli.common.json {
                println!("{}", serde_json::json!({ "error": why }));
            } else {
                eprintln!("tracing-alert: {why}");
            }
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> Result<(), Failure> {
    let settings = || settings::read(&cli.common);
    let look = Look::new(cli.common.json, io::stdout().is_terminal());
    let open = || -> Result<Database, Failure> {
        let settings = settings()?;
        Ok(match cli.common.fleet {
            true => Database::open_fleet(settings, cli.common.app.as_deref())?,
            false => Database::open(&choose::database(&cli.common, &settings)?)?,
        })
    };
    match &cli.command {
        Command::Test(test) => probe::test(test, settings()?, &look),
        Command::Doctor => probe::doctor(&cli.common, settings()?, &look),
        Command::List { last } => incidents::list(&mut open()?, *last, &look),
        Command::Show { id, html } => incidents::show(&mut open()?, id, html.as_deref(), &look),
        Command::Retry { ids } => change::retry(&mut open()?, ids, &look),
        Command::Allow { recipient } => change::allow(&mut open()?, recipient, &look),
        Command::Silence(silence) => change::silence(&mut open()?, silence, settings()?, &look),
        Command::Silences => incidents::silences(&mut open()?, &look),
        Command::Unsilence { ids, .. } => change::unsilence(&mut open()?, ids, &look),
        Command::Stats => incidents::stats(&mut open()?, &look),
        Command::Watch { every } => watch::watch(&mut open()?, *every, &look),
        Command::Purge => change::purge(&mut open()?, &look),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), "tracing-alert", &mut script);
            Ok(io::stdout().write_all(&script)?)
        }
        Command::Man => {
            let mut page = Vec::new();
            clap_mangen::Man::new(Cli::command()).render(&mut page)?;
            Ok(io::stdout().write_all(&page)?)
        }
    }
}
