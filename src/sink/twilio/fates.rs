//! What became of messages that Twilio accepted: their own statuses are read ("Message
//! Resource", "Read multiple Message resources").
//!
//! Invariant: a status that nobody knows is no failure.

use std::{collections::BTreeMap, time::Duration};

use reqwest::Url;
use serde_json::Value;

use super::{
    super::{Accepted, Fate, http::Class, reason::Scrub},
    TwilioSink, code, codes, is_sid,
    lookup::UNDELIVERED,
    message_sid,
};
use crate::policy::send_error::SendError;

/// Most reports of the phone companies come within seconds. Who has none for an hour
/// sends none: outside North America that is common.
pub(super) const ASKS_AFTER: &[Duration] = &[
    Duration::from_secs(5),
    Duration::from_secs(30),
    Duration::from_secs(2 * 60),
    Duration::from_secs(10 * 60),
    Duration::from_secs(60 * 60),
];

/// What arrived.
const DELIVERED: [&str; 2] = ["delivered", "read"];

impl TwilioSink {
    /// Reads one message by its id; of several to one recipient, the list of that
    /// recipient's latest ones.
    pub(super) async fn ask(&self, accepted: &[Accepted]) -> Result<Vec<Fate>, SendError> {
        let mut by_recipient: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (recipient, sid) in accepted.iter().filter_map(|it| Some((it.recipient.as_str(), sid(it)?))) {
            by_recipient.entry(recipient).or_default().push(sid);
        }
        let mut fates = BTreeMap::new();
        for (recipient, sids) in by_recipient {
            let scrub = self.scrub(recipient);
            let read = match sids.as_slice() {
                [only] => self.read(Url::parse(&self.message_url(only)), &scrub).await?,
                _ => self.latest(recipient, &scrub).await?,
            };
            let listed =
                read["messages"].as_array().map_or_else(|| std::slice::from_ref(&read), Vec::as_slice);
            for resource in listed {
                if let Some(sid) = message_sid(resource) {
                    fates.insert(sid.to_owned(), fate(resource, &scrub.and(self.http.credentials())));
                }
            }
        }
        let of = |it: &Accepted| sid(it).and_then(|sid| fates.get(sid).cloned()).unwrap_or(Fate::Open);
        Ok(accepted.iter().map(of).collect())
    }

    fn message_url(&self, sid: &str) -> String {
        self.http.connection.url(&format!("/2010-04-01/Accounts/{}/Messages/{sid}.json", self.account_sid))
    }
}

/// What came back as the id of a message, if it is one: it becomes a part of a URL.
fn sid(accepted: &Accepted) -> Option<&str> {
    accepted.reference.as_deref().filter(|sid| is_sid(sid, "SM") || is_sid(sid, "MM"))
}

fn fate(resource: &Value, scrub: &Scrub<'_>) -> Fate {
    match resource["status"].as_str() {
        Some(status) if DELIVERED.contains(&status) => Fate::Arrived,
        _ => failure(resource, scrub).map_or(Fate::Open, Fate::Failed),
    }
}

