//! Files of which a part cannot be read: what is told nevertheless.

use std::{
    path::Path,
    sync::OnceLock,
    time::{Duration, SystemTime},
};

use sqlx::{ConnectOptions, Connection, sqlite::SqliteConnectOptions};
use tracing::Level;
use uuid::Uuid;

use super::*;
use crate::{
    event::{from_millis, loss::Losses, tests::event},
    host::permit::Permit,
    outbox::{Captured, Channel, Maker, Store, Target},
    policy::{calendar::Calendar, incident::Rhythm, notice::Process},
};

const RHYTHM: Rhythm = Rhythm::sms(Duration::ZERO, Duration::ZERO);

fn now() -> SystemTime {
    from_millis(1_700_000_000_000)
}

fn maker(process: &Process) -> Maker<'_> {
    static CALENDAR: OnceLock<Calendar> = OnceLock::new();
    let calendar = CALENDAR.get_or_init(Calendar::default);
    Maker { new_id: &|| "7K3Q".to_owned(), run: Uuid::nil(), process, calendar, is_of_fleet: false }
}

fn targets() -> Vec<Target> {
    vec![Target { sink: "sms", recipient: "+1".to_owned(), level: Level::ERROR, rhythm: RHYTHM }]
}

async fn open(path: &Path) -> Store {
    Store::Sqlite(Box::new(Sqlite::open(path).await.unwrap()))
}

async fn persist(store: &mut Store, message: &str) {
    let fingerprint = message.bytes().fold(0_u128, |hash, byte| hash * 31 + u128::from(byte)).to_le_bytes();
    let mut event = event(message);
    event.at = now();
    let captured = Captured {
        event,
        fingerprint,
        count: 1,
        last_at: now(),
        latest: None,
        is_stand_in: false,
        said: None,
        about: None,
        not_before: None,
        permit: Permit::default(),
    };
    let process = Process::default();
    let number = u64::from_le_bytes(*fingerprint.first_chunk().unwrap());
    store.persist(number, &[captured], &Losses::new(), &maker(&process), &targets(), now()).await.unwrap();
}

/// Returns when it is to be looked again.
async fn tell(store: &mut Store) -> Option<SystemTime> {
    let deadline = Duration::from_secs(3600);
    let channel = Channel {
        sink: "sms",
        rhythm: RHYTHM,
        budget: None,
        calendar: Calendar::default(),
        segments_per_day: None,
        deadline,
    };
    store.tell(&channel, &maker(&Process::default()), true, now()).await.unwrap().next
}

/// What is told, by message, and how many events of which only the number is
/// known.
async fn told(store: &mut Store) -> (Vec<String>, u64) {
    tell(store).await;
    let (mut messages, mut unreadable) = (Vec::new(), 0);
    for claim in store.claim("sms", 9, now(), now()).await.unwrap() {
        assert_eq!(claim.recipient, "+1");
        let notice = store.notice(&claim).await.unwrap();
        unreadable += notice.unsampled;
        messages.extend(notice.samples.into_iter().map(|sample| sample.event.message));
    }
    messages.sort();
    (messages, unreadable)
}

/// What is told of a file in which "one" is in a message that waits and "two" in
/// none yet, after `damage` and a rescue.
async fn rescued(damage: &'static str) -> (Vec<String>, u64) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("alerts.db");
    let mut store = open(&path).await;
    persist(&mut store, "one").await;
    tell(&mut store).await;
    persist(&mut store, "two").await;
    store.shut().await;

    let options = SqliteConnectOptions::new().filename(&path).foreign_keys(false);
    let mut connection = options.pragma("ignore_check_constraints", "on").connect().await.unwrap();
    sqlx::raw_sql(damage).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();

    let page = Sqlite::set_aside(&path, "a test").await.unwrap();
    let Store::Sqlite(mut file) = open(&path).await else { panic!("it is a file") };
    file.import(&[&page], &targets(), now()).await.unwrap();
    let mut store = Store::Sqlite(file);
    let told = told(&mut store).await;
    store.shut().await;
    told
}

