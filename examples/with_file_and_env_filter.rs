//! Alerts beside a terminal and a log file, each with a filter of its own:
//!
//! ```text
//! cargo run --example with_file_and_env_filter
//! RUST_LOG=debug cargo run --example with_file_and_env_filter
//! ```
//!
//! `RUST_LOG` rules over the terminal only. As a filter over everything it
//! would rule over alerts too: `RUST_LOG=off` would switch them off.

mod stand_in;

use tracing::{debug, error, info, info_span};
use tracing_alert::AlertLayer;
use tracing_subscriber::{
    EnvFilter,
    filter::{LevelFilter, ParseError},
    fmt,
    prelude::*,
};

#[expect(clippy::print_stdout, reason = "it shows where the log file is")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let terminal = EnvFilter::builder().with_default_directive(LevelFilter::WARN.into()).from_env_lossy();
    let directory = std::env::temp_dir().join("tracing-alert-example");
    // The guard writes what is buffered when it is dropped: keep it in `main`.
    let (file, _guard) = tracing_appender::non_blocking(tracing_appender::rolling::daily(&directory, "log"));
    println!("The log file is in {}.", directory.display());

    let alerts = if stand_in::is_configured() {
        AlertLayer::from_env()
    } else {
        stand_in::settings(AlertLayer::builder().app_name("MyApp")).build()?
    };
    tracing_subscriber::registry()
        .with(fmt::layer().with_filter(terminal))
        .with(fmt::layer().json().with_writer(file).with_filter(file_filter()?))
        // No filter round this one: it has its levels, and it needs the spans.
        .with(alerts)
        .init();

    let _job = info_span!("import", file = "prices.csv").entered();
    debug!("row 1 is fine");
    info!("for the file");
    error!(row = 2, "the price is no number");
    Ok(())
}

/// Everything from `info` on, but of HTTP only what went wrong.
fn file_filter() -> Result<EnvFilter, ParseError> {
    EnvFilter::try_new("info,hyper=warn,reqwest=warn")
}
