//! What one recipient is told now: one message at most.
//!
//! Invariant: pure. Whatever is not told has a time when it is looked at again.

use std::time::{Duration, SystemTime};

use super::{Next, Reason, Rhythm, Standing};
use crate::{
    host::time::Saturating,
    policy::budget::{Account, Allowance, Budget, MAX_SEGMENTS, day_of, start_of},
};

/// Everything that is known of one recipient of one sink.
#[derive(Clone, Debug)]
pub(crate) struct RecipientView {
    pub(crate) account: Account,
    /// Their incidents that are not over.
    pub(crate) standings: Vec<Standing>,
    /// Whether there is a message for them that did not leave yet: it takes more.
    pub(crate) has_open_message: bool,
    /// No new message is made before then.
    pub(crate) blocked_until: Option<SystemTime>,
}

/// What is to be done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    /// What the message tells, by place in [`RecipientView::standings`], and why.
    pub(crate) tell: Vec<(usize, Reason)>,
    /// The account after a message that has to be made; none if the open one
    /// takes what is to be told, or if nothing is.
    pub(crate) account: Option<Account>,
    /// Whether that is the day's last message of what is known.
    pub(crate) is_last: bool,
    /// When each standing is to be looked at again; none if it is over.
    pub(crate) due: Vec<Option<SystemTime>>,
}

/// Decides what the recipient of `view` is told at `now`; what is new, also
/// before its time if that is `hurried`.
pub(crate) fn plan(
    view: &RecipientView,
    rhythm: &Rhythm,
    budget: Option<&Budget>,
    hurried: bool,
    now: SystemTime,
) -> Plan {
    let nexts: Vec<Next> =
        view.standings.iter().map(|standing| standing.next(rhythm, view.account.heard_at, now)).collect();
    let is_due = |index: usize| nexts[index].at() <= now;
    let due = |next: &Next| match next {
        Next::Close(at) if *at <= now => None,
        Next::Close(at) | Next::Tell(_, at) => Some(*at),
    };
    let mut plan = Plan { due: nexts.iter().map(due).collect(), ..Plan::default() };
    let may_join = |standing: &Standing| standing.not_before.is_none_or(|at| at <= now);
    let is_first = |index: usize| matches!(nexts[index], Next::Tell(Reason::First, _));
    let tells = |index: usize| matches!(nexts[index], Next::Tell(..));
    let joins = |index: usize| {
        let standing = &view.standings[index];
        let has_news = is_first(index) || (view.has_open_message && standing.untold() > 0);
        may_join(standing) && has_news
    };
    let calls = |index: usize| {
        tells(index) && (is_due(index) || (hurried && is_first(index) && may_join(&view.standings[index])))
    };
    let all = 0..view.standings.len();
    let has_call = all.clone().any(calls) || (view.has_open_message && all.clone().any(joins));
    if !has_call {
        return plan;
    }
    if !view.has_open_message {
        let is_told = |index: usize| calls(index) || joins(index);
        let is_new =
            all.clone().any(|index| is_told(index) && is_first(index) && view.standings[index].is_new);
        let until = match view.account.allows(budget, is_new, now) {
            _ if view.blocked_until.is_some() => view.blocked_until,
            Allowance::NotBefore(at) => Some(at),
            Allowance::Message { after, is_last } => {
                plan.account = Some(after);
                plan.is_last = is_last;
                None
            }
        };
        if let Some(until) = until {
            for index in all.filter(|index| calls(*index)) {
                plan.due[index] = Some(until);
            }
            return plan;
        }
    }
    for index in all.filter(|index| calls(*index) || joins(*index)) {
        let standing = view.standings[index];
        let is_over = standing.is_over(now);
        let reason = match nexts[index] {
            Next::Tell(reason, _) if is_first(index) || is_due(index) => reason,
            // It joins a message that had another reason.
            Next::Tell(..) | Next::Close(_) if is_over => Reason::Quiet,
            Next::Tell(..) | Next::Close(_) => Reason::Update,
        };
        plan.tell.push((index, reason));
        let told = Standing {
            told: standing.count,
            told_at: Some(now),
            tellings: standing.next_tellings(),
            ..standing
        };
        plan.due[index] = (!is_over).then(|| told.next(rhythm, Some(now), now).at());
    }
    plan
}

/// Until when no new message is made for a recipient with `pending` ones, in a
/// sink that cost `spent` of the `limit` segments of the day and has `under_way`
/// messages, which count as what they may cost.
pub(crate) fn blocked_until(
    pending: u64,
    spent: u32,
    under_way: u64,
    limit: Option<u32>,
    now: SystemTime,
) -> Option<SystemTime> {
    let exceeds = |messages: u64| {
        let cost = u64::from(spent) + messages.saturating_mul(u64::from(MAX_SEGMENTS));
        limit.is_some_and(|limit| cost > u64::from(limit))
    };
    if exceeds(1) {
        return Some(start_of(day_of(now).saturating_add(1)));
    }
    (exceeds(under_way + 1) || pending >= MAX_PENDING).then(|| now.later(PENDING_PAUSE))
}

/// How many pending messages of a sink [`blocked_until`] has to know of, if it may
/// cost so many segments a day: of more, the number makes no difference.
#[cfg(feature = "sqlite")]
pub(crate) fn max_under_way(limit: u32) -> u64 {
    u64::from(limit / MAX_SEGMENTS).saturating_add(1)
}

/// So many messages to one recipient may be under way or in doubt; one that
/// nobody can send must not hold up all others.
pub(crate) const MAX_PENDING: u64 = 3;

/// How soon is looked again whether there are fewer, unless one of them is
/// settled before.
pub(crate) const PENDING_PAUSE: Duration = Duration::from_secs(30);
