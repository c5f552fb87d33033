//! Proxies on the way to the providers: HTTP and SOCKS, by the environment and by
//! a setter, sound and unusable.
//!
//! Not on Windows where https is meant: whom to trust is the system's business
//! there, and Wine's cannot be asked.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
};

use tracing::error;
use tracing_alert::{AlertLayer, SendGridSink, TwilioSink};

use crate::{
    support::{
        ACCOUNT_SID, API_KEY, AUTH_TOKEN, Harness, PATIENCE, PHONE, Provider, SENDER, rows, with_layer,
    },
    tls::{NAME, Tls, lines, run},
};

const USER: &str = "bob";
const PASSWORD: &str = "proxy-password-that-nobody-may-see";
/// `bob:` and the password in Base64.
const LOGIN: &str = "Ym9iOnByb3h5LXBhc3N3b3JkLXRoYXQtbm9ib2R5LW1heS1zZWU=";

/// A proxy of both kinds, by the first byte. It connects to one address, whoever is
/// asked for, and keeps who that was.
#[derive(Clone)]
struct Proxy {
    address: SocketAddr,
    /// As `host:port`, after the credentials that were given.
    asked: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let proxy = Self { address: listener.local_addr().unwrap(), asked: Arc::default() };
        let serving = proxy.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let proxy = serving.clone();
                std::thread::spawn(move || proxy.serve(stream, target));
            }
        });
        proxy
    }

    fn asked(&self) -> Vec<String> {
        let mut asked = self.asked.lock().unwrap().clone();
        asked.sort();
        asked.dedup();
        asked
    }

    fn serve(&self, stream: TcpStream, target: SocketAddr) {
        let mut first = [0];
        stream.peek(&mut first).unwrap();
        let mut client = BufReader::new(stream);
        let asked = if first == [5] { socks5(&mut client) } else { connect(&mut client) };
        self.asked.lock().unwrap().push(asked);
        let server = TcpStream::connect(target).unwrap();
        let (mut from_server, mut to_client) =
            (server.try_clone().unwrap(), client.get_ref().try_clone().unwrap());
        std::thread::spawn(move || drop(std::io::copy(&mut from_server, &mut to_client)));
        drop(std::io::copy(&mut client, &mut &server));
    }
}

/// RFC 1928 and 1929: with a login, and a name that the proxy resolves.
fn socks5(client: &mut BufReader<TcpStream>) -> String {
    let text = |client: &mut BufReader<TcpStream>| {
        let mut length = [0];
        client.read_exact(&mut length).unwrap();
        let mut text = vec![0; length[0].into()];
        client.read_exact(&mut text).unwrap();
        String::from_utf8(text).unwrap()
    };
    // The version, before a list of methods and before the login.
    client.read_exact(&mut [0]).unwrap();
    text(client);
    client.get_mut().write_all(&[5, 2]).unwrap();
    client.read_exact(&mut [0]).unwrap();
    let (user, password) = (text(client), text(client));
    client.get_mut().write_all(&[1, 0]).unwrap();
    let mut head = [0; 4];
    client.read_exact(&mut head).unwrap();
    assert_eq!(head, [5, 1, 0, 3], "no name was given");
    let host = text(client);
    let mut port = [0; 2];
    client.read_exact(&mut port).unwrap();
    client.get_mut().write_all(&[5, 0, 0, 1, 127, 0, 0, 1, 0, 0]).unwrap();
    format!("{user}:{password} {host}:{}", u16::from_be_bytes(port))
}

/// RFC 9110, section 9.3.6.
fn connect(client: &mut BufReader<TcpStream>) -> String {
    let lines = client.by_ref().lines().map(Result::unwrap);
    let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
    let to = head[0].strip_prefix("CONNECT ").and_then(|rest| rest.strip_suffix(" HTTP/1.1"));
    let to = to.unwrap_or_else(|| panic!("no CONNECT: {head:?}"));
    let login = head.iter().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        let is_login = name.eq_ignore_ascii_case("Proxy-Authorization");
        value.strip_prefix("Basic ").filter(|_| is_login)
    });
    client.get_mut().write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
    format!("{} {to}", login.unwrap_or_default())
}

/// A proxy that has the same `answer` to whatever it is asked.
fn answering(answer: String) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut client = BufReader::new(stream);
            let is_end = |line: &String| line.is_empty();
            client.by_ref().lines().map(Result::unwrap).find(is_end).unwrap();
            client.get_mut().write_all(answer.as_bytes()).unwrap();
        }
    });
    address
}

