//! When something is handed over.

use tokio::sync::mpsc::unbounded_channel;

use super::*;

/// When a fleet of so many instances hands over what is new, as one of them draws it.
fn hands_over_at(fleet: u32) -> Instant {
    let mut link = Link::new(unbounded_channel().0, unbounded_channel().1);
    (link.fleet, link.due_at) = (fleet, None);
    link.note_counted();
    link.due_at.unwrap()
}

#[test]
fn what_is_new_is_handed_over_at_once_and_by_a_large_fleet_within_ten_seconds_but_not_all_at_once() {
    for (fleet, at_most) in [(0, 0), (1, 20), (100, 2_000), (500, 10_000), (5_000, 10_000)] {
        assert!(hands_over_at(fleet) <= from_now(Duration::from_millis(at_most)), "{fleet}");
    }
    let soon = from_now(Duration::from_millis(5_000));
    assert!((0..64).any(|_| hands_over_at(500) > soon), "they come together");
}

#[test]
fn a_question_that_waits_for_others_has_its_own_time_from_when_it_is_turned_to() {
    let mut link = Link::new(unbounded_channel().0, unbounded_channel().1);
    link.note_begun();
    assert_eq!(link.asked_at, None, "nothing is under way");
    let long_ago = Instant::now().checked_sub(Duration::from_millis(1_900)).unwrap();
    link.asked_at = Some(long_ago);
    link.note_begun();
    assert!(link.asked_at > Some(long_ago));
}
