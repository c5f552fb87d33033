//! In how many instances of a fleet it happened, and in which.
//!
//! Invariant: what comes out is clean, and of any number of names shows [`MAX_NAMES`].

use super::{clean, environment, gsm7, words};
use crate::policy::notice::{Kind, Notice, Sample, Spread};

/// As many names of a sort are shown.
const MAX_NAMES: usize = 3;

/// What the HTML template writes for the row.
pub(super) const ROW_BYTES: usize = 120;

/// Like `30 of 34 instances`; none of what one program alone tells.
pub(super) fn share(sample: &Sample) -> Option<String> {
    let Spread { instances, of, .. } = sample.spread.as_ref()?;
    // One that is gone since is not among those that there are.
    Some(words::instances(*instances, (*of).max(*instances)))
}

/// The same for an SMS, and in which version only, if others may have none of it: each
/// where there is room.
pub(super) fn short(sample: &Sample, kind: Kind) -> Vec<String> {
    let told = share(sample).filter(|_| kind != Kind::Health).map(|share| words::in_instances(&share));
    let version = sample.spread.as_ref().filter(|it| told.is_some() && it.instances < it.of).and_then(only);
    told.into_iter().chain(version.map(|version| words::only_version(&gsm7::fold(&version)))).collect()
}

/// The lines of a mail's row.
pub(super) fn lines(sample: &Sample) -> String {
    let (Some(share), Some(spread)) = (share(sample), &sample.spread) else { return String::new() };
    let versions = match only(spread) {
        Some(version) => Some(words::only_version(&version)),
        None => names(&spread.versions, MAX_VERSION_CHARS).map(|names| words::versions(&names)),
    };
    let hosts = names(&spread.hosts, MAX_HOST_CHARS).map(|names| words::hosts(&names));
    [Some(share), versions, hosts].into_iter().flatten().collect::<Vec<_>>().join("\n")
}

/// Where the message comes from: of one process, with its host; of several instances, with
/// their number if it tells of one incident.
pub(super) fn from(notice: &Notice) -> String {
    let process = &notice.process;
    let (app, environment) = (clean::line(&process.app, 80), clean::line(environment(process), 40));
    let host = clean::line(process.host.as_deref().unwrap_or_default(), 80);
    let host = if notice.samples.iter().any(is_of_several) { "" } else { &host };
    let from = words::from(&app, &environment, host);
    match notice.samples.as_slice() {
        [only] if notice.kind != Kind::Health => match share(only) {
            Some(share) => words::instances_of(&share, &from),
            None => from,
        },
        _ => from,
    }
}

/// Whose facts a mail has.
pub(super) fn process_label(notice: &Notice) -> &'static str {
    let is_of_several = notice.samples.iter().any(is_of_several);
    if is_of_several { words::label::PROCESS_OF_FIRST } else { words::label::PROCESS }
}

fn is_of_several(sample: &Sample) -> bool {
    sample.spread.as_ref().is_some_and(|spread| spread.instances > 1)
}

/// The version, if all events are of one.
fn only(spread: &Spread) -> Option<String> {
    match spread.versions.as_slice() {
        [(version, _)] => Some(clean::line(version, MAX_VERSION_CHARS)).filter(|it| !it.is_empty()),
        _ => None,
    }
}

/// The first ones with their counts, and how many others there are.
fn names(counts: &[(String, u64)], max_chars: usize) -> Option<String> {
    let named = |(name, count): &(String, u64)| {
        let name = clean::line(name, max_chars);
        let name = if name.is_empty() { words::UNNAMED.to_owned() } else { name };
        words::counted_name(&name, *count)
    };
    let shown: Vec<String> = counts.iter().take(MAX_NAMES).map(named).collect();
    let others = counts.len().saturating_sub(shown.len());
    (!shown.is_empty()).then(|| words::and_others(&shown.join(", "), others))
}

const MAX_VERSION_CHARS: usize = 40;
const MAX_HOST_CHARS: usize = 80;

#[cfg(test)]
mod tests;
