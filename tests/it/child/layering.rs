//! What needs a global subscriber or a panic hook, and so a process of its own.

use std::{
    cell::{Cell, RefCell},
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    time::Instant,
};

use tracing::{
    Dispatch, Instrument, Level, Subscriber, debug, dispatcher, error, field, info_span,
    level_filters::LevelFilter, warn,
};
use tracing_alert::{
    AlertHandle, AlertLayer, Builder, Matcher, StoreState,
    notice::{DropReason, Losses, Value},
};
use tracing_subscriber::{Layer, Registry, prelude::*, registry::LookupSpan};

use crate::{
    capture::value,
    layering::Output,
    support::{PATIENCE, eventually},
    watch::{Watch, span_names},
};

pub(super) fn run(scenario: &str) {
    match scenario {
        "layering-max-level" => max_level(),
        "layering-disabled" => disabled(),
        "layering-log" => log_records(),
        "layering-from-env" => from_env_and_code(),
        "layering-nested" => nested(),
        "layering-thread-end" => thread_end(),
        "layering-feedback" => feedback(),
        "layering-panic-main" => panic_in_main(),
        "layering-panic-tasks" => panic_in_tasks(),
        "layering-panic-abort" => panic_that_aborts(),
        "layering-panic-capturing" => panic_while_capturing(),
        "layering-panic-locked" => panic_under_a_lock(),
        "layering-panic-thread-end" => panic_at_thread_end(),
        other => panic!("no scenario {other:?}"),
    }
}

/// A `fmt` layer that is filtered at INFO.
fn at_info<S>() -> impl Layer<S> + Send + Sync
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    Output::default().layer().with_filter(LevelFilter::INFO)
}

fn max_level() {
    let max_level = |stack: Dispatch| {
        dispatcher::with_default(&stack, || {
            tracing::callsite::rebuild_interest_cache();
            // Soon it is DEBUG, for the spans of requests.
            LevelFilter::current().min(LevelFilter::INFO)
        })
    };
    assert_eq!(max_level(tracing_subscriber::registry().with(at_info()).into()), LevelFilter::INFO);
    let (layer, _watch) = Watch::layer();
    assert_eq!(
        max_level(tracing_subscriber::registry().with(at_info()).with(layer).into()),
        LevelFilter::INFO
    );
    let (layer, _watch) = Watch::layer();
    assert_eq!(
        max_level(tracing_subscriber::registry().with(layer).with(at_info()).into()),
        LevelFilter::INFO
    );
    let (layer, _watch) = Watch::layer::<Registry>();
    let wrapped = vec![Some(layer).boxed()];
    assert_eq!(
        max_level(tracing_subscriber::registry().with(wrapped).with(at_info()).into()),
        LevelFilter::INFO
    );
    let (layer, _watch) = Watch::build(AlertLayer::builder().span_level(LevelFilter::OFF));
    assert_eq!(max_level(tracing_subscriber::registry().with(layer).into()), LevelFilter::ERROR);
    let (layer, watch) = Watch::layer();
    watch.handle.set_level(LevelFilter::OFF);
    assert_eq!(max_level(tracing_subscriber::registry().with(layer).into()), LevelFilter::OFF);

    let (layer, _watch) = Watch::layer();
    let narrow = tracing_subscriber::fmt().with_max_level(LevelFilter::INFO).finish();
    assert_eq!(max_level(narrow.with(layer).into()), LevelFilter::INFO);
}

fn disabled() {
    let (layer, watch) = Watch::layer();
    tracing_subscriber::registry().with(at_info()).with(layer).init();
    let evaluated = RefCell::new(0);
    let count = || *evaluated.borrow_mut() += 1;
    tracing::trace!(value = ?count(), "disabled");
    debug!(value = ?count(), "disabled");
    tracing::debug_span!("disabled", value = ?count()).in_scope(|| ());
    assert_eq!(*evaluated.borrow(), 0);
    assert!(!tracing::enabled!(Level::TRACE) && !tracing::enabled!(Level::DEBUG));
    assert!(tracing::enabled!(Level::INFO) && tracing::enabled!(Level::ERROR));

    // Seen and unseen again by another layer, it stays as cheap.
    watch.handle.set_level(Level::TRACE);
    assert!(tracing::enabled!(Level::TRACE));
    watch.handle.set_level(Level::ERROR);
    assert!(!tracing::enabled!(Level::TRACE));
    assert!(LevelFilter::current() < LevelFilter::TRACE);
}

fn from_env_and_code() {
    let alerts: AlertLayer =
        Builder::from_env().version("1.2.3").ignore(Matcher::new().message("silenced")).build_anyway();
    let handle = alerts.handle();
    tracing_subscriber::registry().with(alerts).init();
    error!(target: "noisy", "noise");
    warn!("a whisper");
    error!("silenced");
    assert!(handle.flush(PATIENCE).is_complete());
}

