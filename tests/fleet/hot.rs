//! One fault everywhere at once: what it costs, and that the sum is exact.
//!
//! `FLEET_INSTANCES=500 FLEET_RATE=10 FLEET_SECONDS=15` is the long form, `FLEET_BOUNCER=1` the
//! same through PgBouncer.

use std::{
    thread,
    time::{Duration, Instant},
};

use tracing::error;
use tracing_alert::{AlertHandle, AlertLayer};
use tracing_subscriber::{Registry, prelude::*};

use crate::{
    bouncer::Bouncer,
    cluster::{Cluster, schema},
    figures,
    instances::in_the_end,
    number,
    rows::{rows, try_rows},
    support::Harness,
};

#[test]
fn one_fault_in_all_instances_is_one_incident_with_the_exact_sum() {
    let (instances, rate, seconds) =
        (number("FLEET_INSTANCES", 25), number("FLEET_RATE", 10), number("FLEET_SECONDS", 4));
    let cluster = Cluster::start();
    let harness = Harness::new();
    let schema = schema();
    let bouncer = (number("FLEET_BOUNCER", 0) > 0).then(|| Bouncer::before(&cluster));
    let url = bouncer.as_ref().map_or_else(|| cluster.url(), Bouncer::url);
    // Each keeps its events in memory: what is measured is the way to the fleet.
    let layer = || {
        let builder = harness.builder().in_memory().settle(Duration::from_secs(1));
        let builder = builder.sms_window(Duration::from_secs(120)).email_window(Duration::from_secs(300));
        builder.fleet(&url).fleet_schema(&schema).build().unwrap()
    };
    let layers: Vec<_> = (0..instances).map(|_| layer()).collect();
    let handles: Vec<AlertHandle> = layers.iter().map(|layer| layer.handle()).collect();
    let number_of = |sql: &str| -> Option<u64> {
        let sql = format!("SET search_path = {schema}; {sql}");
        try_rows(&cluster.url(), &sql).ok()?[0].parse().ok()
    };
    in_the_end("all were seen", || number_of("SELECT count(*) FROM instance") == Some(instances as u64));

    let begun = Instant::now();
    let total = (instances * rate * seconds) as u64;
    let (slowest, waits) = thread::scope(|scope| {
        let callers: Vec<_> = layers
            .into_iter()
            .enumerate()
            .map(|(place, layer)| scope.spawn(move || errs(layer, place, instances, rate, seconds)))
            .collect();
        let mut waits = Vec::new();
        while callers.iter().any(|caller| !caller.is_finished()) {
            let sql = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
            waits.push(cluster.admin(sql)[0].parse::<u64>().unwrap());
            thread::sleep(Duration::from_millis(100));
        }
        let slowest = callers.into_iter().map(|caller| caller.join().unwrap()).max().unwrap();
        (slowest, waits)
    });
    let emitted = begun.elapsed();
    in_the_end("every count is there", || number_of("SELECT sum(count)::bigint FROM share") == Some(total));
    let lag = begun.elapsed() - emitted;
    harness.provider.wait_for(1, 1);
    let sessions = "SELECT sessions, xact_commit FROM pg_stat_database WHERE datname = current_database()";
    let stat = "SELECT n_tup_ins + n_tup_upd, n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'share'";
    let most = waits.iter().max().copied().unwrap_or_default();
    figures(&format!(
        "hot: {instances} instances x {rate}/s x {seconds} s = {total}, all there {lag:.1?} after the last; \
         shares written, updated, HOT: {}; slowest call {slowest:.1?}; \
         waiting for a lock: {most} at most, {:.2} on average; connections, transactions: {}",
        rows(&cluster.url(), stat)[0],
        waits.iter().sum::<u64>() as f64 / waits.len().max(1) as f64,
        rows(&cluster.url(), sessions)[0]
    ));
    assert_eq!(number_of("SELECT count(*) FROM incident"), Some(1));
    thread::sleep(Duration::from_secs(2));
    assert_eq!((harness.provider.sms().len(), harness.provider.mails().len()), (1, 1));
    for handle in handles {
        let stats = handle.stats();
        assert!(stats.dropped.values().sum::<u64>() == 0 && stats.captured == stats.persisted, "{stats:?}");
    }
}

/// Errs at a rate, each instance at another moment. Returns how long the slowest call took.
fn errs(layer: AlertLayer<Registry>, place: usize, of: usize, rate: usize, seconds: usize) -> Duration {
    let pause = Duration::from_secs(1) / u32::try_from(rate).unwrap();
    thread::sleep(pause.mul_f64(place as f64 / of as f64));
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        let begun = Instant::now();
        let err = |number: usize| {
            thread::sleep((pause * u32::try_from(number).unwrap()).saturating_sub(begun.elapsed()));
            let called = Instant::now();
            error!("payment failed");
            called.elapsed()
        };
        (0..rate * seconds).map(err).max().unwrap_or_default()
    })
}
