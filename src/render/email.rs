//! The mail: one content, written as plain text and as HTML.
//!
//! Invariant: the templates only lay out what [`Mail`] holds, so both bodies
//! say the same; all text in it is clean and bounded, and the HTML template
//! escapes it.

use askama::Template;

use super::{
    Clock, before, clean, counted, environment, facts, has_ended, headline, headline_with_cause, panic_place,
    total, trace, word, words,
};
use crate::{
    event::Event,
    notice::{Kind, Notice, Sample},
};

/// Neither body is longer.
pub(super) const MAX_BODY_BYTES: usize = 64 * 1024;

/// What the templates write round the events, with the facts of the process.
const FRAME_BYTES: usize = 9000;

/// What the templates write round one event and its backtrace.
const ENTRY_BYTES: usize = 1300;

/// More events than that are a number.
const MAX_ENTRIES: usize = 25;

/// How much of what happened before is shown with each of several events.
const MAX_BEFORE_OF_SEVERAL: usize = 8;

/// How much of an event its line in the overview shows.
const MAX_OVERVIEW_CHARS: usize = 56;

/// Marks where a text was cut.
const CUT: &str = "… [cut]";

/// The bodies of the mail about `notice`: plain text, HTML.
pub(super) fn bodies(notice: &Notice, subject: &str, clock: &Clock) -> (String, String) {
    let mail = Mail::new(notice, clock);
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

/// HTML that shows `text` as it is.
pub(super) fn plain_html(text: &str) -> String {
    PlainHtml { text }.render().unwrap_or_default()
}

#[derive(Template)]
#[template(
    source = r#"<pre style="white-space:pre-wrap;word-break:break-word">{{ text }}</pre>"#,
    ext = "html"
)]
struct PlainHtml<'a> {
    text: &'a str,
}

/// What a mail says, in its order.
struct Mail {
    /// What an inbox shows beside the subject.
    preview: String,
    /// Why this mail.
    reason: String,
    /// What else there is to know before the events.
    notes: Vec<String>,
    /// One line for each event, if there are several.
    overview: Vec<String>,
    entries: Vec<Entry>,
    /// What is counted but not shown.
    omitted: Vec<String>,
    process: Row,
    backtraces: Vec<Row>,
    /// How events are grouped.
    grouping: Option<Row>,
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
    fn new(notice: &Notice, clock: &Clock) -> Self {
        let (shown, omitted) = notice.samples.split_at(notice.samples.len().min(MAX_ENTRIES));
        let mut left = MAX_BODY_BYTES.saturating_sub(FRAME_BYTES + shown.len() * ENTRY_BYTES);
        let traced = shown.iter().filter(|sample| sample.event.backtrace.is_some()).count();
        let overview = if shown.len() > 1 { overview(notice, shown, &mut left) } else { Vec::new() };
        let mut reserved = if traced > 0 { left / 3 } else { 0 };
        left -= reserved;

        let mut entries = Vec::with_capacity(shown.len());
        let is_health = notice.kind == Kind::Health;
        for (sample, rest) in shown.iter().zip((1..=shown.len()).rev()) {
            entries.push(share(&mut left, rest, |budget| {
                Entry::new(sample, is_health, shown.len() > 1, clock, budget)
            }));
        }
        reserved += left;
        let mut backtraces = Vec::with_capacity(traced);
        let texts =
            shown.iter().filter_map(|sample| Some((&sample.event, sample.event.backtrace.as_deref()?)));
        for ((event, text), rest) in texts.zip((1..=traced).rev()) {
            let several = shown.len() > 1;
            backtraces.extend(share(&mut reserved, rest, |budget| backtrace(event, text, several, budget)));
        }

        let grouping = if is_health { String::new() } else { facts::grouping(shown) };
        Self {
            preview: preview(notice),
            reason: reason(notice, clock),
            notes: notes(notice),
            overview,
            entries,
            omitted: omissions(omitted, notice.unsampled),
            process: Row::new(words::label::PROCESS, facts::process(&notice.process)),
            backtraces,
            grouping: (!grouping.is_empty()).then(|| Row::new(words::label::GROUPING, grouping)),
            id: clean::line(&notice.id, 40),
        }
    }
}

