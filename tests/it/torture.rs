//! The torture: programs that fail all the time share a file; they are killed at
//! random moments, the provider has a bad day, and the clock jumps. What they
//! knew to be committed has to be told all the same, and counted right.
//!
//! `TORTURE_KILLS=1000 cargo test --test it torture -- --nocapture` takes some
//! minutes. `TORTURE_SEED` gives the seed of a run that went wrong; it repeats
//! what was done to the programs and when, but not what they did meanwhile.

use std::{
    collections::HashSet,
    fs::{File, OpenOptions},
    path::PathBuf,
    time::{Duration, Instant},
};

use crate::{
    child::torture::{ACKNOWLEDGED, EMITTED, LIFE, SEED},
    support::{Chance, Harness, Reaped, rows, time_passes},
};

mod evidence;
mod verdict;

#[test]
fn what_was_committed_is_told_whatever_breaks() {
    let variable = |name: &str| std::env::var(name).ok().map(|value| value.parse::<u64>().unwrap());
    let kills = variable("TORTURE_KILLS").unwrap_or(20);
    let seed = variable("TORTURE_SEED").unwrap_or_else(|| u64::from(std::process::id()));
    println!("TORTURE_SEED={seed}");

    let started = Instant::now();
    let mut torture = Torture::new(seed);
    while torture.kills < kills {
        std::thread::sleep(torture.chance.pause(MAX_PEACE));
        if torture.has_begun() {
            torture.end_leases(LEASE);
            if torture.chance.below(JUMPS_ONE_IN) == 0 {
                torture.clock_jumps();
            }
        }
        let victim = torture.chance.index(PROGRAMS);
        torture.kill(victim);
        torture.start(victim);
    }
    let _healthy = torture.recovers();
    println!("{}", torture.verdict());
    println!("in {:.1?}", started.elapsed());
}

struct Torture {
    harness: Harness,
    seed: u64,
    chance: Chance,
    /// The programs that run.
    programs: Vec<Option<Reaped>>,
    lives: u64,
    kills: u64,
    /// How many lives ended by themselves.
    ends: u64,
    jumps: Vec<i64>,
    /// How far the clock is off, in hours.
    off: i64,
    leases: Leases,
}

/// Deliveries whose lease ended while an attempt may have been under way, once
/// for each time.
#[derive(Default)]
struct Leases {
    /// Of a program that is dead: nothing else takes so long.
    stale: Vec<String>,
    /// By a jump of the clock: the program may be alive.
    jumped: Vec<String>,
    /// Not only the lease: the clock jumped forward over an SMS's whole hour.
    aged: HashSet<String>,
}

impl Torture {
    fn new(seed: u64) -> Self {
        let harness = Harness::new();
        let mut chance = Chance(seed);
        harness.provider.has_a_bad_day(Some(Chance(chance.below(u64::MAX))));
        let mut torture = Self {
            harness,
            seed,
            chance,
            programs: (0..PROGRAMS).map(|_| None).collect(),
            lives: 0,
            kills: 0,
            ends: 0,
            jumps: Vec::new(),
            off: 0,
            leases: Leases::default(),
        };
        (0..PROGRAMS).for_each(|program| torture.start(program));
        torture
    }

    /// A file beside the database.
    fn beside(&self, name: &str) -> PathBuf {
        self.harness.database().with_file_name(name)
    }

