//! The mail: one content, written as plain text and as HTML.
//!
//! Invariant: the templates only lay out what [`Mail`] holds, so both bodies
//! say the same; all text in it is clean and bounded, and the HTML template
//! escapes it.

use std::time::SystemTime;

use askama::Template;
use jiff::Timestamp;

use super::{clean, environment, events, headline, total, word};
use crate::{
    event::{Event, Field, Value},
    notice::{Kind, Notice, Process, Sample},
};

/// Neither body is longer.
const MAX_BODY_BYTES: usize = 64 * 1024;

/// What the templates write round the events, with the facts of the process.
const FRAME_BYTES: usize = 6000;

/// What the templates write round one event and its backtrace.
const ENTRY_BYTES: usize = 900;

/// More events than that are a number.
const MAX_ENTRIES: usize = 25;

/// Marks where a text was cut.
const CUT: &str = "… [cut]";

/// The bodies of the mail about `notice`: plain text, HTML.
pub(super) fn bodies(notice: &Notice, subject: &str) -> (String, String) {
    let mail = Mail::new(notice);
    // A template of strings cannot fail to render: writing to a String does not.
    let text = TextBody { mail: &mail }.render().unwrap_or_default();
    let html = HtmlBody { mail: &mail, subject }.render().unwrap_or_default();
    (text, html)
}

#[derive(Template)]
#[template(path = "email.txt", config = "src/render/askama.toml")]
struct TextBody<'a> {
    mail: &'a Mail,
}

#[derive(Template)]
#[template(path = "email.html", config = "src/render/askama.toml")]
struct HtmlBody<'a> {
    mail: &'a Mail,
    subject: &'a str,
}

/// What a mail says, in its order.
struct Mail {
    /// Why this mail.
    reason: String,
    /// What else there is to know about the number of events.
    notes: Vec<String>,
    entries: Vec<Entry>,
    /// What is counted but not shown.
    omitted: Vec<String>,
    process: Row,
    backtraces: Vec<Row>,
    id: String,
}

/// One event.
struct Entry {
    word: &'static str,
    /// Background of the word: dark enough for white text.
    color: &'static str,
    message: String,
    rows: Vec<Row>,
}

/// Lines of text under a label.
struct Row {
    label: String,
    text: String,
}

impl Row {
    fn new(label: impl Into<String>, text: String) -> Self {
        Self { label: label.into(), text }
    }
}

impl Mail {
    fn new(notice: &Notice) -> Self {
        let (shown, omitted) = notice.samples.split_at(notice.samples.len().min(MAX_ENTRIES));
        let mut left = MAX_BODY_BYTES.saturating_sub(FRAME_BYTES + shown.len() * ENTRY_BYTES);
        let traced = shown.iter().filter(|sample| sample.event.backtrace.is_some()).count();
        let mut reserved = if traced > 0 { left / 3 } else { 0 };
        left -= reserved;

        let mut entries = Vec::with_capacity(shown.len());
        for (sample, rest) in shown.iter().zip((1..=shown.len()).rev()) {
            entries.push(share(&mut left, rest, |budget| Entry::new(sample, budget)));
        }
        reserved += left;
        let mut backtraces = Vec::with_capacity(traced);
        let texts =
            shown.iter().filter_map(|sample| Some((&sample.event, sample.event.backtrace.as_deref()?)));
        for ((event, text), rest) in texts.zip((1..=traced).rev()) {
            let label = match shown.len() {
                1 => "Backtrace".to_owned(),
                _ => format!("Backtrace of {}: {}", word(event), headline(event, 60)),
            };
            backtraces.push(share(&mut reserved, rest, |budget| {
                let label = budget.spend(&label, budget.0);
                Row::new(label, budget.spend(&block(text), budget.0))
            }));
        }

        Self {
            reason: reason(notice),
            notes: notes(notice),
            entries,
            omitted: omissions(omitted, notice.unsampled),
            process: process(&notice.process),
            backtraces,
            id: clean::line(&notice.id, 40),
        }
    }
}

