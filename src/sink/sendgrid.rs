//! [`SendGridSink`]: e-mail by the "Mail Send" API of SendGrid.
//!
//! Runs on the alert thread. Invariant: one request per attempt, one recipient
//! per mail, and no credential and no address in an error or a `Debug`.

use std::{collections::HashMap, fmt, sync::Mutex, time::Duration};

use base64::{Engine, prelude::BASE64_STANDARD};
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::{
    Accepted, Fate, Message, Receipt, Sink,
    address::is_email_address,
    http::{self, Answer, Class, Connection, Http, Names, connection_setters},
    reason::{Scrub, one_line},
};
use crate::{error::Problem, host::secret::Secret, policy::send_error::SendError, render::Attachment};

#[cfg(feature = "cli")]
mod doctor;

mod headers;
use headers::headers;

mod suppressions;
use suppressions::Known;

/// Many times as long as the ids that SendGrid gives.
const MAX_REFERENCE: usize = 200;

/// How many bytes of a text go out if the whole mail was too large: 30 MB are the
/// documented limit, a proxy's may be a megabyte.
const MAX_SMALLER: usize = 32 * 1024;

const NAMES: Names =
    Names { base_url: "SENDGRID_BASE_URL", default: SendGridSink::DEFAULT_BASE_URL, api: ["v3", "mail"] };

/// Sends e-mail through SendGrid, from an address that is verified there.
///
/// ```
/// use tracing_alert::SendGridSink;
///
/// let sink = SendGridSink::new("SG.the-api-key", "alerts@example.com").sender_name("MyApp alerts");
/// assert!(!format!("{sink:?}").contains("SG."));
/// ```
///
/// SendGrid has no idempotency key: a mail that was accepted although the answer got
/// lost arrives twice, with the same `Message-ID`. Accepted does not mean delivered:
/// SendGrid drops mail to addresses on its suppression lists, so these are asked for
/// the address 1 min, 11 min and 61 min after its first mail of the day. The key needs the
/// permission to read suppressions for that.
///
/// Each request turns all tracking off, because that would rewrite links and add a
/// footer by which a reader unsubscribes from alerts.
pub struct SendGridSink {
    name: &'static str,
    api_key: Secret,
    sender_email: String,
    sender_name: Option<String>,
    http: Http,
    /// What its lists say, by address.
    suppressions: Mutex<HashMap<String, Known>>,
}

impl SendGridSink {
    /// What it is called, unless it is [named](Self::named).
    pub(crate) const NAME: &'static str = "sendgrid";

    /// SendGrid's public host.
    pub const DEFAULT_BASE_URL: &str = "https://api.sendgrid.com";

    /// A sink that sends from `sender_email`, with a key that may send mail.
    pub fn new(api_key: impl Into<String>, sender_email: impl Into<String>) -> Self {
        Self {
            name: Self::NAME,
            api_key: Secret::new(api_key),
            sender_email: sender_email.into(),
            sender_name: None,
            http: Http::new("SendGrid", Connection::new(Self::DEFAULT_BASE_URL)),
            suppressions: Mutex::default(),
        }
    }

    /// The same under another name: for two accounts in one program, each with
    /// [recipients](crate::Recipients) of its own. The name is stored with what is to be
    /// sent, so it has to stay the same. Default: `sendgrid`.
    #[must_use]
    pub fn named(mut self, name: &'static str) -> Self {
        self.name = name;
        self
    }

    /// The name that an inbox shows instead of the sender's address.
    #[must_use]
    pub fn sender_name(mut self, name: impl Into<String>) -> Self {
        self.sender_name = Some(name.into());
        self
    }

