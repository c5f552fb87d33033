//! What the child processes do. Run with no scenario, it does nothing.

use crate::support::CHILD;

#[test]
fn run() {
    let Ok(scenario) = std::env::var(CHILD) else {
        return;
    };
    match scenario.as_str() {
        other => panic!("no scenario {other:?}"),
    }
}
