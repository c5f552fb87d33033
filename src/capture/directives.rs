//! [`Directives`]: targets with an alert level of their own.
//!
//! Runs on the caller's thread. Pure: a target's level depends on its name only.
//! Invariant: matches as `tracing_subscriber::filter::Targets` does: a directive
//! holds for every target that begins with its own, and the longest one counts.

use tracing_subscriber::filter::LevelFilter;

/// Targets and their levels, the longest target first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Directives(Vec<(Box<str>, LevelFilter)>);

impl Directives {
    /// Sets the level of `target`; the last one given for it counts.
    pub(crate) fn set(&mut self, target: &str, level: LevelFilter) {
        match self.0.iter_mut().find(|(known, _)| **known == *target) {
            Some((_, known)) => *known = level,
            None => {
                let at = self.0.partition_point(|(known, _)| known.len() >= target.len());
                self.0.insert(at, (target.into(), level));
            }
        }
    }

    /// The level of what has `target`, if a directive holds for it.
    pub(crate) fn level(&self, target: &str) -> Option<LevelFilter> {
        self.0.iter().find(|(prefix, _)| target.starts_with(&**prefix)).map(|(_, level)| *level)
    }

    /// The most talkative level of all; `OFF` if there are none.
    pub(crate) fn highest(&self) -> LevelFilter {
        self.0.iter().map(|(_, level)| *level).max().unwrap_or(LevelFilter::OFF)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The same, with no level above `ceiling`.
    pub(crate) fn capped(mut self, ceiling: LevelFilter) -> Self {
        self.0.iter_mut().for_each(|(_, level)| *level = (*level).min(ceiling));
        self
    }

    /// Each target with its level.
    #[cfg(test)]
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, LevelFilter)> {
        self.0.iter().map(|(target, level)| (&**target, *level))
    }

    /// Keeps those that `is_good`.
    pub(crate) fn retain(&mut self, mut is_good: impl FnMut(&str) -> bool) {
        self.0.retain(|(target, _)| is_good(target));
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};
    use tracing::Level;
    use tracing_subscriber::filter::Targets;

    use super::*;

    fn levels() -> impl Strategy<Value = LevelFilter> {
        prop::sample::select(vec![
            LevelFilter::OFF,
            LevelFilter::ERROR,
            LevelFilter::WARN,
            LevelFilter::INFO,
            LevelFilter::TRACE,
        ])
    }

    proptest! {
        #[test]
        fn it_matches_as_targets_do(
            given in vec(("[ab]{0,2}(::[ab]{1,2})?", levels()), 0..6),
            default in levels(),
            target in "[ab]{0,3}(::[ab]{0,3})?",
        ) {
            let mut ours = Directives::default();
            given.iter().for_each(|(target, level)| ours.set(target, *level));
            let theirs = Targets::new().with_targets(given).with_default(default);
            for level in [Level::ERROR, Level::WARN, Level::INFO, Level::DEBUG, Level::TRACE] {
                let enabled = level <= ours.level(&target).unwrap_or(default);
                prop_assert_eq!(enabled, theirs.would_enable(&target, &level), "{:?} {}", ours, target);
            }
        }
    }

    #[test]
    fn the_longest_target_counts_whatever_the_order() {
        let mut directives = Directives::default();
        directives.set("sqlx::query", LevelFilter::OFF);
        directives.set("sqlx", LevelFilter::WARN);
        directives.set("sqlx", LevelFilter::INFO);
        let levels = ["sqlx::query::logger", "sqlx::pool", "sqlx_core", "sql"].map(|it| directives.level(it));
        assert_eq!(levels, [Some(LevelFilter::OFF), Some(LevelFilter::INFO), Some(LevelFilter::INFO), None]);
        assert_eq!(directives.highest(), LevelFilter::INFO);
    }
}