    connection_setters!("SendGrid");

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
        for Problem { setting, what, mend } in self.http.connection.problems(&NAMES) {
            add(&setting, &what, &mend);
        }
        problems
    }

    /// What nobody else may read.
    pub(crate) fn credentials(&self) -> Vec<&Secret> {
        [&self.api_key].into_iter().chain(self.http.connection.credentials()).collect()
    }

    fn scrub<'a>(&'a self, recipient: &'a str) -> Scrub<'a> {
        Scrub {
            secrets: self.credentials(),
            words: vec![(recipient, "[recipient]"), (&self.sender_email, "[sender]")],
        }
    }

    async fn post(&self, mail: &Value, scrub: &Scrub<'_>) -> Result<Answer, SendError> {
        let url = self.http.connection.url("/v3/mail/send");
        let request =
            |client: &reqwest::Client| client.post(url).bearer_auth(self.api_key.expose()).json(mail);
        self.http.exchange(scrub, request).await
    }

    /// The body of the request. There is no field that is null: SendGrid takes
    /// that for a wrong type. It wants the plain text before the HTML.
    fn mail(&self, message: &Message) -> Value {
        let mut from = json!({ "email": self.sender_email });
        if let Some(name) = self.sender_name.as_deref().map(display_name).filter(|name| !name.is_empty()) {
            from["name"] = name.into();
        }
        let mut content = vec![json!({ "type": "text/plain", "value": message.text })];
        if !message.html.is_empty() {
            content.push(json!({ "type": "text/html", "value": message.html }));
        }
        let mut mail = json!({
            "personalizations": [{
                "to": [{ "email": message.recipient }],
                "custom_args": { "delivery": id(&message.key) },
            }],
            "from": from,
            "subject": one_line(&message.subject),
            "content": content,
            "headers": headers(message, &self.sender_email),
            "categories": ["alert"],
            "tracking_settings": {
                "click_tracking": { "enable": false, "enable_text": false },
                "open_tracking": { "enable": false },
                "subscription_tracking": { "enable": false },
                "ganalytics": { "enable": false },
            },
        });
        if let Some(attachment) = &message.attachment {
            mail["attachments"] = json!([file(attachment)]);
        }
        mail
    }
}

impl Sink for SendGridSink {
    fn name(&self) -> &'static str {
        self.name
    }

    async fn send(&self, message: &Message) -> Result<Receipt, SendError> {
        let scrub = self.scrub(&message.recipient);
        let mut answer = self.post(&self.mail(message), &scrub).await?;
        if answer.status == StatusCode::PAYLOAD_TOO_LARGE {
            answer = self.post(&self.mail(&smaller(message)), &scrub).await?;
        }
        judge(&answer, &scrub.and(self.http.credentials()))
    }

    fn asks_after(&self) -> &'static [Duration] {
        suppressions::ASKS_AFTER
    }

    async fn fates(&self, accepted: &[Accepted]) -> Result<Vec<Fate>, SendError> {
        self.ask(accepted, http::now()).await
    }
}

/// What is left of a message that was too large: the beginning of its text.
fn smaller(message: &Message) -> Message {
    let end = message.text.floor_char_boundary(MAX_SMALLER);
    let text = format!(
        "{}\n\n(SendGrid refused the whole mail as too large; this is its beginning.)",
        &message.text[..end]
    );
    Message { text, html: String::new(), attachment: None, ..message.clone() }
}

/// Turns an answer into a receipt or an error. SendGrid has no codes, the status
/// is all there is. Any success is one, but for a page: whoever answers with that is
/// somebody else.
fn judge(answer: &Answer, scrub: &Scrub<'_>) -> Result<Receipt, SendError> {
    let status = answer.status;
    let reference = answer.headers.get("x-message-id").and_then(|id| id.to_str().ok()).map(id);
    let is_page = || answer.body.trim_ascii_start().starts_with(b"<");
    if status.is_success() && (status == StatusCode::ACCEPTED || reference.is_some() || !is_page()) {
        let is_fit = |id: &String| (1..=MAX_REFERENCE).contains(&id.len()) && !scrub.finds_secret(id);
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
        404 | 405 => (Class::Misconfigured, "no such resource; is the base URL right?"),
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

/// SendGrid refuses a type that names the charset, and makes one up: the mark of
/// UTF-8 at its start says what the text is.
fn file(attachment: &Attachment) -> Value {
    json!({
        "content": BASE64_STANDARD.encode(format!("\u{FEFF}{}", attachment.text)),
        "type": "text/plain",
        "filename": attachment.name,
        "disposition": "attachment",
    })
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
        f.debug_struct("SendGridSink").field("host", &self.http.connection.host()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
