//! How a program silences what a mail tells of: the words for its
//! [`Matcher`](crate::Matcher).
//!
//! Invariant: that matcher means the event, and others of its incident.

use super::clean;
use crate::{
    event::Event,
    policy::{fingerprint, matcher::first_of_silenced},
};

/// More of a message than one wants to type.
const MAX_CHARS: usize = 80;

/// Like `Matcher::new().target("shop").message("payment failed")`, each on a line
/// of its own: phones are narrow.
pub(super) fn matcher(event: &Event, in_common: Option<&str>) -> String {
    let target = clean::line(&event.target, MAX_CHARS);
    let is_whole = !target.is_empty() && target == *event.target;
    let target = is_whole.then(|| format!("\n    .target({target:?})"));
    // What stands for all that was silenced has a message of ours before its own.
    let message = first_of_silenced(&event.message).unwrap_or(&event.message);
    let masked = in_common.map_or_else(|| fingerprint::mask(message), Into::into);
    let message = constant_part(message, &masked).map(|part| format!("\n    .message({part:?})"));
    format!("Matcher::new(){}{}", target.unwrap_or_default(), message.unwrap_or_default())
}

/// The longest part of `message` that does not vary: that is in `masked`.
fn constant_part(message: &str, masked: &str) -> Option<String> {
    let parts = masked.split([fingerprint::MASK, fingerprint::HOLE, '\n']).map(str::trim);
    let fitting = parts.filter_map(|part| {
        let end = part.char_indices().nth(MAX_CHARS).map_or(part.len(), |(end, _)| end);
        let part = part.get(..end).unwrap_or_default().trim_end();
        let is_sayable = part.contains(char::is_alphanumeric) && clean::line(part, MAX_CHARS) == part;
        (is_sayable && message.contains(part)).then(|| part.to_owned())
    });
    fitting.max_by_key(|part| part.chars().count())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Matcher, event::tests::event};

    #[test]
    fn it_names_the_target_and_what_does_not_vary() {
        let named = |message: &str| {
            let mut event = event(message);
            event.target = "shop::stock".into();
            matcher(&event, None)
        };
        let wanted = [
            ("payment failed", "\n    .message(\"payment failed\")"),
            ("stock of item 4711 is low", "\n    .message(\"stock of item\")"),
            ("no user \"ann\" in 10.0.0.1:80", "\n    .message(\"no user\")"),
            ("17", ""),
            ("a\u{1B}[31mb", ""),
        ];
        for (message, part) in wanted {
            assert_eq!(
                named(message),
                format!("Matcher::new()\n    .target(\"shop::stock\"){part}"),
                "{message}"
            );
        }
    }

    #[test]
    fn of_a_group_it_names_what_its_events_have_in_common() {
        let event = event("supplier Globex sent nothing");
        let named = matcher(&event, Some("supplier … sent nothing"));
        assert!(named.ends_with("\n    .message(\"sent nothing\")"), "{named}");
    }

    proptest::proptest! {
        #[test]
        fn what_it_names_is_in_the_message(message in super::super::tests::hostile(300)) {
            let part = constant_part(&message, &fingerprint::mask(&message)).unwrap_or_default();
            proptest::prop_assert!(Matcher::new().message(part.clone()).means(&event(&message)));
            proptest::prop_assert!(!part.contains(clean::is_unsafe));
        }
    }
}
