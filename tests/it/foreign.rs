//! Files that are none of ours, in the place of the database: nothing of them
//! changes, one line names them, and alerts flow.
#![cfg(unix)]

use std::{
    collections::BTreeSet,
    fs,
    os::unix::{
        fs::{MetadataExt, PermissionsExt, symlink},
        net::UnixListener,
    },
    path::Path,
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
};

use sqlx::{ConnectOptions, Connection, Executor, SqliteConnection, sqlite::SqliteConnectOptions};
use tracing::error;
use tracing_alert::StoreState;

use crate::support::{Harness, PATIENCE, eventually, finished, said, try_rows, with_layer};

/// What may not change: the bytes, what the directory says of each file, and
/// which files there are.
fn state(directory: &Path) -> BTreeSet<(String, Vec<u8>, u64, u32, i64, i64)> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let state = entries.map(|path| {
        let metadata = fs::symlink_metadata(&path).unwrap();
        let bytes = if metadata.is_file() { fs::read(&path).unwrap() } else { Vec::new() };
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        (name, bytes, metadata.ino(), metadata.mode(), metadata.mtime(), metadata.mtime_nsec())
    });
    state.collect()
}

/// Runs a program with an error on the file, which is none of ours.
fn is_left_alone(harness: &Harness, what: &str) {
    let directory = harness.database().parent().unwrap().to_owned();
    let before = state(&directory);
    let said = said(&finished(harness.child("return").spawn().unwrap()));
    let path = harness.database().display().to_string();
    assert!(state(&directory) == before, "{what}: it was touched; {said:#?}");
    assert_eq!(said.len(), 1, "{what}: {said:#?}");
    for part in [path.as_str(), "is not a tracing-alert database", what, "memory", "ALERT_DATABASE"] {
        assert!(said[0].contains(part), "{part:?} is missing: {}", said[0]);
    }
    assert_eq!((harness.provider.sms().len(), harness.provider.mails().len()), (1, 1), "{what}: {said:#?}");
}

fn with_runtime<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

/// Another program's connection.
async fn connect(path: &Path) -> SqliteConnection {
    SqliteConnectOptions::new().filename(path).create_if_missing(true).connect().await.unwrap()
}

/// Has another program make a database.
fn make(path: &Path, sql: &'static str) {
    with_runtime(async {
        let mut connection = connect(path).await;
        sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    });
}

#[test]
fn a_file_that_is_no_database_is_left_alone() {
    let noise: Vec<u8> = (0..20_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    let texts: [(&[u8], &str); 5] = [
        (b"PATH=/usr/bin\n", "no SQLite database"),
        (b"x", "no SQLite database"),
        (&noise, "no SQLite database"),
        (b"SQLite format 3\0 is how it begins", "SQLite database"),
        (b"SQLite format 3\0", "SQLite database"),
    ];
    for (bytes, what) in texts {
        let harness = Harness::new();
        fs::write(harness.database(), bytes).unwrap();
        fs::set_permissions(harness.database(), fs::Permissions::from_mode(0o644)).unwrap();
        is_left_alone(&harness, what);
    }
}

#[test]
fn another_programs_database_is_left_alone() {
    let databases = [
        "PRAGMA journal_mode = wal",
        "PRAGMA user_version = 7",
        "CREATE TABLE t (x)",
        "PRAGMA journal_mode = wal; CREATE TABLE t (x); INSERT INTO t VALUES (1)",
        "PRAGMA journal_mode = wal; PRAGMA user_version = 7; CREATE TABLE incident (id INTEGER PRIMARY KEY)",
        "PRAGMA application_id = 7; CREATE TABLE t (x)",
    ];
    for sql in databases {
        let harness = Harness::new();
        make(&harness.database(), sql);
        is_left_alone(&harness, "another program's SQLite database");
    }
}

#[test]
fn a_database_that_its_program_writes_meanwhile_is_left_alone() {
    let harness = Harness::new();
    let path = harness.database();
    make(&path, "PRAGMA journal_mode = wal; CREATE TABLE t (x)");
    let (has_begun, is_over) = (AtomicBool::new(false), AtomicBool::new(false));
    let written = std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            with_runtime(async {
                let mut connection = connect(&path).await;
                let mut written = 0;
                while !is_over.load(Ordering::Relaxed) {
                    connection.execute("INSERT INTO t VALUES (randomblob(2000))").await.unwrap();
                    written += 1;
                    has_begun.store(true, Ordering::Relaxed);
                }
                connection.close().await.unwrap();
                written
            })
        });
        eventually("it is written to", || has_begun.load(Ordering::Relaxed));
        for _ in 0..3 {
            let said = said(&finished(harness.child("return").spawn().unwrap()));
            assert!(said.len() == 1 && said[0].contains("another program's SQLite database"), "{said:#?}");
        }
        is_over.store(true, Ordering::Relaxed);
        writer.join().unwrap()
    });
    assert_eq!(state(path.parent().unwrap()).len(), 1, "something is left beside it");
    assert_eq!(try_rows(&path, "SELECT count(*) FROM t").unwrap(), [format!("{written}")]);
    assert_eq!(try_rows(&path, "SELECT group_concat(name) FROM sqlite_schema").unwrap(), ["t"]);
}

