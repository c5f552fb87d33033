//! A fleet that the command does not work on: it says why, and changes nothing.

use super::Fleet;
use crate::stage::Ran;

/// What it says of a command that asks and of one that would change something.
fn refusals(fleet: &Fleet) -> [String; 2] {
    [&["list"][..], &["silence", "--message", "x", "--for", "1h"]].map(|arguments| {
        let ran = fleet.run(arguments);
        assert!(!ran.is_well && ran.text.is_empty(), "{ran:?}");
        ran.errors
    })
}

fn assert_says(fleet: &Fleet, parts: &[&str]) {
    for said in refusals(fleet) {
        assert!(parts.iter().all(|part| said.contains(part)), "{parts:?}: {said}");
    }
}

#[test]
fn what_is_not_set_wrong_or_not_there_is_said() {
    let mut fleet = Fleet::new();
    let url = fleet.stage.settings.iter().find(|(name, _)| *name == "ALERT_FLEET").unwrap().1.clone();
    assert_says(&fleet, &["the fleet's store: ", fleet.schema(), "has no tables of tracing-alert"]);
    let schemas = "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'alerts%'";
    assert_eq!(fleet.admin(schemas), ["0"], "none is made");

    fleet.stage.set("ALERT_FLEET", "");
    assert_says(&fleet, &["ALERT_FLEET is not set"]);
    fleet.stage.set("ALERT_FLEET", "mysql://alerts:fleet-password-nobody-may-see@db/x");
    assert_says(&fleet, &["ALERT_FLEET", "postgres://".trim_end_matches("://")]);
    fleet.stage.set("ALERT_FLEET", &url.replace(&fleet.port().to_string(), "1"));
    assert_says(&fleet, &["refused"]);
    fleet.stage.set("ALERT_FLEET", &url.replace("nobody", "somebody"));
    assert_says(&fleet, &["password authentication failed"]);

    // As Kubernetes has it, in a file; and a file of variables has more.
    fleet.stage.set("ALERT_FLEET", "");
    let (secret, variables) = (fleet.stage.directory().join("url"), fleet.stage.directory().join("env"));
    std::fs::write(&secret, &url).unwrap();
    std::fs::write(&variables, format!("ALERT_FLEET_FILE={}\n", secret.display())).unwrap();
    let said = fleet.run(&["list", "--env-file", variables.to_str().unwrap()]).errors;
    assert!(said.contains("has no tables of tracing-alert"), "{said}");
    let both = Ran::of(fleet.command(&["list", "--database", "x.db"]).output().unwrap());
    assert!(!both.is_well && both.errors.contains("cannot be used with"), "{both:?}");
}

#[test]
fn another_programs_schema_and_a_newer_one_are_left_alone() {
    let mut fleet = Fleet::new();
    fleet.program("one").end();
    assert!(fleet.run(&["list"]).is_well);
    fleet.stage.set("ALERT_APP_NAME", "other");
    assert_says(&fleet, &["is that of shop, and this is other"]);
    assert!(fleet.run(&["list", "--app", "shop"]).is_well);
    fleet.stage.set("ALERT_APP_NAME", "");
    assert!(fleet.run(&["list"]).is_well, "whoever does not say takes what is there");
    fleet.admin("UPDATE meta SET needed = 9");
    assert_says(&fleet, &["a newer version of tracing-alert"]);
}
