//! What happened before an event, in the same root span, is in its mail; and
//! nothing else changes by that.

use std::{fmt, sync::Arc};

use tracing::{
    Dispatch, Level, debug, debug_span, dispatcher, error, info, info_span, level_filters::LevelFilter,
    subscriber::with_default, warn,
};
use tracing_alert::{
    AlertLayer, Builder,
    notice::{Breadcrumb, Event},
};
use tracing_subscriber::{EnvFilter, Layer, Registry, prelude::*};

use crate::{
    layering::Output,
    support::{Harness, PATIENCE, eventually, in_time, is_abort, with_layer, word},
    watch::Watch,
};

pub(crate) fn builder() -> Builder {
    AlertLayer::builder().breadcrumbs(Level::INFO)
}

/// What `act` makes a layer of `builder` capture.
fn captured(builder: Builder, act: impl FnOnce()) -> Vec<Event> {
    let (layer, watch) = Watch::build::<Registry>(builder);
    with_default(tracing_subscriber::registry().with(layer), act);
    watch.events()
}

/// What happened before `event`, each with its fields.
pub(crate) fn before(event: &Event) -> Vec<String> {
    let line = |breadcrumb: &Arc<Breadcrumb>| {
        let fields = breadcrumb.fields.iter().map(|field| format!(" {}={}", field.name, field.value));
        format!("{} {}{}", breadcrumb.level, breadcrumb.message, fields.collect::<String>())
    };
    event.breadcrumbs.iter().map(line).collect()
}

#[test]
fn what_happened_before_in_the_same_root_span_is_in_the_mail_and_not_in_the_sms() {
    let harness = Harness::new();
    let handle = with_layer(harness.builder().breadcrumbs(Level::INFO), || {
        info!("outside of spans");
        let other = info_span!("another request");
        let request = info_span!("request", id = 7);
        other.in_scope(|| info!("of another request"));
        request.in_scope(|| {
            info!(size = 0, "the pool is empty");
            debug!("a detail");
            info_span!("payment").in_scope(|| warn!(target: "my_app::bank", "no answer"));
            other.in_scope(|| info!("of another request again"));
            info_span!("refund").in_scope(|| error!("payment failed"));
            info!("too late");
        });
    });
    assert!(handle.flush(PATIENCE).is_complete());
    let mail = harness.provider.mails()[0].json();
    let text = mail["content"][0]["value"].as_str().unwrap();
    let (_, before) = text.split_once("\nBefore it\n").unwrap();
    let lines: Vec<_> = before.lines().take_while(|line| !line.is_empty()).map(str::trim).collect();
    let ends = [" INFO it::breadcrumbs: the pool is empty size=0", " WARN my_app::bank: no answer"];
    assert!(lines.len() == 2 && lines.iter().zip(ends).all(|(line, end)| line.ends_with(end)), "{lines:#?}");
    let html = mail["content"][1]["value"].as_str().unwrap();
    assert!(html.contains("the pool is empty size=0") && !html.contains("another request"), "{html}");
    let sms = harness.provider.sms()[0].text();
    assert!(sms.contains("payment failed") && !sms.contains("pool"), "{sms}");
}

#[test]
fn outside_of_spans_it_is_what_happened_outside_of_spans() {
    let events = captured(builder(), || {
        info!("first");
        info_span!("request").in_scope(|| info!("in a span"));
        // Not remembered, so it is not there.
        debug_span!("detail").in_scope(|| info!(n = 2, "second"));
        error!("failed");
        error!("failed again");
        info_span!("request").in_scope(|| error!("with nothing before"));
    });
    assert_eq!(before(&events[0]), ["INFO first", "INFO second n=2"]);
    assert_eq!(before(&events[1]), ["INFO first", "INFO second n=2", "ERROR failed"]);
    assert_eq!(before(&events[2]), [""; 0]);
}

#[test]
fn the_last_ones_are_kept_cut_to_their_size() {
    let long = "x".repeat(100_000);
    let events = captured(builder(), || {
        info_span!("request").in_scope(|| {
            for number in 0..100 {
                info!(number, long, also = long, "{long}");
            }
            error!(long, "failed");
            error!("again");
        });
    });
    let numbers = |event: &Event| -> Vec<String> {
        let fields = event.breadcrumbs.iter().flat_map(|breadcrumb| &breadcrumb.fields);
        fields.filter(|field| field.name == "number").map(|field| field.value.to_string()).collect()
    };
    assert_eq!(numbers(&events[0]), (36..100).map(|number| number.to_string()).collect::<Vec<_>>());
    assert_eq!(events[1].breadcrumbs.len(), 64);
    for breadcrumb in events.iter().flat_map(|event| &event.breadcrumbs) {
        let texts: usize = breadcrumb.fields.iter().map(|field| field.value.to_string().len()).sum();
        assert!(breadcrumb.message.len() + texts < 600, "{breadcrumb:?}");
    }
    assert!(events.iter().all(|event| event.breadcrumbs.is_sorted_by_key(|breadcrumb| breadcrumb.at)));
}