fn log_records() {
    let (layer, watch) = Watch::layer();
    tracing_subscriber::registry().with(at_info()).with(layer).init();
    info_span!("request", id = 7).in_scope(|| {
        log::error!(target: "other::library", "from a library");
    });
    let line = line!() - 2;
    log::warn!("not wanted");
    log::error!("plain");
    log::logger().log(
        &log::Record::builder().level(log::Level::Error).args(format_args!("bare")).target("bare").build(),
    );
    let long = "long ".repeat(1_000_000);
    log::error!(target: &long, "{long}");

    let events = watch.events();
    assert_eq!(events.len(), 4, "{events:#?}");
    assert_eq!(events[0].message, "from a library");
    assert_eq!(events[0].target, "other::library");
    assert_eq!(events[0].location(), Some(format!("{}:{line}", file!())));
    assert_eq!(events[0].module_path.as_deref(), Some(module_path!()));
    assert_eq!(events[0].fields, []);
    assert_eq!(span_names(&events[0]), ["request"]);
    assert_eq!((events[1].message.as_str(), events[1].target.as_ref()), ("plain", module_path!()));
    assert_eq!((events[2].target.as_ref(), events[2].location()), ("bare", None));
    assert!(events[3].target.len() + events[3].message.len() < 20_000);
}

/// Logs an error each time it is shown, with itself in it.
struct Logs(Cell<u32>);

impl fmt::Debug for Logs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.set(self.0.get() + 1);
        error!(this = ?self, "logged while being shown");
        warn!("not wanted, so not lost");
        f.write_str("shown")
    }
}

fn nested() {
    let (layer, watch) = Watch::layer::<Registry>();
    tracing_subscriber::registry().with(layer).init();
    let logs = Logs(Cell::new(0));
    error!(value = ?logs, "first");
    error!("second");
    assert_eq!(logs.0.get(), 1);
    assert_eq!(watch.messages(), ["first", "second"]);
    assert_eq!(value(&watch.events()[0].fields, "value"), &Value::Str("shown".to_owned()));
    assert_eq!(watch.handle.stats().dropped, Losses::from([(DropReason::Nested, 1)]));
    let told = watch.told();
    assert_eq!(told.iter().flat_map(|message| message.notice.losses.values()).sum::<u64>(), 1);
    assert!(told.iter().any(|message| message.text.contains("emitted while capturing another event")));

    let logs = Logs(Cell::new(0));
    let span = info_span!("job", value = ?logs);
    span.record("value", field::debug(&logs));
    span.in_scope(|| error!("in a span"));
    assert_eq!(logs.0.get(), 2);
    assert_eq!(watch.messages(), ["first", "second", "in a span"]);
    assert_eq!(watch.handle.stats().dropped, Losses::from([(DropReason::Nested, 3)]));
}

/// Logs when the thread's local storage is torn down. In no span of its own:
/// the registry itself panics if one is made then.
struct AtEnd(&'static str);

impl Drop for AtEnd {
    fn drop(&mut self) {
        error!("a destructor failed: {}", self.0);
    }
}

fn thread_end() {
    let (layer, watch) = Watch::layer();
    tracing_subscriber::registry().with(layer).init();
    let first = || {
        thread_local!(static FIRST: AtEnd = const { AtEnd("set up first") });
        FIRST.with(|_| ());
    };
    let last = || {
        thread_local!(static LAST: AtEnd = const { AtEnd("set up last") });
        LAST.with(|_| ());
    };
    let work = || error!("from the thread");
    // Whichever destructor comes first, theirs or those of our thread-locals.
    let steps: [fn(); 3] = [first, work, last];
    std::thread::spawn(move || steps.iter().for_each(|step| step())).join().unwrap();
    assert_eq!(watch.messages().len(), 3, "{:#?}", watch.events());
    let alone = || {
        thread_local!(static ALONE: AtEnd = const { AtEnd("set up alone") });
        ALONE.with(|_| ());
    };
    std::thread::spawn(alone).join().unwrap();
    assert_eq!(watch.messages().len(), 4, "{:#?}", watch.events());
    assert!(watch.handle.stats().dropped.is_empty(), "{:?}", watch.handle.stats());
}

/// The level is TRACE, and the first attempt fails: whatever the clients log
/// while they work, nothing of it alerts.
fn feedback() {
    tracing_subscriber::registry().with(AlertLayer::from_env()).init();
    let handle = AlertHandle::current().unwrap();
    assert_eq!(handle.level(), LevelFilter::TRACE);
    error!("the only one");
    assert!(handle.flush(PATIENCE).is_complete());
    assert_eq!(handle.stats().captured, 1);
    assert!(handle.stats().dropped.is_empty());
}

fn install() -> AlertHandle {
    tracing_subscriber::registry().with(AlertLayer::from_env()).init();
    AlertHandle::current().unwrap()
}

fn panic_in_main() {
    std::panic::set_hook(Box::new(|info| {
        let note = info.payload_as_str().unwrap();
        std::io::Write::write_all(&mut std::io::stderr(), format!("the hook before: {note}\n").as_bytes())
            .unwrap();
    }));
    let _handle = install();
    let _outer = info_span!("outer", id = 7).entered();
    let _detail = tracing::debug_span!("detail").entered();
    let _inner = info_span!("inner").entered();
    panic!("boom in {}", "main");
}

fn panic_in_tasks() {
    let handle = install();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    runtime.block_on(async {
        let task = async { panic!("boom in a task") };
        assert!(tokio::spawn(task.instrument(info_span!("task", id = 7))).await.is_err());
        assert!(handle.flush(PATIENCE).is_complete());
        let span = info_span!("blocking");
        let blocking = move || span.in_scope(|| panic!("boom in blocking code"));
        assert!(tokio::task::spawn_blocking(blocking).await.is_err());
        assert!(handle.flush(PATIENCE).is_complete());
    });
    assert_eq!(handle.stats().captured, 2);
}

fn panic_that_aborts() {
    std::panic::set_hook(Box::new(|_| std::process::abort()));
    let handle = install();
    eventually("the database is open", || handle.stats().store == StoreState::Durable);
    panic!("boom and gone");
}

/// Panics when it is shown.
struct Panics;

impl fmt::Debug for Panics {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("boom while shown")
    }
}

