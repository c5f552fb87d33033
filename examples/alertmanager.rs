//! A sink of one's own for Prometheus' Alertmanager, which groups, silences and passes on:
//!
//! ```text
//! cargo run --example alertmanager
//! cargo run --example alertmanager -- http://localhost:9093
//! ```
//!
//! With no address, it posts to a listener that it starts on 127.0.0.1.

use std::{
    io,
    time::{Duration, SystemTime},
};

use tracing::error;
use tracing_alert::{
    AlertLayer, Message, Receipt, SendError, Sink,
    notice::{Kind, Notice},
};
use tracing_subscriber::prelude::*;

/// Posts to `/api/v2/alerts`: <https://prometheus.io/docs/alerting/latest/alerts_api/>.
pub(crate) struct Alertmanager {
    pub(crate) url: String,
    pub(crate) client: reqwest::Client,
}

/// An alert for each incident. Its labels say which one it is, so they never change.
fn alerts(notice: &Notice, description: &str) -> serde_json::Value {
    let alerts = notice.samples.iter().map(|sample| {
        let event = &sample.event;
        // It fires until we say that it ended, or for longer than reminders are apart.
        let ends_at = match sample.kind {
            Kind::Quiet => notice.made_at,
            _ => notice.made_at + Duration::from_secs(5 * 60 * 60),
        };
        serde_json::json!({
            "labels": {
                "alertname": event.target,
                "severity": if event.panic { "critical".to_owned() } else { event.level.as_str().to_lowercase() },
                "app": notice.process.app,
                "environment": notice.process.environment.as_deref().unwrap_or_default(),
                "incident": sample.incident,
            },
            "annotations": {
                "summary": event.message,
                "count": sample.total.to_string(),
                "description": description,
            },
            "startsAt": rfc3339(sample.since),
            "endsAt": rfc3339(ends_at),
        })
    });
    alerts.collect()
}

fn rfc3339(at: SystemTime) -> String {
    jiff::Timestamp::try_from(at).map_or_else(|_| String::new(), |at| at.to_string())
}

impl Sink for Alertmanager {
    fn name(&self) -> &'static str {
        "alertmanager"
    }

    async fn send(&self, message: &Message) -> Result<Receipt, SendError> {
        let url = format!("{}/api/v2/alerts", self.url.trim_end_matches('/'));
        let body = alerts(&message.notice, &message.text);
        // The same labels are the same alert: to post it twice does no harm.
        let answer = self.client.post(url).json(&body).timeout(Duration::from_secs(20)).send().await;
        let answer = answer.map_err(|error| SendError::not_processed(error.without_url().to_string()))?;
        match answer.status().as_u16() {
            200..=299 => Ok(Receipt::default()),
            429 | 500..=599 => Err(SendError::not_processed(format!("HTTP {}", answer.status()))),
            400 => Err(SendError::rejected("Alertmanager refused the alerts")),
            status => Err(SendError::misconfigured(format!("HTTP {status}; is the address right?"))),
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
        .sink(Alertmanager { url, client: reqwest::Client::new() }, ["alertmanager"])
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
    let url = format!("http://{}", listener.local_addr()?);
    let show = axum::routing::post(async |body: String| println!("── posted ──\n{body}"));
    std::thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let app = axum::Router::new().route("/api/v2/alerts", show);
        runtime.block_on(async { axum::serve(tokio::net::TcpListener::from_std(listener)?, app).await })
    });
    Ok(url)
}
