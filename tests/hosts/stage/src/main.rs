//! Runs a program beside a stand-in for SendGrid, by http and by https, and says
//! what came of it:
//!
//! ```text
//! stage ALERTS PROGRAM
//! ```
//!
//! Well is: the program ends well, and exactly so many alerts arrive. It ends by
//! itself within [`DEADLINE`].

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    path::Path,
    process::{Command, ExitCode, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::{ServerConfig, ServerConnection, StreamOwned, crypto::ring, pki_types::PrivateKeyDer};

/// Enough for any of the programs, which need a second.
const DEADLINE: Duration = Duration::from_secs(30);

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let alerts: usize = arguments.next().and_then(|number| number.parse().ok()).expect("how many alerts?");
    let program = arguments.next().expect("which program?");

    let directory = std::env::temp_dir().join(format!("stage-{}", std::process::id()));
    fs::create_dir(&directory).unwrap();
    let mails = Arc::new(AtomicUsize::new(0));
    let http = listen(&mails, None);
    let (tls, root) = certified();
    let https = listen(&mails, Some(tls));
    fs::write(directory.join("root.pem"), root).unwrap();

    let outcome = run(&program, &directory, &[("http", http), ("https", https)], alerts, &mails);
    let said = ["out.txt", "err.txt", "daemon.txt"]
        .map(|name| fs::read_to_string(directory.join(name)).unwrap_or_default())
        .concat();
    fs::remove_dir_all(&directory).unwrap();
    for line in said.lines() {
        println!("    {line}");
    }
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            println!("    {why}");
            ExitCode::FAILURE
        }
    }
}

fn run(
    program: &str,
    directory: &Path,
    urls: &[(&str, u16)],
    alerts: usize,
    mails: &AtomicUsize,
) -> Result<(), String> {
    let url = |scheme: &str| {
        let port = urls.iter().find(|(name, _)| *name == scheme).unwrap().1;
        format!("{scheme}://127.0.0.1:{port}")
    };
    let file = |name: &str| Stdio::from(fs::File::create(directory.join(name)).unwrap());
    let mut child = Command::new(program)
        .env_clear()
        .envs(["PATH", "LD_LIBRARY_PATH"].iter().filter_map(|name| Some((name, std::env::var(name).ok()?))))
        .env("HOME", directory)
        .env("STAGE", directory)
        .env("STAGE_HTTPS", url("https"))
        .env("ALERT_DATABASE", directory.join("alerts.db"))
        .env("ALERT_EMAIL", "on-call@example.com")
        .env("SENDGRID_API_KEY", "SG.no-key")
        .env("SENDGRID_SENDER_EMAIL", "alerts@example.com")
        .env("SENDGRID_BASE_URL", url("http"))
        .current_dir(directory)
        .stdin(Stdio::null())
        .stdout(file("out.txt"))
        .stderr(file("err.txt"))
        .spawn()
        .map_err(|error| format!("{program}: {error}"))?;
    let deadline = Instant::now() + DEADLINE;
    // A daemon's first process ends before its alert arrives.
    let mut status = None;
    while status.is_none() || mails.load(Ordering::SeqCst) < alerts {
        if Instant::now() > deadline {
            let _ = child.kill();
            let came = mails.load(Ordering::SeqCst);
            return Err(format!("not within {DEADLINE:?}: status {status:?}, {came} alerts of {alerts}"));
        }
        status = status.or(child.try_wait().unwrap());
        thread::sleep(Duration::from_millis(10));
    }
    let (status, came) = (status.unwrap(), mails.load(Ordering::SeqCst));
    if status.success() && came == alerts {
        Ok(())
    } else {
        Err(format!("{status}, {came} alerts of {alerts}"))
    }
}

/// A server's settings, and the certificate authority that vouches for it.
fn certified() -> (Arc<ServerConfig>, String) {
    let mut authority = CertificateParams::default();
    // OpenSSL takes a certificate whose issuer has its own name for self-signed.
    authority.distinguished_name.push(DnType::CommonName, "authority");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new(["127.0.0.1".to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    (Arc::new(config), authority.pem())
}

/// Counts the requests that come to the port it gives, and accepts each.
fn listen(mails: &Arc<AtomicUsize>, tls: Option<Arc<ServerConfig>>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let mails = Arc::clone(mails);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (mails, tls) = (Arc::clone(&mails), tls.clone());
            thread::spawn(move || match tls {
                None => serve(stream, &mails),
                Some(config) => {
                    serve(StreamOwned::new(ServerConnection::new(config).unwrap(), stream), &mails);
                }
            });
        }
    });
    port
}

/// Answers until the other side leaves.
fn serve(stream: impl Read + Write, mails: &AtomicUsize) {
    let mut stream = BufReader::new(stream);
    loop {
        let (mut line, mut length) = (String::new(), 0);
        loop {
            line.clear();
            if !stream.read_line(&mut line).is_ok_and(|read| read > 0) {
                return;
            }
            match line.trim_end().to_lowercase().strip_prefix("content-length: ") {
                Some(value) => length = value.parse().unwrap(),
                None if line.trim_end().is_empty() => break,
                None => (),
            }
        }
        if stream.read_exact(&mut vec![0; length]).is_err() {
            return;
        }
        mails.fetch_add(1, Ordering::SeqCst);
        let answer = b"HTTP/1.1 202 Accepted\r\nX-Message-Id: stage\r\nContent-Length: 0\r\n\r\n";
        if stream.get_mut().write_all(answer).and_then(|()| stream.get_mut().flush()).is_err() {
            return;
        }
    }
}
