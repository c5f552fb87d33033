//! The host's own traps: it forks, is killed, runs out of something, or ends
//! while its threads go on. Nothing is lost without a word, and nothing hurts it.

use std::{
    io::Read,
    process::{Child, Command, Output, Stdio},
};

use tracing::error;
use tracing_subscriber::prelude::*;

use crate::support::{Harness, PATIENCE, Reaped, eventually, finished, hear, rows, said, text, with_layer};

fn run(command: &mut Command) -> Output {
    finished(command.spawn().unwrap())
}

/// The kinds of error that the file has.
fn messages(harness: &Harness) -> Vec<String> {
    let sql = "SELECT payload ->> 'message' FROM first_event JOIN incident ON incident.id = incident_id WHERE about IS NULL ORDER BY id";
    rows(&harness.database(), sql)
}

#[test]
fn a_forked_child_counts_what_it_loses_and_sends_nothing_twice() {
    let harness = Harness::new();
    let output = run(harness.child("host-fork").env("ALERT_PANICS", "on"));
    let said = said(&output);
    assert_eq!(said.len(), 1, "{said:#?}");
    assert!(said[0].contains("Build the layer after the fork"), "{said:?}");
    assert_eq!(messages(&harness), ["in the parent", "in the parent, later"]);
    let told = harness.provider.sms().iter().map(|sms| sms.text()).collect::<Vec<_>>().join("\n");
    assert!(told.matches("in the parent, later").count() == 1 && !told.contains("child"), "{told}");
    assert_eq!(told.matches("in the parent").count(), 2, "{told}");
}

#[test]
fn a_child_forked_in_a_storm_ends() {
    let harness = Harness::new();
    let output = run(&mut harness.child("host-fork-storm"));
    let said = said(&output);
    assert_eq!(said.iter().filter(|line| line.contains("forked")).count(), 20, "{said:#?}");
    assert_eq!(messages(&harness).iter().filter(|message| *message != "in the parent").count(), 0);
}

#[test]
fn a_forked_child_does_not_touch_the_file_that_its_parent_has_open() {
    let harness = Harness::new();
    let output = run(&mut harness.child("host-fork-rebuild"));
    let said = said(&output);
    assert_eq!(said.len(), 1, "{said:#?}");
    assert!(said[0].contains("alerts are kept in memory"), "{said:?}");
    assert_eq!(messages(&harness), ["in the parent"]);
    assert_eq!((harness.provider.sms().len(), harness.provider.mails().len()), (2, 2));
}

#[test]
fn a_child_forked_after_a_shutdown_has_a_file() {
    let harness = Harness::new();
    let output = run(&mut harness.child("host-fork-after-shutdown"));
    assert_eq!(said(&output), [""; 0]);
    assert_eq!(messages(&harness), ["before", "in the child"]);
    assert_eq!((harness.provider.sms().len(), harness.provider.mails().len()), (2, 2));
}

#[expect(unsafe_code, reason = "the standard library only kills")]
fn send(child: &Child, signal: libc::c_int) {
    let pid = libc::pid_t::try_from(child.id()).unwrap();
    // SAFETY: the child is not waited for yet, so that the number is still its.
    assert_eq!(unsafe { libc::kill(pid, signal) }, 0);
}

#[test]
#[cfg(target_os = "linux")]
fn a_signal_that_the_host_waits_for_is_not_taken_by_our_threads() {
    let harness = Harness::new();
    run(&mut harness.child("host-deaf"));
}

#[test]
fn a_line_that_nobody_reads_does_not_end_the_host() {
    let harness = Harness::new();
    // It has something to say.
    std::fs::create_dir(harness.database()).unwrap();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    run(harness.child("host-pipe").stderr(writer));
    assert_eq!((harness.provider.sms().len(), harness.provider.mails().len()), (1, 1));
}

