//! The arguments. Their comments are the help, and the man page.

use std::{path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand, ValueHint};
use clap_complete::Shell;

/// Looks after the alerts of programs that use the crate tracing-alert.
///
/// Reads the settings that such a program reads, from the environment or a file, and works
/// on its database while it runs, or on that of a fleet of instances. Never makes, migrates, repairs or replaces a database.
#[derive(Debug, Parser)]
#[command(name = "tracing-alert", version, max_term_width = 90, propagate_version = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Args, Debug)]
pub(crate) struct Common {
    /// The database of the program (default: ALERT_DATABASE, or the one file there is)
    #[arg(long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) database: Option<PathBuf>,
    /// The name of the program: its database is looked for where that keeps it
    #[arg(long, global = true, value_name = "NAME", conflicts_with = "database")]
    pub(crate) app: Option<String>,
    /// Works on what the instances of the program share in PostgreSQL: ALERT_FLEET says where
    ///
    /// Its URL is a secret, so it is no argument; ALERT_FLEET_FILE names a file that holds it,
    /// and ALERT_FLEET_SCHEMA the schema.
    #[arg(long, global = true)]
    pub(crate) fleet: bool,
    /// Reads settings from a file of lines like NAME=value, before those of the environment
    #[arg(long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) env_file: Option<PathBuf>,
    /// Writes JSON, with times in milliseconds since 1970
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Sends a real test message through each sink, and says how each hop went
    ///
    /// Exits with 0 only if all that was asked for arrived, as far as it was asked.
    Test(Test),
    /// Checks all that can be known without sending
    ///
    /// Exits with 1 if anything is wrong.
    Doctor,
    /// Lists incidents, the latest first
    List {
        /// Of those that are over, so many of the last
        #[arg(long, default_value_t = 50, value_name = "NUMBER")]
        last: u32,
    },
    /// Shows an incident: what happened, who was told, and what is still to come
    Show {
        /// What its messages end with, like 7K3Q
        id: String,
        /// Writes it as the mail would be, to a file
        #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
        html: Option<PathBuf>,
    },
    /// Has messages attempted again now: those that failed, and those that wait
    Retry {
        /// What they end with, or the incident that they tell of
        #[arg(required = true)]
        ids: Vec<String>,
    },
    /// Ends the refusal of a recipient, to whom nothing is attempted for a day
    Allow {
        /// A number or an address, as the settings have it
        recipient: String,
    },
    /// Tells nobody of some events for a while, and then how many there were
    ///
    /// All programs of the database honour it, from their next event on; of a fleet, all
    /// instances.
    Silence(Silence),
    /// Lists silences
    Silences,
    /// Ends silences early: what they held back is told now
    Unsilence {
        /// Which; or --all
        #[arg(required_unless_present = "all", conflicts_with = "all")]
        ids: Vec<String>,
        /// All that are in force
        #[arg(long)]
        all: bool,
    },
    /// Counts events and messages
    Stats,
    /// Shows the latest incidents and the counts, in place, until it is interrupted
    Watch {
        /// How long between two looks, like 2s
        #[arg(long, default_value = "2s", value_parser = duration)]
        every: Duration,
    },
    /// Deletes what is settled, rather than after 7 or 30 days
    Purge,
    /// Writes a script that completes arguments
    Completions {
        /// For which shell
        shell: Shell,
    },
    /// Writes the manual page
    Man,
}

#[derive(Args, Debug)]
pub(crate) struct Test {
    /// Only SMS
    #[arg(long)]
    pub(crate) sms: bool,
    /// Only e-mail
    #[arg(long)]
    pub(crate) email: bool,
    /// Only webhooks
    #[arg(long)]
    pub(crate) webhook: bool,
    /// Waits for what the provider says of the arrival, at most so long
    #[arg(long, value_name = "TIME", num_args = 0..=1, default_missing_value = "2m", value_parser = duration)]
    pub(crate) wait: Option<Duration>,
}

#[derive(Args, Debug)]
pub(crate) struct Silence {
    /// Events of the same kind as this incident
    #[arg(required_unless_present_any = ["target", "message", "kind"], conflicts_with_all = ["target", "message", "kind"])]
    pub(crate) id: Option<String>,
    /// Events of this target, and of the modules below it
    #[arg(long)]
    pub(crate) target: Option<String>,
    /// Events whose message contains this
    #[arg(long)]
    pub(crate) message: Option<String>,
    /// Events of this kind, by the code that a mail ends with
    #[arg(long, value_name = "CODE")]
    pub(crate) kind: Option<String>,
    /// For how long, like 90m, 2h or 3d
    #[arg(long = "for", value_name = "TIME", value_parser = duration)]
    pub(crate) lasts: Duration,
    /// Why, for whoever lists it
    #[arg(long)]
    pub(crate) why: Option<String>,
}

/// `90s`, `15m`, `2h`, `3d`, or several of them together.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no time like 90s, 15m, 2h or 3d");
    let (mut total, mut digits) = (Duration::ZERO, String::new());
    for char in text.chars().filter(|char| *char != ' ') {
        let unit = match char {
            '0'..='9' => {
                digits.push(char);
                continue;
            }
            's' => 1,
            'm' => 60,
            'h' => 60 * 60,
            'd' => 24 * 60 * 60,
            _ => return Err(wrong()),
        };
        let seconds = digits.parse::<u64>().ok().and_then(|number| number.checked_mul(unit));
        total = seconds.and_then(|it| total.checked_add(Duration::from_secs(it))).ok_or_else(wrong)?;
        digits.clear();
    }
    if !digits.is_empty() || total.is_zero() || total > Duration::from_secs(366 * 24 * 60 * 60) {
        return Err(wrong());
    }
    Ok(total)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_arguments_contradict_nothing() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_time_has_a_unit() {
        let seconds = |text: &str| duration(text).map(|it| it.as_secs());
        assert_eq!(seconds("90s"), Ok(90));
        assert_eq!(seconds("1h30m"), Ok(5400));
        assert_eq!(seconds("1h 30m"), Ok(5400));
        assert_eq!(seconds("3d"), Ok(259_200));
        for wrong in ["", "2", "h", "2w", "-1h", "0s", "400d", "99999999999999999999s"] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
    }
}
