//! The rows of [`table`](super::table), by kind.

use super::table::Wants::{self, Hint, Is, Near, Nothing, Refused};

mod fleet;
mod webhooks;

pub(super) type Row = (&'static str, &'static str, Wants);

/// The rows that the code was written with.
pub(super) const KINDS: [(&str, &[Row]); 17] = [
    ("quotes", QUOTES),
    ("references", REFERENCES),
    ("blanks", BLANKS),
    ("phones", PHONES),
    ("addresses", ADDRESSES),
    ("levels", LEVELS),
    ("directives", DIRECTIVES),
    ("switches", SWITCHES),
    ("durations", DURATIONS),
    ("budgets", BUDGETS),
    ("names and lists", NAMES_AND_LISTS),
    ("paths", PATHS),
    ("credentials", CREDENTIALS),
    ("webhooks", webhooks::WEBHOOKS),
    ("a fleet", fleet::FLEET),
    ("near names", NEAR_NAMES),
    ("others' names", OTHERS),
];

/// The rows that were written when the code was done.
pub(super) const KEPT_BACK: [(&str, &[Row]); 1] = [("kept back", UNSEEN)];

#[rustfmt::skip]
const UNSEEN: &[Row] = &[
    ("ALERT_PHONE", "+1 206 555 0147 ext. 5", Refused(&["has letters"])),
    ("ALERT_PHONE", "+1_206_555_0147", Refused(&["a character that no number has"])),
    ("ALERT_PHONE", "+41 79 123 45 67 / +41 79 123 45 68", Refused(&["more than one +", "commas"])),
    ("ALERT_PHONE", "++41791234567", Refused(&["more than one +"])),
    ("ALERT_PHONE", "'+41 79 123 45 67'", Hint("+41791234567", &["quotation marks"])),
    ("ALERT_PHONE", "+41791234567\r\n+41791234568", Is("+41791234567 +41791234568")),
    ("ALERT_PHONE", "ops", Refused(&["has letters"])),
    ("ALERT_EMAIL", "ops@example,ops@example.com", Refused(&["no dot after the @"])),
    ("ALERT_EMAIL", "ops at example.com", Refused(&["has no @"])),
    ("ALERT_EMAIL", "<ops@example.com>", Refused(&["has < and >"])),
    ("ALERT_LEVEL", "Error;sqlx=off", Refused(&["commas"])),
    ("ALERT_LEVEL", "error,tower_http:off", Refused(&["tower_http=off"])),
    ("ALERT_LEVEL", "LevelFilter::WARN", Refused(&["did you mean warn?"])),
    ("ALERT_LEVEL", "inf", Refused(&["did you mean info?"])),
    ("ALERT_LEVEL", "disable", Refused(&["did you mean off?"])),
    ("ALERT_PANICS", "ture", Refused(&["did you mean on?"])),
    ("ALERT_PANICS", "'off'", Hint("false", &["quotation marks"])),
    ("ALERT_SMS_WINDOW", "2 mins", Is("120s")),
    ("ALERT_SMS_WINDOW", "120 000ms", Refused(&["is not a duration"])),
    ("ALERT_SMS_BUDGET", "3,10m,20,60", Refused(&["messages at once"])),
    ("ALERT_SMS_BUDGET", "3; 10m; 20", Refused(&["did you mean 3,10m,20?"])),
    ("ALERT_DATABASE", "file:alerts.db", Refused(&["is a URL, not a path"])),
    ("ALERT_DATABASE", "'~/my alerts.db'", Hint("/home/ann/my alerts.db", &["quotation marks"])),
    ("SENDGRID_API_KEY", "Bearer SG.x", Refused(&["SENDGRID_API_KEY", "e-mail is off"])),
    ("TWILIO_AUTH_TOKENS", "x", Nothing),
    ("ALERT_RECIPIENTS", "ops@example.com", Nothing),
    ("ALERT_APPLICATION_NAME", "Shop", Near(&["did you mean ALERT_APP_NAME?"])),
    ("ALERT_MINIMUM_LEVEL", "warn", Near(&["did you mean ALERT_LEVEL?"])),
    ("ALERT_SETTLE_TIME", "2s", Near(&["did you mean ALERT_SETTLE?"])),
    ("ALERT_GATEWAY_PORT_443_TCP_PROTO", "tcp", Nothing),
];

