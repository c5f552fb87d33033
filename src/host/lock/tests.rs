//! Not in `lock.rs` itself, which is also compiled over the locks of a model.

use std::sync::Mutex;

use crate::host::{
    lock::{briefly, soon, tried},
    unwind::caught,
};

#[test]
fn a_lock_that_is_soon_released_is_waited_for_and_no_other_one() {
    let mutex = Mutex::new(7);
    let held = mutex.lock().unwrap();
    assert!(soon(&mutex).is_none() && briefly(&mutex).is_none() && tried(&mutex).is_none());
    let (waits, is_waiting) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        let other = scope.spawn(|| {
            waits.send(()).unwrap();
            (0..100).find_map(|_| soon(&mutex).map(|value| *value))
        });
        is_waiting.recv().unwrap();
        drop(held);
        assert_eq!(other.join().unwrap(), Some(7));
    });
}

#[test]
fn a_poisoned_lock_is_as_good_as_any() {
    let mutex = Mutex::new(7);
    let poison = || {
        let _held = mutex.lock().unwrap();
        std::panic::resume_unwind(Box::new(()));
    };
    assert!(caught(poison).is_none() && mutex.is_poisoned());
    assert_eq!([soon(&mutex).map(|it| *it), briefly(&mutex).map(|it| *it)], [Some(7); 2]);
}
