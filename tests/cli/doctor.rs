//! `tracing-alert doctor` finds each of many planted faults, and names the mend.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
};

use crate::{
    service::Service,
    stage::{ACCOUNT, Stage, eventually},
};

const SERVICE: &str = "MG00000000000000000000000000000000";

/// A stage on which all is well: a program was there.
fn healthy() -> Stage {
    let mut stage = Stage::new();
    // A number alone leaves a question open.
    stage.set("TWILIO_MESSAGING_SERVICE_SID", SERVICE);
    stage.program().end();
    stage
}

/// What is bad, each as `of what: says` with its mend.
fn bad(stage: &Stage) -> Vec<(String, String)> {
    let ran = stage.run(&["doctor", "--json"]);
    let found: serde_json::Value = serde_json::from_str(&ran.text).unwrap();
    let bad = found.as_array().unwrap().iter().filter(|it| it["verdict"] == "bad");
    let bad: Vec<_> = bad
        .map(|it| {
            let text = |name: &str| it[name].as_str().unwrap_or_default().to_owned();
            (format!("{} {}: {}", text("of"), text("what"), text("says")), text("mend"))
        })
        .collect();
    assert_eq!(ran.is_well, bad.is_empty(), "{}", ran.text);
    bad
}

/// A fault is found: there are words of it, and of the mend.
fn finds(stage: &Stage, words: &str, mend: &str) {
    let bad = bad(stage);
    let found = bad.iter().find(|(says, _)| says.contains(words));
    let (_, how) = found.unwrap_or_else(|| panic!("{words:?} is not found, but {bad:#?}"));
    assert!(how.contains(mend), "{words}: {how:?} has no {mend:?}");
}

fn account(rest: &str) -> String {
    format!("GET /2010-04-01/Accounts/{ACCOUNT}{rest}")
}

