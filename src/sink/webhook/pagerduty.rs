//! Events for PagerDuty: one for each incident of a message, each with the key of its
//! incident, so that PagerDuty has one alert of it.
//!
//! [Events API v2](https://developer.pagerduty.com/docs/send-alert-event): a summary has at
//! most 1,024 characters, a key at most 255, and an event at most 512 KB.
//! Invariant: an alert is resolved only by the process whose error raised it, while that
//! process lives: after its end, that there are no more events is no good news.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tracing::Level;

use super::text::{fit, plain, utf16};
use crate::{
    event::Event,
    policy::notice::{Kind, Notice, Sample},
    sink::Message,
};

/// One request to make.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) body: Value,
    /// What is remembered once it was accepted.
    pub(super) then: Then,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Then {
    /// There is an alert with this key.
    Raised { key: String, is_ours: bool },
    /// There is none any more.
    Resolved { key: String },
    /// Nobody will resolve it.
    Nothing,
}

/// The alerts that this process raised, by their keys: whether the events are known to be
/// its own.
#[derive(Debug, Default)]
pub(super) struct Raised(BTreeMap<String, bool>);

impl Raised {
    pub(super) fn note(&mut self, then: Then) {
        match then {
            Then::Raised { key, is_ours } => {
                if self.0.len() >= MAX_RAISED {
                    self.0.pop_first();
                }
                *self.0.entry(key).or_default() |= is_ours;
            }
            Then::Resolved { key } => drop(self.0.remove(&key)),
            Then::Nothing => (),
        }
    }
}

/// What `message` is for PagerDuty; nothing, if it only tells of an end that this process
/// may not tell. `resolves` is whether ends are told at all, and `pid` is this process.
pub(super) fn requests(
    message: &Message,
    routing_key: &str,
    resolves: bool,
    raised: &Raised,
    pid: u32,
) -> Vec<Request> {
    let notice = &*message.notice;
    let make = |action: &str, key: &str, summary: &str, event: Option<&Event>, details: Value, then: Then| {
        let summary = fit(summary, MAX_SUMMARY, one_line, utf16);
        Request {
            body: json!({
                "routing_key": routing_key,
                "event_action": action,
                "dedup_key": key,
                "client": "tracing-alert",
                "payload": payload(notice, &summary, event, details),
            }),
            then,
        }
    };
    if notice.kind == Kind::Health || notice.samples.is_empty() {
        let event = notice.samples.first().map(|sample| &sample.event);
        let key = hashed(&[&notice.process.app, "notice", &notice.id]);
        let details = json!({ "text": details_of(message) });
        return vec![make("trigger", &key, &message.short, event, details, Then::Nothing)];
    }
    // Of several incidents it is known only that some are of this process.
    let is_ours = notice.samples.len() == 1 && notice.process.pid == pid;
    let mut requests = Vec::new();
    for sample in notice.samples.iter().take(MAX_EVENTS) {
        let key = key(notice, sample);
        let headline = match notice.samples.len() {
            1 => message.short.clone(),
            _ => headline(notice, sample),
        };
        let is_over = sample.kind == Kind::Quiet;
        let known = raised.0.get(&key);
        if is_over && resolves && known.is_some_and(|known| *known || is_ours) {
            let summary = format!("no more events: {headline}");
            let then = Then::Resolved { key: key.clone() };
            requests.push(make("resolve", &key, &summary, Some(&sample.event), json!({}), then));
        } else if !is_over || sample.count > 0 {
            let text = if notice.samples.len() == 1 { details_of(message) } else { String::new() };
            let details = json!({
                "text": text,
                "incident": sample.incident,
                "count": sample.count,
                "total": sample.total,
            });
            let then = match may_end(&sample.event) {
                true => Then::Raised { key: key.clone(), is_ours },
                false => Then::Nothing,
            };
            requests.push(make("trigger", &key, &headline, Some(&sample.event), details, then));
        }
    }
    let more = notice.samples.len().saturating_sub(MAX_EVENTS) as u64;
    if more > 0 || notice.unsampled > 0 {
        let key = hashed(&[&notice.process.app, "more", &notice.id]);
        let summary = format!("more than {MAX_EVENTS} kinds of error at once: {}", message.short);
        let details = json!({ "text": details_of(message), "more": more, "unsampled": notice.unsampled });
        requests.push(make("trigger", &key, &summary, None, details, Then::Nothing));
    }
    requests
}

/// Whether its end means anything: after a panic, and in a crash loop, there are no more
/// events because there is nobody to have them. What comes from nowhere in the program
/// is about it as a whole.
fn may_end(event: &Event) -> bool {
    !event.panic && !event.target.is_empty()
}

fn payload(notice: &Notice, summary: &str, event: Option<&Event>, details: Value) -> Value {
    let process = &notice.process;
    let source = process.host.clone().filter(|host| !host.is_empty()).unwrap_or_else(|| process.app.clone());
    let mut payload = json!({
        "summary": if summary.trim().is_empty() { "an alert" } else { summary },
        "source": if source.is_empty() { "unknown" } else { &source },
        "severity": event.map_or("error", severity),
        "component": process.app,
        "custom_details": details,
    });
    if let Some(environment) = &process.environment {
        payload["group"] = environment.as_str().into();
    }
    if let Some(event) = event.filter(|event| !event.target.is_empty()) {
        payload["class"] = (*event.target).into();
    }
    payload
}

fn severity(event: &Event) -> &'static str {
    match event.level {
        _ if event.panic => "critical",
        Level::ERROR => "error",
        Level::WARN => "warning",
        _ => "info",
    }
}

/// One of several incidents, in few words.
fn headline(notice: &Notice, sample: &Sample) -> String {
    let level = if sample.event.panic { "PANIC" } else { sample.event.level.as_str() };
    let message = match sample.event.message.trim() {
        "" => &*sample.event.target,
        message => message,
    };
    format!("[{}] {level}: {message} #{}", notice.process.app, sample.incident)
}

fn details_of(message: &Message) -> String {
    fit(&message.text, MAX_DETAILS_BYTES, plain, str::len)
}

/// The same for every message about one incident. Others may use the same integration. No
/// time is part of it: the times of an incident follow a clock that is set.
fn key(notice: &Notice, sample: &Sample) -> String {
    let environment = notice.process.environment.as_deref().unwrap_or_default();
    hashed(&[&notice.process.app, environment, &sample.incident])
}

fn hashed(parts: &[&str]) -> String {
    let hash = Sha256::digest(parts.join("\0"));
    hash.iter().fold("tracing-alert-".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

fn one_line(c: char, to: &mut String) {
    to.push(if c == '\n' { ' ' } else { c });
}

const MAX_SUMMARY: usize = 1_024;

/// A message of more incidents than this raises an alert for the rest together: PagerDuty
/// limits how many events it takes, and all have the time of one attempt.
const MAX_EVENTS: usize = 20;

/// A sixteenth of what an event may have; JSON may write a character as six.
const MAX_DETAILS_BYTES: usize = 32 * 1024;

/// Many more than are open at once.
const MAX_RAISED: usize = 1_024;

#[cfg(test)]
mod tests;
