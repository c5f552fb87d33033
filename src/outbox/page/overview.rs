//! What people are shown of the outbox, and the few things that they may change in it.
//!
//! Invariant: what is changed is what the other functions of a page could have left: no
//! message is lost, and none is sent that nobody decided to send.

use std::time::SystemTime;

use serde::Serialize;
use uuid::Uuid;

use super::{DeliveryRow, Page, SilenceRow, State, tell::kind_of};
use crate::{
    event::{loss::Losses, millis, millis_or_none},
    host::time::Saturating,
    outbox::batch::About,
    policy::{
        fingerprint,
        incident::Reason,
        notice::{Kind, Notice, Sample, Spread},
    },
};

/// An incident, as people are shown it.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct IncidentView {
    /// What people call it.
    pub id: String,
    /// The level of its first event.
    pub level: String,
    /// The application that opened it, and its machine.
    pub app: String,
    /// The machine of that process.
    pub host: Option<String>,
    /// What its first event said; or what it counts.
    pub message: String,
    /// The target of its first event.
    pub target: String,
    /// Where in the source its first event was.
    pub location: Option<String>,
    /// The code of its kind, for a silence or `ALERT_IGNORE`.
    pub code: Option<String>,
    /// How many events it has.
    pub count: u64,
    /// How many of them somebody was told of.
    pub reported: u64,
    /// When the first happened.
    #[serde(serialize_with = "millis::serialize")]
    pub opened_at: SystemTime,
    /// When the last happened.
    #[serde(serialize_with = "millis::serialize")]
    pub last_at: SystemTime,
    /// Whether more events would join it.
    pub is_open: bool,
    /// In which instances it happened, if several share the store.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spread: Option<Spread>,
    /// Until when it is silenced, if it is.
    #[serde(serialize_with = "millis_or_none::serialize")]
    pub silenced_until: Option<SystemTime>,
    /// The messages that tell of it, the oldest first.
    pub messages: Vec<MessageView>,
    /// Who is to be told of it, and when that is decided.
    pub waiting: Vec<WaitingView>,
}

/// A message to one recipient, as people are shown it.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct MessageView {
    /// The id that it ends with.
    pub id: String,
    /// Why it is sent: `first`, `digest`, `again`, `update`, `reminder`, `quiet` or `health`.
    pub kind: &'static str,
    /// What sends it.
    pub sink: String,
    /// Who gets it.
    pub recipient: String,
    /// `pending`, `delivered` (a provider accepted it) or `dead`.
    pub state: &'static str,
    /// What became of it after it was accepted: `arrived`, `failed` or `unconfirmed`.
    pub fate: Option<&'static str>,
    /// How often it was attempted.
    pub attempts: u32,
    /// When it was made.
    #[serde(serialize_with = "millis::serialize")]
    pub made_at: SystemTime,
    /// When it is attempted next, if it is pending.
    #[serde(serialize_with = "millis_or_none::serialize")]
    pub due_at: Option<SystemTime>,
    /// When it was accepted or given up.
    #[serde(serialize_with = "millis_or_none::serialize")]
    pub settled_at: Option<SystemTime>,
    /// What its provider calls it.
    pub reference: Option<String>,
    /// What was wrong last.
    pub error: Option<String>,
}

/// Somebody who is to be told of an incident.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct WaitingView {
    /// What tells them.
    pub sink: String,
    /// Who that is.
    pub recipient: String,
    /// When it is decided.
    #[serde(serialize_with = "millis::serialize")]
    pub at: SystemTime,
}

/// A silence, as people are shown it.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct SilenceView {
    /// What people call it.
    pub id: String,
    /// Which events it means, in words.
    pub what: String,
    /// When it began.
    #[serde(serialize_with = "millis::serialize")]
    pub from: SystemTime,
    /// When it ends, or ended.
    #[serde(serialize_with = "millis::serialize")]
    pub until: SystemTime,
    /// When somebody ended it early.
    #[serde(serialize_with = "millis_or_none::serialize")]
    pub undone_at: Option<SystemTime>,
    /// Why it was begun, if somebody said.
    pub why: Option<String>,
    /// Who began it.
    pub by: String,
    /// How many events it held back.
    pub held: u64,
}

