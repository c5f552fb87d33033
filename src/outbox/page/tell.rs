//! What there is to tell becomes notices, one delivery each.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::SystemTime,
};

use super::{DeliveryRow, Drawn, IncidentRow, ItemRow, Page, Recipient, State, StoredNotice};
#[cfg(feature = "postgres")]
use crate::policy::outage::digest_id;
use crate::{
    host::{id, time::Saturating},
    outbox::{
        Channel, Maker,
        batch::{About, message_id},
        pace::Pace,
    },
    policy::{
        budget::Budget,
        incident::{Plan, Reason, RecipientView, Room, Standing, plan},
        notice::Kind,
    },
};

impl Page {
    /// Makes, for each recipient of `channel` of whose incidents something is to be
    /// told at `now`, one message of it, as [`plan`] decides; or adds that to the
    /// message that did not leave yet. If that is `hurried`, what is new is told at
    /// once. What is not told has a time when it is looked at again. Returns the last
    /// notice that was made, or that more was added to.
    pub(in crate::outbox) fn tell(
        &mut self,
        channel: &Channel,
        maker: &Maker<'_>,
        hurried: bool,
        now: SystemTime,
    ) -> Option<i64> {
        let waiting: BTreeSet<Recipient> = self
            .due_in(channel.sink)
            .filter(|(_, due_at, is_untold)| *due_at <= now || (hurried && *is_untold))
            .map(|(recipient, ..)| recipient.clone())
            .collect();
        if !waiting.is_empty() {
            self.close_ended(now);
        }
        let notices = waiting.iter().map(|recipient| self.tell_one(recipient, channel, maker, hurried, now));
        notices.max().flatten()
    }

    /// When there will be something to decide for a recipient of `sink`.
    pub(in crate::outbox) fn next_look(&self, sink: &str) -> Option<SystemTime> {
        self.due_in(sink).map(|(_, due_at, _)| due_at).min()
    }

    /// The last of those by name of whose incidents something is to be told.
    pub(in crate::outbox) fn last_waiting(&self, sink: &str) -> Option<&Recipient> {
        self.due_in(sink).map(|(recipient, ..)| recipient).max()
    }

    /// Whose standings are not over, when they are due, and whether they are of
    /// something nobody was told of.
    fn due_in(&self, sink: &str) -> impl Iterator<Item = (&Recipient, SystemTime, bool)> {
        let all = self.standings.iter().filter(move |((_, recipient), _)| *recipient.sink == *sink);
        all.filter_map(|((_, recipient), known)| Some((recipient, known.due_at?, known.is_untold())))
    }

