//! How a fleet begins: who makes its tables, and who may not.

use crate::{
    cluster::{Cluster, shared},
    instances::{Fleet, in_the_end},
};

/// How many processes begin at once.
const STARTS: usize = 90;

#[test]
fn ninety_processes_begin_on_an_empty_schema_and_none_complains() {
    let cluster = Cluster::start();
    for _ in 0..2 {
        let fleet = Fleet::on(&cluster);
        let instances = fleet.start_all(STARTS);
        in_the_end("all were seen", || fleet.seen() == Some(STARTS as u64));
        assert_eq!(fleet.rows("SELECT count(*) FROM meta"), ["1"]);
        for instance in &instances {
            assert_eq!(instance.said(), [""; 0]);
        }
    }
}

/// A first instance of the fleet comes and goes.
fn makes_the_tables(fleet: &Fleet) {
    let first = fleet.start(0);
    in_the_end("the tables are there", || fleet.counted().is_some());
    first.ends();
}

/// One that cannot use the fleet's store says so in one line with these words, and alerts by
/// itself.
pub(crate) fn is_alone(fleet: &Fleet, words: &[&str]) {
    let mut instance = fleet.start(0);
    instance.errs(1);
    // Who knows of no others leaves the mail to them for a while.
    fleet.harness.provider.wait_longer_for(1, 0, crate::instances::LONG);
    let said = instance.said();
    assert_eq!(said.len(), 1, "{said:?}");
    for word in words {
        assert!(said[0].contains(word), "{word:?} is not in {said:?}");
    }
    assert!(!said[0].contains("postgres://"), "the URL is shown: {said:?}");
}

#[test]
fn a_role_that_may_make_nothing_is_told_what_it_needs_and_then_finds_the_tables() {
    let cluster = Cluster::start();
    cluster.admin("CREATE ROLE reader LOGIN");
    let url = cluster.url().replace("alerts@", "reader@");
    let fleet = Fleet::by(&cluster, url.clone());
    is_alone(&fleet, &["CREATE SCHEMA", &fleet.schema]);

    // Tables that it may not see are not taken for another program's.
    let hidden = Fleet::on(&cluster);
    makes_the_tables(&hidden);
    hidden.lose_disk(0);
    is_alone(&hidden.reached_by(url.clone()), &["permission denied for schema"]);

    // Somebody else makes them, and gives it no more than it needs.
    let fleet = Fleet::on(&cluster);
    makes_the_tables(&fleet);
    let schema = &fleet.schema;
    cluster.admin(&format!(
        "GRANT USAGE ON SCHEMA {schema} TO reader;
         GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO reader;
         GRANT USAGE ON ALL SEQUENCES IN SCHEMA {schema} TO reader"
    ));
    let fleet = fleet.reached_by(url);
    let mut instance = fleet.start(1);
    instance.errs(1);
    in_the_end("it is counted there", || fleet.counted() == Some(1));
    fleet.harness.provider.wait_for(1, 1);
    assert_eq!(instance.said(), [""; 0]);
}

#[test]
fn a_schema_that_a_newer_version_has_to_itself_is_not_written_to() {
    let fleet = Fleet::on(shared());
    makes_the_tables(&fleet);
    fleet.rows("UPDATE meta SET needed = 1000000");
    fleet.lose_disk(0);
    is_alone(&fleet, &["newer version", &fleet.schema]);
    assert_eq!(fleet.counted(), Some(0));
}

#[test]
fn a_schema_of_another_program_is_not_written_to() {
    let fleet = Fleet::on(shared());
    makes_the_tables(&fleet);
    fleet.lose_disk(0);
    let fleet = fleet.with("ALERT_APP_NAME", "OtherApp");
    is_alone(&fleet, &["MyApp", "OtherApp", "ALERT_FLEET_SCHEMA"]);
    assert_eq!(fleet.counted(), Some(0));
}

#[test]
fn an_older_version_works_on_while_a_newer_one_adds_to_the_schema() {
    let fleet = Fleet::on(shared()).with("ALERT_SMS_WINDOW", "0s").with("ALERT_EMAIL_WINDOW", "0s");
    let (mut one, mut other) = (fleet.start(0), fleet.start(1));
    one.errs(1);
    other.errs(1);
    in_the_end("both are counted", || fleet.counted() == Some(2));
    fleet.harness.provider.wait_for(1, 1);

    // What a newer version may do: columns, tables, fields and kinds of incidents of its own.
    for table in ["incident", "share", "standing", "account", "notice", "item", "delivery"] {
        fleet.rows(&format!(
            r#"ALTER TABLE {table} ADD COLUMN added text NOT NULL DEFAULT 'later';
               UPDATE {table} SET data = data || '{{"added": ["later"]}}'"#
        ));
    }
    fleet.rows(
        r#"CREATE TABLE added (incident_id bigint REFERENCES incident (id) ON DELETE CASCADE);
           INSERT INTO incident (id, data)
           SELECT id + 500, data || '{"about": "added", "public_id": "ZZZZ", "fingerprint": "00"}' FROM incident;
           UPDATE meta SET version = version + 1"#,
    );
    one.errs(1);
    one.ask("kind 7");
    other.errs(1);
    in_the_end("all are counted", || fleet.counted() == Some(5));
    fleet.harness.provider.wait_for(2, 2);
    // A pod that comes now is of the older version, too.
    let mut third = fleet.start(2);
    third.errs(1);
    in_the_end("all are counted", || fleet.counted() == Some(6));
    for instance in [one, other, third] {
        assert_eq!(instance.said(), [""; 0]);
    }
}

#[test]
fn an_instance_says_whom_its_settings_name() {
    let fleet = Fleet::on(shared());
    let mut instance = fleet.start(0);
    instance.errs(1);
    fleet.harness.provider.wait_for(1, 1);
    let names = "SELECT count(*), bool_and(targets @> jsonb_build_array(jsonb_build_array(sink, recipient)))
                   FROM account CROSS JOIN instance";
    in_the_end("it names both whom it told", || fleet.rows(names) == ["2|t"]);
    assert_eq!(instance.said(), [""; 0]);
}
