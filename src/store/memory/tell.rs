//! What there is to tell becomes notices, one delivery each.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::SystemTime,
};

use uuid::Uuid;

use super::{Delivery, Item, Kept, Memory, Recipient};
use crate::{
    budget::day_of,
    incident::{Desk, Plan, Reason, Standing, blocked_until, plan},
    notice::{Kind, Losses, Notice, Sample},
    store::{
        Channel, Claim, Maker, SAMPLES_PER_NOTICE, StoreError, Told,
        batch::{About, message_id},
        pace::Pace,
    },
};

impl Memory {
    pub(in crate::store) fn tell(
        &mut self,
        channel: &Channel,
        maker: &Maker<'_>,
        hurried: bool,
        now: SystemTime,
    ) -> Result<Told, StoreError> {
        let mut told = Told::default();
        let waiting: BTreeSet<Recipient> = self
            .standings(channel.sink)
            .filter(|(_, due_at, is_untold)| *due_at <= now || (hurried && *is_untold))
            .map(|(recipient, ..)| recipient.clone())
            .collect();
        if !waiting.is_empty() {
            self.close_ended(now);
        }
        for recipient in waiting {
            told.notice = told.notice.max(self.tell_one(&recipient, channel, maker, hurried, now));
        }
        self.drop_ended();
        told.next = self.standings(channel.sink).map(|(_, due_at, _)| due_at).min();
        Ok(told)
    }

