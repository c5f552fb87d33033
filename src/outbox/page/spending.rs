//! What an instance sent alone, while the fleet's store was out of reach: it goes up into the
//! fleet's accounts, so that an outage does not double a day's budget.
//!
//! Invariant: each store says all that it sent in the last days, so that what is said twice
//! counts once.

use std::time::SystemTime;

use super::{Page, Recipient};
use crate::{outbox::Claim, policy::budget::Alone};

/// What one recipient was sent by one instance alone.
#[derive(Clone, Debug)]
pub(crate) struct Spending {
    pub(in crate::outbox) recipient: Recipient,
    pub(in crate::outbox) sent: Alone,
}

/// Of the local store.
impl Page {
    /// Notes that this instance sent a message of so many `segments`, and no other one did.
    pub(in crate::outbox) fn note_sent_alone(&mut self, claim: &Claim, segments: u32, now: SystemTime) {
        self.accounts.change_or_insert(claim.whom(), Default::default).alone.add(segments, now);
    }

    /// All that was.
    pub(in crate::outbox) fn spending(&self) -> Vec<Spending> {
        let sent = self.accounts.iter().filter(|(_, account)| !account.alone.is_nothing());
        sent.map(|(recipient, account)| Spending {
            recipient: recipient.clone(),
            sent: account.alone.clone(),
        })
        .collect()
    }
}
