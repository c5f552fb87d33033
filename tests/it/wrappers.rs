//! In every wrapper a layer can be put in, and on every root.

use std::sync::Arc;

use tracing::{
    Level, Subscriber, dispatcher, error, info, info_span, level_filters::LevelFilter,
    subscriber::with_default, warn,
};
use tracing_alert::{AlertHandle, AlertLayer};
use tracing_subscriber::{Layer, Registry, filter::Targets, prelude::*, reload};

use crate::{
    layering::Output,
    watch::{Watch, span_names},
};

/// One alert in a span, and things that are none.
fn work() {
    info_span!("request", id = 7).in_scope(|| {
        info!("trying");
        error!("failed");
        warn!("odd");
    });
}

/// Works under `stack`: `watch` must see the one alert with its span.
fn assert_alerts(stack: impl Subscriber + Send + Sync + 'static, watch: &Watch) {
    with_default(stack, work);
    let events = watch.events();
    assert_eq!(events.len(), 1, "{events:#?}");
    assert_eq!((events[0].message.as_str(), span_names(&events[0])), ("failed", vec!["request"]));
    assert_eq!(events[0].spans[0].fields.len(), 1);
}

/// A stack that another, filtered layer is part of.
fn beside<L>(layer: L) -> impl Subscriber + Send + Sync
where
    L: Layer<Registry> + Send + Sync,
{
    tracing_subscriber::registry().with(layer).with(Output::default().layer().with_filter(LevelFilter::INFO))
}

#[test]
fn an_option_alerts_if_there_is_a_layer_in_it() {
    let (layer, watch) = Watch::layer();
    assert_alerts(tracing_subscriber::registry().with(Some(layer)), &watch);
    let (layer, watch) = Watch::layer();
    assert_alerts(beside(Some(layer)), &watch);

    let output = Output::default();
    let none: Option<AlertLayer> = None;
    let stack = tracing_subscriber::registry().with(none).with(output.layer());
    with_default(stack, || {
        work();
        assert!(AlertHandle::current().is_none());
    });
    assert_eq!(output.text().lines().count(), 3);
}

#[test]
fn a_box_alerts() {
    let (layer, watch) = Watch::layer::<Registry>();
    assert_alerts(beside(Box::new(layer)), &watch);
    let (layer, watch) = Watch::layer::<Registry>();
    assert_alerts(beside(layer.boxed()), &watch);
    let (layer, watch) = Watch::layer();
    let any: Box<dyn Layer<Registry> + Send + Sync> = Box::new(layer);
    assert_alerts(tracing_subscriber::registry().with(any), &watch);
}

#[test]
fn a_vec_alerts_beside_filtered_and_unfiltered_members() {
    let (layer, watch) = Watch::layer::<Registry>();
    assert_alerts(beside(vec![layer]), &watch);

    let (layer, watch) = Watch::layer::<Registry>();
    let filtered = Output::default().layer().with_filter(LevelFilter::OFF).boxed();
    assert_alerts(beside(vec![filtered, layer.boxed()]), &watch);

    let (layer, watch) = Watch::layer::<Registry>();
    let output = Output::default();
    assert_alerts(beside(vec![layer.boxed(), output.layer().boxed()]), &watch);
    assert_eq!(output.text().lines().count(), 3);
}

#[test]
fn a_branch_of_a_tree_alerts_in_both_orders() {
    for filter in [LevelFilter::OFF, LevelFilter::TRACE] {
        let fmt = || Output::default().layer::<Registry>();
        let (layer, watch) = Watch::layer::<Registry>();
        assert_alerts(beside(fmt().with_filter(filter).and_then(layer)), &watch);
        let (layer, watch) = Watch::layer::<Registry>();
        assert_alerts(beside(layer.and_then(fmt().with_filter(filter))), &watch);
        let (layer, watch) = Watch::layer::<Registry>();
        assert_alerts(beside(fmt().and_then(layer)), &watch);
        let (layer, watch) = Watch::layer::<Registry>();
        assert_alerts(beside(layer.and_then(fmt())), &watch);
    }
}

