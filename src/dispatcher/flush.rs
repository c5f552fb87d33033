//! Who waits for what, and the end of the loop.

use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use super::{Dispatcher, Link, MAX_SLEEP, lane::Lane};
use crate::{
    event::loss::DropReason,
    host::{time::from_now, trouble},
    outbox::Mark,
    policy::send_error::SendError,
    queue::flush::{Flush, FlushReport, Goal},
    sink::SEND_TIMEOUT,
};

/// A flush, and what it is about.
pub(super) struct Waiter {
    pub(super) flush: Flush,
    /// Up to where it is about: none until everything captured before it is
    /// committed.
    pub(super) mark: Option<Mark>,
}

impl Dispatcher<'_> {
    pub(super) async fn has_ended(&mut self) -> bool {
        let Some(Ending { goal, deadline }) = self.inbox.ending else {
            return false;
        };
        // What it attempts for another run is seen through, too: given back, it
        // would be sent twice.
        let is_at_rest =
            self.inbox.waiting.is_empty() && self.in_flight.is_empty() && self.unsettled.is_empty();
        deadline <= Instant::now() || (is_at_rest && self.is_reached(goal, Some(Mark::ALL)).await)
    }

    /// Whether what is up to `mark` has come to `goal`.
    pub(super) async fn is_reached(&mut self, goal: Goal, mark: Option<Mark>) -> bool {
        let Some(mark) = mark else {
            return false;
        };
        match goal {
            Goal::FirstAttempts => {
                let is_handing_over = self.inbox.link.as_ref().is_some_and(Link::is_handing_over);
                let is_stuck = self.must_hurry || is_handing_over || self.lanes.iter().any(Lane::is_stuck);
                let is_held = !self.inbox.waiting.is_empty() || self.holds_deliveries();
                self.in_flight.is_empty() && self.unsettled.is_empty() && !is_stuck && !is_held
            }
            Goal::Delivered | Goal::Shutdown => self.pending(mark).await == Some(0),
        }
    }

    /// How long until somebody who waits has to be told, or may be: what they wait
    /// for, another process may settle.
    pub(super) fn until_next_answer(&self) -> Duration {
        let waiters = self.inbox.flushes.iter().map(|waiter| waiter.flush.answer_by());
        let first = waiters.chain(self.inbox.ending.as_ref().map(|ending| ending.deadline)).min();
        first.map_or(MAX_SLEEP, |deadline| {
            deadline.saturating_duration_since(Instant::now()).min(SETTLED_POLL)
        })
    }

    /// Answers the flushes whose goal is reached or whose time is up.
    pub(super) async fn answer_flushes(&mut self) {
        self.follow_the_outbox();
        for mut waiter in std::mem::take(&mut self.inbox.flushes) {
            if waiter.mark.is_none() && self.inbox.waiting.is_empty() && !self.must_hurry {
                waiter.mark = self.outbox.store.mark().await.ok();
            }
            let Waiter { flush, mark } = &waiter;
            // A shutdown is answered at the end, unless it has no more time.
            let reached = flush.goal != Goal::Shutdown && self.is_reached(flush.goal, *mark).await;
            if reached || flush.answer_by() <= Instant::now() {
                match flush.goal {
                    // Nobody will ask for numbers any more.
                    Goal::FirstAttempts => self.give_back().await,
                    Goal::Delivered | Goal::Shutdown => self.count().await,
                }
                flush.done.set(self.report(*mark, reached).await);
            } else {
                self.inbox.flushes.push(waiter);
            }
        }
    }

    pub(super) async fn report(&mut self, mark: Option<Mark>, in_time: bool) -> FlushReport {
        let pending = self.pending(mark.unwrap_or(Mark::ALL)).await;
        let stats = self.counters.snapshot();
        FlushReport {
            persisted: stats.persisted,
            delivered: stats.delivered,
            pending: pending.unwrap_or_else(|| self.counters.pending.load(Ordering::Relaxed)),
            in_time: in_time && pending.is_some(),
        }
    }

    /// Messages of this run, up to `mark`, that are not settled; none if the store
    /// does not say.
    pub(super) async fn pending(&mut self, mark: Mark) -> Option<u64> {
        let run = self.inbox.run;
        let here = self.outbox.with(async |store| store.pending(run, mark).await).await.ok()?;
        let sent = self.inbox.deferred.iter().filter(|attempted| attempted.result.is_ok());
        let sent: Vec<_> = sent.map(|attempted| attempted.claim.key).collect();
        let pending = here + self.outbox.left_behind(run, &sent).await?;
        self.counters.pending.store(pending, Ordering::Relaxed);
        Some(pending)
    }

    /// Gives back what is claimed, and attempts nothing more: the process ends, and
    /// says so. Nobody knows how far it came; who comes next takes it up at once.
    pub(super) async fn give_back(&mut self) {
        if !std::mem::replace(&mut self.has_given_back, true) {
            self.say_what_is_left().await;
        }
        self.in_flight.abort_all();
        // Whoever starts next asks on.
        self.asking.abort_all();
        let now = self.now();
        let ended = SendError::ambiguous("the process ended during the attempt");
        for (_, claim) in std::mem::take(&mut self.attempts).into_values() {
            drop(self.outbox.with(async |store| store.retry(&claim, &ended, now, None).await).await);
        }
        self.note_end().await;
    }

    /// Says how many messages are not sent, and where they are kept.
    async fn say_what_is_left(&mut self) {
        let (Some(place), Some(left)) = (self.outbox.kept_in(), self.pending(Mark::ALL).await) else {
            return;
        };
        let messages = match left {
            0 => return,
            1 => "1 message was not sent before the program ended: it is".to_owned(),
            left => format!("{left} messages were not sent before the program ended: they are"),
        };
        trouble::say(&format!("{messages} kept in {place}, for the next start to send"));
    }

    /// Writes down what came of the attempts, gives back what is claimed, answers
    /// who waits for the end, and closes the store.
    pub(super) async fn end(mut self) {
        self.collect_finished();
        self.settle_finished().await;
        self.counters.storm.close();
        self.collect();
        self.inbox.tried = None;
        let lost = self.inbox.waiting.drain(..).map(|captured| captured.count).sum();
        self.counters.count_dropped(DropReason::NotCommitted, lost);
        // Nobody has to wait for what will not come.
        self.inbox.acknowledge.drain(..).for_each(|waits| waits.set(()));
        self.count().await;
        let report = self.report(None, lost == 0 && self.unsettled.is_empty()).await;
        if lost > 0 {
            trouble::say(&format!("{} lost: not written to the database in time", trouble::events(lost)));
        }
        let here = self.outbox.store.pending(self.inbox.run, Mark::ALL).await;
        let here = here.unwrap_or(0) + self.outbox.unmoved();
        if here > 0 && !self.outbox.is_durable() {
            trouble::say(&format!(
                "unsent deliveries lost with the memory: {here}. Set ALERT_DATABASE to a file, which keeps them"
            ));
        }
        self.leave_fleet().await;
        self.give_back().await;
        for waiter in self.inbox.flushes.drain(..) {
            waiter.flush.done.set(report.clone());
        }
        self.outbox.store.shut().await;
    }
}

