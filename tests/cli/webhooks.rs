//! What the command does with webhooks, of which it shows no more than the label.

use crate::{
    service::{Service, day},
    stage::{Ran, SECRETS, Stage},
};

/// A stage with nothing but these webhooks, each as `label=service+path`.
fn stage(service: Service, webhooks: &[&str]) -> Stage {
    let mut stage = Stage::with(service);
    stage.settings.retain(|(name, _)| {
        !name.starts_with("TWILIO_")
            && !name.starts_with("SENDGRID_")
            && !["ALERT_PHONE", "ALERT_EMAIL"].contains(name)
    });
    let url = stage.service.url();
    let all: Vec<_> = webhooks.iter().map(|it| it.replacen("+/", &format!("+{url}/"), 1)).collect();
    stage.set("ALERT_WEBHOOK", &all.join(","));
    stage
}

fn slack() -> String {
    format!("ops=slack+/services/T0/B0/{}", SECRETS[2])
}

fn discord() -> String {
    format!("dev=discord+/api/webhooks/1/{}", SECRETS[2])
}

/// Runs it, and sees that nobody learns where a webhook is.
fn run(stage: &Stage, arguments: &[&str]) -> Ran {
    let ran = stage.run(arguments);
    let url = stage.service.url();
    let host = url.split_once("://").unwrap().1;
    for secret in [host, host.split_once(':').unwrap().0] {
        assert!(!ran.text.contains(secret) && !ran.errors.contains(secret), "{secret}: {ran:?}");
    }
    ran
}

/// The line that begins so, and the one with its mend.
fn line_and_mend<'a>(ran: &'a Ran, begin: &str) -> (&'a str, &'a str) {
    let mut lines = ran.text.lines().skip_while(|line| !line.starts_with(begin));
    let line = lines.next().unwrap_or_else(|| panic!("no {begin:?}: {}", ran.text));
    (line, lines.next().unwrap_or_default())
}

/// A test of one webhook ends at this hop.
fn fails_at(stage: &Stage, hop: &str, words: &str) {
    let ran = run(stage, &["test", "--webhook"]);
    let (line, mend) = line_and_mend(&ran, "✗");
    assert!(line.starts_with(&format!("✗ webhook:ops {hop}: ")) && line.contains(words), "{}", ran.text);
    assert!(mend.trim_start().starts_with("→ ") && !ran.is_well, "{}", ran.text);
}

/// The doctor says this, with a mark and words of the mend.
fn says(stage: &Stage, begin: &str, words: &str, mend: &str) {
    let ran = run(stage, &["doctor"]);
    let (line, how) = line_and_mend(&ran, begin);
    assert!(line.contains(words) && how.contains(mend), "{words}, {mend}: {}", ran.text);
    assert_eq!(ran.is_well, !ran.text.contains('✗'), "{}", ran.text);
}

#[test]
fn a_test_message_goes_through_each_hop_of_each_webhook() {
    let stage = stage(Service::start(), &[&slack(), &discord()]);
    let ran = run(&stage, &["test", "--webhook", "--wait", "1s"]);
    for of in ["webhook:ops", "webhook:dev"] {
        for hop in ["settings", "name resolution", "connection", "HTTP", "credentials", "accepted", "arrived"]
        {
            let line = ran.line(&format!("{of} {hop}: "));
            assert!(line.starts_with('✓'), "{line}");
            assert!(hop == "settings" || line.ends_with(" ms)"), "no time: {line}");
        }
    }
    assert!(ran.is_well, "{}", ran.text);
    assert!(ran.line("webhook:ops settings").ends_with("a webhook of Slack"), "{}", ran.text);
    assert!(ran.line("webhook:dev accepted").contains(" to dev: 1234 ("), "{}", ran.text);
    for line in ["POST /services/", "POST /api/webhooks/"] {
        let [message] = &stage.service.sent(line)[..] else { panic!("not one message: {line}") };
        assert!(message.contains("this is a test"), "{message}");
    }
}

#[test]
fn only_webhooks_get_it_if_they_alone_are_asked_for() {
    let mut all = Stage::new();
    all.set("ALERT_WEBHOOK", &format!("ops=generic+{}/services/own", all.service.url()));
    assert!(all.run(&["test", "--webhook"]).is_well);
    let sent = |line: &str| all.service.sent(line).len();
    assert_eq!((all.service.sms().len(), sent("POST /v3/mail/send"), sent("POST /services/")), (0, 0, 1));
    assert!(all.run(&["test", "--email"]).is_well);
    assert_eq!((sent("POST /v3/mail/send"), sent("POST /services/")), (1, 1));
    assert!(all.run(&["test"]).is_well);
    assert_eq!((all.service.sms().len(), sent("POST /v3/mail/send"), sent("POST /services/")), (1, 2, 2));
}

#[test]
fn an_alert_of_a_pager_has_to_be_closed_by_somebody() {
    let key = "0123456789abcdef0123456789abcdef";
    let stage = stage(Service::start(), &[&format!("ops=pagerduty+/v2/enqueue?routing_key={key}")]);
    let ran = run(&stage, &["test", "--webhook"]);
    assert!(ran.line("webhook:ops accepted").contains("somebody has to resolve"), "{}", ran.text);
    assert!(ran.is_well && !ran.text.contains(key));
}

