//! What is told when, from the first event to the end.

use tracing::Level;

use super::*;
use crate::{
    event::from_millis,
    policy::{
        budget::{Account, Budget, Limits},
        calendar::Calendar,
    },
};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const SMS: Rhythm = Rhythm::sms(SECOND, Duration::from_secs(2 * 60));
const EMAIL: Rhythm = Rhythm::email(SECOND, Duration::from_secs(5 * 60));

fn t(seconds: u64) -> SystemTime {
    from_millis(1_700_000_000_000) + SECOND * u32::try_from(seconds).unwrap()
}

impl Standing {
    /// That of somebody who was never told of what opened at `opened_at`.
    fn fresh(opened_at: SystemTime, not_before: Option<SystemTime>) -> Self {
        Self {
            opened_at,
            back_at: None,
            last_at: opened_at,
            rank: Rank::default(),
            count: 1,
            told: 0,
            told_at: None,
            tellings: 0,
            holds: 0,
            hold: Duration::ZERO,
            is_back: false,
            went_on: false,
            is_pending: false,
            is_in_doubt: false,
            is_crowd: false,
            is_new: true,
            not_before,
            is_covered: false,
            is_urgent: false,
        }
    }
}

/// What opened at the start, with `count` events until `last`.
fn open(count: u64, last: SystemTime) -> Standing {
    Standing { count, last_at: last, ..Standing::fresh(t(0), None) }
}

/// The same, of which `told` were told at `at`.
fn told(standing: Standing, told: u64, at: SystemTime) -> Standing {
    Standing { told, told_at: Some(at), tellings: 1, ..standing }
}

/// What comes next if this recipient heard of something known at `heard_at`.
fn next(standing: &Standing, rhythm: &Rhythm, heard_at: Option<SystemTime>, now: SystemTime) -> Next {
    standing.next(rhythm, &Window::of(&heard(heard_at, Rank::default()), rhythm, now), now)
}

/// The account of who heard of something never seen of this rank.
fn heard(heard_at: Option<SystemTime>, rank: Rank) -> Account {
    Account { heard_at, heard: Heard { worst: rank, worst_new: rank }, ..Account::default() }
}

fn plan(
    view: &RecipientView,
    rhythm: &Rhythm,
    budget: Option<&Budget>,
    hurried: bool,
    now: SystemTime,
) -> Plan {
    super::plan(view, rhythm, &Limits { budget, calendar: &Calendar::default() }, hurried, now)
}

/// After its first telling at `at`, and its hold.
fn first_told(standing: Standing, at: SystemTime) -> Standing {
    let told = standing.told;
    Standing {
        told,
        ..Standing { told: 0, told_at: None, tellings: 0, ..standing }.told_now(Reason::First, None, at)
    }
}

#[test]
fn a_new_incident_is_told_after_its_settle_time() {
    assert_eq!(next(&open(1, t(0)), &SMS, None, t(0)), Next::Tell(Reason::First, t(1)));
}

#[test]
fn who_heard_something_hears_of_what_is_new_at_the_end_of_the_window() {
    let heard = Some(t(0) - MINUTE);
    assert_eq!(next(&open(1, t(0)), &SMS, heard, t(0)), Next::Tell(Reason::First, t(60)));
    assert_eq!(next(&open(1, t(0)), &EMAIL, heard, t(0)), Next::Tell(Reason::First, t(240)));
    let long_ago = Some(t(0) - HOUR);
    assert_eq!(next(&open(1, t(0)), &SMS, long_ago, t(0)), Next::Tell(Reason::First, t(1)));
}

#[test]
fn a_panic_and_what_was_never_seen_pass_a_window_that_something_lesser_began() {
    let [warn, error] = [Level::WARN, Level::ERROR].map(|level| Rank::of(level, false));
    let told = |rank, is_new, began: Heard| {
        let standing = Standing { rank, is_new, ..open(1, t(0)) };
        let account = Account { heard: began, ..heard(Some(t(0) - SECOND), error) };
        let next = standing.next(&SMS, &Window::of(&account, &SMS, t(0)), t(0));
        next == Next::Tell(Reason::First, t(1))
    };
    let new = |rank| Heard { worst: rank, worst_new: rank };
    let known = |rank| Heard { worst: rank, worst_new: Rank::default() };
    assert!(told(error, true, new(warn)), "it was of a lower level");
    assert!(told(error, true, known(error)), "it was told before");
    assert!(!told(error, true, new(error)), "it was as new and as bad");
    assert!(!told(error, true, Heard { worst: Rank::PANIC, worst_new: error }));
    assert!(!told(error, false, known(warn)), "it is known itself, and no panic");
    assert!(told(Rank::PANIC, false, new(error)) && told(Rank::PANIC, true, new(error)));
    assert!(told(Rank::PANIC, true, known(Rank::PANIC)));
    assert!(!told(Rank::PANIC, false, known(Rank::PANIC)));
}

