//! Events become notices: what waits is committed in one transaction.

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant, SystemTime},
};

use super::{Dispatcher, Inbox, random};
use crate::{
    event::Event,
    fingerprint::Fingerprint,
    notice::Losses,
    queue::{Awaited, Permit},
    signal::Signal,
    stats::DropReason,
    store::{Captured, Draft, StoreError},
};

impl Dispatcher<'_> {
    /// Commits what waits, together with the losses nobody was told of.
    pub(super) async fn persist(&mut self) {
        let losses = self.untold_losses();
        if self.inbox.waiting.is_empty() && losses.is_empty() {
            return;
        }
        let now = SystemTime::now();
        let public_id = public_id();
        let draft = Draft {
            public_id: &public_id,
            run: self.inbox.run,
            process: &self.process,
            closes_at: if self.is_hurried() { now } else { now + self.settle },
        };
        let persisted =
            self.store.persist(&self.inbox.waiting, &losses, self.open, &draft, &self.targets, now).await;
        match persisted {
            Ok(notice) => {
                self.note(Ok(()));
                self.open = Some(notice);
                self.last_notice = notice;
                for late in &mut self.inbox.late {
                    late.notice.get_or_insert(notice);
                }
                for (reason, count) in losses {
                    *self.inbox.told.entry(reason).or_default() += count;
                }
                let events = self.inbox.waiting.drain(..).map(|captured| captured.count).sum();
                self.counters.persisted.fetch_add(events, Ordering::Relaxed);
                for committed in self.inbox.acknowledge.drain(..) {
                    committed.set(());
                }
                self.wake_lanes();
            }
            Err(StoreError::Full) => {
                let lost = self.inbox.waiting.drain(..).map(|captured| captured.count).sum();
                self.counters.count_dropped(DropReason::MemoryFull, lost);
                // Nobody has to wait for what will not come.
                self.inbox.acknowledge.drain(..).for_each(|waits| waits.set(()));
            }
            // What waits is bounded: a full queue is the next thing to happen.
            Err(error) => self.note(Err(error)),
        }
    }

    fn untold_losses(&self) -> Losses {
        let untold = |(reason, count): (DropReason, u64)| {
            let told = self.inbox.told.get(&reason).copied().unwrap_or(0);
            Some((reason, count.saturating_sub(told))).filter(|(_, count)| *count > 0)
        };
        self.counters.losses().into_iter().filter_map(untold).collect()
    }

    /// Adds the backtraces that have come to their events.
    pub(super) async fn add_late_backtraces(&mut self) {
        for late in std::mem::take(&mut self.inbox.late) {
            let now = Instant::now();
            match (late.notice, late.text.wait_until(now)) {
                (Some(notice), Some(text)) => {
                    let added = self.store.add_backtrace(notice, &late.fingerprint, &text).await;
                    self.note(added);
                }
                (None, _) | (_, None) if now < late.until => self.inbox.late.push(late),
                (None, _) | (_, None) => (),
            }
        }
    }

    /// Whether messages wait for a backtrace: for a while only, or a stream of
    /// panics would hold up everything.
    pub(super) fn holds_deliveries(&mut self) -> bool {
        if self.inbox.late.is_empty() {
            self.inbox.late_since = None;
        }
        self.inbox.late_since.is_some_and(|since| since.elapsed() < BACKTRACE_PATIENCE)
    }

    /// Ends the settle time of the open notice.
    pub(super) async fn close_open_notice(&mut self) {
        let Some(open) = self.open else {
            self.must_close = false;
            return;
        };
        let closed = self.store.close(open, SystemTime::now()).await;
        self.must_close = closed.is_err();
        if closed.is_ok() {
            self.open = None;
            self.wake_lanes();
        }
        self.note(closed);
    }
}

impl Inbox {
    /// Adds `event` to those that wait; one that is the same as another only
    /// counts.
    pub(super) fn add(&mut self, event: Event, permit: Permit) {
        let fingerprint = self.grouping.fingerprint(&event, Instant::now());
        let mut latest = self.waiting.iter_mut().rev().take(LOOK_BACK);
        match latest.find(|captured| captured.fingerprint == fingerprint) {
            Some(captured) => {
                captured.count += 1;
                captured.last_at = captured.last_at.max(event.at);
            }
            None => {
                let last_at = event.at;
                self.waiting.push(Captured { event, fingerprint, count: 1, last_at, permit });
            }
        }
    }

    /// As [`add`](Self::add); somebody waits for the commit.
    pub(super) fn add_awaited(&mut self, awaited: Awaited, permit: Permit) {
        let Awaited { event, committed, backtrace } = awaited;
        if let Some(text) = backtrace {
            let fingerprint = self.grouping.fingerprint(&event, Instant::now());
            let now = Instant::now();
            self.late_since.get_or_insert(now);
            self.late.push(Late { fingerprint, text, notice: None, until: now + BACKTRACE_PATIENCE });
        }
        self.acknowledge.push(committed);
        self.add(event, permit);
    }
}

/// A backtrace that is still to come.
pub(super) struct Late {
    fingerprint: Fingerprint,
    text: Arc<Signal<String>>,
    /// The notice its event is in, once that is committed.
    notice: Option<i64>,
    /// It is not waited for any longer than this.
    until: Instant,
}

/// Four letters that are easy to read aloud, and spell no word.
pub(super) fn public_id() -> String {
    const LETTERS: &[u8; 30] = b"0123456789BCDFGHJKMNPQRSTVWXYZ";
    let mut number = random() as usize;
    std::iter::repeat_with(|| {
        let letter = LETTERS[number % LETTERS.len()];
        number /= LETTERS.len();
        char::from(letter)
    })
    .take(4)
    .collect()
}

/// How long a message waits for a panic's backtrace.
const BACKTRACE_PATIENCE: Duration = Duration::from_secs(1);

/// How far back an event looks for one that is the same.
const LOOK_BACK: usize = 64;
