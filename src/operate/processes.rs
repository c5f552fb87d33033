//! Which processes have a file open, as far as this machine can tell.
//!
//! Each process notes itself in the file, beside the recipients that it tells; whether it
//! is still there, its lock says. Invariant: what one machine cannot know of another is
//! said to be unknown.

use std::{collections::BTreeSet, time::SystemTime};

use jiff::Timestamp;

use super::{File, Finding, Unusable, one_line};
use crate::{dispatcher::is_alive, policy::known::Knower};

/// What is said of the processes that have `file` open.
pub(super) fn examine(file: &mut File) -> Vec<Finding> {
    let host = hostname::get().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    match file.processes() {
        Err(why) => vec![Finding::unknown(OF, IN_USE, format!("not known: {why}"))],
        Ok((known, holders)) => findings(&known, holders.as_ref(), &host),
    }
}

impl File {
    /// The processes that noted themselves, and those that have the file open, if the
    /// system says so.
    fn processes(&mut self) -> Result<(Vec<Knower>, Option<BTreeSet<u32>>), Unusable> {
        self.with(async |store| Ok((store.knowers().await?, store.holders())))
    }
}

fn findings(known: &[Knower], holders: Option<&BTreeSet<u32>>, host: &str) -> Vec<Finding> {
    let (here, elsewhere): (Vec<_>, Vec<_>) = known.iter().partition(|it| it.host == host);
    let has_it =
        |it: &&&Knower| holders.map_or_else(|| is_alive(it.pid), |holders| holders.contains(&it.pid));
    // Of a number that was given twice, the last one has it.
    let is_last = |it: &&&Knower| !here.iter().any(|other| other.pid == it.pid && other.run > it.run);
    let open: Vec<&Knower> = here.iter().filter(has_it).filter(is_last).copied().collect();
    let unnoted = holders.into_iter().flatten().filter(|pid| !open.iter().any(|it| it.pid == **pid));
    let mut found: Vec<_> =
        open.iter().map(|it| Finding::good(OF, IN_USE, format!("by {}", told(it)))).collect();
    found.extend(unnoted.map(|pid| Finding::good(OF, IN_USE, format!("by process {pid}{}", command(*pid)))));
    found.truncate(MAX_SHOWN);
    if let Some(last) = elsewhere.last() {
        let says = format!(
            "{} elsewhere had it open, and may have it still; the last one is {}",
            match elsewhere.len() {
                1 => "1 process".to_owned(),
                many => format!("{many} processes"),
            },
            told(last)
        );
        found.push(Finding::unknown(OF, IN_USE, says));
    }
    if found.is_empty() {
        let says = "no program has it open: nothing is sent before one starts";
        found.push(Finding::unknown(OF, IN_USE, says));
    }
    found
}

/// Which process it is.
fn told(it: &Knower) -> String {
    let host = if it.host.is_empty() { String::new() } else { format!(" on {}", one_line(&it.host, 80)) };
    let version = it.version.as_ref().map(|it| format!(", version {}", one_line(it, 40))).unwrap_or_default();
    let (secs, nanos) = it.run.get_timestamp().map(|at| at.to_unix()).unwrap_or_default();
    let since = SystemTime::UNIX_EPOCH.checked_add(std::time::Duration::new(secs, nanos));
    let since = since.and_then(|at| Timestamp::try_from(at).ok()).filter(|_| secs > 0);
    let since = since.map(|at| at.strftime(", since %Y-%m-%d %H:%M UTC").to_string()).unwrap_or_default();
    format!("process {}{host}{version}{since}", it.pid)
}

/// What its executable is called, where the system says so.
fn command(pid: u32) -> String {
    let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    match name.trim() {
        "" => String::new(),
        name => format!(" ({})", one_line(name, 40)),
    }
}

const OF: &str = "file";
const IN_USE: &str = "in use";

/// More processes than anybody reads of.
const MAX_SHOWN: usize = 32;

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    /// No process has this number.
    const GONE: u32 = u32::MAX;

    fn knower(host: &str, pid: u32) -> Knower {
        let run = Uuid::parse_str("0193b6d8-3c00-7000-8000-000000000000").unwrap();
        Knower { run, host: host.to_owned(), pid, version: Some("1.4.2".to_owned()) }
    }

    fn says(known: &[Knower], holders: &[u32]) -> Vec<String> {
        let holders = holders.iter().copied().collect();
        findings(known, Some(&holders), "web-1").into_iter().map(|it| it.says).collect()
    }

    /// The one whose number is not taken has ended, however it did.
    #[test]
    fn who_has_no_lock_has_it_no_more() {
        let known = [knower("web-1", 4711), knower("web-1", 4712)];
        let [only] = &says(&known, &[4712])[..] else { panic!("not one") };
        assert_eq!(only, "by process 4712 on web-1, version 1.4.2, since 2024-12-11 17:50 UTC");
        assert!(says(&known, &[])[0].starts_with("no program has it open"));
    }

    #[test]
    fn a_number_that_was_given_again_is_one_process() {
        let mut again = knower("web-1", 1);
        again.run = Uuid::parse_str("0193b6d8-3c01-7000-8000-000000000000").unwrap();
        again.version = None;
        let said = says(&[knower("web-1", 1), again], &[1]);
        assert_eq!(said, ["by process 1 on web-1, since 2024-12-11 17:50 UTC"]);
    }

    #[test]
    fn who_noted_nothing_is_told_by_its_lock() {
        assert_eq!(says(&[], &[GONE]), [format!("by process {GONE}")]);
    }

    #[test]
    fn of_another_machine_it_is_not_known() {
        let found =
            findings(&[knower("web-2", GONE), knower("web-3", GONE)], Some(&BTreeSet::from([GONE])), "web-1");
        assert_eq!(found[0].says, format!("by process {GONE}"), "that is another process");
        assert!(found[1].says.starts_with(&format!(
            "2 processes elsewhere had it open, and may have it still; the last one is process {GONE} on web-3"
        )));
        assert_eq!(found[1].verdict, super::super::Verdict::Unknown);
    }

    #[test]
    fn where_no_locks_are_listed_whoever_lives_has_it_open() {
        let found = findings(&[knower("web-1", std::process::id())], None, "web-1");
        assert!(found[0].says.starts_with(&format!("by process {} on web-1", std::process::id())));
    }
}
