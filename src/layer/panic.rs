//! A panic is an event, committed before the hook returns.
//!
//! Runs on the thread that panics, called by our [`hook`](crate::layer::hook).
//! Invariant: waits at most [`COMMIT_TIMEOUT`] in all; never panics; does
//! nothing for a panic on one of our own threads, or for one that is caught while
//! an event is being captured.

use std::{
    backtrace::Backtrace,
    panic::{self, PanicHookInfo},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use tracing::{Level, Span};
use tracing_subscriber::{Registry, registry::LookupSpan};

use crate::{
    capture::{self, Sealed, spans::Frames, trail::Root},
    event::{Event, PANIC_TARGET},
    host::{
        fork::{Birth, PerProcess},
        signal::Signal,
        text::cut,
        thread::{self, Role},
        unwind::caught,
    },
    layer::{self, Capturing},
    queue::{Awaited, exit, shared::Shared},
};

/// Makes an event of the panic, and waits for its commit.
pub(crate) fn capture_panic(shared: &Shared, info: &PanicHookInfo<'_>, deadline: Instant) {
    if !Role::may_alert_here() || !shared.captures_panics() || shared.loses() {
        return;
    }
    if is_broken_pipe(info) {
        shared.ignored();
        return;
    }
    let capturing = Capturing::start();
    // A panic of a `Debug` that we run is caught, and costs only that value. Where panics
    // abort, nothing is caught, and it is the end of the process: that alerts.
    if capturing.is_none() && cfg!(panic = "unwind") {
        return;
    }
    let (spans, root) = context(shared);
    let backtrace = backtrace(deadline.checked_sub(COMMIT_RESERVE).unwrap_or(deadline));
    let event = Event {
        breadcrumbs: shared.breadcrumbs_of(root),
        backtrace: backtrace.text,
        ..event(info, thread::name())
    };
    shared.leave(root, || capture::breadcrumb_of(&event));
    let committed = Arc::new(Signal::new());
    let awaited = Awaited {
        event: Sealed::new(event, spans),
        committed: Arc::clone(&committed),
        backtrace: backtrace.late,
    };
    let offered = shared.offer_awaited(awaited, None);
    drop(capturing);
    // Late is not lost: the event is queued, and the process may live on.
    let is_committed = offered && committed.wait_until(deadline).is_some();
    if !is_committed && exit::is_over() {
        exit::tell_late();
    }
}

/// Whether the standard library's `println!` or `eprintln!` found that its reader is
/// gone: `app | head` is how people use a program, and not a fault of it. Anything
/// else that is printed in vain, and any other pipe that breaks, alerts.
fn is_broken_pipe(info: &PanicHookInfo<'_>) -> bool {
    let is_it = |message: &str| {
        let error = STREAMS.iter().find_map(|stream| message.strip_prefix(stream))?;
        // What comes before is in the language of the system.
        let code = error.rsplit_once(" (os error ")?.1.strip_suffix(')')?;
        Some(BROKEN_PIPES.contains(&code.parse().ok()?))
    };
    info.payload_as_str().and_then(is_it).unwrap_or_default()
}

const STREAMS: [&str; 2] = ["failed printing to stdout: ", "failed printing to stderr: "];

/// The operating system's numbers of the error.
#[cfg(unix)]
const BROKEN_PIPES: [i32; 1] = [libc::EPIPE];
/// `ERROR_BROKEN_PIPE` and `ERROR_NO_DATA`.
#[cfg(not(unix))]
const BROKEN_PIPES: [i32; 2] = [109, 232];

fn event(info: &PanicHookInfo<'_>, thread: Option<Arc<str>>) -> Event {
    let message = info.payload_as_str().unwrap_or("a panic with a payload that is not text");
    let location = info.location();
    Event {
        at: SystemTime::now(),
        level: Level::ERROR,
        target: PANIC_TARGET.into(),
        message: cut(message, MAX_MESSAGE_BYTES),
        fields: Vec::new(),
        file: location.map(|location| location.file().to_owned().into()),
        line: location.map(panic::Location::line),
        module_path: None,
        thread,
        spans: Vec::new(),
        breadcrumbs: Vec::new(),
        backtrace: None,
        panic: true,
    }
}

/// The spans that this thread is in, and whose breadcrumbs are theirs.
fn context(shared: &Shared) -> (Frames, Option<Root>) {
    let span = Span::current();
    if span.is_none() {
        return (Frames::default(), Some(Root::Outside));
    }
    let found = span.with_subscriber(|(id, dispatch)| {
        let gate = shared.gate();
        let registry: &Registry = dispatch.downcast_ref()?;
        let span = registry.span(id).filter(|_| gate.is_on(registry))?;
        layer::note_failed(Some(span.scope()), shared.spans());
        Some((layer::frames(span.scope(), &gate, shared.spans()), Root::of(Some(span.scope()), &gate)))
    });
    found.flatten().unwrap_or_default()
}

/// A panic's backtrace in words.
#[derive(Default)]
struct Words {
    text: Option<String>,
    /// It takes longer than the hook may: it will follow.
    late: Option<Arc<Signal<String>>>,
}

/// Another thread finds the names of the frames: for a large program that takes
/// longer than the hook may.
fn backtrace(latest: Instant) -> Words {
    if !is_lock_free(latest) {
        return Words::default();
    }
    let backtrace = Backtrace::force_capture();
    let words = elsewhere(move || cut(&backtrace.to_string(), MAX_BACKTRACE_BYTES));
    match words.as_ref().and_then(|words| words.wait_until(latest)) {
        Some(text) => Words { text: Some(text), late: None },
        None => Words { text: None, late: words },
    }
}

/// Whether this thread may take the standard library's lock of backtraces. Who looks
/// names up holds it, or prints one, and in a forked child a thread of the parent may
/// hold it for ever: another thread finds that out.
fn is_lock_free(latest: Instant) -> bool {
    static FOUND: PerProcess<OnceLock<Option<Arc<Signal<()>>>>> = PerProcess::new();
    let look = || elsewhere(|| drop(Backtrace::force_capture()));
    let is_found = |found: &Arc<Signal<()>>| found.wait_until(latest).is_some();
    if Birth::here().is_in_child() {
        FOUND.get().get_or_init(look).as_ref().is_some_and(is_found)
    } else {
        let users = [&LOOKERS, &PRINTERS].map(|users| users.get().load(Ordering::Relaxed));
        users == [0, 0] || look().as_ref().is_some_and(is_found)
    }
}

/// Threads that look. In a storm of panics they would pile up behind the lock of the
/// names.
static LOOKERS: PerProcess<AtomicUsize> = PerProcess::new();

/// Threads in somebody else's hook. The standard library's prints a backtrace, and has
/// the lock until stderr has taken it.
static PRINTERS: PerProcess<AtomicUsize> = PerProcess::new();

/// Runs the hook of somebody else.
pub(crate) fn while_printing(print: impl FnOnce()) {
    let printers = PRINTERS.get();
    printers.fetch_add(1, Ordering::Relaxed);
    // If it panics, that is the end of the process.
    print();
    printers.fetch_sub(1, Ordering::Relaxed);
}

/// What `look` gives, once another thread has looked; none if there can be no
/// other thread.
fn elsewhere<T: Clone + Send + 'static>(look: impl FnOnce() -> T + Send + 'static) -> Option<Arc<Signal<T>>> {
    let found = Arc::new(Signal::new());
    let finder = Arc::clone(&found);
    let looking = LOOKERS.get();
    if looking.fetch_add(1, Ordering::Relaxed) >= MAX_LOOKING {
        looking.fetch_sub(1, Ordering::Relaxed);
        return None;
    }
    let look = move || {
        let looked = caught(look);
        looking.fetch_sub(1, Ordering::Relaxed);
        looked.into_iter().for_each(|looked| finder.set(looked));
    };
    let thread = thread::start(Role::LookUp, format!("{}-panic", thread::NAME), look);
    if thread.is_err() {
        looking.fetch_sub(1, Ordering::Relaxed);
    }
    thread.ok().map(|_| found)
}

/// How many look-ups go on at once, at the most.
const MAX_LOOKING: usize = 8;

/// What is left of [`COMMIT_TIMEOUT`] for the commit, at least.
const COMMIT_RESERVE: Duration = Duration::from_millis(100);

/// How long the hook takes, at the most, until the event is committed.
pub(crate) const COMMIT_TIMEOUT: Duration = Duration::from_millis(250);

const MAX_MESSAGE_BYTES: usize = 8 * 1024;

const MAX_BACKTRACE_BYTES: usize = 16 * 1024;
