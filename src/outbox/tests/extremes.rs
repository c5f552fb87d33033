//! Times in a file that no clock tells: damage, or somebody's hand.

use std::time::UNIX_EPOCH;

use sqlx::{ConnectOptions, Connection, Executor, sqlite::SqliteConnectOptions};

use super::*;

/// Every time that is arithmetic's, or compared.
const TIMES: [(&str, &[&str]); 7] = [
    ("incident", &["opened_at", "last_at"]),
    ("standing", &["told_at", "not_before", "due_at"]),
    ("account", &["heard_at", "full_at"]),
    ("notice", &["made_at"]),
    ("item", &["last_at"]),
    ("delivery", &["due_at", "created_at", "expires_at"]),
    ("start", &["started_at"]),
];

impl Bench {
    /// Everything in the file happened, or will, at `millis`.
    async fn happened_at(&self, millis: i64) {
        let path = self.directory.as_ref().unwrap().path().join("alerts.db");
        let mut other = SqliteConnectOptions::new().filename(path).connect().await.unwrap();
        for (table, columns) in TIMES {
            for column in columns {
                let sql = format!(
                    "UPDATE {table} SET data = json_set(data, '$.{column}', {millis})
                      WHERE data ->> '{column}' IS NOT NULL"
                );
                let done = other.execute(sqlx::AssertSqlSafe(sql)).await.unwrap();
                assert!(done.rows_affected() > 0, "no time is tried in {table}.{column}");
            }
        }
        other.close().await.unwrap();
    }
}

#[test]
fn no_time_in_a_file_is_too_early_or_too_late() {
    for millis in [i64::MIN, i64::MIN + 1, -1, 0, i64::MAX - 1, i64::MAX] {
        for now in [UNIX_EPOCH, t(0), from_millis(i64::MAX)] {
            for jump in [i64::MIN, -1, 1, i64::MAX] {
                check(sqlite_bench, async |bench| {
                    bench.start(0, t(0)).await;
                    let silenced = Captured { not_before: Some(t(60)), ..captured_at("silenced", t(0)) };
                    bench.persist(&[captured_at("a", t(0)), silenced], t(0)).await;
                    bench.tell_with(&default_channel("sms"), false, t(1)).await;
                    bench.tell("mail", t(1)).await;
                    bench.happened_at(millis).await;
                    work(bench, jump, now).await;
                });
            }
        }
    }
}

/// What an alert thread does in its turns, in a file with such times.
async fn work(bench: &mut Bench, jump: i64, now: SystemTime) {
    bench.store.shift(bench.run, jump).await.unwrap();
    bench.store.reconsider(now).await.unwrap();
    bench.store.pull_forward(now, now, now).await.unwrap();
    bench.persist(&[captured_at("a", now), captured_at("b", now)], now).await;
    bench.start(0, now).await;
    for sink in ["sms", "mail"] {
        bench.tell_with(&default_channel(sink), true, now).await;
        bench.store.next_due(sink).await.unwrap();
        for claim in bench.store.claim(sink, 9, now, now).await.unwrap() {
            bench.store.notice(&claim).await.unwrap();
            bench.store.retry(&claim, &SendError::not_processed("503"), now, None).await.unwrap();
        }
        bench.tell_of_dead(sink, now, now).await;
    }
    let prune = Prune::Expired { delivered_by: now, dead_by: now };
    bench.store.prune(prune).await.unwrap();
    bench.store.leave(now).await;
}
