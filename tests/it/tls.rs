//! TLS to the providers: whom it trusts, and what is said where it trusts nobody.

use std::{net::SocketAddr, path::PathBuf, process::Output, sync::Arc};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tokio::net::TcpListener;
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, crypto::ring, pki_types::PrivateKeyDer},
};
use tracing::error;
use tracing_alert::{AlertLayer, SendGridSink, TwilioSink};

use crate::support::{ACCOUNT_SID, API_KEY, AUTH_TOKEN, Harness, PATIENCE, PHONE, SENDER, with_layer};

/// What a certificate of [`Tls`] vouches for.
pub(crate) const NAME: &str = "provider.test";

/// TLS before a provider, with a certificate authority of its own.
pub(crate) struct Tls {
    pub(crate) address: SocketAddr,
    /// The authority's certificate, in PEM.
    pub(crate) root: String,
}

impl Tls {
    /// Passes on to `provider` what comes by TLS.
    pub(crate) fn before(provider: SocketAddr) -> Self {
        let mut authority = CertificateParams::default();
        // OpenSSL takes a certificate whose issuer has its own name for self-signed.
        authority.distinguished_name.push(DnType::CommonName, "authority");
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let names = [NAME.to_owned(), "127.0.0.1".to_owned()];
        let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &authority).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
            )
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        listener.set_nonblocking(true).unwrap();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = TcpListener::from_std(listener).unwrap();
                loop {
                    let (stream, _) = listener.accept().await.unwrap();
                    let acceptor = acceptor.clone();
                    tokio::spawn(async move {
                        // One that does not trust us leaves.
                        let Ok(mut stream) = acceptor.accept(stream).await else { return };
                        let mut provider = tokio::net::TcpStream::connect(provider).await.unwrap();
                        drop(tokio::io::copy_bidirectional(&mut stream, &mut provider).await);
                    });
                }
            });
        });
        Self { address, root: authority.pem() }
    }

    pub(crate) fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// The authority's certificate in a file beside the database of `harness`.
    pub(crate) fn root_file(&self, harness: &Harness) -> PathBuf {
        let file = harness.database().with_file_name("root.pem");
        std::fs::write(&file, &self.root).unwrap();
        file
    }
}

/// The lines of the crate on stderr that name `sink`.
pub(crate) fn lines(output: &Output, sink: &str) -> Vec<String> {
    let stderr = String::from_utf8_lossy(&output.stderr);
    let ours = stderr.lines().filter(|line| line.starts_with("tracing-alert: ") && line.contains(sink));
    ours.map(str::to_owned).collect()
}

/// Runs a program that logs an error and ends, with both providers at `url`.
pub(crate) fn run(harness: &Harness, url: &str, variables: &[(&str, &str)]) -> Output {
    let mut child = harness.child("return");
    child.env("TWILIO_BASE_URL", url).env("SENDGRID_BASE_URL", url).envs(variables.iter().copied());
    let output = child.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    output
}

#[test]
#[cfg(not(windows))]
fn the_file_that_the_environment_names_says_whom_to_trust() {
    let harness = Harness::new();
    let tls = Tls::before(harness.provider.address);
    let root = tls.root_file(&harness);
    let output = run(&harness, &tls.url(), &[("SSL_CERT_FILE", root.to_str().unwrap())]);
    assert_eq!((harness.provider.sms().len(), harness.provider.mails().len()), (1, 1), "{output:?}");
    assert_eq!(lines(&output, ""), [""; 0]);
}

#[test]
#[cfg(not(windows))]
fn where_no_certificate_is_each_sink_says_so_before_the_program_ends() {
    for (name, place) in [("SSL_CERT_FILE", "roots.pem"), ("SSL_CERT_DIR", "roots")] {
        let harness = Harness::new();
        let tls = Tls::before(harness.provider.address);
        let nowhere = harness.database().with_file_name(place);
        let output = run(&harness, &tls.url(), &[(name, nowhere.to_str().unwrap())]);
        for sink in ["twilio", "sendgrid"] {
            let lines = lines(&output, sink);
            assert_eq!(lines.len(), 1, "{output:?}");
            let mend = format!("{name} names no CA certificate: correct or unset it");
            assert!(lines[0].contains(&mend), "{lines:?}");
        }
        assert_eq!(harness.provider.requests().len(), 0);
    }
}

