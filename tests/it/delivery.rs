//! From an event to a message: who gets what, and what a provider's refusal
//! leads to.

use std::time::{Duration, Instant};

use tracing::{Level, error, warn};
use tracing_alert::{AlertLayer, MemorySink, RetryPolicy, SendError, SendGridSink, TwilioSink};
use tracing_subscriber::prelude::*;

use crate::support::{
    ACCOUNT_SID, API_KEY, AUTH_TOKEN, Answer, EMAIL, Harness, PATIENCE, PHONE, Provider, SENDER, eventually,
    rows, with_layer, word,
};

/// Retries that a test can wait for.
fn quick() -> RetryPolicy {
    let mut policy = RetryPolicy::DEFAULT;
    policy.initial = Duration::from_millis(100);
    policy.cap = Duration::from_secs(1);
    policy
}

#[test]
fn one_error_is_one_sms_and_one_mail() {
    let harness = Harness::new();
    let handle = with_layer(harness.builder(), || error!(order = 17, "payment failed"));
    assert!(handle.flush(PATIENCE).is_complete());
    let (sms, mails) = (harness.provider.sms(), harness.provider.mails());
    assert_eq!((sms.len(), mails.len()), (1, 1));
    assert_eq!(sms[0].form("To").as_deref(), Some(PHONE));
    let is_authorized =
        |(name, value): &(String, String)| name == "authorization" && value.starts_with("Basic ");
    assert!(sms[0].headers.iter().any(is_authorized));
    assert!(sms[0].text().starts_with("[MyApp] ERROR: payment failed - order=17 #"), "{}", sms[0].text());
    let mail = mails[0].json();
    assert_eq!(mail["personalizations"][0]["to"][0]["email"], EMAIL);
    assert!(mail["content"][0]["value"].as_str().unwrap().contains("order = 17"));
    let states =
        rows(&harness.database(), "SELECT sink, state, attempt, reference FROM delivery ORDER BY sink");
    assert_eq!(states.len(), 2);
    assert!(states.iter().all(|row| row.contains("|delivered|1|")), "{states:?}");
}

#[test]
fn a_cascade_is_one_message_in_the_order_it_happened() {
    let harness = Harness::new();
    let builder = harness.builder().level(Level::WARN).settle(Duration::from_millis(300));
    let _handle = with_layer(builder, || {
        warn!("You've been warned!");
        error!("This is a test error");
        error!("division by zero");
    });
    harness.provider.wait_for(1, 1);
    let text = harness.provider.sms()[0].text();
    let said = "[MyApp] WARN: You've been warned!, ERROR: This is a test error, ERROR: division by zero #";
    assert!(text.starts_with(said), "{text}");
    assert_eq!(text.len(), said.len() + 4);
}

#[test]
fn the_same_error_many_times_is_told_with_its_count() {
    let harness = Harness::new();
    let handle = with_layer(harness.builder().settle(Duration::from_secs(5)), || {
        for attempt in 0..1000 {
            error!(attempt, "payment failed");
        }
    });
    assert!(handle.flush(PATIENCE).is_complete());
    let sms = harness.provider.sms();
    assert_eq!(sms.len(), 1);
    assert!(sms[0].text().starts_with("[MyApp] ERROR: payment failed (x1000) #"), "{}", sms[0].text());
    assert_eq!(handle.stats().captured, 1000);
}

#[test]
fn every_recipient_gets_a_message_of_its_own() {
    let harness = Harness::new();
    let url = harness.provider.url();
    let builder = AlertLayer::builder()
        .database(harness.database())
        .settle(Duration::ZERO)
        .panics(false)
        .sms(
            TwilioSink::new(ACCOUNT_SID, AUTH_TOKEN).sender_number(SENDER).base_url(&url),
            ["+15551230001", "+15551230002"],
        )
        .email(
            SendGridSink::new(API_KEY, "alerts@example.com").base_url(&url),
            ["a@example.com", "b@example.com"],
        );
    let handle = with_layer(builder, || error!("payment failed"));
    assert!(handle.flush(PATIENCE).is_complete());
    let mut phones: Vec<_> = harness.provider.sms().iter().filter_map(|sms| sms.form("To")).collect();
    phones.sort();
    assert_eq!(phones, ["+15551230001", "+15551230002"]);
    for mail in harness.provider.mails() {
        let to = &mail.json()["personalizations"];
        assert_eq!((to.as_array().unwrap().len(), to[0]["to"].as_array().unwrap().len()), (1, 1));
    }
    assert_eq!(harness.provider.mails().len(), 2);
}

