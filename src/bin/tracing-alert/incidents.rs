//! What is shown: incidents, silences, counts.

use std::path::Path;

use tracing_alert::operate::{Database, IncidentView, MessageView, Overview, SilenceView};

use crate::{
    Failure,
    look::{Look, cell, number, spoken},
    table::{lines, table},
};

pub(crate) fn list(database: &mut Database, last: u32, look: &Look) -> Result<(), Failure> {
    let incidents = database.incidents(last)?;
    if look.is_json {
        return look.json(&incidents);
    }
    if incidents.is_empty() {
        return look.say("No incident. Nothing alerted, or all of it was deleted for its age.");
    }
    look.line(&incident_table(&incidents, MAX_MESSAGE, look))
}

/// How much of a message is listed, in characters.
const MAX_MESSAGE: usize = 160;

/// A line for each incident, or several, with at most so many characters of its message.
pub(crate) fn incident_table(incidents: &[IncidentView], limit: usize, look: &Look) -> String {
    let mut rows = table(&["id", "level", "last", "events", "told", "what"]);
    for incident in incidents {
        let what = format!("{} {}", cell(&incident.app, 24), cell(&incident.message, limit));
        rows.add_row([
            incident.id.clone(),
            incident.level.clone(),
            look.time(incident.last_at),
            incident.count.to_string(),
            told(incident, look),
            what,
        ]);
    }
    lines(&rows)
}

/// How far the telling is, in a word or two.
fn told(incident: &IncidentView, look: &Look) -> String {
    let in_state = |state: &str| incident.messages.iter().filter(|it| it.state == state).count();
    let (pending, dead, delivered) = (in_state("pending"), in_state("dead"), in_state("delivered"));
    match () {
        () if incident.silenced_until.is_some() => "silenced".to_owned(),
        () if dead > 0 => format!("{dead} failed"),
        () if pending > 0 => format!("{pending} pending"),
        () if delivered > 0 => delivered.to_string(),
        () => incident
            .waiting
            .iter()
            .map(|it| it.at)
            .min()
            .map_or_else(|| "nobody".to_owned(), |at| format!("at {}", look.time(at))),
    }
}

pub(crate) fn show(
    database: &mut Database,
    id: &str,
    html: Option<&Path>,
    look: &Look,
) -> Result<(), Failure> {
    let id = id.trim_start_matches('#');
    let incidents = database.incident(id)?;
    if incidents.is_empty() {
        return Err(Failure::Say(format!(
            "nothing has the id {id}; `tracing-alert list` has those there are"
        )));
    }
    if let Some(path) = html {
        let Some((_, html)) = mail(database, &incidents, look)? else {
            return Err(Failure::Say(format!("of {id} no event is kept that a mail could show")));
        };
        std::fs::write(path, html).map_err(|error| Failure::Say(format!("{}: {error}", path.display())))?;
        return if look.is_json { look.json(&incidents) } else { Ok(()) };
    }
    if look.is_json {
        return look.json(&incidents);
    }
    for (number, incident) in incidents.iter().enumerate() {
        if number > 0 {
            look.line("")?;
        }
        show_one(database, incident, look)?;
    }
    Ok(())
}

/// The mail about the first of them.
fn mail(
    database: &mut Database,
    incidents: &[IncidentView],
    look: &Look,
) -> Result<Option<(String, String)>, Failure> {
    let Some(first) = incidents.first() else { return Ok(None) };
    Ok(database.mail(&first.id, look.zone())?)
}

fn show_one(database: &mut Database, incident: &IncidentView, look: &Look) -> Result<(), Failure> {
    let state = match (incident.is_open, incident.silenced_until) {
        (_, Some(until)) => format!("silenced until {}", look.time(until)),
        (true, None) => "open".to_owned(),
        (false, None) => "over".to_owned(),
    };
    let events = number(incident.count, "event");
    let (from, to) = (look.time(incident.opened_at), look.time(incident.last_at));
    look.say(&format!("#{}  {state}, {events} from {from} to {to}", incident.id))?;
    look.line("")?;
    match mail(database, std::slice::from_ref(incident), look)? {
        // How to silence it is said below.
        Some((text, _)) => {
            let foot = format!("\n#{}", incident.id);
            look.say(text.split_once(foot.as_str()).map_or(&*text, |(text, _)| text).trim_end())?;
        }
        None => look.say(&format!("{}: {}", incident.level, cell(&incident.message, 400)))?,
    }
    look.line("")?;
    if incident.messages.is_empty() {
        look.say("No message tells of it.")?;
    } else {
        look.line(&message_table(&incident.messages, look))?;
    }
    for message in incident.messages.iter().filter(|it| it.state != "delivered") {
        if let Some(error) = &message.error {
            look.say(&format!("{} to {}: {}", message.id, cell(&message.recipient, 60), cell(error, 300)))?;
        }
    }
    for waiting in &incident.waiting {
        let (sink, recipient) = (cell(&waiting.sink, 40), cell(&waiting.recipient, 60));
        look.say(&format!("{sink} tells {recipient} more at {} or later", look.time(waiting.at)))?;
    }
    if incident.code.is_some() && incident.silenced_until.is_none() {
        look.line("")?;
        look.say(&format!(
            "To hear no more of its kind for a while: tracing-alert silence {} --for 2h",
            incident.id
        ))?;
    }
    Ok(())
}

