//! Instances that start again and again: what no file tells, as it is lost each time.

use std::time::Duration;

use crate::{
    cluster::shared,
    instances::{Fleet, LONG, in_the_end},
    support::eventually,
};

/// A fleet whose instances are missed soon, and tell each error at once.
fn fleet() -> Fleet {
    Fleet::on(shared()).unlimited().with("ALERT_FLEET_POLL", "5s")
}

/// So many instances err, are killed and lose their disks, one after another; then they are
/// missed.
fn fail(fleet: &Fleet, numbers: std::ops::Range<usize>) {
    let before = fleet.counted().unwrap_or(0);
    for (number, sum) in numbers.zip(before + 1..) {
        let mut instance = fleet.start(number);
        instance.errs(1);
        in_the_end("it is handed over", || fleet.counted() >= Some(sum));
        in_the_end("it was seen", || seen_of(fleet, number));
        instance.kill();
        fleet.lose_disk(number);
    }
    in_the_end("all are missed", || {
        fleet
            .rows("SELECT 1 FROM instance WHERE seen_until > extract(epoch FROM clock_timestamp()) * 1000")
            .is_empty()
    });
}

/// Whether as many instances were seen as there were with this one.
fn seen_of(fleet: &Fleet, number: usize) -> bool {
    fleet.seen() >= Some(number as u64 + 1)
}

fn told(fleet: &Fleet) -> Vec<String> {
    let texts = fleet.harness.provider.sms().into_iter().map(|sms| sms.text());
    texts.filter(|text| text.contains("crash loop")).collect()
}

/// Long enough for whoever would tell something to do so.
fn a_while() {
    std::thread::sleep(Duration::from_secs(8));
}

#[test]
fn a_crash_loop_of_instances_that_lose_their_disks_is_told_once_with_their_last_error() {
    let fleet = fleet();
    fail(&fleet, 0..4);
    assert!(told(&fleet).is_empty(), "four may be: {:?}", told(&fleet));
    let _fifth = fleet.start(4);
    in_the_end("it is told", || !told(&fleet).is_empty());
    let _sixth = fleet.start(5);
    in_the_end("the sixth is counted", || {
        fleet
            .rows("SELECT sum(count) FROM share JOIN incident ON id = incident_id WHERE about = 'crash_loop'")
            == ["6"]
    });
    a_while();
    let told = told(&fleet);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("last error: payment failed"), "{told:?}");
}

#[test]
fn a_crash_loop_on_a_disk_that_is_kept_is_told_once() {
    let fleet = fleet();
    for sum in 1..=5 {
        let mut instance = fleet.start(0);
        instance.errs(1);
        in_the_end("it is handed over", || fleet.counted() >= Some(sum));
        instance.kill();
    }
    let _last = fleet.start(0);
    in_the_end("it is told", || !told(&fleet).is_empty());
    a_while();
    assert_eq!(told(&fleet).len(), 1, "{:?}", told(&fleet));
}

#[test]
fn a_rolling_deploy_is_no_crash_loop_nor_are_more_instances() {
    let fleet = fleet().with("ALERT_VERSION", "1");
    let mut old = fleet.start_all(5);
    for instance in &mut old {
        instance.errs(1);
    }
    in_the_end("all is handed over", || fleet.counted() == Some(5));
    in_the_end("all were seen", || fleet.seen() == Some(5));
    // Each ends well once there is another one.
    for (number, instance) in old.into_iter().enumerate() {
        let mut new = fleet.start(5 + number);
        new.errs(1);
        instance.ends();
        fleet.lose_disk(number);
        in_the_end("it was seen", || seen_of(&fleet, 5 + number));
        in_the_end("it is handed over", || fleet.counted() == Some(6 + number as u64));
        new.ends();
    }
    let scaled = (10..16).map(|number| fleet.start(number)).collect::<Vec<_>>();
    in_the_end("all were seen", || fleet.seen() == Some(16));
    drop(scaled);
    fail(&fleet, 16..20);
    // They were stopped without an end, for another version.
    let fleet = fleet.with("ALERT_VERSION", "2");
    let _new = (20..22).map(|number| fleet.start(number)).collect::<Vec<_>>();
    in_the_end("all were seen", || fleet.seen() == Some(22));
    a_while();
    assert!(told(&fleet).is_empty(), "{:?}", told(&fleet));
}

#[test]
fn instances_that_end_in_a_fault_are_a_crash_loop_before_they_are_missed() {
    let fleet = fleet();
    for number in 0..4 {
        let mut instance = fleet.start(number);
        instance.tell("fail");
        instance.fails();
        fleet.lose_disk(number);
        eventually("it said so", || {
            fleet.rows("SELECT count(*) FROM instance WHERE ended_at IS NOT NULL")
                == [(number + 1).to_string()]
        });
    }
    let _fifth = fleet.start(4);
    fleet.harness.provider.wait_longer_for(2, 1, LONG);
    in_the_end("it is told", || told(&fleet).len() == 1);
}
