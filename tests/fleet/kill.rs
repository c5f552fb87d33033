//! Instances are killed, some of them with their disks: what was committed on a disk that is
//! kept is counted, and so is what was handed over before a disk was lost.
//!
//! `FLEET_KILLS=1000` is the long form; `FLEET_SEED` repeats one.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    cluster::Cluster,
    figures,
    instances::{Fleet, Instance, in_the_end},
    number,
    support::Chance,
};

const INSTANCES: usize = 4;

/// What the errors of one life of a disk are called.
fn kind(instance: usize, life: usize) -> String {
    let letter = |number: usize| char::from(b'a' + u8::try_from(number % 20).unwrap());
    format!(
        "q{}{}{}{}",
        letter(instance).to_ascii_uppercase(),
        letter(life / 400),
        letter(life / 20),
        letter(life)
    )
}

/// What is known of the errors of one kind.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    /// What surely is on its disk, or was handed over before that was lost.
    least: u64,
    emitted: u64,
}

#[test]
fn a_killed_instance_loses_nothing_that_its_disk_or_the_fleet_has() {
    let kills = number("FLEET_KILLS", 24);
    let seed = number("FLEET_SEED", std::process::id() as usize) as u64;
    figures(&format!("FLEET_SEED={seed}"));
    let mut chance = Chance(seed);
    let cluster = Cluster::start();
    let fleet = Fleet::on(&cluster);
    let mut known: BTreeMap<String, Known> = BTreeMap::new();
    let mut lives = [0; INSTANCES];
    let mut instances: Vec<Instance> = fleet.start_all(INSTANCES);
    let mut lost = 0;
    for round in 0..kills {
        for (number, instance) in instances.iter_mut().enumerate() {
            let kind = kind(number, lives[number]);
            for _ in 0..=chance.below(3) {
                instance.ask(&format!("kind {kind}"));
                let known = known.entry(kind.clone()).or_default();
                known.least += 1;
                known.emitted += 1;
            }
        }
        let victim = chance.index(INSTANCES);
        let of = kind(victim, lives[victim]);
        std::thread::sleep(chance.pause(Duration::from_millis(100)));
        // One more, of which nobody knows how far it comes.
        instances[victim].tell(&format!("kind {of}"));
        let known = known.entry(of.clone()).or_default();
        known.emitted += 1;
        std::thread::sleep(chance.pause(Duration::from_millis(5)));
        instances.remove(victim).kill();
        if chance.below(2) == 0 {
            fleet.lose_disk(victim);
            lives[victim] += 1;
            lost += 1;
            let handed_over =
                fleet.counted().and_then(|_| fleet.counts().get(&format!("{of} failed")).copied());
            known.least = handed_over.unwrap_or_default();
        }
        instances.insert(victim, fleet.start(victim));
        if round % 8 == 7 {
            cluster.kill_hard();
            cluster.restart();
        }
    }
    let missing = || {
        let counts = fleet.counts();
        let count = |kind: &String| counts.get(&format!("{kind} failed")).copied().unwrap_or_default();
        known
            .iter()
            .filter(|(kind, known)| count(kind) < known.least)
            .map(|(kind, _)| kind.clone())
            .collect::<Vec<_>>()
    };
    in_the_end("nothing is missing", || missing().is_empty());
    // Whatever would be counted twice has had the time.
    std::thread::sleep(Duration::from_secs(3));
    let counts = fleet.counts();
    for (kind, known) in &known {
        let count = counts.get(&format!("{kind} failed")).copied().unwrap_or_default();
        assert!((known.least..=known.emitted).contains(&count), "{kind}: {count}, but {known:?}");
    }
    let (least, emitted) = known.values().fold((0, 0), |sum, of| (sum.0 + of.least, sum.1 + of.emitted));
    figures(&format!(
        "{kills} kills, {lost} disks lost: {} counted, at least {least} of {emitted} had to be; missing 0",
        counts.values().sum::<u64>()
    ));
}
