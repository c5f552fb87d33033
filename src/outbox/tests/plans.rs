//! No statement reads all of a table that grows with the events.

use sqlx::{ConnectOptions, Connection, Row, sqlite::SqliteConnectOptions};

use super::*;

/// They grow with the events, and are kept for weeks.
const GROWING: [&str; 7] =
    ["incident", "first_event", "latest_event", "standing", "notice", "item", "delivery"];

/// These indexes have only what is not over.
const LIVE: [&str; 6] = [
    "incident_open",
    "incident_ending",
    "incident_to_share",
    "standing_due",
    "delivery_pending",
    "delivery_due",
];

/// What the compiler was told of each statement for a file.
fn statements() -> Vec<String> {
    let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(".sqlx");
    let files = std::fs::read_dir(directory).unwrap();
    let statements = files.filter_map(|file| {
        let json = std::fs::read_to_string(file.unwrap().path()).unwrap();
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        (json["db_name"] == "SQLite").then(|| json["query"].as_str().unwrap().to_owned())
    });
    statements.collect()
}

/// Whether a line of a plan reads a whole table that grows.
fn is_scan(line: &str, statement: &str) -> bool {
    let Some(what) = line.strip_prefix("SCAN ") else { return false };
    let mut words = what.split_whitespace();
    let name = words.next().unwrap_or_default();
    // By what it is called in the statement.
    let alias = GROWING.iter().find(|table| statement.contains(&format!("{table} AS {name}")));
    let is_growing = GROWING.contains(&name) || alias.is_some();
    is_growing && !words.any(|word| LIVE.contains(&word))
}

#[test]
fn no_statement_reads_all_of_a_table_that_grows() {
    check(sqlite_bench, async |bench| {
        let path = bench.directory.as_ref().unwrap().path().join("alerts.db");
        let mut connection = SqliteConnectOptions::new().filename(path).connect().await.unwrap();
        let (mut scans, mut searches) = (Vec::new(), 0);
        // Of a damaged file, all is read, and by no index that may be damaged, too.
        let is_rescue =
            |sql: &String| sql.contains("NOT INDEXED") || sql.contains("INDEXED BY item_incident");
        for statement in statements().into_iter().filter(|sql| !is_rescue(sql) && !sql.starts_with("PRAGMA"))
        {
            let plan = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}"));
            for line in sqlx::query(plan).fetch_all(&mut connection).await.unwrap() {
                let line: String = line.get("detail");
                searches += usize::from(line.starts_with("SEARCH "));
                if is_scan(&line, &statement) {
                    scans.push(format!("{line}: {statement}"));
                }
            }
        }
        connection.close().await.unwrap();
        assert!(searches > 50, "{searches} plans were understood");
        assert!(scans.is_empty(), "{scans:#?}");
    });
}
