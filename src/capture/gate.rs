//! [`Gate`]: which callsites are wanted; a pure function of their metadata.
//!
//! Runs on the caller's thread.
//! Invariant: the answer for a callsite is `always` or `never`. A `sometimes`
//! would make every disabled callsite of the program walk all layers.

use std::{
    any::type_name,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU8, Ordering},
    },
    time::Duration,
};

use tracing::{
    Dispatch, Event, Level, Metadata, dispatcher::WeakDispatch, level_filters::LevelFilter,
    subscriber::Interest,
};
use tracing_log::{AsLog, NormalizeEvent, log};
use tracing_subscriber::{
    Registry,
    layer::{Context, Filter},
};

use crate::{
    capture::{directives::Directives, rebuild},
    host::{
        signal::Signal,
        thread::{self, Role},
        time::from_now,
    },
};

/// Wants events at or above the level of their target to alert, those at or above
/// another as breadcrumbs, and spans at or above a third, but nothing of this
/// crate's own. Clones share their levels.
#[derive(Clone, Debug)]
pub(crate) struct Gate(Arc<Levels>);

#[derive(Debug)]
struct Levels {
    /// Of targets without a directive.
    events: AtomicLevel,
    directives: Directives,
    /// The most talkative of them.
    highest_directive: LevelFilter,
    /// What nobody would be told of is not wanted at any setting.
    ceiling: LevelFilter,
    breadcrumbs: LevelFilter,
    spans: LevelFilter,
    /// Whether the subscriber is told how talkative [request spans](is_of_request) are.
    hints_at_requests: AtomicBool,
    /// The subscriber that the layer is part of; none if a wrapper keeps it secret.
    subscriber: OnceLock<WeakDispatch>,
}

/// What an event is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    Alert,
    Breadcrumb,
}

impl Gate {
    /// `ceiling` is the level of the most talkative sink.
    pub(crate) fn new(
        events: LevelFilter,
        directives: Directives,
        ceiling: LevelFilter,
        breadcrumbs: LevelFilter,
        spans: LevelFilter,
    ) -> Self {
        let events = AtomicLevel::new(events.min(ceiling));
        let directives = directives.capped(ceiling);
        let highest_directive = directives.highest();
        let (subscriber, hints_at_requests) = (OnceLock::new(), AtomicBool::new(false));
        Self(Arc::new(Levels {
            events,
            directives,
            highest_directive,
            ceiling,
            breadcrumbs,
            spans,
            hints_at_requests,
            subscriber,
        }))
    }

    /// Whether a callsite is wanted. That of `log` records has one target for all
    /// of them: it is, if one of them could be.
    pub(crate) fn wants(&self, metadata: &Metadata<'_>) -> bool {
        let level = match metadata.target() {
            _ if is_of_request(metadata) => self.request_level(),
            _ if metadata.is_span() => self.span_level(),
            LOG_TARGET => self.highest_event_level(),
            target => self.event_level(target),
        };
        *metadata.level() <= level && !is_own(metadata.target())
    }

    /// What `event` is wanted for, by its real target; none if it is not.
    pub(crate) fn purpose(&self, event: &Event<'_>) -> Option<Purpose> {
        let metadata = event.metadata();
        if !self.wants(metadata) {
            return None;
        }
        if self.0.directives.is_empty() {
            let alerts = *metadata.level() <= self.level();
            return Some(if alerts { Purpose::Alert } else { Purpose::Breadcrumb });
        }
        let record = event.normalized_metadata();
        let target = record.as_ref().unwrap_or(metadata).target();
        match *metadata.level() {
            level if level <= self.level_of(target) => Some(Purpose::Alert),
            level if level <= self.0.breadcrumbs => Some(Purpose::Breadcrumb),
            _ => None,
        }
    }

    /// The lowest level that alerts, but for targets with a directive.
    pub(crate) fn level(&self) -> LevelFilter {
        self.0.events.get()
    }

    /// The lowest level of `target` that alerts.
    pub(crate) fn level_of(&self, target: &str) -> LevelFilter {
        self.0.directives.level(target).unwrap_or_else(|| self.level())
    }

    /// Notes which subscriber is to be asked after a level was set. Has it know soon of
    /// the spans of requests.
    pub(crate) fn belongs_to(&self, subscriber: &Dispatch) {
        // It belongs to one for good.
        let is_first = self.0.subscriber.set(subscriber.downgrade()).is_ok();
        if is_first && self.request_level() > self.hint() {
            let gate = self.clone();
            let hint = move || {
                let _: Option<()> = Signal::new().wait_until(from_now(LOG_PATIENCE));
                gate.hint_at_requests();
            };
            // Without the thread, requests have no span, as in any other program. `tracing` holds
            // a lock of its own meanwhile: until it is waited for no more, the thread takes none.
            let name = format!("{}-requests", thread::NAME);
            drop(thread::start_before_forks(Role::Guest, name, || (), hint));
        }
    }

    fn hint_at_requests(&self) {
        self.0.hints_at_requests.store(true, Ordering::Relaxed);
        rebuild::rebuild(self.0.subscriber.get());
    }

