//! Answers to claims: each function is one transition of a delivery.
//!
//! Invariant: an answer counts once. One to an older claim is refused; the same
//! one again, as its caller never learned that it was committed, changes nothing
//! and is true again.

use std::time::SystemTime;

use super::{DeliveryRow, Page, Recipient, RefusalRow, State};
use crate::{
    host::time::Saturating,
    outbox::Claim,
    policy::{budget::MAX_SEGMENTS, calendar::Calendar, incident::PENDING_PAUSE, send_error::SendError},
};

/// How an answer to a claim is to be taken.
enum Answer {
    /// It is the first one, of the delivery of this notice: the claim may be from
    /// another store, where notices have other numbers.
    Counts(i64),
    /// It was taken already.
    Again,
    /// The claim is no longer valid.
    Late,
}

impl Page {
    /// pending → delivered, at a cost of `segments`: its events are reported, its
    /// recipient has heard something, and the sink works. At `ask_at` it is asked what
    /// became of it. False if the claim was no longer valid.
    pub(in crate::outbox) fn deliver(
        &mut self,
        claim: &Claim,
        reference: Option<&str>,
        segments: u32,
        ask_at: Option<SystemTime>,
        now: SystemTime,
    ) -> bool {
        let notice = match self.answer(claim, State::Delivered) {
            Answer::Late => return false,
            Answer::Again => return true,
            Answer::Counts(notice) => notice,
        };
        let recipient = claim.whom();
        self.report(notice, &recipient);
        self.accounts.change_or_insert(recipient, Default::default).heard_at = Some(now);
        self.cost(claim, segments, now);
        self.note_working(&claim.sink);
        self.settle(claim, State::Delivered, now, |delivery| {
            delivery.reference = reference.map(str::to_owned);
            delivery.last_error = None;
            delivery.ask_at = ask_at;
        });
        true
    }

    /// Counts what an attempt may have cost that did not end in
    /// [`deliver`](Self::deliver), once. Returns until when no other attempt may be made,
    /// if they may cost no more than `limit` a day.
    pub(in crate::outbox) fn charge(
        &mut self,
        claim: &Claim,
        segments: u32,
        limit: Option<(u32, &Calendar)>,
        now: SystemTime,
    ) -> Option<SystemTime> {
        let is_counted = self.deliveries.get(&claim.key).is_some_and(|it| it.charged_claim >= claim.token);
        if !is_counted {
            if let Some(delivery) = self.deliveries.change(&claim.key) {
                delivery.charged = delivery.charged.saturating_add(segments);
                delivery.charged_claim = claim.token;
            }
            self.cost(claim, segments, now);
        }
        let (limit, calendar) = limit?;
        let account = self.accounts.get(&claim.whom())?;
        let next = account.segments.today(calendar, now).saturating_add(MAX_SEGMENTS);
        (next > limit).then(|| account.segments.tomorrow(calendar, now))
    }

    /// Gives back what the attempts in doubt were counted for: surely nothing was sent.
    pub(in crate::outbox) fn refund(&mut self, claim: &Claim) {
        let Some(delivery) = self.deliveries.get(&claim.key).filter(|it| it.charged > 0) else { return };
        let charged = delivery.charged;
        if let Some(account) = self.accounts.change(&claim.whom()) {
            account.segments.refund(charged);
        }
        if let Some(delivery) = self.deliveries.change(&claim.key) {
            delivery.charged = 0;
        }
    }

    fn cost(&mut self, claim: &Claim, segments: u32, now: SystemTime) {
        self.accounts.change_or_insert(claim.whom(), Default::default).segments.add(segments, now);
    }

    /// pending → pending, due again at `due_at`; in doubt if `error` is ambiguous.
    /// False if the claim was no longer valid.
    pub(in crate::outbox) fn retry(
        &mut self,
        claim: &Claim,
        error: &SendError,
        due_at: SystemTime,
        failed_at: Option<SystemTime>,
    ) -> bool {
        if let Some(at) = failed_at {
            self.note_failing(&claim.sink, &error.to_string(), at);
        }
        self.give_back(claim, |delivery| {
            delivery.due_at = due_at;
            delivery.last_error = Some(error.to_string());
            delivery.doubtful = delivery.doubtful.saturating_sub(u32::from(!error.is_ambiguous()));
        })
    }

    /// pending → pending, due again at `due_at`, and the attempt does not count.
    /// False if the claim was no longer valid.
    pub(in crate::outbox) fn release(
        &mut self,
        claim: &Claim,
        error: Option<&str>,
        due_at: SystemTime,
        failed_at: Option<SystemTime>,
    ) -> bool {
        if let (Some(error), Some(at)) = (error, failed_at) {
            self.note_failing(&claim.sink, error, at);
        }
        self.give_back(claim, |delivery| {
            delivery.due_at = due_at;
            delivery.attempt = delivery.attempt.saturating_sub(1);
            delivery.doubtful = delivery.doubtful.saturating_sub(1);
            if let Some(error) = error {
                delivery.last_error = Some(error.to_owned());
            }
        })
    }

