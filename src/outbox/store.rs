//! [`Store`]: what the outbox does, in whatever keeps the rows.
//!
//! Each function names what it needs, and what the page decides; nothing else is
//! known here of any store.
//! Invariant: decides nothing, and waits for nothing but its own storage.

use std::time::SystemTime;

use uuid::Uuid;

#[cfg(feature = "postgres")]
use super::Fleet;
#[cfg(feature = "sqlite")]
use super::Sqlite;
use super::{
    Captured, Channel, Claim, Ill, Inquiry, Learned, Maker, Mark, Memory, Page, Sequel, SilenceRow,
    StoreError, Target, Told,
    batch::arrivals,
    keep::{Keep, turn, turn_and_join},
    scope::{Key, Question, Scope},
};
use crate::{
    event::loss::Losses,
    policy::{calendar::Calendar, notice::Notice, send_error::SendError},
    queue::stats::EventCounts,
    sink::Fate,
};

/// The store in use.
#[cfg_attr(
    any(feature = "postgres", feature = "sqlite"),
    expect(clippy::large_enum_variant, reason = "there is but one")
)]
pub(crate) enum Store {
    Memory(Memory),
    #[cfg(feature = "sqlite")]
    Sqlite(Box<Sqlite>),
    #[cfg(feature = "postgres")]
    Fleet(Box<Fleet>),
}

/// Does the same with whatever keeps the rows.
macro_rules! keep {
    ($self:ident, $keeper:ident => $work:expr) => {
        match $self {
            Self::Memory($keeper) => $work.await,
            #[cfg(feature = "sqlite")]
            Self::Sqlite($keeper) => {
                let $keeper = &mut **$keeper;
                $work.await
            }
            #[cfg(feature = "postgres")]
            Self::Fleet(fleet) => {
                let done = {
                    let $keeper = &mut **fleet;
                    $work.await
                };
                fleet.note(done)
            }
        }
    };
}

pub(super) use keep;

/// One decision about what `$scope` names, as no public id is drawn.
macro_rules! decide {
    ($self:ident, $scope:expr, $decide:expr) => {
        keep!($self, keeper => turn(keeper, &$scope, &String::new, $decide))
    };
}

pub(super) use decide;

impl Store {
    /// Commits `batch` and `losses`, which are the maker's batch `number`, to their
    /// incidents, unless they are there already; opens those that are
    /// new, for the recipients whom their levels concern. True if one of them is an error of
    /// the program's that nobody silenced.
    pub(crate) async fn persist(
        &mut self,
        number: u64,
        batch: &[Captured],
        losses: &Losses,
        maker: &Maker<'_>,
        targets: &[Target],
        now: SystemTime,
    ) -> Result<bool, StoreError> {
        match self {
            Self::Memory(memory) => memory.must_have_room()?,
            #[cfg(feature = "sqlite")]
            Self::Sqlite(_) => (),
            #[cfg(feature = "postgres")]
            Self::Fleet(_) => (),
        }
        let arrivals = arrivals(batch, losses, now);
        let fingerprints: Vec<_> = arrivals.iter().map(|arrival| arrival.fingerprint.clone()).collect();
        let fingerprints = fingerprints.iter().map(Vec::as_slice).collect();
        let said: Vec<_> =
            arrivals.iter().filter_map(|arrival| Some((arrival.said.clone()?, arrival.count))).collect();
        let said = said.iter().map(|(said, count)| (&**said, *count)).collect();
        let scope = Scope::Batch { run: maker.run, fingerprints, said, targets, now };
        let join = |page: &mut Page| page.join_once(number, arrivals, maker, targets, now);
        keep!(self, keeper => turn(keeper, &scope, maker.new_id, join))
    }

    /// Adds the backtrace to an event that was committed without it.
    pub(crate) async fn add_backtrace(
        &mut self,
        fingerprint: &[u8],
        backtrace: &str,
    ) -> Result<(), StoreError> {
        decide!(self, Scope::FirstEvent(fingerprint), |page| page.add_backtrace(fingerprint, backtrace))
    }

    /// Makes, for each recipient of `channel` of whose incidents something is to
    /// be told at `now`, one message of it. If that is `hurried`, what is new is
    /// told at once.
    pub(crate) async fn tell(
        &mut self,
        channel: &Channel,
        maker: &Maker<'_>,
        hurried: bool,
        now: SystemTime,
    ) -> Result<Told, StoreError> {
        let sink = channel.sink;
        let mut notice = None;
        let mut last = Some(String::new());
        while let Some(after) = last
            && keep!(self, keeper => keeper.ask(&Question::Waits { sink, hurried, now }))?
        {
            let scope = Scope::Desk { channel, hurried, after: &after, now };
            let tell = |page: &mut Page| {
                let last = page.last_waiting(sink).map(|recipient| recipient.address.to_string());
                (page.tell(channel, maker, hurried, now), last)
            };
            let told;
            (told, last) = keep!(self, keeper => turn(keeper, &scope, maker.new_id, tell))?;
            notice = notice.max(told);
            if !self.tells_one_at_a_time() {
                break;
            }
        }
        Ok(Told { notice, next: keep!(self, keeper => keeper.next_look(sink))? })
    }

