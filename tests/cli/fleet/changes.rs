//! What the command changes in a fleet.

use super::Fleet;
use crate::stage::{PHONE, eventually};

/// A fleet of which one instance was refused an SMS as it stands.
fn refused(code: u32) -> Fleet {
    let fleet = Fleet::new();
    let body = format!(r#"{{"code":{code},"message":"no"}}"#);
    fleet.stage.service.answers("POST /2010-04-01", 400, &body);
    let mut program = fleet.program("one");
    program.tell("error payment failed");
    eventually("it is dead", || fleet.json(&["list"])[0]["messages"][0]["state"] == "dead");
    program.end();
    fleet.stage.service.is_well();
    fleet
}

fn events(fleet: &Fleet) -> [u64; 3] {
    let events = fleet.json(&["stats"])["events"].clone();
    [&events["reported"], &events["pending"], &events["dead"]].map(|it| it.as_u64().unwrap())
}

#[test]
fn what_failed_is_attempted_again_by_any_instance_and_its_events_are_reported() {
    let fleet = refused(21617);
    let id = fleet.json(&["list"])[0]["id"].as_str().unwrap().to_owned();
    assert_eq!(events(&fleet), [0, 0, 1]);
    let ran = fleet.run(&["retry", &id]);
    assert!(ran.is_well && ran.line(&id).contains("due now; it is taken when an instance"), "{ran:?}");
    assert_eq!(events(&fleet), [0, 1, 0]);
    let other = fleet.program("other");
    eventually("it is delivered", || events(&fleet) == [1, 0, 0]);
    assert!(fleet.run(&["retry", &id]).line(&id).contains("left alone"));
    assert!(!fleet.run(&["retry", "ZZZZ"]).is_well);
    other.end();
}

#[test]
fn a_recipient_who_was_refused_is_allowed_again_and_what_is_settled_goes() {
    let fleet = refused(21610);
    assert!(fleet.run(&["stats"]).line("refused for good").contains(PHONE));
    assert!(!fleet.run(&["allow", "+19995550000"]).is_well);
    assert!(fleet.run(&["allow", PHONE]).is_well);
    assert_eq!(fleet.json(&["stats"])["refused"], serde_json::json!([]));

    // As if all of it had ended, and more was told since.
    let mut program = fleet.program("one");
    program.tell("stock nothing is left");
    program.tell("flush");
    eventually("it is told", || {
        let list = fleet.json(&["list"]);
        list.as_array().unwrap().iter().any(|it| it["messages"][0]["state"] == "delivered")
    });
    program.end();
    fleet.admin(
        "UPDATE incident SET data = data || jsonb_build_object('closed_at', (data ->> 'opened_at')::bigint);
         UPDATE standing SET data = data || '{\"due_at\": null}';
         UPDATE delivery SET data = data || '{\"ask_at\": null}'; UPDATE dead_told SET data = data || '{\"count\": 0}'",
    );
    let purged = fleet.json(&["purge"]);
    assert!(purged["messages"].as_u64() >= Some(1) && purged["incidents"].as_u64() >= Some(1), "{purged}");
    let list = fleet.json(&["list"]);
    assert!(!list.to_string().contains("payment failed"), "{list:#}");
    assert_eq!(fleet.json(&["purge"]), serde_json::json!({ "messages": 0, "incidents": 0 }));
}
