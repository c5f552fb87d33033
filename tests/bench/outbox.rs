//! What the outbox's operations cost in a file, by how much is settled in it:
//!
//! ```text
//! cargo bench --bench outbox                  # 1,000 notices that are settled
//! cargo bench --bench outbox -- 1000000       # a million
//! ```
//!
//! The crate is compiled into the benchmark, as nothing of this is public.

#![allow(dead_code, unused_imports, unreachable_pub, unnameable_types, reason = "it is a part of the crate")]
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a program that shows a table, or fails")]

#[path = "../../src/host/mod.rs"]
mod host;
pub use host::thread::NoAlerts;

#[path = "../../src/error.rs"]
mod error;
pub use error::{Error, Problem};

#[path = "../../src/event/mod.rs"]
mod event;
pub use event::{
    Event, Field, SpanFrame, Value,
    breadcrumb::Breadcrumb,
    loss::{DropReason, Losses},
};

#[path = "../../src/policy/mod.rs"]
mod policy;
pub use policy::{
    budget::Budget,
    matcher::Matcher,
    notice::{Kind, LastHour, Notice, Process, Sample},
    retry::RetryPolicy,
    send_error::SendError,
};

#[path = "../../src/capture/mod.rs"]
mod capture;

#[path = "../../src/queue/mod.rs"]
mod queue;
pub use queue::{
    flush::FlushReport,
    stats::{EventCounts, Stats, StoreState},
};

#[path = "../../src/layer/mod.rs"]
mod layer;
pub use layer::{AlertLayer, handle::AlertHandle};

#[path = "../../src/render/mod.rs"]
mod render;
pub use render::{Attachment, DefaultRender, Email, Render};

#[path = "../../src/sink/mod.rs"]
mod sink;
pub use sink::{MemorySink, Message, Receipt, SEND_TIMEOUT, SendGridSink, Sink, TwilioSink};

#[path = "../../src/outbox/mod.rs"]
mod outbox;

#[path = "../../src/dispatcher/mod.rs"]
mod dispatcher;

#[path = "../../src/config/mod.rs"]
mod config;
pub use config::{Builder, EMAIL_DEADLINE, Recipients, SMS_DEADLINE, SMS_SEGMENTS_PER_DAY};

#[path = "../../src/assemble.rs"]
mod assemble;

use std::{
    path::Path,
    time::{Duration, Instant, SystemTime},
};

use sqlx::{ConnectOptions, Connection, sqlite::SqliteConnectOptions};
use tracing::Level;
use uuid::Uuid;

use outbox::{Captured, Channel, Maker, Mark, Prune, Sqlite, Store, Target};
use policy::{calendar::Calendar, incident::Rhythm};

fn main() {
    let rows = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(1_000);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(measure(rows));
}

const RHYTHM: Rhythm = Rhythm::sms(Duration::ZERO, Duration::ZERO);

/// How often each operation is done.
const ROUNDS: u32 = 300;

async fn measure(rows: u32) {
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let path = directory.path().join("alerts.db");
    let mut store = Store::Sqlite(Box::new(Sqlite::open(&path).await.unwrap()));
    store.shut().await;
    fill(&path, rows).await;
    let mut store = Store::Sqlite(Box::new(Sqlite::open(&path).await.unwrap()));
    let process = Process::default();
    let ids = std::cell::Cell::new(0_u32);
    let new_id = || {
        ids.set(ids.get() + 1);
        format!("x{}", ids.get())
    };
    let calendar = Calendar::default();
    let maker = Maker {
        new_id: &new_id,
        run: Uuid::from_u128(1),
        process: &process,
        calendar: &calendar,
        is_of_fleet: false,
    };
    let to = |sink, level| Target { sink, recipient: format!("{sink}@example.com"), level, rhythm: RHYTHM };
    let targets = [to("sms", Level::ERROR), to("mail", Level::ERROR)];
    let channel = |sink| Channel {
        sink,
        rhythm: RHYTHM,
        budget: None,
        calendar: Calendar::default(),
        segments_per_day: Some(1_000_000),
        deadline: Duration::from_secs(3600),
    };
    let mut number = 0;
    let mut next = || {
        number += 1;
        number
    };
    let mut took: Vec<(&str, Vec<Duration>)> = Vec::new();
    let mut note = |name, began: Instant| {
        let elapsed = began.elapsed();
        match took.iter_mut().find(|(known, _)| *known == name) {
            Some((_, times)) => times.push(elapsed),
            None => took.push((name, vec![elapsed])),
        }
    };
    let mut now = SystemTime::now();
    for round in 0..ROUNDS {
        now += Duration::from_secs(10);
        let began = Instant::now();
        let new = captured(&format!("kind {round}"), round.into(), now);
        store.persist(next(), &[new], &Losses::new(), &maker, &targets, now).await.unwrap();
        note("persist, a new kind", began);
        let again = captured(&format!("kind {round}"), round.into(), now);
        let began = Instant::now();
        store.persist(next(), &[again], &Losses::new(), &maker, &targets, now).await.unwrap();
        note("persist, a known kind", began);
        for sink in ["sms", "mail"] {
            let began = Instant::now();
            store.tell(&channel(sink), &maker, false, now).await.unwrap();
            note("tell, one message", began);
            let began = Instant::now();
            store.tell(&channel(sink), &maker, false, now).await.unwrap();
            note("tell, nothing", began);
            let began = Instant::now();
            let claims = store.claim(sink, 4, now + Duration::from_secs(70), now).await.unwrap();
            note("claim", began);
            let claim = claims.into_iter().next().unwrap();
            let began = Instant::now();
            store.notice(&claim).await.unwrap();
            note("notice", began);
            let began = Instant::now();
            store.retry(&claim, &SendError::not_processed("503"), now, None).await.unwrap();
            note("settle, to be repeated", began);
            let claims = store.claim(sink, 4, now + Duration::from_secs(70), now).await.unwrap();
            let claim = claims.into_iter().next().unwrap();
            let began = Instant::now();
            assert!(store.deliver(&claim, None, 1, None, now).await.unwrap());
            note("settle, delivered", began);
        }
        let began = Instant::now();
        store.next_due("sms").await.unwrap();
        note("next_due", began);
        if round % 10 == 0 {
            let began = Instant::now();
            store.events().await.unwrap();
            note("events", began);
            let began = Instant::now();
            store.pending(maker.run, Mark::ALL).await.unwrap();
            note("pending, for a flush", began);
            let began = Instant::now();
            let prune = Prune::Excess { cap_bytes: 1, untold_since: now };
            if round % 100 == 0 {
                store.prune(prune).await.unwrap();
                note("prune, one step of excess", began);
                let began = Instant::now();
                store.shift(maker.run, 60_000).await.unwrap();
                note("shift", began);
            }
        }
    }
    let batch: Vec<_> = (0..400).map(|n| captured(&format!("storm {n}"), 10_000 + n, now)).collect();
    for _ in 0..5 {
        let began = Instant::now();
        store.persist(next(), &batch, &Losses::new(), &maker, &targets, now).await.unwrap();
        note("persist, 400 kinds at once", began);
    }
    let began = Instant::now();
    store.tell(&channel("sms"), &maker, true, now).await.unwrap();
    note("tell, 400 kinds in a message", began);
    println!("{rows} settled notices");
    for (name, mut times) in took {
        times.sort();
        println!("{name:<32} {:>10.1?} {:>10.1?}", times[times.len() / 2], times[times.len() * 95 / 100]);
    }
    store.shut().await;
}

