//! Who knows a recipient: one that no process has any more is told no more.

use super::{Page, Recipient};
use crate::{outbox::Target, policy::known::Knower};

impl Page {
    /// Notes that `own` knows `targets`.
    pub(in crate::outbox) fn note_known(
        &mut self,
        targets: &[Target],
        own: &Knower,
        is_gone: impl Fn(&Knower) -> bool,
    ) {
        for target in targets {
            let recipient = Recipient::new(target.sink, &target.recipient);
            let account = self.accounts.change_or_insert(recipient, Default::default);
            account.known_by = own.among(&account.known_by, &is_gone);
        }
    }

    /// Has nothing more to tell those recipients of the sinks of `targets` who are none of
    /// them, if all that knew them are gone. Messages that were made for them are sent.
    pub(in crate::outbox) fn forget_unknown(
        &mut self,
        targets: &[Target],
        is_gone: impl Fn(&Knower) -> bool,
    ) -> u64 {
        let is_own_sink = |it: &Recipient| targets.iter().any(|target| *target.sink == *it.sink);
        let is_own = |it: &Recipient| {
            targets.iter().any(|target| *target.sink == *it.sink && *target.recipient == *it.address)
        };
        let is_known = |it: &Recipient| {
            self.accounts
                .get(it)
                .is_some_and(|account| account.known_by.iter().any(|knower| !is_gone(knower)))
        };
        let live = self.standings.iter().filter(|(_, known)| known.due_at.is_some());
        let unknown = live
            .map(|(key, _)| key)
            .filter(|(_, recipient)| is_own_sink(recipient) && !is_own(recipient) && !is_known(recipient));
        let unknown: Vec<_> = unknown.cloned().collect();
        for key in &unknown {
            if let Some(known) = self.standings.change(key) {
                known.due_at = None;
            }
        }
        unknown.len() as u64
    }
}
