//! The latest incidents and the counts, in place, until it is interrupted.

use std::{
    io::{self, IsTerminal, Write},
    thread,
    time::Duration,
};

use tracing_alert::operate::Database;

use crate::{
    Failure,
    incidents::{counts, incident_table},
    look::Look,
    table::width,
};

/// On a terminal each look replaces the one before; else one follows the other, as JSON a
/// line each.
pub(crate) fn watch(database: &mut Database, every: Duration, look: &Look) -> Result<(), Failure> {
    let is_terminal = io::stdout().is_terminal();
    loop {
        let overview = database.overview()?;
        let incidents = database.incidents(LAST)?;
        let mut out = io::stdout();
        if look.is_json {
            let line = serde_json::json!({ "overview": overview, "incidents": incidents });
            writeln!(out, "{line}")?;
        } else {
            let look = Look::new(false, is_terminal);
            let mut text = counts(database, &overview, &look);
            text.push_str("\n\n");
            let room = width().unwrap_or(WIDTH).saturating_sub(OTHER_COLUMNS).max(MIN_MESSAGE);
            text.push_str(&incident_table(incidents.get(..SHOWN).unwrap_or(&incidents), room, &look));
            // From the upper left corner; what was there before is cleared line by line, so
            // that nothing flickers.
            if is_terminal {
                let lines = text.replace('\n', "\u{1b}[K\n");
                write!(out, "\u{1b}[H{lines}\u{1b}[K\n\u{1b}[J")?;
            } else {
                writeln!(out, "{text}\n")?;
            }
        }
        out.flush()?;
        thread::sleep(every);
    }
}

/// How many incidents that are over are read, and how many lines are shown.
const LAST: u32 = 20;
const SHOWN: usize = 15;

/// How wide a terminal is taken to be that does not say.
const WIDTH: usize = 80;

/// What the other columns and the application's name take of a line.
const OTHER_COLUMNS: usize = 60;

/// Of a message so much is shown at least.
const MIN_MESSAGE: usize = 20;
