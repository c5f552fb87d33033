//! What is told when, from the first event to the end.

use proptest::prelude::*;

use super::*;
use crate::{
    event::from_millis,
    policy::budget::{Account, Budget},
};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const SMS: Rhythm = Rhythm::sms(SECOND, Duration::from_secs(2 * 60));
const EMAIL: Rhythm = Rhythm::email(SECOND, Duration::from_secs(5 * 60));

fn t(seconds: u64) -> SystemTime {
    from_millis(1_700_000_000_000) + SECOND * u32::try_from(seconds).unwrap()
}

/// What opened at the start, with `count` events until `last`.
fn open(count: u64, last: SystemTime) -> Standing {
    Standing { count, last_at: last, ..Standing::fresh(t(0), None) }
}

/// The same, of which `told` were told at `at`.
fn told(standing: Standing, told: u64, at: SystemTime) -> Standing {
    Standing { told, told_at: Some(at), tellings: 1, ..standing }
}

#[cfg(feature = "webhook")]
#[test]
fn a_pager_hears_once_that_an_incident_ended_of_which_it_knew_all() {
    let pager = Rhythm::pager(SECOND, Duration::ZERO);
    let known = told(open(1, t(0)), 1, t(1));
    let end = t(30 * 60);
    assert_eq!(known.next(&EMAIL, Some(t(1)), t(2)), Next::Close(end));
    assert_eq!(known.next(&pager, Some(t(1)), t(2)), Next::Tell(Reason::Quiet, end));
    let told = history(&pager, [0].into_iter());
    assert_eq!(told, [(1, Reason::First, 1), (30 * 60, Reason::Quiet, 0)]);
}

#[test]
fn a_new_incident_is_told_after_its_settle_time() {
    assert_eq!(open(1, t(0)).next(&SMS, None, t(0)), Next::Tell(Reason::First, t(1)));
}

#[test]
fn who_heard_something_hears_of_what_is_new_at_the_end_of_his_window() {
    let heard = Some(t(0) - MINUTE);
    assert_eq!(open(1, t(0)).next(&SMS, heard, t(0)), Next::Tell(Reason::First, t(60)));
    assert_eq!(open(1, t(0)).next(&EMAIL, heard, t(0)), Next::Tell(Reason::First, t(240)));
    let long_ago = Some(t(0) - HOUR);
    assert_eq!(open(1, t(0)).next(&SMS, long_ago, t(0)), Next::Tell(Reason::First, t(1)));
}

#[test]
fn a_growing_incident_is_told_again_at_powers_of_ten_but_not_too_soon() {
    let next = |count, rhythm: &Rhythm| told(open(count, t(100)), 3, t(1)).next(rhythm, Some(t(1)), t(100));
    assert_eq!(next(10, &SMS), Next::Tell(Reason::Quiet, t(100) + QUIET_AFTER));
    let on = |last: u64, count| told(open(count, t(last)), 3, t(1)).next(&SMS, Some(t(1)), t(last));
    assert_eq!(on(3000, 10), Next::Tell(Reason::Update, t(3601)));
    assert!(matches!(on(3000, 9), Next::Tell(Reason::Quiet, _)));
    assert_eq!(next(10, &EMAIL), Next::Tell(Reason::Update, t(901)));
    assert_eq!([0, 9, 10, 99, 100].map(next_power_of_ten), [10, 10, 100, 100, 1000]);
}

#[test]
fn an_incident_that_goes_on_is_remembered_by_mail_only() {
    let now = t(4 * 3600 - 60);
    let standing = told(open(8, now), 3, t(1));
    assert_eq!(standing.next(&EMAIL, Some(t(1)), now), Next::Tell(Reason::Reminder, t(4 * 3600 + 1)));
    assert_eq!(standing.next(&SMS, Some(t(1)), now), Next::Tell(Reason::Quiet, now + QUIET_AFTER));
}

