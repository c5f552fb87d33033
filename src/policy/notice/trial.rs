//! The notice of a test message: it says what it is, and asks for nothing.

use std::time::SystemTime;

use tracing::Level;

use super::{Kind, LastHour, Notice, Process, Sample};
use crate::event::{Event, loss::Losses};

impl Notice {
    /// Says that alerts of `process` arrive; with this `id`, made at `now`.
    pub(crate) fn trial(process: Process, id: String, now: SystemTime) -> Self {
        let event = Event {
            at: now,
            level: Level::INFO,
            target: "tracing_alert".into(),
            message: "this is a test: alerts of this program arrive here".to_owned(),
            fields: Vec::new(),
            file: None,
            line: None,
            module_path: None,
            thread: None,
            spans: Vec::new(),
            breadcrumbs: Vec::new(),
            backtrace: None,
            panic: false,
        };
        let sample = Sample {
            kind: Kind::First,
            event,
            latest: None,
            in_common: None,
            incident: id.clone(),
            count: 1,
            total: 1,
            today: 1,
            this_week: 1,
            held_until: None,
            since: now,
            last_at: now,
            last_hour: LastHour { since: now, counts: vec![0; 12] },
            spread: None,
        };
        Self {
            id,
            kind: Kind::Health,
            process,
            made_at: now,
            samples: vec![sample],
            unsampled: 0,
            losses: Losses::new(),
            late_by: None,
            is_last_today: false,
        }
    }
}
