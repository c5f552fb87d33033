//! What a recipient looks like, and how a phone number is shown.
//!
//! Invariant: pure. The checks find typing errors and keep anything out that
//! could become a second recipient or a header; whether a number or a mailbox
//! exists is known to the provider only.

use std::ops::RangeInclusive;

/// How many digits a number with its country code has: the longest is set by
/// ITU-T E.164, the shortest are in use on small islands.
const PHONE_DIGITS: RangeInclusive<usize> = 7..=15;

/// The longest address, and its longest parts: RFC 5321, section 4.5.3.1, and
/// its erratum 1690.
const LONGEST_ADDRESS: usize = 254;
const LONGEST_LOCAL_PART: usize = 64;
const LONGEST_LABEL: usize = 63;

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

/// True for an e-mail address of the plain sort: ASCII, nothing quoted, a domain
/// of at least two labels.
pub(crate) fn is_email_address(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else {
        return false;
    };
    text.len() <= LONGEST_ADDRESS && is_local_part(local) && is_domain(domain)
}

/// RFC 5322's `dot-atom`, which has no space, comma, semicolon, bracket or quote.
fn is_local_part(text: &str) -> bool {
    text.len() <= LONGEST_LOCAL_PART
        && text.split('.').all(|atom| {
            let is_atext = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte);
            !atom.is_empty() && atom.bytes().all(is_atext)
        })
}

fn is_domain(text: &str) -> bool {
    let is_label = |label: &str| {
        (1..=LONGEST_LABEL).contains(&label.len())
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
    use proptest::prelude::*;

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

    proptest! {
        #[test]
        fn no_text_breaks_the_checks(text: String) {
            prop_assert!(!(is_phone_number(&text) && is_email_address(&text)));
            prop_assert!(mask_phone(&text).len() <= 5);
        }
    }
}