#[test]
fn windows_in_a_row_grow_only_while_something_new_comes_in_each() {
    let mut account = Account::default();
    let mut times = Vec::new();
    for second in 0..12 * 3600 {
        let now = t(second);
        let came = account.heard_at.map_or_else(|| t(0), |at| at + SECOND);
        let standing = Standing { opened_at: came, ..open(1, came) };
        let view = RecipientView { account: account.clone(), ..desk(vec![standing]) };
        if let Some(after) = plan(&view, &EMAIL, Some(&Budget::EMAIL), false, now).account {
            account = after;
            times.push(second);
        }
    }
    let pauses: Vec<_> = times.windows(2).map(|pair| (pair[1] - pair[0]) / 60).collect();
    assert_eq!(pauses[..7], [5, 5, 5, 5, 10, 20, 28], "until they use a quarter of the day");
    let alone = |after: u64| {
        let now = account.heard_at.unwrap() + MINUTE * u32::try_from(after).unwrap();
        let view = RecipientView {
            account: account.clone(),
            ..desk(vec![Standing { opened_at: now - SECOND, ..open(1, now) }])
        };
        plan(&view, &EMAIL, Some(&Budget::EMAIL), false, now).tell.len()
    };
    assert_eq!([4, 5, 20].map(alone), [0, 0, 1], "what comes later than usual waits for nothing");
}

#[test]
fn what_goes_on_is_told_again_when_its_hold_ends() {
    let on = |last: u64, count, rhythm: &Rhythm| {
        next(&first_told(told(open(count, t(last)), 3, t(1)), t(1)), rhythm, Some(t(1)), t(last))
    };
    let end = t(1) + 30 * MINUTE;
    for rhythm in [SMS, EMAIL] {
        assert_eq!(on(1000, 9, &rhythm), Next::Tell(Reason::Reminder, end));
        assert_eq!(on(1000, 10, &rhythm), Next::Tell(Reason::Update, end));
        assert_eq!(
            on(9, 9, &rhythm),
            Next::Tell(Reason::Quiet, t(9) + QUIET_AFTER),
            "the end tells it as well"
        );
    }
    assert_eq!([0, 9, 10, 99, 100].map(next_power_of_ten), [10, 10, 100, 100, 1000]);
}

#[test]
fn what_comes_back_is_told_again_when_its_hold_ends_or_at_once() {
    let back = |at, holds, hold| Standing {
        back_at: Some(at),
        holds,
        hold,
        tellings: 1,
        told: 1,
        told_at: Some(t(1)),
        ..open(2, at)
    };
    let next = |standing: Standing, now| next(&standing, &SMS, Some(t(1)), now);
    let held = back(t(0) + 40 * MINUTE, 2, HOUR);
    assert_eq!(next(held, t(2400)), Next::Tell(Reason::Again, t(1) + HOUR));
    let free = back(t(0) + 40 * MINUTE, 1, 30 * MINUTE);
    assert_eq!(next(free, t(2400)), Next::Tell(Reason::Again, t(0) + 40 * MINUTE + SECOND));
    assert!(free.is_news(t(2400)) && !held.is_news(t(2400)));
    let again = free.told_now(Reason::Again, None, t(2401));
    assert_eq!((again.holds, again.hold, again.tellings), (2, HOUR, 2), "but held for longer");
}

#[test]
fn a_message_that_did_not_leave_makes_no_hold_longer() {
    let waits = Standing { is_pending: true, ..first_told(open(3, t(5)), t(1)) };
    let more = Standing { count: 9, ..waits }.told_now(Reason::Update, None, t(9));
    assert_eq!((more.holds, more.hold, more.told_at), (1, 30 * MINUTE, Some(t(9))));
}

#[test]
fn what_was_told_once_and_in_full_ends_in_silence() {
    let standing = first_told(told(open(3, t(5)), 3, t(6)), t(6));
    assert_eq!(next(&standing, &EMAIL, Some(t(6)), t(10)), Next::Close(t(5) + QUIET_AFTER));
    let followed = Standing { hold: HOUR, went_on: true, ..standing };
    assert_eq!(next(&followed, &EMAIL, Some(t(6)), t(10)), Next::Tell(Reason::Quiet, t(6) + HOUR));
    assert_eq!(next(&followed, &SMS, Some(t(6)), t(10)), Next::Close(t(5) + QUIET_AFTER));
}

