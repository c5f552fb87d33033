//! One incident and one recipient, from the first event to the end.

use proptest::prelude::*;

use super::*;

/// Runs one incident against one recipient for as long as it takes; returns what
/// they were told, when.
fn history(rhythm: &Rhythm, events: impl Iterator<Item = u64>) -> Vec<(u64, Reason, u64)> {
    let mut events = events.peekable();
    let mut standing = open(0, t(0));
    let mut account = Account::default();
    let mut history = Vec::new();
    let budget = if rhythm.says_quiet { Budget::EMAIL } else { Budget::SMS };
    let mut look_at = 0;
    for second in 0..50 * 3600 {
        let now = t(second);
        let before = standing.count;
        while events.next_if(|at| *at <= second).is_some() {
            standing.count += 1;
            standing.last_at = now;
        }
        if standing.count == 0 || (standing.count == before && second < look_at) {
            continue;
        }
        let desk = RecipientView { account: account.clone(), ..desk(vec![standing]) };
        let plan = plan(&desk, rhythm, Some(&budget), false, now);
        if let Some((_, reason)) = plan.tell.first() {
            history.push((second, *reason, standing.untold()));
            standing = standing.told_now(*reason, Some(budget.share()), now);
            account = plan.account.unwrap();
        }
        let [Some(due)] = plan.due.as_slice() else { break };
        look_at = due.duration_since(t(0)).unwrap().as_secs();
    }
    history
}

#[test]
fn an_error_every_ten_seconds_for_a_day_is_told_ever_more_rarely() {
    let every_ten_seconds = || (0..24 * 360).map(|n| n * 10);
    let minutes = |told: &[(u64, Reason, u64)]| told.iter().map(|(at, ..)| at / 60).collect::<Vec<_>>();
    let by_mail = history(&EMAIL, every_ten_seconds());
    assert_eq!(minutes(&by_mail)[..6], [0, 30, 90, 210, 450, 930], "{by_mail:?}");
    assert_eq!(by_mail[0], (1, Reason::First, 1));
    let by_sms = history(&SMS, every_ten_seconds());
    assert_eq!(minutes(&by_sms), [0, 30, 90, 210, 450, 1440], "no more than a quarter of the day's");
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

#[cfg(feature = "webhook")]
#[test]
fn a_pager_hears_once_that_an_incident_ended_of_which_it_knew_all() {
    let pager = Rhythm::pager(SECOND, Duration::ZERO);
    let known = told(open(1, t(0)), 1, t(1));
    let end = t(30 * 60);
    assert_eq!(next(&known, &EMAIL, Some(t(1)), t(2)), Next::Close(end));
    assert_eq!(next(&known, &pager, Some(t(1)), t(2)), Next::Tell(Reason::Quiet, end));
    let told = history(&pager, [0].into_iter());
    assert_eq!(told, [(1, Reason::First, 1), (30 * 60, Reason::Quiet, 0)]);
}
