//! Both providers in one: answers as each does when all is well, but for what a test says.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    sync::{Arc, Mutex},
    thread,
};

use jiff::{Timestamp, ToSpan, civil::Date, tz::TimeZone};
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use serde_json::json;
use tokio_rustls::rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    crypto::ring,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};

/// What was asked.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// Like `POST /v3/mail/send`.
    pub(crate) line: String,
    pub(crate) body: String,
}

/// A scripted service.
#[derive(Clone)]
pub(crate) struct Service {
    url: String,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// By the beginning of what was asked: status and body.
    scripts: BTreeMap<String, (u16, String)>,
    requests: Vec<Request>,
    date: Option<String>,
}

impl Service {
    pub(crate) fn start() -> Self {
        Self::start_with(None)
    }

    /// Speaks TLS with a certificate that is made for this, and that nobody trusts.
    pub(crate) fn start_tls(names: &[&str]) -> Self {
        Self::start_certified(names).0
    }

    /// As [`start_tls`](Self::start_tls), with the certificate, in PEM.
    pub(crate) fn start_certified(names: &[&str]) -> (Self, String) {
        Self::start_valid(names, -365, 365)
    }

    /// As [`start_certified`](Self::start_certified), valid from one day to another, each
    /// as counted from today.
    pub(crate) fn start_valid(names: &[&str], from: i64, until: i64) -> (Self, String) {
        let all: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut made = CertificateParams::new(all).unwrap();
        let midnight = |days| {
            let day = day(days);
            date_time_ymd(day.year().into(), day.month().unsigned_abs(), day.day().unsigned_abs())
        };
        (made.not_before, made.not_after) = (midnight(from), midnight(until));
        let key = KeyPair::generate().unwrap();
        let certificate = made.self_signed(&key).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(ring::default_provider());
        let config =
            ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config =
            config.with_no_client_auth().with_single_cert(vec![certificate.der().clone()], key).unwrap();
        (Self::start_with(Some((names[0], Arc::new(config)))), certificate.pem())
    }

    fn start_with(tls: Option<(&str, Arc<ServerConfig>)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let url = match tls {
            Some((name, _)) => format!("https://{name}:{port}"),
            None => format!("http://127.0.0.1:{port}"),
        };
        let tls = tls.map(|(_, config)| config);
        let service = Self { url, state: Arc::default() };
        let serving = service.clone();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (service, tls) = (serving.clone(), tls.clone());
                thread::spawn(move || match tls {
                    None => service.serve(stream),
                    Some(config) => {
                        let connection = ServerConnection::new(config).unwrap();
                        service.serve(StreamOwned::new(connection, stream));
                    }
                });
            }
        });
        service
    }

    pub(crate) fn url(&self) -> String {
        self.url.clone()
    }

    /// Answers so to what begins with `line`, like `GET /v3/scopes`.
    pub(crate) fn answers(&self, line: &str, status: u16, body: &str) {
        self.state.lock().unwrap().scripts.insert(line.to_owned(), (status, body.to_owned()));
    }

    /// As ever.
    pub(crate) fn is_well(&self) {
        self.state.lock().unwrap().scripts.clear();
    }

    /// Says in each answer that it is this time.
    pub(crate) fn has_date(&self, date: &str) {
        self.state.lock().unwrap().date = Some(date.to_owned());
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.state.lock().unwrap().requests.clone()
    }

    /// The bodies of what was sent, SMS or mails.
    pub(crate) fn sent(&self, line: &str) -> Vec<String> {
        let requests = self.requests().into_iter().filter(|request| request.line.starts_with(line));
        requests.map(|request| request.body).collect()
    }

    /// The texts of the SMS that were sent.
    pub(crate) fn sms(&self) -> Vec<String> {
        let bodies = self.sent("POST /2010-04-01");
        let text = |body: String| {
            let encoded = body.split('&').find_map(|pair| pair.strip_prefix("Body=")).unwrap();
            decoded(encoded)
        };
        bodies.into_iter().map(text).collect()
    }

    fn serve(&self, stream: impl Read + Write) {
        let mut reader = BufReader::new(stream);
        while let Some(request) = read(&mut reader) {
            let is_head = request.line.starts_with("HEAD ");
            let (status, body, date) = self.answer(request);
            let mut answer = format!(
                "HTTP/1.1 {status} Scripted\r\nx-message-id: m-1\r\ncontent-length: {}\r\n",
                body.len()
            );
            if let Some(date) = date {
                answer += &format!("date: {date}\r\n");
            }
            answer += "\r\n";
            if !is_head {
                answer += &body;
            }
            if reader.get_mut().write_all(answer.as_bytes()).is_err() || reader.get_mut().flush().is_err() {
                return;
            }
        }
    }

    fn answer(&self, request: Request) -> (u16, String, Option<String>) {
        let mut state = self.state.lock().unwrap();
        state.requests.push(request.clone());
        let number = state.requests.len();
        let scripted = state.scripts.iter().filter(|(line, _)| request.line.starts_with(line.as_str()));
        let scripted = scripted.max_by_key(|(line, _)| line.len()).map(|(_, answer)| answer.clone());
        let (status, body) = scripted.unwrap_or_else(|| well(&request.line, number));
        (status, body, state.date.clone())
    }
}

