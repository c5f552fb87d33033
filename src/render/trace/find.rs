//! A backtrace inside another text: after a report of an error, as a field's value, on
//! many lines or on one.
//!
//! Invariant: pure and linear. What is found has each frame on a line of its own, the
//! place on a line below it, as the standard library writes them.

/// A text with a backtrace in it.
#[derive(Debug, PartialEq, Eq)]
pub(in super::super) struct Found {
    /// Without the words that say that a backtrace follows.
    pub(in super::super) before: String,
    pub(in super::super) trace: String,
    pub(in super::super) after: String,
}

/// The first backtrace in `text`.
pub(in super::super) fn backtrace(text: &str) -> Option<Found> {
    if text.len() < MIN_BYTES {
        return None;
    }
    debugged(text).or_else(|| numbered(text)).or_else(|| {
        // A text within the `Debug` of another one.
        let is_escaped = !text.contains('\n') && text.contains("\\n");
        is_escaped.then(|| numbered(&unescaped(text))).flatten()
    })
}

/// As `Backtrace` itself is shown by `{:?}`:
/// `Backtrace [{ fn: "a::b", file: "src/a.rs", line: 7 }, …]`.
fn debugged(text: &str) -> Option<Found> {
    let start = text.find(DEBUGGED)?;
    let mut rest = text.get(start + DEBUGGED.len()..)?;
    let mut trace = String::new();
    let mut frames = 0_usize;
    while let Some(frame) = rest.trim_start_matches([',', ' ', '\n']).strip_prefix('{') {
        let Some(name) = frame.trim_start().strip_prefix("fn:") else { break };
        let (name, more) = literal(name).unwrap_or(("<unknown>", name));
        let (place, after) = more.split_once('}').unwrap_or((more, ""));
        let file = place.split_once("file:").and_then(|(_, file)| literal(file));
        let line = place.split_once("line:").map(|(_, line)| line.trim().trim_end_matches(','));
        trace.push_str(&format!("{}{frames:>4}: {name}", if frames == 0 { "" } else { "\n" }));
        if let Some((file, _)) = file {
            let line =
                line.filter(|line| !line.is_empty()).map_or_else(String::new, |line| format!(":{line}"));
            trace.push_str(&format!("\n             at {file}{line}"));
        }
        frames += 1;
        rest = after;
    }
    let after = rest.trim_start_matches([',', ' ', '\n']).trim_start_matches(']');
    (frames > 0).then(|| Found {
        before: announced(text.get(..start).unwrap_or_default()).0,
        trace,
        after: after.trim().to_owned(),
    })
}

/// What stands between the quotation marks that `text` begins with, and what follows.
fn literal(text: &str) -> Option<(&str, &str)> {
    text.trim_start().strip_prefix('"')?.split_once('"')
}

/// As it is shown by `{}`: frames with a number each, over lines or on one.
fn numbered(text: &str) -> Option<Found> {
    let marks = marks(text);
    let mut start = 0;
    while start < marks.len() {
        let run = marks[start..].windows(2).take_while(|pair| pair[0].number < pair[1].number).count() + 1;
        let frames = &marks[start..start + run];
        start += run;
        let before = text.get(..frames[0].at)?;
        let (before, is_announced) = announced(before);
        let end = end(text, frames[run - 1].text);
        let names = frames.iter().enumerate().map(|(at, frame)| {
            let until = frames.get(at + 1).map_or(end, |next| next.at);
            text.get(frame.text..until).unwrap_or_default().trim()
        });
        let names: Vec<&str> = names.collect();
        let known = names.iter().filter(|name| is_frame(name)).count();
        let is_trace = known * 2 > run && (run >= MIN_FRAMES || is_announced);
        let lists_causes = before.trim_end().to_ascii_lowercase().ends_with("caused by:");
        if is_trace && !lists_causes {
            let lines: Vec<String> =
                frames.iter().zip(names).map(|(frame, name)| laid_out(frame.number, name)).collect();
            let after = text.get(end..).unwrap_or_default().trim().to_owned();
            return Some(Found { before, trace: lines.join("\n"), after });
        }
    }
    None
}

/// `17: ` at the beginning of a line, or after a blank.
#[derive(Clone, Copy)]
struct Mark {
    number: usize,
    at: usize,
    /// Where what follows begins.
    text: usize,
}

fn marks(text: &str) -> Vec<Mark> {
    let mut marks = Vec::new();
    for (colon, _) in text.match_indices(": ") {
        let before = text.get(..colon).unwrap_or_default();
        let digits = before.len() - before.trim_end_matches(|c: char| c.is_ascii_digit()).len();
        let at = colon - digits;
        let starts =
            text.get(..at).is_some_and(|before| before.is_empty() || before.ends_with(char::is_whitespace));
        if let (true, Some(Ok(number))) =
            (starts && (1..=4).contains(&digits), text.get(at..colon).map(str::parse))
        {
            marks.push(Mark { number, at, text: colon + 2 });
        }
    }
    marks
}

/// Where the last frame ends, which begins at `start`: after its line, and the place
/// on the next one. On one line it goes on to the end.
fn end(text: &str, start: usize) -> usize {
    let mut end = start;
    for (number, line) in text.get(start..).unwrap_or_default().split_inclusive('\n').enumerate() {
        if number > 0 && !line.trim_start().starts_with("at ") {
            break;
        }
        end += line.len();
    }
    end
}

