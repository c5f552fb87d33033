//! What a recipient looks like, and how a phone number is shown.
//!
//! Invariant: pure. The checks find typing errors and keep anything out that
//! could become a second recipient or a header; whether a number or a mailbox
//! exists is known to the provider only.

use std::ops::RangeInclusive;

use crate::error::Fault;

/// How many digits a number with its country code has: the longest is set by
/// ITU-T E.164, the shortest are in use on small islands.
const PHONE_DIGITS: RangeInclusive<usize> = 7..=15;

/// The longest address, and its longest parts: RFC 5321, section 4.5.3.1, and
/// its erratum 1690.
const MAX_ADDRESS: usize = 254;
const MAX_LOCAL_PART: usize = 64;
const MAX_LABEL: usize = 63;

/// True for a phone number as ITU-T E.164 writes it: `+`, the country code and
/// the number, nothing between the digits.
pub(crate) fn is_phone_number(text: &str) -> bool {
    let Some(digits) = text.strip_prefix('+') else {
        return false;
    };
    PHONE_DIGITS.contains(&digits.len())
        && !digits.starts_with('0')
        && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// `text` as [a phone number](is_phone_number), without what people put between
/// the digits to read them.
///
/// # Errors
///
/// When it is none; the fault shows no digit of it.
pub(crate) fn phone_number(text: &str) -> Result<String, Fault> {
    let number: String = text.chars().filter(|c| !is_phone_mark(*c)).collect();
    if text.matches("(0)").count() == 0 && is_phone_number(&number) {
        return Ok(number);
    }
    Err(phone_fault(text, &number))
}

/// What is between digits, or copied along with them, and means nothing.
fn is_phone_mark(c: char) -> bool {
    c.is_whitespace() && !matches!(c, '\n' | '\r')
        || is_invisible(c)
        || matches!(c, '-' | '.' | '(' | ')' | '/' | '\u{2010}'..='\u{2015}' | '\u{2212}')
}

/// True for what takes no room and directs how text is set: contacts that are
/// copied from a telephone have it round the number.
pub(crate) fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

fn phone_fault(text: &str, number: &str) -> Fault {
    let fault = |what: &str, mend: &str| Fault::new(what).mend(mend);
    if let Some(fault) = list_fault(text, "numbers") {
        return fault;
    }
    if text.contains(['\'', '‘', '’']) {
        return fault("has quotation marks", "leave them out");
    }
    if text.contains('@') {
        return fault("is an e-mail address", "give a phone number here");
    }
    if text.chars().any(char::is_alphabetic) {
        return fault("has letters", "give the number alone, from the + on");
    }
    if text.contains("(0)") {
        return fault("has (0) in it", "leave out (0): nobody dials it after the country code");
    }
    if number.chars().any(|c| c.is_numeric() && !c.is_ascii_digit()) {
        return fault("has digits other than 0 to 9", "write the digits 0 to 9");
    }
    if number.chars().any(|c| !c.is_ascii_digit() && c != '+') {
        return fault("has a character that no number has", "give the number alone, from the + on");
    }
    match number.find('+') {
        Some(1..) if number.matches('+').count() == 1 => {
            return fault("has a + in its midst", "begin with the + and the country code");
        }
        Some(_) if number.matches('+').count() > 1 => {
            return fault("has more than one +", "separate numbers with commas");
        }
        Some(_) if number.starts_with("+0") => {
            return fault("has a 0 after the +", "put the country code there, which begins with no 0");
        }
        Some(_) => (),
        None if number.starts_with("00") => return fault("begins with 00", "write + instead of 00"),
        None if number.starts_with("011") => return fault("begins with 011", "write + instead of 011"),
        None if number.starts_with('0') => {
            return fault("begins with 0", "write + and the country code instead of the 0");
        }
        None => return fault("does not begin with +", "begin with + and the country code"),
    }
    let digits = number.trim_start_matches('+').len();
    let (least, most) = (PHONE_DIGITS.start(), PHONE_DIGITS.end());
    Fault::new(format!("has {digits} digits"))
        .mend(format!("give a number with its country code: {least} to {most} digits"))
}

/// What is wrong if `text` is more than one entry of a list, or has the marks of
/// another way to write one.
fn list_fault(text: &str, entries: &str) -> Option<Fault> {
    let commas = format!("separate {entries} with commas");
    let is_mark = |c: &char| ";|\n\r[]{}\"`“”„".contains(*c);
    let (what, mend) = match text.chars().find(is_mark)? {
        '"' | '`' | '“' | '”' | '„' => ("has quotation marks", "leave them out".to_owned()),
        ';' => ("has a semicolon", commas),
        '|' => ("has a |", commas),
        '\n' | '\r' => ("has a line break", commas),
        _ => ("has brackets", format!("leave them out, and {commas}")),
    };
    Some(Fault::new(what).mend(mend))
}

/// True for an e-mail address of the plain sort: ASCII, nothing quoted, a domain
/// of at least two labels.
pub(crate) fn is_email_address(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else {
        return false;
    };
    text.len() <= MAX_ADDRESS && is_local_part(local) && is_domain(domain)
}

/// What is wrong with `text`, unless it is [an address](is_email_address).
pub(crate) fn email_fault(text: &str) -> Option<Fault> {
    if is_email_address(text) {
        return None;
    }
    let fault = |what: &str, mend: &str| Some(Fault::new(what).mend(mend));
    let is_two = text.matches('@').count() > 1;
    let (local, domain) = text.split_once('@').unwrap_or((text, ""));
    match text {
        _ if list_fault(text, "addresses").is_some() => list_fault(text, "addresses"),
        _ if text.contains(['<', '>']) => fault("has < and >", "give the address alone, without a name"),
        _ if text.starts_with('\'') || text.ends_with('\'') => fault("has quotation marks", "leave them out"),
        _ if text.starts_with("mailto:") => fault("begins with mailto:", "leave out mailto:"),
        _ if is_two => fault("has more than one @", "separate addresses with commas"),
        _ if !text.contains('@') => fault("has no @", "give an address like ops@example.com"),
        _ if text.contains(char::is_whitespace) => fault("has a space", "leave it out"),
        _ if !text.is_ascii() => fault("has a character outside of ASCII", "write the domain as xn--…"),
        _ if local.is_empty() => fault("has nothing before the @", "give an address like ops@example.com"),
        _ if !domain.contains('.') => {
            fault("has no dot after the @", "give the whole domain, like example.com")
        }
        _ if text.ends_with(['.', ',']) => fault("ends with a dot", "leave it out"),
        _ => fault("is not one that mail servers take", "give an address like ops@example.com"),
    }
}

/// RFC 5322's `dot-atom`, which has no space, comma, semicolon, bracket or quote.
fn is_local_part(text: &str) -> bool {
    text.len() <= MAX_LOCAL_PART
        && text.split('.').all(|atom| {
            let is_atext = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte);
            !atom.is_empty() && atom.bytes().all(is_atext)
        })
}

