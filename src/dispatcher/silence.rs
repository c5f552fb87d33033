//! What nobody wants to hear of: ignored for good, or silenced for a while.

use std::time::{Duration, Instant, SystemTime};

use uuid::Uuid;

use super::Inbox;
use crate::{
    event::Event,
    fingerprint::{Fate, Fingerprint},
    matcher::{Matcher, silenced as silenced_message},
};

/// Events that are counted, and told of when it is over.
#[derive(Debug)]
pub(crate) struct Silence {
    pub(crate) matcher: Matcher,
    /// By a clock that does not jump.
    pub(crate) ends: Instant,
    pub(crate) lasts: Duration,
    fingerprint: Fingerprint,
}

impl Silence {
    pub(crate) fn new(matcher: Matcher, lasts: Duration) -> Self {
        Self { matcher, ends: Instant::now() + lasts, lasts, fingerprint: Uuid::now_v7().into_bytes() }
    }
}

impl Inbox {
    /// What becomes of `event`.
    pub(super) fn fate(&self, event: &Event) -> Fate {
        if self.ignored.iter().any(|matcher| matcher.means(event)) {
            return Fate::Ignored;
        }
        let now = Instant::now();
        let silence = self.silences.iter().find(|silence| silence.ends > now && silence.matcher.means(event));
        silence.map_or(Fate::Told, |silence| Fate::Silenced(silence.fingerprint))
    }

    /// From now on, nobody is told of what `silence` means.
    pub(super) fn begin_silence(&mut self, silence: Silence) {
        let now = Instant::now();
        self.silences.retain(|known| known.ends > now);
        self.silences.push(silence);
        // What was said before says nothing of what comes.
        self.grouping.forget_fates();
    }

    /// Until when nobody is told of `event`, which `silenced` means, if that is not
    /// over. Its message says so: it stands for others.
    pub(super) fn silence(&mut self, event: &mut Event, silenced: Fingerprint) -> Option<SystemTime> {
        let now = Instant::now();
        let mut silences = self.silences.iter();
        let silence = silences.find(|silence| silence.fingerprint == silenced && silence.ends > now)?;
        event.message = silenced_message(&silence.matcher, silence.lasts, &event.message);
        Some(SystemTime::now() + silence.ends.saturating_duration_since(now))
    }
}
