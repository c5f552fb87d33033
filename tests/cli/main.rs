//! Black-box tests of the command: real files, real programs that use them, real HTTP to a
//! scripted service on 127.0.0.1.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![cfg(unix)]

mod changes;
mod doctor;
mod files;
#[cfg(all(feature = "postgres", target_os = "linux"))]
mod fleet;
mod program;
mod reading;
mod service;
mod silences;
mod stage;
mod tests_of_hops;
mod transcript;
mod webhooks;
