//! Programs that start again and again.

use std::process::Command;

use crate::support::{Harness, Reaped, eventually, rows, time_passes, try_rows};

/// A child that does not wait for company.
fn child(harness: &Harness, scenario: &str) -> Command {
    let mut child = harness.child(scenario);
    child.env("ALERT_SETTLE", "0s");
    child
}

/// Waits until the file has what `sql` asks for: there may be no file yet.
fn until(harness: &Harness, sql: &str) {
    eventually(sql, || try_rows(&harness.database(), sql).is_ok_and(|rows| rows == ["1"]));
}

/// A run that stays, as soon as the file knows of it.
fn stays(harness: &Harness) -> Reaped {
    let child = Reaped(child(harness, "stay").spawn().unwrap());
    until(harness, &format!("SELECT count(*) FROM start WHERE data ->> 'pid' = {}", child.0.id()));
    child
}

/// The crash loops that were told, as the SMS have them, but for their ids.
fn told(harness: &Harness) -> Vec<String> {
    let texts = harness.provider.sms().into_iter().map(|sms| sms.text());
    let texts = texts.filter(|text| text.contains("crash loop"));
    texts.map(|text| text.split(" #").next().unwrap().to_owned()).collect()
}

/// How many starts the crash loop has, if there is one.
fn noted(harness: &Harness) -> Vec<String> {
    rows(&harness.database(), "SELECT count FROM incident WHERE about = 'crash_loop'")
}

/// A run that ends in a fault, after an error.
fn aborts(harness: &Harness) {
    assert!(!child(harness, "abort-after-commit").output().unwrap().status.success());
}

#[test]
fn runs_that_are_killed_before_they_say_a_word_may_have_been_ended_by_somebody() {
    let harness = Harness::new();
    for _ in 0..8 {
        drop(stays(&harness));
    }
    assert_eq!(noted(&harness), [""; 0]);
}

#[test]
fn runs_that_abort_are_a_crash_loop_that_is_told_once_and_says_what_they_said_last() {
    let harness = Harness::new();
    for _ in 0..4 {
        aborts(&harness);
    }
    assert_eq!(noted(&harness), [""; 0], "four may be");
    let _fifth = stays(&harness);
    eventually("it is told", || told(&harness).len() == 1);
    for _ in 5..9 {
        drop(stays(&harness));
    }
    assert_eq!(told(&harness), ["[MyApp] ERROR: crash loop, last error: the last words (x5)"]);
    assert_eq!(noted(&harness), ["9"], "each further start is counted");
    let mails = harness.provider.mails();
    let texts = mails.iter().map(|mail| mail.json()["content"][0]["value"].as_str().unwrap().to_owned());
    let explained = "starts = 5 within 10 minutes; all but the last failed: they ended with an error, or were killed after one";
    assert!(texts.into_iter().any(|text| text.contains(explained)), "{mails:?}");
}

#[test]
fn runs_that_log_an_error_and_end_well_are_no_crash_loop() {
    let harness = Harness::new();
    for _ in 0..8 {
        assert!(child(&harness, "return").output().unwrap().status.success());
    }
    assert_eq!(noted(&harness), [""; 0]);
}

#[test]
#[cfg(unix)]
fn who_wants_to_hear_of_no_crash_loop_does_not() {
    let harness = Harness::new();
    for _ in 0..6 {
        let mut child = child(&harness, "processes-exit");
        assert_eq!(child.env("ALERT_CRASH_LOOPS", "off").output().unwrap().status.code(), Some(1));
    }
    assert_eq!(noted(&harness), [""; 0]);
    assert_eq!(rows(&harness.database(), "SELECT count(*) FROM start"), ["0"]);
}

// On Windows, `exit` leaves an error no time to be committed.
#[test]
#[cfg(unix)]
fn runs_that_exit_after_an_error_are_a_crash_loop() {
    let harness = Harness::new();
    for _ in 0..6 {
        assert_eq!(child(&harness, "processes-exit").output().unwrap().status.code(), Some(1));
    }
    assert_eq!(told(&harness), ["[MyApp] ERROR: crash loop, last error: no database (x5)"]);
    assert_eq!(noted(&harness), ["6"]);
}

#[test]
fn runs_that_end_well_are_no_crash_loop_and_leave_nothing() {
    let harness = Harness::new();
    for _ in 0..8 {
        assert!(child(&harness, "processes-well").output().unwrap().status.success());
    }
    assert_eq!(rows(&harness.database(), "SELECT count(*) FROM start"), ["0"]);
    assert_eq!(noted(&harness), [""; 0]);
}

#[test]
fn workers_that_start_together_and_live_are_no_crash_loop() {
    let harness = Harness::new();
    let workers: Vec<_> = (0..8).map(|_| Reaped(child(&harness, "stay").spawn().unwrap())).collect();
    until(&harness, "SELECT count(*) = 8 FROM start");
    assert_eq!(noted(&harness), [""; 0]);
    drop(workers);
}

#[test]
fn runs_that_failed_long_ago_are_forgotten() {
    let harness = Harness::new();
    for _ in 0..4 {
        aborts(&harness);
    }
    rows(&harness.database(), &time_passes(600_000));
    let _last = stays(&harness);
    assert_eq!(rows(&harness.database(), "SELECT count(*) FROM start"), ["1"]);
    assert_eq!(noted(&harness), [""; 0]);
}
