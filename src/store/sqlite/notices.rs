//! What a notice has to tell.

use super::{
    super::{Claim, SAMPLES_PER_NOTICE, StoreError, batch::About},
    Sqlite,
    rows::{about_of, kind_of, pace_of, unsigned},
};
use crate::{
    event::{Event, from_millis},
    notice::{Losses, Notice, Sample},
};

impl Sqlite {
    pub(in crate::store) async fn notice(&mut self, claim: &Claim) -> Result<Notice, StoreError> {
        let row = sqlx::query!(
            r#"SELECT public_id, kind, process, made_at, is_last AS "is_last: bool" FROM notice WHERE id = ?1"#,
            claim.notice_id
        )
        .fetch_one(&mut self.connection)
        .await?;
        let items = sqlx::query!(
            r#"SELECT incident_id AS "incident_id!", item.count, item.total, item.last_at, reason, item.pace,
                      public_id AS "public_id?", about, opened_at AS "opened_at?"
                 FROM item LEFT JOIN incident ON incident.id = incident_id
                WHERE notice_id = ?1
                ORDER BY reason <> 'first', incident_id"#,
            claim.notice_id
        )
        .fetch_all(&mut self.connection)
        .await?;
        let mut notice = Notice {
            id: row.public_id,
            kind: kind_of(&row.kind),
            process: serde_json::from_str(&row.process).unwrap_or_default(),
            made_at: from_millis(row.made_at),
            samples: Vec::new(),
            // None at all are only in a damaged file.
            unsampled: items.is_empty().into(),
            losses: Losses::new(),
            is_last_today: row.is_last,
        };
        for item in items {
            let count = unsigned(item.count);
            let about = item.about.as_deref().map(about_of);
            if let Some(About::Loss(reason)) = about {
                *notice.losses.entry(reason).or_default() += count;
                continue;
            }
            let has_room = about != Some(About::Overflow) && notice.samples.len() < SAMPLES_PER_NOTICE;
            let (event, latest) =
                if has_room { self.events_of(item.incident_id).await? } else { (None, None) };
            match event {
                Some(event) => notice.samples.push(Sample {
                    kind: kind_of(&item.reason),
                    event,
                    latest,
                    incident: item.public_id.unwrap_or_default(),
                    count,
                    total: unsigned(item.total),
                    since: from_millis(item.opened_at.unwrap_or_default()),
                    last_at: from_millis(item.last_at),
                    last_hour: pace_of(&item.pace).hour(notice.made_at.max(from_millis(item.last_at))),
                }),
                None => notice.unsampled += count,
            }
        }
        Ok(notice)
    }

    /// The first event of an incident, and the last one. One that cannot be read is
    /// still told of.
    async fn events_of(&mut self, incident: i64) -> Result<(Option<Event>, Option<Event>), StoreError> {
        let row = sqlx::query!("SELECT payload, latest FROM incident WHERE id = ?1", incident)
            .fetch_optional(&mut self.connection)
            .await?;
        let read = |json: Option<String>| serde_json::from_str(&json?).ok();
        Ok(row.map_or((None, None), |row| (read(row.payload), read(row.latest))))
    }
}
