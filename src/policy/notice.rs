//! [`Notice`]: the decision to tell people something, with what there is to tell.
//!
//! Invariant: plain data; the store reads it, the renderer and the sinks use it.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize, Serializer};

use crate::event::{Event, loss::Losses, millis, millis_or_none};

mod examples;
mod trial;

/// What one message reports: all that its recipient was not told before.
///
/// As JSON, for a sink that hands it on, it has its fields under their names, and times
/// as milliseconds since the Unix epoch. Fields may be added to it, here and below.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Notice {
    /// The short public id that ends its message, like `7K3Q`: that of its
    /// incident, if there is just one, with a number if it was told before.
    pub id: String,
    /// Why it is sent.
    pub kind: Kind,
    /// The process that captured the events; not always the one that sends.
    pub process: Process,
    /// When it was made.
    #[serde(serialize_with = "millis::serialize")]
    pub made_at: SystemTime,
    /// The incidents at the recipient's level or above: new ones first, each group in
    /// the order in which they first happened.
    pub samples: Vec<Sample>,
    /// Events that were counted but not kept as a sample.
    pub unsampled: u64,
    /// Events that could not be captured since the message before.
    pub losses: Losses,
    /// How late it is sent, if that is more than an hour after it was made: nobody could
    /// send it before, as no program ran, or no provider took it.
    #[serde(serialize_with = "span::serialize")]
    pub late_by: Option<Duration>,
    /// Whether this is the recipient's last message today, except for errors never
    /// seen before.
    pub is_last_today: bool,
}

impl Notice {
    /// How many events it reports that this recipient was not told of before. Those
    /// that could not be captured are not among them.
    pub fn event_count(&self) -> u64 {
        self.samples.iter().map(|sample| sample.count).sum::<u64>() + self.unsampled
    }
}

/// A length of time, in milliseconds.
mod span {
    use super::*;

    #[expect(clippy::ref_option, reason = "serde calls it")]
    pub(super) fn serialize<S: Serializer>(span: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
        span.map(|span| u64::try_from(span.as_millis()).unwrap_or(u64::MAX)).serialize(to)
    }
}

/// Why a message is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// An incident that its recipient has not heard of.
    First,
    /// Several incidents.
    Digest,
    /// An incident that came back within a week after it had ended.
    Again,
    /// An incident whose count crossed a power of ten.
    Update,
    /// An incident that goes on for hours.
    Reminder,
    /// An incident that ended.
    Quiet,
    /// The alerting itself: messages that ended undelivered, events that were
    /// lost.
    Health,
}

impl Kind {
    /// The name it is stored and sent under.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Digest => "digest",
            Self::Again => "again",
            Self::Update => "update",
            Self::Reminder => "reminder",
            Self::Quiet => "quiet",
            Self::Health => "health",
        }
    }
}

/// By its name.
impl Serialize for Kind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// One incident: an event and how often the same kind of event happened.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Sample {
    /// Why it is told: never [`Kind::Digest`].
    pub kind: Kind,
    /// The first of them.
    pub event: Event,
    /// The latest event captured in full, if that is not the first; without
    /// breadcrumbs and backtrace.
    pub latest: Option<Event>,
    /// What its events have in common, if their messages differ in words, and were
    /// grouped as their callsite said so many different ones: a place where they differ
    /// is `…`.
    pub in_common: Option<String>,
    /// The incident's short public id.
    pub incident: String,
    /// How many of them this recipient was not told of before.
    pub count: u64,
    /// How many there are in all.
    pub total: u64,
    /// How many there were on the recipients' day.
    pub today: u64,
    /// How many there were on that day and the six before it.
    pub this_week: u64,
    /// Until when the recipient is told no more of it, if that was decided.
    #[serde(serialize_with = "millis_or_none::serialize")]
    pub held_until: Option<SystemTime>,
    /// When the first one was committed.
    #[serde(serialize_with = "millis::serialize")]
    pub since: SystemTime,
    /// When it happened last.
    #[serde(serialize_with = "millis::serialize")]
    pub last_at: SystemTime,
    /// How many there were in the last hour before the notice was made.
    pub last_hour: LastHour,
    /// Where it happened, if several instances of the program share a store: in this
    /// incident in all, not only since the message before.
    pub spread: Option<Spread>,
}

/// In which instances of a program an incident happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Spread {
    /// In how many.
    pub instances: u32,
    /// How many there are.
    pub of: u32,
    /// Their versions with the number of events, in the order in which it happened in them
    /// first; not all if there are many.
    pub versions: Vec<(String, u64)>,
    /// Their hosts with the number of events, the one with the most first; not all if there
    /// are many.
    pub hosts: Vec<(String, u64)>,
    /// How many hosts there are.
    #[serde(default)]
    pub hosts_in_all: u32,
}

/// How many events there were in each five minutes of an hour. Events that were
/// committed together count for one time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LastHour {
    /// When the first of the five minutes began.
    #[serde(serialize_with = "millis::serialize")]
    pub since: SystemTime,
    /// The twelve counts, the oldest first.
    pub counts: Vec<u64>,
}

impl LastHour {
    /// How long each of the counts is for.
    pub const STEP: Duration = Duration::from_secs(5 * 60);
}

/// The facts about the process that captured the events.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Process {
    /// The application's name.
    pub app: String,
    /// The environment, like `production`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// The application's version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The machine's host name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The process id.
    pub pid: u32,
}

impl Process {
    /// Who it is, in a few words.
    pub(crate) fn name(&self) -> String {
        let host = self.host.as_ref().map(|host| format!(" on {host}")).unwrap_or_default();
        format!("{} (process {}){host}", self.app, self.pid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::loss::DropReason;

    #[test]
    fn as_json_it_has_its_fields_under_their_names() {
        let mut notice = Notice::examples().into_iter().map(|(_, notice)| notice).next().unwrap();
        notice.losses = Losses::from([(DropReason::QueueFull, 3)]);
        let json = serde_json::to_value(&notice).unwrap();
        assert_eq!((&json["id"], &json["losses"]["queue_full"]), (&notice.id.as_str().into(), &3.into()));
        assert!(json["made_at"].is_u64() && json["samples"][0]["last_hour"]["counts"].is_array(), "{json}");
        let kind = json["kind"].as_str().unwrap();
        assert!(kind.chars().all(char::is_lowercase), "{kind}");
    }

    #[test]
    fn it_counts_the_events_that_it_shows_and_those_that_it_does_not() {
        let mut notice = Notice::examples().into_iter().map(|(_, notice)| notice).next().unwrap();
        let sample = notice.samples[0].clone();
        notice.samples = vec![Sample { count: 3, ..sample.clone() }, Sample { count: 4, ..sample }];
        notice.unsampled = 5;
        assert_eq!(notice.event_count(), 12);
    }

    #[test]
    fn each_kind_has_the_name_it_is_stored_under() {
        use Kind::{Again, Digest, First, Health, Quiet, Reminder, Update};
        let names = [First, Digest, Again, Update, Reminder, Quiet, Health].map(Kind::name);
        assert_eq!(names, ["first", "digest", "again", "update", "reminder", "quiet", "health"]);
    }

    #[test]
    fn a_process_is_named_with_its_host_if_that_is_known() {
        let process = Process { app: "shop".to_owned(), pid: 7, ..Process::default() };
        assert_eq!(process.name(), "shop (process 7)");
        let process = Process { host: Some("web-1".to_owned()), ..process };
        assert_eq!(process.name(), "shop (process 7) on web-1");
    }
}