#[test]
fn that_it_ended_is_no_telling_that_anything_waits_for() {
    let standing = Standing { went_on: true, holds: 2, hold: HOUR, ..told(open(3, t(5)), 3, t(6)) };
    let quiet = standing.told_now(Reason::Quiet, None, t(6) + HOUR);
    assert_eq!((quiet.holds, quiet.hold), (2, Duration::ZERO));
}

#[test]
fn the_end_tells_the_rest_by_mail_or_else_by_whatever_there_is() {
    let standing = told(open(7, t(5)), 3, t(1));
    let end = t(5) + QUIET_AFTER;
    let standing = first_told(standing, t(1));
    assert_eq!(next(&standing, &EMAIL, Some(t(1)), end), Next::Tell(Reason::Quiet, end));
    assert_eq!(next(&standing, &SMS, Some(t(1)), end), Next::Tell(Reason::Quiet, end));
    let covered = Standing { is_covered: true, ..standing };
    assert_eq!(next(&covered, &SMS, Some(t(1)), end), Next::Close(end));
}

#[test]
fn incidents_that_end_within_a_window_are_told_together() {
    let end = t(5) + QUIET_AFTER;
    let standing = first_told(told(open(7, t(5)), 3, t(1)), t(1));
    let heard_at = Some(end - MINUTE);
    assert_eq!(next(&standing, &EMAIL, heard_at, end), Next::Tell(Reason::Quiet, end + 4 * MINUTE));
    assert!(standing.is_over(end) && !standing.is_over(end - SECOND));
    let later = Standing { last_at: t(65), ..standing };
    let account = heard(heard_at, Rank::default());
    let desk = RecipientView { account, ..desk(vec![standing, later]) };
    let plan = plan(&desk, &EMAIL, None, false, end + 4 * MINUTE);
    assert_eq!(plan.tell, [(0, Reason::Quiet), (1, Reason::Quiet)]);
    assert_eq!(plan.due, [None, None]);
}

#[test]
fn what_ended_and_joins_a_message_is_over() {
    let standing =
        Standing { is_covered: true, is_pending: true, ..first_told(told(open(7, t(5)), 3, t(1)), t(1)) };
    let desk = RecipientView { has_open_message: true, ..desk(vec![standing]) };
    let end = t(5) + QUIET_AFTER;
    let before = plan(&desk, &SMS, None, false, end - SECOND);
    assert_eq!((before.tell, before.due), (vec![(0, Reason::Update)], vec![Some(end)]));
    let after = plan(&desk, &SMS, None, false, end);
    assert_eq!((after.tell, after.due), (vec![(0, Reason::Quiet)], vec![None]));
}

#[test]
fn what_is_held_joins_no_message_about_something_else() {
    let held = first_told(told(open(7, t(60)), 3, t(1)), t(1));
    let view = |standing| RecipientView { has_open_message: true, ..desk(vec![standing, open(1, t(60))]) };
    assert_eq!(plan(&view(held), &SMS, None, false, t(61)).tell, [(1, Reason::First)]);
    let waits = Standing { is_pending: true, ..held };
    assert_eq!(plan(&view(waits), &SMS, None, false, t(61)).tell.len(), 2, "unless it is in it");
}

#[test]
fn nothing_overtakes_a_message_that_may_have_been_sent() {
    let standing = Standing { is_in_doubt: true, ..first_told(told(open(7, t(3000)), 3, t(1)), t(1)) };
    for has_open_message in [false, true] {
        let view = RecipientView { has_open_message, ..desk(vec![standing]) };
        let plan = plan(&view, &SMS, None, true, t(3000));
        assert_eq!((plan.tell.len(), plan.due), (0, vec![Some(t(3000) + PENDING_PAUSE)]));
    }
}

#[test]
fn what_is_silenced_is_told_when_that_ends() {
    let silenced = Standing { not_before: Some(t(3600)), ..open(312, t(9)) };
    assert_eq!(next(&silenced, &SMS, Some(t(0)), t(9)), Next::Tell(Reason::First, t(3600)));
    let again = Standing { back_at: Some(t(9)), ..told(silenced, 1, t(0)) };
    assert_eq!(next(&again, &SMS, Some(t(0)), t(9)), Next::Tell(Reason::Again, t(3600)));
}

fn desk(standings: Vec<Standing>) -> RecipientView {
    RecipientView { standings, ..RecipientView::default() }
}

