//! The fleet's thread: hands over, decides in the fleet's store, claims and sends.
//!
//! A loop of its own with the same lanes as the alert thread's: only this one awaits the
//! network for its store.

use std::{
    collections::BTreeSet,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use tokio::{sync::mpsc::unbounded_channel, task, time::sleep};
use uuid::Uuid;

use super::{
    super::{Dispatcher, Inbox, MAX_SLEEP, deliver::jitter, setup::Setup, start::runtime, tell::public_id},
    Answer, HandOver, Link, Request,
    station::Station,
};
use crate::{
    event::to_millis,
    host::{
        thread::{self, Role},
        time::from_now,
        trouble, unwind,
    },
    outbox::{Fleet, Maker, Outbox, Presence, Seen, Store, StoreError},
    policy::{fingerprint::Grouping, notice::Process},
    queue::{fleet_stats::FleetState, stats::Counters},
};

impl Link {
    /// Starts the fleet's thread, if there is a fleet.
    pub(in crate::dispatcher) fn start(
        setup: &Setup,
        counters: &Arc<Counters>,
        process: &Process,
        run: Uuid,
    ) -> Option<Self> {
        let fleet = setup.fleet.as_ref()?;
        let options = match fleet.options() {
            Ok(options) => options,
            // It was looked at when the layer was built.
            Err(fault) => {
                trouble::say(&format!("ALERT_FLEET {}: this instance alerts by itself", fault.what));
                return None;
            }
        };
        let (requests, requested) = unbounded_channel();
        let (answered, answers) = unbounded_channel();
        let sweep_in = SWEEP_PAUSE.mul_f64(jitter());
        let station = Station::new(requested, answered, fleet.poll, sweep_in);
        let store = Fleet::new(options, &fleet.schema, &process.app, Uuid::nil(), SystemTime::now());
        counters.fleet.set_state(FleetState::Opening, SystemTime::now());
        let (setup, counters) = (setup.clone(), Arc::clone(counters));
        let work = move || work(&setup, &counters, station, store, run);
        let started = thread::start_before_forks(Role::Own, format!("{}-fleet", thread::NAME), || (), work);
        if let Err(error) = started {
            trouble::say(&format!(
                "the thread for the fleet cannot be started ({error}): this instance alerts by itself"
            ));
        }
        Some(Self::new(requests, answers))
    }
}

fn work(setup: &Setup, counters: &Arc<Counters>, mut station: Station, store: Fleet, run: Uuid) {
    drop(setup.voice.clone().set());
    let grouping = Grouping::new(String::new(), None);
    let mut inbox = Inbox::of_fleet(run, grouping, setup.redaction.clone());
    let mut outbox = Outbox::of_fleet(store);
    while !station.ends() {
        let begun = work_until_stopped(setup, counters, &mut station, &mut inbox, &mut outbox);
        if let Err(why) = begun {
            // What it was asked is not answered any more.
            drop(station.answers.send(Answer::Unreachable { is_answer: true, is_foreign: false }));
            trouble::report("fleet", "", &format!("the fleet's thread begins again: {why}"));
            std::thread::sleep(PAUSE_AFTER_STOP);
        }
    }
}

fn work_until_stopped(
    setup: &Setup,
    counters: &Arc<Counters>,
    station: &mut Station,
    inbox: &mut Inbox,
    outbox: &mut Outbox,
) -> io::Result<()> {
    let runtime = runtime()?;
    let done = catch_unwind(AssertUnwindSafe(|| {
        runtime.block_on(async {
            let mut dispatcher = Dispatcher::new(setup, Arc::clone(counters), inbox, outbox);
            dispatcher.serve_fleet(station).await;
        });
    }));
    runtime.shutdown_timeout(Duration::from_millis(100));
    done.map_err(|payload| {
        unwind::discard(payload);
        io::Error::other("it panicked; please report this")
    })
}

impl Dispatcher<'_> {
    async fn serve_fleet(&mut self, station: &mut Station) {
        // At the end, whoever waits has what was captured told at once.
        let mut has_tried = false;
        loop {
            task::yield_now().await;
            self.collect_finished();
            let has_settled = !self.unsettled.is_empty();
            self.settle_finished().await;
            if has_settled {
                // Whoever waits is told so.
                station.look_at = Instant::now();
            }
            self.learn_what_came().await;
            let mut next = if station.ends() { MIN_PAUSE } else { self.look_at_fleet(station).await };
            let has_last_words = station.ends() && station.hurried_until.is_some();
            if station.is_reached == Some(true) && (!station.ends() || has_last_words) {
                if std::mem::take(&mut station.is_ill) {
                    self.tell_of_dead().await;
                }
                // While others decide what is due there is nothing to do.
                next = next
                    .min(self.tell().await.max(MIN_PAUSE.saturating_add(OTHERS_DECIDE.mul_f64(jitter()))));
                next = self.start_due_deliveries().await.max(MIN_PAUSE).min(next);
                next = self.ask_when_due().await.max(MIN_PAUSE).min(next);
            }
            if let Some(fleet) = self.outbox.fleet()
                && let Some(rests) = fleet.rest().await
            {
                next = next.min(rests.max(MIN_PAUSE));
            }
            let is_at_rest = self.in_flight.is_empty() && self.unsettled.is_empty();
            let has_said_them = !has_last_words || std::mem::replace(&mut has_tried, true);
            if station.ends_by.is_some_and(|by| (is_at_rest && has_said_them) || by <= Instant::now()) {
                break;
            }
            tokio::select! {
                biased;
                request = station.requests.recv(), if station.ends_by.is_none() => match request {
                    Some(Request::HandOver(mut given)) => {
                        station.know(given.store, std::mem::take(&mut given.untold));
                        self.take_over(station, &given).await;
                    }
                    Some(Request::Leave { fails }) => {
                        (station.fails, station.look_at) = (Some(fails), Instant::now());
                    }
                    None => station.ends_by = Some(from_now(LAST_WORDS)),
                },
                Some(finished) = self.in_flight.join_next_with_id() => self.finish(finished),
                Some(answered) = self.asking.join_next_with_id() => self.learn(answered).await,
                () = sleep(next) => (),
            }
        }
        if station.hurried_until.is_some() {
            station.look_at = Instant::now();
            let _next = self.look_at_fleet(station).await;
        }
        self.give_back().await;
        self.outbox.store.shut().await;
    }

    /// Hands over what the local store has.
    async fn take_over(&mut self, station: &mut Station, given: &HandOver) {
        drop(station.answers.send(Answer::Begun));
        let HandOver { store: name, shares, silences, spending, hurried, .. } = given;
        let (name, hurried) = (*name, *hurried);
        let maker = Maker {
            new_id: &public_id,
            run: self.inbox.run,
            process: &self.process,
            calendar: &self.calendar,
            is_of_fleet: true,
        };
        let targets = &self.targets;
        let Some(fleet) = self.outbox.fleet() else { return };
        fleet.set_store(name);
        if shares.is_empty() && silences.is_empty() && spending.is_empty() {
            // Only a look says whether the store answers.
            station.hurried_until = hurried.then(|| from_now(HURRY)).or(station.hurried_until);
            if hurried {
                self.hurry();
            }
            (station.look_at, station.is_asked) = (Instant::now(), true);
            return;
        }
        let began = Instant::now();
        let taken = loop {
            // Before what is held back by them.
            let taken = async {
                fleet.take_silences(silences, SystemTime::now()).await?;
                fleet.take_spending(spending).await?;
                match shares.as_slice() {
                    [] => Ok(Vec::new()),
                    shares => fleet.hand_over(shares, targets, &maker).await,
                }
            };
            let taken = taken.await;
            if !matches!(taken, Err(StoreError::Busy)) || began.elapsed() >= BUSY_PATIENCE {
                break taken;
            }
            sleep(MIN_PAUSE.mul_f64(0.4 + 1.6 * jitter())).await;
        };
        match taken {
            Ok(taken) => {
                self.note_reached(station, None);
                for answer in &taken {
                    match answer.told_at {
                        Some(_) => station.untold.remove(&answer.local_id),
                        None => station.untold.insert(answer.local_id),
                    };
                }
                if taken.iter().any(|answer| answer.told_at.is_none()) {
                    self.tell_at = None;
                }
                if hurried {
                    station.hurried_until = Some(from_now(HURRY));
                    self.hurry();
                }
                station.look_at = match station.fleet == 0 || hurried {
                    true => Instant::now(),
                    false => station.look_at.min(from_now(station.pause())),
                };
                station.note_counted(!shares.is_empty());
                drop(station.answers.send(Answer::Taken(name, taken)));
                self.judge_starts_of_fleet(station).await;
            }
            Err(error) => {
                self.note_reached(station, Some(&error.to_string()));
                let is_foreign = self.outbox.fleet().is_some_and(|fleet| fleet.is_foreign());
                drop(station.answers.send(Answer::Unreachable { is_answer: true, is_foreign }));
            }
        }
    }

    /// Says, and tells the alert thread, when the fleet's store stops answering and when it
    /// begins again.
    fn note_reached(&self, station: &mut Station, why: Option<&str>) {
        let is_reached = why.is_none();
        if let Some(why) = why {
            if station.is_reached != Some(false) {
                let what = format!(
                    "the fleet's store cannot be used ({why}): until it can, this instance alerts by itself"
                );
                trouble::report("fleet", "", &what);
            }
        } else if station.is_reached == Some(false) {
            trouble::report("fleet", "", "the fleet's store works again, and has what was counted meanwhile");
        }
        station.is_reached = Some(is_reached);
    }

    /// Looks what became of the shares, when it is time. Returns how long it is not.
    async fn look_at_fleet(&mut self, station: &mut Station) -> Duration {
        let wait = station.look_at.saturating_duration_since(Instant::now());
        if !wait.is_zero() || station.store.is_nil() {
            return wait.max(MIN_PAUSE);
        }
        let pause = station.pause();
        let untold = station.some_untold();
        let sinks: Vec<&str> = self.channels.iter().map(|channel| channel.sink).collect();
        let presence = Presence {
            host: self.process.host.as_deref(),
            version: self.process.version.as_deref(),
            targets: &self.targets,
            age: station.start.is_unsaid().then(|| self.inbox.since.elapsed()),
            pause,
            fails: station.fails,
        };
        let Some(fleet) = self.outbox.fleet() else { return MAX_SLEEP };
        match fleet.look(presence, &untold, &sinks).await {
            Ok(Seen { mut outlook, due_at, is_ill, is_new }) => {
                station.start.note_said(is_new);
                station.fleet = outlook.fleet.max(1);
                station.looks = station.looks.saturating_add(1);
                station.plan_look(pause, is_new);
                station.is_ill = is_ill;
                // If nobody looked for a while, this instance tells now what is due.
                outlook.is_stuck &= std::mem::replace(&mut station.was_stuck, outlook.is_stuck);
                if station.was_stuck {
                    station.look_at = from_now(LOOK_AGAIN);
                }
                let named: BTreeSet<i64> = outlook.taken.iter().map(|answer| answer.local_id).collect();
                outlook.taken.retain(|answer| answer.told_at.is_some());
                for answer in &outlook.taken {
                    station.untold.remove(&answer.local_id);
                }
                // Of what it does not name any more there is nothing to wait for.
                for id in untold.iter().filter(|id| !named.contains(id)) {
                    station.untold.remove(id);
                }
                let ahead = to_millis(SystemTime::now()).saturating_sub(to_millis(self.now()));
                if let Some(silences) = outlook.silences.take() {
                    let by_clock = silences.into_iter().map(|(key, row)| (key, row.by_clock(ahead)));
                    outlook.silences = Some(by_clock.collect());
                }
                let store = station.store;
                self.note_reached(station, None);
                drop(station.answers.send(Answer::Looked(store, outlook)));
                if station.fails.is_some() {
                    drop(station.answers.send(Answer::Left));
                }
                if std::mem::take(&mut station.is_asked) {
                    drop(station.answers.send(Answer::Taken(store, Vec::new())));
                }
                // Another instance may have left something, or has it told later.
                if let Some(due_at) = due_at {
                    let is_due = due_at <= self.now();
                    self.tell_at = self.tell_at.map(|at| at.min(due_at)).filter(|_| !is_due);
                    if is_due {
                        self.wake_lanes();
                    }
                }
                self.judge_starts_of_fleet(station).await;
                self.sweep_fleet(station).await;
                if due_at.is_none()
                    && station.untold.is_empty()
                    && let Some(fleet) = self.outbox.fleet()
                {
                    // Until the next look there is nothing to ask.
                    fleet.close().await;
                }
                station.look_at.saturating_duration_since(Instant::now())
            }
            Err(error) => {
                self.note_reached(station, Some(&error.to_string()));
                let is_answer = std::mem::take(&mut station.is_asked);
                let is_foreign = self.outbox.fleet().is_some_and(|fleet| fleet.is_foreign());
                drop(station.answers.send(Answer::Unreachable { is_answer, is_foreign }));
                let is_hurried = station.hurried_until.is_some_and(|until| until > Instant::now());
                let pause = if is_hurried { MIN_PAUSE } else { RETRY_PAUSE };
                station.look_at = from_now(pause);
                pause
            }
        }
    }

    async fn sweep_fleet(&mut self, station: &mut Station) {
        if station.sweep_at > Instant::now() {
            return;
        }
        station.sweep_at = from_now(SWEEP_PAUSE.mul_f64(0.8 + 0.4 * jitter()) * station.fleet.clamp(1, 60));
        let now = self.now();
        let own: Vec<&str> = self.lanes.iter().map(|lane| lane.sink.name()).collect();
        let Some(fleet) = self.outbox.fleet() else { return };
        // What is not done, another instance does, or this one the next time.
        if let Ok(true) = fleet.sweep().await {
            drop(self.outbox.with(async |store: &mut Store| store.bury_abandoned(&own, now).await).await);
        }
    }
}

/// Between two turns of the loop, as others may be deciding what is due.
const MIN_PAUSE: Duration = Duration::from_millis(50);

/// For how long a hand-over is tried again that another instance was in the way of: after
/// that, whoever asked goes on alone.
const BUSY_PATIENCE: Duration = Duration::from_millis(1_500);

/// How long it is left to others to decide what is due, at most.
const OTHERS_DECIDE: Duration = Duration::from_millis(600);

const HURRY: Duration = Duration::from_secs(30);

/// How soon it is looked again whether what is long due is told.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// How soon it is looked again whether the store answers.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// How often one instance sweeps, if it is the only one.
const SWEEP_PAUSE: Duration = Duration::from_secs(60);

/// How long what is under way at the end is seen through.
const LAST_WORDS: Duration = Duration::from_millis(1_500);

const PAUSE_AFTER_STOP: Duration = Duration::from_secs(1);
