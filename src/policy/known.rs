//! [`Knower`]: a process whose settings name a recipient.
//!
//! Invariant: plain data; whether a process is gone is asked elsewhere.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A process that tells a recipient, or did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Knower {
    /// Its first run.
    pub(crate) run: Uuid,
    pub(crate) host: String,
    pub(crate) pid: u32,
    /// The program's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) version: Option<String>,
}

impl Knower {
    /// `known` with this one, without those that are gone; the last ones, if they are many.
    pub(crate) fn among(&self, known: &[Self], is_gone: impl Fn(&Self) -> bool) -> Vec<Self> {
        let others = known.iter().filter(|other| other.run != self.run && !is_gone(other));
        let mut all: Vec<_> = others.chain([self]).cloned().collect();
        all.drain(..all.len().saturating_sub(MAX_KNOWERS));
        all
    }
}

/// More processes than share a file.
const MAX_KNOWERS: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    fn knower(run: u128) -> Knower {
        Knower { run: Uuid::from_u128(run), host: "web-1".to_owned(), pid: 7, version: None }
    }

    #[test]
    fn who_is_gone_or_comes_again_is_not_there_twice() {
        let known = [1, 2, 3].map(knower);
        let now = knower(3).among(&known, |other| other.run == Uuid::from_u128(1));
        assert_eq!(now, [2, 3].map(knower));
        let many: Vec<_> = (0..99).map(knower).collect();
        assert_eq!(knower(100).among(&many, |_| false).len(), MAX_KNOWERS);
    }
}