/// Whether it is a path of Rust, or has a place.
fn is_frame(text: &str) -> bool {
    let name = text.split(char::is_whitespace).next().unwrap_or_default();
    name.contains("::") || text.contains(" at ") || text.contains("\nat ") || ENDS.contains(&name)
}

/// A frame on a line of its own, and its place on the next one.
fn laid_out(number: usize, text: &str) -> String {
    let name_end = text.find(" at ").or_else(|| text.find('\n'));
    let (name, place) = name_end.map_or((text, ""), |at| text.split_at(at));
    let place = place.split_whitespace().collect::<Vec<_>>().join(" ");
    let place = if place.is_empty() { place } else { format!("\n             {place}") };
    format!("{number:>4}: {}{place}", name.trim_end())
}

/// `text` without the words at its end that say that a backtrace follows, and whether
/// there are any.
fn announced(text: &str) -> (String, bool) {
    let bare = text.trim_end_matches(|c: char| !c.is_alphanumeric());
    let lower = bare.to_ascii_lowercase();
    let word = ANNOUNCED.iter().find(|word| lower.ends_with(**word));
    match word {
        Some(word) => {
            let bare = bare.get(..bare.len() - word.len()).unwrap_or_default();
            (bare.trim_end_matches(|c: char| c.is_whitespace() || "━─-=:".contains(c)).to_owned(), true)
        }
        None => (text.trim_end().to_owned(), false),
    }
}

/// `text` with line breaks, tabs and quotation marks that were escaped.
fn unescaped(text: &str) -> String {
    text.replace("\\n", "\n").replace("\\t", "\t").replace("\\\"", "\"").replace("\\\\", "\\")
}

/// How a `Backtrace` begins in `Debug`.
const DEBUGGED: &str = "Backtrace [";

/// The longer ones first.
const ANNOUNCED: [&str; 4] = ["stack backtrace", "stack trace", "backtrace", "stacktrace"];

/// Functions outside of Rust that backtraces end with.
const ENDS: [&str; 6] = ["main", "_start", "start_thread", "clone3", "clone", "__libc_start_main"];

/// A list with fewer numbers is one of something else, if nothing says that it is one.
const MIN_FRAMES: usize = 3;

/// No backtrace is shorter.
const MIN_BYTES: usize = 12;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::super::tests::hostile, *};

    const LAID_OUT: &str = "   0: shop::charge::{{closure}}
             at ./src/payment.rs:41:18
   1: shop::main
             at ./src/main.rs:7:5
   2: core::ops::function::FnOnce::call_once";

    fn found(before: &str, after: &str) -> Option<Found> {
        Some(Found { before: before.to_owned(), trace: LAID_OUT.to_owned(), after: after.to_owned() })
    }

    #[test]
    fn it_is_found_however_it_is_written() {
        assert_eq!(backtrace(LAID_OUT), found("", ""));
        assert_eq!(
            backtrace(&format!("payment failed\n\nStack backtrace:\n{LAID_OUT}\n\nbye")),
            found("payment failed", "bye")
        );
        let line = LAID_OUT.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(backtrace(&line), found("", ""));
        assert_eq!(
            backtrace(&format!("payment failed Stack backtrace: {line}")),
            found("payment failed", "")
        );
        let escaped = format!("Failed {{ why: {:?}", format!("late\n{LAID_OUT}"));
        assert_eq!(backtrace(&escaped).unwrap().trace.lines().count(), 5, "{escaped}");
    }

    #[test]
    fn that_of_the_standard_library_is_found_in_debug() {
        let debug = r#"Failed { at: Backtrace [{ fn: "shop::charge::{{closure}}", file: "./src/payment.rs", line: 41 }, { fn: "shop::main" }] }"#;
        let wanted = "   0: shop::charge::{{closure}}\n             at ./src/payment.rs:41\n   1: shop::main";
        let found = backtrace(debug).unwrap();
        assert_eq!(
            (found.before.as_str(), found.trace.as_str(), found.after.as_str()),
            ("Failed { at:", wanted, "}")
        );
        let real = format!("{:?}", std::backtrace::Backtrace::force_capture());
        let found = backtrace(&real).unwrap();
        assert!(
            found.trace.contains("that_of_the_standard_library_is_found_in_debug") && found.after.is_empty(),
            "{found:#?}"
        );
        let real = std::backtrace::Backtrace::force_capture().to_string();
        let found = backtrace(&real).unwrap();
        assert_eq!((found.before.as_str(), found.after.as_str()), ("", ""));
        assert_eq!(found.trace.split_whitespace().count(), real.split_whitespace().count());
    }

    #[test]
    fn a_list_of_something_else_is_none() {
        for text in [
            "",
            "payment failed",
            "Caused by:\n    0: no connection\n    1: connection refused\n    2: no route",
            "0: one 1: two 2: three",
            "Caused by:\n 0: a::b\n 1: c::d\n 2: e::f",
            "at 12:30: std::io 13: late",
        ] {
            assert_eq!(backtrace(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_word_gets_lost(before in hostile(80), after in hostile(80)) {
            let text = format!("{before}\n{LAID_OUT}\n{after}");
            let found = backtrace(&text).unwrap();
            let all = format!("{} {} {}", found.before, found.trace, found.after);
            let words = |text: &str| text.split_whitespace().map(str::len).sum::<usize>();
            prop_assert!(words(&all) + "stack backtrace:".len() >= words(&text), "{:?}", found);
        }
    }
}