#[test]
fn what_was_committed_before_a_deadly_signal_the_next_start_sends() {
    let harness = Harness::new();
    for (round, signal) in [(0, libc::SIGTERM), (1, libc::SIGUSR1), (2, libc::SIGKILL)] {
        let mut command = harness.child("commit-and-stay");
        command.env("ALERT_SETTLE", "1m").env("ROUND", round.to_string()).stderr(Stdio::null());
        let mut child = Reaped(command.spawn().unwrap());
        hear(&mut child.0, "committed");
        send(&child.0, signal);
        assert!(!child.0.wait().unwrap().success());
    }
    let output = harness.child("host-commit-and-abort").env("ALERT_SETTLE", "1m").output().unwrap();
    assert!(!output.status.success(), "{}", text(&output));
    assert_eq!(harness.provider.requests().len(), 0);
    settle_time_passes(&harness);
    let _next = Reaped(harness.child("stay").spawn().unwrap());
    harness.provider.wait_for(1, 1);
    let told = harness.provider.sms()[0].text();
    let errors = "[MyApp] ERROR: the payment of a round failed (x3), ERROR: aborted, ";
    let starts = "ERROR: crash loop, last error: aborted (x5) #";
    assert!(told.starts_with(&format!("{errors}{starts}")), "{told}");
}

#[test]
fn a_host_that_handles_its_signals_sends_before_it_ends() {
    for scenario in ["host-sigterm-tokio", "host-sigterm-handler"] {
        let harness = Harness::new();
        let mut child = harness.child(scenario).spawn().unwrap();
        hear(&mut child, "ready");
        send(&child, libc::SIGTERM);
        let output = finished(child);
        assert_eq!(said(&output), [""; 0], "{scenario}");
        assert_eq!(messages(&harness), ["payment failed", "terminated"], "{scenario}");
        let left = rows(&harness.database(), "SELECT DISTINCT state FROM delivery");
        assert_eq!(left, ["delivered"], "{scenario}");
    }
}

/// What waits for company waited long enough.
fn settle_time_passes(harness: &Harness) {
    rows(&harness.database(), "UPDATE standing SET data = json_set(data, '$.due_at', 0)");
}

#[test]
fn a_panic_whose_unwinding_panics_is_told() {
    let harness = Harness::new();
    let mut child = harness.child("host-double-panic");
    let output = child.env("ALERT_PANICS", "on").env("ALERT_SETTLE", "1m").output().unwrap();
    assert_eq!(output.status.code(), None, "no abort: {}", text(&output));
    assert!(messages(&harness).contains(&"the first panic".to_owned()), "{}", text(&output));
    settle_time_passes(&harness);
    let _next = Reaped(harness.child("stay").spawn().unwrap());
    eventually("the first panic is sent", || {
        harness.provider.sms().iter().any(|sms| sms.text().contains("the first panic"))
    });
}

#[test]
fn a_runtime_that_is_dropped_takes_no_alert_with_it() {
    let harness = Harness::new();
    let output = run(&mut harness.child("host-runtime-dropped"));
    assert_eq!(said(&output), [""; 0]);
    assert_eq!(messages(&harness), ["after the runtime", "from a blocking thread"]);
    assert_eq!(rows(&harness.database(), "SELECT DISTINCT state FROM delivery"), ["delivered"]);
}

#[test]
fn a_layer_built_after_a_runtime_and_errors_in_exit_are_sent() {
    for (scenario, sent) in [("host-after-runtime", 1), ("host-main-thread-end", 2)] {
        let harness = Harness::new();
        let output = run(&mut harness.child(scenario));
        assert_eq!(said(&output), [""; 0], "{scenario}");
        let (sms, mails) = (harness.provider.sms(), harness.provider.mails());
        assert_eq!((sms.len(), mails.len()), (sent, sent), "{scenario}");
    }
}

#[test]
fn two_subscribers_in_turn_send_each_alert_once() {
    let harness = Harness::new();
    for text in ["the first", "the second"] {
        let handle = with_layer(harness.builder(), || error!("{text}"));
        assert!(handle.shutdown(PATIENCE).is_complete());
        assert_eq!(handle.stats().delivered, 2);
    }
    let mut told: Vec<_> = harness.provider.sms().iter().map(|sms| sms.text()).collect();
    told.sort();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].contains("the first") && told[1].contains("the second"), "{told:?}");
}

