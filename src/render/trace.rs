//! A backtrace: the program's own frames apart from those of libraries.
//!
//! Invariant: every line of the text is in at most one of the two, with less white
//! space before it, if any, and a shorter path of a library: phones are narrow. No frame
//! is left out but those that say nothing about the program: of this crate, of the
//! machinery of panics, and of what starts a thread.

pub(super) mod find;

/// The frames of the program, then all others; the first part is empty if none
/// is known to be the program's.
pub(super) fn split(text: &str) -> (String, String) {
    let lines: Vec<&str> = text.lines().collect();
    let starts: Vec<usize> = (0..lines.len()).filter(|at| *at == 0 || is_start(lines[*at])).collect();
    let ends = starts.iter().skip(1).copied().chain([lines.len()]);
    let frames: Vec<&[&str]> = starts.iter().zip(ends).map(|(start, end)| &lines[*start..end]).collect();
    let telling = telling(&frames);
    let shown = if telling.is_empty() { frames } else { telling };
    let (mut own, mut others) = (String::new(), String::new());
    for frame in shown {
        let part = if is_own(frame) { &mut own } else { &mut others };
        for line in frame {
            let text = line.trim_start();
            match text.strip_prefix("at ") {
                Some(place) => part.push_str(&format!("  at {}", shortened(place))),
                None => part.push_str(text),
            }
            part.push('\n');
        }
    }
    (own.trim_end().to_owned(), others.trim_end().to_owned())
}

/// A place in a library, without the directories of cargo and of the compiler's makers.
fn shortened(place: &str) -> &str {
    let after = |mark: &str| place.split_once(mark)?.1.split_once('/').map(|(_, rest)| rest);
    after("/registry/src/").or_else(|| after("/rustc/")).unwrap_or(place)
}

/// The frames between those of a panic's machinery, where a backtrace is taken, and
/// those that start a thread.
fn telling<'a>(frames: &[&'a [&'a str]]) -> Vec<&'a [&'a str]> {
    let is = |frame: &[&str], parts: &[&str]| {
        let name = frame.first().and_then(|line| name(line)).unwrap_or_default();
        parts.iter().any(|part| name.contains(part))
    };
    let panic = frames.iter().position(|frame| is(frame, &PANICS));
    let machinery = |start: &usize| frames[*start..].iter().take_while(|frame| is(frame, &MACHINERY)).count();
    let first = panic.map_or(0, |start| start + machinery(&start));
    let last_own = frames.iter().rposition(|frame| is_own(frame)).map_or(0, |at| at + 1).max(first);
    let thread = frames[last_own..].iter().position(|frame| is(frame, &THREAD_STARTS));
    let end = thread.map_or(frames.len(), |at| last_own + at);
    frames[first..end].iter().filter(|frame| !is(frame, &TAKERS)).copied().collect()
}

/// `  17: name`.
fn is_start(line: &str) -> bool {
    name(line).is_some()
}

fn name(line: &str) -> Option<&str> {
    let (number, name) = line.split_once(": ")?;
    let number = number.trim_start();
    (!number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())).then_some(name)
}

/// By where its source is, if that is known: a dependency's is in cargo's
/// directories, and the standard library's in none of this machine. Else by the
/// name's crate.
fn is_own(frame: &[&str]) -> bool {
    let Some(name) = frame.first().and_then(|line| name(line)) else { return false };
    let first = name.trim_start_matches(['<', '&', '*', '(', '[']).trim_start_matches("dyn ");
    let place = frame.iter().find_map(|line| line.trim_start().strip_prefix("at "));
    // With line tables only, a name has no path.
    let Some((first, _)) = first.split_once("::").or_else(|| place.map(|_| ("", ""))) else { return false };
    let is_library =
        LIBRARIES.contains(&first) || LIBRARY_FAMILIES.iter().any(|family| first.starts_with(family));
    !is_library && !place.is_some_and(|place| SOURCES_OF_OTHERS.iter().any(|part| place.contains(part)))
}

const SOURCES_OF_OTHERS: [&str; 5] =
    ["/rustc/", "/registry/src/", "/git/checkouts/", "/rustlib/src/", "/vendor/"];

/// Where a panic begins that has unwound so far.
const PANICS: [&str; 3] = ["rust_begin_unwind", "std::panicking::begin_panic", "__rust_end_short_backtrace"];

/// What a panic goes through, [`PANICS`] among it.
const MACHINERY: [&str; 9] = [
    "rust_begin_unwind",
    "__rust_end_short_backtrace",
    "std::panicking::",
    "core::panicking::",
    "core::option::unwrap_failed",
    "core::option::expect_failed",
    "core::result::unwrap_failed",
    "core::slice::index::slice_",
    "core::str::slice_error_fail",
];

/// Who takes a backtrace.
const TAKERS: [&str; 4] =
    ["tracing_alert::", "std::backtrace::", "std::backtrace_rs::", "backtrace::capture::"];

/// What follows is the same in every thread.
const THREAD_STARTS: [&str; 4] =
    ["__rust_begin_short_backtrace", "spawn_unchecked_", "start_thread", "std::rt::lang_start"];

