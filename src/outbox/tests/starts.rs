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
fn a_crash_loop_is_told_with_the_last_error_of_the_program_and_of_nothing_else() {
    with_file(async |bench| {
        for n in 0..4 {
            assert!(!start_next(bench, 9, t(60 * n)).await, "{n}");
        }
        bench.persist(&[captured_at("no database", t(190))], t(190)).await;
        let dead = Captured { about: Some(About::Dead), ..captured_at("no such number", t(195)) };
        bench.persist(&[dead], t(195)).await;
        assert!(start_next(bench, 9, t(240)).await);
        let told = bench.told("mail", t(310)).await;
        assert!(told.contains(&("no database".to_owned(), 5)), "{told:?}");
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

#[test]
fn a_run_that_was_killed_erred_last_if_the_next_one_began_soon_after_its_error() {
    with_file(async |bench| {
        let erred = std::cell::RefCell::new(Vec::new());
        let begin = async |bench: &mut Bench, now| {
            bench.run = Uuid::from_u128(bench.run.as_u128() + 1);
            erred.borrow_mut().clear();
            let note = |start: &Start| {
                erred.borrow_mut().push(start.erred_last);
                false
            };
            let maker = Maker {
                new_id: &*bench.new_id,
                run: bench.run,
                process: &bench.process,
                calendar: &bench.calendar,
                is_of_fleet: false,
            };
            let (began, tell) = (Began { at: now, run: bench.run }, |_| captured("crash loop", Level::ERROR));
            bench.store.note_start(began, note, tell, &maker, &bench.targets, now).await.unwrap();
            erred.borrow().clone()
        };
        begin(bench, t(0)).await;
        bench.persist(&[captured_at("no database", t(5))], t(5)).await;
        assert_eq!(begin(bench, t(65)).await, [true]);
        bench.persist(&[captured_at("no database", t(70))], t(70)).await;
        assert_eq!(begin(bench, t(131)).await, [true, false], "it went on after its error");
        bench
            .persist(
                &[Captured { event: Event { level: Level::WARN, ..event("a") }, ..captured_at("a", t(132)) }],
                t(132),
            )
            .await;
        assert_eq!(begin(bench, t(133)).await, [true, false, false], "a warning is no error");
    });
}
