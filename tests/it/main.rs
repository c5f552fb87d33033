//! Black-box tests: real SQLite files, real HTTP over sockets to a scripted
//! provider on 127.0.0.1, real processes. One binary, so that it links once.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod capture;
mod capture_bounds;
mod child;
mod delivery;
mod exit;
mod fallback;
mod faults;
mod feedback;
mod grouping;
mod handle;
mod late;
mod layering;
mod panics;
mod provider;
mod secrets;
mod storm;
mod support;
mod tidy;
mod upkeep;
mod watch;
mod wrappers;
