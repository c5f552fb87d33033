//! What is changed: messages, refusals, silences.

use serde_json::json;
use tracing_alert::{
    Matcher,
    operate::{Database, SilenceOf},
};

use crate::{
    Failure, args,
    look::{Look, cell, number},
    settings::Variables,
};

pub(crate) fn retry(database: &mut Database, ids: &[String], look: &Look) -> Result<(), Failure> {
    let mut all = Vec::new();
    let mut unknown = Vec::new();
    for id in ids.iter().map(|id| id.trim_start_matches('#')) {
        let revived = database.retry(id)?;
        if revived.is_empty() {
            unknown.push(id);
        }
        all.extend(revived);
    }
    if look.is_json {
        look.json(&json!({ "messages": all, "unknown": unknown }))?;
    } else {
        for message in &all {
            let to = format!("#{} to {}", message.id, cell(&message.recipient, 60));
            match (message.is_due, message.is_refused) {
                (true, true) => look.say(&format!(
                    "{to}: refused, so it will not be attempted: tracing-alert allow {}",
                    cell(&message.recipient, 60)
                ))?,
                (true, false) => {
                    let within = database.noticed_within();
                    look.say(&format!("{to}: due now; it is taken {within}"))?;
                }
                (false, _) => look.say(&format!("{to}: under way, or delivered: left alone"))?,
            }
        }
        for id in &unknown {
            look.say(&look.bad(&format!("#{id}: no message has or tells of it")))?;
        }
    }
    if unknown.is_empty() { Ok(()) } else { Err(Failure::Said) }
}

pub(crate) fn allow(database: &mut Database, recipient: &str, look: &Look) -> Result<(), Failure> {
    let count = database.allow(recipient)?;
    if count == 0 {
        return Err(Failure::Say(format!(
            "{recipient} is not refused; `tracing-alert stats` lists who is, as the settings have them"
        )));
    }
    if look.is_json {
        return look.json(&json!({ "allowed": recipient, "refusals": count }));
    }
    look.say(&format!(
        "{recipient}: attempted again from the next message on; `tracing-alert retry` has those that failed attempted"
    ))
}

pub(crate) fn silence(
    database: &mut Database,
    args: &args::Silence,
    settings: Variables,
    look: &Look,
) -> Result<(), Failure> {
    let of = match &args.id {
        Some(id) => SilenceOf::Incident(id.trim_start_matches('#').to_owned()),
        None => {
            let mut matcher = Matcher::new();
            if let Some(target) = &args.target {
                matcher = matcher.target(target);
            }
            if let Some(message) = &args.message {
                matcher = matcher.message(message);
            }
            if let Some(kind) = &args.kind {
                matcher = matcher.kind(kind);
            }
            SilenceOf::Matcher(matcher)
        }
    };
    let Some(silence) = database.silence(of, args.lasts, args.why.clone(), who(), settings)? else {
        let id = args.id.as_deref().unwrap_or_default();
        return Err(Failure::Say(format!(
            "nothing has the id {id}; `tracing-alert list` has those there are"
        )));
    };
    if look.is_json {
        return look.json(&silence);
    }
    look.say(&format!(
        "Silence {}: {} until {}. Its end tells how many events there were.\nTo end it now: tracing-alert unsilence {}",
        silence.id,
        cell(&silence.what, 120),
        look.time(silence.until),
        silence.id
    ))
}

/// Who runs the command: `sudo` keeps the name of the one behind it.
fn who() -> String {
    let user = ["SUDO_USER", "USER", "LOGNAME", "USERNAME"].iter().find_map(|name| std::env::var(name).ok());
    user.unwrap_or_else(|| "somebody".to_owned())
}

pub(crate) fn unsilence(database: &mut Database, ids: &[String], look: &Look) -> Result<(), Failure> {
    let mut ended = 0;
    if ids.is_empty() {
        ended = database.unsilence(None)?;
    }
    let mut unknown = Vec::new();
    for id in ids {
        match database.unsilence(Some(id))? {
            0 => unknown.push(id),
            count => ended = count.saturating_add(ended),
        }
    }
    if look.is_json {
        look.json(&json!({ "ended": ended, "unknown": unknown }))?;
    } else {
        let silences = number(ended as u64, "silence");
        let within = database.noticed_within();
        look.say(&format!("{silences} ended; what they held back is told {within}"))?;
        for id in &unknown {
            look.say(&look.bad(&format!("{id}: no silence in force has this id")))?;
        }
    }
    if unknown.is_empty() { Ok(()) } else { Err(Failure::Said) }
}

pub(crate) fn purge(database: &mut Database, look: &Look) -> Result<(), Failure> {
    let (messages, incidents) = database.purge()?;
    if look.is_json {
        return look.json(&json!({ "messages": messages, "incidents": incidents }));
    }
    let (messages, incidents) = (number(messages, "message"), number(incidents, "incident"));
    look.say(&format!("{messages} and {incidents} deleted; the last ones stay, and all that is not settled"))
}
