//! [`WebhookSink`]: messages to chats, pagers and addresses of one's own, by HTTP.
//!
//! Runs on the alert thread. Invariant: only the label is in a row, an error, a line or
//! a `Debug`; the URL is a secret. No text of an event pings anybody.

use std::{
    collections::BTreeSet,
    fmt,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use reqwest::header::CONTENT_TYPE;
use serde_json::Value;
use tracing::Level;

use super::{
    Message, Receipt, Sink, WEBHOOK_PREFIX,
    http::{self, Answer, Class, Connection, Http, connection_setters},
    reason::Scrub,
};
use crate::{
    error::{Fault, Problem, quoted},
    host::{secret::Secret, time::to_millis},
    policy::{
        notice::{Kind, Notice},
        send_error::SendError,
    },
};

mod address;
use address::{Address, Service};

mod chat;
#[cfg(feature = "cli")]
mod doctor;
#[cfg(feature = "cli")]
pub(crate) use doctor::NEW_URL;
mod generic;
mod pagerduty;
use pagerduty::{Raised, Then};

mod signature;
mod text;

/// Posts messages to a webhook: of Slack, Discord, Microsoft Teams (a workflow),
/// Mattermost, ntfy or PagerDuty, or to an address of your own.
///
/// ```
/// use tracing_alert::{AlertLayer, WebhookSink};
///
/// let chat = WebhookSink::new("ops", "https://hooks.slack.com/services/T0/B0/secret");
/// assert!(!format!("{chat:?}").contains("secret"));
/// let alerts = AlertLayer::builder().in_memory().webhook(chat);
/// # let _: AlertLayer = alerts.build().unwrap();
/// ```
///
/// Which service it is, the host says; where a service has no host of its own, a prefix
/// does: `mattermost+https://chat.example.com/hooks/…`. An address of no known service
/// gets [JSON](crate::docs::webhooks), [signed](Self::secret) if there is a secret.
///
/// The URL is a secret, and shown nowhere. What is still to be sent belongs to the label,
/// so a new URL for the same label gets it.
pub struct WebhookSink {
    /// The label with what tells it from other sinks; stored with what is to be sent.
    name: &'static str,
    label: String,
    address: Result<Address, Fault>,
    secret: Option<Secret>,
    resolves: bool,
    http: Http,
    raised: Mutex<Raised>,
}

impl WebhookSink {
    /// An alert of PagerDuty ends with its incident.
    pub const DEFAULT_RESOLVE: bool = true;

    /// A webhook that is called `label` wherever it is mentioned: up to 32 letters,
    /// digits, dots, dashes and underscores, like `ops`. The label is stored with what is
    /// to be sent, so it has to stay the same.
    pub fn new(label: impl Into<String>, url: impl AsRef<str>) -> Self {
        let label = label.into();
        let name = named(&label);
        let address = Address::parse(url.as_ref().trim());
        let url = address.as_ref().map(|address| address.url.to_string()).unwrap_or_default();
        let mut connection = Connection::new(&url);
        connection.shown_host = Some("its host");
        Self {
            name,
            label,
            address,
            secret: None,
            resolves: Self::DEFAULT_RESOLVE,
            http: Http::new(name, connection),
            raised: Mutex::default(),
        }
    }

    /// Signs what goes to an address of no known service with HMAC-SHA256, in the headers
    /// that [Standard Webhooks](https://www.standardwebhooks.com) has, so that its receiver
    /// can tell whom it is from. A secret that begins with `whsec_` is in Base64. Default:
    /// no signature.
    #[must_use]
    pub fn secret(mut self, secret: impl Into<String>) -> Self {
        self.secret = Some(Secret::new(secret));
        self
    }

    /// Whether an alert of PagerDuty is resolved once its incident had no event for so
    /// long that it has ended. That means that there are no more events, and not that
    /// anything is mended. It is never done after a panic or a crash loop, or by another
    /// process than the one that had the error. Default:
    /// [`DEFAULT_RESOLVE`](Self::DEFAULT_RESOLVE).
    #[must_use]
    pub fn resolve(mut self, resolves: bool) -> Self {
        self.resolves = resolves;
        self
    }

    connection_setters!(on the way to "the webhook");

    /// Whether a webhook can be called so.
    pub(crate) fn is_label(text: &str) -> bool {
        (1..=MAX_LABEL).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte))
    }

    /// Its only recipient.
    pub(crate) fn label(&self) -> &str {
        &self.label
    }

    /// Whether it has to hear of the end of every incident.
    pub(crate) fn tells_every_end(&self) -> bool {
        self.resolves && self.address.as_ref().is_ok_and(|address| address.service == Service::PagerDuty)
    }

    /// All that can be known to be wrong without a request.
    pub(crate) fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut add = |setting: &str, what: String, mend: String| {
            let what = format!("{what}, so this webhook is off");
            problems.push(Problem::new(setting, what, mend));
        };
        if !Self::is_label(&self.label) {
            let mend = format!("give one of up to {MAX_LABEL} letters, digits, dots, dashes and underscores");
            add("ALERT_WEBHOOK", "a label is none".to_owned(), format!("{mend}, like ops"));
            return problems;
        }
        let fault = |what: &str| format!("the URL of {} {what}", quoted(&self.label));
        match &self.address {
            Err(wrong) => add("ALERT_WEBHOOK", fault(&wrong.what), wrong.mend.clone().unwrap_or_default()),
            Ok(_) => {
                if let Some((what, mend)) = self.http.connection.transport_fault() {
                    add("ALERT_WEBHOOK", fault(what), mend);
                }
                for Problem { setting, what, mend } in self.http.connection.other_problems() {
                    add(&setting, what, mend);
                }
            }
        }
        if let Some(what) = self.secret.as_ref().and_then(secret_fault) {
            add("ALERT_WEBHOOK_SECRET", what.to_owned(), "give the secret as its receiver has it".to_owned());
        }
        problems
    }

    /// What nobody else may read.
    pub(crate) fn credentials(&self) -> Vec<&Secret> {
        let address = self.address.iter().flat_map(|address| &address.secrets);
        address.chain(&self.secret).chain(self.http.connection.credentials()).collect()
    }

    fn scrub(&self) -> Scrub<'_> {
        let host = self.address.as_ref().ok().and_then(|address| address.url.host_str());
        Scrub { secrets: self.credentials(), words: host.map(|host| (host, "[host]")).into_iter().collect() }
    }

    async fn post(
        &self,
        address: &Address,
        body: Vec<u8>,
        headers: Vec<(&'static str, String)>,
        timeout: Duration,
        scrub: &Scrub<'_>,
    ) -> Result<Receipt, SendError> {
        let answer = self.http.exchange(scrub, |client| {
            let request = client.post(address.url.clone()).timeout(timeout);
            let request = request.header(CONTENT_TYPE, "application/json").body(body);
            headers.into_iter().fold(request, |request, (name, value)| request.header(name, value))
        });
        let answer = answer.await?;
        judge(&answer, address.service, self.name, &scrub.and(self.http.credentials()))
    }

    /// One request for each incident. What PagerDuty has already, it knows by its key, so
    /// after a failure all of them are made again.
    async fn page(
        &self,
        address: &Address,
        message: &Message,
        scrub: &Scrub<'_>,
    ) -> Result<Receipt, SendError> {
        let key = address.key.expose();
        let requests = {
            let raised = self.raised.lock().unwrap_or_else(PoisonError::into_inner);
            pagerduty::requests(message, key, self.resolves, &raised, std::process::id())
        };
        for request in requests {
            let body = request.body.to_string().into_bytes();
            self.post(address, body, Vec::new(), PAGE_TIMEOUT, scrub).await?;
            if request.then != Then::Nothing {
                self.raised.lock().unwrap_or_else(PoisonError::into_inner).note(request.then);
            }
        }
        Ok(Receipt::default())
    }

    /// The headers that sign `body`, or only name it.
    fn headers(&self, message: &Message, body: &[u8]) -> Vec<(&'static str, String)> {
        let seconds = to_millis(http::now()).unsigned_abs() / 1_000;
        let id = message.key.clone();
        let mut headers = Vec::new();
        if let Some(secret) = &self.secret {
            headers.push(("webhook-signature", signature::signature(secret, &id, seconds, body)));
        }
        headers.extend([("webhook-id", id), ("webhook-timestamp", seconds.to_string())]);
        headers
    }
}