    /// Whether the layer is known, or not known not, to be on `registry`.
    pub(crate) fn is_on(&self, registry: &Registry) -> bool {
        let own = self.0.subscriber.get().and_then(WeakDispatch::upgrade);
        own.is_none_or(|own| own.downcast_ref().is_some_and(|own: &Registry| std::ptr::eq(own, registry)))
    }

    /// Sets the lowest level that alerts, for every callsite at once but for
    /// those with a directive.
    pub(crate) fn set_level(&self, level: LevelFilter) {
        let before = self.highest_event_level().as_log();
        self.0.events.set(level.min(self.0.ceiling));
        rebuild::rebuild(self.0.subscriber.get());
        // Who bridges `log` set its level once, from what was wanted then; one that
        // is lower is somebody else's choice.
        let wanted = self.highest_event_level().as_log();
        if (before..wanted).contains(&log::max_level()) {
            log::set_max_level(wanted);
        }
    }

    /// Breadcrumbs and spans are the context of events that alert: with none of
    /// those they are not wanted.
    fn event_level(&self, target: &str) -> LevelFilter {
        if self.is_off() { LevelFilter::OFF } else { self.level_of(target).max(self.0.breadcrumbs) }
    }

    fn highest_event_level(&self) -> LevelFilter {
        if self.is_off() { LevelFilter::OFF } else { self.highest_level().max(self.0.breadcrumbs) }
    }

    fn span_level(&self) -> LevelFilter {
        if self.is_off() { LevelFilter::OFF } else { self.0.spans }
    }

    /// That of the spans that tower-http makes of requests. Who wants fewer spans than is
    /// usual wants none of these.
    fn request_level(&self) -> LevelFilter {
        let spans = self.span_level();
        if spans == LevelFilter::INFO { LevelFilter::DEBUG } else { spans }
    }

    /// Whether nothing at all alerts.
    fn is_off(&self) -> bool {
        self.highest_level() == LevelFilter::OFF
    }

    /// The lowest level of any target that alerts.
    fn highest_level(&self) -> LevelFilter {
        self.level().max(self.0.highest_directive)
    }

    fn interest(&self, metadata: &Metadata<'_>) -> Interest {
        if self.wants(metadata) { Interest::always() } else { Interest::never() }
    }

    fn hint(&self) -> LevelFilter {
        let has_requests = self.0.hints_at_requests.load(Ordering::Relaxed);
        let spans = if has_requests { self.request_level() } else { self.span_level() };
        self.highest_event_level().max(spans)
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

/// Whether it is a span that `TraceLayer` of tower-http makes: at DEBUG, and the only
/// one in most web services that has the method and the path.
pub(crate) fn is_of_request(metadata: &Metadata<'_>) -> bool {
    metadata.is_span() && metadata.target() == REQUEST_TARGET
}

/// Whether tower-http says by it that a request failed: not why.
pub(crate) fn is_of_failed_request(metadata: &Metadata<'_>) -> bool {
    metadata.is_event() && FAILED_REQUEST_TARGETS.contains(&metadata.target())
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
        if name == type_name::<Registry>() {
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

/// The target of the spans that tower-http makes of requests.
const REQUEST_TARGET: &str = "tower_http::trace::make_span";

/// `TraceLayer`'s "response failed", and `CatchPanicLayer`'s "Service panicked".
const FAILED_REQUEST_TARGETS: [&str; 2] = ["tower_http::trace::on_failure", "tower_http::catch_panic"];

/// When a program sets a subscriber, `tracing-subscriber` looks how talkative it is, and
/// has `log` send it all such records: each `log::debug!` would then ask every layer. So
/// long it is not told of request spans.
const LOG_PATIENCE: Duration = Duration::from_millis(50);

/// The target of the callsites of `log` records.
const LOG_TARGET: &str = "log";

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
    fn no_target_has_a_level_that_no_sink_is_told_of() {
        let mut directives = Directives::default();
        directives.set("talkative", LevelFilter::TRACE);
        let gate = Gate::new(
            LevelFilter::ERROR,
            directives,
            LevelFilter::WARN,
            LevelFilter::OFF,
            LevelFilter::ERROR,
        );
        assert_eq!(
            ["talkative", "other"].map(|it| gate.level_of(it)),
            [LevelFilter::WARN, LevelFilter::ERROR]
        );
        assert_eq!(gate.hint(), LevelFilter::WARN);
        gate.set_level(LevelFilter::OFF);
        assert_eq!(["talkative", "other"].map(|it| gate.level_of(it)), [LevelFilter::WARN, LevelFilter::OFF]);
        assert_eq!(gate.span_level(), LevelFilter::ERROR, "something alerts");
    }

    #[test]
    fn every_level_survives_the_atomic() {
        let levels = ["off", "error", "warn", "info", "debug", "trace"];
        for level in levels.map(|level| level.parse::<LevelFilter>().unwrap()) {
            assert_eq!(AtomicLevel::new(level).get(), level);
        }
    }
}
