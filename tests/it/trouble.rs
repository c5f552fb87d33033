//! What the crate says of its own trouble: it costs the program no time, is not
//! lost, is said where somebody can act on it, and goes where the program wants it.

use std::{
    io::Write,
    process::{Command, Output},
    time::Duration,
};

use tracing::error;

use crate::{
    child::trouble::BUILT_IN,
    support::{Harness, PATIENCE, with_layer},
};

/// Variables with wrong values, for many lines.
const WRONG: [(&str, &str); 15] = [
    ("ALERT_PHONE", "1,2,3,4,5,6,7,8"),
    ("ALERT_LEVEL", "loud"),
    ("ALERT_SMS_LEVEL", "loud"),
    ("ALERT_EMAIL_LEVEL", "loud"),
    ("ALERT_SPAN_LEVEL", "loud"),
    ("ALERT_BREADCRUMBS", "loud"),
    ("ALERT_PANICS", "loud"),
    ("ALERT_REDACTION", "loud"),
    ("ALERT_SETTLE", "long"),
    ("ALERT_SMS_WINDOW", "long"),
    ("ALERT_EMAIL_WINDOW", "long"),
    ("ALERT_SMS_BUDGET", "much"),
    ("ALERT_EMAIL_BUDGET", "much"),
    ("ALERT_TIMEZONE", "Nowhere/Atlantis"),
    ("ALERT_REDACT_FIELDS", "?,??,???"),
];

fn lines(output: &Output) -> Vec<String> {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}\n{stderr}", String::from_utf8_lossy(&output.stdout));
    let lines = stderr.lines().filter_map(|line| line.strip_prefix("tracing-alert: "));
    lines.map(str::to_owned).collect()
}

/// A child of this process with no setting at all.
fn bare(harness: &Harness, scenario: &str) -> Command {
    let mut child = harness.child(scenario);
    for (name, _) in harness.variables() {
        child.env_remove(name);
    }
    child
}

/// A pipe that takes not one byte more.
#[expect(unsafe_code, reason = "the standard library does not say how much a pipe holds")]
#[cfg(target_os = "linux")]
fn full_pipe() -> (std::io::PipeReader, std::io::PipeWriter) {
    use std::os::fd::AsRawFd;
    let (reader, mut writer) = std::io::pipe().unwrap();
    // SAFETY: the descriptor is open.
    let holds = unsafe { libc::fcntl(writer.as_raw_fd(), libc::F_GETPIPE_SZ) };
    writer.write_all(&vec![b'.'; usize::try_from(holds).unwrap()]).unwrap();
    (reader, writer)
}

/// How long it took a child to build a layer, by its own account.
#[cfg(target_os = "linux")]
fn built_in(child: &mut Command) -> Duration {
    let output = child.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}");
    let micros = said.lines().find_map(|line| line.strip_prefix(BUILT_IN)).unwrap();
    Duration::from_micros(micros.trim().parse().unwrap())
}

#[test]
#[cfg(target_os = "linux")]
fn many_lines_for_a_stderr_that_nobody_reads_hold_nobody_up() {
    let harness = Harness::new();
    let times = (0..3).map(|_| {
        let (_reader, writer) = full_pipe();
        built_in(harness.child("trouble-build").envs(WRONG).stderr(writer))
    });
    let least = times.min().unwrap();
    // One line that waits a little for stderr makes more than that of twenty.
    assert!(least < Duration::from_millis(300), "{least:?}");
}

#[test]
fn the_last_words_of_a_program_are_not_lost_and_in_order() {
    let harness = Harness::new();
    let output = harness.child("trouble-build").envs(WRONG).output().unwrap();
    let said = lines(&output);
    assert!(said.len() >= 20, "{said:#?}");
    let wanted = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut rest = wanted.as_str();
    for line in &said {
        let at = rest.find(line.as_str()).unwrap_or_else(|| panic!("{line:?} is not next in {rest:?}"));
        rest = &rest[at + line.len()..];
    }
}

#[test]
fn a_program_without_a_setting_says_so_in_one_line_that_can_be_hidden() {
    let harness = Harness::new();
    let said = lines(&bare(&harness, "init-only").output().unwrap());
    assert_eq!(said.len(), 1, "{said:#?}");
    assert!(said[0].contains("ALERT_EMAIL") && said[0].contains("ALERT_LEVEL=off hides this"), "{said:?}");

    let off = lines(&bare(&harness, "init-only").env("ALERT_LEVEL", "off").output().unwrap());
    assert_eq!(off, [""; 0]);

    // Who wanted alerts hears what is missing.
    let half = lines(&bare(&harness, "init-only").env("ALERT_EMAIL", "ops@example.com").output().unwrap());
    assert!(half.iter().any(|line| line.contains("SENDGRID_API_KEY")), "{half:#?}");
}

#[test]
fn who_listens_hears_instead_of_stderr() {
    let harness = Harness::new();
    // A directory is no file.
    std::fs::create_dir(harness.database()).unwrap();
    let handle = with_layer(harness.builder(), || error!("payment failed"));
    assert!(handle.shutdown(PATIENCE).is_complete());
    let heard = harness.heard();
    assert_eq!(heard.len(), 1, "{heard:#?}");
    assert!(heard[0].contains("is not a tracing-alert database (a directory)"), "{heard:?}");
}

/// A program that shows its terminal in its own way, and logs what it hears.
#[test]
fn who_listens_may_log_what_it_hears_and_stderr_stays_clean() {
    let harness = Harness::new();
    std::fs::create_dir(harness.database()).unwrap();
    let output = harness.child("trouble-logged").output().unwrap();
    assert_eq!(lines(&output), [""; 0]);
    let log = String::from_utf8_lossy(&output.stdout);
    assert!(log.contains("ERROR") && log.contains("is not a tracing-alert database"), "{log}");
}
