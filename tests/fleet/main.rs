//! Black-box tests of a fleet: a real PostgreSQL in a private cluster, a real PgBouncer,
//! real processes, and a network that fails when told so. All on 127.0.0.1.
//!
//! They need Debian's packages `postgresql` and `pgbouncer`, and fail without them.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![cfg(target_os = "linux")]

mod between;
mod bouncer;
mod child;
mod claim;
mod cluster;
mod down;
mod ends;
mod harness;
mod hot;
mod idle;
mod instances;
mod keeper;
mod kill;
mod loops;
mod processes;
mod proxy;
mod rows;
mod start;
mod tls;

/// What the other black-box tests stand on.
#[expect(dead_code, reason = "it serves more tests than these")]
#[path = "../it"]
mod it {
    pub(crate) mod provider;
    pub(crate) mod support;
}
use it::{provider, support};

/// Says what was measured, also where a test that passes shows nothing.
fn figures(line: &str) {
    use std::io::Write;
    std::io::stderr().write_all(format!("{line}\n").as_bytes()).unwrap();
}

/// A number that the environment may set, for a run that is longer than CI's.
fn number(name: &str, usual: usize) -> usize {
    std::env::var(name).map_or(usual, |number| number.parse().unwrap())
}
