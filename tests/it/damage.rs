//! Files that are damaged in every place: an alert flows afterwards, and what
//! can still be read is delivered.
#![expect(clippy::print_stdout, reason = "whoever tries all damages reads it")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use sqlx::{ConnectOptions, Connection, Executor, sqlite::SqliteConnectOptions};
use tracing::error;
use tracing_alert::{AlertLayer, MemorySink};

use crate::support::{Harness, Heard, PATIENCE, eventually, rows, try_rows, with_layer};

/// How many errors are in a file, how many of them in a message that waits (each
/// third is in none yet), and how many only in the journal where that is what is
/// damaged.
const ERRORS: usize = 12;
const TOLD: usize = ERRORS - (ERRORS - 1) / 3;
const IN_JOURNAL: usize = 4;

/// A database and its two companions, as a killed process leaves them.
#[derive(Clone)]
struct Files([(&'static str, Vec<u8>); 3]);

impl Files {
    /// Makes them, with [`ERRORS`]; so many of these are in the journal.
    fn make(in_journal: usize) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("alerts.db");
        let refuse = MemorySink::failing_with([tracing_alert::SendError::not_processed("not now")]);
        let handle = with_layer(layer(&path, &refuse), || error!("payment failed: {}", "x".repeat(900)));
        eventually("an attempt failed", || handle.stats().retried == 1);
        assert_eq!(handle.shutdown(Duration::from_millis(300)).pending, 1);
        eventually("the file is closed", || !beside(&path, "-wal").exists());
        let copy = "INSERT INTO incident (id, data)
                    SELECT id + ?1, json_set(data, '$.public_id', printf('%04d', ?1), '$.fingerprint', hex(randomblob(16)))
                      FROM incident WHERE id = 1;
                    INSERT INTO first_event
                    SELECT incident_id + ?1, json_set(payload, '$.message', printf('error %d', ?1))
                      FROM first_event WHERE incident_id = 1;
                    INSERT INTO standing (incident_id, sink, recipient, data)
                    SELECT incident_id + ?1, sink, recipient, data FROM standing WHERE incident_id = 1";
        let untold =
            "UPDATE standing SET data = json_set(data, '$.told', 0, '$.told_at', NULL, '$.tellings', 0)
                       WHERE incident_id = 1 + ?1";
        let tell = "INSERT INTO notice (id, data)
                    SELECT id + ?1, json_set(data, '$.public_id', printf('%04d', ?1)) FROM notice WHERE id = 1;
                    INSERT INTO item (notice_id, incident_id, data)
                    SELECT notice_id + ?1, incident_id + ?1, data FROM item WHERE notice_id = 1;
                    INSERT INTO delivery (id, key, data)
                    SELECT id + ?1, printf('%08x-0000-4000-8000-%012x', ?1, ?1),
                           json_set(data, '$.notice_id', notice_id + ?1, '$.due_at', 0)
                      FROM delivery WHERE notice_id = 1";
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut connection = SqliteConnectOptions::new().filename(&path).connect().await.unwrap();
            connection.execute("UPDATE delivery SET data = json_set(data, '$.due_at', 0)").await.unwrap();
            for number in 1..=ERRORS {
                if number == ERRORS - in_journal {
                    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").await.unwrap();
                }
                if number == ERRORS {
                    break;
                }
                let rest = if number % 3 == 0 { untold } else { tell };
                for sql in [copy, rest] {
                    let sql = sql.replace("?1", &number.to_string());
                    connection.execute(sqlx::AssertSqlSafe(sql)).await.unwrap();
                }
            }
            let files =
                Self(["", "-wal", "-shm"].map(|suffix| (suffix, fs::read(beside(&path, suffix)).unwrap())));
            connection.close().await.unwrap();
            files
        })
    }

    /// The pages of a table.
    fn pages_of(&self, table: &str) -> Vec<usize> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("alerts.db");
        self.write(&path);
        let pages = rows(&path, &format!("SELECT pageno FROM dbstat WHERE name = '{table}' ORDER BY 1"));
        pages.iter().map(|page| page.parse().unwrap()).collect()
    }

    fn write(&self, path: &Path) {
        for (suffix, bytes) in &self.0 {
            let file = beside(path, suffix);
            fs::write(&file, bytes).unwrap();
            // As the process made it.
            #[cfg(unix)]
            fs::set_permissions(file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        }
    }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    path.with_file_name(format!("alerts.db{suffix}"))
}

