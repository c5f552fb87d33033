//! What Twilio says of the account before an alert depends on it ("Account", "Balance",
//! "IncomingPhoneNumber", "Service", "Usa2p" and "OutgoingCallerId" of its API).
//!
//! Invariant: everything is read, and nothing is sent or changed.

use std::time::Instant;

use reqwest::Url;
use serde_json::Value;

use super::{TwilioSink, is_short_code};
use crate::{
    policy::send_error::SendError,
    sink::{
        address::{is_phone_number, mask_phone},
        finding::Finding,
    },
};

/// Less money than this is gone with a few bad nights.
const MIN_BALANCE: f64 = 1.0;

impl TwilioSink {
    /// The hops to the credentials.
    pub(crate) async fn hops(&self) -> Vec<Finding> {
        let scrub = self.scrub("");
        let mut found = self.http.hops(self.name, &scrub).await;
        if found.iter().all(Finding::goes_on) {
            found.push(self.account().await.0);
        }
        found
    }

    /// All that can be known of the account, and of what is sent to `recipients`.
    pub(crate) async fn examine(&self, recipients: &[String]) -> Vec<Finding> {
        let mut found = self.http.hops(self.name, &self.scrub("")).await;
        if !found.iter().all(Finding::goes_on) {
            return found;
        }
        let (account, is_trial) = self.account().await;
        let goes_on = account.goes_on();
        found.push(account);
        if !goes_on {
            return found;
        }
        found.push(self.balance().await);
        match &self.messaging_service_sid {
            Some(service) => found.extend(self.service(service, recipients).await),
            None => found.extend(self.number(recipients).await),
        }
        found.push(self.may_read().await);
        if is_trial {
            for recipient in recipients {
                found.push(self.is_verified(recipient).await);
            }
        }
        found
    }

    /// Whether the credentials are good, and whether it is a trial account.
    async fn account(&self) -> (Finding, bool) {
        let start = Instant::now();
        let of = self.name;
        let found = match self.get(&format!("/2010-04-01/Accounts/{}.json", self.account_sid)).await {
            Err(error) => {
                let mend =
                    "give the account SID and the auth token, or API key, that the Twilio Console shows";
                (Finding::failed(of, "credentials", &error, mend), false)
            }
            Ok(account) => {
                let status = account["status"].as_str().unwrap_or("unknown");
                let is_trial = account["type"].as_str() == Some("Trial");
                let kind = if is_trial { ", a trial account" } else { "" };
                let says = format!("the account is {status}{kind}");
                match status {
                    "active" | "unknown" => (Finding::good(of, "credentials", says), is_trial),
                    _ => {
                        let mend = "ask Twilio why, in its Console: no message is sent before it is active";
                        (Finding::bad(of, "account", says, mend), is_trial)
                    }
                }
            }
        };
        (found.0.since(start), found.1)
    }

    async fn balance(&self) -> Finding {
        let of = self.name;
        match self.get(&format!("/2010-04-01/Accounts/{}/Balance.json", self.account_sid)).await {
            Err(error) => unasked(of, "balance", &error),
            Ok(balance) => {
                let text = balance["balance"].as_str().unwrap_or_default();
                let currency = balance["currency"].as_str().unwrap_or_default();
                let says = format!("{text} {currency}");
                match text.parse::<f64>() {
                    Ok(amount) if amount < MIN_BALANCE => Finding::bad(
                        of,
                        "balance",
                        says,
                        "add funds, or turn on auto-recharge, in the Twilio Console",
                    ),
                    Ok(_) => Finding::good(of, "balance", says),
                    Err(_) => Finding::unknown(of, "balance", "Twilio did not say"),
                }
            }
        }
    }

    /// Whether the sender's number is the account's own, and can text.
    async fn number(&self, recipients: &[String]) -> Vec<Finding> {
        let of = self.name;
        let Some(sender) = self.sender_number.as_deref() else { return Vec::new() };
        if !is_phone_number(sender) {
            let what = if is_short_code(sender) { "a short code" } else { "an alphanumeric id" };
            let says = format!("{what}: Twilio does not list it; the test message shows whether it is taken");
            return vec![Finding::unknown(of, "sender", says)];
        }
        let url = format!("/2010-04-01/Accounts/{}/IncomingPhoneNumbers.json", self.account_sid);
        let mut found = Vec::new();
        found.push(match self.get_with(&url, &[("PhoneNumber", sender)]).await {
            Err(error) => unasked(of, "sender", &error),
            Ok(list) => {
                let number = list["incoming_phone_numbers"].as_array().and_then(|list| list.first());
                let shown = mask_phone(sender);
                match number.map(|number| number["capabilities"]["sms"].as_bool() != Some(false)) {
                    None => Finding::bad(
                        of,
                        "sender",
                        format!("{shown} is no number of the account"),
                        "set TWILIO_SENDER_NUMBER to one that the Twilio Console lists under Active Numbers",
                    ),
                    Some(false) => Finding::bad(
                        of,
                        "sender",
                        format!("{shown} cannot send SMS"),
                        "take a number with the capability SMS",
                    ),
                    Some(true) => {
                        Finding::good(of, "sender", format!("{shown} is the account's, and can send SMS"))
                    }
                }
            }
        });
        if sender.starts_with("+1") && recipients.iter().any(|it| it.starts_with("+1")) {
            let says =
                "of a number alone Twilio does not say whether it is registered for the US (A2P 10DLC)";
            found.push(Finding::unknown(of, "US registration", says));
        }
        found
    }

