//! A provider for the tests of this module: a real socket, one connection, a
//! scripted answer.

use std::{
    collections::BTreeMap,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::Arc,
    thread::{self, JoinHandle},
    time::{Duration, SystemTime},
};

use proptest::prelude::*;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use super::{Message, Receipt, SendError, reason::MAX_REASON};
use crate::policy::notice::{Kind, Notice, Process};

/// What arrived, and what the answering thread made of it.
pub(super) struct Server<T> {
    pub(super) url: String,
    thread: JoinHandle<T>,
}

impl<T: Send + 'static> Server<T> {
    /// Gives the first connection, its request read, to `answer`.
    pub(super) fn start(answer: impl FnOnce(TcpStream, String) -> T + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let thread = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
            let request = read_request(&mut stream);
            answer(stream, request)
        });
        Self { url, thread }
    }

    pub(super) fn join(self) -> T {
        self.thread.join().unwrap()
    }
}

/// A server that answers with `answer` and gives the request.
pub(super) fn answering(answer: impl Into<String>) -> Server<String> {
    let answer = answer.into();
    Server::start(move |mut stream, request| {
        stream.write_all(answer.as_bytes()).unwrap();
        request
    })
}

/// An answer of HTTP; `head` is the status line's end and further headers.
pub(super) fn http(head: &str, body: &str) -> String {
    format!("HTTP/1.1 {head}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

fn read_request(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = header(head, "content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
            if body.len() >= length {
                return text.into_owned();
            }
        }
        match stream.read(&mut chunk).unwrap() {
            0 => return text.into_owned(),
            read => bytes.extend_from_slice(&chunk[..read]),
        }
    }
}

/// The header `name` of a request.
pub(super) fn header<'a>(request: &'a str, name: &str) -> Option<&'a str> {
    let head = request.split_once("\r\n\r\n").map_or(request, |(head, _)| head);
    head.lines().find_map(|line| {
        let (found, value) = line.split_once(": ")?;
        found.eq_ignore_ascii_case(name).then_some(value)
    })
}

/// A message to `recipient`, with something in each text.
pub(super) fn message(recipient: &str) -> Message {
    Message {
        recipient: recipient.to_owned(),
        key: "0198-key".to_owned(),
        attempt: 1,
        may_have_been_sent: false,
        valid_for: Duration::from_secs(3600),
        short: "[MyApp] ERROR: 50% & more #7K3Q".to_owned(),
        subject: "[MyApp] payment failed".to_owned(),
        text: "plain".to_owned(),
        html: "<p>html</p>".to_owned(),
        attachment: None,
        notice: Arc::new(Notice {
            id: "7K3Q".to_owned(),
            kind: Kind::First,
            process: Process::default(),
            late_by: None,
            is_last_today: false,
            made_at: SystemTime::UNIX_EPOCH,
            samples: vec![],
            unsampled: 0,
            losses: BTreeMap::new(),
        }),
        found: Default::default(),
    }
}

/// Headers with any values, `secret` among them, more often than not those that
/// mean something.
pub(super) fn any_headers(secret: &'static str) -> impl Strategy<Value = HeaderMap> {
    let name = prop_oneof![
        Just("retry-after".to_owned()),
        Just("x-ratelimit-reset".to_owned()),
        Just("x-message-id".to_owned()),
        "[a-z][a-z-]{0,9}",
    ];
    let value = prop_oneof![
        "-?[0-9]{0,25}".prop_map(String::into_bytes),
        (0..600_usize).prop_map(|length| vec![b'x'; length]),
        prop::collection::vec(any::<u8>(), 0..40),
        Just(secret.as_bytes().to_vec()),
    ];
    prop::collection::vec((name, value), 0..6).prop_map(|headers| {
        let header = |(name, value): (String, Vec<u8>)| {
            Some((HeaderName::try_from(name).ok()?, HeaderValue::from_bytes(&value).ok()?))
        };
        headers.into_iter().filter_map(header).collect()
    })
}

/// What is stored of a result is bounded, and shows none of `secrets`.
pub(super) fn assert_fit(result: &Result<Receipt, SendError>, secrets: &[&str]) {
    let shown = match result {
        Ok(receipt) => receipt.reference.clone().unwrap_or_default(),
        Err(error) => error.to_string(),
    };
    // The kind of the error stands before the reason.
    assert!(shown.chars().count() <= MAX_REASON + 60, "{shown}");
    for secret in secrets {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
    let (SendError::NotProcessed { retry_after: wish, .. } | SendError::Ambiguous { retry_after: wish, .. }) =
        (match result {
            Err(error) => error,
            Ok(_) => return,
        })
    else {
        return;
    };
    assert!(wish.is_none_or(|wish| wish <= Duration::from_secs(60 * 60)), "{wish:?}");
}
