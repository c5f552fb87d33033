//! Files that this version did not make, or made elsewhere.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex},
    time::SystemTime,
};

use super::{
    super::{
        Memory,
        page::{DeliveryRow, IncidentRow, ItemRow, Recipient, State, StoredNotice},
    },
    *,
};
use crate::{
    host::{thread::Role, trouble},
    outbox::keep::Keep,
};

/// Runs `work` with the path of a database that is not there yet; it says lines that
/// begin so.
fn with_path<F: Future<Output = ()>>(said: &[&str], work: impl FnOnce(PathBuf) -> F) {
    let directory = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    trouble::saying(said, || runtime.block_on(work(directory.path().join("alerts.db"))));
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
    with_path(&["the database is on a network"], |path| async move {
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
    with_path(&["the database is on a network"], |path| async move {
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
    with_path(&[], |path| async move {
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
fn what_a_newer_version_says_in_a_row_stays_when_this_one_changes_it() {
    with_path(&[], |path| async move {
        let mut file = Sqlite::open(&path).await.unwrap();
        let mut page = Page::default();
        page.incidents.insert(1, incident(1));
        file.import(&[&page], &[], SystemTime::UNIX_EPOCH).await.unwrap();
        let newer = "UPDATE incident SET data = json_set(data, '$.mood', 'good', '$.closed_at', 7);
                     UPDATE incident SET data = json_set(data, '$.closed_at', NULL)";
        sqlx::raw_sql(newer).execute(&mut file.connection).await.unwrap();
        page.incidents.insert(1, IncidentRow { public_id: "2".to_owned(), ..incident(1) });
        file.import(&[&page], &[], SystemTime::UNIX_EPOCH).await.unwrap();
        let row = "SELECT count || ' ' || (data ->> 'mood') || ' ' || (closed_at IS NULL) FROM incident";
        assert_eq!(text(&mut file, row).await, "2 good 1");
        file.shut().await;
    });
}

#[test]
fn a_file_that_a_newer_version_wants_to_itself_is_left_as_it_is() {
    with_path(&[], |path| async move {
        change(&path, "PRAGMA user_version = 9999").await;
        let before = std::fs::read(&path).unwrap();
        let refused = Sqlite::open(&path).await.err().expect("it was opened").to_string();
        assert!(refused.contains("newer version") && refused.contains("9999"), "{refused}");
        assert_eq!(std::fs::read(&path).unwrap(), before, "it was written to");
        change_back(&path).await;
        Sqlite::open(&path).await.unwrap().shut().await;
    });
}

#[test]
fn a_file_of_an_unreleased_version_is_named_as_what_it_is_and_left() {
    with_path(&[], |path| async move {
        change(&path, "PRAGMA application_id = 0").await;
        let before = std::fs::read(&path).unwrap();
        let refused = Sqlite::open(&path).await.err().expect("it was opened").to_string();
        assert!(refused.contains("unreleased version of tracing-alert"), "{refused}");
        assert_eq!(std::fs::read(&path).unwrap(), before, "it was written to");
    });
}

/// As the newer version would.
async fn change_back(path: &Path) {
    let mut connection = SqliteConnectOptions::new().filename(path).connect().await.unwrap();
    sqlx::raw_sql("PRAGMA user_version = 0").execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

#[test]
fn only_a_file_that_is_ours_and_of_no_newer_version_is_put_aside() {
    let newer = "PRAGMA user_version = 9999";
    let added =
        "INSERT INTO _tracing_alert_migrations (version, description, success, checksum, execution_time)
                 VALUES (9999, 'of the future', TRUE, x'00', 1)";
    let foreign = "PRAGMA application_id = 7";
    for (sql, why) in [(newer, "newer version"), (added, "newer version"), (foreign, "another program")] {
        with_path(&[], |path| async move {
            change(&path, sql).await;
            let before = std::fs::read(&path).unwrap();
            let refused = Sqlite::set_aside(&path, "a test").await.err().expect("it was put aside");
            assert!(refused.to_string().contains(why), "{refused}");
            assert_eq!(std::fs::read(&path).unwrap(), before, "{why}");
        });
    }
}

#[test]
fn a_file_with_the_schema_of_an_unreleased_version_is_kept() {
    with_path(&[], |path| async move {
        change(&path, "UPDATE _tracing_alert_migrations SET checksum = x'00'").await;
        let refused = Sqlite::open(&path).await.err().expect("it was opened");
        assert!(matches!(&refused, StoreError::Failed(why) if why.contains("unreleased")), "{refused}");
    });
}

/// Else a kill would leave a file that nobody knows for ours.
#[test]
#[cfg(unix)]
fn the_header_says_that_it_is_ours_while_the_rest_is_in_the_journal() {
    with_path(&[], |path| async move {
        let mut file = Sqlite::open(&path).await.unwrap();
        let copy = path.with_file_name("copy.db");
        let command = std::process::Command::new("cp").args([&path, &copy]).status();
        assert!(command.unwrap().success());
        assert_eq!(text(&mut file, "SELECT auto_vacuum || '' FROM pragma_auto_vacuum").await, "2");
        file.shut().await;
        assert_eq!(std::fs::read(copy).unwrap()[68..72], *b"tAlr");
        ours::judge(&path).await.unwrap();
    });
}

#[test]
fn one_message_that_cannot_be_read_costs_no_other() {
    with_path(&[], |path| async move {
        let mut file = Sqlite::open(&path).await.unwrap();
        let mut page = Page::default();
        (1..=4).for_each(|number| add_message(&mut page, number));
        file.import(&[&page], &[], SystemTime::UNIX_EPOCH).await.unwrap();
        let damage = "PRAGMA ignore_check_constraints = on; PRAGMA foreign_keys = off;
                      UPDATE notice SET data = replace(data, 'first', CAST(x'ff' AS TEXT)) WHERE public_id = '2';
                      UPDATE delivery SET key = '' WHERE notice_id = 3;
                      DELETE FROM item WHERE notice_id = 4";
        sqlx::raw_sql(damage).execute(&mut file.connection).await.unwrap();
        let rescued = file.export().await;
        file.shut().await;
        let directory = tempfile::tempdir().unwrap();
        let mut other = Sqlite::open(&directory.path().join("alerts.db")).await.unwrap();
        other.import(&[&rescued], &[], SystemTime::UNIX_EPOCH).await.unwrap();
        let told = "SELECT group_concat(it) FROM (SELECT public_id || ':' || total AS it
                                              FROM notice JOIN item ON notice_id = notice.id ORDER BY 1)";
        assert_eq!(text(&mut other, told).await, "0000:7,1:7,4:1");
        other.shut().await;
    });
}

#[test]
fn what_both_stores_counted_in_the_last_hour_is_one() {
    with_path(&[], |path| async move {
        let mut file = Sqlite::open(&path).await.unwrap();
        let paces = [r#"{"5666650": 1, "5666665": 1, "5666666": 2}"#, r#"{"5666666": 3}"#];
        let mut page = Page::default();
        for (id, pace) in (1..).zip(paces) {
            let pace = serde_json::from_str(pace).unwrap();
            page.incidents.insert(id, IncidentRow { pace, ..incident(id) });
        }
        file.import(&[&page], &[], SystemTime::UNIX_EPOCH).await.unwrap();
        let pace = "SELECT group_concat(count || (data ->> 'pace')) FROM incident";
        assert_eq!(text(&mut file, pace).await, r#"2{"5666665":1,"5666666":5}"#);
        file.shut().await;
    });
}

/// Open, of one event, and the same as every other but for its name.
fn incident(id: i64) -> IncidentRow {
    let at = SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_000);
    IncidentRow {
        public_id: id.to_string(),
        fingerprint: vec![9; 16],
        level: tracing::Level::ERROR,
        about: None,
        run: Uuid::nil(),
        process: Default::default(),
        is_new: true,
        count: 1,
        reported: 0,
        is_panic: false,
        opened_at: at,
        back_at: None,
        last_at: at,
        closed_at: None,
        is_left: false,
        held_until: None,
        pace: Default::default(),
        recent: Default::default(),
        spread: None,
        #[cfg(feature = "postgres")]
        shared: Default::default(),
    }
}

fn add_message(page: &mut Page, number: u8) {
    use crate::policy::{incident::Reason, notice::Kind};
    let (id, at) = (i64::from(number), SystemTime::UNIX_EPOCH);
    page.incidents.insert(id, IncidentRow { fingerprint: vec![number; 16], count: 7, ..incident(id) });
    let notice = StoredNotice {
        public_id: number.to_string(),
        run: Uuid::nil(),
        kind: Kind::First,
        process: Default::default(),
        made_at: at,
        is_last: false,
    };
    page.notices.insert(id, notice);
    let item = ItemRow {
        reason: Reason::First,
        tellings: 0,
        count: 7,
        total: 7,
        last_at: at,
        pace: Default::default(),
        today: 7,
        this_week: 7,
        held_until: None,
        spread: None,
    };
    page.items.insert((id, id), item);
    let delivery = DeliveryRow {
        notice_id: id,
        recipient: Recipient::new("memory", "on-call"),
        state: State::Pending,
        due_at: at,
        attempt: 0,
        claims: 0,
        answered: 0,
        doubtful: 0,
        created_at: at,
        expires_at: at,
        settled_at: None,
        reference: None,
        last_error: None,
        charged: 0,
        charged_claim: 0,
        ask_at: None,
        asked: 0,
        fate: None,
        was_sent_again: false,
    };
    page.deliveries.insert(Uuid::from_bytes([number; 16]), delivery);
}

#[test]
fn the_thread_of_a_connection_is_ours_from_the_start() {
    with_path(&[], |path| async move {
        let roles = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&roles);
        let mut file = Sqlite::open(&path).await.unwrap();
        let mut handle = file.connection.lock_handle().await.unwrap();
        handle.set_progress_handler(1, move || {
            seen.lock().unwrap().push(Role::here());
            true
        });
        drop(handle);
        assert_eq!(text(&mut file, "SELECT 'a' || 'b'").await, "ab");
        assert!(roles.lock().unwrap().iter().all(|role| *role == Role::Own));
        assert!(!roles.lock().unwrap().is_empty());
        assert_eq!(Role::here(), Role::Host);
        file.shut().await;
    });
}

/// What SQLite answers, by its extended code.
#[derive(Debug)]
struct Answered(u32);

impl std::fmt::Display for Answered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "(code: {}) disk I/O error", self.0)
    }
}

impl std::error::Error for Answered {}

impl sqlx::error::DatabaseError for Answered {
    fn message(&self) -> &str {
        "disk I/O error"
    }

    fn code(&self) -> Option<std::borrow::Cow<'_, str>> {
        Some(self.0.to_string().into())
    }

    fn as_error(&self) -> &(dyn std::error::Error + Send + Sync + 'static) {
        self
    }

    fn as_error_mut(&mut self) -> &mut (dyn std::error::Error + Send + Sync + 'static) {
        self
    }

    fn into_error(self: Box<Self>) -> Box<dyn std::error::Error + Send + Sync + 'static> {
        self
    }

    fn kind(&self) -> sqlx::error::ErrorKind {
        sqlx::error::ErrorKind::Other
    }
}

#[test]
fn a_log_that_another_process_deleted_first_is_no_failure() {
    let judged = |code| StoreError::from(sqlx::Error::Database(Box::new(Answered(code))));
    // SQLITE_IOERR_DELETE_NOENT
    assert!(matches!(judged(5898), StoreError::Busy));
    // SQLITE_IOERR, SQLITE_IOERR_DELETE
    for code in [10, 2570] {
        assert!(matches!(judged(code), StoreError::Failed(_)), "{code}");
    }
}
