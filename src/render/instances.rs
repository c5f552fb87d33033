//! In how many instances of a fleet it happened, and in which.
//!
//! Invariant: what comes out is clean, and of any number of names shows [`MAX_NAMES`].

use super::{clean, environment, facts, gsm7, words};
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
    let is_part = sample.spread.as_ref().is_some_and(|spread| spread.instances < spread.of);
    let version = only_version(sample).filter(|_| is_part && told.is_some());
    told.into_iter().chain(version.map(|version| words::only_version(&gsm7::fold(&version)))).collect()
}

/// The lines of a mail's row.
pub(super) fn lines(sample: &Sample) -> String {
    let (Some(share), Some(spread)) = (share(sample), &sample.spread) else { return String::new() };
    let (versions, hosts) =
        (names(&spread.versions, MAX_VERSION_CHARS), names(&spread.hosts, MAX_HOST_CHARS));
    let versions = match only_version(sample) {
        Some(version) => words::only_version(&version),
        None if versions.is_empty() => String::new(),
        None => words::versions(&versions, spread.versions.len() > versions.len()),
    };
    let all = spread.hosts.len().max(usize::try_from(spread.hosts_in_all).unwrap_or_default());
    let hosts = if hosts.is_empty() { String::new() } else { words::hosts(&hosts, all - hosts.len()) };
    facts::joined([share, versions, hosts])
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
fn only_version(sample: &Sample) -> Option<String> {
    match sample.spread.as_ref()?.versions.as_slice() {
        [(version, count)] if *count >= sample.total => {
            Some(clean::line(version, MAX_VERSION_CHARS)).filter(|version| !version.is_empty())
        }
        _ => None,
    }
}

/// The first ones with their counts.
fn names(counts: &[(String, u64)], max_chars: usize) -> Vec<String> {
    let named = |(name, count): &(String, u64)| {
        let name = clean::line(name, max_chars);
        let name = if name.is_empty() { words::UNNAMED.to_owned() } else { name };
        words::counted_name(&name, *count)
    };
    counts.iter().take(MAX_NAMES).map(named).collect()
}

const MAX_VERSION_CHARS: usize = 40;
const MAX_HOST_CHARS: usize = 80;

#[cfg(test)]
pub(super) mod tests;