#[test]
fn what_was_told_once_and_in_full_ends_in_silence() {
    let standing = told(open(3, t(5)), 3, t(6));
    assert_eq!(standing.next(&EMAIL, Some(t(6)), t(10)), Next::Close(t(5) + QUIET_AFTER));
    let followed = Standing { tellings: 2, ..standing };
    assert_eq!(followed.next(&EMAIL, Some(t(6)), t(10)), Next::Tell(Reason::Quiet, t(5) + QUIET_AFTER));
    assert_eq!(followed.next(&SMS, Some(t(6)), t(10)), Next::Close(t(5) + QUIET_AFTER));
}

#[test]
fn the_end_tells_the_rest_by_mail_or_else_by_whatever_there_is() {
    let standing = told(open(7, t(5)), 3, t(1));
    let end = t(5) + QUIET_AFTER;
    assert_eq!(standing.next(&EMAIL, Some(t(1)), end), Next::Tell(Reason::Quiet, end));
    assert_eq!(standing.next(&SMS, Some(t(1)), end), Next::Tell(Reason::Quiet, end));
    let covered = Standing { is_covered: true, ..standing };
    assert_eq!(covered.next(&SMS, Some(t(1)), end), Next::Close(end));
}

#[test]
fn incidents_that_end_within_a_window_are_told_together() {
    let end = t(5) + QUIET_AFTER;
    let standing = told(open(7, t(5)), 3, t(1));
    let heard = Some(end - MINUTE);
    assert_eq!(standing.next(&EMAIL, heard, end), Next::Tell(Reason::Quiet, end + 4 * MINUTE));
    assert!(standing.is_over(end) && !standing.is_over(end - SECOND));
    let later = Standing { last_at: t(65), ..standing };
    let account = Account { heard_at: heard, ..Account::default() };
    let desk = RecipientView { account, ..desk(vec![standing, later]) };
    let plan = plan(&desk, &EMAIL, None, false, end + 4 * MINUTE);
    assert_eq!(plan.tell, [(0, Reason::Quiet), (1, Reason::Quiet)]);
    assert_eq!(plan.due, [None, None]);
}

#[test]
fn what_ended_and_joins_a_message_is_over() {
    let standing = Standing { is_covered: true, ..told(open(7, t(5)), 3, t(1)) };
    let desk = RecipientView { has_open_message: true, ..desk(vec![standing]) };
    let end = t(5) + QUIET_AFTER;
    let before = plan(&desk, &SMS, None, false, end - SECOND);
    assert_eq!((before.tell, before.due), (vec![(0, Reason::Update)], vec![Some(end)]));
    let after = plan(&desk, &SMS, None, false, end);
    assert_eq!((after.tell, after.due), (vec![(0, Reason::Quiet)], vec![None]));
}

#[test]
fn what_is_silenced_is_told_when_that_ends() {
    let silenced = Standing { not_before: Some(t(3600)), ..open(312, t(9)) };
    assert_eq!(silenced.next(&SMS, Some(t(0)), t(9)), Next::Tell(Reason::First, t(3600)));
}

fn desk(standings: Vec<Standing>) -> RecipientView {
    RecipientView { account: Account::default(), standings, has_open_message: false, blocked_until: None }
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
    let open =
        RecipientView { account, has_open_message: true, blocked_until: Some(t(99)), ..desk(standings) };
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
    let day = crate::policy::budget::day_of(t(0));
    let account = Account { day, today: 15, ..Account::default() };
    let known = Standing { is_new: false, ..open(1, t(0)) };
    let silenced = Standing { not_before: Some(t(60)), ..open(1, t(0)) };
    let desk = RecipientView { account, ..desk(vec![known, silenced]) };
    let plan = plan(&desk, &SMS, Some(&Budget::SMS), false, t(1));
    assert_eq!((plan.tell.len(), plan.account), (0, None));
}

#[test]
fn a_sink_that_cost_enough_waits_for_tomorrow() {
    let tomorrow = crate::policy::budget::start_of(crate::policy::budget::day_of(t(0)) + 1);
    assert_eq!(blocked_until(0, 59, 0, Some(60), t(0)), Some(tomorrow));
    assert_eq!(blocked_until(0, 58, 0, Some(60), t(0)), None);
    // What is under way may cost less than is kept for it.
    assert_eq!(blocked_until(0, 32, 14, Some(60), t(0)), Some(t(30)));
    assert_eq!(blocked_until(0, 32, 13, Some(60), t(0)), None);
    assert_eq!(blocked_until(0, 1_000, 1_000, None, t(0)), None);
    assert_eq!(blocked_until(3, 0, 3, None, t(0)), Some(t(30)));
}

