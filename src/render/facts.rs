//! What is known of an event and its process, as the rows of a mail.
//!
//! Invariant: what comes out is clean, and nothing in it that has several lines
//! can pass for another row.

use super::{Clock, clean, environment, report::Report, words};
use crate::{
    event::{Event, Field, Value},
    policy::{
        fingerprint::OVERRIDE,
        matcher::first_of_silenced,
        notice::{Kind, Process, Sample},
    },
};

/// What the program says, without what is told elsewhere of it: causes and backtrace.
pub(super) fn message(event: &Event) -> String {
    match report(&event.message) {
        None => block(&event.message),
        Some(Report { head, rest, .. }) => joined([head, rest]),
    }
}

/// The causes that the message tells.
pub(super) fn causes(event: &Event) -> String {
    let causes = report(&event.message).map(|report| report.causes).unwrap_or_default();
    let lines = causes.iter().map(|cause| format!("{}: {}", words::CAUSED_BY, continued(cause)));
    lines.collect::<Vec<_>>().join("\n")
}

/// The chain of each error, one link a line.
pub(super) fn errors(fields: &[Field]) -> String {
    let mut lines = Vec::new();
    for field in fields {
        let chain = match (&field.value, as_report(field)) {
            (Value::Error(chain), _) => {
                // A link may be a report of its own.
                let link = |link: &String| report(link).map_or_else(|| block(link), |report| report.head);
                chain.iter().map(link).collect()
            }
            (_, Some(Report { head, causes, rest, .. })) if !causes.is_empty() => {
                [vec![head], causes, if rest.is_empty() { Vec::new() } else { vec![rest] }].concat()
            }
            _ => Vec::new(),
        };
        let mut name = clean::line(&field.name, 80);
        for link in chain {
            lines.push(format!("{name}: {}", continued(&link)));
            name = words::CAUSED_BY.to_owned();
        }
    }
    lines.join("\n")
}

/// The backtraces of an event: its own, and those that its texts have in them.
pub(super) fn backtraces(event: &Event) -> Vec<String> {
    let fields = event.fields.iter().chain(event.spans.iter().flat_map(|span| span.fields.iter()));
    let texts = fields.flat_map(|field| match &field.value {
        Value::Str(text) => vec![text],
        Value::Error(chain) => chain.iter().collect(),
        _ => Vec::new(),
    });
    let found = [&event.message].into_iter().chain(texts).filter_map(|text| report(text)?.trace);
    let mut traces: Vec<String> = Vec::new();
    for trace in event.backtrace.clone().into_iter().chain(found) {
        let is_told = traces.iter().any(|known| known.split_whitespace().eq(trace.split_whitespace()));
        if !is_told {
            traces.push(trace);
        }
    }
    traces
}

/// The parts of a text that has more than one.
fn report(text: &str) -> Option<Report> {
    let report = Report::of(&block(text));
    (report.trace.is_some() || !report.causes.is_empty()).then_some(report)
}

fn as_report(field: &Field) -> Option<Report> {
    match &field.value {
        Value::Str(text) => report(text),
        _ => None,
    }
}

/// What is not empty of `parts`, one below the other.
pub(super) fn joined(parts: impl IntoIterator<Item = String>) -> String {
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n")
}

/// The fields that are no error chain and no backtrace, one a line; by what the program
/// groups an event is told elsewhere.
pub(super) fn fields(fields: &[Field]) -> String {
    let is_plain = |field: &&Field| !matches!(field.value, Value::Error(_)) && field.name != OVERRIDE;
    let plain = fields.iter().filter(is_plain).filter_map(|field| {
        let value = match as_report(field) {
            None => field.value.to_string(),
            // Its chain is told with those of errors.
            Some(Report { causes, .. }) if !causes.is_empty() => return None,
            Some(Report { head, rest, .. }) => joined([head, rest]),
        };
        let is_only_backtrace = value.is_empty() && field.value != Value::Str(String::new());
        (!is_only_backtrace).then(|| format!("{} = {}", clean::line(&field.name, 80), continued(&value)))
    });
    plain.collect::<Vec<_>>().join("\n")
}

/// More of `text` than fits, so that what is cut is marked.
pub(super) fn block(text: &str) -> String {
    clean::block(text, super::attachment::MAX_BYTES)
}

/// `text` with further lines indented, so that they cannot pass for fields.
fn continued(text: &str) -> String {
    block(text).replace('\n', "\n    ")
}

