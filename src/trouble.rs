//! What we say of our own trouble: one line on stderr, never through `tracing`.
//!
//! Invariant: at most one line a minute for each kind; never fails, never
//! panics, and waits no longer than [`PATIENCE`], also when stderr is closed,
//! held by somebody or full.

use std::{
    collections::BTreeMap,
    io::{self, Write},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use crate::{signal::Signal, thread};

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
    // Somebody may hold stderr's lock for ever, or never read it: then a few
    // threads wait for that, and not one for each line.
    static WRITING: AtomicUsize = AtomicUsize::new(0);
    if WRITING.fetch_add(1, Ordering::Relaxed) >= MOST_WRITERS {
        WRITING.fetch_sub(1, Ordering::Relaxed);
        return;
    }
    let said = Arc::new(Signal::new());
    let write = {
        let (line, said) = (line(what), Arc::clone(&said));
        // One write, so that lines of several threads do not mix. There is
        // nobody left to tell if it fails.
        move || {
            drop(io::stderr().write_all(line.as_bytes()));
            WRITING.fetch_sub(1, Ordering::Relaxed);
            said.set(());
        }
    };
    if thread::start(format!("{}-stderr", crate::dispatcher::THREAD_NAME), write).is_ok() {
        let _ = said.wait_until(Instant::now() + PATIENCE);
    } else {
        WRITING.fetch_sub(1, Ordering::Relaxed);
        say_at_once(what);
    }
}

/// As [`say`], where there can be no other thread: not at all if stderr does not
/// take it at once. Takes no lock: in a forked child, somebody may hold it who is
/// not there.
pub(crate) fn say_at_once(what: &str) {
    #[cfg(unix)]
    {
        #![expect(unsafe_code, reason = "the standard library locks stderr")]
        let line = line(what);
        let mut stderr = libc::pollfd { fd: libc::STDERR_FILENO, events: libc::POLLOUT, revents: 0 };
        // SAFETY: there is one `pollfd`, and the line is as long as it says.
        unsafe {
            if libc::poll(&raw mut stderr, 1, 0) == 1 && stderr.revents == libc::POLLOUT {
                libc::write(libc::STDERR_FILENO, line.as_ptr().cast(), line.len());
            }
        }
    }
    #[cfg(not(unix))]
    let _: &str = what;
}

fn line(what: &str) -> String {
    format!("tracing-alert: {what}\n")
}

/// Lines that may wait to be written.
const MOST_WRITERS: usize = 8;

const PATIENCE: Duration = Duration::from_millis(100);

const PAUSE: Duration = Duration::from_secs(60);
