//! What an answer, and the lack of one, means; on real sockets.

use std::{io::Write, net::TcpListener, thread};

use reqwest::header::{HeaderName, HeaderValue};

use super::{
    super::wire::{Server, answering, header, http},
    *,
};

/// 2026-08-01 00:00:00 UTC.
const NOW: u64 = 1_785_542_400;

fn wish(status: u16, headers: &[(&'static str, &str)]) -> Option<u64> {
    let headers = headers
        .iter()
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap()))
        .collect();
    let answer = Answer { status: StatusCode::from_u16(status).unwrap(), headers, body: vec![] };
    answer.wish_at(UNIX_EPOCH + Duration::from_secs(NOW)).map(|wish| wish.as_secs())
}

async fn exchange(http: &Http, url: &str) -> Result<Answer, SendError> {
    http.exchange(&Scrub::default(), |client| client.post(url).body("hello")).await
}

/// What remains of a failure: its class, and the reason.
fn failed(result: Result<Answer, SendError>) -> (Class, String) {
    match result.unwrap_err() {
        SendError::NotProcessed { reason, .. } => (Class::NotProcessed, reason),
        SendError::Ambiguous { reason, .. } => (Class::Ambiguous, reason),
        SendError::Rejected { reason } => (Class::Rejected, reason),
        SendError::RecipientRefused { reason } => (Class::RecipientRefused, reason),
        SendError::Misconfigured { reason } => (Class::Misconfigured, reason),
    }
}

/// With a base URL on this machine, where the tests' servers are.
fn http_client() -> Http {
    Http::new("Test", Connection::new("http://127.0.0.1"))
}

/// As [`http_client`], with limits of its own.
fn limited(connect_timeout: u64, total_timeout: u64) -> Http {
    let [connect, total] = [connect_timeout, total_timeout].map(Duration::from_millis);
    let http = http_client();
    let line = line(&http.connection, connect, total).map_err(|fault| fault.1).unwrap();
    Http { line: OnceLock::from(line), ..http }
}

fn impatient() -> Http {
    limited(200, 200)
}

#[test]
fn retry_after_is_seconds_or_a_date_within_bounds() {
    let retry_after = |text| wish(503, &[("retry-after", text)]);
    for (text, wish) in [
        ("30", Some(30)),
        (" 30 ", Some(30)),
        ("0", Some(1)),
        ("3601", Some(3600)),
        ("99999999999999999999999", Some(3600)),
        ("Sat, 01 Aug 2026 00:02:00 GMT", Some(120)),
        ("Fri, 31 Jul 2026 00:00:00 GMT", Some(1)),
        ("Sun, 01 Aug 2099 00:00:00 GMT", None),
        ("Sat, 01 Aug 2099 00:00:00 GMT", Some(3600)),
        ("", None),
        ("-5", None),
        ("+5", None),
        ("1.5", None),
        ("1e9", None),
        ("soon", None),
        ("2026-08-01T00:02:00Z", None),
    ] {
        assert_eq!(retry_after(text), wish, "{text:?}");
    }
}

#[test]
fn a_rate_limit_ends_at_its_second_within_bounds() {
    let reset = |text: &str| wish(429, &[("x-ratelimit-reset", text)]);
    assert_eq!(reset(&(NOW + 20).to_string()), Some(20));
    assert_eq!(reset(&(NOW - 20).to_string()), Some(1));
    assert_eq!(reset("0"), Some(1));
    assert_eq!(reset(&(NOW * 2).to_string()), Some(900));
    assert_eq!(reset(&u128::MAX.to_string()), Some(900));
    assert_eq!(["", "garbage", "-1"].map(reset), [None; 3]);
}

#[test]
fn retry_after_goes_before_the_rate_limit_which_counts_with_429_only() {
    let reset = (NOW + 20).to_string();
    assert_eq!(wish(429, &[("retry-after", "5"), ("x-ratelimit-reset", &reset)]), Some(5));
    assert_eq!(wish(429, &[("retry-after", "soon"), ("x-ratelimit-reset", &reset)]), Some(20));
    assert_eq!(wish(503, &[("x-ratelimit-reset", &reset)]), None);
    assert_eq!(wish(429, &[]), None);
}

#[test]
fn a_status_has_a_class() {
    let class = |status| Class::of(StatusCode::from_u16(status).unwrap()).0;
    assert_eq!([301, 302, 304, 307, 308].map(class), [Class::Misconfigured; 5]);
    assert_eq!([401, 402, 403, 404, 405, 407, 410, 451].map(class), [Class::Misconfigured; 8]);
    assert_eq!([408, 425, 429].map(class), [Class::NotProcessed; 3]);
    assert_eq!([400, 406, 409, 413, 415, 422, 499].map(class), [Class::Rejected; 7]);
    assert_eq!([500, 502, 503, 504, 599, 100, 600, 999].map(class), [Class::Ambiguous; 8]);
}

