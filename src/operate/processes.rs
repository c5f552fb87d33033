//! Which processes have a file open, as far as this machine can tell.
//!
//! Each process notes itself in the file, beside the recipients that it tells; whether it
//! is still there, its lock says. Invariant: what one machine cannot know of another is
//! said to be unknown.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, SystemTime},
};

use jiff::Timestamp;

use super::{Database, Finding, Unusable, one_line};
use crate::{
    dispatcher::is_alive,
    outbox::{Noted, Operated},
    policy::known::Knower,
    sink::WEBHOOK_PREFIX,
};

/// What is said of the processes that have `file` open, and of those of `recipients` whom
/// they do not tell.
pub(super) fn examine(file: &mut Database, recipients: &[(String, String)]) -> Vec<Finding> {
    let host = hostname::get().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    match file.processes() {
        Err(why) => vec![Finding::unknown(OF, IN_USE, format!("not known: {why}"))],
        Ok((noted, holders)) => {
            let (here, elsewhere): (Vec<_>, Vec<_>) =
                noted.into_iter().partition(|it| it.process.host == host);
            let open = those_open(here, holders.as_ref());
            findings(&open, holders.as_ref(), &elsewhere, recipients)
        }
    }
}

impl Database {
    /// The processes that noted themselves, and those that have the file open, if the
    /// system says so.
    fn processes(&mut self) -> Result<(Vec<Noted>, Option<BTreeSet<u32>>), Unusable> {
        self.with(async |store, _| match store {
            Operated::File(_, file) => Ok((file.noted().await?, file.holders())),
            #[cfg(feature = "postgres")]
            Operated::Fleet(_) => Ok((Vec::new(), None)),
        })
    }
}

/// Those of this machine that have it open. Of a number that was given twice, the last
/// one has it.
fn those_open(here: Vec<Noted>, holders: Option<&BTreeSet<u32>>) -> Vec<Noted> {
    let each: BTreeMap<_, _> = here.into_iter().map(|it| (it.process.pid, it)).collect();
    let has_it = |pid| holders.map_or_else(|| is_alive(pid), |holders| holders.contains(&pid));
    each.into_values().filter(|it| has_it(it.process.pid)).collect()
}

fn findings(
    open: &[Noted],
    holders: Option<&BTreeSet<u32>>,
    elsewhere: &[Noted],
    recipients: &[(String, String)],
) -> Vec<Finding> {
    let good = |says: String| Finding::good(OF, IN_USE, format!("by {says}"));
    let unnoted = holders.into_iter().flatten().filter(|pid| !open.iter().any(|it| it.process.pid == **pid));
    let mut found: Vec<_> = open.iter().map(|it| good(told(&it.process))).collect();
    found.extend(unnoted.map(|pid| good(format!("process {pid}{}", command(*pid)))));
    found.extend(open.iter().filter_map(|it| untold(it, recipients)));
    found.truncate(MAX_SHOWN);
    if let Some(last) = elsewhere.last() {
        let many = match elsewhere.len() {
            1 => "1 process".to_owned(),
            many => format!("{many} processes"),
        };
        let last = told(&last.process);
        let says = format!("{many} elsewhere had it open, and may have it still; the last one is {last}");
        found.push(Finding::unknown(OF, IN_USE, says));
    }
    if found.is_empty() {
        let says = "no program has it open: nothing is sent before one starts";
        found.push(Finding::unknown(OF, IN_USE, says));
    }
    found
}

/// A program that was started with other settings than these, or built without webhooks.
fn untold(it: &Noted, recipients: &[(String, String)]) -> Option<Finding> {
    let untold = recipients.iter().filter(|recipient| !it.tells.contains(recipient));
    let untold: Vec<_> = untold.map(|(sink, recipient)| format!("{recipient} by {sink}")).collect();
    let has_webhook = untold.iter().any(|it| it.contains(WEBHOOK_PREFIX));
    let mend = match has_webhook {
        true => "start it again with these settings, and build it with the feature webhook",
        false => "start it again with these settings",
    };
    let says = format!("process {} does not tell {}", it.process.pid, untold.join(", "));
    (!untold.is_empty()).then(|| Finding::warning(OF, "recipients", says, mend))
}

