//! The chain of panic hooks: ours stands in it for all layers.
//!
//! It is put in front of the hook that is there, so that it comes first also if that
//! one ends the process. A host that sets its own later may put it behind, or out of
//! the chain: then it is [chained](chain) again, or at least [noticed](notice_unhooked).
//! Invariant: no panic reaches a layer twice, however often ours is in the chain.
//! The standard library's lock of the hook is held while any hook runs: we wait for
//! it with a deadline, and in a forked child, where nobody may be left to release it,
//! we leave it alone.
//!
//! The standard library shows a hook only to who takes it out: for a moment, the one
//! of its own stands there. A thread that panics in that moment is in no alert. So the
//! chain is touched only where a layer is built, where it is asked for, and where a
//! thread unwinds though ours was called neither for it nor within [`LOOK_PAUSE`].

use std::{
    cell::Cell,
    panic::{self, PanicHookInfo},
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use crate::{
    host::{
        errand::Errand,
        fork::{self, Birth, PerProcess},
        lock,
        signal::Signal,
        thread::{self, Role},
        time::from_now,
        trouble,
        unwind::caught,
    },
    layer::panic::{COMMIT_TIMEOUT, capture_panic, while_printing},
    queue::shared::Shared,
};

/// Who hears of panics, the latest last.
static LAYERS: PerProcess<Mutex<Vec<Weak<Shared>>>> = PerProcess::new();

/// Whether ours is, or was, in the chain; a forked child inherits the chain.
static IS_CHAINED: AtomicBool = AtomicBool::new(false);

/// Whether it was told since it was put there that ours is not called.
static IS_TOLD: AtomicBool = AtomicBool::new(false);

thread_local! {
    // They have no destructors, so they can be used while the thread ends.
    /// Whether ours runs on this thread: another one of ours, further down in the
    /// chain, has nothing to do.
    static IS_RUNNING: Cell<bool> = const { Cell::new(false) };

    /// Whether ours was called for the panic that unwinds this thread.
    static HAS_SEEN: Cell<bool> = const { Cell::new(false) };
}

/// Makes panics events of the layer behind `shared`, until that is dropped.
pub(crate) fn install(shared: &Arc<Shared>) {
    listen(shared);
    if Birth::here().is_in_child() {
        if !IS_CHAINED.load(Ordering::Acquire) {
            trouble::say(NOT_IN_A_CHILD);
        }
        return;
    }
    // Late is not lost: it is done when the hook that runs now is over.
    let _ = chain();
}

/// Has the layer behind `shared` hear of panics, and ours be in front of the hook
/// that is set now. False if that is not so when the function returns.
pub(crate) fn chain_for(shared: &Arc<Shared>) -> bool {
    listen(shared);
    !Birth::here().is_in_child() && chain()
}

fn listen(shared: &Arc<Shared>) {
    let Some(mut layers) = lock::soon(LAYERS.get()) else { return };
    layers.retain(|layer| layer.strong_count() > 0);
    if !layers.iter().any(|layer| std::ptr::eq(layer.as_ptr(), Arc::as_ptr(shared))) {
        layers.push(Arc::downgrade(shared));
    }
}

/// Puts ours in front, unless it is there. On a thread of its own: this one may be in
/// a hook, so that it holds the lock, or it unwinds, and may not touch the chain.
fn chain() -> bool {
    static CHAINING: PerProcess<Chaining> = PerProcess::new();
    let chaining = CHAINING.get();
    let asked = chaining.errand.ask();
    if asked.must_serve {
        // It waits as long as it takes: so does nobody else, but for one that looks.
        let wait_for_ours = || OURS.get().lock().unwrap_or_else(PoisonError::into_inner);
        let serve = move || chaining.serve(|| put_in_front(&mut wait_for_ours()));
        if thread::start(Role::Own, format!("{}-hook", thread::NAME), serve).is_err() {
            let is_allowed = !std::thread::panicking();
            let ours = || lock::soon(OURS.get()).filter(|_| is_allowed);
            chaining.serve(|| ours().is_some_and(|mut ours| put_in_front(&mut ours)));
        }
    }
    chaining.errand.wait_until(asked, from_now(CHAIN_TIMEOUT)) && chaining.is_in_front.load(Ordering::Acquire)
}

#[derive(Default)]
struct Chaining {
    errand: Errand,
    /// What the last run came to.
    is_in_front: AtomicBool,
}

impl Chaining {
    fn serve(&self, put: impl Fn() -> bool) {
        self.errand
            .serve(&[], || self.is_in_front.store(caught(&put).unwrap_or_default(), Ordering::Release));
    }
}

type Hook = Box<dyn Fn(&PanicHookInfo<'_>) + Send + Sync>;

/// One of our hooks: where it is, as long as it lives. Nothing else can be there then.
struct Ours {
    alive: Weak<()>,
    at: usize,
}

/// Those that may be in the chain. Whoever takes the chain away holds this meanwhile.
static OURS: PerProcess<Mutex<Vec<Ours>>> = PerProcess::new();

/// True once ours is in front.
fn put_in_front(ours: &mut Vec<Ours>) -> bool {
    ours.retain(|each| each.alive.strong_count() > 0);
    ours.reserve(1);
    let alive = Arc::new(());
    let front = panic::take_hook();
    if is_ours(&front, ours) {
        panic::set_hook(front);
    } else {
        let known = Arc::downgrade(&alive);
        let hook: Hook = Box::new(move |info| {
            let _: &Arc<()> = &alive;
            call(info, &front);
        });
        ours.push(Ours { alive: known, at: address(&hook) });
        panic::set_hook(hook);
    }
    IS_TOLD.store(false, Ordering::Relaxed);
    IS_CHAINED.store(true, Ordering::Release);
    true
}

fn is_ours(hook: &Hook, ours: &[Ours]) -> bool {
    let at = address(hook);
    ours.iter().any(|each| each.at == at && each.alive.strong_count() > 0)
}

fn address(hook: &Hook) -> usize {
    std::ptr::from_ref(&**hook).cast::<()>().addr()
}

fn call(info: &PanicHookInfo<'_>, before: &Hook) {
    // A panic of the thread that looks things up is part of a panic that the
    // hook before was told of already.
    if Role::here() == Role::LookUp {
        return;
    }
    let is_first = !IS_RUNNING.replace(true);
    if is_first {
        HAS_SEEN.set(true);
        note_that_it_stands();
        let deadline = from_now(COMMIT_TIMEOUT);
        layers().iter().for_each(|shared| capture_panic(shared, info, deadline));
    }
    if is_first {
        while_printing(|| before(info));
        IS_RUNNING.set(false);
    } else {
        before(info);
    }
}

/// Who hears of a panic, the latest first. In a child with no layer of its own it is
/// the parent's, which count what they lose there.
fn layers() -> Vec<Arc<Shared>> {
    let Some(layers) = LAYERS.latest().and_then(lock::soon) else {
        if Birth::here().is_in_child() {
            fork::complain();
        }
        return Vec::new();
    };
    layers.iter().rev().filter_map(Weak::upgrade).collect()
}

/// Says so, once, if this thread unwinds although our hook was not called. Waits for
/// that a tenth of a second: the panic may be the end of the process. Costs an atomic
/// load if no thread of the process panics.
pub(crate) fn notice_unhooked() {
    if !std::thread::panicking() {
        HAS_SEEN.set(false);
        return;
    }
    let is_known = HAS_SEEN.get() || IS_TOLD.load(Ordering::Relaxed);
    if is_known || !IS_CHAINED.load(Ordering::Acquire) || !is_due() {
        return;
    }
    // On another thread: this one may not touch the chain.
    let looked = Arc::new(Signal::new());
    let done = Arc::clone(&looked);
    let look = move || {
        // `resume_unwind` calls no hook.
        if !caught(is_in_front).unwrap_or_default() && !IS_TOLD.swap(true, Ordering::Relaxed) {
            trouble::say(UNHOOKED);
        }
        done.set(());
    };
    if thread::start(Role::Own, format!("{}-hook", thread::NAME), look).is_ok() {
        let _ = looked.wait_until(from_now(NOTICE_TIMEOUT));
    }
}

/// When it was looked last whether ours stands in the chain, or it was called.
static STOOD_AT: Mutex<Option<Instant>> = Mutex::new(None);

/// Whether it is time to look.
fn is_due() -> bool {
    // Whoever has it looks now; in a forked child nobody may have it, and nobody looks.
    let Some(mut stood_at) = lock::tried(&STOOD_AT) else { return false };
    let is_due = stood_at.is_none_or(|at| at.elapsed() >= LOOK_PAUSE);
    if is_due {
        *stood_at = Some(Instant::now());
    }
    is_due
}

/// Ours is called, so there is no need to look.
fn note_that_it_stands() {
    if let Some(mut stood_at) = lock::tried(&STOOD_AT) {
        *stood_at = Some(Instant::now());
    }
}

const LOOK_PAUSE: Duration = Duration::from_secs(60);

fn is_in_front() -> bool {
    if Birth::here().is_in_child() {
        return false;
    }
    let Some(ours) = lock::soon(OURS.get()) else { return false };
    let front = panic::take_hook();
    let is_ours = is_ours(&front, &ours);
    panic::set_hook(front);
    is_ours
}

const UNHOOKED: &str = "a thread panicked, and nobody is alerted: a panic hook that was set later does not call this \
     crate's. Call AlertHandle::chain_panic_hook after that hook is set, or build the layer after it";

const NOT_IN_A_CHILD: &str = "panics do not alert in this process: it was forked from one without this crate's panic hook, \
     and none can be set safely after a fork. Build a layer that hears of panics before the fork";

const NOTICE_TIMEOUT: Duration = Duration::from_millis(100);

/// How long a call waits for a hook that runs on another thread.
const CHAIN_TIMEOUT: Duration = Duration::from_millis(250);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn while_another_thread_has_the_chain_ours_is_not_said_to_be_in_front_and_is_put_there_later() {
        let taken = OURS.get().lock().unwrap();
        assert!(!chain());
        drop(taken);
        let begun = Instant::now();
        while !chain() {
            assert!(begun.elapsed() < Duration::from_secs(20), "it was given up");
        }
    }
}
