//! Disks that are full, read-only or gone: real ones where this machine lets
//! a process mount them for itself.
#![cfg(unix)]
#![expect(clippy::print_stdout, reason = "a test that could not run says so")]

use std::{
    fs::File,
    process::{Command, Output, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tracing::error;
use tracing_alert::{AlertHandle, AlertLayer, MemorySink, Message, Receipt, RetryPolicy, SendError, Sink};
use tracing_subscriber::prelude::*;

use crate::support::{Harness, Heard, PATIENCE, eventually, word};

/// Runs `scenario` with the directory of its database on a file system of its
/// own, which `mount` makes of `$DIR`. None where no process may mount one.
fn on_a_disk_of_its_own(harness: &Harness, mount: &str, scenario: &str) -> Option<Output> {
    let directory = harness.database().parent().unwrap().to_owned();
    // As root of a new user namespace, or else as root.
    let manners: [&[&str]; 2] = [&["-r", "-m"], &["-m"]];
    for manner in manners {
        let unshare = |script: &str| {
            let mut command = Command::new("unshare");
            command.args(manner).args(["sh", "-c", script]).env("DIR", &directory).stdin(Stdio::null());
            command
        };
        let mounts = unshare(mount).output();
        if mounts.is_ok_and(|tried| tried.status.success()) {
            let child = harness.child(scenario);
            let mut command = unshare(&format!("{mount} && exec \"$0\" \"$@\""));
            command.arg(child.get_program()).args(child.get_args());
            command.envs(child.get_envs().filter_map(|(name, value)| Some((name, value?))));
            return Some(command.output().unwrap());
        }
    }
    println!("no process may mount a file system here; a directory in the file's place stands for it");
    None
}

fn said(output: &Output) -> Vec<&str> {
    assert!(output.status.success(), "{output:?}");
    let stderr = std::str::from_utf8(&output.stderr).unwrap();
    stderr.lines().filter(|line| line.starts_with("tracing-alert: ")).collect()
}

#[test]
fn a_disk_that_is_full_for_a_while_loses_nothing_and_is_one_line() {
    let harness = Harness::new();
    let mount = "mount -t tmpfs -o size=1m none \"$DIR\"";
    let Some(output) = on_a_disk_of_its_own(&harness, mount, "full-for-a-while") else {
        return;
    };
    let said = said(&output);
    assert_eq!(said.iter().filter(|line| line.contains("kept in memory")).count(), 1, "{said:#?}");
    assert_eq!((harness.provider.sms().len(), harness.provider.mails().len()), (FULL + 2, FULL + 2));
}

/// How many alerts there are while the disk is full.
const FULL: usize = 10;

/// The child's part: fills its disk, alerts, frees the disk and alerts again.
pub(crate) fn full_for_a_while(init: impl FnOnce()) {
    init();
    let handle = AlertHandle::current().unwrap();
    let alert = |what: &str| {
        error!("{what} {}", "x".repeat(2_000));
        let report = handle.flush(PATIENCE);
        assert!(report.is_complete(), "{what}: {report:?}");
    };
    alert("before");
    assert_eq!(handle.stats().store, tracing_alert::StoreState::Durable);
    let database = std::path::PathBuf::from(std::env::var_os("ALERT_DATABASE").unwrap());
    let ballast = database.with_file_name("ballast");
    let filled = std::io::copy(&mut std::io::repeat(0), &mut File::create(&ballast).unwrap());
    assert_eq!(filled.unwrap_err().kind(), std::io::ErrorKind::StorageFull);
    (0..FULL).for_each(|number| alert(&word(number)));
    assert_eq!(handle.stats().store, tracing_alert::StoreState::Memory);
    std::fs::remove_file(&ballast).unwrap();
    error!("after");
    assert!(handle.shutdown(PATIENCE).is_complete());
    let stats = handle.stats();
    assert_eq!(stats.store, tracing_alert::StoreState::Durable, "the file was not taken up again");
    assert!(stats.dropped.values().all(|lost| *lost == 0), "{stats:?}");
}

#[test]
fn on_a_read_only_file_system_alerts_flow_and_one_line_says_so() {
    let harness = Harness::new();
    let mount = "mount -t tmpfs none \"$DIR\" && mount -o remount,ro \"$DIR\"";
    let Some(output) = on_a_disk_of_its_own(&harness, mount, "return") else {
        return;
    };
    let said = said(&output);
    assert_eq!(said.len(), 1, "{said:#?}");
    assert!(said[0].contains("Read-only") && said[0].contains("ALERT_DATABASE"), "{said:#?}");
    assert_eq!((harness.provider.sms().len(), harness.provider.mails().len()), (1, 1));
}

#[test]
fn with_no_file_and_nowhere_to_say_so_alerts_flow() {
    let harness = Harness::new();
    std::fs::create_dir(harness.database()).unwrap();
    let full = File::options().write(true).open("/dev/full").map_or_else(|_| Stdio::null(), Stdio::from);
    assert!(harness.child("return").stderr(full).status().unwrap().success());
    assert_eq!((harness.provider.sms().len(), harness.provider.mails().len()), (1, 1));
}

/// Panics in the alert thread's loop when told to; else as [`MemorySink`].
struct Defective(MemorySink, Arc<AtomicBool>);

impl Sink for Defective {
    fn name(&self) -> &'static str {
        assert!(!self.1.swap(false, Ordering::Relaxed), "the test's defect of the loop");
        "defective"
    }

    async fn send(&self, message: &Message) -> Result<Receipt, SendError> {
        Sink::send(&self.0, message).await
    }
}

#[test]
fn a_defect_of_the_alert_thread_loses_nothing_that_is_only_in_memory() {
    let (sink, defect) = (MemorySink::failing_with([SendError::not_processed("busy")]), Arc::default());
    let mut policy = RetryPolicy::DEFAULT;
    policy.initial = Duration::from_secs(1);
    let heard = Heard::default();
    let layer = heard
        .by(AlertLayer::builder())
        .in_memory()
        .settle(Duration::ZERO)
        .panics(false)
        .retry(policy)
        .sink(Defective(sink.clone(), Arc::clone(&defect)), ["on-call"])
        .build()
        .unwrap();
    let handle = layer.handle();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        error!("only in memory");
        eventually("it waits to be tried again", || handle.stats().retried == 1);
        defect.store(true, Ordering::Relaxed);
        eventually("the loop fails", || !defect.load(Ordering::Relaxed));
        assert!(handle.flush(PATIENCE).is_complete());
    });
    assert_eq!(sink.messages().len(), 1, "what was only in memory is lost");
    assert_eq!(heard.lines(), ["the alert thread panicked and was restarted; please report this"]);
}
