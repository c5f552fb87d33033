//! The moments at which a rule begins or ends, and who is told what by it.

use super::*;
use crate::policy::incident::window::in_a_row;

/// Told at first, with something left to tell, and held for half an hour.
fn held(count: u64, last: u64) -> Standing {
    first_told(told(open(count, t(last)), 3, t(1)), t(1))
}

/// Came back after 40 minutes, held for an hour since the first second.
fn back_but_held() -> Standing {
    let back_at = Some(t(2400));
    let standing = told(open(2, t(2400)), 1, t(1));
    Standing { back_at, holds: 2, hold: HOUR, ..standing }
}

#[test]
fn a_hold_is_over_at_its_end() {
    let end = t(1) + 30 * MINUTE;
    assert!(held(7, 5).is_held(end - SECOND) && !held(7, 5).is_held(end));
}

#[test]
fn what_happened_a_quarter_of_an_hour_before_its_hold_ends_goes_on() {
    let end = t(1) + 30 * MINUTE;
    let next = |last| next(&held(9, last), &SMS, None, t(last));
    assert_eq!(next(901), Next::Tell(Reason::Reminder, end));
    assert_eq!(next(900), Next::Tell(Reason::Quiet, t(900) + QUIET_AFTER));
}

#[test]
fn what_came_back_and_was_told_then_goes_on_as_any_other() {
    for told_at in [100, 200] {
        let standing = first_told(told(open(9, t(3000)), 3, t(told_at)), t(told_at));
        let standing = Standing { back_at: Some(t(100)), ..standing };
        let end = t(told_at) + 30 * MINUTE;
        assert_eq!(next(&standing, &SMS, None, t(3000)), Next::Tell(Reason::Reminder, end));
    }
}

#[cfg(feature = "webhook")]
#[test]
fn a_pager_hears_of_the_end_when_it_comes_and_once() {
    let pager = Rhythm::pager(SECOND, Duration::ZERO);
    let end = t(5) + QUIET_AFTER;
    let more = Standing { hold: HOUR, ..held(7, 5) };
    assert_eq!(next(&more, &pager, None, t(6)), Next::Tell(Reason::Quiet, end), "although it is held");
    let heard_of_it = told(open(7, t(5)), 7, end);
    assert_eq!(next(&heard_of_it, &pager, None, end), Next::Close(end));
}

#[test]
fn what_ended_and_is_not_told_is_not_looked_at_again() {
    let view = desk(vec![first_told(told(open(3, t(5)), 3, t(6)), t(6))]);
    let end = t(5) + QUIET_AFTER;
    let due = |now| plan(&view, &EMAIL, None, false, now).due;
    assert_eq!([end - SECOND, end, end + SECOND].map(due), [vec![Some(end)], vec![None], vec![None]]);
}

#[test]
fn whoever_waits_hears_of_what_is_silenced_no_more_but_of_nothing_that_is_held() {
    let tell = |standing, now| plan(&desk(vec![standing]), &SMS, None, true, now).tell;
    let silenced = Standing { not_before: Some(t(0)), ..open(1, t(0)) };
    assert_eq!(tell(silenced, t(0)), [(0, Reason::First)]);
    assert_eq!(tell(back_but_held(), t(2401)), []);
}

#[test]
fn what_waits_for_its_end_calls_for_no_message_and_joins_no_new_one() {
    let new = Standing { opened_at: t(1800), ..open(1, t(1800)) };
    let view = desk(vec![held(7, 5), new]);
    assert_eq!(plan(&view, &SMS, None, false, t(1802)).tell, [(1, Reason::First)]);
}

#[test]
fn what_was_told_in_full_joins_no_message() {
    let view = desk(vec![told(open(3, t(5)), 3, t(6)), open(1, t(0))]);
    let view = RecipientView { has_open_message: true, ..view };
    assert_eq!(plan(&view, &SMS, None, false, t(10)).tell, [(1, Reason::First)]);
}

#[test]
fn what_joins_the_message_it_is_in_says_that_it_came_back_or_that_there_is_more() {
    let tell = |standing, now| {
        let standing = Standing { is_pending: true, ..standing };
        let view = RecipientView { has_open_message: true, ..desk(vec![standing]) };
        plan(&view, &SMS, None, false, now).tell
    };
    assert_eq!(tell(held(7, 1000), t(1000)), [(0, Reason::Update)]);
    assert_eq!(tell(back_but_held(), t(2401)), [(0, Reason::Again)]);
}

#[test]
fn the_last_message_says_so_whichever_limit_it_reaches() {
    let is_last = |messages, segments| {
        let mut account = Account::default();
        account.spent.add(messages, t(0));
        account.segments.add(segments, t(0));
        let room = Room { pending: 0, segments_per_day: Some(60) };
        let view = RecipientView { account, room, ..desk(vec![open(1, t(0))]) };
        plan(&view, &SMS, Some(&Budget::SMS), false, t(1)).is_last
    };
    assert_eq!([(14, 0), (0, 43), (0, 0)].map(|(sms, cost)| is_last(sms, cost)), [true, true, false]);
}

#[test]
fn a_panic_is_worse_than_any_level() {
    assert_eq!(Rank::of(Level::TRACE, true), Rank::PANIC);
    assert!(Rank::PANIC > Rank::of(Level::ERROR, false));
}

#[test]
fn what_comes_at_the_end_of_a_window_waits_for_no_longer_one() {
    let account = Account { in_a_row: 9, ..heard(Some(t(0)), Rank::default()) };
    let until = |came: u64| {
        let standing = Standing { opened_at: t(came), ..open(1, t(came)) };
        Window::with(&account, &EMAIL, Some(&Budget::EMAIL), &[standing], t(came)).until
    };
    assert_eq!(until(300), Some(t(300)));
    assert!(until(299) > Some(t(300)));
}

#[test]
fn only_what_is_new_and_had_to_wait_counts_as_a_message_in_a_row() {
    let account = Account { in_a_row: 4, ..Account::default() };
    let count = |standing: Standing, now| in_a_row(&account, &SMS, [&standing], now);
    assert_eq!([11, 12].map(|second| count(open(1, t(0)), t(second))), [0, 5]);
    assert_eq!(count(held(7, 60), t(60)), 0, "it goes on");
    assert_eq!(count(Standing { is_back: true, ..held(7, 60) }, t(60)), 5);
}
