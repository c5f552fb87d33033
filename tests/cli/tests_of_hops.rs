//! `tracing-alert test` names the hop that fails.

use crate::{
    service::Service,
    stage::{ACCOUNT, Ran, Stage},
};

/// The first line that is bad, and whether a mend follows it.
fn first_bad(ran: &Ran) -> (&str, bool) {
    let mut lines = ran.text.lines().skip_while(|line| !line.starts_with('✗'));
    let line = lines.next().unwrap_or_else(|| panic!("nothing is bad: {}", ran.text));
    (line, lines.next().is_some_and(|next| next.trim_start().starts_with("→ ")))
}

/// Plants a fault and has the test name the hop.
fn fails_at(hop: &str, words: &str, arguments: &[&str], plant: impl FnOnce(&mut Stage)) {
    let mut stage = Stage::new();
    plant(&mut stage);
    let ran = stage.run(&[&["test"], arguments].concat());
    let (line, has_mend) = first_bad(&ran);
    assert!(line.starts_with(&format!("✗ {hop}")) && line.contains(words), "{hop}, {words}: {}", ran.text);
    assert!(has_mend, "{hop}: {}", ran.text);
    assert!(!ran.is_well);
}

#[test]
fn a_test_message_goes_through_each_hop_and_arrives() {
    let stage = Stage::new();
    let ran = stage.run(&["test", "--wait", "5s"]);
    for of in ["twilio", "sendgrid"] {
        for hop in ["settings", "name resolution", "connection", "HTTP", "credentials", "accepted", "arrived"]
        {
            let line = ran.line(&format!("{of} {hop}: "));
            assert!(line.starts_with('✓'), "{line}");
            assert!(hop == "settings" || line.ends_with(" ms)"), "no time: {line}");
        }
    }
    assert!(ran.is_well, "{}", ran.text);
    assert!(ran.line("twilio accepted").contains(": SM0000"), "{}", ran.text);
    let sms = stage.service.sms();
    assert!(sms.len() == 1 && sms[0].starts_with("[shop] this is a test: "), "{sms:?}");
    assert_eq!(stage.service.sent("POST /v3/mail/send").len(), 1);
    assert_eq!(stage.names(), [""; 0], "it touches no database");
}

#[test]
fn only_what_was_asked_for_is_sent() {
    let stage = Stage::new();
    assert!(stage.run(&["test", "--email"]).is_well);
    assert_eq!((stage.service.sms().len(), stage.service.sent("POST /v3/mail/send").len()), (0, 1));
    let json = stage.json(&["test", "--sms"]);
    let accepted = json.as_array().unwrap().iter().find(|it| it["what"] == "accepted").unwrap();
    assert_eq!((&accepted["of"], &accepted["verdict"]), (&"twilio".into(), &"good".into()));
    assert!(accepted["took_ms"].is_u64());
}

#[test]
fn a_setting_that_is_missing_or_wrong() {
    fails_at("settings TWILIO_SENDER_NUMBER", "is not set", &[], |stage| {
        stage.set("TWILIO_SENDER_NUMBER", "");
    });
    fails_at("settings ALERT_PHONE", "has no recipients", &["--sms"], |stage| stage.set("ALERT_PHONE", ""));
    fails_at("settings ALERT_PHONE", "is not set: no SMS is sent", &["--sms"], |stage| {
        stage.settings.retain(|(name, _)| !name.starts_with("TWILIO_") && *name != "ALERT_PHONE");
    });
}

#[test]
fn a_name_that_does_not_resolve() {
    fails_at("twilio name resolution", "nowhere.invalid:443 is not found", &["--sms"], |stage| {
        stage.set("TWILIO_BASE_URL", "https://nowhere.invalid");
    });
}

#[test]
fn a_port_that_is_closed() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    fails_at("twilio connection", "refused", &["--sms"], |stage| {
        stage.set("TWILIO_BASE_URL", &format!("http://127.0.0.1:{port}"));
    });
}

#[test]
fn a_certificate_that_nobody_trusts() {
    let service = Service::start_tls(&["localhost"]);
    fails_at("sendgrid TLS", "is its authority missing?", &["--email"], |stage| {
        stage.set("SENDGRID_BASE_URL", &service.url());
    });
}

#[test]
fn a_server_that_is_none() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || listener.incoming().for_each(drop));
    fails_at("twilio HTTP", "the connection broke off", &["--sms"], |stage| {
        stage.set("TWILIO_BASE_URL", &url);
    });
}

#[test]
fn credentials_that_are_refused() {
    fails_at("twilio credentials", "Twilio 20003 (HTTP 401)", &["--sms"], |stage| {
        stage.service.answers(&format!("GET /2010-04-01/Accounts/{ACCOUNT}.json"), 401, r#"{"code":20003}"#);
    });
    fails_at("sendgrid credentials", "HTTP 401", &["--email"], |stage| {
        stage.service.answers("GET /v3/scopes", 401, r#"{"errors":[{"message":"authorization required"}]}"#);
    });
}

#[test]
fn an_account_that_is_suspended() {
    fails_at("twilio account", "suspended", &["--sms"], |stage| {
        stage.service.answers(
            &format!("GET /2010-04-01/Accounts/{ACCOUNT}.json"),
            200,
            r#"{"status":"suspended"}"#,
        );
    });
}

#[test]
fn a_sender_that_is_not_the_accounts() {
    fails_at("twilio accepted", "Twilio 21606", &["--sms"], |stage| {
        stage.service.answers("POST /2010-04-01", 400, r#"{"code":21606,"message":"not yours"}"#);
    });
}

#[test]
fn a_sender_that_is_not_verified() {
    fails_at("sendgrid accepted", "an unverified sender", &["--email"], |stage| {
        let body = r#"{"errors":[{"message":"The from address does not match a verified Sender Identity"}]}"#;
        stage.service.answers("POST /v3/mail/send", 403, body);
    });
}

#[test]
fn a_message_that_is_accepted_and_then_not_delivered() {
    fails_at("twilio arrived", "Twilio 30005 (undelivered)", &["--sms", "--wait", "20s"], |stage| {
        let failed = format!(r#"{{"sid":"SM{:032}","status":"undelivered","error_code":30005}}"#, 3);
        stage.service.answers(&format!("GET /2010-04-01/Accounts/{ACCOUNT}/Messages/"), 200, &failed);
    });
}

#[test]
fn a_mail_to_an_address_whose_mail_is_dropped() {
    fails_at("sendgrid arrived", "drops all mail to this address", &["--email", "--wait", "20s"], |stage| {
        let entry = r#"[{"created":1700000000,"email":"on-call@example.com","reason":"550"}]"#;
        stage.service.answers("GET /v3/suppression/bounces/", 200, entry);
    });
}

#[test]
fn one_that_nobody_confirms_did_not_arrive_as_far_as_is_known() {
    let stage = Stage::new();
    let open = format!(r#"{{"sid":"SM{:032}","status":"sent"}}"#, 3);
    stage.service.answers(&format!("GET /2010-04-01/Accounts/{ACCOUNT}/Messages/"), 200, &open);
    let ran = stage.run(&["test", "--sms", "--wait", "1s"]);
    assert!(ran.line("twilio arrived").starts_with("– ") && !ran.is_well, "{}", ran.text);
}