#[test]
fn one_message_tells_everything_that_is_new() {
    let desk = desk(vec![open(1, t(0)), open(2, t(0)), Standing { opened_at: t(1), ..open(1, t(1)) }]);
    let plan = plan(&desk, &SMS, Some(&Budget::SMS), false, t(1));
    assert_eq!(plan.tell, [(0, Reason::First), (1, Reason::First), (2, Reason::First)]);
    assert_eq!(plan.account.unwrap().heard_at, Some(t(1)));
}

#[test]
fn nothing_is_told_before_it_is_due_unless_somebody_waits() {
    let desk = desk(vec![open(1, t(0)), Standing { not_before: Some(t(60)), ..open(1, t(0)) }]);
    assert_eq!(plan(&desk, &SMS, None, false, t(0)).tell, []);
    assert_eq!(plan(&desk, &SMS, None, false, t(0)).due, [Some(t(1)), Some(t(60))]);
    assert_eq!(plan(&desk, &SMS, None, true, t(0)).tell, [(0, Reason::First)]);
}

#[test]
fn a_message_that_did_not_leave_takes_everything_at_no_charge() {
    let standings = vec![open(1, t(9)), told(open(7, t(9)), 3, t(1))];
    let account = Account { heard_at: Some(t(1)), ..Account::default() };
    let room = Room { pending: 9, segments_per_day: Some(0) };
    let open = RecipientView { account, has_open_message: true, room, ..desk(standings) };
    let plan = plan(&open, &SMS, Some(&Budget::SMS), false, t(10));
    assert_eq!((plan.tell.len(), plan.account), (2, None));
}

#[test]
fn what_the_budget_does_not_allow_waits_for_it() {
    let spent = Account { full_at: Some(t(30 * 60)), ..Account::default() };
    let desk = RecipientView { account: spent, ..desk(vec![open(1, t(0))]) };
    let plan = plan(&desk, &SMS, Some(&Budget::SMS), false, t(1));
    assert_eq!((plan.tell.len(), plan.due), (0, vec![Some(t(600))]));
}

#[test]
fn what_is_silenced_spends_nothing_of_what_is_kept_for_the_new() {
    let mut account = Account::default();
    account.spent.add(15, t(0));
    let known = Standing { is_new: false, ..open(1, t(0)) };
    let silenced = Standing { not_before: Some(t(60)), ..open(1, t(0)) };
    let desk = RecipientView { account, ..desk(vec![known, silenced]) };
    let plan = plan(&desk, &SMS, Some(&Budget::SMS), false, t(1));
    assert_eq!((plan.tell.len(), plan.account), (0, None));
}

#[test]
fn who_cost_enough_waits_for_tomorrow_and_a_quarter_is_kept_for_the_new() {
    let calendar = Calendar::default();
    let limits = Limits { budget: None, calendar: &calendar };
    let room = |pending| Room { pending, segments_per_day: Some(60) };
    let until = |room: Room, spent, is_new| {
        let mut account = Account::default();
        account.segments.add(spent, t(0));
        (room.blocked_until(&account, &SMS, &limits, is_new, t(0)), room.is_last(&account, &limits, t(0)))
    };
    let tomorrow = Some(calendar.next_day(t(0)));
    assert_eq!(until(room(0), 41, false), (None, false));
    assert_eq!(until(room(0), 43, false), (None, true), "the last one says so");
    assert_eq!([44, 58, 59].map(|spent| until(room(0), spent, false).0), [tomorrow; 3]);
    assert_eq!([44, 58, 59].map(|spent| until(room(0), spent, true).0), [None, None, tomorrow]);
    // What is under way may cost less than is kept for it.
    assert_eq!(
        [(1, 42), (2, 39)].map(|(more, spent)| until(room(more), spent, false).0),
        [Some(t(30)), None]
    );
    assert_eq!(until(Room { pending: 2, segments_per_day: None }, 1_000, false), (None, false));
}

#[test]
fn messages_in_doubt_hold_up_others_for_windows_only() {
    let limits = Limits { budget: None, calendar: &Calendar::default() };
    let account = heard(Some(t(0)), Rank::default());
    let waits = |pending| {
        let room = Room { pending, segments_per_day: None };
        let is_free =
            |second: &u64| room.blocked_until(&account, &EMAIL, &limits, true, t(*second)).is_none();
        (0..7200).find(is_free)
    };
    assert_eq!([2, 3, 4, 5].map(waits), [Some(0), Some(300), Some(600), Some(1200)]);
}

mod edges;
mod history;