impl Sink for WebhookSink {
    fn name(&self) -> &'static str {
        self.name
    }

    async fn send(&self, message: &Message) -> Result<Receipt, SendError> {
        let scrub = self.scrub();
        let address = match &self.address {
            Ok(address) => address,
            Err(fault) => {
                return Err(SendError::misconfigured(format!("{}: the URL {}", self.name, fault.what)));
            }
        };
        let body = match address.service {
            Service::PagerDuty => return self.page(address, message, &scrub).await,
            Service::Slack => chat::slack(message),
            Service::Discord => chat::discord(message),
            Service::Teams => chat::teams(message),
            Service::Mattermost => chat::mattermost(message),
            Service::Ntfy => chat::ntfy(message, address.key.expose(), is_urgent(&message.notice)),
            Service::Generic => {
                let body = generic::body(message);
                let headers = self.headers(message, &body);
                return self.post(address, body, headers, http::TOTAL_TIMEOUT, &scrub).await;
            }
        };
        let body = body.to_string().into_bytes();
        self.post(address, body, Vec::new(), http::TOTAL_TIMEOUT, &scrub).await
    }
}

/// Turns an answer into a receipt or an error. Any success is one, but for a page from a
/// service that answers with none: whoever answers with that is somebody else.
fn judge(answer: &Answer, service: Service, name: &str, scrub: &Scrub<'_>) -> Result<Receipt, SendError> {
    let status = answer.status;
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let is_page = service != Service::Generic && answer.body.trim_ascii_start().starts_with(b"<");
    if status.is_success() && !is_page {
        // What Discord and ntfy call it.
        let id = body["id"].as_str().filter(|id| (1..=MAX_REFERENCE).contains(&id.len()));
        let is_fit = |id: &&str| id.bytes().all(|byte| byte.is_ascii_graphic()) && !scrub.finds_secret(id);
        return Ok(id.filter(is_fit).map(Receipt::new).unwrap_or_default());
    }
    let (class, meaning) = meaning(answer, service).unwrap_or_else(|| Class::of(status));
    let ours = format!("{name} (HTTP {}): {meaning}", status.as_u16());
    let told = ["message", "error", "detail"].iter().find_map(|&field| body[field].as_str());
    let theirs = told.map_or_else(|| scrub.excerpt(&answer.body), str::to_owned);
    Err(class.error(scrub.reason(&ours, &theirs), answer.wish()))
}

