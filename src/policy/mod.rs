//! What is the same, what nobody may see, and who is told of what, when.
//!
//! Pure: no clock, no chance, no file and no network.

pub(crate) mod redact;

pub(crate) mod fingerprint;

pub(crate) mod matcher;

pub(crate) mod incident;

pub(crate) mod budget;

pub(crate) mod calendar;

#[cfg_attr(not(feature = "sqlite"), expect(dead_code, reason = "memory is one process's own"))]
pub(crate) mod known;

pub(crate) mod notice;

#[cfg(feature = "postgres")]
pub(crate) mod outage;

pub(crate) mod public_id;

pub(crate) mod retold;

pub(crate) mod retry;

pub(crate) mod send_error;
