//! The mail: one content, written as plain text and as HTML; and once more, at
//! length, if they cannot show all of it.
//!
//! Invariant: the templates only lay out what [`Mail`] holds, so both bodies
//! say the same; all text in it is clean and bounded, and the HTML template
//! escapes it.

use askama::Template;

use super::{
    Attachment, Clock, DefaultRender, attachment, bars::Bars, before, clean, counted, facts, headline,
    headline_with_cause, instances, late, link::Link, panic_place, silence_hint, space::Space, total, trace,
    word, words,
};
use crate::{
    event::Event,
    policy::notice::{Kind, Notice, Sample},
};

/// Neither body is longer.
const MAX_BODY_BYTES: usize = 64 * 1024;

/// What the templates write round the events, with the facts of the process.
const FRAME_BYTES: usize = 6500;

/// More events than that are a number.
const MAX_ENTRIES: usize = 25;

/// How much a mail may hold.
struct Scope<'a> {
    bytes: usize,
    entries: usize,
    backtraces: usize,
    /// What the templates write round one event, and round its backtrace.
    entry_bytes: usize,
    backtrace_bytes: usize,
    /// How much of what happened before is shown with each of several events.
    before_of_several: usize,
    /// Stands where a text was cut.
    mark: &'a str,
}

/// What a body shows.
const BODY: Scope<'static> = Scope {
    bytes: MAX_BODY_BYTES,
    entries: MAX_ENTRIES,
    backtraces: 8,
    entry_bytes: 1300,
    backtrace_bytes: 900,
    before_of_several: 8,
    mark: "",
};

/// What its attachment does: only as text.
const ATTACHED: Scope<'static> = Scope {
    bytes: attachment::MAX_BYTES,
    entries: usize::MAX,
    backtraces: usize::MAX,
    entry_bytes: 500,
    backtrace_bytes: 300,
    before_of_several: usize::MAX,
    mark: words::CUT,
};

/// Of more events the bars are text in either body.
const MAX_DRAWN: usize = 8;

/// What the HTML template writes for the bars of one.
const BARS_BYTES: usize = 1000;

/// What the HTML template writes for a link, and its label once more.
const LINK_BYTES: usize = 160;

/// How much of an event its line in the overview shows.
const MAX_OVERVIEW_CHARS: usize = 72;

/// The bodies of the mail about `notice`: plain text, HTML; and what they had
/// to leave out.
pub(super) fn bodies(
    notice: &Notice,
    subject: &str,
    default: &DefaultRender,
) -> (String, String, Option<Attachment>) {
    let name = attachment::name(&format!("alert-{}.txt", clean::line(&notice.id, 16)));
    let mail = Mail::new(notice, default, &name, &Scope { mark: &words::cut_in_mail(&name), ..BODY });
    // A template of strings cannot fail to render: writing to a String does not.
    let text = TextBody { mail: &mail }.render().unwrap_or_default();
    let html = HtmlBody { mail: &mail, subject }.render().unwrap_or_default();
    let attached = mail.is_cut.then(|| {
        let whole = Mail::new(notice, default, &name, &ATTACHED);
        Attachment::new(name, TextBody { mail: &whole }.render().unwrap_or_default())
    });
    (text, html, attached)
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
    /// The id, and what can be done now: one line.
    foot: String,
    /// How events are grouped, and how a program silences them: for whoever wants to
    /// know.
    fold: Option<Row>,
    /// Whether something is left out.
    is_cut: bool,
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
    /// What the HTML draws in its place.
    drawn: Option<Bars>,
    /// What the HTML links to in its place.
    links: Vec<Link>,
}

impl Row {
    fn new(label: impl Into<String>, text: String) -> Self {
        Self { label: label.into(), text, drawn: None, links: Vec::new() }
    }

    /// If there is room for all of them.
    fn of_links(links: Vec<Link>, space: &mut Space<'_>) -> Option<Self> {
        let lines: Vec<String> = links.iter().map(|link| format!("{}: {}", link.label, link.url)).collect();
        let text = space.spend_whole(lines.join("\n"), links.len() * LINK_BYTES)?;
        Some(Self { links, ..Self::new(words::label::LINKS, text) })
    }

