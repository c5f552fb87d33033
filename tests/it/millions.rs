//! A million errors in a process of its own: a handful of messages, each error
//! counted, and little memory, disk and time.
//!
//! `cargo test --release --test it million -- --nocapture` shows the figures that
//! `src/docs/guarantees.md` tells.
#![cfg(target_os = "linux")]
#![expect(clippy::print_stdout, reason = "it shows its figures")]

use crate::{
    child::millions::ERRORS,
    support::{Harness, rows},
};

fn million(scenario: &str) {
    let harness = Harness::new();
    let mut child = harness.child(scenario);
    for usual in ["ALERT_SMS_WINDOW", "ALERT_EMAIL_WINDOW", "ALERT_SMS_BUDGET", "ALERT_EMAIL_BUDGET"] {
        child.env_remove(usual);
    }
    let output = child.output().unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{stdout}{}", String::from_utf8_lossy(&output.stderr));
    let figures: Vec<u64> = stdout
        .lines()
        .find_map(|line| line.strip_prefix("FIGURES "))
        .map(|figures| figures.split(' ').map(|figure| figure.parse().unwrap()).collect())
        .unwrap();
    let [ns, memory, disk] = figures[..] else { panic!("{figures:?}") };
    let (sms, mails) = (harness.provider.sms().len(), harness.provider.mails().len());
    println!(
        "{scenario}: {ns} ns each, {memory} KiB of memory more, {disk} KiB on disk, {sms} SMS, {mails} mails"
    );

    assert_eq!(rows(&harness.database(), "SELECT sum(count) FROM incident"), [(ERRORS + 1).to_string()]);
    // The first, and all others with the exact count.
    let told = "SELECT sum(count) FROM item JOIN delivery USING (notice_id)
                 WHERE state = 'delivered' GROUP BY sink";
    assert_eq!(rows(&harness.database(), told), [(ERRORS + 1).to_string(), (ERRORS + 1).to_string()]);
    assert_eq!((sms, mails), (2, 2), "a flood");
    assert!(memory < 20 * 1024, "{memory} KiB of memory");
    assert!(disk < 20 * 1024, "{disk} KiB on disk");
}

#[test]
fn a_million_errors_of_one_kind_cost_little_and_are_told_exactly() {
    million("millions-of-one-kind");
}

#[test]
fn a_million_random_messages_of_one_callsite_cost_little_and_are_told_exactly() {
    million("millions-of-random-messages");
}

#[test]
fn a_million_random_messages_of_a_thousand_callsites_cost_little_and_are_told_exactly() {
    million("millions-of-callsites");
}