impl SilenceView {
    pub(crate) fn of(silence: &SilenceRow) -> Self {
        Self {
            id: silence.public_id.clone(),
            what: silence.conditions.to_string(),
            from: silence.from,
            until: silence.until,
            undone_at: silence.undone_at,
            why: silence.why.clone(),
            by: silence.by.clone(),
            held: silence.held,
        }
    }
}

/// A message that was to be tried again.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Revived {
    /// Its id.
    pub id: String,
    /// What sends it.
    pub sink: String,
    /// Who gets it.
    pub recipient: String,
    /// Whether it is due now; it may be under way, or settled well.
    pub is_due: bool,
    /// Whether nothing is attempted for its recipient, who was refused.
    pub is_refused: bool,
}

impl Page {
    /// The incidents of the page, the one with the latest event first.
    pub(in crate::outbox) fn incident_views(&self, now: SystemTime) -> Vec<IncidentView> {
        let mut views: Vec<_> = self.incidents.keys().filter_map(|id| self.incident_view(*id, now)).collect();
        views.sort_by(|one, other| other.last_at.cmp(&one.last_at).then_with(|| other.id.cmp(&one.id)));
        views
    }

    fn incident_view(&self, id: i64, now: SystemTime) -> Option<IncidentView> {
        let row = self.incidents.get(&id)?;
        let event = self.firsts.get(&id);
        let notices = self.items.keys().filter(|(_, incident)| *incident == id).map(|(notice, _)| *notice);
        let notices: Vec<i64> = notices.collect();
        let messages = self.deliveries.values().filter(|it| notices.contains(&it.notice_id));
        let mut messages: Vec<_> = messages.filter_map(|delivery| self.message_view(delivery)).collect();
        messages.sort_by(|one, other| {
            let key = |view: &MessageView| (view.made_at, view.sink.clone(), view.recipient.clone());
            key(one).cmp(&key(other))
        });
        let waiting = self.standings_of(id).filter_map(|(recipient, known)| {
            let is_first = known.told_at.is_none() || row.count > known.told;
            let at = known.due_at.filter(|_| is_first)?;
            let (sink, recipient) = (recipient.sink.to_string(), recipient.address.to_string());
            Some(WaitingView { sink, recipient, at })
        });
        Some(IncidentView {
            id: row.public_id.clone(),
            level: row.level.to_string(),
            app: row.process.app.clone(),
            host: row.process.host.clone(),
            message: event.map_or_else(|| counted(row.about), |event| event.message.clone()),
            target: event.map(|event| event.target.to_string()).unwrap_or_default(),
            location: event.and_then(crate::event::Event::location),
            code: event.filter(|_| row.about.is_none()).map(fingerprint::code),
            count: row.count,
            reported: row.reported,
            opened_at: row.opened_at,
            last_at: row.last_at,
            is_open: row.closed_at.is_none(),
            spread: row.spread.clone(),
            silenced_until: row.held_until.filter(|until| *until > now),
            messages,
            waiting: waiting.collect(),
        })
    }

    fn message_view(&self, delivery: &DeliveryRow) -> Option<MessageView> {
        let notice = self.notices.get(&delivery.notice_id)?;
        let is_pending = delivery.state == State::Pending;
        Some(MessageView {
            id: notice.public_id.clone(),
            kind: notice.kind.name(),
            sink: delivery.recipient.sink.to_string(),
            recipient: delivery.recipient.address.to_string(),
            state: delivery.state.name(),
            fate: delivery.fate.map(super::rows::Known::name),
            attempts: delivery.attempt,
            made_at: notice.made_at,
            due_at: is_pending.then_some(delivery.due_at),
            settled_at: delivery.settled_at,
            reference: delivery.reference.clone(),
            error: delivery.last_error.clone(),
        })
    }