    fn of_bars(bars: Bars, is_drawn: bool) -> Self {
        let text = format!("{} {}", bars.blocks(), bars.caption);
        Self { drawn: Some(bars).filter(|_| is_drawn), ..Self::new(words::label::PACE, text) }
    }
}

impl Mail {
    fn new(notice: &Notice, default: &DefaultRender, file: &str, scope: &Scope<'_>) -> Self {
        let DefaultRender { clock, links, .. } = default;
        let (shown, omitted) = notice.samples.split_at(notice.samples.len().min(scope.entries));
        let traces = shown.iter().flat_map(|sample| {
            facts::backtraces(&sample.event).into_iter().map(move |trace| (&sample.event, trace))
        });
        let traces: Vec<_> = traces.collect();
        let (all_traced, traced) = (traces.len(), traces.len().min(scope.backtraces));
        let frames = FRAME_BYTES
            + shown.len() * scope.entry_bytes
            + traced * scope.backtrace_bytes
            + shown.len().min(MAX_DRAWN) * BARS_BYTES
            + shown.iter().filter(|sample| sample.spread.is_some()).count() * instances::ROW_BYTES;
        let mut space = Space::new(scope.bytes.saturating_sub(frames), scope.mark);
        let is_health = notice.kind == Kind::Health;
        let overview = if shown.len() > 1 { overview(shown, &mut space) } else { Vec::new() };
        let of_events = if is_health { &[] } else { shown };
        let for_codes = if default.has_codes { of_events } else { &[] };
        let fold = [facts::grouping(of_events), silence_hint::at_length(for_codes)];
        let fold = fold.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n\n");
        let fold = space.spend_third(&fold);
        let mut for_traces = space.set_aside(if traced > 0 { space.third() } else { 0 });

        let mut entries = Vec::with_capacity(shown.len());
        let before = if shown.len() > 1 { scope.before_of_several } else { usize::MAX };
        for (place, sample) in shown.iter().enumerate() {
            let entry = |space: &mut Space<'_>| {
                let links = if is_health { Vec::new() } else { links.of(sample, notice) };
                Entry::new(sample, is_health, place < MAX_DRAWN, before, clock, links, space)
            };
            entries.push(space.share(shown.len() - place, entry));
        }
        for_traces.take_back(space);
        let mut space = for_traces;
        let mut backtraces = Vec::with_capacity(traced);
        for ((event, text), rest) in traces.iter().zip((1..=traced).rev()) {
            let several = shown.len() > 1;
            backtraces.extend(space.share(rest, |space| backtrace(event, text, several, space)));
        }

        Self {
            preview: preview(notice),
            reason: reason(notice, clock),
            notes: notes(notice),
            overview,
            entries,
            omitted: omissions(omitted, all_traced - traced, notice.unsampled, file),
            process: Row::new(instances::process_label(notice), facts::process(&notice.process)),
            backtraces,
            foot: format!("#{}{}", clean::line(&notice.id, 40), silence_hint::now(for_codes)),
            fold: (!fold.is_empty()).then(|| Row::new(words::label::FOLD, fold)),
            is_cut: space.has_cut() || !omitted.is_empty() || traced < all_traced,
        }
    }
}

/// The frames of the program itself, and behind them all others.
fn backtrace(event: &Event, text: &str, several: bool, space: &mut Space<'_>) -> Vec<Row> {
    let (own, others) = trace::split(&facts::block(text));
    let of_which = |label: &str| match several {
        false => label.to_owned(),
        true => format!("{label} ({}: {})", word(event), headline(event, 60)),
    };
    let mut row = |label: &str, text: &str| {
        let label = space.spend(&of_which(label));
        Row::new(label, space.spend(text))
    };
    match (own.is_empty(), others.is_empty()) {
        (true, _) => vec![row(words::label::BACKTRACE, &others)],
        (false, true) => vec![row(words::label::BACKTRACE, &own)],
        (false, false) => {
            vec![row(words::label::BACKTRACE, &own), row(words::label::OTHER_FRAMES, &others)]
        }
    }
}

