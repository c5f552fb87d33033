//! Starts of the program.

use std::time::{Duration, SystemTime};

use uuid::Uuid;

use super::{IncidentRow, Page, StartRow};
use crate::{
    host::time::Saturating,
    outbox::{
        batch::About,
        starts::{Began, CrashLoop, ERRED_LAST, LOOP_WINDOW, MAX_FAILED, Sighting, Start},
    },
};

/// A start that is further ahead was written before the clock was set back.
const MAX_WAIT: Duration = Duration::from_secs(60);

impl Page {
    /// Notes that the process `began`, on `host` as `pid`, unless another layer did,
    /// and forgets the starts that count no more. Returns what is to be told: none
    /// unless more than [`MAX_FAILED`] starts of the last [`LOOP_WINDOW`]
    /// `have_failed`.
    pub(in crate::outbox) fn note_start(
        &mut self,
        began: Began,
        (host, pid): (&str, u32),
        have_failed: impl Fn(&Start) -> bool,
        now: SystemTime,
    ) -> Option<CrashLoop> {
        // Who waited for the file knows an earlier time than who had it meanwhile.
        let counts = now.earlier(LOOP_WINDOW)..=now.later(MAX_WAIT);
        let old = self.starts.iter().filter(|(_, start)| !counts.contains(&start.started_at));
        let old: Vec<_> = old.map(|(run, _)| *run).collect();
        old.iter().for_each(|run| self.starts.remove(run));
        if self.starts.get(&began.run).is_some() {
            return None;
        }
        let erred_last = |run: &Uuid, row: &StartRow| {
            let later = self.starts.values().map(|other| other.started_at);
            let next = || later.filter(|at| *at > row.started_at).min().unwrap_or(began.at);
            let (erred_at, gone_by) = match &row.seen {
                // It did not look any more.
                Some(seen) => (seen.erred_at, seen.looks_at),
                None => (self.batches.get(run).and_then(|batch| batch.erred_at), next()),
            };
            erred_at.is_some_and(|at| gone_by <= at.later(ERRED_LAST))
        };
        let starts = self.starts.iter().map(|(run, row)| row.start(*run, erred_last(run, row)));
        let failed: Vec<_> = starts.filter(have_failed).collect();
        let row = StartRow { host: host.to_owned(), pid, started_at: began.at, ended_at: None, seen: None };
        self.starts.insert(began.run, row);
        if failed.len() <= MAX_FAILED {
            return None;
        }
        let is_told = self.beyond.has_crash_loop
            || self.incidents.values().any(|it| it.closed_at.is_none() && it.about == Some(About::CrashLoop));
        let untold = if is_told { &[] } else { failed.as_slice() };
        Some(CrashLoop {
            starts: (untold.len() as u64).saturating_add(1),
            since: untold.iter().map(|start| start.at).min().unwrap_or(now),
            last_error: self.last_error(now.earlier(LOOP_WINDOW)),
        })
    }

    /// Notes that the process whose first run is `run` ends by itself. If it does not
    /// fail, it need not be known any more; but another layer of it may know better.
    #[cfg(feature = "sqlite")]
    pub(in crate::outbox) fn note_end(&mut self, run: Uuid, fails: bool, now: SystemTime) {
        if fails {
            if let Some(start) = self.starts.change(&run) {
                start.ended_at = Some(now);
            }
        } else if self.starts.get(&run).is_some_and(|start| start.ended_at.is_none()) {
            self.starts.remove(&run);
        }
    }

    /// The first event of the open incident that happened last, if that is an error
    /// and was not before `since`.
    fn last_error(&self, since: SystemTime) -> Option<crate::event::Event> {
        let is_error = |it: &IncidentRow| {
            it.closed_at.is_none() && it.about.is_none() && it.level == tracing::Level::ERROR
        };
        let recent = self.incidents.iter().filter(|(_, it)| is_error(it) && it.last_at >= since);
        let (id, _) = recent.max_by_key(|(id, it)| (it.last_at, **id))?;
        self.firsts.get(id).cloned()
    }
}

impl StartRow {
    fn start(&self, run: Uuid, erred_last: bool) -> Start {
        Start {
            run,
            host: self.host.clone(),
            pid: self.pid,
            at: self.started_at,
            ended_at: self.ended_at,
            erred_last,
            seen: self
                .seen
                .as_ref()
                .map(|seen| Sighting { version: seen.version.clone(), until: seen.until }),
        }
    }
}
