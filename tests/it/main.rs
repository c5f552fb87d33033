//! Black-box tests: real SQLite files, real HTTP over sockets to a scripted
//! provider on 127.0.0.1, real processes. One binary, so that it links once.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![cfg_attr(not(unix), expect(dead_code, unused_imports, reason = "some have tests on Unix only"))]

mod accounting;
mod alertmanager;
mod api;
mod breadcrumbs;
mod capture;
mod capture_bounds;
mod child;
mod damage;
mod delivery;
mod disks;
#[cfg(unix)]
mod end;
mod exit;
mod fallback;
mod fates;
mod faults;
mod feedback;
mod foreign;
mod grouping;
mod handle;
#[cfg(unix)]
mod host;
mod late;
mod layering;
mod levels;
mod locks;
mod messages;
mod millions;
mod models;
mod panics;
mod processes;
mod programs;
mod provider;
mod proxies;
mod quiet;
mod redaction;
mod requests;
mod rooms;
mod secrets;
mod starts;
mod storm;
mod support;
mod tidy;
mod tls;
#[cfg(unix)]
mod torture;
mod trouble;
mod upkeep;
mod watch;
#[cfg(feature = "webhook")]
mod webhooks;
mod wrappers;

/// As ever, until a child has it log.
#[global_allocator]
static ALLOCATOR: child::allocator::Talkative = child::allocator::Talkative;