    /// Whether a Messaging Service has a sender, and is registered where that is needed.
    async fn service(&self, service: &str, recipients: &[String]) -> Vec<Finding> {
        let of = self.name;
        let mut found = Vec::new();
        if let Err(error) = self.get_messaging(&format!("/v1/Services/{service}")).await {
            let mend = "set TWILIO_MESSAGING_SERVICE_SID to one that the Twilio Console lists under Messaging, Services";
            return vec![Finding::failed(of, "sender", &error, mend)];
        }
        found.push(match self.get_messaging(&format!("/v1/Services/{service}/PhoneNumbers")).await {
            Err(error) => unasked(of, "sender", &error),
            Ok(list) => match list["phone_numbers"].as_array().map(Vec::len) {
                Some(0) => Finding::bad(
                    of,
                    "sender",
                    "the Messaging Service has no number",
                    "add a number to its Sender Pool in the Twilio Console",
                ),
                Some(count) => {
                    Finding::good(of, "sender", format!("the Messaging Service has {count} numbers"))
                }
                None => Finding::unknown(of, "sender", "Twilio did not say which numbers the service has"),
            },
        });
        if recipients.iter().any(|it| it.starts_with("+1")) {
            let url = format!("/v1/Services/{service}/Compliance/Usa2p");
            found.push(match self.get_messaging(&url).await {
                Err(error) => unasked(of, "US registration", &error),
                Ok(list) => {
                    let campaigns = list["compliance"].as_array().map(Vec::as_slice).unwrap_or_default();
                    let status = campaigns.first().and_then(|it| it["campaign_status"].as_str());
                    let mend = "register a campaign for the service (A2P 10DLC) in the Twilio Console: phone companies \
                                drop messages to US numbers without one, unless the sender is toll-free";
                    match status {
                        Some("VERIFIED") => Finding::good(of, "US registration", "the campaign is verified"),
                        Some(status) => {
                            Finding::bad(of, "US registration", format!("the campaign is {status}"), mend)
                        }
                        None => Finding::bad(of, "US registration", "the service has no campaign", mend),
                    }
                }
            });
        }
        found
    }

    /// Whether it may be asked what became of messages.
    async fn may_read(&self) -> Finding {
        match self.get_with(self.messages_path().as_str(), &[("PageSize", "1")]).await {
            Ok(_) => Finding::good(self.name, "receipts", "may be read"),
            Err(error) => Finding::failed(
                self.name,
                "receipts",
                &error,
                "give the API key the permission to read messages, or use a main key: until then nobody knows whether \
                 an SMS arrived",
            ),
        }
    }

    /// Whether a trial account may send to `recipient`.
    async fn is_verified(&self, recipient: &str) -> Finding {
        let url = format!("/2010-04-01/Accounts/{}/OutgoingCallerIds.json", self.account_sid);
        let shown = mask_phone(recipient);
        match self.get_with(&url, &[("PhoneNumber", recipient)]).await {
            Err(error) => unasked(self.name, "recipient", &error),
            Ok(list) => match list["outgoing_caller_ids"].as_array().is_some_and(|list| !list.is_empty()) {
                true => Finding::good(self.name, "recipient", format!("{shown} is verified for the trial")),
                false => Finding::bad(
                    self.name,
                    "recipient",
                    format!("a trial account sends to verified numbers only, and {shown} is none"),
                    "verify it in the Twilio Console, or upgrade the account",
                ),
            },
        }
    }

    fn messages_path(&self) -> String {
        format!("/2010-04-01/Accounts/{}/Messages.json", self.account_sid)
    }

    async fn get(&self, path: &str) -> Result<Value, SendError> {
        self.get_with(path, &[]).await
    }

    async fn get_with(&self, path: &str, query: &[(&str, &str)]) -> Result<Value, SendError> {
        let url = self.http.connection.url(path);
        let url = match query {
            [] => Url::parse(&url),
            query => Url::parse_with_params(&url, query),
        };
        self.read(url, &self.scrub("")).await
    }

    /// Of the API for Messaging Services, which has a host of its own.
    async fn get_messaging(&self, path: &str) -> Result<Value, SendError> {
        let url = self.http.connection.url(path).replacen("://api.", "://messaging.", 1);
        self.read(Url::parse(&url), &self.scrub("")).await
    }
}

/// Of what may not be asked nobody knows whether it is good.
fn unasked(of: &str, what: &str, error: &SendError) -> Finding {
    Finding::unknown(of, what, format!("not known: {error}"))
}
