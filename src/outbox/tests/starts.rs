//! Starts that failed, and what is told of them.

use super::*;

/// The next run begins.
async fn start_next(bench: &mut Bench, failed: usize, now: SystemTime) -> bool {
    bench.run = Uuid::from_u128(bench.run.as_u128() + 1);
    bench.start(failed, now).await
}

/// Claims with a file: memory knows of no other start.
fn with_file(claim: impl AsyncFnOnce(&mut Bench)) {
    check(sqlite_bench, claim);
}

#[test]
fn more_than_three_failed_starts_in_ten_minutes_are_one_incident() {
    with_file(async |bench| {
        for n in 0..4 {
            assert!(!start_next(bench, 9, t(60 * n)).await, "{n}");
        }
        bench.persist(&[captured_at("no database", t(190))], t(190)).await;
        assert!(start_next(bench, 9, t(240)).await);
        assert!(start_next(bench, 9, t(300)).await);
        let told = [("no database".to_owned(), 1), ("no database".to_owned(), 6)];
        assert_eq!(bench.told("mail", t(310)).await, told, "the error, and six starts");
        let events = bench.store.events().await.unwrap();
        assert_eq!(events.committed(), 1, "a start is no event");
    });
}

#[test]
fn starts_that_did_not_fail_or_long_ago_are_none() {
    with_file(async |bench| {
        for n in 0..20 {
            assert!(!start_next(bench, 3, t(n)).await, "three may fail");
        }
        for n in 2..20 {
            assert!(!start_next(bench, 9, t(151 * n + 600)).await, "no more than four are in ten minutes");
        }
    });
}

#[test]
fn a_run_that_ended_well_is_forgotten_and_one_that_alerted_is_not() {
    with_file(async |bench| {
        for n in 0..9 {
            assert!(!start_next(bench, 9, t(n)).await);
            bench.store.note_end(bench.run, false, t(n)).await.unwrap();
        }
        for n in 10..14 {
            assert!(!start_next(bench, 9, t(n)).await);
            bench.store.note_end(bench.run, true, t(n)).await.unwrap();
        }
        assert!(start_next(bench, 9, t(14)).await);
    });
}

#[test]
fn a_start_that_is_noted_again_counts_once() {
    with_file(async |bench| {
        for n in 0..4 {
            start_next(bench, 9, t(n)).await;
        }
        for n in 5..9 {
            assert!(!bench.start(9, t(n)).await);
        }
    });
}

#[test]
fn a_start_that_waited_for_the_file_forgets_none_that_came_before_it() {
    with_file(async |bench| {
        for n in [3, 2, 1, 0] {
            assert!(!start_next(bench, 9, t(n)).await);
        }
        assert!(start_next(bench, 9, t(4)).await);
    });
}

#[test]
fn a_clock_that_was_set_back_forgets_what_is_still_to_come() {
    with_file(async |bench| {
        for n in 0..4 {
            start_next(bench, 9, t(5000 + n)).await;
        }
        for n in 0..4 {
            assert!(!start_next(bench, 9, t(n)).await);
        }
        assert!(start_next(bench, 9, t(5)).await);
    });
}
