//! What every store does: the same claims, made of each of them.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::atomic::{AtomicU64, Ordering},
};

use super::*;
#[cfg(feature = "sqlite")]
use crate::queue::stats::EventCounts;
use crate::{
    event::{
        Event, from_millis,
        loss::{DropReason, Losses},
        tests::event,
    },
    host::permit::Permit,
    policy::{budget::Budget, fingerprint::Fingerprint, notice::Kind, send_error::SendError},
};

const SETTLE: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

fn t(seconds: u64) -> SystemTime {
    from_millis(1_700_000_000_000) + Duration::from_secs(seconds)
}

/// A store with what the tests say often.
struct Bench {
    store: Store,
    run: Uuid,
    process: Process,
    targets: Vec<Target>,
    calendar: Calendar,
    new_id: Box<dyn Fn() -> String>,
    /// Where its file is.
    directory: Option<tempfile::TempDir>,
}

fn target(sink: &'static str, recipient: &str, level: Level) -> Target {
    Target { sink, recipient: recipient.to_owned(), level, rhythm: rhythm(sink) }
}

/// Another one for every message, whatever varies in it.
fn fingerprint(message: &str, level: Level) -> Fingerprint {
    let mut hasher = DefaultHasher::new();
    (message, level.as_str()).hash(&mut hasher);
    u128::from(hasher.finish()).to_le_bytes()
}

fn captured(message: &str, level: Level) -> Captured {
    let event = Event { level, ..event(message) };
    Captured {
        fingerprint: fingerprint(message, level),
        last_at: event.at,
        count: 1,
        event,
        latest: None,
        is_stand_in: false,
        said: None,
        about: None,
        not_before: None,
        permit: Permit::default(),
    }
}

/// The number of a batch that there never was.
fn next_batch() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    LAST.fetch_add(1, Ordering::Relaxed) + 1
}

/// An error that happened at `at`.
fn captured_at(message: &str, at: SystemTime) -> Captured {
    let captured = captured(message, Level::ERROR);
    Captured { last_at: at, event: Event { at, ..captured.event }, ..captured }
}

impl Bench {
    fn new(store: Store, directory: Option<tempfile::TempDir>) -> Self {
        let targets = vec![target("sms", "+1", Level::ERROR), target("mail", "a@b", Level::WARN)];
        let process = Process { app: "MyApp".to_owned(), pid: 7, ..Process::default() };
        // The first one, always.
        let new_id = Box::new(|| "7K3Q".to_owned());
        let calendar = Calendar::default();
        Self { store, run: Uuid::from_u128(1), process, targets, calendar, new_id, directory }
    }

    /// A file is closed and opened again; memory stays what it is.
    async fn reopen(&mut self) {
        #[cfg(feature = "sqlite")]
        if let Some(directory) = &self.directory {
            std::mem::replace(&mut self.store, Store::Memory(Memory::default())).shut().await;
            self.store = open(directory).await;
        }
    }

    /// Everything that the store has.
    async fn page(&mut self) -> Page {
        match &mut self.store {
            Store::Memory(memory) => memory.page.clone(),
            #[cfg(feature = "sqlite")]
            Store::Sqlite(file) => file.export().await,
            #[cfg(feature = "postgres")]
            Store::Fleet(store) => store.export().await,
        }
    }

    async fn persist(&mut self, batch: &[Captured], now: SystemTime) {
        self.persist_with(batch, &Losses::new(), now).await;
    }

    async fn persist_with(&mut self, batch: &[Captured], losses: &Losses, now: SystemTime) {
        let maker = Maker {
            new_id: &*self.new_id,
            run: self.run,
            process: &self.process,
            calendar: &self.calendar,
            is_of_fleet: false,
        };
        self.store.persist(next_batch(), batch, losses, &maker, &self.targets, now).await.unwrap();
    }

    async fn tell(&mut self, sink: &'static str, now: SystemTime) -> Told {
        self.tell_with(&channel(sink), false, now).await
    }

    async fn tell_with(&mut self, channel: &Channel, hurried: bool, now: SystemTime) -> Told {
        let maker = Maker {
            new_id: &*self.new_id,
            run: self.run,
            process: &self.process,
            calendar: &self.calendar,
            is_of_fleet: false,
        };
        self.store.tell(channel, &maker, hurried, now).await.unwrap()
    }

    /// Tells the inbox of what is dead in `sink`: of how many.
    async fn tell_of_dead(
        &mut self,
        sink: &'static str,
        not_since: SystemTime,
        now: SystemTime,
    ) -> Option<u64> {
        let count = std::cell::Cell::new(0);
        let tell = |ill: &Ill| {
            let Ill::Dead(dead) = ill else { panic!("{ill:?}") };
            count.set(dead.count);
            let message = format!("{} for {} in #{}", dead.reason, dead.recipient, dead.public_id);
            Captured { about: Some(About::Dead), ..captured(&message, Level::ERROR) }
        };
        let maker = Maker {
            new_id: &*self.new_id,
            run: self.run,
            process: &self.process,
            calendar: &self.calendar,
            is_of_fleet: false,
        };
        let told =
            self.store.tell_of_sink(sink, true, not_since, tell, &maker, &self.targets[1..], now).await;
        told.unwrap().then(|| count.get())
    }