/// So many days from today, in UTC.
pub(crate) fn day(days: i64) -> Date {
    Timestamp::now().to_zoned(TimeZone::UTC).date().checked_add(days.days()).unwrap()
}

/// What a provider answers when all is well.
fn well(line: &str, number: usize) -> (u16, String) {
    let (method, path) = line.split_once(' ').unwrap();
    let path = path.split('?').next().unwrap();
    let resource = path.rsplit('/').next().unwrap();
    let body = match (method, resource) {
        ("POST", "Messages.json") => {
            return (201, json!({ "sid": format!("SM{number:032}"), "status": "queued" }).to_string());
        }
        ("POST", "send") => return (202, String::new()),
        ("POST", _) if path.starts_with("/services/") => return (200, "ok".to_owned()),
        ("POST", "enqueue") => return (202, json!({ "status": "success" }).to_string()),
        (_, _) if path.starts_with("/api/webhooks/") => json!({ "id": "1234", "type": 1 }),
        ("GET", "Messages.json") => json!({ "messages": [] }),
        ("GET", "Balance.json") => json!({ "balance": "25.00", "currency": "USD" }),
        ("GET", "IncomingPhoneNumbers.json") => {
            json!({ "incoming_phone_numbers": [{ "capabilities": { "sms": true } }] })
        }
        ("GET", "OutgoingCallerIds.json") => json!({ "outgoing_caller_ids": [{}] }),
        ("GET", "PhoneNumbers") => json!({ "phone_numbers": [{}] }),
        ("GET", "Usa2p") => json!({ "compliance": [{ "campaign_status": "VERIFIED" }] }),
        ("GET", "scopes") => json!({ "scopes": ["mail.send", "suppression.read"] }),
        ("GET", "verified_senders") => {
            json!({ "results": [{ "from_email": "alerts@example.com", "verified": true }] })
        }
        ("GET", "domains") => json!([]),
        ("GET", "credits") => json!({ "remain": 90, "total": 100 }),
        ("GET", _) if path.contains("/suppression") => json!([]),
        ("GET", _) if path.contains("/Messages/") => {
            json!({ "sid": resource.trim_end_matches(".json"), "status": "delivered" })
        }
        ("GET", _) if path.contains("/v1/Services/") => json!({ "sid": resource }),
        ("GET", _) if path.contains("/Accounts/") => json!({ "status": "active", "type": "Full" }),
        _ => return (404, String::new()),
    };
    (200, body.to_string())
}

fn read(reader: &mut impl BufRead) -> Option<Request> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
    let line = line.rsplit_once(' ')?.0.to_owned();
    let mut length = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok().filter(|read| *read > 0)?;
        match header.trim_end().split_once(':') {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                length = value.trim().parse().ok()?;
            }
            Some(_) => (),
            None => break,
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Request { line, body: String::from_utf8(body).ok()? })
}

/// A text of a form, as it was before it was encoded.
fn decoded(text: &str) -> String {
    let (mut bytes, mut rest) = (Vec::new(), text.bytes());
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let pair = [rest.next().unwrap(), rest.next().unwrap()];
                u8::from_str_radix(std::str::from_utf8(&pair).unwrap(), 16).unwrap()
            }
            other => other,
        });
    }
    String::from_utf8(bytes).unwrap()
}
