//! What memory hands over when the file works again.

use super::{Kept, Memory};
use crate::{
    event::to_millis,
    store::{
        StoreError,
        bundle::{Bundle, BundledDelivery, BundledEvent},
        level_number,
    },
};

impl Memory {
    /// Everything: what is settled is not kept.
    pub(in crate::store) fn export(&self) -> Result<Vec<Bundle>, StoreError> {
        self.notices.iter().map(|(id, notice)| self.bundle(*id, notice)).collect()
    }

    fn bundle(&self, id: i64, notice: &Kept) -> Result<Bundle, StoreError> {
        let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        let json = |error: serde_json::Error| StoreError::Failed(error.to_string());
        let events = notice.events.iter().map(|row| {
            Ok(BundledEvent {
                fingerprint: row.fingerprint.clone(),
                level: level_number(row.level).into(),
                count: number(row.count),
                first_at: to_millis(row.first_at),
                last_at: to_millis(row.last_at),
                payload: row.payload.as_ref().map(serde_json::to_string).transpose().map_err(json)?,
            })
        });
        let own = self.deliveries.iter().filter(|(_, delivery)| delivery.notice_id == id);
        let deliveries = own.map(|(key, delivery)| BundledDelivery {
            key: key.as_bytes().to_vec(),
            sink: delivery.sink.to_owned(),
            recipient: delivery.recipient.clone(),
            level: level_number(delivery.level).into(),
            due_at: to_millis(delivery.due_at),
            attempt: delivery.attempt.into(),
            claims: delivery.claims,
            doubtful: delivery.doubtful.into(),
            created_at: to_millis(delivery.created_at),
            expires_at: to_millis(delivery.expires_at),
        });
        Ok(Bundle {
            public_id: notice.public_id.clone(),
            run: notice.run,
            kind: if notice.events.is_empty() || notice.health { "health" } else { "first" }.to_owned(),
            // Its own end is not told of, whichever sink it was about.
            about: notice.health.then(String::new),
            process: serde_json::to_string(&notice.process).map_err(json)?,
            opened_at: to_millis(notice.opened_at),
            closes_at: to_millis(notice.closes_at),
            losses: notice
                .losses
                .iter()
                .map(|(reason, count)| (reason.name().to_owned(), number(*count)))
                .collect(),
            events: events.collect::<Result<_, StoreError>>()?,
            deliveries: deliveries.collect(),
        })
    }
}
