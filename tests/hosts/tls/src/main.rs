//! A program that builds the TLS settings of a server and of a client as such
//! programs do, relying on the process's provider, and then alerts once by https.

use std::{panic::catch_unwind, time::Duration};

use tracing::error;
use tracing_alert::{AlertLayer, SendGridSink};
use tracing_subscriber::prelude::*;

fn main() {
    let variable = |name: &str| std::env::var(name).unwrap();
    let root = std::fs::read(format!("{}/root.pem", variable("STAGE"))).unwrap();
    let sendgrid = SendGridSink::new("SG.no-key", "alerts@example.com");
    // What reqwest has of TLS and cannot use is in the way of http, too.
    let sendgrid = match cfg!(feature = "host-unprovided") {
        true => sendgrid.base_url(variable("SENDGRID_BASE_URL")),
        false => sendgrid.base_url(variable("STAGE_HTTPS")).root_certificate(root),
    };
    let alerts = AlertLayer::builder()
        .in_memory()
        .panics(false)
        .settle(Duration::ZERO)
        .email(sendgrid, ["on-call@example.com"])
        .build();
    let alerts = match alerts {
        Ok(alerts) => alerts,
        Err(error) => {
            println!("REFUSED {error}");
            std::process::exit(1);
        }
    };
    let handle = alerts.handle();
    tracing_subscriber::registry().with(alerts).init();

    let host = catch_unwind(serve);
    error!("payment failed");
    let report = handle.shutdown(Duration::from_secs(5));
    match (host, report.delivered) {
        (Ok(()), 1) => println!("OK"),
        (Ok(()), _) => println!("UNSENT"),
        (Err(_), _) => println!("PANIC in the host"),
    }
}

#[cfg(any(feature = "host-ring", feature = "host-aws-lc"))]
fn serve() {
    // A program with two providers has to say which.
    #[cfg(feature = "host-both")]
    rustls::crypto::ring::default_provider().install_default().unwrap();
    let _ = rustls::ServerConfig::builder();
    let _ = rustls::ClientConfig::builder();
}

#[cfg(feature = "host-native-tls")]
fn serve() {
    native_tls::TlsConnector::new().unwrap();
}

/// Speaks http only, by a reqwest of its own without TLS.
#[cfg(feature = "host-plain")]
fn serve() {
    drop(reqwest::Client::new());
}

/// Speaks no TLS; or gave its reqwest rustls, and uses neither.
#[cfg(any(feature = "host-none", feature = "host-unprovided"))]
fn serve() {}
