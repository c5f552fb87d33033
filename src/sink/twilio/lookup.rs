//! Whether a message whose answer got lost was taken after all: the account's
//! list of messages is searched for it ("Read multiple Message resources").
//!
//! Invariant: what cannot be told is not found, so the message is sent: rather
//! twice than never.

use std::time::{Duration, SystemTime};

use reqwest::{Method, Url};
use serde_json::Value;

use super::{
    super::{Message, Receipt, http, reason::Scrub},
    TwilioSink, message_sid, refusal,
};
use crate::policy::send_error::SendError;

/// An attempt with a look-up still ends before the dispatcher ends it.
pub(super) const LOOKUP_TIMEOUT: Duration = Duration::from_secs(10);
pub(super) const TIMEOUT_AFTER: Duration = http::TOTAL_TIMEOUT.saturating_sub(LOOKUP_TIMEOUT);

/// How many of the recipient's latest messages are searched. One is about a
/// kilobyte.
const PAGE_SIZE: &str = "50";
const MAX_LIST: usize = 512 * 1024;

/// How much earlier than the notice its message may have been made: two clocks
/// tell, and an id of four characters comes again some day.
const CLOCK_SKEW: Duration = Duration::from_secs(24 * 60 * 60);

/// Statuses of a message that nobody gets.
pub(super) const UNDELIVERED: [&str; 3] = ["failed", "undelivered", "canceled"];

impl TwilioSink {
    /// The receipt of `message`, if Twilio has it. Notes that it has not, if it says so.
    pub(super) async fn look_up(&self, message: &Message, scrub: &Scrub<'_>) -> Option<Receipt> {
        let list = self.latest(&message.recipient, scrub).await.ok()?;
        let found = find(&list, message);
        if found.is_none() && list["messages"].is_array() {
            message.found.note_absent();
        }
        found
    }

    /// The latest messages to `recipient`.
    pub(super) async fn latest(&self, recipient: &str, scrub: &Scrub<'_>) -> Result<Value, SendError> {
        // In the query, the number's `+` has to be encoded: it would be a space.
        let query = [("To", recipient), ("PageSize", PAGE_SIZE)];
        self.read(Url::parse_with_params(&self.messages_url(), query), scrub).await
    }

    /// What is at `url`.
    pub(super) async fn read(
        &self,
        url: Result<Url, impl ToString>,
        scrub: &Scrub<'_>,
    ) -> Result<Value, SendError> {
        let url = url.map_err(|error| SendError::misconfigured(error.to_string()))?;
        let (user, password) = self.user_and_password();
        let answer = self.http.exchange_up_to(MAX_LIST, scrub, |client| {
            client.request(Method::GET, url).basic_auth(user, Some(password)).timeout(LOOKUP_TIMEOUT)
        });
        let answer = answer.await?;
        let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        match answer.status.is_success() {
            true => Ok(body),
            false => Err(refusal(&answer, &body, None, &scrub.and(self.http.credentials()))),
        }
    }
}

/// Finds `message` in a list of messages.
fn find(list: &Value, message: &Message) -> Option<Receipt> {
    let found = list["messages"].as_array()?.iter().find(|listed| is_same(listed, message))?;
    Some(message_sid(found).map(Receipt::new).unwrap_or_default())
}

/// By recipient, time, the notice's id at the end of the text, and the
/// application's tag in it: Twilio keeps no reference of the sender's, and may
/// change a text in between. A trial account's begins with a remark.
fn is_same(listed: &Value, message: &Message) -> bool {
    let text = |name: &str| listed[name].as_str().unwrap_or_default();
    let body = text("body").trim_end();
    let is_old = || {
        let earliest = message.notice.made_at.checked_sub(CLOCK_SKEW);
        let made = jiff::fmt::rfc2822::parse(text("date_created")).ok().map(|at| at.timestamp());
        made.is_some_and(|made| Some(SystemTime::from(made)) < earliest)
    };
    text("to") == message.recipient
        && body.ends_with(&format!(" #{}", message.notice.id))
        && body.contains(tag(&message.short))
        && !text("direction").starts_with("inbound")
        && !UNDELIVERED.contains(&text("status"))
        && !is_old()
}

/// The `[MyApp]` that a text begins with.
fn tag(short: &str) -> &str {
    let end = short.find(']').filter(|_| short.starts_with('[')).map_or(0, |end| end + 1);
    &short[..end]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::{super::super::wire::message, *};

    const TO: &str = "+15551230001";
    const SID: &str = "SM0123456789abcdef0123456789abcdef";

    /// The list of one message that differs from ours by `changes`.
    fn listed(changes: &[(&str, Value)]) -> Value {
        let mut listed = json!({
            "sid": SID,
            "to": TO,
            "body": "[MyApp] ERROR: 50% & more #7K3Q",
            "direction": "outbound-api",
            "status": "queued",
            "date_created": "Thu, 01 Jan 1970 00:00:05 +0000",
        });
        for (name, value) in changes {
            listed[*name] = value.clone();
        }
        json!({ "messages": [{ "to": TO, "body": "another #9999" }, listed] })
    }

    fn found(name: &str, value: impl Into<Value>) -> bool {
        find(&listed(&[(name, value.into())]), &message(TO)).is_some()
    }

    #[test]
    fn the_same_message_is_found_with_its_sid() {
        assert_eq!(find(&listed(&[]), &message(TO)), Some(Receipt::new(SID)));
    }

    #[test]
    fn a_message_that_twilio_altered_is_found() {
        let trial = "Sent from your Twilio trial account - [MyApp] ERROR: 50% & more #7K3Q ";
        assert!(found("body", trial));
        assert!(found("body", "[MyApp] ERROR: 50 pct #7K3Q"));
        assert!(
            ["sending", "sent", "delivered", "accepted", "scheduled", "of the future"]
                .iter()
                .all(|status| found("status", *status))
        );
        assert!(found("date_created", Value::Null));
        assert!(found("direction", Value::Null));
        assert!(found("sid", 7));
    }

    #[test]
    fn another_message_is_not_taken_for_it() {
        assert!(!found("body", "[MyApp] ERROR: 50% & more #7K3R"));
        assert!(!found("body", "[OtherApp] ERROR: 50% & more #7K3Q"));
        assert!(!found("body", "[MyApp] ERROR: 50% & more#7K3Q"));
        assert!(!found("to", "+15551230002"));
        assert!(!found("direction", "inbound"));
        assert!(!found("date_created", "Tue, 30 Dec 1969 23:59:00 +0000"));
        assert!(UNDELIVERED.iter().all(|status| !found("status", *status)));
    }

    proptest! {
        #[test]
        fn no_list_breaks_it(bytes: Vec<u8>, text: String) {
            let list = serde_json::from_slice(&bytes).unwrap_or_default();
            prop_assert_eq!(find(&list, &message(TO)), None);
            prop_assert_eq!(find(&json!({ "messages": [text.clone(), { "to": TO, "body": text }] }), &message(TO)), None);
        }
    }
}
