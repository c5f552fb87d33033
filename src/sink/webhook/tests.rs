//! What each service gets, and what its answers become.

use std::sync::Arc;

use proptest::{collection::vec, prelude::*};
use reqwest::{StatusCode, header::HeaderMap};
use serde_json::json;

use super::{
    super::wire::{answering, any_headers, assert_fit, header, http, message},
    *,
};
use crate::{event::tests::event, policy::notice::Sample};

mod valid;

/// What nobody may see of a URL.
const TOKEN: &str = "hunter2hunter2hunter2hunter2";

fn sink(url: &str) -> WebhookSink {
    WebhookSink::new("ops", url)
}

/// What a server is asked by a sink of `service`, and what comes of its `answer`.
fn exchange(service: &str, path: &str, answer: String) -> (String, Result<Receipt, SendError>) {
    let server = answering(answer);
    let sink = sink(&format!("{service}+{}{path}", server.url)).secret("a shared secret");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let result = runtime.block_on(sink.send(&message("ops")));
    (server.join(), result)
}

fn body_of(request: &str) -> Value {
    serde_json::from_str(request.split_once("\r\n\r\n").unwrap().1).unwrap()
}

fn judged(service: Service, status: u16, body: &[u8]) -> Result<Receipt, SendError> {
    let status = StatusCode::from_u16(status).unwrap();
    let answer = Answer { status, headers: HeaderMap::new(), body: body.to_vec() };
    let sink = sink(&format!("https://hooks.example.com/{TOKEN}"));
    judge(&answer, service, sink.name, &sink.scrub())
}

#[test]
fn every_status_has_its_class() {
    let kind = |service, status, body| match judged(service, status, body) {
        Ok(_) => "sent",
        Err(SendError::NotProcessed { .. }) => "retry",
        Err(SendError::Ambiguous { .. }) => "ambiguous",
        Err(SendError::Rejected { .. }) => "reject",
        Err(SendError::RecipientRefused { .. }) => "refuse",
        Err(SendError::Misconfigured { .. }) => "pause",
    };
    let table: &[(&str, &[u16])] = &[
        ("sent", &[200, 201, 202, 204]),
        ("reject", &[400, 406, 413, 415, 422]),
        ("pause", &[301, 302, 307, 308, 401, 402, 403, 404, 405, 407, 410]),
        ("retry", &[408, 425, 429]),
        ("ambiguous", &[500, 502, 503, 504]),
    ];
    for (class, statuses) in table {
        for &status in *statuses {
            assert_eq!(kind(Service::Slack, status, b""), *class, "{status}");
            assert_eq!(kind(Service::Generic, status, b""), *class, "{status}");
        }
    }
    // Whoever answers with a page is not Slack; an address of one's own may.
    assert_eq!(kind(Service::Slack, 200, b" <html>log in</html>"), "pause");
    assert_eq!(kind(Service::Generic, 200, b" <html>thank you</html>"), "sent");
    let wrong_key = br#"{"status":"invalid event","message":"Event object is invalid","errors":["'routing_key' is invalid"]}"#;
    assert_eq!(kind(Service::PagerDuty, 400, wrong_key), "pause");
    assert_eq!(kind(Service::PagerDuty, 400, b"{}"), "reject");
}