fn url() -> String {
    format!("https://{NAME}")
}

#[test]
#[cfg(not(windows))]
fn the_environments_proxy_is_used_whichever_kind_it_is() {
    for (variable, scheme, login) in [
        ("ALL_PROXY", "socks5h", format!("{USER}:{PASSWORD}")),
        ("HTTPS_PROXY", "http", LOGIN.to_owned()),
        ("all_proxy", "http", LOGIN.to_owned()),
    ] {
        let harness = Harness::new();
        let tls = Tls::before(harness.provider.address);
        let proxy = Proxy::to(tls.address);
        let root = tls.root_file(&harness);
        let address = format!("{scheme}://{USER}:{PASSWORD}@{}", proxy.address);
        let output =
            run(&harness, &url(), &[("SSL_CERT_FILE", root.to_str().unwrap()), (variable, &address)]);
        assert_eq!((harness.provider.sms().len(), harness.provider.mails().len()), (1, 1), "{output:?}");
        assert_eq!(proxy.asked(), [format!("{login} {NAME}:443")], "{variable}");
        assert_eq!(lines(&output, ""), [""; 0]);
    }
}

#[test]
#[cfg(not(windows))]
fn a_setters_proxy_is_used_and_shown_nowhere() {
    let harness = Harness::new();
    let tls = Tls::before(harness.provider.address);
    let proxy = Proxy::to(tls.address);
    let socks = format!("socks5h://{USER}:{PASSWORD}@{}", proxy.address);
    let http = format!("http://{USER}:{PASSWORD}@{}", proxy.address);
    let twilio = TwilioSink::new(ACCOUNT_SID, AUTH_TOKEN).sender_number(SENDER).base_url(url());
    let twilio = twilio.root_certificate(tls.root.clone()).proxy(socks);
    let sendgrid = SendGridSink::new(API_KEY, "alerts@example.com").base_url(url());
    let sendgrid = sendgrid.root_certificate(tls.root.clone()).proxy(http);
    let builder = AlertLayer::builder().in_memory().panics(false);
    let shown = format!("{twilio:?} {sendgrid:?}");
    let builder = builder.sms(twilio, [PHONE]).email(sendgrid, ["on-call@example.com"]);
    let shown = format!("{shown} {builder:?}");
    assert!(!shown.contains(PASSWORD) && !shown.contains(LOGIN.trim_end_matches('=')), "{shown}");
    let handle = with_layer(builder, || error!("the proxy's password is {PASSWORD}"));
    assert!(handle.shutdown(PATIENCE).is_complete());
    assert_eq!((harness.provider.sms().len(), harness.provider.mails().len()), (1, 1));
    assert!(!format!("{:?}", harness.provider.requests()).contains(PASSWORD));
    assert_eq!(proxy.asked(), [format!("{LOGIN} {NAME}:443"), format!("{USER}:{PASSWORD} {NAME}:443")]);
}

#[test]
#[cfg(not(windows))]
fn a_proxy_that_is_down_is_named_by_host_and_port() {
    for (scheme, why) in [("socks5h", "error connecting to socks proxy"), ("http", "refused")] {
        let harness = Harness::new();
        let nobody = Provider::nowhere();
        let address = format!("{scheme}://{USER}:{PASSWORD}@{nobody}");
        let output = run(&harness, &url(), &[("ALL_PROXY", &address)]);
        let errors = rows(&harness.database(), "SELECT sink, last_error FROM delivery ORDER BY sink");
        assert_eq!(errors.len(), 2, "{errors:?}");
        for (error, sink) in errors.iter().zip(["sendgrid|", "twilio|"]) {
            let to = format!("no connection to {NAME} through the proxy {nobody}: ");
            assert!(error.starts_with(sink) && error.contains(&to) && error.contains(why), "{error}");
        }
        let shown = format!("{errors:?}{output:?}");
        assert!(!shown.contains(PASSWORD) && !shown.contains(USER), "{shown}");
    }
}