#[test]
fn a_sink_is_told_of_its_own_levels_only() {
    let harness = Harness::new();
    let builder = harness.builder().level(Level::WARN).sms_level(Level::ERROR);
    let handle = with_layer(builder, || warn!("only a warning"));
    assert!(handle.flush(PATIENCE).is_complete());
    assert_eq!((harness.provider.sms().len(), harness.provider.mails().len()), (0, 1));
}

#[test]
fn a_number_that_is_refused_for_good_is_tried_once_and_told_by_another_mail() {
    let harness = Harness::new();
    harness.provider.always_sms(Answer::twilio_error(400, 21211));
    let handle = with_layer(harness.builder().retry(quick()), || error!("payment failed"));
    assert!(handle.flush(PATIENCE).is_complete());
    eventually("both mails are settled", || handle.stats().delivered == 2);
    assert_eq!((harness.provider.sms().len(), handle.stats().dead), (1, 1));
    let mut subjects: Vec<_> =
        harness.provider.mails().iter().map(|mail| mail.json()["subject"].to_string()).collect();
    subjects.sort();
    assert!(subjects[0].starts_with("\"[MyApp] An SMS could not be delivered (alert #"), "{subjects:?}");
    assert!(subjects[1].starts_with("\"[MyApp] ERROR: payment failed"), "{subjects:?}");
    assert_eq!(subjects.len(), 2);
    let dead = rows(&harness.database(), "SELECT last_error FROM delivery WHERE state = 'dead'");
    assert!(dead[0].contains("21211"), "{dead:?}");
}

#[test]
fn a_key_that_is_refused_keeps_the_mail_and_sends_the_sms_once() {
    let harness = Harness::new();
    harness.provider.always_mails(Answer::status(401));
    let handle = with_layer(harness.builder().retry(quick()), || {
        error!("payment failed");
        error!("and again");
    });
    let report = handle.flush(Duration::from_secs(2));
    assert_eq!((report.pending, report.in_time), (1, false));
    assert_eq!((harness.provider.sms().len(), harness.provider.mails().len()), (1, 1));
    let kept = rows(
        &harness.database(),
        "SELECT state, attempt, due_at - created_at > 250000 FROM delivery WHERE sink = 'sendgrid'",
    );
    assert_eq!(kept, ["pending|0|1"], "the attempt does not count, and the probe is minutes away");
    let heard = harness.heard();
    assert!(heard.iter().any(|line| line.starts_with("sendgrid is paused for")), "{heard:?}");
}

#[test]
fn a_paused_sink_is_probed_by_one_delivery_and_then_resumes() {
    let harness = Harness::new();
    harness.provider.script_mails([Answer::status(401), Answer::status(401)]);
    let mut policy = quick();
    policy.probe = Duration::from_millis(200);
    let handle = with_layer(harness.builder().retry(policy), || error!("payment failed"));
    assert!(handle.flush(PATIENCE).is_complete());
    let mails = harness.provider.mails();
    assert_eq!(mails.len(), 3);
    assert!(mails[1].at - mails[0].at >= Duration::from_millis(200));
}

#[test]
fn server_errors_are_repeated_with_growing_pauses_and_end_in_one_message() {
    let harness = Harness::new();
    harness.provider.script_sms([500, 500, 500].map(Answer::status));
    let handle = with_layer(harness.builder().retry(quick()), || error!("payment failed"));
    assert!(handle.flush(PATIENCE).is_complete());
    let sms = harness.provider.sms();
    assert_eq!((sms.len(), harness.provider.mails().len()), (4, 1));
    let pauses: Vec<_> = sms.windows(2).map(|pair| pair[1].at - pair[0].at).collect();
    // 100, 200 and 400 ms, each at least half of itself.
    for (pause, least) in pauses.iter().zip([50, 100, 200]) {
        assert!(*pause >= Duration::from_millis(least), "{pauses:?}");
    }
    assert_eq!(handle.stats().retried, 3);
}

