//! How things look: times in the reader's zone, colors on a terminal only.

use std::time::{Duration, SystemTime};

use jiff::{Timestamp, tz::TimeZone};
use serde::Serialize;
use tracing_alert::operate::one_line;

use crate::{Failure, table::width};

/// How the output looks.
#[derive(Debug)]
pub(crate) struct Look {
    pub(crate) is_json: bool,
    has_colors: bool,
    zone: TimeZone,
    /// How wide the terminal is, if there is one.
    width: Option<usize>,
    pub(crate) now: SystemTime,
}

impl Look {
    pub(crate) fn new(is_json: bool, is_terminal: bool) -> Self {
        let is_plain = std::env::var_os("NO_COLOR").is_some_and(|it| !it.is_empty());
        Self {
            is_json,
            has_colors: is_terminal && !is_plain,
            zone: TimeZone::system(),
            width: width(),
            now: SystemTime::now(),
        }
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

    /// Writes a line of words, broken between them where the terminal ends.
    pub(crate) fn say(&self, text: &str) -> Result<(), Failure> {
        match self.width {
            Some(width) => {
                self.line(&text.lines().map(|line| wrapped(line, width)).collect::<Vec<_>>().join("\n"))
            }
            None => self.line(text),
        }
    }

    /// Writes a line, or several, as they are.
    pub(crate) fn line(&self, text: &str) -> Result<(), Failure> {
        use std::io::Write;
        Ok(writeln!(std::io::stdout(), "{text}")?)
    }
}

/// The line in lines of at most so many characters, broken between words, where there are
/// any; those after the first are indented a little more.
fn wrapped(line: &str, width: usize) -> String {
    let indent: String = line.chars().take_while(|char| *char == ' ').collect();
    let (mut lines, mut length) = (String::new(), 0_usize);
    for word in line.trim_start().split(' ') {
        let more = shown_length(word);
        if length == 0 {
            lines.push_str(&indent);
            length = indent.len();
        } else if length.saturating_add(1).saturating_add(more) > width {
            lines.push_str(&format!("\n{indent}    "));
            length = indent.len().saturating_add(4);
        } else {
            lines.push(' ');
            length = length.saturating_add(1);
        }
        lines.push_str(word);
        length = length.saturating_add(more);
    }
    lines
}

/// How many places a word takes: a color takes none.
fn shown_length(word: &str) -> usize {
    let mut rest = word;
    let mut length = 0_usize;
    while let Some((before, after)) = rest.split_once('\u{1b}') {
        length = length.saturating_add(before.chars().count());
        rest = after.split_once('m').map_or("", |(_, after)| after);
    }
    length.saturating_add(rest.chars().count())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_broken_between_words() {
        assert_eq!(wrapped("one two three", 9), "one two\n    three");
        assert_eq!(wrapped("  one two three", 9), "  one two\n      three");
        assert_eq!(wrapped("unbreakable", 4), "unbreakable");
        assert_eq!(wrapped("", 4), "");
        assert_eq!(wrapped("\u{1b}[31mone\u{1b}[0m two", 7), "\u{1b}[31mone\u{1b}[0m two");
    }

    #[test]
    fn a_time_is_told_in_the_unit_that_fits() {
        let told = [7, 600, 9000, 300_000].map(|seconds| spoken(Duration::from_secs(seconds)));
        assert_eq!(told, ["7 s", "10 min", "2 h", "3 d"]);
        assert_eq!((number(1, "event"), number(2, "event")), ("1 event".to_owned(), "2 events".to_owned()));
    }
}
