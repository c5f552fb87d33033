//! Silences that instances begin and end, and that all of them learn.

use std::time::SystemTime;

use uuid::Uuid;

use super::{
    super::{KeyedSilence, StoreError, keep::Turn, scope::Scope},
    Fleet, bounded,
    turn::FleetTurn,
};
use crate::event::to_millis;

impl Fleet {
    /// Takes over what an instance says of `silences`: which began there, and which were
    /// ended; by its clock, where it is `there`.
    pub(crate) async fn take_silences(
        &mut self,
        silences: &[KeyedSilence],
        there: SystemTime,
    ) -> Result<(), StoreError> {
        if silences.is_empty() {
            return Ok(());
        }
        let done = self.take_news(silences, there).await;
        self.note(done)
    }

    /// To begin or end one locks all recipients, so it is looked first whether there is one.
    async fn take_news(&mut self, silences: &[KeyedSilence], there: SystemTime) -> Result<(), StoreError> {
        let mut turn = self.begin_turn().await?;
        let ahead = to_millis(turn.now).saturating_sub(to_millis(there));
        let keys: Vec<Uuid> = silences.iter().map(|(key, _)| *key).collect();
        let known = statement!(
            sqlx::query_as::<_, (Uuid, bool)>,
            "SELECT key, until > $2 FROM silence WHERE key = ANY ($1)",
            &keys,
            to_millis(turn.now)
        );
        let known = bounded(known.fetch_all(&mut *turn.transaction)).await?;
        let now = turn.now;
        let is_news = |(key, row): &&KeyedSilence| match known.iter().find(|(known, _)| known == key) {
            Some((_, is_in_force)) => *is_in_force && row.undone_at.is_some(),
            None => row.until > now,
        };
        let ours: Vec<KeyedSilence> =
            silences.iter().map(|(key, row)| (*key, row.clone().by_clock(ahead))).collect();
        let news: Vec<KeyedSilence> = ours.iter().filter(is_news).cloned().collect();
        if news.is_empty() {
            return turn.end().await;
        }
        turn.load(&Scope::Silences).await?;
        turn.page.learn_silences(&news, now);
        turn.commit(&String::new).await
    }
}

impl FleetTurn<'_> {
    /// The latest silences; but for those that this version does not understand.
    pub(super) async fn silence_rows(&mut self) -> Result<Vec<KeyedSilence>, StoreError> {
        let rows = statement!(
            sqlx::query_as::<_, (Uuid, String)>,
            "SELECT key, data::text FROM silence ORDER BY until DESC LIMIT 500"
        );
        let rows = bounded(rows.fetch_all(&mut *self.transaction)).await?;
        let read = |(key, data): (Uuid, String)| Some((key, serde_json::from_str(&data).ok()?));
        Ok(rows.into_iter().filter_map(read).collect())
    }
}
