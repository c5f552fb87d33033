//! What it costs to take over shares, of one incident that all instances have.
//!
//! `FLEET_SECONDS=8 cargo test --release --features postgres --lib fleet_cost -- --nocapture
//! --test-threads=1` prints the table and the ratio that the docs have. Without it, their short
//! forms show that every count is exact.

use std::{io::Write, process::Command, rc::Rc, time::Instant};

use tokio::{
    task::{LocalSet, yield_now},
    time::{MissedTickBehavior, interval_at},
};

use super::{
    super::{fleet::ADD, page::hex},
    fleet::{CLUSTER, instance, keeper::SCRIPT, run, share},
    *,
};

/// As many as may keep their connections; a few where other tests need the machine.
fn connections() -> u32 {
    if seconds().is_some() { 50 } else { 8 }
}

fn seconds() -> Option<u64> {
    std::env::var("FLEET_SECONDS").ok().map(|seconds| seconds.parse().unwrap())
}

/// How long each hand-over took that was acknowledged, and how many were not.
#[derive(Default)]
struct Taken {
    took: Vec<Duration>,
    failed: u64,
}

impl Taken {
    fn with(mut self, more: Self) -> Self {
        self.took.extend(more.took);
        self.failed += more.failed;
        self
    }

    /// The time within which so many of a hundred were done.
    fn within(&self, percent: usize) -> Duration {
        let mut took = self.took.clone();
        took.sort();
        took.get((took.len() * percent / 100).min(took.len().saturating_sub(1))).copied().unwrap_or_default()
    }
}

/// An incident that is open in `schema`: what all the others count, too.
async fn opened(schema: &str) -> Share {
    let mut first = instance(schema, 1);
    first.look(&[]).await;
    let mut share = share(1, "payment failed", 1, first.now());
    let known = first.hand_over(std::slice::from_ref(&share)).await.remove(0);
    share.row.shared.place = known.place;
    share.row.shared.fleet = known.fleet;
    share
}

/// Instances with numbers from `first` on, each of which hands over one more event each
/// `pause`, or as soon as it can.
async fn count(
    schema: &str,
    share: &Share,
    (first, instances): (u128, u32),
    pause: Duration,
    lasts: Duration,
) -> Taken {
    let until = Instant::now() + lasts;
    let share = Rc::new(share.clone());
    let ones = (0..instances).map(|place| {
        let (schema, share) = (schema.to_owned(), Rc::clone(&share));
        tokio::task::spawn_local(async move {
            let mut taken = Taken::default();
            let mut bench = instance(&schema, u128::from(place) + first);
            let mut share = (*share).clone();
            // They do not all come at the same time.
            let start = Instant::now() + pause.mul_f64(f64::from(place) / f64::from(instances));
            let mut ticks = interval_at(start.into(), pause.max(Duration::from_nanos(1)));
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            ticks.tick().await;
            // Those that came before keep their connections until they know of the others.
            while bench.try_look(&[]).await.is_err() && Instant::now() < until {
                ticks.tick().await;
            }
            share.row.count = 0;
            while Instant::now() < until {
                share.row.count += 1;
                share.row.last_at = bench.now();
                let began = Instant::now();
                match bench.try_hand_over(std::slice::from_ref(&share)).await {
                    Ok(_) => taken.took.push(began.elapsed()),
                    Err(_) => taken.failed += 1,
                }
                if let Store::Fleet(fleet) = &mut bench.store {
                    fleet.rest().await;
                }
                match pause.is_zero() {
                    true => yield_now().await,
                    false => drop(ticks.tick().await),
                }
            }
            bench.store.shut().await;
            taken
        })
    });
    let mut all = Taken::default();
    for one in ones.collect::<Vec<_>>() {
        all = all.with(one.await.unwrap());
    }
    all
}

/// What was acknowledged is there, and nothing that was not handed over.
fn assert_exact(schema: &str, before: u64, taken: &Taken) {
    let (acknowledged, more) = (taken.took.len() as u64, sum(schema) - before);
    // What was not acknowledged may be there all the same.
    assert!((acknowledged..=acknowledged + taken.failed).contains(&more), "{more} of {acknowledged}");
}

