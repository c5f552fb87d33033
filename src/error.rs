//! What can be wrong with the settings, and how that is shown.
//!
//! Invariant: no credential and no phone number is shown; a value that could be
//! one is described instead.

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

/// One wrong setting, what it switches off, and how to fix it. Shows no
/// credential and no phone number.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Problem {
    /// The variable, or the builder's method.
    pub setting: String,
    /// What is wrong, and what is switched off because of it.
    pub what: String,
    /// How to fix it.
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

/// What is wrong with a value, and how to mend it, if more is to be said of that
/// than how it is set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) what: String,
    pub(crate) mend: Option<String>,
}

impl Fault {
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), mend: None }
    }

    pub(crate) fn mend(self, mend: impl Into<String>) -> Self {
        Self { mend: Some(mend.into()), ..self }
    }
}

/// Shows a wrong value on one line, unless somebody may have pasted a secret
/// there: what is as long as a credential and is no plain address is only measured,
/// and of as many digits as a phone number has, only the last two are shown.
pub(crate) fn shown(value: &str) -> String {
    let length = value.chars().count();
    let is_address = value
        .split_once('@')
        .is_some_and(|(local, _)| local.chars().count() < MIN_CREDENTIAL && !local.contains([':', '/', '=']));
    if length >= MIN_CREDENTIAL && !is_address {
        return format!("a value of {length} characters");
    }
    let digits = value.chars().filter(|char| char.is_numeric()).count();
    if digits < MIN_PHONE {
        return quoted(value);
    }
    let mut hidden = digits - 2;
    let mask = |char: char| {
        if char.is_numeric() && hidden > 0 {
            hidden -= 1;
            '*'
        } else {
            char
        }
    };
    quoted(&value.chars().map(mask).collect::<String>())
}

/// Whether a wrong value may be repeated as it is.
pub(crate) fn is_showable(value: &str) -> bool {
    shown(value) == format!("\"{value}\"")
}

/// `text` as a string literal, made to fit by [`escaped`].
pub(crate) fn quoted(text: &str) -> String {
    format!("\"{}\"", escaped(text))
}

/// Escapes control characters, and cuts what does not fit.
pub(crate) fn escaped(text: &str) -> String {
    let mut rest = text.escape_debug();
    let mut escaped = rest.by_ref().take(MAX_SHOWN).collect::<String>();
    if rest.next().is_some() {
        escaped.push('…');
    }
    escaped
}

/// The providers' keys and tokens have at least 32 characters.
const MIN_CREDENTIAL: usize = 24;
const MIN_PHONE: usize = 6;
const MAX_SHOWN: usize = 80;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_value_is_shown_on_one_line() {
        assert_eq!(shown("loud"), r#""loud""#);
        assert_eq!(shown("a\n\u{1b}b\u{202e}"), r#""a\n\u{1b}b\u{202e}""#);
    }

    #[test]
    fn a_long_value_is_cut() {
        let address = format!("@{}", "\n".repeat(1_000));
        assert_eq!(shown(&address).chars().count(), MAX_SHOWN + 3);
    }

    #[test]
    fn a_value_that_could_be_a_credential_is_only_measured() {
        assert_eq!(shown(&"f".repeat(32)), "a value of 32 characters");
    }

    #[test]
    fn a_credential_before_an_at_sign_is_only_measured() {
        for value in
            ["smtp://apikey:SG.abcdefghijkl@smtp.example.com", "SG.abcdefghijklmnopqrstuvwx@example.com"]
        {
            assert_eq!(shown(value), format!("a value of {} characters", value.len()));
        }
        assert_eq!(shown("somebody.else@mail.example"), r#""somebody.else@mail.example""#);
    }

    #[test]
    fn a_value_that_could_be_a_phone_number_is_masked() {
        assert_eq!(shown("tel:+41 79 123-45 67"), r#""tel:+** ** ***-** 67""#);
        assert_eq!(shown("+15005550006@sms.example.com"), r#""+*********06@sms.example.com""#);
        assert_eq!(shown("10000"), r#""10000""#);
    }
}
