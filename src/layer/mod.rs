//! [`AlertLayer`]: events at or above the alert level are captured with their
//! spans and queued.
//!
//! Runs on the caller's thread, inside `error!` and the span macros.
//! Invariant: nothing here waits, does I/O or panics; a callsite that nobody
//! listens to stays free; other layers see what they saw without it.

pub(crate) mod handle;

pub(crate) mod hook;

pub(crate) mod panic;

use std::{any::TypeId, cell::Cell, fmt, time::SystemTime};

use tracing::{
    Dispatch, Event, Level, Metadata, Subscriber,
    level_filters::LevelFilter,
    span::{Attributes, Id, Record},
    subscriber::Interest,
};
use tracing_log::NormalizeEvent;
use tracing_subscriber::{
    Layer, Registry,
    filter::Filtered,
    layer::Context,
    registry::{LookupSpan, Scope, SpanRef},
};

use crate::{
    capture::{
        self, Call, MAX_LOOKS, MAX_SPANS, Sealed,
        gate::{self, Gate, takes_filters},
        packed::Packed,
        spans::{Frames, Spans},
        trail::Root,
    },
    event::loss::DropReason,
    host::{
        thread::{self, Role},
        unwind::caught,
    },
    layer::handle::AlertHandle,
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

    fn on_register_dispatch(&self, subscriber: &Dispatch) {
        self.gate.belongs_to(subscriber);
    }

    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        match self.placement {
            Placement::Filtering => self.bookkeeping.register_callsite(metadata),
            Placement::Loose | Placement::Neutral => Interest::always(),
        }
    }

    fn enabled(&self, metadata: &Metadata<'_>, context: Context<'_, S>) -> bool {
        if !Role::is_heard_here() {
            return false;
        }
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
            self.bookkeeping.on_new_span(attributes, id, context);
        }
        let metadata = attributes.metadata();
        if metadata.fields().is_empty() || !self.gate.wants(metadata) {
            return;
        }
        if let Some(_capturing) = Capturing::start() {
            // The values first: their `Debug` impls must not run under a lock.
            let _: Option<()> = caught(|| {
                let mut fields = Packed::default();
                capture::fields(&mut fields, |visitor| attributes.record(visitor));
                self.handle.shared().spans().keep(id, metadata, &fields);
            });
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if !context.metadata(id).is_some_and(|metadata| self.gate.wants(metadata)) {
            return;
        }
        if let Some(_capturing) = Capturing::start() {
            let _: Option<()> = caught(|| {
                let mut fields = Packed::default();
                capture::fields(&mut fields, |visitor| values.record(visitor));
                self.handle.shared().spans().record(id, &fields);
            });
        }
    }

    fn on_close(&self, id: Id, _: Context<'_, S>) {
        hook::notice_unhooked();
        self.handle.shared().spans().close(&id);
        if let Some(trails) = self.handle.shared().trails() {
            trails.end(&id);
        }
    }

    /// What our own threads emit is for nobody: neither for us nor for the layers
    /// around this one. A subscriber of their own would be seen from all threads:
    /// `tracing-core` then keeps what is emitted inside another event from
    /// everybody.
    fn event_enabled(&self, _: &Event<'_>, _: Context<'_, S>) -> bool {
        Role::is_heard_here()
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        if self.placement == Placement::Filtering {
            self.bookkeeping.on_event(event, context.clone());
        }
        let Some(purpose) = self.gate.purpose(event) else {
            return;
        };
        let alerts = purpose == gate::Purpose::Alert;
        let is_lost = if alerts { self.handle.shared().loses() } else { !self.handle.shared().is_alive() };
        if is_lost || !Role::may_alert_here() {
            return;
        }
        if alerts && gate::is_of_failed_request(event.metadata()) && self.is_known(event, &context) {
            self.handle.shared().ignored();
            return;
        }
        let Some(_capturing) = Capturing::start() else {
            if alerts {
                self.handle.shared().lost(DropReason::Nested);
            }
            return;
        };
        if !alerts {
            let left = || {
                let root = self.root(event, &context);
                self.handle.shared().leave(root, || capture::breadcrumb(event, SystemTime::now()));
            };
            let _: Option<()> = caught(left);
            return;
        }
        if *event.metadata().level() == Level::ERROR && self.handle.shared().spans().has_requests() {
            note_failed(context.event_scope(event), self.handle.shared().spans());
        }
        // A `log` record's callsite is that of all records of its level.
        let callsite = (!event.is_log()).then_some(event.metadata());
        if callsite.is_some_and(|callsite| !self.handle.shared().admits(callsite)) {
            return;
        }
        hook::notice_unhooked();
        // What runs in here is other people's `Debug` and `Display`; each is
        // guarded on its own. This guards the host against ourselves.
        let captured = caught(|| {
            let root = self.root(event, &context);
            let spans = context
                .event_scope(event)
                .map(|scope| frames(scope, &self.gate, self.handle.shared().spans()));
            let call = Call {
                at: SystemTime::now(),
                thread: thread::name(),
                breadcrumbs: self.handle.shared().breadcrumbs_of(root),
            };
            let event = capture::event(event, call);
            self.handle.shared().leave(root, || capture::breadcrumb_of(&event));
            Sealed::new(event, spans.unwrap_or_default())
        });
        match captured {
            Some(event) => self.handle.shared().offer(event, callsite),
            None => self.handle.shared().lost(DropReason::Nested),
        }
    }

    // `on_enter` and `on_exit` are the defaults on purpose: they would cost a span
    // lookup each.

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
    /// Whether an error alerted already in the request that `event` is about.
    fn is_known(&self, event: &Event<'_>, context: &Context<'_, S>) -> bool {
        let request = context.event_scope(event).and_then(request);
        request.is_some_and(|span| self.handle.shared().spans().has_failed(&span.id(), span.metadata()))
    }

    /// Whose breadcrumbs those of `event` are, if any are wanted.
    fn root(&self, event: &Event<'_>, context: &Context<'_, S>) -> Option<Root> {
        self.handle.shared().trails()?;
        Root::of(context.event_scope(event), &self.gate)
    }
}

/// The request that `scope` is a part of.
fn request<'span, S>(scope: Scope<'span, S>) -> Option<SpanRef<'span, S>>
where
    S: for<'lookup> LookupSpan<'lookup>,
{
    scope.take(MAX_LOOKS).find(|span| gate::is_of_request(span.metadata()))
}

/// Notes that the request has failed that `scope` is a part of.
pub(crate) fn note_failed<S>(scope: Option<Scope<'_, S>>, spans: &Spans)
where
    S: for<'span> LookupSpan<'span>,
{
    if let Some(span) = scope.and_then(request) {
        spans.note_failed(&span.id(), span.metadata());
    }
}

/// The wanted spans of `scope`, the innermost first.
pub(crate) fn frames<S>(scope: Scope<'_, S>, gate: &Gate, spans: &Spans) -> Frames
where
    S: for<'span> LookupSpan<'span>,
{
    let mut frames = Frames::default();
    for span in scope.take(MAX_LOOKS).filter(|span| gate.wants(span.metadata())).take(MAX_SPANS) {
        frames.add(span.metadata(), &span.id(), spans);
    }
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

/// The layer below [`AlertLayer::bookkeeping`]: does nothing.
struct Ignore;

impl<S: Subscriber> Layer<S> for Ignore {}

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