fn message_table(messages: &[MessageView], look: &Look) -> String {
    let mut rows = table(&["message", "kind", "to", "by", "state", "tries", "at"]);
    for message in messages {
        let state = match message.fate {
            Some(fate) => format!("{} ({fate})", message.state),
            None => message.state.to_owned(),
        };
        rows.add_row([
            message.id.clone(),
            message.kind.to_owned(),
            cell(&message.recipient, 60),
            cell(&message.sink, 40),
            state,
            message.attempts.to_string(),
            look.time(message.settled_at.or(message.due_at).unwrap_or(message.made_at)),
        ]);
    }
    lines(&rows)
}

pub(crate) fn silences(database: &mut Database, look: &Look) -> Result<(), Failure> {
    let silences = database.silences()?;
    if look.is_json {
        return look.json(&silences);
    }
    if silences.is_empty() {
        return look.say("No silence.");
    }
    let mut rows = table(&["id", "what", "until", "held back", "by", "why"]);
    for silence in &silences {
        rows.add_row([
            silence.id.clone(),
            cell(&silence.what, 80),
            until(silence, look),
            silence.held.to_string(),
            cell(&silence.by, 60),
            cell(silence.why.as_deref().unwrap_or(""), 120),
        ]);
    }
    look.line(&lines(&rows))
}

fn until(silence: &SilenceView, look: &Look) -> String {
    let at = look.time(silence.until);
    match silence.undone_at {
        Some(_) => format!("ended {at}"),
        None if silence.until <= look.now => format!("over {at}"),
        None => at,
    }
}

pub(crate) fn stats(database: &mut Database, look: &Look) -> Result<(), Failure> {
    let overview = database.overview()?;
    if look.is_json {
        return look.json(&overview);
    }
    look.say(&counts(database, &overview, look))
}

/// How large it is, and who shares it.
fn size(overview: &Overview) -> String {
    let (size, log) = (overview.file_bytes / 1024, overview.log_bytes / 1024);
    match overview.instances {
        Some(instances) => format!("{} seen, {size} KiB", number(instances, "instance")),
        None => format!("{size} KiB and a log of {log} KiB"),
    }
}

/// The counts, some lines.
pub(crate) fn counts(database: &Database, overview: &Overview, look: &Look) -> String {
    let events = overview.events;
    let mut lines = vec![
        format!("{}", database.name()),
        format!(
            "{}: {} reported, {} pending, {} not reported",
            number(events.committed(), "event"),
            events.reported,
            events.pending,
            events.dead
        ),
        format!(
            "{} open, {} in force; {}",
            number(overview.open_incidents, "incident"),
            number(overview.silences as u64, "silence"),
            size(overview)
        ),
    ];
    if let Some(behind) = overview.behind {
        lines.push(format!("{} not handed over to the fleet yet", number(behind, "event")));
    }
    for sink in &overview.sinks {
        let name = cell(&sink.name, 40);
        if sink.pending > 0 {
            let next = look.time_or_none(sink.next_at);
            lines.push(format!("{name}: {} pending, the next at {next}", number(sink.pending, "message")));
        }
        if let (Some(since), Some(failure)) = (sink.failing_since, &sink.failure) {
            let time = spoken(look.now.duration_since(since).unwrap_or_default());
            lines.push(look.bad(&format!("{name}: fails for {time}: {}", cell(failure, 200))));
        }
    }
    for refused in &overview.refused {
        let refused = cell(refused, 60);
        lines.push(look.bad(&format!(
            "{refused}: refused for good, nothing is attempted for a day (tracing-alert allow {refused})"
        )));
    }
    lines.join("\n")
}
