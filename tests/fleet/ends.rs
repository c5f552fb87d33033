//! What an instance leaves that ends, and what PostgreSQL cannot keep as it is.

use crate::{
    cluster::shared,
    figures,
    instances::{Fleet, LONG, in_the_end},
};

#[test]
fn an_instance_that_returns_from_main_hands_over_what_it_counted_and_others_tell() {
    let fleet = Fleet::on(shared()).with("ALERT_FLEET_POLL", "5s");
    let mut other = fleet.start(0);
    in_the_end("the tables are there", || fleet.counted().is_some());
    let mut instance = fleet.start(1);
    instance.errs(3);
    instance.ends();
    in_the_end("every count is there", || fleet.counted() == Some(3));
    fleet.harness.provider.wait_longer_for(1, 1, LONG);
    assert_eq!((fleet.harness.provider.sms().len(), fleet.harness.provider.mails().len()), (1, 1));
    assert_eq!(other.stats()["dead"], 0);
}

#[test]
fn what_an_instance_handed_over_is_told_by_others_if_it_dies_with_its_disk() {
    let fleet = Fleet::on(shared()).with("ALERT_SETTLE", "4s").with("ALERT_FLEET_POLL", "5s");
    let others = [0, 1].map(|number| fleet.start(number));
    let mut instance = fleet.start(2);
    in_the_end("all were seen", || fleet.seen() == Some(3));
    instance.errs(1);
    in_the_end("it is handed over", || fleet.counted() == Some(1));
    instance.kill();
    fleet.lose_disk(2);
    assert_eq!(fleet.harness.provider.sms().len(), 0, "it was told before the instance died");
    let begun = std::time::Instant::now();
    fleet.harness.provider.wait_longer_for(1, 1, LONG);
    figures(&format!("what a dead instance left was told {:.1?} after its death", begun.elapsed()));
    in_the_end("it is settled", || {
        fleet.rows("SELECT 1 FROM delivery WHERE state <> 'delivered'").is_empty()
    });
    assert_eq!((fleet.harness.provider.sms().len(), fleet.harness.provider.mails().len()), (1, 1));
    drop(others);
}

#[test]
fn what_postgresql_cannot_keep_as_it_is_is_told_all_the_same() {
    let fleet = Fleet::on(shared()).unlimited();
    let mut instance = fleet.start(0);
    in_the_end("the tables are there", || fleet.counted().is_some());
    instance.ask("say zero <NUL> byte");
    instance.ask("kind sound");
    let texts = || fleet.harness.provider.sms().iter().map(|sms| sms.text()).collect::<Vec<_>>().concat();
    in_the_end("both are told", || texts().contains("zero") && texts().contains("sound"));
    in_the_end("the fleet has both", || fleet.counted() == Some(2));
    assert_eq!(instance.said(), [""; 0]);
}
