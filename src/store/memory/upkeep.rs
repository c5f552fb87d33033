//! Times in memory that move along with a clock that jumped.

use uuid::Uuid;

use super::Memory;
use crate::event::moved;

impl Memory {
    pub(in crate::store) fn shift(&mut self, run: Uuid, millis: i64) {
        for delivery in self.deliveries.values_mut() {
            if self.notices.get(&delivery.notice_id).is_some_and(|notice| notice.run == run) {
                delivery.due_at = moved(delivery.due_at, millis);
                delivery.expires_at = moved(delivery.expires_at, millis);
            }
        }
    }
}
