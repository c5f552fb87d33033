//! The request SendGrid gets, and what each of its answers becomes.

use std::time::Duration;

use proptest::prelude::*;
use reqwest::{StatusCode, header::HeaderMap};

use super::{
    super::wire::{answering, any_headers, assert_fit, header, http, message},
    *,
};

const KEY: &str = "SG.hunter2.hunter2hunter2";
const TO: &str = "ops@example.com";
const FROM: &str = "alerts@mail.example.org";

fn sink() -> SendGridSink {
    SendGridSink::new(KEY, FROM)
}

fn judged(status: u16, body: &[u8]) -> Result<Receipt, SendError> {
    let status = StatusCode::from_u16(status).unwrap();
    let answer = Answer { status, headers: HeaderMap::new(), body: body.to_vec() };
    judge(&answer, &sink().scrub(TO))
}

fn settings(sink: &SendGridSink) -> Vec<String> {
    sink.problems().into_iter().map(|problem| problem.setting).collect()
}

#[test]
fn every_status_has_its_class() {
    let kind = |status| match judged(status, b"") {
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
        ("pause", &[301, 302, 307, 308, 401, 403, 404, 405, 451]),
        ("retry", &[408, 425, 429]),
        ("ambiguous", &[500, 502, 503, 504]),
    ];
    for (class, statuses) in table {
        for &status in *statuses {
            assert_eq!(kind(status), *class, "{status}");
        }
    }
}

#[test]
fn what_a_mail_had_no_room_for_comes_as_a_file_of_text() {
    assert_eq!(sink().mail(&message(TO)).get("attachments"), None);
    let attachment = Some(Attachment::new("alert-7K3Q.txt", "платёж\n"));
    let mail = sink().mail(&Message { attachment, ..message(TO) });
    let [file] = mail["attachments"].as_array().unwrap().as_slice() else { panic!("{mail}") };
    assert_eq!((&file["filename"], &file["disposition"]), (&json!("alert-7K3Q.txt"), &json!("attachment")));
    // With a charset after it, SendGrid refuses the whole mail.
    assert_eq!(file["type"], "text/plain");
    let bytes = BASE64_STANDARD.decode(file["content"].as_str().unwrap()).unwrap();
    assert_eq!(String::from_utf8(bytes).unwrap(), "\u{FEFF}платёж\n");
}

