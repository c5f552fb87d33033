//! What nobody wants to hear of: ignored for good, or silenced for a while.

use std::time::{Duration, Instant, SystemTime};

use super::Inbox;
use crate::{
    event::Event,
    host::{id, time::Saturating},
    policy::{
        fingerprint::{Fate, Fingerprint},
        matcher::{Matcher, silenced as silenced_message},
    },
    queue::Silence,
};

/// A [`Silence`] that began: its events are counted, and told of when it is over.
#[derive(Debug)]
pub(super) struct ActiveSilence {
    pub(super) silence: Silence,
    /// What its events are counted under.
    fingerprint: Fingerprint,
    /// The callsite, if it is of one that is an echo.
    pub(super) of_echo: Option<Fingerprint>,
}

impl ActiveSilence {
    pub(super) fn new(silence: Silence) -> Self {
        Self { silence, fingerprint: id::next().into_bytes(), of_echo: None }
    }

    /// Of what `callsite`, which is that of `event`, says.
    pub(super) fn of_echo(event: &Event, callsite: Fingerprint, lasts: Duration) -> Self {
        let (file, line) = (event.file.clone(), event.line);
        let same = move |other: &Event| other.file == file && other.line == line;
        let matcher = Matcher::new().target(&*event.target).when(same);
        Self { of_echo: Some(callsite), ..Self::new(Silence::new(matcher, lasts)) }
    }

    fn means(&self, event: &Event) -> bool {
        self.silence.matcher.means(event)
    }
}

impl Inbox {
    /// What becomes of `event`.
    pub(super) fn fate(&self, event: &Event) -> Fate {
        if self.ignored.iter().any(|matcher| matcher.means(event)) {
            return Fate::Ignored;
        }
        let now = Instant::now();
        let silence = self.silences.iter().find(|active| active.silence.ends > now && active.means(event));
        silence.map_or(Fate::Told, |active| Fate::Silenced(active.fingerprint))
    }

    /// From now on, nobody is told of what `silence` means.
    pub(super) fn begin_silence(&mut self, silence: ActiveSilence) {
        let now = Instant::now();
        self.silences.retain(|known| known.silence.ends > now);
        self.silences.push(silence);
        // What was said before says nothing of what comes.
        self.grouping.forget_fates();
    }

    /// Until when nobody is told of `event`, which `silenced` means, if that is not
    /// over. Its message says so: it stands for others.
    pub(super) fn silence(&mut self, event: &mut Event, silenced: Fingerprint) -> Option<SystemTime> {
        let now = Instant::now();
        let mut silences = self.silences.iter();
        let active = silences.find(|active| active.fingerprint == silenced && active.silence.ends > now)?;
        let silence = &active.silence;
        event.message = silenced_message(&silence.matcher, silence.lasts, &event.message);
        Some(SystemTime::now().later(silence.ends.saturating_duration_since(now)))
    }
}