    /// pending → dead: somebody is to be told of it, unless it told of such things
    /// itself. False if the claim was no longer valid.
    pub(in crate::outbox) fn bury(&mut self, claim: &Claim, reason: &str, now: SystemTime) -> bool {
        let notice = match self.answer(claim, State::Dead) {
            Answer::Late => return false,
            Answer::Again => return true,
            Answer::Counts(notice) => notice,
        };
        self.count_dead(notice, &claim.whom(), reason);
        self.settle(claim, State::Dead, now, |delivery| delivery.last_error = Some(reason.to_owned()));
        true
    }

    /// Notes that the recipient of a claimed delivery was refused for good; that
    /// is so whoever has the delivery now.
    pub(in crate::outbox) fn refuse(&mut self, claim: &Claim, now: SystemTime) {
        self.refusals.insert(claim.whom(), RefusalRow { since: now });
    }

    /// pending → dead without an attempt, if the recipient was refused after
    /// `since`; nobody is told once more. False if it was not, or if the claim was
    /// no longer valid.
    pub(in crate::outbox) fn skip_refused(
        &mut self,
        claim: &Claim,
        since: SystemTime,
        now: SystemTime,
    ) -> bool {
        let refused_at = self.refusals.get(&claim.whom());
        let is_refused = refused_at.is_some_and(|it| it.since > since && it.since <= now);
        if !is_refused || !matches!(self.answer(claim, State::Dead), Answer::Counts(_)) {
            return false;
        }
        self.settle(claim, State::Dead, now, |delivery| {
            delivery.attempt = delivery.attempt.saturating_sub(1);
            delivery.doubtful = delivery.doubtful.saturating_sub(1);
            delivery.last_error = Some("not attempted: the recipient was refused for good".to_owned());
        });
        true
    }

    /// Takes an answer that leaves the delivery pending.
    fn give_back(&mut self, claim: &Claim, note: impl FnOnce(&mut DeliveryRow)) -> bool {
        match self.answer(claim, State::Pending) {
            Answer::Late => return false,
            Answer::Again => return true,
            Answer::Counts(_) => (),
        }
        if let Some(delivery) = self.deliveries.change(&claim.key) {
            delivery.answered = claim.token;
            note(delivery);
        }
        true
    }

    /// Takes an answer that ends the delivery, and has decided anew what waited for
    /// fewer messages to be under way.
    fn settle(&mut self, claim: &Claim, state: State, now: SystemTime, note: impl FnOnce(&mut DeliveryRow)) {
        if let Some(delivery) = self.deliveries.change(&claim.key) {
            delivery.answered = claim.token;
            delivery.state = state;
            delivery.settled_at = Some(now);
            note(delivery);
        }
        self.admit(&claim.whom(), now);
    }

    fn answer(&self, claim: &Claim, state: State) -> Answer {
        match self.deliveries.get(&claim.key) {
            Some(delivery) if delivery.claims != claim.token => Answer::Late,
            Some(delivery) if delivery.answered == claim.token => {
                if delivery.state == state {
                    Answer::Again
                } else {
                    Answer::Late
                }
            }
            Some(delivery) if delivery.state == State::Pending => Answer::Counts(delivery.notice_id),
            Some(_) | None => Answer::Late,
        }
    }

    /// Counts what a message tells that was delivered.
    fn report(&mut self, notice: i64, recipient: &Recipient) {
        let told: Vec<_> = self.items_of(notice).map(|(incident, item)| (incident, item.count)).collect();
        for (incident, count) in told.into_iter().filter(|(_, count)| *count > 0) {
            let Some(known) = self.standings.change(&(incident, recipient.clone())) else { continue };
            known.reported = known.reported.saturating_add(count);
            let most = known.reported;
            self.note_reported(incident, most);
        }
    }

    /// Has an incident count the recipient who was told the most.
    pub(super) fn note_reported(&mut self, incident: i64, most: u64) {
        if self.incidents.get(&incident).is_some_and(|row| row.reported < most.min(row.count))
            && let Some(row) = self.incidents.change(&incident)
        {
            row.reported = most.min(row.count);
        }
    }

    fn admit(&mut self, recipient: &Recipient, now: SystemTime) {
        let held_until = now.later(PENDING_PAUSE);
        let is_held = |at: SystemTime| at > now && at <= held_until;
        let held = self
            .standings
            .iter()
            .filter(|((_, other), known)| other == recipient && known.due_at.is_some_and(is_held));
        let held: Vec<_> = held.map(|(key, _)| key.clone()).collect();
        for key in held {
            if let Some(known) = self.standings.change(&key) {
                known.due_at = Some(now);
            }
        }
    }
}

impl Claim {
    /// Whose delivery it is of.
    pub(super) fn whom(&self) -> Recipient {
        Recipient::new(&self.sink, &self.recipient)
    }
}