#[test]
fn where_all_is_well_nothing_is_bad_and_nothing_is_sent() {
    let stage = healthy();
    assert_eq!(bad(&stage), []);
    let ran = stage.run(&["doctor"]);
    for line in [
        "settings variables",
        "file open",
        "file version",
        "twilio credentials",
        "twilio balance",
        "twilio sender",
        "twilio US registration",
        "twilio receipts",
        "sendgrid credentials",
        "sendgrid receipts",
        "sendgrid sender",
        "sendgrid credits",
        "sendgrid recipient",
        "sendgrid request",
    ] {
        assert!(ran.line(line).starts_with('✓'), "{}", ran.text);
    }
    assert!(stage.service.sms().is_empty());
    let mails = stage.service.sent("POST /v3/mail/send");
    assert!(mails.iter().all(|mail| mail.contains(r#""sandbox_mode":{"enable":true}"#)), "{mails:?}");
}

#[test]
fn faults_of_settings() {
    for (name, value, words, mend) in [
        ("ALERT_PHONE", "0206-555", "ALERT_PHONE", "+"),
        ("ALERT_EMAIL", "on-call", "ALERT_EMAIL", "@"),
        ("TWILIO_ACCOUNT_SID", "AC1", "TWILIO_ACCOUNT_SID", "34 characters"),
        ("TWILIO_SENDER_NUMBER", "{}", "is no sender", "short code"),
        ("SENDGRID_API_KEY", "", "SENDGRID_API_KEY: is not set", "SENDGRID_API_KEY="),
        (
            "TWILIO_BASE_URL",
            "http://twilio.example.com",
            "lets anybody on the way read the credentials",
            "https",
        ),
        ("TWILIO_BASE_URL", "ftp://twilio.example.com", "neither http nor https", "give one like"),
        ("ALERT_LEVEL", "loud", "ALERT_LEVEL", "warn"),
        ("ALERT_SETTLE", "soon", "ALERT_SETTLE", "2s"),
        ("ALERT_SMS_BUDGET", "3", "ALERT_SMS_BUDGET", "3,10m,20"),
        ("ALERT_DATABASE", ":memory:", "where nobody else sees them", "set ALERT_DATABASE to a file"),
    ] {
        let mut stage = healthy();
        stage.set(name, value);
        finds(&stage, words, mend);
    }
}

#[test]
fn a_name_that_is_nearly_ours_is_told() {
    let mut stage = healthy();
    stage.set("ALERT_EMIAL", "x@example.com");
    assert!(stage.run(&["doctor"]).line("ALERT_EMIAL").contains("ALERT_EMAIL"));
}

#[test]
fn faults_on_the_way() {
    let mut stage = healthy();
    stage.set("SENDGRID_BASE_URL", "https://nowhere.invalid");
    finds(&stage, "sendgrid name resolution: nowhere.invalid:443 is not found", "name servers");
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    stage.set("SENDGRID_BASE_URL", &format!("http://{closed}"));
    finds(&stage, "sendgrid connection: no connection to 127.0.0.1", "firewall");
    stage.set("SENDGRID_BASE_URL", &Service::start_tls(&["localhost"]).url());
    finds(&stage, "sendgrid TLS: the settings or the account must be corrected: SendGrid: no trust", "tls");
    stage.set("SENDGRID_BASE_URL", "https://api.example.com");
    stage.set("HTTPS_PROXY", "/etc/proxy");
    finds(&stage, "sendgrid proxy: HTTPS_PROXY is not the URL of a proxy", "http://proxy.example.com:3128");
    stage.set("HTTPS_PROXY", &format!("http://{closed}"));
    finds(&stage, &format!("sendgrid connection: no connection to {closed}"), "HTTPS_PROXY");
}

#[test]
fn a_clock_that_is_wrong() {
    let stage = healthy();
    stage.service.has_date("Sun, 06 Nov 1994 08:49:37 GMT");
    finds(&stage, "twilio clock: ", "NTP");
}

#[test]
fn faults_of_a_twilio_account() {
    for (line, status, body, words, mend) in [
        (account(".json"), 401, r#"{"code":20003}"#, "credentials: the settings", "auth token"),
        (account(".json"), 200, r#"{"status":"suspended"}"#, "account: the account is suspended", "Console"),
        (
            account("/Balance.json"),
            200,
            r#"{"balance":"0.17","currency":"USD"}"#,
            "balance: 0.17 USD",
            "funds",
        ),
        (account("/Messages.json"), 403, r#"{"code":20403}"#, "receipts: ", "permission to read messages"),
        (
            format!("GET /v1/Services/{SERVICE}"),
            404,
            r#"{"code":20404}"#,
            "twilio sender: ",
            "TWILIO_MESSAGING_SERVICE_SID",
        ),
        (
            format!("GET /v1/Services/{SERVICE}/PhoneNumbers"),
            200,
            r#"{"phone_numbers":[]}"#,
            "sender: the Messaging Service has no number",
            "Sender Pool",
        ),
        (
            format!("GET /v1/Services/{SERVICE}/Compliance"),
            200,
            r#"{"compliance":[{"campaign_status":"FAILED"}]}"#,
            "US registration: the campaign is FAILED",
            "10DLC",
        ),
        (
            format!("GET /v1/Services/{SERVICE}/Compliance"),
            200,
            r#"{"compliance":[]}"#,
            "US registration: the service has no campaign",
            "10DLC",
        ),
    ] {
        let stage = healthy();
        stage.service.answers(&line, status, body);
        finds(&stage, words, mend);
    }
}

#[test]
fn faults_of_a_number_without_a_service() {
    for (body, words, mend) in [
        (r#"{"incoming_phone_numbers":[]}"#, "is no number of the account", "Active Numbers"),
        (
            r#"{"incoming_phone_numbers":[{"capabilities":{"sms":false}}]}"#,
            "cannot send SMS",
            "capability SMS",
        ),
    ] {
        let mut stage = healthy();
        stage.set("TWILIO_MESSAGING_SERVICE_SID", "");
        stage.service.answers(&account("/IncomingPhoneNumbers.json"), 200, body);
        finds(&stage, words, mend);
    }
}

#[test]
fn a_trial_account_and_a_number_that_it_may_not_send_to() {
    let stage = healthy();
    stage.service.answers(&account(".json"), 200, r#"{"status":"active","type":"Trial"}"#);
    assert_eq!(bad(&stage), []);
    stage.service.answers(&account("/OutgoingCallerIds.json"), 200, r#"{"outgoing_caller_ids":[]}"#);
    finds(&stage, "a trial account sends to verified numbers only", "upgrade");
}

#[test]
fn faults_of_a_sendgrid_account() {
    for (line, status, body, words, mend) in [
        ("GET /v3/scopes", 401, "{}", "sendgrid credentials: the settings", "API key of this account"),
        ("GET /v3/scopes", 200, r#"{"scopes":["user.read"]}"#, "the key may not send mail", "Mail Send"),
        (
            "GET /v3/scopes",
            200,
            r#"{"scopes":["mail.send"]}"#,
            "may not read suppression lists",
            "Suppressions",
        ),
        (
            "GET /v3/verified_senders",
            200,
            r#"{"results":[{"from_email":"alerts@example.com","verified":false}]}"#,
            "neither the address of SENDGRID_SENDER_EMAIL nor its domain is verified",
            "Sender Authentication",
        ),
        ("GET /v3/user/credits", 200, r#"{"remain":0,"total":100}"#, "mails are used up", "larger plan"),
        (
            "GET /v3/suppression/bounces/",
            200,
            r#"[{"created":1700000000,"email":"on-call@example.com","reason":"550 no such user"}]"#,
            "drops all mail to this address since 2023-11-14",
            "Suppressions",
        ),
        (
            "POST /v3/mail/send",
            403,
            r#"{"errors":[{"message":"not a verified Sender Identity"}]}"#,
            "sendgrid request: ",
            "Sender Authentication",
        ),
    ] {
        let stage = healthy();
        stage.service.answers(line, status, body);
        finds(&stage, words, mend);
    }
}

#[test]
fn an_authenticated_domain_is_as_good_as_a_verified_address() {
    let stage = healthy();
    stage.service.answers("GET /v3/verified_senders", 200, r#"{"results":[]}"#);
    stage.service.answers("GET /v3/whitelabel/domains", 200, r#"[{"domain":"example.com","valid":true}]"#);
    assert_eq!(bad(&stage), []);
}

#[test]
fn what_may_not_be_asked_is_not_bad() {
    let stage = healthy();
    stage.service.answers(&account("/Balance.json"), 403, "{}");
    stage.service.answers("GET /v3/user/credits", 403, "{}");
    assert_eq!(bad(&stage), []);
    assert!(stage.run(&["doctor"]).line("twilio balance").starts_with("– "));
}

#[test]
fn faults_of_the_file() {
    let stage = healthy();
    let set_mode = |mode: u32| fs::set_permissions(stage.database(), Permissions::from_mode(mode)).unwrap();
    set_mode(0o644);
    finds(&stage, "everybody may open it (mode 0644)", "chmod 600");
    set_mode(0o600);
    fs::set_permissions(stage.directory(), Permissions::from_mode(0o777)).unwrap();
    finds(&stage, "everybody may replace the files", "a directory of its own");
    fs::set_permissions(stage.directory(), Permissions::from_mode(0o700)).unwrap();
    assert_eq!(bad(&stage), []);
    let elsewhere = stage.directory().join("elsewhere.db");
    fs::rename(stage.database(), &elsewhere).unwrap();
    finds(&stage, "there is no such file", "--database");
    fs::write(stage.database(), "no database at all, but long enough for a header ".repeat(9)).unwrap();
    fs::remove_file(stage.directory().join("alerts.db.lock")).unwrap();
    finds(&stage, "it is not a tracing-alert database", "--database");
}

#[test]
fn what_programs_left_in_the_file() {
    let stage = healthy();
    stage.service.answers("POST /2010-04-01", 400, r#"{"code":21610,"message":"unsubscribed"}"#);
    let mut program = stage.program();
    program.tell("error payment failed");
    program.tell("flush");
    program.end();
    finds(&stage, "was refused for good", "tracing-alert allow +12065550147");
}

/// However a process ends, its lock ends with it.
#[test]
fn the_programs_that_have_the_file_open_are_listed_and_those_that_are_gone_are_not() {
    let mut stage = healthy();
    stage.set("ALERT_VERSION", "1.4.2");
    let in_use = || {
        let text = stage.run(&["doctor"]).text;
        let lines = text.lines().filter(|line| line.contains("file in use: "));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let nobody = "– file in use: no program has it open: nothing is sent before one starts";
    assert_eq!(in_use(), [nobody]);
    let (one, two) = (stage.program(), stage.program());
    let line_of = |id: u32| {
        let begin = format!("✓ file in use: by process {id} on ");
        in_use().into_iter().find(|line| line.starts_with(&begin))
    };
    eventually("both have noted themselves", || line_of(one.id()).is_some() && line_of(two.id()).is_some());
    let line = line_of(one.id()).unwrap();
    let day = jiff::Timestamp::now().strftime("%Y-%m-%d").to_string();
    assert!(line.contains(&format!(", version 1.4.2, since {day} ")), "{line}");
    let (of_one, id_of_two) = (one.id(), two.id());
    two.kill();
    assert_eq!(line_of(id_of_two), None);
    assert!(line_of(of_one).is_some() && in_use().len() == 1);
    one.end();
    assert_eq!(in_use(), [nobody]);
}

/// Who only reads it notes nothing.
#[cfg(target_os = "linux")]
#[test]
fn whatever_else_has_the_file_open_is_listed_by_its_name() {
    let stage = healthy();
    let watch = stage.command(&["watch"]).stdout(std::process::Stdio::null()).spawn();
    let mut watch = watch.unwrap();
    let line = format!("✓ file in use: by process {} (tracing-alert)", watch.id());
    eventually("it is listed", || stage.run(&["doctor"]).text.contains(&line));
    watch.kill().unwrap();
    watch.wait().unwrap();
    assert!(!stage.run(&["doctor"]).text.contains(&line));
}

#[test]
fn a_program_that_runs_with_other_settings_is_told_of() {
    let mut stage = healthy();
    let program = stage.program();
    let by = format!("✓ file in use: by process {} on ", program.id());
    eventually("it has noted itself", || stage.run(&["doctor"]).text.contains(&by));
    assert!(!stage.run(&["doctor"]).text.contains("file recipients"));
    stage.set("ALERT_EMAIL", "on-call@example.com,new@example.com");
    let line =
        format!("! file recipients: process {} does not tell new@example.com by sendgrid", program.id());
    let ran = stage.run(&["doctor"]);
    assert!(ran.text.contains(&line) && ran.text.contains("→ start it again") && ran.is_well, "{}", ran.text);
}
