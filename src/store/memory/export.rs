//! What memory hands over when the file works again.

use super::{Delivery, Incident, Kept, Memory, Recipient};
use crate::{
    budget::Account,
    event::to_millis,
    store::{
        StoreError,
        batch::level_number,
        bundle::{Bundle, BundledAccount, BundledIncident, BundledItem, BundledNotice, BundledStanding},
        sqlite::rows::{about_text, json, kind_name, number, reason_name},
    },
};

impl Memory {
    /// Everything: what is settled is not kept.
    pub(in crate::store) fn export(&self) -> Result<Bundle, StoreError> {
        let incidents = self.incidents.iter().map(|(id, incident)| incident.bundle(*id));
        let notices = self.deliveries.iter().filter_map(|(key, delivery)| {
            Some(bundle_notice(self.notices.get(&delivery.notice_id)?, key.as_bytes(), delivery))
        });
        Ok(Bundle {
            incidents: incidents.collect::<Result<_, StoreError>>()?,
            notices: notices.collect::<Result<_, StoreError>>()?,
            accounts: self.accounts.iter().map(bundle_account).collect(),
        })
    }
}

impl Incident {
    fn bundle(&self, id: i64) -> Result<BundledIncident, StoreError> {
        let standings = self.standings.iter().map(|((sink, recipient), known)| BundledStanding {
            sink: (*sink).to_owned(),
            recipient: recipient.clone(),
            told: number(known.told),
            reported: number(known.reported),
            told_at: known.told_at.map(to_millis),
            tellings: known.tellings.into(),
            not_before: known.not_before.map(to_millis),
            due_at: known.due_at.map(to_millis),
        });
        Ok(BundledIncident {
            id,
            public_id: self.public_id.clone(),
            fingerprint: self.fingerprint.clone(),
            level: level_number(self.level).into(),
            about: self.about.map(about_text),
            run: self.run.as_bytes().to_vec(),
            process: json(&self.process)?,
            is_new: self.is_new,
            count: number(self.count),
            opened_at: to_millis(self.opened_at),
            last_at: to_millis(self.last_at),
            closed_at: self.closed_at.map(to_millis),
            payload: self.payload.as_ref().map(json).transpose()?,
            pace: json(&self.pace)?,
            standings: standings.collect(),
        })
    }
}

fn bundle_notice(notice: &Kept, key: &[u8], delivery: &Delivery) -> Result<BundledNotice, StoreError> {
    let items = notice.items.iter().map(|(id, item)| {
        Ok(BundledItem {
            incident_id: *id,
            reason: reason_name(item.reason).to_owned(),
            tellings: item.tellings.into(),
            count: number(item.count),
            total: number(item.total),
            last_at: to_millis(item.last_at),
            pace: json(&item.pace)?,
        })
    });
    Ok(BundledNotice {
        public_id: notice.public_id.clone(),
        run: notice.run.as_bytes().to_vec(),
        kind: kind_name(notice.kind).to_owned(),
        process: json(&notice.process)?,
        made_at: to_millis(notice.made_at),
        is_last: notice.is_last,
        items: items.collect::<Result<_, StoreError>>()?,
        key: key.to_vec(),
        sink: delivery.sink.to_owned(),
        recipient: delivery.recipient.clone(),
        due_at: to_millis(delivery.due_at),
        attempt: delivery.attempt.into(),
        claims: delivery.claims,
        doubtful: delivery.doubtful.into(),
        created_at: to_millis(delivery.created_at),
        expires_at: to_millis(delivery.expires_at),
    })
}

fn bundle_account(((sink, recipient), account): (&Recipient, &Account)) -> BundledAccount {
    BundledAccount {
        sink: (*sink).to_owned(),
        recipient: recipient.clone(),
        heard_at: account.heard_at.map(to_millis),
        full_at: account.full_at.map(to_millis),
        day: account.day.into(),
        today: account.today.into(),
    }
}
