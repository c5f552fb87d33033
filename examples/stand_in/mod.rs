//! A stand-in for both providers' APIs, on 127.0.0.1: it accepts what it is
//! sent, and shows it. So that the examples run with no account.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "it is a program of its own, and it shows what it gets"
)]

use std::{
    io::{self, BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    path::PathBuf,
};

use tracing_alert::{Builder, SendGridSink, TwilioSink};

/// The settings of the environment if there are any; else those of a stand-in
/// that is started here.
pub(crate) fn settings(builder: Builder) -> Builder {
    let url = start();
    println!("No TWILIO_* or SENDGRID_* variable is set: a stand-in for both listens at {url}.\n");
    let twilio = TwilioSink::new("AC00000000000000000000000000000000", "not-a-real-token");
    let sendgrid = SendGridSink::new("SG.not-a-real-key", "alerts@example.com");
    builder
        .database(fresh_database())
        .sms(twilio.sender_number("+15550009999").base_url(&url), ["+15551230001"])
        .email(sendgrid.base_url(&url), ["on-call@example.com"])
}

/// A file that knows nothing yet: of what it has told, a second run would be
/// silent until there is much more of it.
pub(crate) fn fresh_database() -> PathBuf {
    let directory = std::env::temp_dir().join("tracing-alert-example");
    for suffix in ["", "-wal", "-shm"] {
        // It need not be there.
        drop(std::fs::remove_file(directory.join(format!("alerts.db{suffix}"))));
    }
    directory.join("alerts.db")
}

/// True if a provider's variables are set.
pub(crate) fn is_configured() -> bool {
    std::env::vars_os().any(|(name, _)| {
        let name = name.to_string_lossy();
        name.starts_with("TWILIO_") || name.starts_with("SENDGRID_")
    })
}

/// Starts the stand-in, and gives its URL.
pub(crate) fn start() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || serve(stream));
        }
    });
    url
}

fn serve(stream: TcpStream) -> io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut stream = stream;
    while let Some((path, body)) = read_request(&mut reader)? {
        let (shown, status) = match &*path {
            _ if path.ends_with("/Messages.json") => show_sms(&body),
            _ if path.starts_with("/services/") => show_post(&body),
            _ => show_mail(&body),
        };
        // The program may be about to end: shown first, answered then.
        io::stdout().write_all(shown.as_bytes())?;
        stream.write_all(format!("HTTP/1.1 {status}\r\ncontent-length: 2\r\n\r\n{{}}").as_bytes())?;
    }
    Ok(())
}

fn read_request(reader: &mut impl BufRead) -> io::Result<Option<(String, Vec<u8>)>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        match line.trim_end().split_once(':') {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                length = value.trim().parse().unwrap_or(0);
            }
            Some(_) => (),
            None => break,
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(Some((path, body)))
}

fn show_sms(body: &[u8]) -> (String, &'static str) {
    let field = |name: &str| {
        let pairs = reqwest::Url::parse(&format!("http://form/?{}", String::from_utf8_lossy(body))).unwrap();
        let value = pairs.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
        value.unwrap_or_default()
    };
    (format!("── SMS to {} ──\n{}\n\n", field("To"), field("Body")), "201 Created")
}

fn show_post(body: &[u8]) -> (String, &'static str) {
    let post: serde_json::Value = serde_json::from_slice(body).unwrap();
    (format!("── to a chat ──\n{}\n\n", post["text"].as_str().unwrap_or_default()), "200 OK")
}

fn show_mail(body: &[u8]) -> (String, &'static str) {
    let mail: serde_json::Value = serde_json::from_slice(body).unwrap();
    let text = |pointer: &str| mail.pointer(pointer).and_then(|value| value.as_str()).unwrap_or_default();
    let html = html_file();
    std::fs::write(&html, text("/content/1/value")).unwrap();
    let shown = format!(
        "── e-mail to {} ──\nSubject: {}\n\n{}\n\nIts HTML part: {}\n\n",
        text("/personalizations/0/to/0/email"),
        text("/subject"),
        text("/content/0/value"),
        html.display()
    );
    (shown, "202 Accepted")
}

fn html_file() -> PathBuf {
    std::env::temp_dir().join(format!("tracing-alert-{}.html", std::process::id()))
}