/// What all shares in `schema` come to.
fn sum(schema: &str) -> u64 {
    instance(schema, 1).execute("SELECT sum(count)::bigint FROM share").trim().parse().unwrap()
}

/// How many of the same transactions `pgbench` does.
fn pgbench(schema: &str, share: &Share, seconds: u64) -> u64 {
    let given = format!(
        r#"[{{"incident_id": {}, "is_placed": null, "fingerprint": "{}", "local_id": 1, "count": :count,
            "first_at": 1, "last_at": 9999999999999, "data": {{"pace": {}, "recent": {}, "told": []}}}}]"#,
        share.row.shared.place,
        hex::of(&share.row.fingerprint),
        serde_json::to_string(&share.row.pace).unwrap(),
        serde_json::to_string(&share.row.recent).unwrap(),
    );
    let now = "(extract(epoch FROM clock_timestamp()) * 1000)::bigint";
    let add = ADD
        .replace("$1", &format!("'{}'", given.replace(['\n', '\''], " ")))
        .replace("$2", "('00000000-0000-0000-0001-' || lpad(:client_id::text, 12, '0'))::uuid")
        .replace("$3", now)
        .replace("$4", &format!("({now} - 1800000)"));
    let add = add.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut script = tempfile::NamedTempFile::new().unwrap();
    let Store::Fleet(fleet) = instance(schema, 1).store else { panic!("no fleet") };
    let begin = fleet.begin_statement().replace(';', " \\;");
    write!(script, "\\set count :count + 1\n{begin};\n{add};\nCOMMIT;\n").unwrap();
    let mut command = Command::new("sh");
    command.args([SCRIPT, "pgbench", &CLUSTER.port.to_string(), "--no-vacuum", "--define=count=0"]);
    command.args(["--protocol=simple", &format!("--client={}", connections()), &format!("--time={seconds}")]);
    let output = command.arg("--file").arg(script.path()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let done = said.lines().find_map(|line| line.strip_prefix("number of transactions actually processed: "));
    done.unwrap_or_else(|| panic!("{said}")).split('/').next().unwrap().trim().parse().unwrap()
}

#[test]
fn hand_overs_that_follow_each_other_beside_the_same_transactions_of_pgbench() {
    let (connections, seconds) = (connections(), seconds().unwrap_or(1));
    run(LocalSet::new().run_until(async {
        let schema = "beside_pgbench";
        let share = opened(schema).await;
        let (mut ours, mut theirs) = (Taken::default(), 0);
        for first in [1_000, 2_000] {
            let before = sum(schema);
            let lasts = Duration::from_secs(seconds);
            let more = count(schema, &share, (first, connections), Duration::ZERO, lasts).await;
            assert_exact(schema, before, &more);
            ours = ours.with(more);
            theirs += pgbench(schema, &share, seconds);
        }
        println!(
            "{connections} connections, {seconds} s twice: {} hand-overs, p50 {:.1?}, p99 {:.1?}; pgbench {theirs}; ratio {:.2}",
            ours.took.len(),
            ours.within(50),
            ours.within(99),
            ours.took.len() as f64 / theirs as f64
        );
        assert!(theirs > 0);
    }));
}

#[test]
fn what_any_number_of_instances_costs() {
    let (sizes, seconds): (&[u32], _) = match seconds() {
        Some(seconds) => (&[10, 30, 100, 300, 1_000], seconds.max(20)),
        None => (&[10], 2),
    };
    for &instances in sizes {
        run(LocalSet::new().run_until(async {
            let schema = format!("cost_{instances}");
            let share = opened(&schema).await;
            // As each of them would.
            let pause = (Duration::from_millis(20) * instances)
                .clamp(Duration::from_secs(1), Duration::from_secs(10));
            let taken = count(&schema, &share, (1_000, instances), pause, Duration::from_secs(seconds)).await;
            println!(
                "| {instances} | {:.0} | {:.0} | {:.1?} | {:.1?} | {} |",
                f64::from(instances) / pause.as_secs_f64(),
                taken.took.len() as f64 / seconds as f64,
                taken.within(50),
                taken.within(99),
                taken.failed
            );
            assert_exact(&schema, 1, &taken);
        }));
    }
}