#[test]
fn a_reason_tells_status_meaning_and_what_sendgrid_says() {
    for (status, body, wanted) in [
        (
            401,
            r#"{"errors":[{"message":"Maximum credits exceeded","field":null,"help":null}]}"#,
            "SendGrid (HTTP 401): a wrong API key, or the plan's credits are used up: Maximum credits exceeded",
        ),
        (
            400,
            r#"{"errors":[{"message":"Bad","field":"from.email","help":{}},{"message":"Worse","field":"null"}],"id":"x"}"#,
            "SendGrid (HTTP 400): the mail was refused: Bad (from.email); Worse",
        ),
        (400, r#"{"errors":[]}"#, r#"SendGrid (HTTP 400): the mail was refused: {"errors":[]}"#),
        (400, r#"{"errors":[7,null,{"field":7}]}"#, "SendGrid (HTTP 400): the mail was refused: "),
        (
            413,
            "<html><title>413 Request Entity Too Large</title>",
            "SendGrid (HTTP 413): the mail is too large: 413 Request Entity Too Large",
        ),
        (503, "", "SendGrid (HTTP 503): the server failed"),
    ] {
        let reason = judged(status, body.as_bytes()).unwrap_err().to_string();
        assert!(reason.contains(wanted), "{reason}");
    }
}

#[test]
fn an_echo_of_what_is_the_operators_is_removed() {
    let text = format!("<p>{KEY} from {FROM} to OPS@Example.com, cc boss@example.net, call +15551230001</p>");
    let reason = judged(400, text.as_bytes()).unwrap_err().to_string();
    assert!(
        reason.ends_with("[redacted] from [sender] to [recipient], cc [address], call [number]"),
        "{reason}"
    );
}

#[test]
fn a_mail_is_text_before_html_untracked_and_without_a_null() {
    let mail = sink().sender_name("My, App; <alerts>\r\n").mail(&message(TO));
    assert_eq!(
        mail,
        json!({
            "personalizations": [{ "to": [{ "email": TO }], "custom_args": { "delivery": "0198-key" } }],
            "from": { "email": FROM, "name": "My App alerts" },
            "subject": "[MyApp] payment failed",
            "content": [
                { "type": "text/plain", "value": "plain" },
                { "type": "text/html", "value": "<p>html</p>" },
            ],
            "headers": {
                "Message-ID": "<0198-key@mail.example.org>",
                "Auto-Submitted": "auto-generated",
                "List-Id": "<alerts.mail.example.org>",
                "X-Alert-Id": "7K3Q",
                "X-Alert-Kind": "first",
            },
            "categories": ["alert"],
            "tracking_settings": {
                "click_tracking": { "enable": false, "enable_text": false },
                "open_tracking": { "enable": false },
                "subscription_tracking": { "enable": false },
                "ganalytics": { "enable": false },
            },
        })
    );
    assert_eq!(sink().sender_name(" ,\n").mail(&message(TO))["from"], json!({ "email": FROM }));
    assert!(!sink().mail(&message(TO)).to_string().contains("null"));
}

#[test]
fn no_line_break_gets_into_a_header() {
    let mut message = message(TO);
    message.subject = "a\r\nBcc: all@example.com\u{2028}b".to_owned();
    message.key = "k>\r\nX: y".to_owned();
    let mail = sink().mail(&message);
    assert_eq!(mail["subject"], "a Bcc: all@example.com b");
    assert_eq!(mail["headers"]["Message-ID"], "<kXy@mail.example.org>");
}

#[test]
fn each_bad_setting_is_named() {
    assert_eq!(sink().problems(), []);
    assert_eq!(settings(&SendGridSink::new("", "")), ["SENDGRID_API_KEY", "SENDGRID_SENDER_EMAIL"]);
    assert_eq!(settings(&SendGridSink::new("SG.x\n", FROM)), ["SENDGRID_API_KEY"]);
    assert_eq!(settings(&SendGridSink::new(KEY, "Ops <ops@example.com>")), ["SENDGRID_SENDER_EMAIL"]);
    assert_eq!(settings(&sink().base_url("ftp://example.com")), ["SENDGRID_BASE_URL"]);
}

#[test]
fn neither_debug_nor_a_problem_shows_a_credential_or_the_sender() {
    let bad = SendGridSink::new("hunter2 \n", "hunter2@").base_url("hunter2");
    for sink in [sink(), bad, sink().base_url("https://hunter2:hunter2@example.com")] {
        let shown = format!("{sink:?} {:?}", sink.problems());
        assert!(!shown.contains("hunter2") && !shown.contains(FROM), "{shown}");
    }
}

#[tokio::test]
async fn the_request_is_json_with_the_key_as_bearer() {
    let server = answering(http("202 Accepted\r\nX-Message-Id: abc.DEF-1_2", ""));
    let receipt = sink().base_url(format!("{}/", server.url)).send(&message(TO)).await;
    assert_eq!(receipt, Ok(Receipt::new("abc.DEF-1_2")));
    let request = server.join();
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /v3/mail/send HTTP/1.1\r\n"), "{head}");
    assert_eq!(header(head, "authorization"), Some(format!("Bearer {KEY}").as_str()));
    assert_eq!(header(head, "content-type"), Some("application/json"));
    assert_eq!(header(head, "accept"), Some("application/json"));
    assert_eq!(serde_json::from_str::<Value>(body).unwrap(), sink().mail(&message(TO)));
}

#[tokio::test]
async fn a_receipt_needs_no_reference() {
    let server = answering(http("202 Accepted", ""));
    let receipt = sink().base_url(&server.url).send(&message(TO)).await;
    assert_eq!(receipt, Ok(Receipt::default()));
    let server = answering(http("200 OK\r\nX-Message-Id: abc", ""));
    assert_eq!(sink().base_url(&server.url).send(&message(TO)).await, Ok(Receipt::new("abc")));
}

#[tokio::test]
async fn a_success_that_is_not_sendgrids_is_none() {
    let server = answering(http("200 OK", "<html>Sign in to the network</html>"));
    let error = sink().base_url(&server.url).send(&message(TO)).await.unwrap_err();
    assert!(error.is_ambiguous() && error.to_string().contains("base URL"), "{error}");
}

#[tokio::test]
async fn a_mail_that_is_too_large_goes_out_smaller() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let provider = std::thread::spawn(move || {
        use std::io::{Read, Write};
        let answers = ["413 Request Entity Too Large", "202 Accepted"];
        answers.map(|answer| {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            let mut chunk = [0; 65_536];
            while !request.ends_with(b"}") {
                let length = stream.read(&mut chunk).unwrap();
                request.extend_from_slice(&chunk[..length]);
            }
            write!(stream, "HTTP/1.1 {answer}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n").unwrap();
            let text = String::from_utf8(request).unwrap();
            serde_json::from_str::<Value>(text.split_once("\r\n\r\n").unwrap().1).unwrap()
        })
    });
    let attachment = Some(Attachment::new("alert-7K3Q.txt", "long"));
    let message = Message { text: "платёж ".repeat(20_000), attachment, ..message(TO) };
    assert!(sink().base_url(url).send(&message).await.is_ok());
    let [whole, smaller] = provider.join().unwrap();
    assert_eq!(whole["content"].as_array().unwrap().len(), 2);
    let [only] = smaller["content"].as_array().unwrap().as_slice() else { panic!("{smaller}") };
    let text = only["value"].as_str().unwrap();
    assert!(text.starts_with("платёж") && text.ends_with("this is its beginning.)") && text.len() < 33_000);
    assert!(smaller.get("attachments").is_none() && smaller["subject"] == whole["subject"]);
}

#[tokio::test]
async fn a_rate_limits_wish_is_told() {
    let body = r#"{"errors":[{"field":null,"message":"too many requests"}]}"#;
    let server = answering(http("429 x\r\nX-RateLimit-Reset: 99999999999", body));
    let error = sink().base_url(&server.url).send(&message(TO)).await.unwrap_err();
    let SendError::NotProcessed { retry_after, .. } = error else { panic!("{error}") };
    assert_eq!(retry_after, Some(Duration::from_secs(15 * 60)));
}

proptest! {
    #[test]
    fn no_answer_breaks_it_or_shows_a_credential(
        status in 100..1000u16,
        headers in any_headers(KEY),
        before in prop::collection::vec(any::<u8>(), 0..200),
        after in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let body = [before.as_slice(), KEY.as_bytes(), b" ", TO.as_bytes(), &after].concat();
        let status = StatusCode::from_u16(status).unwrap();
        let has_id = headers.get("x-message-id").is_some_and(|id| id.to_str().is_ok());
        let result = judge(&Answer { status, headers, body }, &sink().scrub(TO));
        let is_page = before.trim_ascii_start().starts_with(b"<");
        prop_assert!(result.is_ok() == (status.is_success() && (status == StatusCode::ACCEPTED || has_id || !is_page)));
        assert_fit(&result, &[KEY, TO]);
    }

    #[test]
    fn no_error_of_sendgrid_shows_a_credential(status in 300..600u16, before: String, after: String) {
        let text = format!("{before}{KEY}{after}{TO}");
        let body = json!({ "errors": [{ "message": text, "field": text }] }).to_string();
        assert_fit(&judged(status, body.as_bytes()), &[KEY, TO]);
    }
}
