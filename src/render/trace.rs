//! A backtrace: the program's own frames apart from those of libraries.
//!
//! Invariant: every line of the text is in exactly one of the two, with less
//! white space before it, if any: phones are narrow.

/// The frames of the program, then all others; the first part is empty if none
/// is known to be the program's.
pub(super) fn split(text: &str) -> (String, String) {
    let (mut own, mut others) = (String::new(), String::new());
    let lines: Vec<&str> = text.lines().collect();
    let starts: Vec<usize> = (0..lines.len()).filter(|at| *at == 0 || is_start(lines[*at])).collect();
    let ends = starts.iter().skip(1).copied().chain([lines.len()]);
    for (start, end) in starts.iter().zip(ends) {
        let frame = &lines[*start..end];
        let part = if is_own(frame) { &mut own } else { &mut others };
        for line in frame {
            let text = line.trim_start();
            part.push_str(if text.starts_with("at ") { "    " } else { "" });
            part.push_str(text);
            part.push('\n');
        }
    }
    (own.trim_end().to_owned(), others.trim_end().to_owned())
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
    let Some((first, _)) = first.split_once("::") else { return false };
    let is_library =
        LIBRARIES.contains(&first) || LIBRARY_FAMILIES.iter().any(|family| first.starts_with(family));
    let place = frame.iter().find_map(|line| line.trim_start().strip_prefix("at "));
    !is_library && !place.is_some_and(|place| SOURCES_OF_OTHERS.iter().any(|part| place.contains(part)))
}

const SOURCES_OF_OTHERS: [&str; 5] =
    ["/rustc/", "/registry/src/", "/git/checkouts/", "/rustlib/src/", "/vendor/"];

/// Crates whose frames are of no interest where the source is not known.
const LIBRARIES: [&str; 16] = [
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
];

/// The same for what comes in many crates.
const LIBRARY_FAMILIES: [&str; 8] =
    ["tokio", "hyper", "tower", "futures", "tracing", "axum_", "actix_", "rayon_"];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::tests::hostile, *};

    const TRACE: &str = "   0: __rustc::rust_begin_unwind
             at /rustc/59807616/library/std/src/panicking.rs:697:5
   1: core::panicking::panic_fmt
   2: shop::payment::charge::{{closure}}
             at ./src/payment.rs:41:18
   3: <shop::Cart as core::ops::drop::Drop>::drop
   4: serde_json::de::from_str
             at /home/me/.cargo/registry/src/index/serde_json-1.0.1/src/de.rs:1:1
   5: tokio::runtime::task::harness::poll_future
   6: shop::main
   7: main
   8: __libc_start_main
   9: _start";

    #[test]
    fn the_programs_own_frames_are_apart() {
        let (own, others) = split(TRACE);
        let numbers = |part: &str| -> Vec<usize> {
            part.lines()
                .filter(|line| is_start(line))
                .map(|line| line.split(':').next().unwrap().parse().unwrap())
                .collect()
        };
        assert_eq!((numbers(&own), numbers(&others)), (vec![2, 3, 6], vec![0, 1, 4, 5, 7, 8, 9]));
        assert!(own.starts_with("2: shop::payment::charge::{{closure}}\n    at ./src/payment.rs:41:18"));
        assert_eq!(own.lines().count() + others.lines().count(), TRACE.lines().count());
    }

    #[test]
    fn what_is_no_backtrace_stays_whole() {
        assert_eq!(split("unsupported backtrace"), (String::new(), "unsupported backtrace".to_owned()));
        assert_eq!(split(""), (String::new(), String::new()));
    }

    proptest! {
        #[test]
        fn no_line_gets_lost(text in hostile(200)) {
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
