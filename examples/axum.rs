//! A web service whose errors tell in which request they happened:
//!
//! ```text
//! cargo run --example axum
//! cargo run --example axum -- 127.0.0.1:3000
//! ```
//!
//! With no address it makes one request to itself and ends. With `TWILIO_*` or
//! `SENDGRID_*` variables set it really sends.

mod stand_in;

use axum::{
    Router,
    extract::{Path, Request},
    http::StatusCode,
    middleware::{self, Next},
    response::Response,
    routing::post,
};
use tokio::net::TcpListener;
use tracing::{Instrument, error, info, info_span, level_filters::LevelFilter};
use tracing_alert::AlertLayer;
use tracing_subscriber::prelude::*;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let alerts = if stand_in::is_configured() {
        AlertLayer::from_env()
    } else {
        stand_in::settings(AlertLayer::builder().app_name("shop")).build()?
    };
    tracing_subscriber::registry()
        .with(tracing_subscriber::fmt::layer().with_filter(LevelFilter::INFO))
        .with(alerts)
        .init();

    let app = Router::new().route("/orders/{id}", post(order)).layer(middleware::from_fn(in_a_span));
    match std::env::args().nth(1) {
        Some(address) => {
            let listener = TcpListener::bind(address).await?;
            info!(address = %listener.local_addr()?, "listening");
            // Returning from `main` gives alerts their chance to go out; being
            // killed leaves them to the next start.
            axum::serve(listener, app).with_graceful_shutdown(interrupted()).await?;
        }
        None => {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            let url = format!("http://{}/orders/17", listener.local_addr()?);
            tokio::spawn(async move { axum::serve(listener, app).await });
            // Not needed where the program's own reqwest has a feature for TLS.
            drop(rustls::crypto::ring::default_provider().install_default());
            let answer = reqwest::Client::new().post(url).send().await?;
            info!(status = answer.status().as_u16(), "answered");
        }
    }
    Ok(())
}

async fn order(Path(id): Path<u64>) -> Result<&'static str, StatusCode> {
    match charge(id) {
        Ok(()) => Ok("thank you"),
        Err(error) => {
            error!(error = &error as &dyn std::error::Error, order = id, "payment failed");
            Err(StatusCode::BAD_GATEWAY)
        }
    }
}

/// Fails, as the bank's answer is no number.
fn charge(_order: u64) -> Result<(), std::num::ParseIntError> {
    "declined".parse::<u64>().map(drop)
}

/// Every event of a request happens in this span, and so shows it.
async fn in_a_span(request: Request, next: Next) -> Response {
    let span = info_span!("request", method = %request.method(), path = %request.uri().path());
    next.run(request).instrument(span).await
}

async fn interrupted() {
    if let Err(error) = tokio::signal::ctrl_c().await {
        error!(error = &error as &dyn std::error::Error, "Ctrl-C cannot be awaited");
    }
}
