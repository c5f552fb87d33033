//! The main job, with or without an account:
//!
//! ```text
//! cargo run --example sample_app
//! ```
//!
//! A debug message, a warning, an error, and an error value from an operation
//! that failed; each recipient gets one message with three of them. With
//! `TWILIO_*` or `SENDGRID_*` variables set it really sends.

mod stand_in;

use std::num::ParseIntError;

use tracing::{Level, debug, error, info_span, level_filters::LevelFilter, warn};
use tracing_alert::AlertLayer;
use tracing_subscriber::prelude::*;

fn main() -> Result<(), tracing_alert::Error> {
    let alerts = if stand_in::is_configured() {
        AlertLayer::from_env()
    } else {
        stand_in::settings(AlertLayer::builder().app_name("MyApp").level(Level::WARN)).build()?
    };
    tracing_subscriber::registry()
        .with(tracing_subscriber::fmt::layer().with_filter(LevelFilter::INFO))
        .with(alerts)
        .init();

    let _request = info_span!("request", method = "POST", path = "/orders").entered();
    let _order = info_span!("order", id = 17).entered();
    debug!("Debugging...");
    warn!("You've been warned!");
    error!("This is a test error");
    if let Err(error) = quantity("a dozen") {
        error!(error = &error as &dyn std::error::Error, attempt = 1, "the order has no quantity");
    }
    // No sleep, no flush, no guard: what is pending goes out as the program ends.
    Ok(())
}

fn quantity(text: &str) -> Result<u32, ParseIntError> {
    text.parse()
}
