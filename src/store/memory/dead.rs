//! Deliveries that end undelivered, and what is told of them.

use std::time::SystemTime;

use super::{
    super::{Captured, Claim, Dead, Draft, StoreError, Target},
    Memory,
};

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
        refused_at.is_some_and(|at| *at > since && *at <= now) && self.settle(claim)
    }

    pub(in crate::store) fn bury(
        &mut self,
        claim: &Claim,
        reason: &str,
        _now: SystemTime,
    ) -> Result<bool, StoreError> {
        let Some(sink) = self.claimed(claim).map(|delivery| delivery.sink) else {
            return Ok(false);
        };
        if let Some(notice) = self.notices.get(&claim.notice_id).filter(|notice| !notice.health) {
            let dead = Dead {
                count: 1 + self.untold.get(sink).map_or(0, |dead| dead.count),
                recipient: claim.recipient.clone(),
                public_id: notice.public_id.clone(),
                reason: reason.to_owned(),
            };
            self.untold.insert(sink, dead);
        }
        Ok(self.settle(claim))
    }

    pub(in crate::store) fn tell_of_dead(
        &mut self,
        sink: &'static str,
        not_since: SystemTime,
        tell: impl Fn(&Dead) -> Captured,
        draft: &Draft<'_>,
        targets: &[Target],
        now: SystemTime,
    ) -> Option<i64> {
        if self.told_at.get(sink).is_some_and(|at| *at > not_since && *at <= now) {
            return None;
        }
        let dead = self.untold.remove(sink)?;
        self.told_at.insert(sink, now);
        let notice_id = self.insert_notice(draft, true, now);
        if let Some(notice) = self.notices.get_mut(&notice_id) {
            self.bytes += notice.add(&tell(&dead));
        }
        for target in targets {
            self.insert_delivery(notice_id, target, draft.closes_at, now);
        }
        self.drop_untold(notice_id);
        Some(notice_id)
    }
}