impl Entry {
    /// No part can hide the others: what can be long gets a third of what is
    /// left, after what cannot. It shows so much of what was `before`.
    fn new(
        sample: &Sample,
        is_health: bool,
        is_drawn: bool,
        before: usize,
        clock: &Clock,
        links: Vec<Link>,
        space: &mut Space<'_>,
    ) -> Self {
        let event = &sample.event;
        let times = space.spend(&facts::times(sample, clock));
        let instances = space.spend(&instances::lines(sample));
        let message = facts::message(event);
        let message = if message.is_empty() { headline(event, 200) } else { message };
        let message = space.spend_third(&message);
        let links = Row::of_links(links, space);
        // What is about the alerting comes from nowhere in the program.
        let place = if is_health { String::new() } else { facts::place(event) };
        let place = space.spend_third(&place);
        let errors = [facts::causes(event), facts::errors(&event.fields)];
        let errors = errors.into_iter().filter(|lines| !lines.is_empty()).collect::<Vec<_>>().join("\n");
        let errors = space.spend_third(&errors);
        let spans = space.spend_third(&facts::spans(event));
        let latest = space.spend_third(&facts::latest(sample));
        let before = before::lines(event, clock, before, space);
        let fields = space.spend(&facts::fields(&event.fields));
        let before_label = if sample.total > 1 { words::label::BEFORE_FIRST } else { words::label::BEFORE };
        let rows = [
            links,
            Some(Row::new(words::label::ERROR, errors)),
            Some(Row::new(words::label::PLACE, place)),
            Some(Row::new(words::label::SPANS, spans)),
            Some(Row::new(words::label::TIMES, times)),
            Bars::new(sample, clock).map(|bars| Row::of_bars(bars, is_drawn)),
            Some(Row::new(words::label::INSTANCES, instances)),
            Some(Row::new(words::label::FIELDS, fields)),
            Some(Row::new(words::label::LATEST, latest)),
            Some(Row::new(before_label, before)),
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
            rows: rows.into_iter().flatten().filter(|row| !row.text.is_empty()).collect(),
        }
    }
}

/// Like `37x ERROR: payment failed #7K3Q`.
fn overview(shown: &[Sample], space: &mut Space<'_>) -> Vec<String> {
    let lines = shown.iter().map(|sample| {
        let what = headline_with_cause(&sample.event, MAX_OVERVIEW_CHARS);
        let incident = clean::line(&sample.incident, 16);
        let line = format!("{}: {what} #{incident}", word(&sample.event));
        let instances = instances::share(sample);
        space.spend(&words::overview(sample.count, &line, instances.as_deref(), sample.kind))
    });
    lines.collect()
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
    let from = instances::from(notice);
    let made_at = clock.time(notice.made_at);
    let samples = notice.samples.as_slice();
    let ([first], false) = (samples, notice.kind == Kind::Health) else {
        return match samples {
            _ if notice.kind == Kind::Health => words::why::health(&from, &made_at),
            [] => words::why::unsampled(&from, total(notice), &made_at),
            several if several.iter().all(|sample| sample.kind == Kind::Quiet) => {
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
    match first.kind {
        Kind::Again => words::why::again(&from, first.today, first.this_week, count),
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
    let late = late(notice).map(|by| words::late(&by));
    late.into_iter().chain(losses).chain(notice.is_last_today.then(|| words::LAST_TODAY.to_owned())).collect()
}

fn omissions(omitted: &[Sample], backtraces: usize, unsampled: u64, file: &str) -> Vec<String> {
    let kinds = (!omitted.is_empty()).then(|| words::omitted_kinds(omitted.len(), counted(omitted), file));
    let backtraces = (backtraces > 0).then(|| words::omitted_backtraces(backtraces, file));
    kinds.into_iter().chain(backtraces).chain((unsampled > 0).then(|| words::omitted(unsampled))).collect()
}