fn layer(path: &Path, sink: &MemorySink) -> tracing_alert::Builder {
    let builder = AlertLayer::builder().database(path).settle(Duration::ZERO).panics(false);
    // What it says of the damage is in as many words as there are damages.
    Heard::default().by(builder).sink(sink.clone(), ["on-call"])
}

/// A damaged file, what was done to it, and how many errors it costs at most.
struct Damage {
    name: String,
    files: Files,
    cost: usize,
}

/// Every damage that is tried.
fn damages() -> Vec<Damage> {
    let mut damages = Vec::new();
    let mut add = |whole: &Files, file: usize, name: String, cost: usize, damage: &dyn Fn(&mut Vec<u8>)| {
        let mut files = whole.clone();
        damage(&mut files.0[file].1);
        damages.push(Damage { name: format!("{}: {name}", ["file", "journal", "index"][file]), files, cost });
    };
    let flip = |at: usize| move |bytes: &mut Vec<u8>| bytes[at] ^= 0xff;

    let whole = Files::make(0);
    let length = whole.0[0].1.len();
    let fill = |from: usize, byte: u8| move |bytes: &mut Vec<u8>| bytes[from..from + 4096].fill(byte);
    for at in (0..100).step_by(3).chain((100..4096).step_by(401)) {
        add(&whole, 0, format!("byte {at}"), ERRORS, &flip(at));
    }
    // Without the schema nobody knows what is where, and without the deliveries
    // whom to tell; without anything else, somebody is told.
    let schema = whole.pages_of("sqlite_schema");
    let deliveries = whole.pages_of("delivery")[0];
    for page in (4096..length).step_by(4096) {
        let number = page / 4096 + 1;
        let cost = match number {
            _ if schema.contains(&number) => ERRORS,
            _ if number == deliveries => TOLD,
            _ => 0,
        };
        for at in [0, 3, 5, 9, 4000] {
            add(&whole, 0, format!("byte {at} of page {number}"), cost, &flip(page + at));
        }
        add(&whole, 0, format!("zeros in page {number}"), cost, &fill(page, 0));
        add(&whole, 0, format!("ones in page {number}"), cost, &fill(page, 0xff));
    }
    let needed = schema.iter().fold(deliveries, |last, page| last.max(*page)) * 4096;
    for length in [0, 1, 16, 99, 100, 512, 4095, 4096, 4097, needed - 1, needed, length - 4096, length - 1] {
        let cost = if length < needed { ERRORS } else { 0 };
        add(&whole, 0, format!("cut to {length}"), cost, &|bytes| bytes.truncate(length));
    }

    // What is damaged in the journal costs what comes after it there.
    let whole = Files::make(IN_JOURNAL);
    let length = whole.0[1].1.len();
    for at in (0..56).step_by(5).chain((56..length).step_by(length / 12)) {
        add(&whole, 1, format!("byte {at}"), IN_JOURNAL, &flip(at));
    }
    for length in [0, 1, 31, 32, 56, 4152, length / 2, length - 1] {
        add(&whole, 1, format!("cut to {length}"), IN_JOURNAL, &|bytes| bytes.truncate(length));
    }
    // The index is made anew.
    let length = whole.0[2].1.len();
    for at in (0..136).step_by(17) {
        add(&whole, 2, format!("byte {at}"), 0, &flip(at));
    }
    for length in [0, 1, 136, length / 2] {
        add(&whole, 2, format!("cut to {length}"), 0, &|bytes| bytes.truncate(length));
    }
    damages
}

