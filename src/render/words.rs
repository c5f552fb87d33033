//! Our own few words, all in one place: whoever wants a message in another
//! language changes this file, or gives a [`Render`](super::Render).
//!
//! Invariant: every text that comes in is clean already, and a name is short.

use crate::policy::notice::Kind;

/// What ends the SMS after which a recipient's budget allows no more today.
pub(super) const LAST_TODAY_SHORT: &str = "Daily SMS limit reached; only new errors from here";

/// The same in a mail.
pub(super) const LAST_TODAY: &str = "Daily e-mail limit reached: from here, only errors never seen before. The rest is kept and reported tomorrow.";

/// What an SMS says that was made so long ago.
pub(super) fn late_short(by: &str) -> String {
    format!("{by} late")
}

/// The same in a mail.
pub(super) fn late(by: &str) -> String {
    format!("This message is {by} late: it could not be sent before.")
}

pub(super) const NO_MESSAGE: &str = "(no message)";
pub(super) const NOT_CAPTURED: &str = "Events not captured";
pub(super) const EVENTS: &str = "Events";
pub(super) const CAUSED_BY: &str = "caused by";
pub(super) const UNKNOWN_TIME: &str = "at an unknown time";

/// The labels of a mail's rows.
pub(super) mod label {
    pub(in super::super) const LINKS: &str = "Open";
    pub(in super::super) const ERROR: &str = "Error";
    pub(in super::super) const PLACE: &str = "Where";
    pub(in super::super) const SPANS: &str = "Spans";
    pub(in super::super) const TIMES: &str = "When";
    pub(in super::super) const PACE: &str = "Last hour";
    pub(in super::super) const INSTANCES: &str = "Instances";
    pub(in super::super) const FIELDS: &str = "Fields";
    pub(in super::super) const LATEST: &str = "Latest";
    pub(in super::super) const BEFORE: &str = "Before it";
    pub(in super::super) const BEFORE_FIRST: &str = "Before the first";
    pub(in super::super) const PROCESS: &str = "Process";
    pub(in super::super) const PROCESS_OF_FIRST: &str = "Process of the first";
    pub(in super::super) const BACKTRACE: &str = "Backtrace";
    pub(in super::super) const OTHER_FRAMES: &str = "Library frames";
    pub(in super::super) const FOLD: &str = "Grouping and silence";
}

/// The facts of [`label::PROCESS`].
pub(super) const PROCESS_FACTS: [&str; 5] = ["application", "environment", "version", "host", "process id"];

/// How many, with commas between the thousands.
pub(super) fn number(count: u64) -> String {
    let digits = count.to_string();
    let mut number = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            number.push(',');
        }
        number.push(digit);
    }
    number
}

/// `1 event`, `2 events`.
pub(super) fn events(count: u64) -> String {
    if count == 1 { "1 event".to_owned() } else { format!("{} events", number(count)) }
}

/// `once`, `2 times`.
pub(super) fn times(count: u64) -> String {
    if count == 1 { "once".to_owned() } else { format!("{} times", number(count)) }
}

/// `1 kind of event`, `2 kinds of event`.
pub(super) fn kinds(count: usize) -> String {
    if count == 1 { "1 kind of event".to_owned() } else { format!("{count} kinds of event") }
}

/// Where a message comes from.
pub(super) fn from(app: &str, environment: &str, host: &str) -> String {
    let mut from = if app.is_empty() { "an unnamed application".to_owned() } else { app.to_owned() };
    if !environment.is_empty() {
        from.push_str(&format!(" ({environment})"));
    }
    if !host.is_empty() {
        from.push_str(&format!(" on {host}"));
    }
    from
}

/// In how many instances of a fleet something happened.
pub(super) fn instances(count: u32, of: u32) -> String {
    let s = if of == 1 { "" } else { "s" };
    format!("{} of {} instance{s}", number(count.into()), number(of.into()))
}

/// The same in an SMS.
pub(super) fn in_instances(instances: &str) -> String {
    format!("in {instances}")
}

/// The same before where a message comes from.
pub(super) fn instances_of(instances: &str, from: &str) -> String {
    format!("{instances} of {from}")
}

/// All events are of one version.
pub(super) fn only_version(version: &str) -> String {
    format!("all in version {version}")
}

/// Those of several, in the order in which it began in them.
pub(super) fn versions(names: &[String], has_others: bool) -> String {
    let end = if has_others { " and others" } else { "" };
    format!("first in version {}{end}", names.join(", then in "))
}

/// The hosts with the most events, and how many others there are.
pub(super) fn hosts(names: &[String], others: usize) -> String {
    let end = if others == 0 { String::new() } else { format!(" and {} more", number(others as u64)) };
    format!("hosts: {}{end}", names.join(", "))
}

/// A version or a host, and how many events there were.
pub(super) fn counted_name(name: &str, count: u64) -> String {
    format!("{name} ({})", number(count))
}

