//! Levels that are set while others set theirs, or ask for what is wanted.

use std::{
    sync::{
        Arc, Barrier, Mutex, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Instant,
};

use tracing::{
    Level, Metadata, Subscriber, event_enabled, level_filters::LevelFilter, subscriber::Interest, warn,
};
use tracing_alert::{AlertHandle, AlertLayer, MemorySink};
use tracing_subscriber::{Layer, layer::Context, prelude::*, reload};

use crate::support::PATIENCE;

pub(super) fn run(scenario: &str) {
    match scenario {
        "levels-race" => races(),
        "levels-foreign" => races_with_others(),
        "levels-inside" => set_inside(),
        "levels-elsewhere" => set_on_another_thread(),
        "levels-targets" => ask_by_target(),
        other => panic!("no scenario {other:?}"),
    }
}

fn layer<S>() -> (AlertLayer<S>, AlertHandle) {
    let builder = AlertLayer::builder().in_memory().panics(false).span_level(LevelFilter::OFF);
    let layer = builder.sink(MemorySink::new(), ["on-call"]).build().unwrap();
    let handle = layer.handle();
    (layer, handle)
}

/// Whether each of many callsites is wanted.
fn wanted() -> Vec<bool> {
    macro_rules! callsites {
        ($($number:literal)*) => {
            [$({
                let _: u8 = $number;
                (|| tracing::event_enabled!(Level::WARN)) as fn() -> bool
            }),*]
        };
    }
    let callsites =
        callsites!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31);
    callsites.iter().map(|is_wanted| is_wanted()).collect()
}

fn rounds() -> u32 {
    std::env::var("ROUNDS").map_or(2_000, |rounds| rounds.parse().unwrap())
}

/// Has one thread do each of `acts` at the same time, again and again, as long as
/// `holds` when they are done.
fn race(acts: [&(dyn Fn() + Sync); 2], holds: impl Fn() -> bool) {
    let (barrier, is_over) = (&Barrier::new(3), &AtomicBool::new(false));
    let failed = thread::scope(|scope| {
        for act in acts {
            scope.spawn(move || {
                loop {
                    barrier.wait();
                    if is_over.load(Ordering::Relaxed) {
                        return;
                    }
                    act();
                    barrier.wait();
                }
            });
        }
        let failed = (0..rounds()).find(|_| {
            barrier.wait();
            barrier.wait();
            !holds()
        });
        is_over.store(true, Ordering::Relaxed);
        barrier.wait();
        failed
    });
    assert_eq!(failed, None, "the round in which a callsite was left at the old level");
}

/// Whether every callsite follows the level.
fn agree(handle: &AlertHandle) -> bool {
    let is_wanted = handle.level() == LevelFilter::WARN;
    wanted().iter().all(|wanted| *wanted == is_wanted)
}

fn races() {
    let (layer, handle) = layer();
    tracing_subscriber::registry().with(layer).init();
    race([&|| handle.set_level(Level::WARN), &|| handle.set_level(Level::ERROR)], || agree(&handle));
}

/// Somebody else's question and our level: what they store of it may be old, but not
/// for long.
fn races_with_others() {
    let (layer, handle) = layer();
    tracing_subscriber::registry().with(layer).init();
    let next = AtomicBool::new(false);
    let set = || {
        let level = if next.fetch_xor(true, Ordering::Relaxed) { Level::WARN } else { Level::ERROR };
        handle.set_level(level);
    };
    race([&set, &tracing::callsite::rebuild_interest_cache], || {
        let deadline = Instant::now() + PATIENCE;
        while !agree(&handle) && Instant::now() < deadline {
            thread::yield_now();
        }
        agree(&handle)
    });
}

/// Sets the level whenever it is asked anything.
struct Setter {
    handle: OnceLock<AlertHandle>,
    level: Mutex<LevelFilter>,
}

impl Setter {
    fn set(&self) {
        let level = *self.level.lock().unwrap();
        self.handle.get().into_iter().for_each(|handle| handle.set_level(level));
    }
}

struct Meddler(Arc<Setter>);

impl<S: Subscriber> Layer<S> for Meddler {
    fn register_callsite(&self, _: &'static Metadata<'static>) -> Interest {
        self.0.set();
        Interest::always()
    }

    fn on_event(&self, _: &tracing::Event<'_>, _: Context<'_, S>) {
        self.0.set();
    }
}

/// Under the locks of `tracing`, of a `reload` layer, and in the midst of an event.
fn set_inside() {
    let setter = Arc::new(Setter { handle: OnceLock::new(), level: Mutex::new(LevelFilter::WARN) });
    let (first, handle) = layer();
    setter.handle.set(handle.clone()).unwrap();
    let (reloaded, reload) = reload::Layer::new(LevelFilter::TRACE);
    // Another subscriber, so that there is a list of them, under a lock.
    let _other = tracing::Dispatch::new(tracing_subscriber::registry().with(Meddler(Arc::clone(&setter))));
    let stack = tracing_subscriber::registry().with(reloaded).with(first).with(Meddler(Arc::clone(&setter)));
    tracing::subscriber::with_default(stack, || {
        warn!("in the midst of it");
        reload.modify(|_| handle.set_level(Level::ERROR)).unwrap();
        *setter.level.lock().unwrap() = LevelFilter::ERROR;
        warn!("again");
        handle.set_level(Level::WARN);
        tracing::callsite::rebuild_interest_cache();
    });
}

/// There is one subscriber, and the thread that sets the level has none.
fn set_on_another_thread() {
    let (layer, handle) = layer();
    let captured = handle.clone();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        let emit = || warn!("payment failed");
        emit();
        thread::scope(|scope| scope.spawn(|| handle.set_level(Level::WARN)).join().unwrap());
        emit();
    });
    assert_eq!(captured.stats().captured, 1);
}

/// Of each target what its own level says.
fn ask_by_target() {
    let builder = AlertLayer::builder().level_for("noisy", LevelFilter::OFF).level_for("quiet", Level::WARN);
    let layer = builder.in_memory().panics(false).sink(MemorySink::new(), ["on-call"]).build().unwrap();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        assert!(LevelFilter::current() >= LevelFilter::INFO, "spans are wanted, too");
        assert!(!event_enabled!(target: "noisy", Level::ERROR));
        assert!(
            event_enabled!(target: "quiet", Level::WARN) && !event_enabled!(target: "quiet", Level::INFO)
        );
        assert!(
            event_enabled!(target: "other", Level::ERROR) && !event_enabled!(target: "other", Level::WARN)
        );
    });
}
