//! What happens when something below does not work: the disk, the settings,
//! the room in the queue.

use std::{
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    time::Duration,
};

use tracing::error;
use tracing_alert::{
    AlertLayer, MemorySink, Message, Receipt, RetryPolicy, SendError, Sink, StoreState, notice::DropReason,
};
use tracing_subscriber::prelude::*;

use crate::support::{Harness, PATIENCE, Provider, eventually, in_time, try_rows, with_layer, word};

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
    let end = || {
        let harness = Harness::new();
        std::fs::create_dir(harness.database()).unwrap();
        let output = harness.child("return").output().unwrap();
        (String::from_utf8(output.stderr).unwrap(), harness)
    };
    // The end waits two seconds.
    let (stderr, harness) = in_time(end, |(stderr, _)| !stderr.contains("not committed before the end"));
    let lines: Vec<_> = stderr.lines().filter(|line| line.starts_with("tracing-alert: ")).collect();
    assert_eq!(lines.len(), 1, "{stderr}");
    assert!(lines[0].contains("ALERT_DATABASE") && lines[0].contains("memory"), "{stderr}");
    assert_eq!(harness.provider.sms().len(), 1);
}

#[test]
fn a_damaged_database_is_put_aside_and_replaced() {
    let harness = Harness::new();
    let first = with_layer(harness.builder(), || ());
    assert!(first.shutdown(PATIENCE).is_complete());
    eventually("the file is closed", || !harness.database().with_file_name("alerts.db-wal").exists());
    std::fs::write(harness.database(), "this is no database any more ".repeat(500)).unwrap();
    let handle = with_layer(harness.builder(), || error!("payment failed"));
    assert!(handle.flush(PATIENCE).is_complete());
    assert_eq!(handle.stats().store, StoreState::Durable);
    assert!(harness.database().with_file_name("alerts.db.damaged-1").exists());
    assert_eq!(harness.provider.sms().len(), 1);
}

#[test]
fn what_a_damaged_database_still_shows_is_rescued() {
    use std::io::{Seek, Write};

    let mut harness = Harness::new();
    let provider = harness.provider.clone();
    harness.provider = Provider::at(Provider::nowhere());
    let handle = with_layer(harness.builder(), || error!("before the damage"));
    eventually("both were tried", || handle.stats().retried >= 2);
    assert_eq!(handle.shutdown(Duration::from_millis(500)).pending, 2);
    eventually("the file is closed", || !harness.database().with_file_name("alerts.db-wal").exists());
    // The list of tables is whole; the tail of the schema's first page is not.
    let mut file = std::fs::OpenOptions::new().write(true).open(harness.database()).unwrap();
    file.seek(std::io::SeekFrom::Start(28)).unwrap();
    file.write_all(&[0xff; 4]).unwrap();
    drop(file);

    harness.provider = provider;
    let handle = with_layer(harness.builder(), || error!("after the damage"));
    let report = handle.flush(PATIENCE);
    assert!(report.is_complete(), "{report:?}");
    assert_eq!(handle.stats().store, StoreState::Durable);
    let told: Vec<_> = harness.provider.sms().iter().map(crate::provider::Request::text).collect();
    assert!(told.iter().any(|text| text.contains("after the damage")), "{told:?}");
}

/// Nothing can be sent, so what was captured has to be in the file in the end.
fn keeps_in_the_end(spoil: impl FnOnce(&Path), mend: impl FnOnce(&Path)) {
    let mut harness = Harness::new();
    let provider = harness.provider.clone();
    harness.provider = Provider::at(Provider::nowhere());
    spoil(&harness.database());
    let layer = harness.builder().build().unwrap();
    let handle = layer.handle();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        error!("before");
        eventually("both were tried", || handle.stats().retried >= 2);
        mend(&harness.database());
        error!("after");
    });
    handle.shutdown(Duration::from_millis(500));
    let sql =
        "SELECT payload ->> 'message', sink FROM first_event JOIN standing USING (incident_id) ORDER BY 1, 2";
    eventually("all of it is in the file", || {
        let kept = try_rows(&harness.database(), sql).unwrap_or_default();
        kept == ["after|sendgrid", "after|twilio", "before|sendgrid", "before|twilio"]
    });

    harness.provider = provider;
    let mut policy = RetryPolicy::DEFAULT;
    policy.initial = Duration::from_millis(50);
    let _next = harness.builder().retry(policy).build::<tracing_subscriber::Registry>().unwrap();
    eventually("both errors are told both ways", || {
        let sms: String = harness.provider.sms().iter().map(|sms| sms.text()).collect();
        let mails: String = harness.provider.mails().iter().map(|mail| mail.json().to_string()).collect();
        ["before", "after"].iter().all(|word| sms.contains(word) && mails.contains(word))
    });
}

#[test]
fn what_memory_held_is_in_the_file_once_that_works() {
    keeps_in_the_end(|path| std::fs::create_dir(path).unwrap(), |path| std::fs::remove_dir(path).unwrap());
}

// Windows lets nobody move or delete a file that is open.
#[test]
#[cfg(unix)]
fn a_file_that_is_moved_away_under_us_is_made_anew_with_all_that_was_pending() {
    keeps_in_the_end(|_| (), |path| std::fs::rename(path, path.with_file_name("moved.db")).unwrap());
}

#[test]
#[cfg(unix)]
fn a_file_that_is_deleted_under_us_is_made_anew_with_all_that_was_pending() {
    keeps_in_the_end(|_| (), |path| std::fs::remove_file(path).unwrap());
}

#[test]
#[cfg(unix)]
fn a_directory_that_is_deleted_under_us_is_made_anew_with_all_that_was_pending() {
    keeps_in_the_end(|_| (), |path| std::fs::remove_dir_all(path.parent().unwrap()).unwrap());
}

