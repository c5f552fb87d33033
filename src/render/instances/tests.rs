//! What a message says of the instances in which it happened, and where it stands.

use tracing::Level;

use super::{
    super::{DefaultRender, Email, tests},
    *,
};

fn named(names: &[(&str, u64)]) -> Vec<(String, u64)> {
    names.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
}

fn spread(instances: u32, of: u32, versions: &[(&str, u64)], hosts: &[(&str, u64)]) -> Spread {
    Spread { instances, of, versions: named(versions), hosts: named(hosts), hosts_in_all: 0 }
}

/// As large as can be.
pub(in crate::render) fn of_names(name: &str) -> Spread {
    let names = [(name, u64::MAX); 4];
    spread(u32::MAX, 0, &names, &names)
}

fn failed(message: &str, spread: Option<Spread>) -> Sample {
    Sample { spread, ..tests::error(Level::ERROR, message, 37) }
}

fn told(samples: Vec<Sample>) -> (String, Email) {
    let mut notice = tests::notice(samples);
    notice.process.host = Some("web-1".into());
    (DefaultRender::default().sms(&notice), DefaultRender::default().email(&notice))
}

#[test]
fn a_message_says_in_how_many_instances_it_happened() {
    let hosts = [("web-1", 20), ("web-2", 9), ("web-3", 5), ("web-4", 2), ("web-5", 1)];
    let of_fleet = spread(30, 34, &[("1.4.3", 36), ("1.4.2", 1)], &hosts);
    let (sms, mail) = told(vec![failed("payment failed", Some(of_fleet))]);
    assert_eq!(sms, "[MyApp] ERROR: payment failed (x37) - in 30 of 34 instances #7K3Q");
    assert!(mail.text.starts_with("New in 30 of 34 instances of MyApp: happened 37 times"), "{}", mail.text);
    let row = "\nInstances\n    30 of 34 instances\n    first in version 1.4.3 (36), then in 1.4.2 (1)\n    \
               hosts: web-1 (20), web-2 (9), web-3 (5) and 2 more\n";
    assert!(mail.text.contains(row), "{}", mail.text);
    assert!(mail.html.contains("hosts: web-1 (20), web-2 (9), web-3 (5) and 2 more</pre>"), "{}", mail.html);
}

#[test]
fn a_message_says_that_a_fault_is_in_one_version_only() {
    let one_version = |instances| spread(instances, 34, &[("1.4.3", 37)], &[("web-9", 37)]);
    let (sms, mail) = told(vec![failed("payment failed", Some(one_version(3)))]);
    assert!(sms.ends_with(" - in 3 of 34 instances, all in version 1.4.3 #7K3Q"), "{sms}");
    assert!(mail.text.contains("\n    all in version 1.4.3\n    hosts: web-9 (37)\n"), "{}", mail.text);
    // If it is everywhere, a phone need not show which version that is.
    let (sms, mail) = told(vec![failed("payment failed", Some(one_version(34)))]);
    assert!(sms.ends_with(" - in 34 of 34 instances #7K3Q"), "{sms}");
    assert!(mail.text.contains("all in version 1.4.3"), "{}", mail.text);
}

#[test]
fn a_version_is_not_the_only_one_if_some_events_are_of_instances_without_one() {
    let some = spread(3, 34, &[("1.4.3", 36)], &[]);
    let (sms, mail) = told(vec![failed("payment failed", Some(some))]);
    assert!(sms.ends_with("instances #7K3Q") && !mail.text.contains("all in version"), "{sms} {}", mail.text);
    assert!(mail.text.contains("\n    first in version 1.4.3 (36)\n"), "{}", mail.text);
}

#[test]
fn hosts_that_are_not_listed_are_counted() {
    let hosts = [("web-1", 9), ("web-2", 8), ("web-3", 7), ("web-4", 6)];
    let listed = Spread { hosts_in_all: 30, ..spread(30, 34, &[], &hosts) };
    let (_, mail) = told(vec![failed("payment failed", Some(listed))]);
    assert!(mail.text.contains("hosts: web-1 (9), web-2 (8), web-3 (7) and 27 more\n"), "{}", mail.text);
}

