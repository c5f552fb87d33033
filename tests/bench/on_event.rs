//! What the layer costs the thread that logs:
//!
//! ```text
//! cargo bench --bench on_event
//! ```
//!
//! Each row is measured in processes of its own, as a subscriber is set once per
//! process. A time is the least of the medians of several rounds, allocations
//! are those of the callers' threads, and a ratio is to the first row of its kind.
//! Run in any other way, as `cargo test --benches` does, it only shows that it
//! works.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a program that shows a table, or fails")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    hint::black_box,
    io::{self, Write},
    process::Command,
    sync::{
        Arc, Barrier,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use sentry_core::{Client, ClientOptions, Envelope, Hub, Transport};
use tempfile::TempDir;
use tracing::{
    Level, debug, error, info, info_span, level_filters::LevelFilter, subscriber::set_global_default, trace,
};
use tracing_alert::{AlertLayer, Builder, Message, Receipt, SendError, Sink};
use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::{Layer, Registry, fmt, prelude::*};

/// What is measured, and under which layers.
type Row = (Kind, &'static str, fn() -> Setup);

const ROWS: [Row; 33] = [
    (Kind::Disabled, "fmt at INFO", || Setup::new(text())),
    (Kind::Disabled, "fmt at INFO, AlertLayer", || Setup::alerting(in_memory(), Some(text()))),
    (Kind::Debug, "fmt at INFO", || Setup::new(text())),
    (Kind::Debug, "fmt at INFO, AlertLayer", || Setup::alerting(in_memory(), Some(text()))),
    (Kind::Error, "AlertLayer in memory", || Setup::alerting(in_full(in_memory()), None)),
    (Kind::Error, "AlertLayer in memory, breadcrumbs", || Setup::alerting(in_full(with_breadcrumbs()), None)),
    (Kind::Error, "AlertLayer with SQLite", in_a_file),
    (Kind::Error, "a layer that does nothing", || Setup::new(Nothing.boxed())),
    (Kind::Error, "tracing-appender, JSON to nowhere", || Setup::appending(io::sink())),
    (Kind::Error, "tracing-appender, JSON to a file", || Setup::appending(tempfile::tempfile().unwrap())),
    (Kind::Kept, "AlertLayer in memory, redaction off", || {
        Setup::alerting(in_full(in_memory().redaction(false)), None)
    }),
    (Kind::Kept, "AlertLayer in memory", || Setup::alerting(in_full(in_memory()), None)),
    (Kind::Info, "AlertLayer", || Setup::alerting(in_memory(), None).never_behind()),
    (Kind::Info, "AlertLayer, breadcrumbs", || Setup::alerting(with_breadcrumbs(), None).never_behind()),
    (Kind::Info, "a layer that does nothing", || Setup::new(Nothing.boxed())),
    (Kind::Info, "tracing-appender, JSON to nowhere", || Setup::appending(io::sink())),
    (Kind::Storm(1), "AlertLayer", || Setup::alerting(in_memory(), None)),
    (Kind::Storm(1), "AlertLayer, breadcrumbs", || Setup::alerting(with_breadcrumbs(), None)),
    (Kind::Storm(1), "a layer that does nothing", || Setup::new(Nothing.boxed())),
    (Kind::Storm(1), "tracing-appender, JSON to nowhere", || Setup::appending(io::sink())),
    (Kind::Storm(1), "sentry-tracing, to nowhere", reporting),
    (Kind::Storm(4), "AlertLayer", || Setup::alerting(in_memory(), None)),
    (Kind::Storm(4), "a layer that does nothing", || Setup::new(Nothing.boxed())),
    (Kind::Storm(4), "tracing-appender, JSON to nowhere", || Setup::appending(io::sink())),
    (Kind::Storm(4), "sentry-tracing, to nowhere", reporting),
    (Kind::Span(1), "fmt at INFO", || Setup::new(text())),
    (Kind::Span(1), "fmt at INFO, AlertLayer", || Setup::alerting(in_memory(), Some(text()))),
    (Kind::Span(1), "AlertLayer", || Setup::alerting(in_memory(), None)),
    (Kind::Span(1), "AlertLayer, breadcrumbs", || Setup::alerting(with_breadcrumbs(), None)),
    (Kind::Span(1), "a layer that does nothing", || Setup::new(Nothing.boxed())),
    (Kind::Span(4), "fmt at INFO", || Setup::new(text())),
    (Kind::Span(4), "fmt at INFO, AlertLayer", || Setup::alerting(in_memory(), Some(text()))),
    (Kind::Span(4), "AlertLayer", || Setup::alerting(in_memory(), None)),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// `trace!` that no layer wants.
    Disabled,
    /// `debug!` that no layer wants, once the layer has asked for the spans of requests.
    Debug,
    /// `error!` with three fields, in two spans with five, in bursts; between
    /// bursts it is waited until the layer's own thread has caught up.
    Error,
    /// As [`Kind::Error`]; until the layer's own thread has taken it up, too. The
    /// second row less the first is what redaction costs there.
    Kept,
    /// As [`Kind::Error`], by `info!`: with breadcrumbs, it is one.
    Info,
    /// The same `error!` on so many threads, without end: past the rate at which
    /// `AlertLayer` captures and `tracing-appender` writes.
    Storm(usize),
    /// `info_span!` with two fields on so many threads: made, entered, left and
    /// closed.
    Span(usize),
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.iter().position(|argument| argument == ROW) {
        Some(at) => {
            let (kind, _, setup) = ROWS[arguments[at + 1].parse::<usize>().unwrap()];
            println!("{}", measure(kind, setup(), arguments[at + 2].parse().unwrap()));
        }
        None if arguments.iter().any(|argument| argument == "--bench") => table(3, 15),
        None => table(1, 1),
    }
}

fn table(processes: usize, rounds: usize) {
    println!("| what | layers | ns | ratio | allocations | max level |\n|---|---|---|---|---|---|");
    let mut first: Option<(Kind, f64)> = None;
    for (row, (kind, layers, _)) in ROWS.iter().enumerate() {
        let results = (0..processes).map(|_| in_a_process(row, rounds));
        let (ns, rest) = results.min_by(|a, b| a.0.total_cmp(&b.0)).unwrap();
        let base = first.filter(|(known, _)| known == kind).map_or(ns, |(_, base)| base);
        first = Some((*kind, base));
        println!("| {kind:?} | {layers} | {ns:.2} | {:.2} | {rest} |", ns / base);
    }
}

/// The nanoseconds, and the last columns as they are.
fn in_a_process(row: usize, rounds: usize) -> (f64, String) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    let output = command.args([ROW, &row.to_string(), &rounds.to_string()]).output().unwrap();
    let text = std::str::from_utf8(&output.stdout).unwrap();
    let (ns, rest) = text.trim().split_once(' ').unwrap_or_else(|| panic!("{output:?}"));
    (ns.parse().unwrap(), rest.to_owned())
}

fn measure(kind: Kind, setup: Setup, rounds: usize) -> String {
    set_global_default(tracing_subscriber::registry().with(setup.layers)).unwrap();
    if kind == Kind::Debug {
        std::thread::sleep(Duration::from_millis(200));
    }
    let mut so_far = 0;
    let mut round = || {
        let runs = (0..RUNS).map(|_| match kind {
            Kind::Disabled => time(1_000_000, |value| trace!(value, "hot")),
            Kind::Debug => time(1_000_000, |value| debug!(value, "hot")),
            Kind::Span(threads) => on_threads(threads, SPANS, serve),
            Kind::Error | Kind::Info | Kind::Kept => {
                let start = Instant::now();
                let request = info_span!("request", method = "POST", path = "/orders", id = 4711);
                let _request = request.entered();
                let _order = info_span!("order", customer = "ACME", priority = 3).entered();
                let run = time(BURST, if kind == Kind::Info { pay } else { fail });
                so_far += BURST;
                while (setup.caught_up)() < so_far {
                    std::thread::yield_now();
                }
                match kind {
                    Kind::Kept => (start.elapsed().as_secs_f64() * 1e9 / BURST as f64, run.1),
                    _ => run,
                }
            }
            Kind::Storm(threads) => on_threads(threads, STORM, fail),
        });
        let mut runs: Vec<_> = runs.collect();
        runs.sort_by(|a, b| a.0.total_cmp(&b.0));
        runs[runs.len() / 2]
    };
    let (ns, allocations) = (0..rounds).map(|_| round()).min_by(|a, b| a.0.total_cmp(&b.0)).unwrap();
    format!("{ns} {allocations:.1} | {}", LevelFilter::current())
}

fn fail(order: u64) {
    error!(order, amount = 12.5, currency = "EUR", "payment failed");
}

fn pay(order: u64) {
    info!(order, amount = 12.5, currency = "EUR", "paid");
}

fn serve(id: u64) {
    drop(info_span!("request", id, path = "/orders").entered());
}

/// As [`time`], of calls on several threads at once: what each takes of a
/// processor, of which there may be fewer.
fn on_threads(threads: usize, calls: u64, call: fn(u64)) -> (f64, f64) {
    if threads == 1 {
        return time(calls, call);
    }
    let start = Barrier::new(threads);
    let one = || {
        start.wait();
        let before = processor_ns();
        let (_, allocations) = time(calls, call);
        ((processor_ns() - before) / calls as f64, allocations)
    };
    let runs: Vec<_> = std::thread::scope(|scope| {
        let runs: Vec<_> = (0..threads).map(|_| scope.spawn(one)).collect();
        runs.into_iter().map(|run| run.join().unwrap()).collect()
    });
    let mean = |of: fn(&(f64, f64)) -> f64| runs.iter().map(of).sum::<f64>() / threads as f64;
    (mean(|run| run.0), mean(|run| run.1))
}

/// How long this thread has been running.
#[expect(unsafe_code, reason = "the standard library has no clock that stops with its thread")]
fn processor_ns() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: it writes to the one struct that it is given.
    assert_eq!(unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) }, 0);
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}

