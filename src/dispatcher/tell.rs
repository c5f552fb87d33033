//! Incidents become notices: what there is to tell is told in time.

use std::time::Duration;

use super::{Dispatcher, Lane, STORE_RETRY, random};
use crate::{
    host::time::Saturating,
    outbox::{Channel, Maker, Store},
    policy::{budget::Budget, public_id::spelled},
};

impl Dispatcher<'_> {
    /// Makes the notices that are due. Returns how long nothing else will be.
    pub(super) async fn tell(&mut self) -> Duration {
        let now = self.now();
        let wait = self.tell_at.map_or(Duration::ZERO, |at| at.duration_since(now).unwrap_or_default());
        if !wait.is_zero() && !self.must_hurry {
            return wait;
        }
        if self.holds_deliveries() {
            // What a message tells of a panic has its backtrace.
            return STORE_RETRY / 4;
        }
        let mut next = now.later(self.longest_sleep());
        let maker = Maker {
            new_id: &public_id,
            run: self.inbox.run,
            process: &self.process,
            calendar: &self.calendar,
            is_of_fleet: self.is_of_fleet,
        };
        // In either outage nobody knows what was spent.
        let is_outage = self.outbox.is_outage() || self.is_alone();
        let (hurried, is_alone) = (self.must_hurry, self.is_alone());
        let mut waits_for_fleet = false;
        for (place, channel) in self.channels.iter().enumerate() {
            match self.waits_for_fleet(place) {
                Some(Duration::ZERO) => (),
                wait => {
                    waits_for_fleet = true;
                    next = wait.map_or(next, |wait| now.later(wait).min(next));
                    continue;
                }
            }
            let channel = self.staggered(channel);
            let channel = if is_outage { channel.blind() } else { channel };
            let channel = &if is_alone { channel.alone() } else { channel };
            let tell = async |store: &mut Store| store.tell(channel, &maker, hurried, now).await;
            let Ok(told) = self.outbox.with(tell).await else { return STORE_RETRY };
            next = told.next.map_or(next, |at| at.min(next));
            if told.notice.is_some() {
                self.lanes.iter_mut().for_each(Lane::wake);
            }
        }
        // It was asked because something changed, or may have.
        self.upkeep.count_soon();
        if let Some(link) = self.inbox.link.as_mut().filter(|_| waits_for_fleet && hurried) {
            link.hurry();
        }
        self.must_hurry &= !self.inbox.waiting.is_empty() || (waits_for_fleet && is_alone);
        self.tell_at = Some(next);
        next.duration_since(now).unwrap_or_default()
    }

    /// Tells at once what is new.
    pub(super) fn hurry(&mut self) {
        self.must_hurry = true;
        self.wake_lanes();
    }
}

impl Channel {
    /// How it tells while nobody knows what was spent: what costs money, hardly.
    fn blind(&self) -> Self {
        let costs = self.segments_per_day.is_some();
        let budget = self.budget.map(|own| if costs { own.and(&Budget::BLIND_SMS) } else { own });
        Self { budget, ..self.clone() }
    }
}

/// An id that nothing else has, as a rule.
pub(crate) fn public_id() -> String {
    spelled(random().into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{calendar::Calendar, incident::Rhythm};

    #[test]
    fn what_costs_money_hardly_goes_while_nobody_knows_what_was_spent() {
        let rhythm = Rhythm::sms(Duration::ZERO, Duration::ZERO);
        let deadline = Duration::from_secs(3600);
        let sms = Channel {
            sink: "twilio",
            rhythm,
            budget: Some(Budget::SMS),
            calendar: Calendar::default(),
            segments_per_day: Some(60),
            deadline,
        };
        let mail =
            Channel { sink: "sendgrid", budget: Some(Budget::EMAIL), segments_per_day: None, ..sms.clone() };
        let off = Channel { budget: None, segments_per_day: None, ..sms.clone() };
        let budget = |burst, minutes: u64, per_day| {
            Some(Budget::new(burst, Duration::from_secs(minutes * 60), per_day))
        };
        let rare = Channel { budget: budget(1, 60, 2), ..sms.clone() };
        let frequent = Channel { budget: budget(5, 1, 50), ..sms.clone() };
        let blind = [&sms, &mail, &off, &rare, &frequent].map(|channel| channel.blind().budget);
        let quarter = budget(1, 15, 20);
        assert_eq!(blind, [quarter, Some(Budget::EMAIL), None, budget(1, 60, 2), quarter]);
    }
}
