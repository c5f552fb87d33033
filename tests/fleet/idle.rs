//! What a fleet costs that has nothing to tell.
//!
//! `FLEET_IDLE=1000` is the long form.

use std::{
    thread,
    time::{Duration, Instant},
};

use tracing_alert::AlertHandle;

use crate::{
    cluster::{Cluster, schema},
    figures,
    instances::in_the_end,
    number,
    proxy::Proxy,
    support::{Harness, with_layer},
};

/// Looks of all instances together, in a second.
const MAX_LOOKS_A_SECOND: f64 = 5.0;

#[test]
fn idle_instances_hold_no_connection_and_look_rarely() {
    let instances = number("FLEET_IDLE", 40);
    let cluster = Cluster::start();
    let proxy = Proxy::before(([127, 0, 0, 1], cluster.port()).into());
    let harness = Harness::new();
    let (url, schema) = (proxy.url(&cluster.url()), schema());
    let instance = |_| {
        let builder = harness.builder().in_memory().fleet(url.clone()).fleet_schema(&schema);
        with_layer(builder, || ())
    };
    let handles: Vec<AlertHandle> = (0..instances).map(instance).collect();
    // Each connects to begin and to look; from its second look it knows how many they are.
    in_the_end("all have looked twice", || proxy.accepted() >= 3 * instances as u64);
    in_the_end("none holds a connection", || proxy.open() == 0);
    let (before, begun) = (proxy.accepted(), Instant::now());
    thread::sleep(Duration::from_secs(10));
    let looks = (proxy.accepted() - before) as f64 / begun.elapsed().as_secs_f64();
    figures(&format!("idle: {instances} instances make {looks:.2} looks a second and hold no connection"));
    assert!(looks <= MAX_LOOKS_A_SECOND, "{looks}");
    // Who looked meanwhile lets go, too.
    in_the_end("none holds a connection again", || cluster.sessions() == 0);
    assert!(handles.iter().all(|handle| handle.stats().captured == 0));
    assert_eq!(harness.heard(), [""; 0]);
}