/// The class of an answer, and its meaning in a few words; [`None`] for what the status
/// says anywhere.
fn meaning(answer: &Answer, service: Service) -> Option<(Class, &'static str)> {
    let is_key = || String::from_utf8_lossy(&answer.body).to_lowercase().contains("routing");
    Some(match answer.status.as_u16() {
        200..=299 => (Class::Misconfigured, "the answer is a page, and not the service's; is the URL right?"),
        300..=399 => (Class::Misconfigured, "redirected, which is not followed; is the URL right?"),
        400 if service == Service::PagerDuty && is_key() => {
            (Class::Misconfigured, "the routing key was refused")
        }
        401 | 403..=405 | 410 => (Class::Misconfigured, "the URL is not, or no longer, accepted"),
        400 | 422 => (Class::Rejected, "the message was refused"),
        _ => return None,
    })
}

/// Whether a phone is to make a noise.
fn is_urgent(notice: &Notice) -> bool {
    let is_bad = |level: Level| level == Level::ERROR;
    let is_news = !matches!(notice.kind, Kind::Quiet | Kind::Reminder);
    is_news && notice.samples.iter().any(|sample| sample.event.panic || is_bad(sample.event.level))
}

fn secret_fault(secret: &Secret) -> Option<&'static str> {
    if secret.is_blank() {
        return Some("is blank");
    }
    signature::secret_fault(secret)
}

/// The name of the sink with this label: the same text for as long as the process lives,
/// made once for each label.
fn named(label: &str) -> &'static str {
    static NAMES: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    // Nothing that could be a URL becomes a name.
    let label = if WebhookSink::is_label(label) { label } else { "?" };
    let name = format!("{WEBHOOK_PREFIX}{label}");
    // Not waited for: in a forked child nobody may be there to unlock it.
    let mut names = NAMES.try_lock().ok();
    if let Some(known) = names.as_ref().and_then(|names| names.get(name.as_str())) {
        return known;
    }
    let name: &'static str = name.leak();
    if let Some(names) = &mut names {
        names.insert(name);
    }
    name
}

/// A longer label would be a text.
const MAX_LABEL: usize = 32;

/// Many times as long as the ids that services give.
const MAX_REFERENCE: usize = 200;

/// One of several requests: all of them have the time of one attempt.
const PAGE_TIMEOUT: Duration = Duration::from_secs(10);

impl fmt::Debug for WebhookSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let service = self.address.as_ref().ok().map(|address| address.service);
        f.debug_struct("WebhookSink")
            .field("name", &self.name)
            .field("service", &service)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