#[test]
fn a_reason_names_the_label_and_nothing_of_the_url() {
    let echo = format!("no_service at https://hooks.example.com/{TOKEN}, or {TOKEN}");
    let reason = judged(Service::Slack, 404, echo.as_bytes()).unwrap_err().to_string();
    let wanted = "webhook:ops (HTTP 404): the URL is not, or no longer, accepted: no_service at https://[redacted], or \
                  [redacted]";
    assert!(reason.ends_with(wanted), "{reason}");
    let nowhere = sink(&format!("http://127.0.0.1:1/{TOKEN}"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let reason = runtime.block_on(nowhere.send(&message("ops"))).unwrap_err().to_string();
    assert!(reason.contains("webhook:ops: no connection to its host"), "{reason}");
    assert!(!reason.contains("127.0.0.1") && !reason.contains("hunter2"), "{reason}");
}

#[test]
fn each_service_is_posted_to_in_its_own_form() {
    for (service, path, field) in [
        ("slack", "/services/T/B/x", "blocks"),
        ("discord", "/api/webhooks/1/x?thread_id=7", "allowed_mentions"),
        ("teams", "/workflows/1?sig=x", "attachments"),
        ("mattermost", "/hooks/x", "text"),
        ("ntfy", "/topic", "topic"),
        ("generic", "/any?x=y", "version"),
    ] {
        let (request, result) = exchange(service, path, http("200 OK", "ok"));
        assert_eq!(result, Ok(Receipt::default()), "{service}");
        assert!(body_of(&request).get(field).is_some(), "{service}: {request}");
        assert_eq!(header(&request, "content-type"), Some("application/json"));
        let line = match service {
            "discord" => "POST /api/webhooks/1/x?thread_id=7&wait=true HTTP/1.1".to_owned(),
            "ntfy" => "POST / HTTP/1.1".to_owned(),
            _ => format!("POST {path} HTTP/1.1"),
        };
        assert_eq!(request.lines().next(), Some(&*line));
        assert_eq!(header(&request, "webhook-signature").is_some(), service == "generic");
    }
    let (_, result) = exchange("discord", "/api/webhooks/1/x", http("200 OK", r#"{"id":"1308"}"#));
    assert_eq!(result, Ok(Receipt::new("1308")));
}

#[test]
fn what_is_signed_is_what_is_sent() {
    let (request, _) = exchange("generic", "/hook", http("204 No Content", ""));
    let (id, at) = (header(&request, "webhook-id").unwrap(), header(&request, "webhook-timestamp").unwrap());
    let body = request.split_once("\r\n\r\n").unwrap().1.as_bytes();
    let signed = signature::signature(&Secret::new("a shared secret"), id, at.parse().unwrap(), body);
    assert_eq!((header(&request, "webhook-signature"), id), (Some(&*signed), "0198-key"));
}

#[test]
fn a_login_in_the_url_becomes_a_header() {
    let server = answering(http("200 OK", "{}"));
    let url = server.url.replace("http://", "ntfy+http://:tk_secret@");
    let sink = sink(&format!("{url}/topic"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(sink.send(&message("ops"))).unwrap();
    assert_eq!(header(&server.join(), "authorization"), Some("Basic OnRrX3NlY3JldA=="));
}

#[test]
fn a_wish_to_be_left_alone_is_heard_and_a_redirect_is_not_followed() {
    let (_, result) = exchange("slack", "/x", http("429 Too Many Requests\r\nRetry-After: 30", ""));
    let Err(SendError::NotProcessed { retry_after, .. }) = result else { panic!("{result:?}") };
    assert_eq!(retry_after, Some(Duration::from_secs(30)));
    let (_, result) = exchange("slack", "/x", http("302 Found\r\nLocation: http://127.0.0.1:1/", ""));
    assert!(matches!(result, Err(SendError::Misconfigured { .. })), "{result:?}");
}

#[test]
fn what_is_wrong_is_told_with_the_mend_and_without_the_url() {
    let long = "x".repeat(33);
    for (label, url, secret, what) in [
        ("", "https://example.com/hidden", "", "a label is none"),
        ("a b", "https://example.com/hidden", "", "a label is none"),
        (&*long, "https://example.com/hidden", "", "a label is none"),
        ("ops", "hidden", "", r#"the URL of "ops" is not a URL"#),
        ("ops", "http://example.com/hidden", "", r#"the URL of "ops" is http to another host"#),
        ("ops", "https://ntfy.sh", "", r#"the URL of "ops" has no topic"#),
        ("ops", "http://127.0.0.1/hidden", "whsec_hid den", "begins with whsec_"),
        ("ops", "http://127.0.0.1/hidden", " ", "is blank"),
    ] {
        let sink = WebhookSink::new(label, url);
        let sink = if secret.is_empty() { sink } else { sink.secret(secret) };
        let problems = sink.problems();
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].what.starts_with(what) && !problems[0].mend.is_empty(), "{problems:?}");
        assert!(!format!("{problems:?} {sink:?}").contains("hid"), "{problems:?} {sink:?}");
    }
    assert_eq!(sink("http://127.0.0.1/").problems(), []);
    assert_eq!(sink("http://example.com/").allow_http(true).problems(), []);
}

#[test]
fn a_label_has_one_name_however_often_it_is_used() {
    let [one, other] = [(), ()].map(|()| sink("http://127.0.0.1/").name());
    assert!(std::ptr::eq(one, other) && one == "webhook:ops", "{one} {other}");
    // What could be a URL becomes no name.
    assert_eq!(WebhookSink::new("https://example.com/hidden", "").name(), "webhook:?");
}

#[test]
fn a_large_notice_leaves_out_what_is_long() {
    let mut long = event("failed");
    long.backtrace = Some("frame\n".repeat(200_000));
    let mut large = message("ops");
    large.text = "x".repeat(2_000_000);
    let sample = |event| Sample { event, ..Notice::examples().remove(0).1.samples.remove(0) };
    let body = |samples| {
        let mut large = large.clone();
        Arc::make_mut(&mut large.notice).samples = samples;
        let body = generic::body(&large);
        assert!(body.len() <= generic::MAX_BODY_BYTES, "{}", body.len());
        serde_json::from_slice::<Value>(&body).unwrap()
    };
    let without = body(vec![sample(long)]);
    assert_eq!(without["omitted"], json!(["breadcrumbs", "backtraces"]));
    assert_eq!(without["notice"]["samples"][0]["event"]["message"], "failed");
    let many = body(vec![sample(event(&"m".repeat(60_000))); 50]);
    assert_eq!(many["notice"]["samples"].as_array().unwrap().len(), 1);
    let none = body(vec![sample(event(&"m".repeat(2_000_000)))]);
    assert_eq!((&none["notice"], &none["omitted"]), (&Value::Null, &json!(["notice"])));
}

/// What somebody writes who wants to ping, to deceive or to break out.
fn nasty() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        proptest::sample::select(vec![
            "<!channel>",
            "<!here|x>",
            "<@U0123>",
            "<#C1>",
            "@everyone",
            "@here",
            "@channel",
            "@all",
            "@alice",
            "<@&17>",
            "<@17>",
            "<https://evil.example|shop>",
            "[shop](https://evil.example)",
            "```",
            "`",
            "\n```\n",
            "\\",
            "&lt;",
            "&",
            "<",
            ">",
            "*",
            "_",
            "~",
            "|",
            "\u{202e}",
            "\u{200b}",
            "@\u{200b}here",
            "\u{0}",
            "\r\n",
            "\",\"text\":\"",
            "<at>Bob</at>",
            "😀",
            "é",
            "\u{1b}[31m",
            ":tada:",
            "https://example.com/a_b",
            "\\@everyone",
            "@\u{feff}all",
            "\\<@1>",
        ])
        .prop_map(str::to_owned),
        "[ -~]{0,12}",
        any::<char>().prop_map(String::from),
    ];
    (vec(piece, 0..12), 1..400_usize).prop_map(|(pieces, times)| {
        let text = pieces.concat();
        let times = if times > 390 { times } else { 1 };
        text.repeat(times)
    })
}

fn nasty_message() -> impl Strategy<Value = Message> {
    (nasty(), nasty(), nasty(), 0..15_usize).prop_map(|(short, subject, text, example)| {
        let notice = Arc::new(Notice::examples().remove(example).1);
        Message { short, subject, text, notice, ..message("ops") }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn whatever_is_told_is_valid_and_pings_nobody(message in nasty_message()) {
        valid::slack(&chat::slack(&message))?;
        valid::discord(&chat::discord(&message))?;
        valid::mattermost(&chat::mattermost(&message))?;
        valid::ntfy(&chat::ntfy(&message, "topic", true))?;
        valid::teams(&chat::teams(&message))?;
        for request in pagerduty::requests(&message, "0123", true, &Raised::default(), 1) {
            valid::pagerduty(&request.body)?;
        }
        let generic: Value = serde_json::from_slice(&generic::body(&message)).unwrap();
        prop_assert_eq!(&generic["id"], "0198-key");
        prop_assert_eq!(&generic["notice"]["id"], &message.notice.id);
    }

    #[test]
    fn no_answer_breaks_it_or_shows_the_url(
        status in 200_u16..600,
        headers in any_headers(TOKEN),
        body in vec(prop_oneof![Just(TOKEN.as_bytes().to_vec()), vec(any::<u8>(), 0..30)], 0..6),
        service in proptest::sample::select(vec![Service::Slack, Service::Discord, Service::PagerDuty, Service::Generic]),
    ) {
        let answer = Answer { status: StatusCode::from_u16(status).unwrap(), headers, body: body.concat() };
        let sink = sink(&format!("https://hooks.example.com/{TOKEN}"));
        assert_fit(&judge(&answer, service, sink.name, &sink.scrub()), &["hunter2", "hooks.example.com"]);
    }
}
