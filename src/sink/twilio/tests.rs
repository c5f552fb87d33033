//! The request Twilio gets, and what each of its answers becomes.

use std::time::Duration;

use proptest::prelude::*;
use reqwest::{StatusCode, header::HeaderMap};

use super::{
    super::wire::{answering, any_headers, assert_fit, header, http, message},
    *,
};

const ACCOUNT: &str = "AC0123456789abcdef0123456789abcdef";
const KEY: &str = "SK0123456789abcdef0123456789abcdef";
const SERVICE: &str = "MG0123456789abcdef0123456789abcdef";
const TOKEN: &str = "hunter2hunter2hunter2hunter2hunt";
const TO: &str = "+15551230001";
const FROM: &str = "+15550006677";

fn sink() -> TwilioSink {
    TwilioSink::new(ACCOUNT, TOKEN).sender_number(FROM)
}

fn judged(status: u16, body: &[u8]) -> Result<Receipt, SendError> {
    let status = StatusCode::from_u16(status).unwrap();
    let answer = Answer { status, headers: HeaderMap::new(), body: body.to_vec() };
    judge(&answer, Some(FROM), &sink().scrub(TO))
}

/// The error of an answer with Twilio's usual body.
fn error(status: u16, code: u32) -> SendError {
    judged(status, format!(r#"{{"code":{code},"message":"m","status":{status}}}"#).as_bytes()).unwrap_err()
}

fn settings(sink: &TwilioSink) -> Vec<String> {
    sink.problems().into_iter().map(|problem| problem.setting).collect()
}

#[test]
fn every_code_has_its_class_whatever_the_status() {
    let kind = |error: &SendError| match error {
        SendError::NotProcessed { retry_after: None, .. } => "retry",
        SendError::NotProcessed { .. } => "rest",
        SendError::Ambiguous { .. } => "ambiguous",
        SendError::Rejected { .. } => "reject",
        SendError::RecipientRefused { .. } => "refuse",
        SendError::Misconfigured { .. } => "pause",
    };
    let table: &[(&str, &[u32])] = &[
        ("retry", &[20429, 20503, 21619, 63018, 30003, 30017, 30036]),
        ("rest", &[14107, 21606, 21611, 21659, 63038, 30001, 30022, 30023, 30027]),
        ("ambiguous", &[20500, 30008, 30410, 30500]),
        ("refuse", &[21211, 21610, 21614, 21635]),
        ("reject", &[21265, 21408, 21604, 21608, 21612, 21910]),
        ("reject", &[20001, 20422, 21602, 21603, 21605, 21617, 21658]),
        ("reject", &[30004, 30005, 30006, 30007, 30019, 30450]),
        ("pause", &[10001, 20003, 20005, 20006, 20403, 20404, 21607, 90010]),
        ("pause", &[21212, 21609, 21660, 21661, 21663, 21703, 21704, 21705, 21712, 90007]),
        ("pause", &[30002, 30032, 30034, 30035]),
    ];
    for (class, codes) in table {
        for &code in *codes {
            for status in [400, 429, 500] {
                assert_eq!(kind(&error(status, code)), *class, "{code} with {status}");
            }
        }
    }
    let tested: usize = table.iter().map(|(_, codes)| codes.len()).sum();
    let known = (0..100_000).filter(|&code| codes::meaning(code).is_some()).count();
    assert_eq!(tested, known, "a code without a test");
}

#[test]
fn the_daily_limit_rests_for_an_hour_although_its_status_is_the_rate_limits() {
    let retry_after = |code| match error(429, code) {
        SendError::NotProcessed { retry_after, .. } => retry_after,
        _ => None,
    };
    assert_eq!(retry_after(63038), Some(Duration::from_secs(3600)));
    assert_eq!(retry_after(20429), None);
}

#[test]
fn an_unknown_code_leaves_it_to_the_status() {
    assert!(matches!(error(400, 12345), SendError::Rejected { .. }));
    assert!(matches!(error(401, 12345), SendError::Misconfigured { .. }));
    assert!(matches!(error(429, 12345), SendError::NotProcessed { .. }));
    assert!(matches!(error(500, 12345), SendError::Ambiguous { .. }));
    assert!(matches!(error(503, 12345), SendError::Ambiguous { .. }));
    assert!(matches!(error(302, 12345), SendError::Misconfigured { .. }));
}

#[test]
fn a_reason_tells_code_status_and_meaning() {
    let reason = |status, body: &str| judged(status, body.as_bytes()).unwrap_err().to_string();
    for (status, body, wanted) in [
        (
            400,
            r#"{"code":21211,"message":"The 'To' number +15551230001 is invalid.","status":400}"#,
            "Twilio 21211 (HTTP 400): invalid To number: The 'To' number +[recipient] is invalid.",
        ),
        (400, r#"{"code":"21211"}"#, r#"Twilio 21211 (HTTP 400): invalid To number: {"code":"21211"}"#),
        (
            404,
            r#"{"type":"t","title":"T","status":404,"code":20404,"detail":"No such account","errors":[]}"#,
            "Twilio 20404 (HTTP 404): no such resource; is the account SID right?: No such account",
        ),
        (
            400,
            r#"{"code":20001,"message":"bad","httpStatusCode":400,"params":{},"userError":true}"#,
            "Twilio 20001 (HTTP 400): invalid parameter: bad",
        ),
        (400, r#"{"code":null,"message":7}"#, "Twilio (HTTP 400): the request was refused: "),
        (502, "<html><h1>Bad\r\nGateway</h1>", "Twilio (HTTP 502): the server failed: Bad Gateway"),
        (500, "", "Twilio (HTTP 500): the server failed"),
    ] {
        let reason = reason(status, body);
        assert!(reason.contains(wanted), "{reason}");
    }
}

#[test]
fn a_country_that_a_short_code_does_not_reach_is_no_fault_of_the_sender() {
    for code in [21606, 21659] {
        let body = format!(r#"{{"code":{code},"message":"m"}}"#);
        let answer =
            Answer { status: StatusCode::BAD_REQUEST, headers: HeaderMap::new(), body: body.into_bytes() };
        let judged = |sender| judge(&answer, sender, &sink().scrub(TO));
        assert!(matches!(judged(Some("12345")), Err(SendError::Rejected { .. })), "{code}");
        for sender in [Some(FROM), Some("ACME"), None] {
            let rests =
                |error: &SendError| matches!(error, SendError::NotProcessed { retry_after: Some(_), .. });
            assert!(judged(sender).as_ref().is_err_and(rests), "others may be reached: {code} {sender:?}");
        }
    }
}

#[test]
fn a_success_that_is_not_twilios_is_none() {
    for body in ["", "<html>Sign in to the network</html>", r#"{"sid":"x"}"#] {
        let error = judged(200, body.as_bytes()).unwrap_err();
        assert!(error.is_ambiguous() && error.to_string().contains("base URL"), "{error}");
    }
    let body = br#"{"sid":"SM0123456789abcdef0123456789abcdef"}"#;
    assert!(judged(200, body).is_ok());
}

#[test]
fn a_success_is_one_whatever_its_body() {
    let sid = "SM0123456789abcdef0123456789abcdef";
    let body = format!(r#"{{"sid":"{sid}","status":"queued","error_code":null,"num_segments":"0"}}"#);
    assert_eq!(judged(201, body.as_bytes()), Ok(Receipt::new(sid)));
    for body in ["", "<html>", "[]", r#"{"sid":7}"#, r#"{"sid":"x"}"#, r#"{"code":20003}"#] {
        assert_eq!(judged(201, body.as_bytes()), Ok(Receipt::default()), "{body}");
    }
}

#[test]
fn an_echo_of_what_is_the_operators_is_removed() {
    let text = format!("{ACCOUNT} {TOKEN} {FROM} %2B15551230001 {TO} ops@example.com +1 555 123 0099");
    let reason = judged(400, text.as_bytes()).unwrap_err().to_string();
    assert!(!reason.contains("555"), "{reason}");
    assert!(
        !reason.contains("0123456789") && !reason.contains("hunter2") && !reason.contains('@'),
        "{reason}"
    );
}

#[test]
fn good_settings_have_no_problem() {
    assert_eq!(sink().problems(), []);
    assert_eq!(
        TwilioSink::with_api_key(ACCOUNT, KEY, "secret").messaging_service_sid(SERVICE).problems(),
        []
    );
    for sender in [FROM, "12345", "ACME", "Acme Co 24", "A-1 & B_2"] {
        assert_eq!(sink().sender_number(sender).problems(), [], "{sender}");
    }
    assert_eq!(sink().base_url("http://127.0.0.1:8080/").problems(), []);
}

#[test]
fn each_bad_setting_is_named() {
    for sid in ["", " ", "AC42", "SK0123456789abcdef0123456789abcdef", "AC0123456789abcdef0123456789abcd/."] {
        assert_eq!(
            settings(&TwilioSink::new(sid, TOKEN).sender_number(FROM)),
            ["TWILIO_ACCOUNT_SID"],
            "{sid}"
        );
    }
    assert_eq!(
        settings(&TwilioSink::new(" ", "\t")),
        ["TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "TWILIO_SENDER_NUMBER"]
    );
    assert_eq!(
        settings(&TwilioSink::with_api_key(ACCOUNT, "x", "").sender_number(FROM)),
        ["TWILIO_API_KEY", "TWILIO_API_KEY_SECRET"]
    );
    for sender in ["", " ", "12", "123456789", "ACME GmbH Ltd", " ACME", "ACME\n", "Äcme", "+0123456789"] {
        assert_eq!(settings(&sink().sender_number(sender)), ["TWILIO_SENDER_NUMBER"], "{sender:?}");
    }
    assert_eq!(settings(&sink().messaging_service_sid("")), ["TWILIO_MESSAGING_SERVICE_SID"]);
    assert_eq!(settings(&sink().base_url("api.twilio.com")), ["TWILIO_BASE_URL"]);
}

#[test]
fn neither_debug_nor_a_problem_shows_a_credential_or_a_number() {
    let bad = TwilioSink::new(TOKEN, "hunter2 \n").sender_number("0015550006677").base_url("hunter2://x");
    let key = TwilioSink::with_api_key(ACCOUNT, TOKEN, TOKEN).messaging_service_sid("hunter2");
    for sink in [bad, key, sink().base_url("https://hunter2:hunter2@example.com")] {
        let shown = format!("{sink:?} {:?}", sink.problems());
        assert!(!shown.contains("hunt") && !shown.contains("555"), "{shown}");
    }
    let shown = format!("{:?}", sink());
    assert!(shown.contains(r#""***77""#) && shown.contains("AC***cdef"), "{shown}");
    assert!(shown.contains("api.twilio.com"), "{shown}");
}

#[tokio::test]
async fn the_request_is_a_form_to_the_accounts_messages() {
    let server = answering(http("201 Created", "{}"));
    let receipt = sink().base_url(&server.url).send(&message(TO)).await;
    assert_eq!(receipt, Ok(Receipt::default()));
    let request = server.join();
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    assert!(
        head.starts_with(&format!("POST /2010-04-01/Accounts/{ACCOUNT}/Messages.json HTTP/1.1\r\n")),
        "{head}"
    );
    assert_eq!(header(head, "content-type"), Some("application/x-www-form-urlencoded"));
    assert_eq!(
        header(head, "authorization"),
        Some(
            "Basic QUMwMTIzNDU2Nzg5YWJjZGVmMDEyMzQ1Njc4OWFiY2RlZjpodW50ZXIyaHVudGVyMmh1bnRlcjJodW50ZXIyaHVudA=="
        )
    );
    assert_eq!(
        body,
        "To=%2B15551230001&From=%2B15550006677\
         &Body=%5BMyApp%5D+ERROR%3A+50%25+%26+more+%237K3Q&ValidityPeriod=3600&RiskCheck=disable"
    );
}

#[tokio::test]
async fn an_api_key_authenticates_for_the_account_and_a_service_may_send() {
    let server = answering(http("201 Created", "{}"));
    let sink = TwilioSink::with_api_key(ACCOUNT, "SK42", "secret").messaging_service_sid(SERVICE);
    let mut message = message(TO);
    message.valid_for = Duration::ZERO;
    sink.base_url(format!("{}/", server.url)).send(&message).await.unwrap();
    let request = server.join();
    assert!(request.starts_with(&format!("POST /2010-04-01/Accounts/{ACCOUNT}/Messages.json ")), "{request}");
    assert_eq!(header(&request, "authorization"), Some("Basic U0s0MjpzZWNyZXQ="));
    assert!(request.contains(&format!("&MessagingServiceSid={SERVICE}&Body=")), "{request}");
    assert!(!request.contains("From="), "{request}");
    assert!(request.ends_with("&ValidityPeriod=6&RiskCheck=disable"), "{request}");
}

#[tokio::test]
async fn what_may_have_been_sent_and_is_too_late_is_looked_up_and_not_sent() {
    let server = answering(http("200 OK", r#"{"messages":[]}"#));
    let mut message = message(TO);
    (message.may_have_been_sent, message.valid_for) = (true, Duration::ZERO);
    let error = sink().base_url(&server.url).send(&message).await.unwrap_err();
    assert!(error.to_string().contains("shows no message of an earlier attempt"), "{error}");
    assert!(server.join().starts_with("GET "), "it was sent");
}

#[tokio::test]
async fn a_wish_of_the_answer_is_told() {
    let server = answering(http("429 x\r\nRetry-After: 7", r#"{"code":20429}"#));
    let error = sink().base_url(&server.url).send(&message(TO)).await.unwrap_err();
    let SendError::NotProcessed { retry_after, reason } = error else { panic!("{error}") };
    assert_eq!(retry_after, Some(Duration::from_secs(7)));
    assert!(reason.starts_with("Twilio 20429 (HTTP 429): too many requests at once"), "{reason}");
}

/// The login as the header of a request has it.
const BASIC: &str =
    "QUMwMTIzNDU2Nzg5YWJjZGVmMDEyMzQ1Njc4OWFiY2RlZjpodW50ZXIyaHVudGVyMmh1bnRlcjJodW50ZXIyaHVudA==";

#[test]
fn an_echo_of_the_login_is_removed_however_it_is_spelled() {
    let encoded = BASIC.replace('=', "%3D");
    let token = "hunter%32hunter2hunter2hunter2hunt";
    for body in [
        format!("auth={BASIC}"),
        format!(r#"{{"message":"auth: {encoded}"}}"#),
        format!(r#"{{"code":20003,"message":"{token}"}}"#),
        format!("<p>{token}</p>"),
    ] {
        let reason = judged(401, body.as_bytes()).unwrap_err().to_string();
        assert!(reason.contains("[redacted]"), "{reason}");
        assert!(!reason.contains("QUMw") && !reason.contains("hunt"), "{reason}");
    }
}

proptest! {
    #[test]
    fn no_answer_breaks_it_or_shows_a_credential(
        status in 100..1000u16,
        headers in any_headers(TOKEN),
        before in prop::collection::vec(any::<u8>(), 0..200),
        after in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let secrets = [TOKEN, ACCOUNT, BASIC, TO];
        let body = [before.as_slice(), secrets.concat().as_bytes(), &after].concat();
        let status = StatusCode::from_u16(status).unwrap();
        let result = judge(&Answer { status, headers, body }, Some(FROM), &sink().scrub(TO));
        prop_assert!(result.is_ok() == (status == StatusCode::CREATED));
        assert_fit(&result, &secrets);
    }

    #[test]
    fn no_message_of_twilio_shows_a_credential(status in 300..600u16, code: u32, before: String, after: String) {
        let text = format!("{before}{TOKEN}{after}{ACCOUNT}{TO}{BASIC}");
        let body = serde_json::json!({ "code": code, "message": text }).to_string();
        assert_fit(&judged(status, body.as_bytes()), &[TOKEN, ACCOUNT, BASIC, TO]);
    }
}