    /// Whether a turn decides for one recipient only.
    fn tells_one_at_a_time(&self) -> bool {
        match self {
            #[cfg(feature = "postgres")]
            Self::Fleet(_) => true,
            _ => false,
        }
    }

    /// Claims up to `limit` deliveries of `sink` that are due at `now`: each
    /// counts one attempt and is leased until `lease_until`.
    pub(crate) async fn claim(
        &mut self,
        sink: &str,
        limit: usize,
        lease_until: SystemTime,
        now: SystemTime,
    ) -> Result<Vec<Claim>, StoreError> {
        keep!(self, keeper => keeper.claim(sink, limit, lease_until, now))
    }

    /// Reads what a claimed delivery has to tell.
    pub(crate) async fn notice(&mut self, claim: &Claim) -> Result<Notice, StoreError> {
        let notice = keep!(self, keeper => keeper.notice(claim.notice_id))?;
        notice.ok_or_else(|| StoreError::Failed("a notice vanished".to_owned()))
    }

    /// pending → delivered, at a cost of `segments`; asked after at `ask_at`. False if
    /// the claim was no longer valid.
    pub(crate) async fn deliver(
        &mut self,
        claim: &Claim,
        reference: Option<&str>,
        segments: u32,
        ask_at: Option<SystemTime>,
        now: SystemTime,
    ) -> Result<bool, StoreError> {
        decide!(self, Scope::Settled { claim, now }, |page| {
            page.deliver(claim, reference, segments, ask_at, now)
        })
    }

    /// pending → pending, due again at `due_at`; the sink failed, if it did. False as
    /// above.
    pub(crate) async fn retry(
        &mut self,
        claim: &Claim,
        error: &SendError,
        due_at: SystemTime,
        failed_at: Option<SystemTime>,
    ) -> Result<bool, StoreError> {
        let keys = [Key::Delivery(claim.key), Key::Dead(&claim.sink)];
        decide!(self, Scope::Keys(&keys), |page| page.retry(claim, error, due_at, failed_at))
    }

    /// pending → pending, due again at `due_at`, and the attempt does not count; the
    /// sink failed, if it did. False as above.
    pub(crate) async fn release(
        &mut self,
        claim: &Claim,
        error: Option<&str>,
        due_at: SystemTime,
        failed_at: Option<SystemTime>,
    ) -> Result<bool, StoreError> {
        let keys = [Key::Delivery(claim.key), Key::Dead(&claim.sink)];
        decide!(self, Scope::Keys(&keys), |page| page.release(claim, error, due_at, failed_at))
    }

    /// pending → dead. False as above.
    pub(crate) async fn bury(
        &mut self,
        claim: &Claim,
        reason: &str,
        now: SystemTime,
    ) -> Result<bool, StoreError> {
        decide!(self, Scope::Settled { claim, now }, |page| page.bury(claim, reason, now))
    }

    /// Notes that the recipient of a claimed delivery was refused for good.
    pub(crate) async fn refuse(&mut self, claim: &Claim, now: SystemTime) -> Result<(), StoreError> {
        decide!(self, Scope::Keys(&[]), |page| page.refuse(claim, now))
    }

    /// pending → dead without an attempt, if the recipient was refused after
    /// `since`; nobody is told once more. False if it was not.
    pub(crate) async fn skip_refused(
        &mut self,
        claim: &Claim,
        since: SystemTime,
        now: SystemTime,
    ) -> Result<bool, StoreError> {
        if !keep!(self, keeper => keeper.ask(&Question::Refused { claim, since }))? {
            return Ok(false);
        }
        decide!(self, Scope::Settled { claim, now }, |page| page.skip_refused(claim, since, now))
    }

    /// Opens an incident of what is to be told of `sink` through the others, for
    /// `targets`, as `tell` makes it: that it fails, if it is one of ours, or what is
    /// dead and untold in it. False if that is nothing; of the dead, also if the last
    /// time was after `not_since`. What is about the dead, and dead itself, is never told.
    #[expect(clippy::too_many_arguments, reason = "what there is to know of one telling")]
    pub(crate) async fn tell_of_sink(
        &mut self,
        sink: &str,
        is_ours: bool,
        not_since: SystemTime,
        tell: impl Fn(&Ill) -> Captured,
        maker: &Maker<'_>,
        targets: &[Target],
        now: SystemTime,
    ) -> Result<bool, StoreError> {
        if !keep!(self, keeper => keeper.ask(&Question::Ill { sink }))? {
            return Ok(false);
        }
        let decide = |page: &mut Page| {
            let failing = is_ours.then(|| page.tell_of_failing(sink, now)).flatten().map(Ill::Failing);
            failing.or_else(|| page.tell_of_dead(sink, not_since, now).map(Ill::Dead)).map(|ill| tell(&ill))
        };
        let scope = Scope::Keys(&[Key::Dead(sink)]);
        keep!(self, keeper => turn_and_join(keeper, &scope, decide, maker, targets, now))
    }

