//! What nobody wants to hear of: ignored for good, or silenced for a while.

use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant, SystemTime},
};

use uuid::Uuid;

use super::Inbox;
use crate::{event::Event, fingerprint::Fingerprint, matcher::Matcher, stats::Counters};

/// Events that are counted, and told of when it is over.
#[derive(Debug)]
pub(crate) struct Silence {
    pub(crate) matcher: Matcher,
    /// By the time of day: it is what the store keeps.
    pub(crate) until: SystemTime,
    /// The same, by a clock that does not jump.
    pub(crate) ends: Instant,
    pub(crate) lasts: Duration,
    fingerprint: Fingerprint,
}

impl Silence {
    pub(crate) fn new(matcher: Matcher, lasts: Duration) -> Self {
        Self {
            matcher,
            until: SystemTime::now() + lasts,
            ends: Instant::now() + lasts,
            lasts,
            fingerprint: Uuid::now_v7().into_bytes(),
        }
    }
}

impl Inbox {
    /// Whether nobody wants to hear of `event` ever; then it counts for so many.
    pub(super) fn ignores(&self, event: &Event, count: u64, counters: &Counters) -> bool {
        let is_ignored = self.ignored.iter().any(|matcher| matcher.means(event));
        if is_ignored {
            counters.ignored.fetch_add(count, Ordering::Relaxed);
        }
        is_ignored
    }

    /// Under what a silenced event is counted, and until when nobody is told. Its
    /// message says so: it stands for others.
    pub(super) fn silence(&mut self, event: &mut Event) -> Option<(Fingerprint, SystemTime)> {
        let now = Instant::now();
        self.silences.retain(|silence| silence.ends > now);
        let silence = self.silences.iter().find(|silence| silence.matcher.means(event))?;
        event.message =
            format!("silenced for {:?}: {}; the first: {}", silence.lasts, silence.matcher, event.message);
        Some((silence.fingerprint, silence.until))
    }
}
