//! The end of a process, its forks, its panics and its levels, against the layer's
//! will: what a host does that no rule forbids.

use std::{
    io::Write,
    process::{Command, Output, Stdio},
};

use crate::support::{Harness, finished, hear, rows, said, text};

fn run(command: &mut Command) -> Output {
    finished(command.spawn().unwrap())
}

/// The kinds of error that the file has, and how many there were of each.
fn counts(harness: &Harness) -> Vec<String> {
    let sql = "SELECT payload ->> 'message', count FROM first_event JOIN incident ON incident.id = incident_id WHERE about IS NULL ORDER BY id";
    rows(&harness.database(), sql)
}

#[test]
fn levels_that_are_set_at_once_agree() {
    run(&mut Harness::new().child("levels-race"));
}

#[test]
fn a_level_that_is_set_while_others_ask_what_is_wanted_holds() {
    run(&mut Harness::new().child("levels-foreign"));
}

#[test]
fn a_level_can_be_set_from_anywhere() {
    run(&mut Harness::new().child("levels-inside"));
}

#[test]
fn a_level_that_a_thread_without_a_subscriber_sets_holds() {
    run(&mut Harness::new().child("levels-elsewhere"));
}

/// `FORKS=1000 cargo test --test it panicking_parent` for more than 40.
#[test]
fn a_child_of_a_panicking_parent_builds_a_layer() {
    let output = run(&mut Harness::new().child("end-fork-while-panicking"));
    assert_eq!(said(&output), [""; 0]);
}

#[test]
fn a_child_of_a_parent_that_reads_its_first_event_reads_its_own() {
    let output = run(&mut Harness::new().child("end-fork-at-first"));
    assert_eq!(said(&output), [""; 0]);
}

#[test]
fn a_child_that_cannot_hear_of_panics_says_so() {
    let output = run(&mut Harness::new().child("end-fork-first-hook"));
    let said = said(&output);
    assert!(!said.is_empty() && said.iter().all(|line| line.contains("panics do not alert")), "{said:#?}");
}

#[test]
#[cfg(target_os = "linux")]
fn a_child_that_the_c_library_knows_nothing_of_ends_at_once() {
    let output = run(&mut Harness::new().child("end-clone"));
    assert_eq!(said(&output), [""; 0]);
}

#[test]
fn an_exit_on_the_alert_thread_does_not_wait_for_it() {
    let took = || {
        let output = Harness::new().child("end-sink-panics").output().unwrap();
        assert_eq!(output.status.code(), Some(3), "{}", text(&output));
        let stdout = String::from_utf8_lossy(&output.stdout);
        let took = stdout.lines().find_map(|line| line.strip_prefix("the end took ")?.strip_suffix(" ms"));
        took.unwrap().parse::<u32>().unwrap()
    };
    // Each waited for two seconds; on a busy machine one may take long all the same.
    let took = [(); 3].map(|()| took());
    assert!(took.into_iter().min().unwrap() < 1500, "{took:?}");
}

#[test]
fn an_event_in_a_handler_that_runs_after_ours_is_committed() {
    let harness = Harness::new();
    let output = run(&mut harness.child("end-late"));
    assert_eq!(said(&output), [""; 0]);
    assert_eq!(counts(&harness), ["before the end|1", "after the drain|1"]);
}

#[test]
fn a_thread_that_never_logged_may_end_the_process() {
    let harness = Harness::new();
    let output = run(&mut harness.child("end-late-elsewhere"));
    assert_eq!(said(&output), [""; 0]);
    assert_eq!(counts(&harness), ["before the end|1", "after the drain|1"]);
}

#[test]
fn events_that_are_lost_after_our_handler_are_told() {
    let harness = Harness::new();
    let output = run(&mut harness.child("end-late-storm"));
    let said = said(&output);
    assert!(!said.is_empty() && said.len() <= 6, "{said:#?}");
    assert!(said.iter().all(|line| line.contains("may be lost")), "{said:#?}");
}

#[test]
fn an_event_that_a_locked_file_does_not_take_after_our_handler_is_told() {
    use sqlx::{ConnectOptions, Executor, sqlite::SqliteConnectOptions};

    let harness = Harness::new();
    let mut child = harness.child("end-late-locked").stdin(Stdio::piped()).spawn().unwrap();
    hear(&mut child, "ready");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let output = runtime.block_on(async {
        let mut holder = SqliteConnectOptions::new().filename(harness.database()).connect().await.unwrap();
        holder.execute("BEGIN IMMEDIATE").await.unwrap();
        child.stdin.take().unwrap().write_all(b"go on\n").unwrap();
        child.wait_with_output().unwrap()
    });
    assert!(output.status.success(), "{}", text(&output));
    let said = said(&output);
    assert!(said.iter().any(|line| line.contains("1 event may be lost: ")), "{said:#?}");
}

#[test]
fn a_panic_hook_that_was_replaced_is_noticed_and_can_be_chained_again() {
    for (scenario, lines) in [("end-unchained", 1), ("end-unchained-event", 1), ("end-resumed", 0)] {
        let harness = Harness::new();
        let output = run(harness.child(scenario).env("ALERT_PANICS", "on"));
        let said = said(&output);
        assert_eq!(said.len(), lines, "{scenario}: {said:#?}");
        assert!(said.iter().all(|line| line.contains("AlertHandle::chain_panic_hook")), "{said:#?}");
    }
    let harness = Harness::new();
    run(harness.child("end-unchained").env("ALERT_PANICS", "on"));
    assert_eq!(counts(&harness), ["seen|1"]);
}

#[test]
fn chaining_again_changes_nothing_that_is_right() {
    run(&mut Harness::new().child("end-chained-again"));
}

#[test]
fn two_subscribers_hear_of_a_panic_and_each_of_its_own_spans() {
    let harness = Harness::new();
    let output = run(&mut harness.child("panics-of-two"));
    assert_eq!(said(&output), [""; 0]);
    assert_eq!(counts(&harness), ["boom in a span|1"]);
    let spans = "SELECT payload ->> '$.spans[0].name' FROM first_event";
    assert_eq!(rows(&harness.database(), spans), ["request"], "{}", text(&output));
}

#[test]
fn a_panic_hook_that_logs_a_long_text_alerts_twice() {
    let harness = Harness::new();
    let output = run(harness.child("panics-hook-logs").env("ALERT_PANICS", "on"));
    assert_eq!(said(&output), [""; 0]);
    let lengths = "SELECT payload ->> 'panic' IS 1, length(payload ->> 'message') BETWEEN 8192 AND 8200 FROM first_event";
    assert_eq!(rows(&harness.database(), lengths), ["1|1", "0|1"], "{}", text(&output));
}

/// Whoever waited for the one that is printed would wait for ever.
#[test]
fn a_panic_alerts_while_that_of_another_thread_is_being_printed() {
    run(Harness::new().child("panics-while-printing").env("RUST_BACKTRACE", "1"));
}

#[test]
fn a_reader_that_is_gone_is_no_alert() {
    let harness = Harness::new();
    run(harness.child("end-broken-pipe").env("ALERT_PANICS", "on"));
    let others = [
        "upload failed: Broken pipe (os error 32)|1",
        "failed printing to stdout: disk full (os error 28)|1",
    ];
    assert_eq!(counts(&harness), others);
}
