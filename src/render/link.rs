//! [`Links`]: the pages of others where a reader looks next, about one kind of event.
//!
//! Invariant: pure. A value of an event stands in a path, a query or a fragment, encoded,
//! so it never chooses whose page is opened. A template, which may hold a token, is shown
//! nowhere but in a mail.

use std::{fmt, sync::Arc};

use super::{clean, environment, headline, report::Report};
use crate::{
    error::Fault,
    event::{Event, Field, to_millis},
    host::{thread::Role, unwind::caught},
    policy::notice::{Notice, Sample},
};

/// A link that a mail shows.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) label: String,
    pub(super) url: String,
}

/// Every link that mails have.
#[derive(Clone, Default)]
pub(crate) struct Links(Vec<(String, Target)>);

/// What makes the address.
#[derive(Clone)]
enum Target {
    Template(Template),
    Own(Arc<Own>),
}

pub(crate) type Own = dyn Fn(&Sample, &Notice) -> Option<String> + Send + Sync;

impl Links {
    /// Adds what was [checked](Template::fault).
    pub(crate) fn add(&mut self, label: &str, template: Template) {
        self.0.push((label.to_owned(), Target::Template(template)));
    }

    /// Adds what the program makes itself.
    pub(crate) fn add_own(&mut self, label: &str, own: Arc<Own>) {
        self.0.push((label.to_owned(), Target::Own(own)));
    }

    /// Those for `sample`: none that lacks a value.
    pub(super) fn of(&self, sample: &Sample, notice: &Notice) -> Vec<Link> {
        let links = self.0.iter().filter_map(|(label, target)| {
            let url = match target {
                Target::Template(template) => template.url(sample, notice),
                Target::Own(own) => caught(|| Role::Guest.play(|| own(sample, notice))).flatten(),
            };
            let url = url.filter(|url| url.len() <= MAX_URL_BYTES && address_fault(url).is_none())?;
            Some(Link { label: clean::line(label, MAX_LABEL_CHARS), url })
        });
        links.collect()
    }
}

/// Shows how many there are.
impl fmt::Debug for Links {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Links({})", self.0.len())
    }
}

/// An address with names in braces for the values of an event:
/// `https://logs.example.com/?query={message}&from={first_ms}`.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Template(String);

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Template([redacted])")
    }
}

impl Template {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into().trim().to_owned())
    }

    /// What is wrong with it; the words do not show it.
    pub(crate) fn fault(&self) -> Option<Fault> {
        let Some(pieces) = pieces(&self.0) else {
            return Some(
                Fault::new("has braces that hold no known name")
                    .mend(format!("write one of {NAMES}, or %7B and %7D for braces")),
            );
        };
        // As if each value were a letter, where a value may stand.
        let literal = pieces.iter().map(|piece| match piece {
            Piece::Text(text) => text,
            Piece::Value(_) => "{",
        });
        address_fault(&literal.collect::<String>())
    }

    fn url(&self, sample: &Sample, notice: &Notice) -> Option<String> {
        let (mut url, mut is_path) = (String::new(), true);
        for piece in pieces(&self.0)? {
            match piece {
                Piece::Text(text) => {
                    is_path &= !text.contains(['?', '#']);
                    url.push_str(text);
                }
                Piece::Value(name) => {
                    let value = value(name, sample, notice)?;
                    // The directories of a file are those of a path.
                    let kept = if is_path && name == Name::File { "/" } else { "" };
                    encode(&value, kept, &mut url);
                }
            }
        }
        // A browser would leave out the directory before it.
        let path = url.split(['?', '#']).next().unwrap_or_default();
        let is_dots =
            |part: &str| matches!(part.replace("%2e", ".").replace("%2E", ".").as_str(), "." | "..");
        (!path.split('/').any(is_dots)).then_some(url)
    }
}

enum Piece<'a> {
    Text(&'a str),
    Value(Name<'a>),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Name<'a> {
    App,
    Environment,
    Version,
    Host,
    File,
    Line,
    Target,
    Message,
    Id,
    FirstMs,
    LastMs,
    Field(&'a str),
    Span(&'a str),
}

/// The pieces of a template; none if its braces are wrong.
fn pieces(text: &str) -> Option<Vec<Piece<'_>>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}')?;
        if before.contains('}') {
            return None;
        }
        pieces.extend([Piece::Text(before), Piece::Value(known(name)?)]);
        rest = after;
    }
    pieces.push(Piece::Text(rest));
    (!rest.contains('}')).then_some(pieces)
}

fn known(name: &str) -> Option<Name<'_>> {
    Some(match name {
        "app" => Name::App,
        "environment" => Name::Environment,
        "version" => Name::Version,
        "host" => Name::Host,
        "file" => Name::File,
        "line" => Name::Line,
        "target" => Name::Target,
        "message" => Name::Message,
        "id" => Name::Id,
        "first_ms" => Name::FirstMs,
        "last_ms" => Name::LastMs,
        _ => match name.split_once(':')? {
            ("field", name) if !name.is_empty() => Name::Field(name),
            ("span", name) if !name.is_empty() => Name::Span(name),
            _ => return None,
        },
    })
}