#[test]
fn a_providers_wish_to_be_left_alone_is_granted() {
    let harness = Harness::new();
    harness.provider.script_sms([Answer::twilio_error(429, 20429).header("Retry-After", 3)]);
    let handle = with_layer(harness.builder().retry(quick()), || error!("payment failed"));
    assert!(handle.flush(PATIENCE).is_complete());
    let sms = harness.provider.sms();
    assert!(sms[1].at - sms[0].at >= Duration::from_secs(3));
    assert_eq!(sms.len(), 2);
}

#[test]
fn what_nobody_took_is_kept_and_sent_when_the_provider_is_back() {
    let harness = Harness::new();
    let address = Provider::nowhere();
    let url = format!("http://{address}");
    let builder = AlertLayer::builder()
        .database(harness.database())
        .settle(Duration::ZERO)
        .panics(false)
        .retry(quick())
        .sms(TwilioSink::new(ACCOUNT_SID, AUTH_TOKEN).sender_number(SENDER).base_url(&url), [PHONE]);
    let handle = with_layer(builder, || error!("payment failed"));
    eventually("an attempt was refused", || handle.stats().retried > 0);
    let provider = Provider::start_at(address);
    assert!(handle.flush(PATIENCE).is_complete());
    assert_eq!(provider.sms().len(), 1);
}

#[test]
fn a_phone_that_never_answers_does_not_delay_the_mail() {
    let harness = Harness::new();
    harness.provider.always_sms(Answer::Never);
    let _handle = with_layer(harness.builder(), || error!("payment failed"));
    harness.provider.wait_for(1, 1);
}

#[test]
fn an_answer_that_is_cut_off_is_repeated() {
    let harness = Harness::new();
    harness.provider.script_sms([Answer::Cut]);
    let handle = with_layer(harness.builder().retry(quick()), || error!("payment failed"));
    assert!(handle.flush(PATIENCE).is_complete());
    assert_eq!(harness.provider.sms().len(), 2);
}

#[test]
fn a_sink_that_panics_costs_an_attempt() {
    struct PanicsAgain;
    impl Drop for PanicsAgain {
        fn drop(&mut self) {
            panic!("while what it panicked with was dropped");
        }
    }
    struct Panicking(MemorySink, std::sync::atomic::AtomicBool);
    impl tracing_alert::Sink for Panicking {
        fn name(&self) -> &'static str {
            "panicking"
        }
        async fn send(&self, message: &tracing_alert::Message) -> Result<tracing_alert::Receipt, SendError> {
            if !self.1.swap(true, std::sync::atomic::Ordering::Relaxed) {
                std::panic::panic_any(PanicsAgain);
            }
            tracing_alert::Sink::send(&self.0, message).await
        }
    }
    let sink = MemorySink::new();
    let builder = AlertLayer::builder()
        .in_memory()
        .settle(Duration::ZERO)
        .panics(false)
        .retry(quick())
        .sink(Panicking(sink.clone(), false.into()), ["on-call"]);
    let handle = with_layer(builder, || error!("payment failed"));
    assert!(handle.flush(PATIENCE).is_complete());
    assert_eq!(sink.messages()[0].attempt, 2);
}

#[test]
fn a_message_says_which_attempt_it_is_and_keeps_its_key() {
    let sink = MemorySink::failing_with([SendError::not_processed("busy")]);
    let other = sink.clone();
    let builder = AlertLayer::builder()
        .in_memory()
        .settle(Duration::ZERO)
        .panics(false)
        .retry(quick())
        .sink(sink, ["x"]);
    let handle = with_layer(builder, || error!("payment failed"));
    assert!(handle.flush(PATIENCE).is_complete());
    assert_eq!((other.attempts(), other.messages()[0].attempt), (2, 2));
}

#[test]
fn without_a_settle_time_each_error_is_a_message_at_once() {
    let harness = Harness::new();
    let layer = harness.builder().build().unwrap();
    let handle = layer.handle();
    let subscriber = tracing_subscriber::registry().with(layer);
    tracing::subscriber::with_default(subscriber, || {
        let mut taken: Vec<Duration> = (1..=20)
            .map(|round| {
                let called = Instant::now();
                error!("payment {} failed", word(round));
                harness.provider.wait_for(round, round);
                harness.provider.sms()[round - 1].at - called
            })
            .collect();
        taken.sort();
        println!("error → request, p50 of 20: {:?}, longest {:?}", taken[10], taken[19]);
    });
    drop(handle);
}
