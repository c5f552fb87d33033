//! The rows about the store that instances share, in a program with PostgreSQL and in one
//! without.

use super::{
    Row,
    Wants::{Is, Refused},
};

#[cfg(feature = "postgres")]
#[rustfmt::skip]
pub(super) const FLEET: &[Row] = &[
    ("ALERT_FLEET", "postgres://alerts:hidden@localhost/mydb", Is("tracing_alert None")),
    ("ALERT_FLEET", "postgresql:///mydb?host=/var/run/postgresql", Is("tracing_alert None")),
    ("ALERT_FLEET", "postgres://alerts:hidden@db.example.com/mydb?sslmode=disable", Refused(&["lets anybody on the way read", "this instance alerts by itself", "sslmode=verify-full"])),
    ("ALERT_FLEET", "postgres://alerts:hid/hidden@localhost/mydb", Refused(&["is not a URL", "percent-encoding"])),
    ("ALERT_FLEET", "mysql://alerts:hidden@localhost/mydb", Refused(&["begins with postgres://", "this instance alerts by itself"])),
    ("ALERT_FLEET", "postgres:///hidden", Refused(&["names no host", "?host="])),
    ("ALERT_FLEET", "$DATABASE_URL", Refused(&["was not filled in"])),
    ("ALERT_FLEET_FILE", "/run/secrets/fleet", Refused(&["does not exist"])),
    ("ALERT_FLEET_SCHEMA", "shop_alerts2", Is("shop_alerts2 None")),
    ("ALERT_FLEET_SCHEMA", "Shop", Refused(&["\"Shop\" is not a name", "lower-case letters", "tracing_alert is used", "ALERT_FLEET_SCHEMA=tracing_alert"])),
    ("ALERT_FLEET_SCHEMA", "2shop", Refused(&["is not a name"])),
    ("ALERT_FLEET_SCHEMA", "a;drop", Refused(&["is not a name"])),
    ("ALERT_FLEET_SCHEMA", "s234567890123456789012345678901234567890123456789012345678901234", Refused(&["a value of 64 characters is not a name of 1 to 63"])),
    ("ALERT_FLEET_SCHEMA", "s23456789012345678901234567890123456789012345678901234567890123", Is("s234567890")),
    ("ALERT_FLEET_SCHEMA", "pg_alerts", Refused(&["is PostgreSQL's own", "tracing_alert is used"])),
    ("ALERT_FLEET_POLL", "5s", Is("tracing_alert Some(5s)")),
    ("ALERT_FLEET_POLL", "1h", Is("tracing_alert Some(3600s)")),
    ("ALERT_FLEET_POLL", "4s", Refused(&["4s is not between 5s and 1h", "the default pace is used"])),
    ("ALERT_FLEET_POLL", "61m", Refused(&["is not between 5s and 1h", "the default pace is used"])),
    ("ALERT_FLEET_POLL", "30", Refused(&["has no unit", "the default pace is used"])),
];

#[cfg(not(feature = "postgres"))]
#[rustfmt::skip]
pub(super) const FLEET: &[Row] = &[
    ("ALERT_FLEET", "postgres://alerts:hidden@localhost/mydb", Refused(&["needs the feature postgres", "each instance alerts by itself", "features = [\"postgres\"]"])),
    ("ALERT_FLEET_SCHEMA", "shop_alerts", Is("")),
    ("ALERT_FLEET_SCHEMA", "Shop", Refused(&["is not a name"])),
    ("ALERT_FLEET_POLL", "30s", Is("")),
    ("ALERT_FLEET_POLL", "1s", Refused(&["is not between"])),
];