/// Why nobody gets the message that `resource` is; none if somebody may.
pub(super) fn failure(resource: &Value, scrub: &Scrub<'_>) -> Option<SendError> {
    let status = resource["status"].as_str().filter(|status| UNDELIVERED.contains(status))?;
    let code = code(&resource["error_code"]);
    let (class, meaning) =
        code.and_then(codes::meaning).unwrap_or((Class::Rejected, "accepted at first, and not delivered"));
    let ours = match code {
        Some(code) => format!("Twilio {code} ({status}): {meaning}"),
        None => format!("Twilio ({status}): {meaning}"),
    };
    let theirs = resource["error_message"].as_str().unwrap_or_default();
    Some(class.error(scrub.reason(&ours, theirs), None))
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use proptest::prelude::*;
    use serde_json::json;

    use super::{
        super::super::wire::{answering, http},
        *,
    };
    use crate::Sink;

    const TO: &str = "+15551230001";
    const SID: &str = "SM0123456789abcdef0123456789abcdef";
    const OTHER: &str = "SM1123456789abcdef0123456789abcdef";

    fn sink() -> TwilioSink {
        TwilioSink::new("AC0123456789abcdef0123456789abcdef", "hunter2hunter2").sender_number("+15550006677")
    }

    fn accepted(sid: &str) -> Accepted {
        Accepted::new(TO, Some(sid), SystemTime::UNIX_EPOCH)
    }

    fn of(status: &str, code: impl Into<Value>) -> Fate {
        let resource =
            json!({ "sid": SID, "status": status, "error_code": code.into(), "error_message": "x" });
        fate(&resource, &sink().scrub(TO))
    }

    #[test]
    fn each_status_is_a_fate() {
        assert!(["delivered", "read"].iter().all(|status| of(status, Value::Null) == Fate::Arrived));
        for status in ["accepted", "scheduled", "queued", "sending", "sent", "of the future", ""] {
            assert_eq!(of(status, Value::Null), Fate::Open, "{status}");
        }
        for status in UNDELIVERED {
            assert!(matches!(of(status, Value::Null), Fate::Failed(SendError::Rejected { .. })), "{status}");
        }
        let Fate::Failed(error) = of("failed", 30034) else { panic!("no failure") };
        assert_eq!(
            error.to_string(),
            "the settings or the account must be corrected: \
             Twilio 30034 (failed): your US number is not registered (A2P 10DLC): x"
        );
        assert!(matches!(of("undelivered", "30003"), Fate::Failed(SendError::NotProcessed { .. })));
        assert!(matches!(of("undelivered", 99_999), Fate::Failed(SendError::Rejected { .. })));
    }

    #[tokio::test]
    async fn one_message_is_read_by_its_id_and_several_of_one_recipient_by_one_list() {
        let server = answering(http("200 OK", &json!({ "sid": SID, "status": "delivered" }).to_string()));
        let fates = sink().base_url(&server.url).fates(&[accepted(SID)]).await;
        assert_eq!(fates, Ok(vec![Fate::Arrived]));
        let request = server.join();
        assert!(request.starts_with("GET /2010-04-01/Accounts/AC0123456789abcdef0123456789abcdef/Messages/SM0123456789abcdef0123456789abcdef.json HTTP"), "{request}");

        let list = json!({ "messages": [{ "sid": OTHER, "status": "undelivered", "error_code": 30005 },
                                        { "sid": SID, "status": "sent" }] });
        let server = answering(http("200 OK", &list.to_string()));
        let fates = sink().base_url(&server.url).fates(&[accepted(SID), accepted(OTHER)]).await.unwrap();
        assert!(matches!(&fates[..], [Fate::Open, Fate::Failed(SendError::Rejected { .. })]), "{fates:?}");
        assert!(server.join().contains("/Messages.json?To=%2B15551230001&PageSize=50 "));
    }

    #[tokio::test]
    async fn without_an_id_nothing_is_asked_and_who_may_not_ask_is_told() {
        let unknown = Accepted::new(TO, None, SystemTime::UNIX_EPOCH);
        let nowhere = sink().base_url("http://127.0.0.1:9");
        assert_eq!(nowhere.fates(&[unknown, accepted("../../Calls")]).await, Ok(vec![Fate::Open; 2]));
        for (status, body) in [("401 x", r#"{"code":20003}"#), ("403 x", ""), ("404 x", r#"{"code":20404}"#)]
        {
            let server = answering(http(status, body));
            let error = sink().base_url(&server.url).fates(&[accepted(SID)]).await.unwrap_err();
            assert!(matches!(error, SendError::Misconfigured { .. }), "{status}: {error}");
        }
    }

    proptest! {
        #[test]
        fn no_resource_breaks_it_or_shows_a_credential(status in "[a-z]{0,12}", code: u32, text: String) {
            let text = format!("{text}hunter2hunter2{TO}{text}");
            for status in [status.as_str(), "failed"] {
                let resource = json!({ "sid": text, "status": status, "error_code": code, "error_message": text });
                if let Fate::Failed(error) = fate(&resource, &sink().scrub(TO)) {
                    let shown = error.to_string();
                    prop_assert!(!shown.contains("hunter2") && !shown.contains("5551230001"), "{}", shown);
                }
            }
        }
    }
}