    /// The program starts, and so many of the starts before it failed: the first
    /// ones. True if that is told.
    #[cfg(feature = "sqlite")]
    async fn start(&mut self, failed: usize, now: SystemTime) -> bool {
        let left = std::cell::Cell::new(failed);
        let have_failed = |_: &Start| left.replace(left.get().saturating_sub(1)) > 0;
        let tell = |it: CrashLoop| Captured {
            count: it.starts,
            about: Some(About::CrashLoop),
            event: Event {
                at: it.since,
                target: "".into(),
                ..event(&it.last_error.map_or_else(|| "no word".to_owned(), |event| event.message))
            },
            ..captured_at("crash loop", now)
        };
        let maker = Maker {
            new_id: &*self.new_id,
            run: self.run,
            process: &self.process,
            calendar: &self.calendar,
            is_of_fleet: false,
        };
        let began = Began { at: now, run: self.run };
        self.store.note_start(began, have_failed, tell, &maker, &self.targets, now).await.unwrap()
    }

    /// Tells what there is to tell, and claims one delivery.
    async fn claim(&mut self, sink: &'static str, now: SystemTime) -> Option<Claim> {
        self.tell(sink, now).await;
        let claims = self.store.claim(sink, 1, now + 70 * SETTLE, now).await.unwrap();
        claims.into_iter().next()
    }

    /// What a claim at `now` has to tell, by message and count.
    async fn told(&mut self, sink: &'static str, now: SystemTime) -> Vec<(String, u64)> {
        let claim = self.claim(sink, now).await.unwrap();
        let notice = self.store.notice(&claim).await.unwrap();
        notice.samples.into_iter().map(|sample| (sample.event.message, sample.count)).collect()
    }
}

fn expired(now: SystemTime) -> Prune {
    Prune::Expired { delivered_by: now - KEPT_DELIVERED, dead_by: now - KEPT_DEAD }
}

/// So long ago that everybody who can be was told of what is dead.
fn excess(cap_bytes: u64) -> Prune {
    Prune::Excess { cap_bytes, untold_since: t(1_000_000_000) }
}

/// Without windows and budgets.
fn channel(sink: &'static str) -> Channel {
    Channel {
        sink,
        rhythm: rhythm(sink),
        budget: None,
        calendar: Calendar::default(),
        segments_per_day: None,
        deadline: HOUR,
    }
}

/// As it is by default.
fn default_channel(sink: &'static str) -> Channel {
    let minute = Duration::from_secs(60);
    match sink {
        "sms" => Channel {
            rhythm: Rhythm::sms(SETTLE, 2 * minute),
            budget: Some(Budget::SMS),
            segments_per_day: Some(60),
            ..channel(sink)
        },
        _ => Channel {
            rhythm: Rhythm::email(SETTLE, 5 * minute),
            budget: Some(Budget::EMAIL),
            deadline: 24 * HOUR,
            ..channel(sink)
        },
    }
}

fn rhythm(sink: &str) -> Rhythm {
    match sink {
        "sms" => Rhythm::sms(SETTLE, Duration::ZERO),
        _ => Rhythm::email(SETTLE, Duration::ZERO),
    }
}

/// Makes of each claim one test for each store.
macro_rules! every_store {
    ($(async fn $name:ident($bench:ident: &mut Bench) $body:block)*) => {
        #[cfg(all(feature = "postgres", target_os = "linux"))]
        mod on_fleet {
            use super::*;
            $(#[test] fn $name() { check(crate::outbox::tests::fleet::bench, async |bench| super::$name(bench).await); })*
        }

        each_own_store! { $(async fn $name($bench: &mut Bench) $body)* }
    };
}

/// The same of what is not the fleet's: what one process waits for, and what its clock does.
macro_rules! each_own_store {
    ($(async fn $name:ident($bench:ident: &mut Bench) $body:block)*) => {
        $(async fn $name($bench: &mut Bench) $body)*

        mod memory {
            use super::*;
            $(#[test] fn $name() { check(|| async { Bench::new(Store::Memory(Memory::default()), None) }, async |bench| super::$name(bench).await); })*
        }

        #[cfg(feature = "sqlite")]
        mod sqlite {
            use super::*;
            $(#[test] fn $name() { check(sqlite_bench, async |bench| super::$name(bench).await); })*
        }
    };
}

/// Opens the file in `directory`. No test here is about what a disk keeps when
/// its power is cut.
#[cfg(feature = "sqlite")]
async fn open(directory: &tempfile::TempDir) -> Store {
    let mut store = Sqlite::open(&directory.path().join("alerts.db")).await.unwrap();
    store.never_sync().await;
    Store::Sqlite(Box::new(store))
}

#[cfg(feature = "sqlite")]
async fn sqlite_bench() -> Bench {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory).await;
    Bench::new(store, Some(directory))
}

fn check<F: Future<Output = Bench>>(make: impl FnOnce() -> F, claim: impl AsyncFnOnce(&mut Bench)) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut bench = make().await;
        claim(&mut bench).await;
        bench.store.shut().await;
    });
}

mod again;
mod budgets;
mod days;
mod deliveries;
#[cfg(feature = "sqlite")]
mod extremes;
mod fates;
#[cfg(all(feature = "postgres", target_os = "linux"))]
mod fleet;
#[cfg(all(feature = "postgres", target_os = "linux"))]
mod fleet_cost;
mod groups;
mod incidents;
#[cfg(feature = "sqlite")]
mod known;
#[cfg(feature = "sqlite")]
mod model;
#[cfg(feature = "sqlite")]
mod moves;
#[cfg(all(feature = "postgres", target_os = "linux"))]
mod named;
#[cfg(feature = "cli")]
mod overview;
#[cfg(feature = "sqlite")]
mod plans;
#[cfg(feature = "sqlite")]
mod pruning;
#[cfg(feature = "postgres")]
mod quiet;
mod silences;
#[cfg(feature = "sqlite")]
mod starts;
#[cfg(feature = "sqlite")]
mod steps;
#[cfg(feature = "sqlite")]
mod turns;
mod upkeep;
mod weeks;
mod world;