/// File and line first: that is what one opens.
pub(super) fn place(event: &Event) -> String {
    let location = clean::line(&event.location().unwrap_or_default(), 300);
    let target = clean::line(&event.target, 200);
    let module = clean::line(event.module_path.as_deref().unwrap_or_default(), 200);
    let module = if module == target { String::new() } else { module };
    // A panic has no target of its own.
    let target = if event.panic && target == "panic" { String::new() } else { target };
    let thread = clean::line(event.thread.as_deref().unwrap_or_default(), 40);
    let thread = if thread.is_empty() { thread } else { words::thread(&thread) };
    let lines = [location, target, module, thread];
    lines.into_iter().filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
}

/// One span a line, root first: `request{method=POST}`, `> charge{order=17}`.
pub(super) fn spans(event: &Event) -> String {
    let spans = event.spans.iter().map(|span| {
        let name = clean::line(&span.name, 80);
        let fields: Vec<String> = span
            .fields
            .iter()
            .filter_map(|field| {
                let report = as_report(field);
                let is_report = report.is_some();
                let value = report.map_or_else(
                    || field.value.to_string(),
                    |Report { head, causes, rest, .. }| {
                        let parts = [vec![head], causes, vec![rest]].concat();
                        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(": ")
                    },
                );
                let value = clean::line(&value, super::attachment::MAX_BYTES);
                let is_only_backtrace = is_report && value.is_empty();
                (!is_only_backtrace).then(|| format!("{}={value}", clean::line(&field.name, 80)))
            })
            .collect();
        if fields.is_empty() { name } else { format!("{name}{{{}}}", fields.join(" ")) }
    });
    spans.collect::<Vec<_>>().join("\n> ")
}

/// How often, since when, and when last.
pub(super) fn times(sample: &Sample, clock: &Clock) -> String {
    let first = clock.time(sample.event.at);
    let count = match sample.kind {
        Kind::Again => Some(words::long_count_again(sample.count, sample.today, sample.this_week)),
        _ => words::long_count(sample.count, sample.total),
    };
    let times = match count {
        None => first,
        Some(count) => {
            let last = words::last_at(&clock.time(sample.last_at));
            format!("{count}\n{}\n{last}", words::first_at(&first))
        }
    };
    let next = sample.held_until.map(|until| words::next_not_before(&clock.time(until)));
    joined([times, next.unwrap_or_default()])
}

pub(super) fn process(process: &Process) -> String {
    let facts = [
        clean::line(&process.app, 80),
        clean::line(environment(process), 40),
        clean::line(process.version.as_deref().unwrap_or_default(), 40),
        clean::line(process.host.as_deref().unwrap_or_default(), 80),
        process.pid.to_string(),
    ];
    let facts = words::PROCESS_FACTS.iter().zip(&facts).filter(|(_, fact)| !fact.is_empty());
    facts.map(|(name, fact)| format!("{name} = {fact}")).collect::<Vec<_>>().join("\n")
}

/// How the latest event differs from the first.
pub(super) fn latest(sample: &Sample) -> String {
    let Some(latest) = &sample.latest else { return String::new() };
    let first = &sample.event;
    let others = latest.fields.iter().filter(|field| !first.fields.contains(field)).cloned();
    let others: Vec<Field> = others.collect();
    let changed = |last: String, first: String| if last == first { String::new() } else { last };
    let parts = [
        changed(message(latest), message(first)),
        changed(causes(latest), causes(first)),
        errors(&others),
        changed(spans(latest), spans(first)),
        fields(&others),
    ];
    joined(parts)
}

/// Why these events are one kind, and how to change that.
pub(super) fn grouping(samples: &[Sample]) -> String {
    let own = |sample: &Sample| {
        let field = sample.event.fields.iter().find(|field| field.name == OVERRIDE)?;
        Some(clean::line(&field.value.to_string(), 80))
    };
    let in_common = |sample: &Sample| sample.in_common.as_deref().map(|text| clean::line(text, 200));
    match samples {
        [] => String::new(),
        // It comes from nowhere in the program.
        [only] if only.event.target.is_empty() => String::new(),
        // A silence made it one.
        [only] if first_of_silenced(&only.event.message).is_some() => String::new(),
        [only] => match (own(only), in_common(only)) {
            (Some(fingerprint), _) => words::grouped_by_field(&fingerprint),
            (None, Some(text)) => words::grouped_by_learning(&text),
            (None, None) => words::GROUPED_BY_DEFAULT.to_owned(),
        },
        several => {
            let own = several.iter().filter_map(|sample| {
                let incident = clean::line(&sample.incident, 16);
                let by_field = own(sample).map(|own| words::one_grouped_by_field(&incident, &own));
                by_field.or_else(|| Some(words::one_grouped_by_learning(&incident, &in_common(sample)?)))
            });
            let lines: Vec<_> = [words::GROUPED_BY_DEFAULT.to_owned()].into_iter().chain(own).collect();
            lines.join("\n")
        }
    }
}
