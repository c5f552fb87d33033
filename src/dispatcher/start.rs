//! How the alert thread begins and ends.

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

#[cfg(feature = "webhook")]
use super::Pulse;
#[cfg(feature = "sqlite")]
use super::starts;
use super::{
    Clock, Dispatcher, Echoes, Inbox, Lane, Link, STORE_RETRY, Upkeep, flush::MEMORY_PATIENCE, state_of,
};
use crate::{
    dispatcher::setup::Setup,
    event::loss::{DropReason, Losses},
    host::{
        executable, id,
        signal::Signal,
        thread::{self, Role},
        trouble, unwind,
    },
    outbox::{Outbox, Target},
    policy::{
        fingerprint::Grouping,
        matcher::Matcher,
        notice::Process,
        redact::{Policy, redact_text},
        retold::Retold,
    },
    queue::{Receiver, exit, stats::Counters},
};

/// Starts the alert thread.
pub(crate) fn start(setup: Setup, counters: Arc<Counters>, queue: Receiver) -> io::Result<Arc<Signal<()>>> {
    let ended = Arc::new(Signal::new());
    let done = Arc::clone(&ended);
    // tokio makes something of its own with the first runtime of a process: as a child that
    // is forked meanwhile waits for it for ever, it is made first. If a runtime cannot be
    // built, `work` says so.
    let prepare = || drop(runtime());
    thread::start_before_forks(Role::Own, thread::NAME.to_owned(), prepare, move || {
        drop(setup.voice.clone().set());
        exit::serve(&counters);
        work(&setup, &counters, queue);
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
fn work(setup: &Setup, counters: &Arc<Counters>, mut queue: Receiver) {
    let grouping = Grouping::new(process(setup).app, setup.fingerprint.clone());
    let mut inbox = Inbox::new(grouping, setup.ignored.clone(), setup.redaction.clone());
    inbox.link = Link::start(setup, counters, &process(setup), inbox.run);
    let mut outbox = Outbox::default();
    let mut defects = 0;
    let mut callers_gone = None;
    loop {
        match work_until_stopped(setup, counters, &mut queue, &mut inbox, &mut outbox) {
            Ok(()) => return,
            // The process is short of descriptors; until it is not, events wait
            // in the queue.
            Err(Stopped::NoRuntime(error)) => {
                trouble::report(
                    "runtime",
                    "",
                    &format!("alerts have to wait: the async runtime cannot be built: {error}"),
                );
            }
            Err(Stopped::Defect) => {
                trouble::report(
                    "defect",
                    "",
                    "the alert thread panicked and was restarted; please report this",
                );
                defects += 1;
            }
        }
        if defects >= MAX_DEFECTS {
            // One of them may be what the loop cannot bear.
            let lost = inbox.waiting.drain(..).map(|captured| captured.count).sum();
            counters.count_dropped(DropReason::NotCommitted, lost);
            inbox.tried = None;
            outbox.forget();
            let what = format!(
                "the alert thread keeps panicking: {} lost, with all that was only in memory",
                trouble::events(lost)
            );
            trouble::report("unbearable", "", &what);
            defects = 0;
        }
        if queue.is_finished() && inbox.waiting.is_empty() {
            return;
        }
        if queue.is_closed() && callers_gone.get_or_insert_with(Instant::now).elapsed() >= MEMORY_PATIENCE {
            let lost = counters.uncommitted();
            counters.count_dropped(DropReason::NotCommitted, lost);
            trouble::say(&format!(
                "{} lost: the layer was dropped before they could be stored",
                trouble::events(lost)
            ));
            return;
        }
        std::thread::sleep(PAUSE_AFTER_STOP);
    }
}

fn work_until_stopped(
    setup: &Setup,
    counters: &Arc<Counters>,
    queue: &mut Receiver,
    inbox: &mut Inbox,
    outbox: &mut Outbox,
) -> Result<(), Stopped> {
    let runtime = runtime().map_err(Stopped::NoRuntime)?;
    let run = catch_unwind(AssertUnwindSafe(|| {
        runtime.block_on(async {
            let mut dispatcher = Dispatcher::open(setup, Arc::clone(counters), inbox, outbox).await;
            dispatcher.run(queue).await;
            dispatcher.end().await;
        });
    }));
    // A name look-up that hangs must not keep the thread.
    runtime.shutdown_timeout(Duration::from_millis(100));
    run.map_err(|payload| {
        unwind::discard(payload);
        Stopped::Defect
    })
}

impl Inbox {
    pub(super) fn new(grouping: Grouping, ignored: Vec<Matcher>, redaction: Policy) -> Self {
        let run = id::next();
        #[cfg(feature = "sqlite")]
        starts::note_run(run);
        Self::of(run, grouping, ignored, redaction)
    }

    /// That of the fleet's thread of the same run.
    #[cfg(feature = "postgres")]
    pub(super) fn of_fleet(run: Uuid, grouping: Grouping, redaction: Policy) -> Self {
        Self::of(run, grouping, Vec::new(), redaction)
    }

    fn of(run: Uuid, grouping: Grouping, ignored: Vec<Matcher>, redaction: Policy) -> Self {
        Self {
            run,
            link: None,
            since: Instant::now(),
            has_erred: false,
            has_panicked: false,
            collect_at: None,
            grouping,
            retold: Retold::default(),
            waiting: Vec::new(),
            batches: 0,
            tried: None,
            acknowledge: Vec::new(),
            late: Vec::new(),
            late_since: None,
            flushes: Vec::new(),
            told: Losses::new(),
            ignored,
            silences: Vec::new(),
            silencing: VecDeque::new(),
            echoes: Echoes::default(),
            redaction,
            items: Vec::new(),
            ending: None,
            deferred: Vec::new(),
        }
    }
}

/// A runtime of our own. Where the host's features add the driver of signals to
/// it, tokio panics if there are no descriptors for that one: so there must be.
pub(super) fn runtime() -> io::Result<Runtime> {
    let needed: [_; 4] = array::from_fn(|_| io::pipe());
    needed.into_iter().collect::<io::Result<Vec<_>>>()?;
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .thread_name(format!("{}-io", thread::NAME))
        .on_thread_start(|| Role::Own.set())
        .build()
}

impl<'a> Dispatcher<'a> {
    pub(super) async fn open(
        setup: &Setup,
        counters: Arc<Counters>,
        inbox: &'a mut Inbox,
        outbox: &'a mut Outbox,
    ) -> Self {
        let process = process(setup);
        while outbox.open(&setup.database, setup.app_name.as_deref(), &process.app).await.is_err() {
            tokio::time::sleep(STORE_RETRY).await;
        }
        counters.set_store(state_of(outbox));
        Self::new(setup, counters, inbox, outbox)
    }

    /// With what is open.
    pub(super) fn new(
        setup: &Setup,
        counters: Arc<Counters>,
        inbox: &'a mut Inbox,
        outbox: &'a mut Outbox,
    ) -> Self {
        let process = process(setup);
        let targets = setup.routes.iter().flat_map(|route| {
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
            known_changes: outbox.changes(),
            outbox,
            counters,
            process,
            retry: setup.retry,
            renderer: setup.renderer.clone(),
            calendar: setup.calendar.clone(),
            tells_crash_loops: setup.crash_loops,
            lanes: setup.routes.iter().map(|route| Lane::new(Arc::clone(&route.sink))).collect(),
            targets: targets.collect(),
            channels: setup.routes.iter().map(|route| route.channel(&setup.calendar)).collect(),
            tell_at: None,
            must_hurry: false,
            in_flight: JoinSet::new(),
            asking: JoinSet::new(),
            questions: HashMap::new(),
            attempts: HashMap::new(),
            unsettled: VecDeque::new(),
            upkeep: Upkeep::new(),
            is_of_fleet: setup.is_of_fleet(),
            #[cfg(feature = "webhook")]
            pulse: Pulse::of(setup),
            has_given_back: false,
            clock: Clock::now(),
        }
    }
}

/// The facts that every message of this process shows.
fn process(setup: &Setup) -> Process {
    let clean = |mut text: String| {
        redact_text(&mut text, &setup.redaction);
        text
    };
    Process {
        app: clean(setup.app_name.clone().or_else(executable::name).unwrap_or_else(|| "app".to_owned())),
        environment: setup.environment.clone().map(clean),
        version: setup.version.clone().map(clean),
        host: hostname::get().ok().map(|name| clean(name.to_string_lossy().into_owned())),
        pid: std::process::id(),
    }
}

/// After so many, what waits to be committed is given up.
const MAX_DEFECTS: u32 = 3;

const PAUSE_AFTER_STOP: Duration = Duration::from_secs(1);
