//! Every order in which threads can run, for what they share: `loom` tries them.
//!
//! The same source files once more, over its locks and counters instead of the
//! standard library's.

use std::time::{Duration, Instant};

use bucket::Bucket;
use errand::Errand;
use lock::briefly;
use loom::thread;
use permit::Permit;
use signal::Signal;
use sync::{Arc, AtomicUsize, Mutex, Ordering};
use tally::{Bell, Ring, Tally};

mod sync {
    pub(super) use loom::{
        hint::spin_loop as pause,
        sync::{
            Arc, Condvar, Mutex, MutexGuard,
            atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering, fence},
        },
    };
    pub(super) use std::sync::TryLockError;

    /// Of accesses that are `SeqCst`, `loom` knows no order between them.
    pub(super) fn separate() {
        fence(Ordering::SeqCst);
    }

    pub(super) const MAX_TRIES: usize = 2;
}

#[path = "../../src/host/bucket.rs"]
mod bucket;

#[path = "../../src/host/errand.rs"]
mod errand;

#[expect(dead_code, reason = "a model has no time that passes")]
#[path = "../../src/host/lock.rs"]
mod lock;

#[path = "../../src/host/permit.rs"]
mod permit;

#[path = "../../src/host/signal.rs"]
mod signal;

#[path = "../../src/queue/tally.rs"]
mod tally;

/// Later than any model ends: who is not woken waits for ever, which `loom`
/// takes for a failure.
fn some_day() -> Instant {
    Instant::now() + Duration::from_secs(3_600)
}

#[test]
fn whoever_waits_is_woken_whenever_the_value_is_set() {
    loom::model(|| {
        let done = Arc::new(Signal::new());
        let waiters = [(); 2].map(|()| {
            let done = Arc::clone(&done);
            thread::spawn(move || done.wait_until(some_day()))
        });
        done.set(7);
        for waiter in waiters {
            assert_eq!(waiter.join().unwrap(), Some(7));
        }
    });
}

#[test]
fn of_two_answers_one_counts_for_everybody() {
    loom::model(|| {
        let done = Arc::new(Signal::new());
        let other = {
            let done = Arc::clone(&done);
            thread::spawn(move || done.set(1))
        };
        done.set(2);
        let told = done.wait_until(some_day());
        other.join().unwrap();
        assert_eq!(done.wait_until(Instant::now()), told);
    });
}

#[test]
fn permits_never_exceed_the_bound_and_all_come_back() {
    const MOST: usize = 3;
    loom::model(|| {
        let bytes = Arc::new(AtomicUsize::new(0));
        let caller = {
            let bytes = Arc::clone(&bytes);
            thread::spawn(move || {
                drop(Permit::take(&bytes, 1, MOST));
                Permit::take(&bytes, 2, MOST)
            })
        };
        let ours = Permit::take(&bytes, 1, MOST);
        let ours = ours.as_ref().and_then(|ours| ours.another(1, MOST)).zip(ours);
        let theirs = caller.join().unwrap();
        assert!(ours.is_none() || theirs.is_none(), "more is out than may be");
        assert!(theirs.as_ref().is_none_or(Permit::is_some));
        drop((ours, theirs));
        assert!(Permit::take(&bytes, MOST, MOST).is_some(), "a share did not come back");
    });
}

#[test]
fn what_is_kept_of_a_span_is_found_by_its_own_id_and_gone_when_it_is_closed() {
    loom::model(|| {
        let bucket = Arc::new(Bucket::<u64>::new());
        *bucket.claim(1).unwrap() = 10;
        let other = {
            let bucket = Arc::clone(&bucket);
            thread::spawn(move || {
                // Of the first span, whatever becomes of it meanwhile.
                if let Some(mut kept) = bucket.get(1) {
                    assert!([10, 11].contains(&*kept));
                    *kept = 11;
                }
                *bucket.claim(2).unwrap() = 20;
                assert_eq!(bucket.get(2).map(|kept| *kept), Some(20));
                bucket.remove(2, std::mem::take)
            })
        };
        bucket.remove(1, std::mem::take);
        assert!(bucket.get(1).is_none());
        *bucket.claim(3).unwrap() = 30;
        assert_eq!(bucket.get(3).map(|kept| *kept), Some(30));
        assert_eq!(other.join().unwrap(), Some(20));
        assert_eq!(bucket.first(|kept| *kept), Some(3));
    });
}

