//! How the alert thread begins and ends, and which threads are ours.

use std::{
    collections::{HashMap, VecDeque},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

use tokio::task::JoinSet;
use uuid::Uuid;

use super::{Dispatcher, Lane, open::open_store};
use crate::{
    config::Config,
    notice::{Losses, Process},
    queue::Receiver,
    signal::Signal,
    stats::{Counters, StoreState},
    store::{Store, Target},
    trouble,
};

/// The name of the alert thread, and how those of its helpers begin.
pub(crate) const THREAD_NAME: &str = "tracing-alert";

/// Whether a thread of this name is one of ours: the alert thread, its
/// runtime's blocking threads, the database's. Nothing that happens on them
/// ever alerts.
pub(crate) fn is_own_thread(name: Option<&str>) -> bool {
    name.is_some_and(|name| name.starts_with(THREAD_NAME))
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
        work(config, &counters, queue);
        done.set(());
    })?;
    Ok(ended)
}

/// The alert thread. A defect of ours that panics costs a second, not the
/// alerts: what is committed is taken up again.
fn work(config: Config, counters: &Arc<Counters>, mut queue: Receiver) {
    let config = Arc::new(config);
    let mut told = Losses::new();
    loop {
        let run = catch_unwind(AssertUnwindSafe(|| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .thread_name(format!("{THREAD_NAME}-io"))
                .build()
                .map_err(|error| error.to_string())?;
            runtime.block_on(async {
                let mut dispatcher = Dispatcher::open(&config, Arc::clone(counters), told.clone()).await;
                dispatcher.run(&mut queue).await;
                told.clone_from(&dispatcher.told);
                dispatcher.end().await;
            });
            // A name look-up that hangs must not keep the thread.
            runtime.shutdown_timeout(Duration::from_millis(100));
            Ok::<(), String>(())
        }));
        match run {
            Ok(Ok(())) => return,
            Ok(Err(error)) => {
                trouble::report("runtime", &format!("the runtime was not built, trying again: {error}"));
            }
            Err(payload) => {
                std::mem::forget(payload);
                trouble::report(
                    "defect",
                    "the alert thread panicked and starts again; please report this defect",
                );
            }
        }
        std::thread::sleep(PAUSE_AFTER_DEFECT);
    }
}

impl Dispatcher {
    async fn open(config: &Config, counters: Arc<Counters>, told: Losses) -> Self {
        let process = process(config);
        let store = open_store(&config.database, &process.app).await;
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
            store,
            counters,
            process,
            run: Uuid::now_v7(),
            settle: config.settle,
            retry: config.retry,
            lanes: config.routes.iter().map(|route| Lane::new(Arc::clone(&route.sink))).collect(),
            targets: targets.collect(),
            open: None,
            told,
            waiting: Vec::new(),
            acknowledge: Vec::new(),
            in_flight: JoinSet::new(),
            attempts: HashMap::new(),
            unsettled: VecDeque::new(),
            flushes: Vec::new(),
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

const PAUSE_AFTER_DEFECT: Duration = Duration::from_secs(1);