fn panic_while_capturing() {
    let handle = install();
    let span = info_span!("job", bad = ?Panics);
    span.record("bad", field::debug(Panics));
    span.in_scope(|| error!(bad = ?Panics, "with a bad value"));
    assert!(handle.flush(PATIENCE).is_complete());
    assert_eq!(handle.stats().captured, 1);
    assert!(handle.stats().dropped.is_empty());
}

/// A `fmt` layer shows a span's field under the lock of the span's extensions,
/// the field panics, and our hook wants the span.
fn panic_under_a_lock() {
    let (layer, watch) = {
        let sink = tracing_alert::MemorySink::new();
        let builder = AlertLayer::builder().in_memory().panics(true).sink(sink.clone(), ["on-call"]);
        (builder.build::<Registry>().unwrap(), sink)
    };
    let handle = layer.handle();
    tracing_subscriber::registry().with(layer).with(Output::default().layer()).init();
    let span = info_span!("job", id = 7, bad = field::Empty);
    let started = Instant::now();
    let shown = catch_unwind(AssertUnwindSafe(|| {
        span.in_scope(|| {
            span.record("bad", field::debug(Panics));
        });
    }));
    assert!(shown.is_err() && started.elapsed() < PATIENCE / 4, "{:?}", started.elapsed());
    assert_eq!(handle.stats().captured, 1);

    // The panic may have poisoned the span's extensions: the other layer
    // panics from now on, but we go on as well as we can.
    drop(catch_unwind(AssertUnwindSafe(|| span.record("id", 8))));
    drop(catch_unwind(AssertUnwindSafe(|| span.in_scope(|| error!("in a poisoned span")))));
    error!("outside of it");
    assert!(handle.flush(PATIENCE).is_complete());
    assert!(handle.stats().dropped.is_empty(), "{:?}", handle.stats());
    let told = watch.messages();
    let events: Vec<_> =
        told.iter().flat_map(|message| &message.notice.samples).map(|sample| &sample.event).collect();
    assert_eq!(events[0].message, "boom while shown");
    assert!(events[0].panic);
    let poisoned = events.iter().find(|event| event.message == "in a poisoned span").unwrap();
    assert_eq!(span_names(poisoned), ["job"]);
    assert!(events.iter().any(|event| event.message == "outside of it"));
}

/// Panics, and catches it, when the thread's local storage is torn down.
struct PanicsAtEnd;

impl Drop for PanicsAtEnd {
    fn drop(&mut self) {
        drop(catch_unwind(|| panic!("boom at the thread's end")));
    }
}

fn panic_at_thread_end() {
    let handle = install();
    thread_local!(static FIRST: PanicsAtEnd = const { PanicsAtEnd });
    thread_local!(static LAST: PanicsAtEnd = const { PanicsAtEnd });
    let thread = std::thread::spawn(|| {
        FIRST.with(|_| ());
        info_span!("job").in_scope(|| error!("from the thread"));
        LAST.with(|_| ());
    });
    thread.join().unwrap();
    assert!(handle.flush(PATIENCE).is_complete());
    assert_eq!(handle.stats().captured, 3);
}
