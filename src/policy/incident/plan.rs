//! What one recipient is told now: one message at most.
//!
//! Invariant: pure. Whatever is not told has a time when it is looked at again.

use std::time::{Duration, SystemTime};

use super::{Heard, Next, Reason, Rhythm, Room, Standing, Window, window::in_a_row};
use crate::{
    host::time::Saturating,
    policy::budget::{Account, Allowance, Budget, Limits},
};

/// Everything that is known of one recipient of one sink.
#[derive(Clone, Debug, Default)]
pub(crate) struct RecipientView {
    pub(crate) account: Account,
    /// Their incidents that are not over.
    pub(crate) standings: Vec<Standing>,
    /// Whether there is a message for them that did not leave yet: it takes more.
    pub(crate) has_open_message: bool,
    pub(crate) room: Room,
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
    limits: &Limits<'_>,
    hurried: bool,
    now: SystemTime,
) -> Plan {
    let window = Window::with(&view.account, rhythm, limits.budget, &view.standings, now);
    let nexts: Vec<Next> =
        view.standings.iter().map(|standing| standing.next(rhythm, &window, now)).collect();
    let is_due = |index: usize| nexts[index].at() <= now;
    let soon = now.later(PENDING_PAUSE);
    let due = |(next, standing): (&Next, &Standing)| match next {
        Next::Close(at) if *at <= now => None,
        Next::Tell(_, at) if standing.is_in_doubt => Some((*at).max(soon)),
        Next::Close(at) | Next::Tell(_, at) => Some(*at),
    };
    let mut plan = Plan { due: nexts.iter().zip(&view.standings).map(due).collect(), ..Plan::default() };
    let may_join =
        |standing: &Standing| standing.not_before.is_none_or(|at| at <= now) && !standing.is_in_doubt;
    let is_news = |index: usize| {
        let is_new = matches!(nexts[index], Next::Tell(Reason::First | Reason::Again, _));
        is_new && view.standings[index].is_news(now)
    };
    let tells = |index: usize| matches!(nexts[index], Next::Tell(..));
    let joins = |index: usize| {
        let standing = &view.standings[index];
        let is_free = standing.is_pending || !standing.is_held(now);
        let has_news = is_news(index) || (view.has_open_message && standing.untold() > 0 && is_free);
        may_join(standing) && has_news
    };
    let calls = |index: usize| {
        let standing = &view.standings[index];
        let is_called = is_due(index) || (hurried && is_news(index) && may_join(standing));
        tells(index) && is_called && !standing.is_in_doubt
    };
    let all = 0..view.standings.len();
    let has_call = all.clone().any(calls) || (view.has_open_message && all.clone().any(joins));
    if !has_call {
        return plan;
    }
    let told: Vec<usize> = all.clone().filter(|index| calls(*index) || joins(*index)).collect();
    if !view.has_open_message {
        let is_new = told.iter().any(|index| view.standings[*index].is_never_seen());
        let until = match view.account.allows(limits, is_new, now) {
            Allowance::NotBefore(at) => Some(at),
            Allowance::Message { after, is_last } => {
                let blocked = view.room.blocked_until(&view.account, rhythm, limits, is_new, now);
                if blocked.is_none() {
                    let told = told.iter().map(|index| &view.standings[*index]);
                    let in_a_row = in_a_row(&view.account, rhythm, told.clone(), now);
                    let heard = told.fold(Heard::default(), Heard::with);
                    plan.account = Some(Account { heard, in_a_row, ..after });
                    plan.is_last = is_last || view.room.is_last(&view.account, limits, now);
                }
                blocked
            }
        };
        if let Some(until) = until {
            for index in all.filter(|index| calls(*index)) {
                plan.due[index] = Some(until);
            }
            return plan;
        }
    }
    let window = plan.account.as_ref().map_or(window, |account| Window::of(account, rhythm, now));
    for index in told {
        let standing = view.standings[index];
        let is_over = standing.is_over(now);
        let reason = match nexts[index] {
            Next::Tell(reason, _) if is_news(index) || is_due(index) || reason == Reason::Again => reason,
            // It joins a message that had another reason.
            Next::Tell(..) | Next::Close(_) if is_over => Reason::Quiet,
            Next::Tell(..) | Next::Close(_) => Reason::Update,
        };
        plan.tell.push((index, reason));
        let told = standing.told_now(reason, limits.budget.map(Budget::share), now);
        plan.due[index] = (!is_over).then(|| told.next(rhythm, &window, now).at());
    }
    plan
}

/// How soon is looked again whether a message may be made that had to wait for others,
/// unless one of them is settled before.
pub(crate) const PENDING_PAUSE: Duration = Duration::from_secs(30);