#[test]
fn what_cannot_be_read_is_told_with_less_detail_and_nothing_twice() {
    // A text that is none makes its row unreadable; a number that the schema
    // refuses is found out by the new file.
    let damages: [(&str, &[&str], u64); 15] = [
        ("", &["one", "two"], 0),
        ("UPDATE first_event SET payload = CAST(x'ff' AS TEXT) WHERE incident_id = 1", &["two"], 1),
        ("UPDATE incident SET data = replace(data, 'app', CAST(x'ff' AS TEXT)) WHERE id = 1", &["two"], 1),
        ("UPDATE incident SET data = replace(data, 'app', CAST(x'ff' AS TEXT))", &[], 2),
        ("UPDATE incident SET data = json_set(data, '$.level', 9) WHERE id = 2", &["one"], 1),
        ("DELETE FROM incident", &[], 2),
        ("DELETE FROM standing", &["one", "two"], 0),
        ("UPDATE standing SET data = json_set(data, '$.told', -1)", &["one", "two"], 0),
        ("DELETE FROM item", &["two"], 1),
        ("UPDATE item SET data = replace(data, 'first', CAST(x'ff' AS TEXT))", &["one", "two"], 0),
        ("UPDATE notice SET data = replace(data, 'app', CAST(x'ff' AS TEXT))", &["one", "two"], 0),
        ("UPDATE notice SET data = json_set(data, '$.kind', 'none')", &["one", "two"], 0),
        ("UPDATE delivery SET data = json_set(data, '$.settled_at', 7)", &["one", "two"], 0),
        (
            "UPDATE incident SET data = json_set(data, '$.count', 9223372036854775000) WHERE id = 1",
            &["one", "two"],
            0,
        ),
        (
            "UPDATE item SET data = json_set(data, '$.count', 9223372036854775807, '$.total', count)",
            &["one", "two"],
            0,
        ),
    ];
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let said = vec!["the database is damaged (a test)"; damages.len()];
    let rescue_all = async {
        for (damage, messages, unreadable) in damages {
            let (told, number) = rescued(damage).await;
            assert_eq!(
                (told, number),
                (messages.iter().map(ToString::to_string).collect(), unreadable),
                "{damage}"
            );
        }
    };
    crate::host::trouble::saying(&said, || runtime.block_on(rescue_all));
}

#[test]
fn a_message_whose_items_are_gone_from_the_file_in_use_tells_of_one_event() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let directory = tempfile::tempdir().unwrap();
        let mut store = open(&directory.path().join("alerts.db")).await;
        persist(&mut store, "one").await;
        tell(&mut store).await;
        let Store::Sqlite(file) = &mut store else { panic!("it is a file") };
        let hidden = "PRAGMA foreign_keys = off; DELETE FROM incident";
        sqlx::raw_sql(hidden).execute(&mut file.connection).await.unwrap();
        assert_eq!(told(&mut store).await, (vec![], 1));
        let Store::Sqlite(file) = &mut store else { panic!("it is a file") };
        sqlx::raw_sql("DELETE FROM item").execute(&mut file.connection).await.unwrap();
        assert_eq!(told(&mut store).await, (vec![], 1));
        store.shut().await;
    });
}

#[test]
fn what_was_to_be_told_of_an_incident_that_is_gone_is_not_looked_at_for_ever() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let directory = tempfile::tempdir().unwrap();
        let mut store = open(&directory.path().join("alerts.db")).await;
        persist(&mut store, "one").await;
        let Store::Sqlite(file) = &mut store else { panic!("it is a file") };
        let gone = "PRAGMA foreign_keys = off; DELETE FROM incident; PRAGMA foreign_keys = on";
        sqlx::raw_sql(gone).execute(&mut file.connection).await.unwrap();
        assert_eq!(tell(&mut store).await, None);
        store.shut().await;
    });
}
