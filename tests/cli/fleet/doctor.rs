//! What `doctor` finds wrong with a fleet's store, and the mend.

use serde_json::Value;

use super::{Fleet, Keeper};

/// What it finds of the fleet, by what it is: how it went, what it says and the mend.
fn found(fleet: &Fleet) -> Vec<(String, String, String)> {
    let ran = fleet.run(&["doctor", "--json"]);
    let all: Vec<Value> = serde_json::from_str(&ran.text).unwrap_or_else(|error| panic!("{error}: {ran:?}"));
    let text = |it: &Value, key: &str| it[key].as_str().unwrap_or_default().to_owned();
    all.iter()
        .filter(|it| it["of"] == "fleet")
        .map(|it| {
            (text(it, "what"), text(it, "verdict"), format!("{} → {}", text(it, "says"), text(it, "mend")))
        })
        .collect()
}

/// Finds of `what` that it went so, with these words.
fn assert_finds(fleet: &Fleet, what: &str, verdict: &str, words: &[&str]) {
    let found = found(fleet);
    let is_meant = |(of, went, says): &(String, String, String)| {
        of == what && went == verdict && words.iter().all(|word| says.contains(word))
    };
    assert!(found.iter().any(is_meant), "no {verdict} {what} with {words:?} in {found:#?}");
}

#[test]
fn all_is_well_with_a_fleet_that_works() {
    let fleet = Fleet::new();
    let (one, other) = (fleet.program("one"), fleet.program("other"));
    let ran = fleet.run(&["doctor"]);
    for line in [
        "✓ fleet name resolution: 127.0.0.1",
        "✓ fleet connection: 127.0.0.1:",
        "✓ fleet TLS: not needed: it is on this machine",
        "✓ fleet credentials: the role alerts may use the database postgres",
        "✓ fleet server: PostgreSQL ",
        "✓ fleet connections: the role has ",
        "✓ fleet clock: this machine's and the server's agree",
        &format!("✓ fleet schema: {} is that of shop, of version 1", fleet.schema()),
        "✓ fleet rights: the role may read and write all of its tables",
        "✓ fleet instances: 2 are seen",
    ] {
        assert!(ran.text.contains(line), "{line} is not in {}", ran.text);
    }
    assert!(!ran.text.contains("✗ fleet") && !ran.text.contains(" file "), "{}", ran.text);
    assert!(!ran.text.contains("pooler"), "{}", ran.text);
    // The settings name it: it is examined beside the file.
    let also = fleet.stage.run(&["doctor"]);
    assert!(also.text.contains("✓ fleet schema") && also.text.contains(" file open"), "{}", also.text);
    one.end();
    other.end();
}

#[test]
fn each_fault_is_found_with_its_mend() {
    let mut fleet = Fleet::new();
    let url = fleet.stage.settings.iter().find(|(name, _)| *name == "ALERT_FLEET").unwrap().1.clone();
    assert_finds(&fleet, "schema", "bad", &["has no tables", "start a program"]);
    fleet.admin("REVOKE CREATE ON DATABASE postgres FROM alerts");
    assert_finds(&fleet, "schema", "bad", &["has no tables", "CREATE SCHEMA", "AUTHORIZATION"]);
    fleet.admin("GRANT CREATE ON DATABASE postgres TO alerts");
    fleet.program("one").end();

    let schema = fleet.schema().to_owned();
    fleet.admin(&format!(
        "ALTER TABLE {schema}.silence OWNER TO postgres; REVOKE ALL ON {schema}.silence FROM alerts"
    ));
    assert_finds(&fleet, "rights", "bad", &["1 of its tables, like silence", "GRANT SELECT, INSERT"]);
    fleet.admin(&format!(
        "ALTER TABLE {schema}.silence OWNER TO alerts; GRANT ALL ON {schema}.silence TO alerts"
    ));
    fleet.admin("ALTER ROLE alerts CONNECTION LIMIT -1");
    assert_finds(
        &fleet,
        "connections",
        "warning",
        &["no limit", "all 110", "ALTER ROLE alerts CONNECTION LIMIT"],
    );
    fleet.admin("ALTER ROLE alerts CONNECTION LIMIT 1");
    assert_finds(&fleet, "connections", "bad", &["1 of the 1"]);
    fleet.admin("ALTER ROLE alerts CONNECTION LIMIT 0");
    assert_finds(&fleet, "connections", "bad", &["too many connections", "raise the limit"]);
    fleet.admin("ALTER ROLE alerts SUPERUSER CONNECTION LIMIT 20");
    assert_finds(&fleet, "connections", "warning", &["superuser", "a role of its own"]);
    fleet.admin("ALTER ROLE alerts NOSUPERUSER; ALTER ROLE alerts SET default_transaction_read_only = on");
    assert_finds(&fleet, "writes", "bad", &["read-only", "primary"]);
    fleet.admin("ALTER ROLE alerts RESET ALL");

    for (name, value, what, words) in [
        ("ALERT_APP_NAME", "other".to_owned(), "schema", &["is that of shop", "ALERT_FLEET_SCHEMA"][..]),
        ("ALERT_FLEET", url.replace("nobody", "somebody"), "credentials", &["password", "pg_hba.conf"]),
        ("ALERT_FLEET", url.replace("/postgres", "/nothing"), "credentials", &["\"nothing\"", "database"]),
        ("ALERT_FLEET", url.replace(&fleet.port().to_string(), "1"), "connection", &["refused", "firewall"]),
        (
            "ALERT_FLEET",
            url.replace("127.0.0.1", "no-such-host.invalid"),
            "name resolution",
            &["no address", "DNS"],
        ),
        ("ALERT_FLEET", format!("{url}?sslmode=require"), "TLS", &["certificate"]),
        ("ALERT_FLEET", String::new(), "settings", &["ALERT_FLEET is not set"]),
    ] {
        let known = fleet.stage.settings.clone();
        fleet.stage.set(name, &value);
        assert_finds(&fleet, what, "bad", words);
        fleet.stage.settings = known;
    }
    fleet.admin("UPDATE meta SET needed = 9");
    assert_finds(&fleet, "schema", "bad", &["newer version"]);
}

#[test]
fn a_pooler_is_noticed() {
    let mut fleet = Fleet::new();
    fleet.program("one").end();
    // It has a list of users without passwords.
    fleet.admin("REVOKE with_password FROM alerts");
    let bouncer =
        Keeper::start("bouncer", &[fleet.port().to_string()]).unwrap_or_else(|error| panic!("{error}"));
    fleet.stage.set("ALERT_FLEET", &format!("postgres://alerts@127.0.0.1:{}/postgres", bouncer.port));
    assert_finds(&fleet, "pooler", "good", &["one is between"]);
    assert!(fleet.run(&["list"]).is_well);
}
