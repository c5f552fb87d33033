//! The rows about webhooks and the heartbeat, in a program with them and in one without.

use super::{
    Row,
    Wants::{Is, Refused},
};

#[cfg(feature = "webhook")]
#[rustfmt::skip]
pub(super) const WEBHOOKS: &[Row] = &[
    ("ALERT_WEBHOOK", "ops=http://127.0.0.1:1/hook", Is("webhook:ops ops trace 120s")),
    ("ALERT_WEBHOOK", "ops=slack+http://127.0.0.1:1/a?b=c,dev = 'http://[::1]:1/d'\n", Is("webhook:ops ops trace 120s webhook:dev dev")),
    ("ALERT_WEBHOOK", "ops=http://127.0.0.1:1/a\ndev=http://127.0.0.1:1/b", Is("webhook:dev dev")),
    ("ALERT_WEBHOOK", "http://127.0.0.1:1/hidden", Refused(&["entry 1 has no label", "that entry is ignored", "ALERT_WEBHOOK=ops=https://"])),
    ("ALERT_WEBHOOK", "http://127.0.0.1:1/hidden?a=b", Refused(&["entry 1 has no label"])),
    ("ALERT_WEBHOOK", "ops=http://127.0.0.1:1/a,dev=", Refused(&[r#"entry 2 "dev" has no URL"#])),
    ("ALERT_WEBHOOK", "ops=$SLACK_URL", Refused(&[r#"entry 1 "ops""#, "that was not filled in"])),
    ("ALERT_WEBHOOK", "ops=slak+https://example.com/hidden", Refused(&[r#"the URL of "ops" has an unknown prefix"#, "slack", "this webhook is off"])),
    ("ALERT_WEBHOOK", "ops=http://example.com/hidden", Refused(&["is http to another host", "ALERT_ALLOW_HTTP=on"])),
    ("ALERT_WEBHOOK", "a=http://127.0.0.1:1/a,a=http://127.0.0.1:1/b", Refused(&["there is another sink with the name \"webhook:a\""])),
    ("ALERT_WEBHOOK_FILE", "/run/secrets/hook", Refused(&["does not exist"])),
    ("ALERT_WEBHOOK_SECRET", "a shared secret", Is("webhook:ops")),
    ("ALERT_WEBHOOK_SECRET", "whsec_no base 64", Refused(&["begins with whsec_", "this webhook is off"])),
    ("ALERT_WEBHOOK_SECRET", "changeme", Refused(&["was not filled in"])),
    ("ALERT_WEBHOOK_LEVEL", "warn", Is("webhook:ops ops warn 120s")),
    ("ALERT_WEBHOOK_LEVEL", "off", Is("")),
    ("ALERT_WEBHOOK_LEVEL", "fatal", Refused(&["did you mean error?", "that of ALERT_LEVEL is used"])),
    ("ALERT_WEBHOOK_WINDOW", "10s", Is("webhook:ops ops trace 10s")),
    ("ALERT_WEBHOOK_WINDOW", "2h", Refused(&["longer than", "2m is used"])),
    ("ALERT_WEBHOOK_BUDGET", "off", Is("none")),
    ("ALERT_WEBHOOK_BUDGET", "0,1m,5", Refused(&["no message at all", "the default is used"])),
    ("ALERT_WEBHOOK_RESOLVE", "off", Is("webhook:ops")),
    ("ALERT_WEBHOOK_RESOLVE", "never", Refused(&["`on` or `off`", "did you mean off?", "on is used"])),
    ("ALERT_HEARTBEAT_URL", "http://127.0.0.1:1/{host}", Is("every 300s")),
    ("ALERT_HEARTBEAT_URL", "hc-ping.com/hidden", Refused(&["is not a URL of https", "there is no heartbeat"])),
    ("ALERT_HEARTBEAT_URL", "http://example.com/hidden", Refused(&["is http to another host", "there is no heartbeat"])),
    ("ALERT_HEARTBEAT_URL", "<url>", Refused(&["was not filled in"])),
    ("ALERT_HEARTBEAT_EVERY", "90s", Is("every 90s")),
    ("ALERT_HEARTBEAT_EVERY", "5", Refused(&["has no unit", "5m is used"])),
    ("ALERT_HEARTBEAT_EVERY", "100ms", Refused(&["100ms is not between 1s and 24h", "5m is used"])),
];

#[cfg(not(feature = "webhook"))]
#[rustfmt::skip]
pub(super) const WEBHOOKS: &[Row] = &[
    ("ALERT_WEBHOOK", "ops=http://127.0.0.1:1/hidden", Refused(&["needs the feature webhook", "webhooks are off", "features = [\"webhook\"]"])),
    ("ALERT_HEARTBEAT_URL", "http://127.0.0.1:1/hidden", Refused(&["needs the feature webhook", "there is no heartbeat"])),
    ("ALERT_WEBHOOK_SECRET", "a shared secret", Is("")),
    ("ALERT_WEBHOOK_LEVEL", "warn", Is("")),
    ("ALERT_WEBHOOK_WINDOW", "10s", Is("")),
    ("ALERT_WEBHOOK_BUDGET", "5", Refused(&["messages at once, a duration, messages a day"])),
    ("ALERT_WEBHOOK_RESOLVE", "off", Is("")),
    ("ALERT_HEARTBEAT_EVERY", "90s", Is("")),
];
