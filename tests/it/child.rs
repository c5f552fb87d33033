//! What the child processes do. Run with no scenario, it does nothing.

use crate::support::CHILD;

mod layering;

#[test]
fn run() {
    let Ok(scenario) = std::env::var(CHILD) else {
        return;
    };
    match scenario.as_str() {
        name if name.starts_with("layering-") => layering::run(name),
        other => panic!("no scenario {other:?}"),
    }
}