/// Which process it is.
fn told(it: &Knower) -> String {
    let host = if it.host.is_empty() { String::new() } else { format!(" on {}", one_line(&it.host, 80)) };
    let version = it.version.as_ref().map(|it| format!(", version {}", one_line(it, 40))).unwrap_or_default();
    let (secs, nanos) = it.run.get_timestamp().map(|at| at.to_unix()).unwrap_or_default();
    let since = SystemTime::UNIX_EPOCH.checked_add(Duration::new(secs, nanos));
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
    use crate::operate::Verdict;

    /// No process has this number.
    const GONE: u32 = i32::MAX.unsigned_abs();

    fn noted(host: &str, pid: u32) -> Noted {
        let run = Uuid::parse_str("0193b6d8-3c00-7000-8000-000000000000").unwrap();
        let process = Knower { run, host: host.to_owned(), pid, version: Some("1.4.2".to_owned()) };
        Noted { process, tells: BTreeSet::from([recipient("twilio", "+1206")]) }
    }

    fn recipient(sink: &str, address: &str) -> (String, String) {
        (sink.to_owned(), address.to_owned())
    }

    fn says(here: Vec<Noted>, holders: &[u32]) -> Vec<String> {
        let holders = holders.iter().copied().collect();
        let open = those_open(here, Some(&holders));
        findings(&open, Some(&holders), &[], &[]).into_iter().map(|it| it.says).collect()
    }

    #[test]
    fn who_has_no_lock_has_it_no_more() {
        let here = || vec![noted("web-1", 4711), noted("web-1", 4712)];
        let [only] = &says(here(), &[4712])[..] else { panic!("not one") };
        assert_eq!(only, "by process 4712 on web-1, version 1.4.2, since 2024-12-11 17:50 UTC");
        assert!(says(here(), &[])[0].starts_with("no program has it open"));
    }

    #[test]
    fn a_number_that_was_given_again_is_one_process() {
        let mut again = noted("web-1", 1);
        again.process.version = None;
        let said = says(vec![noted("web-1", 1), again], &[1]);
        assert_eq!(said, ["by process 1 on web-1, since 2024-12-11 17:50 UTC"]);
    }

    #[test]
    fn who_noted_nothing_is_told_by_its_lock() {
        assert_eq!(says(Vec::new(), &[GONE]), [format!("by process {GONE}")]);
    }

    #[test]
    fn of_another_machine_it_is_not_known() {
        let found = findings(&[], None, &[noted("web-2", 7), noted("web-3", 7)], &[]);
        let [only] = &found[..] else { panic!("not one") };
        assert_eq!(only.verdict, Verdict::Unknown);
        let begin =
            "2 processes elsewhere had it open, and may have it still; the last one is process 7 on web-3";
        assert!(only.says.starts_with(begin), "{}", only.says);
    }

    #[test]
    fn where_no_locks_are_listed_whoever_lives_has_it_open() {
        let own = std::process::id();
        let open = those_open(vec![noted("web-1", own), noted("web-1", GONE)], None);
        let pids: Vec<_> = open.iter().map(|it| it.process.pid).collect();
        assert_eq!(pids, [own]);
    }

    #[test]
    fn whom_a_program_does_not_tell_is_named() {
        let told = recipient("twilio", "+1206");
        let of = |more: &[(String, String)]| {
            untold(&noted("web-1", 7), &[std::slice::from_ref(&told), more].concat())
        };
        assert!(of(&[]).is_none());
        let found = of(&[recipient("sendgrid", "ops@example.com")]).unwrap();
        assert_eq!(found.says, "process 7 does not tell ops@example.com by sendgrid");
        assert_eq!(found.mend.as_deref(), Some("start it again with these settings"));
        let found = of(&[recipient("webhook:ops", "ops")]).unwrap();
        assert!(found.mend.unwrap().ends_with("build it with the feature webhook"));
    }
}
