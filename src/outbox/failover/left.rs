//! How much of what is not sent is elsewhere.

use uuid::Uuid;

use super::Outbox;

impl Outbox {
    /// How many messages of `run` are neither in the store nor `sent`, but in a file that
    /// failed or was left. None if that one does not say.
    pub(crate) async fn left_behind(&mut self, run: Uuid, sent: &[Uuid]) -> Option<u64> {
        let brought: u64 = self.brought.iter().map(|page| page.messages(Some(run), sent) as u64).sum();
        match &mut self.failed {
            Some(failed) => Some(failed.left(run, sent).await.ok()? + brought),
            None => Some(brought),
        }
    }

    /// How many messages of a file that was moved or is damaged no other has yet.
    pub(crate) fn unmoved(&self) -> u64 {
        self.brought.iter().map(|page| page.messages(None, &[]) as u64).sum()
    }
}