#[test]
fn the_longer_of_two_wishes_is_told() {
    let rest = |wish: Option<u64>| match Class::Resting(Duration::from_secs(30))
        .error(String::new(), wish.map(Duration::from_secs))
    {
        SendError::NotProcessed { retry_after, .. } => retry_after.map(|wish| wish.as_secs()),
        _ => None,
    };
    assert_eq!([None, Some(5), Some(60)].map(rest), [Some(30), Some(30), Some(60)]);
}

#[test]
fn a_credential_fits_a_header() {
    let good = |text| is_credential(&Secret::new(text));
    assert!(good("SG.x-Y_z~"));
    assert_eq!(["", "  ", "a b", "a\n", "ä", "a\0"].map(good), [false; 6]);
}

#[tokio::test]
async fn the_client_is_made_once_and_not_before_the_first_request() {
    let http = http_client();
    assert!(http.line.get().is_none());
    let server = answering(super::super::wire::http("200 OK", "{}"));
    let answer = exchange(&http, &server.url).await.unwrap();
    assert_eq!((answer.status.as_u16(), answer.body.as_slice()), (200, b"{}".as_slice()));
    assert!(http.line.get().is_some());
    let request = server.join();
    let agent = header(&request, "user-agent").unwrap();
    assert!(agent.starts_with(concat!("tracing-alert/", env!("CARGO_PKG_VERSION"), " (")), "{agent}");
    assert!(agent.ends_with(") rust"), "{agent}");
    assert_eq!(header(&request, "accept"), Some("application/json"));
    assert_eq!(header(&request, "referer"), None);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
    elsewhere.set_nonblocking(true).unwrap();
    let location = format!("307 Temporary Redirect\r\nLocation: http://{}", elsewhere.local_addr().unwrap());
    let server = answering(http(&location, ""));
    let answer = exchange(&http_client(), &server.url).await.unwrap();
    assert_eq!(answer.status.as_u16(), 307);
    assert!(elsewhere.accept().is_err(), "somebody called");
}

// The connection's own task closes it while this one waits for the server.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_huge_answer_is_not_read_whole() {
    const HUGE: usize = 100 * 1024 * 1024;
    let server = Server::start(|mut stream, _| {
        let mut written = 0;
        let chunk = vec![b'x'; 64 * 1024];
        stream.write_all(format!("HTTP/1.1 400 x\r\nContent-Length: {HUGE}\r\n\r\n").as_bytes()).unwrap();
        while written < HUGE && stream.write_all(&chunk).is_ok() {
            written += chunk.len();
        }
        written
    });
    let answer = exchange(&http_client(), &server.url).await.unwrap();
    assert_eq!((answer.status.as_u16(), answer.body.len()), (400, MAX_BODY - UNSHOWN_TAIL));
    drop(answer);
    let written = server.join();
    assert!(written < HUGE / 2, "{written}");
}

#[tokio::test]
async fn a_refused_connection_was_not_processed_and_shows_no_url() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/Accounts/AC42", listener.local_addr().unwrap());
    drop(listener);
    let (class, reason) = failed(exchange(&http_client(), &url).await);
    assert_eq!(class, Class::NotProcessed);
    assert!(reason.starts_with("Test: no connection to 127.0.0.1: "), "{reason}");
    assert!(reason.contains("refused"), "{reason}");
    assert!(!reason.contains("AC42") && !reason.contains("http:"), "{reason}");
}

#[cfg(any(feature = "rustls-ring", feature = "rustls-aws-lc", feature = "native-tls"))]
#[tokio::test]
async fn a_failed_tls_handshake_was_not_processed() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let thread =
        thread::spawn(move || listener.accept().unwrap().0.write_all(b"HTTP/1.1 400 no TLS\r\n\r\n"));
    let (class, reason) = failed(exchange(&http_client(), &url).await);
    assert_eq!(class, Class::NotProcessed, "{reason}");
    thread.join().unwrap().unwrap();
}

#[cfg(any(feature = "rustls-ring", feature = "rustls-aws-lc", feature = "native-tls"))]
#[tokio::test]
async fn a_tls_handshake_without_end_was_not_processed() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let http = limited(200, 20_000);
    let (class, reason) = failed(exchange(&http, &url).await);
    assert_eq!(class, Class::NotProcessed, "{reason}");
}

