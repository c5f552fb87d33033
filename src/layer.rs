//! [`AlertLayer`]: events at or above the alert level are captured with their
//! spans and queued.
//!
//! Runs on the caller's thread, inside `error!` and the span macros.
//! Invariant: nothing here waits, does I/O or panics; a callsite that nobody
//! listens to stays free; other layers see what they saw without it.

use std::{
    any::TypeId,
    cell::{Cell, OnceCell},
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::SystemTime,
};

use tracing::{
    Event, Metadata, Subscriber,
    field::Visit,
    level_filters::LevelFilter,
    span::{Attributes, Id, Record},
    subscriber::Interest,
};
use tracing_log::NormalizeEvent;
use tracing_subscriber::{
    Layer, Registry,
    filter::Filtered,
    layer::Context,
    registry::{LookupSpan, Scope},
};

use crate::{
    breadcrumb::Trail,
    capture::{self, Call, MOST_SPANS},
    dispatcher,
    event::{Field, SpanFrame},
    gate::{Gate, takes_filters},
    handle::AlertHandle,
    stats::DropReason,
};

/// A [`Layer`] that sends events at or above a level to phones and inboxes.
///
/// Made by [`from_env`](Self::from_env), [`try_from_env`](Self::try_from_env) or
/// [`builder`](AlertLayer::builder); given to
/// [`with`](tracing_subscriber::layer::SubscriberExt::with). It filters by
/// itself: it needs no `with_filter`, and one would hide the spans that give an
/// alert its context. Not to `and_then` of another layer on a bare registry: of
/// such two, `tracing-subscriber` asks one for its level, and the other loses
/// what is below. [`handle`](Self::handle) flushes, stops and counts.
///
/// ```no_run
/// use tracing_alert::AlertLayer;
/// use tracing_subscriber::prelude::*;
///
/// tracing_subscriber::registry()
///     .with(tracing_subscriber::fmt::layer())
///     .with(AlertLayer::from_env())
///     .init();
///
/// tracing::error!(order = 17, "payment failed");
/// ```
pub struct AlertLayer<S = Registry> {
    /// Tells the registry and the other layers which callsites are wanted. It
    /// does not decide: its thread-local state can be stale (nested events,
    /// vetoing layers), so `on_event` asks the gate again.
    bookkeeping: Filtered<Ignore, Gate, S>,
    gate: Gate,
    handle: AlertHandle,
    placement: Placement,
}

/// Where in a stack of layers this one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Placement {
    /// Not in one yet.
    Loose,
    /// In one that keeps a filter per layer.
    Filtering,
    /// In one that does not (`fmt().finish()` is one): every callsite stays
    /// interesting, and only the gate decides.
    Neutral,
}

impl<S> AlertLayer<S> {
    pub(crate) fn new(gate: Gate, handle: AlertHandle) -> Self {
        Self { bookkeeping: Filtered::new(Ignore, gate.clone()), gate, handle, placement: Placement::Loose }
    }

    /// The handle that flushes, stops and counts; the same as
    /// [`AlertHandle::current`] gives once the layer is installed.
    pub fn handle(&self) -> AlertHandle {
        self.handle.clone()
    }
}

