//! [`Matcher`]: which events nobody wants to hear of.

use std::{fmt, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    event::Event,
    host::{thread::Role, time::spoken, unwind::caught},
    policy::{
        fingerprint,
        redact::{Policy, redact_text},
    },
};

/// Matches the events that meet all of its conditions; without conditions, every
/// event.
///
/// For [`Builder::ignore`](crate::Builder::ignore) and
/// [`AlertHandle::silence`](crate::AlertHandle::silence).
///
/// ```
/// use tracing_alert::Matcher;
///
/// let flaky = Matcher::new().target("my_app::mailer").message("connection reset");
/// let theirs = Matcher::new().when(|event| event.fields.iter().any(|field| field.name == "tenant"));
/// ```
#[derive(Clone, Default)]
#[must_use]
pub struct Matcher {
    conditions: Conditions,
    when: Option<Arc<Predicate>>,
}

/// The conditions of a [`Matcher`] that another process can read; all of them are to be
/// met.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Conditions {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) target: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) message: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) kind: Option<String>,
}

type Predicate = dyn Fn(&Event) -> bool + Send + Sync;

impl Matcher {
    /// Matches every event.
    pub fn new() -> Self {
        Self::default()
    }

    /// The target is this one or that of a module below it: `my_app::payment` also
    /// matches `my_app::payment::card`, but not `my_app::payments`.
    pub fn target(mut self, target: impl Into<String>) -> Self {
        self.conditions.target = Some(target.into());
        self
    }

    /// The message contains this text.
    pub fn message(mut self, part: impl Into<String>) -> Self {
        self.conditions.message = Some(part.into());
        self
    }

    /// One kind of event, by the code that the foot of a mail about it shows: those with
    /// the same level, target, file, message and root error, apart from numbers and ids.
    /// Another release of this crate may have other codes.
    pub fn kind(mut self, code: impl Into<String>) -> Self {
        self.conditions.kind = Some(code.into().to_ascii_lowercase());
        self
    }

    /// `predicate` returns true. The alert thread calls it if the other conditions
    /// are met. If it panics, the event does not match.
    pub fn when(mut self, predicate: impl Fn(&Event) -> bool + Send + Sync + 'static) -> Self {
        self.when = Some(Arc::new(predicate));
        self
    }

    /// The conditions, if they are all there is: a predicate cannot be kept.
    pub(crate) fn conditions(&self) -> Option<&Conditions> {
        self.when.is_none().then_some(&self.conditions)
    }

    /// Replaces the secrets in its conditions.
    pub(crate) fn redact(&mut self, policy: &Policy) {
        self.conditions.redact(policy);
    }

    /// Whether it is `other`, or has the same conditions.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        let is_same_predicate = match (&self.when, &other.when) {
            (Some(own), Some(theirs)) => Arc::ptr_eq(own, theirs),
            (own, theirs) => own.is_none() && theirs.is_none(),
        };
        is_same_predicate && self.conditions == other.conditions
    }

    pub(crate) fn means(&self, event: &Event) -> bool {
        self.conditions.mean(event)
            && self
                .when
                .as_ref()
                .is_none_or(|when| caught(|| Role::Guest.play(|| when(event))).unwrap_or(false))
    }
}

impl Conditions {
    /// Replaces the secrets in them: they are kept and shown, and what they are compared
    /// with has none either.
    pub(crate) fn redact(&mut self, policy: &Policy) {
        let Self { target, message, kind: _ } = self;
        [target, message].into_iter().flatten().for_each(|text| redact_text(text, policy));
    }

    /// Whether they mean one kind of event, and nothing else is asked of it.
    pub(crate) fn is_of_kind(&self) -> bool {
        self.kind.is_some() && self.target.is_none() && self.message.is_none()
    }

    /// Whether `event` meets all of them.
    pub(crate) fn mean(&self, event: &Event) -> bool {
        let is_target = |target: &String| {
            let rest = event.target.strip_prefix(target.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
        };
        self.target.as_ref().is_none_or(is_target)
            && self.message.as_ref().is_none_or(|part| event.message.contains(part.as_str()))
            && self.kind.as_ref().is_none_or(|code| fingerprint::code(event) == *code)
    }
}

/// The message of what stands for all that `matcher` means, while it is silenced.
pub(crate) fn silenced(matcher: &impl fmt::Display, lasts: Duration, first: &str) -> String {
    format!("{SILENCED}{}: {matcher}{FIRST}{first}", spoken(lasts))
}

/// The message of the first event that a silenced one stands for.
pub(crate) fn first_of_silenced(message: &str) -> Option<&str> {
    Some(message.strip_prefix(SILENCED)?.split_once(FIRST)?.1)
}

const SILENCED: &str = "silenced for ";

const FIRST: &str = "; the first: ";

/// Shows what it means, as a message can tell it.
impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.conditions.fmt(f)
    }
}

