//! The text of a variable becomes a value, or what is wrong with it.
//!
//! Invariant: pure. A value is shown only as [`shown`] allows, and proposed in
//! another form only if it [is showable](is_showable).

use std::time::Duration;

use jiff::SignedDuration;
use tracing_subscriber::filter::LevelFilter;

use super::{clean, suggest};
use crate::{
    capture::directives::Directives,
    error::{Fault, is_showable, shown},
    policy::budget::Budget,
};

/// Levels by name; for a number, nobody knows the order.
pub(super) fn level(text: &str) -> Result<LevelFilter, Fault> {
    let is_name = |(name, _): &&(&str, _)| text.eq_ignore_ascii_case(name);
    if let Some(level) = LEVELS.iter().find(is_name).and_then(|(name, _)| name.parse().ok()) {
        return Ok(level);
    }
    let what = format!("{} is not a level (error, warn, info, debug, trace or off)", shown(text));
    Err(meant(Fault::new(what), suggest::word(text, &LEVELS), text))
}

/// Like `error,tower_http=off,sqlx=warn`: the level of all, and those of targets.
/// What is wrong with an entry does not touch the others.
pub(super) fn levels(text: &str) -> (Option<LevelFilter>, Directives, Vec<Fault>) {
    let (mut of_all, mut directives, mut faults) = (None, Directives::default(), Vec::new());
    for entry in &clean::entries(text).0 {
        match directive(entry) {
            Ok((None, _)) if of_all.is_some() => {
                let what = format!("{} is a second level without a target", shown(entry));
                faults.push(Fault::new(what).mend("give one for all, and others like `my_crate=warn`"));
            }
            Ok((None, level)) => of_all = Some(level),
            Ok((Some(target), level)) => directives.set(target, level),
            Err(fault) => faults.push(fault),
        }
    }
    (of_all, directives, faults)
}

fn directive(entry: &str) -> Result<(Option<&str>, LevelFilter), Fault> {
    if entry.contains(';') {
        let what = format!("{} has a semicolon", shown(entry));
        return Err(Fault::new(what).mend("separate the entries with commas"));
    }
    let colon = entry.rsplit_once(':').filter(|(_, text)| !entry.contains('=') && level(text).is_ok());
    if let Some((target, text)) = colon {
        let proposed = match target.strip_suffix(':') {
            // Like `LevelFilter::WARN`.
            Some(_) => text.to_lowercase(),
            None => format!("{target}={text}"),
        };
        return Err(meant(Fault::new(format!("{} is not a level", shown(entry))), Some(&proposed), entry));
    }
    let Some((target, text)) = entry.split_once('=') else {
        return level(entry).map(|level| (None, level)).map_err(|fault| match fault.mend {
            // A target alone would mean all of its events, down to `trace`.
            None if is_target(entry) && is_showable(entry) => {
                fault.mend(format!("for a target, set it like `{entry}=warn`"))
            }
            Some(_) | None => fault,
        });
    };
    let target = target.trim();
    if !is_target(target) {
        let fault = Fault::new(format!("{} is not a target", shown(target)));
        let example = "give the beginning of one, like `tower_http=off`";
        return Err(match level(text.trim()) {
            Ok(level) => fault.mend(format!("{example}; did you mean {level}?")),
            Err(_) => fault.mend(example),
        });
    }
    Ok((Some(target), level(text.trim())?))
}

/// Whether a directive can be for it.
pub(in crate::config) fn is_target(text: &str) -> bool {
    !text.is_empty()
        && text.chars().count() <= MAX_TARGET_CHARS
        && !text.chars().any(|c| c.is_whitespace() || c.is_control() || ",=<>[]{}\"".contains(c))
}

pub(super) fn switch(text: &str) -> Result<bool, Fault> {
    match text.to_ascii_lowercase().as_str() {
        "on" | "true" | "yes" | "1" => Ok(true),
        "off" | "false" | "no" | "0" => Ok(false),
        _ => {
            let fault = Fault::new(format!("{} is not `on` or `off`", shown(text)));
            Err(meant(fault, suggest::word(text, &SWITCH), text))
        }
    }
}