/// Lets `make` spend one of `rest` equal shares of `left`; what it does not
/// spend stays for the others.
fn share<T>(left: &mut usize, rest: usize, make: impl FnOnce(&mut Budget) -> T) -> T {
    let whole = left.checked_div(rest).unwrap_or_default();
    let mut budget = Budget(whole);
    let made = make(&mut budget);
    *left -= whole - budget.0;
    made
}

/// Bytes of a body that are left.
struct Budget(usize);

impl Budget {
    /// As much of `text` as `most` and the budget allow, marked if cut.
    fn spend(&mut self, text: &str, most: usize) -> String {
        let most = most.min(self.0);
        let mut spent = 0;
        let end = text.char_indices().find(|(_, c)| {
            let bytes = body_bytes(*c);
            let fits = spent + bytes <= most;
            spent += if fits { bytes } else { 0 };
            !fits
        });
        self.0 -= spent;
        match end {
            Some((end, _)) => format!("{}{CUT}", text.get(..end).unwrap_or_default()),
            None => text.to_owned(),
        }
    }
}

/// The most that either body writes for `c`: an entity, or an indented line.
fn body_bytes(c: char) -> usize {
    match c {
        '"' | '&' | '\'' | '<' | '>' | '\n' => "&#00;".len(),
        _ => c.len_utf8(),
    }
}

impl Entry {
    /// No part can hide the others: what can be long gets a third of what is
    /// left, after what cannot.
    fn new(sample: &Sample, budget: &mut Budget) -> Self {
        let event = &sample.event;
        let times = budget.spend(&times(sample), budget.0);
        let thread = budget.spend(&clean::line(event.thread.as_deref().unwrap_or_default(), 40), budget.0);
        let message = block(&event.message);
        let message = if message.is_empty() { headline(event, 200) } else { message };
        let message = budget.spend(&message, budget.0 / 3);
        let place = budget.spend(&place(event), budget.0 / 3);
        let errors = budget.spend(&errors(&event.fields), budget.0 / 3);
        let spans = budget.spend(&spans(event), budget.0 / 3);
        let fields = budget.spend(&fields(&event.fields), budget.0);
        let rows = [
            Row::new("Error", errors),
            Row::new("Where", place),
            Row::new("Spans", spans),
            Row::new("When", times),
            Row::new("Fields", fields),
            Row::new("Thread", thread),
        ];
        let color = match event.level {
            _ if event.panic => "#8a1c1c",
            tracing::Level::ERROR => "#b42318",
            tracing::Level::WARN => "#8a5300",
            _ => "#1f4e8c",
        };
        Self {
            word: word(event),
            color,
            message,
            rows: rows.into_iter().filter(|row| !row.text.is_empty()).collect(),
        }
    }
}

/// `3 events from MyApp (production) on host, 2026-11-22 19:41:03 UTC`.
fn reason(notice: &Notice) -> String {
    let process = &notice.process;
    let app = clean::line(&process.app, 80);
    let environment = clean::line(environment(process), 40);
    let host = clean::line(process.host.as_deref().unwrap_or_default(), 80);
    let mut from = if app.is_empty() { "an unnamed application".to_owned() } else { app };
    if !environment.is_empty() {
        from.push_str(&format!(" ({environment})"));
    }
    if !host.is_empty() {
        from.push_str(&format!(" on {host}"));
    }
    let at = time(notice.made_at);
    match total(notice) {
        _ if notice.kind == Kind::Health => format!("About the alerts of {from}, {at}"),
        0 => format!("No event captured from {from}, {at}"),
        total => format!("{} from {from}, {at}", events(total)),
    }
}

fn notes(notice: &Notice) -> Vec<String> {
    let kinds = notice.samples.len();
    let kinds = (kinds > 1).then(|| format!("{kinds} different kinds of event."));
    let losses = notice.losses.iter().filter(|(_, count)| **count > 0);
    kinds
        .into_iter()
        .chain(losses.map(|(reason, count)| format!("{} not captured ({reason}).", events(*count))))
        .collect()
}