#[rustfmt::skip]
const QUOTES: &[Row] = &[
    ("ALERT_LEVEL", r#""warn""#, Hint("warn", &["quotation marks"])),
    ("ALERT_PHONE", r#""+41791234567""#, Hint("+41791234567", &["quotation marks"])),
    ("ALERT_PHONE", r#""+41791234567","+41791234568""#, Hint("+41791234567 +41791234568", &["quotation marks"])),
    ("ALERT_EMAIL", "'ops@example.com'", Hint("ops@example.com", &["quotation marks"])),
    ("ALERT_EMAIL", "“ops@example.com”", Hint("ops@example.com", &["quotation marks"])),
    ("SENDGRID_API_KEY", r#""SG.abcdefghijklmnopqrstuv.0123456789""#, Hint("sends", &["quotation marks", "write the value without them"])),
    ("ALERT_ENVIRONMENT", "'production'", Hint("production", &["quotation marks"])),
    ("ALERT_VERSION", r#""1.2.3""#, Hint("1.2.3", &["quotation marks"])),
    ("ALERT_DATABASE", r#""/var/lib/shop/alerts.db""#, Hint("/var/lib/shop/alerts.db", &["quotation marks"])),
    ("ALERT_APP_NAME", r#"" 'Shop' ""#, Hint("Shop", &["quotation marks"])),
    ("ALERT_DATABASE", r#""/var/lib/shop/alerts.db"#, Refused(&["quotation mark at one end", "leave it out", "the default file is used"])),
    ("TWILIO_AUTH_TOKEN", r#""fedcba9876543210"#, Refused(&["quotation mark at one end", "SMS is off"])),
    ("ALERT_APP_NAME", "Ann's", Is("Ann's")),
    ("ALERT_APP_NAME", r#"The "Shop""#, Is(r#"The "Shop""#)),
    ("ALERT_APP_NAME", "The “Shop”", Is("The “Shop”")),
    ("ALERT_APP_NAME", r#""Shop" of Ann"#, Is(r#""Shop" of Ann"#)),
    ("ALERT_APP_NAME", "Shop”", Refused(&["quotation mark at one end"])),
    ("ALERT_LEVEL", r#""error",'sqlx=warn'"#, Hint("error sqlx=warn", &["quotation marks"])),
    ("ALERT_LEVEL", r#"error, "sqlx=warn""#, Hint("error sqlx=warn", &["quotation marks"])),
    ("ALERT_LEVEL", r#"sqlx="warn""#, Refused(&["is not a level", "error is used"])),
    ("ALERT_APP_NAME", r#""""#, Is("")),
];

#[rustfmt::skip]
const REFERENCES: &[Row] = &[
    ("SENDGRID_API_KEY", "${SENDGRID_KEY}", Refused(&["not filled in", "e-mail is off"])),
    ("TWILIO_AUTH_TOKEN", "$TOKEN", Refused(&["not filled in", "SMS is off"])),
    ("TWILIO_AUTH_TOKEN", "<from console.twilio.com>", Refused(&["not filled in", "set it to the actual value"])),
    ("ALERT_PHONE", "{{ phone }}", Refused(&["not filled in", "SMS is off"])),
    ("ALERT_DATABASE", "%APPDATA%", Refused(&["not filled in", "the default file is used"])),
    ("ALERT_APP_NAME", "Cash $ Carry", Is("Cash $ Carry")),
    ("TWILIO_AUTH_TOKEN", "changeme", Refused(&["a placeholder that was not filled in", "SMS is off"])),
    ("SENDGRID_API_KEY", "Your-API-key-here", Refused(&["a placeholder that was not filled in", "e-mail is off"])),
    ("SENDGRID_API_KEY", "xxxxxxxxxxxx", Refused(&["a placeholder that was not filled in"])),
    ("TWILIO_ACCOUNT_SID", "***", Refused(&["a placeholder that was not filled in"])),
    ("ALERT_APP_NAME", "todo", Is("todo")),
    ("ALERT_ENVIRONMENT", "placeholder", Is("placeholder")),
];

#[rustfmt::skip]
const BLANKS: &[Row] = &[
    ("ALERT_LEVEL", " warn\r\n", Is("warn")),
    ("ALERT_PHONE", " +41791234567 , ", Is("+41791234567")),
    ("ALERT_EMAIL", "\u{feff}ops@example.com\u{200b}", Is("ops@example.com")),
    ("TWILIO_ACCOUNT_SID", " AC0123456789abcdef0123456789abcdef\r", Is("sends")),
    ("ALERT_SETTLE", "\t2s ", Is("2s")),
    ("ALERT_EMAIL", "ops@example.com\ndev@example.com\n", Is("ops@example.com dev@example.com")),
    ("ALERT_LEVEL", "   ", Is("error")),
];

#[rustfmt::skip]
const PHONES: &[Row] = &[
    ("ALERT_PHONE", "+1 206-555-0147", Is("+12065550147")),
    ("ALERT_PHONE", "+1 (206) 555.0147", Is("+12065550147")),
    ("ALERT_PHONE", "+49 151 / 123 456 78", Is("+4915112345678")),
    ("ALERT_PHONE", "\u{202a}+41\u{a0}79\u{2011}123\u{2011}45\u{2011}67\u{202c}", Is("+41791234567")),
    ("ALERT_PHONE", "+41 79 123 45 67, +41791234567", Is("+41791234567")),
    ("ALERT_PHONE", "0041791234567", Refused(&["begins with 00", "write + instead of 00", "SMS is off"])),
    ("ALERT_PHONE", "00 41 79 123 45 67", Refused(&["begins with 00"])),
    ("ALERT_PHONE", "011 41 79 123 45 67", Refused(&["begins with 011", "write + instead"])),
    ("ALERT_PHONE", "0791234567", Refused(&["begins with 0", "country code"])),
    ("ALERT_PHONE", "12065550147", Refused(&["does not begin with +", "country code"])),
    ("ALERT_PHONE", "+41791234567;+41791234568", Refused(&["has a semicolon", "separate numbers with commas"])),
    ("ALERT_PHONE", "+41791234567 +41791234568", Refused(&["more than one +", "separate numbers with commas"])),
    ("ALERT_PHONE", "+41791234567|+41791234568", Refused(&["separate numbers with commas"])),
    ("ALERT_PHONE", "[+41791234567]", Refused(&["has brackets"])),
    ("ALERT_PHONE", "+44 (0)20 7946 0958", Refused(&["(0)", "leave out"])),
    ("ALERT_PHONE", "+0791234567", Refused(&["a 0 after the +"])),
    ("ALERT_PHONE", "tel:+41791234567", Refused(&["has letters"])),
    ("ALERT_PHONE", "+1206555CALL", Refused(&["has letters"])),
    ("ALERT_PHONE", "+12065", Refused(&["has 5 digits", "7 to 15"])),
    ("ALERT_PHONE", "+1234567890123456", Refused(&["has 16 digits"])),
    ("ALERT_PHONE", "ops@example.com", Refused(&["is an e-mail address"])),
    ("ALERT_PHONE", "+٤١٧٩١٢٣٤٥٦٧", Refused(&["digits other than 0 to 9"])),
    ("ALERT_PHONE", "41+791234567", Refused(&["has a +"])),
    ("TWILIO_SENDER_NUMBER", "+1 (500) 555-0006", Is("sends")),
    ("TWILIO_SENDER_NUMBER", "0015005550006", Refused(&["is no sender", "begins with 00", "SMS is off"])),
    ("TWILIO_SENDER_NUMBER", "Shop", Is("sends")),
];

#[rustfmt::skip]
const ADDRESSES: &[Row] = &[
    ("ALERT_EMAIL", "a@example.com;b@example.com", Refused(&["has a semicolon", "separate addresses with commas"])),
    ("ALERT_EMAIL", "a@example.com b@example.com", Refused(&["more than one @", "commas"])),
    ("ALERT_EMAIL", "Ops <ops@example.com>", Refused(&["has < and >", "the address alone"])),
    ("ALERT_EMAIL", "mailto:ops@example.com", Refused(&["mailto:", "leave out"])),
    ("ALERT_EMAIL", "ops", Refused(&[r#""ops""#, "has no @"])),
    ("ALERT_EMAIL", "ops@example", Refused(&["no dot after the @"])),
    ("ALERT_EMAIL", "@example.com", Refused(&["nothing before the @"])),
    ("ALERT_EMAIL", "ops@exämple.com", Refused(&["outside of ASCII", "xn--"])),
    ("ALERT_EMAIL", "ops @example.com", Refused(&["has a space"])),
    ("ALERT_EMAIL", "ops@example.com.", Refused(&["ends with a dot"])),
    ("ALERT_EMAIL", r#"["ops@example.com"]"#, Refused(&["has "])),
    ("SENDGRID_SENDER_EMAIL", "alerts", Refused(&["is not an e-mail address"])),
];

#[rustfmt::skip]
const LEVELS: &[Row] = &[
    ("ALERT_LEVEL", "Warn", Is("warn")),
    ("ALERT_LEVEL", "WARNING", Refused(&[r#""WARNING" is not a level (error, warn, info, debug, trace or off)"#, "error is used", "did you mean warn?"])),
    ("ALERT_LEVEL", "err", Refused(&["did you mean error?"])),
    ("ALERT_LEVEL", "critical", Refused(&["did you mean error?"])),
    ("ALERT_LEVEL", "eror", Refused(&["did you mean error?"])),
    ("ALERT_LEVEL", ">=warn", Refused(&["did you mean warn?"])),
    ("ALERT_LEVEL", "none", Refused(&["did you mean off?"])),
    ("ALERT_LEVEL", "3", Refused(&["error, warn, info"])),
    ("ALERT_LEVEL", "warn # only warnings", Refused(&["comment"])),
    ("ALERT_SPAN_LEVEL", "information", Refused(&["did you mean info?", "info is used"])),
    ("ALERT_BREADCRUMBS", "on", Refused(&["is not a level", "off is used"])),
    ("ALERT_BREADCRUMBS", "verbose", Refused(&["did you mean debug?"])),
    ("ALERT_SMS_LEVEL", "fatal", Refused(&["did you mean error?", "that of ALERT_LEVEL is used"])),
    ("ALERT_EMAIL_LEVEL", "never", Refused(&["did you mean off?"])),
    ("ALERT_EMAIL_LEVEL", "off", Is("off")),
    ("ALERT_SMS_LEVEL", "error", Is("error")),
];

#[rustfmt::skip]
const DIRECTIVES: &[Row] = &[
    ("ALERT_LEVEL", "error,tower_http=off,sqlx=warn", Is("error sqlx=warn tower_http=off")),
    ("ALERT_LEVEL", "sqlx::query = WARN , warn", Is("warn sqlx::query=warn")),
    ("ALERT_LEVEL", "my-crate=info", Is("error my-crate=info")),
    ("ALERT_LEVEL", "error,sqlx=warning", Refused(&[r#""warning" is not a level"#, "that entry is ignored", "did you mean warn?"])),
    ("ALERT_LEVEL", "error,sqlx", Refused(&[r#""sqlx" is not a level"#, "`sqlx=warn`"])),
    ("ALERT_LEVEL", "error,=warn", Refused(&["is not a target"])),
    ("ALERT_LEVEL", "error,sqlx[{id}]=warn", Refused(&["is not a target"])),
    ("ALERT_LEVEL", "error,warn", Refused(&["second level"])),
    ("ALERT_LEVEL", "error,sqlx=", Refused(&["is not a level"])),
];

#[rustfmt::skip]
const SWITCHES: &[Row] = &[
    ("ALERT_PANICS", "yes", Is("true")),
    ("ALERT_ALLOW_HTTP", "perhaps", Refused(&["is not `on` or `off`", "off is used"])),
    ("ALERT_PANICS", "1", Is("true")),
    ("ALERT_PANICS", "No", Is("false")),
    ("ALERT_PANICS", "0", Is("false")),
    ("ALERT_PANICS", "enabled", Refused(&["`on` or `off`", "did you mean on?", "on is used"])),
    ("ALERT_PANICS", "none", Refused(&["did you mean off?"])),
    ("ALERT_REDACTION", "disable", Refused(&["did you mean off?"])),
    ("ALERT_REDACTION", "maybe", Refused(&["`on` or `off`", "ALERT_REDACTION=on"])),
    ("ALERT_REDACTION", "off", Is("is_on: false")),
    ("ALERT_CRASH_LOOPS", "off", Is("false")),
    ("ALERT_CRASH_LOOPS", "never", Refused(&["`on` or `off`", "did you mean off?", "on is used"])),
    ("ALERT_SMS_FIELDS", "off", Is("tells_fields: false")),
    ("ALERT_SMS_FIELDS", "none", Refused(&["`on` or `off`", "did you mean off?", "on is used"])),
];

#[rustfmt::skip]
const DURATIONS: &[Row] = &[
    ("ALERT_SETTLE", "90", Refused(&[r#""90" has no unit"#, "1s is used", "did you mean 90s?"])),
    ("ALERT_SMS_WINDOW", "5", Refused(&["has no unit", "2m is used"])),
    ("ALERT_SMS_WINDOW", "1 min", Is("60s")),
    ("ALERT_SMS_WINDOW", "2 minutes", Is("120s")),
    ("ALERT_SMS_WINDOW", "1m30s", Is("90s")),
    ("ALERT_SMS_WINDOW", "5M", Refused(&["did you mean 5m?"])),
    ("ALERT_SETTLE", "1,5s", Is("1.5s")),
    ("ALERT_SETTLE", "-2s", Refused(&["negative"])),
    ("ALERT_SETTLE", "soon", Refused(&["500ms, 90s, 5m or 1h"])),
    ("ALERT_SETTLE", "2m", Refused(&["longer than 1m"])),
    ("ALERT_EMAIL_WINDOW", "2h", Refused(&["longer than", "5m is used"])),
    ("ALERT_EMAIL_WINDOW", "1h", Is("3600s")),
];

#[rustfmt::skip]
const BUDGETS: &[Row] = &[
    ("ALERT_SMS_BUDGET", "3, 10m, 20", Is("3 600s 20")),
    ("ALERT_SMS_BUDGET", "no", Is("none")),
    ("ALERT_SMS_BUDGET", "3/10m/20", Refused(&["did you mean 3,10m,20?", "3,10m,20 is used"])),
    ("ALERT_SMS_BUDGET", "3,10,20", Refused(&["second part", "has no unit", "did you mean 10s?"])),
    ("ALERT_SMS_BUDGET", "three,10m,20", Refused(&["first part", "is not a number"])),
    ("ALERT_EMAIL_BUDGET", "unlimited", Refused(&["did you mean off?"])),
    ("ALERT_EMAIL_BUDGET", "0,1m,5", Refused(&["no message at all"])),
    ("ALERT_SMS_SEGMENTS", "120", Is("Some(120)")),
    ("ALERT_SMS_SEGMENTS", "off", Is("None")),
    ("ALERT_SMS_SEGMENTS", "none", Refused(&["a number of segments a day", "did you mean off?", "60 is used"])),
    ("ALERT_SMS_SEGMENTS", "3", Refused(&["3 a day are too few", "60 is used"])),
    ("ALERT_SMS_SEGMENTS", "0", Refused(&["too few"])),
    ("ALERT_EMAIL_BUDGET", "5", Refused(&["messages at once, a duration, messages a day", "ALERT_EMAIL_BUDGET=10,1m,200"])),
];

#[rustfmt::skip]
const NAMES_AND_LISTS: &[Row] = &[
    ("ALERT_APP_NAME", "My\nApp", Refused(&["control characters", "it is ignored"])),
    ("ALERT_ENVIRONMENT", "staging", Is("staging")),
    ("ALERT_VERSION", "v1.2.3-rc.1+build 7", Is("v1.2.3-rc.1+build 7")),
    ("ALERT_VERSION", "1.2\t3", Refused(&["control characters", "ALERT_VERSION=1.2.3"])),
    ("ALERT_LINK_LOGS", "https://logs.example.com/{app}?from={first_ms}", Is("Links(1)")),
    ("ALERT_LINK_SOURCE", "https://git.example.com/v{version}/{file}#L{line}", Is("Links(1)")),
    ("ALERT_LINK_TRACE", "https://{span:trace_id}.example.com/", Refused(&["a value in its host", "mails have no such link"])),
    ("ALERT_LINK_TRACE", "http://traces.example.com/", Refused(&["does not begin with https://"])),
    ("ALERT_LINK_LOGS", "https://logs.example.com/{ap}", Refused(&["no known name", "{first_ms}"])),
    ("ALERT_IGNORE", "3f9a0c1d2e4b5a67, 3F9A0C1D2E4B5A68", Is("the kind 3f9a0c1d2e4b5a67 the kind 3f9a0c1d2e4b5a68")),
    ("ALERT_IGNORE", "7K3Q", Refused(&["is not the code of a kind of event", "that entry is ignored", "as mails end with"])),
    ("ALERT_TIMEZONE", "Olympus", Refused(&["has no", "times are shown in UTC"])),
    ("ALERT_REDACT_FIELDS", "'plate','iban'", Hint(r#"["plate", "iban"]"#, &["quotation marks"])),
    ("ALERT_SAFE_FIELDS", "session,--", Refused(&["is not a field name"])),
];

#[rustfmt::skip]
const PATHS: &[Row] = &[
    ("ALERT_DATABASE", "~/alerts.db", Is("/home/ann/alerts.db")),
    ("ALERT_DATABASE", "~//alerts.db", Is("/home/ann/alerts.db")),
    ("ALERT_DATABASE", "~", Refused(&["~", "the default file is used", "write the whole path"])),
    ("ALERT_DATABASE", "~bob/alerts.db", Refused(&["~", "write the whole path"])),
    ("ALERT_DATABASE", "$HOME/alerts.db", Refused(&["$", "write the whole path"])),
    ("ALERT_DATABASE", "${HOME}/alerts.db", Refused(&["$", "write the whole path"])),
    ("ALERT_DATABASE", "/var/lib/${APP}/alerts.db", Refused(&["$", "write the whole path"])),
    ("ALERT_DATABASE", "/var/lib/app-${ENV}.db", Refused(&["$", "write the whole path"])),
    ("ALERT_DATABASE", "/var/lib/$APP/alerts.db", Refused(&["$", "write the whole path"])),
    ("ALERT_DATABASE", "$(pwd)/alerts.db", Refused(&["$", "write the whole path"])),
    ("ALERT_DATABASE", "{{ .Values.dir }}/alerts.db", Refused(&["{{", "write the whole path"])),
    ("ALERT_DATABASE", "/srv/a$b/cash$/alerts.db", Is("/srv/a$b/cash$/alerts.db")),
    ("ALERT_DATABASE", "/srv/$4/alerts.db", Is("/srv/$4/alerts.db")),
    ("ALERT_DATABASE", "%LOCALAPPDATA%/alerts.db", Refused(&["%", "write the whole path"])),
    ("ALERT_DATABASE", "/srv/%APP%/alerts.db", Refused(&["%", "write the whole path"])),
    ("ALERT_DATABASE", "%h/alerts.db", Refused(&["%", "write the whole path"])),
    ("ALERT_DATABASE", "/srv/50%/alerts.db", Is("/srv/50%/alerts.db")),
    ("ALERT_DATABASE", "/srv/C#/room #4/alerts#1.db", Is("/srv/C#/room #4/alerts#1.db")),
    ("ALERT_DATABASE", "/srv/alerts.db #ours", Refused(&["comment"])),
    ("ALERT_DATABASE", "/srv/alerts.db # see /etc/shop", Refused(&["comment"])),
    ("ALERT_DATABASE", r#"/srv/"my shop"/alerts.db"#, Refused(&["quotation marks", "leave them out"])),
    ("ALERT_DATABASE", "sqlite:///var/lib/alerts.db", Refused(&["is a URL, not a path"])),
    ("ALERT_DATABASE", "/var/lib/shop/", Refused(&["is a directory", "add the name of the file"])),
    ("ALERT_DATABASE", "/var/lib/shop/alerts.db # ours", Refused(&["comment"])),
    ("ALERT_DATABASE", "/srv/my alerts.db", Is("/srv/my alerts.db")),
    ("ALERT_DATABASE", ":memory:", Is("Memory")),
];

#[rustfmt::skip]
const CREDENTIALS: &[Row] = &[
    ("TWILIO_ACCOUNT_SID", "SK0123456789abcdef0123456789abcdef", Refused(&["is not an account SID", "SMS is off"])),
    ("TWILIO_API_KEY", "SK0123456789abcdef0123456789abcdef", Refused(&["is not set", "TWILIO_AUTH_TOKEN is used"])),
    ("TWILIO_API_KEY_SECRET", "fedcba9876543210", Refused(&["is not set", "TWILIO_AUTH_TOKEN is used"])),
    ("TWILIO_MESSAGING_SERVICE_SID", "MG1", Refused(&["is not the SID of a Messaging Service"])),
    ("TWILIO_BASE_URL", "nowhere", Refused(&["is not a URL", "SMS is off"])),
    ("SENDGRID_BASE_URL", "nowhere", Refused(&["is not a URL", "e-mail is off"])),
    ("SENDGRID_API_KEY", "SG.abc def", Refused(&["e-mail is off"])),
    ("SENDGRID_API_KEY_FILE", "/run/secrets/key", Hint("sends", &["SENDGRID_API_KEY is set, too", "set only one of the two"])),
    ("ALERT_LEVEL_FILE", "/run/level", Near(&["cannot be read from a file", "set ALERT_LEVEL itself"])),
];

#[rustfmt::skip]
const NEAR_NAMES: &[Row] = &[
    #[cfg(not(windows))] // There, it is ours.
    ("alert_email", "a@example.com", Near(&["did you mean ALERT_EMAIL?"])),
    #[cfg(not(windows))] // There, it is ours.
    ("Alert_Level", "warn", Near(&["did you mean ALERT_LEVEL?"])),
    ("ALERT_MAIL", "a@example.com", Near(&["did you mean ALERT_EMAIL?"])),
    ("ALERT_PHONES", "+41791234567", Near(&["did you mean ALERT_PHONE?"])),
    ("ALERT_PHONE_NUMBER", "+41791234567", Near(&["did you mean ALERT_PHONE?"])),
    ("ALERT_EMIAL", "a@example.com", Near(&["did you mean ALERT_EMAIL?"])),
    ("ALERT-LEVEL", "warn", Near(&["did you mean ALERT_LEVEL?"])),
    ("ALERTLEVEL", "warn", Near(&["did you mean ALERT_LEVEL?"])),
    ("ALERTS_LEVEL", "warn", Near(&["did you mean ALERT_LEVEL?"])),
    ("ALERT_LOG_LEVEL", "warn", Near(&["did you mean ALERT_LEVEL?"])),
    ("ALERT_ENV", "test", Near(&["did you mean ALERT_ENVIRONMENT?"])),
    ("ALERT_DB", "x.db", Near(&["did you mean ALERT_DATABASE?"])),
    ("ALERT_DATABASE_URL", "x.db", Near(&["did you mean ALERT_DATABASE?"])),
    ("ALERT_WEBHOOK_URL", "http://10.0.0.1", Near(&["did you mean ALERT_WEBHOOK?"])),
    ("ALERT_WEBHOOKS", "http://10.0.0.1", Near(&["did you mean ALERT_WEBHOOK?"])),
    ("ALERT_FLEET_URL", "postgres://10.0.0.1/a", Near(&["did you mean ALERT_FLEET?"])),
    ("ALERT_HEARTBEAT", "http://10.0.0.1", Near(&["did you mean ALERT_HEARTBEAT_URL"])),
    ("ALERT_APP", "Shop", Near(&["did you mean ALERT_APP_NAME?"])),
    ("ALERT_TZ", "UTC", Near(&["did you mean ALERT_TIMEZONE?"])),
    ("ALERT_WINDOW", "1m", Near(&["ALERT_SMS_WINDOW or ALERT_EMAIL_WINDOW"])),
    ("ALERT_SMS_LIMIT", "off", Near(&["did you mean ALERT_SMS_BUDGET?"])),
    ("ALERT_BREADCRUMB", "info", Near(&["did you mean ALERT_BREADCRUMBS?"])),
    ("ALERT_REDACT", "off", Near(&["did you mean ALERT_REDACTION?"])),
    ("TWILLIO_MESSAGING_SERVICE_SID", "MG1", Near(&["did you mean TWILIO_MESSAGING_SERVICE_SID?"])),
    ("TWILIO_API_SECRET", "x", Near(&["did you mean TWILIO_API_KEY_SECRET?"])),
    ("TWILIO_API_SECRET_FILE", "x", Near(&["did you mean TWILIO_API_KEY_SECRET_FILE?"])),
];

#[rustfmt::skip]
const OTHERS: &[Row] = &[
    ("ALERT_PORT", "tcp://10.0.0.1:80", Nothing),
    ("ALERT_SERVICE_HOST", "10.0.0.1", Nothing),
    ("ALERT_MANAGER_SERVICE_HOST", "10.0.0.1", Nothing),
    ("ALERT_SERVICE_PORT_HTTP", "80", Nothing),
    ("ALERT_EMAIL_PORT_80_TCP_ADDR", "10.0.0.1", Nothing),
    ("ALERT_EMAIL_PORT", "tcp://10.0.0.1:80", Nothing),
    ("ALERT_PHONE_SERVICE_HOST", "10.0.0.1", Nothing),
    ("TWILIO_PORT_80_TCP_ADDR", "10.0.0.1", Nothing),
    ("TWILIO_VERIFY_SERVICE_SID", "VA1", Nothing),
    ("SENDGRID_TEMPLATE_ID", "d-1", Nothing),
    ("ALERTMANAGER_URL", "http://10.0.0.1", Nothing),
    ("TWILIO_TOKEN", "x", Nothing), // what it would be for is set
    ("EMAIL", "a@example.com", Nothing),
    ("ALERT_UNKNOWN", "", Nothing),
];
