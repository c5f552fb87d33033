//! Which words a message has, and which of them may vary.

use crate::policy::fingerprint::words::{Slot, words};

pub(super) fn texts(message: &str) -> Vec<&str> {
    words(message).into_iter().map(|word| word.text).collect()
}

/// Which slot the word `text` of `message` is.
pub(super) fn slot(message: &str, text: &str) -> Slot {
    words(message).into_iter().find(|word| word.text == text).expect("a word of the message").slot
}

#[test]
fn what_stands_in_quotation_marks_is_one_word() {
    assert_eq!(texts("no \"Anna Kowalska\" is here"), ["no", "\"Anna Kowalska\"", "is", "here"]);
    assert_eq!(texts("no «Anna Kowalska» is here"), ["no", "«Anna Kowalska»", "is", "here"]);
    assert_eq!(texts("no 「Anna Kowalska」 is here"), ["no", "「Anna Kowalska」", "is", "here"]);
    assert_eq!(texts("a \"mark alone"), ["a", "\"", "mark", "alone"]);
}

#[test]
fn a_value_of_a_field_may_vary_in_a_cause_too() {
    let fixed = slot("cannot post: the \"name\":\"ann\" is odd", "\"ann\"");
    assert_eq!(fixed, Slot::Fixed, "it is in no body");
    assert_eq!(slot("cannot post: {\"name\":\"ann\"}", "\"ann\""), Slot::Open);
    assert_eq!(slot("cannot post: User { name: \"ann\" }", "\"ann\""), Slot::Open);
    assert_eq!(
        slot("cannot post: {} as \"name\":\"ann\" is odd", "\"ann\""),
        Slot::Fixed,
        "it is behind one"
    );
}

#[test]
fn a_variant_tells_what_happened_and_a_compound_name_does_not() {
    assert_eq!(slot("driver NotFound went home", "NotFound"), Slot::Fixed);
    assert_eq!(slot("driver McAdams-DeLuca went home", "McAdams-DeLuca"), Slot::Open);
}

#[test]
fn a_cause_of_one_word_may_be_what_is_meant() {
    assert_eq!(slot("cannot load it: zebra", "zebra"), Slot::Few);
    assert_eq!(slot("cannot load it: zebra crossing", "zebra"), Slot::Fixed);
    assert_eq!(slot("cannot load it: Zebra", "Zebra"), Slot::Fixed);
}

#[test]
fn what_something_is_or_was_says_what_happened() {
    assert_eq!(slot("the lamp was purple today", "purple"), Slot::Fixed);
}
