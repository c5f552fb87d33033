//! Rows as SQLite has them, and as the page does.
//!
//! Invariant: reading never fails. What only a newer version may have written is
//! read as the nearest thing that this one knows.

use std::time::SystemTime;

use tracing::Level;
use uuid::Uuid;

use super::super::{
    StoreError,
    batch::{About, level_number},
    pace::Pace,
    page::{
        DeadRow, DeliveryRow, IncidentRow, ItemRow, Recipient, StandingRow, StartRow, State, StoredNotice,
    },
};
use crate::{
    event::{Event, from_millis, loss::DropReason},
    policy::{budget::Account, incident::Reason, notice::Kind},
};

pub(super) fn json(value: &(impl serde::Serialize + ?Sized)) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Failed(error.to_string()))
}

/// Bytes as `unhex()` takes them.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

/// The bytes that [`hex`] made.
pub(super) fn unhex(digits: &str) -> Vec<u8> {
    let pairs = digits.as_bytes().chunks(2).filter_map(|pair| std::str::from_utf8(pair).ok());
    pairs.filter_map(|pair| u8::from_str_radix(pair, 16).ok()).collect()
}

/// A count as SQLite keeps it.
pub(super) fn number(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A count that SQLite keeps.
pub(super) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// A number of events. In a damaged file it may be anything, and sums of it must still
/// be ones that the schema takes.
fn count(number: i64) -> u64 {
    unsigned(number.min(MAX_COUNT))
}

/// More events than any incident has.
const MAX_COUNT: i64 = 1 << 40;

fn small(number: i64) -> u32 {
    u32::try_from(number.max(0)).unwrap_or(u32::MAX)
}

fn time(millis: Option<i64>) -> Option<SystemTime> {
    millis.map(from_millis)
}

fn run(bytes: &[u8]) -> Uuid {
    Uuid::from_slice(bytes).unwrap_or_default()
}

/// What a damaged or newer file says that cannot be read is as good as nothing.
fn parsed<T: serde::de::DeserializeOwned + Default>(json: &str) -> T {
    serde_json::from_str(json).unwrap_or_default()
}

/// A row of `incident`.
pub(super) struct Incident {
    pub(super) id: i64,
    pub(super) public_id: String,
    pub(super) fingerprint: Vec<u8>,
    pub(super) level: i64,
    pub(super) about: Option<String>,
    pub(super) run: Vec<u8>,
    pub(super) process: String,
    pub(super) is_new: bool,
    pub(super) count: i64,
    pub(super) reported: i64,
    pub(super) opened_at: i64,
    pub(super) last_at: i64,
    pub(super) closed_at: Option<i64>,
    pub(super) pace: String,
}

impl Incident {
    /// Whether it keeps the rules of the schema: in a damaged file one may not.
    pub(super) fn is_sound(&self) -> bool {
        (1..=5).contains(&self.level) && self.count > 0 && self.run.len() == 16
    }

    pub(super) fn row(self) -> (i64, IncidentRow) {
        let row = IncidentRow {
            public_id: self.public_id,
            fingerprint: self.fingerprint,
            level: level_of(self.level),
            about: self.about.as_deref().map(about_of),
            run: run(&self.run),
            process: parsed(&self.process),
            is_new: self.is_new,
            count: count(self.count),
            reported: count(self.reported),
            opened_at: from_millis(self.opened_at),
            last_at: from_millis(self.last_at),
            closed_at: time(self.closed_at),
            pace: parsed::<Pace>(&self.pace),
        };
        (self.id, row)
    }
}

/// A row of `standing`.
pub(super) struct Standing {
    pub(super) incident_id: i64,
    pub(super) sink: String,
    pub(super) recipient: String,
    pub(super) told: i64,
    pub(super) reported: i64,
    pub(super) told_at: Option<i64>,
    pub(super) tellings: i64,
    pub(super) not_before: Option<i64>,
    pub(super) due_at: Option<i64>,
}

impl Standing {
    pub(super) fn row(self) -> ((i64, Recipient), StandingRow) {
        let row = StandingRow {
            told: count(self.told),
            reported: count(self.reported),
            told_at: time(self.told_at),
            tellings: small(self.tellings),
            not_before: time(self.not_before),
            due_at: time(self.due_at),
        };
        ((self.incident_id, Recipient::new(&self.sink, &self.recipient)), row)
    }
}

/// A row of `account`.
pub(super) struct AccountRecord {
    pub(super) sink: String,
    pub(super) recipient: String,
    pub(super) heard_at: Option<i64>,
    pub(super) full_at: Option<i64>,
    pub(super) day: i64,
    pub(super) today: i64,
}

impl AccountRecord {
    pub(super) fn row(self) -> (Recipient, Account) {
        let account = Account {
            heard_at: time(self.heard_at),
            full_at: time(self.full_at),
            day: u32::try_from(self.day).unwrap_or(0),
            today: small(self.today),
        };
        (Recipient::new(&self.sink, &self.recipient), account)
    }
}

/// A row of `notice`.
pub(super) struct NoticeRecord {
    pub(super) id: i64,
    pub(super) public_id: String,
    pub(super) run: Vec<u8>,
    pub(super) kind: String,
    pub(super) process: String,
    pub(super) made_at: i64,
    pub(super) is_last: bool,
}

impl NoticeRecord {
    pub(super) fn row(self) -> (i64, StoredNotice) {
        let notice = StoredNotice {
            public_id: self.public_id,
            run: run(&self.run),
            kind: kind_of(&self.kind),
            process: parsed(&self.process),
            made_at: from_millis(self.made_at),
            is_last: self.is_last,
        };
        (self.id, notice)
    }
}

/// A row of `item`.
pub(super) struct Item {
    pub(super) notice_id: i64,
    pub(super) incident_id: i64,
    pub(super) reason: String,
    pub(super) tellings: i64,
    pub(super) count: i64,
    pub(super) total: i64,
    pub(super) last_at: i64,
    pub(super) pace: String,
}

impl Item {
    pub(super) fn row(self) -> ((i64, i64), ItemRow) {
        let item = ItemRow {
            reason: reason_of(&self.reason),
            tellings: small(self.tellings),
            count: count(self.count),
            total: count(self.total),
            last_at: from_millis(self.last_at),
            pace: parsed::<Pace>(&self.pace),
        };
        ((self.notice_id, self.incident_id), item)
    }
}

/// A row of `delivery`.
pub(super) struct Delivery {
    pub(super) key: Vec<u8>,
    pub(super) notice_id: i64,
    pub(super) sink: String,
    pub(super) recipient: String,
    pub(super) state: String,
    pub(super) due_at: i64,
    pub(super) attempt: i64,
    pub(super) claims: i64,
    pub(super) answered: i64,
    pub(super) doubtful: i64,
    pub(super) created_at: i64,
    pub(super) expires_at: i64,
    pub(super) settled_at: Option<i64>,
    pub(super) reference: Option<String>,
    pub(super) last_error: Option<String>,
}

impl Delivery {
    /// None if it has no key: only in a damaged file.
    pub(super) fn row(self) -> Option<(Uuid, DeliveryRow)> {
        let key = Uuid::from_slice(&self.key).ok()?;
        let claims = self.claims.max(0);
        let row = DeliveryRow {
            notice_id: self.notice_id,
            recipient: Recipient::new(&self.sink, &self.recipient),
            state: match self.state.as_str() {
                "delivered" => State::Delivered,
                "dead" => State::Dead,
                _ => State::Pending,
            },
            due_at: from_millis(self.due_at),
            attempt: small(self.attempt.min(claims)),
            claims,
            answered: self.answered.clamp(0, claims),
            doubtful: small(self.doubtful.min(claims)),
            created_at: from_millis(self.created_at),
            expires_at: from_millis(self.expires_at),
            settled_at: time(self.settled_at),
            reference: self.reference,
            last_error: self.last_error,
        };
        Some((key, row))
    }
}

/// A row of `first_event` or `latest_event`.
pub(super) struct Payload {
    pub(super) incident_id: i64,
    pub(super) payload: String,
}

impl Payload {
    /// None if it cannot be understood.
    pub(super) fn row(self) -> Option<(i64, Event)> {
        Some((self.incident_id, serde_json::from_str(&self.payload).ok()?))
    }
}

/// A row of `refusal`.
pub(super) struct Refusal {
    pub(super) sink: String,
    pub(super) recipient: String,
    pub(super) since: i64,
}

impl Refusal {
    pub(super) fn row(self) -> (Recipient, SystemTime) {
        (Recipient::new(&self.sink, &self.recipient), from_millis(self.since))
    }
}

/// A row of `dead_told`.
pub(super) struct Dead {
    pub(super) sink: String,
    pub(super) told_at: Option<i64>,
    pub(super) count: i64,
    pub(super) recipient: String,
    pub(super) public_id: String,
    pub(super) reason: String,
}

impl Dead {
    pub(super) fn row(self) -> (String, DeadRow) {
        let row = DeadRow {
            told_at: time(self.told_at),
            count: count(self.count),
            recipient: self.recipient,
            public_id: self.public_id,
            reason: self.reason,
        };
        (self.sink, row)
    }
}

/// A row of `start`.
pub(super) struct StartRecord {
    pub(super) run: Vec<u8>,
    pub(super) host: String,
    pub(super) pid: i64,
    pub(super) started_at: i64,
    pub(super) ended_at: Option<i64>,
}

impl StartRecord {
    pub(super) fn row(self) -> (Uuid, StartRow) {
        let row = StartRow {
            host: self.host,
            pid: small(self.pid),
            started_at: from_millis(self.started_at),
            ended_at: time(self.ended_at),
        };
        (run(&self.run), row)
    }
}

fn level_of(number: i64) -> Level {
    let levels = [Level::ERROR, Level::WARN, Level::INFO, Level::DEBUG, Level::TRACE];
    let known = levels.into_iter().find(|level| i64::from(level_number(*level)) == number);
    known.unwrap_or(Level::ERROR)
}

pub(super) fn about_text(about: About) -> String {
    match about {
        About::Overflow => "overflow".to_owned(),
        About::Dead => "dead".to_owned(),
        About::Loss(reason) => format!("loss:{}", reason.name()),
        About::CrashLoop => "crash_loop".to_owned(),
    }
}

/// What a newer version may write counts as an overflow: it has no event to show.
fn about_of(text: &str) -> About {
    match text.split_once(':') {
        Some(("loss", reason)) => About::Loss(DropReason::from_name(reason)),
        _ if text == "dead" => About::Dead,
        _ if text == "crash_loop" => About::CrashLoop,
        _ => About::Overflow,
    }
}

pub(super) fn reason_name(reason: Reason) -> &'static str {
    match reason {
        Reason::First => "first",
        Reason::Update => "update",
        Reason::Reminder => "reminder",
        Reason::Quiet => "quiet",
    }
}

fn reason_of(name: &str) -> Reason {
    let all = [Reason::First, Reason::Update, Reason::Reminder, Reason::Quiet];
    all.into_iter().find(|reason| reason_name(*reason) == name).unwrap_or(Reason::First)
}

/// One that only a newer version knows is as good as the first.
fn kind_of(name: &str) -> Kind {
    let all = [Kind::First, Kind::Digest, Kind::Update, Kind::Reminder, Kind::Quiet, Kind::Health];
    all.into_iter().find(|kind| kind.name() == name).unwrap_or(Kind::First)
}

pub(super) fn state_name(state: State) -> &'static str {
    match state {
        State::Pending => "pending",
        State::Delivered => "delivered",
        State::Dead => "dead",
    }
}