#[test]
fn what_is_kept_in_memory_takes_no_room_from_what_comes() {
    let (layer, watch) = Watch::build::<Registry>(builder());
    let long = "x".repeat(400);
    with_default(tracing_subscriber::registry().with(layer), || {
        for number in 0..100 {
            info_span!("request").in_scope(|| {
                (0..60).for_each(|_| info!("{long}"));
                error!("{} failed", word(number));
            });
            eventually("it is kept", || watch.handle.stats().persisted > number as u64);
        }
    });
    // All together are more than there may be on their way.
    let events = watch.events();
    let bytes: usize =
        events.iter().flat_map(|event| &event.breadcrumbs).map(|breadcrumb| breadcrumb.message.len()).sum();
    assert_eq!(bytes, 100 * 60 * 400);
}

#[test]
fn with_a_level_of_off_there_are_none() {
    for builder in [AlertLayer::builder(), builder().level(LevelFilter::OFF)] {
        let (layer, watch) = Watch::build::<Registry>(builder);
        with_default(tracing_subscriber::registry().with(layer), || {
            info!("before");
            error!("failed");
            watch.handle.set_level(Level::ERROR);
            error!("failed again");
        });
        assert!(watch.events().iter().all(|event| event.breadcrumbs.is_empty()), "{:#?}", watch.events());
    }
}

#[test]
fn what_alerts_at_a_changed_level_is_a_breadcrumb_or_an_alert() {
    let (layer, watch) = Watch::build::<Registry>(builder());
    with_default(tracing_subscriber::registry().with(layer), || {
        warn!("before");
        watch.handle.set_level(Level::WARN);
        warn!("an alert");
        watch.handle.set_level(LevelFilter::OFF);
        warn!("nothing");
        watch.handle.set_level(Level::DEBUG);
        debug!("the last one");
    });
    let events = watch.events();
    assert_eq!(before(&events[0]), ["WARN before"]);
    assert_eq!(
        (events[1].message.as_str(), before(&events[1])),
        ("the last one", vec!["WARN before".to_owned(), "WARN an alert".to_owned()])
    );
    assert_eq!(events.len(), 2);
}

/// Panics when it is shown.
struct Panics;

impl fmt::Debug for Panics {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("while shown")
    }
}

#[test]
fn an_impl_that_panics_costs_its_own_value_and_nothing_else() {
    let events = captured(builder(), || {
        info!(before = 1, bad = ?Panics, after = 2, "panics");
        error!("failed");
    });
    let panics = "INFO panics before=1 bad=[panicked while being formatted] after=2";
    assert_eq!(before(&events[0]), [panics]);
}

#[test]
fn what_is_emitted_while_one_is_captured_is_none_and_an_alert_is_counted() {
    assert_child_succeeds("breadcrumbs-nested");
}

#[test]
fn its_own_events_are_none_and_a_log_record_shows_its_own_target() {
    let events = captured(builder(), || {
        info!(target: "tracing_alert::dispatcher", "ours");
        let target = "other::library";
        let record = log::Record::builder()
            .args(format_args!("from a library"))
            .level(log::Level::Info)
            .target(target)
            .file(Some("src/lib.rs"))
            .build();
        tracing_log::format_trace(&record).unwrap();
        error!("failed");
    });
    assert_eq!(before(&events[0]), ["INFO from a library"]);
    assert_eq!(events[0].breadcrumbs[0].target, "other::library");
}

/// A program at work, with things of every level.
fn work() {
    let _request = info_span!("request", id = 7).entered();
    let _detail = debug_span!("detail").entered();
    debug!("a detail");
    info!(size = 0, "the pool is empty");
    error!("payment failed");
    info!("done");
}

#[test]
fn other_layers_see_exactly_what_they_saw_without_it() {
    for directives in ["off", "error", "info", "debug", "trace", "it[request]=debug"] {
        let without = Output::default();
        let filtered = without.layer().with_filter(EnvFilter::new(directives));
        with_default(tracing_subscriber::registry().with(filtered), work);

        let with = Output::default();
        let filtered = with.layer().with_filter(EnvFilter::new(directives));
        let (layer, watch) = Watch::build(builder());
        with_default(tracing_subscriber::registry().with(filtered).with(layer), work);
        assert_eq!(with.text(), without.text(), "{directives}");
        assert_eq!(before(&watch.events()[0]), ["INFO the pool is empty size=0"], "{directives}");

        let with = Output::default();
        let filtered = with.layer().with_filter(EnvFilter::new(directives));
        let (layer, watch) = Watch::build(builder());
        with_default(tracing_subscriber::registry().with(layer).with(filtered), work);
        assert_eq!(with.text(), without.text(), "{directives}");
        assert_eq!(before(&watch.events()[0]), ["INFO the pool is empty size=0"], "{directives}");
    }
}

#[test]
fn on_a_root_that_takes_no_filters_they_are_there_too() {
    let (layer, watch) = Watch::build(builder());
    let root = tracing_subscriber::fmt().with_writer(std::io::sink).with_max_level(Level::DEBUG).finish();
    with_default(root.with(layer), work);
    assert_eq!(before(&watch.events()[0]), ["INFO the pool is empty size=0"]);
}

