//! A test message: the wish for it, and what came of it.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{host::signal::Signal, policy::send_error::SendError};

/// A wish to send a test message to everybody.
#[derive(Debug)]
pub(crate) struct Trial {
    pub(crate) deadline: Instant,
    pub(crate) done: Arc<Signal<TestReport>>,
}

/// What came of a test message; from [`AlertHandle::send_test`](crate::AlertHandle::send_test).
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct TestReport {
    /// One message for each recipient of each sink; empty if the time was up before.
    pub messages: Vec<TestMessage>,
}

impl TestReport {
    /// Whether there was a message, and each was accepted.
    pub fn is_complete(&self) -> bool {
        !self.messages.is_empty() && self.messages.iter().all(|message| message.error.is_none())
    }
}

/// One test message. Its `Debug` does not show the recipient, who may be a phone number.
#[derive(Clone)]
#[non_exhaustive]
pub struct TestMessage {
    /// The name of the sink.
    pub sink: &'static str,
    /// Who was to get it.
    pub recipient: String,
    /// What the provider calls it, if it accepted it and said that.
    pub reference: Option<String>,
    /// Why it was not accepted.
    pub error: Option<SendError>,
    /// How long that took.
    pub took: Duration,
}

impl fmt::Debug for TestMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestMessage")
            .field("sink", &self.sink)
            .field("reference", &self.reference)
            .field("error", &self.error)
            .field("took", &self.took)
            .finish_non_exhaustive()
    }
}
