//! What a recipient was sent; of recipient `''`, what a sink cost.

use sqlx::SqliteConnection;

use super::super::StoreError;
use crate::{
    budget::Account,
    event::{from_millis, to_millis},
};

pub(super) async fn account(
    connection: &mut SqliteConnection,
    sink: &str,
    recipient: &str,
) -> Result<Account, StoreError> {
    let row = sqlx::query!(
        "SELECT heard_at, full_at, day, today FROM account WHERE sink = ?1 AND recipient = ?2",
        sink,
        recipient
    )
    .fetch_optional(&mut *connection)
    .await?;
    Ok(row.map_or_else(Account::default, |row| Account {
        heard_at: row.heard_at.map(from_millis),
        full_at: row.full_at.map(from_millis),
        day: u32::try_from(row.day).unwrap_or(0),
        today: u32::try_from(row.today).unwrap_or(u32::MAX),
    }))
}

pub(super) async fn save_account(
    connection: &mut SqliteConnection,
    sink: &str,
    recipient: &str,
    account: &Account,
) -> Result<(), StoreError> {
    let (heard_at, full_at) = (account.heard_at.map(to_millis), account.full_at.map(to_millis));
    sqlx::query!(
        "INSERT INTO account (sink, recipient, heard_at, full_at, day, today)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT (sink, recipient) DO UPDATE
                SET heard_at = excluded.heard_at, full_at = excluded.full_at,
                    day = excluded.day, today = excluded.today",
        sink,
        recipient,
        heard_at,
        full_at,
        account.day,
        account.today
    )
    .execute(&mut *connection)
    .await?;
    Ok(())
}