/// In the place of a version or a host that is not known.
pub(super) const UNNAMED: &str = "unknown";

/// Why a message: each is the first line of a mail.
pub(super) mod why {
    use super::{events, kinds, number, times};

    pub(in super::super) fn health(from: &str, at: &str) -> String {
        format!("About alerting itself in {from}, {at}")
    }

    pub(in super::super) fn first(from: &str, total: u64, since: &str) -> String {
        match total {
            0 | 1 => format!("New in {from}: happened once, {since}"),
            total => format!("New in {from}: happened {} since {since}", times(total)),
        }
    }

    pub(in super::super) fn digest(from: &str, different: usize, count: u64, since: &str) -> String {
        format!("{} in {from}: {} since {since}", kinds(different), events(count))
    }

    pub(in super::super) fn again(from: &str, today: u64, this_week: u64, count: u64) -> String {
        let often = match today {
            0 => format!("{} this week", times(this_week)),
            today => format!("{} today, {} this week", times(today), number(this_week)),
        };
        format!("Again in {from}: {often}; {}", not_told(count))
    }

    pub(in super::super) fn update(from: &str, total: u64, count: u64, since: &str) -> String {
        format!("Happened {} so far in {from}, since {since}; {}", times(total), not_told(count))
    }

    pub(in super::super) fn reminder(from: &str, total: u64, count: u64, since: &str) -> String {
        format!("Still happening in {from} since {since}: {} so far; {}", times(total), not_told(count))
    }

    pub(in super::super) fn quiet(from: &str, total: u64, count: u64, last: &str) -> String {
        let news = match count {
            0 => "nothing new since the last message".to_owned(),
            count => not_told(count),
        };
        format!("Quiet in {from} since {last}: happened {} in all, {news}", times(total))
    }

    pub(in super::super) fn all_quiet(from: &str, different: usize, count: u64, at: &str) -> String {
        let news = match count {
            0 => "nothing new since the last messages".to_owned(),
            count => format!("{} not reported before", events(count)),
        };
        format!("Quiet in {from} as of {at}: {}, {news}", kinds(different))
    }

    pub(in super::super) fn unsampled(from: &str, count: u64, at: &str) -> String {
        format!("{} in {from}, {at}", events(count))
    }

    fn not_told(count: u64) -> String {
        match count {
            0 => "all reported before".to_owned(),
            count => format!("{} not reported before", number(count)),
        }
    }
}

/// One line of several kinds of event; without a count if all of it was told.
pub(super) fn overview(count: u64, what: &str, instances: Option<&str>, kind: Kind) -> String {
    let count = if count == 0 { String::new() } else { format!("{}x ", number(count)) };
    let end = match kind {
        Kind::First | Kind::Digest | Kind::Health => "",
        Kind::Again => ", again",
        Kind::Update | Kind::Reminder => ", ongoing",
        Kind::Quiet => ", quiet",
    };
    let instances = instances.map(|instances| format!(", {}", in_instances(instances)));
    format!("{count}{what}{}{end}", instances.unwrap_or_default())
}

/// What the bars of an hour say.
pub(super) fn pace(hour: &str, most: u64, minutes: u64) -> String {
    format!("{hour}, up to {} in {minutes} min", number(most))
}

/// How the count of one kind of event reads in an SMS: what is told now, and
/// what there is in all if that is more.
pub(super) fn short_count(count: u64, total: u64) -> String {
    match (count, total) {
        (0, total) => format!(" ({total} in all)"),
        (count, total) if total > count => format!(" (x{count}, {total} in all)"),
        (1, _) => String::new(),
        (count, _) => format!(" (x{count})"),
    }
}

/// The same in a mail; nothing of what happened just once.
pub(super) fn long_count(count: u64, total: u64) -> Option<String> {
    match (count, total) {
        (0, total) => Some(format!("{} in all, reported before", times(total))),
        (count, total) if total > count => {
            Some(format!("{} in all, {} not reported before", times(total), number(count)))
        }
        (1, _) => None,
        (count, _) => Some(times(count)),
    }
}

/// The same of what came back: what is told now, today and this week.
pub(super) fn short_count_again(count: u64, today: u64, this_week: u64) -> String {
    let counts = [
        (count > 1).then(|| format!("x{count}")),
        (today > count).then(|| format!("{today} today")),
        (this_week > count.max(today)).then(|| format!("{this_week} this week")),
    ];
    let counts: Vec<_> = counts.into_iter().flatten().collect();
    if counts.is_empty() { String::new() } else { format!(" ({})", counts.join(", ")) }
}

/// The same in a mail.
pub(super) fn long_count_again(count: u64, today: u64, this_week: u64) -> String {
    format!("{} not reported before, {} today, {} this week", number(count), number(today), number(this_week))
}

