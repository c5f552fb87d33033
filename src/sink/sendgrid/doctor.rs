//! What SendGrid says of the key, the sender and the recipients before an alert depends on
//! them ("API Keys", "Sender Identities", "Credits" and "Suppressions" of the v3 API).
//!
//! Invariant: nothing is delivered: the one mail goes to the sandbox.

use std::time::Instant;

use reqwest::StatusCode;
use serde_json::{Value, json};

use super::{SendGridSink, errors, meaning};
use crate::{
    policy::send_error::SendError,
    sink::{finding::Finding, http::Class},
};

impl SendGridSink {
    /// The hops to the credentials.
    pub(crate) async fn hops(&self) -> Vec<Finding> {
        let mut found = self.http.hops(self.name, &self.scrub("")).await;
        if found.iter().all(Finding::goes_on) {
            found.extend(self.scopes().await);
        }
        found
    }

    /// All that can be known of the key and the sender, and of what is sent to
    /// `recipients`.
    pub(crate) async fn examine(&self, recipients: &[String]) -> Vec<Finding> {
        let mut found = self.hops().await;
        if !found.iter().all(|it| it.goes_on() || it.what == "receipts") {
            return found;
        }
        found.push(self.sender().await);
        found.push(self.credits().await);
        for recipient in recipients {
            found.extend(self.suppression(recipient).await);
        }
        if let Some(first) = recipients.first() {
            found.push(self.sandbox(first).await);
        }
        found
    }

