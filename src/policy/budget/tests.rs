//! What a budget allows, and when.

use proptest::prelude::*;

use super::*;
use crate::{event::from_millis, policy::calendar::DAY};

const MINUTE: Duration = Duration::from_secs(60);

fn midnight() -> SystemTime {
    from_millis(20_000 * 24 * 3600 * 1000)
}

fn allows(account: &Account, budget: Option<&Budget>, is_new: bool, now: SystemTime) -> Allowance {
    account.allows(&Limits { budget, calendar: &Calendar::default() }, is_new, now)
}

/// How many messages go out at these times.
fn allowed(budget: &Budget, is_new: bool, times: impl Iterator<Item = SystemTime>) -> usize {
    let mut account = Account::default();
    let taken = times.filter(|now| match allows(&account, Some(budget), is_new, *now) {
        Allowance::Message { after, .. } => {
            account = after;
            true
        }
        Allowance::NotBefore(at) => {
            assert!(at > *now);
            false
        }
    });
    taken.count()
}

#[test]
fn three_sms_go_at_once_and_then_one_in_ten_minutes() {
    let every_second = |minutes: u32| (0..minutes * 60).map(|s| midnight() + Duration::from_secs(s.into()));
    assert_eq!(allowed(&Budget::SMS, false, every_second(1)), 3);
    assert_eq!(allowed(&Budget::SMS, false, every_second(31)), 6);
}

#[test]
fn a_quarter_of_the_day_is_kept_for_what_was_never_seen() {
    let every_minute = || (0..24 * 60).map(|m| midnight() + MINUTE * m);
    assert_eq!(allowed(&Budget::SMS, false, every_minute()), 15);
    assert_eq!(allowed(&Budget::SMS, true, every_minute()), 20);
}

#[test]
fn the_last_message_of_the_day_says_so_once() {
    let mut account = Account::default();
    let mut last = Vec::new();
    for minute in 0..24 * 60 {
        let now = midnight() + MINUTE * minute;
        if let Allowance::Message { after, is_last } = allows(&account, Some(&Budget::SMS), true, now) {
            account = after;
            last.push(is_last);
        }
    }
    assert_eq!(last.iter().position(|is_last| *is_last), Some(14));
    assert_eq!(last.iter().filter(|is_last| **is_last).count(), 1);
    let tomorrow = midnight() + DAY;
    assert!(matches!(allows(&account, Some(&Budget::SMS), false, tomorrow), Allowance::Message { .. }));
}

#[test]
fn after_the_clock_jumped_back_a_bucket_fills_as_fast_as_before() {
    let later = midnight() + MINUTE * 600;
    let Allowance::Message { after, .. } = allows(&Account::default(), Some(&Budget::SMS), true, later)
    else {
        panic!("an account that was never used allows nothing");
    };
    let now = midnight() + MINUTE;
    let jumped = after.heard_by(now);
    assert_eq!((jumped.heard_at, jumped.full_at), (Some(now), Some(now + MINUTE * 10)));
    assert_eq!(jumped.heard_by(now + MINUTE), jumped, "what is past stays");
}

#[test]
fn of_two_accounts_of_one_recipient_the_later_message_counts() {
    let account = |minute, in_a_row| {
        let at = Some(midnight() + MINUTE * minute);
        Account { heard_at: at, full_at: at, in_a_row, ..Account::default() }
    };
    let heard = |mut own: Account, other: &Account| {
        own.hear(other);
        own
    };
    let (early, late) = (account(1, 4), account(2, 5));
    assert_eq!(heard(early.clone(), &late), late);
    assert_eq!(heard(late.clone(), &early), late);
    assert_eq!(heard(account(2, 7), &late), account(2, 7), "of one time, the own one");
}

#[test]
fn without_a_budget_everything_goes() {
    let mut spent = Account::default();
    spent.spent.add(1_000_000, midnight());
    assert!(matches!(allows(&spent, None, false, midnight()), Allowance::Message { .. }));
}

proptest! {
    #[test]
    fn no_order_of_times_gets_more_than_the_day_allows(minutes in proptest::collection::vec(0_u32..1440, 0..200)) {
        let times = minutes.iter().map(|minute| midnight() + MINUTE * *minute);
        prop_assert!(allowed(&Budget::SMS, true, times) <= 20);
    }

    #[test]
    fn a_clock_that_jumps_closes_the_bucket_no_longer_than_it_takes_to_fill(jump in 0_u32..100_000) {
        let mut account = Account::default();
        let later = midnight() + MINUTE * jump;
        for _ in 0..5 {
            if let Allowance::Message { after, .. } = allows(&account, Some(&Budget::EMAIL), true, later) {
                account = after;
            }
        }
        let wait = Budget::EMAIL.refill * Budget::EMAIL.burst;
        let allowance = allows(&account, Some(&Budget::EMAIL), true, midnight() + wait);
        let is_allowed = matches!(allowance, Allowance::Message { .. });
        prop_assert!(is_allowed || allowance == Allowance::NotBefore(midnight() + wait + MINUTE));
    }
}
