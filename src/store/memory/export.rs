//! What memory goes on from when a file fails, and hands over when it works again.

use std::collections::BTreeSet;

use super::{Delivery, Incident, Kept, Memory, Recipient};
use crate::{
    budget::Account,
    event::{from_millis, to_millis},
    store::{
        Channel, Dead, StoreError,
        batch::level_number,
        bundle::{
            Bundle, BundledAccount, BundledDead, BundledIncident, BundledItem, BundledNotice, BundledRefusal,
            BundledStanding, Ledger,
        },
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
            ledger: self.ledger(),
        })
    }

    fn ledger(&self) -> Ledger {
        let accounts = self.accounts.iter().map(|(recipient, account)| BundledAccount {
            sink: recipient.0.to_owned(),
            recipient: recipient.1.clone(),
            heard_at: account.heard_at.map(to_millis),
            full_at: account.full_at.map(to_millis),
            day: account.day.into(),
            today: self.spent_here(recipient, account, account.day).into(),
        });
        let refusals = self.refusals.iter().map(|((sink, recipient), since)| BundledRefusal {
            sink: (*sink).to_owned(),
            recipient: recipient.clone(),
            since: to_millis(*since),
        });
        let sinks: BTreeSet<_> = self.untold.keys().chain(self.told_at.keys()).collect();
        let dead = sinks.into_iter().map(|sink| {
            let untold = self.untold.get(sink);
            let text = |of: fn(&Dead) -> &String| untold.map_or_else(String::new, |dead| of(dead).clone());
            BundledDead {
                sink: (*sink).to_owned(),
                told_at: self.told_at.get(sink).copied().map(to_millis),
                count: untold.map_or(0, |dead| number(dead.count)),
                recipient: text(|dead| &dead.recipient),
                public_id: text(|dead| &dead.public_id),
                reason: text(|dead| &dead.reason),
            }
        });
        Ledger {
            adds_up: true,
            accounts: accounts.collect(),
            refusals: refusals.collect(),
            dead: dead.collect(),
        }
    }

    /// Goes on from what another store knows of the recipients of `channels`; what
    /// is dead there is told from there.
    pub(in crate::store) fn inherit(&mut self, ledger: &Ledger, channels: &[Channel]) {
        let named = |sink: &str| channels.iter().map(|channel| channel.sink).find(|name| *name == sink);
        for their in &ledger.accounts {
            let Some(sink) = named(&their.sink) else { continue };
            let recipient = (sink, their.recipient.clone());
            let own = self.accounts.get(&recipient).copied().unwrap_or_default();
            let known = self.inherited.get(&recipient).copied().unwrap_or_default();
            let day = own.day.max(u32::try_from(their.day).unwrap_or(0));
            let theirs =
                if i64::from(day) == their.day { u32::try_from(their.today).unwrap_or(0) } else { 0 };
            let inherited = Account { day, today: known.on(day).max(theirs), ..Account::default() };
            let today = inherited.today.saturating_add(self.spent_here(&recipient, &own, day));
            let heard_at = own.heard_at.max(their.heard_at.map(from_millis));
            let full_at = own.full_at.max(their.full_at.map(from_millis));
            self.inherited.insert(recipient.clone(), inherited);
            self.accounts.insert(recipient, Account { heard_at, full_at, day, today });
        }
        for refusal in &ledger.refusals {
            if let Some(sink) = named(&refusal.sink) {
                let since = from_millis(refusal.since);
                let known = self.refusals.entry((sink, refusal.recipient.clone())).or_insert(since);
                *known = since.max(*known);
            }
        }
        for dead in &ledger.dead {
            if let (Some(sink), Some(at)) = (named(&dead.sink), dead.told_at.map(from_millis)) {
                let known = self.told_at.entry(sink).or_insert(at);
                *known = at.max(*known);
            }
        }
    }

    /// How much of `account` no other store knows of.
    fn spent_here(&self, recipient: &Recipient, account: &Account, day: u32) -> u32 {
        let inherited = self.inherited.get(recipient).map_or(0, |inherited| inherited.on(day));
        account.on(day).saturating_sub(inherited)
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
            latest: self.latest.as_ref().map(json).transpose()?,
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
