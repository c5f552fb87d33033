//! Every order in which threads can run, for what they share: `loom` tries them.
//!
//! The same source files once more, over its locks and counters instead of the
//! standard library's.

use std::time::{Duration, Instant};

use loom::thread;
use permit::Permit;
use signal::Signal;
use sync::{Arc, AtomicUsize};

mod sync {
    pub(super) use loom::sync::{Arc, Condvar, Mutex, atomic::AtomicUsize};
}

#[path = "../../src/permit.rs"]
mod permit;

#[path = "../../src/signal.rs"]
mod signal;

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