fn captured(message: &str, number: u128, now: SystemTime) -> Captured {
    let event = Event {
        at: now,
        level: Level::ERROR,
        target: "app::orders".into(),
        message: format!("{message}: {}", "the database said no ".repeat(20)),
        fields: Vec::new(),
        file: Some("src/orders.rs".into()),
        line: Some(17),
        module_path: Some("app::orders".into()),
        thread: Some("main".into()),
        spans: Vec::new(),
        breadcrumbs: Vec::new(),
        backtrace: None,
        panic: false,
    };
    Captured {
        event,
        latest: None,
        is_stand_in: false,
        fingerprint: number.to_le_bytes(),
        count: 1,
        last_at: now,
        said: None,
        about: None,
        not_before: None,
        permit: host::permit::Permit::default(),
    }
}

/// Fills the file with so many incidents that are over, each told in a notice
/// that was delivered.
async fn fill(path: &Path, rows: u32) {
    let mut connection = SqliteConnectOptions::new().filename(path).connect().await.unwrap();
    let nil = Uuid::nil();
    let process = serde_json::to_string(&Process::default()).unwrap();
    let sql = format!(
        "BEGIN;
         CREATE TEMP TABLE n AS WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {rows})
            SELECT n FROM n;
         INSERT INTO incident (id, data)
            SELECT n, json_object('public_id', 'p' || n, 'fingerprint', printf('%032x', n), 'level', 'ERROR',
                                  'about', NULL, 'run', '{nil}', 'process', '{process}', 'is_new', json('true'),
                                  'count', 3, 'reported', 3, 'opened_at', n, 'last_at', n, 'closed_at', n + 9,
                                  'pace', '{{}}') FROM n;
         INSERT INTO first_event (incident_id, payload) SELECT n, '{{\"message\": \"settled\"}}' FROM n;
         INSERT INTO standing (incident_id, sink, recipient, data)
            SELECT n, 'sms', 'sms@example.com',
                   json_object('told', 3, 'reported', 3, 'told_at', n, 'tellings', 1) FROM n;
         INSERT INTO notice (id, data)
            SELECT n, json_object('public_id', 'p' || n, 'run', '{nil}', 'kind', 'first', 'process', '{process}',
                                  'made_at', n, 'is_last', json('false')) FROM n;
         INSERT INTO item (notice_id, incident_id, data)
            SELECT n, n, json_object('reason', 'first', 'tellings', 0, 'count', 3, 'total', 3, 'last_at', n,
                                     'pace', '{{}}') FROM n;
         INSERT INTO delivery (key, data)
            SELECT printf('%08x-0000-4000-8000-%012x', n, n),
                   json_object('notice_id', n, 'recipient', json_array('sms', 'sms@example.com'),
                               'state', 'delivered', 'due_at', n, 'attempt', 1, 'claims', 1, 'answered', 1,
                               'doubtful', 0, 'created_at', n, 'expires_at', n, 'settled_at', n) FROM n;
         COMMIT;"
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}
