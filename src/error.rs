//! What can be wrong with the settings.

use std::fmt;

/// Why an [`AlertLayer`](crate::AlertLayer) could not be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// At least one setting is wrong.
    #[error("{}", lines(.0))]
    Settings(Vec<Problem>),
}

fn lines(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// One wrong setting, what it switches off, and how to mend it. Shows no
/// credential and no phone number.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Problem {
    /// The variable, or the builder's method.
    pub setting: String,
    /// What is wrong, and what is switched off because of it.
    pub what: String,
    /// How to mend it.
    pub mend: String,
}

impl Problem {
    pub(crate) fn new(setting: impl Into<String>, what: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { setting: setting.into(), what: what.into(), mend: mend.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.setting, self.what, self.mend)
    }
}
