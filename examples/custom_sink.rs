//! A sink of one's own, here for a chat's webhook:
//!
//! ```text
//! cargo run --example custom_sink
//! cargo run --example custom_sink -- https://chat.example.com/hooks/17
//! ```
//!
//! With no address, it posts to a listener that it starts on 127.0.0.1.

use std::{io, time::Duration};

use tracing::error;
use tracing_alert::{AlertLayer, Message, Receipt, SendError, Sink};
use tracing_subscriber::prelude::*;

/// Posts each message as JSON. Queueing, retries and restarts are the crate's.
struct Webhook {
    url: String,
    client: reqwest::Client,
}

impl Sink for Webhook {
    fn name(&self) -> &'static str {
        "webhook"
    }

    async fn send(&self, message: &Message) -> Result<Receipt, SendError> {
        let body = serde_json::json!({ "channel": message.recipient, "text": message.short });
        let request = self.client.post(&self.url).header("Idempotency-Key", &message.key).json(&body);
        // What the error says decides what happens next; a URL may hold a secret.
        let answer = request.send().await.map_err(|error| match error.is_connect() {
            true => SendError::not_processed(error.without_url().to_string()),
            false => SendError::ambiguous(error.without_url().to_string()),
        })?;
        match answer.status().as_u16() {
            200..=299 => Ok(Receipt::default()),
            429 => Err(SendError::not_processed("too many requests")),
            401 | 403 | 404 => Err(SendError::misconfigured("the webhook is gone, or not ours")),
            status @ 400..=499 => Err(SendError::rejected(format!("HTTP {status}"))),
            status => Err(SendError::ambiguous(format!("HTTP {status}"))),
        }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::args().nth(1).map_or_else(listen, Ok)?;
    // Not needed where the program's own reqwest has a feature for TLS.
    drop(rustls::crypto::ring::default_provider().install_default());
    let alerts = AlertLayer::builder()
        .app_name("MyApp")
        .in_memory()
        .sink(Webhook { url, client: reqwest::Client::new() }, ["#on-call"])
        .build()?;
    let handle = alerts.handle();
    tracing_subscriber::registry().with(alerts).init();

    error!(order = 17, "payment failed");

    let report = handle.flush(Duration::from_secs(10));
    if report.is_complete() { Ok(()) } else { Err(format!("not told: {report:?}").into()) }
}

/// A listener that shows what is posted to it.
#[expect(clippy::print_stdout, reason = "it shows what it gets")]
fn listen() -> io::Result<String> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let url = format!("http://{}/", listener.local_addr()?);
    let show = axum::routing::post(async |body: String| println!("── posted ──\n{body}"));
    std::thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            axum::serve(tokio::net::TcpListener::from_std(listener)?, axum::Router::new().route("/", show))
                .await
        })
    });
    Ok(url)
}
