//! Who may settle a delivery: whoever claimed it last.

use crate::{
    cluster::Cluster,
    instances::{Fleet, all_do, in_the_end},
    support::{Answer, word},
};

/// Longer than a lease lasts, in milliseconds.
const LEASE: u32 = 120_000;

#[test]
fn the_answer_to_an_instance_that_slept_past_its_lease_changes_nothing() {
    let cluster = Cluster::start();
    let fleet = Fleet::on(&cluster).unlimited();
    let provider = &fleet.harness.provider;
    provider.script_sms([Answer::Held]);
    provider.script_mails([Answer::Held]);
    let mut sleepers = fleet.start_all(3);
    all_do(&mut sleepers, "err 1");
    provider.wait_for(1, 1);
    sleepers.iter().for_each(|each| each.signal("STOP"));
    // For whoever connects from now on, the lease is over.
    cluster.admin(&format!("ALTER ROLE alerts SET tracing_alert.shift = '{LEASE}'"));
    provider.lets_go();

    let _other = fleet.start(3);
    let settled = || {
        fleet.rows("SELECT sink, state, data ->> 'claims', settled_at, data ->> 'reference' FROM delivery ORDER BY 1")
    };
    in_the_end("another instance settles both", || {
        settled().len() == 2 && settled().iter().all(|row| row.contains("|delivered|2|"))
    });
    let before = settled();
    sleepers.iter().for_each(|each| each.signal("CONT"));
    in_the_end("both answers are too late", || {
        sleepers.iter_mut().map(|each| each.stats()["late"].as_u64().unwrap()).sum::<u64>() == 2
    });
    assert_eq!(settled(), before, "what is settled stays as it is");
    // The mail went twice, for nobody can know better; the SMS was looked up.
    assert_eq!((provider.sms().len(), provider.mails().len(), provider.lookups().len()), (1, 2, 1));
}

#[test]
fn many_instances_deliver_each_message_once() {
    const KINDS: usize = 12;
    const INSTANCES: usize = 5;
    let cluster = Cluster::start();
    let fleet = Fleet::on(&cluster).unlimited();
    let mut instances = fleet.start_all(INSTANCES);
    for kind in 0..KINDS {
        all_do(&mut instances, &format!("kind {}", word(kind)));
    }
    in_the_end("all is counted", || fleet.counted() == Some((KINDS * INSTANCES) as u64));
    in_the_end("all is settled", || {
        let told = "SELECT 1 FROM standing WHERE told_at IS NULL UNION ALL
                    SELECT 1 FROM delivery WHERE state <> 'delivered'";
        fleet.rows(told).is_empty()
    });
    let twice = "SELECT key FROM delivery WHERE (data ->> 'claims')::integer <> 1";
    assert_eq!(fleet.rows(twice), [""; 0], "each was claimed once");
    let sent = ["twilio", "sendgrid"].map(|sink| {
        fleet.rows(&format!("SELECT count(*) FROM delivery WHERE sink = '{sink}'"))[0]
            .parse::<usize>()
            .unwrap()
    });
    assert_eq!(sent, [fleet.harness.provider.sms().len(), fleet.harness.provider.mails().len()]);
    let reported = "SELECT sink, count(*) FROM standing WHERE reported > 0 GROUP BY sink ORDER BY sink";
    assert_eq!(fleet.rows(reported), [format!("sendgrid|{KINDS}"), format!("twilio|{KINDS}")]);
}
