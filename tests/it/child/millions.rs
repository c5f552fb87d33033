//! A million errors: what they cost the process, in time, memory and disk.

use std::{fmt::Write as _, path::Path, sync::OnceLock, time::Instant};

use tracing::{
    Event, Level, Metadata, callsite, dispatcher, error,
    field::{FieldSet, Value},
    metadata::Kind,
    subscriber::Interest,
};
use tracing_alert::AlertHandle;

use super::{init, say};
use crate::support::{Chance, PATIENCE, word};

/// How many errors there are, on [`THREADS`] threads together.
pub(crate) const ERRORS: u64 = 1_000_000;
const THREADS: u64 = 4;
const CALLSITES: u32 = 1_000;

pub(super) fn run(scenario: &str) {
    init();
    let handle = AlertHandle::current().unwrap();
    // The file, the connections and the certificates are there before it counts.
    error!("the first");
    assert!(handle.flush(PATIENCE).is_complete());
    let before = memory("VmRSS");
    forget_the_peak();
    let started = Instant::now();
    match scenario {
        "millions-of-one-kind" => on_threads(|_, _| error!("payment failed")),
        "millions-of-random-messages" => on_threads(|number, chance| error!("{}", random(number, chance))),
        "millions-of-callsites" => {
            let callsites: Vec<_> = (0..CALLSITES).map(Made::new).collect();
            on_threads(|number, chance| {
                callsites[chance.index(callsites.len())].emit(&random(number, chance));
            });
        }
        other => panic!("no scenario {other:?}"),
    }
    let took = started.elapsed();
    let report = handle.flush(4 * PATIENCE);
    let stats = handle.stats();
    assert!(report.in_time, "{report:?} {stats:?}");
    assert_eq!(stats.captured, ERRORS + 1, "{stats:?}");
    assert_eq!((stats.persisted, stats.dropped.len()), (stats.captured, 0), "{stats:?}");
    let grown = memory("VmHWM").saturating_sub(before);
    let file = std::env::var("ALERT_DATABASE").unwrap();
    let size = |suffix: &str| std::fs::metadata(Path::new(&(file.clone() + suffix))).map_or(0, |it| it.len());
    let on_disk = (size("") + size("-wal")) / 1024;
    say(&format!("FIGURES {} {grown} {on_disk}", took.as_nanos() / u128::from(ERRORS)));
}

fn on_threads(emit: impl Fn(u64, &mut Chance) + Sync) {
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let emit = &emit;
            scope.spawn(move || {
                let mut chance = Chance(thread);
                (0..ERRORS / THREADS).for_each(|number| emit(number, &mut chance));
            });
        }
    });
}

/// What masking cannot see through: words, and none of them twice.
fn random(number: u64, chance: &mut Chance) -> String {
    let mut text = String::from("no");
    for _ in 0..3 {
        write!(text, " {}", word(chance.index(8_000))).unwrap();
    }
    write!(text, " for {}", word(usize::try_from(number % 8_000).unwrap())).unwrap();
    text
}

/// A callsite that is made while the program runs.
struct Made {
    metadata: OnceLock<Metadata<'static>>,
}

impl Made {
    fn new(line: u32) -> &'static Self {
        let made: &'static Self = Box::leak(Box::new(Self { metadata: OnceLock::new() }));
        let fields = FieldSet::new(&["message"], callsite::Identifier(made));
        let file = Some("src/made.rs");
        let metadata =
            Metadata::new("event", "made", Level::ERROR, file, Some(line), Some("made"), fields, Kind::EVENT);
        made.metadata.set(metadata).unwrap();
        callsite::register(made);
        made
    }

    fn emit(&'static self, message: &str) {
        let metadata = self.metadata.get().unwrap();
        let field = metadata.fields().field("message").unwrap();
        let values = [(&field, Some(&message as &dyn Value))];
        dispatcher::get_default(|dispatch| {
            if dispatch.enabled(metadata) {
                dispatch.event(&Event::new(metadata, &metadata.fields().value_set(&values)));
            }
        });
    }
}

impl callsite::Callsite for Made {
    fn set_interest(&self, _: Interest) {}

    fn metadata(&self) -> &Metadata<'_> {
        self.metadata.get().unwrap()
    }
}

/// What the system says of the process's memory, in KiB.
fn memory(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// From now on, the peak is that of what follows.
fn forget_the_peak() {
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
}
