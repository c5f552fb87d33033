//! What PostgreSQL, or PgBouncer's console, answers.

use sqlx::{Column, ConnectOptions, Connection, Row, ValueRef, postgres::PgConnectOptions};
use tokio::time::timeout;

use crate::support::PATIENCE;

/// The rows that `sql` gives, each a line with `|` between columns.
pub(crate) fn rows(url: &str, sql: &str) -> Vec<String> {
    try_rows(url, sql).unwrap_or_else(|error| panic!("{sql}: {error}"))
}

/// As [`rows`], where something may be wrong.
pub(crate) fn try_rows(url: &str, sql: &str) -> Result<Vec<String>, sqlx::Error> {
    let asked = async {
        let mut connection = options(url).connect().await?;
        let rows = sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).fetch_all(&mut connection).await?;
        connection.close().await?;
        // Without parameters all is text.
        let column = |row: &sqlx::postgres::PgRow, index: usize| {
            let value = row.try_get_raw(index).unwrap();
            if value.is_null() { "NULL".to_owned() } else { value.as_str().unwrap().to_owned() }
        };
        let line = |row: &sqlx::postgres::PgRow| {
            row.columns().iter().map(|each| column(row, each.ordinal())).collect::<Vec<_>>().join("|")
        };
        Ok(rows.iter().map(line).collect())
    };
    // On a thread of its own, so that a test may ask from within a runtime.
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    // Of a server that is frozen, too, something is told.
    let bounded = async { timeout(PATIENCE, asked).await.unwrap_or(Err(sqlx::Error::PoolTimedOut)) };
    std::thread::scope(|scope| scope.spawn(|| runtime().block_on(bounded)).join().unwrap())
}

/// PgBouncer takes none of the parameters that sqlx has by default.
pub(crate) fn options(url: &str) -> PgConnectOptions {
    url.parse::<PgConnectOptions>().unwrap().extra_float_digits(None)
}

/// The code that PostgreSQL gave its answer.
pub(crate) fn code(error: &sqlx::Error) -> String {
    let code = error.as_database_error().and_then(|error| error.code());
    code.map_or_else(|| format!("no code: {error}"), |code| code.into_owned())
}
