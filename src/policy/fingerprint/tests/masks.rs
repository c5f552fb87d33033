//! Quotation marks, signs and limits of the scanner, and what fields and places make of an event.

use std::time::{Duration, Instant};

use super::*;

#[test]
fn quotation_marks_are_read_in_pairs() {
    gives(
        |message: &str| mask(message).into_owned(),
        &[
            ("code #17 failed", "code #17 failed".to_owned()),
            ("a # b", "a # b".to_owned()),
            (r#"x \"y user "ann" z\""#, r#"x \"y user * z\""#.to_owned()),
            (r#"x \"y user 'ann' z\""#, r#"x \"y user * z\""#.to_owned()),
            ("user' ann' x", "user' ann' x".to_owned()),
            ("x [::1]'a@b.io' y", "x *'*' y".to_owned()),
            ("user\"ann\" x", "user* x".to_owned()),
            ("user \"\" x", "user \"\" x".to_owned()),
            ("user 'o'hara' x", "user * x".to_owned()),
            ("User { login: \"ann\" }", "User { login: * }".to_owned()),
            ("User { login: \"ann lee\" }", "User { login: \"ann lee\" }".to_owned()),
            ("x = 'bob' y", "x = 'bob' y".to_owned()),
            ("select x where a = \"b\"", "select x where a = \"b\"".to_owned()),
            ("to \"Ann <a@b.io>\" x", "to * x".to_owned()),
            ("to \"my file.pdf\" x", "to * x".to_owned()),
            // An apostrophe is part of what it stands in; a quotation mark is not.
            ("to o'hara@b.io x", "to * x".to_owned()),
            ("to a@b.io' x", "to *' x".to_owned()),
            ("to ab12cd x", "to * x".to_owned()),
        ],
    );
    let quoted = |length: usize| format!("to \"a@b.io {}\" x", "y".repeat(length - 7));
    assert_eq!(mask(&quoted(256)), "to * x");
    assert_eq!(mask(&quoted(257)), format!("to \"* {}\" x", "y".repeat(250)));
}

#[test]
fn what_a_field_says_counts_up_to_its_limit() {
    let status =
        |c: char| own(&with_field("call failed", "status", Value::Str(c.to_string().repeat(MAX_TELLING))));
    assert_ne!(status('a'), status('b'));
    let with =
        |name: &'static str, value: &str| own(&with_field("call failed", name, Value::Str(value.to_owned())));
    let none = own(&event("call failed"));
    assert_eq!(with("status", " "), none, "it says nothing");
    assert_eq!(with("status", "a\nb"), none, "more than a line");
    assert_eq!(with("body", "{\"code\":[1]}"), none, "no text and no number");
    assert_ne!(with("body", "{\"code\":1}"), none);
    let both = Event {
        fields: vec![
            Field::new("reason", Value::Str("late".to_owned())),
            Field::new("error", Value::Str("no answer".to_owned())),
        ],
        ..event("job failed")
    };
    assert_eq!(cause(&both), Some("no answer"), "the name that says most");
}

#[test]
fn an_event_that_says_one_thing_says_it_once() {
    let with = |message: &str, name| own(&with_field(message, name, Value::Str("disk full".to_owned())));
    assert_eq!(with(" ", "error"), own(&event("disk full")));
    assert_eq!(with("", "note"), own(&event("disk full")));
    assert_ne!(with("disk full", "error"), own(&event("disk full")));
    assert_ne!(with("no go", "error"), own(&event("no go")));
}

#[test]
fn a_code_has_sixteen_digits() {
    let code = code(&event("order 17 failed"));
    assert_eq!(code.len(), 16);
    gives(
        is_code,
        &[
            ("0123456789abcdef", true),
            ("0123456789ABCDEF", true),
            ("0123456789abcde", false),
            ("0123456789abcdeg", false),
        ],
    );
    assert!(is_code(&code));
}

#[test]
fn a_place_is_learned_from_until_its_callsite_is_one_incident() {
    let now = Instant::now();
    let mut grouping = Grouping::new("app".to_owned(), None);
    let named = event("supplier Globex is gone");
    assert!(grouping.place(&named, now).said.is_some());
    for number in 'a'..='z' {
        grouping.place(&event(&format!("{number} happened")), now);
    }
    let place = grouping.place(&named, now);
    assert_eq!((place.fingerprint, place.said), (place.callsite, None));
}

#[test]
fn what_became_of_an_event_is_known_until_it_is_forgotten() {
    let now = Instant::now();
    let mut grouping = Grouping::new("app".to_owned(), None);
    let event = event("order 17 failed");
    let place = grouping.place(&event, now);
    grouping.note(&place, Fate::Ignored, now);
    assert_eq!(grouping.of_counted(&event, now + Duration::from_secs(1)).fate, Some(Fate::Ignored));
    grouping.forget_fates();
    assert_eq!(grouping.of_counted(&event, now).fate, None);
}
