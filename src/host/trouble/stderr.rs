//! The lines that go to stderr.
//!
//! Runs on any thread; a thread of our own writes, for as long as there is
//! something to write. Stderr may be a pipe that nobody reads, or locked for ever.
//! Invariant: only that thread waits for stderr, and, for [`EXIT_PATIENCE`], the
//! end of the process for that thread. Lines are in order.

use std::{
    collections::VecDeque,
    io::{self, Write},
    mem,
    panic::catch_unwind,
    sync::{
        Condvar, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use super::{at_once, locked};
use crate::host::{
    fork::Birth,
    lock,
    thread::{self, Role},
};

/// What waits to be written.
struct Waiting {
    /// In which process: a forked child leaves its parent's lines to it.
    birth: Option<Birth>,
    lines: VecDeque<Vec<u8>>,
    /// Lines there was no room for.
    left_out: usize,
    /// Whether a thread writes.
    has_writer: bool,
    /// How much longer the end of the process waits.
    patience: Duration,
}

static WAITING: Mutex<Waiting> = Mutex::new(Waiting::new(None));

/// Told when no thread writes any more.
static WRITTEN: Condvar = Condvar::new();

impl Waiting {
    const fn new(birth: Option<Birth>) -> Self {
        Self { birth, lines: VecDeque::new(), left_out: 0, has_writer: false, patience: EXIT_PATIENCE }
    }

    fn begin_here(&mut self) {
        let here = Birth::now();
        if self.birth.replace(here).is_some_and(|birth| birth.is_elsewhere()) {
            *self = Self::new(Some(here));
        }
    }

    fn push(&mut self, line: Vec<u8>) {
        if self.lines.len() < MAX_LINES { self.lines.push_back(line) } else { self.left_out += 1 }
    }

    fn next(&mut self) -> Option<Vec<u8>> {
        let left_out = |number: usize| line(&format!("{number} lines were left out: stderr took none"));
        self.lines.pop_front().or_else(|| match mem::take(&mut self.left_out) {
            0 => None,
            number => Some(left_out(number)),
        })
    }
}

/// Says `what`, soon.
pub(super) fn say(what: &str) {
    wait_at_the_end();
    let Some(mut waiting) = locked(&WAITING) else { return say_at_once(what) };
    waiting.begin_here();
    waiting.push(line(what));
    if !mem::replace(&mut waiting.has_writer, true) {
        drop(waiting);
        start_writer();
    }
}

fn start_writer() {
    if thread::start(Role::Own, format!("{}-stderr", thread::NAME), write).is_ok() {
        return;
    }
    // There can be no other thread: this one writes what stderr takes at once.
    let Some(mut waiting) = locked(&WAITING) else { return };
    waiting.has_writer = false;
    while let Some(line) = waiting.lines.front_mut() {
        line.drain(..at_once::write(line));
        if !line.is_empty() {
            return;
        }
        drop(waiting.lines.pop_front());
    }
}

/// The thread that writes.
fn write() {
    loop {
        let mut waiting = WAITING.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(line) = waiting.next() else {
            waiting.has_writer = false;
            WRITTEN.notify_all();
            return;
        };
        drop(waiting);
        // One write, so that lines of others do not get in between. There is nobody
        // left to tell if it fails.
        drop(io::stderr().write_all(&line));
    }
}

/// Waits until what was said is written; however often, [`EXIT_PATIENCE`] in all.
pub(crate) fn see_out() {
    let Some(mut waiting) = lock::soon(&WAITING) else { return };
    if waiting.birth.is_none_or(Birth::is_elsewhere) {
        return;
    }
    if !waiting.lines.is_empty() && !mem::replace(&mut waiting.has_writer, true) {
        drop(waiting);
        start_writer();
        let Some(again) = lock::soon(&WAITING) else { return };
        waiting = again;
    }
    let begun = Instant::now();
    let patience = waiting.patience;
    while waiting.has_writer {
        waiting.patience = patience.saturating_sub(begun.elapsed());
        if waiting.patience.is_zero() {
            return;
        }
        let left = waiting.patience;
        waiting = WRITTEN.wait_timeout(waiting, left).unwrap_or_else(PoisonError::into_inner).0;
    }
}

/// Has the end of the process wait for what was said. Where the end may wait for a
/// thread that says something, it is called before: on Windows, the C library holds a
/// lock while it runs its exit handlers, and to set another one waits for that.
#[expect(unsafe_code, reason = "the standard library has no way to run code when the process exits")]
pub(crate) fn wait_at_the_end() {
    extern "C" fn at_exit() {
        // Unwinding out of C is not allowed. Nothing in there panics on purpose.
        drop(catch_unwind(see_out));
    }
    static IS_SET: AtomicBool = AtomicBool::new(false);
    if !IS_SET.swap(true, Ordering::Relaxed) {
        // SAFETY: `at_exit` is a function that lives as long as the process, takes
        // nothing, and does not unwind. Without it, the last lines may be lost.
        unsafe { libc::atexit(at_exit) };
    }
}

/// As [`say`], where there can be no other thread: not at all if stderr does not
/// take it at once. Takes no lock: in a forked child, somebody may hold it who is
/// not there.
pub(crate) fn say_at_once(what: &str) {
    let _: usize = at_once::write(&line(what));
}

fn line(what: &str) -> Vec<u8> {
    format!("tracing-alert: {what}\n").into_bytes()
}

/// How many lines wait at most.
const MAX_LINES: usize = 256;

/// How long the end of the process waits for stderr.
pub(crate) const EXIT_PATIENCE: Duration = Duration::from_millis(200);