/// Runs one incident against one recipient for as long as it takes; returns what
/// they were told, when.
fn history(rhythm: &Rhythm, events: impl Iterator<Item = u64>) -> Vec<(u64, Reason, u64)> {
    let mut events = events.peekable();
    let mut standing = open(0, t(0));
    let mut account = Account::default();
    let mut history = Vec::new();
    let budget = if rhythm.says_quiet { Budget::EMAIL } else { Budget::SMS };
    let mut look_at = 0;
    for second in 0..26 * 3600 {
        let now = t(second);
        let before = standing.count;
        while events.next_if(|at| *at <= second).is_some() {
            standing.count += 1;
            standing.last_at = now;
        }
        if standing.count == 0 || (standing.count == before && second < look_at) {
            continue;
        }
        let desk = RecipientView { account, ..desk(vec![standing]) };
        let plan = plan(&desk, rhythm, Some(&budget), false, now);
        if let Some((_, reason)) = plan.tell.first() {
            history.push((second, *reason, standing.untold()));
            let tellings = u32::try_from(history.len()).unwrap();
            standing = Standing { tellings, ..told(standing, standing.count, now) };
            account = plan.account.unwrap();
        }
        let [Some(due)] = plan.due.as_slice() else { break };
        look_at = due.duration_since(t(0)).unwrap().as_secs();
    }
    history
}

#[test]
fn an_error_every_ten_seconds_for_a_day_is_one_sms_and_a_reminder_every_four_hours() {
    let every_ten_seconds = || (0..24 * 360).map(|n| n * 10);
    let by_mail = history(&EMAIL, every_ten_seconds());
    let reasons: Vec<Reason> = by_mail.iter().map(|(_, reason, _)| *reason).collect();
    assert_eq!(by_mail[0], (1, Reason::First, 1));
    assert_eq!(reasons.iter().filter(|reason| **reason == Reason::Quiet).count(), 1);
    assert_eq!(by_mail.iter().map(|(_, _, count)| count).sum::<u64>(), 24 * 360);
    assert!((6..=10).contains(&by_mail.len()), "{by_mail:?}");
    let longest = by_mail.windows(2).map(|pair| pair[1].0 - pair[0].0).max().unwrap();
    assert!(longest <= 4 * 3600 + 10, "never silence: {by_mail:?}");

    let by_sms = history(&SMS, every_ten_seconds());
    assert_eq!(by_sms[0], (1, Reason::First, 1));
    assert!((3..=6).contains(&by_sms.len()), "{by_sms:?}");
}

#[test]
fn a_burst_of_seven_and_then_nothing_is_reported_in_full() {
    for rhythm in [SMS, EMAIL] {
        let told = history(&rhythm, [0, 0, 0, 5, 6, 7, 8].into_iter());
        assert_eq!(told.iter().map(|(_, _, count)| count).sum::<u64>(), 7, "{told:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn whatever_happens_every_event_is_told_in_the_end(
        mut events in proptest::collection::vec(0_u64..6 * 3600, 1..200),
        is_sms: bool,
    ) {
        events.sort_unstable();
        // Pauses would end the incident, and open another one.
        let pauses = events.windows(2).any(|pair| pair[1] - pair[0] >= QUIET_AFTER.as_secs());
        let rhythm = if is_sms { SMS } else { EMAIL };
        let told = history(&rhythm, events.iter().copied());
        let sum: u64 = told.iter().map(|(_, _, count)| count).sum();
        prop_assert!(pauses || sum == events.len() as u64, "{told:?}");
        for pair in told.windows(2) {
            prop_assert!(pair[1].0 - pair[0].0 >= rhythm.window.as_secs(), "{told:?}");
        }
    }
}