    /// Decides for one recipient. Returns the notice that there is now, or more of.
    fn tell_one(
        &mut self,
        recipient: &Recipient,
        channel: &Channel,
        maker: &Maker<'_>,
        hurried: bool,
        now: SystemTime,
    ) -> Option<i64> {
        self.drop_orphans(recipient);
        let put_off = self.put_off(recipient, now);
        let open = self.open_notice(recipient);
        let undecided = self.undecided(recipient, open).filter(|(id, _)| !put_off.contains(id));
        let (ids, standings): (Vec<i64>, Vec<Standing>) = undecided.unzip();
        let view = RecipientView {
            account: self.accounts.get(recipient).cloned().unwrap_or_default(),
            standings,
            has_open_message: open.is_some(),
            room: Room {
                pending: self.pending_to(recipient).count() as u64,
                segments_per_day: channel.segments_per_day,
            },
        };
        let limits = channel.limits();
        let plan = plan(&view, &channel.rhythm, &limits, hurried, now);
        let told_now =
            |standing: &Standing, reason| standing.told_now(reason, limits.budget.map(Budget::share), now);
        let notice = (!plan.tell.is_empty())
            .then(|| open.unwrap_or_else(|| self.insert_notice(recipient, channel, maker, &plan, now)));
        if let Some(notice) = notice {
            for (index, reason) in &plan.tell {
                if let (Some(incident), Some(standing)) = (ids.get(*index), view.standings.get(*index)) {
                    let held_until = told_now(standing, *reason).held_until(now).filter(|until| *until > now);
                    let day = channel.calendar.day_of(now);
                    self.add_item(notice, *incident, recipient, *reason, |item, row| {
                        item.today = row.recent.today(day);
                        item.this_week = row.recent.this_week(day);
                        item.held_until = held_until;
                    });
                }
            }
            self.name_notice(notice, maker);
            self.extend(notice, now.later(channel.deadline));
        }
        if let Some(account) = plan.account {
            self.accounts.insert(recipient.clone(), account);
        }
        let told: BTreeMap<usize, Reason> = plan.tell.iter().copied().collect();
        let all = ids.iter().zip(&view.standings).zip(&plan.due).enumerate();
        for (index, ((incident, standing), due_at)) in all {
            let key = (*incident, recipient.clone());
            let reason = told.get(&index);
            let has_moved = self.standings.get(&key).is_some_and(|known| known.due_at != *due_at);
            let Some(known) = (reason.is_some() || has_moved).then(|| self.standings.change(&key)).flatten()
            else {
                continue;
            };
            known.due_at = *due_at;
            if let Some(reason) = reason {
                let standing = told_now(standing, *reason);
                known.told = standing.told;
                known.told_at = standing.told_at;
                known.tellings = standing.tellings;
                known.holds = standing.holds;
                known.hold = standing.hold;
                known.is_back = standing.is_back;
                known.went_on = standing.went_on;
            }
        }
        #[cfg(feature = "postgres")]
        if maker.is_of_fleet {
            self.note_again(&ids, recipient, &channel.rhythm, now);
            told.keys().filter_map(|index| ids.get(*index)).for_each(|id| self.note_told_here(*id));
        }
        notice
    }

    /// Has nothing to tell of incidents that are gone, as in a damaged file: else there
    /// would always be something due.
    fn drop_orphans(&mut self, recipient: &Recipient) {
        let orphans = self.standings.iter().filter(|((id, other), known)| {
            other == recipient && known.due_at.is_some() && self.incidents.get(id).is_none()
        });
        let orphans: Vec<_> = orphans.map(|(key, _)| key.clone()).collect();
        for key in orphans {
            if let Some(known) = self.standings.change(&key) {
                known.due_at = None;
            }
        }
    }