/// Crates whose frames are of no interest where the source is not known.
const LIBRARIES: [&str; 22] = [
    "std",
    "core",
    "alloc",
    "test",
    "panic_unwind",
    "tracing_alert",
    "backtrace",
    "axum",
    "actix",
    "http",
    "mio",
    "rayon",
    "async_executor",
    "async_io",
    "smol",
    "crossbeam",
    "anyhow",
    "eyre",
    "color_eyre",
    "serde_json",
    "rustls",
    "h2",
];

/// The same for what comes in many crates.
const LIBRARY_FAMILIES: [&str; 8] =
    ["tokio", "hyper", "tower", "futures", "tracing", "axum_", "actix_", "rayon_"];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::tests::hostile, *};

    const TRACE: &str = "   0: tracing_alert::layer::panic::capture_panic
   1: std::panicking::panic_with_hook
   2: std::sys::backtrace::__rust_end_short_backtrace
   3: __rustc::rust_begin_unwind
             at /rustc/59807616/library/std/src/panicking.rs:697:5
   4: core::panicking::panic_fmt
   5: core::option::unwrap_failed
   6: core::option::Option<T>::unwrap
   7: shop::payment::charge::{{closure}}
             at ./src/payment.rs:41:18
   8: <shop::Cart as core::ops::drop::Drop>::drop
   9: serde_json::de::from_str
             at /home/me/.cargo/registry/src/index/serde_json-1.0.1/src/de.rs:1:1
  10: <tracing_alert::layer::AlertLayer<S> as tracing_subscriber::layer::Layer<S>>::on_event
  11: tokio::runtime::task::harness::poll_future
  12: shop::main
  13: core::ops::function::FnOnce::call_once
  14: std::sys::backtrace::__rust_begin_short_backtrace
  15: std::rt::lang_start
  16: main
  17: __libc_start_main
  18: _start";

    fn numbers(part: &str) -> Vec<usize> {
        let starts = part.lines().filter(|line| is_start(line));
        starts.map(|line| line.trim_start().split(':').next().unwrap().parse().unwrap()).collect()
    }

    #[test]
    fn the_programs_own_frames_are_apart_and_what_says_nothing_is_left_out() {
        let (own, others) = split(TRACE);
        assert_eq!((numbers(&own), numbers(&others)), (vec![7, 8, 12], vec![6, 9, 11, 13]));
        assert!(own.starts_with("7: shop::payment::charge::{{closure}}\n  at ./src/payment.rs:41:18"));
    }

    #[test]
    fn a_real_panics_backtrace_begins_where_it_panicked() {
        let text = std::sync::Mutex::new(String::new());
        let trace = std::backtrace::Backtrace::force_capture().to_string();
        text.lock().unwrap().push_str(&trace);
        // The test is a part of this crate: all that is ours is left out.
        let (own, others) = split(&text.into_inner().unwrap());
        assert!(!format!("{own}{others}").contains("tracing_alert::"), "{own}\n{others}");
        assert!(!others.contains("std::backtrace"), "{others}");
    }

    #[test]
    fn a_place_in_a_library_is_short() {
        let (_, others) = split(
            "1: serde_json::de::from_str\n  at /home/me/.cargo/registry/src/index/serde_json-1.0.1/src/de.rs:1:1\n2: core::option::f\n  at /rustc/59807616/library/core/src/option.rs:2:3",
        );
        let wanted = "1: serde_json::de::from_str\n  at serde_json-1.0.1/src/de.rs:1:1\n2: core::option::f\n  at library/core/src/option.rs:2:3";
        assert_eq!(others, wanted);
    }

    #[test]
    fn a_name_without_a_path_is_known_by_its_place() {
        let text = "1: {async_block#0}\n  at ./src/main.rs:3:1\n2: poll<a::b>\n  at /x/registry/src/y/z.rs:1:1\n3: clone3";
        let (own, others) = split(text);
        assert_eq!((numbers(&own), numbers(&others)), (vec![1], vec![2, 3]));
    }

    #[test]
    fn if_nothing_tells_anything_all_is_shown() {
        let text = "0: std::panicking::begin_panic\n1: core::panicking::panic";
        assert_eq!(split(text), (String::new(), text.to_owned()));
    }

    #[test]
    fn what_is_no_backtrace_stays_whole() {
        assert_eq!(split("unsupported backtrace"), (String::new(), "unsupported backtrace".to_owned()));
        assert_eq!(split(""), (String::new(), String::new()));
    }

    proptest! {
        #[test]
        fn no_line_gets_lost_but_of_frames_that_say_nothing(text in hostile(200)) {
            let (own, others) = split(&text);
            let lines = |text: &str| {
                let mut lines: Vec<_> = text.lines().map(|line| line.trim().to_owned()).collect();
                lines.retain(|line| !line.is_empty());
                lines.sort();
                lines
            };
            prop_assert_eq!(lines(&format!("{own}\n{others}")), lines(&text));
        }
    }
}
