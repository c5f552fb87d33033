//! The panic hook: a panic is an event, committed before the hook returns.
//!
//! Runs on the thread that panics. It is chained in front of the hook that was
//! there before, so that it comes first also if that one ends the process.
//! Invariant: waits at most [`COMMIT_TIMEOUT`]; never panics; does nothing for a
//! panic on one of our own threads or while an event is being captured.

use std::{
    backtrace::Backtrace,
    panic::{self, PanicHookInfo},
    sync::{Arc, Mutex, PoisonError, Weak},
    time::{Duration, Instant, SystemTime},
};

use tracing::{Level, Span};
use tracing_subscriber::{Registry, registry::LookupSpan};

use crate::{
    capture, dispatcher,
    event::{Event, SpanFrame},
    gate::Gate,
    handle::{AlertHandle, Shared},
    layer::{self, Caller, Capturing},
    signal::Signal,
};

/// Makes panics events of the layer behind `shared`, until that is dropped.
pub(crate) fn install(shared: &Arc<Shared>) {
    // Changing the hook on a thread that panics would panic again.
    if std::thread::panicking() {
        return;
    }
    // Taking the old hook and setting the new one are two steps: two layers
    // that are built at the same time must not lose each other's.
    static INSTALLING: Mutex<()> = Mutex::new(());
    let _installing = INSTALLING.lock().unwrap_or_else(PoisonError::into_inner);
    let shared = Arc::downgrade(shared);
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        capture_panic(&shared, info);
        before(info);
    }));
}

fn capture_panic(shared: &Weak<Shared>, info: &PanicHookInfo<'_>) {
    let Some(handle) = shared.upgrade().map(AlertHandle::new) else {
        return;
    };
    let caller = Caller::here();
    if caller.is_ours || !handle.captures_panics() {
        return;
    }
    let Some(capturing) = Capturing::start() else {
        return;
    };
    let event = Event { spans: spans(handle.gate()), ..event(info, caller.name) };
    let committed = Arc::new(Signal::new());
    let offered = handle.offer_and_tell(event, Arc::clone(&committed));
    drop(capturing);
    if offered {
        // Late is not lost: the event is queued, and the process may live on.
        let _ = committed.wait_until(Instant::now() + COMMIT_TIMEOUT);
    }
}

fn event(info: &PanicHookInfo<'_>, thread: Option<Arc<str>>) -> Event {
    let message = info.payload_as_str().unwrap_or("a panic with a payload that is not text");
    let location = info.location();
    Event {
        at: SystemTime::now(),
        level: Level::ERROR,
        target: "panic".into(),
        message: capture::cut(message, MOST_MESSAGE_BYTES),
        fields: Vec::new(),
        file: location.map(|location| location.file().to_owned().into()),
        line: location.map(panic::Location::line),
        module_path: None,
        thread,
        spans: Vec::new(),
        backtrace: Some(capture::cut(&Backtrace::force_capture().to_string(), MOST_BACKTRACE_BYTES)),
        panic: true,
    }
}

/// The spans the panic happened in, root first.
///
/// A span's fields are behind a lock that this very thread may hold: another
/// layer formats a field's value under it, and that is what panicked. So another
/// thread looks, and is not waited for any longer than [`SPANS_TIMEOUT`].
fn spans(gate: Gate) -> Vec<SpanFrame> {
    let span = Span::current();
    if span.is_none() {
        return Vec::new();
    }
    let found = Arc::new(Signal::new());
    let find = {
        let found = Arc::clone(&found);
        move || found.set(look_up(&span, &gate))
    };
    let started = std::thread::Builder::new().name(format!("{}-panic", dispatcher::THREAD_NAME)).spawn(find);
    match started {
        Ok(_) => found.wait_until(Instant::now() + SPANS_TIMEOUT).unwrap_or_default(),
        Err(_) => Vec::new(),
    }
}

fn look_up(span: &Span, gate: &Gate) -> Vec<SpanFrame> {
    let found = span.with_subscriber(|(id, dispatch)| {
        let registry = dispatch.downcast_ref::<Registry>()?;
        Some(layer::frames(registry.span(id)?.scope(), gate))
    });
    found.flatten().unwrap_or_default()
}

/// How long the look-up of the spans may take.
const SPANS_TIMEOUT: Duration = Duration::from_millis(50);

/// How long the hook waits for the event to be committed.
const COMMIT_TIMEOUT: Duration = Duration::from_millis(250);

const MOST_MESSAGE_BYTES: usize = 8 * 1024;

const MOST_BACKTRACE_BYTES: usize = 16 * 1024;
