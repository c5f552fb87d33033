//! Deliveries that ended undelivered are told through the other sinks.

use std::time::{Duration, SystemTime};

use tracing::Level;

use super::{Dispatcher, persist::public_id};
use crate::{
    event::{Event, Field, Value},
    fingerprint::keys,
    queue::Permit,
    sink::{is_phone_number, mask_phone, without_numbers},
    store::{Captured, Dead, Draft, Target},
};

impl Dispatcher<'_> {
    /// Makes a notice of each sink's dead deliveries, for the recipients of the
    /// other sinks. One sink is told of at most once in [`PAUSE`].
    pub(super) async fn tell_of_dead(&mut self) {
        for lane in 0..self.lanes.len() {
            if !self.lanes[lane].takes_stock_of_dead(LOOK_AGAIN) {
                continue;
            }
            let sink = self.lanes[lane].sink.name();
            let others: Vec<Target> =
                self.targets.iter().filter(|target| target.sink != sink).cloned().collect();
            if others.is_empty() {
                continue;
            }
            let now = SystemTime::now();
            let id = public_id();
            let draft = Draft { public_id: &id, run: self.inbox.run, process: &self.process, closes_at: now };
            let tell = |dead: &Dead| captured(event(sink, dead, now), &self.process.app);
            match self.store.tell_of_dead(sink, now - PAUSE, tell, &draft, &others, now).await {
                Ok(Some(notice)) => {
                    self.last_notice = notice;
                    self.wake_lanes();
                }
                Ok(None) => (),
                Err(error) => self.note(Err(error)),
            }
        }
    }
}

fn captured(event: Event, app: &str) -> Captured {
    Captured {
        fingerprint: keys(&event, app, None).own,
        last_at: event.at,
        count: 1,
        event,
        permit: Permit::default(),
    }
}

/// What is told of `dead`.
fn event(sink: &str, dead: &Dead, now: SystemTime) -> Event {
    let (one, many) = match sink {
        "twilio" => ("An SMS".to_owned(), "SMS".to_owned()),
        "sendgrid" => ("A mail".to_owned(), "mails".to_owned()),
        other => (format!("A message through {other}"), format!("messages through {other}")),
    };
    let Dead { count, recipient, public_id, reason } = dead;
    let reason = without_numbers(reason);
    let message = match count {
        0 | 1 => format!("{one} could not be delivered (alert #{public_id}): {reason}"),
        _ => format!("{count} {many} could not be delivered, the last one (alert #{public_id}): {reason}"),
    };
    let recipient =
        if is_phone_number(recipient) { mask_phone(recipient) } else { without_numbers(recipient) };
    Event {
        at: now,
        level: Level::ERROR,
        target: "tracing_alert".into(),
        message,
        fields: vec![Field::new("recipient", Value::Str(recipient))],
        file: None,
        line: None,
        module_path: None,
        thread: None,
        spans: Vec::new(),
        backtrace: None,
        panic: false,
    }
}

/// One dead number must not flood an inbox.
const PAUSE: Duration = Duration::from_secs(60 * 60);

/// How often is looked whether a pause is over, or another process left some.
const LOOK_AGAIN: Duration = Duration::from_secs(10 * 60);