impl<S> Layer<S> for AlertLayer<S>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    fn on_layer(&mut self, subscriber: &mut S) {
        // Registering a filter panics where the root does not take any.
        self.placement = if takes_filters::<S>() {
            self.bookkeeping.on_layer(subscriber);
            Placement::Filtering
        } else {
            Placement::Neutral
        };
    }

    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        match self.placement {
            Placement::Filtering => self.bookkeeping.register_callsite(metadata),
            Placement::Loose | Placement::Neutral => Interest::always(),
        }
    }

    fn enabled(&self, metadata: &Metadata<'_>, context: Context<'_, S>) -> bool {
        match self.placement {
            Placement::Filtering => self.bookkeeping.enabled(metadata, context),
            Placement::Loose | Placement::Neutral => true,
        }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        match self.placement {
            Placement::Filtering => Layer::<S>::max_level_hint(&self.bookkeeping),
            Placement::Loose | Placement::Neutral => None,
        }
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if self.placement == Placement::Filtering {
            self.bookkeeping.on_new_span(attributes, id, context.clone());
        }
        if attributes.metadata().fields().is_empty() {
            return;
        }
        self.remember(id, attributes.metadata(), &context, |visitor| attributes.record(visitor));
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(metadata) = context.metadata(id) else {
            return;
        };
        self.remember(id, metadata, &context, |visitor| values.record(visitor));
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        if self.placement == Placement::Filtering {
            self.bookkeeping.on_event(event, context.clone());
        }
        if !self.gate.wants(event.metadata()) {
            return;
        }
        let alerts = self.gate.alerts(event.metadata());
        let is_lost = if alerts { self.handle.loses() } else { !self.handle.is_alive() };
        if is_lost || Caller::is_here_ours() {
            return;
        }
        let Some(_capturing) = Capturing::start() else {
            if alerts {
                self.handle.lost(DropReason::Nested);
            }
            return;
        };
        if !alerts {
            // The values first: their `Debug` impls must not run under a lock.
            let breadcrumb = guarded(|| Some(capture::breadcrumb(event, SystemTime::now())));
            if let (Some(breadcrumb), Some(trail)) = (breadcrumb, self.trail(event, &context)) {
                trail.leave(breadcrumb);
            }
            return;
        }
        // A `log` record's callsite is that of all records of its level.
        let callsite = (!event.is_log()).then_some(event.metadata());
        if callsite.is_some_and(|callsite| !self.handle.admits(callsite)) {
            return;
        }
        // What runs in here is other people's `Debug` and `Display`; each is
        // guarded on its own. This guards the host against ourselves.
        let captured = catch_unwind(AssertUnwindSafe(|| {
            let trail = self.trail(event, &context);
            let call = Call {
                at: SystemTime::now(),
                thread: Caller::here().name,
                spans: self.spans(event, &context),
                breadcrumbs: self.handle.breadcrumbs_on(trail.as_deref()),
            };
            let event = capture::event(event, call);
            trail.into_iter().for_each(|trail| trail.leave(capture::breadcrumb_of(&event)));
            event
        }));
        match captured {
            Ok(event) => self.handle.offer(event, callsite),
            Err(payload) => {
                std::mem::forget(payload);
                self.handle.lost(DropReason::Nested);
            }
        }
    }

    // `on_enter`, `on_exit`, `on_close` and `event_enabled` are the defaults on
    // purpose: they would cost a span lookup each.

    #[expect(
        unsafe_code,
        reason = "the trait's method is unsafe; the pointers are to fields that live as long as `self`"
    )]
    unsafe fn downcast_raw(&self, id: TypeId) -> Option<*const ()> {
        if id == TypeId::of::<Self>() {
            return Some(std::ptr::from_ref(self).cast());
        }
        if id == TypeId::of::<AlertHandle>() {
            return Some(std::ptr::from_ref(&self.handle).cast());
        }
        match self.placement {
            Placement::Neutral => None,
            // Answers, above all, the question whether we filter: it is asked
            // before `on_layer`.
            Placement::Loose | Placement::Filtering => {
                // SAFETY: forwarded with the caller's own guarantees.
                unsafe { Layer::<S>::downcast_raw(&self.bookkeeping, id) }
            }
        }
    }
}

impl<S> AlertLayer<S>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    /// Keeps fields with their span; the last value of a name wins.
    fn remember(
        &self,
        id: &Id,
        metadata: &'static Metadata<'static>,
        context: &Context<'_, S>,
        record: impl FnOnce(&mut dyn Visit),
    ) {
        if !self.gate.wants(metadata) {
            return;
        }
        let Some(_capturing) = Capturing::start() else {
            return;
        };
        guarded(|| {
            // The values first: their `Debug` impls must not run under the lock.
            let fields = capture::fields(metadata, record);
            let Some(span) = context.span(id) else {
                return;
            };
            let mut extensions = span.extensions_mut();
            match extensions.get_mut::<Remembered>() {
                Some(Remembered(known)) => capture::merge(Arc::make_mut(known), fields),
                None => drop(extensions.replace(Remembered(Arc::new(fields)))),
            }
        });
    }

    /// Where the breadcrumbs of an event's root span are, if any are wanted.
    fn trail(&self, event: &Event<'_>, context: &Context<'_, S>) -> Option<Arc<Trail>> {
        let trails = self.handle.trails()?;
        guarded(|| trails.find(context.event_scope(event), &self.gate))
    }

    /// The spans of `event`, root first.
    fn spans(&self, event: &Event<'_>, context: &Context<'_, S>) -> Vec<SpanFrame> {
        guarded(|| context.event_scope(event).map(|scope| frames(scope, &self.gate)).unwrap_or_default())
    }
}

