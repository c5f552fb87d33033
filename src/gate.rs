//! [`Gate`]: which callsites are wanted; a pure function of their metadata.
//!
//! Runs on the caller's thread.
//! Invariant: the answer for a callsite is `always` or `never`. A `sometimes`
//! would make every disabled callsite of the program walk all layers.

use std::{
    any::type_name,
    sync::Arc,
    sync::atomic::{AtomicU8, Ordering},
};

use tracing::{Level, Metadata, level_filters::LevelFilter, subscriber::Interest};
use tracing_log::{AsLog, log};
use tracing_subscriber::layer::{Context, Filter};

/// Wants events at or above one level to alert, those at or above another as
/// breadcrumbs, and spans at or above a third, but nothing of this crate's own.
/// Clones share their levels.
#[derive(Clone, Debug)]
pub(crate) struct Gate(Arc<Levels>);

#[derive(Debug)]
struct Levels {
    events: AtomicLevel,
    /// What nobody would be told of is not wanted at any setting.
    ceiling: LevelFilter,
    breadcrumbs: LevelFilter,
    spans: LevelFilter,
}

impl Gate {
    /// `ceiling` is the level of the most talkative sink.
    pub(crate) fn new(
        events: LevelFilter,
        ceiling: LevelFilter,
        breadcrumbs: LevelFilter,
        spans: LevelFilter,
    ) -> Self {
        let events = AtomicLevel::new(events.min(ceiling));
        Self(Arc::new(Levels { events, ceiling, breadcrumbs, spans }))
    }

    pub(crate) fn wants(&self, metadata: &Metadata<'_>) -> bool {
        let level = if metadata.is_span() { self.span_level() } else { self.event_level() };
        *metadata.level() <= level && !is_own(metadata.target())
    }

    /// Whether an event that is [wanted](Self::wants) alerts. If not, it is a
    /// breadcrumb.
    pub(crate) fn alerts(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= self.level()
    }

    /// The lowest level that alerts.
    pub(crate) fn level(&self) -> LevelFilter {
        self.0.events.get()
    }

    /// Sets the lowest level that alerts, for every callsite at once.
    pub(crate) fn set_level(&self, level: LevelFilter) {
        let before = self.event_level().as_log();
        self.0.events.set(level.min(self.0.ceiling));
        tracing::callsite::rebuild_interest_cache();
        // Who bridges `log` set its level once, from what was wanted then; one that
        // is lower is somebody else's choice.
        let wanted = self.event_level().as_log();
        if (before..wanted).contains(&log::max_level()) {
            log::set_max_level(wanted);
        }
    }

    /// Breadcrumbs and spans are the context of events that alert: with none of
    /// those they are not wanted.
    fn event_level(&self) -> LevelFilter {
        match self.level() {
            LevelFilter::OFF => LevelFilter::OFF,
            level => level.max(self.0.breadcrumbs),
        }
    }

    fn span_level(&self) -> LevelFilter {
        match self.level() {
            LevelFilter::OFF => LevelFilter::OFF,
            _ => self.0.spans,
        }
    }

    fn interest(&self, metadata: &Metadata<'_>) -> Interest {
        if self.wants(metadata) { Interest::always() } else { Interest::never() }
    }

    fn hint(&self) -> LevelFilter {
        self.event_level().max(self.span_level())
    }
}

impl<S> Filter<S> for Gate {
    fn enabled(&self, metadata: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        self.wants(metadata)
    }

    fn callsite_enabled(&self, metadata: &'static Metadata<'static>) -> Interest {
        self.interest(metadata)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.hint())
    }
}

fn is_own(target: &str) -> bool {
    target.strip_prefix(OWN_TARGET).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// A [`LevelFilter`] that every thread may read while one sets it.
#[derive(Debug)]
struct AtomicLevel(AtomicU8);

impl AtomicLevel {
    fn new(level: LevelFilter) -> Self {
        Self(AtomicU8::new(number(level)))
    }

    fn get(&self) -> LevelFilter {
        match self.0.load(Ordering::Relaxed) {
            1 => LevelFilter::ERROR,
            2 => LevelFilter::WARN,
            3 => LevelFilter::INFO,
            4 => LevelFilter::DEBUG,
            5 => LevelFilter::TRACE,
            _ => LevelFilter::OFF,
        }
    }

    fn set(&self, level: LevelFilter) {
        self.0.store(number(level), Ordering::Relaxed);
    }
}

fn number(level: LevelFilter) -> u8 {
    match level.into_level() {
        None => 0,
        Some(Level::ERROR) => 1,
        Some(Level::WARN) => 2,
        Some(Level::INFO) => 3,
        Some(Level::DEBUG) => 4,
        Some(Level::TRACE) => 5,
    }
}

/// Whether a stack of type `S` keeps a filter per layer: the registry does, and
/// nothing else; asking another root for it panics. There is no stable way to
/// ask, so the type's name is peeled down to its root. A wrong "no" costs
/// speed, not alerts.
pub(crate) fn takes_filters<S>() -> bool {
    let mut name = type_name::<S>();
    loop {
        if name == type_name::<tracing_subscriber::Registry>() {
            return true;
        }
        let arguments = name.strip_prefix(LAYERED).and_then(|rest| rest.strip_suffix('>'));
        match arguments {
            Some(arguments) => name = last_argument(arguments),
            None => return false,
        }
    }
}

/// The last of a list of generic arguments.
fn last_argument(arguments: &str) -> &str {
    let mut depth = 0_usize;
    let mut start = 0;
    let mut before = ' ';
    for (at, c) in arguments.char_indices() {
        match c {
            '<' | '(' | '[' => depth += 1,
            // The arrow of a function type closes nothing.
            '>' if before == '-' => (),
            '>' | ')' | ']' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => start = at + 1,
            _ => (),
        }
        before = c;
    }
    arguments.get(start..).unwrap_or_default().trim()
}

const LAYERED: &str = "tracing_subscriber::layer::layered::Layered<";

/// The target of everything this crate emits itself.
const OWN_TARGET: &str = "tracing_alert";

#[cfg(test)]
mod tests {
    use tracing_subscriber::{Registry, fmt, layer::Layered};

    use super::*;

    #[test]
    fn only_the_registry_takes_filters() {
        struct Wrapper<T>(std::marker::PhantomData<T>);
        type Arrow = fn(u8, (u8, u8)) -> [u8; 2];
        assert!(takes_filters::<Registry>());
        assert!(takes_filters::<Layered<Wrapper<Registry>, Registry>>());
        assert!(takes_filters::<Layered<Wrapper<Arrow>, Layered<Wrapper<Arrow>, Registry>>>());
        assert!(!takes_filters::<fmt::Subscriber>());
        assert!(!takes_filters::<Layered<Wrapper<Arrow>, fmt::Subscriber>>());
        assert!(!takes_filters::<Wrapper<Registry>>());
    }

    #[test]
    fn nothing_of_our_own_is_wanted() {
        assert!(is_own("tracing_alert") && is_own("tracing_alert::dispatcher"));
        assert!(!is_own("tracing_alerts") && !is_own("my::tracing_alert"));
    }

    #[test]
    fn every_level_survives_the_atomic() {
        let levels = ["off", "error", "warn", "info", "debug", "trace"];
        for level in levels.map(|level| level.parse::<LevelFilter>().unwrap()) {
            assert_eq!(AtomicLevel::new(level).get(), level);
        }
    }
}
