//! Recipients that were taken out of the settings get no more than the last program that
//! knew them.
//!
//! Invariant: of a process on another machine nobody knows whether it is gone, so it is
//! not.

use super::{Dispatcher, starts::is_alive};
use crate::{
    outbox::{Store, StoreError},
    policy::{known::Knower, notice::Process},
    queue::exit,
};
use uuid::Uuid;

impl Dispatcher<'_> {
    /// Notes in a file that did not know which recipients this process has.
    pub(super) async fn note_known(&mut self) -> Result<(), StoreError> {
        // An end with nothing to do may not wait for that.
        if exit::has_begun() && self.counters.captured() == 0 {
            return Ok(());
        }
        let (own, process) = (self.knower(), self.process.clone());
        let targets = &self.targets;
        let note = async |store: &mut Store| {
            store.note_known(targets, &own, |other| is_gone(other, &process, own.run, is_alive)).await
        };
        self.outbox.with(note).await
    }

    /// Tells nothing more to those that no process knows.
    pub(super) async fn forget_unknown(&mut self) -> Result<(), StoreError> {
        let (own, process) = (self.knower(), self.process.clone());
        let targets = &self.targets;
        let forget = async |store: &mut Store| {
            store.forget_unknown(targets, |other| is_gone(other, &process, own.run, is_alive)).await
        };
        self.outbox.with(forget).await.map(drop)
    }

    fn knower(&self) -> Knower {
        let host = self.process.host.clone().unwrap_or_default();
        let version = self.process.version.clone();
        Knower { run: self.first_run(), host, pid: self.process.pid, version }
    }
}

/// Whether a process is gone, as far as we can tell.
fn is_gone(other: &Knower, process: &Process, first_run: Uuid, is_alive: impl Fn(u32) -> bool) -> bool {
    let is_here = process.host.as_deref().is_some_and(|host| host == other.host);
    // In a container each process may have the same number.
    let is_gone = if other.pid == process.pid { other.run < first_run } else { !is_alive(other.pid) };
    is_here && is_gone
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_is_surely_gone_is() {
        let process = Process { host: Some("web-1".to_owned()), pid: 1, ..Process::default() };
        let knower = |run, host: &str, pid| Knower {
            run: Uuid::from_u128(run),
            host: host.to_owned(),
            pid,
            version: None,
        };
        let gone = |knower: &Knower| is_gone(knower, &process, Uuid::from_u128(5), |pid| pid == 7);
        assert!(!gone(&knower(3, "web-1", 7)), "it is alive");
        assert!(gone(&knower(3, "web-1", 8)), "it is not");
        assert!(gone(&knower(3, "web-1", 1)), "the container started again");
        assert!(!gone(&knower(5, "web-1", 1)) && !gone(&knower(6, "web-1", 1)), "we are it");
        assert!(!gone(&knower(3, "web-2", 8)), "nobody knows");
    }
}