/// No file of the child may grow beyond this, in blocks of 512 bytes.
#[test]
#[cfg(unix)]
fn on_a_full_disk_alerts_flow_and_one_line_says_so() {
    let harness = Harness::new();
    let child = harness.child("fill");
    let mut limited = std::process::Command::new("sh");
    limited
        .args(["-c", "trap '' XFSZ; ulimit -f 1000; exec \"$0\" \"$@\""])
        .arg(child.get_program())
        .args(child.get_args())
        .env_clear()
        .envs(child.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = limited.output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{}{stderr}", String::from_utf8_lossy(&output.stdout));
    let lines: Vec<_> = stderr.lines().filter(|line| line.contains("kept in memory")).collect();
    assert_eq!(lines.len(), 1, "{stderr}");
    // What was committed when the disk filled, the next start sends.
    let _next = harness.builder().build::<tracing_subscriber::Registry>().unwrap();
    eventually("each of them is told both ways", || {
        let texts: Vec<_> = harness.provider.sms().iter().map(|sms| sms.text()).collect();
        let mails: Vec<_> = harness.provider.mails().iter().map(|mail| mail.json().to_string()).collect();
        (0..60)
            .map(word)
            .all(|kind| [&texts, &mails].map(|all| all.iter().any(|text| text.contains(&kind))) == [true; 2])
    });
}

#[test]
#[cfg(unix)]
fn the_database_and_its_directory_are_the_owners_alone() {
    use std::os::unix::fs::PermissionsExt;

    let harness = Harness::new();
    let path = harness.database().with_file_name("new").join("alerts.db");
    let handle = with_layer(harness.builder().database(&path), || error!("payment failed"));
    assert!(handle.flush(PATIENCE).is_complete());
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
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
    assert!(lines[0].contains("no variable is set"), "{stderr}");
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

/// Holds up the alert thread until it may go on; then as [`MemorySink`].
struct Blocking(MemorySink, Arc<AtomicBool>, Mutex<mpsc::Receiver<()>>);

impl Sink for Blocking {
    fn name(&self) -> &'static str {
        "blocking"
    }

    async fn send(&self, message: &Message) -> Result<Receipt, SendError> {
        self.1.store(true, Ordering::Relaxed);
        // An error is the end of the wait too.
        let _ = self.2.lock().unwrap().recv();
        Sink::send(&self.0, message).await
    }
}

/// Runs `emit` 20,000 times, which is more than fits the queue, while the alert
/// thread is held up.
fn more_than_fits(emit: impl Fn(u32)) -> (tracing_alert::AlertHandle, MemorySink) {
    let (go_on, wait) = mpsc::channel::<()>();
    let (sink, is_held_up) = (MemorySink::new(), Arc::new(AtomicBool::new(false)));
    let builder = AlertLayer::builder()
        .in_memory()
        .settle(Duration::ZERO)
        .storm_rate(u32::MAX)
        .panics(false)
        .sink(Blocking(sink.clone(), Arc::clone(&is_held_up), Mutex::new(wait)), ["on-call"]);
    let handle = with_layer(builder, || {
        error!("the first");
        eventually("the alert thread is held up", || is_held_up.load(Ordering::Relaxed));
        (0..20_000).for_each(emit);
        drop(go_on);
    });
    assert!(handle.flush(PATIENCE).is_complete());
    (handle, sink)
}

fn told(sink: &MemorySink) -> u64 {
    sink.messages().iter().map(|message| message.notice.event_count()).sum()
}

#[test]
fn what_does_not_fit_the_queue_is_counted_for_its_callsite_and_told() {
    let (handle, sink) = more_than_fits(|number| error!("{number}"));
    let stats = handle.stats();
    assert_eq!((stats.captured, stats.persisted, stats.dropped.len()), (20_001, 20_001, 0));
    assert_eq!(told(&sink), 20_001);
}

#[test]
fn what_fits_neither_the_queue_nor_a_callsite_is_counted_as_lost_and_told() {
    let (handle, sink) = more_than_fits(|number| {
        let mut record = log::Record::builder();
        let record = record.level(log::Level::Error);
        tracing_log::format_trace(&record.args(format_args!("{number}")).build()).unwrap();
    });
    let stats = handle.stats();
    let lost = stats.dropped[&DropReason::QueueFull];
    assert_eq!((stats.captured, lost), (8_193, 20_001 - 8_193));
    let told_lost: u64 = sink.messages().iter().flat_map(|message| message.notice.losses.values()).sum();
    assert_eq!((told(&sink), told_lost), (stats.captured, lost));
}

#[test]
fn a_flush_that_waits_does_not_turn_grouping_off() {
    let busy =
        SendError::NotProcessed { reason: "busy".to_owned(), retry_after: Some(Duration::from_secs(2)) };
    let sink = MemorySink::failing_with([busy]);
    let builder = AlertLayer::builder()
        .in_memory()
        .settle(Duration::from_secs(1))
        .panics(false)
        .sink(sink.clone(), ["on-call"]);
    let layer = builder.build().unwrap();
    let handle = layer.handle();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        error!("the first");
        let flushing = handle.clone();
        let flush = std::thread::spawn(move || flushing.flush(PATIENCE));
        eventually("the flush waits for a retry", || handle.stats().retried == 1);
        for number in 0..10 {
            error!("{number}");
            eventually("it is committed", || handle.stats().persisted == number + 2);
        }
        assert!(flush.join().unwrap().is_complete());
    });
    assert!(handle.flush(PATIENCE).is_complete());
    assert!(sink.messages().len() <= 4, "{} messages for 11 errors", sink.messages().len());
}
