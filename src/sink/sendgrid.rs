//! [`SendGridSink`]: e-mail by the "Mail Send" API of SendGrid.
//!
//! Runs on the alert thread. Invariant: one request per attempt, one recipient
//! per mail, and no credential and no address in an error or a `Debug`.

use std::fmt;

use reqwest::StatusCode;
use serde_json::{Value, json};

use super::{
    Message, Receipt, SendError, Sink,
    address::is_email_address,
    http::{self, Answer, Class, Http},
    reason::{Scrub, one_line},
};
use crate::{error::Problem, secret::Secret};

mod headers;
use headers::headers;

/// Many times as long as the ids that SendGrid gives.
const LONGEST_REFERENCE: usize = 200;

/// Sends e-mail through SendGrid, from an address that is verified there.
///
/// ```
/// use tracing_alert::SendGridSink;
///
/// let sink = SendGridSink::new("SG.the-api-key", "alerts@example.com").sender_name("MyApp alerts");
/// assert!(!format!("{sink:?}").contains("SG."));
/// ```
///
/// SendGrid knows no idempotency key: a mail that was accepted although the
/// answer got lost arrives twice, with the same `Message-ID`. That it was
/// accepted does not mean that it was delivered: it drops mail to addresses on
/// its suppression lists.
///
/// Each request turns all tracking off: it would rewrite links and add a footer
/// with which a reader unsubscribes from alerts.
pub struct SendGridSink {
    api_key: Secret,
    sender_email: String,
    sender_name: Option<String>,
    base_url: String,
    http: Http,
}

impl SendGridSink {
    /// SendGrid's public host.
    pub const DEFAULT_BASE_URL: &str = "https://api.sendgrid.com";

    /// A sink that sends from `sender_email`, with a key that may send mail.
    pub fn new(api_key: impl Into<String>, sender_email: impl Into<String>) -> Self {
        Self {
            api_key: Secret::new(api_key),
            sender_email: sender_email.into(),
            sender_name: None,
            base_url: Self::DEFAULT_BASE_URL.to_owned(),
            http: Http::new("SendGrid"),
        }
    }

    /// The name that an inbox shows instead of the sender's address.
    #[must_use]
    pub fn sender_name(mut self, name: impl Into<String>) -> Self {
        self.sender_name = Some(name.into());
        self
    }

    /// Another host than [`DEFAULT_BASE_URL`](Self::DEFAULT_BASE_URL): that of
    /// a region, or a test server.
    #[must_use]
    pub fn base_url(mut self, url: impl Into<String>) -> Self {
        self.base_url = url.into();
        self
    }

    /// All that can be known to be wrong without asking SendGrid.
    pub(crate) fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut add = |setting: &str, what: &str, mend: &str| {
            problems.push(Problem::new(setting, format!("{what}, so e-mail is off"), mend));
        };
        if !http::is_credential(&self.api_key) {
            add(
                "SENDGRID_API_KEY",
                "is blank or has a character that no key has",
                "give a key with the permission to send mail, as SendGrid showed it when it was made",
            );
        }
        if !is_email_address(&self.sender_email) {
            add(
                "SENDGRID_SENDER_EMAIL",
                "is not an e-mail address",
                "give the plain address of a sender that is verified at SendGrid",
            );
        }
        if let Some(what) = http::base_url_fault(&self.base_url) {
            add("SENDGRID_BASE_URL", what, "give one like https://api.sendgrid.com, or none");
        }
        problems
    }

    fn scrub<'a>(&'a self, message: &'a Message) -> Scrub<'a> {
        Scrub {
            secrets: vec![&self.api_key],
            words: vec![(&message.recipient, "[recipient]"), (&self.sender_email, "[sender]")],
        }
    }

    /// The body of the request. There is no field that is null: SendGrid takes
    /// that for a wrong type. It wants the plain text before the HTML.
    fn mail(&self, message: &Message) -> Value {
        let mut from = json!({ "email": self.sender_email });
        if let Some(name) = self.sender_name.as_deref().map(display_name).filter(|name| !name.is_empty()) {
            from["name"] = name.into();
        }
        json!({
            "personalizations": [{
                "to": [{ "email": message.recipient }],
                "custom_args": { "delivery": id(&message.key) },
            }],
            "from": from,
            "subject": one_line(&message.subject),
            "content": [
                { "type": "text/plain", "value": message.text },
                { "type": "text/html", "value": message.html },
            ],
            "headers": headers(message, &self.sender_email),
            "categories": ["alert"],
            "tracking_settings": {
                "click_tracking": { "enable": false, "enable_text": false },
                "open_tracking": { "enable": false },
                "subscription_tracking": { "enable": false },
                "ganalytics": { "enable": false },
            },
        })
    }
}