    /// What the file `name` holds.
    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.beside(name)).unwrap_or_default()
    }

    /// Whether something is committed.
    fn has_begun(&self) -> bool {
        !self.read("acknowledged").is_empty()
    }

    fn start(&mut self, program: usize) {
        self.programs[program] = Some(self.spawn("torture-fail"));
        self.lives += 1;
    }

    fn spawn(&self, scenario: &str) -> Reaped {
        let said =
            || -> File { OpenOptions::new().append(true).create(true).open(self.beside("said")).unwrap() };
        let child = self
            .harness
            .child(scenario)
            .env(LIFE, self.lives.to_string())
            .env(SEED, self.seed.to_string())
            .env(EMITTED, self.beside("emitted"))
            .env(ACKNOWLEDGED, self.beside("acknowledged"))
            .stdout(said())
            .stderr(said())
            .spawn();
        Reaped(child.unwrap())
    }

    fn kill(&mut self, program: usize) {
        use std::os::unix::process::ExitStatusExt;

        let mut killed = self.programs[program].take().unwrap();
        killed.0.kill().unwrap();
        let status = killed.0.wait().unwrap();
        match status.signal() {
            Some(libc::SIGKILL) => self.kills += 1,
            Some(_) | None => {
                assert!(status.success(), "a program ended with {status}:\n{}", self.read("said"));
                self.ends += 1;
            }
        }
    }

    /// Nobody waits for the minute that a lease lasts: it ends `after` its
    /// attempt began.
    fn end_leases(&mut self, after: Duration) {
        let sql = format!(
            "UPDATE delivery SET data = json_set(data, '$.due_at', 0)
              WHERE state = 'pending' AND claims > 0
                AND due_at - 1000 * unixepoch('subsec') BETWEEN 5000 AND 70000 - {}
          RETURNING replace(key, '-', '')",
            after.as_millis()
        );
        self.leases.stale.extend(rows(&self.harness.database(), &sql));
    }

    /// The clock jumps by hours. Here the file does so, the other way, as the
    /// programs' clock cannot be set: all that it holds was written by a clock
    /// that was ahead, or behind.
    fn clock_jumps(&mut self) {
        let off = [-3, 0, 3][self.chance.index(3)];
        let jump = off - self.off;
        if jump == 0 {
            return;
        }
        self.lets_pass(jump * HOUR);
        self.off = off;
        self.jumps.push(jump);
    }

    /// Everything in the file happened `millis` earlier.
    fn lets_pass(&mut self, millis: i64) {
        let sql = format!(
            "BEGIN IMMEDIATE;
             SELECT claims > 0 AND due_at > 1000 * unixepoch('subsec') + 5000, replace(key, '-', '')
               FROM delivery WHERE state = 'pending';
             {}
             COMMIT",
            time_passes(millis)
        );
        let moved = rows(&self.harness.database(), &sql);
        for (is_leased, key) in moved.iter().filter_map(|row| row.split_once('|')) {
            if is_leased == "1" {
                self.leases.jumped.push(key.to_owned());
            }
            if millis > 0 {
                self.leases.aged.insert(key.to_owned());
            }
        }
    }

    /// The last programs die, the provider is well again, and healthy programs
    /// take up what is left; also later, when all incidents and all holds are over.
    /// They live as long as what this gives.
    fn recovers(&mut self) -> Vec<Reaped> {
        (0..PROGRAMS).for_each(|program| self.kill(program));
        self.end_leases(Duration::ZERO);
        self.harness.provider.has_a_bad_day(None);
        let healthy = [(); 2].map(|()| self.spawn("torture-recover"));
        let untold = "SELECT 'untold', incident_id, sink, told_at, told, count
                        FROM standing JOIN incident ON incident.id = incident_id";
        self.settles(&format!("{untold} WHERE told_at IS NULL"));
        self.lets_pass(MAX_HOLD + HOUR);
        let latest = [(); 2].map(|()| self.spawn("torture-recover"));
        let an_hour_ago = format!("1000 * unixepoch() - {HOUR}");
        self.settles(&format!(
            "{untold} WHERE due_at IS NOT NULL AND (told < count OR last_at < {an_hour_ago})
              UNION ALL
             SELECT 'dead', sink, public_id, recipient, reason, count FROM dead_told WHERE count > 0"
        ));
        healthy.into_iter().chain(latest).collect::<Vec<_>>()
    }

    /// Waits until nothing is pending, and `left` gives no row.
    fn settles(&self, left: &str) {
        let sql = format!(
            "SELECT 'pending', sink, attempt, claims, due_at - 1000 * unixepoch(), last_error
               FROM delivery WHERE state = 'pending'
              UNION ALL
             {left}"
        );
        let deadline = Instant::now() + RECOVERY_PATIENCE;
        loop {
            let left = rows(&self.harness.database(), &sql);
            if left.is_empty() {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "broken: nothing is stuck. Left after {RECOVERY_PATIENCE:?}: {left:#?}\n{}",
                self.read("said")
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

const HOUR: i64 = 3_600_000;

/// Who was told of a kind of error often hears no more of it for as long.
const MAX_HOLD: i64 = 24 * HOUR;

/// How many programs share the file.
const PROGRAMS: usize = 3;

/// The longest time between two kills.
const MAX_PEACE: Duration = Duration::from_millis(250);

/// Many times longer than an attempt takes here.
const LEASE: Duration = Duration::from_secs(3);

/// The clock jumps as often.
const JUMPS_ONE_IN: u64 = 6;

/// How long healthy programs may take for what is left.
const RECOVERY_PATIENCE: Duration = Duration::from_secs(60);
