//! What becomes of errors while the fleet's store is out of reach, in each way that it can be.
//!
//! Of an error that the fleet told of before, nothing is told again. Of one that begins in
//! the outage, a few instances tell, and most find that another one did. Afterwards every
//! count is there, and nothing is told twice.

use std::time::{Duration, Instant};

use crate::{
    cluster::Cluster,
    figures,
    instances::{Fleet, Instance, LONG, all_do, in_the_end},
    proxy::{Proxy, Way},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Killed,
    Frozen,
    Network(Way),
    ReadOnly,
    TooManyClients,
    DiskFull,
}

impl Fault {
    fn begins(self, cluster: &Cluster, proxy: &Proxy) {
        match self {
            Self::Killed => cluster.kill_hard(),
            Self::Frozen => cluster.freeze(),
            Self::Network(way) => proxy.goes(way),
            Self::ReadOnly => cluster.demote(),
            Self::TooManyClients => {
                cluster.limit_connections(0);
                cluster.end_sessions();
            }
            Self::DiskFull => cluster.fill_disk(),
        }
    }

    /// What happens in it.
    fn error(self) -> &'static str {
        match self {
            // What is small has room in pages that are there.
            Self::DiskFull => "big outage",
            _ => "kind outage",
        }
    }

    fn ends(self, cluster: &Cluster, proxy: &Proxy) {
        match self {
            Self::Killed => cluster.restart(),
            Self::Frozen => cluster.thaw(),
            Self::Network(_) => proxy.goes(Way::Open),
            Self::ReadOnly => cluster.promote(),
            Self::TooManyClients => cluster.limit_connections(-1),
            Self::DiskFull => {
                cluster.make_room();
                // A server that could not write its log may have ended.
                if !cluster.is_up() {
                    cluster.restart();
                }
            }
        }
    }
}

const INSTANCES: usize = 6;

/// How many of a hundred instances tell of what begins in an outage, at most; and after how
/// long the first does, on a machine that has something else to do as well.
const MAX_SMS: usize = 4;
/// As many by their place.
const MAX_MAILS: usize = 3;
const FIRST: Duration = Duration::from_secs(22 + 20);

/// Until all have looked whether another one told: the longest stagger, and some more.
const STAGGER: Duration = Duration::from_secs(26);

/// A caller waits for none of it.
const CALL: Duration = Duration::from_secs(1);

fn outage(fault: Fault) {
    let cluster = match fault {
        Fault::DiskFull => Cluster::on_a_small_disk(120),
        _ => Some(Cluster::start()),
    };
    let Some(cluster) = cluster else { return };
    let proxy = Proxy::before(([127, 0, 0, 1], cluster.port()).into());
    // No window, in which the second error would wait.
    let fleet = Fleet::by(&cluster, proxy.url(&cluster.url())).with("ALERT_SMS_WINDOW", "0");
    let provider = &fleet.harness.provider;
    let mut instances = fleet.start_all(INSTANCES);
    all_do(&mut instances, "err 1");
    provider.wait_longer_for(1, 1, LONG);
    in_the_end("all know that it is told", || fleet.all_know_it_is_told(INSTANCES));
    knows_all(&fleet);
    let mut sum = INSTANCES as u64;
    assert_eq!((fleet.counted(), provider.sms().len()), (Some(sum), 1));

    fault.begins(&cluster, &proxy);
    sum += 2 * INSTANCES as u64;
    let slowest = slowest(&all_do(&mut instances, "err 2"));
    assert!(slowest < CALL, "{fault:?}: a caller waited {slowest:?}");
    let begun = Instant::now();
    sum += INSTANCES as u64;
    all_do(&mut instances, fault.error());
    provider.wait_longer_for(2, 1, LONG);
    let first = begun.elapsed();
    std::thread::sleep(STAGGER.saturating_sub(first));
    let (sms, mails) = (provider.sms().len(), provider.mails().len());
    figures(&format!(
        "{fault:?}: {} of {INSTANCES} told by SMS what began in it, the first after {first:.1?}; \
         {} mails; the slowest call took {slowest:?}",
        sms - 1,
        mails - 1
    ));
    assert!(mails - 1 <= MAX_MAILS, "{fault:?}: {:?}", subjects(&fleet));
    assert!(first < FIRST, "{fault:?}: {first:?}");
    assert!(sms - 1 <= MAX_SMS, "{fault:?}: {sms} SMS");
    assert!(is_only_of(&fleet, 1, "payment"), "{fault:?}: what was told is told again");

    fault.ends(&cluster, &proxy);
    in_the_end("every count is there", || fleet.counted() == Some(sum));
    settles(&fleet, &mut instances, sms, fault);
}

/// Waits until each has looked again, after all were there: it knows its place among them.
fn knows_all(fleet: &Fleet) {
    in_the_end("all were seen", || fleet.seen() == Some(INSTANCES as u64));
    let looks = || fleet.rows("SELECT store, seen_until FROM instance");
    let first = looks();
    in_the_end("each has looked again", || looks().iter().all(|look| !first.contains(look)));
}

fn subjects(fleet: &Fleet) -> Vec<String> {
    fleet.harness.provider.mails().iter().map(|mail| mail.json()["subject"].to_string()).collect()
}

