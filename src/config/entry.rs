//! A sink as it was given, and where the settings come from.

use std::{fmt, sync::Arc};

use super::builder::Builder;
use crate::{error::Problem, secret::Secret, sink::DynSink};

/// Where the settings come from: whose names a [`Problem`] uses, and whether
/// a wrong one is only left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    Code,
    Environment,
}

/// A sink as it was given.
pub(super) struct Entry {
    pub(super) kind: Kind,
    pub(super) sink: Arc<dyn DynSink>,
    /// What the sink itself finds wrong with its settings.
    pub(super) problems: Vec<Problem>,
    pub(super) recipients: Vec<String>,
}

/// Shows how many recipients there are, not who: some are phone numbers.
impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry")
            .field("sink", &self.sink)
            .field("recipients", &self.recipients.len())
            .field("problems", &self.problems)
            .finish()
    }
}

/// By which setter a sink came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Sms,
    Email,
    Own,
}

impl Builder {
    /// No event shows `credentials`, whatever becomes of their sink.
    pub(super) fn hiding(mut self, credentials: Vec<&Secret>) -> Self {
        self.credentials.extend(credentials.into_iter().cloned());
        self
    }
}
