//! A layer whose alerts a test looks at.

use std::time::Duration;

use tracing::subscriber::with_default;
use tracing_alert::{AlertHandle, AlertLayer, Builder, MemorySink, Message, notice::Event};
use tracing_subscriber::{Registry, prelude::*};

use crate::support::PATIENCE;

/// Sees what a layer captured.
pub(crate) struct Watch {
    pub(crate) handle: AlertHandle,
    sink: MemorySink,
}

impl Watch {
    /// The layer of `builder`, in memory and told at once, and who watches it.
    pub(crate) fn build<S>(builder: Builder) -> (AlertLayer<S>, Self) {
        let sink = MemorySink::new();
        // What is to be seen must not be counted under something like it.
        let says = |event: &Event| Some(format!("{:?} {}", event.line, event.message));
        let builder = builder.in_memory().settle(Duration::ZERO).panics(false).fingerprint(says);
        let layer = builder.sink(sink.clone(), ["on-call"]).build().unwrap();
        let handle = layer.handle();
        (layer, Self { handle, sink })
    }

    /// [`build`](Self::build) with the default levels.
    pub(crate) fn layer<S>() -> (AlertLayer<S>, Self) {
        Self::build(AlertLayer::builder())
    }

    /// What was told so far.
    pub(crate) fn told(&self) -> Vec<Message> {
        let report = self.handle.flush(PATIENCE);
        assert!(report.is_complete(), "{report:?}");
        self.sink.messages()
    }

    /// What was captured so far, each event as often as it happened.
    pub(crate) fn events(&self) -> Vec<Event> {
        let told = self.told();
        let samples = told.iter().flat_map(|message| &message.notice.samples);
        samples
            .flat_map(|sample| {
                std::iter::repeat_n(sample.event.clone(), usize::try_from(sample.count).unwrap())
            })
            .collect()
    }

    /// The messages of [`events`](Self::events).
    pub(crate) fn messages(&self) -> Vec<String> {
        self.events().into_iter().map(|event| event.message).collect()
    }
}

/// What `act` makes a layer on a bare registry capture.
pub(crate) fn captured(act: impl FnOnce()) -> Vec<Event> {
    let (layer, watch) = Watch::layer::<Registry>();
    with_default(tracing_subscriber::registry().with(layer), act);
    watch.events()
}

/// The one event that `act` makes a layer capture.
pub(crate) fn captured_one(act: impl FnOnce()) -> Event {
    let mut events = captured(act);
    assert_eq!(events.len(), 1, "{events:#?}");
    events.remove(0)
}

/// The names of the spans of `event`, root first.
pub(crate) fn span_names(event: &Event) -> Vec<&str> {
    event.spans.iter().map(|span| span.name.as_ref()).collect()
}
