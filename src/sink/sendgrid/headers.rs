//! The headers of a mail that SendGrid does not write itself.
//!
//! Invariant: plain ASCII on one line, whatever an application or an event is
//! called.

use std::collections::BTreeMap;

use super::{super::Message, id};
use crate::{
    event::to_millis,
    policy::notice::{Kind, Notice},
};

/// The headers of `message`, sent from `sender`'s domain.
pub(super) fn headers(message: &Message, sender: &str) -> BTreeMap<&'static str, String> {
    let notice = &message.notice;
    let domain = id(sender.split_once('@').map_or("localhost", |(_, domain)| domain));
    let mut headers = BTreeMap::from([
        // The same for each attempt: some inboxes fold such duplicates.
        ("Message-ID", format!("<{}@{domain}>", id(&message.key))),
        // RFC 3834: no out-of-office answers.
        ("Auto-Submitted", "auto-generated".to_owned()),
        // RFC 2919: what a filter of the reader's goes by.
        ("List-Id", format!("<{}alerts.{domain}>", labels(notice))),
        ("X-Alert-Id", id(&notice.id)),
        ("X-Alert-Kind", notice.kind.name().to_owned()),
    ]);
    if let [only] = notice.samples.as_slice() {
        // Nobody ever got the root: whichever mail of an incident comes first,
        // all of them answer to it, so that they are one conversation.
        let root = format!("<incident-{}-{}@{domain}>", id(&only.incident), to_millis(only.since));
        headers.insert("In-Reply-To", root.clone());
        headers.insert("References", root);
    }
    let is_news = matches!(notice.kind, Kind::First | Kind::Digest);
    if is_news && notice.samples.iter().any(|sample| sample.event.panic) {
        headers.insert("Importance", "high".to_owned());
        headers.insert("X-Priority", "1".to_owned());
    }
    headers
}

/// `myapp.production.`, or less if there is nothing in it for a name.
fn labels(notice: &Notice) -> String {
    let environment = notice.process.environment.as_deref().unwrap_or_default();
    let label = |name: &str| -> String {
        let spaced: String = name
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { ' ' })
            .collect();
        spaced.split_whitespace().collect::<Vec<_>>().join("-").chars().take(MAX_LABEL).collect()
    };
    let labels =
        [label(&notice.process.app), label(environment)].into_iter().filter(|label| !label.is_empty());
    labels.map(|label| label + ".").collect()
}

/// As long as a label of a domain may be.
const MAX_LABEL: usize = 63;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::{super::super::wire::message, *};

    const FROM: &str = "alerts@mail.example.org";

    fn headers_of(notice: Notice) -> BTreeMap<&'static str, String> {
        headers(&Message { notice: Arc::new(notice), ..message("ops@example.com") }, FROM)
    }

    fn example(name: &str) -> Notice {
        Notice::examples().into_iter().find(|(known, _)| *known == name).unwrap().1
    }

    #[test]
    fn all_mails_of_one_incident_are_one_conversation() {
        let roots = ["first", "update", "reminder", "quiet"]
            .map(|name| headers_of(example(name))["References"].clone());
        assert_eq!(roots[0], "<incident-7K3Q-1795376463123@mail.example.org>");
        assert!(roots.iter().all(|root| *root == roots[0]), "{roots:?}");
        let mut recurred = example("first");
        recurred.samples[0].since += std::time::Duration::from_secs(3600);
        assert_ne!(headers_of(recurred)["In-Reply-To"], roots[0]);
        assert!(!headers_of(example("digest")).contains_key("References"));
    }

    #[test]
    fn only_news_of_a_panic_is_of_high_importance() {
        for (name, notice) in Notice::examples() {
            let is_high = headers_of(notice).contains_key("Importance");
            assert_eq!(is_high, ["panic", "storm"].contains(&name), "{name}");
        }
        assert!(!headers_of(Notice { kind: Kind::Quiet, ..example("panic") }).contains_key("X-Priority"));
    }

    #[test]
    fn a_filter_finds_the_application_and_its_environment() {
        let mut notice = example("update");
        assert_eq!(headers_of(notice.clone())["List-Id"], "<shop.production.alerts.mail.example.org>");
        assert_eq!(headers_of(notice.clone())["X-Alert-Kind"], "update");
        notice.process.app = "My \"App\"\r\nBcc: x, 2".to_owned();
        notice.process.environment = Some("платёж".to_owned());
        assert_eq!(headers_of(notice)["List-Id"], "<my-app-bcc-x-2.alerts.mail.example.org>");
    }

    proptest! {
        #[test]
        fn no_name_gets_out_of_its_header(app: String, environment: String, incident: String, key: String) {
            let mut notice = example("first");
            notice.process.app = app;
            notice.process.environment = Some(environment);
            notice.id = incident.clone();
            notice.samples[0].incident = incident;
            let message = Message { notice: Arc::new(notice), key, ..message("ops@example.com") };
            for (name, value) in headers(&message, FROM) {
                let is_plain = value.chars().all(|c| c.is_ascii_graphic());
                prop_assert!(is_plain && !value.contains([' ', ':', ',', '"']), "{}: {}", name, value);
            }
        }
    }
}
