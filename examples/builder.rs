//! Every setting, in code:
//!
//! ```text
//! cargo run --example builder
//! cargo run --example builder -- --in-memory
//! ```
//!
//! It sends to a stand-in on 127.0.0.1, and reads the environment for nothing.

#[expect(dead_code, reason = "this example gives every setting itself")]
mod stand_in;

use std::time::Duration;

use tracing::{Level, error, info_span, level_filters::LevelFilter, warn};
use tracing_alert::{AlertLayer, Budget, Matcher, MemorySink, RetryPolicy, SendGridSink, TwilioSink};
use tracing_subscriber::prelude::*;

#[expect(clippy::print_stdout, reason = "it shows what happened")]
fn main() -> Result<(), tracing_alert::Error> {
    let url = stand_in::start();
    let in_memory = std::env::args().any(|argument| argument == "--in-memory");

    // Credentials belong in a vault; from there they come as text.
    let twilio = TwilioSink::new("AC00000000000000000000000000000000", "not-a-real-token")
        .sender_number("+15550009999")
        .base_url(&url);
    let sendgrid = SendGridSink::new("SG.not-a-real-key", "alerts@example.com").base_url(&url);
    let pager = MemorySink::new();

    let mut retry = RetryPolicy::DEFAULT;
    retry.initial = Duration::from_secs(1);

    let builder = AlertLayer::builder()
        .app_name("Shop")
        .environment("staging")
        .version(env!("CARGO_PKG_VERSION"))
        // What alerts at all; then, who hears only of the graver part.
        .level(Level::WARN)
        .level_for("hyper", LevelFilter::OFF)
        .sms_level(Level::ERROR)
        .email_level(Level::WARN)
        .span_level(LevelFilter::INFO)
        // What happened before, in the mail.
        .breadcrumbs(Level::INFO)
        // Who is told, and by what.
        .sms(twilio, ["+15551230001"])
        .email(sendgrid, ["on-call@example.com", "team@example.com"])
        .sink(pager.clone(), ["whoever is on call"])
        .wait_for_commit(Duration::from_millis(100))
        .settle(Duration::from_millis(500))
        // How often: who heard something waits for what else is new, and an SMS
        // costs money.
        .sms_window(Duration::from_secs(5 * 60))
        .email_window(Duration::from_secs(60))
        .sms_budget(Budget::new(2, Duration::from_secs(15 * 60), 10))
        .sms_segments(40)
        .email_budget(Budget::EMAIL)
        // What nobody wants to hear of.
        .ignore(Matcher::new().target("builder::noise").message("connection reset"))
        .storm_rate(50)
        // Which events are the same: here, those of one cart.
        .fingerprint(|event| {
            let cart =
                event.spans.iter().flat_map(|span| span.fields.iter()).find(|field| field.name == "cart")?;
            Some(format!("{{{{default}}}} in cart {}", cart.value))
        })
        .retry(retry)
        // `password` and the like need no mention.
        .redaction(true)
        .redact_fields(["license_plate"])
        .safe_fields(["session"])
        .panics(true)
        .crash_loops(true)
        // What it says of its own trouble would be on stderr.
        .on_trouble(|line| println!("trouble: {line}"));
    // Chats and pagers, and a sign of life, if the program has the feature for them.
    #[cfg(feature = "webhook")]
    let builder = builder
        .webhook(tracing_alert::WebhookSink::new(
            "team",
            format!("slack+{url}/services/T0/B0/not-a-real-token"),
        ))
        .webhook_level(Level::ERROR)
        .webhook_window(Duration::from_secs(60))
        .webhook_budget(Budget::EMAIL)
        .heartbeat(format!("{url}/ping/{{host}}"))
        .heartbeat_every(Duration::from_secs(60));
    let builder = if in_memory { builder.in_memory() } else { builder.database(stand_in::fresh_database()) };
    let alerts = builder.build()?;
    let handle = alerts.handle();
    tracing_subscriber::registry().with(alerts).init();

    let _request = info_span!("checkout", cart = 5).entered();
    warn!(left = 2, "stock is low");
    error!(order = 17, "payment failed");

    // A program that just ends needs no flush; one that wants to know does.
    let report = handle.flush(Duration::from_secs(10));
    for message in pager.messages() {
        println!("── kept for {} ──\n{}\n", message.recipient, message.short);
    }
    println!("complete: {}, {:?}", report.is_complete(), handle.stats());
    Ok(())
}
