//! Deliveries that end undelivered, and what is told of them.

use std::time::SystemTime;

use super::{
    super::{
        Claim, Dead, Maker, StoreError, Target,
        batch::{Captured, tallies},
    },
    Memory,
};
use crate::notice::{Kind, Losses};

impl Memory {
    pub(in crate::store) fn refuse(&mut self, claim: &Claim, now: SystemTime) {
        if let Some(sink) = self.claimed(claim).map(|delivery| delivery.sink) {
            self.refusals.insert((sink, claim.recipient.clone()), now);
        }
    }

    pub(in crate::store) fn skip_refused(
        &mut self,
        claim: &Claim,
        since: SystemTime,
        now: SystemTime,
    ) -> bool {
        let Some(sink) = self.claimed(claim).map(|delivery| delivery.sink) else {
            return false;
        };
        let refused_at = self.refusals.get(&(sink, claim.recipient.clone()));
        refused_at.is_some_and(|at| *at > since && *at <= now) && self.settle(claim, now)
    }

    pub(in crate::store) fn bury(
        &mut self,
        claim: &Claim,
        reason: &str,
        now: SystemTime,
    ) -> Result<bool, StoreError> {
        let Some(sink) = self.claimed(claim).map(|delivery| delivery.sink) else {
            return Ok(false);
        };
        if let Some(notice) = self.notices.get(&claim.notice_id).filter(|notice| notice.kind != Kind::Health)
        {
            let dead = Dead {
                count: 1 + self.untold.get(sink).map_or(0, |dead| dead.count),
                recipient: claim.recipient.clone(),
                public_id: notice.public_id.clone(),
                reason: reason.to_owned(),
            };
            self.untold.insert(sink, dead);
        }
        Ok(self.settle(claim, now))
    }

    pub(in crate::store) fn sinks_of_dead(&self) -> Vec<String> {
        self.untold.keys().map(ToString::to_string).collect()
    }

    pub(in crate::store) fn tell_of_dead(
        &mut self,
        sink: &str,
        not_since: SystemTime,
        tell: impl Fn(&Dead) -> Captured,
        maker: &Maker<'_>,
        targets: &[Target],
        now: SystemTime,
    ) -> bool {
        if self.told_at.get(sink).is_some_and(|at| *at > not_since && *at <= now) {
            return false;
        }
        let Some((sink, dead)) = self.untold.remove_entry(sink) else { return false };
        self.told_at.insert(sink, now);
        self.join(tallies(&[tell(&dead)], &Losses::new(), now), maker, targets, now);
        true
    }
}
