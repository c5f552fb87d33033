//! Which lines of a message say what happened.
//!
//! An error of several lines says it anywhere: `Caused by:` has the root cause last,
//! and a parser shows the source first. So all lines count but those that show
//! source text, or a stack.
//! Invariant: pure, and linear in the message.

/// The lines of `message` that count.
pub(super) fn telling(message: &str) -> impl Iterator<Item = &str> {
    let capped = message.get(..message.floor_char_boundary(MAX_BYTES)).unwrap_or_default();
    let lines = capped.lines().map(str::trim).take_while(|line| !begins_backtrace(line));
    lines.filter_map(without_gutter).filter(|line| !line.is_empty()).take(MAX_LINES)
}

/// The last cause of an error that is written with `Caused by:`, as anyhow and eyre
/// do.
pub(super) fn last_cause(message: &str) -> Option<&str> {
    let mut lines = message.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.find(|line| line.eq_ignore_ascii_case(CAUSED_BY))?;
    let causes = lines.take_while(|line| !begins_backtrace(line) && !is_heading(line));
    causes.last().map(|cause| without_number(cause).unwrap_or(cause))
}

/// As in `Location:`, which eyre writes after the causes.
fn is_heading(line: &str) -> bool {
    line.ends_with(':') && line.bytes().all(|byte| byte.is_ascii_alphabetic() || b" :".contains(&byte))
}

/// What follows the `0: ` of a numbered cause.
fn without_number(line: &str) -> Option<&str> {
    let rest = line.trim_start_matches(|c: char| c.is_ascii_digit());
    if rest.len() == line.len() { None } else { rest.strip_prefix(':').map(str::trim_start) }
}

fn begins_backtrace(line: &str) -> bool {
    let start = line.get(..line.floor_char_boundary(BACKTRACES[0].len())).unwrap_or_default();
    BACKTRACES.iter().any(|word| start.get(..word.len()).is_some_and(|it| it.eq_ignore_ascii_case(word)))
}

/// `line`; of one that points at source text, what it says of it. None of one that
/// shows source text: `3 | port = "x"`.
fn without_gutter(line: &str) -> Option<&str> {
    if HINTS.iter().any(|hint| line.starts_with(hint)) {
        return None;
    }
    let numberless = line.trim_start_matches(|c: char| c.is_ascii_digit());
    let Some(shown) = numberless.trim_start().strip_prefix(['|', '│']) else { return Some(line) };
    if numberless.len() < line.len() {
        return None;
    }
    Some(shown.trim_start_matches(|c: char| c.is_whitespace() || "^~-_|=│".contains(c)))
}

/// How an error that has causes says so.
const CAUSED_BY: &str = "caused by:";

/// What stands above a stack, the longest first.
const BACKTRACES: [&str; 3] = ["stack backtrace:", "stacktrace:", "backtrace:"];

/// Lines that are the same whatever happened.
const HINTS: [&str; 2] = ["note: run with `RUST_BACKTRACE", "note: Some details are omitted"];

/// No more of a message is looked at.
const MAX_BYTES: usize = 4096;

/// Nor more lines of it.
const MAX_LINES: usize = 32;