#[test]
fn a_reload_layer_alerts_also_with_a_layer_that_came_later() {
    let (first, watch) = Watch::layer::<Registry>();
    let (second, later) = Watch::layer::<Registry>();
    let (layer, reload) = reload::Layer::new(first);
    let stack = beside(layer);
    with_default(stack, || {
        work();
        reload.reload(second).unwrap();
        work();
        info!("after the change");
    });
    assert_eq!(watch.messages(), ["failed"]);
    assert_eq!(later.messages(), ["failed"]);
    assert_eq!(span_names(&later.events()[0]), ["request"]);
}

#[test]
fn a_reload_layer_alerts_alone_and_when_it_was_empty() {
    let (layer, watch) = Watch::layer::<Registry>();
    let (empty, reload) = reload::Layer::new(None::<AlertLayer>);
    with_default(tracing_subscriber::registry().with(empty), || {
        work();
        reload.reload(Some(layer)).unwrap();
        work();
    });
    assert_eq!(watch.messages(), ["failed"]);
}

#[test]
fn a_filter_round_it_only_takes_away() {
    let (layer, watch) = Watch::layer::<Registry>();
    let targets = Targets::new().with_default(Level::INFO);
    assert_alerts(beside(layer.with_filter(targets)), &watch);
}

#[test]
fn two_layers_in_one_stack_both_alert() {
    let (one, first) = Watch::layer();
    let (two, second) = Watch::build(AlertLayer::builder().level(Level::WARN).span_level(Level::DEBUG));
    with_default(tracing_subscriber::registry().with(one).with(two), || {
        let span = info_span!("request", id = 7, late = tracing::field::Empty);
        span.in_scope(|| {
            span.record("late", 1);
            span.record("late", 2);
            error!("failed");
            warn!("odd");
        });
    });
    assert_eq!(first.messages(), ["failed"]);
    assert_eq!(second.messages(), ["failed", "odd"]);
    let (first, second) = (first.events().remove(0), second.events().remove(0));
    assert_eq!(first.spans, second.spans);
    let fields: Vec<String> =
        first.spans[0].fields.iter().map(|field| format!("{}={}", field.name, field.value)).collect();
    assert_eq!(fields, ["id=7", "late=2"]);
}

#[test]
fn a_root_that_takes_no_filters_is_fine() {
    let (layer, watch) = Watch::layer();
    let root = tracing_subscriber::fmt().with_writer(Output::default()).finish();
    assert_alerts(root.with(layer), &watch);

    let (layer, watch) = Watch::layer();
    let output = Output::default();
    let root =
        tracing_subscriber::fmt().with_writer(output.clone()).with_max_level(LevelFilter::TRACE).finish();
    assert_alerts(root.with(Some(layer)).with(Output::default().layer()), &watch);
    assert_eq!(output.text().lines().count(), 3);
}

#[test]
fn the_handle_is_reached_through_the_stack() {
    let reaches = |stack: dispatcher::Dispatch, watch: &Watch| {
        dispatcher::with_default(&stack, || {
            watch.handle.set_level(Level::WARN);
            assert_eq!(AlertHandle::current().unwrap().level(), LevelFilter::WARN);
        });
    };
    let (layer, watch) = Watch::layer::<Registry>();
    reaches(beside(layer).into(), &watch);
    let (layer, watch) = Watch::layer::<Registry>();
    reaches(beside(Some(layer.boxed())).into(), &watch);
    let (layer, watch) = Watch::layer::<Registry>();
    reaches(beside(vec![layer]).into(), &watch);
    let (layer, watch) = Watch::layer();
    reaches(tracing_subscriber::fmt().with_writer(Output::default()).finish().with(layer).into(), &watch);
    assert!(AlertHandle::current().is_none());
}

#[test]
fn a_subscriber_in_an_arc_alerts() {
    let (layer, watch) = Watch::layer();
    assert_alerts(Arc::new(tracing_subscriber::registry().with(layer)), &watch);
}