impl Sink for SendGridSink {
    fn name(&self) -> &'static str {
        "sendgrid"
    }

    async fn send(&self, message: &Message) -> Result<Receipt, SendError> {
        let url = format!("{}/v3/mail/send", self.base_url.trim_end_matches('/'));
        let mail = self.mail(message);
        let scrub = self.scrub(message);
        let answer = self
            .http
            .exchange(&scrub, |client| client.post(url).bearer_auth(self.api_key.expose()).json(&mail))
            .await?;
        judge(&answer, &scrub)
    }
}

/// Turns an answer into a receipt or an error. SendGrid has no codes, the status
/// is all there is.
fn judge(answer: &Answer, scrub: &Scrub<'_>) -> Result<Receipt, SendError> {
    let status = answer.status;
    let reference = answer.headers.get("x-message-id").and_then(|id| id.to_str().ok()).map(id);
    if status == StatusCode::ACCEPTED || (status.is_success() && reference.is_some()) {
        let is_fit = |id: &String| (1..=LONGEST_REFERENCE).contains(&id.len()) && !scrub.finds_secret(id);
        return Ok(reference.filter(is_fit).map(Receipt::new).unwrap_or_default());
    }
    let (class, meaning) = match meaning(status.as_u16()) {
        Some(known) => known,
        None => Class::of(status),
    };
    let ours = format!("SendGrid (HTTP {}): {meaning}", status.as_u16());
    let theirs = errors(&answer.body).unwrap_or_else(|| scrub.excerpt(&answer.body));
    Err(class.error(scrub.reason(&ours, &theirs), answer.wish()))
}

/// The class of an answer, and its meaning in a few words; [`None`] for what the
/// status says anywhere ("Mail Send Errors" of SendGrid's documentation).
#[rustfmt::skip]
fn meaning(status: u16) -> Option<(Class, &'static str)> {
    Some(match status {
        400 => (Class::Rejected, "the mail was refused"),
        401 => (Class::Misconfigured, "a wrong API key, or the plan's credits are used up"),
        403 => (Class::Misconfigured, "an unverified sender, a key without permission, or a block"),
        404 | 405 => (Class::Misconfigured, "no such resource, is the base URL right?"),
        406 => (Class::Rejected, "the request was not acceptable"),
        413 => (Class::Rejected, "the mail is too large"),
        415 => (Class::Rejected, "the request's type was refused"),
        429 => (Class::NotProcessed, "too many requests"),
        451 => (Class::Misconfigured, "the region's restrictions forbid it"),
        _ => return None,
    })
}

/// What the `errors` of a body say, each with the field it is about; the field
/// may be null, or the text "null".
fn errors(body: &[u8]) -> Option<String> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let texts: Vec<String> = body["errors"]
        .as_array()?
        .iter()
        .filter_map(|error| {
            let text = error["message"].as_str()?;
            match error["field"].as_str() {
                None | Some("" | "null") => Some(text.to_owned()),
                Some(field) => Some(format!("{text} ({field})")),
            }
        })
        .collect();
    (!texts.is_empty()).then(|| texts.join("; "))
}

/// What is fit for a header's id of `text`.
fn id(text: &str) -> String {
    text.chars().filter(|&c| c.is_ascii_alphanumeric() || "._-".contains(c)).collect()
}

/// SendGrid refuses names with a comma or a semicolon; brackets and quotes have
/// a meaning of their own in a header.
fn display_name(name: &str) -> String {
    one_line(&name.replace([',', ';', '<', '>', '"', '\\', '@'], " "))
}

impl fmt::Debug for SendGridSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendGridSink").field("host", &http::host(&self.base_url)).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
