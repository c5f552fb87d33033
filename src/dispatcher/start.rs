//! How the alert thread begins and ends, and which threads are ours.

use std::{
    collections::{HashMap, VecDeque},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

use tokio::task::JoinSet;
use uuid::Uuid;

use super::{Disk, Dispatcher, Inbox, Lane, Upkeep};
use crate::{
    config::Config,
    fingerprint::Grouping,
    notice::{Losses, Process},
    queue::Receiver,
    signal::Signal,
    stats::{Counters, DropReason, StoreState},
    store::{Store, Target},
    trouble,
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
pub(crate) fn start(
    config: Config,
    counters: Arc<Counters>,
    queue: Receiver,
) -> std::io::Result<Arc<Signal<()>>> {
    let ended = Arc::new(Signal::new());
    let done = Arc::clone(&ended);
    std::thread::Builder::new().name(THREAD_NAME.to_owned()).spawn(move || {
        work(&config, &counters, queue);
        counters.storm.close();
        counters.give_up_counted();
        done.set(());
    })?;
    Ok(ended)
}

/// The alert thread. A defect of ours that panics costs a second, not the
/// alerts: what is committed is taken up again, and what is not yet is kept.
fn work(config: &Config, counters: &Arc<Counters>, mut queue: Receiver) {
    let mut inbox = Inbox {
        run: Uuid::now_v7(),
        collect_at: None,
        grouping: Grouping::new(process(config).app, config.fingerprint.clone()),
        waiting: Vec::new(),
        acknowledge: Vec::new(),
        late: Vec::new(),
        late_since: None,
        flushes: Vec::new(),
        told: Losses::new(),
        items: Vec::new(),
        ending: None,
    };
    let mut defects = 0;
    loop {
        match work_until_defect(config, counters, &mut queue, &mut inbox) {
            Ok(()) => return,
            Err(why) => trouble::report("defect", &format!("the alert thread starts again: {why}")),
        }
        defects += 1;
        if defects >= MOST_DEFECTS {
            // One of them may be what the loop cannot bear.
            let lost = inbox.waiting.drain(..).map(|captured| captured.count).sum();
            counters.count_dropped(DropReason::NotCommitted, lost);
            trouble::say(&format!("{lost} events are lost: the alert thread could not bear them"));
            defects = 0;
        }
        if queue.is_finished() && inbox.waiting.is_empty() {
            return;
        }
        std::thread::sleep(PAUSE_AFTER_DEFECT);
    }
}

fn work_until_defect(
    config: &Config,
    counters: &Arc<Counters>,
    queue: &mut Receiver,
    inbox: &mut Inbox,
) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .thread_name(format!("{THREAD_NAME}-io"))
        .build()
        .map_err(|error| format!("its runtime was not built: {error}"))?;
    let run = catch_unwind(AssertUnwindSafe(|| {
        runtime.block_on(async {
            let mut dispatcher = Dispatcher::open(config, Arc::clone(counters), inbox).await;
            dispatcher.run(queue).await;
            dispatcher.end().await;
        });
    }));
    // A name look-up that hangs must not keep the thread.
    runtime.shutdown_timeout(Duration::from_millis(100));
    run.map_err(|payload| {
        std::mem::forget(payload);
        "it panicked; please report this defect".to_owned()
    })
}

impl<'a> Dispatcher<'a> {
    async fn open(config: &Config, counters: Arc<Counters>, inbox: &'a mut Inbox) -> Self {
        let process = process(config);
        let (store, disk) = Disk::open(&config.database, &process.app).await;
        counters.set_store(match &store {
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
                    deadline: route.deadline,
                })
            };
            route.recipients.iter().filter_map(target)
        });
        Self {
            inbox,
            store,
            counters,
            process,
            settle: config.settle,
            retry: config.retry,
            lanes: config.routes.iter().map(|route| Lane::new(Arc::clone(&route.sink))).collect(),
            targets: targets.collect(),
            open: None,
            // Until one is made, any of this run's.
            last_notice: i64::MAX,
            in_flight: JoinSet::new(),
            attempts: HashMap::new(),
            unsettled: VecDeque::new(),
            disk,
            upkeep: Upkeep::new(),
            must_close: false,
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

const PAUSE_AFTER_DEFECT: Duration = Duration::from_secs(1);
