//! [`Station`]: what the fleet's thread knows of this instance's shares, and when it looks what
//! became of them.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use uuid::Uuid;

use super::{super::deliver::jitter, Answer, Request, starts::OwnStart};
use crate::host::time::from_now;

/// What is known of this instance's shares, and when it is looked what became of them.
pub(super) struct Station {
    pub(super) requests: UnboundedReceiver<Request>,
    pub(super) answers: UnboundedSender<Answer>,
    /// The local store that was handed over last.
    pub(super) store: Uuid,
    /// Its incidents that the fleet has, and nobody was told of yet.
    pub(super) untold: BTreeSet<i64>,
    pub(super) asked_up_to: i64,
    pub(super) look_at: Instant,
    /// When it said that it looks again; whoever counted something keeps to that, or is taken
    /// to have died of it.
    promised: Instant,
    has_counted: bool,
    /// How often all look, if that is set.
    pub(super) poll: Option<Duration>,
    pub(super) fleet: u32,
    /// How often it looked.
    pub(super) looks: u32,
    pub(super) sweep_at: Instant,
    pub(super) is_reached: Option<bool>,
    /// The next look is the answer to a question.
    pub(super) is_asked: bool,
    /// Whether something is to be told of a sink.
    pub(super) is_ill: bool,
    /// At the last look, something was due for long.
    pub(super) was_stuck: bool,
    /// Until when it is looked often, as somebody waits.
    pub(super) hurried_until: Option<Instant>,
    pub(super) start: OwnStart,
    /// Whether the process fails, if it ends.
    pub(super) fails: Option<bool>,
    /// The alert thread is gone: what is under way is seen through until then.
    pub(super) ends_by: Option<Instant>,
}

impl Station {
    /// That of an instance that was never reached.
    pub(super) fn new(
        requests: UnboundedReceiver<Request>,
        answers: UnboundedSender<Answer>,
        poll: Option<Duration>,
        sweep_in: Duration,
    ) -> Self {
        Self {
            requests,
            answers,
            store: Uuid::nil(),
            untold: BTreeSet::new(),
            asked_up_to: 0,
            look_at: Instant::now(),
            promised: Instant::now(),
            has_counted: false,
            poll,
            fleet: 0,
            looks: 0,
            sweep_at: from_now(sweep_in),
            is_reached: None,
            is_asked: false,
            is_ill: false,
            was_stuck: false,
            hurried_until: None,
            start: OwnStart::Unsaid,
            fails: None,
            ends_by: None,
        }
    }

    /// Some of what is untold: each look asks of the next ones.
    pub(super) fn some_untold(&mut self) -> Vec<i64> {
        let after = self.untold.range(self.asked_up_to.saturating_add(1)..).copied();
        let mut some: Vec<i64> = after.take(MAX_ASKED).collect();
        if some.len() < MAX_ASKED {
            let before = self.untold.range(..=self.asked_up_to).copied();
            some.extend(before.take(MAX_ASKED - some.len()).collect::<Vec<_>>());
        }
        self.asked_up_to = some.last().copied().unwrap_or(0);
        some
    }

    /// Plans the next look after one that said that it is in `said`: there may be more
    /// instances than were known then, and who missed two looks is not counted any more.
    /// `is_new` is whether its store counted nothing before.
    pub(super) fn plan_look(&mut self, said: Duration, is_new: bool) {
        self.has_counted |= !is_new && self.looks <= 1;
        let pause = self.pause().min(if self.has_counted { said } else { said.saturating_mul(2) });
        self.look_at = from_now(pause.mul_f64(0.8 + 0.4 * jitter()));
        self.promised = from_now(said);
    }

    /// Notes that something was handed over, if it was.
    pub(super) fn note_counted(&mut self, has_counted: bool) {
        if has_counted {
            self.has_counted = true;
            self.look_at = self.look_at.min(self.promised);
        }
    }

    pub(super) fn ends(&self) -> bool {
        self.ends_by.is_some()
    }

    /// From now on, `store` is handed over, of which these incidents may be told already.
    pub(super) fn know(&mut self, store: Uuid, untold: Vec<i64>) {
        if self.store != store {
            self.store = store;
            self.untold.clear();
        }
        self.untold.extend(untold);
    }

    /// Between two looks: however many instances there are, they look once or three times a
    /// second together.
    pub(super) fn pause(&self) -> Duration {
        if self.hurried_until.is_some_and(|until| until > Instant::now()) && !self.untold.is_empty() {
            return HURRIED_LOOK;
        }
        let together = |least| Duration::from_secs(u64::from(self.fleet)).clamp(least, MAX_LOOK);
        match (self.untold.is_empty(), self.poll) {
            (false, _) => together(MIN_LOOK),
            (true, Some(poll)) => poll,
            // There is nobody who could leave something; if they did not all begin just now.
            (true, None) if self.fleet <= 1 && self.looks > 1 => MAX_LOOK,
            (true, None) => together(IDLE_LOOK),
        }
    }
}

const MIN_LOOK: Duration = Duration::from_secs(5);

/// The same while this instance waits for nothing: longer than a connection is kept.
const IDLE_LOOK: Duration = Duration::from_secs(15);

pub(super) const MAX_LOOK: Duration = Duration::from_secs(300);

/// While somebody waits for what was captured to be told, and for how long.
const HURRIED_LOOK: Duration = Duration::from_millis(200);

/// Of how many shares one look asks.
const MAX_ASKED: usize = 500;

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc::unbounded_channel;

    use super::*;

    #[test]
    fn an_instance_of_a_fleet_that_grows_looks_again_before_it_counts_as_gone() {
        let ((_requests, requested), (answered, _answers)) = (unbounded_channel(), unbounded_channel());
        let mut station = Station::new(requested, answered, None, Duration::ZERO);
        let said = station.pause();
        assert_eq!(said, IDLE_LOOK);
        (station.fleet, station.looks) = (200, 1);
        station.plan_look(said, true);
        assert!(station.look_at < from_now(said * 5 / 2), "it may miss two looks");
        station.looks = 2;
        station.plan_look(station.pause(), false);
        assert!(station.look_at > from_now(Duration::from_secs(150)), "it said that it looks rarely");
    }
}
