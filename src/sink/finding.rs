//! [`Finding`]: what is found out of a sink without an alert, for the command.

use std::time::{Duration, Instant};

use serde::Serialize;

use crate::policy::send_error::SendError;

/// How a check or a hop went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Verdict {
    /// As it should.
    Good,
    /// Alerts arrive, and somebody should look at it all the same.
    Warning,
    /// Alerts do not arrive, or soon will not.
    Bad,
    /// It could not be found out.
    Unknown,
}

/// One thing that was checked.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// What of: `twilio`, `sendgrid`, `webhook:ops`, `settings`, `file`.
    pub of: String,
    /// What it is, like `credentials`.
    pub what: String,
    /// How it went.
    pub verdict: Verdict,
    /// What was found, in words without a credential.
    pub says: String,
    /// What to do about it, unless the words before say so.
    pub mend: Option<String>,
    /// How long it took.
    #[serde(rename = "took_ms", serialize_with = "whole_millis")]
    pub took: Option<Duration>,
}

fn whole_millis<S: serde::Serializer>(took: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    took.map(|took| u64::try_from(took.as_millis()).unwrap_or(u64::MAX)).serialize(serializer)
}

impl Finding {
    /// Of a database that is not found.
    pub fn of_file(says: &str, mend: &str) -> Self {
        Self::bad("file", "open", says, mend)
    }

    /// Of a fleet that cannot be examined.
    pub fn of_fleet(says: &str) -> Self {
        Self::bad("fleet", "open", says, "as the words before say")
    }

    pub(crate) fn new(of: &str, what: &str, verdict: Verdict, says: impl Into<String>) -> Self {
        Self { of: of.to_owned(), what: what.to_owned(), verdict, says: says.into(), mend: None, took: None }
    }

    pub(crate) fn good(of: &str, what: &str, says: impl Into<String>) -> Self {
        Self::new(of, what, Verdict::Good, says)
    }

    pub(crate) fn bad(of: &str, what: &str, says: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { mend: Some(mend.into()), ..Self::new(of, what, Verdict::Bad, says) }
    }

    pub(crate) fn warning(of: &str, what: &str, says: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { mend: Some(mend.into()), ..Self::new(of, what, Verdict::Warning, says) }
    }

    pub(crate) fn unknown(of: &str, what: &str, says: impl Into<String>) -> Self {
        Self::new(of, what, Verdict::Unknown, says)
    }

    /// Of a request that failed: what the sink makes of it.
    pub(crate) fn failed(of: &str, what: &str, error: &SendError, mend: &str) -> Self {
        Self::bad(of, what, error.to_string(), mend)
    }

    pub(crate) fn since(self, start: Instant) -> Self {
        Self { took: Some(start.elapsed()), ..self }
    }

    /// Whether what comes after it may be tried.
    pub(crate) fn goes_on(&self) -> bool {
        self.verdict != Verdict::Bad
    }
}
