//! What is known of an event and its process, as the rows of a mail.
//!
//! Invariant: what comes out is clean, and nothing in it that has several lines
//! can pass for another row.

use super::{Clock, clean, environment, silence_hint, words};
use crate::{
    event::{Event, Field, Value},
    policy::{
        fingerprint::OVERRIDE,
        matcher::first_of_silenced,
        notice::{Process, Sample},
    },
};

/// The chain of each error, one link a line.
pub(super) fn errors(fields: &[Field]) -> String {
    let mut lines = Vec::new();
    for field in fields {
        let Value::Error(chain) = &field.value else { continue };
        let mut name = clean::line(&field.name, 80);
        for link in chain {
            lines.push(format!("{name}: {}", continued(link)));
            name = words::CAUSED_BY.to_owned();
        }
    }
    lines.join("\n")
}

/// The fields that are no error chain, one a line; by what the program groups an
/// event is told elsewhere.
pub(super) fn fields(fields: &[Field]) -> String {
    let is_plain = |field: &&Field| !matches!(field.value, Value::Error(_)) && field.name != OVERRIDE;
    let plain = fields.iter().filter(is_plain);
    let lines: Vec<String> = plain
        .map(|field| format!("{} = {}", clean::line(&field.name, 80), continued(&field.value.to_string())))
        .collect();
    lines.join("\n")
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
            .map(|field| {
                let value = clean::line(&field.value.to_string(), super::attachment::MAX_BYTES);
                format!("{}={value}", clean::line(&field.name, 80))
            })
            .collect();
        if fields.is_empty() { name } else { format!("{name}{{{}}}", fields.join(" ")) }
    });
    spans.collect::<Vec<_>>().join("\n> ")
}

/// How often, since when, and when last.
pub(super) fn times(sample: &Sample, clock: &Clock) -> String {
    let first = clock.time(sample.event.at);
    match words::long_count(sample.count, sample.total) {
        None => first,
        Some(count) => {
            let last = words::last_at(&clock.time(sample.last_at));
            format!("{count}\n{}\n{last}", words::first_at(&first))
        }
    }
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
        changed(block(&latest.message), block(&first.message)),
        errors(&others),
        changed(spans(latest), spans(first)),
        fields(&others),
    ];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n")
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

/// How to be told no more of these events.
pub(super) fn silence(samples: &[Sample]) -> String {
    match samples {
        [] => String::new(),
        // It is no event of the program's.
        [only] if only.event.target.is_empty() => String::new(),
        [only] => words::silence(&silence_hint::matcher(&only.event, only.in_common.as_deref())),
        _ => words::silence(words::ANY_MATCHER),
    }
}
