//! A silence of a fleet: it reaches every instance, wherever it begins and ends.

use super::Fleet;
use crate::stage::eventually;

/// What the SMS say that were sent, without their tag and id, and in how many instances.
fn told(fleet: &Fleet) -> Vec<String> {
    let strip = |text: String| {
        let text = text.split_once("] ").map_or_else(|| text.clone(), |(_, rest)| rest.to_owned());
        let text = text.rsplit_once(" #").map_or_else(|| text.clone(), |(text, _)| text.to_owned());
        text.split_once(" - in ").map_or_else(|| text.clone(), |(text, _)| text.to_owned())
    };
    fleet.stage.service.sms().into_iter().map(strip).collect()
}

/// How many events the file of an instance says that a silence held back.
fn held(fleet: &Fleet, name: &str) -> Option<u64> {
    let file = fleet.stage.directory().join(format!("{name}.db"));
    fleet.stage.json(&["silences", "--database", file.to_str().unwrap()])[0]["held"].as_u64()
}

/// Whether the instance knows of a silence in force.
fn knows(fleet: &Fleet, name: &str) -> bool {
    let file = fleet.stage.directory().join(format!("{name}.db"));
    fleet.stage.json(&["stats", "--database", file.to_str().unwrap()])["silences"] == 1
}

#[test]
fn one_that_the_command_begins_is_honoured_by_two_instances_and_told_once_with_the_count_of_both() {
    let fleet = Fleet::new();
    let (mut one, mut other) = (fleet.program("one"), fleet.program("other"));
    one.tell("error before");
    one.tell("flush");
    assert_eq!(told(&fleet), ["ERROR: before"]);
    let silence = fleet.json(&["silence", "--message", "migration", "--for", "25s", "--why", "a migration"]);
    assert_eq!(silence["what"], "\"migration\"");
    // Nobody of them had time to learn of it: the fleet does not tell it all the same.
    one.tell("error the migration is at work");
    eventually("both know", || knows(&fleet, "one") && knows(&fleet, "other"));
    one.tell("error a migration is at work");
    other.tell("error a migration is at work");
    other.tell("error payment failed");
    other.tell("flush");
    one.tell("wait 3");
    assert_eq!(told(&fleet), ["ERROR: before", "ERROR: payment failed"]);
    assert_eq!((held(&fleet, "one"), held(&fleet, "other")), (Some(1), Some(1)));
    eventually("the fleet counts both", || fleet.json(&["silences"])[0]["held"] == 2);
    eventually("the end is told", || told(&fleet).len() > 2);
    std::thread::sleep(std::time::Duration::from_secs(1));
    let told = told(&fleet);
    let text = told[2..].join("\n");
    assert!(text.contains("silenced for 25s: \"migration\""), "{told:?}");
    assert_eq!(text.matches("silenced for").count(), 1, "{told:?}");
    one.end();
    other.end();
}

#[test]
fn one_that_a_program_begins_is_one_of_all_and_ends_for_all_wherever_it_is_ended() {
    let fleet = Fleet::new();
    let (mut one, mut other) = (fleet.program("one"), fleet.program("other"));
    one.tell("silence migration");
    eventually("the fleet knows", || fleet.json(&["stats"])["silences"] == 1);
    eventually("the other knows", || knows(&fleet, "other"));
    other.tell("error the migration is at work");
    other.tell("wait 1");
    eventually("it is counted", || fleet.json(&["silences"])[0]["held"] == 1);
    assert_eq!(told(&fleet), [""; 0]);
    // By the command on the fleet.
    assert_eq!(fleet.json(&["unsilence", "--all"])["ended"], 1);
    eventually("it is told", || told(&fleet).len() == 1);
    eventually("both know", || !knows(&fleet, "one") && !knows(&fleet, "other"));

    // By a program that did not begin it.
    fleet.json(&["silence", "--message", "payment", "--for", "2h"]);
    eventually("both know", || knows(&fleet, "one") && knows(&fleet, "other"));
    one.tell("error payment failed");
    one.tell("wait 1");
    other.tell("unsilence payment");
    eventually("it is told", || told(&fleet).len() == 2);
    eventually("the first knows", || !knows(&fleet, "one"));
    assert_eq!(fleet.json(&["stats"])["silences"], 0);
    one.end();
    other.end();
}

#[test]
fn what_is_open_when_it_begins_is_put_off() {
    let mut fleet = Fleet::new();
    fleet.stage.set("ALERT_SETTLE", "10s");
    let mut one = fleet.program("one");
    one.tell("error the migration is at work");
    one.tell("wait 1");
    eventually("the fleet has it", || fleet.json(&["list"])[0]["count"] == 1);
    let id = fleet.json(&["list"])[0]["id"].as_str().unwrap().to_owned();
    let silence = fleet.json(&["silence", &id, "--for", "2h"]);
    std::thread::sleep(std::time::Duration::from_secs(12));
    assert_eq!(told(&fleet), [""; 0]);
    assert_eq!(fleet.json(&["unsilence", silence["id"].as_str().unwrap()])["ended"], 1);
    eventually("it is told", || told(&fleet).len() == 1);
    one.end();
}