#[test]
fn two_layers_in_one_stack_have_their_own() {
    let (one, first) = Watch::build(builder());
    let (other, second) = Watch::build(AlertLayer::builder().breadcrumbs(Level::DEBUG));
    with_default(tracing_subscriber::registry().with(one).with(other), work);
    assert_eq!(before(&first.events()[0]), ["INFO the pool is empty size=0"]);
    assert_eq!(before(&second.events()[0]), ["DEBUG a detail", "INFO the pool is empty size=0"]);
}

#[test]
fn threads_at_once_have_those_of_their_root_span() {
    let (layer, watch) = Watch::build::<Registry>(builder());
    let dispatch = Dispatch::new(tracing_subscriber::registry().with(layer));
    let shared = dispatcher::with_default(&dispatch, || info_span!("shared"));
    let work = |thread: usize| {
        for round in 0..12 {
            let number = 12 * thread + round;
            let own = info_span!("own");
            own.in_scope(|| (0..3).for_each(|_| info!(number, "own")));
            shared.in_scope(|| (0..100).for_each(|_| info!("shared")));
            (0..100).for_each(|_| info!("outside"));
            own.in_scope(|| error!(number, "{} of its own", word(number)));
            shared.in_scope(|| error!("{} of the shared one", word(number)));
        }
    };
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (dispatch, work) = (&dispatch, &work);
            scope.spawn(move || dispatcher::with_default(dispatch, || work(thread)));
        }
    });
    let events = watch.events();
    assert_eq!(events.len(), 4 * 12 * 2);
    let (mut own, mut shared) = (0, 0);
    for event in &events {
        let before = before(event);
        match event.fields.first() {
            Some(number) => {
                let line = format!("INFO own number={}", number.value);
                assert!(before.len() <= 3 && before.iter().all(|each| *each == line), "{before:#?}");
                own += before.len();
            }
            None => {
                assert!(before.len() <= 64, "{before:#?}");
                assert!(before.iter().all(|line| line.contains("shared")), "{before:#?}");
                shared += before.len();
            }
        }
    }
    // Where threads meet, and one is interrupted, some may be lost.
    assert!(own > 4 * 12 && shared > 64, "{own} {shared}");
}

#[test]
fn what_is_only_counted_leaves_none() {
    let (layer, watch) = Watch::build::<Registry>(builder().storm_rate(3));
    with_default(tracing_subscriber::registry().with(layer), || {
        for number in 0..1000 {
            error!(number, "a storm");
        }
        error!("after it");
    });
    let events = watch.events();
    assert_eq!(watch.handle.stats().captured, 1001);
    let after = events.iter().find(|event| event.message == "after it").unwrap();
    assert!((3..100).contains(&after.breadcrumbs.len()), "{:#?}", before(after));
    assert_eq!(before(after)[0], "ERROR a storm number=0");
}

#[test]
fn those_of_panics_survive_the_process_and_are_sent_by_the_next() {
    let texts = || -> String {
        let harness = Harness::new();
        let mut child = harness.child("breadcrumbs-panic");
        let child = child.env("ALERT_PANICS", "on").env("ALERT_BREADCRUMBS", "info");
        // Nothing is sent within the settle time, and the process is gone long before.
        let output = child.env("ALERT_SETTLE", "1m").output().unwrap();
        assert!(is_abort(output.status), "{output:#?}");
        assert_eq!(harness.provider.requests().len(), 0);

        let next: AlertLayer = harness.builder().build().unwrap();
        assert!(next.handle().flush(PATIENCE).is_complete());
        let mails = harness.provider.mails().into_iter().map(|mail| mail.json());
        mails.map(|mail| mail["content"][0]["value"].as_str().unwrap().to_owned()).collect()
    };
    // A panic waits a quarter of a second for its commit.
    let texts = in_time(texts, |texts| texts.contains("PANIC: boom and gone"));
    let before = |panic: &str| -> Vec<String> {
        let (_, entry) = texts.split_once(&format!("\nPANIC: {panic}\n")).unwrap();
        let (_, before) = entry.split_once("\nBefore it\n").unwrap();
        let lines = before.lines().take_while(|line| !line.is_empty());
        lines.map(|line| line.trim().split_once(' ').unwrap().1.to_owned()).collect()
    };
    assert_eq!(before("boom outside"), ["INFO it::child::breadcrumbs: outside of spans"]);
    assert_eq!(before("boom in a span"), ["INFO it::child::breadcrumbs: in the span n=1"]);
    let last = ["INFO it::child::breadcrumbs: outside of spans", "ERROR panic: boom outside"];
    assert_eq!(before("boom and gone"), last);
}

#[test]
fn only_callsites_of_its_level_are_enabled() {
    assert_child_succeeds("breadcrumbs-levels");
}

/// Runs a child that has a global subscriber.
fn assert_child_succeeds(scenario: &str) {
    let output = Harness::new().child(scenario).output().unwrap();
    assert!(output.status.success(), "{scenario}: {output:#?}");
}
