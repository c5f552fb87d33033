//! Levels of single targets: in code, for `log` records, at run time, and in the
//! environment.

use tracing::{
    Level, debug, error, info, info_span, level_filters::LevelFilter, subscriber::with_default, warn,
};
use tracing_alert::AlertLayer;
use tracing_log::log;
use tracing_subscriber::{Registry, prelude::*};

use crate::{
    support::Harness,
    watch::{Watch, span_names},
};

/// A layer that errors alert in, but none of `noisy`; of `quiet`, warnings, too.
fn layer() -> (AlertLayer<Registry>, Watch) {
    Watch::build(AlertLayer::builder().level_for("noisy", LevelFilter::OFF).level_for("quiet", Level::WARN))
}

fn work() {
    error!(target: "noisy", "noise");
    error!(target: "noisy::inner", "noise within");
    warn!(target: "quiet::inner", "a whisper");
    info!(target: "quiet", "nothing");
    warn!(target: "other", "nothing");
    error!(target: "other", "an error");
}

#[test]
fn a_target_may_have_a_level_of_its_own() {
    let (layer, watch) = layer();
    with_default(tracing_subscriber::registry().with(layer), work);
    assert_eq!(watch.messages(), ["a whisper", "an error"]);
}

#[test]
fn so_it_does_on_a_root_that_takes_no_filters() {
    let builder = AlertLayer::builder().level_for("noisy", LevelFilter::OFF).level_for("quiet", Level::WARN);
    let (layer, watch) = Watch::build(builder);
    let root =
        tracing_subscriber::fmt().with_writer(std::io::sink).with_max_level(LevelFilter::TRACE).finish();
    with_default(root.with(layer), work);
    assert_eq!(watch.messages(), ["a whisper", "an error"]);
}

/// In a process of its own: what a callsite may leave out is a matter of all subscribers.
#[test]
fn only_what_a_target_wants_is_enabled() {
    let output = Harness::new().child("levels-targets").output().unwrap();
    assert!(output.status.success(), "{output:#?}");
}

#[test]
fn a_log_record_is_judged_by_its_own_target() {
    let (layer, watch) = layer();
    let log = |target: &str, level, text: &str| {
        tracing_log::format_trace(
            &log::Record::builder().target(target).level(level).args(format_args!("{text}")).build(),
        )
        .unwrap();
    };
    with_default(tracing_subscriber::registry().with(layer), || {
        log("noisy", log::Level::Error, "noise");
        log("quiet", log::Level::Warn, "a whisper");
        log("quiet", log::Level::Info, "nothing");
        log("other", log::Level::Warn, "nothing");
        log("other", log::Level::Error, "an error");
        // No record, though its target is that of records.
        warn!(target: "log", "nothing");
        error!(target: "log", "of a module");
    });
    assert_eq!(watch.messages(), ["a whisper", "an error", "of a module"]);
}

#[test]
fn a_level_that_is_set_later_is_that_of_the_other_targets() {
    let (layer, watch) = layer();
    with_default(tracing_subscriber::registry().with(layer), || {
        watch.handle.set_level(LevelFilter::OFF);
        assert_eq!(watch.handle.level(), LevelFilter::OFF);
        work();
        watch.handle.set_level(LevelFilter::INFO);
        info!(target: "other", "some news");
        error!(target: "noisy", "noise");
        info!(target: "quiet", "nothing");
    });
    assert_eq!(watch.messages(), ["a whisper", "some news"]);
}

#[test]
fn spans_and_breadcrumbs_of_a_target_without_alerts_are_told() {
    let builder = AlertLayer::builder().breadcrumbs(Level::INFO).level_for("noisy", LevelFilter::OFF);
    let (layer, watch) = Watch::build(builder);
    with_default(tracing_subscriber::registry().with(layer), || {
        info_span!(target: "noisy", "request").in_scope(|| {
            debug!(target: "noisy", "nothing");
            error!(target: "noisy", "what came before");
            error!(target: "other", "an error");
        });
    });
    let events = watch.events();
    assert_eq!(events.len(), 1, "{events:#?}");
    assert_eq!(span_names(&events[0]), ["request"]);
    let before: Vec<_> = events[0].breadcrumbs.iter().map(|breadcrumb| breadcrumb.message.as_str()).collect();
    assert_eq!(before, ["what came before"]);
}

#[test]
fn a_panic_has_a_target_of_its_own() {
    let harness = Harness::new();
    let mut child = harness.child("layering-panic-main");
    let output = child.env("ALERT_PANICS", "on").env("ALERT_LEVEL", "error,panic=off").output().unwrap();
    assert_eq!(output.status.code(), Some(101), "{output:#?}");
    assert_eq!(harness.provider.requests().len(), 0);
}

#[test]
fn code_adds_to_the_environment() {
    let harness = Harness::new();
    let mut child = harness.child("layering-from-env");
    let output = child.env("ALERT_LEVEL", "warn,noisy=off").env("ALERT_SETTLE", "soon").output().unwrap();
    assert!(output.status.success(), "{output:#?}");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(said.matches("tracing-alert: ").count(), 1, "{said}");
    assert!(said.contains("tracing-alert: ALERT_SETTLE: \"soon\" is not a duration"), "{said}");
    let mails = harness.provider.mails();
    assert_eq!(mails.len(), 1, "{mails:#?}");
    assert!(mails.iter().all(|mail| mail.body.contains("a whisper") && mail.body.contains("1.2.3")));
    assert!(mails.iter().all(|mail| !mail.body.contains("noise") && !mail.body.contains("silenced")));
}

#[test]
fn with_alerts_off_and_no_settings_nothing_is_said() {
    let harness = Harness::new();
    let mut child = harness.child("return");
    for (name, _) in harness.variables() {
        child.env_remove(name);
    }
    let output = child.env("ALERT_LEVEL", "off").env("ALERT_PORT", "tcp://10.0.0.1:80").output().unwrap();
    assert!(output.status.success());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!said.contains("tracing-alert: "), "{said}");
}