#[test]
fn of_two_who_remove_a_span_one_at_most_gets_it_and_its_place_is_free() {
    loom::model(|| {
        let bucket = Arc::new(Bucket::<u64>::new());
        *bucket.claim(1).unwrap() = 10;
        let other = {
            let bucket = Arc::clone(&bucket);
            thread::spawn(move || bucket.remove(1, std::mem::take))
        };
        let ours = bucket.remove(1, std::mem::take);
        let theirs = other.join().unwrap();
        // Neither, if each met the other: then what is kept is nobody's.
        let removed: Vec<_> = ours.into_iter().chain(theirs).collect();
        assert!(removed == [10] || removed.is_empty(), "{removed:?}");
        assert!(bucket.get(1).is_none() && bucket.first(|kept| *kept).is_none());
        for id in 2..10 {
            *bucket.claim(id).expect("a place was lost") = id;
        }
    });
}

#[test]
fn a_lock_is_had_or_not_and_never_waited_for() {
    loom::model(|| {
        let mutex = Arc::new(Mutex::new(0));
        let other = {
            let mutex = Arc::clone(&mutex);
            thread::spawn(move || {
                briefly(&mutex).is_some_and(|mut number| {
                    *number += 1;
                    true
                })
            })
        };
        let ours = briefly(&mutex).is_some_and(|mut number| {
            *number += 1;
            true
        });
        let theirs = other.join().unwrap();
        assert_eq!(briefly(&mutex).map(|number| *number), Some(u32::from(ours) + u32::from(theirs)));
    });
}

/// Two callers that count an event each, and what came of it.
fn count_twice(storm: &Arc<(Bell, Tally)>) -> [thread::JoinHandle<(Ring, u64)>; 2] {
    [(); 2].map(|()| {
        let storm = Arc::clone(storm);
        thread::spawn(move || {
            let (bell, tally) = &*storm;
            let ring = tally.count(bell);
            (ring, if ring == Ring::Late { tally.collect() } else { 0 })
        })
    })
}

/// Every order in which threads are interrupted so often in all: more take minutes.
fn model(interruptions: usize, orders: impl Fn() + Send + Sync + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(interruptions);
    model.check(orders);
}

#[test]
fn what_is_counted_is_collected_or_the_bell_has_rung() {
    model(3, || {
        let storm = Arc::new((Bell::new(), Tally::default()));
        let callers = count_twice(&storm);
        let (bell, tally) = &*storm;
        bell.answer();
        let collected = tally.collect();
        let rings = callers.map(|caller| caller.join().unwrap().0);
        assert!(tally.is_calm() || bell.has_rung(), "what is there is forgotten");
        assert!(rings.contains(&Ring::First), "nobody is told");
        bell.answer();
        assert_eq!((collected + tally.collect(), tally.counted()), (2, 2));
        assert!(!bell.has_rung());
    });
}

#[test]
fn once_the_bell_is_shut_who_counts_collects() {
    model(3, || {
        let storm = Arc::new((Bell::new(), Tally::default()));
        let callers = count_twice(&storm);
        let (bell, tally) = &*storm;
        bell.shut();
        let collected = tally.collect();
        let late: u64 = callers.map(|caller| caller.join().unwrap().1).iter().sum();
        assert_eq!(collected + late, 2);
        assert!(tally.is_calm() && bell.may_have_rung().is_none());
    });
}

/// As levels are set: each of two threads sets one and asks for a run, which reads what
/// is set, and stores it somewhere else.
#[test]
fn whoever_asks_has_a_run_of_their_own_and_no_two_runs_overlap() {
    model(2, || {
        let (set, stored) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let errand = Arc::new(Errand::default());
        let ask = |level: usize| {
            let (set, stored, errand) = (Arc::clone(&set), Arc::clone(&stored), Arc::clone(&errand));
            move || {
                set.store(level, Ordering::Relaxed);
                let asked = errand.ask();
                let server = asked.must_serve.then(|| {
                    let errand = Arc::clone(&errand);
                    let run = move || stored.store(set.load(Ordering::Relaxed), Ordering::Relaxed);
                    thread::spawn(move || errand.serve(&[], run))
                });
                assert!(errand.wait_until(asked, some_day()));
                server.into_iter().for_each(|server| server.join().unwrap());
            }
        };
        let other = thread::spawn(ask(1));
        ask(2)();
        other.join().unwrap();
        assert_eq!(stored.load(Ordering::Relaxed), set.load(Ordering::Relaxed), "what is stored is old");
    });
}
