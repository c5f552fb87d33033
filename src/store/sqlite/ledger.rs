//! What a file knows of recipients, on its way to another store or from one.

use sqlx::SqliteConnection;

use super::{
    super::{
        StoreError,
        bundle::{BundledAccount, BundledDead, BundledRefusal, Ledger},
    },
    Sqlite,
};

impl Sqlite {
    /// But for the deliveries that died here.
    pub(in crate::store) async fn ledger(&mut self) -> Result<Ledger, StoreError> {
        let connection = &mut self.connection;
        Ok(Ledger {
            adds_up: false,
            accounts: accounts(connection).await?,
            refusals: refusals(connection).await?,
            dead: dead(connection).await?,
        })
    }
}

pub(super) async fn accounts(connection: &mut SqliteConnection) -> Result<Vec<BundledAccount>, sqlx::Error> {
    sqlx::query_as!(BundledAccount, "SELECT sink, recipient, heard_at, full_at, day, today FROM account")
        .fetch_all(&mut *connection)
        .await
}

pub(super) async fn refusals(connection: &mut SqliteConnection) -> Result<Vec<BundledRefusal>, sqlx::Error> {
    sqlx::query_as!(BundledRefusal, "SELECT sink, recipient, since FROM refusal")
        .fetch_all(&mut *connection)
        .await
}

pub(super) async fn dead(connection: &mut SqliteConnection) -> Result<Vec<BundledDead>, sqlx::Error> {
    sqlx::query_as!(
        BundledDead,
        "SELECT sink, told_at, count, recipient, public_id, reason FROM dead_told ORDER BY sink"
    )
    .fetch_all(&mut *connection)
    .await
}

/// What both stores spent was spent, if they are not the same; and what happened
/// in either happened.
pub(super) async fn enter(connection: &mut SqliteConnection, ledger: &Ledger) -> Result<(), StoreError> {
    for account in &ledger.accounts {
        sqlx::query!(
            "INSERT INTO account (sink, recipient, heard_at, full_at, day, today)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                 ON CONFLICT (sink, recipient) DO UPDATE
                    SET heard_at = max(coalesce(heard_at, 0), coalesce(excluded.heard_at, 0)),
                        full_at = max(coalesce(full_at, 0), coalesce(excluded.full_at, 0)),
                        today = CASE WHEN day > excluded.day THEN today
                                     WHEN day < excluded.day THEN excluded.today
                                     WHEN ?7 THEN today + excluded.today
                                     ELSE max(today, excluded.today) END,
                        day = max(day, excluded.day)",
            account.sink,
            account.recipient,
            account.heard_at,
            account.full_at,
            account.day,
            account.today,
            ledger.adds_up
        )
        .execute(&mut *connection)
        .await?;
    }
    for refusal in &ledger.refusals {
        sqlx::query!(
            "INSERT INTO refusal (sink, recipient, since) VALUES (?1, ?2, ?3)
                 ON CONFLICT (sink, recipient) DO UPDATE SET since = max(since, excluded.since)",
            refusal.sink,
            refusal.recipient,
            refusal.since
        )
        .execute(&mut *connection)
        .await?;
    }
    for dead in &ledger.dead {
        sqlx::query!(
            "INSERT INTO dead_told (sink, told_at, count, recipient, public_id, reason)
             VALUES (?1, ?2, max(?3, 0), ?4, ?5, ?6)
                 ON CONFLICT (sink) DO UPDATE
                    SET told_at = max(coalesce(told_at, excluded.told_at), coalesce(excluded.told_at, told_at)),
                        count = iif(?7, count + excluded.count, max(count, excluded.count)),
                        recipient = iif(excluded.count > 0, excluded.recipient, recipient),
                        public_id = iif(excluded.count > 0, excluded.public_id, public_id),
                        reason = iif(excluded.count > 0, excluded.reason, reason)",
            dead.sink,
            dead.told_at,
            dead.count,
            dead.recipient,
            dead.public_id,
            dead.reason,
            ledger.adds_up
        )
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}
