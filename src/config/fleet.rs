//! What is wrong with the settings of the store that instances share.
//!
//! Invariant: nothing of its URL is shown.

use std::{ops::RangeInclusive, time::Duration};

use super::{
    builder::{Builder, Fleet},
    report::{self, Report},
};
use crate::{
    error::{Fault, shown},
    host::time::spoken,
};

impl Builder {
    /// Takes out what is wrong with the fleet.
    pub(super) fn sift_fleet(&mut self, report: &mut Report) {
        if let Some(what) = wrong_schema(&self.fleet.schema) {
            report.add(report::FLEET_SCHEMA, Fault::new(what), &format!("{} is used", Fleet::DEFAULT_SCHEMA));
            self.fleet.schema = Fleet::DEFAULT_SCHEMA.to_owned();
        }
        if let Some(given) = self.fleet.poll.filter(|poll| !POLLS.contains(poll)) {
            let [given, least, most] = [given, *POLLS.start(), *POLLS.end()].map(spoken);
            let what = format!("{given} is not between {least} and {most}");
            report.add(report::FLEET_POLL, Fault::new(what), "the default pace is used");
            self.fleet.poll = None;
        }
        #[cfg(feature = "postgres")]
        if let Some(fault) = self.fleet.url.as_ref().and_then(crate::outbox::FleetSettings::fault) {
            report.add(report::FLEET, fault, "this instance alerts by itself");
            self.fleet.url = None;
        }
    }
}

/// Why `name` cannot be a schema of ours, whose name is written without quotation marks.
fn wrong_schema(name: &str) -> Option<String> {
    let is_letter = |c: char| c.is_ascii_lowercase() || c == '_';
    let is_name = name.starts_with(is_letter)
        && name.chars().all(|c| is_letter(c) || c.is_ascii_digit())
        && name.len() <= MAX_SCHEMA;
    if !is_name {
        let name = shown(name);
        return Some(format!("{name} is not a name of 1 to {MAX_SCHEMA} lower-case letters, digits and _"));
    }
    let is_reserved = name.starts_with("pg_") || name == "information_schema";
    is_reserved.then(|| format!("{} is PostgreSQL's own", shown(name)))
}

/// PostgreSQL cuts longer names, to the same one as others.
const MAX_SCHEMA: usize = 63;

/// More often is no use, and rarer ones leave too long what a dead instance left.
const POLLS: RangeInclusive<Duration> = Duration::from_secs(5)..=Duration::from_secs(60 * 60);