    /// What the key may do.
    async fn scopes(&self) -> Vec<Finding> {
        let (of, start) = (self.name, Instant::now());
        let scopes = match self.get("/v3/scopes").await {
            Err(error) => {
                let mend = "give an API key of this account, as SendGrid showed it when it was made";
                return vec![Finding::failed(of, "credentials", &error, mend).since(start)];
            }
            Ok(body) => body,
        };
        let scopes: Vec<&str> =
            scopes["scopes"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        if !scopes.contains(&"mail.send") {
            let says = "the key may not send mail";
            let mend = "give it the permission Mail Send at Settings, API Keys";
            return vec![Finding::bad(of, "credentials", says, mend).since(start)];
        }
        let may_ask = scopes.iter().any(|scope| scope.starts_with("suppression") && scope.ends_with(".read"));
        vec![
            Finding::good(of, "credentials", "the key may send mail").since(start),
            match may_ask {
                true => Finding::good(of, "receipts", "the key may read suppression lists"),
                false => Finding::bad(
                    of,
                    "receipts",
                    "the key may not read suppression lists, so nobody knows whether mails are dropped",
                    "give it the permission Suppressions (read) at Settings, API Keys",
                ),
            },
        ]
    }

    /// Whether the sender, or its domain, is verified.
    async fn sender(&self) -> Finding {
        let of = self.name;
        let domain = self.sender_email.rsplit_once('@').map_or("", |(_, domain)| domain);
        let is_same =
            |value: &Value, other: &str| value.as_str().is_some_and(|it| it.eq_ignore_ascii_case(other));
        let senders = self.get("/v3/verified_senders").await;
        let is_verified = |body: &Value| {
            let senders = body["results"].as_array().into_iter().flatten();
            let mut own = senders.filter(|it| is_same(&it["from_email"], &self.sender_email));
            own.any(|it| it["verified"].as_bool() == Some(true))
        };
        if senders.as_ref().is_ok_and(is_verified) {
            return Finding::good(of, "sender", "the address is verified");
        }
        let domains = self.get("/v3/whitelabel/domains").await;
        let is_valid = |body: &Value| {
            let domains = body.as_array().into_iter().flatten();
            domains.clone().any(|it| is_same(&it["domain"], domain) && it["valid"].as_bool() == Some(true))
        };
        if domains.as_ref().is_ok_and(is_valid) {
            return Finding::good(of, "sender", format!("the domain {domain} is authenticated"));
        }
        match (senders, domains) {
            (Ok(_), Ok(_)) => Finding::bad(
                of,
                "sender",
                "neither the address of SENDGRID_SENDER_EMAIL nor its domain is verified",
                "verify one of them at Settings, Sender Authentication",
            ),
            (Err(error), _) | (_, Err(error)) => {
                Finding::unknown(of, "sender", format!("not known: {error}"))
            }
        }
    }

    async fn credits(&self) -> Finding {
        let of = self.name;
        match self.get("/v3/user/credits").await {
            Err(error) => Finding::unknown(of, "credits", format!("not known: {error}")),
            Ok(body) => match (body["remain"].as_i64(), body["total"].as_i64()) {
                (Some(0), _) => {
                    let mend = "wait for the plan's next period, or take a larger plan";
                    Finding::bad(of, "credits", "the plan's mails are used up", mend)
                }
                (Some(remain), Some(total)) => {
                    Finding::good(of, "credits", format!("{remain} of {total} mails are left"))
                }
                (_, _) => Finding::unknown(of, "credits", "SendGrid did not say"),
            },
        }
    }

    /// Whether mail to `recipient` is dropped.
    async fn suppression(&self, recipient: &str) -> Vec<Finding> {
        let of = self.name;
        match self.entries(recipient).await {
            Err(error) => vec![Finding::unknown(of, "recipient", format!("not known: {error}"))],
            Ok(entries) => match entries.iter().find(|entry| !entry.is_block) {
                None => {
                    vec![Finding::good(of, "recipient", format!("{recipient} is on no suppression list"))]
                }
                Some(entry) => vec![Finding::bad(
                    of,
                    "recipient",
                    format!("{recipient}: {}", entry.reason),
                    "take the address off the list at Suppressions, when whatever put it there is mended",
                )],
            },
        }
    }

    /// Whether a mail like those of alerts would be taken.
    async fn sandbox(&self, recipient: &str) -> Finding {
        let (of, start) = (self.name, Instant::now());
        let scrub = self.scrub(recipient);
        let mail = json!({
            "personalizations": [{ "to": [{ "email": recipient }] }],
            "from": { "email": self.sender_email },
            "subject": "A check that is not delivered",
            "content": [{ "type": "text/plain", "value": "A check that is not delivered." }],
            "mail_settings": { "sandbox_mode": { "enable": true } },
        });
        let found = match self.post(&mail, &scrub).await {
            Err(error) => Finding::failed(of, "request", &error, "see the words before"),
            Ok(answer) if answer.status.is_success() => {
                Finding::good(of, "request", "a mail would be accepted (sandbox)")
            }
            Ok(answer) => {
                let error = self.refusal(&answer, &scrub);
                let mend = "verify the sender at Settings, Sender Authentication, and see the words before";
                Finding::failed(of, "request", &error, mend)
            }
        };
        found.since(start)
    }

    async fn get(&self, path: &str) -> Result<Value, SendError> {
        let scrub = self.scrub("");
        let url = self.http.connection.url(path);
        let answer =
            self.http.exchange(&scrub, |client| client.get(url).bearer_auth(self.api_key.expose())).await?;
        match answer.status {
            status if status.is_success() => Ok(serde_json::from_slice(&answer.body).unwrap_or_default()),
            StatusCode::NOT_FOUND => Err(SendError::misconfigured("SendGrid (HTTP 404): no such resource")),
            _ => Err(self.refusal(&answer, &scrub)),
        }
    }

    fn refusal(
        &self,
        answer: &crate::sink::http::Answer,
        scrub: &crate::sink::reason::Scrub<'_>,
    ) -> SendError {
        let status = answer.status;
        let (class, meaning) = meaning(status.as_u16()).unwrap_or_else(|| Class::of(status));
        let ours = format!("SendGrid (HTTP {}): {meaning}", status.as_u16());
        let theirs = errors(&answer.body).unwrap_or_else(|| scrub.excerpt(&answer.body));
        class.error(scrub.and(self.http.credentials()).reason(&ours, &theirs), answer.wish())
    }
}
