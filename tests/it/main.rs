//! Black-box tests: real SQLite files, real HTTP over sockets to a scripted
//! provider on 127.0.0.1, real processes. One binary, so that it links once.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod accounting;
mod breadcrumbs;
mod capture;
mod capture_bounds;
mod child;
mod damage;
mod delivery;
mod disks;
mod exit;
mod fallback;
mod faults;
mod feedback;
mod grouping;
mod handle;
mod host;
mod late;
mod layering;
mod messages;
mod millions;
mod models;
mod panics;
mod processes;
mod provider;
mod quiet;
mod redaction;
mod secrets;
mod starts;
mod storm;
mod support;
mod tidy;
#[cfg(unix)]
mod torture;
mod upkeep;
mod watch;
mod wrappers;