    /// Whose standings are not over, when they are due, and whether they are of
    /// something nobody was told of.
    fn standings<'a>(&'a self, sink: &'a str) -> impl Iterator<Item = (&'a Recipient, SystemTime, bool)> {
        let all = self.incidents.values().flat_map(|incident| &incident.standings);
        all.filter(move |((name, _), _)| *name == sink)
            .filter_map(|(recipient, known)| Some((recipient, known.due_at?, known.told_at.is_none())))
    }

    /// Decides for one recipient. Returns the notice that there is now, or more
    /// of.
    fn tell_one(
        &mut self,
        recipient: &Recipient,
        channel: &Channel,
        maker: &Maker<'_>,
        hurried: bool,
        now: SystemTime,
    ) -> Option<i64> {
        let his = |delivery: &&Delivery| delivery.sink == recipient.0 && delivery.recipient == recipient.1;
        let open = self.open_notice(recipient);
        let pending = open.and_then(|id| self.notices.get(&id));
        let is_pending = |id: &i64| pending.is_some_and(|notice| notice.items.contains_key(id));
        let (ids, standings): (Vec<i64>, Vec<Standing>) = self
            .incidents
            .iter()
            .filter_map(|(id, incident)| {
                let known = incident.standings.get(recipient).filter(|known| known.due_at.is_some())?;
                let standing = incident.standing(recipient, known);
                Some((*id, Standing { is_pending: is_pending(id), ..standing }))
            })
            .unzip();
        let in_sink = self.deliveries.values().filter(|delivery| delivery.sink == recipient.0).count() as u64;
        let spent = self.accounts.get(&(recipient.0, String::new())).map_or(0, |cost| cost.on(day_of(now)));
        let pending = self.deliveries.values().filter(his).count() as u64;
        let desk = Desk {
            account: self.accounts.get(recipient).copied().unwrap_or_default(),
            standings,
            has_open_message: open.is_some(),
            blocked_until: blocked_until(pending, spent, in_sink, channel.segments_per_day, now),
        };
        let plan = plan(&desk, &channel.rhythm, channel.budget.as_ref(), hurried, now);
        let mut notice = None;
        if !plan.tell.is_empty() {
            let id = open.unwrap_or_else(|| self.insert_notice(recipient, channel, maker, &plan, now));
            for (index, reason) in &plan.tell {
                self.insert_item(id, ids[*index], recipient, *reason);
            }
            self.name_notice(id, maker);
            for delivery in self.deliveries.values_mut().filter(|delivery| delivery.notice_id == id) {
                delivery.expires_at = delivery.expires_at.max(now + channel.deadline);
            }
            notice = Some(id);
        }
        if let Some(account) = plan.account {
            self.accounts.insert(recipient.clone(), account);
        }
        let told: BTreeSet<usize> = plan.tell.iter().map(|(index, _)| *index).collect();
        for (index, due) in plan.due.iter().enumerate() {
            let Some(incident) = self.incidents.get_mut(&ids[index]) else { continue };
            let Some(known) = incident.standings.get_mut(recipient) else { continue };
            known.due_at = *due;
            if told.contains(&index) {
                known.told = incident.count;
                known.told_at = Some(now);
                known.tellings = desk.standings[index].next_tellings();
            }
        }
        notice
    }

    /// The recipient's message that did not leave yet.
    pub(super) fn open_notice(&self, recipient: &Recipient) -> Option<i64> {
        let his = |delivery: &&Delivery| delivery.sink == recipient.0 && delivery.recipient == recipient.1;
        let open = self.deliveries.values().filter(his).filter(|delivery| delivery.doubtful == 0);
        open.map(|delivery| delivery.notice_id).max()
    }

    fn insert_notice(
        &mut self,
        recipient: &Recipient,
        channel: &Channel,
        maker: &Maker<'_>,
        plan: &Plan,
        now: SystemTime,
    ) -> i64 {
        self.last_id += 1;
        let notice = Kept {
            public_id: String::new(),
            run: maker.run,
            kind: Kind::First,
            process: maker.process.clone(),
            made_at: now,
            is_last: plan.is_last,
            items: BTreeMap::new(),
        };
        self.notices.insert(self.last_id, notice);
        let delivery = Delivery {
            notice_id: self.last_id,
            sink: recipient.0,
            recipient: recipient.1.clone(),
            due_at: now,
            attempt: 0,
            claims: 0,
            doubtful: 0,
            created_at: now,
            expires_at: now + channel.deadline,
        };
        self.deliveries.insert(Uuid::now_v7(), delivery);
        self.last_id
    }

    fn insert_item(&mut self, notice: i64, incident_id: i64, recipient: &Recipient, reason: Reason) {
        let Some(incident) = self.incidents.get(&incident_id) else { return };
        let Some(known) = incident.standings.get(recipient) else { return };
        let Some(notice) = self.notices.get_mut(&notice) else { return };
        let item = notice.items.entry(incident_id).or_insert_with(|| Item {
            reason,
            tellings: known.tellings,
            count: 0,
            total: 0,
            last_at: incident.last_at,
            pace: Pace::default(),
        });
        if reason == Reason::Quiet && item.reason != Reason::First {
            item.reason = reason;
        }
        item.count += incident.count.saturating_sub(known.told);
        item.total = incident.count;
        item.last_at = incident.last_at;
        item.pace = incident.pace.clone();
    }

    /// Says what a notice is, from what it tells: with one incident it bears that
    /// one's name, and the facts of the process that opened it.
    fn name_notice(&mut self, id: i64, maker: &Maker<'_>) {
        let is_known = |id: &&i64| self.incidents.contains_key(id);
        let several = self.notices.get(&id).is_some_and(|it| it.items.keys().filter(is_known).count() > 1);
        let fresh = several.then(|| self.new_id(maker));
        let Some(notice) = self.notices.get_mut(&id) else { return };
        let told: Vec<_> =
            notice.items.iter().filter_map(|(id, item)| Some((self.incidents.get(id)?, item))).collect();
        let is_health =
            |(incident, _): &(&super::Incident, &Item)| incident.about.is_some_and(About::is_health);
        let Some((first, item)) = told.first() else { return };
        notice.kind = match (told.iter().all(is_health), told.len()) {
            (true, _) => Kind::Health,
            (false, 1) => kind_of(item.reason),
            (false, _) => Kind::Digest,
        };
        notice.public_id = fresh.unwrap_or_else(|| message_id(&first.public_id, item.tellings));
        let is_one = told.iter().all(|(incident, _)| incident.process == first.process);
        notice.process = if is_one { first.process.clone() } else { maker.process.clone() };
    }

    pub(in crate::store) fn notice(&self, claim: &Claim) -> Result<Notice, StoreError> {
        let Some(kept) = self.notices.get(&claim.notice_id) else {
            return Err(StoreError::Failed("a notice vanished".to_owned()));
        };
        let mut notice = Notice {
            id: kept.public_id.clone(),
            kind: kept.kind,
            process: kept.process.clone(),
            made_at: kept.made_at,
            samples: Vec::new(),
            unsampled: 0,
            losses: Losses::new(),
            is_last_today: kept.is_last,
        };
        let mut items: Vec<_> = kept.items.iter().collect();
        items.sort_by_key(|(id, item)| (item.reason != Reason::First, **id));
        for (id, item) in items {
            let Some(incident) = self.incidents.get(id) else { continue };
            if let Some(About::Loss(reason)) = incident.about {
                *notice.losses.entry(reason).or_default() += item.count;
                continue;
            }
            let has_room =
                incident.about != Some(About::Overflow) && notice.samples.len() < SAMPLES_PER_NOTICE;
            match incident.payload.as_ref().filter(|_| has_room) {
                Some(event) => notice.samples.push(Sample {
                    kind: kind_of(item.reason),
                    event: event.clone(),
                    latest: incident.latest.clone(),
                    incident: incident.public_id.clone(),
                    count: item.count,
                    total: item.total,
                    since: incident.opened_at,
                    last_at: item.last_at,
                    last_hour: item.pace.hour(kept.made_at.max(item.last_at)),
                }),
                None => notice.unsampled += item.count,
            }
        }
        Ok(notice)
    }
}

fn kind_of(reason: Reason) -> Kind {
    match reason {
        Reason::First => Kind::First,
        Reason::Update => Kind::Update,
        Reason::Reminder => Kind::Reminder,
        Reason::Quiet => Kind::Quiet,
    }
}