#[test]
fn two_layers_of_one_stack_count_each_alert_once_each() {
    let (one, other) = (Harness::new(), Harness::new());
    for second in [&one, &other] {
        let first = one.builder().build().unwrap();
        let second = second.builder().build().unwrap();
        let handles = [first.handle(), second.handle()];
        let subscriber = tracing_subscriber::registry().with(first).with(second);
        tracing::subscriber::with_default(subscriber, || error!("payment failed"));
        for handle in handles {
            assert!(handle.shutdown(PATIENCE).is_complete());
            assert_eq!(handle.stats().captured, 1);
        }
    }
    for (harness, count) in [(&one, "3"), (&other, "1")] {
        assert_eq!(rows(&harness.database(), "SELECT count FROM incident"), [count]);
        assert_eq!((harness.provider.sms().len(), harness.provider.mails().len()), (1, 1));
    }
}

#[test]
fn what_a_thread_knows_to_be_committed_while_the_process_ends_is_there() {
    let harness = Harness::new();
    let mut child = harness.child("host-threads-go-on").spawn().unwrap();
    let mut stdout = String::new();
    child.stdout.take().unwrap().read_to_string(&mut stdout).unwrap();
    let output = finished(child);
    let acknowledged: Vec<_> = stdout
        .lines()
        .filter_map(|line| line.strip_prefix("committed "))
        .filter(|line| is_whole(line))
        .collect();
    let counted = rows(&harness.database(), "SELECT coalesce(sum(count), 0) FROM incident").remove(0);
    assert!(acknowledged.len() > 3, "{stdout}");
    let lost = acknowledged.len().saturating_sub(counted.parse().unwrap());
    assert_eq!(lost, 0, "broken: what is committed is in the file\n{}", text(&output));
}

fn is_whole(line: &str) -> bool {
    line.split(' ').count() == 3
}

#[test]
fn a_storm_that_goes_on_does_not_keep_the_process() {
    let harness = Harness::new();
    let output = run(&mut harness.child("host-storm-goes-on"));
    let said = said(&output);
    // On a busy machine, two seconds may be too short for what was queued before.
    // What comes after the end is told of its first, tenth, hundredth … event.
    assert!(said.len() <= 9 && said.iter().all(|line| line.contains("lost: ")), "{said:#?}");
}

#[test]
fn many_layers_make_no_chain_of_panic_hooks() {
    run(&mut Harness::new().child("host-panics-of-many"));
}

#[test]
fn a_host_with_few_descriptors_alerts_when_they_come_back() {
    let harnesses: Vec<_> = [0, 4, 7, 8, 9, 10, 12].into_iter().map(|free| (free, Harness::new())).collect();
    let children: Vec<_> = harnesses
        .iter()
        .map(|(free, harness)| {
            let child = harness.child("host-descriptors").env("FREE", format!("{free}")).spawn().unwrap();
            (free, harness, child)
        })
        .collect();
    for (free, harness, child) in children {
        let output = finished(child);
        assert!(!text(&output).contains("panicked"), "{free} descriptors: {}", text(&output));
        let said = said(&output);
        assert!(said.len() <= 1, "{free} descriptors: {said:#?}");
        assert_eq!(harness.provider.mails().len(), 1, "{free} descriptors: {said:#?}");
    }
}

#[test]
fn a_host_that_runs_out_of_descriptors_alerts_when_they_come_back() {
    let harness = Harness::new();
    let output = run(&mut harness.child("host-descriptors-later"));
    let said = said(&output);
    assert!(said.len() <= 1, "{said:#?}");
    assert_eq!(harness.provider.mails().len(), 1);
}

#[test]
fn a_host_without_room_for_a_thread_is_told_and_counts() {
    let output = run(Harness::new().child("host-no-thread").env("ALERT_PANICS", "on"));
    let said = said(&output);
    assert_eq!(said.len(), 1, "{}", text(&output));
    assert!(said[0].contains("the alert thread cannot be started"), "{said:?}");
}

#[test]
fn a_host_that_runs_out_of_room_for_threads_still_alerts() {
    let harness = Harness::new();
    let output = run(&mut harness.child("host-no-thread-later"));
    assert_eq!(said(&output), [""; 0]);
    assert!(messages(&harness).contains(&"boom".to_owned()));
}