/// Until when the loop goes on although it takes no more events.
pub(super) struct Ending {
    pub(super) goal: Goal,
    pub(super) deadline: Instant,
}

impl Ending {
    /// Nobody waits; what was never attempted is attempted, and what no file
    /// keeps is seen through.
    pub(super) fn callers_are_gone(is_durable: bool) -> Self {
        match is_durable {
            false => Self { goal: Goal::Delivered, deadline: from_now(MEMORY_PATIENCE) },
            true => Self { goal: Goal::FirstAttempts, deadline: from_now(SEND_TIMEOUT) },
        }
    }
}

/// How long the alert thread of a layer that is gone sees through what is only
/// in memory: a program may make any number of layers. Long enough for a file that
/// failed to be tried again; less in the tests of this crate.
pub(super) const MEMORY_PATIENCE: Duration = Duration::from_secs(if cfg!(test) { 1 } else { 60 });

/// How soon what others may have settled is looked at while somebody waits for it.
const SETTLED_POLL: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use std::sync::{Arc, mpsc};

    use tracing_subscriber::prelude::*;

    use super::*;
    use crate::{AlertLayer, Message, Receipt, Sink};

    /// Fails, and holds what tells that its alert thread is gone.
    struct Failing(#[expect(dead_code, reason = "it is counted")] Arc<()>);

    impl Sink for Failing {
        fn name(&self) -> &'static str {
            "failing"
        }

        async fn send(&self, _: &Message) -> Result<Receipt, SendError> {
            Err(SendError::not_processed("scripted"))
        }
    }

    #[test]
    fn a_layer_that_is_gone_says_what_memory_loses_and_keeps_no_thread() {
        let alive = Arc::new(());
        let (says, hears) = mpsc::channel();
        let builder = AlertLayer::builder().in_memory().settle(Duration::ZERO).panics(false);
        let builder = builder.sink(Failing(Arc::clone(&alive)), ["on-call"]);
        let layer = builder.on_trouble(move |line| says.send(line.to_owned()).unwrap()).build().unwrap();
        let subscriber = tracing_subscriber::registry().with(layer);
        tracing::subscriber::with_default(subscriber, || tracing::error!(target: "app", "payment failed"));
        let patience = Duration::from_secs(20);
        let last =
            std::iter::from_fn(|| hears.recv_timeout(patience).ok()).find(|line| line.contains("lost"));
        assert!(last.unwrap().starts_with("unsent deliveries lost with the memory: 1. "));
        let deadline = Instant::now() + patience;
        while Arc::strong_count(&alive) > 1 {
            assert!(Instant::now() < deadline, "its thread stays");
            std::thread::yield_now();
        }
    }
}
