//! [`Breadcrumb`]: what happened before an event.
//!
//! Invariant: plain data.

use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use tracing::Level;

use crate::{
    event::{self, Field, Text, owned_bytes},
    host::permit::Permit,
};

/// What happened before an event that alerts: another event in the same root
/// span, or outside of spans like that one.
///
/// Begun where [`Builder::breadcrumbs`](crate::Builder::breadcrumbs) asks for it;
/// read through [`Event::breadcrumbs`](crate::notice::Event::breadcrumbs).
#[derive(Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Breadcrumb {
    /// Wall-clock time of the call.
    #[serde(with = "event::millis")]
    pub at: SystemTime,
    /// The level it was emitted at.
    #[serde(with = "event::level")]
    pub level: Level,
    /// The target. A `log` record shows its own.
    pub target: Text,
    /// The message.
    pub message: String,
    /// The fields except the message, in the order they were written.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<Field>,
    /// Its share of the bytes of all breadcrumbs; of what was read from the disk,
    /// none.
    #[serde(skip)]
    pub(crate) share: Permit,
}

impl Breadcrumb {
    /// Bytes of memory it holds, roughly.
    pub(crate) fn size_bytes(&self) -> usize {
        let fields: usize = self.fields.iter().map(Field::size_bytes).sum();
        size_of::<Self>() + owned_bytes(&self.target) + self.message.len() + fields
    }

    /// As [`size_bytes`](Self::size_bytes), of what has no share elsewhere.
    pub(crate) fn unshared_bytes(&self) -> usize {
        if self.share.is_some() { 0 } else { self.size_bytes() }
    }

    pub(crate) fn unshared(&self) -> Self {
        Self {
            at: self.at,
            level: self.level,
            target: self.target.clone(),
            message: self.message.clone(),
            fields: self.fields.clone(),
            share: Permit::default(),
        }
    }
}

/// Equal if they say the same.
impl PartialEq for Breadcrumb {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.level, &self.target, &self.message, &self.fields)
            == (other.at, other.level, &other.target, &other.message, &other.fields)
    }
}

/// How many bytes of breadcrumbs there are, on all trails and with all events
/// that are not committed yet. Together with the trails themselves, 2 MiB.
pub(crate) const MAX_BREADCRUMB_BYTES: usize = 3 * 512 * 1024;

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::event::{Event, Value, from_millis, tests::event};

    /// A plain INFO with this message that has no share.
    pub(crate) fn breadcrumb(message: &str) -> Breadcrumb {
        Breadcrumb {
            at: from_millis(1_700_000_000_000),
            level: Level::INFO,
            target: "app::orders".into(),
            message: message.to_owned(),
            fields: vec![Field::new("order", Value::U64(17))],
            share: Permit::default(),
        }
    }

    #[test]
    fn what_is_kept_elsewhere_holds_no_share_and_counts_all_it_has() {
        let mut event = event("failed");
        let bare = event.size_bytes();
        let share = Permit::take(&Arc::default(), 1, 1).unwrap();
        event.breadcrumbs = vec![Arc::new(Breadcrumb { share, ..breadcrumb("before") })];
        assert_eq!(event.size_bytes(), bare + size_of::<Arc<Breadcrumb>>());
        let kept = event.unshared();
        assert_eq!(kept, event);
        assert!(!kept.breadcrumbs[0].share.is_some());
        assert_eq!(kept.size_bytes(), event.size_bytes() + event.breadcrumbs[0].size_bytes());
    }

    #[test]
    fn breadcrumbs_survive_the_way_to_disk_and_back() {
        let mut event = event("failed");
        assert!(!serde_json::to_string(&event).unwrap().contains("breadcrumbs"));
        event.breadcrumbs = vec![Arc::new(breadcrumb("one")), Arc::new(breadcrumb("two"))];
        let json = serde_json::to_string(&event).unwrap();
        assert_eq!(serde_json::from_str::<Event>(&json).unwrap(), event, "{json}");
    }
}
