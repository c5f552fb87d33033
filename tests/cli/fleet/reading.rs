//! What the command shows of a fleet.

use super::Fleet;
use crate::stage::eventually;

#[test]
fn an_incident_of_two_instances_is_one_with_the_count_of_both() {
    let mut fleet = Fleet::new();
    fleet.stage.set("ALERT_VERSION", "1.4.2");
    let mut one = fleet.program("one");
    one.tell("error payment failed");
    one.tell("flush");
    fleet.stage.set("ALERT_VERSION", "1.4.3");
    let mut other = fleet.program("other");
    other.tell("error payment failed");
    other.tell("error payment failed");
    other.tell("flush");
    eventually("all is counted", || fleet.json(&["list"])[0]["count"] == 3);
    let list = fleet.json(&["list"]);
    assert_eq!(list.as_array().unwrap().len(), 1, "{list:#}");
    let spread = &list[0]["spread"];
    assert_eq!((&spread["instances"], &spread["of"]), (&2.into(), &2.into()), "{spread}");
    assert_eq!(spread["versions"], serde_json::json!([["1.4.2", 1], ["1.4.3", 2]]));
    assert_eq!(spread["hosts"][0][1], 3, "both are of one machine");

    let id = list[0]["id"].as_str().unwrap();
    let shown = fleet.run(&["show", id]);
    assert!(shown.is_well, "{shown:?}");
    assert!(shown.text.contains("open, 3 events"), "{}", shown.text);
    for said in ["2 of 2 instances", "1.4.2", "1.4.3"] {
        assert!(shown.text.contains(said), "{said}: {}", shown.text);
    }
    let stats = fleet.json(&["stats"]);
    assert_eq!((&stats["instances"], &stats["open_incidents"]), (&2.into(), &1.into()), "{stats:#}");
    let events = &stats["events"];
    let all: u64 = ["reported", "pending", "dead"].iter().map(|it| events[*it].as_u64().unwrap()).sum();
    assert_eq!(all, 3, "{events}");
    let said = fleet.run(&["stats"]).text;
    assert!(said.starts_with(&format!("the fleet's schema {}", fleet.schema())), "{said}");
    assert!(said.contains("2 instances seen, "), "{said}");

    let html = fleet.stage.directory().join("mail.html");
    assert!(fleet.run(&["show", id, "--html", html.to_str().unwrap()]).is_well);
    assert!(std::fs::read_to_string(html).unwrap().contains("payment failed"));
    // The file of one of them knows what that one counted.
    let file = fleet.stage.directory().join("one.db");
    let own = fleet.stage.json(&["list", "--database", file.to_str().unwrap()]);
    assert_eq!((&own[0]["count"], &own[0]["spread"]), (&1.into(), &serde_json::Value::Null));
    one.end();
    other.end();
}

#[test]
fn it_is_watched_until_the_command_is_interrupted() {
    use std::io::{BufRead, BufReader};

    let fleet = Fleet::new();
    let mut program = fleet.program("one");
    let mut watch = fleet.command(&["watch", "--every", "1s", "--json"]);
    let mut watch = watch.stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut looks = BufReader::new(watch.stdout.take().unwrap()).lines();
    let mut next = || serde_json::from_str::<serde_json::Value>(&looks.next().unwrap().unwrap()).unwrap();
    assert_eq!(next()["incidents"], serde_json::json!([]));
    program.tell("error payment failed");
    program.tell("flush");
    eventually("it is seen", || next()["incidents"][0]["count"] == 1);
    watch.kill().unwrap();
    watch.wait().unwrap();
    program.end();
}