#[test]
fn a_message_of_one_instance_says_nothing_of_others() {
    let (sms, mail) = told(vec![failed("payment failed", None)]);
    assert_eq!(sms, "[MyApp] ERROR: payment failed (x37) #7K3Q");
    assert!(mail.text.starts_with("New in MyApp on web-1: "), "{}", mail.text);
    assert!(!mail.text.contains("nstance") && !mail.html.contains("nstance"), "{}", mail.text);
}

#[test]
fn each_line_of_a_digest_has_its_own_instances() {
    let everywhere = spread(34, 34, &[], &[]);
    let in_one = spread(1, 34, &[("1.4.3", 37)], &[("web-9", 37)]);
    let (sms, mail) = told(vec![failed("one", Some(everywhere)), failed("two", Some(in_one))]);
    assert!(
        sms.contains("one (x37) - in 34 of 34 instances, ERROR: two (x37) - in 1 of 34 instances"),
        "{sms}"
    );
    assert!(mail.text.starts_with("2 kinds of event in MyApp: 74 events"), "{}", mail.text);
    for line in
        ["37x ERROR: one #7K3Q, in 34 of 34 instances\n", "37x ERROR: two #7K3Q, in 1 of 34 instances\n"]
    {
        assert!(mail.text.contains(line), "{}", mail.text);
    }
}

#[test]
fn what_is_in_one_instance_of_many_names_its_host() {
    let (_, mail) = told(vec![failed("payment failed", Some(spread(1, 34, &[], &[("web-1", 37)])))]);
    assert!(mail.text.starts_with("New in 1 of 34 instances of MyApp on web-1: "), "{}", mail.text);
}

#[test]
fn an_sms_is_not_one_segment_longer_for_it() {
    let long = "a".repeat(140 - "[MyApp] ERROR:  (x37) #7K3Q".len());
    let (sms, _) = told(vec![failed(&long, Some(spread(30, 34, &[("1.4.3", 37)], &[])))]);
    assert_eq!((gsm7::segments(&sms), sms.len()), (1, 140), "{sms}");
    assert!(!sms.contains("instances"), "{sms}");
}

#[test]
fn names_that_are_hostile_or_missing_break_nothing() {
    let versions = [("1.4\u{202E}\r\nProcess\n", 3), ("", 2), ("<b>", 1), ("1", 1)];
    let (sms, mail) = told(vec![failed("payment failed", Some(spread(2, 3, &versions, &[])))]);
    assert!(
        mail.text.contains(
            "\n    first in version 1.4 Process (3), then in unknown (2), then in <b> (1) and others\n"
        ),
        "{}",
        mail.text
    );
    assert!(mail.html.contains("&#60;b&#62; (1)"), "{}", mail.html);
    assert!(!sms.contains("version"), "{sms}");
    let (sms, mail) = told(vec![failed("payment failed", Some(spread(2, 3, &[("", 37)], &[])))]);
    assert!(
        sms.ends_with("instances #7K3Q") && mail.text.contains("first in version unknown (37)"),
        "{sms} {}",
        mail.text
    );
    let (sms, _) = told(vec![failed("payment failed", Some(spread(2, 3, &[("версия", 37)], &[])))]);
    assert!(gsm7::is_plain(&sms) && !sms.contains("version"), "one alphabet: {sms}");
}

#[test]
fn more_instances_than_there_are_now_are_all_of_them() {
    let (sms, _) = told(vec![failed("payment failed", Some(spread(3, 1, &[], &[])))]);
    assert!(sms.contains("in 3 of 3 instances"), "{sms}");
    let (sms, _) = told(vec![failed("payment failed", Some(spread(1, 1, &[], &[])))]);
    assert!(sms.contains("in 1 of 1 instance "), "{sms}");
}
