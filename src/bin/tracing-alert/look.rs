//! How things look: times in the reader's zone, colors on a terminal only.

use std::time::{Duration, SystemTime};

use jiff::{Timestamp, tz::TimeZone};
use serde::Serialize;
use tracing_alert::operate::one_line;

use crate::Failure;

/// How the output looks.
#[derive(Debug)]
pub(crate) struct Look {
    pub(crate) is_json: bool,
    has_colors: bool,
    zone: TimeZone,
    pub(crate) now: SystemTime,
}

impl Look {
    pub(crate) fn new(is_json: bool, is_terminal: bool) -> Self {
        let is_plain = std::env::var_os("NO_COLOR").is_some_and(|it| !it.is_empty());
        let zone = TimeZone::system();
        Self { is_json, has_colors: is_terminal && !is_plain, zone, now: SystemTime::now() }
    }

    /// The name of the reader's zone, if it has one.
    pub(crate) fn zone(&self) -> Option<&str> {
        self.zone.iana_name()
    }

    /// A time as the reader's clock has it; without the date if that is today.
    pub(crate) fn time(&self, at: SystemTime) -> String {
        let zoned = |at: SystemTime| Timestamp::try_from(at).ok().map(|at| at.to_zoned(self.zone.clone()));
        let (Some(at), Some(now)) = (zoned(at), zoned(self.now)) else { return "-".to_owned() };
        let is_today = at.date() == now.date();
        at.strftime(if is_today { "%H:%M:%S" } else { "%Y-%m-%d %H:%M" }).to_string()
    }

    pub(crate) fn time_or_none(&self, at: Option<SystemTime>) -> String {
        at.map(|at| self.time(at)).unwrap_or_default()
    }

    pub(crate) fn good(&self, text: &str) -> String {
        self.colored("32", text)
    }

    pub(crate) fn bad(&self, text: &str) -> String {
        self.colored("31", text)
    }

    fn colored(&self, code: &str, text: &str) -> String {
        if self.has_colors { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    /// Writes `value` as JSON.
    pub(crate) fn json(&self, value: &impl Serialize) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(value).map_err(|error| Failure::Say(error.to_string()))?;
        self.line(&text)
    }

    /// Writes a line.
    pub(crate) fn line(&self, text: &str) -> Result<(), Failure> {
        use std::io::Write;
        Ok(writeln!(std::io::stdout(), "{text}")?)
    }
}

/// A text of an event, for a cell.
pub(crate) fn cell(text: &str, limit: usize) -> String {
    one_line(text, limit)
}

/// `1 event`, `2 events`.
pub(crate) fn number(count: u64, what: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{count} {what}{ending}")
}

/// How long, in the unit that fits.
pub(crate) fn spoken(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    }
}
