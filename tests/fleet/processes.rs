//! One fault in many processes is one message.

use std::time::{Duration, Instant};

use crate::{
    bouncer::Bouncer,
    cluster::{Cluster, shared},
    figures,
    instances::{Fleet, all_do, in_the_end},
};

/// How many processes there are.
const PROCESSES: usize = 30;

/// Long enough that all of them were heard by then; a machine that is busy needs it.
const SETTLE: &str = "5s";

/// One fault in all instances at once: one SMS and one mail, and what is in them.
fn one_fault(fleet: &Fleet) {
    let mut instances = fleet.start_all(PROCESSES);
    // They are counted as they look, and an SMS says of how many.
    in_the_end("all were seen", || fleet.seen() == Some(PROCESSES as u64));
    let begun = Instant::now();
    all_do(&mut instances, "err 1");
    fleet.harness.provider.wait_for(1, 1);
    let heard = begun.elapsed();
    in_the_end("all is counted", || fleet.counted() == Some(PROCESSES as u64));
    // Whoever would tell it again has had the time.
    std::thread::sleep(Duration::from_secs(3));
    let (sms, mails) = (fleet.harness.provider.sms(), fleet.harness.provider.mails());
    let texts: Vec<_> = sms.iter().map(|sms| sms.text()).collect();
    figures(&format!("one fault in {PROCESSES} processes: told after {heard:.1?}: {texts:?}"));
    assert_eq!((sms.len(), mails.len()), (1, 1), "{texts:?}");
    assert!(texts[0].contains(&format!("(x{PROCESSES}")), "{texts:?}");
    assert!(texts[0].contains(&format!("in {PROCESSES}")), "{texts:?}");
    assert_eq!(fleet.rows("SELECT count(*) FROM incident"), ["1"]);
    for instance in &instances {
        assert_eq!(instance.said(), [""; 0]);
    }
}

#[test]
fn one_fault_in_thirty_processes_is_one_sms_and_one_mail() {
    one_fault(&Fleet::on(shared()).with("ALERT_SETTLE", SETTLE));
}

#[test]
fn it_is_so_through_a_bouncer_and_nothing_is_left_with_its_servers() {
    let cluster = Cluster::start();
    let bouncer = Bouncer::before(&cluster);
    one_fault(&Fleet::by(&cluster, bouncer.url()).with("ALERT_SETTLE", SETTLE));
    assert_eq!(cluster.admin("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"), ["0"]);
    // Each of its servers is asked what a session would find there.
    let settings =
        ["search_path", "statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"];
    for setting in settings {
        let found = crate::rows::rows(&bouncer.url(), &format!("SHOW {setting}"));
        let usual = crate::rows::rows(&cluster.url(), &format!("SHOW {setting}"));
        assert_eq!(found, usual, "{setting} is left with a server");
    }
}

#[test]
fn one_process_tells_through_the_fleet() {
    let fleet = Fleet::on(shared());
    let mut instance = fleet.start(0);
    instance.errs(1);
    fleet.harness.provider.wait_for(1, 1);
    in_the_end("the fleet has settled both", || {
        fleet.rows("SELECT sink, state FROM delivery ORDER BY sink")
            == ["sendgrid|delivered", "twilio|delivered"]
    });
    in_the_end("its own file says so", || fleet.all_know_it_is_told(1));
    assert_eq!(instance.ask("flush"), "complete");
    assert_eq!((fleet.counted(), fleet.harness.provider.sms().len()), (Some(1), 1));
    assert_eq!(instance.said(), [""; 0]);
}

#[test]
fn two_processes_tell_once_of_what_both_had() {
    let fleet = Fleet::on(shared()).with("ALERT_SETTLE", "3s");
    let mut instances = fleet.start_all(2);
    all_do(&mut instances, "err 2");
    fleet.harness.provider.wait_for(1, 1);
    in_the_end("all is counted", || fleet.counted() == Some(4));
    in_the_end("both know", || fleet.all_know_it_is_told(2));
    assert_eq!((fleet.harness.provider.sms().len(), fleet.harness.provider.mails().len()), (1, 1));
    assert!(
        fleet.harness.provider.sms()[0].text().contains("(x4"),
        "{}",
        fleet.harness.provider.sms()[0].text()
    );
}