    /// The incidents that are not over for a recipient.
    fn undecided<'a>(
        &'a self,
        recipient: &'a Recipient,
        open: Option<i64>,
    ) -> impl Iterator<Item = (i64, Standing)> + 'a {
        let in_doubt = self.pending_to(recipient).filter(|delivery| delivery.doubtful > 0);
        let in_doubt = in_doubt.flat_map(|delivery| self.items_of(delivery.notice_id));
        let in_doubt: BTreeSet<i64> = in_doubt.map(|(incident, _)| incident).collect();
        let of = self.standings.iter().filter(move |((_, other), _)| other == recipient);
        of.filter(|(_, known)| known.due_at.is_some()).filter_map(move |((id, _), _)| {
            let is_pending = open.is_some_and(|notice| self.items.get(&(notice, *id)).is_some());
            let is_in_doubt = in_doubt.contains(id);
            Some((*id, Standing { is_pending, is_in_doubt, ..self.standing(*id, recipient)? }))
        })
    }

    fn insert_notice(
        &mut self,
        recipient: &Recipient,
        channel: &Channel,
        maker: &Maker<'_>,
        plan: &Plan,
        now: SystemTime,
    ) -> i64 {
        self.beyond.last_notice = self.beyond.last_notice.saturating_add(1);
        let id = self.beyond.last_notice;
        let notice = StoredNotice {
            public_id: String::new(),
            run: maker.run,
            kind: Kind::First,
            process: maker.process.clone(),
            made_at: now,
            is_last: plan.is_last,
        };
        self.notices.insert(id, notice);
        let delivery = DeliveryRow {
            notice_id: id,
            recipient: recipient.clone(),
            state: State::Pending,
            due_at: now,
            attempt: 0,
            claims: 0,
            answered: 0,
            doubtful: 0,
            created_at: now,
            expires_at: now.later(channel.deadline),
            settled_at: None,
            reference: None,
            last_error: None,
            charged: 0,
            charged_claim: 0,
            ask_at: None,
            asked: 0,
            fate: None,
            was_sent_again: false,
        };
        self.deliveries.insert(id::next(), delivery);
        id
    }

    fn add_item(
        &mut self,
        notice: i64,
        incident: i64,
        recipient: &Recipient,
        reason: Reason,
        note: impl FnOnce(&mut ItemRow, &IncidentRow),
    ) {
        let Some(row) = self.incidents.get(&incident) else { return };
        let Some(known) = self.standings.get(&(incident, recipient.clone())) else { return };
        let item = self.items.change_or_insert((notice, incident), || ItemRow {
            reason,
            tellings: known.tellings,
            count: 0,
            total: 0,
            last_at: row.last_at,
            pace: Pace::default(),
            today: 0,
            this_week: 0,
            held_until: None,
            spread: None,
        });
        if matches!(reason, Reason::Quiet | Reason::Again) && item.reason != Reason::First {
            item.reason = reason;
        }
        item.count = item.count.saturating_add(row.count.saturating_sub(known.told));
        item.total = row.count;
        item.last_at = row.last_at;
        item.pace = row.pace.clone();
        item.spread = row.spread.clone();
        note(item, row);
    }

    /// Says what a notice is, from what it tells: with one incident it bears that
    /// one's name, and the facts of the process that opened it.
    fn name_notice(&mut self, id: i64, maker: &Maker<'_>) {
        let told = |page: &Self| -> Vec<(IncidentRow, ItemRow)> {
            let told = page.items_of(id);
            told.filter_map(|(id, item)| Some((page.incidents.get(&id)?.clone(), item.clone()))).collect()
        };
        let told = told(self);
        let Some((first, item)) = told.first() else { return };
        let public_id = match told.len() {
            1 => message_id(&first.public_id, item.tellings),
            _ => self.name_digest(id, &told, maker),
        };
        let kind = match told.len() {
            _ if told.iter().all(|(it, _)| it.about.is_some_and(About::is_health)) => Kind::Health,
            1 => kind_of(item.reason),
            _ => Kind::Digest,
        };
        let is_one = told.iter().all(|(it, _)| it.process == first.process);
        if let Some(notice) = self.notices.change(&id) {
            notice.kind = kind;
            notice.public_id = public_id;
            notice.process = if is_one { first.process.clone() } else { maker.process.clone() };
        }
    }

    /// What people call a message about several incidents.
    fn name_digest(&mut self, id: i64, told: &[(IncidentRow, ItemRow)], maker: &Maker<'_>) -> String {
        #[cfg(feature = "postgres")]
        if maker.is_of_fleet {
            let ids = told.iter().map(|(row, item)| message_id(&row.public_id, item.tellings));
            return self.derive_for(Drawn::Notice(id), digest_id(ids), maker);
        }
        #[cfg(not(feature = "postgres"))]
        let _ = told;
        self.draw_for(Drawn::Notice(id), maker)
    }

    /// Gives a notice that tells more time for that.
    fn extend(&mut self, notice: i64, expires_at: SystemTime) {
        let short =
            self.deliveries.iter().filter(|(_, it)| it.notice_id == notice && it.expires_at < expires_at);
        let short: Vec<_> = short.map(|(key, _)| *key).collect();
        for key in short {
            if let Some(delivery) = self.deliveries.change(&key) {
                delivery.expires_at = expires_at;
            }
        }
    }
}

/// What a message is that tells of one incident for this reason.
pub(super) fn kind_of(reason: Reason) -> Kind {
    match reason {
        Reason::First => Kind::First,
        Reason::Again => Kind::Again,
        Reason::Update => Kind::Update,
        Reason::Reminder => Kind::Reminder,
        Reason::Quiet => Kind::Quiet,
    }
}
