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
        let ours = self.incidents.values_mut().filter(|incident| incident.run == run);
        for known in ours.flat_map(|incident| incident.standings.values_mut()) {
            known.not_before = known.not_before.map(|at| moved(at, millis));
        }
    }
}
