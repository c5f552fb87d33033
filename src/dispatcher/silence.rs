//! What nobody wants to hear of: ignored for good, or silenced for a while.
//!
//! A silence lives in the store, where all processes see it. One with a predicate cannot
//! be kept: this process alone knows it, as it does those of echoes.

use std::time::{Duration, Instant, SystemTime};

use uuid::Uuid;

use super::{Dispatcher, Inbox, tell::public_id};
use crate::{
    event::Event,
    host::{id, time::Saturating, trouble},
    outbox::{SilenceRow, Store},
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

/// What the store is to be told of a silence.
#[derive(Debug)]
pub(super) enum Silencing {
    Begins(Uuid, SilenceRow),
    Ends(Matcher),
    /// What counts under this is silenced no more.
    Over(Fingerprint),
}

impl Dispatcher<'_> {
    /// From now on, nobody is told of what `silence` means.
    pub(super) async fn take_silence(&mut self, mut silence: Silence) {
        silence.matcher.redact(&self.inbox.redaction);
        let Some(conditions) = silence.matcher.conditions().cloned() else {
            return self.inbox.begin_silence(ActiveSilence::new(silence));
        };
        // What came before it is told.
        self.persist().await;
        let now = SystemTime::now();
        let left = silence.ends.saturating_duration_since(Instant::now());
        let row = SilenceRow {
            public_id: public_id(),
            run: self.inbox.run,
            conditions,
            from: now.later(left).earlier(silence.lasts),
            until: now.later(left),
            undone_at: None,
            why: None,
            by: self.process.name(),
            held: 0,
            kinds: Vec::new(),
            open: Vec::new(),
        };
        self.inbox.silencing.push_back(Silencing::Begins(id::next(), row));
        self.keep_silences().await;
    }

    /// Ends the silences that began with such a matcher, wherever they did.
    pub(super) async fn end_silence(&mut self, mut matcher: Matcher) {
        matcher.redact(&self.inbox.redaction);
        let is_same =
            |active: &mut ActiveSilence| active.of_echo.is_none() && active.silence.matcher.is_same(&matcher);
        let ended: Vec<_> = self.inbox.silences.extract_if(.., is_same).collect();
        if !ended.is_empty() {
            self.inbox.grouping.forget_fates();
        }
        let over = ended.into_iter().map(|active| Silencing::Over(active.fingerprint));
        self.inbox.silencing.extend(over);
        self.inbox.silencing.push_back(Silencing::Ends(matcher));
        // What it held back until now is counted with the rest.
        self.persist().await;
    }

    /// Tells the store of silences what it does not know yet.
    pub(super) async fn keep_silences(&mut self) {
        while let Some(silencing) = self.inbox.silencing.front() {
            let now = SystemTime::now();
            let keep = async |store: &mut Store| match silencing {
                Silencing::Begins(key, row) => store.silence(*key, row.clone(), now).await,
                Silencing::Ends(matcher) => {
                    let conditions = matcher.conditions();
                    let is_meant = |_, row: &SilenceRow| Some(&row.conditions) == conditions;
                    store.unsilence(is_meant, now).await.map(|_| true)
                }
                Silencing::Over(fingerprint) => store.release_silenced(fingerprint, now).await.map(|()| true),
            };
            // It is tried again with the next batch.
            let Ok(is_kept) = self.outbox.with(keep).await else { return };
            if !is_kept {
                trouble::say(
                    "a silence does not begin: there are too many; end some by `tracing-alert unsilence`",
                );
            }
            self.tell_at = None;
            if let Some(link) = &mut self.inbox.link {
                link.note_counted();
            }
            self.inbox.silencing.pop_front();
        }
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
