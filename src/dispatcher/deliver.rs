//! Notices become messages: deliveries that are due are claimed, attempted and
//! settled.

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use tokio::{
    task::{self, JoinError},
    time::timeout,
};

use super::{Attempted, Dispatcher, MAX_SLEEP, STORE_RETRY, Sent, random};
use crate::{
    host::{
        thread::Role,
        time::{Saturating, spoken},
        trouble, unwind,
    },
    outbox::{Claim, Store, StoreError},
    policy::{retry::Verdict, send_error::SendError},
    queue::stats::Counters,
    render::{Email, Rendered, segments},
    sink::{LookUp, Message, SEND_TIMEOUT},
};

impl Dispatcher<'_> {
    /// Starts an attempt at every delivery that is due and whose sink has room.
    /// Returns how long nothing else will be due.
    pub(super) async fn start_due_deliveries(&mut self) -> Duration {
        if self.holds_deliveries() {
            return BACKTRACE_POLL;
        }
        let mut next = MAX_SLEEP;
        if self.has_given_back {
            return next;
        }
        for lane in 0..self.lanes.len() {
            if self.start_lane(lane).await.is_err() {
                self.lanes[lane].look_again_in(STORE_RETRY);
            }
            let lane = &self.lanes[lane];
            next = next.min(lane.wait(self.now())).min(lane.until_failing());
        }
        let is_written = self.inbox.waiting.is_empty() && self.unsettled.is_empty();
        if is_written { next } else { next.min(STORE_RETRY) }
    }

    async fn start_lane(&mut self, lane: usize) -> Result<(), StoreError> {
        let name = self.lanes[lane].sink.name();
        if self.lanes[lane].must_ask() {
            let due = self.outbox.with(async |store| store.next_due(name).await).await?;
            self.lanes[lane].set_due(due);
        }
        let now = self.now();
        let room = self.lanes[lane].free();
        if room == 0 || !self.lanes[lane].is_due(now) {
            return Ok(());
        }
        let claim = async |store: &mut Store| store.claim(name, room, now.later(LEASE), now).await;
        let claims = self.outbox.with(claim).await?;
        // Whether an earlier attempt reached the recipient can be found out also when it is
        // too late to send.
        let looks_up = self.lanes[lane].sink.looks_up();
        for claim in claims {
            match self.known(&claim) {
                // Its lease ended while it was under way: the machine slept. Its
                // answer counts for the newer claim.
                Some(known) => *known = claim,
                None if claim.expires_at <= now && !(claim.is_doubtful && looks_up) => {
                    self.expire(lane, claim);
                }
                None => self.attempt(lane, claim, now).await,
            }
        }
        let due = self.outbox.with(async |store| store.next_due(name).await).await?;
        self.lanes[lane].set_due(due);
        Ok(())
    }

    /// The claim of the same delivery that is under way or not settled yet.
    fn known(&mut self, claim: &Claim) -> Option<&mut Claim> {
        let under_way = self.attempts.values_mut().map(|(_, known)| known);
        let unsettled = self.unsettled.iter_mut().map(|attempted| &mut attempted.claim);
        under_way.chain(unsettled).find(|known| known.key == claim.key)
    }

    /// Its turn came too late: after an outage nobody wants the pages of hours
    /// ago.
    fn expire(&mut self, lane: usize, claim: Claim) {
        let result = Err(match claim.is_doubtful {
            true => SendError::ambiguous("its deadline passed before it could be sent again"),
            false => SendError::not_processed("its deadline passed before it could be sent"),
        });
        self.unsettled.push_back(Attempted {
            lane,
            claim,
            result,
            segments: 0,
            is_absent: false,
            is_old: false,
        });
    }

    /// Starts one attempt.
    async fn attempt(&mut self, lane: usize, claim: Claim, now: SystemTime) {
        let skip = async |store: &mut Store| store.skip_refused(&claim, now.earlier(REFUSED_FOR), now).await;
        if let Ok(true) = self.outbox.with(skip).await {
            // What waited for fewer messages to be under way may be told now.
            self.tell_at = None;
            return Counters::count(&self.counters.dead);
        }
        let notice = match self.outbox.store.notice(&claim).await {
            Ok(mut notice) => {
                let age = now.duration_since(notice.made_at).unwrap_or_default();
                notice.late_by = Some(age).filter(|age| *age > LATE);
                Arc::new(notice)
            }
            Err(error) => {
                let result = Err(SendError::not_processed(error.to_string()));
                self.unsettled.push_back(Attempted {
                    lane,
                    claim,
                    result,
                    segments: 0,
                    is_absent: false,
                    is_old: false,
                });
                // Any other is this notice's own, or comes again at the next claim.
                if matches!(error, StoreError::Damaged(_) | StoreError::Broken(_)) {
                    self.outbox.judge(&error);
                }
                return;
            }
        };
        let valid_for = claim.expires_at.duration_since(now).unwrap_or_default();
        let (recipient, key, attempt) = (claim.recipient.clone(), claim.key.to_string(), claim.attempt);
        // Another instance may have told of it, while none can ask the others.
        let may_have_been_sent = claim.is_doubtful || self.inbox.link.is_some();
        let sink = Arc::clone(&self.lanes[lane].sink);
        let renderer = self.renderer.clone();
        let attempt = async move {
            // In the task: a notice that cannot be rendered costs itself only.
            let Rendered { short, email, fault } = renderer.render(&notice);
            if let Some(fault) = fault {
                trouble::report("render", "", &fault);
            }
            let Email { subject, text, html, attachment } = email;
            let message = Message {
                recipient,
                key,
                attempt,
                may_have_been_sent,
                valid_for,
                short,
                subject,
                text,
                html,
                attachment,
                notice,
                found: LookUp::default(),
            };
            let segments = segments(&message.short);
            let result = match timeout(SEND_TIMEOUT, sink.send(&message)).await {
                Ok(result) => result,
                Err(_) => Err(SendError::ambiguous(format!("no answer within {SEND_TIMEOUT:?}"))),
            };
            Sent { result, segments, is_absent: message.found.is_absent() }
        };
        // Sinks, and who renders, are the program's: its other layers hear them.
        let task = self.in_flight.spawn(Role::Guest.play_all(attempt));
        self.attempts.insert(task.id(), (lane, claim));
        self.lanes[lane].in_flight += 1;
        if self.lanes[lane].sink.is_of_the_program() {
            self.inbox.echoes.begin_send();
        }
    }

    /// Notes the results of the attempts that are over.
    pub(super) fn collect_finished(&mut self) {
        while let Some(finished) = self.in_flight.try_join_next_with_id() {
            self.finish(finished);
        }
    }

    /// Notes the result of an attempt.
    pub(super) fn finish(&mut self, finished: Result<(task::Id, Sent), JoinError>) {
        let (id, sent) = finished.unwrap_or_else(|error| {
            let id = error.id();
            if let Ok(payload) = error.try_into_panic() {
                unwind::discard(payload);
            }
            let result = Err(SendError::ambiguous("the sink, or the rendering, panicked"));
            (id, Sent { result, segments: 0, is_absent: false })
        });
        if let Some((lane, claim)) = self.attempts.remove(&id) {
            self.lanes[lane].in_flight -= 1;
            self.lanes[lane].ended_at = Some(Instant::now());
            let Sent { result, segments, is_absent } = sent;
            self.unsettled.push_back(Attempted { lane, claim, result, segments, is_absent, is_old: false });
        }
    }

    /// Writes the results of attempts to the store.
    pub(super) async fn settle_finished(&mut self) {
        for _ in 0..self.unsettled.len() {
            let Some(attempted) = self.unsettled.pop_front() else {
                return;
            };
            if self.settle(&attempted).await.is_err() {
                // Until it is written, the lease keeps others away.
                self.unsettled.push_back(attempted);
            }
        }
    }

    async fn settle(&mut self, attempted: &Attempted) -> Result<(), StoreError> {
        let Attempted { lane, claim, result, segments, is_absent, is_old } = attempted;
        let lane = *lane;
        let now = self.now();
        if *is_absent {
            self.outbox.with(async |store| store.refund(claim).await).await?;
        }
        let (counter, valid) = match result {
            Ok(receipt) => {
                let reference = receipt.reference.as_deref();
                let ask_at = self.lanes[lane].sink.asks_after().first().map(|after| now.later(*after));
                let deliver =
                    async |store: &mut Store| store.deliver(claim, reference, *segments, ask_at, now).await;
                let valid = self.outbox.with(deliver).await?;
                if valid {
                    self.note_sent(attempted, now).await?;
                }
                self.lanes[lane].resume();
                self.lanes[lane].questions.wake();
                (&self.counters.delivered, valid)
            }
            Err(error) => {
                let reason = error.to_string();
                let failed_at = (!is_old).then_some(now);
                match self.verdict(claim, error, now) {
                    Verdict::RetryIn(pause) => {
                        self.lanes[lane].note_failing();
                        let mut due_at = now.later(pause);
                        if error.is_ambiguous()
                            && let Some(tomorrow) = self.charge(lane, claim, *segments, now).await?
                        {
                            // At its deadline it is only looked up.
                            due_at = due_at.max(tomorrow.min(claim.expires_at));
                        }
                        let retry =
                            async |store: &mut Store| store.retry(claim, error, due_at, failed_at).await;
                        let valid = self.outbox.with(retry).await?;
                        if !is_old {
                            self.note_failure(lane, &reason);
                        }
                        (&self.counters.retried, valid)
                    }
                    Verdict::PauseSink(pause) => {
                        self.lanes[lane].note_failing();
                        if !is_old {
                            let sink = self.lanes[lane].sink.name();
                            trouble::report(
                                "paused",
                                sink,
                                &format!("{sink} is paused for {}: {reason}", spoken(pause)),
                            );
                            self.lanes[lane].pause(pause);
                        }
                        let due_at = now.later(pause);
                        let release = async |store: &mut Store| {
                            store.release(claim, Some(&reason), due_at, failed_at).await
                        };
                        let valid = self.outbox.with(release).await?;
                        (&self.counters.retried, valid)
                    }
                    Verdict::Bury => {
                        let sink = self.lanes[lane].sink.name();
                        if !matches!(error, SendError::NotProcessed { .. } | SendError::Ambiguous { .. }) {
                            self.lanes[lane].resume();
                        }
                        trouble::report(
                            "dead",
                            sink,
                            &format!("a delivery through {sink} ended undelivered: {reason}"),
                        );
                        self.lanes[lane].look_for_dead();
                        let cause = error.cause_of_death();
                        let bury = async |store: &mut Store| {
                            if matches!(error, SendError::RecipientRefused { .. }) {
                                store.refuse(claim, now).await?;
                            }
                            store.bury(claim, &cause, now).await
                        };
                        (&self.counters.dead, self.outbox.with(bury).await?)
                    }
                }
            }
        };
        // What waited for fewer messages to be under way may be told.
        self.tell_at = None;
        let is_deferred;
        if valid {
            Counters::count(counter);
            is_deferred = false;
        } else {
            is_deferred = self.is_deferred(attempted);
            if !is_deferred {
                Counters::count(&self.counters.late);
            }
        }
        self.lanes[lane].wake();
        let may_have_cost = match result {
            Ok(_) => !valid,
            Err(error) => error.is_ambiguous(),
        };
        if may_have_cost && !is_deferred {
            drop(self.charge(lane, claim, *segments, now).await);
        }
        Ok(())
    }

    /// Counts what an attempt may have cost. Returns until when no other may be made.
    async fn charge(
        &mut self,
        lane: usize,
        claim: &Claim,
        segments: u32,
        now: SystemTime,
    ) -> Result<Option<SystemTime>, StoreError> {
        let limit = self.channels[lane].segments_per_day.map(|limit| (limit, &self.calendar));
        self.outbox.with(async |store| store.charge(claim, segments, limit, now).await).await
    }

    /// A sink that fails again and again pauses, longer each time: then an outage
    /// costs one request at a time, however much is due.
    fn note_failure(&mut self, lane: usize, reason: &str) {
        if let Some(times) = self.lanes[lane].fail() {
            let pause = self.retry.delay(times, jitter());
            let sink = self.lanes[lane].sink.name();
            trouble::report(
                "circuit",
                sink,
                &format!("{sink} keeps failing, and is tried again in {}: {reason}", spoken(pause)),
            );
            self.lanes[lane].pause(pause);
        }
    }

    /// What the policy says, within the delivery's deadline: a pause that is too
    /// long for it ends with one last attempt.
    fn verdict(&self, claim: &Claim, error: &SendError, now: SystemTime) -> Verdict {
        let verdict = self.retry.decide(claim.attempt, error, jitter());
        let left = claim.expires_at.duration_since(now).unwrap_or_default().saturating_sub(LAST_ATTEMPT);
        match verdict {
            Verdict::RetryIn(_) if left.is_zero() => Verdict::Bury,
            Verdict::RetryIn(pause) => Verdict::RetryIn(pause.min(left)),
            Verdict::PauseSink(_) | Verdict::Bury => verdict,
        }
    }
}

/// Evenly distributed from zero to one.
pub(super) fn jitter() -> f64 {
    f64::from(random()) / f64::from(u32::MAX)
}

/// A message that is sent so long after it was made says so.
const LATE: Duration = Duration::from_secs(60 * 60);

/// The last attempt is so long before the deadline.
const LAST_ATTEMPT: Duration = Duration::from_secs(10);

/// How often a backtrace that is still to come is looked for.
const BACKTRACE_POLL: Duration = Duration::from_millis(20);

/// For how long nothing is attempted to a recipient that was refused for good.
const REFUSED_FOR: Duration = Duration::from_secs(24 * 60 * 60);

/// A claim ends by itself after this long: twice an attempt and some.
pub(super) const LEASE: Duration = Duration::from_secs(70);

#[cfg(test)]
mod tests;
