//! Deliveries that ended undelivered, and sinks that fail, are told of through the other
//! sinks.

use std::time::{Duration, SystemTime};

use tracing::Level;

use super::{Dispatcher, Lane, tell::public_id};
use crate::{
    event::{Event, Field, Value},
    host::{
        permit::Permit,
        time::{Saturating, spoken},
    },
    outbox::{About, Captured, Dead, Failing, Ill, Maker, Target},
    policy::fingerprint::keys,
    sink::{is_phone_number, mask_phone, without_numbers},
};

impl Dispatcher<'_> {
    /// Makes a notice of each sink's dead deliveries, for the recipients of the
    /// other sinks. One sink is told of at most once in [`PAUSE`].
    pub(super) async fn tell_of_dead(&mut self) {
        let due = self.lanes.iter_mut().filter_map(|lane| {
            let sink = lane.sink.name();
            lane.takes_stock_of_dead(LOOK_AGAIN).then(|| (sink.to_owned(), true))
        });
        let mut sinks: Vec<(String, bool)> = due.collect();
        sinks.extend(self.upkeep.orphaned.drain(..).map(|sink| (sink, false)));
        for (sink, is_ours) in &sinks {
            let others: Vec<Target> =
                self.targets.iter().filter(|target| target.sink != sink).cloned().collect();
            if others.is_empty() {
                continue;
            }
            let now = self.now();
            let maker = Maker {
                new_id: &public_id,
                run: self.inbox.run,
                process: &self.process,
                calendar: &self.calendar,
                is_of_fleet: self.is_of_fleet,
            };
            let tell = |ill: &Ill| match ill {
                Ill::Dead(dead) => captured(of_dead(sink, dead, now), dead.count, &self.process.app),
                Ill::Failing(failing) => captured(of_failing(sink, failing, now), 1, &self.process.app),
            };
            let told = self.outbox.with(async |store| {
                store.tell_of_sink(sink, *is_ours, now.earlier(PAUSE), tell, &maker, &others, now).await
            });
            if let Ok(true) = told.await {
                self.tell_at = None;
                // There may be more to tell of it.
                self.lanes.iter_mut().filter(|lane| lane.sink.name() == sink).for_each(Lane::look_for_dead);
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

/// What is told of a sink that fails.
fn of_failing(sink: &str, failing: &Failing, now: SystemTime) -> Event {
    let (_, many) = messages(sink);
    let Failing { since, reason } = failing;
    let time = now.duration_since(*since).unwrap_or_default();
    let message = format!("no {many} could be sent for {}: {}", spoken(time), without_numbers(reason));
    event(message, Vec::new(), now)
}

/// What a sink sends: one, and several.
fn messages(sink: &str) -> (String, String) {
    match sink {
        "twilio" => ("An SMS".to_owned(), "SMS".to_owned()),
        "sendgrid" => ("An e-mail".to_owned(), "e-mails".to_owned()),
        other => (format!("A message through {other}"), format!("messages through {other}")),
    }
}

/// What is told of `dead`.
fn of_dead(sink: &str, dead: &Dead, now: SystemTime) -> Event {
    let (one, many) = messages(sink);
    let Dead { count, recipient, public_id, reason } = dead;
    let reason = without_numbers(reason);
    let message = match count {
        0 | 1 => format!("{one} could not be delivered (alert #{public_id}): {reason}"),
        _ => format!("{count} {many} could not be delivered, the last one (alert #{public_id}): {reason}"),
    };
    let recipient =
        if is_phone_number(recipient) { mask_phone(recipient) } else { without_numbers(recipient) };
    event(message, vec![Field::new("recipient", Value::Str(recipient))], now)
}

fn event(message: String, fields: Vec<Field>, now: SystemTime) -> Event {
    Event {
        at: now,
        level: Level::ERROR,
        target: "tracing_alert".into(),
        message,
        fields,
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
