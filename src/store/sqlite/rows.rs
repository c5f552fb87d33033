//! How rows hold what the crate has types for.

use super::super::{StoreError, batch::About, pace::Pace};
use crate::{incident::Reason, notice::Kind, stats::DropReason};

pub(in crate::store) fn json(value: &(impl serde::Serialize + ?Sized)) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Failed(error.to_string()))
}

/// A count as SQLite keeps it.
pub(in crate::store) fn number(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A count that SQLite keeps.
pub(in crate::store) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// None of a damaged file.
pub(in crate::store) fn pace_of(json: &str) -> Pace {
    serde_json::from_str(json).unwrap_or_default()
}

pub(in crate::store) fn about_text(about: About) -> String {
    match about {
        About::Overflow => "overflow".to_owned(),
        About::Dead => "dead".to_owned(),
        About::Loss(reason) => format!("loss:{}", reason.name()),
        About::CrashLoop => "crash_loop".to_owned(),
    }
}

/// What a newer version may write counts as an overflow: it has no event to show.
pub(in crate::store) fn about_of(text: &str) -> About {
    match text.split_once(':') {
        Some(("loss", reason)) => About::Loss(DropReason::from_name(reason)),
        _ if text == "dead" => About::Dead,
        _ if text == "crash_loop" => About::CrashLoop,
        _ => About::Overflow,
    }
}

pub(in crate::store) fn reason_name(reason: Reason) -> &'static str {
    match reason {
        Reason::First => "first",
        Reason::Update => "update",
        Reason::Reminder => "reminder",
        Reason::Quiet => "quiet",
    }
}

/// One that only a newer version knows is as good as the first.
pub(in crate::store) fn kind_of(name: &str) -> Kind {
    match name {
        "digest" => Kind::Digest,
        "update" => Kind::Update,
        "reminder" => Kind::Reminder,
        "quiet" => Kind::Quiet,
        "health" => Kind::Health,
        _ => Kind::First,
    }
}

pub(in crate::store) fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::First => "first",
        Kind::Digest => "digest",
        Kind::Update => "update",
        Kind::Reminder => "reminder",
        Kind::Quiet => "quiet",
        Kind::Health => "health",
    }
}
