//! Files that this version did not make, or made elsewhere.

use std::{path::PathBuf, time::SystemTime};

use super::{
    super::{
        Memory,
        bundle::{BundledItem, BundledNotice},
    },
    *,
};

/// Runs `work` with the path of a database that is not there yet.
fn with_path<F: Future<Output = ()>>(work: impl FnOnce(PathBuf) -> F) {
    let directory = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(work(directory.path().join("alerts.db")));
}

/// Opens the file, does `sql` to it and closes it.
async fn change(path: &Path, sql: &'static str) {
    let mut file = Sqlite::open(path).await.unwrap();
    sqlx::raw_sql(sql).execute(&mut file.connection).await.unwrap();
    file.shut().await;
}

async fn on_network(path: &Path) -> Result<Sqlite, StoreError> {
    path::prepare(path)?;
    Sqlite::open_prepared(path, path::lock(path)?, true).await
}

async fn text(file: &mut Sqlite, sql: &'static str) -> String {
    sqlx::query_scalar(sql).fetch_one(&mut file.connection).await.unwrap()
}

#[test]
fn on_a_network_there_is_no_write_ahead_log_and_the_file_works() {
    with_path(|path| async move {
        let mut file = on_network(&path).await.unwrap();
        assert_eq!(text(&mut file, "PRAGMA journal_mode").await, "truncate");
        let mut store = super::super::Store::Memory(Memory::default());
        store.move_to(Box::new(file), &[], &[], SystemTime::UNIX_EPOCH).await.unwrap();
        assert_eq!(store.next_due("sms").await.unwrap(), None);
        assert!(!path.with_file_name("alerts.db-wal").exists());
        store.shut().await;
    });
}

#[test]
fn a_file_that_moved_to_a_network_loses_its_write_ahead_log_when_nobody_uses_it() {
    with_path(|path| async move {
        let local = Sqlite::open(&path).await.unwrap();
        assert!(matches!(on_network(&path).await, Err(StoreError::Busy)));
        local.shut().await;
        let mut file = on_network(&path).await.unwrap();
        assert_eq!(text(&mut file, "PRAGMA journal_mode").await, "truncate");
        file.shut().await;
        let mut file = Sqlite::open(&path).await.unwrap();
        assert_eq!(text(&mut file, "PRAGMA journal_mode").await, "wal");
        file.shut().await;
    });
}

#[test]
fn a_file_with_a_newer_migration_works() {
    with_path(|path| async move {
        let newer =
            "INSERT INTO _tracing_alert_migrations (version, description, success, checksum, execution_time)
                     VALUES (9999, 'of the future', TRUE, x'00', 1);
                     ALTER TABLE delivery ADD COLUMN mood TEXT;
                     CREATE TABLE future (id INTEGER PRIMARY KEY) STRICT";
        change(&path, newer).await;
        let mut file = Sqlite::open(&path).await.unwrap();
        assert_eq!(file.next_due("sms").await.unwrap(), None);
        file.shut().await;
    });
}

#[test]
fn a_file_that_a_newer_version_wants_to_itself_is_left_as_it_is() {
    with_path(|path| async move {
        change(&path, "PRAGMA user_version = 9999").await;
        let before = std::fs::read(&path).unwrap();
        let refused = Sqlite::open(&path).await.err().expect("it was opened").to_string();
        assert!(refused.contains("newer version") && refused.contains("9999"), "{refused}");
        assert_eq!(std::fs::read(&path).unwrap(), before, "it was written to");
        change_back(&path).await;
        Sqlite::open(&path).await.unwrap().shut().await;
    });
}

/// As the newer version would.
async fn change_back(path: &Path) {
    let mut connection = SqliteConnectOptions::new().filename(path).connect().await.unwrap();
    sqlx::raw_sql("PRAGMA user_version = 0").execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

#[test]
fn one_message_that_the_schema_refuses_costs_no_other() {
    with_path(|path| async move {
        let mut file = Sqlite::open(&path).await.unwrap();
        let mut notices: Vec<_> = (1..=4).map(notice).collect();
        notices[1].kind = "damaged".to_owned();
        notices[2].key.clear();
        let bundle = Bundle { notices, ..Bundle::default() };
        file.import([&bundle], &[], SystemTime::UNIX_EPOCH).await.unwrap();
        let told =
            "SELECT group_concat(public_id || ':' || total) FROM notice JOIN item ON notice_id = notice.id";
        assert_eq!(text(&mut file, told).await, "1:7,0000:1,4:7");
        file.shut().await;
    });
}

fn notice(number: u8) -> BundledNotice {
    let item = BundledItem {
        incident_id: 1,
        reason: "first".to_owned(),
        tellings: 0,
        count: 7,
        total: 7,
        last_at: 0,
    };
    BundledNotice {
        public_id: number.to_string(),
        run: vec![0; 16],
        kind: "first".to_owned(),
        process: "{}".to_owned(),
        made_at: 0,
        is_last: false,
        items: vec![item],
        key: vec![number; 16],
        sink: "memory".to_owned(),
        recipient: "on-call".to_owned(),
        due_at: 0,
        attempt: 0,
        claims: 0,
        doubtful: 0,
        created_at: 0,
        expires_at: 0,
    }
}