pub(super) fn duration(text: &str) -> Result<Duration, Fault> {
    if let Some(duration) = as_duration(text) {
        return Ok(duration);
    }
    let is_bare = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let what = match text {
        _ if is_bare => format!("{} has no unit", shown(text)),
        _ if text.starts_with('-') => format!("{} is negative", shown(text)),
        _ => format!("{} is not a duration (like 500ms, 90s, 5m or 1h)", shown(text)),
    };
    let repaired = [format!("{text}s"), text.to_lowercase(), text.to_lowercase().replace(',', ".")];
    let repaired = repaired.into_iter().find(|text| as_duration(text).is_some());
    Err(meant(Fault::new(what), repaired.as_deref(), text))
}

fn as_duration(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    text.parse::<SignedDuration>().ok()?.try_into().ok()
}

/// Like `3,10m,20`, or `off`.
pub(super) fn budget(text: &str) -> Result<Option<Budget>, Fault> {
    if switch(text) == Ok(false) && text != "0" {
        return Ok(None);
    }
    let parts: Vec<_> = text.split(',').map(str::trim).collect();
    let [burst, refill, per_day] = parts[..] else {
        let what = format!("{} is not `off`, or messages at once, a duration, messages a day", shown(text));
        let with_commas: Vec<_> =
            text.split([',', ';', '/', ':', ' ']).filter(|part| !part.is_empty()).collect();
        let is_one = with_commas.len() == 3;
        let repaired = Some(with_commas.join(",")).filter(|text| is_one && budget(text).is_ok());
        let repaired = repaired.as_deref().or_else(|| UNLIMITED.contains(&text).then_some("off"));
        return Err(meant(Fault::new(what), repaired, text));
    };
    let number = |part: &str, which: &str| {
        part.parse().map_err(|_| Fault::new(format!("its {which} part, {}, is not a number", shown(part))))
    };
    let (burst, per_day) = (number(burst, "first")?, number(per_day, "third")?);
    let refill = duration(refill).map_err(|fault| {
        let what = format!("its second part, {}", fault.what);
        Fault { what, ..fault }
    })?;
    Ok(Some(Budget::new(burst, refill, per_day)))
}

/// Like `60`, or `off`.
pub(super) fn segments(text: &str) -> Result<Option<u32>, Fault> {
    if switch(text) == Ok(false) && text != "0" {
        return Ok(None);
    }
    let what = || Fault::new(format!("{} is not `off`, or a number of segments a day", shown(text)));
    let repaired = UNLIMITED.contains(&text).then_some("off");
    text.parse().map(Some).map_err(|_| meant(what(), repaired, text))
}

/// `fault` with what was probably meant by `text`.
fn meant(fault: Fault, meant: Option<&str>, text: &str) -> Fault {
    match meant.filter(|_| is_showable(text)) {
        Some(meant) => fault.mend(format!("did you mean {meant}?")),
        None if text.contains('#') => fault.mend("put a comment on a line of its own"),
        None => fault,
    }
}

/// Each level, and what else people call it.
const LEVELS: [(&str, &[&str]); 6] = [
    ("error", &["err", "critical", "crit", "fatal", "severe", "emergency", "panic"]),
    ("warn", &["warning", "warnings"]),
    ("info", &["information", "notice"]),
    ("debug", &["verbose"]),
    ("trace", &["all", "everything"]),
    ("off", &["none", "no", "never", "nothing", "disable", "disabled", "false"]),
];

const SWITCH: [(&str, &[&str]); 2] = [
    ("on", &["true", "enable", "enabled", "active", "y", "t"]),
    ("off", &["false", "disable", "disabled", "none", "never", "n", "f"]),
];

const UNLIMITED: [&str; 4] = ["none", "unlimited", "infinite", "inf"];

/// The longest targets are paths of modules.
const MAX_TARGET_CHARS: usize = 200;
