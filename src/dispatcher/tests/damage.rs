//! Files that turn out to be damaged, with no time passing.

use super::*;

#[test]
fn damage_that_is_met_while_working_is_mended_at_once() {
    check(&["the database is damaged (a page"], async |mut bench| {
        let mut dispatcher = bench.start().await;
        dispatcher.capture("one").await;
        dispatcher.make().await;
        dispatcher.capture("two").await;
        dispatcher.outbox.judge(&StoreError::Damaged("a page is damaged".to_owned()));
        assert!(!dispatcher.is_durable());
        dispatcher.probe(false).await;
        assert!(dispatcher.is_durable(), "it was not replaced");
        assert_eq!(dispatcher.told().await, ["one", "two"], "what could be read was not rescued");
        assert!(bench.directory.path().join("alerts.db.damaged-1").exists());
    });
}

#[test]
fn damage_that_somebody_else_mended_is_not_mended_again() {
    check(&["the database fails: damaged, and open", "the database works"], async |mut bench| {
        let path = bench.path();
        let mut dispatcher = bench.start().await;
        let mut user = Store::Sqlite(Box::new(Sqlite::open(&path).await.unwrap()));
        dispatcher.outbox.judge(&StoreError::Damaged("a page is damaged".to_owned()));
        dispatcher.probe(false).await;
        assert!(!dispatcher.is_durable(), "it was taken from another process");
        user.shut().await;
        std::fs::rename(&path, path.with_file_name("aside.db")).unwrap();
        let mut other = Store::Sqlite(Box::new(Sqlite::open(&path).await.unwrap()));
        other.shut().await;
        dispatcher.outbox.probed_at = None;
        dispatcher.probe(false).await;
        assert!(dispatcher.is_durable());
        assert!(!path.with_file_name("alerts.db.damaged-1").exists(), "a good file was put aside");
    });
}

/// Makes what a table holds unreadable, while nobody has the file open.
async fn damage(path: &Path, table: &str) {
    let mut connection = SqliteConnectOptions::new().filename(path).connect().await.unwrap();
    let place =
        sqlx::query_as("SELECT rootpage, page_size FROM sqlite_schema, pragma_page_size WHERE name = ?1");
    let (page, size): (u32, u32) = place.bind(table).fetch_one(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    let mut bytes = std::fs::read(path).unwrap();
    let start = usize::try_from((page - 1) * size).unwrap();
    bytes[start..start + 100].fill(0xff);
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn damage_that_is_met_when_memory_goes_over_is_mended_at_once() {
    for part in ["incident", "incident_fingerprint", "standing", "standing_due", "account"] {
        check(&["the database failed (no room)", "the database is damaged"], async |mut bench| {
            let path = bench.path();
            let mut dispatcher = bench.start().await;
            dispatcher.outbox.judge(&StoreError::Failed("no room".to_owned()));
            dispatcher.capture("one").await;
            dispatcher.make().await;
            dispatcher.capture("two").await;
            dispatcher.outbox.failed.take().unwrap().shut().await;
            damage(&path, part).await;
            dispatcher.probe(true).await;
            assert!(dispatcher.is_durable(), "{part}: it was not replaced");
            assert!(path.with_file_name("alerts.db.damaged-1").exists(), "{part}: it is still in use");
            assert_eq!(dispatcher.told().await, ["one", "two"], "{part}");
        });
    }
}

#[test]
fn damage_waits_to_be_mended_while_another_process_has_the_file() {
    check(
        &["the database fails: damaged, and open", "the database is damaged (a page"],
        async |mut bench| {
            let path = bench.path();
            let mut dispatcher = bench.start().await;
            let other = Sqlite::open(&path).await.unwrap();
            dispatcher.outbox.judge(&StoreError::Damaged("a page is damaged".to_owned()));
            assert!(dispatcher.outbox.has_damage(), "nobody mends it at once");
            dispatcher.capture("one").await;
            dispatcher.probe(false).await;
            assert!(!dispatcher.is_durable(), "it was taken from another process");
            assert!(!dispatcher.outbox.has_damage(), "the loop does nothing else");
            Store::Sqlite(Box::new(other)).shut().await;
            dispatcher.outbox.probed_at = None;
            dispatcher.probe(false).await;
            assert!(dispatcher.is_durable(), "nobody remembers the damage");
            assert!(path.with_file_name("alerts.db.damaged-1").exists(), "it is still in use");
            assert_eq!(dispatcher.told().await, ["one"]);
        },
    );
}

#[test]
fn at_the_end_a_damaged_file_that_another_process_has_is_better_than_none() {
    check(&[], async |mut bench| {
        let path = bench.path();
        let mut dispatcher = bench.start().await;
        let other = Sqlite::open(&path).await.unwrap();
        dispatcher.outbox.judge(&StoreError::Damaged("a page is damaged".to_owned()));
        dispatcher.capture("one").await;
        dispatcher.probe(true).await;
        assert!(dispatcher.is_durable(), "it is lost with the process");
        Store::Sqlite(Box::new(other)).shut().await;
        assert_eq!(dispatcher.told().await, ["one"]);
        assert!(!path.with_file_name("alerts.db.damaged-1").exists());
    });
}
