//! Incidents become notices: what there is to tell is told in time.

use std::time::{Duration, SystemTime};

use super::{Dispatcher, LONGEST_SLEEP, Lane, STORE_RETRY, random};
use crate::{
    budget::Budget,
    store::{Channel, Maker},
};

impl Dispatcher<'_> {
    /// Makes the notices that are due. Returns how long nothing else will be.
    pub(super) async fn tell(&mut self) -> Duration {
        let now = SystemTime::now();
        let wait = self.tell_at.map_or(Duration::ZERO, |at| at.duration_since(now).unwrap_or_default());
        if !wait.is_zero() && !self.must_hurry {
            return wait;
        }
        if self.holds_deliveries() {
            // What a message tells of a panic has its backtrace.
            return STORE_RETRY / 4;
        }
        let mut next = now + LONGEST_SLEEP;
        let maker = Maker { new_id: &public_id, run: self.inbox.run, process: &self.process };
        let is_blind = self.is_blind();
        for channel in &self.channels {
            let channel = &if is_blind { channel.blind() } else { channel.clone() };
            match self.store.tell(channel, &maker, self.must_hurry, now).await {
                Ok(told) => {
                    next = told.next.map_or(next, |at| at.min(next));
                    if told.notice.is_some() {
                        self.lanes.iter_mut().for_each(Lane::wake);
                    }
                }
                Err(error) => {
                    self.note(Err(error));
                    return STORE_RETRY;
                }
            }
        }
        // It was asked because something changed, or may have.
        self.upkeep.count_soon();
        self.must_hurry &= !self.inbox.waiting.is_empty();
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
        let budget = if self.segments_per_day.is_some() { Some(Budget::BLIND_SMS) } else { self.budget };
        Self { budget, ..self.clone() }
    }
}

/// Four letters that are easy to read aloud, and spell no word.
pub(super) fn public_id() -> String {
    const LETTERS: &[u8; 30] = b"0123456789BCDFGHJKMNPQRSTVWXYZ";
    let mut number = random() as usize;
    std::iter::repeat_with(|| {
        let letter = LETTERS[number % LETTERS.len()];
        number /= LETTERS.len();
        char::from(letter)
    })
    .take(4)
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::incident::Rhythm;

    #[test]
    fn what_costs_money_hardly_goes_while_nobody_knows_what_was_spent() {
        let rhythm = Rhythm::sms(Duration::ZERO, Duration::ZERO);
        let deadline = Duration::from_secs(3600);
        let sms = Channel {
            sink: "twilio",
            rhythm,
            budget: Some(Budget::SMS),
            segments_per_day: Some(60),
            deadline,
        };
        let mail =
            Channel { sink: "sendgrid", budget: Some(Budget::EMAIL), segments_per_day: None, ..sms.clone() };
        let off = Channel { budget: None, segments_per_day: None, ..sms.clone() };
        let quarter = Budget::new(1, Duration::from_secs(15 * 60), Budget::SMS.per_day);
        let blind = [&sms, &mail, &off].map(|channel| channel.blind().budget);
        assert_eq!(blind, [Some(quarter), Some(Budget::EMAIL), None]);
    }
}