/// None if it is missing, or too long for an address. Of a message, its beginning will
/// do.
fn value(name: Name<'_>, sample: &Sample, notice: &Notice) -> Option<String> {
    let Sample { event, .. } = sample;
    let field = |fields: &[Field], name: &str| {
        fields.iter().find(|field| field.name == name).map(|field| field.value.to_string())
    };
    let value = match name {
        Name::App => notice.process.app.clone(),
        Name::Environment => environment(&notice.process).to_owned(),
        Name::Version => notice.process.version.clone()?,
        Name::Host => notice.process.host.clone()?,
        Name::File => in_the_repository(event)?,
        Name::Line => event.line?.to_string(),
        Name::Target => event.target.clone().into_owned(),
        Name::Message => {
            let head = Report::of(&clean::block(&event.message, MAX_TEXT_CHARS)).head;
            let line = clean::line(head.lines().next().unwrap_or_default(), MAX_VALUE_CHARS);
            headline::start(&line, MAX_MESSAGE_CHARS, |_| 1, "")
        }
        Name::Id => sample.incident.clone(),
        Name::FirstMs => to_millis(event.at).to_string(),
        Name::LastMs => to_millis(sample.last_at).to_string(),
        Name::Field(name) => field(&event.fields, name)?,
        Name::Span(name) => event.spans.iter().rev().find_map(|span| field(&span.fields, name))?,
    };
    let cleaned = clean::line(&value, MAX_VALUE_CHARS);
    (!cleaned.is_empty() && !cleaned.ends_with('…')).then_some(cleaned)
}

/// The event's file, if it is one of the program's own: one of a library, or of the
/// standard library, has a whole path.
fn in_the_repository(event: &Event) -> Option<String> {
    let file = event.file.as_deref()?.replace('\\', "/");
    let is_whole = file.starts_with('/') || file.get(1..2) == Some(":");
    (!is_whole).then_some(file)
}

/// Percent-encodes all but letters, digits, `-`, `.`, `_`, `~` and what is `kept`.
fn encode(text: &str, kept: &str, into: &mut String) {
    for byte in text.bytes() {
        let c = char::from(byte);
        if c.is_ascii_alphanumeric() || "-._~".contains(c) || kept.contains(c) {
            into.push(c);
        } else {
            into.push_str(&format!("%{byte:02X}"));
        }
    }
}

/// What is wrong with an address; a brace stands for a value.
fn address_fault(url: &str) -> Option<Fault> {
    let fault = |what: &str, mend: &str| Some(Fault::new(what).mend(mend));
    let scheme = url.get(..SCHEME.len()).unwrap_or_default();
    if !scheme.eq_ignore_ascii_case(SCHEME) {
        return fault("does not begin with https://", "give a whole address");
    }
    let rest = url.get(SCHEME.len()..).unwrap_or_default();
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if host.contains('{') {
        return fault(
            "has a value in its host",
            "put values behind it only: an event must not choose whose page is opened",
        );
    }
    if host.contains('@') {
        return fault("has a user name", "leave it out: every reader of a mail would see it");
    }
    let is_host = |c: char| c.is_ascii_alphanumeric() || ".-:[]".contains(c);
    if !host.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '[') || !host.chars().all(is_host) {
        return fault("has no host that can be read", "give a whole address");
    }
    let is_fit = |c: char| c.is_ascii_graphic() && !"\"<>\\^`|".contains(c);
    (!rest.chars().all(is_fit))
        .then(|| Fault::new("has characters that an address cannot have").mend("percent-encode them"))
}

const SCHEME: &str = "https://";

/// Every name that may stand in braces.
const NAMES: &str = "{app}, {environment}, {version}, {host}, {file}, {line}, {target}, {message}, {id}, {first_ms}, {last_ms}, {field:NAME}, {span:NAME}";

/// What is longer, some programs cut.
const MAX_URL_BYTES: usize = 2_000;

const MAX_VALUE_CHARS: usize = 500;

/// As much of a message as one searches for.
const MAX_MESSAGE_CHARS: usize = 120;

const MAX_TEXT_CHARS: usize = 8 * 1024;

const MAX_LABEL_CHARS: usize = 24;

#[cfg(test)]
mod tests;
