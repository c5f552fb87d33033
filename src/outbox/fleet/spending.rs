//! Takes over what instances sent alone into the accounts of the recipients.
//!
//! Invariant: what is said twice counts once, as what was said before is kept.

use super::{
    super::{Spending, StoreError},
    Fleet, bounded,
    load::{run, unwritable},
};
use crate::{event::to_millis, policy::budget::Account};

impl Fleet {
    /// Counts what this instance sent alone to the recipients' accounts, which come in their
    /// order.
    pub(crate) async fn take_spending(&mut self, spending: &[Spending]) -> Result<(), StoreError> {
        if spending.is_empty() {
            return Ok(());
        }
        let done = self.count_spending(spending).await;
        self.note(done)
    }

    async fn count_spending(&mut self, spending: &[Spending]) -> Result<(), StoreError> {
        let mut turn = self.begin_turn().await?;
        let (store, now) = (turn.store, to_millis(turn.now));
        for Spending { recipient, sent } in spending {
            let (sink, address) = (&*recipient.sink, &*recipient.address);
            run!(
                turn,
                "INSERT INTO account (sink, recipient, data) VALUES ($1, $2, '{}') ON CONFLICT DO NOTHING",
                sink,
                address
            )?;
            let known = statement!(
                sqlx::query_as::<_, (String, String)>,
                "SELECT account.data::text,
                        coalesce((SELECT data FROM sent_alone
                                   WHERE store = $1 AND sent_alone.sink = $2 AND sent_alone.recipient = $3), '{}')::text
                   FROM account WHERE sink = $2 AND recipient = $3 FOR UPDATE OF account",
                store,
                sink,
                address
            );
            let (account, known) = bounded(known.fetch_one(&mut *turn.transaction)).await?;
            let mut account: Account = serde_json::from_str(&account).map_err(unwritable)?;
            let known = serde_json::from_str(&known).map_err(unwritable)?;
            let all = account.take_over(sent, &known);
            run!(
                turn,
                "UPDATE account SET data = data || $3::text::jsonb WHERE sink = $1 AND recipient = $2",
                sink,
                address,
                serde_json::to_string(&account).map_err(unwritable)?
            )?;
            run!(
                turn,
                "INSERT INTO sent_alone (store, sink, recipient, at, data) VALUES ($1, $2, $3, $4, $5::text::jsonb)
                     ON CONFLICT (store, sink, recipient) DO UPDATE SET at = excluded.at, data = excluded.data",
                store,
                sink,
                address,
                now,
                serde_json::to_string(&all).map_err(unwritable)?
            )?;
        }
        turn.end().await
    }
}