/// Whether as many SMS are about this.
fn is_only_of(fleet: &Fleet, times: usize, what: &str) -> bool {
    fleet.harness.provider.sms().iter().filter(|sms| sms.text().contains(what)).count() == times
}

/// When all is well again nothing comes twice, and no count changes.
fn settles(fleet: &Fleet, instances: &mut [Instance], sms: usize, fault: Fault) {
    let sum = fleet.counted();
    std::thread::sleep(Duration::from_secs(10));
    let now = fleet.harness.provider.sms();
    let texts: Vec<_> = now.iter().map(|sms| sms.text()).collect();
    assert_eq!(now.len(), sms, "{fault:?}: told again: {texts:?}");
    assert_eq!(fleet.counted(), sum, "{fault:?}");
    for instance in instances {
        let stats = instance.stats();
        assert_eq!(stats["dropped"].as_object().map_or(0, serde_json::Map::len), 0, "{fault:?}: {stats}");
        assert_eq!(stats["persisted"], stats["captured"], "{fault:?}: {stats}");
    }
}

fn slowest(answers: &[String]) -> Duration {
    Duration::from_micros(answers.iter().map(|answer| answer.parse().unwrap()).max().unwrap())
}

#[test]
fn a_server_that_is_killed_loses_no_count_and_makes_no_flood() {
    outage(Fault::Killed);
}

#[test]
fn a_server_that_is_frozen_loses_no_count_and_makes_no_flood() {
    outage(Fault::Frozen);
}

#[test]
fn a_network_that_is_frozen_loses_no_count_and_makes_no_flood() {
    outage(Fault::Network(Way::Frozen));
}

#[test]
fn a_network_that_is_cut_loses_no_count_and_makes_no_flood() {
    outage(Fault::Network(Way::Cut));
}

#[test]
fn a_server_that_nobody_reaches_loses_no_count_and_makes_no_flood() {
    outage(Fault::Network(Way::Refused));
}

#[test]
fn a_server_that_is_read_only_loses_no_count_and_makes_no_flood() {
    outage(Fault::ReadOnly);
}

#[test]
fn a_server_with_too_many_clients_loses_no_count_and_makes_no_flood() {
    outage(Fault::TooManyClients);
}

#[test]
fn a_server_with_a_full_disk_loses_no_count_and_makes_no_flood() {
    outage(Fault::DiskFull);
}

/// One whose way back and forth takes as long as to a database in the next city.
#[test]
fn a_slow_network_is_no_outage() {
    let cluster = Cluster::start();
    let proxy = Proxy::before(([127, 0, 0, 1], cluster.port()).into());
    let fleet = Fleet::by(&cluster, proxy.url(&cluster.url()));
    let mut instances = fleet.start_all(2);
    in_the_end("the tables are there", || fleet.counted().is_some());
    proxy.goes(Way::Delayed(Duration::from_millis(5)));
    all_do(&mut instances, "err 1");
    in_the_end("every count is there", || fleet.counted() == Some(2));
    fleet.harness.provider.wait_longer_for(1, 1, LONG);
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!((fleet.harness.provider.sms().len(), fleet.harness.provider.mails().len()), (1, 1));
    for instance in &instances {
        assert_eq!(instance.said(), [""; 0]);
    }
}

/// Instances that begin while nobody answers, and so do not know how many they are.
#[test]
fn a_fleet_that_begins_in_an_outage_tells_and_hands_over_later() {
    let cluster = Cluster::start();
    let proxy = Proxy::before(([127, 0, 0, 1], cluster.port()).into());
    proxy.goes(Way::Refused);
    let fleet = Fleet::by(&cluster, proxy.url(&cluster.url()));
    let provider = &fleet.harness.provider;
    let mut instances = fleet.start_all(INSTANCES);
    let begun = Instant::now();
    all_do(&mut instances, "err 1");
    provider.wait_longer_for(1, 0, LONG);
    let first = begun.elapsed();
    std::thread::sleep(STAGGER.saturating_sub(first));
    let sms = provider.sms().len();
    figures(&format!("begun in an outage: {sms} of {INSTANCES} told by SMS, the first after {first:.1?}"));
    assert!(sms <= MAX_SMS && first < FIRST, "{sms} SMS, {first:?}");
    for instance in &mut instances {
        let stats = instance.stats();
        assert_eq!((&stats["fleet"]["state"], &stats["fleet"]["behind"]), (&"unreachable".into(), &1.into()));
    }
    proxy.goes(Way::Open);
    in_the_end("every count is there", || fleet.counted() == Some(INSTANCES as u64));
    settles(&fleet, &mut instances, sms, Fault::Network(Way::Refused));
    for instance in &mut instances {
        let stats = instance.stats();
        assert_eq!((&stats["fleet"]["state"], &stats["fleet"]["behind"]), (&"connected".into(), &0.into()));
    }
    // What they sent alone is of the day's budget, and what they found that others sent is not.
    let spent = "SELECT sum((entry ->> 1)::integer) FROM account, jsonb_array_elements(data -> 'spent') entry
                  WHERE sink = 'twilio'";
    assert_eq!(fleet.rows(spent), [sms.to_string()]);
}
