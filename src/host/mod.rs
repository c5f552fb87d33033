//! What the process is, and what threads share in it: below everything else.

pub(crate) mod thread;

pub(crate) mod fork;

pub(crate) mod trouble;

pub(crate) mod executable;

pub(crate) mod secret;

pub(crate) mod time;

pub(crate) mod text;

pub(crate) mod lock;

#[cfg(test)]
#[path = "lock/tests.rs"]
mod lock_tests;

pub(crate) mod signal;

pub(crate) mod errand;

pub(crate) mod permit;

pub(crate) mod bucket;

pub(crate) mod hash;

pub(crate) mod id;

pub(crate) mod unwind;

pub(crate) mod sync;
