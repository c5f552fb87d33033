//! The panic hook: a panic is an event, committed before the hook returns.
//!
//! Runs on the thread that panics. It is chained in front of the hook that was
//! there before, so that it comes first also if that one ends the process.
//! Invariant: waits at most [`COMMIT_TIMEOUT`] in all; never panics; does
//! nothing for a panic on one of our own threads, or for one that is caught while
//! an event is being captured.

use std::{
    backtrace::Backtrace,
    panic::{self, AssertUnwindSafe, PanicHookInfo},
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use tracing::{Level, Span};
use tracing_subscriber::{Registry, registry::LookupSpan};

use crate::{
    capture,
    event::{Event, SpanFrame},
    gate::Gate,
    handle::{AlertHandle, Shared},
    layer::{self, Caller, Capturing},
    queue::Awaited,
    signal::Signal,
    thread,
};

/// Makes panics events of the layer behind `shared`, until that is dropped.
pub(crate) fn install(shared: &Arc<Shared>) {
    // Changing the hook on a thread that panics would panic again.
    if std::thread::panicking() {
        return;
    }
    // Taking the old hook and setting the new one are two steps: two layers
    // that are built at the same time must not lose each other's.
    static INSTALLED: Mutex<Option<Installed>> = Mutex::new(None);
    let mut installed = INSTALLED.lock().unwrap_or_else(PoisonError::into_inner);
    let mut layers = vec![Arc::downgrade(shared)];
    let hook = panic::take_hook();
    let before = match installed.as_ref().and_then(|ours| ours.front(&hook)) {
        // Ours is replaced, and not put behind a new one: a program may build
        // any number of layers.
        Some(link) => {
            layers.extend(link.layers.iter().filter(|layer| layer.strong_count() > 0).cloned());
            Arc::clone(&link.before)
        }
        None => Arc::from(hook),
    };
    let link = Arc::new(Link { layers, before });
    let known = Arc::downgrade(&link);
    let hook: Hook = Box::new(move |info| link.call(info));
    *installed = Some(Installed { link: known, at: address(&hook) });
    panic::set_hook(hook);
}

type Hook = Box<dyn Fn(&PanicHookInfo<'_>) + Send + Sync>;

/// Our link in the chain of hooks.
struct Link {
    /// The latest first.
    layers: Vec<Weak<Shared>>,
    before: Arc<dyn Fn(&PanicHookInfo<'_>) + Send + Sync>,
}

impl Link {
    fn call(&self, info: &PanicHookInfo<'_>) {
        // A panic of the thread that looks things up is part of a panic that the
        // hook before was told of already.
        if Caller::here().name.as_deref() != Some(LOOK_UP_THREAD) {
            let deadline = Instant::now() + COMMIT_TIMEOUT;
            let layers = self.layers.iter().filter_map(Weak::upgrade);
            layers.for_each(|shared| capture_panic(shared, info, deadline));
            (self.before)(info);
        }
    }
}

/// The hook that we set last.
struct Installed {
    link: Weak<Link>,
    at: usize,
}

impl Installed {
    /// Our link, if `hook` is what holds it, and not one that somebody has put in
    /// front of it. While the link lives, nothing else can be where its hook is.
    fn front(&self, hook: &Hook) -> Option<Arc<Link>> {
        self.link.upgrade().filter(|_| self.at == address(hook))
    }
}

/// Where `hook` is.
fn address(hook: &Hook) -> usize {
    std::ptr::from_ref(&**hook).cast::<()>().addr()
}

fn capture_panic(shared: Arc<Shared>, info: &PanicHookInfo<'_>, deadline: Instant) {
    let handle = AlertHandle::new(shared);
    let caller = Caller::here();
    if caller.is_ours || !handle.captures_panics() || handle.loses() {
        return;
    }
    let capturing = Capturing::start();
    // It is caught, and costs the value that panicked: unless nothing is caught.
    if capturing.is_none() && cfg!(panic = "unwind") {
        return;
    }
    let found = look_up(handle.gate(), deadline);
    let event = Event { spans: found.spans, backtrace: found.backtrace, ..event(info, caller.name) };
    let committed = Arc::new(Signal::new());
    let awaited = Awaited { event, committed: Arc::clone(&committed), backtrace: found.late_backtrace };
    let offered = handle.offer_awaited(awaited, None);
    drop(capturing);
    if offered {
        // Late is not lost: the event is queued, and the process may live on.
        let _ = committed.wait_until(deadline);
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
        backtrace: None,
        panic: true,
    }
}

/// What other threads found out about a panic.
struct Found {
    /// Root first.
    spans: Vec<SpanFrame>,
    backtrace: Option<String>,
    /// It takes longer than the hook may: it will follow.
    late_backtrace: Option<Arc<Signal<String>>>,
}

/// Finds the spans the panic happened in, and the backtrace.
///
/// Other threads look. A span's fields are behind a lock that this one may hold:
/// another layer formats a field's value under it, and that is what panicked.
/// And names for the frames of a large program take long to find.
fn look_up(gate: Gate, deadline: Instant) -> Found {
    let span = Span::current();
    let backtrace = Backtrace::force_capture();
    let spans = if span.is_none() { None } else { elsewhere(move || frames(&span, &gate)) };
    let backtrace = elsewhere(move || capture::cut(&backtrace.to_string(), MOST_BACKTRACE_BYTES));
    let latest = deadline.checked_sub(COMMIT_RESERVE).unwrap_or(deadline);
    let spans_latest = latest.min(Instant::now() + SPANS_TIMEOUT);
    let spans = spans.and_then(|spans| spans.wait_until(spans_latest)).unwrap_or_default();
    match backtrace.as_ref().and_then(|backtrace| backtrace.wait_until(latest)) {
        Some(text) => Found { spans, backtrace: Some(text), late_backtrace: None },
        None => Found { spans, backtrace: None, late_backtrace: backtrace },
    }
}

/// What `look` gives, once another thread has looked; none if there can be no
/// other thread.
fn elsewhere<T: Clone + Send + 'static>(look: impl FnOnce() -> T + Send + 'static) -> Option<Arc<Signal<T>>> {
    let found = Arc::new(Signal::new());
    let finder = Arc::clone(&found);
    // In a storm of panics they would pile up behind the lock of the names.
    static LOOKING: AtomicUsize = AtomicUsize::new(0);
    if LOOKING.fetch_add(1, Ordering::Relaxed) >= MOST_LOOKING {
        LOOKING.fetch_sub(1, Ordering::Relaxed);
        return None;
    }
    let look = move || {
        let looked = panic::catch_unwind(AssertUnwindSafe(look));
        LOOKING.fetch_sub(1, Ordering::Relaxed);
        if let Ok(looked) = looked {
            finder.set(looked);
        }
    };
    let thread = thread::start(LOOK_UP_THREAD.to_owned(), look);
    if thread.is_err() {
        LOOKING.fetch_sub(1, Ordering::Relaxed);
    }
    thread.ok().map(|_| found)
}

/// How many look-ups go on at once, at the most.
const MOST_LOOKING: usize = 8;

fn frames(span: &Span, gate: &Gate) -> Vec<SpanFrame> {
    let found = span.with_subscriber(|(id, dispatch)| {
        let registry = dispatch.downcast_ref::<Registry>()?;
        Some(layer::frames(registry.span(id)?.scope(), gate))
    });
    found.flatten().unwrap_or_default()
}

/// One of our own threads; see [`is_own_thread`](dispatcher::is_own_thread).
const LOOK_UP_THREAD: &str = "tracing-alert-panic";

/// How long the look-up of the spans may take.
const SPANS_TIMEOUT: Duration = Duration::from_millis(100);

/// What is left of [`COMMIT_TIMEOUT`] for the commit, at least.
const COMMIT_RESERVE: Duration = Duration::from_millis(100);

/// How long the hook takes, at the most, until the event is committed.
const COMMIT_TIMEOUT: Duration = Duration::from_millis(250);

const MOST_MESSAGE_BYTES: usize = 8 * 1024;

const MOST_BACKTRACE_BYTES: usize = 16 * 1024;
