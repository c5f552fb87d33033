//! Where a secret ends, and what is part of something else.

use super::{super::card, cleaned};

#[test]
fn a_card_number_stands_alone() {
    let ends = |text: &str, start| card::end(text, start);
    assert_eq!(ends("4111111111111111", 0), Some(16));
    assert_eq!(ends("4111111111111111.", 0), Some(16), "a sentence ends");
    assert_eq!(ends("4111-1111-1111-1111", 0), Some(19));
    for (text, start) in [("x4111111111111111", 1), ("4111111111111111x", 0), ("0.4111111111111111", 2)] {
        assert_eq!(ends(text, start), None, "{text}");
    }
    assert_eq!(ends("4111111111111111.5", 0), None, "a fraction goes on");
    assert_eq!(ends("4111-1111 1111-1111", 0), None, "its groups have one separator");
}

#[test]
fn a_bare_value_goes_on_behind_a_mark_unless_the_text_does() {
    for (text, clean) in [
        ("password=hunter2,b c", "password=[redacted:password] c"),
        ("password=hunter2, b c", "password=[redacted:password], b c"),
        ("password=hunter2,user=b c", "password=[redacted:password],user=b c"),
        ("password=hunter2,. c", "password=[redacted:password],. c"),
    ] {
        assert_eq!(cleaned(text), clean);
    }
}

#[test]
fn a_header_in_quotation_marks_ends_with_them() {
    let text = "sent \"Authorization: Bearer abc123def\" to the bank";
    assert_eq!(cleaned(text), "sent \"Authorization: [redacted:authorization]\" to the bank");
}

#[test]
fn a_code_of_six_letters_and_digits_is_one() {
    assert_eq!(cleaned("otp=K7X2Q9"), "otp=[redacted:otp]");
}

#[test]
fn a_passphrase_in_an_element_goes_and_a_sentence_stays() {
    let entry = |text: &str| cleaned(&format!("<entry><name>password</name><value>{text}</value></entry>"));
    let hidden = "<entry><name>password</name><value>[redacted:password]</value></entry>";
    assert_eq!(entry("correct horse 9"), hidden);
    for sentence in ["is not set", "was sent to the customer"] {
        assert_eq!(entry(sentence), hidden.replace("[redacted:password]", sentence));
    }
}