impl fmt::Display for Conditions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.target, &self.message) {
            (None, None) if self.kind.is_some() => {
                write!(f, "the kind {}", self.kind.as_deref().unwrap_or_default())
            }
            (None, None) => f.write_str("some errors"),
            (Some(target), None) => f.write_str(target),
            (None, Some(part)) => write!(f, "{part:?}"),
            (Some(target), Some(part)) => write!(f, "{part:?} in {target}"),
        }
    }
}

impl fmt::Debug for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Matcher")
            .field("target", &self.conditions.target)
            .field("message", &self.conditions.message)
            .field("kind", &self.conditions.kind)
            .field("when", &self.when.is_some())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Field, Value, tests::event};

    #[test]
    fn every_condition_has_to_be_met() {
        let mut reset = event("connection reset by peer");
        reset.target = "my_app::mailer".into();
        let mailer = || Matcher::new().target("my_app::mailer");
        assert!(Matcher::new().means(&reset));
        assert!(mailer().message("reset").when(|event| !event.panic).means(&reset));
        assert!(!mailer().message("refused").means(&reset));
        assert!(!mailer().when(|event| event.panic).means(&reset));
        assert!(!Matcher::new().target("my_app::mail").means(&reset));
        assert!(Matcher::new().target("my_app").means(&reset));
    }

    #[test]
    fn a_kind_is_that_of_its_code_and_no_other() {
        let order = event("order 17 failed");
        let code = fingerprint::code(&order);
        assert!(fingerprint::is_code(&code) && !fingerprint::is_code("7K3Q"), "{code}");
        let kind = Matcher::new().kind(code.to_uppercase());
        assert!(kind.means(&order) && kind.means(&event("order 18 failed")));
        assert!(!kind.means(&event("order 17 succeeded")));
        let refused = |cause: &str| {
            let fields = vec![Field::new("error", Value::Error(vec![cause.to_owned()]))];
            Event { fields, ..event("order 17 failed") }
        };
        assert!(!kind.means(&refused("connection refused")));
        let kind = Matcher::new().kind(fingerprint::code(&refused("connection refused")));
        assert!(!kind.means(&refused("disk full")) && kind.means(&refused("connection refused")));
        assert_eq!(Matcher::new().kind("1F").to_string(), "the kind 1f");
    }

    #[test]
    fn a_predicate_that_panics_means_nothing() {
        assert!(!Matcher::new().when(|_| panic!("a defect of the predicate")).means(&event("x")));
    }

    #[test]
    fn two_are_the_same_if_their_conditions_and_their_predicate_are() {
        let mailer = || Matcher::new().target("app::mailer");
        assert!(mailer().is_same(&mailer()));
        assert!(!mailer().is_same(&mailer().message("reset")));
        let when = mailer().when(|event| event.panic);
        assert!(when.is_same(&when.clone()));
        assert!(!when.is_same(&when.clone().message("reset")), "it has another condition");
        assert!(!when.is_same(&mailer().when(|event| event.panic)), "it has another predicate");
        assert!(!when.is_same(&mailer()) && !mailer().is_same(&when), "one has none");
    }

    #[test]
    fn another_process_can_read_it_unless_it_has_a_predicate() {
        let mailer = Matcher::new().target("app::mailer");
        assert_eq!(mailer.conditions().and_then(|it| it.target.as_deref()), Some("app::mailer"));
        assert_eq!(mailer.when(|_| true).conditions(), None);
    }

    #[test]
    fn one_that_asks_for_more_than_a_kind_is_not_of_a_kind() {
        let is_of_kind = |matcher: Matcher| matcher.conditions.is_of_kind();
        let kind = || Matcher::new().kind("1f");
        assert!(is_of_kind(kind()) && !is_of_kind(Matcher::new()));
        assert!(!is_of_kind(kind().target("a")) && !is_of_kind(kind().message("b")));
    }

    #[test]
    fn what_stands_for_silenced_events_tells_the_first_one() {
        let message = silenced(&Matcher::new().target("a::b"), Duration::from_secs(7200), "disk full");
        assert_eq!(message, "silenced for 2h: a::b; the first: disk full");
        assert_eq!(first_of_silenced(&message), Some("disk full"));
        assert_eq!(first_of_silenced("disk full"), None);
    }

    #[test]
    fn it_says_what_it_means() {
        let told = [
            Matcher::new(),
            Matcher::new().target("a::b"),
            Matcher::new().message("reset"),
            Matcher::new().target("a::b").message("reset"),
        ];
        let told = told.map(|matcher| matcher.to_string());
        assert_eq!(told, ["some errors", "a::b", "\"reset\"", "\"reset\" in a::b"]);
    }
}
