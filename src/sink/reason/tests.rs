//! No text of a provider shows what is the operator's.

use proptest::prelude::*;

use super::*;

#[test]
fn numbers_and_addresses_are_masked() {
    let clean = |text| Scrub::default().clean(text);
    assert_eq!(clean("The 'To' number +15551230001 is bad."), "The 'To' number [number] is bad.");
    assert_eq!(clean("call +1 (555) 123-0001 - now"), "call [number] - now");
    assert_eq!(clean("To=%2B15551230001&x"), "To=%2B[number]&x");
    assert_eq!(clean("to: <Ops.Team@example.com>, bad"), "to: <[address]>, bad");
    assert_eq!(clean("at 15:30, 1600 of +2 + 1,000"), "at 15:30, 1600 of +2 + 1,000");
    assert_eq!(clean("http://user:pass@proxy:3128"), "http://user:[address]:3128");
    assert_eq!(
        clean("{\"authorization\":\"Basic QUMxMjM0NTY3ODkw+/==\"}"),
        "{\"authorization\":\"Basic [redacted]\"}"
    );
    assert_eq!(clean("Basic authentication required"), "Basic authentication required");
}

#[test]
fn the_operators_words_are_replaced_whatever_their_case() {
    let scrub = Scrub { secrets: vec![], words: vec![("Acme", "[sender]"), ("", "[nothing]")] };
    assert_eq!(scrub.clean("aCME and ACME are ÄCME"), "[sender] and [sender] are ÄCME");
}

#[test]
fn a_credential_is_removed_before_a_text_is_cut() {
    let secret = Secret::new("SG.hunter2.hunter2");
    let scrub = Scrub { secrets: vec![&secret], words: vec![] };
    let text = format!("{}SG.hunter2.hunter2", "x".repeat(MAX_EXCERPT - 6));
    assert!(!scrub.excerpt(text.as_bytes()).contains("SG."));
}

#[test]
fn a_reason_is_one_short_line() {
    let reason =
        Scrub::default().reason("Twilio (HTTP 502)", &format!("a\r\n\tb\u{202e}c {}", "x".repeat(999)));
    assert!(reason.starts_with("Twilio (HTTP 502): a b c x"), "{reason}");
    assert_eq!(reason.chars().count(), MAX_REASON);
    assert!(reason.ends_with('…'));
    assert_eq!(Scrub::default().reason("Twilio (HTTP 502)", " \0 "), "Twilio (HTTP 502)");
}

#[test]
fn of_a_page_the_text_is_shown() {
    let page = b"<!DOCTYPE html><html>\r\n<head><title>502 Bad Gateway</title></head>\xff<hr>1 < 2 <unended";
    assert_eq!(Scrub::default().excerpt(page), "502 Bad Gateway 1 2");
    assert_eq!(Scrub::default().excerpt(b""), "");
}

proptest! {
    #[test]
    fn any_text_becomes_one_bounded_line(ours in "[a-z]{0,9}", theirs: String, word: String) {
        let secret = Secret::new("SG.hunter2");
        let scrub = Scrub { secrets: vec![&secret], words: vec![(&word, "[word]")] };
        let reason = scrub.reason(&ours, &format!("{theirs}SG.hunter2{theirs}"));
        prop_assert!(reason.chars().count() <= MAX_REASON);
        prop_assert!(!reason.contains(is_invisible));
        prop_assert!(!reason.contains("hunter2"));
        prop_assert!(scrub.excerpt(theirs.as_bytes()).chars().count() <= MAX_EXCERPT);
    }

    #[test]
    fn no_number_is_left_in_any_text(before in "[a-z+ .-]{0,9}", number in "\\+[1-9][0-9]{6,14}", after in "[a-z+ .-]{0,9}") {
        let clean = Scrub::default().clean(&format!("{before}{number}{after}"));
        prop_assert!(!clean.contains(|c: char| c.is_ascii_digit()), "{}", clean);
    }
}