/// Until when no other message comes about this kind of event, in an SMS.
pub(super) fn silent_until(time: &str) -> String {
    format!("next not before {time}")
}

/// The same in a mail.
pub(super) fn next_not_before(time: &str) -> String {
    format!("next message about it not before {time}")
}

/// What stands before the message in the SMS about an incident that came back, that
/// is quiet, or that goes on.
pub(super) const AGAIN: &str = "again: ";
pub(super) const QUIET: &str = "quiet: ";
pub(super) const GOES_ON: &str = "ongoing: ";

/// In an SMS, between what happened and the fields that tell it from others.
pub(super) const BEFORE_DETAILS: &str = " - ";

/// What is not shown in an SMS.
pub(super) fn more(count: u64) -> String {
    format!("+{count} more")
}

/// How many other kinds of event the mail with this subject is about.
pub(super) fn more_kinds(count: usize) -> String {
    format!(" (+{count} more)")
}

/// Events that were lost; `reasons` may be empty.
pub(super) fn lost_short(subject: &str, reasons: &str) -> String {
    match reasons {
        "" => format!("{subject} not captured"),
        reasons => format!("{subject} not captured ({reasons})"),
    }
}

pub(super) fn lost(count: u64, reason: &str) -> String {
    format!("{} not captured ({reason}).", events(count))
}

/// Ends a text that was cut; in a mail, where all of it is.
pub(super) const CUT: &str = "… [cut]";

pub(super) fn cut_in_mail(file: &str) -> String {
    format!("… [cut: see {file}]")
}

/// What is counted in a mail, but not shown.
pub(super) fn omitted_kinds(different: usize, count: u64, file: &str) -> String {
    let s = if different == 1 { "" } else { "s" };
    format!("and {different} more kind{s} of event ({}): see {file}", events(count))
}

/// Backtraces that are not shown.
pub(super) fn omitted_backtraces(count: usize, file: &str) -> String {
    let s = if count == 1 { "" } else { "s" };
    format!("and {count} more backtrace{s}: see {file}")
}

pub(super) fn omitted(count: u64) -> String {
    format!("and {} that were only counted", events(count))
}

/// How many of what happened before are not shown.
pub(super) fn earlier(count: usize) -> String {
    match count {
        1 => "(1 earlier one is not shown)".to_owned(),
        count => format!("({count} earlier ones are not shown)"),
    }
}

/// The place of a panic, after its message.
pub(super) fn at_place(place: &str) -> String {
    format!(" at {place}")
}

pub(super) fn thread(name: &str) -> String {
    format!("thread {name}")
}

pub(super) fn first_at(time: &str) -> String {
    format!("first {time}")
}

pub(super) fn last_at(time: &str) -> String {
    format!("last  {time}")
}

/// How events are grouped, and how that is changed.
pub(super) const GROUPED_BY_DEFAULT: &str = "Events with the same level, target, file, message and root error are reported \
     as one; numbers, ids and addresses in the texts may differ, and so may most other fields. To group by something else, \
     set the field alert.fingerprint, or use Builder::fingerprint.";

pub(super) fn grouped_by_field(fingerprint: &str) -> String {
    format!("The program chose it: events with alert.fingerprint = {fingerprint} are reported as one.")
}

/// How the messages of a callsite came to be grouped.
pub(super) fn grouped_by_learning(text: &str) -> String {
    format!(
        "This place in the program said many different things, so what differs at … only is reported as one:\n{text}\n\
         Incidents that were open before stay apart. To group by something else, set the field alert.fingerprint, or \
         use Builder::fingerprint."
    )
}

/// The same of one of several incidents.
pub(super) fn one_grouped_by_learning(incident: &str, text: &str) -> String {
    format!("Many different messages are one in #{incident}: {text}")
}

/// The program's choice, of one of several incidents.
pub(super) fn one_grouped_by_field(incident: &str, fingerprint: &str) -> String {
    format!("The program chose it for #{incident}: alert.fingerprint = {fingerprint}.")
}

/// What can be done now about one kind of event, after its id.
pub(super) fn silence_now(code: &str) -> String {
    format!(
        " · To hear no more of this kind: tracing-alert silence --kind {code} --for 2h; or for good, restart the \
         program with ALERT_IGNORE={code}"
    )
}

/// The same with several kinds.
pub(super) const SILENCE_ONE_NOW: &str = " · To hear no more of one kind: tracing-alert silence --for 2h --kind and its code (below); or for good, restart the \
     program with ALERT_IGNORE and its code";

/// The code of one of several kinds.
pub(super) fn kind(incident: &str, code: &str) -> String {
    format!("#{incident} {code}")
}

/// How a program silences a kind.
pub(super) fn silence(code: &str) -> String {
    format!(
        "let these = Matcher::new().kind(\"{code}\");\n\
         alerts.silence(these, Duration::from_secs(3600)); // for an hour\n\
         builder.ignore(these); // or for good"
    )
}
