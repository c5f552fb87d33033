//! What we say of our own trouble: one line on stderr, never through `tracing`.
//!
//! Invariant: at most one line a minute for each kind; never fails, never
//! panics, also when stderr is closed.

use std::{
    collections::BTreeMap,
    io::{self, Write},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

static LAST: Mutex<BTreeMap<&'static str, Instant>> = Mutex::new(BTreeMap::new());

/// Says `what` on stderr unless trouble of this `kind` was told of within
/// [`PAUSE`].
pub(crate) fn report(kind: &'static str, what: &str) {
    let now = Instant::now();
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    let due = last.get(kind).is_none_or(|told| now.duration_since(*told) >= PAUSE);
    if due {
        last.insert(kind, now);
        drop(last);
        say(what);
    }
}

/// Says `what` on stderr, always: for what is told once, at the start.
pub(crate) fn say(what: &str) {
    // One write, so that lines of several threads do not mix. There is nobody
    // left to tell if it fails.
    drop(io::stderr().write_all(format!("tracing-alert: {what}\n").as_bytes()));
}

const PAUSE: Duration = Duration::from_secs(60);