#[test]
fn a_test_names_the_hop_that_fails() {
    let mut stage = stage(Service::start(), &[&slack()]);
    for (status, body, hop, words) in [
        (404, "no_service", "credentials", "(HTTP 404): the URL is not, or no longer, accepted"),
        (403, "invalid_token", "credentials", "(HTTP 403)"),
        (302, "", "credentials", "redirected, which is not followed"),
        (200, "<html>", "credentials", "the answer is a page"),
        (400, "invalid_blocks", "accepted", "the message was refused: invalid_blocks"),
        (500, "", "accepted", "(HTTP 500): the server failed"),
    ] {
        stage.service.answers("POST /services/", status, body);
        fails_at(&stage, hop, words);
    }
    stage.set("ALERT_WEBHOOK", &format!("ops=slack+https://nowhere.invalid/{}", SECRETS[2]));
    fails_at(&stage, "name resolution", "its host is not found: ");
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    stage.set("ALERT_WEBHOOK", &format!("ops=slack+http://{closed}/{}", SECRETS[2]));
    fails_at(&stage, "connection", "no connection to its host: Connection refused");
    let stage = self::stage(Service::start_tls(&["localhost"]), &[&slack()]);
    fails_at(&stage, "TLS", "no trust in the certificate of its host");
}

#[test]
fn a_test_of_a_webhook_that_is_not_set_or_wrong() {
    let mut stage = Stage::new();
    for (value, words) in [
        ("", "✗ settings ALERT_WEBHOOK: is not set: nothing is sent to webhooks"),
        ("ops=nothing", "✗ settings ALERT_WEBHOOK: the URL of \"ops\" is not a URL"),
    ] {
        stage.set("ALERT_WEBHOOK", value);
        let ran = stage.run(&["test", "--webhook"]);
        assert!(line_and_mend(&ran, words).1.contains("→ ") && !ran.is_well, "{}", ran.text);
        assert!(stage.service.requests().is_empty(), "nothing else was asked for");
    }
}

