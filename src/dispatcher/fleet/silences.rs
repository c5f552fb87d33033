//! Silences: those of the local store go up with what is handed over, and those of the fleet
//! come with a look.

use std::{collections::BTreeMap, time::SystemTime};

use uuid::Uuid;

use super::super::Dispatcher;
use crate::outbox::{KeyedSilence, Store};

/// What the alert thread knows of the fleet's silences.
#[derive(Debug, Default)]
pub(super) struct Silences {
    /// Those that the fleet knows, and whether it knows that they were ended.
    known: BTreeMap<Uuid, bool>,
    /// What it is being told.
    sent: Vec<(Uuid, bool)>,
    /// What it said, and the local store was not told yet.
    heard: Option<Vec<KeyedSilence>>,
}

impl Silences {
    /// Those of the local store's `own` of which the fleet does not know that they began, or
    /// were ended.
    pub(super) fn news(&mut self, own: Vec<KeyedSilence>, now: SystemTime) -> Vec<KeyedSilence> {
        let is_news = |(key, row): &KeyedSilence| match self.known.get(key) {
            None => row.until > now || row.undone_at.is_some(),
            Some(is_ended) => row.undone_at.is_some() && !is_ended,
        };
        let news: Vec<_> = own.into_iter().filter(is_news).collect();
        self.sent = news.iter().map(|(key, row)| (*key, row.undone_at.is_some())).collect();
        news
    }

    /// Notes whether the fleet took what it was told last.
    pub(super) fn note_answer(&mut self, is_taken: bool) {
        let sent = std::mem::take(&mut self.sent);
        if is_taken {
            self.known.extend(sent);
        }
    }

    /// Takes what a look says, if that is something: the local store is to be told.
    pub(super) fn hear(&mut self, silences: Option<Vec<KeyedSilence>>) {
        self.heard = silences.or_else(|| self.heard.take());
    }
}

impl Dispatcher<'_> {
    /// Begins and ends here what the fleet says that somebody began and ended.
    pub(super) async fn learn_silences(&mut self) {
        let Some(link) = &mut self.inbox.link else { return };
        let Some(heard) = link.silences.heard.take() else { return };
        let now = SystemTime::now();
        // They move with this process's clock, as the others that it knows.
        let run = self.inbox.run;
        let ours: Vec<KeyedSilence> = heard
            .iter()
            .map(|(key, row)| {
                let mut row = row.clone();
                row.run = run;
                (*key, row)
            })
            .collect();
        let learn = async |store: &mut Store| store.learn_silences(&ours, now).await;
        let learned = self.outbox.with(learn).await;
        let Some(link) = &mut self.inbox.link else { return };
        match learned {
            Ok(()) => {
                link.silences.known.extend(heard.iter().map(|(key, row)| (*key, row.undone_at.is_some())));
                self.tell_at = None;
            }
            // It is tried again with the next look.
            Err(_) => link.silences.hear(Some(heard)),
        }
    }
}