/// Nanoseconds and allocations of one call.
fn time(calls: u64, call: impl Fn(u64)) -> (f64, f64) {
    let allocations = ALLOCATIONS.get();
    let start = Instant::now();
    for number in 0..calls {
        call(black_box(number));
    }
    let ns = start.elapsed().as_nanos() as f64 / calls as f64;
    (ns, (ALLOCATIONS.get() - allocations) as f64 / calls as f64)
}

type Boxed = Box<dyn Layer<Registry> + Send + Sync>;

/// The layers, and what has to live as long as they do.
struct Setup {
    layers: Vec<Boxed>,
    /// How many events the layer's own thread is done with.
    caught_up: Box<dyn Fn() -> u64>,
    _alive: (Option<WorkerGuard>, Option<TempDir>),
}

impl Setup {
    fn new(layer: Boxed) -> Self {
        Self { layers: vec![layer], caught_up: Box::new(|| u64::MAX), _alive: (None, None) }
    }

    fn alerting(builder: Builder, also: Option<Boxed>) -> Self {
        let layer = builder.app_name("MyApp").sink(Nothing, ["nobody"]).build().unwrap();
        let handle = layer.handle();
        let layers = also.into_iter().chain([layer.boxed()]).collect();
        let caught_up = Box::new(move || {
            let stats = handle.stats();
            stats.persisted + stats.dropped.values().sum::<u64>()
        });
        Self { layers, caught_up, _alive: (None, None) }
    }