#[test]
fn the_doctor_posts_nothing_and_finds_nothing_bad_where_all_is_well() {
    let mut stage = stage(Service::start(), &[&slack(), &discord(), "own=generic+/in"]);
    stage.set("ALERT_WEBHOOK_SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    stage.program().end();
    let ran = run(&stage, &["doctor"]);
    for line in [
        "✓ settings variables: recipients: 1 by webhook:ops, 1 by webhook:dev, 1 by webhook:own",
        "✓ webhook:ops URL: one of Slack",
        "✓ webhook:ops name resolution: it has an address",
        "✓ webhook:ops connection: its host",
        "✓ webhook:ops HTTP: not encrypted",
        "– webhook:ops credentials: only a message shows whether the URL is accepted",
        "✓ webhook:dev URL: one of Discord",
        "✓ webhook:dev credentials: the URL is accepted",
        "✓ webhook:own signature: messages are signed",
    ] {
        ran.line(line);
    }
    assert!(ran.is_well, "{}", ran.text);
    let requests = stage.service.requests();
    assert!(!requests.iter().any(|request| request.line.starts_with("POST")), "{requests:?}");
    let known = format!("GET /api/webhooks/1/{}", SECRETS[2]);
    assert!(requests.iter().all(|request| request.line == "HEAD /" || request.line == known), "{requests:?}");
}

#[test]
fn the_doctor_finds_faults_of_settings() {
    let mut stage = stage(Service::start(), &[]);
    for (value, words, mend) in [
        ("ops=nothing", "the URL of \"ops\" is not a URL", "give one like https://hooks.slack.com/"),
        ("ops=slak+https://example.com/x", "has an unknown prefix before its +", "slack+https://"),
        ("https://example.com/x", "has no label before its URL", "→ "),
        ("ops=http://chat.example.com/x", "lets anybody on the way read the credentials", "ALERT_ALLOW_HTTP"),
        (
            "ops=http://127.0.0.1:1/a,ops=http://127.0.0.1:1/b",
            "another sink with the name \"webhook:ops\"",
            "a name of its own",
        ),
        ("ops=ntfy+https://ntfy.example.com/", "has no topic of ntfy", "my-secret-topic"),
        ("ops=https://events.pagerduty.com/v2/enqueue", "has no routing key", "integration key"),
    ] {
        stage.set("ALERT_WEBHOOK", value);
        let ran = stage.run(&["doctor"]);
        let lines: Vec<_> = ran.text.lines().collect();
        let at = lines
            .iter()
            .position(|line| line.starts_with("✗ settings ALERT_WEBHOOK: ") && line.contains(words));
        let at = at.unwrap_or_else(|| panic!("{words}: {}", ran.text));
        assert!(lines[at + 1].contains(mend) && !ran.is_well, "{mend}: {}", ran.text);
    }
    stage.set("ALERT_WEBHOOK", "ops=http://127.0.0.1:1/a");
    stage.set("ALERT_WEBHOOK_SECRET", "whsec_no base 64");
    says(&stage, "✗ settings ALERT_WEBHOOK_SECRET", "is not Base64", "as its receiver has it");
}

#[test]
fn the_doctor_finds_faults_of_a_url_and_asks_nobody_then() {
    let mut stage = stage(Service::start(), &[]);
    for (url, words, mend) in [
        (
            "https://hooks.slack.com/workflows/T0/A0/1/x",
            "Slack has no webhooks with such a URL",
            "Incoming Webhook",
        ),
        (
            "https://discord.com/channels/1/2",
            "Discord has no webhooks with such a URL",
            "Integrations, Webhooks",
        ),
        ("https://x.logic.azure.com/workflows/1", "Microsoft Teams has no webhooks with such", "sig="),
        (
            "https://events.pagerduty.com/?routing_key=short",
            "PagerDuty has no webhooks with",
            "32 characters",
        ),
    ] {
        stage.set("ALERT_WEBHOOK", &format!("ops={url}"));
        says(&stage, "✗ webhook:ops URL: ", words, mend);
        assert!(!stage.run(&["doctor"]).text.contains("webhook:ops name resolution"));
    }
    stage.set("ALERT_WEBHOOK", &format!("ops=mattermost+{}/channels/ops", stage.service.url()));
    says(&stage, "! webhook:ops URL: ", "unlike those of Mattermost", "Incoming Webhooks");
    stage.set("ALERT_WEBHOOK", &format!("ops=generic+{}/in", stage.service.url()));
    says(&stage, "! webhook:ops signature: ", "messages are not signed", "ALERT_WEBHOOK_SECRET");
}

#[test]
fn the_doctor_finds_faults_on_the_way_and_a_webhook_that_is_gone() {
    let mut stage = stage(Service::start(), &[&discord()]);
    stage.service.answers("GET /api/webhooks/", 404, r#"{"message":"Unknown Webhook","code":10015}"#);
    says(&stage, "✗ webhook:dev credentials: ", "no longer, accepted: Unknown Webhook", "make a new webhook");
    stage.service.answers("GET /api/webhooks/", 503, "");
    says(&stage, "– webhook:dev credentials: ", "not known: ", "");
    stage.set("ALERT_WEBHOOK", "ops=slack+https://nowhere.invalid/x");
    says(&stage, "✗ webhook:ops name resolution: ", "its host is not found", "name servers");
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    stage.set("ALERT_WEBHOOK", &format!("ops=slack+http://{closed}/x"));
    says(&stage, "✗ webhook:ops connection: ", "no connection to its host", "firewall");
}

/// As far as a proxy, which shows what it was asked for.
#[test]
fn whoever_may_be_read_on_the_way_is_warned() {
    let mut stage = stage(Service::start(), &[]);
    stage.set("HTTP_PROXY", &stage.service.url());
    stage.set("ALERT_WEBHOOK", &format!("ops=slack+http://chat.example.com/{}", SECRETS[2]));
    stage.set("ALERT_ALLOW_HTTP", "on");
    let ran = stage.run(&["doctor"]);
    let (line, mend) = line_and_mend(&ran, "! webhook:ops HTTP: ");
    assert!(line.contains("anybody on the way can read") && mend.contains("https"), "{}", ran.text);
    let asked: Vec<_> = stage.service.requests().into_iter().map(|request| request.line).collect();
    assert_eq!(asked, ["HEAD http://chat.example.com/"], "the path is told nobody");
    assert!(!ran.text.contains("chat.example.com"), "{}", ran.text);
}

/// As long as a certificate is valid, and no longer, it is trusted.
#[test]
fn a_certificate_is_trusted_for_as_long_as_it_is_valid() {
    for (from, until, begin, words, mend) in [
        (-9, 90, "✓", format!("the certificate is trusted until {}", day(90)), ""),
        (-9, 6, "!", format!("expires in 5 days, on {}", day(6)), "renew it"),
        (-9, 1, "!", format!("expires within a day, on {}", day(1)), "renew it"),
        (-9, -2, "✗", format!("has expired, on {}: is this machine's clock right?", day(-2)), "tls"),
        (3, 90, "✗", format!("is not valid yet, only from {}: is this machine's clock", day(3)), "tls"),
    ] {
        let (service, certificate) = Service::start_valid(&["127.0.0.1"], from, until);
        let mut stage = stage(service, &[&slack()]);
        let authority = stage.directory().join("authority.pem");
        std::fs::write(&authority, certificate).unwrap();
        stage.set("SSL_CERT_FILE", authority.to_str().unwrap());
        says(&stage, &format!("{begin} webhook:ops TLS: "), &words, mend);
        let ran = run(&stage, &["test", "--webhook"]);
        assert!(ran.line("webhook:ops TLS: ").contains(&words), "{}", ran.text);
        assert_eq!(ran.is_well, begin != "✗", "a warning is no failure: {}", ran.text);
    }
}