/// The frames of the program itself, and behind them all others.
fn backtrace(event: &Event, text: &str, several: bool, budget: &mut Budget) -> Vec<Row> {
    let (own, others) = trace::split(&facts::block(text));
    let of_which = |label: &str| match several {
        false => label.to_owned(),
        true => format!("{label} ({}: {})", word(event), headline(event, 60)),
    };
    let mut row = |label: &str, text: &str| {
        let label = budget.spend(&of_which(label), budget.0);
        Row::new(label, budget.spend(text, budget.0))
    };
    match (own.is_empty(), others.is_empty()) {
        (true, _) => vec![row(words::label::BACKTRACE, &others)],
        (false, true) => vec![row(words::label::BACKTRACE, &own)],
        (false, false) => {
            vec![row(words::label::BACKTRACE, &own), row(words::label::OTHER_FRAMES, &others)]
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
pub(super) fn body_bytes(c: char) -> usize {
    match c {
        '"' | '&' | '\'' | '<' | '>' | '\n' => "&#00;".len(),
        _ => c.len_utf8(),
    }
}

impl Entry {
    /// No part can hide the others: what can be long gets a third of what is
    /// left, after what cannot.
    fn new(
        sample: &Sample,
        is_health: bool,
        is_one_of_several: bool,
        clock: &Clock,
        budget: &mut Budget,
    ) -> Self {
        let event = &sample.event;
        let times = budget.spend(&facts::times(sample, clock), budget.0);
        let message = facts::block(&event.message);
        let message = if message.is_empty() { headline(event, 200) } else { message };
        let message = budget.spend(&message, budget.0 / 3);
        // What is about the alerting comes from nowhere in the program.
        let place = if is_health { String::new() } else { facts::place(event) };
        let place = budget.spend(&place, budget.0 / 3);
        let errors = budget.spend(&facts::errors(&event.fields), budget.0 / 3);
        let spans = budget.spend(&facts::spans(event), budget.0 / 3);
        let most = if is_one_of_several { MAX_BEFORE_OF_SEVERAL } else { usize::MAX };
        let before = before::lines(event, clock, most, budget.0 / 3);
        let before = budget.spend(&before, budget.0);
        let fields = budget.spend(&facts::fields(&event.fields), budget.0);
        let rows = [
            Row::new(words::label::ERROR, errors),
            Row::new(words::label::PLACE, place),
            Row::new(words::label::SPANS, spans),
            Row::new(words::label::TIMES, times),
            Row::new(words::label::FIELDS, fields),
            Row::new(
                if sample.total > 1 { words::label::BEFORE_FIRST } else { words::label::BEFORE },
                before,
            ),
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

/// Like `37x ERROR: payment failed #7K3Q`.
fn overview(notice: &Notice, shown: &[Sample], left: &mut usize) -> Vec<String> {
    let mut budget = Budget(*left);
    let lines = shown.iter().map(|sample| {
        let what = headline_with_cause(&sample.event, MAX_OVERVIEW_CHARS);
        let incident = clean::line(&sample.incident, 16);
        let line = format!("{}: {what} #{incident}", word(&sample.event));
        let line = words::overview(sample.count, &line, has_ended(sample, notice));
        budget.spend(&line, budget.0)
    });
    let lines = lines.collect();
    *left = budget.0;
    lines
}

/// The cause and the place: the subject has the message, and the first line of
/// the mail says why it comes.
fn preview(notice: &Notice) -> String {
    let text = match notice.samples.as_slice() {
        [] => String::new(),
        [only] => {
            let place = panic_place(&only.event, 80);
            let headline = headline_with_cause(&only.event, 160);
            if place.is_empty() { headline } else { format!("{headline}{}", words::at_place(&place)) }
        }
        several => {
            several.iter().take(3).map(|sample| headline(&sample.event, 60)).collect::<Vec<_>>().join(", ")
        }
    };
    clean::line(&text, 200)
}

/// Like `New in MyApp (production) on host: happened 3 times since 2026-11-22 19:41:03 UTC`.
fn reason(notice: &Notice, clock: &Clock) -> String {
    let process = &notice.process;
    let from = words::from(
        &clean::line(&process.app, 80),
        &clean::line(environment(process), 40),
        &clean::line(process.host.as_deref().unwrap_or_default(), 80),
    );
    let made_at = clock.time(notice.made_at);
    let samples = notice.samples.as_slice();
    let ([first], false) = (samples, notice.kind == Kind::Health) else {
        return match samples {
            _ if notice.kind == Kind::Health => words::why::health(&from, &made_at),
            [] => words::why::unsampled(&from, total(notice), &made_at),
            several if several.iter().all(|sample| has_ended(sample, notice)) => {
                words::why::all_quiet(&from, several.len(), total(notice), &made_at)
            }
            several => {
                let since = several.iter().map(|sample| sample.event.at).min().unwrap_or(notice.made_at);
                words::why::digest(&from, several.len(), total(notice), &clock.time(since))
            }
        };
    };
    let since = clock.time(first.event.at);
    let (count, all) = (first.count, first.total);
    match notice.kind {
        Kind::Update => words::why::update(&from, all, count, &since),
        Kind::Reminder => words::why::reminder(&from, all, count, &since),
        Kind::Quiet => words::why::quiet(&from, all, count, &clock.time(first.last_at)),
        Kind::First | Kind::Digest | Kind::Health if all > count => {
            words::why::update(&from, all, count, &since)
        }
        Kind::First | Kind::Digest | Kind::Health => words::why::first(&from, count, &since),
    }
}

fn notes(notice: &Notice) -> Vec<String> {
    let losses = notice.losses.iter().filter(|(_, count)| **count > 0);
    let losses = losses.map(|(reason, count)| words::lost(*count, &reason.to_string()));
    losses.chain(notice.is_last_today.then(|| words::LAST_TODAY.to_owned())).collect()
}

fn omissions(omitted: &[Sample], unsampled: u64) -> Vec<String> {
    let kinds = (!omitted.is_empty()).then(|| words::omitted_kinds(omitted.len(), counted(omitted)));
    kinds.into_iter().chain((unsampled > 0).then(|| words::omitted(unsampled))).collect()
}
