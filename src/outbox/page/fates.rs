//! What became of messages that a provider accepted.
//!
//! Invariant: an answer counts once, and only to the last question.

use std::time::SystemTime;

use uuid::Uuid;

use super::{DeliveryRow, IncidentRow, Page, Recipient, StandingRow, State, rows::Known};
use crate::{
    outbox::{Inquiry, Target, batch::About},
    sink::Fate,
};

/// What came of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Learned {
    /// It came too late: somebody else asked, too.
    Late,
    /// It is asked again.
    Open,
    Arrived,
    Unconfirmed,
    /// Nobody got it, so it is sent once more.
    SentAgain,
    /// Nobody got it, and that is the end.
    Failed,
}

/// What may follow an answer.
#[derive(Clone, Debug)]
pub(crate) struct Sequel<'a> {
    /// When the next question is; none after the last.
    pub(crate) ask_at: Option<SystemTime>,
    /// When a message that nobody got is sent once more, and until when it is
    /// attempted; none if that is no use.
    pub(crate) again: Option<(SystemTime, SystemTime)>,
    /// The recipients of the other sinks.
    pub(crate) others: &'a [Target],
}

impl Page {
    /// When the next question about a message of `sink` is due, leases included.
    pub(in crate::outbox) fn next_inquiry(&self, sink: &str) -> Option<SystemTime> {
        self.accepted_by(sink).filter_map(|(_, it)| it.ask_at).min()
    }

    /// Takes up to `limit` messages of `sink` to be asked after at `now`; nobody else
    /// asks until `lease_until`.
    pub(in crate::outbox) fn inquire(
        &mut self,
        sink: &str,
        limit: usize,
        lease_until: SystemTime,
        now: SystemTime,
    ) -> Vec<Inquiry> {
        let mut due: Vec<_> = self
            .accepted_by(sink)
            .filter_map(|(key, it)| Some((it.ask_at?, *key)))
            .filter(|(ask_at, _)| *ask_at <= now)
            .collect();
        due.sort_unstable();
        due.truncate(limit);
        let taken = due.into_iter().filter_map(|(_, key)| {
            let delivery = self.deliveries.change(&key)?;
            delivery.ask_at = Some(lease_until);
            delivery.asked = delivery.asked.saturating_add(1);
            Some(Inquiry {
                key,
                recipient: delivery.recipient.address.to_string(),
                reference: delivery.reference.clone(),
                accepted_at: delivery.settled_at.unwrap_or(now),
                number: delivery.asked,
            })
        });
        taken.collect()
    }

    /// Takes the answer to a question. If nobody got the message, its events are
    /// unreported again, and somebody is to be told of it; it is sent once more, or the
    /// recipients of the other sinks get what none of their messages tells.
    pub(in crate::outbox) fn learn(
        &mut self,
        question: &Inquiry,
        fate: &Fate,
        sequel: &Sequel<'_>,
        now: SystemTime,
    ) -> Learned {
        let is_last = |it: &&DeliveryRow| {
            it.state == State::Delivered && it.ask_at.is_some() && it.asked == question.number
        };
        let Some(delivery) = self.deliveries.get(&question.key).filter(is_last) else { return Learned::Late };
        let (notice, recipient) = (delivery.notice_id, delivery.recipient.clone());
        let again = sequel.again.filter(|_| !delivery.was_sent_again);
        if let Fate::Failed(error) = fate {
            self.unreport(notice, &recipient);
            self.count_dead(notice, &recipient, &error.cause_of_death());
            if again.is_none() {
                self.tell_others(notice, sequel.others, now);
            }
        }
        let Some(delivery) = self.deliveries.change(&question.key) else { return Learned::Late };
        delivery.ask_at = None;
        let (known, learned) = match (fate, sequel.ask_at, again) {
            (Fate::Open, Some(at), _) => {
                delivery.ask_at = Some(at);
                (None, Learned::Open)
            }
            (Fate::Open, None, _) => (Some(Known::Unconfirmed), Learned::Unconfirmed),
            (Fate::Arrived, ..) => (Some(Known::Arrived), Learned::Arrived),
            (Fate::Failed(error), _, Some((due_at, expires_at))) => {
                delivery.state = State::Pending;
                delivery.settled_at = None;
                delivery.due_at = due_at;
                delivery.expires_at = delivery.expires_at.max(expires_at);
                delivery.was_sent_again = true;
                // No attempt is in doubt: what was taken reached nobody.
                delivery.doubtful = 0;
                delivery.last_error = Some(error.to_string());
                (None, Learned::SentAgain)
            }
            (Fate::Failed(error), ..) => {
                delivery.state = State::Dead;
                delivery.settled_at = Some(now);
                delivery.last_error = Some(error.to_string());
                (Some(Known::Failed), Learned::Failed)
            }
        };
        delivery.fate = known;
        learned
    }

    fn accepted_by<'a>(&'a self, sink: &'a str) -> impl Iterator<Item = (&'a Uuid, &'a DeliveryRow)> {
        let accepted = self.deliveries.iter().filter(|(_, it)| it.state == State::Delivered);
        accepted.filter(move |(_, it)| *it.recipient.sink == *sink)
    }

    /// Takes back what a message reported that nobody got.
    fn unreport(&mut self, notice: i64, recipient: &Recipient) {
        let told: Vec<_> = self.items_of(notice).map(|(incident, item)| (incident, item.count)).collect();
        for (incident, count) in told.into_iter().filter(|(_, count)| *count > 0) {
            let Some(known) = self.standings.change(&(incident, recipient.clone())) else { continue };
            known.reported = known.reported.saturating_sub(count);
            let most = self.standings_of(incident).map(|(_, known)| known.reported).max().unwrap_or(0);
            if self.incidents.get(&incident).is_some_and(|row| row.reported > most)
                && let Some(row) = self.incidents.change(&incident)
            {
                row.reported = most;
            }
        }
    }

    /// Has `others` told of what nobody was told of who got it: whoever hears of an
    /// incident anyway is not told twice.
    fn tell_others(&mut self, notice: i64, others: &[Target], now: SystemTime) {
        let told: Vec<_> = self.items_of(notice).map(|(incident, _)| incident).collect();
        for incident in told {
            let unreported = |row: &IncidentRow| row.reported == 0 && About::is_of_events(row.about);
            if !self.incidents.get(&incident).is_some_and(unreported) {
                continue;
            }
            for target in others {
                let key = (incident, Recipient::new(target.sink, &target.recipient));
                if self.standings.get(&key).is_none() {
                    self.standings.insert(key, StandingRow { due_at: Some(now), ..StandingRow::default() });
                }
            }
        }
    }
}