#[test]
#[cfg(not(windows))]
fn what_is_no_proxy_is_said_at_once_by_each_sink() {
    let harness = Harness::new();
    let output = run(&harness, &url(), &[("HTTPS_PROXY", "ftp://bob:hunter2@127.0.0.1")]);
    for sink in ["twilio", "sendgrid"] {
        let lines = lines(&output, sink);
        assert_eq!(lines.len(), 1, "{output:?}");
        assert!(lines[0].contains("HTTPS_PROXY is not the URL of a proxy: give one like"), "{lines:?}");
        assert!(!lines[0].contains("hunter2"), "{lines:?}");
    }
}

#[test]
#[cfg(not(windows))]
fn a_proxy_for_other_hosts_is_none_for_this_one() {
    let harness = Harness::new();
    let tls = Tls::before(harness.provider.address);
    let root = tls.root_file(&harness);
    let variables = [
        ("SSL_CERT_FILE", root.to_str().unwrap()),
        ("HTTPS_PROXY", "ftp://127.0.0.1"),
        ("NO_PROXY", "127.0.0.1"),
    ];
    let output = run(&harness, &tls.url(), &variables);
    assert_eq!((harness.provider.sms().len(), harness.provider.mails().len()), (1, 1), "{output:?}");
}

#[test]
fn what_is_on_this_machine_is_reached_without_a_proxy() {
    let harness = Harness::new();
    let proxy = Proxy::to(harness.provider.address);
    let address = format!("http://{}", proxy.address);
    let output = run(&harness, &harness.provider.url(), &[("http_proxy", &address), ("ALL_PROXY", &address)]);
    assert_eq!((harness.provider.sms().len(), harness.provider.mails().len()), (1, 1), "{output:?}");
    assert_eq!(proxy.asked(), [""; 0]);
}

#[test]
fn http_to_another_host_needs_consent() {
    let harness = Harness::new();
    let output = run(&harness, "http://provider.test", &[]);
    for setting in ["TWILIO_BASE_URL", "SENDGRID_BASE_URL"] {
        let lines = lines(&output, setting);
        assert_eq!(lines.len(), 1, "{output:?}");
        assert!(lines[0].contains("ALERT_ALLOW_HTTP=on"), "{lines:?}");
    }
    let proxy = Proxy::to(harness.provider.address);
    let address = format!("socks5h://{USER}:{PASSWORD}@{}", proxy.address);
    let output =
        run(&harness, "http://provider.test", &[("ALERT_ALLOW_HTTP", "on"), ("ALL_PROXY", &address)]);
    assert_eq!((harness.provider.sms().len(), harness.provider.mails().len()), (1, 1), "{output:?}");
    assert_eq!(proxy.asked(), [format!("{USER}:{PASSWORD} {NAME}:80")]);
}

#[test]
#[cfg(not(windows))]
fn a_proxy_that_wants_other_credentials_is_named_at_once_by_each_sink() {
    let harness = Harness::new();
    let address = answering("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n".to_owned());
    let proxy = format!("http://{USER}:{PASSWORD}@{address}");
    let output = run(&harness, &url(), &[("HTTPS_PROXY", &proxy)]);
    for sink in ["twilio", "sendgrid"] {
        let lines = lines(&output, sink);
        assert_eq!(lines.len(), 1, "{output:?}");
        let to =
            format!("no connection to {NAME} through the proxy {address}, which wants other credentials");
        assert!(lines[0].contains(&to), "{lines:?}");
    }
    assert!(!format!("{output:?}").contains(PASSWORD), "{output:?}");
}

#[test]
#[cfg(not(windows))]
fn what_a_proxy_echoes_of_its_credentials_is_shown_nowhere() {
    let harness = Harness::new();
    let page = format!("{PASSWORD} is wrong, and so is {LOGIN}");
    let head = format!("HTTP/1.1 403 Forbidden\r\nContent-Length: {}\r\n\r\n", page.len());
    let address = answering(head + &page);
    let proxy = format!("http://{USER}:{PASSWORD}@{address}");
    let variables = [("ALERT_ALLOW_HTTP", "on"), ("http_proxy", proxy.as_str())];
    let output = run(&harness, "http://provider.test", &variables);
    let errors = rows(&harness.database(), "SELECT sink, last_error FROM delivery ORDER BY sink");
    assert!(errors.iter().any(|error| error.contains("is wrong, and so is")), "{errors:?}");
    let shown = format!("{errors:?}{output:?}");
    assert!(!shown.contains(PASSWORD) && !shown.contains(LOGIN.trim_end_matches('=')), "{shown}");
}
