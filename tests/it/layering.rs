//! Beside other layers: nothing is lost, nothing alerts falsely, and the others
//! see what they saw without it.

use std::{
    fmt,
    io::Write,
    sync::{Arc, Mutex},
};

use tracing::{
    Event, Level, Metadata, Subscriber, debug, error, info, info_span, level_filters::LevelFilter,
    subscriber::with_default, trace, warn,
};
use tracing_alert::AlertLayer;
use tracing_subscriber::{
    EnvFilter, Layer, Registry,
    fmt::MakeWriter,
    layer::{Context, Filter},
    prelude::*,
    registry::LookupSpan,
};

use crate::{
    support::Harness,
    watch::{Watch, captured, captured_one, span_names},
};

/// What a `fmt` layer wrote.
#[derive(Clone, Default)]
pub(crate) struct Output(Arc<Mutex<Vec<u8>>>);

impl Output {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    /// A `fmt` layer that writes here, the same text each time.
    pub(crate) fn layer<S>(&self) -> impl Layer<S> + Send + Sync + use<S>
    where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        tracing_subscriber::fmt::layer().without_time().with_ansi(false).with_writer(self.clone())
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Output {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// A program at work: one alert, in two spans, among things of no interest.
fn work() {
    let request = info_span!("request", id = 7);
    let _request = request.enter();
    debug!("a detail");
    info_span!("payment", amount = 12.5).in_scope(|| {
        info!("trying");
        error!(order = 17, "payment failed");
    });
    warn!("odd");
}

fn assert_work_alerted(watch: &Watch) {
    let events = watch.events();
    assert_eq!(events.len(), 1, "{events:#?}");
    assert_eq!(events[0].message, "payment failed");
    assert_eq!(span_names(&events[0]), ["request", "payment"]);
}

#[test]
fn it_alerts_beside_fmt_on_either_side() {
    let (layer, watch) = Watch::layer();
    let output = Output::default();
    with_default(tracing_subscriber::registry().with(output.layer()).with(layer), work);
    assert_work_alerted(&watch);
    assert!(output.text().contains("a detail"));

    let (layer, watch) = Watch::layer();
    let output = Output::default();
    with_default(tracing_subscriber::registry().with(layer).with(output.layer()), work);
    assert_work_alerted(&watch);
    assert!(output.text().contains("a detail"));
}

#[test]
fn it_alerts_beside_a_file_writer() {
    let (layer, watch) = Watch::layer();
    let directory = tempfile::tempdir().unwrap();
    let file = tracing_appender::rolling::never(directory.path(), "app.log");
    let (writer, guard) = tracing_appender::non_blocking(file);
    let json = tracing_subscriber::fmt::layer().json().with_writer(writer);
    with_default(tracing_subscriber::registry().with(json).with(layer), work);
    assert_work_alerted(&watch);
    drop(guard);
    let lines = std::fs::read_to_string(directory.path().join("app.log")).unwrap();
    assert_eq!(lines.lines().count(), 4, "{lines}");
}

#[test]
fn a_filter_of_another_layer_does_not_hide_alerts_or_their_spans() {
    for directives in ["off", "error", "warn,it=off", "trace", "it[payment]=debug"] {
        let (layer, watch) = Watch::layer();
        let output = Output::default();
        let filtered = output.layer().with_filter(EnvFilter::new(directives));
        with_default(tracing_subscriber::registry().with(filtered).with(layer), work);
        assert_work_alerted(&watch);

        let (layer, watch) = Watch::layer();
        let filtered = output.layer().with_filter(EnvFilter::new(directives));
        with_default(tracing_subscriber::registry().with(layer).with(filtered), work);
        assert_work_alerted(&watch);
    }
}

#[test]
fn a_global_filter_rules_over_alerts_too() {
    let under = |directives: &str| {
        let (layer, watch) = Watch::layer();
        let stack = tracing_subscriber::registry().with(EnvFilter::new(directives)).with(layer);
        with_default(stack, work);
        watch.events()
    };
    assert_eq!(span_names(&under("info")[0]), ["request", "payment"]);
    assert_eq!(span_names(&under("error")[0]), [""; 0]);
    assert_eq!(under("off"), []);
}

#[test]
fn other_layers_see_exactly_what_they_saw_without_it() {
    for directives in ["off", "error", "info", "debug", "trace"] {
        let without = Output::default();
        let filtered = without.layer().with_filter(EnvFilter::new(directives));
        with_default(tracing_subscriber::registry().with(filtered), work);

        let with = Output::default();
        let filtered = with.layer().with_filter(EnvFilter::new(directives));
        let (layer, _watch) = Watch::layer();
        with_default(tracing_subscriber::registry().with(filtered).with(layer), work);
        assert_eq!(with.text(), without.text(), "{directives}");

        let with = Output::default();
        let filtered = with.layer().with_filter(EnvFilter::new(directives));
        let (layer, _watch) = Watch::layer();
        with_default(tracing_subscriber::registry().with(layer).with(filtered), work);
        assert_eq!(with.text(), without.text(), "{directives}");
    }
}

#[test]
fn an_unfiltered_layer_sees_everything_beside_it() {
    let (layer, watch) = Watch::layer();
    let output = Output::default();
    with_default(tracing_subscriber::registry().with(output.layer()).with(layer), || {
        trace!("the finest detail");
    });
    assert!(output.text().contains("the finest detail"));
    assert_eq!(watch.messages(), [""; 0]);
}

/// Logs at a level while it is evaluated as an argument.
fn logging(level: Level) -> u8 {
    match level {
        Level::ERROR => error!("inner error"),
        Level::INFO => info!("inner info"),
        _ => debug!("inner debug"),
    }
    1
}

#[test]
fn nested_events_are_told_apart_beside_filtered_layers() {
    for directives in ["off", "error", "info", "debug"] {
        for outermost in [true, false] {
            let (layer, watch) = Watch::layer::<Registry>();
            let filter = || EnvFilter::new(directives);
            let act = || {
                error!(value = logging(Level::DEBUG), "outer of debug");
                error!(value = logging(Level::INFO), "outer of info");
                info!(value = logging(Level::ERROR), "not wanted");
                debug!(value = logging(Level::ERROR), "not wanted");
                error!(value = logging(Level::ERROR), "outer of error");
                error!("last");
            };
            if outermost {
                let fmt = Output::default().layer().with_filter(filter());
                let (layer, watch) = Watch::layer();
                with_default(tracing_subscriber::registry().with(fmt).with(layer), act);
                assert_nested(&watch, directives);
            } else {
                let fmt = Output::default().layer().with_filter(filter());
                with_default(tracing_subscriber::registry().with(layer).with(fmt), act);
                assert_nested(&watch, directives);
            }
        }
    }
}

/// The argument of a disabled event is not evaluated, so some `inner error`s
/// are there only if another layer wants the outer event.
fn assert_nested(watch: &Watch, directives: &str) {
    let mut messages = watch.messages();
    let inner = messages.iter().filter(|message| *message == "inner error").count();
    messages.retain(|message| message != "inner error");
    assert_eq!(messages, ["outer of debug", "outer of info", "outer of error", "last"], "{directives}");
    assert!((1..=3).contains(&inner), "{inner} inner errors under {directives}");
}

/// Vetoes every event at one level when it is about to be dispatched.
struct Veto(Level);

impl<S: Subscriber> Layer<S> for Veto {
    fn event_enabled(&self, event: &Event<'_>, _: Context<'_, S>) -> bool {
        *event.metadata().level() != self.0
    }
}

#[test]
fn an_event_that_another_layer_vetoed_does_not_lose_the_next_alert() {
    let act = || {
        for number in 0..3 {
            info!("vetoed");
            error!("alert {number}");
        }
    };
    let (layer, watch) = Watch::layer();
    with_default(tracing_subscriber::registry().with(layer).with(Veto(Level::INFO)), act);
    assert_eq!(watch.messages(), ["alert 0", "alert 1", "alert 2"]);

    let (layer, watch) = Watch::layer();
    let stack = tracing_subscriber::registry()
        .with(Output::default().layer().with_filter(LevelFilter::INFO))
        .with(Veto(Level::INFO))
        .with(layer);
    with_default(stack, act);
    assert_eq!(watch.messages(), ["alert 0", "alert 1", "alert 2"]);
}

/// Lets pass what it is asked for, but only when it is asked about the event.
struct AtDispatch;

impl<S> Filter<S> for AtDispatch {
    fn enabled(&self, _: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        true
    }

    fn event_enabled(&self, event: &Event<'_>, _: &Context<'_, S>) -> bool {
        *event.metadata().level() != Level::ERROR
    }
}

#[test]
fn what_a_filter_refuses_at_the_last_moment_still_alerts() {
    let (layer, watch) = Watch::layer();
    let output = Output::default();
    let stack = tracing_subscriber::registry().with(output.layer().with_filter(AtDispatch)).with(layer);
    with_default(stack, work);
    assert_work_alerted(&watch);
    assert!(!output.text().contains("payment failed"));
}

#[test]
fn at_level_off_nothing_is_captured() {
    let (built_off, first) = Watch::build(AlertLayer::builder().level(LevelFilter::OFF));
    let (set_off, second) = Watch::layer();
    second.handle.set_level(LevelFilter::OFF);
    with_default(tracing_subscriber::registry().with(built_off).with(set_off), work);
    for watch in [first, second] {
        assert_eq!(watch.handle.level(), LevelFilter::OFF);
        assert_eq!((watch.events(), watch.handle.stats().captured), (Vec::new(), 0));
    }
}

#[test]
fn the_level_can_be_changed_on_a_live_stack() {
    let (layer, watch) = Watch::build(AlertLayer::builder().level(Level::DEBUG));
    let output = Output::default();
    let filtered = output.layer().with_filter(LevelFilter::ERROR);
    with_default(tracing_subscriber::registry().with(filtered).with(layer), || {
        let both = |when: &'static str| {
            warn!("warning {when}");
            error!("error {when}");
        };
        watch.handle.set_level(Level::ERROR);
        both("at first");
        watch.handle.set_level(Level::WARN);
        both("when raised");
        watch.handle.set_level(LevelFilter::OFF);
        both("when off");
        watch.handle.set_level(Level::ERROR);
        both("when back");
    });
    let expected = ["error at first", "warning when raised", "error when raised", "error when back"];
    assert_eq!(watch.messages(), expected);
}

#[test]
fn a_layer_switched_on_later_knows_the_spans_of_its_events() {
    let (layer, watch) = Watch::build(AlertLayer::builder().level(Level::ERROR));
    watch.handle.set_level(LevelFilter::OFF);
    with_default(tracing_subscriber::registry().with(layer), || {
        watch.handle.set_level(Level::ERROR);
        work();
    });
    assert_work_alerted(&watch);
}

/// Runs a child that has a global subscriber.
fn assert_child_succeeds(scenario: &str) {
    let output = Harness::new().child(scenario).output().unwrap();
    assert!(output.status.success(), "{scenario}: {output:#?}");
}

#[test]
fn the_max_level_is_what_it_was_without_it_but_for_requests() {
    assert_child_succeeds("layering-max-level");
}

#[test]
fn a_callsite_that_nobody_wants_stays_disabled() {
    assert_child_succeeds("layering-disabled");
}

#[test]
fn a_log_record_shows_its_own_target_and_line() {
    assert_child_succeeds("layering-log");
}

#[test]
fn an_event_in_a_destructor_at_the_end_of_a_thread_alerts() {
    assert_child_succeeds("layering-thread-end");
}

#[test]
fn what_happens_while_an_alert_is_sent_does_not_alert() {
    let harness = Harness::new();
    harness.provider.script_sms([crate::support::Answer::status(500)]);
    let output = harness.child("layering-feedback").env("ALERT_LEVEL", "trace").output().unwrap();
    assert!(output.status.success(), "{output:#?}");
}

#[test]
fn events_of_its_own_target_are_ignored() {
    let messages: Vec<String> = captured(|| {
        error!(target: "tracing_alert", "ours");
        error!(target: "tracing_alert::dispatcher", "ours");
        error!(target: "tracing_alerts", "not ours");
    })
    .into_iter()
    .map(|event| event.message)
    .collect();
    assert_eq!(messages, ["not ours"]);
}

#[test]
fn spans_below_the_span_level_are_not_remembered() {
    let event = captured_one(|| {
        let _outer = info_span!("outer").entered();
        let _detail = tracing::debug_span!("detail", secret = 1).entered();
        let _inner = info_span!("inner").entered();
        error!("in three spans");
    });
    assert_eq!(span_names(&event), ["outer", "inner"]);
}

#[test]
fn at_span_level_off_no_span_is_remembered() {
    let (layer, watch) = Watch::build(AlertLayer::builder().span_level(LevelFilter::OFF));
    with_default(tracing_subscriber::registry().with(layer), work);
    assert_eq!(span_names(&watch.events()[0]), [""; 0]);
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}