fn omissions(omitted: &[Sample], unsampled: u64) -> Vec<String> {
    let kinds = match omitted.len() {
        0 => None,
        1 => Some("and 1 more kind of event".to_owned()),
        kinds => Some(format!("and {kinds} more kinds of event")),
    };
    let kinds = kinds.map(|kinds| format!("{kinds} ({})", events(super::counted(omitted))));
    let unsampled =
        (unsampled > 0).then(|| format!("and {} of which only the number was kept", events(unsampled)));
    kinds.into_iter().chain(unsampled).collect()
}

/// The chain of each error, one link a line.
fn errors(fields: &[Field]) -> String {
    let mut lines = Vec::new();
    for field in fields {
        let Value::Error(chain) = &field.value else { continue };
        let mut name = clean::line(&field.name, 80);
        for link in chain {
            lines.push(format!("{name}: {}", continued(link)));
            name = "caused by".to_owned();
        }
    }
    lines.join("\n")
}

/// The fields that are no error chain, one a line.
fn fields(fields: &[Field]) -> String {
    let plain = fields.iter().filter(|field| !matches!(field.value, Value::Error(_)));
    let lines: Vec<String> = plain
        .map(|field| format!("{} = {}", clean::line(&field.name, 80), continued(&field.value.to_string())))
        .collect();
    lines.join("\n")
}

/// More of `text` than fits, so that what is cut is marked.
fn block(text: &str) -> String {
    clean::block(text, MAX_BODY_BYTES)
}

/// `text` with further lines indented, so that they cannot pass for fields.
fn continued(text: &str) -> String {
    block(text).replace('\n', "\n    ")
}

fn place(event: &Event) -> String {
    let target = clean::line(&event.target, 200);
    let location = clean::line(&event.location().unwrap_or_default(), 300);
    let module = clean::line(event.module_path.as_deref().unwrap_or_default(), 200);
    let module = if module == target { String::new() } else { module };
    let lines: Vec<String> = [target, location, module].into_iter().filter(|line| !line.is_empty()).collect();
    lines.join("\n")
}

/// `root{field=value} > leaf{field=value}`.
fn spans(event: &Event) -> String {
    let spans: Vec<String> = event
        .spans
        .iter()
        .map(|span| {
            let name = clean::line(&span.name, 80);
            let fields: Vec<String> = span
                .fields
                .iter()
                .map(|field| {
                    let value = clean::line(&field.value.to_string(), 1000);
                    format!("{}={value}", clean::line(&field.name, 80))
                })
                .collect();
            if fields.is_empty() { name } else { format!("{name}{{{}}}", fields.join(" ")) }
        })
        .collect();
    spans.join(" > ")
}

fn times(sample: &Sample) -> String {
    let first = time(sample.event.at);
    match sample.count {
        0 | 1 => first,
        count => format!("x{count}, first {first}, last {}", time(sample.last_at)),
    }
}

/// `at` in UTC, to the second.
fn time(at: SystemTime) -> String {
    match Timestamp::try_from(at) {
        Ok(at) => at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
        Err(_) => "at an unknown time".to_owned(),
    }
}

fn process(process: &Process) -> Row {
    let facts = [
        ("application", clean::line(&process.app, 80)),
        ("environment", clean::line(environment(process), 40)),
        ("version", clean::line(process.version.as_deref().unwrap_or_default(), 40)),
        ("host", clean::line(process.host.as_deref().unwrap_or_default(), 80)),
        ("process id", process.pid.to_string()),
    ];
    let facts = facts.iter().filter(|(_, fact)| !fact.is_empty());
    let lines: Vec<String> = facts.map(|(name, fact)| format!("{name} = {fact}")).collect();
    Row::new("Process", lines.join("\n"))
}