#[test]
#[cfg(not(windows))]
fn what_cannot_be_read_is_named_with_the_reason() {
    let harness = Harness::new();
    let tls = Tls::before(harness.provider.address);
    let directory = harness.database().with_file_name("roots");
    std::fs::create_dir(&directory).unwrap();
    let output = run(&harness, &tls.url(), &[("SSL_CERT_FILE", directory.to_str().unwrap())]);
    for sink in ["twilio", "sendgrid"] {
        let lines = lines(&output, sink);
        assert_eq!(lines.len(), 1, "{output:?}");
        assert!(
            lines[0].contains("can be read where SSL_CERT_FILE says: correct or unset it; /"),
            "{lines:?}"
        );
        assert!(lines[0].contains("roots: Is a directory"), "{lines:?}");
    }
}

#[test]
#[cfg(not(windows))]
fn an_empty_variable_names_no_certificates() {
    for empty in [&["SSL_CERT_FILE"][..], &["SSL_CERT_DIR"], &["SSL_CERT_FILE", "SSL_CERT_DIR"]] {
        let harness = Harness::new();
        let tls = Tls::before(harness.provider.address);
        let variables: Vec<_> = empty.iter().map(|name| (*name, "")).collect();
        let output = run(&harness, &tls.url(), &variables);
        let lines = lines(&output, "sendgrid");
        assert_eq!(lines.len(), 1, "{output:?}");
        assert!(lines[0].contains("; is its authority missing?"), "{lines:?}");
    }
}

#[test]
#[cfg(not(windows))]
fn an_authority_that_is_not_known_is_named_at_once_by_each_sink() {
    let harness = Harness::new();
    let tls = Tls::before(harness.provider.address);
    let other = Tls::before(harness.provider.address).root_file(&harness);
    let output = run(&harness, &tls.url(), &[("SSL_CERT_FILE", other.to_str().unwrap())]);
    for sink in ["twilio", "sendgrid"] {
        let lines = lines(&output, sink);
        assert_eq!(lines.len(), 1, "{output:?}");
        let host = format!("no trust in the certificate of {}; is its authority missing?", tls.address);
        assert!(lines[0].contains(&host), "{lines:?}");
    }
    assert_eq!(harness.provider.requests().len(), 0);
}

#[test]
fn http_on_this_machine_needs_no_certificate() {
    let harness = Harness::new();
    let nowhere = [("SSL_CERT_FILE", "/nowhere"), ("SSL_CERT_DIR", "/nowhere")];
    let output = run(&harness, &harness.provider.url(), &nowhere);
    assert_eq!((harness.provider.sms().len(), harness.provider.mails().len()), (1, 1), "{output:?}");
    assert_eq!(lines(&output, ""), [""; 0]);
}

#[test]
#[cfg(not(windows))]
fn a_root_certificate_is_trusted_beside_the_systems() {
    let harness = Harness::new();
    let tls = Tls::before(harness.provider.address);
    let twilio = TwilioSink::new(ACCOUNT_SID, AUTH_TOKEN).sender_number(SENDER).base_url(tls.url());
    let sendgrid = SendGridSink::new(API_KEY, "alerts@example.com").base_url(tls.url());
    let builder = AlertLayer::builder()
        .in_memory()
        .panics(false)
        .sms(twilio.root_certificate(tls.root.clone()), [PHONE])
        .email(sendgrid.root_certificate(tls.root.clone()), ["on-call@example.com"]);
    let handle = with_layer(builder, || error!("payment failed"));
    assert!(handle.shutdown(PATIENCE).is_complete());
    assert_eq!((harness.provider.sms().len(), harness.provider.mails().len()), (1, 1));
}

#[test]
fn a_root_certificate_that_is_none_is_refused() {
    let harness = Harness::new();
    let sound = Tls::before(harness.provider.address).root;
    for bad in ["", "hunter2", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        let twilio = || TwilioSink::new(ACCOUNT_SID, AUTH_TOKEN).sender_number(SENDER);
        let built = |sink| {
            AlertLayer::builder().in_memory().sms(sink, [PHONE]).build::<tracing_subscriber::Registry>()
        };
        let error =
            built(twilio().root_certificate(sound.clone()).root_certificate(bad)).unwrap_err().to_string();
        assert!(error.starts_with("root_certificate: has no certificate in PEM form"), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}