/// The wanted spans of `scope`, root first. If their texts are too long
/// together, the inner spans keep theirs.
pub(crate) fn frames<S>(scope: Scope<'_, S>, gate: &Gate) -> Vec<SpanFrame>
where
    S: for<'span> LookupSpan<'span>,
{
    let mut room = capture::Room::new();
    let mut frames: Vec<SpanFrame> = scope
        .filter(|span| gate.wants(span.metadata()))
        .take(MOST_SPANS)
        .map(|span| SpanFrame {
            name: span.metadata().name().into(),
            target: span.metadata().target().into(),
            fields: guarded(|| {
                let known =
                    span.extensions().get::<Remembered>().map(|Remembered(fields)| Arc::clone(fields));
                known.map(|fields| room.fit(fields)).unwrap_or_default()
            }),
        })
        .collect();
    frames.reverse();
    frames
}

impl<S> fmt::Debug for AlertLayer<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AlertLayer")
            .field("gate", &self.gate)
            .field("handle", &self.handle)
            .finish_non_exhaustive()
    }
}

/// What `act` gives; nothing if it panics. The registry does so when another
/// layer panicked under the lock of a span's extensions.
pub(crate) fn guarded<T: Default>(act: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(act)).unwrap_or_else(|payload| {
        // Its drop could panic again.
        std::mem::forget(payload);
        T::default()
    })
}

/// A span's fields, kept in its extensions.
struct Remembered(Arc<Vec<Field>>);

/// The layer below [`AlertLayer::bookkeeping`]: does nothing.
struct Ignore;

impl<S: Subscriber> Layer<S> for Ignore {}

/// The thread that makes the call.
#[derive(Clone)]
pub(crate) struct Caller {
    pub(crate) name: Option<Arc<str>>,
    /// Whether it is one of this crate's own threads: what happens there never
    /// alerts, or a failing provider would alert about itself.
    pub(crate) is_ours: bool,
}

impl Caller {
    /// A thread whose local storage is gone has no name; ours do nothing then.
    pub(crate) fn here() -> Self {
        Self::look(Self::clone).unwrap_or(Self { name: None, is_ours: false })
    }

    /// As [`here`](Self::here), at less cost.
    fn is_here_ours() -> bool {
        Self::look(|caller| caller.is_ours).unwrap_or_default()
    }

    fn look<T>(look: impl FnOnce(&Self) -> T) -> Option<T> {
        thread_local! {
            static CALLER: OnceCell<Caller> = const { OnceCell::new() };
        }
        let known = CALLER.try_with(|caller| {
            look(caller.get_or_init(|| {
                let thread = std::thread::current();
                let name = thread.name();
                Self {
                    name: name.map(|name| capture::short(name).into()),
                    is_ours: dispatcher::is_own_thread(name),
                }
            }))
        });
        known.ok()
    }
}

/// Stands while an event is captured on this thread: what is emitted meanwhile,
/// by a `Debug` impl, is not captured, and a panic is not an alert.
pub(crate) struct Capturing(());

thread_local! {
    // No destructor, so it can be used while the thread ends.
    static CAPTURING: Cell<bool> = const { Cell::new(false) };
}

impl Capturing {
    pub(crate) fn start() -> Option<Self> {
        match CAPTURING.try_with(|capturing| capturing.replace(true)) {
            Ok(false) => Some(Self(())),
            Ok(true) | Err(_) => None,
        }
    }
}

impl Drop for Capturing {
    fn drop(&mut self) {
        // It has no destructor, so it is always there.
        let _ = CAPTURING.try_with(|capturing| capturing.set(false));
    }
}
