//! The way to the fleet's store breaks at each step between an error and its settled message:
//! the message comes, once, and the error is counted, once.
//!
//! `FLEET_STEPS=1` tries each step, and not each seventh only.

use std::{
    thread,
    time::{Duration, Instant},
};

use crate::{
    cluster::{Cluster, shared},
    figures,
    instances::{Fleet, in_the_end},
    number,
    proxy::{Proxy, Way},
    support::word,
};

/// More pieces than are said from an error to the settled messages.
const STEPS: usize = 90;

/// How many fleets share the steps.
const FLEETS: usize = 4;

#[test]
fn what_breaks_between_an_error_and_its_message_makes_none_of_them_two_or_none() {
    let cluster = shared();
    let stride = number("FLEET_STEPS", 7);
    let steps: Vec<usize> = (0..STEPS).step_by(stride).collect();
    let cuts: usize = thread::scope(|scope| {
        let share = |each: usize| steps.iter().copied().skip(each).step_by(FLEETS).collect::<Vec<_>>();
        let fleets = (0..FLEETS).map(|each| scope.spawn(move || breaks_at(cluster, &share(each))));
        fleets.collect::<Vec<_>>().into_iter().map(|fleet| fleet.join().unwrap()).sum()
    });
    figures(&format!("the way was cut at {cuts} of {} steps, and each error was told once", steps.len()));
    assert!(cuts > 0);
}

/// Has an error for each of the steps, and the way cut there. Returns how often it was.
fn breaks_at(cluster: &Cluster, steps: &[usize]) -> usize {
    let proxy = Proxy::before(([127, 0, 0, 1], cluster.port()).into());
    let fleet = Fleet::by(cluster, proxy.url(&cluster.url())).unlimited();
    let mut instance = fleet.start(0);
    in_the_end("the tables are there", || fleet.counted().is_some());
    let mut cuts = 0;
    for step in steps {
        proxy.is_cut_after((*step).try_into().unwrap());
        instance.ask(&format!("kind {}", word(*step)));
        let deadline = Instant::now() + Duration::from_secs(3);
        while !proxy.is_cut() && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(5));
        }
        cuts += usize::from(proxy.is_cut());
        proxy.goes(Way::Open);
        in_the_end("it is told", || times(&fleet, *step) > 0);
        in_the_end("it is counted", || fleet.counts().contains_key(&format!("{} failed", word(*step))));
    }
    // What was sent and not settled is looked up when its lease is over.
    in_the_end("all is settled", || {
        fleet.rows("SELECT 1 FROM delivery WHERE state = 'pending'").is_empty()
            && fleet.all_know_it_is_told(1)
    });
    for step in steps {
        assert_eq!(times(&fleet, *step), 1, "step {step}");
    }
    assert!(fleet.counts().values().all(|count| *count == 1), "{:?}", fleet.counts());
    assert_eq!(fleet.counted(), Some(steps.len() as u64));
    cuts
}

/// How many SMS are about the error of this step.
fn times(fleet: &Fleet, step: usize) -> usize {
    fleet.harness.provider.sms().iter().filter(|sms| sms.text().contains(&word(step))).count()
}
