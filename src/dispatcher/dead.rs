//! Deliveries that ended undelivered are told through the other sinks.

use std::time::{Duration, SystemTime};

use tracing::Level;

use super::{Dispatcher, tell::public_id};
use crate::{
    event::{Event, Field, Value},
    host::{permit::Permit, time::Saturating},
    outbox::{About, Captured, Dead, Maker, Target},
    policy::fingerprint::keys,
    sink::{is_phone_number, mask_phone, without_numbers},
};

impl Dispatcher<'_> {
    /// Makes a notice of each sink's dead deliveries, for the recipients of the
    /// other sinks. One sink is told of at most once in [`PAUSE`].
    pub(super) async fn tell_of_dead(&mut self) {
        let due = self.lanes.iter_mut().filter_map(|lane| {
            let sink = lane.sink.name();
            lane.takes_stock_of_dead(LOOK_AGAIN).then(|| sink.to_owned())
        });
        let mut sinks: Vec<String> = due.collect();
        sinks.append(&mut self.upkeep.orphaned);
        for sink in &sinks {
            let others: Vec<Target> =
                self.targets.iter().filter(|target| target.sink != sink).cloned().collect();
            if others.is_empty() {
                continue;
            }
            let now = SystemTime::now();
            let maker = Maker { new_id: &public_id, run: self.inbox.run, process: &self.process };
            let tell = |dead: &Dead| captured(event(sink, dead, now), dead.count, &self.process.app);
            match self.store.tell_of_dead(sink, now.earlier(PAUSE), tell, &maker, &others, now).await {
                Ok(true) => self.tell_at = None,
                Ok(false) => (),
                Err(error) => self.note(Err(error)),
            }
        }
    }
}

fn captured(event: Event, count: u64, app: &str) -> Captured {
    Captured {
        fingerprint: keys(&event, app, None).own,
        last_at: event.at,
        count,
        event,
        latest: None,
        is_stand_in: false,
        said: None,
        about: Some(About::Dead),
        not_before: None,
        permit: Permit::default(),
    }
}

/// What is told of `dead`.
fn event(sink: &str, dead: &Dead, now: SystemTime) -> Event {
    let (one, many) = match sink {
        "twilio" => ("An SMS".to_owned(), "SMS".to_owned()),
        "sendgrid" => ("An e-mail".to_owned(), "e-mails".to_owned()),
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
        breadcrumbs: Vec::new(),
        backtrace: None,
        panic: false,
    }
}

/// One dead number must not flood an inbox.
const PAUSE: Duration = Duration::from_secs(60 * 60);

/// How often is looked whether a pause is over, or another process left some.
const LOOK_AGAIN: Duration = Duration::from_secs(10 * 60);