    /// For what does not alert.
    fn never_behind(self) -> Self {
        Self { caught_up: Box::new(|| u64::MAX), ..self }
    }

    fn appending(writer: impl Write + Send + 'static) -> Self {
        let lines = Arc::new(AtomicU64::new(0));
        let writer = Counted { lines: Arc::clone(&lines), writer };
        let (appender, guard) = NonBlockingBuilder::default().finish(writer);
        let layer = fmt::layer().json().with_writer(appender).boxed();
        let caught_up = Box::new(move || lines.load(Ordering::Relaxed));
        Self { caught_up, _alive: (Some(guard), None), ..Self::new(layer) }
    }
}

fn in_memory() -> Builder {
    AlertLayer::builder().in_memory()
}

fn with_breadcrumbs() -> Builder {
    in_memory().breadcrumbs(Level::INFO)
}

/// A burst is more than is captured in full otherwise.
fn in_full(builder: Builder) -> Builder {
    builder.storm_rate(u32::MAX)
}

fn in_a_file() -> Setup {
    let directory = tempfile::tempdir().unwrap();
    let builder = in_full(AlertLayer::builder()).database(directory.path().join("alerts.db"));
    let setup = Setup::alerting(builder, None);
    Setup { _alive: (None, Some(directory)), ..setup }
}

fn reporting() -> Setup {
    let options = ClientOptions::new().dsn("https://key@localhost/1").transport(Arc::new(Nothing));
    Hub::main().bind_client(Some(Arc::new(Client::with_options(options))));
    Setup::new(sentry_tracing::ErrorLayer::default().boxed())
}

fn text() -> Boxed {
    fmt::layer().with_writer(io::sink).with_filter(LevelFilter::INFO).boxed()
}

/// A layer, a sink and a transport.
struct Nothing;

impl Layer<Registry> for Nothing {}

impl Sink for Nothing {
    fn name(&self) -> &'static str {
        "nothing"
    }

    async fn send(&self, _: &Message) -> Result<Receipt, SendError> {
        Ok(Receipt::default())
    }
}

impl Transport for Nothing {
    fn send_envelope(&self, _: Envelope) {}
}

/// Counts what was written: the appender writes one event at a time.
struct Counted<W> {
    lines: Arc<AtomicU64>,
    writer: W,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writer.write_all(bytes)?;
        self.lines.fetch_add(1, Ordering::Relaxed);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

/// The system's allocator, counting.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[expect(unsafe_code, reason = "the trait is unsafe; every call is handed on as it is")]
// SAFETY: the system's allocator does all the work.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: handed on with the caller's guarantees.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// The argument that has one row measured.
const ROW: &str = "--row";

/// Events of a burst.
const BURST: u64 = 256;

/// Events of a thread in a storm.
const STORM: u64 = 4_000;

/// Spans of a thread.
const SPANS: u64 = 1_000;

/// A round's runs, of which the median counts.
const RUNS: usize = 31;
