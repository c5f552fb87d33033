//! What we say of our own trouble: lines for who asked for them, else for stderr;
//! never through `tracing`.
//!
//! Invariant: at most one line a minute for each kind of trouble and what it is
//! about; whoever says one never fails, panics or waits, but for a listener that
//! does.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard},
    time::{Duration, Instant},
};

use crate::host::{lock, thread::Role, unwind::caught};

mod at_once;
mod stderr;
pub(crate) use stderr::{EXIT_PATIENCE, say_at_once, see_out, wait_at_the_end};

/// Where the lines of a layer go.
#[derive(Clone, Default)]
pub(crate) struct Voice(Option<Arc<Listener>>);

/// Somebody who hears lines instead of stderr.
struct Listener {
    hear: Box<dyn Fn(&str) + Send + Sync>,
    told: Told,
}

/// When trouble was told of last, by its kind and what it is about.
type Told = Mutex<BTreeMap<(&'static str, &'static str), Instant>>;

/// What stderr was told: all layers of a process share it.
static TOLD: Told = Mutex::new(BTreeMap::new());

thread_local! {
    /// Of what this thread does.
    static VOICE: RefCell<Voice> = const { RefCell::new(Voice(None)) };
}

impl Voice {
    pub(crate) fn new(hear: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(Listener { hear: Box::new(hear), told: Told::default() })))
    }

    /// What this thread says goes there from now on.
    pub(crate) fn set(self) -> Self {
        VOICE.try_with(|voice| voice.replace(self)).unwrap_or_default()
    }

    /// What `act` says goes there.
    pub(crate) fn with<T>(&self, act: impl FnOnce() -> T) -> T {
        let before = self.clone().set();
        let done = act();
        drop(before.set());
        done
    }

    fn here() -> Self {
        VOICE.try_with(|voice| voice.borrow().clone()).unwrap_or_default()
    }

    /// Says `what`, always.
    pub(crate) fn say(&self, what: &str) {
        match &self.0 {
            // What it emits does not alert: that would be an alert about alerting.
            Some(listener) => {
                let _: Option<()> = caught(|| Role::Guest.play(|| (listener.hear)(what)));
            }
            None => stderr::say(what),
        }
    }

    /// Whether trouble may be told of now: then that is noted.
    fn is_due(&self, kind: &'static str, about: &'static str) -> bool {
        let told = self.0.as_ref().map_or(&TOLD, |listener| &listener.told);
        let Some(mut told) = locked(told) else { return true };
        let now = Instant::now();
        let is_due = told.get(&(kind, about)).is_none_or(|told| now.duration_since(*told) >= PAUSE);
        if is_due {
            told.insert((kind, about), now);
        }
        is_due
    }
}

impl fmt::Debug for Voice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Voice(..)" } else { "Voice(stderr)" })
    }
}

/// Says `what`, unless trouble of this `kind` with the same, like a sink, was told
/// of within [`PAUSE`].
pub(crate) fn report(kind: &'static str, about: &'static str, what: &str) {
    let voice = Voice::here();
    if voice.is_due(kind, about) {
        voice.say(what);
    }
}

/// Says `what`, always: for what is told once, at the start or at the end.
pub(crate) fn say(what: &str) {
    Voice::here().say(what);
}

/// `1 event`, `2 events`.
pub(crate) fn events(count: u64) -> String {
    if count == 1 { "1 event".to_owned() } else { format!("{count} events") }
}

/// Locks `mutex`, unless others hold it for longer than they should.
fn locked<T>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    lock::within(mutex, LOCK_PATIENCE)
}

/// What `act` says to those who listen on this thread, and what it gives.
#[cfg(test)]
pub(crate) fn overheard<T>(act: impl FnOnce() -> T) -> (T, Vec<String>) {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let hears = Arc::clone(&heard);
    let done = Voice::new(move |line| hears.lock().unwrap().push(line.to_owned())).with(act);
    let lines = std::mem::take(&mut *heard.lock().unwrap());
    (done, lines)
}

/// Does `act`, which says lines that begin so, and no others.
#[cfg(all(test, feature = "sqlite"))]
pub(crate) fn saying<T>(beginnings: &[&str], act: impl FnOnce() -> T) -> T {
    let (done, said) = overheard(act);
    let is_said = said.iter().zip(beginnings).all(|(line, beginning)| line.starts_with(beginning));
    assert!(is_said && said.len() == beginnings.len(), "{said:#?}");
    done
}

const PAUSE: Duration = Duration::from_secs(60);

/// Much longer than a line takes to be noted.
const LOCK_PATIENCE: Duration = Duration::from_millis(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trouble_is_told_once_a_minute_for_each_kind_and_sink() {
        let ((), said) = overheard(|| {
            for (kind, sink) in [("paused", "twilio"), ("paused", "sendgrid"), ("dead", "twilio")] {
                for _ in 0..3 {
                    report(kind, sink, &format!("{sink} is {kind}"));
                }
            }
            say("always");
            say("always");
        });
        assert_eq!(said, ["twilio is paused", "sendgrid is paused", "twilio is dead", "always", "always"]);
    }

    #[test]
    fn layers_with_listeners_of_their_own_do_not_share_a_minute() {
        for _ in 0..2 {
            let ((), said) = overheard(|| report("paused", "twilio", "it is paused"));
            assert_eq!(said, ["it is paused"]);
        }
    }

    #[test]
    fn a_listener_that_panics_costs_its_own_line_only() {
        struct PanicsAtDrop;
        impl Drop for PanicsAtDrop {
            fn drop(&mut self) {
                panic!("at the drop");
            }
        }
        Voice::new(|_| std::panic::panic_any(PanicsAtDrop)).with(|| say("heard by who panics"));
        let ((), said) = overheard(|| say("heard"));
        assert_eq!(said, ["heard"]);
    }
}