    /// Begins a silence, whose events are counted under `key`. False if there are too many
    /// already.
    pub(crate) async fn silence(
        &mut self,
        key: Uuid,
        silence: SilenceRow,
        now: SystemTime,
    ) -> Result<bool, StoreError> {
        decide!(self, Scope::Silences, |page| page.silence(key, silence, now))
    }

    /// Ends the silences in force that `is_meant`, so that what they held back is told at
    /// `now`. Returns how many that were.
    pub(crate) async fn unsilence(
        &mut self,
        is_meant: impl Fn(Uuid, &SilenceRow) -> bool,
        now: SystemTime,
    ) -> Result<usize, StoreError> {
        decide!(self, Scope::Silences, |page| page.unsilence(is_meant, now))
    }

    /// Has what counts under `fingerprint` told at `now`: it is silenced no more.
    pub(crate) async fn release_silenced(
        &mut self,
        fingerprint: &[u8],
        now: SystemTime,
    ) -> Result<(), StoreError> {
        decide!(self, Scope::Silences, |page| page.release_silenced(fingerprint, &[], now))
    }

    /// When the next message of `sink` is to be asked after, leases included.
    pub(crate) async fn next_inquiry(&mut self, sink: &str) -> Result<Option<SystemTime>, StoreError> {
        keep!(self, keeper => keeper.next_inquiry(sink))
    }

    /// Takes up to `limit` messages of `sink` to be asked after at `now`; nobody else
    /// asks until `lease_until`.
    pub(crate) async fn inquire(
        &mut self,
        sink: &str,
        limit: usize,
        lease_until: SystemTime,
        now: SystemTime,
    ) -> Result<Vec<Inquiry>, StoreError> {
        let scope = Scope::Inquiries { sink, limit, now };
        decide!(self, scope, |page| page.inquire(sink, limit, lease_until, now))
    }

    /// Takes what became of a message of `sink`.
    pub(crate) async fn learn(
        &mut self,
        sink: &str,
        inquiry: &Inquiry,
        fate: &Fate,
        sequel: &Sequel<'_>,
        now: SystemTime,
    ) -> Result<Learned, StoreError> {
        let scope = Scope::Fate { key: inquiry.key, sink };
        decide!(self, scope, |page| page.learn(inquiry, fate, sequel, now))
    }

    /// When the next delivery of `sink` is due, leases included.
    pub(crate) async fn next_due(&mut self, sink: &str) -> Result<Option<SystemTime>, StoreError> {
        keep!(self, keeper => keeper.next_due(sink))
    }

    /// The last of what there is now.
    pub(crate) async fn mark(&mut self) -> Result<Mark, StoreError> {
        keep!(self, keeper => keeper.mark())
    }

    /// How many messages of `run`, or with one of its incidents, are pending up to
    /// `mark`; and how many recipients were never told of one of those.
    pub(crate) async fn pending(&mut self, run: Uuid, mark: Mark) -> Result<u64, StoreError> {
        keep!(self, keeper => keeper.pending(run, mark, &[]))
    }

    /// Where the events of all its incidents are.
    pub(crate) async fn events(&mut self) -> Result<EventCounts, StoreError> {
        keep!(self, keeper => keeper.events())
    }

    /// The sinks with deliveries that ended undelivered, and nobody was told.
    pub(crate) async fn sinks_of_dead(&mut self) -> Result<Vec<String>, StoreError> {
        keep!(self, keeper => keeper.sinks_of_dead())
    }

    /// Counts what an attempt may have cost that did not end in
    /// [`deliver`](Self::deliver). Returns until when no other may be made, if they may
    /// cost no more than `limit` a day.
    pub(crate) async fn charge(
        &mut self,
        claim: &Claim,
        segments: u32,
        limit: Option<(u32, &Calendar)>,
        now: SystemTime,
    ) -> Result<Option<SystemTime>, StoreError> {
        let keys = [Key::Delivery(claim.key), Key::Account(claim)];
        decide!(self, Scope::Keys(&keys), |page| page.charge(claim, segments, limit, now))
    }

    /// Gives back what the attempts in doubt were counted for: surely nothing was sent.
    pub(crate) async fn refund(&mut self, claim: &Claim) -> Result<(), StoreError> {
        let keys = [Key::Delivery(claim.key), Key::Account(claim)];
        decide!(self, Scope::Keys(&keys), |page| page.refund(claim))
    }

    /// Closes the file, if there is one.
    pub(crate) async fn shut(&mut self) {
        match std::mem::replace(self, Self::Memory(Memory::default())) {
            Self::Memory(_) => (),
            #[cfg(feature = "sqlite")]
            Self::Sqlite(store) => store.shut().await,
            #[cfg(feature = "postgres")]
            Self::Fleet(mut fleet) => fleet.close().await,
        }
    }
}
