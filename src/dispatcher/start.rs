//! How the alert thread begins and ends, and which threads are ours.

use std::{
    array,
    collections::{HashMap, VecDeque},
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{runtime::Runtime, task::JoinSet};
use uuid::Uuid;

#[cfg(feature = "sqlite")]
use super::starts;
use super::{Clock, Disk, Dispatcher, Inbox, Lane, Upkeep};
use crate::{
    config::{Config, Route},
    fingerprint::Grouping,
    matcher::Matcher,
    notice::{Losses, Process},
    queue::Receiver,
    redact::Policy,
    signal::Signal,
    stats::{Counters, DropReason, StoreState},
    store::{Channel, Memory, Store, Target},
    thread, trouble,
};

/// The name of the alert thread, and how those of its helpers begin.
pub(crate) const THREAD_NAME: &str = "tracing-alert";

/// Whether a thread of this name is one of ours: the alert thread, its
/// runtime's blocking threads, the database's. Nothing that happens on them
/// ever alerts.
pub(crate) fn is_own_thread(name: Option<&str>) -> bool {
    let rest = name.and_then(|name| name.strip_prefix(THREAD_NAME));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

/// Starts the alert thread.
pub(crate) fn start(config: Config, counters: Arc<Counters>, queue: Receiver) -> io::Result<Arc<Signal<()>>> {
    let ended = Arc::new(Signal::new());
    let done = Arc::clone(&ended);
    thread::start(THREAD_NAME.to_owned(), move || {
        work(&config, &counters, queue);
        counters.storm.close();
        counters.give_up_counted();
        done.set(());
    })?;
    Ok(ended)
}

/// Why the alert thread has to begin again.
enum Stopped {
    NoRuntime(io::Error),
    Defect,
}

/// The alert thread. A defect of ours that panics costs a second, not the
/// alerts: what is committed is taken up again, and what is only in memory is kept.
fn work(config: &Config, counters: &Arc<Counters>, mut queue: Receiver) {
    let grouping = Grouping::new(process(config).app, config.fingerprint.clone());
    let mut inbox = Inbox::new(grouping, config.ignored.clone(), config.redaction.clone());
    let mut outbox = (Store::Memory(Memory::default()), Disk::default());
    let mut defects = 0;
    loop {
        match work_until_stopped(config, counters, &mut queue, &mut inbox, &mut outbox) {
            Ok(()) => return,
            // The process is short of descriptors; until it is not, events wait
            // in the queue.
            Err(Stopped::NoRuntime(error)) => {
                trouble::report("runtime", &format!("alerts have to wait: no runtime can be built: {error}"));
            }
            Err(Stopped::Defect) => {
                trouble::report("defect", "the alert thread panicked, and starts again; please report this");
                defects += 1;
            }
        }
        if defects >= MOST_DEFECTS {
            // One of them may be what the loop cannot bear.
            let lost = inbox.waiting.drain(..).map(|captured| captured.count).sum();
            counters.count_dropped(DropReason::NotCommitted, lost);
            outbox.0 = Store::Memory(Memory::default());
            let what = format!(
                "{lost} events are lost, and what was only in memory: the alert thread could not bear them"
            );
            trouble::report("unbearable", &what);
            defects = 0;
        }
        if queue.is_finished() && inbox.waiting.is_empty() {
            return;
        }
        std::thread::sleep(PAUSE_AFTER_STOP);
    }
}

fn work_until_stopped(
    config: &Config,
    counters: &Arc<Counters>,
    queue: &mut Receiver,
    inbox: &mut Inbox,
    outbox: &mut (Store, Disk),
) -> Result<(), Stopped> {
    let runtime = runtime().map_err(Stopped::NoRuntime)?;
    let run = catch_unwind(AssertUnwindSafe(|| {
        runtime.block_on(async {
            let mut dispatcher = Dispatcher::open(config, Arc::clone(counters), inbox, outbox).await;
            dispatcher.run(queue).await;
            dispatcher.end().await;
        });
    }));
    // A name look-up that hangs must not keep the thread.
    runtime.shutdown_timeout(Duration::from_millis(100));
    run.map_err(|payload| {
        // Its drop could panic again.
        std::mem::forget(payload);
        Stopped::Defect
    })
}

impl Inbox {
    pub(super) fn new(grouping: Grouping, ignored: Vec<Matcher>, redaction: Policy) -> Self {
        let run = Uuid::now_v7();
        #[cfg(feature = "sqlite")]
        starts::note_run(run);
        Self {
            run,
            since: Instant::now(),
            has_erred: false,
            collect_at: None,
            grouping,
            waiting: Vec::new(),
            acknowledge: Vec::new(),
            late: Vec::new(),
            late_since: None,
            flushes: Vec::new(),
            told: Losses::new(),
            ignored,
            silences: Vec::new(),
            redaction,
            items: Vec::new(),
            ending: None,
        }
    }
}

/// A runtime of our own. Where the host's features add the driver of signals to
/// it, tokio panics if there are no descriptors for that one: so there must be.
fn runtime() -> io::Result<Runtime> {
    let needed: [_; 4] = array::from_fn(|_| io::pipe());
    needed.into_iter().collect::<io::Result<Vec<_>>>()?;
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .thread_name(format!("{THREAD_NAME}-io"))
        .build()
}

impl<'a> Dispatcher<'a> {
    pub(super) async fn open(
        config: &Config,
        counters: Arc<Counters>,
        inbox: &'a mut Inbox,
        (store, disk): &'a mut (Store, Disk),
    ) -> Self {
        let process = process(config);
        disk.open(&config.database, &process.app, store).await;
        counters.set_store(match store {
            Store::Memory(_) => StoreState::Memory,
            #[cfg(feature = "sqlite")]
            Store::Sqlite(_) => StoreState::Durable,
        });
        let targets = config.routes.iter().flat_map(|route| {
            let level = route.level.into_level();
            let target = move |recipient: &String| {
                Some(Target {
                    sink: route.sink.name(),
                    recipient: recipient.clone(),
                    level: level?,
                    rhythm: route.rhythm,
                })
            };
            route.recipients.iter().filter_map(target)
        });
        Self {
            inbox,
            store,
            counters,
            process,
            retry: config.retry,
            renderer: config.renderer.clone(),
            lanes: config.routes.iter().map(|route| Lane::new(Arc::clone(&route.sink))).collect(),
            targets: targets.collect(),
            channels: config.routes.iter().map(Route::channel).collect(),
            tell_at: None,
            must_hurry: false,
            in_flight: JoinSet::new(),
            attempts: HashMap::new(),
            unsettled: VecDeque::new(),
            disk,
            upkeep: Upkeep::new(),
            has_given_back: false,
            clock: Clock::now(),
        }
    }
}

impl Route {
    fn channel(&self) -> Channel {
        Channel {
            sink: self.sink.name(),
            rhythm: self.rhythm,
            budget: self.budget,
            segments_per_day: self.segments_per_day,
            deadline: self.deadline,
        }
    }
}

/// The facts that every message of this process shows.
fn process(config: &Config) -> Process {
    let executable = || {
        let path = std::env::current_exe().ok()?;
        Some(path.file_stem()?.to_string_lossy().into_owned())
    };
    Process {
        app: config.app_name.clone().or_else(executable).unwrap_or_else(|| "app".to_owned()),
        environment: config.environment.clone(),
        version: config.version.clone(),
        host: hostname::get().ok().map(|name| name.to_string_lossy().into_owned()),
        pid: std::process::id(),
    }
}

/// After so many, what waits to be committed is given up.
const MOST_DEFECTS: u32 = 3;

const PAUSE_AFTER_STOP: Duration = Duration::from_secs(1);