#[tokio::test]
async fn a_connection_cut_after_the_request_is_ambiguous() {
    let server = Server::start(|stream, _| drop(stream));
    let (class, reason) = failed(exchange(&http_client(), &server.url).await);
    assert_eq!(class, Class::Ambiguous);
    assert!(reason.starts_with("Test: the connection broke off: "), "{reason}");
}

#[tokio::test]
async fn no_answer_in_time_is_ambiguous() {
    let (done, wait) = std::sync::mpsc::channel::<()>();
    let server = Server::start(move |stream, _| {
        let _ = wait.recv();
        drop(stream);
    });
    let (class, reason) = failed(exchange(&impatient(), &server.url).await);
    assert_eq!(class, Class::Ambiguous);
    assert!(reason.starts_with("Test: no answer in time"), "{reason}");
    drop(done);
    server.join();
}

#[tokio::test]
async fn what_is_no_http_is_ambiguous() {
    let server = answering("220 mail.example.com ESMTP\r\n");
    let (class, reason) = failed(exchange(&http_client(), &server.url).await);
    assert_eq!(class, Class::Ambiguous, "{reason}");
}

/// What comes of an answer whose body breaks off.
async fn broken_off(status: &str) -> Result<Answer, SendError> {
    let server = answering(format!("HTTP/1.1 {status}\r\nContent-Length: 99\r\n\r\n{{\"code\":"));
    exchange(&http_client(), &server.url).await
}

#[tokio::test]
async fn a_body_that_breaks_off_leaves_what_the_status_says() {
    for status in ["201 Created", "302 Found", "401 No", "429 Slow\r\nRetry-After: 7", "500 Oops"] {
        let answer = broken_off(status).await.unwrap();
        assert_eq!((answer.status.as_str(), answer.body.as_slice()), (&status[..3], b"".as_slice()));
        assert_eq!(answer.wish().is_some(), answer.status == 429);
    }
}

#[tokio::test]
async fn a_refusal_that_breaks_off_is_not_final_as_its_code_is_lost() {
    let (class, reason) = failed(broken_off("400 Bad Request").await);
    assert_eq!(class, Class::NotProcessed);
    assert!(
        reason.starts_with("Test (HTTP 400): refused, but the connection broke before the reason came: "),
        "{reason}"
    );
}

// As for the huge answer.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_body_without_end_that_drips_counts_by_its_status() {
    for (status, class) in [("201 Created", None), ("400 Bad Request", Some(Class::NotProcessed))] {
        let head = format!("HTTP/1.1 {status}\r\nTransfer-Encoding: chunked\r\n\r\n");
        let server = Server::start(move |mut stream, _| {
            let mut dripped = stream.write_all(head.as_bytes());
            while dripped.is_ok() {
                thread::sleep(Duration::from_millis(5));
                dripped = stream.write_all(b"1\r\n{\r\n");
            }
        });
        let answer = exchange(&impatient(), &server.url).await;
        match class {
            None => assert_eq!(answer.unwrap().body, b""),
            Some(class) => assert_eq!(failed(answer).0, class),
        }
        server.join();
    }
}

// As for the huge answer.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn headers_without_measure_are_no_answer() {
    let many = "X-Many: 1\r\n".repeat(10_000);
    let long = format!("X-Long: {}\r\n", "x".repeat(4 * 1024 * 1024));
    for headers in [many, long] {
        let answer = format!("HTTP/1.1 200 OK\r\n{headers}Content-Length: 0\r\n\r\n");
        let server = Server::start(move |mut stream, _| drop(stream.write_all(answer.as_bytes())));
        let (class, reason) = failed(exchange(&http_client(), &server.url).await);
        assert_eq!(class, Class::Ambiguous, "{reason}");
        server.join();
    }
}

// With a program's `reqwest/rustls-no-provider`, reqwest panics here.
#[cfg(not(any(feature = "rustls-no-provider", feature = "native-tls")))]
#[test]
fn a_client_is_made_or_it_is_said_what_it_wants() {
    let made = line(&Connection::new("http://127.0.0.1"), CONNECT_TIMEOUT, TOTAL_TIMEOUT);
    assert!(
        made.is_ok() || made.is_err_and(|fault| fault == (Class::Misconfigured, tls::NO_PROVIDER.into()))
    );
}

#[tokio::test]
async fn a_request_that_cannot_be_made_is_misconfigured() {
    let (class, reason) = failed(exchange(&http_client(), "ftp//hunter2").await);
    assert_eq!(class, Class::Misconfigured);
    assert!(!reason.contains("hunter2"), "{reason}");
}