    /// What a message would say that told all of an incident at `now`, which is on `day`;
    /// none if it has nothing to show.
    pub(in crate::outbox) fn account_of(&self, public_id: &str, day: u32, now: SystemTime) -> Option<Notice> {
        let found = self.incidents.iter().rfind(|(_, it)| it.public_id == public_id);
        let (id, row) = found?;
        let event = self.firsts.get(id)?;
        let sample = Sample {
            kind: kind_of(Reason::First),
            event: event.clone(),
            latest: self.latests.get(id).cloned(),
            in_common: self.in_common(&row.fingerprint, event, &row.process.app),
            incident: row.public_id.clone(),
            count: row.count,
            total: row.count,
            today: row.recent.today(day),
            this_week: row.recent.this_week(day),
            held_until: None,
            since: row.opened_at,
            last_at: row.last_at,
            last_hour: row.pace.hour(now.max(row.last_at)),
            spread: row.spread.clone(),
        };
        Some(Notice {
            id: row.public_id.clone(),
            kind: Kind::First,
            process: row.process.clone(),
            made_at: now,
            samples: vec![sample],
            unsampled: 0,
            losses: Losses::new(),
            late_by: None,
            is_last_today: false,
        })
    }

    /// dead → pending, and pending → due now, for the messages of the page that have, or
    /// tell of an incident that has, the id `public_id`. What is under way is left alone,
    /// and what was delivered.
    pub(in crate::outbox) fn revive(&mut self, public_id: &str, now: SystemTime) -> Vec<Revived> {
        let is_meant = |notice: i64| {
            self.notices.get(&notice).is_some_and(|it| it.public_id == public_id)
                || self
                    .items_of(notice)
                    .any(|(id, _)| self.incidents.get(&id).is_some_and(|it| it.public_id == public_id))
        };
        let meant = self.deliveries.iter().filter(|(_, it)| is_meant(it.notice_id));
        let meant: Vec<Uuid> = meant.map(|(key, _)| *key).collect();
        let revived = meant.into_iter().filter_map(|key| {
            let id = self.notices.get(&self.deliveries.get(&key)?.notice_id)?.public_id.clone();
            let row = self.deliveries.get(&key)?;
            // A claim that has no answer is a lease, if it has not ended.
            let is_leased = row.state == State::Pending && row.answered < row.claims && row.due_at > now;
            let is_due = row.state != State::Delivered && !is_leased;
            let whom = row.recipient.clone();
            if is_due && let Some(delivery) = self.deliveries.change(&key) {
                let lasts = delivery.expires_at.duration_since(delivery.created_at).unwrap_or_default();
                delivery.due_at = now;
                delivery.expires_at = delivery.expires_at.max(now.later(lasts));
                if delivery.state == State::Dead {
                    delivery.state = State::Pending;
                    delivery.settled_at = None;
                    delivery.fate = None;
                    delivery.attempt = 0;
                    delivery.was_sent_again = false;
                }
            }
            Some(Revived {
                id,
                sink: whom.sink.to_string(),
                recipient: whom.address.to_string(),
                is_due,
                is_refused: self.refusals.get(&whom).is_some(),
            })
        });
        revived.collect()
    }

    /// Ends the refusals of `recipient`, in all sinks. Returns how many there were.
    pub(in crate::outbox) fn allow(&mut self, recipient: &str) -> usize {
        let refused = self.refusals.keys().filter(|it| &*it.address == recipient);
        let refused: Vec<_> = refused.cloned().collect();
        refused.iter().for_each(|it| self.refusals.remove(it));
        refused.len()
    }
}

/// What an incident without an event is about.
fn counted(about: Option<About>) -> String {
    match about {
        None => "an event that cannot be read".to_owned(),
        Some(About::Overflow) => "events of more kinds than there may be incidents".to_owned(),
        Some(About::Dead) => "messages that were not delivered".to_owned(),
        Some(About::Loss(reason)) => format!("events that were lost: {}", reason.name()),
        Some(About::CrashLoop) => "starts that ended badly".to_owned(),
    }
}
