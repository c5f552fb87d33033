//! Has `tracing` ask anew which callsites are wanted, after a level was set.
//!
//! Runs where the level is set; the work is done on a thread of its own. It waits for
//! `tracing`'s list of subscribers and calls every layer, and whoever sets a level may
//! hold that lock, or one that a layer waits for.
//! Invariant: two of ours never overlap, so that what one stores of a callsite is not
//! older than the level. Other people's may overlap with ours, and store what they
//! were told before: so each is repeated after [`PAUSES`].

use std::{cell::Cell, sync::Mutex, time::Duration};

use tracing::{
    callsite::rebuild_interest_cache,
    dispatcher::{WeakDispatch, get_default, with_default},
    subscriber::NoSubscriber,
};

use crate::host::{
    errand::Errand,
    fork::PerProcess,
    lock,
    thread::{self, Role},
    time::from_now,
    unwind::caught,
};

#[derive(Default)]
struct Rebuilds {
    errand: Errand,
    /// In whose name it is asked. If there is one subscriber, `tracing` does not look
    /// it up in its list, but takes the thread's: with none, nothing would be wanted.
    dispatch: Mutex<Option<WeakDispatch>>,
}

static REBUILDS: PerProcess<Rebuilds> = PerProcess::new();

thread_local! {
    /// Whether this thread rebuilds: a layer that it asks may set a level.
    static IS_AT_IT: Cell<bool> = const { Cell::new(false) };
}

/// Has every callsite follow the levels that are set now; `own` is the subscriber of
/// the layer whose level it is. Waits until that is so, but no longer than
/// [`PATIENCE`]: it may not be before the caller goes on.
pub(crate) fn rebuild(own: Option<&WeakDispatch>) {
    if IS_AT_IT.get() {
        // What is set in the midst of it, the repetition sees.
        return;
    }
    let rebuilds = REBUILDS.get();
    let own = own.filter(|own| own.upgrade().is_some()).cloned();
    if let (Some(dispatch), Some(mut known)) = (own.or_else(current), lock::soon(&rebuilds.dispatch)) {
        *known = Some(dispatch);
    }
    let asked = rebuilds.errand.ask();
    if asked.must_serve {
        let serve = move || rebuilds.errand.serve(&PAUSES, || _ = caught(|| ask_all(rebuilds)));
        if thread::start(Role::Guest, format!("{}-levels", thread::NAME), serve).is_err() {
            rebuilds.errand.serve(&[], || _ = caught(|| ask_all(rebuilds)));
        }
    }
    let _: bool = rebuilds.errand.wait_until(asked, from_now(PATIENCE));
}

/// This thread's subscriber. None in the midst of an event, either.
fn current() -> Option<WeakDispatch> {
    get_default(|dispatch| (!dispatch.is::<NoSubscriber>()).then(|| dispatch.downgrade()))
}

fn ask_all(rebuilds: &Rebuilds) {
    let _at_it = AtIt::begin();
    if current().is_some() {
        // It is the one, if there is one. To make it this thread's own would take the
        // short way to it from all threads.
        return rebuild_interest_cache();
    }
    let known = lock::soon(&rebuilds.dispatch).and_then(|known| known.clone());
    if let Some(dispatch) = known.and_then(|known| known.upgrade()) {
        with_default(&dispatch, rebuild_interest_cache);
    }
}

/// Stands while this thread rebuilds, also if somebody's layer panics meanwhile.
struct AtIt(());

impl AtIt {
    fn begin() -> Self {
        IS_AT_IT.set(true);
        Self(())
    }
}

impl Drop for AtIt {
    fn drop(&mut self) {
        IS_AT_IT.set(false);
    }
}

/// How long a call that sets a level waits.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long somebody else's thread may take, interrupted between the question whether
/// a callsite is wanted and storing the answer.
const PAUSES: [Duration; 2] = [Duration::from_millis(20), Duration::from_secs(1)];

#[cfg(test)]
mod tests {
    use std::thread::ThreadId;

    use tracing::{Dispatch, Event, Metadata, Subscriber, level_filters::LevelFilter, span};

    use super::*;

    /// Panics on one thread when it is asked for its level.
    struct Panics(ThreadId);

    impl Subscriber for Panics {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            false
        }

        fn max_level_hint(&self) -> Option<LevelFilter> {
            assert!(std::thread::current().id() != self.0, "asked on its thread");
            Some(LevelFilter::OFF)
        }

        fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
            span::Id::from_u64(1)
        }

        fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

        fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

        fn event(&self, _: &Event<'_>) {}

        fn enter(&self, _: &span::Id) {}

        fn exit(&self, _: &span::Id) {}
    }

    #[test]
    fn a_subscriber_that_panics_leaves_the_thread_able_to_set_levels() {
        let here = std::thread::current().id();
        let other = || Dispatch::new(Panics(here));
        let dispatch = std::thread::scope(|scope| scope.spawn(other).join().unwrap());
        let rebuilds = Rebuilds { dispatch: Mutex::new(Some(dispatch.downgrade())), ..Rebuilds::default() };
        assert!(caught(|| ask_all(&rebuilds)).is_none(), "it was not asked");
        assert!(!IS_AT_IT.get());
    }
}