/// Opens damaged files and has them deliver. Each sixth of the damages, or all:
/// `DAMAGES=all cargo test --test it damage -- --nocapture`.
pub(crate) fn run() {
    let step = if std::env::var_os("DAMAGES").is_some() { 1 } else { 6 };
    let damages: Vec<_> = damages().into_iter().step_by(step).collect();
    let (next, lost_in_all) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some(damage) = damages.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let lost = lost(damage);
                    println!("{}: {lost} lost", damage.name);
                    assert!(lost <= damage.cost, "{}: {lost} lost", damage.name);
                    lost_in_all.fetch_add(lost, Ordering::Relaxed);
                }
            });
        }
    });
    println!("{} damages, {} lost", damages.len(), lost_in_all.into_inner());
}

/// How many of the errors in a damaged file are neither told nor left to be told.
fn lost(Damage { name, files, .. }: &Damage) -> usize {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("alerts.db");
    files.write(&path);
    let sink = MemorySink::new();
    let handle = with_layer(layer(&path, &sink), || error!("after the damage"));
    assert!(handle.shutdown(PATIENCE).is_complete(), "{name}: nothing flows: {:?}", handle.stats());
    let told = || -> BTreeSet<String> {
        let messages = sink.messages();
        let samples = messages.iter().flat_map(|message| &message.notice.samples);
        samples.map(|sample| sample.event.message.clone()).collect()
    };
    if !told().contains("after the damage") {
        // A damaged index hides it without an error: it is left for the next start.
        let _next = layer(&path, &sink).build::<tracing_subscriber::Registry>().unwrap();
        eventually(&format!("{name}: the alert is delivered"), || told().contains("after the damage"));
    }
    let unreadable: u64 = sink.messages().iter().map(|message| message.notice.unsampled).sum();
    let left = [
        // One whose event cannot be read is left all the same.
        "SELECT coalesce(payload ->> 'message', 'unreadable ' || incident_id)
           FROM delivery NOT INDEXED JOIN item USING (notice_id) LEFT JOIN first_event USING (incident_id)
          WHERE state = 'pending'",
        "SELECT coalesce(payload ->> 'message', 'unreadable ' || incident_id)
           FROM standing LEFT JOIN first_event USING (incident_id)
          WHERE told_at IS NULL",
    ];
    let left = left.iter().flat_map(|sql| try_rows(&path, sql).unwrap_or_default());
    let known: BTreeSet<_> = told().into_iter().chain(left).collect();
    (ERRORS + 1).saturating_sub(known.len() + usize::try_from(unreadable).unwrap())
}

#[test]
fn a_damaged_file_neither_stops_alerts_nor_keeps_what_it_still_shows() {
    let harness = Harness::new();
    let mut child = harness.child("damage");
    child.envs(std::env::var_os("DAMAGES").map(|all| ("DAMAGES", all)));
    let output = child.output().unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{stdout}\n{stderr}");
    println!("{stdout}");
    assert!(!stderr.contains("panicked") && !stderr.contains("starts again"), "{stderr}");
}

// There, threads do not live on while a process ends.
#[test]
#[cfg(not(windows))]
fn a_process_says_once_that_its_file_is_damaged_and_alerts() {
    let whole = Files::make(0);
    let page = (whole.pages_of("delivery")[0] - 1) * 4096;
    for damage in [0..16, page..page + 4096, 4096..8192] {
        let harness = Harness::new();
        let mut files = whole.clone();
        files.0[0].1[damage].fill(0);
        files.write(&harness.database());
        let output = harness.child("return").output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let stderr = String::from_utf8(output.stderr).unwrap();
        let said = stderr.lines().filter(|line| line.starts_with("tracing-alert: ")).count();
        assert!(said <= 1, "{stderr}");
        assert_eq!((harness.provider.sms().len(), harness.provider.mails().len()), (1, 1), "{stderr}");
    }
}