/// The host's own database, open in the same process: to look at it must not drop
/// the locks that the host has there.
#[test]
fn the_hosts_own_database_keeps_its_locks() {
    for mode in ["PRAGMA journal_mode = delete", "PRAGMA journal_mode = wal"] {
        let harness = Harness::new();
        let path = harness.database();
        with_runtime(async {
            let mut host = connect(&path).await;
            host.execute(mode).await.unwrap();
            host.execute("CREATE TABLE t (x)").await.unwrap();
            host.execute("BEGIN IMMEDIATE").await.unwrap();
            host.execute("INSERT INTO t VALUES (1)").await.unwrap();
            let handle = with_layer(harness.builder(), || error!("payment failed"));
            let report = tokio::task::spawn_blocking(move || (handle.flush(PATIENCE), handle.stats()));
            let (report, stats) = report.await.unwrap();
            assert!(report.is_complete() && stats.store == StoreState::Memory, "{report:?}");
            let other = harness.child("processes-lock").output().unwrap();
            let other = String::from_utf8(other.stdout).unwrap();
            assert!(other.lines().any(|line| line == "locked"), "{mode}: {other}");
            host.execute("COMMIT").await.unwrap();
            host.close().await.unwrap();
        });
    }
}

#[test]
fn what_is_no_file_is_left_alone_and_never_waited_for() {
    type Make = fn(&Path);
    let kinds: [(&str, Make); 5] = [
        ("a directory", |path| fs::create_dir(path).unwrap()),
        ("a symbolic link", |path| {
            let other = path.with_file_name("other.db");
            make(&other, "CREATE TABLE t (x)");
            symlink(other, path).unwrap();
        }),
        ("a symbolic link", |path| symlink("nowhere.db", path).unwrap()),
        ("a FIFO", |path| assert!(Command::new("mkfifo").arg(path).status().unwrap().success())),
        ("a socket", |path| drop(UnixListener::bind(path).unwrap())),
    ];
    for (what, make) in kinds {
        let harness = Harness::new();
        make(&harness.database());
        is_left_alone(&harness, what);
    }
    let harness = Harness::new();
    let said = said(&harness.child("return").env("ALERT_DATABASE", "/dev/null").output().unwrap());
    assert!(
        said.len() == 1 && said[0].contains("/dev/null is not") && said[0].contains("a device"),
        "{said:#?}"
    );
    assert!(!Path::new("/dev/null.lock").exists());
}

/// Runs a program with an error on the file, which is ours.
fn is_taken(harness: &Harness, lines: usize) {
    let said = said(&finished(harness.child("return").spawn().unwrap()));
    assert_eq!(said.len(), lines, "{said:#?}");
    assert_eq!(try_rows(&harness.database(), "SELECT count(*) FROM incident").unwrap(), ["1"]);
    let mode = fs::metadata(harness.database()).unwrap().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn an_empty_file_is_taken() {
    let harness = Harness::new();
    fs::write(harness.database(), "").unwrap();
    fs::set_permissions(harness.database(), fs::Permissions::from_mode(0o600)).unwrap();
    is_taken(&harness, 0);
}

/// What SQLite has beside an empty file is all that is left of a database.
#[test]
fn an_empty_file_with_another_programs_journal_is_left_alone() {
    for suffix in ["-wal", "-journal"] {
        let harness = Harness::new();
        fs::write(harness.database(), "").unwrap();
        fs::write(harness.database().with_file_name(format!("alerts.db{suffix}")), "all there is").unwrap();
        is_left_alone(&harness, "another program's journal beside it");
    }
}

#[test]
fn a_file_of_ours_whose_header_is_gone_is_replaced() {
    for damage in [0..16, 0..100, 0..4096, 68..72] {
        let harness = Harness::new();
        is_taken(&harness, 0);
        // Else what is damaged would be in the journal, too.
        make(&harness.database(), "PRAGMA wal_checkpoint(TRUNCATE)");
        let wal = harness.database().with_file_name("alerts.db-wal");
        eventually("the file is closed", || !wal.exists());
        let mut bytes = fs::read(harness.database()).unwrap();
        bytes[damage.clone()].fill(0);
        fs::write(harness.database(), bytes).unwrap();
        let is_known = damage != (68..72);
        let said = said(&finished(harness.child("return").spawn().unwrap()));
        let aside = harness.database().with_file_name("alerts.db.damaged-1");
        assert_eq!(aside.exists(), is_known, "{damage:?}: {said:#?}");
        assert_eq!(said.len(), 1, "{said:#?}");
    }
}

#[test]
fn a_file_that_a_newer_version_has_to_itself_is_never_put_aside() {
    let harness = Harness::new();
    is_taken(&harness, 0);
    make(&harness.database(), "PRAGMA user_version = 9999");
    let before = fs::read(harness.database()).unwrap();
    let said = said(&finished(harness.child("return").spawn().unwrap()));
    assert!(said.len() == 1 && said[0].contains("newer version"), "{said:#?}");
    assert_eq!(fs::read(harness.database()).unwrap(), before);
    assert!(!harness.database().with_file_name("alerts.db.damaged-1").exists());
}
