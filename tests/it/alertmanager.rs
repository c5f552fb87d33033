//! The example `alertmanager`, against a server that does as it is told.

use std::{sync::Arc, time::Duration};

use tracing::error;
use tracing_alert::AlertLayer;

use crate::support::{Answer, PATIENCE, Provider, impatient, with_layer};

#[path = "../../examples/alertmanager.rs"]
#[expect(dead_code, reason = "its `main` is for those who run it")]
mod example;

/// One that needs no provider of TLS for the whole process.
fn client() -> reqwest::Client {
    let ring = Arc::new(rustls::crypto::ring::default_provider());
    let config =
        rustls::ClientConfig::builder_with_provider(ring).with_safe_default_protocol_versions().unwrap();
    let config = config.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth();
    reqwest::Client::builder().tls_backend_preconfigured(config).build().unwrap()
}

#[test]
fn the_alertmanager_of_the_example_gets_alerts_with_labels_that_stay() {
    let provider = Provider::start();
    provider.script_mails([Answer::status(503)]);
    let sink = example::Alertmanager { url: provider.url(), client: client() };
    let builder = AlertLayer::builder()
        .app_name("MyApp")
        .environment("test")
        .in_memory()
        .settle(Duration::ZERO)
        .retry(impatient())
        .panics(false)
        .sink(sink, ["alertmanager"]);
    let handle = with_layer(builder, || {
        error!(target: "shop::payment", "payment failed");
        error!(target: "shop::mail", "mail \"failed\"\n");
    });
    assert!(handle.flush(PATIENCE).is_complete());

    let requests = provider.requests();
    assert!(requests.len() >= 2 && requests.iter().all(|request| request.path == "/api/v2/alerts"));
    let alerts: Vec<_> =
        requests.iter().skip(1).flat_map(|request| request.json().as_array().unwrap().clone()).collect();
    let mut told = Vec::new();
    for alert in &alerts {
        let labels = alert["labels"].as_object().unwrap();
        // As the API's schema has it: labels and annotations are texts, and times are RFC 3339.
        for (name, value) in labels.iter().chain(alert["annotations"].as_object().unwrap()) {
            assert!(value.is_string() && name.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{alert}");
        }
        let time = |name: &str| alert[name].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
        assert!(time("startsAt") < time("endsAt"), "{alert}");
        assert_eq!((&labels["app"], &labels["severity"]), (&"MyApp".into(), &"error".into()));
        assert_eq!(labels["environment"], "test");
        told.push((labels["alertname"].as_str().unwrap(), alert["annotations"]["summary"].as_str().unwrap()));
    }
    told.sort_unstable();
    told.dedup();
    assert_eq!(told, [("shop::mail", "mail \"failed\"\n"), ("shop::payment", "payment failed")]);
}
