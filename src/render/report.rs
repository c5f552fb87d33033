//! [`Report`]: the text of an error in parts, as `anyhow`, `eyre` and others write it
//! with `{:?}`: what it says, what caused it, and its backtrace.
//!
//! Invariant: pure, linear, and nothing gets lost: what is in none of the parts is in
//! [`Report::rest`]. A text without causes and without a backtrace is all head.

use super::trace::find::{self, Found};

/// An error's text, in parts.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Report {
    /// What it says.
    pub(super) head: String,
    /// What caused it, the root cause last.
    pub(super) causes: Vec<String>,
    /// What else there is, like the place it comes from.
    pub(super) rest: String,
    /// With each frame on a line of its own.
    pub(super) trace: Option<String>,
}

impl Report {
    /// The parts of `text`, which is clean.
    pub(super) fn of(text: &str) -> Self {
        let Some(Found { before, trace, after }) = find::backtrace(text) else {
            return Self::without_trace(text);
        };
        let told = Self::without_trace(&before);
        let rest = [told.rest.as_str(), after.trim()]
            .iter()
            .filter(|part| !part.is_empty())
            .copied()
            .collect::<Vec<_>>();
        Self { rest: rest.join("\n"), trace: Some(trace), ..told }
    }

    fn without_trace(text: &str) -> Self {
        let lines: Vec<&str> = text.lines().collect();
        let Some(at) = lines.iter().position(|line| line.trim().eq_ignore_ascii_case(CAUSED_BY)) else {
            return Self::numbered(&lines)
                .unwrap_or_else(|| Self { head: text.trim().to_owned(), ..Self::default() });
        };
        let (before, after) = (&lines[..at], &lines[at + 1..]);
        let end = after.iter().position(|line| line.trim().is_empty()).unwrap_or(after.len());
        let (head, other) = paragraph(before);
        let rest: Vec<&str> = other.iter().chain(&after[end..]).copied().collect();
        Self { head, causes: causes(&after[..end]), rest: rest.join("\n").trim().to_owned(), trace: None }
    }

    /// As `color-eyre` writes it: the error itself is the first of a numbered list.
    fn numbered(lines: &[&str]) -> Option<Self> {
        let start = lines.iter().position(|line| !line.trim().is_empty())?;
        let lines = &lines[start..];
        let end = lines.iter().position(|line| line.trim().is_empty()).unwrap_or(lines.len());
        let is_list =
            end > 1 && number(lines[0]).is_some_and(|(number, _)| number == 0) && number(lines[1]).is_some();
        let mut causes = causes(&lines[..end]);
        if !is_list || causes.is_empty() {
            return None;
        }
        let head = causes.remove(0);
        Some(Self { head, causes, rest: lines[end..].join("\n").trim().to_owned(), trace: None })
    }

    /// The last cause, or else what it says.
    pub(super) fn root(&self) -> &str {
        self.causes.last().unwrap_or(&self.head)
    }
}

/// The first lines up to a blank one, and the others.
fn paragraph<'a>(lines: &'a [&'a str]) -> (String, &'a [&'a str]) {
    let start = lines.iter().position(|line| !line.trim().is_empty()).unwrap_or(lines.len());
    let lines = &lines[start..];
    let end = lines.iter().position(|line| line.trim().is_empty()).unwrap_or(lines.len());
    (lines[..end].join("\n").trim().to_owned(), &lines[end..])
}

/// Each of a numbered list, or all of it if there are no numbers; what goes on over
/// several lines is one.
fn causes(lines: &[&str]) -> Vec<String> {
    let mut causes: Vec<String> = Vec::new();
    for line in lines {
        let next = number(line).filter(|(number, _)| *number == causes.len());
        match (next, causes.last_mut()) {
            (Some((_, text)), _) => causes.push(text.trim().to_owned()),
            (_, Some(last)) => {
                last.push('\n');
                last.push_str(line.trim());
            }
            (_, None) => causes.push(line.trim().to_owned()),
        }
    }
    causes.retain(|cause| !cause.is_empty());
    causes
}

/// The number that a line begins with, and the rest: `  1: connection refused`.
fn number(line: &str) -> Option<(usize, &str)> {
    let (number, text) = line.trim_start().split_once(": ")?;
    Some((number.parse().ok()?, text))
}

const CAUSED_BY: &str = "caused by:";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::tests::hostile, *};

    /// What `anyhow` 1.0 writes.
    const ANYHOW: &str = "payment failed

Caused by:
    0: error sending request
    1: connection refused (os error 111)

Stack backtrace:
   0: anyhow::error::<impl anyhow::Error>::msg
             at /home/me/.cargo/registry/src/index/anyhow-1.0.100/src/backtrace.rs:27:14
   1: shop::payment::charge
             at ./src/payment.rs:41:18
   2: shop::main";

    #[test]
    fn a_report_of_anyhow_has_its_parts() {
        let report = Report::of(ANYHOW);
        assert_eq!(
            (report.head.as_str(), report.root()),
            ("payment failed", "connection refused (os error 111)")
        );
        assert_eq!((report.causes.len(), report.rest.as_str()), (2, ""));
        assert!(report.trace.unwrap().ends_with("at ./src/payment.rs:41:18\n   2: shop::main"));
    }

    #[test]
    fn one_cause_has_no_number_and_may_have_several_lines() {
        let report = Report::of(
            "payment failed\n\nCaused by:\n    TOML parse error\n      | key = \n\nLocation:\n    src/main.rs:5:9",
        );
        assert_eq!((report.head.as_str(), report.root()), ("payment failed", "TOML parse error\n| key ="));
        assert_eq!((report.rest.as_str(), report.trace), ("Location:\n    src/main.rs:5:9", None));
    }

    #[test]
    fn a_report_of_color_eyre_has_its_parts() {
        let report =
            Report::of("\n   0: payment failed\n   1: connection refused\n\nLocation:\n   src/main.rs:5");
        assert_eq!((report.head.as_str(), report.root()), ("payment failed", "connection refused"));
        assert_eq!(report.rest, "Location:\n   src/main.rs:5");
    }

    #[test]
    fn any_other_text_is_all_head() {
        for text in
            ["", "payment failed", "two\n\nparagraphs", "0: a list\nof its own", "caused by: the bank"]
        {
            assert_eq!(Report::of(text), Report { head: text.to_owned(), ..Report::default() }, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_word_gets_lost(text in hostile(200), causes in 0..3_usize) {
            let text = format!("{text}{}", "\n\nCaused by:\n    0: b\n    1: c\n\nd".repeat(causes));
            let report = Report::of(&text);
            let all = format!("{} {} {}", report.head, report.causes.join(" "), report.rest);
            prop_assert!(report.trace.is_some() || text.split_whitespace().all(|word| all.contains(word) || is_mark(word)));
        }
    }

    /// What a list is known by.
    fn is_mark(word: &str) -> bool {
        ["caused", "by:", "0:", "1:"].contains(&word.to_ascii_lowercase().as_str())
    }
}
