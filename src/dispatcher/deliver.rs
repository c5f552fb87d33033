//! Notices become messages: deliveries that are due are claimed, attempted and
//! settled.

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant, SystemTime},
};

use tokio::{
    task::{self, JoinError},
    time::timeout,
};

use super::{Dispatcher, LONGEST_SLEEP, SEND_TIMEOUT, STORE_RETRY, random};
use crate::{
    render::{Rendered, render},
    retry::Verdict,
    sink::{Message, Receipt, SendError},
    stats::Counters,
    store::{Claim, StoreError},
    trouble,
};

impl Dispatcher<'_> {
    /// Starts an attempt at every delivery that is due and whose sink has room.
    /// Returns how long nothing else will be due.
    pub(super) async fn start_due_deliveries(&mut self) -> Duration {
        if !self.inbox.late.is_empty() {
            return BACKTRACE_POLL;
        }
        let mut next = LONGEST_SLEEP;
        for lane in 0..self.lanes.len() {
            let started = self.start_lane(lane).await;
            if started.is_err() {
                self.lanes[lane].look_again_at(SystemTime::now() + STORE_RETRY);
            }
            self.note(started);
            next = next.min(self.lanes[lane].wait(SystemTime::now()));
        }
        if self.inbox.waiting.is_empty() && self.unsettled.is_empty() { next } else { next.min(STORE_RETRY) }
    }

    async fn start_lane(&mut self, lane: usize) -> Result<(), StoreError> {
        let name = self.lanes[lane].sink.name();
        if self.lanes[lane].must_ask(SystemTime::now()) {
            let due = self.store.next_due(name).await?;
            self.lanes[lane].set_due(due);
        }
        let now = SystemTime::now();
        let room = self.lanes[lane].free(now);
        if room == 0 || !self.lanes[lane].is_due(now) {
            return Ok(());
        }
        for claim in self.store.claim(name, room, now + LEASE, now).await? {
            match self.known(&claim) {
                // Its lease ended while it was under way: the machine slept. Its
                // answer counts for the newer claim.
                Some(known) => *known = claim,
                None => self.attempt(lane, claim, now).await,
            }
        }
        let due = self.store.next_due(name).await?;
        self.lanes[lane].set_due(due);
        Ok(())
    }

    /// The claim of the same delivery that is under way or not settled yet.
    fn known(&mut self, claim: &Claim) -> Option<&mut Claim> {
        let under_way = self.attempts.values_mut().map(|(_, known)| known);
        let unsettled = self.unsettled.iter_mut().map(|(_, known, _)| known);
        under_way.chain(unsettled).find(|known| known.key == claim.key)
    }

    /// Starts one attempt.
    async fn attempt(&mut self, lane: usize, claim: Claim, now: SystemTime) {
        match self.store.skip_refused(&claim, now - REFUSED_FOR, now).await {
            Ok(true) => return Counters::count(&self.counters.dead),
            Ok(false) => (),
            Err(error) => self.note(Err(error)),
        }
        let notice = match self.store.notice(&claim).await {
            Ok(notice) => Arc::new(notice),
            Err(error) => {
                let error = SendError::NotProcessed { reason: error.to_string(), retry_after: None };
                return self.unsettled.push_back((lane, claim, Err(error)));
            }
        };
        let valid_for = claim.expires_at.duration_since(now).unwrap_or_default();
        let (recipient, key, attempt) = (claim.recipient.clone(), claim.key.to_string(), claim.attempt);
        let may_have_been_sent = claim.is_doubtful;
        let sink = Arc::clone(&self.lanes[lane].sink);
        let task = self.in_flight.spawn(async move {
            // In the task: a notice that cannot be rendered costs itself only.
            let Rendered { short, subject, text, html } = render(&notice);
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
                notice,
            };
            match timeout(SEND_TIMEOUT, sink.send(&message)).await {
                Ok(result) => result,
                Err(_) => Err(SendError::ambiguous(format!("no answer within {SEND_TIMEOUT:?}"))),
            }
        });
        self.attempts.insert(task.id(), (lane, claim));
        self.lanes[lane].in_flight += 1;
    }

    /// Notes the results of the attempts that are over.
    pub(super) fn collect_finished(&mut self) {
        while let Some(finished) = self.in_flight.try_join_next_with_id() {
            self.finish(finished);
        }
    }

    /// Notes the result of an attempt.
    pub(super) fn finish(&mut self, finished: Result<(task::Id, Result<Receipt, SendError>), JoinError>) {
        let (id, result) = match finished {
            Ok((id, result)) => (id, result),
            Err(error) => (error.id(), Err(SendError::ambiguous("the sink, or the rendering, panicked"))),
        };
        if let Some((lane, claim)) = self.attempts.remove(&id) {
            self.lanes[lane].in_flight -= 1;
            self.unsettled.push_back((lane, claim, result));
        }
    }

    /// Writes the results of attempts to the store.
    pub(super) async fn settle_finished(&mut self) {
        for _ in 0..self.unsettled.len() {
            let Some((lane, claim, result)) = self.unsettled.pop_front() else {
                return;
            };
            if let Err(error) = self.settle(lane, &claim, &result).await {
                // Until it is written, the lease keeps others away.
                self.unsettled.push_back((lane, claim, result));
                self.note(Err(error));
            }
        }
    }

    async fn settle(
        &mut self,
        lane: usize,
        claim: &Claim,
        result: &Result<Receipt, SendError>,
    ) -> Result<(), StoreError> {
        let now = SystemTime::now();
        let (counter, valid) = match result {
            Ok(receipt) => {
                let valid = self.store.deliver(claim, receipt.reference.as_deref(), now).await?;
                self.lanes[lane].resume();
                (&self.counters.delivered, valid)
            }
            Err(error) => {
                let reason = error.to_string();
                match self.verdict(claim, error, now) {
                    Verdict::RetryIn(pause) => {
                        self.note_failure(lane, now);
                        (&self.counters.retried, self.store.retry(claim, error, now + pause).await?)
                    }
                    Verdict::PauseSink(pause) => {
                        let sink = self.lanes[lane].sink.name();
                        trouble::report(sink, &format!("{sink} is paused for {pause:?}: {reason}"));
                        self.lanes[lane].pause(now + pause);
                        let valid = self.store.release(claim, Some(&reason), now + pause).await?;
                        (&self.counters.retried, valid)
                    }
                    Verdict::Bury => {
                        let sink = self.lanes[lane].sink.name();
                        if !matches!(error, SendError::NotProcessed { .. } | SendError::Ambiguous { .. }) {
                            self.lanes[lane].resume();
                        }
                        trouble::report(
                            "dead",
                            &format!("a delivery through {sink} ended undelivered: {reason}"),
                        );
                        self.lanes[lane].look_for_dead();
                        if matches!(error, SendError::RecipientRefused { .. }) {
                            self.store.refuse(claim, now).await?;
                        }
                        (&self.counters.dead, self.store.bury(claim, &error.cause_of_death(), now).await?)
                    }
                }
            }
        };
        Counters::count(if valid { counter } else { &self.counters.late });
        self.lanes[lane].wake();
        Ok(())
    }

    /// Buries, now and then, what nobody will claim any more.
    pub(super) async fn bury_abandoned(&mut self) {
        if self.swept_at.is_some_and(|at| at.elapsed() < SWEEP_PAUSE) {
            return;
        }
        self.swept_at = Some(Instant::now());
        match self.store.bury_abandoned(SystemTime::now()).await {
            Ok(0) => (),
            Ok(buried) => {
                self.counters.dead.fetch_add(buried, Ordering::Relaxed);
                let what = format!("{buried} deliveries ended undelivered: nobody claimed them for a day");
                trouble::report("abandoned", &what);
            }
            Err(error) => self.note(Err(error)),
        }
    }

    /// A sink that fails again and again pauses, longer each time: then an outage
    /// costs one request at a time, however much is due.
    fn note_failure(&mut self, lane: usize, now: SystemTime) {
        if let Some(times) = self.lanes[lane].fail(now) {
            let pause = self.retry.delay(times, jitter());
            self.lanes[lane].pause(now + pause);
        }
    }

    /// What the policy says, within the delivery's deadline: the last attempt is
    /// not later than that.
    fn verdict(&self, claim: &Claim, error: &SendError, now: SystemTime) -> Verdict {
        let verdict = self.retry.decide(claim.attempt, error, jitter());
        let left = claim.expires_at.duration_since(now).unwrap_or_default();
        match verdict {
            Verdict::RetryIn(_) | Verdict::PauseSink(_) if left.is_zero() => Verdict::Bury,
            Verdict::RetryIn(pause) => Verdict::RetryIn(pause.min(left)),
            Verdict::PauseSink(_) | Verdict::Bury => verdict,
        }
    }
}

/// Evenly distributed from zero to one.
fn jitter() -> f64 {
    f64::from(random()) / f64::from(u32::MAX)
}

/// How often a backtrace that is still to come is looked for.
const BACKTRACE_POLL: Duration = Duration::from_millis(20);

/// For how long nothing is attempted to a recipient that was refused for good.
const REFUSED_FOR: Duration = Duration::from_secs(24 * 60 * 60);

/// How often abandoned deliveries are looked for.
const SWEEP_PAUSE: Duration = Duration::from_secs(60 * 60);

/// A claim ends by itself after this long: twice an attempt and some.
const LEASE: Duration = Duration::from_secs(70);
