//! What happens when something below does not work: the disk, the settings,
//! the room in the queue.

use std::time::Duration;

use tracing::error;
use tracing_alert::{AlertLayer, DropReason, MemorySink, StoreState};

use crate::support::{Harness, PATIENCE, with_layer};

#[test]
fn without_a_database_alerts_are_kept_in_memory_and_flow() {
    let harness = Harness::new();
    std::fs::create_dir(harness.database()).unwrap();
    let handle = with_layer(harness.builder(), || error!("payment failed"));
    assert!(handle.flush(PATIENCE).is_complete());
    assert_eq!((harness.provider.sms().len(), harness.provider.mails().len()), (1, 1));
    assert_eq!(handle.stats().store, StoreState::Memory);
}

#[test]
fn a_database_that_cannot_be_opened_is_one_line_on_stderr() {
    let harness = Harness::new();
    std::fs::create_dir(harness.database()).unwrap();
    let output = harness.child("return").output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    let lines: Vec<_> = stderr.lines().filter(|line| line.starts_with("tracing-alert: ")).collect();
    assert_eq!(lines.len(), 1, "{stderr}");
    assert!(lines[0].contains("ALERT_DATABASE") && lines[0].contains("memory"), "{stderr}");
    assert_eq!(harness.provider.sms().len(), 1);
}

#[test]
fn a_damaged_database_does_not_stop_alerts() {
    let harness = Harness::new();
    std::fs::write(harness.database(), "this is no database, and never was one ".repeat(500)).unwrap();
    let handle = with_layer(harness.builder(), || error!("payment failed"));
    assert!(handle.flush(PATIENCE).is_complete());
    assert_eq!(handle.stats().store, StoreState::Memory);
}

#[test]
#[cfg(unix)]
fn the_database_and_its_directory_are_the_owners_alone() {
    use std::os::unix::fs::PermissionsExt;

    let harness = Harness::new();
    let path = harness.database().with_file_name("new").join("alerts.db");
    let handle = with_layer(harness.builder().database(&path), || error!("payment failed"));
    assert!(handle.flush(PATIENCE).is_complete());
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(path.parent().unwrap()), 0o700);
    for suffix in ["", "-wal", "-shm"] {
        assert_eq!(mode(&path.with_file_name(format!("alerts.db{suffix}"))), 0o600, "{suffix}");
    }
}

#[test]
fn without_settings_a_program_runs_and_says_why_it_alerts_nobody() {
    let harness = Harness::new();
    let mut child = harness.child("return");
    for (name, _) in harness.variables() {
        child.env_remove(name);
    }
    let output = child.output().unwrap();
    assert!(output.status.success());
    let stderr = String::from_utf8(output.stderr).unwrap();
    let lines: Vec<_> = stderr.lines().filter(|line| line.starts_with("tracing-alert: ")).collect();
    assert_eq!(lines.len(), 1, "{stderr}");
    assert!(lines[0].contains("nobody would be told"), "{stderr}");
}

#[test]
fn a_broken_setting_switches_off_what_needs_it_and_the_rest_works() {
    let harness = Harness::new();
    let output = harness
        .child("return")
        .env("ALERT_PHONE", "15551230001")
        .env("ALERT_EMIAL", "someone@example.com")
        .env("ALERT_LEVEL", "loud")
        .output()
        .unwrap();
    assert!(output.status.success());
    let stderr = String::from_utf8(output.stderr).unwrap();
    for name in ["ALERT_PHONE", "ALERT_EMIAL", "ALERT_LEVEL"] {
        let about = |line: &&str| line.starts_with(&format!("tracing-alert: {name}: "));
        assert_eq!(stderr.lines().filter(about).count(), 1, "{name} in {stderr}");
    }
    assert!(!stderr.contains("15551230001"), "{stderr}");
    assert_eq!((harness.provider.sms().len(), harness.provider.mails().len()), (0, 1));
}

#[test]
fn try_from_env_refuses_what_from_env_does_without() {
    let harness = Harness::new();
    let output = harness.child("try").env("ALERT_LEVEL", "loud").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert_eq!(harness.provider.requests().len(), 0);
}

#[test]
fn what_does_not_fit_the_queue_is_counted_and_told() {
    let sink = MemorySink::new();
    let builder = AlertLayer::builder()
        .in_memory()
        .settle(Duration::from_secs(60))
        .panics(false)
        .sink(sink.clone(), ["on-call"]);
    let big = "x".repeat(8000);
    let handle = with_layer(builder, || {
        // Different messages: the alert thread cannot make one of them.
        for number in 0..60_000 {
            error!(number, "{number} {big}");
        }
    });
    handle.flush(PATIENCE);
    let stats = handle.stats();
    let lost: u64 = stats.dropped.values().sum();
    assert_eq!(stats.captured + stats.dropped.get(&DropReason::QueueFull).unwrap_or(&0), 60_000);
    let told: u64 = sink.messages().iter().map(|message| message.notice.event_count()).sum();
    let told_lost: u64 = sink.messages().iter().flat_map(|message| message.notice.losses.values()).sum();
    assert_eq!((told, told_lost), (60_000 - lost, lost));
    assert!(lost > 0, "the queue was never full: {stats:?}");
}
