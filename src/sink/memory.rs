//! [`MemorySink`]: keeps messages for a test to look at.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Condvar, Mutex, PoisonError},
    time::{Duration, Instant},
};

use super::{Message, Receipt, Sink};
use crate::{host::time::from_now, policy::send_error::SendError};

/// A [`Sink`] that keeps what it is given: for tests of a program that alerts.
///
/// Clones share their messages. It can be made to fail first.
///
/// ```
/// use std::time::Duration;
///
/// use tracing_alert::{AlertLayer, MemorySink};
/// use tracing_subscriber::prelude::*;
///
/// let sink = MemorySink::new();
/// let layer = AlertLayer::builder()
///     .app_name("MyApp")
///     .in_memory()
///     .settle(Duration::ZERO)
///     .sink(sink.clone(), ["on-call"])
///     .build()
///     .unwrap();
/// let subscriber = tracing_subscriber::registry().with(layer);
/// tracing::subscriber::with_default(subscriber, || tracing::error!("payment failed"));
///
/// let messages = sink.wait_for(1, Duration::from_secs(10));
/// assert!(messages[0].short.starts_with("[MyApp] ERROR: payment failed #"));
/// ```
#[derive(Clone)]
pub struct MemorySink {
    name: &'static str,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    inner: Mutex<Inner>,
    changed: Condvar,
}

#[derive(Default)]
struct Inner {
    messages: Vec<Message>,
    failures: VecDeque<SendError>,
    attempts: usize,
}

impl Default for MemorySink {
    fn default() -> Self {
        Self::named("memory")
    }
}

impl MemorySink {
    /// A sink that accepts every message.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same under another [name](Sink::name): for several in one program.
    pub fn named(name: &'static str) -> Self {
        Self { name, shared: Arc::default() }
    }

    /// A sink whose first attempts fail with `failures`, in this order; later
    /// ones succeed.
    pub fn failing_with(failures: impl IntoIterator<Item = SendError>) -> Self {
        let sink = Self::default();
        sink.lock().failures = failures.into_iter().collect();
        sink
    }

    /// The messages accepted so far, in order.
    pub fn messages(&self) -> Vec<Message> {
        self.lock().messages.clone()
    }

    /// How many attempts were made, the failed ones included.
    pub fn attempts(&self) -> usize {
        self.lock().attempts
    }

    /// Waits until at least `count` messages were accepted or `timeout` has
    /// passed, and gives the messages there are.
    pub fn wait_for(&self, count: usize, timeout: Duration) -> Vec<Message> {
        let deadline = from_now(timeout);
        let mut inner = self.lock();
        while inner.messages.len() < count {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            inner = self.shared.changed.wait_timeout(inner, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        inner.messages.clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.shared.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sink for MemorySink {
    fn name(&self) -> &'static str {
        self.name
    }

    async fn send(&self, message: &Message) -> Result<Receipt, SendError> {
        let mut inner = self.lock();
        inner.attempts += 1;
        if let Some(failure) = inner.failures.pop_front() {
            return Err(failure);
        }
        inner.messages.push(message.clone());
        self.shared.changed.notify_all();
        Ok(Receipt::default())
    }
}

impl fmt::Debug for MemorySink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemorySink").field("messages", &self.lock().messages.len()).finish_non_exhaustive()
    }
}