fn is_domain(text: &str) -> bool {
    let is_label = |label: &str| {
        (1..=MAX_LABEL).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    // A last label without a letter would be an IP address.
    let is_top = |label: &str| label.bytes().any(|byte| byte.is_ascii_alphabetic());
    text.rsplit_once('.').is_some_and(|(_, top)| is_top(top)) && text.split('.').all(is_label)
}

/// A phone number to show: its last two digits at most.
pub(crate) fn mask_phone(number: &str) -> String {
    let digits: Vec<char> = number.chars().filter(char::is_ascii_digit).collect();
    match digits.as_slice() {
        [.., before, last] if digits.len() >= *PHONE_DIGITS.start() => format!("***{before}{last}"),
        _ => "***".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    #[test]
    fn a_phone_number_is_a_plus_and_seven_to_fifteen_digits() {
        for good in ["+15551230001", "+4915112345678", "+6834002", "+123456789012345"] {
            assert!(is_phone_number(good), "{good}");
        }
        for bad in [
            "",
            "+",
            "15551230001",
            "+05551230001",
            "+155512",
            "+1234567890123456",
            "+1 555 123 0001",
            "+1-555-123-0001",
            " +15551230001",
            "+15551230001\n",
            "++15551230001",
            "+1555123000x",
            "+1555123000１",
            "whatsapp:+15551230001",
            "+15551230001,+15551230002",
        ] {
            assert!(!is_phone_number(bad), "{bad:?}");
        }
    }

    #[test]
    fn an_email_address_is_one_plain_mailbox() {
        for good in ["ops@example.com", "o'neil+alerts@mail.example.co", "a.b-c_d@x-y.io", "1@2.to"] {
            assert!(is_email_address(good), "{good}");
        }
        let long_local = format!("{}@example.com", "a".repeat(65));
        let long_label = format!("a@{}.com", "b".repeat(64));
        let long = format!("a@{}com", "label.".repeat(50));
        for bad in [
            "",
            "@",
            "ops",
            "ops@",
            "@example.com",
            "ops@example",
            "ops@@example.com",
            "a@b@example.com",
            "ops@example..com",
            "ops@.example.com",
            "ops@example.com.",
            "ops@-example.com",
            "ops@example-.com",
            "ops@127.0.0.1",
            "ops@[127.0.0.1]",
            ".ops@example.com",
            "ops.@example.com",
            "o..ps@example.com",
            "o ps@example.com",
            " ops@example.com",
            "ops@example.com ",
            "ops@example.com\r\nBcc: all@example.com",
            "ops@exam\0ple.com",
            "a@example.com,b@example.com",
            "a@example.com;b@example.com",
            "Ops <ops@example.com>",
            "\"ops\"@example.com",
            "ops(now)@example.com",
            "öps@example.com",
            "ops@exämple.com",
            "ops@example.com\u{202e}",
            &long_local,
            &long_label,
            &long,
        ] {
            assert!(!is_email_address(bad), "{bad:?}");
        }
    }

    #[test]
    fn a_masked_number_keeps_two_digits_at_most() {
        assert_eq!(mask_phone("+15551230042"), "***42");
        assert_eq!(mask_phone("+1 (555) 123-0042"), "***42");
        assert_eq!(["", "42", "12345", "ACME"].map(mask_phone), ["***"; 4]);
    }

    fn fault_shows(fault: &Fault, part: &str) -> bool {
        format!("{fault:?}").contains(part)
    }

    proptest! {
        #[test]
        fn no_text_breaks_the_checks(text: String) {
            prop_assert!(!(is_phone_number(&text) && is_email_address(&text)));
            prop_assert!(mask_phone(&text).len() <= 5);
            prop_assert_eq!(email_fault(&text).is_none(), is_email_address(&text));
            prop_assert!(phone_number(&text).is_ok_and(|it| is_phone_number(&it)) || phone_number(&text).is_err());
        }

        #[test]
        fn what_people_put_between_digits_does_not_count(
            digits in vec("[1-9]", 7..16),
            marks in vec("[ .()\u{a0}\u{2011}/-]{0,2}", 16),
        ) {
            let spread: String = digits.iter().zip(marks).map(|(digit, mark)| format!("{mark}{digit}")).collect();
            prop_assert_eq!(phone_number(&format!("+{spread}")), Ok(format!("+{}", digits.concat())));
        }

        #[test]
        fn a_fault_shows_nothing_of_a_number(number in "[0-9]{5,20}", before in "(00|0|[+]0|tel:|;)") {
            let fault = phone_number(&format!("{before}{number}")).unwrap_err();
            prop_assert!(!fault_shows(&fault, &number), "it is shown");
        }
    }
}
